//! Every state of small worlds.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::search::explore::{End, Limits, Report, explore};
use simulator::search::lasso::lasso;
use simulator::search::raft::{Ending, Profile, RaftSpace, Sabotage, profiles};

/// Options of `search`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Explore this profile; may be given several times.
    #[arg(long = "profile", value_name = "NAME")]
    names: Vec<String>,
    /// Explore all profiles.
    #[arg(long)]
    all: bool,
    /// Say which profiles there are, and their bounds.
    #[arg(long)]
    list: bool,
    /// The size of the worlds: 1 for minutes, 2 for campaigns.
    #[arg(long, default_value_t = 1)]
    scale: u8,
    /// Change a bound of the profiles, as in `terms=3`, or of one, as in `figure-8.terms=3`; may be
    /// given several times.
    #[arg(long = "bound", value_name = "NAME=VALUE", value_parser = bound_of)]
    bounds: Vec<(Option<String>, String, u8)>,
    /// Explore the i-th of every n profiles only.
    #[arg(long, value_name = "I/N", value_parser = super::shard, default_value = "0/1")]
    shard: (u64, u64),
    /// Explore no more after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Stop a profile after so many states.
    #[arg(long)]
    states_max: Option<u64>,
    /// Stop a profile when it takes so much memory, in MiB.
    #[arg(long, default_value_t = 4096)]
    memory_mib: u64,
    /// Another hash function: a run with another one misses other states, if any.
    #[arg(long, default_value_t = 0)]
    hash_seed: u64,
    /// Break the harness on purpose, to see what notices.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Sabotage,
}

fn bound_of(text: &str) -> Result<(Option<String>, String, u8), String> {
    let Some((profile, rest)) = text.split_once('.') else {
        return bound(text).map(|(name, value)| (None, name, value));
    };
    let known = profiles(1).iter().any(|known| known.name == profile);
    let (name, value) = bound(rest)?;
    known
        .then(|| (Some(profile.into()), name, value))
        .ok_or_else(|| format!("no profile is called {profile}"))
}

pub(super) fn bound(text: &str) -> Result<(String, u8), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("a bound is written name=value")?;
    let value = value.parse().map_err(|_| "a bound is a small number")?;
    let known = profiles(1)[0].with(name, value);
    known.ok_or_else(|| format!("{name} is no bound"))?;
    Ok((name.into(), value))
}

fn sabotage(name: &str) -> Result<Sabotage, String> {
    let found = Sabotage::ALL.iter().find(|(known, _)| *known == name);
    found.map(|(_, sabotage)| *sabotage).ok_or_else(|| {
        let names: Vec<_> = Sabotage::ALL.iter().map(|(name, _)| *name).collect();
        format!("the seeded faults are {}", names.join(", "))
    })
}

/// Explores them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let change = |profile: Profile, (of, name, value): &(Option<String>, String, u8)| {
        let is_meant = of.as_ref().is_none_or(|of| of == profile.name);
        let changed = is_meant.then(|| profile.with(name, *value)).flatten();
        changed.unwrap_or(profile)
    };
    let mut all = profiles(arguments.scale);
    for profile in &mut all {
        *profile = arguments.bounds.iter().fold(*profile, change);
    }
    if arguments.list {
        all.iter().for_each(print_profile);
        return ExitCode::SUCCESS;
    }
    for name in &arguments.names {
        if !all.iter().any(|profile| profile.name == name) {
            println!("no profile is called {name}; see --list");
            return ExitCode::FAILURE;
        }
    }
    let is_wanted = |name: &str| arguments.all || arguments.names.iter().any(|n| n == name);
    let (which, count) = arguments.shard;
    let is_of_shard = |place: usize| place as u64 % count == which;
    let wanted = all.iter().filter(|profile| is_wanted(profile.name));
    let mut figures = Figures::new("search");
    let (mut failures, began) = (0, Instant::now());
    let wanted = wanted.enumerate().filter(|(place, _)| is_of_shard(*place));
    for (_, profile) in wanted {
        let left = arguments
            .seconds
            .map(|seconds| Duration::from_secs(seconds).saturating_sub(began.elapsed()));
        if left == Some(Duration::ZERO) {
            break;
        }
        failures += u64::from(!run(arguments, profile, left, &mut figures));
    }
    figures.add("violations", failures, Merge::Sum);
    print!("{figures}");
    if failures > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn print_profile(profile: &Profile) {
    println!("{}: {}", profile.name, profile.purpose);
    println!("    {}", profile.bounds());
}

/// Explores one profile; says whether all is well.
fn run(
    arguments: &Arguments,
    profile: &Profile,
    left: Option<Duration>,
    figures: &mut Figures,
) -> bool {
    print_profile(profile);
    let limits = Limits {
        states_max: arguments.states_max.unwrap_or(u64::MAX),
        time_max: left,
        memory_bytes: arguments.memory_mib << 20,
        ..Limits::default()
    };
    let mut space = RaftSpace::new(*profile, arguments.sabotage, arguments.hash_seed);
    let report = if profile.ending == Ending::Calm {
        let (report, waiting) = lasso(&mut space, &limits);
        println!(
            "    {} waiting states, {} lassos",
            waiting.states, waiting.traps
        );
        report
    } else {
        explore(&mut space, &limits)
    };
    print_report(&space, &report);
    let millis = report.time.as_millis() as u64;
    figures.add("states", report.states, Merge::Sum);
    figures.add("bytes_max", report.bytes, Merge::Max);
    let hidden = (u128::from(report.states).pow(2) * 1_000_000_000) >> 65;
    figures.add("hidden_in_1e9", hidden as u64, Merge::Sum);
    figures.add("steps", report.steps, Merge::Sum);
    figures.add("milliseconds", millis, Merge::Sum);
    figures.add("profiles", 1, Merge::Sum);
    figures.add("closed", u64::from(report.is_closed()), Merge::Sum);
    if let End::Caught(caught) = &report.end {
        println!(
            "    BROKEN: {} after {} steps",
            caught.invariant, caught.depth
        );
        if let Some(rule) = space.rule() {
            println!("    the model says: {rule}");
        }
        print_history(arguments, profile);
        println!(
            "    again: cargo run --release -p simulator -- search --profile {} --scale {}",
            profile.name, arguments.scale
        );
        return false;
    }
    true
}

fn print_report(space: &RaftSpace, report: &Report) {
    let millis = report.time.as_millis().max(1);
    let closed = match report.end {
        End::Closed => "closed: yes".into(),
        End::Stopped(limit) => format!("closed: no ({limit})"),
        End::Caught(_) => "closed: no (caught)".into(),
    };
    println!(
        "    {closed}, {} states, depth {}, {} steps, {} ms, {} states/s",
        report.states,
        report.depth,
        report.steps,
        millis,
        u128::from(report.states) * 1000 / millis
    );
    let (locals, frames, steps) = space.sizes();
    println!(
        "    {locals} states of nodes, {frames} frames, {steps} steps of nodes; at most {} states \
         waited, {} MiB, {} bytes a state",
        report.frontier,
        report.bytes >> 20,
        report.bytes / report.states.max(1),
    );
    println!("    reached: {}", space.reached());
    let odds = report.omission_odds();
    println!("    a collision of fingerprints hid a state with a chance of about 1 in {odds}");
}

/// Explores the profile once more, keeping where each state was met from.
fn print_history(arguments: &Arguments, profile: &Profile) {
    let limits = Limits {
        memory_bytes: arguments.memory_mib << 20,
        keeps_parents: true,
        ..Limits::default()
    };
    let mut space = RaftSpace::new(*profile, arguments.sabotage, arguments.hash_seed);
    if let End::Caught(caught) = explore(&mut space, &limits).end {
        for (number, step) in (1..).zip(&caught.history) {
            println!("    {number:3}  {step}");
        }
    }
}

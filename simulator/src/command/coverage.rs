//! How much of a closed small world the random worlds visit.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::search::explore::Limits;
use simulator::search::raft::{Coverage, Grain, Habit, Profile, Wanderer, profile};

/// Options of `coverage`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The profile whose states are the denominator, at scale 1.
    #[arg(long, value_name = "NAME", default_value = "elections")]
    profile: String,
    /// Change a bound of the profile, as in `terms=2`; may be given several times.
    #[arg(long = "bound", value_name = "NAME=VALUE", value_parser = super::search::bound)]
    bounds: Vec<(String, u8)>,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Runs of random worlds.
    #[arg(long, default_value_t = u64::MAX)]
    runs: u64,
    /// Begin no more runs after so many seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Fail if fewer than so many in ten thousand were visited.
    #[arg(long, default_value_t = 0)]
    least: u64,
    /// Let most runs go on from where an earlier one met something new; takes 1 GiB.
    #[arg(long, conflicts_with = "tame")]
    forks: bool,
    /// Tell states apart no finer than the papers do: no frames, no timers.
    #[arg(long)]
    shapes: bool,
    /// A seeded fault: nothing goes wrong in the random worlds.
    #[arg(long)]
    tame: bool,
    /// Say which kinds of forms were missed, so many.
    #[arg(long, default_value_t = 10)]
    missed: usize,
}

fn wanted(arguments: &Arguments) -> Option<Profile> {
    let profile = profile(&arguments.profile, 1)?;
    let mut bounds = arguments.bounds.iter();
    bounds.try_fold(profile, |profile, (name, value)| profile.with(name, *value))
}

/// Explores, lets worlds run, and compares.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let Some(profile) = wanted(arguments) else {
        println!("no profile is called {}", arguments.profile);
        return ExitCode::FAILURE;
    };
    let grain = if arguments.shapes {
        Grain::Shapes
    } else {
        Grain::Situations
    };
    let Some((mut coverage, report)) = Coverage::of(profile, grain, &Limits::default()) else {
        println!(
            "{} has what the random worlds are not held to",
            profile.name
        );
        return ExitCode::FAILURE;
    };
    println!("{}: {}", profile.name, profile.bounds());
    println!(
        "    closed: {}, {} states have {} {}",
        if report.is_closed() { "yes" } else { "no" },
        report.states,
        coverage.forms(),
        grain.name()
    );
    let habit = match (arguments.forks, arguments.tame) {
        (true, _) => Habit::Forks,
        (_, true) => Habit::Tame,
        _ => Habit::Plain,
    };
    let mut wanderer = match Wanderer::new(habit) {
        Ok(wanderer) => wanderer,
        Err(violation) => {
            println!("FAILED {violation}");
            return ExitCode::FAILURE;
        }
    };
    let (began, time) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let (mut runs, mut steps) = (0_u64, 0);
    while runs < arguments.runs && (runs % 64 != 0 || began.elapsed() < time) {
        let seed = arguments.first.wrapping_add(runs);
        match coverage.visit(&mut wanderer, seed) {
            Ok(taken) => steps += taken,
            Err(violation) => {
                println!("FAILED in the run of seed {seed}: {violation}");
                return ExitCode::FAILURE;
            }
        }
        runs += 1;
        if runs.is_power_of_two() && runs >= 1024 {
            print_line(&coverage, runs);
        }
    }
    print_line(&coverage, runs);
    for (kind, all, missed) in coverage.missed().iter().take(arguments.missed) {
        println!("    missed {missed:6} of {all:6}: {kind}");
    }
    let mut figures = Figures::new(match grain {
        Grain::Situations => "coverage",
        Grain::Shapes => "coverage-of-shapes",
    });
    figures.add("forms", coverage.forms(), Merge::Max);
    figures.add("visited", coverage.visited(), Merge::Max);
    figures.add("visited-per-myriad", coverage.per_myriad(), Merge::Max);
    figures.add("others", coverage.others(), Merge::Max);
    figures.add("runs", runs, Merge::Sum);
    figures.add("steps", steps, Merge::Sum);
    figures.add(
        "milliseconds",
        began.elapsed().as_millis() as u64,
        Merge::Sum,
    );
    print!("{figures}");
    if coverage.per_myriad() < arguments.least || !report.is_closed() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn print_line(coverage: &Coverage, runs: u64) {
    let part = coverage.per_myriad();
    println!(
        "    {runs:9} runs: {} of {}, {}.{:02} %; {} others",
        coverage.visited(),
        coverage.forms(),
        part / 100,
        part % 100,
        coverage.others()
    );
}

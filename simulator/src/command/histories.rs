//! Many histories of the large worlds, one for each seed.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::oracle::Judged;
use simulator::world::Share;
use simulator::world::stats::{Count, Stats};
use simulator::world::swarm::Swarm;
use simulator::world::trace::Verbosity;
use simulator::{Bench, Options, Oracle, Sabotage, World, report, run_in};

/// Options of `histories`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many histories to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// Run no history after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// The seed of the first one.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run this one alone.
    #[arg(long)]
    seed: Option<u64>,
    /// Print everything that happens.
    #[arg(long)]
    verbose: bool,
    /// Leave an oracle out; may be given several times.
    #[arg(long = "drop-oracle", value_name = "NAME", value_parser = oracle)]
    dropped: Vec<Oracle>,
    /// Break the harness on purpose, to see which oracle notices.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Sabotage,
    /// Hold every seed against the reference model, not one in 32.
    #[arg(long)]
    reference: bool,
    /// Go on after a failure, and list all failing seeds.
    #[arg(long)]
    keep_going: bool,
}

fn oracle(name: &str) -> Result<Oracle, String> {
    Oracle::by_name(name).ok_or_else(|| {
        let names: Vec<_> = Oracle::ALL.iter().map(|oracle| oracle.name()).collect();
        format!("the oracles are {}", names.join(", "))
    })
}

pub(crate) fn sabotage(name: &str) -> Result<Sabotage, String> {
    Sabotage::by_name(name).ok_or_else(|| {
        let names: Vec<_> = Sabotage::ALL.iter().map(|(name, _)| *name).collect();
        format!("the seeded faults are {}", names.join(", "))
    })
}

/// Runs them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let bench = arguments
        .dropped
        .iter()
        .fold(Bench::ALL, |bench, oracle| bench.without(*oracle));
    let options = Options {
        bench,
        sabotage: arguments.sabotage,
        verbosity: if arguments.verbose {
            Verbosity::Print
        } else {
            Verbosity::Silent
        },
        reference: if arguments.reference {
            Share::Every
        } else {
            Share::Few
        },
    };
    let (first, count) = match arguments.seed {
        Some(seed) => (seed, 1),
        None => (arguments.first, arguments.seeds),
    };
    if arguments.seed.is_some() {
        println!("seed {first}\n{}\n", Swarm::draw(first));
    }
    sweep(arguments, options, first, count)
}

fn sweep(arguments: &Arguments, options: Options, first: u64, count: u64) -> ExitCode {
    let began = Instant::now();
    let (mut sum, mut micros, mut failures) = (Stats::default(), 0, 0_u64);
    let mut judged = Judged::default();
    let mut ran = 0_u64;
    let mut world = World::blank();
    for seed in first..first.saturating_add(count) {
        let is_over = |seconds| began.elapsed().as_secs() >= seconds;
        if arguments.seconds.is_some_and(is_over) {
            break;
        }
        ran += 1;
        let history = run_in(&mut world, seed, options);
        sum.merge(&history.stats);
        judged.merge(&history.judged);
        micros += history.micros;
        let Some(violation) = history.violation else {
            continue;
        };
        failures += 1;
        if arguments.keep_going {
            println!("seed {seed}: {violation}");
        } else {
            print!("{}", report(seed, options, &replay(arguments, seed)));
            return ExitCode::FAILURE;
        }
    }
    let elapsed = began.elapsed();
    println!("{sum}");
    println!("{judged}");
    let events = sum.count(Count::Event);
    let per_second = events as u128 * 1_000_000 / elapsed.as_micros().max(1);
    println!(
        "{ran} histories, {} simulated seconds, {events} events in {} ms: {per_second} events/s",
        micros / 1_000_000,
        elapsed.as_millis(),
    );
    let mut figures = Figures::new("histories");
    figures.add("histories", ran, Merge::Sum);
    figures.add("events", events, Merge::Sum);
    figures.add("simulated-seconds", micros / 1_000_000, Merge::Sum);
    figures.add("crashes", sum.count(Count::Crash), Merge::Sum);
    figures.add("milliseconds", elapsed.as_millis() as u64, Merge::Sum);
    figures.add("violations", failures, Merge::Sum);
    print!("{figures}");
    let missing: Vec<_> = sum.missing().collect();
    if failures > 0 {
        println!("{failures} FAILED");
        return ExitCode::FAILURE;
    }
    if ran >= 10_000 && !missing.is_empty() {
        println!("FAILED: never happened: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    let cells: Vec<_> = sum.missing_cells().collect();
    if ran >= 10_000 && !cells.is_empty() {
        println!("FAILED: never struck: {}", cells.join(", "));
        return ExitCode::FAILURE;
    }
    let idle: Vec<_> = judged.idle().map(Oracle::name).collect();
    if ran >= 10_000 && !idle.is_empty() {
        println!("FAILED: never judged: {}", idle.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn replay(arguments: &Arguments, seed: u64) -> String {
    let mut line = format!("cargo run --release -p simulator -- histories --seed {seed}");
    for oracle in &arguments.dropped {
        line.push_str(&format!(" --drop-oracle {oracle}"));
    }
    if arguments.reference {
        line.push_str(" --reference");
    }
    if arguments.sabotage != Sabotage::None {
        line.push_str(&format!(" --sabotage {}", arguments.sabotage.name()));
    }
    line
}

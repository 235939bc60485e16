//! Whether a seed is the same history everywhere.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::determinism::{Difference, compare};
use simulator::figures::{Figures, Merge};
use simulator::world::chain::mix;
use simulator::world::stats::Count;
use simulator::{Options, World, run_in};

/// Options of `determinism`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many histories to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The seed of the first one.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run no history after so many seconds; the hash then covers those that ran.
    #[arg(long)]
    seconds: Option<u64>,
    /// Run each so many-th one again in this process: in a new world, put into words, and as a
    /// copy from its middle on. The others run once.
    #[arg(long, default_value_t = 10)]
    again: u64,
}

/// Runs them, and prints one hash of all: the same from debug and release builds, and from every
/// process on every machine.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let (mut world, mut fork) = (World::blank(), World::blank());
    let (mut all, mut ran, mut compared, mut events) = ([1_u64, 2], 0_u64, 0_u64, 0);
    let mut differences = 0_u64;
    for seed in arguments.first..arguments.first.saturating_add(arguments.seeds) {
        let is_over = |seconds| began.elapsed().as_secs() >= seconds;
        if arguments.seconds.is_some_and(is_over) {
            break;
        }
        let history = run_in(&mut world, seed, Options::default());
        ran += 1;
        events += history.stats.count(Count::Event);
        if let Some(violation) = &history.violation {
            println!("seed {seed}: {violation}");
            differences += 1;
        }
        all[0] = mix(all[0], history.hash as u64 ^ seed);
        all[1] = mix(all[1], (history.hash >> 64) as u64 ^ history.micros);
        if arguments.again > 0 && seed.is_multiple_of(arguments.again) {
            compared += 1;
            if let Err(Difference { what, hash }) = compare(&history, &mut world, &mut fork) {
                println!("seed {seed}: {:032x}, and {hash:032x} {what}", history.hash);
                differences += 1;
            }
        }
    }
    println!(
        "hash of seeds {}..={}: {:016x}{:016x}",
        arguments.first,
        (arguments.first + ran).saturating_sub(1),
        all[1],
        all[0]
    );
    let mut figures = Figures::new("determinism");
    figures.add("histories", ran, Merge::Sum);
    figures.add("histories-repeated", compared, Merge::Sum);
    figures.add("events", events, Merge::Sum);
    figures.add(
        "milliseconds",
        began.elapsed().as_millis() as u64,
        Merge::Sum,
    );
    figures.add("differences", differences, Merge::Sum);
    print!("{figures}");
    if differences > 0 {
        println!("FAILED: {differences} differ");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

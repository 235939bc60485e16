//! The checker of histories beside one that tries every order, on random tiny histories.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::linear::{Verdict, brute, random, search};
use simulator::world::random::{Random, Stream};

/// Options of `linear`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many histories to compare.
    #[arg(long, default_value_t = 1_000_000)]
    histories: u64,
    /// Begin no further thousand after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// The seed of the first thousand; each further thousand takes the next.
    #[arg(long, default_value_t = 1)]
    first: u64,
}

/// Histories of one seed.
const THOUSAND: u64 = 1_000;

/// Compares them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let (mut compared, mut explained) = (0, 0);
    let mut history = Vec::new();
    let mut seed = arguments.first;
    while compared < arguments.histories {
        let is_over = |seconds| began.elapsed().as_secs() >= seconds;
        if arguments.seconds.is_some_and(is_over) {
            break;
        }
        let mut random = Random::new(seed, Stream::Workload);
        for _ in 0..THOUSAND.min(arguments.histories - compared) {
            random::tiny(&mut random, &mut history);
            let expected = brute::is_linearizable(&history);
            let verdict = search::check(&history, search::STEPS_MAX);
            if expected != (verdict == Verdict::Linearizable) {
                println!("FAILED seed {seed}: {verdict:?}, and an order exists: {expected}");
                println!("{history:?}");
                return ExitCode::FAILURE;
            }
            compared += 1;
            explained += u64::from(expected);
        }
        seed += 1;
    }
    let elapsed = began.elapsed().as_millis() as u64;
    println!("{compared} histories, {explained} of them linearizable, in {elapsed} ms");
    let mut figures = Figures::new("linear");
    figures.add("histories", compared, Merge::Sum);
    figures.add("linearizable", explained, Merge::Sum);
    figures.add("milliseconds", elapsed, Merge::Sum);
    print!("{figures}");
    ExitCode::SUCCESS
}

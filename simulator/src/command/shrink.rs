//! Makes the history of a failing seed short.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::scenario::{Shrunk, shrink};
use simulator::{Options, Sabotage};

use crate::command::histories::sabotage;

/// Options of `shrink`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The seed that fails; without one, the first that does with every seeded fault.
    #[arg(long)]
    seed: Option<u64>,
    /// Break the harness on purpose.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Sabotage,
    /// Where the story goes; to the terminal otherwise.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Without a seed: how many failing seeds of each seeded fault.
    #[arg(long, default_value_t = 3)]
    each: usize,
    /// Without a seed: the first one that is tried.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Without a seed: begin nothing after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// Shrinks one seed, or some of every seeded fault.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let Some(seed) = arguments.seed else {
        return all(arguments);
    };
    let options = Options {
        sabotage: arguments.sabotage,
        ..Options::default()
    };
    let Some(shrunk) = shrink(seed, options) else {
        println!("seed {seed} does not fail");
        return ExitCode::SUCCESS;
    };
    let text = shrunk.scenario.to_string();
    match &arguments.output {
        None => print!("{text}"),
        Some(path) => {
            if let Err(error) = fs::write(path, text) {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    eprintln!("{}", summary(&shrunk));
    ExitCode::FAILURE
}

fn summary(shrunk: &Shrunk) -> String {
    format!(
        "{}: {} decisions instead of {}, {} replays, {} ms",
        shrunk.oracle, shrunk.events, shrunk.events_before, shrunk.replays, shrunk.milliseconds
    )
}

fn all(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let (mut events, mut times) = (Vec::new(), Vec::new());
    for (name, sabotage) in Sabotage::ALL {
        let options = Options {
            sabotage,
            ..Options::default()
        };
        if sabotage == Sabotage::None {
            continue;
        }
        let mut found = 0;
        for seed in arguments.first..arguments.first + 300 {
            let is_over = |seconds| began.elapsed().as_secs() >= seconds;
            if found >= arguments.each || arguments.seconds.is_some_and(is_over) {
                break;
            }
            let Some(shrunk) = shrink(seed, options) else {
                continue;
            };
            found += 1;
            println!("{name} seed {seed}: {}", summary(&shrunk));
            if let Err(what) = shrunk.scenario.check() {
                println!("FAILED: {what}");
                return ExitCode::FAILURE;
            }
            events.push(shrunk.events as u64);
            times.push(shrunk.milliseconds);
        }
    }
    events.sort_unstable();
    times.sort_unstable();
    let median = |all: &[u64]| all.get(all.len() / 2).copied().unwrap_or_default();
    let mut figures = Figures::new("shrink");
    figures.add("stories", events.len() as u64, Merge::Sum);
    figures.add("median-events", median(&events), Merge::Max);
    figures.add("median-milliseconds", median(&times), Merge::Max);
    figures.add(
        "slowest-milliseconds",
        times.last().copied().unwrap_or_default(),
        Merge::Max,
    );
    print!("{figures}");
    ExitCode::SUCCESS
}

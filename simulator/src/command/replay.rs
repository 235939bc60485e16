//! Plays a story, or a seed, and says what happens.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use simulator::scenario::record;
use simulator::world::trace::Verbosity;
use simulator::{Bench, Options, Sabotage};

use crate::command::draw;
use crate::command::histories::sabotage;

/// Options of `replay`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A story.
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// A seed instead, whose decisions become a story.
    #[arg(long)]
    seed: Option<u64>,
    /// With a seed: break the harness on purpose.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Sabotage,
    /// Print everything that happens.
    #[arg(long)]
    verbose: bool,
    /// With a seed: print the story instead of playing it.
    #[arg(long)]
    text: bool,
}

/// Plays it; fails if it does not end as it says.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let scenario = match (&arguments.file, arguments.seed) {
        (Some(file), _) => draw::read(file),
        (None, Some(seed)) => {
            let options = Options {
                sabotage: arguments.sabotage,
                ..Options::default()
            };
            let recorded = record(seed, options);
            recorded.map_or_else(|v| Err(v.to_string()), |recorded| Ok(recorded.scenario))
        }
        (None, None) => Err("a file, or --seed".into()),
    };
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(what) => {
            eprintln!("{what}");
            return ExitCode::from(2);
        }
    };
    if arguments.text {
        print!("{scenario}");
        return ExitCode::SUCCESS;
    }
    let verbosity = if arguments.verbose {
        Verbosity::Print
    } else {
        Verbosity::Silent
    };
    let played = scenario.play_with(Bench::ALL, verbosity);
    let did = played.happened.iter().filter(|did| **did).count();
    println!("{did} of {} lines happened", scenario.events());
    let found = played.violation;
    match &found {
        Some(violation) => println!("{violation}"),
        None => println!("nothing contradicts anything"),
    }
    match scenario.judge(found.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}

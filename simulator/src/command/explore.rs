//! Worlds that fork where something new happens.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::guide::{Explorer, Path, replay};
use simulator::world::stats::Count;
use simulator::world::trace::Verbosity;
use simulator::{Options, Sabotage};

/// Options of `explore`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Start no run after so many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Start no run after so many events.
    #[arg(long)]
    events: Option<u64>,
    /// The seed of the first world.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Do not fork, to compare.
    #[arg(long)]
    uniform: bool,
    /// Break the harness on purpose.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = super::histories::sabotage)]
    sabotage: Sabotage,
    /// Run this path again, in words.
    #[arg(long)]
    path: Option<Path>,
}

/// Runs it.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let mut options = Options {
        sabotage: arguments.sabotage,
        ..Options::default()
    };
    if let Some(path) = &arguments.path {
        options.verbosity = Verbosity::Print;
        return match replay(path, options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(violation) => {
                println!("\nFAILED {violation}");
                ExitCode::FAILURE
            }
        };
    }
    let began = Instant::now();
    let mut explorer = Explorer::new(arguments.first, options, !arguments.uniform);
    let is_over = |explorer: &Explorer| {
        let events = explorer.explored().stats.count(Count::Event);
        began.elapsed().as_secs() >= arguments.seconds
            || arguments.events.is_some_and(|most| events >= most)
    };
    let mut is_sound = true;
    while is_sound && !is_over(&explorer) {
        is_sound = explorer.run();
    }
    let explored = explorer.explored();
    if let Some((path, violation)) = &explored.finding {
        println!(
            "FAILED {violation}\nreplay: cargo run --release -p simulator -- explore --path {path}"
        );
        if arguments.sabotage != Sabotage::None {
            println!("        with --sabotage {}", arguments.sabotage.name());
        }
    }
    let (situations, pairs) = explored.novelty;
    let events = explored.stats.count(Count::Event);
    println!(
        "{} runs, {events} events, {situations} situations, {pairs} pairs of them",
        explored.runs
    );
    let mut figures = Figures::new("explore");
    figures.add("runs", explored.runs, Merge::Sum);
    figures.add("events", events, Merge::Sum);
    figures.add("situations", situations, Merge::Max);
    figures.add("situation-pairs", pairs, Merge::Max);
    figures.add(
        "milliseconds",
        began.elapsed().as_millis() as u64,
        Merge::Sum,
    );
    figures.add("violations", u64::from(!is_sound), Merge::Sum);
    print!("{figures}");
    if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

//! One hunt of one checker: what `cargo xtask museum` asks of its copy with the mutants.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::museum::{self, Checker, Stopwatch, Trial};
use simulator::{Bench, Oracle};

/// Options of `museum`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Who hunts.
    #[arg(long, value_name = "NAME", default_value = "worlds", value_parser = checker)]
    checker: &'static str,
    /// Which trial: each has its own seeds.
    #[arg(long, default_value_t = 0)]
    trial: u32,
    /// Try nothing new after so many seconds of processor time.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Leave an oracle out; may be given several times.
    #[arg(long = "drop-oracle", value_name = "NAME", value_parser = oracle)]
    dropped: Vec<Oracle>,
    /// Name the checkers and end.
    #[arg(long)]
    list: bool,
}

fn checker(name: &str) -> Result<&'static str, String> {
    museum::checker(name).map(Checker::name).ok_or_else(|| {
        let names: Vec<_> = museum::CHECKERS.iter().map(|known| known.name()).collect();
        format!("the checkers are {}", names.join(", "))
    })
}

fn oracle(name: &str) -> Result<Oracle, String> {
    Oracle::by_name(name).ok_or_else(|| "there is no such oracle".into())
}

/// Hunts. The line that begins with `museum` is for the runner.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    if arguments.list {
        for checker in museum::CHECKERS {
            println!("{} {}", checker.name(), checker.unit());
        }
        return ExitCode::SUCCESS;
    }
    let Some(checker) = museum::checker(arguments.checker) else {
        return ExitCode::from(2);
    };
    let began = Stopwatch::start();
    let hunt = checker.hunt(&Trial {
        number: arguments.trial,
        budget: Duration::from_secs(arguments.seconds),
        bench: arguments
            .dropped
            .iter()
            .fold(Bench::ALL, |bench, oracle| bench.without(*oracle)),
    });
    let micros = began.elapsed().as_micros();
    let (name, unit, tries) = (checker.name(), checker.unit(), hunt.tries);
    let mut figures = Figures::new("museum");
    figures.add(&format!("{name}-{unit}"), tries, Merge::Sum);
    figures.add("findings", u64::from(hunt.caught.is_some()), Merge::Sum);
    let Some(caught) = hunt.caught else {
        println!("museum missed {name} {tries} {unit} {micros} micros");
        print!("{figures}");
        return ExitCode::SUCCESS;
    };
    println!("{}", caught.what);
    println!(
        "museum caught {name} {tries} {unit} {micros} micros by {}",
        caught.by
    );
    print!("{figures}");
    ExitCode::FAILURE
}

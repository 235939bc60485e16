//! One hunt of one checker: what `cargo xtask museum` asks of its copy with the mutants.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::museum::{self, Checker, Stopwatch, Trial};
use simulator::scenario::shrink;
use simulator::{Bench, Options, Oracle};

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
    /// Make what the worlds notice a short story, and say how short it is.
    #[arg(long)]
    story: bool,
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
    let trial = Trial {
        number: arguments.trial,
        budget: Duration::from_secs(arguments.seconds),
        bench: arguments
            .dropped
            .iter()
            .fold(Bench::ALL, |bench, oracle| bench.without(*oracle)),
    };
    if arguments.story {
        return tell(&trial);
    }
    let hunt = checker.hunt(&trial);
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

/// Makes the first history in which the worlds notice something short.
fn tell(trial: &Trial) -> ExitCode {
    let options = Options {
        bench: trial.bench,
        ..Options::default()
    };
    let hunt = museum::checker("worlds").map(|worlds| worlds.hunt(trial));
    let caught = hunt.filter(|hunt| hunt.caught.is_some());
    let began = Stopwatch::start();
    let shrunk = caught.and_then(|hunt| shrink(trial.first_seed() + hunt.tries - 1, options));
    let micros = began.elapsed().as_micros();
    let Some(shrunk) = shrunk else {
        println!("museum missed story 0 decisions {micros} micros");
        return ExitCode::SUCCESS;
    };
    print!("{}", shrunk.scenario);
    println!(
        "museum caught story {} decisions {micros} micros by {}",
        shrunk.events, shrunk.oracle
    );
    ExitCode::FAILURE
}

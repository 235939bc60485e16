//! The gates of this repository, one word each: `cargo xtask test` runs them all in order.
//!
//! A gate passes, fails or is skipped with a reason and the way to get what it lacks. Where `CI=true` is set
//! nothing may be skipped: there a skip is a failure. The last line on standard output counts gates.

mod gates;
mod source;
mod style;
mod sysroot;
mod tools;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gates::{GATES, Gate};
use tools::{Context, Skip};

fn main() -> ExitCode {
    let mut verbose = false;
    let mut words = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--verbose" | "-v" => verbose = true,
            _ => words.push(argument),
        }
    }
    let Some(gates) = chosen(&words) else {
        help();
        return ExitCode::from(2);
    };
    let context = match Context::from_environment(verbose) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    let reports: Vec<Report> = gates.into_iter().map(|gate| run(&context, gate)).collect();
    close(&reports)
}

/// The gates that the words name, in the order of the table; `None` when a word is unknown or there is none.
fn chosen(words: &[String]) -> Option<Vec<&'static Gate>> {
    let known = |word: &String| word == "test" || GATES.iter().any(|gate| gate.word == word);
    if words.is_empty() || !words.iter().all(known) {
        return None;
    }
    let all = words.iter().any(|word| word == "test");
    Some(
        GATES
            .iter()
            .filter(|gate| all || words.iter().any(|word| word == gate.word))
            .collect(),
    )
}

fn help() {
    eprintln!(
        "cargo xtask [--verbose] WORD...\n\n  {:<11} every gate below, in this order",
        "test"
    );
    for gate in GATES {
        eprintln!("  {:<11} {}", gate.word, gate.what);
    }
}

enum Outcome {
    Passed,
    Failed,
    Skipped,
}

struct Report {
    word: &'static str,
    took: Duration,
    outcome: Outcome,
}

fn run(context: &Context, gate: &'static Gate) -> Report {
    println!("== {}: {}", gate.word, gate.what);
    let start = Instant::now();
    let outcome = match (gate.run)(context) {
        Ok(()) => Outcome::Passed,
        Err(error) => match error.downcast_ref::<Skip>() {
            Some(skip) if !context.ci => {
                println!("   SKIPPED ({skip})");
                Outcome::Skipped
            }
            Some(skip) => {
                println!("   FAILED: nothing may be skipped where CI=true ({skip})");
                Outcome::Failed
            }
            None => {
                println!("   FAILED: {error:#}");
                Outcome::Failed
            }
        },
    };
    Report {
        word: gate.word,
        took: start.elapsed(),
        outcome,
    }
}

/// Prints the table and the counting line, and says whether the run as a whole may be called good.
fn close(reports: &[Report]) -> ExitCode {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!("\n{:<11} minutes  result", "gate");
    for report in reports {
        let (count, result) = match report.outcome {
            Outcome::Passed => (&mut passed, "passed"),
            Outcome::Failed => (&mut failed, "FAILED"),
            Outcome::Skipped => (&mut skipped, "SKIPPED"),
        };
        *count += 1;
        println!(
            "{:<11} {:>7.1}  {result}",
            report.word,
            report.took.as_secs_f64() / 60.0
        );
    }
    let total: Duration = reports.iter().map(|report| report.took).sum();
    println!("{:<11} {:>7.1}\n", "together", total.as_secs_f64() / 60.0);
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

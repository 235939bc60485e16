//! The gates of this repository, one word each: `cargo xtask test` runs them all in order.
//!
//! A gate passes, fails or is skipped with a reason and the way to get what it lacks. Where `CI=true` is set
//! nothing may be skipped: there a skip is a failure. The last line on standard output counts gates.

mod campaign;
mod gates;
mod museum;
mod mutants;
mod source;
mod style;
mod sysroot;
mod tools;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use gates::{GATES, Gate};
use tools::{Context, Skip};

/// What is no gate, because it takes as long as one lets it, and arguments of its own.
struct Command {
    word: &'static str,
    what: &'static str,
    run: fn(&Context, &[String]) -> anyhow::Result<()>,
}

const COMMANDS: &[Command] = &[
    Command {
        word: "campaign",
        what: "everything for hours, in shards: --hours H [--shard I/N]",
        run: campaign::main,
    },
    Command {
        word: "museum",
        what: "mutants, and who notices them: [--mutant N] [--checker NAME] [--ablate] [--write]",
        run: museum::main,
    },
    Command {
        word: "mutants",
        what: "every operator and every body replaced, and which the tests notice: [--shard I/N] [--only TEXT]",
        run: mutants::main,
    },
];

fn main() -> ExitCode {
    let mut verbose = false;
    let mut words = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--verbose" | "-v" => verbose = true,
            _ => words.push(argument),
        }
    }
    let context = match Context::from_environment(verbose) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    if let Some((word, arguments)) = words.split_first()
        && let Some(command) = COMMANDS.iter().find(|command| command.word == word)
    {
        return match (command.run)(&context, arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(gates) = chosen(&words) else {
        help();
        return ExitCode::from(2);
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
    eprintln!("\ncargo xtask WORD ARGUMENTS\n");
    for command in COMMANDS {
        eprintln!("  {:<11} {}", command.word, command.what);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    let (outcome, remark) = judge((gate.run)(context), context.ci);
    if let Some(remark) = remark {
        println!("   {remark}");
    }
    Report {
        word: gate.word,
        took: start.elapsed(),
        outcome,
    }
}

/// What the result of a gate means, and what there is to say about it.
fn judge(result: anyhow::Result<()>, ci: bool) -> (Outcome, Option<String>) {
    let Err(error) = result else {
        return (Outcome::Passed, None);
    };
    match error.downcast_ref::<Skip>() {
        Some(skip) if !ci => (Outcome::Skipped, Some(format!("SKIPPED ({skip})"))),
        Some(skip) => {
            let remark = format!("FAILED: nothing may be skipped where CI=true ({skip})");
            (Outcome::Failed, Some(remark))
        }
        None => (Outcome::Failed, Some(format!("FAILED: {error:#}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: anyhow::Result<()>, ci: bool) -> Outcome {
        judge(result, ci).0
    }

    #[test]
    fn skip_is_a_failure_where_nothing_may_be_skipped() {
        assert_eq!(outcome(tools::skip("why; how"), false), Outcome::Skipped);
        assert_eq!(outcome(tools::skip("why; how"), true), Outcome::Failed);
    }

    #[test]
    fn error_is_a_failure_everywhere() {
        assert_eq!(outcome(Err(anyhow::anyhow!("no")), false), Outcome::Failed);
        assert_eq!(outcome(Err(anyhow::anyhow!("no")), true), Outcome::Failed);
        assert_eq!(outcome(Ok(()), true), Outcome::Passed);
    }

    #[test]
    fn words_choose_gates_in_the_order_of_the_table() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            chosen(&words).map(|gates| gates.iter().map(|gate| gate.word).collect::<Vec<_>>())
        };
        assert_eq!(words(&["unit", "fmt"]), Some(vec!["fmt", "unit"]));
        assert_eq!(words(&["test"]).map(|all| all.len()), Some(GATES.len()));
        assert_eq!(words(&["fmt", "nonsense"]), None);
        assert_eq!(words(&[]), None);
    }
}

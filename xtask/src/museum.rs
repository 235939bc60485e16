//! The bug museum: `cargo xtask museum`.
//!
//! A check that never failed proves nothing. `simulator/museum` holds mutants, each a patch that removes one rule of the
//! protocol or of the proof room. They are applied to a copy of the workspace, where a function that mutants change
//! asks which of them is selected, so that one build serves them all and the sources carry no marker. Every checker is
//! let loose on every mutant; who notices nothing is told apart from who cannot notice.

mod compose;
mod findings;
mod lab;
mod patch;
mod scratch;
mod table;
mod trial;

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::tools::Context;
use lab::Lab;
use table::Row;

pub(crate) use findings::{Findings, hash};
pub(crate) use patch::{Kind, Patch, hunks};
pub(crate) use scratch::Copy;
pub(crate) use trial::{Arms, TESTS, Trial};

const PATCHES: &str = "simulator/museum";
const PAGE: &str = "docs/museum.md";
const USAGE: &str = "cargo xtask museum [--mutant N]... [--checker NAME]... [--trials K] [--seconds-max S] [--jobs J] [--ablate] [--write] [--known] [--smoke]";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Arguments {
    mutants: Vec<u32>,
    checkers: Vec<String>,
    trials: u32,
    seconds_max: u64,
    /// Mutants that are examined at a time.
    jobs: usize,
    ablates: bool,
    writes: bool,
    /// Hunts nothing that was not hunted before.
    is_known_only: bool,
    is_smoke: bool,
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self> {
        let mut arguments = Arguments {
            mutants: Vec::new(),
            checkers: Vec::new(),
            trials: 3,
            seconds_max: 60,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            ablates: false,
            writes: false,
            is_known_only: false,
            is_smoke: words.is_empty(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} wants a value; {USAGE}"))
            };
            match word.as_str() {
                "--mutant" => arguments.mutants.push(value()?.parse()?),
                "--checker" => arguments.checkers.push(value()?.clone()),
                "--trials" => arguments.trials = value()?.parse()?,
                "--seconds-max" => arguments.seconds_max = value()?.parse()?,
                "--jobs" => arguments.jobs = value()?.parse()?,
                "--ablate" => arguments.ablates = true,
                "--write" => (arguments.writes, arguments.ablates) = (true, true),
                "--known" => arguments.is_known_only = true,
                "--smoke" => arguments.is_smoke = true,
                _ => bail!("{word}? {USAGE}"),
            }
        }
        ensure!(
            arguments.trials > 0 && arguments.jobs > 0,
            "no trials, or nobody to do them? {USAGE}"
        );
        Ok(arguments)
    }
}

/// The command; without arguments it is the gate.
pub(crate) fn main(context: &Context, words: &[String]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    if arguments.is_smoke {
        return gate(context);
    }
    let all = patch::read_all(&context.root.join(PATCHES))?;
    let copy = Copy::make(context, "museum", &all)?;
    for number in &arguments.mutants {
        ensure!(
            all.iter().any(|patch| patch.number == *number),
            "there is no mutant {number}"
        );
    }
    let chosen = all
        .iter()
        .filter(|patch| arguments.mutants.is_empty() || arguments.mutants.contains(&patch.number));
    let chosen: Vec<&Patch> = chosen.collect();
    let simulator = if arguments.is_known_only {
        copy.built_simulator()
    } else {
        copy.simulator(context)?
    };
    let mut checkers = checkers(&simulator)?;
    checkers.retain(|name| arguments.checkers.is_empty() || arguments.checkers.contains(name));
    ensure!(
        !checkers.is_empty(),
        "no such checker: {}",
        arguments.checkers.join(", ")
    );
    let wants_tests = checkers.iter().any(|name| name == TESTS);
    let arms = Arms {
        simulator,
        tests: if wants_tests && !arguments.is_known_only {
            copy.tests()?
        } else {
            Vec::new()
        },
    };
    if !arguments.is_known_only {
        control(&arms, &checkers, arguments.seconds_max.min(5))?;
    }
    let findings = Findings::read(copy.home().join("findings.txt"), copy.subject());
    let rows = Lab::new(arms, findings, &arguments).examine_all(&chosen, &checkers)?;
    println!("\n{}", table::summary(&rows));
    if arguments.writes {
        let conditions = format!(
            "{}, a build with debug assertions and overflow checks{}",
            lab::budget(&arguments),
            if arguments.is_known_only {
                ", `--known`: what was hunted so far"
            } else {
                ""
            }
        );
        fs::write(
            context.root.join(PAGE),
            table::page(&rows, &checkers, &conditions),
        )?;
    }
    let escaped: Vec<String> = rows
        .iter()
        .filter(|row| !is_as_expected(row))
        .map(|row| row.patch.name.clone())
        .collect();
    ensure!(
        escaped.is_empty(),
        "not as expected: {}",
        escaped.join(", ")
    );
    Ok(())
}

/// Whether a mutant was caught, and by everybody who is expected to notice it; or by nobody, if it is equivalent.
fn is_as_expected(row: &Row<'_>) -> bool {
    let mut missed = row.results.iter().filter(|result| !result.ever());
    let is_missed = missed.any(|result| row.patch.expected.contains(&result.checker));
    !is_missed && row.is_caught() != row.patch.equivalent.is_some()
}

/// The names of all checkers, as the copy knows them.
fn checkers(simulator: &std::path::Path) -> Result<Vec<String>> {
    let mut list = std::process::Command::new(simulator);
    let (success, output) = crate::tools::capture(list.args(["museum", "--list"]))?;
    ensure!(success, "the copy does not name its checkers: {output}");
    let names = output
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.insert(1.min(names.len()), TESTS.to_owned());
    Ok(names)
}

/// With no mutant selected nobody may notice anything.
fn control(arms: &Arms, checkers: &[String], seconds: u64) -> Result<()> {
    for checker in checkers {
        let finding = arms.hunt(&Trial {
            mutant: 0,
            checker,
            number: 0,
            seconds,
            dropped: &[],
        })?;
        ensure!(
            finding.by.is_none(),
            "{checker} accuses the code as it is: {:?}",
            finding.by
        );
    }
    Ok(())
}

/// Mutants of the gate, each with the checker that notices it soonest.
const SMOKE: &[(u32, &str)] = &[
    (2, "worlds"),
    (3, "worlds"),
    (4, "worlds"),
    (5, "worlds"),
    (8, "worlds"),
    (9, "worlds"),
    (10, "worlds"),
    (11, "worlds"),
    (14, "worlds"),
    (18, "worlds"),
    (26, "worlds"),
    (30, "worlds"),
    (31, "worlds"),
    (32, "worlds"),
    (33, "worlds"),
    (34, "worlds"),
    (39, "worlds"),
    (58, "worlds"),
    (61, "worlds"),
    (72, "worlds"),
    (75, "worlds"),
    (20, "worlds"),
    (22, "worlds"),
    (55, "worlds"),
    (78, "worlds"),
    (79, "worlds"),
    (13, "reference"),
    (63, "reference"),
    (28, "hostile"),
    (54, "hostile"),
    (7, "hostile"),
    (80, "hostile"),
    (83, "hostile"),
    (19, "topologies"),
    (21, "topologies"),
    (104, "coverage"),
    (109, "seeded"),
];

/// How long one of them may take, in seconds: many times what it takes.
const SMOKE_SECONDS: u64 = 30;

/// How long their checkers look at the code as it is, in seconds: many times what it takes to notice one of them.
const CONTROL_SECONDS: u64 = 2;

/// The gate: every patch applies, the code as it is is not accused, and the mutants that are caught fastest are caught.
pub(crate) fn gate(context: &Context) -> Result<()> {
    let patches = patch::read_all(&context.root.join(PATCHES))?;
    let copy = Copy::make(context, "museum", &patches)?;
    let arms = Arms {
        simulator: copy.simulator(context)?,
        tests: Vec::new(),
    };
    let mut names: Vec<String> = SMOKE.iter().map(|(_, name)| (*name).into()).collect();
    names.sort_unstable();
    names.dedup();
    control(&arms, &names, CONTROL_SECONDS)?;
    let mut missed = Vec::new();
    for (mutant, checker) in SMOKE {
        let patch = patches.iter().find(|patch| patch.number == *mutant);
        let patch = patch.with_context(|| format!("there is no mutant {mutant}"))?;
        let finding = arms.hunt(&Trial {
            mutant: *mutant,
            checker,
            number: 0,
            seconds: SMOKE_SECONDS,
            dropped: &[],
        })?;
        if finding.by.is_none() {
            missed.push(patch.name.clone());
        }
    }
    ensure!(
        missed.is_empty(),
        "not noticed any more: {}",
        missed.join(", ")
    );
    println!(
        "   {} patches apply; {} mutants noticed",
        patches.len(),
        SMOKE.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(words: &str) -> Result<Arguments> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn arguments_are_read() {
        let parsed =
            arguments("--mutant 3 --mutant 4 --checker worlds --trials 5 --write").unwrap();
        assert_eq!(parsed.mutants, [3, 4]);
        assert_eq!(parsed.checkers, ["worlds"]);
        assert_eq!(
            (parsed.trials, parsed.writes, parsed.ablates),
            (5, true, true)
        );
        assert!(!parsed.is_smoke);
        assert!(arguments("").unwrap().is_smoke);
        assert!(arguments("--mutant").is_err());
        assert!(arguments("--nonsense").is_err());
    }
}

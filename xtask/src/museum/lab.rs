//! Where mutants are examined: who hunts which of them for how long.
//!
//! A checker that notices does so in milliseconds, as a rule, and one that does not uses its whole budget up. So everybody
//! gets a short budget first. Where that is not enough, for a mutant that nobody notices, or one against safety that only
//! one checker does, those who missed it get the long one, one after the other, until it is. Who noticed in the first
//! trial has the long budget in the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};

use super::findings::{Findings, hash};
use super::patch::{Kind, Patch};
use super::table::{self, Ablation, Row};
use super::trial::{Arms, Finding, STORY, TESTS, Trial};
use super::{Arguments, is_as_expected};

/// Checkers that look at the proof room itself, and find nothing wrong with the protocol.
const HARNESS_CHECKERS: [&str; 2] = ["coverage", "seeded"];

/// Checkers that do the same in every trial.
const SEEDLESS: [&str; 3] = [TESTS, STORY, "search"];

/// What everybody gets at first, in seconds.
const SHORT_SECONDS: u64 = 2;

/// How long the other oracles may look for what one of them is kept from noticing.
const ABLATION_SECONDS_MAX: u64 = 5;

/// So many checkers must notice a mutant against safety.
const INDEPENDENT: usize = 2;

/// How much was hunted, in words.
pub(super) fn budget(arguments: &Arguments) -> String {
    let long = arguments.seconds_max;
    format!(
        "trials: {}, mutants at a time: {}; of processor time {} s for each checker in its first trial, and {long} s in the \
         others if it noticed, or where nobody did, or of a mutant against safety only one; {} s without an oracle",
        arguments.trials,
        arguments.jobs,
        long.min(SHORT_SECONDS),
        long.min(ABLATION_SECONDS_MAX),
    )
}

/// The laboratory.
pub(super) struct Lab<'a> {
    arms: Arms,
    findings: Mutex<Findings>,
    arguments: &'a Arguments,
}

impl<'a> Lab<'a> {
    pub(super) fn new(arms: Arms, findings: Findings, arguments: &'a Arguments) -> Self {
        Lab {
            arms,
            findings: Mutex::new(findings),
            arguments,
        }
    }

    /// Examines all of them, some at a time.
    pub(super) fn examine_all<'p>(
        &self,
        patches: &[&'p Patch],
        checkers: &[String],
    ) -> Result<Vec<Row<'p>>> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, Row<'p>)>> {
            let mut rows = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(patch) = patches.get(place) else {
                    return Ok(rows);
                };
                let row = self.examine(patch, checkers)?;
                println!("{}", lines(&row));
                rows.push((place, row));
            }
        };
        let mut rows = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.arguments.jobs)
                .map(|_| scope.spawn(work))
                .collect();
            let mut rows = Vec::new();
            for worker in workers {
                let done = worker.join().map_err(|_| anyhow!("a worker panicked"))?;
                rows.extend(done?);
            }
            Ok::<_, anyhow::Error>(rows)
        })?;
        rows.sort_by_key(|(place, _)| *place);
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn examine<'p>(&self, patch: &'p Patch, checkers: &[String]) -> Result<Row<'p>> {
        let long = self.arguments.seconds_max;
        let mut row = Row {
            patch,
            results: Vec::new(),
            ablation: None,
            story: None,
        };
        for checker in checkers.iter().filter(|name| concerns(name, patch.kind)) {
            let findings = self.trials(patch, checker, &[], long.min(SHORT_SECONDS))?;
            if !findings.is_empty() {
                row.results.push(table::Result {
                    checker: checker.clone(),
                    findings,
                });
            }
        }
        for place in 0..row.results.len() {
            if is_enough(&row) {
                break;
            }
            let result = &row.results[place];
            if !result.ever() && result.checker != TESTS {
                let findings = self.trials(patch, &result.checker, &[], long)?;
                row.results[place].findings = findings;
            }
        }
        if self.arguments.ablates {
            row.ablation = self.ablate(patch, &row)?;
            row.story = self.story(patch, &row)?;
        }
        Ok(row)
    }

    fn trials(
        &self,
        patch: &Patch,
        checker: &str,
        dropped: &[String],
        first_seconds: u64,
    ) -> Result<Vec<Finding>> {
        // What has no seeds is the same in every trial.
        let count = if SEEDLESS.contains(&checker) {
            1
        } else {
            self.arguments.trials
        };
        let mut findings: Vec<Finding> = Vec::new();
        for number in 0..count {
            let trial = Trial {
                mutant: patch.number,
                checker,
                number,
                seconds: match number {
                    0 => first_seconds,
                    _ if dropped.is_empty() => self.arguments.seconds_max,
                    _ => first_seconds,
                },
                dropped,
            };
            let Some(finding) = self.trial(patch, &trial)? else {
                break;
            };
            let is_missed = finding.by.is_none();
            findings.push(finding);
            if is_missed && number == 0 {
                // Nobody waits three times for nothing.
                break;
            }
        }
        Ok(findings)
    }

    /// What is known of a trial, or comes of it; nothing if nothing new is to be hunted.
    fn trial(&self, patch: &Patch, trial: &Trial<'_>) -> Result<Option<Finding>> {
        let identity = hash([&patch.diff]);
        let poisoned = |_| anyhow!("another worker panicked");
        let known = {
            let findings = self.findings.lock().map_err(poisoned)?;
            findings.find(identity, trial)
        };
        if known.is_some() || self.arguments.is_known_only {
            return Ok(known);
        }
        let finding = self.arms.hunt(trial)?;
        let mut findings = self.findings.lock().map_err(poisoned)?;
        findings.add(identity, trial, &finding)?;
        Ok(Some(finding))
    }

    /// Leaves out every oracle of the worlds that noticed.
    fn ablate(&self, patch: &Patch, row: &Row<'_>) -> Result<Option<Ablation>> {
        let mut dropped = noticed(row);
        dropped.sort();
        dropped.dedup();
        if dropped.is_empty() {
            return Ok(None);
        }
        let seconds = self.arguments.seconds_max.min(ABLATION_SECONDS_MAX);
        let findings = self.trials(patch, "worlds", &dropped, seconds)?;
        Ok((!findings.is_empty()).then_some(Ablation { dropped, findings }))
    }

    /// How short the history becomes in which the worlds noticed first.
    fn story(&self, patch: &Patch, row: &Row<'_>) -> Result<Option<Finding>> {
        if noticed(row).is_empty() {
            return Ok(None);
        }
        let trial = Trial {
            mutant: patch.number,
            checker: STORY,
            number: 0,
            seconds: self.arguments.seconds_max,
            dropped: &[],
        };
        self.trial(patch, &trial)
    }
}

/// The oracles of the worlds that noticed: a panic is none.
fn noticed(row: &Row<'_>) -> Vec<String> {
    let worlds = row.results.iter().find(|result| result.checker == "worlds");
    let findings = worlds.map_or(&[][..], |worlds| &worlds.findings);
    let by = findings.iter().filter_map(|finding| finding.by.clone());
    by.filter(|by| !["panic", "hang", "abort"].contains(&by.as_str()))
        .collect()
}

/// Whether a mutant was noticed as it must be, and nobody needs to look for longer.
fn is_enough(row: &Row<'_>) -> bool {
    let is_safe = row.patch.kind != Kind::Safety || row.noticed_by() >= INDEPENDENT;
    row.patch.equivalent.is_some() || (is_safe && is_as_expected(row))
}

/// Whether a checker has anything to say about mutants of this kind.
fn concerns(checker: &str, kind: Kind) -> bool {
    HARNESS_CHECKERS.contains(&checker) == (kind == Kind::Harness)
}

/// What became of a mutant, for whoever watches.
fn lines(row: &Row<'_>) -> String {
    let mut text = format!("{:>4}  {}", row.patch.number, row.patch.title);
    for result in &row.results {
        text += &format!(
            "\n      {}: {}",
            result.checker,
            table::cell(&result.findings)
        );
    }
    if let Some(ablation) = &row.ablation {
        let (dropped, cell) = (ablation.dropped.join(", "), table::cell(&ablation.findings));
        text += &format!("\n      without {dropped}: {cell}");
    }
    if let Some(story) = &row.story {
        text += &format!(
            "\n      story: {}",
            table::cell(std::slice::from_ref(story))
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_room_is_judged_by_its_own_checkers() {
        assert!(concerns("coverage", Kind::Harness) && concerns("worlds", Kind::Safety));
        assert!(!concerns("coverage", Kind::Safety) && !concerns(TESTS, Kind::Harness));
    }
}

//! What trials found so far, kept in a file: a run that was interrupted goes on where it was, and several runs, each
//! with some of the mutants or checkers, add up to one page.
//!
//! A finding is worth something as long as the protocol and the patch are what they were. A trial without a finding is
//! repeated when more time is given to it, and one of the tests when there are other tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use super::trial::{Finding, TESTS, Trial};

/// What the findings are about: each number tells one state of sources from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subject {
    /// Of the protocol.
    pub(crate) protocol: u64,
    /// Of its tests.
    pub(crate) tests: u64,
}

/// The file, and what it says.
pub(crate) struct Findings {
    path: PathBuf,
    subject: Subject,
    known: BTreeMap<String, (u64, Finding)>,
}

impl Findings {
    pub(crate) fn read(path: PathBuf, subject: Subject) -> Self {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let known = text.lines().filter_map(parse).collect();
        Findings {
            path,
            subject,
            known,
        }
    }

    fn key(&self, patch: u64, trial: &Trial<'_>) -> String {
        let dropped = match trial.dropped {
            [] => "-".to_owned(),
            some => some.join("+"),
        };
        format!(
            "{:016x} {patch:016x} {} {} {} {dropped}",
            self.subject.protocol, trial.mutant, trial.checker, trial.number
        )
    }

    /// The key of a trial that found nothing.
    fn key_of_none(&self, patch: u64, trial: &Trial<'_>) -> String {
        let mut key = self.key(patch, trial);
        if trial.checker == TESTS {
            key.push_str(&format!("@{:016x}", self.subject.tests));
        }
        key
    }

    /// What is known of a trial, if it was given as much time as now.
    pub(crate) fn find(&self, patch: u64, trial: &Trial<'_>) -> Option<Finding> {
        let found = self.known.get(&self.key(patch, trial));
        if let Some((_, finding)) = found.filter(|(_, finding)| finding.by.is_some()) {
            return Some(finding.clone());
        }
        let (seconds, finding) = self.known.get(&self.key_of_none(patch, trial))?;
        (*seconds >= trial.seconds).then(|| finding.clone())
    }

    /// Writes a finding down.
    pub(crate) fn add(&mut self, patch: u64, trial: &Trial<'_>, finding: &Finding) -> Result<()> {
        let key = match finding.by {
            Some(_) => self.key(patch, trial),
            None => self.key_of_none(patch, trial),
        };
        let by = finding.by.as_deref().unwrap_or("-").replace(' ', "-");
        let line = format!(
            "{key} {} {} {} {} {by}\n",
            trial.seconds, finding.tries, finding.unit, finding.micros
        );
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?;
        file.write_all(line.as_bytes())?;
        self.known.insert(key, (trial.seconds, finding.clone()));
        Ok(())
    }
}

fn parse(line: &str) -> Option<(String, (u64, Finding))> {
    let words: Vec<&str> = line.split(' ').collect();
    let [key @ .., seconds, tries, unit, micros, by] = &words[..] else {
        return None;
    };
    let finding = Finding {
        by: (*by != "-").then(|| (*by).to_owned()),
        tries: tries.parse().ok()?,
        unit: (*unit).to_owned(),
        micros: micros.parse().ok()?,
    };
    (key.len() == 6).then(|| Some((key.join(" "), (seconds.parse().ok()?, finding))))?
}

/// A number that differs when the text does (FNV-1a).
pub(crate) fn hash(texts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in texts {
        for byte in text.as_ref().iter().chain(b"\n") {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Scratch;

    #[test]
    fn a_finding_outlives_the_run_but_not_the_code() {
        let scratch = Scratch::new("findings").unwrap();
        let subject = |protocol, tests| Subject { protocol, tests };
        let path = scratch.path().join("findings");
        let trial = |seconds| Trial {
            mutant: 7,
            checker: "worlds",
            number: 1,
            seconds,
            dropped: &[],
        };
        let finding = |by: Option<&str>| Finding {
            by: by.map(str::to_owned),
            tries: 3,
            unit: "seeds".into(),
            micros: 55,
        };
        let mut findings = Findings::read(path.clone(), subject(1, 1));
        findings.add(10, &trial(5), &finding(None)).unwrap();
        findings
            .add(11, &trial(5), &finding(Some("one vote")))
            .unwrap();
        let again = Findings::read(path.clone(), subject(1, 1));
        assert_eq!(again.find(10, &trial(5)), Some(finding(None)));
        assert_eq!(again.find(10, &trial(6)), None, "more time, another trial");
        assert_eq!(again.find(11, &trial(60)), Some(finding(Some("one-vote"))));
        assert_eq!(again.find(12, &trial(5)), None, "another patch");
        let dropped = ["one-vote".to_owned()];
        let without = Trial {
            dropped: &dropped,
            ..trial(5)
        };
        assert_eq!(again.find(11, &without), None);
        assert_eq!(
            Findings::read(path.clone(), subject(2, 1)).find(11, &trial(5)),
            None,
            "other code"
        );
    }

    #[test]
    fn a_survivor_of_the_tests_is_tried_again_when_there_are_others() {
        let scratch = Scratch::new("survivors").unwrap();
        let path = scratch.path().join("findings");
        let subject = |tests| Subject { protocol: 1, tests };
        let trial = Trial {
            mutant: 7,
            checker: TESTS,
            number: 0,
            seconds: 0,
            dropped: &[],
        };
        let finding = |by: Option<&str>| Finding {
            by: by.map(str::to_owned),
            tries: 1,
            unit: "tests".into(),
            micros: 55,
        };
        let mut findings = Findings::read(path.clone(), subject(1));
        findings.add(10, &trial, &finding(None)).unwrap();
        findings.add(11, &trial, &finding(Some("laws"))).unwrap();
        assert_eq!(findings.find(10, &trial), Some(finding(None)));
        let mut later = Findings::read(path.clone(), subject(2));
        assert_eq!(later.find(10, &trial), None);
        assert_eq!(later.find(11, &trial), Some(finding(Some("laws"))));
        later.add(10, &trial, &finding(Some("laws"))).unwrap();
        let latest = Findings::read(path, subject(2));
        assert_eq!(latest.find(10, &trial), Some(finding(Some("laws"))));
    }

    #[test]
    fn texts_have_their_hashes() {
        assert_ne!(hash(["a", "b"]), hash(["ab"]));
        assert_ne!(hash(["a"]), hash(["b"]));
    }
}

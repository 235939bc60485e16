//! The museum as a page: who noticed what, how soon, and what it would have cost without.

use std::fmt::Write as _;

use super::patch::{Kind, Patch};
use super::trial::Finding;

/// What one checker did about one mutant, trial by trial.
pub(super) struct Result {
    pub(super) checker: String,
    pub(super) findings: Vec<Finding>,
}

/// What came of leaving out the oracle that notices first.
pub(super) struct Ablation {
    pub(super) dropped: Vec<String>,
    pub(super) findings: Vec<Finding>,
}

/// Everything about one mutant.
pub(super) struct Row<'a> {
    pub(super) patch: &'a Patch,
    pub(super) results: Vec<Result>,
    pub(super) ablation: Option<Ablation>,
    /// How many decisions the shortest history has that the worlds notice, and how long that took to find.
    pub(super) story: Option<Finding>,
}

impl Result {
    /// Whether it noticed in every trial.
    pub(super) fn always(&self) -> bool {
        !self.findings.is_empty() && self.findings.iter().all(|finding| finding.by.is_some())
    }

    /// Whether it noticed in some trial.
    pub(super) fn ever(&self) -> bool {
        self.findings.iter().any(|finding| finding.by.is_some())
    }
}

impl Row<'_> {
    /// Whether somebody noticed in every trial.
    pub(super) fn is_caught(&self) -> bool {
        self.results.iter().any(Result::always)
    }

    /// How many checkers noticed in some trial.
    pub(super) fn noticed_by(&self) -> usize {
        self.results.iter().filter(|result| result.ever()).count()
    }

    /// Its story: how many decisions, and how many microseconds it took.
    fn told(&self) -> Option<(u64, u64)> {
        let story = self
            .story
            .as_ref()
            .filter(|story| story.unit == "decisions")?;
        story.by.as_ref()?;
        Some((story.tries, story.micros))
    }

    /// The time of the fastest checker that always notices: the median and the worst of its trials, in microseconds.
    pub(super) fn fastest(&self) -> Option<(u64, u64)> {
        let always = self.results.iter().filter(|result| result.always());
        always
            .map(|result| {
                let micros = sorted(result.findings.iter().map(|finding| finding.micros));
                (median(&micros), micros.last().copied().unwrap_or(0))
            })
            .min()
    }
}

fn sorted(values: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

/// The middle one of sorted values, the lower of two.
pub(super) fn median(sorted: &[u64]) -> u64 {
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0)
}

/// Microseconds as one reads them.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        10_000..10_000_000 => format!("{} ms", micros / 1000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

/// `12 seeds, 35 ms, one-vote`, medians; who noticed, most often first.
pub(super) fn cell(findings: &[Finding]) -> String {
    let caught: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.by.is_some())
        .collect();
    let Some(first) = caught.first() else {
        return "–".into();
    };
    let tries = median(&sorted(caught.iter().map(|finding| finding.tries)));
    let micros = median(&sorted(caught.iter().map(|finding| finding.micros)));
    let mut names: Vec<(usize, &str)> = Vec::new();
    for by in caught.iter().filter_map(|finding| finding.by.as_deref()) {
        match names.iter_mut().find(|(_, name)| *name == by) {
            Some((count, _)) => *count += 1,
            None => names.push((1, by)),
        }
    }
    names.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let names: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
    let share = if caught.len() < findings.len() {
        format!(" ({} of {} trials)", caught.len(), findings.len())
    } else {
        String::new()
    };
    format!(
        "{tries} {}, {}: {}{share}",
        first.unit,
        time(micros),
        names.join(", ")
    )
}

/// The whole page.
pub(super) fn page(rows: &[Row<'_>], checkers: &[String], conditions: &str) -> String {
    let mut page = String::from("# The bug museum\n\n");
    let _ = writeln!(
        page,
        "Made by `cargo xtask museum --write`: {conditions}.\n\n\
         Each mutant removes one rule of the protocol or of the proof room (`simulator/museum`, a patch each). For \
         each checker: what it looked at until it noticed, how long that took, and which oracle, law, counter or \
         test noticed; medians of the trials. `–` means not within the budget, an empty cell that \
         it was not tried. The last column says to how many decisions the first history that the worlds noticed was \
         made shorter, and how long that took.\n"
    );
    let _ = writeln!(page, "{}\n", summary(rows));
    for kind in [Kind::Safety, Kind::Liveness, Kind::Hostile, Kind::Harness] {
        let mut of_kind = rows.iter().filter(|row| row.patch.kind == kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        let _ = writeln!(page, "## {}\n", kind.name());
        let _ = writeln!(
            page,
            "| | mutant | rule that it breaks | {} | without the oracle that noticed | story |",
            checkers.join(" | ")
        );
        let _ = writeln!(
            page,
            "|---|---|---|{}---|---|",
            "---|".repeat(checkers.len())
        );
        for row in of_kind {
            line(&mut page, row, checkers);
        }
        page.push('\n');
    }
    let equivalent = rows
        .iter()
        .filter_map(|row| Some((row.patch, row.patch.equivalent.as_ref()?)));
    for (place, (patch, argument)) in equivalent.enumerate() {
        if place == 0 {
            page.push_str("## Survivors\n\nMutants that nobody can notice, and why.\n\n");
        }
        let _ = writeln!(page, "- {}, {}: {argument}", patch.number, patch.title);
    }
    page
}

fn line(page: &mut String, row: &Row<'_>, checkers: &[String]) {
    let _ = write!(
        page,
        "| {} | {} | {} |",
        row.patch.number, row.patch.title, row.patch.rule
    );
    for checker in checkers {
        let result = row.results.iter().find(|result| result.checker == *checker);
        let _ = write!(
            page,
            " {} |",
            result.map_or(String::new(), |result| cell(&result.findings))
        );
    }
    let ablation = row.ablation.as_ref().map_or(String::new(), |ablation| {
        format!(
            "without {}: {}",
            ablation.dropped.join(", "),
            cell(&ablation.findings)
        )
    });
    let story = row.told().map_or(String::new(), |(decisions, micros)| {
        format!("{decisions}, {}", time(micros))
    });
    let _ = writeln!(page, " {ablation} | {story} |");
}

/// How many were caught, by how many, how soon.
pub(super) fn summary(rows: &[Row<'_>]) -> String {
    let judged: Vec<&Row<'_>> = rows
        .iter()
        .filter(|row| row.patch.equivalent.is_none())
        .collect();
    let caught = judged.iter().filter(|row| row.is_caught()).count();
    let mut text = format!(
        "{caught} of {} mutants are caught in every trial",
        judged.len()
    );
    let safety: Vec<_> = judged
        .iter()
        .filter(|row| row.patch.kind == Kind::Safety)
        .collect();
    let twice = safety.iter().filter(|row| row.noticed_by() >= 2).count();
    let _ = write!(
        text,
        "; of {} safety mutants {twice} by two checkers or more",
        safety.len()
    );
    let medians = sorted(judged.iter().filter_map(|row| Some(row.fastest()?.0)));
    let worst = judged
        .iter()
        .filter_map(|row| row.fastest())
        .map(|(_, worst)| worst)
        .max();
    let _ = write!(
        text,
        ". Time of the fastest checker: median {}, worst {}.",
        time(median(&medians)),
        time(worst.unwrap_or(0))
    );
    let equivalent = rows.len() - judged.len();
    if equivalent > 0 {
        let _ = write!(
            text,
            " {equivalent} more are equivalent to the code as it is, see below."
        );
    }
    text.push_str(&stories(rows));
    text
}

/// How short the stories are, and how long it took to make them so.
fn stories(rows: &[Row<'_>]) -> String {
    let told: Vec<_> = rows.iter().filter_map(Row::told).collect();
    if told.is_empty() {
        return String::new();
    }
    let decisions = sorted(told.iter().map(|(decisions, _)| *decisions));
    let micros = sorted(told.iter().map(|(_, micros)| *micros));
    let nine_tenths = |sorted: &[u64]| sorted.get((sorted.len() * 9).div_ceil(10) - 1).copied();
    format!(
        " {} histories that the worlds noticed became stories of {} decisions (median; nine in ten at most {}, the \
         longest {}), each in {} (median; slowest {}).",
        told.len(),
        median(&decisions),
        nine_tenths(&decisions).unwrap_or(0),
        decisions.last().copied().unwrap_or(0),
        time(median(&micros)),
        time(micros.last().copied().unwrap_or(0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(by: Option<&str>, tries: u64, micros: u64) -> Finding {
        Finding {
            by: by.map(str::to_owned),
            tries,
            unit: "seeds".into(),
            micros,
        }
    }

    #[test]
    fn a_cell_says_the_medians_and_who_noticed() {
        let findings = [
            finding(Some("a"), 5, 900),
            finding(Some("b"), 1, 40_000),
            finding(Some("b"), 9, 2_000),
        ];
        assert_eq!(cell(&findings), "5 seeds, 2.0 ms: b, a");
        assert_eq!(cell(&[finding(None, 9, 9)]), "–");
        let half = [finding(None, 9, 9), finding(Some("a"), 3, 11_000_000)];
        assert_eq!(cell(&half), "3 seeds, 11 s: a (1 of 2 trials)");
    }

    #[test]
    fn a_mutant_that_escapes_once_is_not_caught() {
        let patch = super::super::patch::parse(
            "1-x.patch",
            "T\nRule: r\nKind: safety\nExpected: worlds\n\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n",
        )
        .unwrap();
        let row = |findings| Row {
            patch: &patch,
            results: vec![Result {
                checker: "worlds".into(),
                findings,
            }],
            ablation: None,
            story: None,
        };
        let caught = row(vec![finding(Some("a"), 1, 7), finding(Some("a"), 1, 5)]);
        assert_eq!((caught.is_caught(), caught.fastest()), (true, Some((5, 7))));
        let escaped = row(vec![finding(Some("a"), 1, 7), finding(None, 1, 5)]);
        assert_eq!((escaped.is_caught(), escaped.fastest()), (false, None));
        assert!(
            summary(&[caught, escaped]).starts_with("1 of 2 mutants are caught in every trial")
        );
    }
}

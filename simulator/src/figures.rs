//! Figures that a command measured, as lines that can be added to those of other runs.
//!
//! Each command ends with lines `figure WORD NAME VALUE MERGE`. A campaign of many runs, on as many
//! machines, is then the sum of its reports: no run needs to know of another.

use core::fmt;
use std::collections::BTreeMap;

/// How two values of a figure become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Merge {
    /// Counts add up.
    Sum,
    /// The smaller one stands.
    Min,
    /// The larger one stands.
    Max,
}

impl Merge {
    const fn name(self) -> &'static str {
        match self {
            Merge::Sum => "sum",
            Merge::Min => "min",
            Merge::Max => "max",
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        let all = [Merge::Sum, Merge::Min, Merge::Max];
        all.into_iter().find(|merge| merge.name() == name)
    }

    const fn apply(self, one: u64, other: u64) -> u64 {
        match self {
            Merge::Sum => one.saturating_add(other),
            Merge::Min if one < other => one,
            Merge::Max if one > other => one,
            Merge::Min | Merge::Max => other,
        }
    }
}

/// The figures of one command, or of many runs of several.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Figures {
    word: String,
    all: BTreeMap<(String, String), (u64, Merge)>,
}

impl Figures {
    /// No figures yet; those to come belong to this command.
    pub fn new(word: &str) -> Self {
        Figures {
            word: word.into(),
            all: BTreeMap::new(),
        }
    }

    /// Adds a figure: `name` is one word, with its unit last if it has one.
    pub fn add(&mut self, name: &str, value: u64, merge: Merge) {
        let word = self.word.clone();
        self.put(word, name.into(), value, merge);
    }

    fn put(&mut self, word: String, name: String, value: u64, merge: Merge) {
        self.all
            .entry((word, name))
            .and_modify(|old| old.0 = merge.apply(old.0, value))
            .or_insert((value, merge));
    }

    /// Adds what the report of another run says; what is no figure is passed over.
    pub fn merge(&mut self, report: &str) {
        for line in report.lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some("figure") {
                continue;
            }
            let (Some(word), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            let value = words.next().and_then(|value| value.parse().ok());
            let merge = words.next().and_then(Merge::by_name);
            if let (Some(value), Some(merge), None) = (value, merge, words.next()) {
                self.put(word.into(), name.into(), value, merge);
            }
        }
    }

    /// The same figures as those of this command.
    pub fn of(self, word: &str) -> Self {
        let mut figures = Figures::new(word);
        for ((_, name), (value, merge)) in self.all {
            figures.put(word.into(), name, value, merge);
        }
        figures
    }

    /// The value of a figure.
    pub fn value(&self, word: &str, name: &str) -> Option<u64> {
        let found = self.all.get(&(word.to_owned(), name.to_owned()));
        found.map(|(value, _)| *value)
    }

    /// The value of a figure that adds up, if it is one.
    pub fn sum(&self, word: &str, name: &str) -> Option<u64> {
        let (value, merge) = self.all.get(&(word.to_owned(), name.to_owned()))?;
        (*merge == Merge::Sum).then_some(*value)
    }

    /// Command, name and value of each figure, in order of command and name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let all = self.all.iter();
        all.map(|((word, name), (value, _))| (&**word, &**name, *value))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((word, name), (value, merge)) in &self.all {
            writeln!(f, "figure {word} {name} {value} {}", merge.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_two_runs_add_up() {
        let run = |events, slowest| {
            let mut figures = Figures::new("histories");
            figures.add("events", events, Merge::Sum);
            figures.add("slowest-micros", slowest, Merge::Max);
            figures.to_string()
        };
        let mut both = Figures::default();
        both.merge(&run(3, 10));
        both.merge("some words\nfigure broken\nfigure histories events x sum\n");
        both.merge(&run(4, 9));
        assert_eq!(both.value("histories", "events"), Some(7));
        assert_eq!(both.value("histories", "slowest-micros"), Some(10));
        let mut again = Figures::default();
        again.merge(&both.to_string());
        assert_eq!(again.to_string(), both.to_string());
        assert_eq!(both.iter().count(), 2);
    }
}

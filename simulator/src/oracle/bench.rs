//! Who judges, how often each did, and what one found.

use core::fmt;
use core::ops::Deref;

use super::name::Oracle;

/// Which oracles judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bench(u64);

impl Bench {
    /// All of them.
    pub const ALL: Bench = Bench(u64::MAX);

    /// This one alone.
    pub const fn only(oracle: Oracle) -> Self {
        Bench(1 << oracle as u32)
    }

    /// All of these but one.
    #[must_use]
    pub const fn without(self, oracle: Oracle) -> Self {
        Bench(self.0 & !(1 << oracle as u32))
    }

    /// Whether this one judges.
    pub const fn has(self, oracle: Oracle) -> bool {
        self.0 & (1 << oracle as u32) != 0
    }
}

/// Something that must never happen has happened. No larger than a pointer, because whatever a
/// world does returns one or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(Box<Finding>);

/// What an oracle found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Who noticed.
    pub oracle: Oracle,
    /// The two facts that contradict each other.
    pub what: String,
}

impl Violation {
    #[cold]
    fn new(oracle: Oracle, what: String) -> Self {
        Violation(Box::new(Finding { oracle, what }))
    }
}

impl Deref for Violation {
    type Target = Finding;

    fn deref(&self) -> &Finding {
        &self.0
    }
}

impl core::error::Error for Violation {}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.oracle, self.what)
    }
}

/// How often each oracle looked at something that could have been wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged([u64; Oracle::ALL.len()]);

impl Default for Judged {
    fn default() -> Self {
        Judged([0; Oracle::ALL.len()])
    }
}

impl Judged {
    /// How often this one did.
    pub fn count(&self, oracle: Oracle) -> u64 {
        self.0[oracle as usize]
    }

    /// Adds those of another history.
    pub fn merge(&mut self, other: &Judged) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }

    /// Those that never judged.
    pub fn idle(&self) -> impl Iterator<Item = Oracle> + '_ {
        let all = Oracle::ALL.into_iter();
        all.filter(|oracle| self.count(*oracle) == 0)
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for oracle in Oracle::ALL {
            writeln!(f, "  {:>12}  judged by {oracle}", self.count(oracle))?;
        }
        Ok(())
    }
}

/// The bench and its count.
#[derive(Clone, Debug)]
pub struct Court {
    bench: Bench,
    judged: Judged,
}

impl Court {
    /// A court that has not judged yet.
    pub fn new(bench: Bench) -> Self {
        Court {
            bench,
            judged: Judged::default(),
        }
    }

    /// Who judges.
    pub fn bench(&self) -> Bench {
        self.bench
    }

    /// How often each did.
    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// Counts that an oracle looked, and makes a violation of what it found, if it is on the
    /// bench.
    #[inline]
    pub fn judge(&mut self, oracle: Oracle, found: Result<(), String>) -> Result<(), Violation> {
        self.judged.0[oracle as usize] += 1;
        match found {
            Ok(()) => Ok(()),
            Err(what) if self.bench.has(oracle) => Err(Violation::new(oracle, what)),
            Err(_) => Ok(()),
        }
    }
}

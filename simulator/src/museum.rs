//! The checkers of the bug museum: how soon does each notice that something is wrong?
//!
//! A check that never failed proves nothing. So mutants of the protocol (and of this harness) are
//! kept as patches in `simulator/museum`; `cargo xtask museum` builds a copy of the workspace that
//! holds them all and lets every [`Checker`] loose on each. Nothing here knows the mutants: a
//! checker looks for anything that is wrong with the code that it was built with.
//!
//! With the code as it is every hunt must end empty-handed, which is the control.

mod contract;
mod coverage;
mod hostile;
mod reference;
mod search;
mod seeded;
mod stopwatch;
mod topologies;
mod worlds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::oracle::Bench;

pub use stopwatch::Stopwatch;

/// One attempt to find something.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Attempts with different numbers look at different seeds.
    pub number: u32,
    /// Nothing new is started after so long, see [`Stopwatch`].
    pub budget: Duration,
    /// The oracles that judge.
    pub bench: Bench,
}

impl Trial {
    /// The first of its seeds: no two trials share one.
    pub fn first_seed(&self) -> u64 {
        (u64::from(self.number) << 32) + 1
    }
}

/// What came of a hunt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hunt {
    /// Seeds, states or scripts that were looked at.
    pub tries: u64,
    /// What was found.
    pub caught: Option<Caught>,
}

/// Something is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// Which oracle, law or counter says so: one word.
    pub by: String,
    /// What it says.
    pub what: String,
}

/// A way of looking for what is wrong.
pub trait Checker: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// What it counts.
    fn unit(&self) -> &'static str;
    /// Looks until it finds something or the budget of the trial is used up.
    fn hunt(&self, trial: &Trial) -> Hunt;
}

/// All of them.
pub const CHECKERS: &[&dyn Checker] = &[
    &worlds::Worlds,
    &reference::Reference,
    &search::Search,
    &contract::Contract,
    &hostile::Hostile,
    &topologies::Topologies,
    &coverage::Coverage,
    &seeded::Seeded,
];

/// The checker with this name.
pub fn checker(name: &str) -> Option<&'static dyn Checker> {
    CHECKERS.iter().copied().find(|known| known.name() == name)
}

/// Tries one thing after the other until one is wrong, `trials` are over or the time is. A panic
/// is a finding too.
fn try_each<T>(
    budget: Duration,
    trials: impl IntoIterator<Item = T>,
    mut attempt: impl FnMut(T) -> Option<Caught>,
) -> Hunt {
    let began = Stopwatch::start();
    let mut tries = 0;
    for trial in trials {
        if began.elapsed() >= budget {
            break;
        }
        tries += 1;
        let caught = catch_unwind(AssertUnwindSafe(|| attempt(trial)));
        let caught = caught.unwrap_or_else(|_| {
            Some(Caught {
                by: "panic".into(),
                what: "something panicked".into(),
            })
        });
        if caught.is_some() {
            return Hunt { tries, caught };
        }
    }
    Hunt {
        tries,
        caught: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for known in CHECKERS {
            let found = checker(known.name()).map(|checker| checker.name());
            assert_eq!(found, Some(known.name()));
        }
        let names: std::collections::BTreeSet<_> =
            CHECKERS.iter().map(|checker| checker.name()).collect();
        assert_eq!(names.len(), CHECKERS.len());
    }

    #[test]
    fn a_panic_is_caught_and_counted() {
        let hunt = try_each(Duration::MAX, 1..10, |number| {
            assert!(number < 3, "a mutant may do this");
            None
        });
        assert_eq!(hunt.tries, 3);
        assert_eq!(hunt.caught.map(|caught| caught.by), Some("panic".into()));
    }

    #[test]
    fn trials_share_no_seed() {
        let trial = |number| Trial {
            number,
            budget: Duration::MAX,
            bench: Bench::ALL,
        };
        assert!(trial(1).first_seed() - trial(0).first_seed() > u64::from(u32::MAX));
    }

    /// The control: with sound code nobody finds anything.
    #[test]
    fn sound_code_is_not_accused() {
        for checker in CHECKERS {
            let hunt = checker.hunt(&Trial {
                number: 0,
                budget: Duration::from_millis(300),
                bench: Bench::ALL,
            });
            assert_eq!(hunt.caught, None, "{}", checker.name());
            assert!(hunt.tries > 0, "{}", checker.name());
        }
    }
}

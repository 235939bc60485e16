//! The counters of the large worlds: whatever a harness is to do must really happen in it.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::run;
use crate::world::Options;
use crate::world::stats::Stats;

/// Histories after which nothing may be missing: in as few as a hundred everything has happened
/// several times.
const HISTORIES: u64 = 300;

/// Runs histories and looks at what never happened in them.
pub(super) struct Coverage;

impl Checker for Coverage {
    fn name(&self) -> &'static str {
        "coverage"
    }

    fn unit(&self) -> &'static str {
        "seeds"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        let first = trial.first_seed();
        let mut sum = Stats::default();
        let mut hunt = try_each(trial.budget, first..first + HISTORIES, |seed| {
            sum.merge(&run(seed, Options::default()).stats);
            None
        });
        // Of fewer histories nothing can be said.
        let missing = sum.missing().next().filter(|_| hunt.tries == HISTORIES);
        if hunt.caught.is_none() {
            hunt.caught = missing.map(|missing| Caught {
                by: missing.replace(' ', "-"),
                what: format!("{missing}: none in {HISTORIES} histories"),
            });
        }
        hunt
    }
}

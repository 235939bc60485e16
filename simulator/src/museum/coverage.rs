//! The counters of the large worlds: whatever a harness is to do must really happen in it.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::oracle::Judged;
use crate::run_in;
use crate::world::stats::Stats;
use crate::world::{Options, World};

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
        let (mut sum, mut judged) = (Stats::default(), Judged::default());
        let mut world = World::blank();
        let mut hunt = try_each(trial.budget, first..first + HISTORIES, |seed| {
            let history = run_in(&mut world, seed, Options::default());
            sum.merge(&history.stats);
            judged.merge(&history.judged);
            None
        });
        // Of fewer histories nothing can be said.
        if hunt.caught.is_some() || hunt.tries < HISTORIES {
            return hunt;
        }
        let idle = judged.idle().map(|oracle| format!("{oracle} never judged"));
        let missing = sum.missing().map(str::to_owned);
        hunt.caught = missing.chain(idle).next().map(|missing| Caught {
            by: missing.replace(' ', "-"),
            what: format!("{missing}: none in {HISTORIES} histories"),
        });
        hunt
    }
}

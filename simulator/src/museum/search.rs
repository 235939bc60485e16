//! Every state of the small profiles, one profile after the other.

use std::time::Duration;

use super::{Caught, Checker, Hunt, Stopwatch, Trial, try_each};
use crate::search::raft::{Budget, Sabotage, hunt_report, profiles};

/// Explores.
pub(super) struct Search;

/// Memory of the table of met states.
const MEMORY_BYTES: u64 = 256 << 20;

impl Checker for Search {
    fn name(&self) -> &'static str {
        "search"
    }

    fn unit(&self) -> &'static str {
        "states"
    }

    /// A search has no seeds: every trial is the same.
    fn hunt(&self, trial: &Trial) -> Hunt {
        let profiles = profiles(1);
        let (began, mut states) = (Stopwatch::start(), 0);
        let mut left = profiles.len() as u32;
        let hunt = try_each(trial.budget, &profiles, |profile| {
            // What one profile does not need is for those after it.
            let share = trial.budget.saturating_sub(began.elapsed()) / left.max(1);
            left -= 1;
            let budget = Budget {
                time_max: Some(share.max(Duration::from_millis(1))),
                memory_bytes: MEMORY_BYTES,
                ..Budget::default()
            };
            let (caught, report) = hunt_report(profile, Sabotage::None, &budget);
            states += report.states;
            let caught = caught?;
            Some(Caught {
                by: format!("{}/{}", profile.name, caught.invariant.replace(' ', "-")),
                what: format!("{} after {} steps", caught.invariant, caught.depth),
            })
        });
        Hunt {
            tries: states,
            ..hunt
        }
    }
}

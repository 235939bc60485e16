//! The large worlds with all their oracles, one history per seed.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::world::{Options, World};
use crate::{Sabotage, run_in};

/// Runs histories.
pub(super) struct Worlds;

impl Checker for Worlds {
    fn name(&self) -> &'static str {
        "worlds"
    }

    fn unit(&self) -> &'static str {
        "seeds"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        let options = Options {
            bench: trial.bench,
            sabotage: Sabotage::None,
            ..Options::default()
        };
        let mut world = World::blank();
        try_each(trial.budget, trial.first_seed().., |seed| {
            let violation = run_in(&mut world, seed, options).violation?;
            Some(Caught {
                by: violation.oracle.name().into(),
                what: format!("seed {seed}: {violation}"),
            })
        })
    }
}

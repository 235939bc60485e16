//! The same worlds, judged by the naive model alone: it shares nothing with the other oracles.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::oracle::{Bench, Oracle};
use crate::run_in;
use crate::world::{Options, Share, World};

/// Runs histories in lock step with the model.
pub(super) struct Reference;

impl Checker for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn unit(&self) -> &'static str {
        "seeds"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        let options = Options {
            bench: Bench::only(Oracle::Reference),
            reference: Share::Every,
            ..Options::default()
        };
        let mut world = World::blank();
        try_each(trial.budget, trial.first_seed().., |seed| {
            let violation = run_in(&mut world, seed, options).violation?;
            // The section of the rule, which stands before what it says.
            let rest = violation.what.split_once('§').map(|(_, rest)| rest);
            let section = rest.and_then(|rest| rest.split_once(':'));
            Some(Caught {
                by: section.map_or("history".into(), |(section, _)| format!("§{section}")),
                what: format!("seed {seed}: {violation}"),
            })
        })
    }
}

//! Hostile input: one machine, and everybody lies to it.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::hostile::{Manner, Stage};

/// Runs episodes.
pub(super) struct Hostile;

impl Checker for Hostile {
    fn name(&self) -> &'static str {
        "hostile"
    }

    fn unit(&self) -> &'static str {
        "episodes"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        // Made by the first try: an honest history may break a rule too.
        let mut stage = None;
        try_each(trial.budget, trial.first_seed().., |seed| {
            let stage = match &mut stage {
                Some(stage) => stage,
                None => match Stage::new() {
                    Ok(made) => stage.insert(made),
                    Err(broken) => {
                        return Some(Caught {
                            by: broken.rule.to_string(),
                            what: format!("an honest history: {broken}"),
                        });
                    }
                },
            };
            let broken = stage.run(seed, &Manner::default()).err()?.broken;
            Some(Caught {
                by: broken.rule.to_string(),
                what: format!("seed {seed}: {broken}"),
            })
        })
    }
}

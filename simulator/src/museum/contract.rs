//! Crash points: a sound driver, its power cut in the middle of every operation of its medium.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::contract::{Driver, Files, Flaw, Journal, Options, examine};

/// Cuts the power.
pub(super) struct Contract;

/// Histories between two looks at the clock, beside those that are written by hand.
const HISTORIES: u64 = 2;

impl Checker for Contract {
    fn name(&self) -> &'static str {
        "contract"
    }

    fn unit(&self) -> &'static str {
        "examinations"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        try_each(trial.budget, 0_u64.., |place| {
            let files = Files::new(place % 2 == 1);
            let mut rig = Driver::flawed(Journal::flawed(files, Flaw::None), Flaw::None);
            let options = Options {
                histories: HISTORIES,
                first: trial.first_seed() + place * HISTORIES,
                exact_bytes_max: 8,
                fates_max: 8,
                decays_max: 50,
                ..Options::default()
            };
            let breach = examine(&mut rig, &options).err()?;
            Some(Caught {
                by: format!("{:?}", breach.duty),
                what: breach.to_string(),
            })
        })
    }
}

//! From a seed to the list of what its world decided.

use crate::oracle::{Oracle, Violation};
use crate::scenario::{Expected, Knobs, Scenario, Step};
use crate::world::decision::Decision;
use crate::world::happening::What;
use crate::world::swarm::Swarm;
use crate::world::trace::Verbosity;
use crate::world::{Options, Progress, World};

/// A history that was written down.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// As a story.
    pub scenario: Scenario,
    /// What went wrong.
    pub violation: Option<Violation>,
    /// The hash of the history.
    pub hash: u128,
}

/// Writes down the decisions of a seed.
///
/// A history in which the group does not recover is written down up to the end of the storm; its
/// end is the line `calm`, behind which the world goes on by itself.
///
/// # Errors
///
/// What goes wrong before anything is decided.
pub fn record(seed: u64, options: Options) -> Result<Recorded, Violation> {
    let options = Options {
        verbosity: Verbosity::Decisions,
        ..options
    };
    let mut world = World::new(seed, options)?;
    let violation = loop {
        match world.step() {
            Ok(Progress::Goes) => {}
            Ok(Progress::Ends) => break None,
            Err(violation) => break Some(violation),
        }
    };
    let decided = world.trace().happenings().iter();
    let steps = decided.filter_map(|happening| match &happening.what {
        What::Decided(decision) => Some(Step {
            at: Some(happening.at),
            decision: decision.clone(),
        }),
        _ => None,
    });
    let mut steps = losses_first(steps);
    let is_calm = |step: &Step| step.decision == Decision::Calm;
    let is_stuck = matches!(
        &violation,
        Some(found) if found.oracle == Oracle::Liveness || crate::oracle::WELL.contains(&found.oracle)
    );
    if let Some(place) = steps.iter().position(is_calm) {
        let calm = steps.remove(place);
        if is_stuck {
            let after = steps.split_off(place);
            let is_ill = |step: &Step| matches!(step.decision, Decision::Freeze(..));
            steps.extend(after.into_iter().filter(is_ill));
            steps.push(calm);
        }
    }
    let knobs = Knobs::of(seed, &Swarm::draw(seed), options.sabotage);
    let expected = match &violation {
        Some(found) => Expected::Violation(found.oracle),
        None => Expected::Sound,
    };
    let scenario = Scenario {
        about: vec![format!("Seed {seed}.")],
        mutant: None,
        knobs,
        steps,
        expected,
        outcome: String::new(),
    };
    Ok(Recorded {
        scenario,
        violation,
        hash: world.trace().hash(),
    })
}

/// A frame is lost when something else makes a host send it: that it will be must be known before.
fn losses_first(steps: impl Iterator<Item = Step>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    for step in steps {
        let is_loss = |step: &Step| matches!(step.decision, Decision::Lose(_));
        let mut place = all.len();
        if is_loss(&step) {
            let cause = all.iter().rposition(|other| {
                !is_loss(other) && !matches!(other.decision, Decision::Busy(..))
            });
            place = cause.unwrap_or(place);
        }
        all.insert(place, step);
    }
    all
}

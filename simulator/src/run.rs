//! One seed, one history; many seeds, one sum.

use crate::oracle::{Judged, Violation};
use crate::world::stats::Stats;
use crate::world::swarm::Swarm;
use crate::world::trace::Verbosity;
use crate::world::{Options, World};

/// How a history ended.
#[derive(Clone, Debug)]
pub struct History {
    /// The seed that makes it.
    pub seed: u64,
    /// A hash of all that happened.
    pub hash: u128,
    /// What was counted.
    pub stats: Stats,
    /// How often each oracle judged.
    pub judged: Judged,
    /// Simulated microseconds.
    pub micros: u64,
    /// What went wrong.
    pub violation: Option<Violation>,
    /// The last events in words, if they were asked for.
    pub lines: Vec<String>,
}

/// Runs the history of a seed.
pub fn run(seed: u64, options: Options) -> History {
    run_in(&mut World::blank(), seed, options)
}

/// Runs the history of a seed in a world that is there already: it costs no memory.
pub fn run_in(world: &mut World, seed: u64, options: Options) -> History {
    let violation = match world.reset(seed, options) {
        Ok(()) => world
            .run_to_end()
            .and_then(|()| world.look_back(seed))
            .err(),
        Err(violation) => Some(violation),
    };
    History {
        seed,
        hash: world.trace().hash(),
        stats: world.stats().clone(),
        judged: world.judged().clone(),
        micros: world.now().as_micros(),
        violation,
        lines: world.trace().lines().map(str::to_owned).collect(),
    }
}

/// The report of a failure: the last events, what contradicts what, and how to see it again.
pub fn report(seed: u64, options: Options, replay: &str) -> String {
    let again = run(
        seed,
        Options {
            verbosity: Verbosity::Last(60),
            ..options
        },
    );
    let mut text = format!("seed {seed}\n{}\n\n", Swarm::draw(seed));
    for line in &again.lines {
        text.push_str(line);
        text.push('\n');
    }
    if let Some(violation) = &again.violation {
        text.push_str(&format!("\nFAILED {violation}\n"));
    }
    text.push_str(&format!("replay: {replay}\n"));
    text
}

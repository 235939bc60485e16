//! The same history again: in a new world, put into words, and as a copy from its middle on.
//!
//! A simulation that is not a function of its seed cannot be replayed, shrunk or forked. What
//! could break it: something left over in a world that is used again, an observer that changes
//! what it sees, a part that a copy forgets.

use crate::run::{History, run, run_in};
use crate::world::trace::Verbosity;
use crate::world::{Options, Progress, World};

/// Two runs of one seed that differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Which way the second one was run.
    pub what: &'static str,
    /// Its hash.
    pub hash: u128,
}

/// Runs a history again in each way. The two worlds may have been anything before.
///
/// # Errors
///
/// The first way in which it went another way.
pub fn compare(history: &History, world: &mut World, fork: &mut World) -> Result<(), Difference> {
    let (seed, silent) = (history.seed, Options::default());
    let same = |what, hash| {
        if hash == history.hash {
            Ok(())
        } else {
            Err(Difference { what, hash })
        }
    };
    same("in a new world", run(seed, silent).hash)?;
    let aloud = Options {
        verbosity: Verbosity::Last(1),
        ..silent
    };
    same("put into words", run_in(world, seed, aloud).hash)?;
    let (copy, original) = run_forked(history, world, fork);
    same("as a copy from its middle on", copy)?;
    same("after it was copied", original)
}

/// Runs to the middle, makes a copy, and runs both to their ends, the copy first.
fn run_forked(history: &History, world: &mut World, fork: &mut World) -> (u128, u128) {
    let middle = history.micros / 2;
    let mut goes = world.reset(history.seed, Options::default()).is_ok();
    while goes && world.now().as_micros() < middle {
        goes = world.step() == Ok(Progress::Goes);
    }
    fork.copy_from(world);
    if goes {
        // Who runs first must not matter to the other.
        let _ = fork.run_to_end();
        let _ = world.run_to_end();
    }
    (fork.trace().hash(), world.trace().hash())
}

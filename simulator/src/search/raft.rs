//! The shipping code of `raft-core`, explored: every order of events within a profile's bounds.
//!
//! # The problem
//!
//! A model of a protocol can be right where the code is wrong. Exploring the code itself is slow
//! when each step clones machines, encodes frames and hashes kilobytes.
//!
//! # The idea
//!
//! A step of one node depends on this node and on its input alone. So the states of single nodes
//! (machine, clock, disk, write under way) are numbered by their canonical form
//! ([`raft_core::Raft::canonical`]), frames are numbered too, and a step of a node is computed once
//! and then looked up. A state of the group is a handful of numbers. For each number its
//! fingerprint under each renaming of the nodes is kept, and the fingerprint of a state is a sum
//! over them, so that symmetric states count once.
//!
//! # What happens
//!
//! Frames are a set: one that is lost is never delivered, or makes room when there are too many.
//! Each node's clock moves alone: to its next heartbeat, past the time in which it sticks to a
//! leader, or past every deadline. A node crashes with any part of its unsynced write kept, and
//! comes back through `Recovered` and `restore`. Bounds are those of the profile.

mod changing;
mod clockwork;
mod coverage;
mod disks;
mod driver;
mod ending;
mod frames;
mod ghost;
mod group;
mod inputs;
mod judge;
mod names;
mod node;
mod pace;
mod prefix;
mod prelude;
mod profile;
mod reading;
mod reduce;
mod reference;
mod sabotage;
mod shape;
mod situation;
mod step;
mod wanderer;
mod words;

use std::time::Duration;

pub use coverage::Coverage;
pub use group::{Action, RaftSpace, State};
pub use profile::{Ending, Profile, Reduction, profile, profiles};
pub use sabotage::Sabotage;
pub use situation::Grain;
pub use step::Input;
pub use wanderer::{Habit, Wanderer};

use super::explore::{End, Limits, Report, explore};
use super::lasso::lasso;

/// What a search caught, and at what cost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// The invariant that does not hold.
    pub invariant: &'static str,
    /// After how many steps.
    pub depth: u32,
    /// How many states were met until then.
    pub states: u64,
    /// How long it took.
    pub time: Duration,
}

/// How much a hunt may spend.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// States to meet.
    pub states_max: u64,
    /// Time to take.
    pub time_max: Option<Duration>,
    /// Memory of the table of met states, in bytes.
    pub memory_bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            states_max: u64::MAX,
            time_max: Some(Duration::from_secs(60)),
            memory_bytes: 1 << 30,
        }
    }
}

/// Explores a profile until something is caught, it is closed, or the budget is spent. Gives
/// what was caught, and the report of the exploration.
pub fn hunt_report(
    profile: &Profile,
    sabotage: Sabotage,
    budget: &Budget,
) -> (Option<Caught>, Report) {
    let mut space = RaftSpace::new(*profile, sabotage, 0);
    let limits = Limits {
        states_max: budget.states_max,
        time_max: budget.time_max,
        memory_bytes: budget.memory_bytes,
        ..Limits::default()
    };
    let report = if profile.ending == Ending::Calm {
        lasso(&mut space, &limits).0
    } else {
        explore(&mut space, &limits)
    };
    let caught = match &report.end {
        End::Caught(caught) => Some(Caught {
            invariant: caught.invariant,
            depth: caught.depth,
            states: report.states,
            time: report.time,
        }),
        End::Closed | End::Stopped(_) => None,
    };
    (caught, report)
}

/// Explores a profile within a budget; gives what was caught.
pub fn hunt(profile: &Profile, budget: &Budget) -> Option<Caught> {
    hunt_report(profile, Sabotage::None, budget).0
}

//! Raft as the papers say it, naive and slow, to be held against the machine step by step.
//!
//! Oracles judge what a group did; they notice a wrong step only when something visible comes of it.
//! So each step is judged too: from this state of a node, with this input, may it be in that state
//! now, and may it send this message? The answer is worked out here from `[Ongaro14]` with sets and
//! lists alone, and shares nothing with the machine but the questions that anybody may ask it.
//! [`Abstract`] is what a state means; [`check_step`] is the relation, a rule for each part
//! of a state in a module of its own; [`History`] knows all messages ever sent, as the network of
//! the formal specification does.
//!
//! What the papers leave open is open here: when a timer fires, whether a message is heard at all,
//! how many entries an append carries and a follower has room for, how long a vote is withheld.
//! Everything else is fixed. Time is not part of the model: that a leader gives way in time and
//! that votes are withheld long enough is for other checks.
//!
//! A step costs what its log is long.
//!
//! # Deviations
//!
//! The machine is stricter than the paper, and held to it: a vote request leaves only when term, own
//! vote and log are durable; a leader begins its term with an empty entry `[Ongaro14 §6.4]`, the
//! founder with the configuration.

mod abstraction;
mod commit;
mod compacted;
mod configuration;
mod election;
mod history;
mod log;
mod message;
mod storage;
#[cfg(test)]
mod tests;

use quorum::NodeId;
use raft_core::{HardState, LogIndex, Message, Snapshot};

pub use abstraction::{Abstract, Durable, Entry, Id, Log, Role};
pub use compacted::Compacted;
pub use configuration::Configuration;
pub use history::History;
pub use message::check_sent;
pub use storage::check_restart;

/// What a node was given.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Nothing at all: nothing may have changed.
    Nothing,
    /// A message of the node with this name.
    Message(NodeId, Message<'a>),
    /// Time has passed.
    Timeout,
    /// It was told to stand for election.
    Campaign,
    /// Commands were proposed.
    Propose,
    /// A change of the membership was proposed.
    Reconfigure,
    /// The log was to be dropped up to this index.
    Compact(LogIndex),
    /// A write is reported as done: this is on the medium now.
    Persisted(Written),
    /// A write is reported as failed.
    PersistFailed,
    /// A piece of this snapshot is reported as stored.
    Stored(Snapshot),
    /// A peer is reported as unreachable.
    Unreachable,
    /// What is committed was handed over.
    Deliver,
}

/// What a medium holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Term and vote.
    pub hard: HardState,
    /// The end of the log.
    pub last: Id,
}

/// Whether the papers allow this step.
///
/// # Errors
///
/// The rule that does not, with the section that it comes from.
pub fn check_step(before: &Abstract, input: &Input<'_>, after: &Abstract) -> Result<(), String> {
    let step = Step {
        before,
        input,
        after,
    };
    election::check(&step)?;
    log::check(&step)?;
    configuration::check(&step)?;
    commit::check(&step)?;
    storage::check(&step)
}

/// A step that is being judged.
struct Step<'s> {
    before: &'s Abstract,
    input: &'s Input<'s>,
    after: &'s Abstract,
}

impl Step<'_> {
    /// The message that came in, and who sent it.
    fn message(&self) -> Option<(NodeId, &Message<'_>)> {
        match self.input {
            Input::Message(from, message) => Some((*from, message)),
            _ => None,
        }
    }

    /// Whether the node led before, in the term in which it is now.
    fn was_leader(&self) -> bool {
        self.before.role == Role::Leader && self.before.term == self.after.term
    }

    /// Whether it leads still.
    fn stays_leader(&self) -> bool {
        self.was_leader() && self.after.role == Role::Leader
    }

    /// Whether it has come to lead.
    fn becomes_leader(&self) -> bool {
        self.after.role == Role::Leader && !self.stays_leader()
    }
}

/// Says that something is wrong unless it is right.
fn must(is_right: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(what()) }
}

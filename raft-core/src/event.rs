//! What happened that an application may want to know.
//!
//! There is one place for each kind of event. A later one of a kind takes the place of an earlier
//! that nobody fetched (the newest leader is the one that matters), counts add up, and the lowest
//! lost index wins. So nothing can overflow, and nothing is owed to a driver that never asks.

use quorum::NodeId;

use crate::error::Fault;
use crate::node::RoleName;
use crate::types::{LogIndex, Term};

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// This node changed its role.
    RoleChanged {
        /// What it is now.
        role: RoleName,
        /// In which term.
        term: Term,
    },
    /// Another leader is known, or none any more.
    LeaderChanged {
        /// The leader.
        leader: Option<NodeId>,
        /// In which term.
        term: Term,
    },
    /// A configuration took effect, or was taken back with the entry that held it.
    ConfigurationChanged {
        /// The entry that holds it.
        index: LogIndex,
    },
    /// Entries were overwritten by another leader's: proposals from `from` on that were made
    /// before `below` will not be committed.
    Lost {
        /// The first lost entry.
        from: LogIndex,
        /// The term of the leader that overwrote them.
        below: Term,
    },
    /// Messages were dropped.
    Dropped {
        /// Who sent the latest.
        from: NodeId,
        /// What was wrong with the latest.
        reason: DropReason,
        /// How many since this event was last fetched.
        count: u32,
    },
    /// Entries of the leader did not fit into the window: compact it up to what is applied.
    WindowFull,
    /// An election was due, but the window has no room for a leader's first entry: compact it.
    NoRoomToCampaign,
    /// An election was due, but the term cannot grow any more.
    TermsExhausted,
    /// A write took longer than the persist timeout. The node gives way until it completes.
    DiskStalled,
    /// The driver reported that a write failed. Nothing is acknowledged until one succeeds.
    PersistFailed,
    /// A snapshot cannot be sent: it leaves no room for data in a frame.
    SnapshotFrameTooSmall,
    /// The node has stopped for good.
    Faulted(Fault),
}

/// What was wrong with a dropped message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DropReason {
    /// It belongs to another group.
    WrongGroup,
    /// Its sender has this node's own name.
    OwnName,
    /// It answers, but its sender is no member, or another life of one.
    Stranger,
    /// Its term lies implausibly far ahead.
    TermTooHigh,
    /// Another node claims to lead in this term too.
    SecondLeader,
    /// It would overwrite a committed entry.
    ConflictBelowCommit,
    /// It speaks of entries or rounds that do not exist.
    BeyondLog,
    /// An entry, a term, a configuration or a snapshot in it contradicts itself.
    Malformed,
    /// A configuration in it has more members than this node can hold.
    TooManyMembers,
}

const KINDS: usize = 12;

/// The events that nobody has fetched yet, one per kind.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Events {
    pending: heapless::Vec<Event, KINDS>,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        let kind = core::mem::discriminant(&event);
        let earlier = self
            .pending
            .iter_mut()
            .find(|e| core::mem::discriminant(*e) == kind);
        let Some(earlier) = earlier else {
            // One place per kind, so there is always one left.
            let _ = self.pending.push(event);
            return;
        };
        *earlier = match (*earlier, event) {
            (Event::Lost { from, .. }, Event::Lost { from: later, below }) => Event::Lost {
                from: from.min(later),
                below,
            },
            (
                Event::Dropped { count, .. },
                Event::Dropped {
                    from,
                    reason,
                    count: more,
                },
            ) => Event::Dropped {
                from,
                reason,
                count: count.saturating_add(more),
            },
            (_, event) => event,
        };
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        if self.pending.is_empty() {
            None
        } else {
            Some(self.pending.remove(0))
        }
    }
}

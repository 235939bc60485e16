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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// Entries were overwritten by another leader's on this node: what becomes of proposals from
    /// `from` on that were made before `below` cannot be learned from it any more. They may still
    /// be committed, if a later leader has them; a proposal is known not to be only once another
    /// entry is committed at its index.
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
    /// The successor did not lead in time: this leader goes on, and takes proposals again.
    TransferFailed {
        /// Who was to lead.
        to: NodeId,
    },
    /// This node was removed while it was away: it is out of the group, and does not stand for
    /// election unless it is let in again.
    Removed,
    /// The node went quiet by agreement, or woke: see [`quiet_after`](crate::ConfigBuilder::quiet_after).
    QuietChanged {
        /// Whether it is quiet now.
        is_quiet: bool,
    },
    /// The node has stopped for good.
    Faulted(Fault),
}

/// What was wrong with a dropped message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
    /// It is for a member that keeps payloads or can lead, and this life of the node is a witness.
    /// Whoever let it in as another member made a mistake: remove it, and let a new life join.
    IsWitness,
    /// It is for a witness, and this life of the node keeps payloads. Whoever let it in as a
    /// witness made a mistake: remove it, and let a new life join.
    IsNoWitness,
}

const KINDS: usize = 15;

/// Which event waits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    RoleChanged,
    LeaderChanged,
    ConfigurationChanged,
    Lost,
    Dropped,
    WindowFull,
    NoRoomToCampaign,
    TermsExhausted,
    DiskStalled,
    PersistFailed,
    SnapshotFrameTooSmall,
    TransferFailed,
    Removed,
    QuietChanged,
    Faulted,
}

/// The events that nobody has fetched yet, one per kind. Their fields stand side by side, because
/// a list of events would take for each as much as the largest does. What does not wait is empty.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Events {
    /// In the order in which they began to wait.
    waiting: heapless::Vec<Kind, KINDS, u8>,
    role: Option<RoleName>,
    role_term: Term,
    leader: Option<NodeId>,
    leader_term: Term,
    configuration: LogIndex,
    lost_from: Option<LogIndex>,
    lost_below: Term,
    dropped: Option<(NodeId, DropReason)>,
    dropped_count: u32,
    transfer_to: Option<NodeId>,
    is_quiet: bool,
    fault: Option<Fault>,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        let kind = self.keep(event);
        if !self.waiting.contains(&kind) {
            // One place per kind, so there is always one left.
            let _ = self.waiting.push(kind);
        }
    }

    fn keep(&mut self, event: Event) -> Kind {
        match event {
            Event::RoleChanged { role, term } => {
                (self.role, self.role_term) = (Some(role), term);
                Kind::RoleChanged
            }
            Event::LeaderChanged { leader, term } => {
                (self.leader, self.leader_term) = (leader, term);
                Kind::LeaderChanged
            }
            Event::ConfigurationChanged { index } => {
                self.configuration = index;
                Kind::ConfigurationChanged
            }
            Event::Lost { from, below } => {
                let lowest = self.lost_from.map_or(from, |earlier| earlier.min(from));
                (self.lost_from, self.lost_below) = (Some(lowest), below);
                Kind::Lost
            }
            Event::Dropped {
                from,
                reason,
                count,
            } => {
                self.dropped = Some((from, reason));
                self.dropped_count = self.dropped_count.saturating_add(count);
                Kind::Dropped
            }
            Event::WindowFull => Kind::WindowFull,
            Event::NoRoomToCampaign => Kind::NoRoomToCampaign,
            Event::TermsExhausted => Kind::TermsExhausted,
            Event::DiskStalled => Kind::DiskStalled,
            Event::PersistFailed => Kind::PersistFailed,
            Event::SnapshotFrameTooSmall => Kind::SnapshotFrameTooSmall,
            Event::TransferFailed { to } => {
                self.transfer_to = Some(to);
                Kind::TransferFailed
            }
            Event::Removed => Kind::Removed,
            Event::QuietChanged { is_quiet } => {
                self.is_quiet = is_quiet;
                Kind::QuietChanged
            }
            Event::Faulted(fault) => {
                self.fault = Some(fault);
                Kind::Faulted
            }
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Event> {
        if self.waiting.is_empty() {
            None
        } else {
            let kind = self.waiting.remove(0);
            self.give(kind)
        }
    }

    fn give(&mut self, kind: Kind) -> Option<Event> {
        use core::mem::take;
        match kind {
            Kind::RoleChanged => Some(Event::RoleChanged {
                role: self.role.take()?,
                term: take(&mut self.role_term),
            }),
            Kind::LeaderChanged => Some(Event::LeaderChanged {
                leader: self.leader.take(),
                term: take(&mut self.leader_term),
            }),
            Kind::ConfigurationChanged => Some(Event::ConfigurationChanged {
                index: take(&mut self.configuration),
            }),
            Kind::Lost => Some(Event::Lost {
                from: self.lost_from.take()?,
                below: take(&mut self.lost_below),
            }),
            Kind::Dropped => {
                let (from, reason) = self.dropped.take()?;
                let count = take(&mut self.dropped_count);
                Some(Event::Dropped {
                    from,
                    reason,
                    count,
                })
            }
            Kind::WindowFull => Some(Event::WindowFull),
            Kind::NoRoomToCampaign => Some(Event::NoRoomToCampaign),
            Kind::TermsExhausted => Some(Event::TermsExhausted),
            Kind::DiskStalled => Some(Event::DiskStalled),
            Kind::PersistFailed => Some(Event::PersistFailed),
            Kind::SnapshotFrameTooSmall => Some(Event::SnapshotFrameTooSmall),
            Kind::TransferFailed => Some(Event::TransferFailed {
                to: self.transfer_to.take()?,
            }),
            Kind::Removed => Some(Event::Removed),
            Kind::QuietChanged => Some(Event::QuietChanged {
                is_quiet: take(&mut self.is_quiet),
            }),
            Kind::Faulted => self.fault.take().map(Event::Faulted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_KIND: [Event; KINDS] = [
        Event::Faulted(Fault::WindowDamaged),
        Event::WindowFull,
        Event::NoRoomToCampaign,
        Event::LeaderChanged {
            leader: None,
            term: Term::new(1),
        },
        Event::RoleChanged {
            role: RoleName::Leader,
            term: Term::new(2),
        },
        Event::ConfigurationChanged {
            index: LogIndex::new(3),
        },
        Event::Lost {
            from: LogIndex::new(4),
            below: Term::new(5),
        },
        Event::Dropped {
            from: NodeId::new(6),
            reason: DropReason::Stranger,
            count: 7,
        },
        Event::TermsExhausted,
        Event::DiskStalled,
        Event::PersistFailed,
        Event::SnapshotFrameTooSmall,
        Event::TransferFailed { to: NodeId::new(8) },
        Event::Removed,
        Event::QuietChanged { is_quiet: true },
    ];

    #[test]
    fn every_kind_comes_out_as_it_went_in_and_in_order() {
        let mut events = Events::default();
        for event in EVERY_KIND {
            events.push(event);
        }
        for event in EVERY_KIND {
            assert_eq!(events.pop(), Some(event));
        }
        assert_eq!(events.pop(), None);
        assert_eq!(events, Events::default(), "nothing stays behind");
    }

    #[test]
    fn later_events_join_earlier_ones_of_their_kind() {
        let mut events = Events::default();
        let lost = |from, below| Event::Lost {
            from: LogIndex::new(from),
            below: Term::new(below),
        };
        let dropped = |from, reason, count| Event::Dropped {
            from: NodeId::new(from),
            reason,
            count,
        };
        events.push(lost(7, 2));
        events.push(dropped(1, DropReason::Malformed, u32::MAX - 1));
        events.push(lost(9, 3));
        events.push(dropped(2, DropReason::Stranger, 5));
        assert_eq!(events.pop(), Some(lost(7, 3)));
        assert_eq!(
            events.pop(),
            Some(dropped(2, DropReason::Stranger, u32::MAX))
        );
        assert_eq!(events.pop(), None);
    }
}

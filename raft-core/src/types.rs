//! The numbers of the protocol, each its own type so that none can stand in for another.
//!
//! An index counts entries, a term counts elections, an incarnation tells two lives of one
//! [`NodeId`] apart, a round numbers the leader's contacts within its term.

use core::fmt;

use quorum::NodeId;
use serde::{Deserialize, Serialize};

/// The low half of a number.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the high half is cut off on purpose"
)]
pub(crate) const fn low_half(number: u64) -> u32 {
    number as u32
}

/// A position in the log, counted from 1. Zero is the position before the first entry.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LogIndex(u64);

impl LogIndex {
    /// The position before the first entry.
    pub const ZERO: LogIndex = LogIndex(0);

    /// The index with this number.
    pub const fn new(index: u64) -> Self {
        LogIndex(index)
    }

    /// The plain number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The position after this one; the last index has itself as successor.
    pub const fn next(self) -> Self {
        LogIndex(self.0.saturating_add(1))
    }

    /// The position before this one; zero stays zero.
    pub const fn previous(self) -> Self {
        LogIndex(self.0.saturating_sub(1))
    }

    /// `count` positions further.
    pub const fn plus(self, count: u64) -> Self {
        LogIndex(self.0.saturating_add(count))
    }

    /// How many positions `self` is beyond `earlier`; zero if it is not.
    pub const fn since(self, earlier: LogIndex) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for LogIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A term of office, `[Ongaro14 §3.3]`: each has at most one leader.
///
/// Thirty-two bits hold one election a second for 136 years, halve the header of every stored
/// entry and spare a Cortex-M0 its two-word arithmetic. A node whose term has reached
/// [`Term::MAX`] does not campaign any more and says so with an event.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Term(u32);

impl Term {
    /// Before the first election.
    pub const ZERO: Term = Term(0);
    /// The last term in which a group can have a leader.
    pub const MAX: Term = Term(u32::MAX);

    /// The term with this number.
    pub const fn new(term: u32) -> Self {
        Term(term)
    }

    /// The plain number.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The term after this one, if there is one.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(term) => Some(Term(term)),
            None => None,
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What identifies an entry: two logs that hold the same identity at one place hold the same
/// entries up to it, `[Ongaro14 §3.5]` (log matching).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EntryId {
    /// Where the entry stands.
    pub index: LogIndex,
    /// The term of the leader that made it.
    pub term: Term,
}

impl EntryId {
    /// The identity of the place before the first entry.
    pub const ZERO: EntryId = EntryId {
        index: LogIndex::ZERO,
        term: Term::ZERO,
    };

    /// The entry at `index` made in `term`.
    pub const fn new(index: LogIndex, term: Term) -> Self {
        EntryId { index, term }
    }

    /// Whether a log that ends here is at least as up to date as one that ends in `other`:
    /// the later last term wins, the longer log among equals, `[Ongaro14 §3.6.1]`.
    pub const fn is_up_to_date_with(self, other: EntryId) -> bool {
        self.term.0 > other.term.0 || (self.term.0 == other.term.0 && self.index.0 >= other.index.0)
    }
}

/// Names one group for all time; drawn once, when the group is founded. Frames carry it, so that
/// traffic of another group that shares the medium is recognised.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GroupId(u64);

impl GroupId {
    /// The group with this number.
    pub const fn new(group: u64) -> Self {
        GroupId(group)
    }

    /// The plain number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Tells the lives of one node apart: a machine that lost its storage draws a new one, and is
/// then a stranger until the configuration names it again.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Incarnation(u32);

impl Incarnation {
    /// The incarnation with this number.
    pub const fn new(incarnation: u32) -> Self {
        Incarnation(incarnation)
    }

    /// The plain number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// One life of one node: what a configuration names and what a vote is given to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Identity {
    /// The name that the application gave the node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

impl Identity {
    /// This life of this node.
    pub const fn new(node: NodeId, incarnation: Incarnation) -> Self {
        Identity { node, incarnation }
    }
}

/// Numbers the contacts that a leader opens within its term: heartbeats now, reads later. An
/// acknowledgement names the latest round that its sender has seen, so it proves that the sender
/// still followed when that round was opened. Frames carry 48 bits.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Round(u64);

impl Round {
    /// No round yet.
    pub const ZERO: Round = Round(0);
    /// The last round that a frame can carry.
    pub const MAX: Round = Round((1 << 48) - 1);

    /// The round with this number, cut to 48 bits.
    pub const fn new(round: u64) -> Self {
        Round(round & Round::MAX.0)
    }

    /// The plain number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The round after this one; the last one stays.
    pub const fn next(self) -> Self {
        if self.0 < Round::MAX.0 {
            Round(self.0 + 1)
        } else {
            self
        }
    }
}

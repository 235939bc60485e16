//! Who belongs to the group: the replicated configuration and its encoding.
//!
//! A configuration names the life ([`Identity`]) of every member and its [`Standing`]. While
//! voters change, both the old and the new majority must agree, `[Ongaro14 §4.3]` (joint
//! consensus), so one configuration can hold the two sets at once: a voter may be in the incoming
//! set, the outgoing one, or both.
//!
//! Some voters may be witnesses, which keep of the log what an election needs and no payload. Every
//! majority must hold a member that keeps the payloads, or a command could be committed and nobody
//! have it: a set in which witnesses alone are a majority is no configuration.
//!
//! Encoded with postcard, because it is cold:
//!
//! ```text
//! version u8 (1) | stickiness in µs, varint | number of seats, varint | seats, ascending by node
//! seat: node varint | incarnation varint | standing u8
//! ```

use clocks::Duration;
use quorum::NodeId;
use serde::{Deserialize, Serialize};

use crate::types::Identity;

const VERSION: u8 = 1;
/// Version, stickiness and count.
const PROLOGUE_BYTES_MAX: usize = 1 + 10 + 2;
const SEAT_BYTES_MAX: usize = 10 + 5 + 1;

/// The longest encoding of a configuration of `members` members.
pub(crate) const fn configuration_bytes_max(members: usize) -> usize {
    PROLOGUE_BYTES_MAX + members * SEAT_BYTES_MAX
}

/// What a member may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Standing {
    /// Receives the log, has no vote.
    Learner,
    /// Votes and counts; outside a joint configuration the only kind of voter.
    Voter,
    /// Joint only: a voter of the incoming set that was none before.
    Incoming,
    /// Joint only: a voter of the outgoing set that leaves the group afterwards.
    Outgoing,
    /// Joint only: a voter of the outgoing set that stays as a learner.
    Demoted,
    /// Votes and counts, and keeps no payload: it never leads, and nobody can learn from it.
    Witness,
    /// Joint only: a witness of the incoming set that was no member before.
    IncomingWitness,
    /// Joint only: a witness of the outgoing set that leaves the group afterwards.
    OutgoingWitness,
}

impl Standing {
    /// Whether it counts in the new majority.
    pub const fn is_in_incoming(self) -> bool {
        matches!(
            self,
            Standing::Voter | Standing::Incoming | Standing::Witness | Standing::IncomingWitness
        )
    }

    /// Whether it counts in the old majority of a joint configuration.
    pub const fn is_in_outgoing(self) -> bool {
        matches!(
            self,
            Standing::Voter
                | Standing::Outgoing
                | Standing::Demoted
                | Standing::Witness
                | Standing::OutgoingWitness
        )
    }

    /// Whether it keeps no payload.
    pub const fn is_witness(self) -> bool {
        matches!(
            self,
            Standing::Witness | Standing::IncomingWitness | Standing::OutgoingWitness
        )
    }

    /// Whether it appears only while two sets of voters are in force.
    pub const fn is_transitional(self) -> bool {
        matches!(
            self,
            Standing::Incoming
                | Standing::Outgoing
                | Standing::Demoted
                | Standing::IncomingWitness
                | Standing::OutgoingWitness
        )
    }

    /// What becomes of it when the joint configuration is left; `None` is out of the group.
    pub(crate) const fn settled(self) -> Option<Standing> {
        match self {
            Standing::Learner | Standing::Demoted => Some(Standing::Learner),
            Standing::Voter | Standing::Incoming => Some(Standing::Voter),
            Standing::Witness | Standing::IncomingWitness => Some(Standing::Witness),
            Standing::Outgoing | Standing::OutgoingWitness => None,
        }
    }
}

/// One member of a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Seat {
    /// Which life of which node.
    pub identity: Identity,
    /// What it may do.
    pub standing: Standing,
}

/// One wish about the membership; several make one change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change {
    /// Let this node in without a vote, so that it can catch up.
    AddLearner(Identity),
    /// Let this node in with a vote at once. Prefer a learner that is promoted when level: a
    /// voter that lags counts in the majority and cannot help it.
    AddVoter(Identity),
    /// Let this node in with a vote and without the payloads: it keeps of each entry index and
    /// term, and configurations. A life that was let in so can be nothing else: to make the node
    /// a full member remove it, and let a new life of it join as a learner.
    AddWitness(Identity),
    /// Give this learner a vote.
    Promote(NodeId),
    /// Take this voter's vote; it stays as a learner. A leader may demote itself: it leads until
    /// the others know, and then follows.
    Demote(NodeId),
    /// Let this member go.
    Remove(NodeId),
}

impl Change {
    pub(crate) const fn node(&self) -> NodeId {
        match self {
            Change::AddLearner(identity)
            | Change::AddVoter(identity)
            | Change::AddWitness(identity) => identity.node,
            Change::Promote(node) | Change::Demote(node) | Change::Remove(node) => *node,
        }
    }
}

/// Writes a configuration piece by piece into lent bytes.
pub(crate) struct Encoder<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(bytes: &'a mut [u8], stickiness: Duration, seats: usize) -> Option<Self> {
        let mut encoder = Encoder { bytes, len: 0 };
        encoder.put(&VERSION)?;
        encoder.put(&stickiness.as_micros())?;
        encoder.put(&u16::try_from(seats).ok()?)?;
        Some(encoder)
    }

    pub(crate) fn put<T: Serialize>(&mut self, value: &T) -> Option<()> {
        let free = self.bytes.get_mut(self.len..)?;
        self.len += postcard::to_slice(value, free).ok()?.len();
        Some(())
    }

    /// Bytes written so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

/// Whether a majority of the voters that `is_in` picks could consist of witnesses alone.
pub(crate) fn is_witness_quorum(
    seats: impl Iterator<Item = Seat>,
    is_in: fn(Standing) -> bool,
) -> bool {
    let (mut voters, mut witnesses) = (0_usize, 0_usize);
    for seat in seats.filter(|seat| is_in(seat.standing)) {
        voters = voters.saturating_add(1);
        witnesses = witnesses.saturating_add(usize::from(seat.standing.is_witness()));
    }
    // A majority is more than half.
    witnesses.saturating_mul(2) > voters
}

/// An encoded configuration that was checked once: the seats decode, ascend strictly, fit, some
/// member votes, and witnesses alone are no majority of either set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded<'a> {
    pub(crate) stickiness: Duration,
    pub(crate) count: usize,
    seats: &'a [u8],
}

/// Why bytes are not a configuration that this node can hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Malformed,
    TooLarge,
}

impl<'a> Encoded<'a> {
    /// Reads `bytes`; empty bytes are the empty configuration of a node that has not joined yet.
    pub(crate) fn decode(bytes: &'a [u8], capacity: usize) -> Result<Self, Refused> {
        if bytes.is_empty() {
            return Ok(Encoded {
                stickiness: Duration::ZERO,
                count: 0,
                seats: &[],
            });
        }
        let (version, rest) = take::<u8>(bytes)?;
        let (stickiness, rest) = take::<u64>(rest)?;
        let (count, seats) = take::<u16>(rest)?;
        let count = usize::from(count);
        let encoded = Encoded {
            stickiness: Duration::from_micros(stickiness),
            count,
            seats,
        };
        if version != VERSION {
            return Err(Refused::Malformed);
        }
        if count > capacity {
            return Err(Refused::TooLarge);
        }
        // Numbers can be written in more bytes than they take; such a one might not fit its place.
        if bytes.len() > configuration_bytes_max(count) {
            return Err(Refused::Malformed);
        }
        let (mut rest, mut previous, mut votes) = (seats, None, false);
        for _ in 0..count {
            let (seat, after) = take::<Seat>(rest)?;
            if previous.is_some_and(|node| node >= seat.identity.node) {
                return Err(Refused::Malformed);
            }
            previous = Some(seat.identity.node);
            votes |= seat.standing.is_in_incoming();
            rest = after;
        }
        let is_kept_by_nobody = |is_in| is_witness_quorum(encoded.seats(), is_in);
        if votes
            && rest.is_empty()
            && !is_kept_by_nobody(Standing::is_in_incoming)
            && !is_kept_by_nobody(Standing::is_in_outgoing)
        {
            Ok(encoded)
        } else {
            Err(Refused::Malformed)
        }
    }

    pub(crate) fn seats(&self) -> impl Iterator<Item = Seat> + 'a {
        let mut rest = self.seats;
        (0..self.count).map_while(move |_| {
            let (seat, after) = take::<Seat>(rest).ok()?;
            rest = after;
            Some(seat)
        })
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), Refused> {
    postcard::take_from_bytes(bytes).map_err(|_| Refused::Malformed)
}

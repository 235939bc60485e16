//! What one may ask a node, and what makes two of them equal.

use core::fmt;
use core::hash::{Hash, Hasher};

use clocks::{Duration, Instant};
use quorum::{MemberSet, NodeId};

use super::Raft;
use crate::configuration::Seat;
use crate::durable::{HardState, Snapshot};
use crate::entry::Entry;
use crate::error::Fault;
use crate::flight::InFlight;
use crate::node::{Role, RoleName};
use crate::progress::{CatchingUp, MemberProgress};
use crate::slot::{Flow, find};
use crate::types::{EntryId, GroupId, Identity, LogIndex, Term};

/// What one wants to know of a node from outside, see [`Raft::status`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// What the node is.
    pub role: RoleName,
    /// The latest term that it has seen.
    pub term: Term,
    /// The leader of that term, as far as known.
    pub leader: Option<NodeId>,
    /// What it knows to be committed.
    pub commit: LogIndex,
    /// Whether it is quiet by agreement: it waits for nothing, and watches nobody.
    pub is_quiet: bool,
}

/// A node that has seen nothing.
impl Default for Status {
    fn default() -> Self {
        Status {
            role: RoleName::Follower,
            term: Term::ZERO,
            leader: None,
            commit: LogIndex::ZERO,
            is_quiet: false,
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Raft<B, N> {
    /// This life of this node.
    pub fn identity(&self) -> Identity {
        self.node.vault.identity
    }

    /// The group's name: what a new member needs to [`join`](Raft::join).
    pub fn group(&self) -> GroupId {
        self.node.vault.group
    }

    /// Role, term, leader, commit and whether it is quiet, at one glance.
    pub fn status(&self) -> Status {
        Status {
            role: self.role(),
            term: self.term(),
            leader: self.leader(),
            commit: self.commit(),
            is_quiet: self.is_quiet(),
        }
    }

    /// What this node is at the moment.
    pub fn role(&self) -> RoleName {
        self.view().role_name()
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.view().is_leader()
    }

    /// Whether this node leads and has committed an entry of its own term.
    pub fn is_established(&self) -> bool {
        self.view().is_established()
    }

    /// Whether this node is quiet by agreement, see
    /// [`quiet_after`](crate::ConfigBuilder::quiet_after).
    pub fn is_quiet(&self) -> bool {
        self.node.is_quiet
    }

    /// The leader of this term, as far as known.
    pub fn leader(&self) -> Option<NodeId> {
        self.node.leader
    }

    /// The latest term seen.
    pub fn term(&self) -> Term {
        self.view().term()
    }

    /// Term and vote, durable or not.
    pub fn hard_state(&self) -> HardState {
        self.node.vault.hard()
    }

    /// Term and vote that survive a crash now.
    pub fn durable_hard_state(&self) -> HardState {
        self.node.vault.hard_durable().get()
    }

    /// On a candidate: the members whose votes it has; on one that asks whether to stand: those
    /// that would give theirs. Ascending by node; nobody otherwise.
    pub fn grants(&self) -> impl Iterator<Item = Identity> + '_ {
        let granted = match &self.node.role {
            Role::PreCandidate(ballots) | Role::Candidate(ballots) => ballots.granted,
            Role::Follower(_) | Role::Leader(_) => MemberSet::EMPTY,
        };
        granted
            .iter()
            .filter_map(|member| Some(self.node.slots.get(member.index())?.identity))
    }

    /// On a follower that has heard from the leader of its term: up to where its log, durable or
    /// not, is known to be the leader's.
    pub fn verified(&self) -> Option<LogIndex> {
        match &self.node.role {
            Role::Follower(owed) => owed.as_ref().map(|owed| owed.verified),
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    /// The last entry of the log, durable or not.
    pub fn last(&self) -> EntryId {
        self.node.window.last()
    }

    /// The last entry that is compacted: what the snapshot covers.
    pub fn base(&self) -> EntryId {
        self.node.window.base()
    }

    /// The snapshot that stands before the window.
    pub fn snapshot(&self) -> Snapshot {
        self.node.snapshot
    }

    /// What is known to be committed.
    pub fn commit(&self) -> LogIndex {
        self.node.commit
    }

    /// The last entry that was handed over by [`poll_committed`](Raft::poll_committed), or
    /// passed over because it is the machine's own.
    pub fn delivered(&self) -> LogIndex {
        self.node.delivered
    }

    /// The last entry that is durable here.
    pub fn durable(&self) -> LogIndex {
        self.node.vault.log_durable().get()
    }

    /// The members of the configuration in force, ascending by node.
    pub fn members(&self) -> impl Iterator<Item = Seat> + '_ {
        self.node.slots.iter().map(|slot| Seat {
            identity: slot.identity,
            standing: slot.standing,
        })
    }

    /// The entry that holds the configuration in force; at or before the base if the snapshot
    /// does.
    pub fn configuration_index(&self) -> LogIndex {
        self.node.current.index
    }

    /// Whether two sets of voters are in force.
    pub fn is_joint(&self) -> bool {
        self.node.current.voters.is_joint()
    }

    /// Whether this node votes in the configuration in force.
    pub fn is_voter(&self) -> bool {
        self.view().is_voter()
    }

    /// Whether this node is a witness: it votes and counts, but delivers nothing, leads never, and
    /// answers no reads.
    pub fn is_witness(&self) -> bool {
        self.view().is_witness()
    }

    /// On a leader: up to where `member`'s durable log is known to be the leader's.
    pub fn matched(&self, member: NodeId) -> Option<LogIndex> {
        self.progress(member).map(|progress| progress.matched)
    }

    /// On a leader: how far `member` is, and how it is brought level. Of the leader itself only
    /// `matched` means something.
    pub fn progress(&self, member: NodeId) -> Option<MemberProgress> {
        if !self.is_leader() {
            return None;
        }
        let slot = find(&self.node.slots, member)?;
        let progress = &self.node.slots.get(slot.index())?.progress;
        Some(MemberProgress {
            matched: progress.matched,
            next: progress.next,
            room: progress.room,
            catching_up: match progress.flow {
                Flow::Probe { .. } => CatchingUp::Probing,
                Flow::Replicate(_) => CatchingUp::Replicating,
                Flow::Lend { .. } => CatchingUp::Lending,
                Flow::Snapshot { index, offset, .. } => CatchingUp::Snapshot {
                    index,
                    stored: offset,
                },
            },
            contact: progress.contact,
        })
    }

    /// For how long after it heard from a leader a voter helps nobody to replace it: a constant of
    /// the group, in its configuration. Zero while no configuration is known.
    pub fn stickiness(&self) -> Duration {
        self.node.current.stickiness
    }

    /// On a leader: how much is on its way to `member`, as far as
    /// [`in_flight`](crate::ConfigBuilder::in_flight) counts it.
    pub fn in_flight(&self, member: NodeId) -> Option<InFlight> {
        self.view().in_flight(member)
    }

    /// Bytes of the entries, their headers included, that are not known to be committed; zero if
    /// the log is damaged. Work: O(1).
    pub fn uncommitted_bytes(&self) -> u32 {
        let bytes = self.view().uncommitted_bytes(self.memory.as_ref());
        bytes.unwrap_or_default()
    }

    /// Whom [`compact`](Raft::compact) up to `index` would outrun, and until when at the latest it
    /// is therefore refused. Ask before you make a snapshot.
    pub fn held(&self, index: LogIndex) -> Option<(NodeId, Instant)> {
        self.view().held(index)
    }

    /// The entry at `index`, if it is in the window.
    pub fn entry(&self, index: LogIndex) -> Option<Entry<'_>> {
        self.node.window.entry(self.memory.as_ref(), index)
    }

    /// The longest payload that window and frame allow, in bytes.
    pub fn payload_bytes_max(&self) -> usize {
        self.view().payload_bytes_max()
    }

    /// Bytes that the entries in the window take: compact long before they reach
    /// [`log_bytes_max`](Raft::log_bytes_max), on every member.
    pub fn log_bytes(&self) -> usize {
        self.node.window.used() as usize
    }

    /// Bytes that the window has for entries. The leader refuses commands somewhat below it.
    pub fn log_bytes_max(&self) -> usize {
        self.node.window.capacity() as usize
    }

    /// How many tickets of [`read`](Raft::read) have no outcome yet, or one that was not fetched.
    pub fn reads(&self) -> u64 {
        self.node.reads.count()
    }

    /// On a leader that is handing over: to whom.
    pub fn transferring_to(&self) -> Option<NodeId> {
        self.view().transferring_to()
    }

    /// Why the node has stopped, if it has.
    pub fn fault(&self) -> Option<Fault> {
        self.node.fault
    }

    /// Checks what must hold in every state: for tests and simulators. Work: O(window).
    ///
    /// # Errors
    ///
    /// The law that does not hold.
    pub fn check_invariants(&self) -> Result<(), &'static str> {
        self.view().check_invariants(self.memory.as_ref())
    }

    /// The part of [`check_invariants`](Raft::check_invariants) that does not read the log: after
    /// each step where the whole is checked now and then. Work: O(members).
    ///
    /// # Errors
    ///
    /// The law that does not hold.
    #[inline]
    pub fn check_numbers(&self) -> Result<(), &'static str> {
        self.view().check_numbers()
    }

    fn logical(&self) -> impl Iterator<Item = Entry<'_>> {
        self.node.window.logical(self.memory.as_ref()).3
    }

    fn base_configuration(&self) -> &[u8] {
        self.node.window.base_configuration(self.memory.as_ref())
    }
}

impl<B: Clone, const N: usize> Clone for Raft<B, N> {
    fn clone(&self) -> Self {
        Raft {
            node: self.node.clone(),
            memory: self.memory.clone(),
        }
    }

    /// Copies into the memory that is there already.
    fn clone_from(&mut self, source: &Self) {
        self.node.clone_from(&source.node);
        self.memory.clone_from(&source.memory);
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> PartialEq for Raft<B, N> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
            && self.base_configuration() == other.base_configuration()
            && self.logical().eq(other.logical())
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Eq for Raft<B, N> {}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Hash for Raft<B, N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.node.hash(state);
        self.base_configuration().hash(state);
        for entry in self.logical() {
            entry.hash(state);
        }
    }
}

impl<B, const N: usize> fmt::Debug for Raft<B, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

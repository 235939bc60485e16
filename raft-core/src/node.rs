//! The protocol's state, and the questions one may ask it. No protocol logic stands here:
//!
//! - by phase of a call: [`handle`], [`timeout`], [`poll`], [`command`], [`restore`], [`recover`];
//! - by concern: [`broadcast`], [`election`], [`flow`], [`follow`], [`hold`], [`lead`], [`lend`],
//!   [`membership`], [`quiet`], [`read`], [`snapshot`], [`transfer`], [`witness`].
//!
//! The member table is the last field and may be of any capacity behind a reference, so one
//! instance of the code serves groups of every size.

mod broadcast;
mod canonical;
pub(crate) mod command;
mod election;
mod flow;
mod follow;
mod handle;
mod hold;
mod invariant;
mod lead;
mod lend;
mod membership;
pub(crate) mod outlet;
pub(crate) mod poll;
mod quiet;
mod read;
pub(crate) mod recover;
pub(crate) mod restore;
mod rounds;
mod snapshot;
mod timeout;
mod transfer;
mod witness;

use clocks::{Duration, Instant, Jitter, TimerKey, TimerTable};
use heapless::Vec;
use quorum::{Joint, Member, MemberSet, NodeId};

use crate::config::Config;
use crate::durable::{Snapshot, Vault};
use crate::error::Fault;
use crate::event::{DropReason, Event, Events};
use crate::message::{ChunkAck, Reject};
use crate::read::{ReadFailure, Reads};
use crate::slot::{Replies, Slot, Slots};
use crate::types::{EntryId, Identity, LogIndex, Round, Term};
use crate::window::Window;
use rounds::Rounds;
use transfer::Transfer;

/// What a node is at the moment, `[Ongaro14 §3.3]`, with the pre-vote of `[Ongaro14 §9.6]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RoleName {
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks whether a campaign would succeed.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
}

/// The role with what belongs to it alone, so that nothing of one role can be used in another.
// With a tag of its own: one packed into a field's spare values takes ten instructions to read,
// and every call reads it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Role {
    Follower(Option<Owed>),
    PreCandidate(Ballots),
    Candidate(Ballots),
    Leader(Office),
}

/// Answers so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ballots {
    pub(crate) granted: MemberSet,
    pub(crate) refused: MemberSet,
    /// The leader of the term before told this candidate to stand.
    pub(crate) is_transfer: bool,
}

/// What a follower owes to the leader of its term: kept here until it is sent, so that no later
/// message can push it out. The leader may be a stranger to this node's configuration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Owed {
    pub(crate) leader: Identity,
    /// Up to here this log is the leader's, durable or not.
    pub(crate) verified: LogIndex,
    pub(crate) verified_sent: LogIndex,
    pub(crate) round: Round,
    pub(crate) round_sent: Round,
    pub(crate) reject: Option<Reject>,
    pub(crate) chunk: Option<ChunkAck>,
    /// An acknowledgement is due although it says nothing new: its predecessor may be lost.
    pub(crate) repeat: bool,
    /// The room that the leader was told of.
    pub(crate) room_sent: u32,
    /// The latest round in which the leader asked for silence.
    pub(crate) quiet_round: Round,
}

/// What belongs to a term of office.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Office {
    /// The first entry of this leader: nothing before it is committed by counting alone,
    /// `[Ongaro14 §3.6.2]`.
    pub(crate) first: LogIndex,
    pub(crate) round: Round,
    /// The latest round that was handed to anybody.
    pub(crate) handed: Round,
    /// When the latest noted rounds were opened.
    opened: Rounds,
    /// This node is out of the configuration and leaves when a majority knows the commit; its
    /// members know it once they acknowledge this round.
    pub(crate) leaving: Option<Round>,
    pub(crate) transfer: Option<Transfer>,
    /// Somebody may stand for election at any time: no lease holds any more in this term.
    pub(crate) has_sent_timeout_now: bool,
    /// When the first piece of the snapshot before the window was sent, see [`hold`].
    pub(crate) sending_since: Option<Instant>,
    /// What had happened at the latest heartbeat, see [`Node::activity`].
    pub(crate) seen: u32,
    /// So many heartbeats in a row nothing has happened.
    pub(crate) idle_beats: u8,
    /// The latest round asks whether the group may be quiet.
    pub(crate) is_asking: bool,
}

impl Office {
    fn new(first: LogIndex, now: Instant) -> Self {
        let mut office = Office {
            first,
            round: Round::ZERO,
            handed: Round::ZERO,
            opened: Rounds::new(),
            leaving: None,
            transfer: None,
            has_sent_timeout_now: false,
            sending_since: None,
            seen: 0,
            idle_beats: 0,
            is_asking: false,
        };
        office.open_round(now);
        office
    }

    /// Opens the next round and notes when.
    fn open_round(&mut self, now: Instant) {
        self.round = self.round.next();
        self.opened.note(self.round, now);
    }
}

/// A stranger that is owed an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Guest {
    pub(crate) identity: Identity,
    pub(crate) replies: Replies,
}

const GUESTS: usize = 2;

/// The configuration in force.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Current {
    /// The entry that holds it; at or before the base if the snapshot does.
    pub(crate) index: LogIndex,
    pub(crate) voters: Joint,
    /// How long after hearing from a leader nobody helps to replace it.
    pub(crate) stickiness: Duration,
    pub(crate) me: Option<Member>,
    /// Members that keep no payloads.
    pub(crate) witnesses: MemberSet,
    /// This node votes in the configuration before this one.
    pub(crate) was_voter: bool,
    /// A member says that this is committed and that this node is not named there; zero if nobody
    /// says so.
    pub(crate) removed_below: EntryId,
}

/// A snapshot that is being received.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Incoming {
    pub(crate) leader: Identity,
    pub(crate) snapshot: Snapshot,
    pub(crate) stored: u64,
    /// Since when the driver has a piece of it that it has not reported stored.
    pub(crate) offered: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Timer {
    /// Time to campaign.
    Election,
    /// Time for a leader to make contact, for a candidate to ask again.
    Heartbeat,
    /// Time for a leader to see whether a quorum still answers.
    Quorum,
    /// Time at which a write has taken too long.
    Disk,
    /// Time at which a read has waited too long, or is asked for again.
    Read,
    /// Time for a leader to give up handing over its office.
    Transfer,
}

const TIMERS: usize = 6;

impl TimerKey for Timer {
    const COUNT: usize = TIMERS;

    fn index(self) -> usize {
        match self {
            Timer::Election => 0,
            Timer::Heartbeat => 1,
            Timer::Quorum => 2,
            Timer::Disk => 3,
            Timer::Read => 4,
            Timer::Transfer => 5,
        }
    }

    fn from_index(index: usize) -> Option<Self> {
        match index {
            0 => Some(Timer::Election),
            1 => Some(Timer::Heartbeat),
            2 => Some(Timer::Quorum),
            3 => Some(Timer::Disk),
            4 => Some(Timer::Read),
            5 => Some(Timer::Transfer),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Node<S: ?Sized = Slots> {
    pub(crate) config: Config,
    pub(crate) vault: Vault,
    pub(crate) window: Window,
    /// What stands before the window.
    pub(crate) snapshot: Snapshot,
    pub(crate) commit: LogIndex,
    /// Handed to the application.
    pub(crate) delivered: LogIndex,
    pub(crate) now: Instant,
    pub(crate) timers: TimerTable<Timer, TIMERS>,
    pub(crate) jitter: Jitter,
    pub(crate) role: Role,
    pub(crate) leader: Option<NodeId>,
    /// Until then no other leader is helped into office.
    pub(crate) sticky_until: Instant,
    /// When the wait for a leader began, and how long it lasts. The timer may be due earlier:
    /// hearing from a leader then costs no more than noting when.
    pub(crate) election_base: Instant,
    pub(crate) election_timeout: Duration,
    /// Since when something waits to be durable.
    pub(crate) dirty_since: Option<Instant>,
    /// That time is the last one seen when a command came, which is not told the time.
    pub(crate) is_dirty_untimed: bool,
    /// Silent by agreement: no timer runs.
    pub(crate) is_quiet: bool,
    /// The write in progress takes too long.
    pub(crate) is_stalled: bool,
    pub(crate) current: Current,
    /// Names the pre-votes of one attempt.
    pub(crate) attempt: u32,
    pub(crate) incoming: Option<Incoming>,
    pub(crate) guests: Vec<Guest, GUESTS>,
    /// Members to which an append or a chunk may be due.
    pub(crate) append_due: MemberSet,
    /// Voters that are to be asked for their vote or pre-vote.
    pub(crate) ask_due: MemberSet,
    /// Members that are owed a reply.
    pub(crate) reply_due: MemberSet,
    /// Where the next round of sends starts, so that no member is starved.
    pub(crate) cursor: u8,
    pub(crate) reads: Reads,
    pub(crate) events: Events,
    pub(crate) fault: Option<Fault>,
    pub(crate) slots: S,
}

impl Node {
    pub(crate) fn term(&self) -> Term {
        self.vault.term()
    }

    pub(crate) fn role_name(&self) -> RoleName {
        match self.role {
            Role::Follower(_) => RoleName::Follower,
            Role::PreCandidate(_) => RoleName::PreCandidate,
            Role::Candidate(_) => RoleName::Candidate,
            Role::Leader(_) => RoleName::Leader,
        }
    }

    pub(crate) fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    pub(crate) fn is_voter(&self) -> bool {
        self.current
            .me
            .is_some_and(|me| self.current.voters.members().contains(me))
    }

    /// Whether this node may stand for election: a voter of the latest configuration or, while
    /// that is uncommitted here, of the one before. Otherwise a node that appended its own
    /// removal and lost its office could be the only one with the log to win, and not stand. Whoever
    /// was told that it is out cannot win, and is silent until a configuration reaches it.
    pub(crate) fn is_electable(&self) -> bool {
        let votes = self.is_voter() || (self.current.was_voter && self.current.index > self.commit);
        let is_out = !self
            .window
            .last()
            .is_up_to_date_with(self.current.removed_below);
        votes && !is_out && !self.is_witness()
    }

    /// Every member but this node.
    #[inline]
    pub(crate) fn peers(&self) -> MemberSet {
        let all = MemberSet::first(self.slots.len());
        match self.current.me {
            Some(me) => all.difference(MemberSet::single(me)),
            None => all,
        }
    }

    #[inline]
    pub(crate) fn slot(&self, member: Member) -> Option<&Slot> {
        self.slots.get(member.index())
    }

    #[inline]
    pub(crate) fn slot_mut(&mut self, member: Member) -> Option<&mut Slot> {
        self.slots.get_mut(member.index())
    }

    /// What of the log is committed and durable here.
    #[inline]
    pub(crate) fn deliverable(&self) -> LogIndex {
        self.commit.min(self.vault.log_durable().get())
    }

    #[inline]
    fn observe(&mut self, now: Instant) {
        // A clock that runs back counts as standing still.
        if now < self.now {
            self.on_time_running_back();
        } else {
            self.now = now;
        }
        if self.is_dirty_untimed {
            self.time_dirty();
        }
    }

    /// The clock on the medium starts now for what a command left to write, and so does the office
    /// of a leader that it woke.
    #[inline(never)]
    fn time_dirty(&mut self) {
        self.is_dirty_untimed = false;
        if let Some(since) = &mut self.dirty_since {
            *since = self.now;
        }
        self.stir_timed();
    }

    #[inline(never)]
    fn drop_message(&mut self, from: NodeId, reason: DropReason) {
        self.events.push(Event::Dropped {
            from,
            reason,
            count: 1,
        });
    }

    fn clear_timers(&mut self) {
        for timer in (0..TIMERS).filter_map(Timer::from_index) {
            self.timers.clear(timer);
        }
    }

    /// Stops for good. Only our own broken invariants and the embedder's broken promises come
    /// here, never what a peer sent.
    pub(crate) fn fail(&mut self, fault: Fault) -> Fault {
        let fault = *self.fault.get_or_insert(fault);
        self.mark_awake();
        self.events.push(Event::Faulted(fault));
        self.clear_timers();
        (self.append_due, self.ask_due) = (MemberSet::EMPTY, MemberSet::EMPTY);
        self.reply_due = MemberSet::EMPTY;
        self.guests.clear();
        self.reads.fail_all(ReadFailure::Faulted(fault));
        fault
    }

    #[inline]
    pub(crate) fn live(&self) -> Result<(), Fault> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Starts the clock on the medium, if there is something to write and it does not run yet. Whoever
    /// is quiet waits for nothing: its timer is set when it wakes.
    #[inline]
    pub(crate) fn mark_dirty(&mut self) {
        if self.dirty_since.is_none() {
            self.dirty_since = Some(self.now);
            if !self.is_quiet && !self.timers.is_set(Timer::Disk) {
                self.arm_disk();
            }
        }
    }

    /// The same after a command. The last time seen may be long ago, and the medium must not be
    /// blamed for that: its clock starts with the next call that is told the time.
    #[inline]
    pub(crate) fn mark_dirty_untimed(&mut self) {
        if self.dirty_since.is_none() {
            self.mark_dirty();
            self.is_dirty_untimed = true;
        }
    }

    fn arm_disk(&mut self) {
        if let Some(since) = self.dirty_since {
            self.timers.set(
                Timer::Disk,
                since.saturating_add(self.config.persist_timeout),
            );
        }
    }
}

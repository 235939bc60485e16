//! The member table: who is in the configuration, and how far each one is.

use clocks::Instant;
use quorum::{Member, NodeId};

use crate::configuration::Standing;
use crate::flight::Flight;
use crate::types::{Identity, LogIndex, Round};

/// What is owed to someone who asked for a vote or who is behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Replies {
    /// The durable vote, which also teaches the term.
    pub(crate) vote: bool,
    /// The verdict on a pre-vote: attempt and whether granted.
    pub(crate) pre_vote: Option<(u32, bool)>,
    /// A word about silence: to members only.
    pub(crate) quiet: Option<QuietWord>,
}

/// What is to be said about silence.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum QuietWord {
    /// By a leader: let us be silent.
    Ask,
    /// To the leader: so we are.
    Agree,
    /// By whoever follows: I am awake.
    Awake,
    /// Nothing any more: it has agreed to the attempt under way.
    Agreed,
}

impl Replies {
    pub(crate) const fn is_owed(&self) -> bool {
        self.vote || self.pre_vote.is_some()
    }

    /// Whether something is to be said about silence.
    pub(crate) const fn has_quiet_word(&self) -> bool {
        matches!(
            self.quiet,
            Some(QuietWord::Ask | QuietWord::Agree | QuietWord::Awake)
        )
    }
}

/// How entries flow to a follower.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Flow {
    /// Looking for the place where the logs agree: one append at a time, `next` stays.
    Probe { sent: bool },
    /// Entries leave as they come; `next` runs ahead of what is acknowledged.
    Replicate(Flight),
    /// What the follower needs is compacted: the driver lends it, one append at a time.
    Lend { asked: bool },
    /// What the follower needs is compacted: it gets the snapshot, one piece at a time.
    Snapshot {
        index: LogIndex,
        offset: u64,
        sent: bool,
    },
}

/// A member's question for an index to read at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Asked {
    pub(crate) nonce: u64,
    pub(crate) number: u64,
    pub(crate) stage: Asking,
}

/// What a member's question waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Asking {
    /// A round that was not handed to anybody when it came.
    Gathering,
    /// That a quorum acknowledges this round.
    Round(Round),
    /// Its answer.
    Confirmed,
}

/// What the leader knows about a member, `[Ongaro14 §3.5]` (nextIndex, matchIndex).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Progress {
    /// Durable there and the same as here, up to this index. Never moves back.
    pub(crate) matched: LogIndex,
    /// The entry to send next.
    pub(crate) next: LogIndex,
    pub(crate) flow: Flow,
    /// Bytes of entries that may still be sent before the follower says more.
    pub(crate) room: u32,
    /// What the follower was told about the commit.
    pub(crate) commit_sent: LogIndex,
    pub(crate) round_sent: Round,
    pub(crate) round_acked: Round,
    /// When the latest acknowledged round was opened.
    pub(crate) contact: Instant,
    /// The latest question for an index to read at.
    pub(crate) asked: Option<Asked>,
    /// It was sent pieces of the snapshot that stands before the window now; noted only where
    /// compaction waits for that.
    pub(crate) got_pieces: bool,
}

impl Progress {
    /// Nothing is known yet: start looking at the end of a log whose next entry is `next`.
    pub(crate) fn unknown(next: LogIndex, now: Instant) -> Self {
        Progress {
            matched: LogIndex::ZERO,
            next,
            flow: Flow::Probe { sent: false },
            room: u32::MAX,
            commit_sent: LogIndex::ZERO,
            round_sent: Round::ZERO,
            round_acked: Round::ZERO,
            contact: now,
            asked: None,
            got_pieces: false,
        }
    }
}

impl Progress {
    /// Where what it needs next is compacted, it has to get that in another way.
    #[inline]
    pub(crate) fn fall_behind(&mut self, base: LogIndex, lends: bool) {
        if self.next > base || matches!(self.flow, Flow::Lend { .. } | Flow::Snapshot { .. }) {
            return;
        }
        self.flow = if lends {
            Flow::Lend { asked: false }
        } else {
            Flow::Snapshot {
                index: base,
                offset: 0,
                sent: false,
            }
        };
    }
}

/// One member of the configuration in force.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Slot {
    pub(crate) identity: Identity,
    pub(crate) standing: Standing,
    pub(crate) replies: Replies,
    pub(crate) progress: Progress,
}

/// The table as the protocol sees it: any capacity, ascending by node.
pub(crate) type Slots = heapless::vec::VecView<Slot>;

/// Where `node` stands in the table.
#[inline]
pub(crate) fn find(slots: &[Slot], node: NodeId) -> Option<Member> {
    Member::new(slots.iter().position(|slot| slot.identity.node == node)?)
}

/// Where this very life of a node stands in the table.
#[inline]
pub(crate) fn find_identity(slots: &[Slot], identity: Identity) -> Option<Member> {
    Member::new(slots.iter().position(|slot| slot.identity == identity)?)
}

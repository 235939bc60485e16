//! What members say to each other.
//!
//! Every message carries the group, the sender's incarnation and its term. Messages that promise
//! something, a vote or an acknowledgement, can be made only from a durable fact.

use crate::durable::{Durable, HardState, Snapshot};
use crate::entry::Entries;
use crate::hollow::HollowEntries;
use crate::types::{EntryId, GroupId, Identity, Incarnation, LogIndex, Round, Term};

/// A message, lent from the sender's window or from a received frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Message<'a> {
    /// The group it belongs to.
    pub group: GroupId,
    /// Which life of the sender speaks.
    pub incarnation: Incarnation,
    /// The sender's term.
    pub term: Term,
    /// What it says.
    pub body: Body<'a>,
}

/// The kinds of message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Body<'a> {
    /// Would you vote for me in the term after mine? `[Ongaro14 §9.6]`
    PreVote(PreVote),
    /// The answer to a pre-vote; promises nothing.
    PreVoteReply(PreVoteReply),
    /// Vote for me in my term, `[Ongaro14 §3.4]`.
    Vote(Vote),
    /// The answer to a vote request.
    VoteReply(VoteReply),
    /// Entries of the leader, or its heartbeat, `[Ongaro14 §3.5]`.
    Append(Append<'a>),
    /// What a follower has and what it lacks.
    Ack(Ack),
    /// A piece of the leader's snapshot, `[Ongaro14 §5.3]`.
    Chunk(Chunk<'a>),
    /// At which index may I read? `[Ongaro14 §6.4]`
    ReadRequest(ReadRequest),
    /// The leader's answer to that.
    ReadReply(ReadReply),
    /// What a witness gets instead of an append.
    Hollow(Hollow<'a>),
    /// Stand for election at once: the leader hands over its office, `[Ongaro14 §3.10]`.
    TimeoutNow,
    /// Let us be silent: nothing is to be done, and you have everything.
    Quiet(Quiet),
    /// The answer to that; also what a node says that is awake while others may not be.
    QuietReply(QuietReply),
}

/// Asks whether a campaign would succeed, without changing anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PreVote {
    /// The end of the sender's log.
    pub last: EntryId,
    /// Names this attempt: an answer to an earlier one does not count.
    pub attempt: u32,
}

/// Answers a pre-vote; the term of the message teaches a sender that is behind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PreVoteReply {
    /// The attempt it answers.
    pub attempt: u32,
    /// Whether the sender would vote so.
    pub is_granted: bool,
    /// With a refusal only: what is committed up to this entry does not name the asker. Who lacks
    /// that entry has been removed and was not told.
    pub removed_at: Option<EntryId>,
}

/// Asks for the vote of the message's term.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Vote {
    /// The end of the candidate's log.
    pub last: EntryId,
    /// The leader of the term before told the candidate to stand: nobody withholds its vote for
    /// having heard from a leader, `[Ongaro14 §4.2.3]`.
    pub is_transfer: bool,
}

/// Answers a vote request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct VoteReply {
    /// Whether the receiver has the sender's vote of this term.
    pub is_granted: bool,
}

/// Carries entries that follow `prev`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Append<'a> {
    /// The entry that the first of these follows.
    pub prev: EntryId,
    /// What the leader knows to be committed, at most the last entry in this message.
    pub commit: LogIndex,
    /// The leader's latest round.
    pub round: Round,
    /// The entries; none in a heartbeat.
    pub entries: Entries<'a>,
}

/// Tells a witness of entries that follow `prev`, or is its heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Hollow<'a> {
    /// The entry that the first of these follows.
    pub prev: EntryId,
    /// What the leader knows to be committed, at most the last entry in this message.
    pub commit: LogIndex,
    /// The leader's latest round.
    pub round: Round,
    /// The entries without their payloads; none in a heartbeat.
    pub entries: HollowEntries<'a>,
}

/// Says what a follower has. One message carries progress and refusal, so that neither can
/// replace the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ack {
    /// Up to here the follower's durable log is the leader's.
    pub verified: LogIndex,
    /// The latest round seen; does not wait for the disk.
    pub round: Round,
    /// The largest entry, in encoded bytes, that the follower's window could take now.
    pub room: u32,
    /// An append that did not fit onto the log.
    pub reject: Option<Reject>,
    /// How much of a snapshot has been stored.
    pub chunk: Option<ChunkAck>,
}

/// Why an append was refused, and where to go on: skips whole terms, `[Ongaro14 §3.5]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Reject {
    /// The `prev` index of the refused append.
    pub prev: LogIndex,
    /// The follower's last entry that may still agree.
    pub hint: EntryId,
}

/// How much of which snapshot a follower has stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkAck {
    /// The last index that the snapshot covers.
    pub index: LogIndex,
    /// Bytes stored so far, from its start.
    pub stored: u64,
}

/// A piece of a snapshot. The machine never holds its bytes: the sender's driver supplies them
/// when it encodes the message, the receiver's driver stores them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Chunk<'a> {
    /// Which snapshot.
    pub snapshot: Snapshot,
    /// The configuration in force at its end, encoded.
    pub configuration: &'a [u8],
    /// The leader's latest round.
    pub round: Round,
    /// Where in the snapshot this piece starts.
    pub offset: u64,
    /// The bytes of this piece.
    pub data: ChunkData<'a>,
}

/// The bytes of a piece, or how many the driver is to supply.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChunkData<'a> {
    /// A received piece.
    Received(&'a [u8]),
    /// A piece to be sent: the driver supplies this many bytes, from the chunk's offset on, to
    /// [`wire::encode_chunk`](crate::wire::encode_chunk).
    Wanted(u32),
    /// None at all: the receiver is a witness, for which the end of the snapshot and the
    /// configuration are all there is.
    Hollow,
}

/// Asks the leader for an index to read at, for all reads that a node has gathered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadRequest {
    /// Drawn by the sender at its start: answers to an earlier life do not count.
    pub nonce: u64,
    /// Names the question within that life; later ones have higher numbers.
    pub number: u64,
}

/// Answers a [`ReadRequest`]: its sender led after the question came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ReadReply {
    /// The question's nonce.
    pub nonce: u64,
    /// The question's number.
    pub number: u64,
    /// A state that contains this entry's effect is recent enough.
    pub index: LogIndex,
}

/// Asks a follower to agree that the group is quiet until somebody wakes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quiet {
    /// What is committed, and all that there is.
    pub commit: LogIndex,
    /// Names the attempt: a round of the leader, which no append has before the group wakes.
    pub round: Round,
}

/// Answers a [`Quiet`]. Promises nothing and acknowledges no round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct QuietReply {
    /// The attempt; zero from a node that has not been asked.
    pub round: Round,
    /// Whether the sender is quiet now; otherwise it wants the leader to be awake too.
    pub is_quiet: bool,
}

/// A message and where it goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a message that is not sent is lost, as in the network"]
pub struct Transmit<'a> {
    /// The receiver.
    pub to: quorum::NodeId,
    /// What to send.
    pub message: Message<'a>,
}

/// An append for several members at once, for a medium on which one frame reaches everybody.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a message that is not sent is lost, as in the network"]
pub struct Broadcast<'a> {
    /// For whom it is: places in the configuration in force at the append's `prev`, whose members
    /// ascend by node.
    pub members: quorum::MemberSet,
    /// What it says; its body is an append.
    pub message: Message<'a>,
}

impl VoteReply {
    /// The answer to `candidate`, which the durable vote alone decides.
    pub(crate) fn from_durable(hard: &Durable<HardState>, candidate: Identity) -> Self {
        VoteReply {
            is_granted: hard.get().vote == Some(candidate),
        }
    }
}

impl Ack {
    /// An acknowledgement of what is durable.
    pub(crate) fn from_durable(verified: Durable<LogIndex>, round: Round, room: u32) -> Self {
        Ack {
            verified: verified.get(),
            round,
            room,
            reject: None,
            chunk: None,
        }
    }
}

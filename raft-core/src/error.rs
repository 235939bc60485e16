//! Why something was refused: an error means that nothing changed.

mod start;

use core::fmt;

use clocks::Instant;
use quorum::NodeId;

pub use crate::config::ConfigError;
pub use crate::durable::ForeignTicket;
pub use crate::lend::LendError;
use crate::types::LogIndex;
use crate::wire::DecodeError;
pub use start::{RecoverError, RestoreError};

/// A broken invariant of this crate, or a broken promise of the embedder: the node sends nothing
/// any more. No message can cause it. Restart from what is stored, and report it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The lent memory no longer holds what the node wrote there.
    WindowDamaged,
    /// An entry below the commit was about to be overwritten by the node itself.
    CommitOverwritten,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::WindowDamaged => f.write_str("the log window was changed from outside"),
            Fault::CommitOverwritten => f.write_str("a committed entry would be overwritten"),
        }
    }
}

impl core::error::Error for Fault {}

/// Why an input was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HandleError {
    /// The node has stopped for good.
    Faulted(Fault),
    /// The ticket belongs to another node, group or start: the driver mixed them up.
    ForeignTicket,
}

impl From<ForeignTicket> for HandleError {
    fn from(ForeignTicket: ForeignTicket) -> Self {
        HandleError::ForeignTicket
    }
}

impl From<Fault> for HandleError {
    fn from(fault: Fault) -> Self {
        HandleError::Faulted(fault)
    }
}

impl fmt::Display for HandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandleError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
            HandleError::ForeignTicket => ForeignTicket.fmt(f),
        }
    }
}

impl core::error::Error for HandleError {}

/// Why a node does not stand for election.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CampaignError {
    /// A witness has no payloads to lead with: ask another member.
    Witness,
    /// The node has stopped for good.
    Faulted(Fault),
}

impl From<Fault> for CampaignError {
    fn from(fault: Fault) -> Self {
        CampaignError::Faulted(fault)
    }
}

impl fmt::Display for CampaignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CampaignError::Witness => f.write_str("a witness never leads"),
            CampaignError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for CampaignError {}

/// Why a frame was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// The bytes are no message: count the frame and drop it; nothing changed.
    Malformed(DecodeError),
    /// The node has stopped for good.
    Faulted(Fault),
}

impl From<DecodeError> for FrameError {
    fn from(error: DecodeError) -> Self {
        FrameError::Malformed(error)
    }
}

impl From<Fault> for FrameError {
    fn from(fault: Fault) -> Self {
        FrameError::Faulted(fault)
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Malformed(error) => error.fmt(f),
            FrameError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for FrameError {}

/// Why a command was not taken into the log. The payload stays with the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ProposeError {
    /// Only the leader takes commands: ask the one named here, or wait for an election.
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// The leader is handing over its office: ask the one named here in a moment, or this one
    /// again if that fails.
    Transferring {
        /// Who is to lead.
        to: NodeId,
    },
    /// The window is full of entries that are not compacted yet: commit, apply and
    /// [`compact`](crate::Raft::compact), or wait, then try again.
    Full,
    /// Too much waits for its commit: wait until some of it is committed, then try again. See
    /// [`uncommitted_bytes_max`](crate::ConfigBuilder::uncommitted_bytes_max).
    Uncommitted {
        /// How many bytes of entries wait.
        bytes: u32,
    },
    /// The payload can never fit: split it.
    TooLarge {
        /// The longest payload that window and frame allow, in bytes.
        payload_bytes_max: usize,
    },
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProposeError::NotLeader {
                leader: Some(leader),
            } => {
                write!(f, "this node is not the leader; node {leader} is")
            }
            ProposeError::NotLeader { leader: None } => f.write_str("no leader is known"),
            ProposeError::Transferring { to } => {
                write!(f, "the leadership is being handed to node {to}")
            }
            ProposeError::Full => f.write_str("the log window is full: compact it or wait"),
            ProposeError::Uncommitted { bytes } => {
                write!(f, "{bytes} bytes of entries wait for their commit")
            }
            ProposeError::TooLarge { payload_bytes_max } => {
                write!(f, "a payload has at most {payload_bytes_max} bytes here")
            }
            ProposeError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for ProposeError {}

/// Why a read was not begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadError {
    /// There is nobody to ask: wait for an election, then try again.
    NoLeader,
    /// A witness has no state to read: ask another member.
    Witness,
    /// Too many different reads wait: fetch their outcomes, and what is committed, then try again.
    Full,
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::NoLeader => f.write_str("no leader is known"),
            ReadError::Witness => f.write_str("a witness has no state to read"),
            ReadError::Full => f.write_str("too many reads wait: fetch their outcomes"),
            ReadError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for ReadError {}

/// Why the leadership is not handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransferError {
    /// Only the leader hands over: ask the one named here.
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// The node leads already.
    ToItself,
    /// The node does not vote in the configuration to come, so it could not lead.
    NotAVoter(NodeId),
    /// The node is a witness: it never leads.
    Witness(NodeId),
    /// Another transfer is under way: wait until it has ended.
    UnderWay {
        /// To whom.
        to: NodeId,
    },
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransferError::NotLeader {
                leader: Some(leader),
            } => {
                write!(f, "this node is not the leader; node {leader} is")
            }
            TransferError::NotLeader { leader: None } => f.write_str("no leader is known"),
            TransferError::ToItself => f.write_str("this node leads already"),
            TransferError::NotAVoter(node) => write!(f, "node {node} does not vote"),
            TransferError::Witness(node) => {
                write!(f, "node {node} is a witness and never leads")
            }
            TransferError::UnderWay { to } => {
                write!(f, "a transfer to node {to} is under way")
            }
            TransferError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for TransferError {}

/// Why a change of the membership was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReconfigureError {
    /// Only the leader changes the membership.
    NotLeader {
        /// The leader as far as known.
        leader: Option<NodeId>,
    },
    /// The leader is handing over its office: ask the one named here in a moment, or this one
    /// again if that fails.
    Transferring {
        /// Who is to lead.
        to: NodeId,
    },
    /// The leader has not committed an entry of its own term yet: wait for the first one.
    NotEstablished,
    /// The previous change is not finished: wait until it is committed.
    Pending,
    /// The change is empty, or names a node twice.
    Malformed,
    /// The node to be added is a member already. A new life of it can be added once the old
    /// one has been removed.
    AlreadyMember(NodeId),
    /// The node to be promoted, demoted or removed is no member.
    NotAMember(NodeId),
    /// The node to be promoted votes already.
    AlreadyVoter(NodeId),
    /// The node to be demoted has no vote.
    AlreadyLearner(NodeId),
    /// The node to be promoted or demoted is a witness, which lacks the payloads: remove it, and let a new
    /// life of it join as a learner.
    Witness(NodeId),
    /// Nobody would be left to vote.
    NoVoters,
    /// Witnesses alone would be a majority, and could commit what nobody has: of the voters at most
    /// half can be witnesses.
    WitnessQuorum,
    /// The old and the new members together are more than the node's table holds.
    TooManyMembers {
        /// How many it holds.
        members_max: usize,
    },
    /// The new configuration does not fit into one frame of the transport.
    FrameTooSmall {
        /// The smallest `frame_bytes_max` that works.
        needed: usize,
    },
    /// No room in the window: compact it, or wait.
    Full,
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for ReconfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReconfigureError::NotLeader {
                leader: Some(leader),
            } => {
                write!(f, "this node is not the leader; node {leader} is")
            }
            ReconfigureError::NotLeader { leader: None } => f.write_str("no leader is known"),
            ReconfigureError::Transferring { to } => {
                write!(f, "the leadership is being handed to node {to}")
            }
            ReconfigureError::NotEstablished => {
                f.write_str("the leader has not committed an entry of its term yet")
            }
            ReconfigureError::Pending => f.write_str("the previous change is not finished"),
            ReconfigureError::Malformed => f.write_str("the change is empty or names a node twice"),
            ReconfigureError::AlreadyMember(node) => write!(f, "node {node} is a member already"),
            ReconfigureError::NotAMember(node) => write!(f, "node {node} is no member"),
            ReconfigureError::AlreadyVoter(node) => write!(f, "node {node} votes already"),
            ReconfigureError::AlreadyLearner(node) => {
                write!(f, "node {node} is a learner already")
            }
            ReconfigureError::Witness(node) => {
                write!(
                    f,
                    "node {node} is a witness: remove it and add a new life of it"
                )
            }
            ReconfigureError::NoVoters => f.write_str("nobody would be left to vote"),
            ReconfigureError::WitnessQuorum => {
                f.write_str("at most half of the voters can be witnesses")
            }
            ReconfigureError::TooManyMembers { members_max } => {
                write!(
                    f,
                    "old and new members together must be at most {members_max}"
                )
            }
            ReconfigureError::FrameTooSmall { needed } => {
                write!(
                    f,
                    "frames must have at least {needed} bytes for this configuration"
                )
            }
            ReconfigureError::Full => f.write_str("the log window is full: compact it or wait"),
            ReconfigureError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for ReconfigureError {}

/// Why the log was not compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CompactError {
    /// The snapshot would cover entries that were not handed over yet.
    NotDelivered {
        /// The last entry that was.
        delivered: LogIndex,
    },
    /// A member is being sent the snapshot at the base, or got it and has not caught up, and would
    /// need the new one from its start: wait, or compact less. See
    /// [`hold_compaction`](crate::ConfigBuilder::hold_compaction).
    Held {
        /// Who would be outrun.
        member: NodeId,
        /// When it is allowed at the latest; before, when the member has caught up or the window
        /// has filled.
        until: Instant,
    },
    /// The log is compacted up to there or further already.
    AlreadyCompacted {
        /// The last entry that is gone.
        base: LogIndex,
    },
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for CompactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompactError::NotDelivered { delivered } => {
                write!(f, "entries after {delivered} were not handed over yet")
            }
            CompactError::Held { member, .. } => {
                write!(f, "node {member} is being sent the snapshot before")
            }
            CompactError::AlreadyCompacted { base } => {
                write!(f, "the log is compacted up to {base} already")
            }
            CompactError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for CompactError {}

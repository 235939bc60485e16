//! Older entries, lent by a driver that keeps them: what is asked for, and why a loan is refused.

use core::fmt;

use quorum::NodeId;

use crate::error::Fault;
use crate::types::{Identity, LogIndex, Term};

/// A member needs entries that are no longer in the window, see
/// [`Raft::poll_fetch`](crate::Raft::poll_fetch). Answer with [`lend`](crate::Raft::lend) or
/// [`decline`](crate::Raft::decline), at any later time.
///
/// Two that are equal ask for the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "answer it with lend or decline; it is asked again with the next heartbeat"]
pub struct Fetch {
    pub(crate) to: Identity,
    pub(crate) term: Term,
    pub(crate) after: LogIndex,
    pub(crate) last: LogIndex,
    pub(crate) bytes_max: u32,
}

impl Fetch {
    /// The member that lags behind.
    pub const fn to(&self) -> NodeId {
        self.to.node
    }

    /// The entry before the first that it needs; zero if it needs the first of all.
    pub const fn after(&self) -> LogIndex {
        self.after
    }

    /// The last entry that is not in the window: more need not be lent.
    pub const fn last(&self) -> LogIndex {
        self.last
    }

    /// How many bytes of encoded entries may be lent at once. One entry alone may have more, as
    /// long as it fits a frame.
    pub const fn bytes_max(&self) -> u32 {
        self.bytes_max
    }
}

/// Why a loan was refused: nothing changed, and the fetch is still open unless it says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LendError {
    /// The member does not need this any more, or this node does not lead any more: drop the loan.
    /// Nobody's fault.
    NotWanted,
    /// The entry before the loan is not the one that the fetch names, or has a term that no entry
    /// there can have: the driver's mistake.
    WrongPlace {
        /// The index that was asked for.
        after: LogIndex,
    },
    /// Nothing was lent: [`decline`](crate::Raft::decline) instead.
    Empty,
    /// There is more than was asked for, or one entry that does not fit a frame: lend less, or
    /// decline.
    TooLong {
        /// How many bytes may be lent.
        bytes_max: u32,
    },
    /// No whole entry stands at this index: the driver's store is damaged.
    Malformed {
        /// The first entry that cannot be read.
        index: LogIndex,
    },
    /// The entry at this index cannot be the group's: its term is lower than that of the one
    /// before, higher than that of the base, or another than the one in the window. The driver's
    /// store is damaged, or belongs to another group.
    Contradiction {
        /// The first entry that does not fit.
        index: LogIndex,
    },
    /// The node has stopped for good.
    Faulted(Fault),
}

impl fmt::Display for LendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LendError::NotWanted => f.write_str("nobody needs these entries any more"),
            LendError::WrongPlace { after } => {
                write!(f, "the entries do not follow entry {after}")
            }
            LendError::Empty => f.write_str("nothing was lent"),
            LendError::TooLong { bytes_max } => {
                write!(f, "at most {bytes_max} bytes can be lent")
            }
            LendError::Malformed { index } => write!(f, "entry {index} cannot be read"),
            LendError::Contradiction { index } => {
                write!(f, "entry {index} contradicts the log")
            }
            LendError::Faulted(fault) => write!(f, "the node has stopped: {fault}"),
        }
    }
}

impl core::error::Error for LendError {}

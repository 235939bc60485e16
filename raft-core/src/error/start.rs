//! Why a node does not start.

use core::fmt;

use crate::types::LogIndex;

/// Why a node could not be built from what it was given or from what was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RestoreError {
    /// The lent memory is too small for the members, or for the log that was stored.
    WindowTooSmall {
        /// Bytes that are needed, as far as known yet.
        needed: usize,
    },
    /// `N` is zero or above 64.
    MembersOutOfRange,
    /// The bytes are no record, or not all of one: the driver must detect torn and damaged
    /// records (a checksum) and leave out the last, torn one.
    DamagedRecord,
    /// A record of another version of the format.
    UnknownVersion(u8),
    /// The records do not start with one that begins anew: the oldest are missing.
    NoBeginning,
    /// A record follows entries that were not replayed: one between is missing.
    Gap {
        /// The last entry that was replayed.
        last: LogIndex,
        /// The entry that the record follows.
        after: LogIndex,
    },
    /// The records belong to another node or group: the wrong data directory or flash region.
    ForeignRecord,
    /// The stored configuration has more members than `N`.
    TooManyMembers,
    /// The application claims to have applied more than the log holds.
    AppliedBeyondLog {
        /// The last entry that was stored.
        last: LogIndex,
    },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::WindowTooSmall { needed } => {
                write!(f, "the log window needs at least {needed} bytes")
            }
            RestoreError::MembersOutOfRange => f.write_str("a group has 1 to 64 members"),
            RestoreError::DamagedRecord => f.write_str("a stored record is damaged or cut short"),
            RestoreError::UnknownVersion(version) => {
                write!(f, "a stored record has the unknown version {version}")
            }
            RestoreError::NoBeginning => f.write_str("the first stored records are missing"),
            RestoreError::Gap { last, after } => {
                write!(
                    f,
                    "the records between entry {last} and entry {after} are missing"
                )
            }
            RestoreError::ForeignRecord => {
                f.write_str("the stored records belong to another node or group")
            }
            RestoreError::TooManyMembers => {
                f.write_str("the stored configuration has more members than this node can hold")
            }
            RestoreError::AppliedBeyondLog { last } => {
                write!(
                    f,
                    "more is applied than stored: the log ends at entry {last}"
                )
            }
        }
    }
}

impl core::error::Error for RestoreError {}

/// Why a node cannot go on without its group, see [`Raft::recover`](crate::Raft::recover). Nothing
/// was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RecoverError {
    /// What was stored cannot be restored at all. For a window that is too small: give a larger one.
    Restore(RestoreError),
    /// The node holds neither an entry nor a snapshot: found a group instead.
    NothingToKeep,
    /// The node's own log says that it is no member, or never was one: choose another survivor.
    NotAMember,
    /// The node is a witness, which kept no payloads: choose another survivor.
    Witness,
    /// The term cannot grow any more.
    TermsExhausted,
}

impl From<RestoreError> for RecoverError {
    fn from(error: RestoreError) -> Self {
        RecoverError::Restore(error)
    }
}

impl fmt::Display for RecoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecoverError::Restore(error) => error.fmt(f),
            RecoverError::NothingToKeep => f.write_str("the node holds no entry and no snapshot"),
            RecoverError::NotAMember => f.write_str("the node's log says that it is no member"),
            RecoverError::Witness => f.write_str("the node is a witness and holds no payloads"),
            RecoverError::TermsExhausted => f.write_str("the term cannot grow any more"),
        }
    }
}

impl core::error::Error for RecoverError {}

//! What a leader knows of another member: for status tables and metrics, and for choosing a successor.

use clocks::Instant;

use crate::types::LogIndex;

/// How far a member is, as its leader sees it, `[Ongaro14 §3.5]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemberProgress {
    /// Its durable log is the leader's up to here (matchIndex). Never moves back in a term.
    pub matched: LogIndex,
    /// The entry that is sent to it next (nextIndex).
    pub next: LogIndex,
    /// Bytes of entries that it can take before it says more.
    pub room: u32,
    /// How it is brought level.
    pub catching_up: CatchingUp,
    /// When the latest contact began that it acknowledged; before its first answer, when the leader
    /// came into office.
    pub contact: Instant,
}

/// How a member is brought level with its leader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CatchingUp {
    /// It is not known yet where the logs agree: one append at a time.
    Probing,
    /// Entries leave as they come.
    Replicating,
    /// The entries that it needs are compacted; the driver lends them.
    Lending,
    /// The entries that it needs are compacted.
    Snapshot {
        /// The last entry that the snapshot covers.
        index: LogIndex,
        /// Bytes of it that it has stored.
        stored: u64,
    },
}

//! Pieces of a snapshot on their way to the receiver's storage.

use core::fmt;

use crate::durable::Snapshot;
use crate::types::Identity;

/// A received piece of a snapshot that the driver is to store.
///
/// Returned by [`handle_message`](crate::Raft::handle_message). Store `data` at `offset` of a new
/// snapshot file or region (a piece at offset zero starts one anew), make it durable, and report
/// with [`handle_stored`](crate::Raft::handle_stored). A piece that is dropped is sent again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "store it, then call handle_stored"]
pub struct Piece<'m> {
    pub(crate) from: Identity,
    pub(crate) snapshot: Snapshot,
    pub(crate) offset: u64,
    pub(crate) data: &'m [u8],
}

impl<'m> Piece<'m> {
    /// The snapshot it belongs to.
    pub const fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    /// Where in the snapshot it starts, in bytes.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Its bytes.
    pub const fn data(&self) -> &'m [u8] {
        self.data
    }

    /// Whether the snapshot is complete with this piece: check it against
    /// [`Snapshot::checksum`] before reporting it stored.
    pub const fn is_last(&self) -> bool {
        self.offset.saturating_add(self.data.len() as u64) >= self.snapshot.size
    }

    /// Says that the bytes are taken; the receipt says how the storing ended.
    pub const fn into_receipt(self) -> Receipt {
        Receipt {
            from: self.from,
            snapshot: self.snapshot,
            offset: self.offset,
            len: self.data.len() as u64,
        }
    }
}

/// Proof that the driver took a [`Piece`].
#[derive(Clone, PartialEq, Eq, Hash)]
#[must_use = "hand it back with handle_stored"]
pub struct Receipt {
    pub(crate) from: Identity,
    pub(crate) snapshot: Snapshot,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("snapshot", &self.snapshot)
            .field("offset", &self.offset)
            .field("len", &self.len)
            .finish()
    }
}

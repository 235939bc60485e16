//! Entries that a driver keeps longer than its machine does, to lend them.
//!
//! A run of encoded entries of a bounded length, the oldest first; what it was once given survives
//! a crash, because it was delivered before.

use raft_core::{ENTRY_HEADER_BYTES, Entry, EntryId, EntryKind, LogIndex, Term};

use crate::world::host::Machine;
use crate::world::memory::WINDOW_BYTES_MAX;
use crate::world::reuse::copies_in_place;

/// The longest archive of any host.
pub const ARCHIVE_BYTES_MAX: usize = 6000;

/// What a driver keeps of the log.
#[derive(Debug)]
pub struct Archive {
    /// The entry before the first.
    before: EntryId,
    last: LogIndex,
    bytes: Vec<u8>,
    bytes_max: usize,
}

copies_in_place!(Archive {
    before,
    last,
    bytes,
    bytes_max
});

impl Archive {
    /// One that keeps at most so many bytes; none if that is zero.
    pub fn new(bytes_max: usize) -> Self {
        Archive {
            before: EntryId::ZERO,
            last: LogIndex::ZERO,
            bytes: Vec::with_capacity(ARCHIVE_BYTES_MAX + WINDOW_BYTES_MAX),
            bytes_max,
        }
    }

    /// Becomes what [`new`](Archive::new) makes; the buffer stays.
    pub fn reset(&mut self, bytes_max: usize) {
        (self.before, self.last) = (EntryId::ZERO, LogIndex::ZERO);
        self.bytes.clear();
        self.bytes_max = bytes_max;
    }

    /// Loses what it holds.
    pub fn lose(&mut self) {
        self.reset(self.bytes_max);
    }

    /// Bytes that a copy of it copies.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether its host lends.
    pub const fn is_kept(&self) -> bool {
        self.bytes_max > 0
    }

    /// Takes over what a machine is about to drop, up to `index`.
    pub fn keep(&mut self, raft: &Machine, index: LogIndex) {
        if !self.is_kept() {
            return;
        }
        let base = raft.base();
        if self.last < base.index {
            // A snapshot took the place of what would have come next.
            self.bytes.clear();
            (self.before, self.last) = (base, base.index);
        }
        while self.last < index {
            let Some(entry) = raft.entry(self.last.next()) else {
                break;
            };
            self.push(&entry);
        }
        while self.bytes.len() > self.bytes_max {
            let (len, term) = first(&self.bytes);
            self.bytes.drain(..len);
            self.before = EntryId::new(self.before.index.next(), term);
        }
    }

    /// An entry in the form that docs/WIRE.md describes.
    fn push(&mut self, entry: &Entry<'_>) {
        let kind: u32 = match entry.kind {
            EntryKind::Command => 0,
            EntryKind::NoOp => 1,
            EntryKind::Configuration => 2,
            EntryKind::Hollow => 3,
        };
        let word = entry.payload.len() as u32 | kind << 28;
        let term = entry.id.term.value();
        self.bytes.extend_from_slice(&term.to_le_bytes());
        self.bytes.extend_from_slice(&word.to_le_bytes());
        self.bytes.extend_from_slice(entry.payload);
        self.last = entry.id.index;
    }

    /// Entries that follow `after`, at most up to `last`: as many as take no more than `bytes_max`
    /// bytes, or one. With them the entry that they follow.
    pub fn after(
        &self,
        after: LogIndex,
        last: LogIndex,
        bytes_max: u32,
    ) -> Option<(EntryId, &[u8])> {
        if after < self.before.index || after >= self.last {
            return None;
        }
        let (mut before, mut rest) = (self.before, &self.bytes[..]);
        while before.index < after {
            let (len, term) = first(rest);
            rest = &rest[len..];
            before = EntryId::new(before.index.next(), term);
        }
        let (mut end, mut index) = (first(rest).0, after.next());
        while index < self.last.min(last) {
            let next = end + first(&rest[end..]).0;
            if next > bytes_max as usize {
                break;
            }
            (end, index) = (next, index.next());
        }
        Some((before, &rest[..end]))
    }
}

/// How long the first entry of a run is, and its term.
fn first(run: &[u8]) -> (usize, Term) {
    let number = |at: usize| {
        let bytes = run[at..]
            .first_chunk()
            .expect("an archive ends with a whole entry");
        u32::from_le_bytes(*bytes)
    };
    let payload = number(4) & ((1 << 28) - 1);
    let len = ENTRY_HEADER_BYTES + payload as usize;
    (len, Term::new(number(0)))
}

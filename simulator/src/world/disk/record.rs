//! A record of the log on its way to the medium, and what it means once it is there.

use raft_core::{
    ENTRY_HEADER_BYTES, EntryKind, HardState, LogIndex, RECORD_HEADER_BYTES_MAX, Snapshot, Ticket,
    Write,
};

use crate::world::chain::{Chain, Link};
use crate::world::memory::WINDOW_BYTES_MAX;
use crate::world::random::Random;
use crate::world::reuse::copies_in_place;

/// What the bytes on a disk mean.
#[derive(Debug, Default)]
pub struct Durable {
    /// Term and vote.
    pub hard: HardState,
    /// The log.
    pub log: Chain,
}

copies_in_place!(Durable { hard, log });

impl Durable {
    /// Nothing is stored.
    pub(super) fn reset(&mut self) {
        self.hard = HardState::default();
        self.log.reset(raft_core::EntryId::ZERO, 0);
    }
}

/// A record of the log that is being written.
#[derive(Debug, Default)]
pub struct Record {
    pub(super) bytes: Vec<u8>,
    /// Bytes before the first entry.
    head_bytes: usize,
    hard: HardState,
    pub(super) begins: Option<Snapshot>,
    after: LogIndex,
    /// The hash of the log up to `after`.
    after_hash: u64,
    links: Vec<(Link, usize)>,
    /// Proof for the driver, unless the outcome was reported already.
    pub ticket: Option<Ticket>,
}

copies_in_place!(Record {
    bytes,
    head_bytes,
    hard,
    begins,
    after,
    after_hash,
    links,
    ticket
});

impl Record {
    /// An empty one that can become any without asking for memory.
    pub(super) fn with_room() -> Self {
        Record {
            bytes: Vec::with_capacity(2 * WINDOW_BYTES_MAX),
            links: Vec::with_capacity(WINDOW_BYTES_MAX / 32),
            ..Record::default()
        }
    }

    /// Becomes what a write says. `log` is the log of the writer, by which the hashes go on.
    pub(super) fn fill(&mut self, write: Write<'_>, log: &Chain) {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let parts = write.record(&mut scratch);
        self.bytes.clear();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.head_bytes = parts[0].len() + parts[1].len();
        self.after = write.after();
        self.after_hash = log.link(self.after).map_or(0, |link| link.hash);
        let mut hash = self.after_hash;
        self.links.clear();
        for entry in write.entries() {
            let link = match entry.kind {
                // What it is, the others know: the log of the writer has the hash.
                EntryKind::Hollow => log
                    .link(entry.id.index)
                    .unwrap_or(Link::after(hash, &entry)),
                _ => Link::after(hash, &entry),
            };
            self.links
                .push((link, ENTRY_HEADER_BYTES + entry.payload.len()));
            hash = link.hash;
        }
        (self.hard, self.begins) = (write.hard_state(), write.snapshot());
        self.ticket = Some(write.into_ticket());
    }

    /// The last index of the log once this is stored.
    pub fn last(&self) -> LogIndex {
        self.after.plus(self.links.len() as u64)
    }

    /// What the disk means after the first `stored` bytes of this record were added; `None` if
    /// that is not enough to count.
    pub(super) fn apply(&self, durable: &mut Durable, stored: usize) -> Option<()> {
        let is_whole = stored >= self.bytes.len();
        if !is_whole && (stored < self.head_bytes || self.begins.is_some()) {
            return None;
        }
        durable.hard = self.hard;
        match self.begins {
            Some(snapshot) => durable.log.reset(snapshot.last, self.after_hash),
            None => durable.log.truncate(self.after),
        }
        let mut end = self.head_bytes;
        for (link, size) in &self.links {
            end += size;
            if end > stored {
                break;
            }
            durable.log.push(*link);
        }
        Some(())
    }
}

/// The stored records, one after the other.
#[derive(Debug, Default)]
pub(super) struct Journal {
    bytes: Vec<u8>,
    /// Where each record ends, and whether it is torn.
    ends: Vec<(usize, bool)>,
    /// The bit of a record that flipped since it was written. Every driver has a checksum that
    /// tells; this is what it would tell.
    rotten: Option<usize>,
}

copies_in_place!(Journal {
    bytes,
    ends,
    rotten
});

/// Bytes for which a journal has room before it is used.
const JOURNAL_BYTES: usize = 1 << 16;

impl Journal {
    pub(super) fn reset(&mut self) {
        self.clear();
        self.bytes.reserve(JOURNAL_BYTES);
        self.ends.reserve(1024);
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.rotten = None;
    }

    pub(super) fn is_sound(&self) -> bool {
        self.rotten.is_none()
    }

    /// Flips a bit; says whether there was one to flip.
    pub(super) fn rot(&mut self, random: &mut Random) -> bool {
        if self.bytes.is_empty() {
            return false;
        }
        let place = random.index(self.bytes.len());
        self.bytes[place] ^= 1 << random.below(8);
        self.rotten = Some(place);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn push(&mut self, record: &[u8], is_torn: bool) {
        self.bytes.extend_from_slice(record);
        self.ends.push((self.bytes.len(), is_torn));
    }

    pub(super) fn forget_latest(&mut self) {
        if self.ends.len() > 1 {
            self.ends.pop();
            let end = self.ends.last().map_or(0, |(end, _)| *end);
            self.bytes.truncate(end);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut start = 0;
        self.ends.iter().map(move |(end, is_torn)| {
            let record = &self.bytes[start..*end];
            start = *end;
            (record, *is_torn)
        })
    }

    /// Removes the records at these places, in ascending order.
    pub(super) fn remove(&mut self, places: &[usize]) {
        for place in places.iter().rev() {
            let start = place.checked_sub(1).map_or(0, |before| self.ends[before].0);
            let end = self.ends.remove(*place).0;
            self.bytes.drain(start..end);
            for (later, _) in &mut self.ends[*place..] {
                *later -= end - start;
            }
        }
    }

    /// How many bytes, and how many records.
    pub(super) fn extent(&self) -> (usize, usize) {
        (self.bytes.len(), self.ends.len())
    }

    /// Flips a bit of the record at this place.
    pub(super) fn flip(&mut self, place: usize, bit: usize) {
        let start = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .map_or(0, |(end, _)| *end);
        if let Some(byte) = self.bytes.get_mut(start + bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }
}

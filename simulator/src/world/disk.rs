//! A disk: operations in a queue, each takes its time, and what is not done at a crash is lost,
//! kept whole although nobody was told, or torn.
//!
//! Beside the bytes that a restart reads, the disk keeps what they mean ([`Durable`]), worked out
//! from the public accessors of each [`Write`]. The oracles judge by that and
//! never ask a machine what it believes to be durable.

use std::collections::VecDeque;

use raft_core::{
    ENTRY_HEADER_BYTES, EntryId, HardState, LogIndex, Piece, RECORD_HEADER_BYTES_MAX, Receipt,
    Snapshot, Ticket, Write,
};

use crate::world::app::{App, checksum};
use crate::world::chain::{Chain, Link};
use crate::world::clock::Moment;
use crate::world::decision::Left;
use crate::world::random::Random;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::Swarm;

/// What the bytes on a disk mean.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// Term and vote.
    pub hard: HardState,
    /// The log.
    pub log: Chain,
}

/// A record of the log that is being written.
#[derive(Clone, Debug)]
pub struct Record {
    bytes: Vec<u8>,
    /// Bytes before the first entry.
    head_bytes: usize,
    hard: HardState,
    begins: Option<Snapshot>,
    after: LogIndex,
    /// The hash of the log up to `after`.
    after_hash: u64,
    links: Vec<(Link, usize)>,
    /// Proof for the driver, unless the outcome was reported already.
    pub ticket: Option<Ticket>,
}

impl Record {
    /// Takes a write apart. `log` is the log of the writer, by which the hashes go on.
    pub fn new(write: Write<'_>, log: &Chain, mut bytes: Vec<u8>) -> Self {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let parts = write.record(&mut scratch);
        bytes.clear();
        for part in parts {
            bytes.extend_from_slice(part);
        }
        let after = write.after();
        let after_hash = log.link(after).map_or(0, |link| link.hash);
        let mut hash = after_hash;
        let mut links = Vec::new();
        for entry in write.entries() {
            let link = Link::after(hash, &entry);
            links.push((link, ENTRY_HEADER_BYTES + entry.payload.len()));
            hash = link.hash;
        }
        let (hard, begins) = (write.hard_state(), write.snapshot());
        let head_bytes = parts[0].len() + parts[1].len();
        Record {
            bytes,
            head_bytes,
            hard,
            begins,
            after,
            after_hash,
            links,
            ticket: Some(write.into_ticket()),
        }
    }

    /// The last index of the log once this is stored.
    pub fn last(&self) -> LogIndex {
        self.after.plus(self.links.len() as u64)
    }

    /// What the disk means after the first `stored` bytes of this record were added; `None` if
    /// that is not enough to count.
    fn apply(&self, durable: &mut Durable, stored: usize) -> Option<()> {
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

/// Bytes of a snapshot and what they are called.
#[derive(Clone, Debug)]
pub struct StoredSnapshot {
    /// Its name.
    pub name: Snapshot,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something that a disk is told to do.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Store a record.
    Record(Record),
    /// Store a snapshot that this host made.
    Snapshot(StoredSnapshot),
    /// Store a piece of a snapshot that is being received.
    Piece {
        /// Which snapshot.
        name: Snapshot,
        /// Where the piece starts.
        offset: u64,
        /// Its bytes.
        data: Vec<u8>,
        /// What the machine wants back.
        receipt: Receipt,
    },
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A record is stored.
    Stored(Option<Ticket>),
    /// A record was not stored, as far as the driver knows.
    Failed(Option<Ticket>),
    /// A piece is stored.
    Piece(Receipt),
    /// The last piece came, and the whole is not what its name says.
    Damaged(Snapshot),
    /// Nothing to report.
    Silent,
}

#[derive(Clone, Debug)]
struct JournalRecord {
    bytes: Vec<u8>,
    is_torn: bool,
}

/// A disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    durable: Durable,
    journal: Vec<JournalRecord>,
    /// What a failed write may have left behind; overwritten by the next one.
    tail: Option<(Record, usize)>,
    snapshots: Vec<StoredSnapshot>,
    incoming: Option<StoredSnapshot>,
    /// How much of which snapshot was stored since the start, given up since or not.
    received: Vec<(LogIndex, u64)>,
    /// The application's own state, if it stored it.
    checkpoint: Option<App>,
    operations: VecDeque<Operation>,
    idle_from: Moment,
}

impl Disk {
    /// What is stored, and reported as stored.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Whether a record is being written.
    pub fn is_writing(&self) -> bool {
        let is_record = |operation: &Operation| matches!(operation, Operation::Record(_));
        self.operations.iter().any(is_record)
    }

    /// Whether nothing was ever stored.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// The snapshot with this name, stored or on its way.
    pub fn snapshot(&self, name: &Snapshot) -> Option<&[u8]> {
        let coming = self.operations.iter().filter_map(|operation| {
            if let Operation::Snapshot(snapshot) = operation {
                Some(snapshot)
            } else {
                None
            }
        });
        self.snapshots
            .iter()
            .chain(coming)
            .find(|snapshot| snapshot.name == *name)
            .map(|snapshot| &*snapshot.bytes)
    }

    /// The stored snapshot that covers exactly the entries up to `index`.
    pub fn snapshot_at(&self, index: LogIndex) -> Option<&[u8]> {
        let mut all = self.snapshots.iter();
        let snapshot = all.find(|snapshot| snapshot.name.last.index == index)?;
        Some(&snapshot.bytes)
    }

    /// The most that was ever stored of the snapshot at this index since the start. It may have
    /// given way to a later one since; saying that it was stored is true all the same.
    pub fn stored_bytes(&self, last: LogIndex) -> u64 {
        let received = self.received.iter().filter(|(index, _)| *index == last);
        let stored = self.snapshots.iter();
        let stored = stored.filter(|snapshot| snapshot.name.last.index == last);
        let stored = stored.map(|snapshot| snapshot.bytes.len() as u64);
        received
            .map(|(_, bytes)| *bytes)
            .chain(stored)
            .max()
            .unwrap_or(0)
    }

    /// The application stores its own state.
    pub fn keep_checkpoint(&mut self, app: App) {
        self.checkpoint = Some(app);
    }

    /// The application's state, if it stored any.
    pub fn checkpoint(&self) -> Option<App> {
        self.checkpoint
    }

    /// Whether this piece of a snapshot is being stored.
    pub fn is_storing(&self, piece: &Piece<'_>) -> bool {
        self.operations.iter().any(|operation| match operation {
            Operation::Piece { name, offset, .. } => {
                *name == piece.snapshot() && *offset == piece.offset()
            }
            Operation::Record(_) | Operation::Snapshot(_) => false,
        })
    }

    /// Starts an operation; says when it will be done.
    pub fn start(&mut self, now: Moment, operation: Operation, time: clocks::Duration) -> Moment {
        if matches!(operation, Operation::Record(_)) {
            self.tail = None;
        }
        self.operations.push_back(operation);
        self.idle_from = self.idle_from.max(now).plus(time);
        self.idle_from
    }

    /// Does nothing for a while.
    pub fn stall(&mut self, now: Moment, time: clocks::Duration) {
        self.idle_from = self.idle_from.max(now.plus(time));
    }

    /// How many bytes the oldest operation leaves, if it can fail.
    pub fn draw_failure(&self, random: &mut Random) -> Option<u32> {
        let Some(Operation::Record(record)) = self.operations.front() else {
            return None;
        };
        let len = record.bytes.len() as u64;
        let left = match random.below(3) {
            0 => 0,
            1 => len,
            _ => random.below(len + 1),
        };
        // Records are a few kilobytes.
        Some(left as u32)
    }

    /// How many operations are under way.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// Whether anything is under way.
    pub fn is_busy(&self) -> bool {
        !self.operations.is_empty()
    }

    /// The oldest operation has had its time; it is done, or it failed and left so many bytes.
    pub fn finish(&mut self, failed: Option<u32>, stats: &mut Stats) -> Outcome {
        match self.operations.pop_front() {
            None => Outcome::Silent,
            Some(Operation::Record(mut record)) => {
                let ticket = record.ticket.take();
                if let Some(left) = failed {
                    stats.add(Count::WriteFailed);
                    let left = record.bytes.len().min(left as usize);
                    self.tail = Some((record, left));
                    return Outcome::Failed(ticket);
                }
                stats.add(Count::Write);
                self.store(record);
                Outcome::Stored(ticket)
            }
            Some(Operation::Snapshot(snapshot)) => {
                self.keep_snapshot(snapshot);
                Outcome::Silent
            }
            Some(Operation::Piece {
                name,
                offset,
                data,
                receipt,
            }) => self.finish_piece(name, offset, &data, receipt),
        }
    }

    fn finish_piece(
        &mut self,
        name: Snapshot,
        offset: u64,
        data: &[u8],
        receipt: Receipt,
    ) -> Outcome {
        if offset == 0 {
            self.incoming = Some(StoredSnapshot {
                name,
                bytes: Vec::new(),
            });
        }
        let Some(incoming) = &mut self.incoming else {
            return Outcome::Silent;
        };
        if incoming.name != name || incoming.bytes.len() as u64 != offset {
            return Outcome::Silent;
        }
        incoming.bytes.extend_from_slice(data);
        self.received
            .push((name.last.index, incoming.bytes.len() as u64));
        if (incoming.bytes.len() as u64) < name.size {
            return Outcome::Piece(receipt);
        }
        if checksum(&incoming.bytes) != name.checksum {
            return Outcome::Damaged(name);
        }
        if let Some(snapshot) = self.incoming.take() {
            self.keep_snapshot(snapshot);
        }
        Outcome::Piece(receipt)
    }

    fn keep_snapshot(&mut self, snapshot: StoredSnapshot) {
        self.snapshots.retain(|old| old.name != snapshot.name);
        self.snapshots.push(snapshot);
    }

    fn store(&mut self, record: Record) {
        let stored = record.bytes.len();
        self.store_prefix(record, stored);
    }

    fn store_prefix(&mut self, mut record: Record, stored: usize) {
        let is_torn = stored < record.bytes.len();
        let counts = record.apply(&mut self.durable, stored).is_some();
        if !is_torn && let Some(snapshot) = record.begins {
            self.journal.clear();
            let first = snapshot.last.index;
            self.snapshots.retain(|old| old.name.last.index >= first);
        }
        debug_assert!(counts || is_torn);
        if is_torn && self.journal.is_empty() {
            // Nothing came before it, and it is no beginning: there is nothing to come back with.
            return;
        }
        record.bytes.truncate(stored);
        self.journal.push(JournalRecord {
            bytes: record.bytes,
            is_torn,
        });
    }

    /// What a crash leaves of what is under way: some of it, the first part of the next, or
    /// nothing.
    pub fn draw_crash(&self, swarm: &Swarm, random: &mut Random) -> Left {
        let mut left = Left::default();
        for operation in &self.operations {
            let is_kept = match operation {
                Operation::Record(_) => swarm.has_kept_writes && random.chance(400),
                Operation::Snapshot(_) => random.chance(500),
                Operation::Piece { .. } => continue,
            };
            if is_kept {
                left.kept += 1;
                continue;
            }
            if let Operation::Record(record) = operation
                && swarm.has_torn_writes
                && random.chance(600)
            {
                left.torn = Some(random.index(record.bytes.len()) as u32);
            }
            break;
        }
        left
    }

    /// The host crashes: what is under way is kept, torn or lost.
    pub fn crash(&mut self, now: Moment, left: Left, stats: &mut Stats) {
        if let Some((record, stored)) = self.tail.take() {
            self.store_prefix(record, stored);
        }
        let (mut kept, mut torn) = (left.kept, left.torn);
        for operation in std::mem::take(&mut self.operations) {
            match operation {
                Operation::Record(record) if kept > 0 => {
                    kept -= 1;
                    stats.add(Count::RecordKept);
                    self.store(record);
                }
                Operation::Record(record) => match torn.take() {
                    Some(bytes) => {
                        stats.add(Count::RecordTorn);
                        let part = record.bytes.len().saturating_sub(1);
                        self.store_prefix(record, part.min(bytes as usize));
                    }
                    None => stats.add(Count::RecordLost),
                },
                Operation::Snapshot(snapshot) if kept > 0 => {
                    kept -= 1;
                    self.keep_snapshot(snapshot);
                }
                // What comes after a loss is lost as well.
                Operation::Snapshot(_) => torn = None,
                Operation::Piece { .. } => {}
            }
        }
        self.incoming = None;
        self.received.clear();
        self.idle_from = now;
    }

    /// The stored records in the order in which they were written, and whether each is torn.
    pub fn journal(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let records = self.journal.iter();
        records.map(|record| (&*record.bytes, record.is_torn))
    }

    /// Removes the records at these places: torn, and of no use.
    pub fn drop_records(&mut self, places: &[usize]) {
        let mut place = 0;
        self.journal.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
    }

    /// A disk that forgets its latest record, as a disk must never do: a seeded fault.
    pub fn forget_latest(&mut self) {
        if self.journal.len() > 1 {
            self.journal.pop();
        }
    }

    /// Where the log ends.
    pub fn last(&self) -> EntryId {
        self.durable.log.last()
    }
}

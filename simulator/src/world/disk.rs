//! A disk: operations in a queue, each takes its time, and what is not done at a crash is lost,
//! kept whole although nobody was told, or torn.
//!
//! Beside the bytes that a restart reads, the disk keeps what they mean ([`Durable`]), worked out
//! from the public accessors of each [`Write`]. The oracles judge by that and
//! never ask a machine what it believes to be durable.

mod crash;
mod cut;
mod record;

use std::collections::VecDeque;

use raft_core::{EntryId, HardState, LogIndex, Piece, Receipt, Snapshot, Ticket, Write};

use crate::world::app::{App, checksum};
use crate::world::chain::Chain;
use crate::world::clock::Moment;
use crate::world::random::Random;
use crate::world::reuse::{Shelf, copies_in_place};
use crate::world::stats::{Count, Stats};

use record::Journal;

pub use cut::Remains;
pub use record::{Durable, Record};

/// Bytes of a snapshot and what they are called.
#[derive(Debug, Default)]
pub struct StoredSnapshot {
    /// Its name.
    pub name: Snapshot,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

copies_in_place!(StoredSnapshot { name, bytes });

impl StoredSnapshot {
    /// Takes another's name and bytes.
    fn swap(&mut self, other: &mut StoredSnapshot) {
        self.name = other.name;
        core::mem::swap(&mut self.bytes, &mut other.bytes);
    }
}

/// A piece of a snapshot that is being received.
#[derive(Debug, Default)]
struct Part {
    offset: u64,
    data: StoredSnapshot,
    receipt: Option<Receipt>,
}

copies_in_place!(Part {
    offset,
    data,
    receipt
});

/// Something that a disk is told to do; what belongs to it stands first on the shelf of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    /// Store a record.
    Record,
    /// Store a snapshot that this host made.
    Snapshot,
    /// Store a piece of a snapshot.
    Part,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A record is stored.
    Stored(Option<Ticket>),
    /// A record was not stored, as far as the driver knows.
    Failed(Option<Ticket>),
    /// A piece of this snapshot is stored.
    Piece(Snapshot, Receipt),
    /// The last piece came, and the whole is not what its name says.
    Damaged(Snapshot),
    /// Nothing to report.
    Silent,
}

/// A disk.
#[derive(Debug, Default)]
pub struct Disk {
    durable: Durable,
    journal: Journal,
    /// What a failed write may have left behind; overwritten by the next one.
    tail: Record,
    tail_bytes: Option<usize>,
    snapshots: Shelf<StoredSnapshot>,
    incoming: StoredSnapshot,
    is_receiving: bool,
    /// How much of which snapshot was stored since the start, given up since or not.
    received: Vec<(LogIndex, u64)>,
    /// The application's own state, if it stored it.
    checkpoint: Option<App>,
    operations: VecDeque<Operation>,
    records: Shelf<Record>,
    made: Shelf<StoredSnapshot>,
    parts: Shelf<Part>,
    idle_from: Moment,
}

copies_in_place!(Disk {
    durable,
    journal,
    tail,
    tail_bytes,
    snapshots,
    incoming,
    is_receiving,
    received,
    checkpoint,
    operations,
    records,
    made,
    parts,
    idle_from
});

/// Operations of one kind, and snapshots, for which a disk has room before it is used.
const QUEUED: usize = 16;
/// The same for the bytes of a snapshot.
const SNAPSHOT_BYTES: usize = 2048;

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        let mut disk = Disk {
            durable: Durable::default(),
            journal: Journal::default(),
            tail: Record::with_room(),
            tail_bytes: None,
            snapshots: Shelf::default(),
            incoming: StoredSnapshot::default(),
            is_receiving: false,
            received: Vec::new(),
            checkpoint: None,
            operations: VecDeque::new(),
            records: Shelf::default(),
            made: Shelf::default(),
            parts: Shelf::default(),
            idle_from: Moment::default(),
        };
        disk.incoming.bytes.reserve(SNAPSHOT_BYTES);
        disk.reset();
        disk
    }

    /// Empties it; buffers stay.
    pub fn reset(&mut self) {
        self.clear();
        let snapshot = || StoredSnapshot {
            bytes: Vec::with_capacity(SNAPSHOT_BYTES),
            ..StoredSnapshot::default()
        };
        self.records.reserve_with(QUEUED, Record::with_room);
        self.made.reserve_with(QUEUED, snapshot);
        self.snapshots.reserve_with(QUEUED, snapshot);
        self.parts.reserve_with(QUEUED, || Part {
            data: snapshot(),
            ..Part::default()
        });
        self.operations.reserve(4 * QUEUED);
        self.received.reserve(1024);
    }

    fn clear(&mut self) {
        self.durable.reset();
        self.journal.reset();
        self.tail_bytes = None;
        self.snapshots.clear();
        self.is_receiving = false;
        self.received.clear();
        self.checkpoint = None;
        self.clear_operations();
        self.idle_from = Moment::default();
    }

    fn clear_operations(&mut self) {
        self.operations.clear();
        self.records.clear();
        self.made.clear();
        self.parts.clear();
    }

    /// What is stored, and reported as stored.
    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    /// Whether a record is being written.
    pub fn is_writing(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether nothing was ever stored.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// The snapshot with this name, stored or on its way.
    pub fn snapshot(&self, name: &Snapshot) -> Option<&[u8]> {
        let mut all = self.snapshots.iter().chain(self.made.iter());
        let found = all.find(|snapshot| snapshot.name == *name)?;
        Some(&found.bytes)
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
        let mut parts = self.parts.iter();
        parts.any(|part| part.data.name == piece.snapshot() && part.offset == piece.offset())
    }

    fn start(&mut self, now: Moment, operation: Operation, time: clocks::Duration) -> Moment {
        self.operations.push_back(operation);
        self.idle_from = self.idle_from.max(now).plus(time);
        self.idle_from
    }

    /// Starts to store a record; says when it will be done. `log` is the log of the writer.
    #[inline(never)]
    pub fn start_record(
        &mut self,
        now: Moment,
        time: clocks::Duration,
        write: Write<'_>,
        log: &Chain,
    ) -> Moment {
        self.tail_bytes = None;
        self.records.add().fill(write, log);
        self.start(now, Operation::Record, time)
    }

    /// The record that was started last and is not done.
    pub fn latest_record(&mut self) -> Option<&mut Record> {
        self.records.last_mut()
    }

    /// Starts to store a snapshot that this host made.
    pub fn start_snapshot(
        &mut self,
        now: Moment,
        time: clocks::Duration,
        name: Snapshot,
        bytes: &[u8],
    ) -> Moment {
        let place = self.made.add();
        place.name = name;
        place.bytes.clear();
        place.bytes.extend_from_slice(bytes);
        self.start(now, Operation::Snapshot, time)
    }

    /// Starts to store a piece of a snapshot.
    pub fn start_piece(&mut self, now: Moment, time: clocks::Duration, piece: Piece<'_>) -> Moment {
        let part = self.parts.add();
        part.offset = piece.offset();
        part.data.name = piece.snapshot();
        part.data.bytes.clear();
        part.data.bytes.extend_from_slice(piece.data());
        part.receipt = Some(piece.into_receipt());
        self.start(now, Operation::Part, time)
    }

    /// Does nothing for a while.
    pub fn stall(&mut self, now: Moment, time: clocks::Duration) {
        self.idle_from = self.idle_from.max(now.plus(time));
    }

    /// How many bytes the oldest operation leaves, if it can fail.
    pub fn draw_failure(&self, random: &mut Random) -> Option<u32> {
        if self.operations.front() != Some(&Operation::Record) {
            return None;
        }
        let len = self.records.first()?.bytes.len();
        let left = match random.below(3) {
            0 => 0,
            1 => len,
            _ => random.index(len + 1),
        };
        // Records are a few kilobytes.
        Some(left as u32)
    }

    /// How many operations are under way.
    pub fn operations(&self) -> usize {
        self.operations.len()
    }

    /// The oldest operation has had its time; it is done, or it failed and left so many bytes.
    pub fn finish(&mut self, failed: Option<u32>, stats: &mut Stats) -> Outcome {
        match self.operations.pop_front() {
            None => Outcome::Silent,
            Some(Operation::Record) => self.finish_record(failed, stats),
            Some(Operation::Snapshot) => {
                if let Some(made) = self.made.take_first() {
                    keep_snapshot(&mut self.snapshots, made);
                }
                Outcome::Silent
            }
            Some(Operation::Part) => self.finish_part(),
        }
    }

    fn finish_record(&mut self, failed: Option<u32>, stats: &mut Stats) -> Outcome {
        let Some(record) = self.records.take_first() else {
            return Outcome::Silent;
        };
        let ticket = record.ticket.take();
        let len = record.bytes.len();
        if let Some(left) = failed {
            stats.add(Count::WriteFailed);
            core::mem::swap(record, &mut self.tail);
            self.tail_bytes = Some(len.min(left as usize));
            return Outcome::Failed(ticket);
        }
        stats.add(Count::Write);
        store_prefix(
            record,
            len,
            &mut self.durable,
            &mut self.journal,
            &mut self.snapshots,
        );
        Outcome::Stored(ticket)
    }

    fn finish_part(&mut self) -> Outcome {
        let Some(part) = self.parts.take_first() else {
            return Outcome::Silent;
        };
        let (name, incoming) = (part.data.name, &mut self.incoming);
        if part.offset == 0 {
            self.is_receiving = true;
            incoming.name = name;
            incoming.bytes.clear();
        }
        let fits = incoming.name == name && incoming.bytes.len() as u64 == part.offset;
        let Some(receipt) = part.receipt.take().filter(|_| self.is_receiving && fits) else {
            return Outcome::Silent;
        };
        incoming.bytes.extend_from_slice(&part.data.bytes);
        let (index, stored) = (name.last.index, incoming.bytes.len() as u64);
        let mut received = self.received.iter_mut();
        match received.find(|(other, _)| *other == index) {
            Some((_, most)) => *most = stored.max(*most),
            None => self.received.push((index, stored)),
        }
        if stored < name.size {
            return Outcome::Piece(name, receipt);
        }
        if checksum(&incoming.bytes) != name.checksum {
            return Outcome::Damaged(name);
        }
        self.is_receiving = false;
        keep_snapshot(&mut self.snapshots, &mut self.incoming);
        Outcome::Piece(name, receipt)
    }

    /// The stored records in the order in which they were written, and whether each is torn.
    pub fn journal(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.journal.iter()
    }

    /// Whether every record is what was written.
    pub fn is_sound(&self) -> bool {
        self.journal.is_sound()
    }

    /// A bit of a stored record flips; says whether there is one.
    pub fn rot(&mut self, random: &mut Random) -> bool {
        self.journal.rot(random)
    }

    /// Removes the records at these places: torn, and of no use.
    pub fn drop_records(&mut self, places: &[usize]) {
        self.journal.remove(places);
    }

    /// A disk that forgets its latest record, as a disk must never do: a seeded fault.
    pub fn forget_latest(&mut self) {
        self.journal.forget_latest();
    }

    /// What it holds means this: for a disk that forgot something.
    pub fn believe(&mut self, hard: HardState, log: Chain) {
        self.durable = Durable { hard, log };
    }

    /// Where the log ends.
    pub fn last(&self) -> EntryId {
        self.durable.log.last()
    }

    /// Bytes that a copy of it copies, beside itself.
    pub fn bytes(&self) -> usize {
        let snapshots: usize = self.snapshots.iter().map(|s| s.bytes.len()).sum();
        self.journal.bytes() + snapshots + self.durable.log.bytes()
    }
}

fn keep_snapshot(snapshots: &mut Shelf<StoredSnapshot>, new: &mut StoredSnapshot) {
    snapshots.retain(|old| old.name != new.name);
    snapshots.add().swap(new);
}

fn store_prefix(
    record: &Record,
    stored: usize,
    durable: &mut Durable,
    journal: &mut Journal,
    snapshots: &mut Shelf<StoredSnapshot>,
) {
    let is_torn = stored < record.bytes.len();
    let counts = record.apply(durable, stored).is_some();
    if !is_torn && let Some(snapshot) = record.begins {
        journal.clear();
        let first = snapshot.last.index;
        snapshots.retain(|old| old.name.last.index >= first);
    }
    debug_assert!(counts || is_torn);
    if is_torn && journal.is_empty() {
        // Nothing came before it, and it is no beginning: there is nothing to come back with.
        return;
    }
    journal.push(&record.bytes[..stored], is_torn);
}

//! A power cut of which the harness says exactly what it leaves.

use super::{Disk, Operation, keep_snapshot, store_prefix};
use crate::world::clock::Moment;

/// What a power cut leaves of the operations that are under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Remains {
    /// So many of them, from the oldest on, are done, although nobody was told.
    pub whole: usize,
    /// Of the next one, if it stores a record, this many bytes are there.
    pub torn: Option<usize>,
}

impl Disk {
    /// The operations that are under way, oldest first: the bytes of a record, none for what is
    /// no record.
    pub fn under_way(&self) -> impl Iterator<Item = Option<usize>> {
        let mut records = self.records.iter();
        self.operations
            .iter()
            .map(move |operation| match operation {
                Operation::Record => records.next().map(|record| record.bytes.len()),
                Operation::Snapshot | Operation::Part => None,
            })
    }

    /// Bytes of records, and how many: what changes when something is stored.
    pub fn stored(&self) -> (usize, usize) {
        self.journal.extent()
    }

    /// Power is cut.
    pub fn cut(&mut self, now: Moment, remains: Remains) {
        let (durable, journal) = (&mut self.durable, &mut self.journal);
        let snapshots = &mut self.snapshots;
        if let Some(stored) = self.tail_bytes.take() {
            store_prefix(&self.tail, stored, durable, journal, snapshots);
        }
        for (place, operation) in self.operations.iter().enumerate() {
            let is_whole = place < remains.whole;
            match operation {
                Operation::Record => {
                    let Some(record) = self.records.take_first() else {
                        continue;
                    };
                    let torn = remains.torn.filter(|_| place == remains.whole);
                    let whole = is_whole.then_some(record.bytes.len());
                    if let Some(bytes) = whole.or(torn) {
                        store_prefix(record, bytes, durable, journal, snapshots);
                    }
                }
                Operation::Snapshot => {
                    if let Some(made) = self.made.take_first()
                        && is_whole
                    {
                        keep_snapshot(snapshots, made);
                    }
                }
                // A transfer begins anew after a restart.
                Operation::Part => {}
            }
        }
        self.clear_operations();
        self.is_receiving = false;
        self.received.clear();
        self.idle_from = now;
    }

    /// A stored bit flips, in the record at this place.
    pub fn flip(&mut self, place: usize, bit: usize) {
        self.journal.flip(place, bit);
    }
}

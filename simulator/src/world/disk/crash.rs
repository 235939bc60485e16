//! What a crash leaves of what a disk was doing.

use super::{Disk, Operation, keep_snapshot, store_prefix};
use crate::world::clock::Moment;
use crate::world::decision::Left;
use crate::world::random::Random;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::Swarm;

impl Disk {
    /// What a crash leaves of what is under way: some of it, the first part of the next, or
    /// nothing.
    pub fn draw_crash(&self, swarm: &Swarm, random: &mut Random) -> Left {
        let (mut left, mut records) = (Left::default(), self.records.iter());
        for operation in &self.operations {
            let record = match operation {
                Operation::Record => records.next(),
                Operation::Snapshot => None,
                Operation::Part => continue,
            };
            let keeps = match record {
                Some(_) => swarm.has_kept_writes && random.chance(400),
                None => random.chance(500),
            };
            if keeps {
                left.kept += 1;
                continue;
            }
            if let Some(record) = record
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
        let (durable, journal) = (&mut self.durable, &mut self.journal);
        let snapshots = &mut self.snapshots;
        if let Some(stored) = self.tail_bytes.take() {
            store_prefix(&self.tail, stored, durable, journal, snapshots);
        }
        let (mut kept, mut torn) = (left.kept, left.torn);
        for operation in &self.operations {
            let keeps = kept > 0 && *operation != Operation::Part;
            kept -= u32::from(keeps);
            match operation {
                Operation::Record => {
                    let Some(record) = self.records.take_first() else {
                        continue;
                    };
                    let whole = record.bytes.len();
                    if keeps {
                        stats.add(Count::RecordKept);
                        store_prefix(record, whole, durable, journal, snapshots);
                    } else if let Some(bytes) = torn.take() {
                        stats.add(Count::RecordTorn);
                        let part = whole.saturating_sub(1).min(bytes as usize);
                        store_prefix(record, part, durable, journal, snapshots);
                    } else {
                        stats.add(Count::RecordLost);
                    }
                }
                Operation::Snapshot => {
                    if let Some(made) = self.made.take_first()
                        && keeps
                    {
                        keep_snapshot(snapshots, made);
                    } else {
                        // What comes after a loss is lost as well.
                        torn = None;
                    }
                }
                Operation::Part => {}
            }
        }
        self.clear_operations();
        self.is_receiving = false;
        self.received.clear();
        self.idle_from = now;
    }
}

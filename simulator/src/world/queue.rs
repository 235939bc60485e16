//! What will happen, ordered by time; what happens at the same time happens in the order in which
//! it was scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::world::clock::Moment;
use crate::world::network::FrameId;

/// Something that is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// A frame arrives.
    Deliver(FrameId),
    /// A host looks at its clock.
    Wake(usize),
    /// A host's disk is done with its oldest operation; of which start of the host.
    DiskDone(usize, u32),
    /// A host that was down comes back.
    Restart(usize),
    /// A transport tells a host that it does not reach another.
    Unreachable(usize, usize),
    /// Some fault strikes.
    Fault,
    /// A partition heals.
    Heal,
    /// Somebody proposes commands.
    Propose,
    /// Somebody changes the membership.
    Reconfigure,
    /// The faults stop.
    Calm,
    /// Look whether the group is well again.
    Look,
}

#[derive(Clone, Debug)]
struct Entry {
    key: Reverse<(Moment, u64)>,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// The event queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    heap: BinaryHeap<Entry>,
    scheduled: u64,
}

impl Queue {
    /// Schedules `due`.
    pub fn push(&mut self, at: Moment, due: Due) {
        self.scheduled += 1;
        self.heap.push(Entry {
            key: Reverse((at, self.scheduled)),
            due,
        });
    }

    /// When something is due next.
    pub fn next_at(&self) -> Option<Moment> {
        Some(self.heap.peek()?.key.0.0)
    }

    /// Takes what is due next.
    pub fn pop(&mut self) -> Option<(Moment, Due)> {
        let entry = self.heap.pop()?;
        Some((entry.key.0.0, entry.due))
    }
}

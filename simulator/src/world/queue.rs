//! What will happen, ordered by time; what happens at the same time happens in the order in which
//! it was scheduled.
//!
//! A sorted list of entries of 16 bytes: one number by which they are ordered, the time and behind
//! it a running number, and what is due, packed. A world has 30 things ahead of it and hardly ever
//! more than 300, so to shift half of them costs less than the levels of a heap, whose branches
//! nothing can foresee.

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
    /// The links of a host take frames again.
    LinksFree(usize),
    /// A transport tells a host that it does not reach another.
    Unreachable(usize, usize),
    /// Some fault strikes.
    Fault,
    /// A partition heals.
    Heal,
    /// A host's links and clock work again.
    Relieve(usize),
    /// Somebody proposes commands.
    Propose,
    /// Somebody changes the membership.
    Reconfigure,
    /// The faults stop.
    Calm,
    /// Look whether the group is well again.
    Look,
}

/// Starts of a host in one history; beyond, the numbers begin anew.
const STARTS: u32 = 1 << 20;
const KINDS: u32 = 28;

impl Due {
    #[inline(always)]
    fn pack(self) -> u32 {
        let (kind, rest) = match self {
            Due::Deliver(frame) => (0, frame.number()),
            Due::Wake(host) => (1, host as u32),
            Due::DiskDone(host, start) => (2, (host as u32) * STARTS + start % STARTS),
            Due::Restart(host) => (3, host as u32),
            Due::LinksFree(host) => (4, host as u32),
            Due::Fault => (5, 0),
            Due::Heal => (6, 0),
            Due::Propose => (7, 0),
            Due::Reconfigure => (8, 0),
            Due::Calm => (9, 0),
            Due::Look => (10, 0),
            Due::Relieve(host) => (11, host as u32),
            Due::Unreachable(host, peer) => (12, (host as u32) << 8 | peer as u32),
        };
        kind << KINDS | rest
    }

    #[inline]
    fn unpack(packed: u32) -> Self {
        let rest = packed & ((1 << KINDS) - 1);
        match packed >> KINDS {
            0 => Due::Deliver(FrameId::from_number(rest)),
            1 => Due::Wake(rest as usize),
            2 => Due::DiskDone((rest / STARTS) as usize, rest % STARTS),
            3 => Due::Restart(rest as usize),
            4 => Due::LinksFree(rest as usize),
            5 => Due::Fault,
            6 => Due::Heal,
            7 => Due::Propose,
            8 => Due::Reconfigure,
            9 => Due::Calm,
            11 => Due::Relieve(rest as usize),
            12 => Due::Unreachable((rest >> 8) as usize, (rest & 255) as usize),
            _ => Due::Look,
        }
    }
}

/// Time in microseconds above, a running number of 24 bits below; and what is due.
type Entry = (u64, u32);

const NUMBER_BITS: u32 = 24;

/// The event queue. It holds 12 days and, in one moment, the order of 16 million schedulings.
#[derive(Debug, Default)]
pub struct Queue {
    /// What is due first stands last.
    entries: Vec<Entry>,
    scheduled: u32,
}

crate::world::reuse::copies_in_place!(Queue { entries, scheduled });

impl Queue {
    /// Forgets everything; room for as many as any world has had at once stays.
    pub fn reset(&mut self) {
        self.entries.clear();
        self.entries.reserve(1024);
        self.scheduled = 0;
    }

    /// Schedules `due`.
    #[inline(always)]
    pub fn push(&mut self, at: Moment, due: Due) {
        self.insert(at, due.pack());
    }

    fn insert(&mut self, at: Moment, due: u32) {
        self.scheduled = self.scheduled.wrapping_add(1);
        let number = u64::from(self.scheduled & ((1 << NUMBER_BITS) - 1));
        // What is later never comes.
        let micros = at.as_micros().min(u64::MAX >> NUMBER_BITS);
        let entry = (micros << NUMBER_BITS | number, due);
        let place = self.entries.partition_point(|other| other.0 > entry.0);
        self.entries.insert(place, entry);
    }

    /// When the next thing is due.
    pub fn next(&self) -> Option<Moment> {
        let first = self.entries.last()?;
        Some(Moment::from_micros(first.0 >> NUMBER_BITS))
    }

    /// Takes what is due next.
    #[inline]
    pub fn pop(&mut self) -> Option<(Moment, Due)> {
        let (key, due) = self.entries.pop()?;
        Some((Moment::from_micros(key >> NUMBER_BITS), Due::unpack(due)))
    }

    /// The frames that will arrive.
    pub(crate) fn frames(&self) -> impl Iterator<Item = FrameId> {
        self.entries
            .iter()
            .filter_map(|entry| match Due::unpack(entry.1) {
                Due::Deliver(frame) => Some(frame),
                _ => None,
            })
    }

    /// Takes all frames that will arrive.
    pub(crate) fn take_frames(&mut self) -> Vec<FrameId> {
        let frames = self.frames().collect();
        let is_frame = |entry: &Entry| matches!(Due::unpack(entry.1), Due::Deliver(_));
        self.entries.retain(|entry| !is_frame(entry));
        frames
    }

    /// How many are scheduled.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is scheduled.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::random::{Random, Stream};

    #[test]
    fn what_is_due_comes_in_order_of_time_and_then_of_scheduling() {
        let mut random = Random::new(7, Stream::Network);
        let (mut queue, mut naive) = (Queue::default(), Vec::new());
        for number in 0..20_000_u32 {
            if random.chance(520) || naive.is_empty() {
                let at = Moment::from_micros(random.below(50));
                let due = Due::Deliver(FrameId::from_number(number));
                queue.push(at, due);
                naive.push((at, number, due));
            } else {
                naive.sort_by_key(|(at, number, _)| (*at, *number));
                let (at, _, due) = naive.remove(0);
                assert_eq!(queue.pop(), Some((at, due)));
            }
            assert_eq!(queue.len(), naive.len());
        }
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        for due in [
            Due::Deliver(FrameId::from_number(77)),
            Due::Wake(6),
            Due::DiskDone(6, STARTS - 1),
            Due::Restart(3),
            Due::LinksFree(2),
            Due::Fault,
            Due::Heal,
            Due::Propose,
            Due::Reconfigure,
            Due::Calm,
            Due::Look,
            Due::Unreachable(6, 5),
        ] {
            assert_eq!(Due::unpack(due.pack()), due);
        }
    }
}

//! What will happen, ordered by time; what happens at the same time happens in the order in which
//! it was scheduled.
//!
//! A heap whose nodes have four children, of entries of 16 bytes: one number by which they are
//! ordered, the time and behind it a running number, and what is due, packed.

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
    heap: Vec<Entry>,
    scheduled: u32,
}

crate::world::reuse::copies_in_place!(Queue { heap, scheduled });

const CHILDREN: usize = 4;

impl Queue {
    /// Forgets everything; room for as many as any world has had at once stays.
    pub fn reset(&mut self) {
        self.heap.clear();
        self.heap.reserve(1024);
        self.scheduled = 0;
    }

    /// Schedules `due`.
    #[inline]
    pub fn push(&mut self, at: Moment, due: Due) {
        self.scheduled = self.scheduled.wrapping_add(1);
        let number = u64::from(self.scheduled & ((1 << NUMBER_BITS) - 1));
        // What is later never comes.
        let micros = at.as_micros().min(u64::MAX >> NUMBER_BITS);
        let key = (micros << NUMBER_BITS | number, due.pack());
        let mut place = self.heap.len();
        self.heap.push(key);
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.heap[parent].0 < key.0 {
                break;
            }
            self.heap[place] = self.heap[parent];
            place = parent;
        }
        self.heap[place] = key;
    }

    /// When the next thing is due.
    pub fn next(&self) -> Option<Moment> {
        let first = self.heap.first()?;
        Some(Moment::from_micros(first.0 >> NUMBER_BITS))
    }

    /// Takes what is due next.
    #[inline]
    pub fn pop(&mut self) -> Option<(Moment, Due)> {
        let last = self.heap.pop()?;
        let first = match self.heap.first() {
            Some(first) => *first,
            None => last,
        };
        self.sink(last);
        Some((
            Moment::from_micros(first.0 >> NUMBER_BITS),
            Due::unpack(first.1),
        ))
    }

    /// Puts `entry` where the first was, and lets it sink to its place.
    #[inline]
    fn sink(&mut self, entry: Entry) {
        let heap = &mut self.heap[..];
        let mut place = 0;
        loop {
            let first = place * CHILDREN + 1;
            let rest = heap.get(first..).unwrap_or_default();
            let (least, child) = match rest.first_chunk::<CHILDREN>() {
                Some(children) => earliest(children),
                None => match (0..).zip(rest).min_by_key(|(_, other)| other.0) {
                    Some((child, other)) => (*other, child),
                    None => break,
                },
            };
            if least.0 > entry.0 {
                break;
            }
            heap[place] = least;
            place = first + child;
        }
        if let Some(last) = heap.get_mut(place) {
            *last = entry;
        }
    }

    /// How many are scheduled.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is scheduled.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

/// The first of four, and which it is: two matches and a final, without a jump.
#[inline]
fn earliest(entries: &[Entry; CHILDREN]) -> (Entry, usize) {
    let [a, b, c, d] = entries;
    let (one, left) = if b.0 < a.0 { (b, 1) } else { (a, 0) };
    let (other, right) = if d.0 < c.0 { (d, 3) } else { (c, 2) };
    if other.0 < one.0 {
        (*other, right)
    } else {
        (*one, left)
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

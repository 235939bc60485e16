//! The least that three nodes can do to agree on an entry: the floor.
//!
//! It is not a protocol that anyone could run. There are no elections, no flow control, no waiting for a disk and
//! no repair of a log that differs. What is left is what no replicated log can leave out: per entry one copy of
//! the payload into the leader's log, one into a message for each follower and one out of it into that follower's
//! log, each with its bounds check; per message one header written and read, a term compared, the previous
//! entry compared, room looked for, and a majority counted for each answer.
//!
//! Safe Rust over memory that is allocated once. A header is 48 bytes, an entry 12 bytes and its payload; all go
//! through byte queues, as they would through a socket.

use crate::contender::{
    Applied, CommitStyle, Contender, Load, Registered, Side, Source, assert_applied,
};

/// The floor in both commit styles.
pub(crate) const CONTENDERS: &[Registered] = &[
    Registered {
        name: "floor, explicit commit",
        side: Side::Floor,
        style: CommitStyle::Explicit,
        build: |load| cluster(load, CommitStyle::Explicit),
    },
    Registered {
        name: "floor, piggy-backed commit",
        side: Side::Floor,
        style: CommitStyle::Piggybacked,
        build: |load| cluster(load, CommitStyle::Piggybacked),
    },
];

/// A round of empty messages and their answers.
pub(crate) const HEARTBEAT: Registered = Registered {
    name: "floor",
    side: Side::Floor,
    style: CommitStyle::Explicit,
    build: |load| {
        Box::new(Heartbeats(Cluster::<RING_SMALL>::new(
            load,
            CommitStyle::Explicit,
        )))
    },
};

/// Entries in a log: a power of two that the compiler knows, as a slot is an index masked with it.
const RING_SMALL: usize = 256;
const RING_LARGE: usize = 2048;

fn cluster(load: Load, style: CommitStyle) -> Box<dyn Contender> {
    if load.log_entries_max() <= RING_SMALL {
        Box::new(Cluster::<RING_SMALL>::new(load, style))
    } else {
        Box::new(Cluster::<RING_LARGE>::new(load, style))
    }
}

const MEMBERS_MAX: usize = 5;
const HEADER_BYTES: usize = 48;
const ENTRY_BYTES: usize = 12;
const TERM: u64 = 7;

struct Cluster<const RING: usize> {
    load: Load,
    style: CommitStyle,
    source: Source,
    leader: Leader<RING>,
    followers: Vec<Node<RING>>,
    /// To each follower, and from all of them.
    down: Vec<Queue>,
    up: Queue,
}

impl<const RING: usize> Cluster<RING> {
    fn new(load: Load, style: CommitStyle) -> Self {
        let followers = load.members - 1;
        assert!(load.members <= MEMBERS_MAX);
        let message_bytes = HEADER_BYTES + load.window * (ENTRY_BYTES + load.payload_bytes);
        Self {
            load,
            style,
            source: Source::new(load),
            leader: Leader {
                node: Node::new(load),
                verified: [0; MEMBERS_MAX],
                members: load.members,
            },
            followers: (0..followers).map(|_| Node::new(load)).collect(),
            down: (0..followers).map(|_| Queue::new(message_bytes)).collect(),
            up: Queue::new(followers * HEADER_BYTES),
        }
    }

    fn batch(&mut self) {
        let from = self.leader.node.last + 1;
        for _ in 0..self.load.window {
            let accepted = self.leader.node.append(TERM, self.source.next());
            assert!(accepted.is_some(), "the ring holds a whole window");
        }
        self.round(from);
        if self.style == CommitStyle::Explicit {
            self.tell_commit();
        }
    }

    /// One message to each follower, with all entries from `from` on, and the answers.
    fn round(&mut self, from: u64) {
        for queue in &mut self.down {
            assert!(self.leader.node.encode_append(from, queue).is_some());
        }
        for (at, (queue, follower)) in self.down.iter_mut().zip(&mut self.followers).enumerate() {
            if let Some(verified) = follower.handle_append(queue.bytes()) {
                let answer = Header {
                    from: at as u32 + 1,
                    count: 0,
                    term: follower.term,
                    prev: verified,
                    prev_term: 0,
                    commit: follower.commit,
                    bytes: 0,
                };
                if let Some(place) = self.up.room().first_chunk_mut() {
                    answer.encode(place);
                    self.up.len += HEADER_BYTES;
                }
            }
            queue.clear();
        }
        for answer in self.up.bytes().chunks_exact(HEADER_BYTES) {
            self.leader.handle_answer(answer);
        }
        self.up.clear();
    }

    fn tell_commit(&mut self) {
        let last = self.leader.node.last;
        for queue in &mut self.down {
            assert!(self.leader.node.encode_append(last + 1, queue).is_some());
        }
        for (queue, follower) in self.down.iter_mut().zip(&mut self.followers) {
            let verified = follower.handle_append(queue.bytes());
            assert_eq!(verified, Some(last), "a follower lost its log");
            queue.clear();
        }
    }
}

impl<const RING: usize> Contender for Cluster<RING> {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.batch();
        }
    }

    fn verify(&self, batches: usize) {
        let nodes = core::iter::once(&self.leader.node).chain(&self.followers);
        assert_applied(
            nodes.map(|node| node.applied),
            self.load,
            self.style,
            batches,
        );
    }
}

struct Heartbeats<const RING: usize>(Cluster<RING>);

impl<const RING: usize> Contender for Heartbeats<RING> {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            let next = self.0.leader.node.last + 1;
            self.0.round(next);
        }
    }

    fn verify(&self, _: usize) {
        let leader = &self.0.leader;
        assert!(
            leader.verified[..leader.members]
                .iter()
                .all(|verified| *verified == leader.node.last)
        );
    }
}

struct Leader<const RING: usize> {
    node: Node<RING>,
    /// Last index known to be stored, by member; the leader is member 0.
    verified: [u64; MEMBERS_MAX],
    members: usize,
}

impl<const RING: usize> Leader<RING> {
    fn handle_answer(&mut self, answer: &[u8]) {
        let Some((header, _)) = Header::decode(answer) else {
            return;
        };
        if header.term != self.node.term || header.prev > self.node.last {
            return;
        }
        let Some(verified) = self.verified.get_mut(header.from as usize) else {
            return;
        };
        *verified = header.prev.max(*verified);
        self.verified[0] = self.node.last;
        let commit = majority(self.verified.get(..self.members).unwrap_or(&[]));
        if commit > self.node.commit && self.node.term_at(commit) == Some(self.node.term) {
            self.node.commit_to(commit);
        }
    }
}

/// The highest index that a majority has.
///
/// Sorting while copying, one word at a time: a copy of the whole array would wait for the word just written.
fn majority(verified: &[u64]) -> u64 {
    let mut sorted = [0; MEMBERS_MAX];
    for (filled, &index) in verified.iter().enumerate() {
        let mut at = filled;
        while at > 0 && sorted[at - 1] > index {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = index;
    }
    sorted[verified.len().saturating_sub(1) / 2]
}

/// A log in a ring and the state machine behind it. Indexes start at 1; nothing stands before.
struct Node<const RING: usize> {
    term: u64,
    last: u64,
    commit: u64,
    /// Term and payload length of each entry in the ring.
    marks: Box<[Mark; RING]>,
    payloads: Box<[u8]>,
    stride: usize,
    applied: Applied,
}

#[derive(Clone, Copy)]
struct Mark {
    term: u64,
    len: u32,
}

impl<const RING: usize> Node<RING> {
    fn new(load: Load) -> Self {
        const { assert!(RING.is_power_of_two(), "a slot is a masked index") };
        assert!(load.window <= RING, "a window must fit");
        Self {
            term: TERM,
            last: 0,
            commit: 0,
            marks: Box::new([Mark { term: 0, len: 0 }; RING]),
            payloads: vec![0; load.payload_bytes * RING].into_boxed_slice(),
            stride: load.payload_bytes,
            applied: Applied::default(),
        }
    }

    /// Stores one entry after the last.
    #[inline]
    fn append(&mut self, term: u64, payload: &[u8]) -> Option<()> {
        let index = self.last + 1;
        self.store(index, term, payload)?;
        self.last = index;
        Some(())
    }

    /// Stores one entry, unless it is too long or the ring is full of entries that are not yet applied.
    #[inline]
    fn store(&mut self, index: u64, term: u64, payload: &[u8]) -> Option<()> {
        if payload.len() > self.stride || index - self.commit > RING as u64 {
            return None;
        }
        let slot = Self::slot(index);
        let start = slot * self.stride;
        self.payloads
            .get_mut(start..start + payload.len())?
            .copy_from_slice(payload);
        self.marks[slot] = Mark {
            term,
            len: payload.len() as u32,
        };
        Some(())
    }

    #[inline]
    fn slot(index: u64) -> usize {
        index as usize & (RING - 1)
    }

    #[inline]
    fn entry(&self, index: u64) -> Option<(Mark, &[u8])> {
        let slot = Self::slot(index);
        let mark = self.marks[slot];
        let start = slot * self.stride;
        let payload = self.payloads.get(start..start + mark.len as usize)?;
        Some((mark, payload))
    }

    /// The term of an entry that is still in the ring.
    #[inline]
    fn term_at(&self, index: u64) -> Option<u64> {
        if index == 0 {
            return Some(0);
        }
        let held = index <= self.last && self.last - index < RING as u64;
        held.then(|| self.marks[Self::slot(index)].term)
    }

    /// Writes a message with all entries from `from` on, if there is room for it.
    fn encode_append(&self, from: u64, queue: &mut Queue) -> Option<()> {
        let room = queue.room();
        let room_bytes = room.len();
        let (header, mut rest) = room.split_first_chunk_mut()?;
        let entries_room_bytes = rest.len();
        for index in from..=self.last {
            let (mark, payload) = self.entry(index)?;
            let (head, after) = rest.split_first_chunk_mut::<ENTRY_BYTES>()?;
            head[..8].copy_from_slice(&mark.term.to_le_bytes());
            head[8..].copy_from_slice(&mark.len.to_le_bytes());
            let (place, after) = after.split_at_mut_checked(payload.len())?;
            place.copy_from_slice(payload);
            rest = after;
        }
        let rest_bytes = rest.len();
        Header {
            from: 0,
            count: (self.last + 1 - from) as u32,
            term: self.term,
            prev: from - 1,
            prev_term: self.term_at(from - 1)?,
            commit: self.commit,
            bytes: (entries_room_bytes - rest_bytes) as u64,
        }
        .encode(header);
        queue.len += room_bytes - rest_bytes;
        Some(())
    }

    /// Takes a message in; the index up to which this log now equals the leader's.
    fn handle_append(&mut self, message: &[u8]) -> Option<u64> {
        let (header, mut rest) = Header::decode(message)?;
        if header.term != self.term || rest.len() as u64 != header.bytes {
            return None;
        }
        if header.prev != self.last || self.term_at(header.prev) != Some(header.prev_term) {
            return None;
        }
        let last = self.last + u64::from(header.count);
        for index in self.last + 1..=last {
            let (head, after) = rest.split_first_chunk::<ENTRY_BYTES>()?;
            let term = u64::from_le_bytes(*head.first_chunk()?);
            let len = u32::from_le_bytes(*head.last_chunk()?);
            let (payload, after) = after.split_at_checked(len as usize)?;
            self.store(index, term, payload)?;
            rest = after;
        }
        self.last = last;
        self.commit_to(header.commit.min(last));
        Some(last)
    }

    /// Applies everything up to `commit`.
    #[inline]
    fn commit_to(&mut self, commit: u64) {
        let mut applied = self.applied;
        for index in self.commit + 1..=commit {
            if let Some((_, payload)) = self.entry(index) {
                applied.apply(payload);
            }
        }
        self.applied = applied;
        self.commit = self.commit.max(commit);
    }
}

/// Bytes on their way, in memory that does not grow.
struct Queue {
    bytes: Box<[u8]>,
    len: usize,
}

impl Queue {
    fn new(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity].into_boxed_slice(),
            len: 0,
        }
    }

    #[inline]
    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.len..]
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn clear(&mut self) {
        self.len = 0;
    }
}

/// The fixed start of every message: seven fields, the first two of four bytes.
struct Header {
    from: u32,
    count: u32,
    term: u64,
    prev: u64,
    prev_term: u64,
    commit: u64,
    bytes: u64,
}

impl Header {
    #[inline]
    fn encode(&self, out: &mut [u8; HEADER_BYTES]) {
        out[..4].copy_from_slice(&self.from.to_le_bytes());
        out[4..8].copy_from_slice(&self.count.to_le_bytes());
        out[8..16].copy_from_slice(&self.term.to_le_bytes());
        out[16..24].copy_from_slice(&self.prev.to_le_bytes());
        out[24..32].copy_from_slice(&self.prev_term.to_le_bytes());
        out[32..40].copy_from_slice(&self.commit.to_le_bytes());
        out[40..].copy_from_slice(&self.bytes.to_le_bytes());
    }

    #[inline]
    fn decode(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = message.split_first_chunk::<HEADER_BYTES>()?;
        let mut words = head[8..]
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word));
        let header = Self {
            from: u32::from_le_bytes(*head.first_chunk()?),
            count: u32::from_le_bytes(*head[4..].first_chunk()?),
            term: words.next()?,
            prev: words.next()?,
            prev_term: words.next()?,
            commit: words.next()?,
            bytes: words.next()?,
        };
        Some((header, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::majority;

    #[test]
    fn majority_is_the_highest_index_that_more_than_half_have() {
        assert_eq!(majority(&[9, 0, 0]), 0);
        assert_eq!(majority(&[9, 4, 0]), 4);
        assert_eq!(majority(&[9, 4, 7]), 7);
        assert_eq!(majority(&[9, 9, 1, 2, 3]), 3);
        assert_eq!(majority(&[5, 5]), 5);
        assert_eq!(majority(&[5, 3]), 3);
    }
}

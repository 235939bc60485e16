//! Role, term, leader and commit for whoever must not wait: other threads, interrupt handlers.
//!
//! The machine has one owner. A thread that answers "who leads?", or an interrupt handler that drives a lamp, cannot
//! borrow it, and a lock around it would let a reader stop the machine, or wait in an interrupt for ever.
//!
//! One atomic word per field fails: a reader sees the term of one moment with the leader of another, and on a Cortex-M0
//! there is no 64-bit atomic to hold an index. A sequence lock, a counter that is odd while the fields change, is not
//! enough either: an interrupt handler that interrupts the writer would find it odd as long as it looks.
//!
//! So there are two copies (Linux calls it `seqcount_latch_t`): the writer fills the one that is not current, then makes
//! it current by counting up. A reader takes the current copy, and knows by the counter whether that was replaced
//! meanwhile. A reader that interrupts the writer succeeds at the first attempt; one on another core tries again if
//! something was published during its few loads.
//!
//! The orderings are those of H.-J. Boehm, *Can Seqlocks Get Along With Programming Language Memory Models?*, MSPC 2012;
//! `tests/loom_status.rs` explores them.
//!
//! Bounds: 52 bytes; a write is 7 stores, an attempt to read 8 loads, and a reader makes at most
//! [`ATTEMPTS`] of them. Only 32-bit loads and stores and fences: no compare-and-swap, no 64-bit atomics. The counter
//! comes round after 2^32 writes: a reader would have to sleep that long, to the very write, to be deceived.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering, fence};

use quorum::NodeId;

use crate::node::RoleName;
use crate::raft::Status;
use crate::types::{LogIndex, Term};

/// How often a reader tries.
#[cfg(not(loom))]
pub const ATTEMPTS: usize = 16;
/// How often a reader tries: every attempt multiplies the interleavings to be explored.
#[cfg(loom)]
pub const ATTEMPTS: usize = 2;

const WORDS: usize = 6;
type Words = [u32; WORDS];

/// A place for a [`Status`] that one writer keeps current and anyone can read.
///
/// [`split`](StatusCell::split) gives the only writer there can be, and readers that may be copied. Until the first
/// [`publish`](StatusWriter::publish) readers see the status of a node that has seen nothing: [`Status::default`].
///
/// ```
/// use raft_core::status::StatusCell;
/// use raft_core::{Role, Status};
///
/// let mut cell = StatusCell::new();
/// let (mut writer, reader) = cell.split();
/// std::thread::scope(|threads| {
///     threads.spawn(move || {
///         // After every input: writer.publish(&raft.status());
///         writer.publish(&Status { role: Role::Leader, ..Status::default() });
///     });
/// });
/// assert_eq!(reader.read().map(|status| status.role), Some(Role::Leader));
/// ```
///
/// The constructor is `const`, so a cell can be a static wherever a static is lent exclusively once: in a
/// `static_cell::ConstStaticCell`, among RTIC's `local` resources; on a server `Box::leak` does as well.
///
/// There is no second writer while the first one lives:
///
/// ```compile_fail
/// let mut cell = raft_core::status::StatusCell::new();
/// let (mut first, _) = cell.split();
/// let (mut second, _) = cell.split();
/// first.publish(&raft_core::Status::default());
/// second.publish(&raft_core::Status::default());
/// ```
#[derive(Debug)]
pub struct StatusCell {
    /// How many were published; the copy of number n is the one at n modulo 2.
    published: AtomicU32,
    copies: [[AtomicU32; WORDS]; 2],
}

impl StatusCell {
    /// Holds the status of a node that has seen nothing.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        StatusCell {
            published: AtomicU32::new(0),
            copies: [const { [const { AtomicU32::new(0) }; WORDS] }; 2],
        }
    }

    /// Holds the status of a node that has seen nothing.
    #[cfg(loom)]
    pub fn new() -> Self {
        let copy = || core::array::from_fn(|_| AtomicU32::new(0));
        StatusCell {
            published: AtomicU32::new(0),
            copies: [copy(), copy()],
        }
    }

    /// The writer, and a reader to be copied. Splitting again, once both are gone, keeps what was published last.
    pub fn split(&mut self) -> (StatusWriter<'_>, StatusReader<'_>) {
        let cell = &*self;
        // Nobody else writes, so the writer may keep the number to itself.
        let published = cell.published.load(Ordering::Relaxed);
        (StatusWriter { cell, published }, StatusReader { cell })
    }

    fn copy(&self, number: u32) -> &[AtomicU32; WORDS] {
        let [even, odd] = &self.copies;
        if number.is_multiple_of(2) { even } else { odd }
    }
}

impl Default for StatusCell {
    fn default() -> Self {
        StatusCell::new()
    }
}

/// The one who publishes. Not `Clone`: two would overwrite each other.
#[derive(Debug)]
pub struct StatusWriter<'c> {
    cell: &'c StatusCell,
    published: u32,
}

impl StatusWriter<'_> {
    /// Makes `status` what readers see. Never waits. Call it after every input of the machine, or when something changed.
    pub fn publish(&mut self, status: &Status) {
        self.published = self.published.wrapping_add(1);
        // Whoever sees one of the words below also sees that the number before this one was published, so a reader of the
        // copy that is overwritten here finds that it is not current any more.
        fence(Ordering::Release);
        for (place, word) in self.cell.copy(self.published).iter().zip(to_words(status)) {
            place.store(word, Ordering::Relaxed);
        }
        // Whoever sees this number sees all words of its copy.
        let number = self.published;
        self.cell.published.store(number, Ordering::Release);
    }
}

/// One of those who read: copy it to wherever the status is wanted.
#[derive(Clone, Copy, Debug)]
pub struct StatusReader<'c> {
    cell: &'c StatusCell,
}

impl StatusReader<'_> {
    /// The status as it was published at one moment, all of it. Never older than what this thread has seen before.
    ///
    /// `None` if something was published during each of [`ATTEMPTS`] attempts: keep what was read last. It cannot happen
    /// to a reader that the writer's own core runs in an interrupt.
    pub fn read(&self) -> Option<Status> {
        (0..ATTEMPTS).find_map(|_| self.attempt())
    }

    fn attempt(&self) -> Option<Status> {
        let number = self.cell.published.load(Ordering::Acquire);
        let mut words: Words = [0; WORDS];
        for (word, place) in words.iter_mut().zip(self.cell.copy(number)) {
            *word = place.load(Ordering::Relaxed);
        }
        // With the writer's fence: if a word is of a later copy, the number below is later too.
        fence(Ordering::Acquire);
        let is_current = self.cell.published.load(Ordering::Relaxed) == number;
        is_current.then(|| from_words(words))
    }
}

const ROLE_MASK: u32 = 3;
const HAS_LEADER: u32 = 4;
const IS_QUIET: u32 = 8;

fn to_words(status: &Status) -> Words {
    let role = match status.role {
        RoleName::Follower => 0,
        RoleName::PreCandidate => 1,
        RoleName::Candidate => 2,
        RoleName::Leader => 3,
    };
    let has_leader = if status.leader.is_some() {
        HAS_LEADER
    } else {
        0
    };
    let is_quiet = if status.is_quiet { IS_QUIET } else { 0 };
    let [leader_low, leader_high] = halves(status.leader.map_or(0, NodeId::value));
    let [commit_low, commit_high] = halves(status.commit.value());
    let term = status.term.value();
    [
        role | has_leader | is_quiet,
        term,
        leader_low,
        leader_high,
        commit_low,
        commit_high,
    ]
}

fn from_words(words: Words) -> Status {
    let [
        flags,
        term,
        leader_low,
        leader_high,
        commit_low,
        commit_high,
    ] = words;
    let role = match flags & ROLE_MASK {
        0 => RoleName::Follower,
        1 => RoleName::PreCandidate,
        2 => RoleName::Candidate,
        _ => RoleName::Leader,
    };
    let leader = NodeId::new(joined(leader_low, leader_high));
    Status {
        role,
        term: Term::new(term),
        leader: (flags & HAS_LEADER != 0).then_some(leader),
        commit: LogIndex::new(joined(commit_low, commit_high)),
        is_quiet: flags & IS_QUIET != 0,
    }
}

fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | (u64::from(high) << 32)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_is_read() {
        let mut cell = StatusCell::new();
        let (mut writer, reader) = cell.split();
        assert_eq!(reader.read(), Some(Status::default()));
        for role in [
            RoleName::Follower,
            RoleName::PreCandidate,
            RoleName::Candidate,
            RoleName::Leader,
        ] {
            for value in [0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX] {
                for leader in [None, Some(NodeId::new(value))] {
                    let (term, commit) = (Term::new(7), LogIndex::new(!value));
                    let status = Status {
                        role,
                        term,
                        leader,
                        commit,
                        is_quiet: value == 1,
                    };
                    writer.publish(&status);
                    assert_eq!(reader.read(), Some(status));
                }
            }
        }
    }

    /// It can be made at compile time, for a static.
    const _: StatusCell = StatusCell::new();

    #[test]
    fn the_counter_comes_round() {
        let mut cell = StatusCell::new();
        cell.published = AtomicU32::new(u32::MAX);
        let (mut writer, reader) = cell.split();
        for term in 1..5 {
            let status = Status {
                term: Term::new(term),
                ..Status::default()
            };
            writer.publish(&status);
            assert_eq!(reader.read(), Some(status));
        }
    }

    #[test]
    fn a_cell_takes_as_much_as_its_page_says() {
        assert_eq!(size_of::<StatusCell>(), 52);
    }
}

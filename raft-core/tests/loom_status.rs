//! The status in every interleaving, and in every order in which the memory model lets other threads see it.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release -p raft-core --features status --test loom_status`
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering, fence};
use loom::thread;
use quorum::NodeId;
use raft_core::status::{StatusCell, StatusReader, StatusWriter};
use raft_core::{LogIndex, Role, Status, Term};

/// Explores everything up to this many preemptions per history: enough for each of the races below.
const PREEMPTIONS: usize = 3;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(model);
}

/// A status all of whose words differ from those of any other number.
fn numbered(number: u32) -> Status {
    let wide = u64::from(number) | (u64::from(number) << 32);
    Status {
        role: [Role::Follower, Role::Candidate, Role::Leader][number as usize % 3],
        term: Term::new(number),
        leader: (number > 0).then(|| NodeId::new(wide)),
        commit: LogIndex::new(wide),
        is_quiet: number % 2 == 1,
    }
}

/// The number of a status that is whole.
#[track_caller]
fn number_of(status: &Status) -> u32 {
    let number = status.term.value();
    assert_eq!(
        *status,
        numbered(number),
        "a status of more than one moment"
    );
    number
}

/// A cell that lives as long as the threads of a model.
fn split() -> (StatusWriter<'static>, StatusReader<'static>) {
    Box::leak(Box::new(StatusCell::new())).split()
}

#[test]
fn a_reader_sees_one_moment_while_another_thread_publishes() {
    explore(|| {
        let (mut writer, reader) = split();
        let publishing = thread::spawn(move || {
            for number in 1..=2 {
                writer.publish(&numbered(number));
            }
        });
        if let Some(status) = reader.read() {
            number_of(&status);
        }
        publishing.join().expect("publishes");
        let last = reader.read().expect("nobody publishes any more");
        assert_eq!(number_of(&last), 2);
    });
}

#[test]
fn a_reader_never_sees_an_earlier_moment_after_a_later_one() {
    explore(|| {
        let (mut writer, reader) = split();
        let publishing = thread::spawn(move || writer.publish(&numbered(1)));
        let first = reader.read().map_or(0, |status| number_of(&status));
        let second = reader.read().map_or(first, |status| number_of(&status));
        assert!(first <= second);
        publishing.join().expect("publishes");
    });
}

/// One publication can never make a reader fail: that is what an interrupt handler meets at the worst.
#[test]
fn a_single_publication_disturbs_nobody_for_long() {
    explore(|| {
        let (mut writer, reader) = split();
        let publishing = thread::spawn(move || writer.publish(&numbered(1)));
        assert!(reader.read().is_some());
        publishing.join().expect("publishes");
    });
}

/// The same cell in two words, with one thing done wrong: the exploration must notice, or it proves nothing.
struct Wrong {
    fault: Fault,
    published: AtomicU32,
    copies: [[AtomicU32; 2]; 2],
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// None: the double is as good as the original, so what is found below is found because of the fault.
    None,
    /// The number is published without release, so that it may be seen before the words.
    RelaxedPublication,
    /// Nothing orders the words after the number before.
    NoWriterFence,
    /// Nothing orders the second look at the number after the words.
    NoReaderFence,
    /// The reader does not look at the number again.
    NoSecondLook,
    /// The writer overwrites the copy that is being read.
    SingleCopy,
}

impl Wrong {
    fn new(fault: Fault) -> Arc<Self> {
        let copy = || [AtomicU32::new(0), AtomicU32::new(0)];
        Arc::new(Wrong {
            fault,
            published: AtomicU32::new(0),
            copies: [copy(), copy()],
        })
    }

    fn copy(&self, number: u32) -> &[AtomicU32; 2] {
        let place = if self.fault == Fault::SingleCopy {
            0
        } else {
            number % 2
        };
        &self.copies[place as usize]
    }

    /// Publishes `number` in all words; the numbers follow each other.
    fn publish(&self, number: u32) {
        if self.fault != Fault::NoWriterFence {
            fence(Ordering::Release);
        }
        for place in self.copy(number) {
            place.store(number, Ordering::Relaxed);
        }
        let order = match self.fault {
            Fault::RelaxedPublication => Ordering::Relaxed,
            _ => Ordering::Release,
        };
        self.published.store(number, order);
    }

    fn attempt(&self) -> Option<[u32; 2]> {
        let number = self.published.load(Ordering::Acquire);
        let [first, second] = self.copy(number);
        let words = [
            first.load(Ordering::Relaxed),
            second.load(Ordering::Relaxed),
        ];
        if self.fault != Fault::NoReaderFence {
            fence(Ordering::Acquire);
        }
        let is_current =
            self.fault == Fault::NoSecondLook || self.published.load(Ordering::Relaxed) == number;
        is_current.then_some(words)
    }
}

fn explore_with(fault: Fault) {
    explore(move || {
        let cell = Wrong::new(fault);
        let writer = cell.clone();
        let publishing = thread::spawn(move || (1..=2).for_each(|number| writer.publish(number)));
        if let Some([first, second]) = cell.attempt() {
            assert_eq!(first, second, "a status of more than one moment");
        }
        publishing.join().expect("publishes");
    });
}

#[test]
fn the_double_without_a_fault_passes() {
    explore_with(Fault::None);
}

#[test]
#[should_panic(expected = "a status of more than one moment")]
fn relaxed_publication_is_refuted() {
    explore_with(Fault::RelaxedPublication);
}

#[test]
#[should_panic(expected = "a status of more than one moment")]
fn missing_fence_of_the_writer_is_refuted() {
    explore_with(Fault::NoWriterFence);
}

#[test]
#[should_panic(expected = "a status of more than one moment")]
fn missing_fence_of_the_reader_is_refuted() {
    explore_with(Fault::NoReaderFence);
}

#[test]
#[should_panic(expected = "a status of more than one moment")]
fn missing_second_look_is_refuted() {
    explore_with(Fault::NoSecondLook);
}

#[test]
#[should_panic(expected = "a status of more than one moment")]
fn single_copy_is_refuted() {
    explore_with(Fault::SingleCopy);
}

//! Nothing allocates: not a proposal, not a message, not a write, over ten thousand committed entries in a group of
//! three whose windows and frames are arrays.

#[path = "support/counting.rs"]
mod counting;

use clocks::{Duration, Instant};
use counting::counted;
use quorum::NodeId;
use raft_core::{Change, Committed, Config, LogIndex, RECORD_HEADER_BYTES_MAX, Raft, Ready, wire};

const NODES: usize = 3;
const WINDOW: usize = 8 * 1024;
const FRAME: usize = 1024;
const FRAMES: usize = 64;
const ENTRIES: u64 = 10_000;

type Machine = Raft<[u8; WINDOW], NODES>;

#[derive(Clone, Copy)]
struct Frame {
    from: u64,
    to: u64,
    len: usize,
    bytes: [u8; FRAME],
}

/// Three machines, and the frames between them in a ring.
struct Trio {
    now: Instant,
    machines: [Machine; NODES],
    frames: [Frame; FRAMES],
    sent: usize,
    received: usize,
    /// How many commands each has applied, and what a sum over their bytes is.
    applied: [u64; NODES],
    sums: [u64; NODES],
    /// How many bytes were written.
    written: u64,
}

fn config(id: u64) -> Config {
    Config::builder(NodeId::new(id))
        .frame_bytes_max(FRAME)
        .build()
        .expect("sound")
}

impl Trio {
    fn new() -> Self {
        let now = Instant::ZERO;
        let founder = Machine::found(config(1), [0; WINDOW], 1, now).expect("founded");
        let group = founder.group();
        let join = |id| Machine::join(config(id), group, [0; WINDOW], id, now).expect("joins");
        let frame = Frame {
            from: 0,
            to: 0,
            len: 0,
            bytes: [0; FRAME],
        };
        let mut trio = Trio {
            now,
            machines: [founder, join(2), join(3)],
            frames: [frame; FRAMES],
            sent: 0,
            received: 0,
            applied: [0; NODES],
            sums: [0; NODES],
            written: 0,
        };
        trio.machines[0].handle_timeout(now).expect("alive");
        trio.settle();
        for place in 1..NODES {
            let identity = trio.machines[place].identity();
            for change in [Change::AddLearner(identity), Change::Promote(identity.node)] {
                trio.machines[0].reconfigure(&[change]).expect("it leads");
                trio.settle();
            }
        }
        assert!(trio.machines.iter().all(Machine::is_voter));
        trio
    }

    fn drain(&mut self, place: usize) {
        let now = self.now;
        let machine = &mut self.machines[place];
        while let Some(write) = machine.poll_persist() {
            let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
            self.written += write
                .record(&mut scratch)
                .iter()
                .map(|part| part.len() as u64)
                .sum::<u64>();
            let ticket = write.into_ticket();
            machine
                .handle_persisted(now, ticket)
                .expect("our own ticket");
        }
        while let Some(transmit) = machine.poll_transmit(now, Ready::All) {
            let frame = &mut self.frames[self.sent % FRAMES];
            let len = wire::encode(&transmit.message, &mut frame.bytes)
                .expect("fits")
                .len();
            (frame.from, frame.to, frame.len) = (place as u64 + 1, transmit.to.value(), len);
            self.sent += 1;
            assert!(
                self.sent - self.received <= FRAMES,
                "the ring is large enough"
            );
        }
        while let Some(committed) = machine.poll_committed() {
            let Committed::Command(entry) = committed else {
                panic!("nobody lags behind")
            };
            self.applied[place] += 1;
            self.sums[place] += entry
                .payload
                .iter()
                .map(|byte| u64::from(*byte))
                .sum::<u64>();
        }
        while machine.poll_event().is_some() {}
        // What everybody has applied may go, as if a snapshot of it were stored.
        let delivered = machine.delivered();
        if delivered.since(machine.base().index) > 64 {
            let index = LogIndex::new(delivered.value() - 32);
            machine.compact(index, 0, 0).expect("it was delivered");
        }
    }

    fn settle(&mut self) {
        loop {
            (0..NODES).for_each(|place| self.drain(place));
            if self.received == self.sent {
                return;
            }
            let frame = &self.frames[self.received % FRAMES];
            let message = wire::decode(&frame.bytes[..frame.len]).expect("our own frame");
            let machine = &mut self.machines[frame.to as usize - 1];
            let piece = machine.handle_message(self.now, NodeId::new(frame.from), message);
            assert!(matches!(piece, Ok(None)), "no snapshot is needed");
            self.received += 1;
        }
    }

    fn tick(&mut self) {
        self.now = self.now.saturating_add(Duration::from_millis(10));
        for machine in &mut self.machines {
            machine.handle_timeout(self.now).expect("alive");
        }
        self.settle();
    }
}

#[test]
fn ten_thousand_entries_commit_without_an_allocation() {
    // A large value, which only a test builds on its stack.
    let mut trio = Box::new(Trio::new());
    let before = counted();
    let mut proposed = 0;
    while trio.applied.iter().any(|applied| *applied < ENTRIES) {
        // Several in flight, then none: both the batch and the single entry.
        for _ in 0..(1 + proposed % 7).min(ENTRIES - proposed) {
            let payload = [proposed as u8; 16];
            trio.machines[0].propose(&payload).expect("there is room");
            proposed += 1;
        }
        trio.settle();
        trio.tick();
    }
    let allocations = counted() - before;
    println!(
        "{allocations} allocations, {} frames, {} bytes written",
        trio.sent, trio.written
    );
    assert_eq!(allocations, 0);
    assert_eq!(trio.applied, [ENTRIES; NODES]);
    assert!(trio.sums.iter().all(|sum| *sum == trio.sums[0] && *sum > 0));
}

/// A counter that counts nothing would prove nothing.
#[test]
fn the_counter_counts() {
    let before = counted();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(counted() - before, 2);
}

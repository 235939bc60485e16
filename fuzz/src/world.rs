//! Three members and a newcomer, the frames between them, and everything that can happen to them.

mod application;
mod reads;

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Body, Change, Chunk, ChunkData, Committed, LogIndex, Ready, Term, wire};

use crate::bytes::Bytes;
use crate::host::{FRAME, Host, Storing, Torn};
use crate::invent::{Parts, invent};

const HOSTS: usize = 4;
const VOTERS: u64 = 3;
/// Small, so that the ring comes round often; one smaller than the others, so that it runs full first.
const WINDOWS: [usize; HOSTS] = [2048, 2048, 1300, 2048];
const FRAMES_MAX: usize = 48;
/// More than any state of so small a window can owe.
const TRANSMITS_MAX: usize = 2000;
/// More than follow from what can be under way and owed while time stands still.
const DELIVERIES_MAX: usize = 2000;

/// A frame on its way.
#[derive(Clone)]
struct Frame {
    from: u64,
    to: u64,
    bytes: Vec<u8>,
}

/// The group, its network and its clock.
#[derive(Clone)]
pub struct World {
    now: Instant,
    hosts: Vec<Host>,
    frames: VecDeque<Frame>,
    /// A frame was made up or damaged: from now on a node may be talked into what the group did not agree on.
    is_deceived: bool,
    leaders: BTreeMap<Term, u64>,
    chosen: BTreeMap<LogIndex, (Term, Vec<u8>)>,
    /// Reads that were answered, and handovers that began: so that one sees whether an input gets there.
    pub(crate) answered: u32,
    pub(crate) handovers: u32,
}

impl World {
    /// A group of three in which node 1 leads, and a fourth node that has not been let in.
    pub fn trio() -> World {
        static TRIO: OnceLock<World> = OnceLock::new();
        TRIO.get_or_init(World::form).clone()
    }

    fn form() -> World {
        let now = Instant::from_micros(1_000_000);
        let founder = Host::new(1, WINDOWS[0], None, now);
        let group = founder.raft.group();
        let joining = (2..)
            .zip(&WINDOWS[1..])
            .map(|(id, window)| Host::new(id, *window, Some(group), now));
        let mut world = World {
            now,
            hosts: std::iter::once(founder.clone()).chain(joining).collect(),
            frames: VecDeque::new(),
            is_deceived: false,
            leaders: BTreeMap::new(),
            chosen: BTreeMap::new(),
            answered: 0,
            handovers: 0,
        };
        world.timeout(0);
        world.settle();
        for place in 1..VOTERS as usize {
            let identity = world.hosts[place].identity;
            for change in [Change::AddLearner(identity), Change::Promote(identity.node)] {
                world.hosts[0]
                    .raft
                    .reconfigure(&[change])
                    .expect("the founder leads");
                world.settle();
            }
        }
        let voters = world.hosts[0]
            .raft
            .members()
            .filter(|seat| seat.standing.is_in_incoming())
            .count() as u64;
        assert_eq!(voters, VOTERS, "the group has formed");
        world
    }

    /// Checks every node.
    pub fn check_everyone(&mut self) {
        for host in &mut self.hosts {
            host.check();
        }
    }

    fn pick(&self, bytes: &mut Bytes<'_>) -> usize {
        bytes.below(HOSTS)
    }

    // ----- frames -----

    fn take_frame(&mut self, bytes: &mut Bytes<'_>) -> Option<Frame> {
        if self.frames.is_empty() {
            return None;
        }
        self.frames.remove(bytes.below(self.frames.len()))
    }

    /// A frame arrives, in any order.
    pub fn deliver(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(frame) = self.take_frame(bytes) {
            self.arrive(frame.from, frame.to, &frame.bytes);
        }
    }

    /// A frame arrives and stays on its way, to arrive again.
    pub fn deliver_twice(&mut self, bytes: &mut Bytes<'_>) {
        if let Some(frame) = self.take_frame(bytes) {
            self.arrive(frame.from, frame.to, &frame.bytes);
            self.frames.push_back(frame);
        }
    }

    /// A frame is lost.
    pub fn lose(&mut self, bytes: &mut Bytes<'_>) {
        self.take_frame(bytes);
    }

    /// A frame arrives with other bytes than it left with, or at somebody else, or as if from somebody else.
    pub fn deliver_damaged(&mut self, bytes: &mut Bytes<'_>) {
        let Some(mut frame) = self.take_frame(bytes) else {
            return;
        };
        self.is_deceived = true;
        let how = bytes.u8();
        for _ in 0..how % 4 {
            let (place, value) = (bytes.u16(), bytes.u8());
            let len = frame.bytes.len();
            if let Some(byte) = frame.bytes.get_mut(usize::from(place) % len.max(1)) {
                *byte = value;
            }
        }
        if how & 0x10 != 0 {
            let len = usize::from(bytes.u16()) % (frame.bytes.len() + 1);
            frame.bytes.truncate(len);
        }
        if how & 0x20 != 0 {
            frame.from = bytes.below(HOSTS + 2) as u64 + 1;
        }
        if how & 0x40 != 0 {
            frame.to = self.pick(bytes) as u64 + 1;
        }
        self.arrive(frame.from, frame.to, &frame.bytes);
    }

    /// Any bytes arrive as a frame from anyone.
    pub fn deliver_raw(&mut self, bytes: &mut Bytes<'_>) {
        self.is_deceived = true;
        let (from, to) = (
            bytes.below(HOSTS + 2) as u64 + 1,
            self.pick(bytes) as u64 + 1,
        );
        let len = usize::from(bytes.u8());
        let frame = bytes.take(len);
        self.arrive(from, to, frame);
    }

    /// A well-formed message with any content arrives from anyone.
    pub fn deliver_invented(&mut self, bytes: &mut Bytes<'_>) {
        self.is_deceived = true;
        let to = self.pick(bytes);
        let from = bytes.below(HOSTS + 2) as u64 + 1;
        let mut parts = Parts::default();
        let receiver = &self.hosts[to];
        let mut message = invent(bytes, receiver, &mut parts);
        if let Some(sender) = self.hosts.get(from as usize - 1) {
            message.incarnation = sender.identity.incarnation;
        }
        let mut frame = vec![0; 4096];
        let frame = wire::encode(&message, &mut frame)
            .expect("invented messages are short")
            .to_vec();
        self.arrive(from, to as u64 + 1, &frame);
    }

    fn arrive(&mut self, from: u64, to: u64, frame: &[u8]) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(to as usize - 1) else {
            return;
        };
        let Ok(message) = wire::decode(frame) else {
            return;
        };
        let mut again = vec![0; frame.len()];
        if let Ok(again) = wire::encode(&message, &mut again) {
            assert_eq!(
                wire::decode(again),
                Ok(message),
                "encoding and decoding disagree"
            );
        }
        let piece = host.raft.handle_message(now, NodeId::new(from), message);
        let piece = piece.unwrap_or_else(|error| panic!("node {to}: {error}"));
        if let Some(piece) = piece {
            let receipt = piece.into_receipt();
            match host.storing {
                Storing::AtOnce => host
                    .raft
                    .handle_stored(now, receipt)
                    .expect("never stopped"),
                Storing::Later => host.receipts.push(receipt),
            }
        }
        host.check();
    }

    /// Stores pieces that were put off, or says how pieces are to be treated from now on.
    pub fn store_pieces(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place) = (self.now, self.pick(bytes));
        let host = &mut self.hosts[place];
        match bytes.below(4) {
            0 => host.storing = Storing::Later,
            1 => host.storing = Storing::AtOnce,
            _ => {
                for receipt in std::mem::take(&mut host.receipts) {
                    host.raft
                        .handle_stored(now, receipt)
                        .expect("never stopped");
                }
            }
        }
        host.check();
    }

    // ----- time -----

    fn timeout(&mut self, place: usize) {
        let now = self.now;
        let host = &mut self.hosts[place];
        host.raft.handle_timeout(now).expect("never stopped");
        let next = host.raft.poll_timeout();
        assert!(next.is_none_or(|next| next > now), "node {} spins", host.id);
        host.check();
    }

    /// Time passes, for one node or for all; sometimes a node's clock lags behind.
    pub fn tick(&mut self, bytes: &mut Bytes<'_>) {
        let (how, amount) = (bytes.u8(), u64::from(bytes.u8()));
        let duration = match how % 4 {
            0 => Duration::from_micros(amount),
            1 | 2 => Duration::from_millis(amount),
            _ => Duration::from_millis(amount * 32),
        };
        let earlier = self.now;
        self.now = self.now.saturating_add(duration);
        match how >> 5 {
            place @ 0..=3 => self.timeout(usize::from(place)),
            place @ 4..=5 => {
                let host = &mut self.hosts[usize::from(place - 4)];
                host.raft.handle_timeout(earlier).expect("never stopped");
                host.check();
            }
            _ => (0..HOSTS).for_each(|place| self.timeout(place)),
        }
    }

    /// Time passes step by step, and everyone does what is due.
    pub fn run(&mut self, bytes: &mut Bytes<'_>) {
        for _ in 0..bytes.u8() % 64 {
            self.now = self.now.saturating_add(Duration::from_millis(5));
            (0..HOSTS).for_each(|place| self.timeout(place));
            self.settle();
        }
    }

    /// Everyone writes, sends and applies, and frames arrive in order, until nothing moves: however the nodes were
    /// deceived, they do not answer each other for ever.
    pub fn settle(&mut self) {
        (0..HOSTS).for_each(|place| self.drain(place));
        for _ in 0..DELIVERIES_MAX {
            let Some(frame) = self.frames.pop_front() else {
                return;
            };
            self.arrive(frame.from, frame.to, &frame.bytes);
            self.drain(frame.to as usize - 1);
        }
        panic!("frames without end: {} are on their way", self.frames.len());
    }

    fn drain(&mut self, place: usize) {
        if place < HOSTS {
            self.persist_now(place);
            self.transmit_from(place);
            self.persist_now(place);
            self.apply_on(place);
        }
    }

    // ----- the medium -----

    fn persist_now(&mut self, place: usize) {
        let now = self.now;
        if self.hosts[place].persist(now) {
            self.hosts[place].check();
        }
    }

    /// Writes what is to be written.
    pub fn persist(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        self.persist_now(place);
    }

    /// A write begins.
    pub fn persist_begin(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        self.hosts[place].persist_begin();
        self.hosts[place].check();
    }

    /// A write ends well.
    pub fn persist_end(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place) = (self.now, self.pick(bytes));
        self.hosts[place].persist_end(now);
        self.hosts[place].check();
    }

    /// A write fails.
    pub fn persist_fail(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place, torn) = (self.now, self.pick(bytes), torn(bytes));
        self.hosts[place].persist_begin();
        self.hosts[place].persist_fail(now, torn);
        self.hosts[place].check();
    }

    /// A node loses what is not on its medium and comes back.
    pub fn crash(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place, torn) = (self.now, self.pick(bytes), torn(bytes));
        let is_state_kept = bytes.one_in(2);
        self.hosts[place].crash(now, torn, is_state_kept);
        self.hosts[place].check();
    }

    /// A node sends what it wants to send.
    pub fn transmit(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        self.transmit_from(place);
    }

    fn transmit_from(&mut self, place: usize) {
        let now = self.now;
        let mut frame = [0; FRAME];
        for count in 0..=TRANSMITS_MAX {
            assert!(
                count < TRANSMITS_MAX,
                "node {} never stops sending",
                place + 1
            );
            let host = &mut self.hosts[place];
            let (durable, snapshot) = (host.raft.durable(), host.raft.snapshot());
            let rules = host.rules();
            let Some(transmit) = host.raft.poll_transmit(now, Ready::All) else {
                return;
            };
            rules.check(&transmit, durable);
            let data = match &transmit.message.body {
                Body::Chunk(Chunk {
                    data: ChunkData::Wanted(len),
                    offset,
                    ..
                }) => {
                    let end = offset.checked_add(u64::from(*len));
                    assert!(
                        end.is_some_and(|end| end <= snapshot.size),
                        "a piece beyond the snapshot"
                    );
                    vec![0xa5; *len as usize]
                }
                Body::Append(_) if !self.is_deceived => {
                    let term = transmit.message.term;
                    let leader = *self.leaders.entry(term).or_insert(place as u64);
                    assert_eq!(leader, place as u64, "two leaders in term {term}");
                    Vec::new()
                }
                _ => Vec::new(),
            };
            let bytes = wire::encode_chunk(&transmit.message, &data, &mut frame)
                .expect("fits a frame")
                .to_vec();
            let to = transmit.to.value();
            if self.frames.len() < FRAMES_MAX {
                self.frames.push_back(Frame {
                    from: place as u64 + 1,
                    to,
                    bytes,
                });
            }
            self.hosts[place].check();
        }
    }

    /// A node applies what is committed.
    pub fn apply(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        self.apply_on(place);
    }

    fn apply_on(&mut self, place: usize) {
        let host = &mut self.hosts[place];
        let mut count = 0;
        while let Some(committed) = host.raft.poll_committed() {
            count += 1;
            let Committed::Command(entry) = committed else {
                continue;
            };
            if self.is_deceived {
                continue;
            }
            let applied = (entry.id.term, entry.payload.to_vec());
            let first = self
                .chosen
                .entry(entry.id.index)
                .or_insert_with(|| applied.clone());
            assert_eq!(*first, applied, "two commands at index {}", entry.id.index);
        }
        while host.raft.poll_event().is_some() {}
        if count > 0 {
            host.check();
        }
        self.end_reads(place);
    }
}

fn torn(bytes: &mut Bytes<'_>) -> Torn {
    match bytes.below(3) {
        0 => Torn::Nothing,
        1 => Torn::Everything,
        _ => Torn::Prefix(usize::from(bytes.u8())),
    }
}

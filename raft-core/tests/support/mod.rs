//! A small world for tests: nodes with journals, joined by frames in a queue. Every message goes
//! through the wire format, and a crash keeps only what was stored.
#![allow(dead_code, missing_docs, unreachable_pub, unused_imports)]

pub mod bounds;
pub mod cases;
pub mod past;
pub mod promises;
pub mod readers;
pub mod said;
pub mod solo;
pub mod witnesses;

use std::collections::VecDeque;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::CompactError;
use raft_core::{
    Body, Change, ChunkData, Committed, Config, EntryId, Event, GroupId, Identity, LogIndex,
    Message, RECORD_HEADER_BYTES_MAX, Raft, Ready, Recovered, Role, wire,
};

pub const MEMBERS: usize = 5;
pub type Machine = Raft<Vec<u8>, MEMBERS>;

pub const WINDOW: usize = 16 * 1024;
pub const FRAME: usize = 4096;

/// A frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub from: u64,
    pub to: u64,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub fn message(&self) -> Message<'_> {
        wire::decode(&self.bytes).expect("our own frames decode")
    }

    pub fn is_append(&self) -> bool {
        matches!(self.message().body, Body::Append(_))
    }
}

/// One machine with what a driver keeps for it.
#[derive(Clone)]
pub struct Host {
    pub raft: Option<Machine>,
    pub config: Config,
    pub window: usize,
    pub journal: Vec<Vec<u8>>,
    pub snapshot: Vec<u8>,
    pub incoming: Vec<u8>,
    /// What the state machine was given: (index, payload).
    pub applied: Vec<(u64, Vec<u8>)>,
    pub events: Vec<Event>,
    /// While false, writes are neither stored nor reported.
    pub disk_works: bool,
    pub starts: u64,
}

#[derive(Clone)]
pub struct World {
    pub now: Instant,
    pub hosts: Vec<Host>,
    pub wire: VecDeque<Frame>,
    /// Pairs (from, to) that do not get through.
    pub cut: Vec<(u64, u64)>,
}

pub fn config(id: u64) -> Config {
    Config::builder(NodeId::new(id))
        .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
        .heartbeat_interval(Duration::from_millis(20))
        .persist_timeout(Duration::from_millis(1000))
        .frame_bytes_max(FRAME)
        .build()
        .expect("the settings are sound")
}

impl Host {
    fn new(raft: Machine, config: Config, window: usize) -> Self {
        Host {
            raft: Some(raft),
            config,
            window,
            journal: Vec::new(),
            snapshot: Vec::new(),
            incoming: Vec::new(),
            applied: Vec::new(),
            events: Vec::new(),
            disk_works: true,
            starts: 1,
        }
    }

    pub fn raft(&mut self) -> &mut Machine {
        self.raft.as_mut().expect("the node is up")
    }
}

impl World {
    /// A founder, nodes that joined, and everybody a voter, with node 1 leading.
    pub fn group(size: u64) -> World {
        let mut world = World::founded();
        for id in 2..=size {
            world.join(id, config(id), WINDOW);
            world.settle();
            let identity = world.raft(id).identity();
            let leader = world.leader().expect("somebody leads");
            world
                .raft(leader)
                .reconfigure(&[Change::AddLearner(identity)])
                .expect("added");
            world.settle();
            world
                .raft(leader)
                .reconfigure(&[Change::Promote(NodeId::new(id))])
                .expect("promoted");
            world.settle();
        }
        for id in 1..=size {
            assert!(world.raft(id).is_voter(), "node {id} votes");
        }
        world
    }

    pub fn founded() -> World {
        let mut world = World {
            now: Instant::ZERO,
            hosts: Vec::new(),
            wire: VecDeque::new(),
            cut: Vec::new(),
        };
        let raft = Machine::found(config(1), vec![0; WINDOW], 1, world.now).expect("founded");
        world.hosts.push(Host::new(raft, config(1), WINDOW));
        let now = world.now;
        world.raft(1).handle_timeout(now).expect("alive");
        world.settle();
        assert_eq!(world.leader(), Some(1));
        world
    }

    /// Nodes with these pasts, nobody leading yet.
    pub fn of(pasts: &[past::Past]) -> World {
        let mut world = World {
            now: Instant::from_micros(1_000_000),
            hosts: Vec::new(),
            wire: VecDeque::new(),
            cut: Vec::new(),
        };
        for (place, past) in pasts.iter().enumerate() {
            assert_eq!(past.id, place as u64 + 1);
            let raft = past.restore(past.id, world.now);
            let mut host = Host::new(raft, past.config(), past.window);
            host.journal.push(past.record());
            host.snapshot = past.snapshot.clone();
            world.hosts.push(host);
        }
        world
    }

    /// Lets this node stand for election until it leads, the others passive.
    pub fn elect(&mut self, id: u64) {
        // Whoever heard of a leader has forgotten it.
        self.now = self.now.saturating_add(Duration::from_millis(100));
        let now = self.now;
        self.raft(id).campaign(now).expect("alive");
        self.settle();
        assert!(self.raft(id).is_leader(), "node {id} leads");
    }

    pub fn join(&mut self, id: u64, config: Config, window: usize) {
        let group = self.group_id();
        let raft = Machine::join(config.clone(), group, vec![0; window], 1000 + id, self.now)
            .expect("joins");
        assert_eq!(self.hosts.len() as u64 + 1, id);
        self.hosts.push(Host::new(raft, config, window));
    }

    pub fn group_id(&mut self) -> GroupId {
        self.raft(1).group()
    }

    pub fn host(&mut self, id: u64) -> &mut Host {
        &mut self.hosts[id as usize - 1]
    }

    pub fn raft(&mut self, id: u64) -> &mut Machine {
        self.host(id).raft()
    }

    pub fn identity(&mut self, id: u64) -> Identity {
        self.raft(id).identity()
    }

    pub fn ids(&self) -> Vec<u64> {
        (1..=self.hosts.len() as u64)
            .filter(|id| self.hosts[*id as usize - 1].raft.is_some())
            .collect()
    }

    pub fn leader(&mut self) -> Option<u64> {
        let mut leaders = Vec::new();
        for id in self.ids() {
            if self.raft(id).is_leader() {
                leaders.push((self.raft(id).term(), id));
            }
        }
        leaders.sort();
        leaders.last().map(|(_, id)| *id)
    }

    /// Stores what the node wants stored.
    pub fn persist(&mut self, id: u64) -> bool {
        let now = self.now;
        let host = self.host(id);
        if !host.disk_works {
            return false;
        }
        let Some(raft) = host.raft.as_mut() else {
            return false;
        };
        let Some(write) = raft.poll_persist() else {
            return false;
        };
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        if write.begins_anew() {
            host.journal.clear();
        }
        host.journal.push(record);
        let ticket = write.into_ticket();
        raft.handle_persisted(now, ticket).expect("our own ticket");
        true
    }

    /// The write reaches the medium, and the node crashes before it learns so.
    pub fn store_without_report(&mut self, id: u64) -> bool {
        let host = self.host(id);
        let Some(write) = host.raft.as_mut().and_then(|raft| raft.poll_persist()) else {
            return false;
        };
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        if write.begins_anew() {
            host.journal.clear();
        }
        host.journal.push(record);
        true
    }

    pub fn is_up(&self, id: u64) -> bool {
        self.hosts[id as usize - 1].raft.is_some()
    }

    /// Takes what the node wants to send.
    pub fn transmit(&mut self, id: u64) -> usize {
        let now = self.now;
        let mut frames = Vec::new();
        let host = self.host(id);
        let snapshot = host.snapshot.clone();
        let Some(raft) = host.raft.as_mut() else {
            return 0;
        };
        // What is sent as a message and what is sent as a frame are the same.
        let (mut twin, mut other) = (raft.clone(), vec![0; FRAME]);
        while let Some(transmit) = raft.poll_transmit(now, Ready::All) {
            let mut frame = vec![0; FRAME];
            let data = match &transmit.message.body {
                Body::Chunk(chunk) => match chunk.data {
                    ChunkData::Wanted(len) => {
                        let start = chunk.offset as usize;
                        &snapshot[start..start + len as usize]
                    }
                    ChunkData::Hollow => &[],
                    ChunkData::Received(_) => panic!("to be supplied"),
                },
                _ => &[][..],
            };
            let bytes = wire::encode_chunk(&transmit.message, data, &mut frame).expect("fits");
            let framed = twin.poll_frame(now, Ready::All, &mut other);
            let mut framed = framed.expect("fits").expect("as much to say");
            framed.data().copy_from_slice(data);
            assert_eq!((framed.to, &*framed.bytes), (transmit.to, bytes));
            frames.push(Frame {
                from: id,
                to: transmit.to.value(),
                bytes: bytes.to_vec(),
            });
        }
        let rest = twin.poll_frame(now, Ready::All, &mut other);
        assert_eq!(rest, Ok(None));
        assert!(twin == *raft, "the same state afterwards");
        let count = frames.len();
        for frame in frames {
            if !self.cut.contains(&(frame.from, frame.to)) {
                self.wire.push_back(frame);
            }
        }
        count
    }

    /// Applies what is committed.
    pub fn apply(&mut self, id: u64) {
        let host = self.host(id);
        let Some(raft) = host.raft.as_mut() else {
            return;
        };
        while let Some(committed) = raft.poll_committed() {
            match committed {
                Committed::Command(entry) => {
                    host.applied
                        .push((entry.id.index.value(), entry.payload.to_vec()));
                }
                Committed::Snapshot(_) => host.applied = decode_snapshot(&host.snapshot),
            }
        }
        while let Some(event) = raft.poll_event() {
            host.events.push(event);
        }
        raft.check_invariants()
            .unwrap_or_else(|law| panic!("node {id}: {law}\n{raft:#?}"));
    }

    /// Persist, transmit, apply: what a driver does after every input.
    pub fn drain(&mut self, id: u64) {
        self.persist(id);
        self.transmit(id);
        self.persist(id);
        self.apply(id);
    }

    /// Delivers one frame.
    pub fn deliver(&mut self, frame: &Frame) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(frame.to as usize - 1) else {
            return;
        };
        let Some(raft) = host.raft.as_mut() else {
            return;
        };
        let (message, from) = (frame.message(), NodeId::new(frame.from));
        let mut twin = raft.clone();
        let piece = raft
            .handle_message(now, from, message)
            .expect("never faulted");
        let other = twin.handle_frame(now, from, &frame.bytes);
        assert_eq!(other.as_ref(), Ok(&piece), "read as it stands");
        assert!(twin == *raft, "the same state afterwards");
        if let Some(piece) = piece {
            if piece.offset() == 0 {
                host.incoming.clear();
            }
            host.incoming.extend_from_slice(piece.data());
            if piece.is_last() {
                host.snapshot = host.incoming.clone();
            }
            let receipt = piece.into_receipt();
            raft.handle_stored(now, receipt).expect("never faulted");
        }
    }

    /// Delivers and drains until nothing moves.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            for id in self.ids() {
                self.drain(id);
            }
            let Some(frame) = self.wire.pop_front() else {
                return;
            };
            self.deliver(&frame);
        }
        panic!("the group does not come to rest");
    }

    /// Lets time pass: fires what is due, in steps of a millisecond.
    pub fn run(&mut self, duration: Duration) {
        let end = self.now.saturating_add(duration);
        while self.now < end {
            self.now = self.now.saturating_add(Duration::from_millis(1));
            let now = self.now;
            for id in self.ids() {
                self.raft(id).handle_timeout(now).expect("never faulted");
            }
            self.settle();
        }
    }

    pub fn propose(&mut self, payload: &[u8]) -> EntryId {
        let leader = self.leader().expect("somebody leads");
        self.raft(leader).propose(payload).expect("there is room")
    }

    pub fn crash(&mut self, id: u64) {
        self.host(id).raft = None;
        self.wire.retain(|frame| frame.from != id);
    }

    pub fn restart(&mut self, id: u64) {
        let now = self.now;
        let host = self.host(id);
        let mut recovered = Recovered::new(vec![0; host.window]).expect("window");
        for record in &host.journal {
            recovered.replay(record).expect("our own records");
        }
        host.starts += 1;
        let seed = id * 7919 + host.starts;
        host.applied.clear();
        if recovered.snapshot().last.index > LogIndex::ZERO {
            host.applied = decode_snapshot(&host.snapshot);
        }
        let applied = recovered.snapshot().last.index;
        let raft = Machine::restore(host.config.clone(), recovered, applied, seed, now);
        host.raft = Some(raft.expect("what was stored can be restored"));
    }

    /// Cuts a node off in both directions.
    pub fn isolate(&mut self, id: u64) {
        for other in 1..=self.hosts.len() as u64 {
            if other != id {
                self.cut.push((id, other));
                self.cut.push((other, id));
            }
        }
        self.wire.retain(|frame| frame.from != id && frame.to != id);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Compacts a node's log up to everything it applied.
    pub fn compact(&mut self, id: u64) {
        self.try_compact(id).expect("compacts");
    }

    pub fn try_compact(&mut self, id: u64) -> Result<(), CompactError> {
        let host = self.host(id);
        let bytes = encode_snapshot(&host.applied);
        let raft = host.raft.as_mut().expect("up");
        raft.compact(raft.delivered(), bytes.len() as u64, 0)?;
        host.snapshot = bytes;
        Ok(())
    }

    /// Compacts a node's log if it applied anything since.
    pub fn compact_if_possible(&mut self, id: u64) {
        match self.try_compact(id) {
            Ok(()) | Err(CompactError::AlreadyCompacted { .. }) => {}
            Err(error) => panic!("node {id} compacts: {error}"),
        }
    }

    pub fn role(&mut self, id: u64) -> Role {
        self.raft(id).role()
    }
}

pub fn encode_snapshot(applied: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, payload) in applied {
        bytes.extend_from_slice(&index.to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
    }
    bytes
}

pub fn decode_snapshot(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut applied = Vec::new();
    while !bytes.is_empty() {
        let (index, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (len, rest) = rest.split_first_chunk::<4>().unwrap();
        let (payload, rest) = rest.split_at(u32::from_le_bytes(*len) as usize);
        applied.push((u64::from_le_bytes(*index), payload.to_vec()));
        bytes = rest;
    }
    applied
}

//! How a group is formed, with real frames, before the exploration begins: one founds, the others
//! join, everybody compacts what led there and is restarted.

use std::collections::VecDeque;

use clocks::Instant;
use raft_core::{
    Change, ChunkData, Identity, RECORD_HEADER_BYTES_MAX, Raft, Ready, Recovered, wire,
};

use super::disks::Content;
use super::names::{name, place_of};
use super::node::{Machine, WINDOW};
use super::pace::Pace;

/// The sum of the prefix with which all logs begin.
const ROOT_SUM: u32 = 0x51;
/// The founder draws the group's name first and its incarnation then, who joins draws its
/// incarnation first. With this much between the seeds all incarnations are the same, so that
/// nodes differ in their names alone.
const SEED: u64 = 5;
const SEED_OF_JOINERS: u64 = SEED.wrapping_add(0x9e37_79b9_7f4a_7c15);

/// A formed group, as it is on the disks.
pub(super) struct Formed {
    pub(super) contents: Vec<Content>,
    pub(super) identities: Vec<Identity>,
    pub(super) term: u32,
    pub(super) index: u32,
}

struct Forming {
    machines: Vec<Machine>,
    contents: Vec<Content>,
    frames: VecDeque<(usize, usize, Vec<u8>)>,
    now: Instant,
}

fn empty() -> Content {
    Recovered::new(vec![0; WINDOW]).expect("the window is large enough")
}

/// Forms a group of the first `members` nodes; the others wait to be let in.
pub(super) fn form(members: usize, joiners: usize, pace: &Pace) -> Formed {
    let now = Instant::ZERO;
    let founder = Raft::found(pace.config(0), vec![0; WINDOW], SEED, now).expect("founded");
    let group = founder.group();
    let mut forming = Forming {
        machines: vec![founder],
        contents: (0..members + joiners).map(|_| empty()).collect(),
        frames: VecDeque::new(),
        now,
    };
    for place in 1..members + joiners {
        let memory = vec![0; WINDOW];
        let joined = Raft::join(pace.config(place), group, memory, SEED_OF_JOINERS, now);
        forming.machines.push(joined.expect("joined"));
    }
    (0..members + joiners).for_each(|place| forming.drain(place));
    let identities: Vec<_> = forming.machines.iter().map(Raft::identity).collect();
    forming.settle(pace);
    let changes: Vec<_> = identities[1..members]
        .iter()
        .copied()
        .map(Change::AddVoter)
        .collect();
    if !changes.is_empty() {
        forming.machines[0]
            .reconfigure(&changes)
            .expect("the others are let in");
        forming.settle(pace);
    }
    let leader = &forming.machines[0];
    let (term, index) = (leader.term().value(), leader.commit().value() as u32);
    assert!(leader.is_established() && !leader.is_joint());
    for place in 0..members {
        let machine = &mut forming.machines[place];
        assert!(machine.is_voter() && machine.commit().value() as u32 == index);
        let commit = machine.commit();
        machine
            .compact(commit, 1, ROOT_SUM)
            .expect("all of it is delivered");
        forming.drain(place);
    }
    Formed {
        contents: forming.contents,
        identities,
        term,
        index,
    }
}

impl Forming {
    /// Some heartbeats, and everything delivered.
    fn settle(&mut self, pace: &Pace) {
        for _ in 0..8 {
            self.now = self.now.saturating_add(pace.heartbeat);
            self.machines[0].handle_timeout(self.now).expect("alive");
            self.drain(0);
            while let Some((from, to, bytes)) = self.frames.pop_front() {
                let message = wire::decode(&bytes).expect("our own frames decode");
                let piece = self.machines[to].handle_message(self.now, name(from), message);
                if let Some(piece) = piece.expect("alive") {
                    let receipt = piece.into_receipt();
                    let stored = self.machines[to].handle_stored(self.now, receipt);
                    stored.expect("alive");
                }
                self.drain(to);
            }
        }
    }

    fn drain(&mut self, place: usize) {
        let (now, count) = (self.now, self.machines.len());
        let machine = &mut self.machines[place];
        loop {
            let mut is_done = true;
            if let Some(write) = machine.poll_persist() {
                let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
                let record = write.record(&mut scratch).concat();
                let ticket = write.into_ticket();
                self.contents[place]
                    .replay(&record)
                    .expect("a sound record");
                machine
                    .handle_persisted(now, ticket)
                    .expect("its own ticket");
                is_done = false;
            }
            while let Some(transmit) = machine.poll_transmit(now, Ready::All) {
                let (to, mut bytes) = (place_of(transmit.to), [0; 1100]);
                let message = transmit.message;
                let encoded = match message.body {
                    raft_core::Body::Chunk(chunk) => match chunk.data {
                        ChunkData::Wanted(len) => {
                            wire::encode_chunk(&message, &[7; 8][..len as usize], &mut bytes)
                        }
                        ChunkData::Received(data) => wire::encode_chunk(&message, data, &mut bytes),
                        ChunkData::Hollow => wire::encode(&message, &mut bytes),
                    },
                    _ => wire::encode(&message, &mut bytes),
                };
                if to < count {
                    let bytes = encoded.expect("it fits").to_vec();
                    self.frames.push_back((place, to, bytes));
                }
                is_done = false;
            }
            while machine.poll_committed().is_some() {}
            while machine.poll_event().is_some() {}
            if is_done {
                break;
            }
        }
    }
}

//! The log window through the machine that owns it, against a list.
//!
//! A leader of many terms appends, overwrites and commits on one follower, which writes, delivers, compacts, takes
//! snapshots and restarts: the ring comes round in every phase. The model is a list of terms and payloads.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{
    Append, Body, Chunk, ChunkData, Committed, Entries, EntryId, GroupId, Incarnation, LogIndex,
    Message, RECORD_HEADER_BYTES_MAX, Recovered, Round, Snapshot, Term,
};

use crate::bytes::Bytes;
use crate::host::{MEMBERS, Machine, config};

const OPERATIONS_MAX: usize = 300;
/// Two voters of the first life, the shortest stickiness.
const SEATS: [u8; 9] = [1, 0, 2, 1, 1, 1, 2, 1, 1];

struct Model {
    base: EntryId,
    log: Vec<(Term, Vec<u8>)>,
    commit: u64,
    delivered: u64,
}

impl Model {
    fn last(&self) -> EntryId {
        let index = self.base.index.plus(self.log.len() as u64);
        let term = self.log.last().map_or(self.base.term, |entry| entry.0);
        EntryId::new(index, term)
    }

    fn id(&self, index: u64) -> EntryId {
        match index.checked_sub(self.base.index.value()) {
            Some(0) | None => self.base,
            Some(place) => EntryId::new(LogIndex::new(index), self.log[place as usize - 1].0),
        }
    }

    fn truncate(&mut self, index: u64) {
        self.log
            .truncate((index - self.base.index.value()) as usize);
    }
}

struct Pair {
    raft: Machine,
    model: Model,
    journal: Vec<Vec<u8>>,
    now: Instant,
    window: usize,
    term: u32,
    starts: u64,
}

/// Drives a follower and the model by `data`.
///
/// # Panics
///
/// When they differ.
pub fn raft_window(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let window = 1100 + usize::from(bytes.u16()) % 4000;
    let now = Instant::from_micros(1_000_000);
    let group = GroupId::new(7);
    let raft = Machine::join(config(1), group, vec![0; window], 1, now).expect("large enough");
    let mut pair = Pair {
        raft,
        model: Model {
            base: EntryId::ZERO,
            log: Vec::new(),
            commit: 0,
            delivered: 0,
        },
        journal: Vec::new(),
        now,
        window,
        term: 1,
        starts: 1,
    };
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = bytes.first() else {
            break;
        };
        match operation % 12 {
            0..=4 => pair.append(&mut bytes),
            5 => pair.overwrite(&mut bytes),
            6 | 7 => pair.persist(),
            8 => pair.deliver(),
            9 => pair.compact(&mut bytes),
            10 => pair.install(&mut bytes),
            _ => pair.restart(),
        }
        pair.compare();
    }
}

impl Pair {
    /// What the leader of the latest term says: one leader for each term.
    fn hear(&mut self, body: Body<'_>) {
        let from = NodeId::new(2 + u64::from(self.term % 2));
        let message = Message {
            group: self.raft.group(),
            incarnation: Incarnation::new(1),
            term: Term::new(self.term),
            body,
        };
        let piece = self.raft.handle_message(self.now, from, message);
        if let Some(piece) = piece.expect("never stopped") {
            let receipt = piece.into_receipt();
            self.raft
                .handle_stored(self.now, receipt)
                .expect("never stopped");
        }
    }

    /// Entries after `prev`, and a commit that reaches into them.
    fn say(&mut self, bytes: &mut Bytes<'_>, prev: u64) {
        let mut encoded = Vec::new();
        let mut said = Vec::new();
        for _ in 0..bytes.below(5) {
            let len = usize::from(bytes.u8()) * (1 + bytes.below(3));
            let payload = vec![bytes.u8(); len];
            encoded.extend_from_slice(&self.term.to_le_bytes());
            encoded.extend_from_slice(&(len as u32).to_le_bytes());
            encoded.extend_from_slice(&payload);
            said.push((Term::new(self.term), payload));
        }
        let prev = self.model.id(prev);
        let commit = prev.index.value() + bytes.below(6) as u64;
        self.hear(Body::Append(Append {
            prev,
            commit: LogIndex::new(commit),
            round: Round::ZERO,
            entries: Entries::from_bytes(&encoded),
        }));
        // As much of it as fits is taken, from the front.
        let verified = self.raft.last().index.value().min(
            prev.index.value() + said.len() as u64, // no more was said
        );
        let mut index = prev.index.value();
        for entry in said {
            index += 1;
            if index <= self.model.last().index.value() && self.model.id(index).term == entry.0 {
                continue;
            }
            if index <= self.model.last().index.value() {
                self.model.truncate(index - 1);
            }
            if index > verified {
                self.refuses(entry.1.len());
                index -= 1;
                break;
            }
            self.model.log.push(entry);
        }
        self.model.commit = self.model.commit.max(commit.min(index));
    }

    /// An entry was not taken: it really does not fit.
    fn refuses(&self, len: usize) {
        let longest = self.model.log.iter().map(|entry| entry.1.len()).max();
        let gap = 8 + len.max(longest.unwrap_or(0));
        let is_full = self.raft.log_bytes() + 8 + len + gap > self.raft.log_bytes_max();
        // One place in the ring of offsets for 32 to 64 bytes.
        let is_many = self.model.log.len() + 1 > self.window / 64;
        assert!(is_full || is_many, "{len} bytes were refused");
    }

    fn append(&mut self, bytes: &mut Bytes<'_>) {
        let last = self.model.last().index.value();
        self.say(bytes, last);
    }

    /// Another leader goes on from somewhere after the commit, or the same repeats itself.
    fn overwrite(&mut self, bytes: &mut Bytes<'_>) {
        let (commit, last) = (self.model.commit, self.model.last().index.value());
        let prev = commit + u64::from(bytes.u8()) % (last - commit + 1);
        self.term += 1;
        self.say(bytes, prev);
    }

    fn persist(&mut self) {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let Some(write) = self.raft.poll_persist() else {
            return;
        };
        if write.begins_anew() {
            self.journal.clear();
        }
        self.journal.push(write.record(&mut scratch).concat());
        let ticket = write.into_ticket();
        let done = self.raft.handle_persisted(self.now, ticket);
        done.expect("our own ticket");
    }

    fn deliver(&mut self) {
        while let Some(committed) = self.raft.poll_committed() {
            match committed {
                Committed::Command(entry) => {
                    self.model.delivered += 1;
                    assert_eq!(entry.id.index.value(), self.model.delivered);
                    let place = self.model.delivered - self.model.base.index.value();
                    assert_eq!(entry.payload, self.model.log[place as usize - 1].1);
                }
                Committed::Snapshot(snapshot) => {
                    assert!(snapshot.last.index.value() > self.model.delivered);
                    self.model.delivered = snapshot.last.index.value();
                }
            }
        }
        // What is committed and written is delivered, and nothing before a snapshot that is not written yet.
        let deliverable = self.model.commit.min(self.raft.durable().value());
        let has_all = deliverable <= self.model.delivered;
        assert!(has_all || deliverable < self.model.base.index.value());
    }

    fn compact(&mut self, bytes: &mut Bytes<'_>) {
        let back = u64::from(bytes.u8() % 4);
        let index = self.model.delivered.saturating_sub(back);
        let is_possible = index > self.model.base.index.value();
        let done = self.raft.compact(LogIndex::new(index), 9, 0);
        assert_eq!(done.is_ok(), is_possible, "{done:?}");
        if is_possible {
            let id = self.model.id(index);
            let gone = index - self.model.base.index.value();
            self.model.log.drain(..gone as usize);
            self.model.base = id;
        }
    }

    /// A snapshot from beyond the log, or of what is there.
    fn install(&mut self, bytes: &mut Bytes<'_>) {
        let index = self.model.commit + u64::from(bytes.u8() % 40);
        let last = match index <= self.model.last().index.value() {
            true => self.model.id(index),
            false => EntryId::new(LogIndex::new(index), Term::new(self.term)),
        };
        if index == 0 {
            return;
        }
        self.hear(Body::Chunk(Chunk {
            snapshot: Snapshot {
                last,
                size: 4,
                checksum: 0,
            },
            configuration: &SEATS,
            round: Round::ZERO,
            offset: 0,
            data: ChunkData::Received(&[1; 4]),
        }));
        self.model.commit = self.model.commit.max(index);
        if index > self.model.last().index.value() {
            self.model.log.clear();
            self.model.base = last;
        }
    }

    fn restart(&mut self) {
        self.persist();
        self.persist();
        let mut recovered =
            Recovered::<_, MEMBERS>::new(vec![0; self.window]).expect("large enough");
        for record in &self.journal {
            recovered.replay(record).expect("our own records");
        }
        self.starts += 1;
        let applied = LogIndex::new(self.model.delivered.max(self.model.base.index.value()));
        let (config, seed) = (config(1), self.starts);
        let raft = Machine::restore(config, recovered, applied, seed, self.now);
        self.raft = raft.expect("what was stored comes back");
        self.model.delivered = applied.value();
        // The commit rides along with a write, and is not the reason of one.
        let commit = self.raft.commit().value();
        assert!(commit <= self.model.commit && commit >= applied.value());
        self.model.commit = commit;
    }

    fn compare(&self) {
        let (raft, model) = (&self.raft, &self.model);
        assert_eq!(raft.check_invariants(), Ok(()));
        assert_eq!(raft.fault(), None);
        assert_eq!((raft.base(), raft.last()), (model.base, model.last()));
        assert_eq!(raft.commit().value(), model.commit);
        let mut used = 0;
        for (place, (term, payload)) in (1..).zip(&model.log) {
            let index = model.base.index.plus(place);
            let entry = raft.entry(index).expect("it is in the window");
            assert_eq!((entry.id.index, entry.id.term), (index, *term));
            assert_eq!(entry.payload, payload);
            used += 8 + payload.len();
        }
        assert!(raft.entry(model.base.index).is_none());
        assert!(raft.entry(model.last().index.next()).is_none());
        assert!(raft.log_bytes() >= used && raft.log_bytes() <= raft.log_bytes_max());
    }
}

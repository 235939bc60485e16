//! What a node may have stored: the records of any past, encoded by hand as docs/WIRE.md says.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{
    ConfigBuilder, EntryId, GroupId, HardState, Identity, Incarnation, LogIndex, Recovered, Seat,
    Snapshot, Standing, Term,
};

use super::{FRAME, Machine, WINDOW};

pub const GROUP: u64 = 77;
pub const STICKINESS_MICROS: u64 = 100_000;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Command(Vec<u8>),
    NoOp,
    Seats(Vec<Seat>),
    /// On a witness: any other.
    Hollow,
}

/// The first life of a node.
pub fn identity(id: u64) -> Identity {
    Identity::new(NodeId::new(id), Incarnation::new(id as u32))
}

/// Seats with these standings.
pub fn seats(members: &[(u64, Standing)]) -> Vec<Seat> {
    let seat = |&(id, standing)| Seat {
        identity: identity(id),
        standing,
    };
    members.iter().map(seat).collect()
}

pub fn voters(ids: &[u64]) -> Vec<Seat> {
    let seat = |&id| Seat {
        identity: identity(id),
        standing: Standing::Voter,
    };
    ids.iter().map(seat).collect()
}

pub fn encode_seats(seats: &[Seat], stickiness_micros: u64) -> Vec<u8> {
    let prologue = (1_u8, stickiness_micros, seats.len() as u16);
    let mut bytes = postcard::to_slice(&prologue, &mut [0; 64])
        .unwrap()
        .to_vec();
    for seat in seats {
        bytes.extend_from_slice(postcard::to_slice(seat, &mut [0; 64]).unwrap());
    }
    bytes
}

pub fn encode_entry(term: u32, item: &Item) -> Vec<u8> {
    let (code, payload) = match item {
        Item::Command(bytes) => (0_u32, bytes.clone()),
        Item::NoOp => (1, Vec::new()),
        Item::Seats(seats) => (2, encode_seats(seats, STICKINESS_MICROS)),
        Item::Hollow => (3, Vec::new()),
    };
    let mut bytes = term.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(payload.len() as u32 | (code << 28)).to_le_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

pub fn encode_entries(entries: &[(u32, Item)]) -> Vec<u8> {
    let encoded = entries.iter().map(|(term, item)| encode_entry(*term, item));
    encoded.collect::<Vec<_>>().concat()
}

/// A command whose bytes name its place and term, so that two entries differ when they should.
pub fn command(index: u64, term: u32) -> Item {
    Item::Command(format!("{index}/{term}").into_bytes())
}

/// Commands of these terms, the first standing at `first`.
pub fn commands(first: u64, terms: &[u32]) -> Vec<(u32, Item)> {
    let entry = |(index, &term)| (term, command(index, term));
    (first..).zip(terms).map(entry).collect()
}

/// What is stored of a node. Starts as an empty member of {1, 2, 3}.
#[derive(Clone, Debug)]
pub struct Past {
    pub id: u64,
    pub term: u32,
    pub vote: Option<u64>,
    pub base: (u64, u32),
    pub seats: Vec<Seat>,
    pub log: Vec<(u32, Item)>,
    pub commit: u64,
    pub applied: u64,
    pub snapshot: Vec<u8>,
    pub window: usize,
    pub frame: usize,
    pub stickiness_micros: u64,
    /// Leases are on, for clocks that are wrong by so many millionths.
    pub lease: Option<u32>,
    pub is_witness: bool,
    /// It may be quiet after so many milliseconds.
    pub quiet: Option<u64>,
    pub priority: u8,
    /// What is set besides.
    pub settings: Option<Settings>,
}

/// Changes what a configuration is built from.
pub type Settings = fn(ConfigBuilder) -> ConfigBuilder;

impl Past {
    pub fn new(id: u64) -> Past {
        Past {
            id,
            term: 0,
            vote: None,
            base: (0, 0),
            seats: voters(&[1, 2, 3]),
            log: Vec::new(),
            commit: 0,
            applied: 0,
            snapshot: Vec::new(),
            window: WINDOW,
            frame: FRAME,
            stickiness_micros: STICKINESS_MICROS,
            lease: None,
            is_witness: false,
            quiet: None,
            priority: raft_core::PRIORITY_MAX,
            settings: None,
        }
    }

    /// A witness with a log of these terms.
    pub fn witness(mut self, terms: &[u32]) -> Past {
        self.is_witness = true;
        let log: Vec<_> = terms.iter().map(|term| (*term, Item::Hollow)).collect();
        self.items(&log)
    }

    pub fn term(mut self, term: u32) -> Past {
        self.term = term;
        self
    }

    pub fn vote(mut self, id: u64) -> Past {
        self.vote = Some(id);
        self
    }

    /// Commands of these terms. The node's term is at least that of the last.
    pub fn log(self, terms: &[u32]) -> Past {
        let log = commands(self.base.0 + 1, terms);
        self.items(&log)
    }

    pub fn items(mut self, items: &[(u32, Item)]) -> Past {
        self.log = items.to_vec();
        self.term = self
            .log
            .last()
            .map_or(self.term, |(t, _)| self.term.max(*t));
        self
    }

    pub fn commit(mut self, index: u64) -> Past {
        self.commit = index;
        self
    }

    pub fn applied(mut self, index: u64) -> Past {
        self.applied = index;
        self
    }

    /// Everything up to this entry is in a snapshot of these bytes.
    pub fn base(mut self, index: u64, term: u32, snapshot: &[u8]) -> Past {
        self.base = (index, term);
        self.snapshot = snapshot.to_vec();
        self.commit = self.commit.max(index);
        self.applied = self.applied.max(index);
        self.term = self.term.max(term);
        self
    }

    pub fn members(mut self, seats: Vec<Seat>) -> Past {
        self.seats = seats;
        self
    }

    pub fn voters(self, ids: &[u64]) -> Past {
        self.members(voters(ids))
    }

    pub fn window(mut self, bytes: usize) -> Past {
        self.window = bytes;
        self
    }

    pub fn frame(mut self, bytes: usize) -> Past {
        self.frame = bytes;
        self
    }

    pub fn lease(mut self, drift_ppm: u32) -> Past {
        self.lease = Some(drift_ppm);
        self
    }

    pub fn quiet(mut self, millis: u64) -> Past {
        self.quiet = Some(millis);
        self
    }

    pub fn priority(mut self, priority: u8) -> Past {
        self.priority = priority;
        self
    }

    pub fn set(mut self, settings: Settings) -> Past {
        self.settings = Some(settings);
        self
    }

    pub fn stickiness(mut self, micros: u64) -> Past {
        self.stickiness_micros = micros;
        self
    }

    pub fn config(&self) -> raft_core::Config {
        let builder = raft_core::Config::builder(NodeId::new(self.id))
            .election_timeout(
                clocks::Duration::from_millis(100),
                clocks::Duration::from_millis(200),
            )
            .heartbeat_interval(clocks::Duration::from_millis(20))
            .persist_timeout(clocks::Duration::from_millis(1000))
            .frame_bytes_max(self.frame)
            .priority(self.priority);
        let builder = match self.lease {
            Some(drift_ppm) => builder.lease(drift_ppm),
            None => builder,
        };
        let builder = match self.quiet {
            Some(millis) => builder.quiet_after(clocks::Duration::from_millis(millis)),
            None => builder,
        };
        let settings = self.settings.unwrap_or(|builder| builder);
        settings(builder).build().unwrap()
    }

    /// The one record that holds all of it.
    pub fn record(&self) -> Vec<u8> {
        let configuration = if self.seats.is_empty() {
            Vec::new()
        } else {
            encode_seats(&self.seats, self.stickiness_micros)
        };
        let entries = encode_entries(&self.log);
        let base = EntryId::new(LogIndex::new(self.base.0), Term::new(self.base.1));
        let hard = HardState {
            term: Term::new(self.term),
            vote: self.vote.map(identity),
        };
        let snapshot = Snapshot {
            last: base,
            size: self.snapshot.len() as u64,
            checksum: 0,
        };
        let header = record_header(
            identity(self.id),
            hard,
            self.commit,
            Some((snapshot, configuration.len() as u16, self.is_witness)),
            self.base.0,
            entries.len(),
        );
        [header, configuration, entries].concat()
    }

    pub fn restore(&self, seed: u64, now: Instant) -> Machine {
        let mut recovered = Recovered::new(vec![0; self.window]).expect("window");
        recovered.replay(&self.record()).expect("a sound record");
        let applied = LogIndex::new(self.applied);
        Machine::restore(self.config(), recovered, applied, seed, now).expect("a sound past")
    }
}

/// The head of a record: postcard writes a tuple like a struct.
pub fn record_header(
    identity: Identity,
    hard: HardState,
    commit: u64,
    beginning: Option<(Snapshot, u16, bool)>,
    after: u64,
    entries_len: usize,
) -> Vec<u8> {
    let header = (
        1_u8,
        GroupId::new(GROUP),
        identity,
        hard,
        LogIndex::new(commit),
        beginning,
        LogIndex::new(after),
        entries_len as u32,
    );
    postcard::to_slice(&header, &mut [0; 128]).unwrap().to_vec()
}

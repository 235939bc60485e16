//! One node with what its driver keeps for it, and the rules that hold for a node whatever its peers say.
//!
//! The drivers of the simulator do all that a machine wants, in one order, after each input. Here the bytes of the
//! input decide on every part of a step, and each part is checked for itself: what would be shared is the calls.

use std::collections::BTreeMap;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{
    Body, Config, GroupId, HardState, Identity, LogIndex, Message, RECORD_HEADER_BYTES_MAX, Raft,
    ReadTicket, Receipt, Recovered, Term, Ticket, Transmit,
};

/// The most members of a configuration: more than there are nodes, fewer than can be named.
pub const MEMBERS: usize = 5;
/// The longest frame.
pub const FRAME: usize = 512;

/// A node as it runs here.
pub type Machine = Raft<Vec<u8>, MEMBERS>;

/// A write that the driver has taken and not reported.
#[derive(Clone)]
struct Taken {
    ticket: Ticket,
    record: Record,
    hard: HardState,
}

#[derive(Clone)]
struct Record {
    bytes: Vec<u8>,
    begins_anew: bool,
    is_torn: bool,
}

/// How much of a write is on the medium when it did not end well.
#[derive(Clone, Copy)]
pub enum Torn {
    /// Nothing.
    Nothing,
    /// The first bytes.
    Prefix(usize),
    /// All of it, though nobody reported so.
    Everything,
}

/// What the driver does with a piece of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Storing {
    /// Stores it at once.
    AtOnce,
    /// Keeps it until told to store it.
    Later,
}

/// What was seen of a node in this life: none of it may move back.
#[derive(Clone, Copy, Default)]
struct Seen {
    term: Term,
    commit: LogIndex,
    delivered: LogIndex,
}

/// A read that has begun.
#[derive(Clone, Copy)]
pub struct Reading {
    /// What its node calls it.
    pub ticket: ReadTicket,
    /// What was applied somewhere before it began.
    pub floor: LogIndex,
}

/// One machine and its driver.
#[derive(Clone)]
pub struct Host {
    /// Its name.
    pub id: u64,
    /// This life of it; kept over a crash, because the medium is.
    pub identity: Identity,
    /// The machine, while it is up.
    pub raft: Machine,
    /// What to do with pieces of a snapshot.
    pub storing: Storing,
    /// Receipts of pieces that are to be stored later.
    pub receipts: Vec<Receipt>,
    /// Reads that have not ended.
    pub reading: Vec<Reading>,
    config: Config,
    window: usize,
    starts: u64,
    journal: Vec<Record>,
    /// What the medium holds behind the last good record.
    tail: Option<Vec<u8>>,
    taken: Option<Taken>,
    seen: Seen,
    /// Term and vote of the last write that was reported.
    promised: HardState,
    /// Every vote that was ever reported as written, by term.
    votes: BTreeMap<Term, Identity>,
}

/// The settings of every node here.
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
    /// The founder, or a node that waits to be let into `group`.
    pub fn new(id: u64, window: usize, group: Option<GroupId>, now: Instant) -> Self {
        let (config, memory) = (config(id), vec![0; window]);
        let raft = match group {
            None => Machine::found(config.clone(), memory, id, now),
            Some(group) => Machine::join(config.clone(), group, memory, id, now),
        };
        let raft = raft.expect("the window is large enough");
        Host {
            id,
            identity: raft.identity(),
            raft,
            storing: Storing::AtOnce,
            receipts: Vec::new(),
            reading: Vec::new(),
            config,
            window,
            starts: 1,
            journal: Vec::new(),
            tail: None,
            taken: None,
            seen: Seen::default(),
            promised: HardState::default(),
            votes: BTreeMap::new(),
        }
    }

    /// Takes what is to be written, unless a write is under way.
    pub fn persist_begin(&mut self) {
        let Some(write) = self.raft.poll_persist() else {
            return;
        };
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let bytes = write.record(&mut scratch).concat();
        let record = Record {
            bytes,
            begins_anew: write.begins_anew(),
            is_torn: false,
        };
        let hard = write.hard_state();
        self.taken = Some(Taken {
            ticket: write.into_ticket(),
            record,
            hard,
        });
    }

    /// The write under way, if there is one, is on the medium.
    pub fn persist_end(&mut self, now: Instant) -> bool {
        let Some(Taken {
            ticket,
            record,
            hard,
        }) = self.taken.take()
        else {
            return false;
        };
        if record.begins_anew {
            self.journal.clear();
        }
        self.journal.push(record);
        self.tail = None;
        self.promised = hard;
        if let Some(vote) = hard.vote {
            let first = *self.votes.entry(hard.term).or_insert(vote);
            assert_eq!(
                first, vote,
                "node {}: two votes in term {}",
                self.id, hard.term
            );
        }
        self.raft
            .handle_persisted(now, ticket.clone())
            .expect("our own ticket");
        // A second use of a ticket changes nothing.
        let before = self.raft.clone();
        self.raft
            .handle_persisted(now, ticket)
            .expect("our own ticket");
        assert!(before == self.raft, "a ticket counted twice");
        true
    }

    /// Writes what is to be written, and says whether there was something.
    pub fn persist(&mut self, now: Instant) -> bool {
        if self.taken.is_none() {
            self.persist_begin();
        }
        self.persist_end(now)
    }

    /// The write under way failed, and the medium holds some of it.
    pub fn persist_fail(&mut self, now: Instant, torn: Torn) {
        let Some(taken) = self.taken.take() else {
            return;
        };
        self.tear(&taken.record, torn);
        self.raft
            .handle_persist_failed(now, taken.ticket)
            .expect("our own ticket");
    }

    fn tear(&mut self, record: &Record, torn: Torn) {
        self.tail = match torn {
            Torn::Nothing => None,
            Torn::Prefix(len) => record.bytes.get(..len).map(<[u8]>::to_vec),
            Torn::Everything => Some(record.bytes.clone()),
        };
    }

    /// Loses what is not on the medium, and comes back from what is. `is_state_kept` says whether the application's
    /// state survived as well.
    pub fn crash(&mut self, now: Instant, torn: Torn, is_state_kept: bool) {
        if let Some(taken) = self.taken.take() {
            self.tear(&taken.record, torn);
        }
        self.receipts.clear();
        if self.journal.is_empty() && self.tail.is_none() {
            return;
        }
        let durable: Vec<_> = {
            let (base, durable) = (self.raft.base().index, self.raft.durable());
            let indexes = (1..=durable.since(base)).map(|place| base.plus(place));
            indexes
                .map(|index| self.raft.entry(index).expect("in the window").id)
                .collect()
        };
        let (durable_last, delivered) = (self.raft.durable(), self.raft.delivered());
        let Some(recovered) = self.read_back() else {
            return;
        };
        let stored = recovered.snapshot().last.index;
        let applied = if is_state_kept {
            delivered.max(stored)
        } else {
            stored
        };
        self.starts += 1;
        let seed = self.id * 7919 + self.starts;
        let raft = Machine::restore(self.config.clone(), recovered, applied, seed, now);
        self.raft = raft.unwrap_or_else(|error| panic!("node {}: {error}", self.id));
        assert!(
            self.raft.last().index >= durable_last,
            "node {} forgot entries",
            self.id
        );
        for id in durable {
            if id.index > self.raft.base().index {
                let entry = self
                    .raft
                    .entry(id.index)
                    .expect("a durable entry is still there");
                assert_eq!(entry.id, id, "node {} changed a durable entry", self.id);
            }
        }
        let hard = self.raft.hard_state();
        assert!(
            hard.term >= self.promised.term,
            "node {} forgot a term",
            self.id
        );
        if hard.term == self.promised.term && self.promised.vote.is_some() {
            assert_eq!(
                hard.vote, self.promised.vote,
                "node {} forgot a vote",
                self.id
            );
        }
        self.promised = hard;
        if let Some(vote) = hard.vote {
            let first = *self.votes.entry(hard.term).or_insert(vote);
            assert_eq!(
                first, vote,
                "node {}: two votes in term {}",
                self.id, hard.term
            );
        }
        self.seen = Seen::default();
        self.reading.clear();
    }

    fn read_back(&mut self) -> Option<Recovered<Vec<u8>, MEMBERS>> {
        let mut recovered =
            Recovered::new(vec![0; self.window]).expect("the window was large enough");
        for record in &self.journal {
            let read = if record.is_torn {
                recovered.replay_prefix(&record.bytes)
            } else {
                recovered.replay(&record.bytes)
            };
            read.unwrap_or_else(|error| panic!("node {}: {error}", self.id));
        }
        if let Some(tail) = self.tail.take() {
            match recovered.replay_prefix(&tail) {
                Ok(()) => self.journal.push(Record {
                    bytes: tail,
                    begins_anew: false,
                    is_torn: true,
                }),
                Err(RestoreError::DamagedRecord | RestoreError::NoBeginning) => {}
                Err(error) => panic!("node {}: {error}", self.id),
            }
        }
        // Without a first record nothing was promised: the node was never seen by anyone.
        (!self.journal.is_empty()).then_some(recovered)
    }

    /// The rules for what this node may say now, apart from the machine, which is lent to the message.
    pub fn rules(&self) -> Rules {
        let vote = self.votes.get(&self.promised.term).copied();
        Rules {
            identity: self.identity,
            promised: self.promised,
            vote,
        }
    }

    /// The rules for what a node is, after every step.
    pub fn check(&mut self) {
        let (raft, id) = (&self.raft, self.id);
        if let Err(law) = raft.check_invariants() {
            panic!("node {id}: {law}\n{raft:#?}");
        }
        assert_eq!(raft.fault(), None, "node {id} was stopped by a message");
        assert!(raft.term() >= self.seen.term, "node {id}: the term fell");
        assert!(
            raft.commit() >= self.seen.commit,
            "node {id}: the commit fell"
        );
        assert!(
            raft.delivered() >= self.seen.delivered,
            "node {id} delivers again"
        );
        assert!(
            raft.delivered() <= raft.durable(),
            "node {id} delivered what is not written"
        );
        let reading = self.reading.len() as u64;
        assert_eq!(raft.reads(), reading, "node {id}: reads under way");
        self.seen = Seen {
            term: raft.term(),
            commit: raft.commit(),
            delivered: raft.delivered(),
        };
    }
}

/// What a node has on its medium when it speaks.
pub struct Rules {
    identity: Identity,
    promised: HardState,
    /// The vote of the promised term.
    vote: Option<Identity>,
}

impl Rules {
    /// Whether `transmit` promises nothing that could be forgotten; the log is written up to `durable`.
    pub fn check(&self, transmit: &Transmit<'_>, durable: LogIndex) {
        let Message { term, body, .. } = &transmit.message;
        let id = self.identity.node;
        assert_eq!(
            *term, self.promised.term,
            "node {id} speaks of a term that is not written"
        );
        match body {
            Body::Ack(ack) => assert!(
                ack.verified <= durable,
                "node {id} acknowledges what is not written"
            ),
            Body::Vote(vote) => {
                assert_eq!(
                    self.promised.vote,
                    Some(self.identity),
                    "node {id} asks without its own vote"
                );
                assert!(
                    vote.last.index <= durable,
                    "node {id} claims a log that is not written"
                );
            }
            Body::VoteReply(reply) if reply.is_granted => {
                let vote = self.vote.map(|vote| vote.node);
                assert_eq!(
                    vote,
                    Some(transmit.to),
                    "node {id} grants a vote that is not written"
                );
            }
            Body::VoteReply(_)
            | Body::PreVote(_)
            | Body::PreVoteReply(_)
            | Body::Append(_)
            | Body::Hollow(_)
            | Body::Chunk(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow
            | Body::Quiet(_)
            | Body::QuietReply(_) => {}
        }
    }
}

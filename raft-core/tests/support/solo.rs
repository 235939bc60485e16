//! One machine alone with the test, which plays all the others: says a thing, sees every output.
//!
//! It is no driver to be shared with the simulator: a test looks at each write before it is reported and at each
//! message before it leaves, in the words of [`Said`].

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Committed, Event, LogIndex, Message, RECORD_HEADER_BYTES_MAX, ReadOutcome, Ready, Role, Ticket,
    Transmit,
};

use super::Machine;
use super::past::Past;
use super::said::pair;
pub use super::said::{Run, Said, ack, append, chunk, hollow, reject};

/// Everything that came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// (to, term, what), in the order of sending.
    pub sent: Vec<(u64, u32, Said)>,
    pub applied: Vec<u64>,
    pub snapshots: Vec<u64>,
    pub events: Vec<Event>,
    pub writes: usize,
}

impl Outcome {
    pub fn to(&self, to: u64) -> Vec<Said> {
        let sent = self.sent.iter().filter(|(id, _, _)| *id == to);
        sent.map(|(_, _, said)| said.clone()).collect()
    }

    pub fn dropped(&self) -> Option<raft_core::DropReason> {
        self.events.iter().find_map(|event| match event {
            Event::Dropped { reason, .. } => Some(*reason),
            _ => None,
        })
    }

    pub fn is_silent(&self) -> bool {
        *self == Outcome::default()
    }
}

/// One machine and its medium.
#[derive(Clone)]
pub struct Solo {
    pub raft: Machine,
    pub now: Instant,
    pub id: u64,
    /// What a follower played by the test says of its room.
    pub room: u32,
    pub journal: Vec<Vec<u8>>,
    pub past: Past,
}

impl Past {
    /// The node as it comes back, its first write done, nobody sticky any more.
    pub fn start(self) -> Solo {
        let mut solo = self.restart();
        solo.drain();
        solo.pass(100);
        solo
    }

    /// The node at the moment of its restart.
    pub fn restart(self) -> Solo {
        let now = Instant::from_micros(1_000_000);
        Solo {
            raft: self.restore(self.id, now),
            now,
            id: self.id,
            room: u32::MAX,
            journal: vec![self.record()],
            past: self,
        }
    }

    /// The node leading in the term after its own, first entry durable here alone.
    pub fn lead(self) -> Solo {
        let mut solo = self.start();
        solo.win();
        solo
    }

    /// The node leading, everything replicated and committed by all.
    pub fn establish(self) -> Solo {
        let mut solo = self.lead();
        solo.level();
        solo
    }
}

impl Solo {
    pub fn term(&self) -> u32 {
        self.raft.term().value()
    }

    pub fn last(&self) -> (u64, u32) {
        pair(self.raft.last())
    }

    pub fn commit(&self) -> u64 {
        self.raft.commit().value()
    }

    pub fn durable(&self) -> u64 {
        self.raft.durable().value()
    }

    /// The terms of the log in the window.
    pub fn terms(&self) -> Vec<u32> {
        let range = self.raft.base().index.value() + 1..=self.last().0;
        let entry = |index| {
            self.raft
                .entry(LogIndex::new(index))
                .expect("in the window")
        };
        range.map(|index| entry(index).id.term.value()).collect()
    }

    pub fn peers(&self) -> Vec<u64> {
        let nodes = self.raft.members().map(|seat| seat.identity.node.value());
        nodes.filter(|node| *node != self.id).collect()
    }

    pub fn vote(&self) -> Option<u64> {
        self.raft.hard_state().vote.map(|vote| vote.node.value())
    }

    /// Time passes and the machine does not know yet.
    pub fn pass(&mut self, millis: u64) {
        self.now = self.now.saturating_add(Duration::from_millis(millis));
    }

    /// Time passes and the machine is told; nothing is drained.
    pub fn tick(&mut self, millis: u64) {
        self.pass(millis);
        self.raft.handle_timeout(self.now).expect("never faulted");
    }

    /// Wakes the machine exactly when it wants to be woken.
    pub fn wake(&mut self) {
        let when = self.raft.poll_timeout().expect("a timer is set");
        self.now = self.now.max(when);
        self.raft.handle_timeout(self.now).expect("never faulted");
    }

    /// A message arrives; nothing is drained.
    pub fn hear(&mut self, from: u64, term: u32, said: &Said) {
        let (now, room) = (self.now, self.room);
        said.with(from, term, room, |message| self.take(now, from, message));
    }

    pub fn take(&mut self, now: Instant, from: u64, message: Message<'_>) {
        let piece = self.raft.handle_message(now, NodeId::new(from), message);
        if let Some(piece) = piece.expect("never faulted") {
            let receipt = piece.into_receipt();
            self.raft
                .handle_stored(now, receipt)
                .expect("never faulted");
        }
        self.check();
    }

    /// A message arrives, and everything that follows.
    pub fn say(&mut self, from: u64, term: u32, said: Said) -> Outcome {
        self.hear(from, term, &said);
        self.drain()
    }

    pub fn check(&self) {
        if let Err(law) = self.raft.check_invariants() {
            panic!("{law}\n{:#?}", self.raft);
        }
    }

    /// Begins a write, of which the medium does not report yet.
    pub fn take_write(&mut self) -> Option<(Ticket, Vec<u8>)> {
        let write = self.raft.poll_persist()?;
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        Some((write.into_ticket(), record))
    }

    pub fn finish_write(&mut self, (ticket, record): (Ticket, Vec<u8>)) {
        self.journal.push(record);
        self.raft
            .handle_persisted(self.now, ticket)
            .expect("our own ticket");
        self.check();
    }

    pub fn store(&mut self) -> bool {
        let write = self.take_write();
        let is_some = write.is_some();
        if let Some(write) = write {
            self.finish_write(write);
        }
        is_some
    }

    pub fn sends(&mut self) -> Vec<(u64, u32, Said)> {
        let mut sent = Vec::new();
        while let Some(Transmit { to, message }) = self.raft.poll_transmit(self.now, Ready::All) {
            sent.push((to.value(), message.term.value(), Said::of(&message)));
            assert!(sent.len() < 10_000, "sending does not end");
        }
        sent
    }

    /// The reads that have ended.
    pub fn ended(&mut self) -> Vec<ReadOutcome> {
        std::iter::from_fn(|| self.raft.poll_read()).collect()
    }

    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.raft.poll_event()).collect()
    }

    /// What a driver does after every input.
    pub fn drain(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        loop {
            let stored = self.store();
            outcome.writes += usize::from(stored);
            let sent = self.sends();
            let is_over = !stored && sent.is_empty();
            outcome.sent.extend(sent);
            if is_over {
                break;
            }
        }
        while let Some(committed) = self.raft.poll_committed() {
            match committed {
                Committed::Command(entry) => outcome.applied.push(entry.id.index.value()),
                Committed::Snapshot(snapshot) => {
                    outcome.snapshots.push(snapshot.last.index.value());
                }
            }
        }
        outcome.events = self.events();
        self.check();
        outcome
    }

    /// Crashes: only what was stored stays. A write in progress is lost.
    pub fn crash(&mut self) {
        let mut recovered = raft_core::Recovered::new(vec![0; self.past.window]).expect("window");
        for record in &self.journal {
            recovered.replay(record).expect("our own records");
        }
        let applied = recovered.snapshot().last.index;
        let seed = self.now.as_micros() ^ 0x5eed;
        let raft = Machine::restore(self.past.config(), recovered, applied, seed, self.now);
        self.raft = raft.expect("what was stored can be restored");
    }

    /// Asks for pre-votes, without an answer yet.
    pub fn stand(&mut self) -> u32 {
        if self.raft.role() == Role::Candidate {
            // It waits for its timeout before it tries again.
            self.pass(400);
            self.tick(0);
        } else {
            self.raft.campaign(self.now).expect("never faulted");
            if self.raft.role() != Role::PreCandidate {
                // It has just heard from a leader, or come back, and waits.
                self.pass(100);
                self.raft.campaign(self.now).expect("never faulted");
            }
        }
        self.drain();
        assert_eq!(self.raft.role(), Role::PreCandidate);
        self.attempt()
    }

    /// The attempt that this pre-candidate names.
    pub fn attempt(&self) -> u32 {
        let mut copy = self.clone();
        copy.tick(20);
        let sent = copy.sends();
        sent.iter()
            .find_map(|(_, _, said)| match said {
                Said::PreVote { attempt, .. } => Some(*attempt),
                _ => None,
            })
            .expect("it asks again")
    }

    /// Everybody would vote for this node: it asks for votes.
    pub fn run_for_office(&mut self) -> Outcome {
        let attempt = self.stand();
        let (term, mut outcome) = (self.term(), Outcome::default());
        for peer in self.peers() {
            if self.raft.role() == Role::PreCandidate {
                let granted = true;
                outcome = self.say(peer, term, Said::PreVoteReply { attempt, granted });
            }
        }
        assert_eq!(self.raft.role(), Role::Candidate);
        outcome
    }

    /// Wins an election; returns what it then sends.
    pub fn win(&mut self) -> Outcome {
        if self.peers().is_empty() {
            self.raft.campaign(self.now).expect("never faulted");
            let outcome = self.drain();
            assert!(self.raft.is_leader());
            return outcome;
        }
        self.run_for_office();
        let (term, mut outcome) = (self.term(), Outcome::default());
        for peer in self.peers() {
            if self.raft.role() == Role::Candidate {
                outcome = self.say(peer, term, Said::VoteReply(true));
            }
        }
        assert!(self.raft.is_leader());
        outcome
    }

    /// Every follower has everything.
    pub fn level(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..3 {
            for peer in self.peers() {
                let (last, term) = (self.last().0, self.term());
                outcome = self.say(peer, term, ack(last, 1));
            }
        }
        assert_eq!(self.commit(), self.last().0);
        outcome
    }
}

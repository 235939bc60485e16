use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use quorum::NodeId;
use raft_core::{Config, Raft, ReadFailure};

use super::*;
use crate::engine::Machine;
use crate::operation::{Answer, Change, Condition, Expiry, Operation};
use crate::outbox::Outbox;
use crate::resp::Protocol;
use crate::resp::decode::{Decoder, Limits};

/// Reads of one client, the map they see, and somebody who draws tickets.
struct Rig {
    reads: Reads,
    store: Store,
    outbox: Rc<Outbox>,
    machine: Machine,
}

const TERM: Term = Term::new(3);

impl Rig {
    fn new() -> Self {
        let config = Config::builder(NodeId::new(1)).build().unwrap();
        let mut machine: Machine = Raft::found(config, vec![0; 4096], 7, Instant::ZERO).unwrap();
        machine.campaign(Instant::ZERO).unwrap();
        let ticket = machine.poll_persist().unwrap().into_ticket();
        machine.handle_persisted(Instant::ZERO, ticket).unwrap();
        assert!(machine.is_leader());
        Rig {
            reads: Reads::default(),
            store: Store::default(),
            outbox: Rc::default(),
            machine,
        }
    }

    /// The client reads the key; the log ends at `position`.
    fn read(&mut self, position: u64) {
        self.read_in(TERM, position);
    }

    fn read_in(&mut self, term: Term, position: u64) {
        let mut decoder = Decoder::new(Limits::TRUSTED);
        let args = decoder.decode(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n").unwrap();
        let args = args.unwrap().args.to_owned();
        let asker = Asker {
            place: self.outbox.reserve(0),
            outbox: Rc::clone(&self.outbox),
            protocol: Protocol::Resp2,
        };
        self.reads.park(LogIndex::new(position), term, args, asker);
    }

    /// A ticket for all reads that want one.
    fn ask(&mut self) -> ReadTicket {
        assert!(self.reads.want_ticket());
        let ticket = self.machine.read(Instant::ZERO).unwrap();
        self.reads.ask(ticket);
        assert!(!self.reads.want_ticket());
        ticket
    }

    fn ready(&mut self, ticket: ReadTicket, valid_until: Option<u64>) {
        self.reads.hear(&ReadOutcome::Ready {
            ticket,
            index: LogIndex::ZERO,
            valid_until: valid_until.map(Instant::from_micros),
        });
    }

    /// Applies an entry that writes its index.
    fn apply(&mut self, index: u64) {
        self.apply_of(TERM, index);
    }

    fn apply_of(&mut self, term: Term, index: u64) {
        let id = EntryId::new(LogIndex::new(index), term);
        self.reads.answer_before(id, &self.store);
        let value = index.to_string();
        let change = Change::Set {
            key: b"a",
            value: value.as_bytes(),
            condition: Condition::Always,
            expiry: Expiry::Never,
            answer: Answer::Status,
        };
        let stamp = Timestamp::now();
        self.store.apply(&Operation { stamp, change });
    }

    fn answer(&mut self, applied: u64, now: u64) {
        let (applied, now) = (LogIndex::new(applied), Instant::from_micros(now));
        self.reads.answer_proven(applied, now, &self.store);
    }

    /// What the client has got since it was last asked: values, and the first words of errors.
    fn answers(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let done = self.outbox.poll_send(&mut context, |_, bytes| {
            all.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        });
        assert!(matches!(done, Poll::Ready(Ok(()))));
        let text = String::from_utf8(all).unwrap();
        let is_length = |line: &&str| line.starts_with('$') && *line != "$-1";
        let lines = text.lines().filter(|line| !is_length(line));
        let words = lines.map(|line| line.split(' ').next().unwrap_or_default());
        words.map(str::to_owned).collect()
    }
}

const NOBODY: [&str; 0] = [];

#[test]
fn a_read_waits_for_its_proof_and_for_what_was_in_the_log() {
    let mut rig = Rig::new();
    rig.apply(4);
    rig.read(5);
    let ticket = rig.ask();
    rig.answer(5, 0);
    assert_eq!(rig.answers(), NOBODY, "without proof");
    rig.ready(ticket, None);
    rig.answer(4, 0);
    assert_eq!(rig.answers(), NOBODY, "before its entries are applied");
    rig.apply(5);
    rig.answer(5, 0);
    assert_eq!(rig.answers(), ["5"]);
    assert!(rig.reads.is_empty());
}

#[test]
fn a_ticket_says_nothing_of_reads_that_came_after_it() {
    let mut rig = Rig::new();
    rig.read(5);
    let first = rig.ask();
    rig.read(5);
    let second = rig.ask();
    rig.read(5);
    rig.ready(first, None);
    rig.answer(5, 0);
    assert_eq!(rig.answers(), ["$-1"]);
    rig.ready(second, None);
    rig.answer(5, 0);
    assert_eq!(rig.answers(), ["$-1"]);
    assert!(rig.reads.want_ticket());
}

#[test]
fn a_later_entry_of_this_leader_proves_a_read_and_is_not_seen_by_it() {
    let mut rig = Rig::new();
    rig.read(5);
    rig.read(6);
    rig.apply(5);
    assert_eq!(rig.answers(), NOBODY, "before its entries are applied");
    rig.apply(6);
    assert_eq!(rig.answers(), ["5"]);
    // The ticket of what is answered already answers nothing else.
    let ticket = rig.ask();
    rig.read(6);
    rig.ready(ticket, None);
    rig.apply(7);
    assert_eq!(rig.answers(), ["6", "6"]);
    assert!(rig.reads.is_empty() && !rig.reads.want_ticket());
    rig.read(7);
    rig.answer(7, 0);
    assert_eq!(rig.answers(), NOBODY, "of a read that nobody has proved");
}

#[test]
fn a_lease_that_has_ended_answers_nothing() {
    let mut rig = Rig::new();
    rig.read(5);
    let ticket = rig.ask();
    rig.ready(ticket, Some(100));
    rig.answer(4, 50);
    rig.answer(5, 100);
    assert_eq!(rig.answers(), NOBODY);
    let ticket = rig.ask();
    rig.ready(ticket, Some(200));
    rig.answer(5, 199);
    assert_eq!(rig.answers(), ["$-1"]);
}

#[test]
fn a_read_whose_ticket_failed_is_asked_for_again() {
    let mut rig = Rig::new();
    rig.read(5);
    let first = rig.ask();
    rig.read(5);
    let second = rig.ask();
    rig.ready(second, None);
    let reason = ReadFailure::TimedOut;
    let ticket = first;
    rig.reads.hear(&ReadOutcome::Failed { ticket, reason });
    // The later one proves the earlier read, too.
    assert!(!rig.reads.want_ticket());
    rig.answer(5, 0);
    assert_eq!(rig.answers(), ["$-1", "$-1"]);
    rig.read(5);
    let ticket = rig.ask();
    rig.reads.hear(&ReadOutcome::Failed { ticket, reason });
    let ticket = rig.ask();
    // Heard of for the second time, or when nobody asks any more.
    rig.reads.refuse("-ERR");
    rig.ready(ticket, None);
    rig.read(5);
    rig.answer(5, 0);
    assert!(rig.reads.want_ticket());
}

#[test]
fn the_entry_of_another_leader_proves_nothing() {
    let mut rig = Rig::new();
    rig.read(5);
    rig.apply_of(TERM.next().unwrap(), 6);
    rig.answer(6, 0);
    assert_eq!(rig.answers(), NOBODY);
}

#[test]
fn what_is_left_of_an_earlier_term_is_not_answered_by_tickets_of_this_one() {
    let mut rig = Rig::new();
    rig.read(5);
    let early = rig.ask();
    let next = TERM.next().unwrap();
    rig.read_in(next, 9);
    assert_eq!(rig.answers(), ["-TRYAGAIN"]);
    // Nor what came in this one by those of the earlier.
    rig.ready(early, None);
    rig.answer(9, 0);
    assert_eq!(rig.answers(), NOBODY);
    let ticket = rig.ask();
    rig.ready(ticket, None);
    rig.answer(9, 0);
    assert_eq!(rig.answers(), ["$-1"]);
}

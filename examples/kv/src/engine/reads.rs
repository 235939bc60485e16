//! Reads that wait for proof that this node still leads.
//!
//! A leader that was replaced does not know it at once, and would answer with old values. There are three proofs
//! that nobody has replaced it since a read came, and the first to be had answers the read:
//!
//! - [`Raft::read`](raft_core::Raft::read): a quorum acknowledges a contact that began after the read came. One ticket
//!   stands for all reads of a turn of the engine, and nothing is written.
//! - The same under a lease, if the operator declares how far clocks drift: at once, by the clock.
//! - An entry is committed that this leader proposed after the read came: under many writes that is there earlier.
//!
//! A read sees exactly what was in the log when it came, and is answered before the first entry is applied that
//! came after it: a `GET` behind a `SET` on a connection sees it, one before it does not.

use std::collections::VecDeque;

use clocks::Instant;
use raft_core::{EntryId, LogIndex, ReadOutcome, ReadTicket, Term};

use super::Asker;
use crate::answer;
use crate::command::{self, Command};
use crate::resp::decode::OwnedArgs;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// The reads in the order in which they came, all in one term.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: VecDeque<Waiting>,
    term: Term,
    /// How many were answered or sent away; those that wait are numbered from here on.
    gone: u64,
    /// All before this number have been asked about.
    asked: u64,
    questions: VecDeque<Question>,
    /// All before this number may be answered, under a lease only until that ends.
    proven: u64,
    lease_end: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    /// The last entry of the log when it came.
    position: LogIndex,
    args: OwnedArgs,
    asker: Asker,
}

/// A ticket for all reads before a number.
#[derive(Debug)]
struct Question {
    ticket: ReadTicket,
    end: u64,
}

impl Reads {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The term in which they came.
    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// Keeps a read that came when the log ended at `position`.
    pub(super) fn park(&mut self, position: LogIndex, term: Term, args: OwnedArgs, asker: Asker) {
        if term != self.term {
            // No proof of this term says anything of them.
            self.refuse("TRYAGAIN this node lost the leadership meanwhile");
        }
        self.term = term;
        self.waiting.push_back(Waiting {
            position,
            args,
            asker,
        });
    }

    /// Whether some of them need a ticket.
    pub(super) fn want_ticket(&self) -> bool {
        self.asked < self.end()
    }

    fn end(&self) -> u64 {
        self.gone + self.waiting.len() as u64
    }

    /// A ticket that was drawn just now stands for all of them.
    pub(super) fn ask(&mut self, ticket: ReadTicket) {
        self.asked = self.end();
        let end = self.asked;
        self.questions.push_back(Question { ticket, end });
    }

    /// A ticket has come to its end.
    pub(super) fn hear(&mut self, outcome: &ReadOutcome) {
        let is_it = |question: &Question| question.ticket == outcome.ticket();
        let Some(place) = self.questions.iter().position(is_it) else {
            return;
        };
        let Some(Question { end, .. }) = self.questions.remove(place) else {
            return;
        };
        match *outcome {
            ReadOutcome::Ready { valid_until, .. } if end >= self.proven => {
                self.proven = end;
                self.lease_end = valid_until;
            }
            // A later one has proved more.
            ReadOutcome::Ready { .. } => {}
            // Another contact may succeed; whether this node still leads is decided elsewhere.
            ReadOutcome::Failed { .. } => self.asked = self.proven.max(self.gone),
        }
    }

    /// The entry `next` is about to be applied: if it is this leader's it proves the reads before it.
    pub(super) fn answer_before(&mut self, next: EntryId, store: &Store) {
        if next.term != self.term || self.waiting.is_empty() {
            return;
        }
        let mut answers = Answers::new(store);
        while let Some(read) = self.take_if(|read, _| read.position < next.index) {
            answers.give(read);
        }
    }

    /// Answers those that are proven and whose entries are applied, at the time `now`. It has to be a time after
    /// all that is applied was applied; until the next entry is, what is read is the state of that time.
    pub(super) fn answer_proven(&mut self, applied: LogIndex, now: Instant, store: &Store) {
        if self.waiting.is_empty() || self.proven <= self.gone {
            return;
        }
        if self.lease_end.is_some_and(|end| now >= end) {
            // Too late for those that are left.
            (self.proven, self.asked, self.lease_end) = (self.gone, self.gone, None);
            return;
        }
        let proven = self.proven;
        let mut answers = Answers::new(store);
        while let Some(read) =
            self.take_if(|read, number| number < proven && read.position <= applied)
        {
            answers.give(read);
        }
    }

    fn take_if(&mut self, may: impl Fn(&Waiting, u64) -> bool) -> Option<Waiting> {
        let gone = self.gone;
        let read = self.waiting.pop_front_if(|read| may(read, gone))?;
        self.gone += 1;
        self.asked = self.asked.max(self.gone);
        Some(read)
    }

    /// Sends all of them away.
    pub(super) fn refuse(&mut self, text: &str) {
        while let Some(Waiting { asker, .. }) = self.take_if(|_, _| true) {
            asker.refuse(text);
        }
        self.questions.clear();
    }
}

/// Answers that see the map at one time.
struct Answers<'a> {
    store: &'a Store,
    now: Option<Timestamp>,
}

impl<'a> Answers<'a> {
    fn new(store: &'a Store) -> Self {
        Answers { store, now: None }
    }

    fn give(&mut self, Waiting { args, asker, .. }: Waiting) {
        // It was understood before; only its words were kept.
        let Ok(Command::Read(read)) = command::parse(args.args()) else {
            asker.refuse("ERR not a read");
            return;
        };
        let now = *self.now.get_or_insert_with(Timestamp::now);
        asker.outbox.fill(asker.place, asker.protocol, |encoder| {
            answer::read(self.store, &read, now, encoder);
        });
    }
}

#[cfg(test)]
mod tests;

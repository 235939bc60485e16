//! Writes that wait for their entry.
//!
//! A write is decided when an entry is applied at its index: with its term, it is this write, and it has
//! taken place; with another term, another leader's entry stands in its place, and it never will. That an
//! entry was overwritten on this node alone decides nothing, since a third node may still have it and lead
//! later: then nobody can say, and the client is told that.

use std::collections::VecDeque;
use std::time::Instant as Clock;

use prometheus::Histogram;
use raft_core::{EntryId, LogIndex};

use super::Asker;
use crate::answer;
use crate::store::Outcome;

const UNCERTAIN: &str =
    "UNCERTAIN the leadership was lost before the write was decided; it may or may not take place";

/// The writes in the order of their entries.
#[derive(Debug)]
pub(super) struct Pending {
    writes: VecDeque<Waiting>,
    overwritten: Vec<Asker>,
    commit_time: Histogram,
}

#[derive(Debug)]
struct Waiting {
    id: EntryId,
    asker: Asker,
    since: Clock,
}

impl Pending {
    pub(super) fn new(commit_time: Histogram) -> Self {
        Self {
            writes: VecDeque::new(),
            overwritten: Vec::new(),
            commit_time,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub(super) fn push(&mut self, id: EntryId, asker: Asker) {
        // What stood at this index or beyond was overwritten on this node before.
        self.lose(id.index);
        let since = Clock::now();
        self.writes.push_back(Waiting { id, asker, since });
    }

    /// The entry `id` is applied and came to this.
    pub(super) fn answer(&mut self, id: EntryId, outcome: &Outcome) {
        if let Some(Waiting { asker, since, .. }) = self.decide(id) {
            self.commit_time.observe(since.elapsed().as_secs_f64());
            asker.outbox.fill(asker.place, asker.protocol, |encoder| {
                answer::write(outcome, encoder);
            });
        }
    }

    /// The entry `id` is applied and is no write.
    pub(super) fn pass(&mut self, id: EntryId) {
        self.decide(id);
    }

    /// The entry `id` is committed. Whose it is, if anybody's here.
    fn decide(&mut self, id: EntryId) -> Option<Waiting> {
        while let Some(front) = self.writes.front() {
            if front.id.index > id.index {
                return None;
            }
            let write = self.writes.pop_front()?;
            if write.id == id {
                return Some(write);
            }
            // No write was applied at its index, or another one is.
            self.overwritten.push(write.asker);
        }
        None
    }

    /// Gives up those at `from` and beyond: they may take place or not.
    pub(super) fn lose(&mut self, from: LogIndex) {
        while let Some(write) = self.writes.pop_back() {
            if write.id.index < from {
                self.writes.push_back(write);
                return;
            }
            write.asker.refuse(UNCERTAIN);
        }
    }

    /// A snapshot has everything up to `last`; what became of single entries is not known any more.
    pub(super) fn skip_to(&mut self, last: LogIndex) {
        let is_over = |write: &Waiting| write.id.index <= last;
        while self.writes.front().is_some_and(is_over) {
            if let Some(write) = self.writes.pop_front() {
                write.asker.refuse(UNCERTAIN);
            }
        }
    }

    /// Those that have not taken place.
    pub(super) fn take_overwritten(&mut self) -> Option<Vec<Asker>> {
        (!self.overwritten.is_empty()).then(|| core::mem::take(&mut self.overwritten))
    }
}

//! Writes that wait for their entry.
//!
//! A write is decided when an entry is applied at its index: with its term, it is this write, and it has
//! taken place; with another term, another leader's entry stands in its place, and it never will. That an
//! entry was overwritten on this node alone decides nothing, since a third node may still have it and lead
//! later: then nobody can say, and the client is told that.

use std::collections::VecDeque;
use std::time::{Duration, Instant as Clock};

use prometheus::Histogram;
use raft_core::{EntryId, LogIndex, Term};

use super::Asker;
use crate::answer;
use crate::store::Outcome;

/// How long writes wait to hear from a new leader after this node lost the leadership.
const UNCERTAIN_DELAY: Duration = Duration::from_secs(5);

const UNCERTAIN: &str =
    "UNCERTAIN the leadership was lost before the write was decided; it may or may not take place";

/// The writes in the order of their entries.
#[derive(Debug)]
pub(super) struct Pending {
    writes: VecDeque<Waiting>,
    overwritten: Vec<Asker>,
    /// Since when there have been some whose leadership is over.
    lost_at: Option<Clock>,
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
            lost_at: None,
            commit_time,
        }
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

    /// When those whose leadership is over are given up.
    pub(super) fn deadline(&self) -> Option<Clock> {
        self.lost_at.map(|at| at + UNCERTAIN_DELAY)
    }

    /// Gives up those whose leadership has been over for too long; `led` is the term in which this node
    /// leads, if it does. That it leads again decides nothing: what it has of them may be overwritten, and
    /// the log not as long again as it was.
    pub(super) fn settle(&mut self, led: Option<Term>, now: Clock) {
        let is_lost = |write: &Waiting| Some(write.id.term) != led;
        if !self.writes.front().is_some_and(is_lost) {
            self.lost_at = None;
            return;
        }
        let lost_at = *self.lost_at.get_or_insert(now);
        if now.saturating_duration_since(lost_at) < UNCERTAIN_DELAY {
            return;
        }
        self.lost_at = None;
        while self.writes.front().is_some_and(is_lost) {
            if let Some(write) = self.writes.pop_front() {
                write.asker.refuse(UNCERTAIN);
            }
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::metrics::Metrics;
    use crate::outbox::Outbox;
    use crate::resp::Protocol;

    const PAST: Duration = UNCERTAIN_DELAY;

    fn push(pending: &mut Pending, term: u32, index: u64) -> Rc<Outbox> {
        let outbox = Rc::<Outbox>::default();
        let asker = Asker {
            place: outbox.reserve(0),
            outbox: Rc::clone(&outbox),
            protocol: Protocol::Resp2,
        };
        let id = EntryId {
            term: Term::new(term),
            index: LogIndex::new(index),
        };
        pending.push(id, asker);
        outbox
    }

    #[test]
    fn a_node_that_leads_again_gives_up_the_writes_of_its_earlier_office_alone() {
        let mut pending = Pending::new(Metrics::new().unwrap().commit_time);
        let earlier = push(&mut pending, 1, 7);
        let start = Clock::now();
        pending.settle(Some(Term::new(1)), start);
        assert_eq!(pending.deadline(), None, "the leader of their term decides");
        pending.settle(None, start);
        // It leads again before the others were to be given up, and the group is idle.
        let later = push(&mut pending, 3, 9);
        pending.settle(Some(Term::new(3)), start + PAST / 2);
        assert_eq!(pending.deadline(), Some(start + PAST));
        assert_eq!(earlier.waiting(), 1);
        pending.settle(Some(Term::new(3)), start + PAST);
        assert_eq!((earlier.waiting(), later.waiting()), (0, 1));
        assert_eq!(pending.deadline(), None);
        // It loses this office too.
        pending.settle(None, start + PAST);
        pending.settle(None, start + PAST * 2);
        assert_eq!(later.waiting(), 0);
    }
}

//! Reads that wait for their outcome: tickets, and the few records that many tickets share.
//!
//! A read without a log entry has two parts, `[Ongaro14 §6.4]`: somebody makes sure that this
//! leader is still the leader, and the state machine gets as far as the commit was. Whoever asks
//! holds a [`ReadTicket`] meanwhile.
//!
//! A record per read would be a queue, which overflows. But reads that come while the same
//! question is open get the same answer, so they share a record: the numbers of its tickets, one
//! after the other, and what they wait for. The last record takes in whoever comes until its
//! question has left this node; then the next begins. Three records serve any number of tickets.
//!
//! Bounds: [`BATCHES`] records. `Full` is possible only if outcomes are not fetched, or the
//! state machine lags behind.

use clocks::Instant;
use heapless::Vec;

use crate::canonical::Form;
use crate::error::Fault;
use crate::types::{LogIndex, Round};

/// Names one read: made by the machine, never used twice, not even by two lives of a node (which
/// draw their seeds anew).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "poll_read tells by it which read is ready"]
pub struct ReadTicket {
    nonce: u64,
    number: u64,
}

/// How a read ended: each ticket ends once, in one of the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadOutcome {
    /// Answer it now, from a state that contains the effect of `index`.
    Ready {
        /// Which read.
        ticket: ReadTicket,
        /// Everything up to here was handed over by [`poll_committed`](crate::Raft::poll_committed).
        index: LogIndex,
        /// Answered under a lease: look at the clock again *after* reading the state, and answer
        /// only if it shows an earlier time than this; otherwise ask again. Without a lease the
        /// answer does not depend on any clock.
        valid_until: Option<Instant>,
    },
    /// Nothing is known of it: ask again, here or at the leader.
    Failed {
        /// Which read.
        ticket: ReadTicket,
        /// Why.
        reason: ReadFailure,
    },
}

impl ReadOutcome {
    /// The read that ended.
    pub const fn ticket(&self) -> ReadTicket {
        match self {
            ReadOutcome::Ready { ticket, .. } | ReadOutcome::Failed { ticket, .. } => *ticket,
        }
    }
}

/// Why a read failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ReadFailure {
    /// The leader that was asked is not known to lead any more: ask again when there is one.
    LeaderChanged,
    /// No answer within the longest election timeout, or the state machine did not get so far.
    TimedOut,
    /// The node has become a witness, which has no state to read: ask another member.
    Witness,
    /// The node has stopped for good.
    Faulted(Fault),
}

/// How many records there are: two questions under way and a third that takes in reads.
pub(crate) const BATCHES: usize = 3;

/// What the tickets of a record wait for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Stage {
    /// Nothing has left this node for them: more can join.
    Gathering,
    /// On a leader: that a quorum acknowledges this round. Its commit was `index` before the round
    /// left.
    Round { round: Round, index: LogIndex },
    /// On a follower: the leader's answer.
    Asked,
    /// That this index is delivered.
    Confirmed {
        index: LogIndex,
        valid_until: Option<Instant>,
    },
    /// That somebody fetches this.
    Failed(ReadFailure),
}

/// Tickets with consecutive numbers that wait for the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Batch {
    pub(crate) first: u64,
    pub(crate) count: u32,
    /// When they have waited long enough.
    pub(crate) deadline: Instant,
    pub(crate) stage: Stage,
}

/// All reads of a node that were not fetched yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Reads {
    batches: Vec<Batch, BATCHES, u8>,
    next: u64,
    /// On a leader: something waits for a round, of this node or of a member.
    pub(crate) is_waiting: bool,
    /// On a follower: the leader is to be asked.
    pub(crate) ask_due: bool,
    /// A contact counts for a lease only if it was later: until then the clock ran back.
    pub(crate) lease_after: Instant,
}

impl Batch {
    /// The number after its last ticket's.
    pub(crate) fn end(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count))
    }

    /// Whether it waits for somebody else than the driver.
    fn is_open(&self, delivered: LogIndex) -> bool {
        match self.stage {
            Stage::Gathering | Stage::Round { .. } | Stage::Asked => true,
            Stage::Confirmed { index, .. } => delivered < index,
            Stage::Failed(_) => false,
        }
    }

    /// Takes the tickets after its own, if that delays nobody's outcome beyond its end.
    fn absorb(&mut self, later: &Batch) -> bool {
        let is_next = self.end() == later.first;
        let (true, Some(count)) = (is_next, self.count.checked_add(later.count)) else {
            return false;
        };
        let stage = match (self.stage, later.stage) {
            (
                Stage::Confirmed { index, valid_until },
                Stage::Confirmed {
                    index: later,
                    valid_until: until,
                },
            ) if valid_until.is_some() == until.is_some() => Stage::Confirmed {
                index: index.max(later),
                valid_until: valid_until.min(until),
            },
            (Stage::Failed(reason), Stage::Failed(other)) if reason == other => self.stage,
            _ => return false,
        };
        self.count = count;
        self.deadline = self.deadline.min(later.deadline);
        self.stage = stage;
        true
    }
}

impl Reads {
    pub(crate) const fn new() -> Self {
        Reads {
            batches: Vec::new(),
            next: 0,
            is_waiting: false,
            ask_due: false,
            lease_after: Instant::ZERO,
        }
    }

    pub(crate) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    pub(crate) fn batches_mut(&mut self) -> &mut [Batch] {
        &mut self.batches
    }

    /// Whether another read can come: there is a place, or can be made, or it joins what gathers.
    pub(crate) fn reserve(&mut self) -> bool {
        if !self.is_full() || self.is_gathering() {
            return true;
        }
        // The last two that can: what the first waits for is never put off, so that it comes.
        for place in (1..self.batches.len()).rev() {
            let later = self.batches.get(place).copied();
            let earlier = place.checked_sub(1).and_then(|at| self.batches.get_mut(at));
            if let (Some(earlier), Some(later)) = (earlier, later)
                && earlier.absorb(&later)
            {
                self.batches.remove(place);
                return true;
            }
        }
        false
    }

    fn is_gathering(&self) -> bool {
        self.last_waits_for(Stage::Gathering)
    }

    /// Whether the next ticket may join the last record: it waits for this, and its numbers end
    /// where the next one begins. They do not if a later record was fetched before it.
    fn last_waits_for(&self, stage: Stage) -> bool {
        self.batches.last().is_some_and(|last| {
            last.stage == stage && last.end() == self.next && last.count < u32::MAX
        })
    }

    /// Nobody has been asked about this round yet: more can join what waits for it.
    pub(crate) fn regather(&mut self, unhanded: Round) {
        if let Some(last) = self.batches.last_mut()
            && let Stage::Round { round, .. } = last.stage
            && round == unhanded
            && last.end() == self.next
        {
            last.stage = Stage::Gathering;
        }
    }

    /// The next ticket: of the last record if that waits for the same, else of a new one.
    pub(crate) fn add(
        &mut self,
        nonce: u64,
        stage: Stage,
        deadline: Instant,
    ) -> Option<ReadTicket> {
        let number = self.next;
        let can_join = self.last_waits_for(stage);
        match self.batches.last_mut() {
            Some(last) if can_join => {
                last.count = last.count.saturating_add(1);
                // A configuration that came since may wait for a shorter time.
                last.deadline = last.deadline.min(deadline);
            }
            Some(_) | None => {
                let batch = Batch {
                    first: number,
                    count: 1,
                    deadline,
                    stage,
                };
                self.batches.push(batch).ok()?;
            }
        }
        self.next = number.saturating_add(1);
        Some(ReadTicket { nonce, number })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.batches.is_full()
    }

    /// Whether there is a place besides, or will be when outcomes are fetched. Otherwise what
    /// gathers in the last place goes on gathering, so that whoever comes finds a record to join.
    pub(crate) fn has_place(&self, delivered: LogIndex) -> bool {
        !self.is_full() || self.batches.iter().any(|batch| !batch.is_open(delivered))
    }

    /// Ends what waits for a leader; what is confirmed stays so.
    pub(crate) fn fail_unconfirmed(&mut self, reason: ReadFailure) {
        for batch in &mut self.batches {
            match batch.stage {
                Stage::Gathering | Stage::Round { .. } | Stage::Asked => {
                    batch.stage = Stage::Failed(reason);
                }
                Stage::Confirmed { .. } | Stage::Failed(_) => {}
            }
        }
        (self.is_waiting, self.ask_due) = (false, false);
    }

    /// Ends everything.
    pub(crate) fn fail_all(&mut self, reason: ReadFailure) {
        for batch in &mut self.batches {
            batch.stage = Stage::Failed(reason);
        }
        (self.is_waiting, self.ask_due) = (false, false);
    }

    /// Ends what has waited long enough.
    pub(crate) fn expire(&mut self, now: Instant, delivered: LogIndex) {
        for batch in &mut self.batches {
            if batch.is_open(delivered) && batch.deadline <= now {
                batch.stage = Stage::Failed(ReadFailure::TimedOut);
            }
        }
    }

    /// When the next one has waited long enough.
    pub(crate) fn next_deadline(&self, delivered: LogIndex) -> Option<Instant> {
        let open = self.batches.iter().filter(|batch| batch.is_open(delivered));
        open.map(|batch| batch.deadline).min()
    }

    /// The next outcome.
    pub(crate) fn pop(&mut self, nonce: u64, delivered: LogIndex) -> Option<ReadOutcome> {
        let is_over = |batch: &Batch| !batch.is_open(delivered);
        let place = self.batches.iter().position(is_over)?;
        let batch = self.batches.get_mut(place)?;
        let number = batch.first;
        let ticket = ReadTicket { nonce, number };
        let outcome = match batch.stage {
            Stage::Confirmed { index, valid_until } => ReadOutcome::Ready {
                ticket,
                index,
                valid_until,
            },
            Stage::Failed(reason) => ReadOutcome::Failed { ticket, reason },
            Stage::Gathering | Stage::Round { .. } | Stage::Asked => return None,
        };
        batch.first = number.saturating_add(1);
        batch.count = batch.count.saturating_sub(1);
        if batch.count == 0 {
            self.batches.remove(place);
        }
        Some(outcome)
    }

    /// How many tickets were given.
    pub(crate) const fn issued(&self) -> u64 {
        self.next
    }

    /// How many tickets have no outcome yet, or one that was not fetched.
    pub(crate) fn count(&self) -> u64 {
        let counts = self.batches.iter().map(|batch| u64::from(batch.count));
        counts.fold(0, u64::saturating_add)
    }

    /// What can still be noticed of it. Tickets are numbered anew, but it shows where numbers go on,
    /// and what an answer is compared with. Times are before or after, or durations if it `is_timed`.
    pub(crate) fn canonical(&self, now: Instant, nonce: u64, is_timed: bool, form: &mut Form<'_>) {
        form.flag(self.is_waiting);
        form.flag(self.ask_due);
        form.own_question(nonce, self.next);
        let mut end = None;
        for batch in &self.batches {
            form.put(u64::from(batch.count));
            form.flag(end == Some(batch.first));
            end = Some(batch.end());
            if is_timed {
                form.time(batch.deadline.saturating_since(now));
            } else {
                form.flag(batch.deadline <= now);
            }
            if matches!(batch.stage, Stage::Gathering | Stage::Asked) {
                form.own_question(nonce, batch.first);
            }
            match batch.stage {
                Stage::Gathering => form.put(0),
                Stage::Round { round, index } => {
                    form.put(1);
                    form.round(round);
                    form.index(index);
                }
                Stage::Asked => form.put(2),
                Stage::Confirmed { index, valid_until } => {
                    form.put(3);
                    form.index(index);
                    form.option(valid_until, |form, until| {
                        form.time(until.saturating_since(now));
                    });
                }
                Stage::Failed(reason) => {
                    form.put(4);
                    form.put(match reason {
                        ReadFailure::LeaderChanged => 0,
                        ReadFailure::TimedOut => 1,
                        ReadFailure::Witness => 2,
                        ReadFailure::Faulted(fault) => 3_u64.saturating_add(fault as u64),
                    });
                }
            }
        }
        form.flag(end == Some(self.next));
        form.put(self.batches.len() as u64 | 1 << 63);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: LogIndex = LogIndex::ZERO;

    fn confirmed(index: u64) -> Stage {
        Stage::Confirmed {
            index: LogIndex::new(index),
            valid_until: None,
        }
    }

    #[test]
    fn reads_that_come_together_share_a_record_and_end_one_by_one() {
        let mut reads = Reads::new();
        let ticket = |number| ReadTicket { nonce: 7, number };
        for number in 0..1000 {
            assert!(reads.reserve());
            let made = reads.add(7, Stage::Gathering, Instant::MAX);
            assert_eq!(made, Some(ticket(number)));
        }
        assert_eq!((reads.batches().len(), reads.count()), (1, 1000));
        assert_eq!(reads.pop(7, NONE), None);
        reads.batches_mut()[0].stage = confirmed(3);
        assert_eq!(reads.pop(7, LogIndex::new(2)), None, "not delivered yet");
        for number in 0..1000 {
            let outcome = reads.pop(7, LogIndex::new(3)).expect("one for each");
            assert_eq!(outcome.ticket(), ticket(number));
        }
        assert_eq!((reads.pop(7, LogIndex::new(3)), reads.count()), (None, 0));
    }

    /// Found by hostile input: a configuration of long timeouts gave way to one of short ones
    /// between the two.
    #[test]
    fn read_joined_a_record_that_waits_longer_than_it_may() {
        let mut reads = Reads::new();
        for deadline in [900, 50] {
            let _ = reads.add(7, Stage::Gathering, Instant::from_micros(deadline));
        }
        assert_eq!(reads.next_deadline(NONE), Some(Instant::from_micros(50)));
        reads.expire(Instant::from_micros(50), NONE);
        for _ in 0..2 {
            let reason = ReadFailure::TimedOut;
            let is_failed =
                |outcome| matches!(outcome, ReadOutcome::Failed { reason: it, .. } if it == reason);
            assert!(reads.pop(7, NONE).is_some_and(is_failed));
        }
    }

    /// Found by simulation: what came later had ended before, and the numbers of the record that
    /// was joined did not go on where they had stopped.
    #[test]
    fn record_from_before_one_that_ended_took_in_a_read() {
        let mut reads = Reads::new();
        let _ = reads.add(7, Stage::Gathering, Instant::MAX);
        let _ = reads.add(7, confirmed(1), Instant::MAX);
        let ended = reads.pop(7, LogIndex::new(1)).expect("by lease");
        assert_eq!(ended.ticket().number, 1);
        let ticket = reads.add(7, Stage::Gathering, Instant::MAX);
        assert_eq!(ticket.map(|ticket| ticket.number), Some(2));
        for batch in reads.batches_mut() {
            batch.stage = confirmed(1);
        }
        let ended = [(); 2].map(|()| reads.pop(7, LogIndex::new(1)));
        let numbers = ended.map(|outcome| outcome.map(|outcome| outcome.ticket().number));
        assert_eq!(numbers, [Some(0), Some(2)]);
    }

    #[test]
    fn records_that_say_the_same_make_room_for_another() {
        let mut reads = Reads::new();
        for index in 1..=BATCHES as u64 {
            assert!(reads.reserve());
            let _ = reads.add(7, confirmed(index), Instant::MAX);
        }
        assert!(reads.reserve(), "two of them become one");
        assert_eq!(reads.batches().len(), BATCHES - 1);
        assert_eq!(reads.batches()[0].stage, confirmed(1), "as it was");
        assert_eq!(reads.batches()[1].stage, confirmed(3), "the later index");
        let _ = reads.add(7, Stage::Gathering, Instant::MAX);
        reads.batches_mut()[1].stage = Stage::Failed(ReadFailure::TimedOut);
        assert!(reads.reserve(), "but one may join the last");
        reads.batches_mut()[2].stage = confirmed(3);
        assert!(!reads.reserve(), "nothing alike stands side by side");
    }

    /// Found by reading: as long as more came, the first record's index was put off, beyond what is
    /// delivered, until all of it had waited too long.
    #[test]
    fn first_record_was_put_off_for_as_long_as_reads_came() {
        let mut reads = Reads::new();
        for index in 1..1000 {
            assert!(reads.reserve());
            let _ = reads.add(7, confirmed(index), Instant::MAX);
        }
        let first = reads
            .pop(7, LogIndex::new(1))
            .expect("its index is delivered");
        assert_eq!(first.ticket().number, 0);
    }
}

//! Reads without a log entry: rounds on the leader, questions of the others, leases,
//! `[Ongaro14 §6.4]`.
//!
//! A leader that answers from its own state may have been replaced without knowing it. So it
//! notes its commit, makes contact with the others once more, and answers when a quorum has
//! acknowledged a contact that began after the read came. Asking "did a quorum answer lately?"
//! fails: the answer may be older than the read. So does recognising a read's acknowledgements
//! by a name that the caller chose: names come back. Here a contact is a round of this term, and
//! a read counts on one that had not been handed to anybody when it came; otherwise it waits for
//! the next. No read is answered before an entry of the leader's own term is committed, because
//! the commit may be older than what its predecessor acknowledged; also not in a group of one.
//!
//! A node that does not lead asks the leader for such an index: one question at a time, for all
//! reads that gathered since the last one, repeated until it is answered. The leader keeps one
//! question per member. Whoever does not lead ignores a question, so nothing goes in circles.
//! When another leader is recognised, what waits for the old one fails rather than asks again:
//! the caller knows better than this node whether the read is still wanted.
//!
//! A lease answers at once, `[Ongaro14 §6.4.1]`. Whoever acknowledged a round withholds its vote
//! for the stickiness period after it heard of it, so nobody else can lead until that has passed
//! since the round was opened, on clocks that keep to the declared drift. That holds for whoever
//! has stored something of this log: it knows a configuration, hence the period, from then on, and
//! counts it anew when it learns it. The machine's own
//! [`campaign`](crate::Raft::campaign) keeps to it too. A question of another node never gets an
//! answer by lease, because nobody could look at the clock once more.
//!
//! Bounds: see [`crate::read`]; at most [`ROUNDS_AHEAD_MAX`] rounds are opened for reads before a
//! quorum has acknowledged them. Work: O(members) per call.

use clocks::{Duration, Instant};
use quorum::Member;

use super::{Node, Office, Role, Timer};
use crate::error::ReadError;
use crate::event::DropReason;
use crate::message::{ReadReply, ReadRequest};
use crate::read::{BATCHES, ReadFailure, ReadOutcome, ReadTicket, Stage};
use crate::slot::{Asked, Asking, Slot, find_identity};
use crate::types::{Identity, LogIndex, Round};

/// How many rounds may be ahead of the one that a quorum has acknowledged for a read to open
/// another. Reads gather meanwhile; heartbeats open theirs in any case.
pub(super) const ROUNDS_AHEAD_MAX: u64 = 2;

// A record for each such round, and one that gathers.
const _: () = assert!(BATCHES as u64 > ROUNDS_AHEAD_MAX);

impl Node {
    pub(crate) fn read(&mut self, now: Instant) -> Result<ReadTicket, ReadError> {
        self.live().map_err(ReadError::Faulted)?;
        if self.is_witness() {
            return Err(ReadError::Witness);
        }
        if self.leader.is_none() {
            return Err(ReadError::NoLeader);
        }
        if let Some(round) = self.unhanded_round() {
            self.reads.regather(round);
        }
        if !self.reads.reserve() {
            return Err(ReadError::Full);
        }
        self.observe(now);
        self.stir_if_quiet();
        let lease = self.lease_end().filter(|_| !self.reads.is_full());
        let stage = match lease {
            Some(_) => Stage::Confirmed {
                index: self.commit,
                valid_until: lease,
            },
            None => Stage::Gathering,
        };
        let deadline = self.now.saturating_add(self.authority_timeout());
        let ticket = self.reads.add(self.vault.nonce(), stage, deadline);
        if self.is_leader() {
            self.advance_reads();
        } else {
            self.mark_ask();
        }
        self.arm_read();
        ticket.ok_or(ReadError::Full)
    }

    #[inline]
    pub(crate) fn poll_read(&mut self) -> Option<ReadOutcome> {
        if self.reads.batches().is_empty() {
            return None;
        }
        let outcome = self.reads.pop(self.vault.nonce(), self.delivered);
        // A place is free: what gathered in the last one may go on.
        if outcome.is_some() && self.reads.is_waiting {
            self.advance_reads();
        } else if outcome.is_some() && !self.is_leader() {
            self.mark_ask();
        }
        outcome
    }

    /// The leader's latest round, if it was not handed to anybody yet.
    fn unhanded_round(&self) -> Option<Round> {
        match &self.role {
            Role::Leader(office) => (office.handed < office.round).then_some(office.round),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }

    /// The latest round that a quorum of every set of voters in force has acknowledged.
    fn quorum_round(&self, latest: Round) -> Round {
        let acked = |member: Member| match self.slot(member) {
            Some(_) if Some(member) == self.current.me => latest.value(),
            Some(slot) => slot.progress.round_acked.value(),
            None => 0,
        };
        Round::new(self.current.voters.committed(acked))
    }

    /// On a leader: confirms what a quorum has acknowledged, and gives what gathered a round.
    #[inline(never)]
    pub(super) fn advance_reads(&mut self) {
        self.confirm_reads();
        if self.open_round_for_reads() {
            // A leader without voters beside it needs nobody's acknowledgement.
            self.confirm_reads();
        }
        let is_asking = |slot: &Slot| {
            let asked = &slot.progress.asked;
            asked
                .as_ref()
                .is_some_and(|asked| asked.stage != Asking::Confirmed)
        };
        let is_waiting = self.slots.iter().any(is_asking)
            || self
                .reads
                .batches()
                .iter()
                .any(|batch| matches!(batch.stage, Stage::Gathering | Stage::Round { .. }));
        self.reads.is_waiting = is_waiting && self.is_leader();
    }

    fn confirm_reads(&mut self) {
        let Role::Leader(office) = &self.role else {
            return;
        };
        let confirmed = self.quorum_round(office.round);
        for batch in self.reads.batches_mut() {
            if let Stage::Round { round, index } = batch.stage
                && round <= confirmed
            {
                let valid_until = None;
                batch.stage = Stage::Confirmed { index, valid_until };
            }
        }
        for (place, slot) in self.slots.iter_mut().enumerate() {
            if let Some(asked) = &mut slot.progress.asked
                && let Asking::Round(round) = asked.stage
                && round <= confirmed
                && let Some(member) = Member::new(place)
            {
                asked.stage = Asking::Confirmed;
                self.reply_due.insert(member);
            }
        }
    }

    /// Gives everything that gathered a round, if there is one to be had; says whether it did.
    fn open_round_for_reads(&mut self) -> bool {
        let Role::Leader(office) = &self.role else {
            return false;
        };
        let is_established = self.commit >= office.first;
        let ahead = office
            .round
            .value()
            .saturating_sub(self.quorum_round(office.round).value());
        let can_open = office.handed < office.round || ahead < ROUNDS_AHEAD_MAX;
        let gathers = |slot: &Slot| {
            let asked = &slot.progress.asked;
            asked
                .as_ref()
                .is_some_and(|asked| asked.stage == Asking::Gathering)
        };
        let is_own = self.reads.has_place(self.delivered)
            && self
                .reads
                .batches()
                .iter()
                .any(|batch| batch.stage == Stage::Gathering);
        if !is_established || !can_open || !(is_own || self.slots.iter().any(gathers)) {
            return false;
        }
        let Role::Leader(office) = &mut self.role else {
            return false;
        };
        if office.handed >= office.round {
            office.open_round_unnoted();
        }
        let (round, index) = (office.round, self.commit);
        for batch in self.reads.batches_mut() {
            if is_own && batch.stage == Stage::Gathering {
                batch.stage = Stage::Round { round, index };
            }
        }
        for slot in self.slots.iter_mut() {
            if let Some(asked) = &mut slot.progress.asked
                && asked.stage == Asking::Gathering
            {
                asked.stage = Asking::Round(round);
            }
        }
        self.append_due = self.peers();
        true
    }

    /// Whether this leader owes a member an answer; what an earlier office left does not count.
    pub(super) fn is_read_confirmed(&self, member: Member) -> bool {
        let asked = self.slot(member).and_then(|slot| slot.progress.asked);
        self.is_leader() && asked.is_some_and(|asked| asked.stage == Asking::Confirmed)
    }

    /// The answer to a member whose question a quorum's acknowledgement has settled.
    pub(super) fn take_read_reply(&mut self, member: Member) -> Option<ReadReply> {
        if !self.is_read_confirmed(member) {
            return None;
        }
        let index = self.commit;
        let asked = self.slot_mut(member)?.progress.asked.take()?;
        Some(ReadReply {
            nonce: asked.nonce,
            number: asked.number,
            index,
        })
    }

    // ----- on whoever does not lead -----

    /// The leader is to be asked for what gathered, unless a question is under way.
    fn mark_ask(&mut self) {
        let batches = self.reads.batches();
        if !batches.iter().any(|batch| batch.stage == Stage::Asked) {
            self.mark_ask_again();
        }
    }

    /// The leader is to be asked, once more or for the first time, if something waits for that.
    fn mark_ask_again(&mut self) {
        let is_following = matches!(self.role, Role::Follower(Some(_)));
        // What gathers in the last place goes on gathering until another is free.
        let has_place = self.reads.has_place(self.delivered);
        let waits = |stage: &Stage| match stage {
            Stage::Asked => true,
            Stage::Gathering => has_place,
            Stage::Round { .. } | Stage::Confirmed { .. } | Stage::Failed(_) => false,
        };
        let mut batches = self.reads.batches().iter();
        self.reads.ask_due = is_following && batches.any(|batch| waits(&batch.stage));
    }

    /// The question for the leader: the one that was asked already, or that of what gathered.
    #[inline(never)]
    pub(super) fn take_read_request(&mut self) -> Option<ReadRequest> {
        self.reads.ask_due = false;
        let nonce = self.vault.nonce();
        let batches = self.reads.batches_mut();
        let asked = batches.iter().find(|batch| batch.stage == Stage::Asked);
        if let Some(asked) = asked {
            let number = asked.first;
            return Some(ReadRequest { nonce, number });
        }
        let gathering = |batch: &&mut crate::read::Batch| batch.stage == Stage::Gathering;
        let batch = batches.iter_mut().find(gathering)?;
        batch.stage = Stage::Asked;
        let number = batch.first;
        Some(ReadRequest { nonce, number })
    }

    /// A member asks for an index to read at.
    #[inline(never)]
    pub(super) fn on_read_request(
        &mut self,
        sender: Identity,
        request: &ReadRequest,
    ) -> Option<DropReason> {
        if !self.is_leader() {
            return None;
        }
        let Some(member) = find_identity(&self.slots, sender) else {
            return Some(DropReason::Stranger);
        };
        let asked = &mut self.slot_mut(member)?.progress.asked;
        // A question that comes again waits as long as the first, an older one is over.
        let is_known = asked
            .as_ref()
            .is_some_and(|asked| asked.nonce == request.nonce && asked.number >= request.number);
        if !is_known {
            *asked = Some(Asked {
                nonce: request.nonce,
                number: request.number,
                stage: Asking::Gathering,
            });
            self.mark_busy();
            self.advance_reads();
        }
        None
    }

    /// The leader's answer.
    #[inline(never)]
    pub(super) fn on_read_reply(
        &mut self,
        sender: Identity,
        reply: &ReadReply,
    ) -> Option<DropReason> {
        let is_leader = matches!(&self.role, Role::Follower(Some(owed)) if owed.leader == sender);
        if !is_leader || reply.nonce != self.vault.nonce() {
            return None;
        }
        let (index, valid_until) = (reply.index, None);
        for batch in self.reads.batches_mut() {
            if batch.stage == Stage::Asked && batch.first == reply.number {
                batch.stage = Stage::Confirmed { index, valid_until };
            }
        }
        self.mark_ask();
        None
    }

    // ----- time -----

    /// Some read has waited long enough, or the leader is to be asked again.
    pub(super) fn on_read_timeout(&mut self) {
        self.reads.expire(self.now, self.delivered);
        if self.is_leader() {
            self.advance_reads();
        } else {
            self.mark_ask_again();
        }
        self.arm_read();
    }

    /// Wakes when the next read has waited long enough, or when the leader is to be asked again.
    fn arm_read(&mut self) {
        let Some(mut next) = self.reads.next_deadline(self.delivered) else {
            return;
        };
        if !self.is_leader() {
            let interval = self.config.heartbeat_interval;
            next = next.min(self.now.saturating_add(interval));
        }
        let timers = &self.timers;
        if timers.deadline(Timer::Read).is_none_or(|set| set > next) {
            self.timers.set(Timer::Read, next);
        }
    }

    /// Another leader is recognised, or none any more.
    pub(super) fn fail_reads(&mut self) {
        self.reads.fail_unconfirmed(ReadFailure::LeaderChanged);
    }

    // ----- leases -----

    /// Until when nobody else can lead, if leases are on and that is not over.
    fn lease_end(&self) -> Option<Instant> {
        let drift = self.config.lease_drift_ppm?;
        let Role::Leader(office) = &self.role else {
            return None;
        };
        if self.commit < office.first || office.has_sent_timeout_now {
            return None;
        }
        let contact = |member: Member| match self.slot(member) {
            Some(_) if Some(member) == self.current.me => self.now.as_micros(),
            // Who has stored nothing of this log may know no configuration, and withholds no vote.
            // Until it has answered, its contact is the time at which it became a member.
            Some(slot)
                if slot.progress.round_acked > Round::ZERO
                    && slot.progress.matched > LogIndex::ZERO =>
            {
                slot.progress.contact.as_micros()
            }
            Some(_) | None => 0,
        };
        let contact = Instant::from_micros(self.current.voters.committed(contact));
        let end = contact.saturating_add(shortened(self.current.stickiness, drift));
        (contact > self.reads.lease_after && self.now < end).then_some(end)
    }

    /// The clock ran back: what was measured with it is worth nothing.
    #[cold]
    pub(super) fn on_time_running_back(&mut self) {
        if self.config.lease_drift_ppm.is_some() {
            self.reads.lease_after = self.now;
        }
    }
}

impl Office {
    /// Opens a round without noting when: heartbeats tell often enough since when a member
    /// follows, and reads would push them out of memory.
    pub(super) fn open_round_unnoted(&mut self) {
        self.round = self.round.next();
    }
}

/// What passes at least on a clock that is slow by `drift` millionths while `period` passes on
/// one that is fast by as much.
fn shortened(period: Duration, drift: u32) -> Duration {
    const MILLION: u64 = 1_000_000;
    let (fast, slow) = (
        MILLION.saturating_add(u64::from(drift)),
        MILLION.saturating_sub(u64::from(drift)),
    );
    let micros = period.as_micros();
    // In two parts, because the product of the whole can be too large.
    let (whole, rest) = (
        micros.checked_div(fast).unwrap_or(0),
        micros.checked_rem(fast).unwrap_or(0),
    );
    let rest = rest.saturating_mul(slow).checked_div(fast).unwrap_or(0);
    Duration::from_micros(whole.saturating_mul(slow).saturating_add(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn period_is_shortened_by_both_clocks() {
        let shortened = |micros, drift| shortened(Duration::from_micros(micros), drift).as_micros();
        assert_eq!(shortened(100_000, 0), 100_000);
        assert_eq!(shortened(100_000, 1_000), 99_800);
        assert_eq!(shortened(1_000_000, 200_000), 666_666);
        assert_eq!(shortened(u64::MAX, 0), u64::MAX);
        assert!(shortened(u64::MAX, 1) > u64::MAX / 4 * 3);
        assert_eq!(shortened(100_000, 1_000_000), 0);
    }
}

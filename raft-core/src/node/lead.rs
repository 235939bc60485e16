//! Leading: the first entry, acknowledgements, commit, and staying in office.
//!
//! The leader keeps for each member where it stands (`matched`, `next`). While it does not know
//! where the logs agree it probes with one append at a time; then entries leave as they come.
//! Commit counts only entries of the leader's own term, and everything before them with them:
//! counting older entries can commit what a later leader overwrites, `[Ongaro14 §3.6.2]`
//! (figure 8). The leader's own copy counts once it is durable.
//!
//! A leader that a quorum has not answered for an election timeout gives way (check-quorum), so
//! that a leader that can send but not receive does not block the group.

use clocks::Duration;
use quorum::{Member, MemberSet};

use super::witness::hollow_flight;
use super::{Node, Office, Role, Timer};
use crate::entry::EntryKind;
use crate::error::Fault;
use crate::event::{DropReason, Event};
use crate::flight::Flight;
use crate::message::{Ack, Reject};
use crate::slot::{Flow, Progress, Slots, find, find_identity};
use crate::types::{Identity, LogIndex};

impl Node {
    pub(super) fn become_leader(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        let first = self.window.last().index.next();
        if !self.append_first(memory)? {
            // The room was there when the campaign began and nothing was added since.
            self.become_follower();
            self.events.push(Event::NoRoomToCampaign);
            return Ok(());
        }
        self.mark_dirty();
        let now = self.now;
        self.change_role(Role::Leader(Office::new(first, now)));
        self.set_leader(Some(self.config.id));
        self.timers.clear(Timer::Election);
        for slot in self.slots.iter_mut() {
            slot.progress = Progress::unknown(first, now);
        }
        self.ask_due = MemberSet::EMPTY;
        self.incoming = None;
        self.mark_own_progress();
        self.append_due = self.peers();
        self.arm_heartbeat();
        self.timers
            .set(Timer::Quorum, now.saturating_add(self.authority_timeout()));
        Ok(())
    }

    /// Appends the entry with which a leader begins; says whether there was room. The founder
    /// begins the log with its configuration: who joins later has no other way to know who was a
    /// member before it, and could send a snapshot of that time to nobody.
    fn append_first(&mut self, memory: &mut [u8]) -> Result<bool, Fault> {
        if self.window.last().index == LogIndex::ZERO && !self.current.voters.is_joint() {
            return Ok(self.append_settled(memory)?.is_some());
        }
        let term = self.term();
        let appended = self.window.append(memory, term, EntryKind::NoOp, &[]);
        Ok(appended.is_ok())
    }

    pub(super) fn arm_heartbeat(&mut self) {
        if self.peers().is_empty() {
            self.timers.clear(Timer::Heartbeat);
        } else {
            let interval = self.config.heartbeat_interval;
            self.timers
                .set(Timer::Heartbeat, self.now.saturating_add(interval));
        }
    }

    /// How long a leader stays in office without an answer from a quorum.
    pub(super) fn authority_timeout(&self) -> Duration {
        self.config
            .election_timeout_max
            .max(self.current.stickiness)
    }

    pub(super) fn on_heartbeat_timeout(&mut self) {
        if self.ask_for_quiet() {
            return;
        }
        let now = self.now;
        match &mut self.role {
            Role::Leader(office) => {
                office.open_round(now);
                self.arm_heartbeat();
                for slot in self.slots.iter_mut() {
                    // Whatever was sent and not answered may be lost: send it again.
                    match &mut slot.progress.flow {
                        Flow::Probe { sent } | Flow::Snapshot { sent, .. } => *sent = false,
                        Flow::Lend { asked } => *asked = false,
                        Flow::Replicate(_) => {}
                    }
                }
                self.append_due = self.peers();
                self.on_next_heartbeat();
            }
            Role::PreCandidate(_) | Role::Candidate(_) => self.ask_again(),
            Role::Follower(_) => {}
        }
    }

    /// A round was opened that reads may count on; a successor that was told may not have heard.
    fn on_next_heartbeat(&mut self) {
        if let Role::Leader(office) = &mut self.role
            && let Some(transfer) = &mut office.transfer
        {
            transfer.sent = false;
            self.mark_transfer();
        }
        if self.reads.is_waiting {
            self.advance_reads();
        }
    }

    /// Gives way if no quorum has answered for too long; else looks again when it could be so.
    pub(super) fn on_quorum_timeout(&mut self) {
        if !self.is_leader() {
            return;
        }
        let oldest = self
            .quorum_contact()
            .saturating_add(self.authority_timeout());
        if oldest <= self.now {
            self.become_follower();
        } else {
            self.timers.set(Timer::Quorum, oldest);
        }
    }

    /// The latest time at which a quorum still followed this leader.
    fn quorum_contact(&self) -> clocks::Instant {
        let contact = |member: Member| match self.slot(member) {
            Some(_) if Some(member) == self.current.me => self.now.as_micros(),
            Some(slot) => slot.progress.contact.as_micros(),
            None => 0,
        };
        clocks::Instant::from_micros(self.current.voters.committed(contact))
    }

    pub(super) fn on_unreachable(&mut self, peer: quorum::NodeId) {
        let Some(member) = find(&self.slots, peer) else {
            return;
        };
        if let Some(slot) = self.slot_mut(member)
            && matches!(slot.progress.flow, Flow::Replicate(_))
        {
            slot.progress.flow = Flow::Probe { sent: true };
            slot.progress.next = slot.progress.matched.next();
        }
    }

    /// The leader's own copy counts as far as it is durable.
    #[inline]
    fn mark_own_progress(&mut self) {
        let durable = self.vault.log_durable().get();
        if let Some(slot) = self.current.me.and_then(|me| self.slot_mut(me)) {
            slot.progress.matched = slot.progress.matched.max(durable);
        }
    }

    #[inline]
    pub(super) fn on_own_log_durable(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        self.mark_own_progress();
        // They are told what is durable here, and not before.
        self.tell_witnesses();
        if self.vault.log_durable().get() > self.commit {
            self.maybe_commit(memory)?;
        }
        Ok(())
    }

    #[inline]
    fn tell_witnesses(&mut self) {
        if !self.current.witnesses.is_empty() && !self.is_quiet {
            let witnesses = self.current.witnesses.intersection(self.peers());
            self.append_due = self.append_due.union(witnesses);
        }
    }

    #[inline]
    pub(super) fn on_ack(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        ack: &Ack,
    ) -> Result<Option<DropReason>, Fault> {
        let Role::Leader(office) = &self.role else {
            return Ok(None);
        };
        let Some(member) = find_identity(&self.slots, sender) else {
            return Ok(Some(DropReason::Stranger));
        };
        let (base, last) = (self.window.base().index, self.window.last().index);
        if ack.verified > last || ack.round > office.round {
            return Ok(Some(DropReason::BeyondLog));
        }
        let is_ending = office.leaving.is_some() || office.transfer.is_some();
        let Some(slot) = self.slots.get_mut(member.index()) else {
            return Ok(None);
        };
        let progress = &mut slot.progress;
        let is_next_round = ack.round > progress.round_acked;
        if is_next_round {
            progress.round_acked = ack.round;
            if let Some(opened) = office.opened.opened(ack.round) {
                progress.contact = progress.contact.max(opened);
            }
        }
        let advanced = ack.verified > progress.matched;
        if advanced {
            progress.matched = ack.verified;
        }
        progress.on_verified(ack.verified, ack.reject.is_some(), base);
        progress.room = ack.room;
        // What is on its way takes up room there; what is compacted here is not on its way.
        let after = progress.matched.max(base);
        let (sent, mut bytes) = (progress.next.previous(), 0);
        if sent > after {
            bytes = if slot.standing.is_witness() {
                hollow_flight(after, sent)
            } else {
                let flight = self.window.entries(memory, after, sent);
                let len = flight.ok_or(Fault::WindowDamaged)?.len();
                u32::try_from(len).unwrap_or(u32::MAX)
            };
            progress.room = ack.room.saturating_sub(bytes);
        }
        if let Flow::Replicate(flight) = &mut progress.flow {
            // Where a part of it is compacted nobody knows how long that is.
            let known = (progress.matched == after).then_some(bytes);
            flight.on_acked(progress.matched, sent, known);
        }
        if let Some(chunk) = &ack.chunk {
            progress.on_chunk_ack(chunk.index, chunk.stored);
        }
        if let Some(reject) = &ack.reject {
            self.on_reject(memory, member, reject)?;
        }
        if slot_has_news(&self.slots, member, last, self.commit) {
            self.append_due.insert(member);
            self.stir_if_quiet();
        }
        if advanced {
            // They may be told what has one copy more.
            self.tell_witnesses();
        }
        // The commit cannot pass what the latest news are about.
        if advanced && ack.verified > self.commit {
            self.maybe_commit(memory)?;
        }
        if is_ending {
            self.maybe_leave();
            self.mark_transfer();
        }
        if is_next_round && self.reads.is_waiting {
            self.advance_reads();
        }
        Ok(None)
    }

    /// Goes back to where the logs may agree, a whole term at a time.
    #[inline(never)]
    fn on_reject(&mut self, memory: &[u8], member: Member, reject: &Reject) -> Result<(), Fault> {
        let Some(slot) = self.slots.get_mut(member.index()) else {
            return Ok(());
        };
        let progress = &mut slot.progress;
        let is_current = match progress.flow {
            Flow::Probe { .. } | Flow::Lend { .. } => reject.prev == progress.next.previous(),
            Flow::Replicate(_) => reject.prev < progress.next,
            Flow::Snapshot { .. } => false,
        };
        // There is no going back below what it has acknowledged. Who lost that is asked again with
        // the next heartbeat: at once, each refusal would call forth an append, and each append a
        // refusal, without end.
        let can_go_back = reject.prev > progress.matched && reject.hint.index < reject.prev;
        if !is_current || !can_go_back {
            return Ok(());
        }
        let base = self.window.base();
        let agree = if reject.hint.index < base.index {
            reject.hint.index
        } else {
            let hint = &reject.hint;
            let found = self
                .window
                .last_with_term_at_most(memory, hint.index, hint.term);
            found.ok_or(Fault::WindowDamaged)?.index
        };
        progress.next = agree.max(progress.matched).next();
        progress.flow = Flow::Probe { sent: false };
        Ok(())
    }

    /// Raises the commit to what a quorum has, if that is of the own term.
    #[inline]
    pub(super) fn maybe_commit(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        let Role::Leader(office) = &self.role else {
            return Ok(());
        };
        let slots = &self.slots;
        let matched = |member: Member| {
            slots
                .get(member.index())
                .map_or(0, |slot| slot.progress.matched.value())
        };
        let agreed = LogIndex::new(self.current.voters.committed(matched));
        if agreed <= self.commit || agreed < office.first {
            return Ok(());
        }
        self.commit = agreed;
        self.append_due = self.append_due.union(self.peers());
        if self.reads.is_waiting {
            // It may be the first commit of this leader.
            self.advance_reads();
        }
        if self.current.index <= agreed {
            self.on_configuration_committed(memory)?;
        }
        Ok(())
    }

    /// A leader that is no member any more leaves when a majority of the members knows so.
    #[inline(never)]
    fn maybe_leave(&mut self) {
        let is_back = self.is_voter();
        let Role::Leader(office) = &mut self.role else {
            return;
        };
        if is_back {
            // It was let in again before it was gone.
            office.leaving = None;
            return;
        }
        let Some(round) = office.leaving else { return };
        if office.transfer.is_some() {
            // Its successor makes it go, or fails to.
            return;
        }
        let knows = |slot: &crate::slot::Slot| {
            slot.progress.round_acked >= round && slot.progress.matched >= self.current.index
        };
        let aware: MemberSet = (0..self.slots.len())
            .filter_map(Member::new)
            .filter(|member| self.slot(*member).is_some_and(knows))
            .collect();
        if self.current.voters.is_quorum(aware) {
            self.become_follower();
        }
    }

    /// This leader is out of the configuration: tell the others, then go.
    pub(super) fn begin_leaving(&mut self) {
        let now = self.now;
        if let Role::Leader(office) = &mut self.role
            && office.leaving.is_none()
        {
            office.open_round(now);
            office.leaving = Some(office.round);
            self.append_due = self.peers();
        }
    }
}

/// Whether there is something to tell a member, now that it has answered.
#[inline]
fn slot_has_news(slots: &Slots, member: Member, last: LogIndex, commit: LogIndex) -> bool {
    slots.get(member.index()).is_some_and(|slot| {
        let progress = &slot.progress;
        !matches!(progress.flow, Flow::Replicate(_))
            || progress.next <= last
            || progress.commit_sent < commit
    })
}

impl Progress {
    #[inline]
    fn on_verified(&mut self, verified: LogIndex, is_refusal: bool, base: LogIndex) {
        // A refusal says again what was verified before. Only what goes beyond shows that the
        // probe arrived: of many appends under way each may be refused.
        let probed = if is_refusal {
            verified
        } else {
            verified.next()
        };
        match self.flow {
            Flow::Replicate(_) => self.next = self.next.max(verified.next()),
            Flow::Probe { .. } if probed >= self.next => {
                self.flow = Flow::Replicate(Flight::NONE);
                self.next = verified.next();
            }
            Flow::Snapshot { index, .. } if verified >= index => {
                self.flow = Flow::Replicate(Flight::NONE);
                self.next = verified.next();
            }
            Flow::Snapshot { .. } => self.next = self.next.max(verified.next()),
            // Some of the loan at least was taken.
            Flow::Lend { .. } if verified >= self.next => {
                self.next = verified.next();
                self.flow = if self.next > base {
                    Flow::Replicate(Flight::NONE)
                } else {
                    Flow::Lend { asked: false }
                };
            }
            Flow::Lend { .. } | Flow::Probe { .. } => {}
        }
    }

    fn on_chunk_ack(&mut self, index: LogIndex, stored: u64) {
        if let Flow::Snapshot {
            index: sending,
            offset,
            sent,
        } = &mut self.flow
            && *sending == index
            && stored != *offset
        {
            *offset = stored;
            *sent = false;
        }
    }
}

//! Quiet mode: a group with nothing to do stops its heartbeats by agreement, and wakes together.
//!
//! A group of battery devices that is idle for hours spends its energy on heartbeats that say
//! nothing. The simple idea, to stop sending and let followers wait longer, fails: whoever does
//! not know of it stands for election, and whoever does cannot tell silence from a dead leader.
//! So the leader asks. With a heartbeat, after an idle time, it sends [`Quiet`] instead: the whole
//! log is committed, you have it, let us be silent. A follower of whom that is true, and whose
//! own settings allow it, stops its election timer and agrees; every other one refuses. When
//! every member that can be reached has agreed, and these are a quorum with the leader, the
//! leader stops its timers too. Each attempt has a round of its own and ends with the next
//! heartbeat, so a lost frame costs a delay and nothing else.
//!
//! Whatever brings news wakes: on the leader a proposal, a read, a transfer, a change of members;
//! on anybody a pre-vote, a refused vote, a word of a member that is awake, an append. Whoever
//! wakes says so to the leader, draws a new election timeout and behaves as if the leader had just
//! been heard: it helps nobody into office before its own timer ends. So a leader that lives
//! comes back into its office, and one that died while all were quiet is replaced, but only after
//! somebody was woken: nobody watches in the meantime. [`Raft::wake`](crate::Raft::wake) is for that.
//!
//! Silence proves nothing. The agreement neither acknowledges a round nor renews a promise, so no
//! read and no lease counts on it, and what followers promised before runs out as it would have.
//! A leader that wakes opens a new round, and its time to hear from a quorum begins anew.
//!
//! A member that the leader does not hear is not waited for, if it is known to have the
//! configuration; else it may not know that it is a member, and nobody but the leader would tell
//! it. One that is awake when it comes back, and has an election timer, wakes the others. One that
//! was asleep already, or has no such timer, may not notice that it was away: it is brought level
//! with the next activity or wake, and until then what was committed meanwhile lacks its copy.
//!
//! Bounds: a word per member, one attempt at a time. Work: O(members) per heartbeat of an idle
//! leader. A member keeps its group awake if it refuses, if it is alive and never agrees, or if it
//! never confirmed the configuration to this leader. A group of one has no heartbeat to stop.
//!
//! Source: TiKV hibernates regions and CockroachDB quiesces ranges; both had groups in which one
//! member slept and no other watched. Here whoever sleeps was level, and whoever wakes says so.

use clocks::Instant;
use quorum::{Member, MemberSet};

use super::{Node, Role, Timer};
use crate::error::Fault;
use crate::event::{DropReason, Event};
use crate::message::{Body, PreVote, Quiet, QuietReply};
use crate::slot::{Flow, QuietWord, Slot, find_identity};
use crate::types::{Identity, LogIndex, Round, low_half};

impl Node {
    /// The application, or a member, wants the group awake.
    pub(crate) fn wake(&mut self, now: Instant) -> Result<(), Fault> {
        self.live()?;
        self.observe(now);
        self.stir();
        Ok(())
    }

    /// Wakes up, if it is quiet; an awake leader puts the next attempt off, an awake follower asks
    /// its leader all the same.
    #[inline(never)]
    pub(super) fn stir(&mut self) {
        match &mut self.role {
            Role::Leader(office) => {
                (office.is_asking, office.idle_beats) = (false, 0);
                if self.is_quiet {
                    self.resume_office();
                }
            }
            Role::Follower(_) => {
                if self.is_quiet {
                    self.watch_again();
                }
                self.mark_awake_words();
            }
            Role::PreCandidate(_) | Role::Candidate(_) => {}
        }
    }

    /// Wakes a quiet node that a message is to wake.
    #[inline]
    pub(super) fn stir_if_quiet(&mut self) {
        if self.is_quiet {
            self.stir();
        }
    }

    /// Somebody wants to stand for election. A member is awake, or a stranger that may be one by
    /// now: not who was removed long ago and has an old log.
    pub(super) fn stir_for(&mut self, candidate: Identity, request: &PreVote) {
        if self.is_quiet
            && (request.last.is_up_to_date_with(self.window.last())
                || find_identity(&self.slots, candidate).is_some())
        {
            self.stir();
        }
    }

    /// A command that is not told the time woke this leader: everything is due with the next call
    /// that is.
    #[inline(never)]
    pub(super) fn stir_untimed(&mut self) {
        self.mark_awake();
        self.timers.set(Timer::Heartbeat, self.now);
        self.is_dirty_untimed = true;
    }

    /// The rest of that, now that the time is known: only then a leader that is awake has no time
    /// at which it looks for its quorum. A command that woke nobody, as compaction, wakes nobody now.
    pub(super) fn stir_timed(&mut self) {
        let is_awake = self.is_leader() && self.fault.is_none() && !self.is_quiet;
        if is_awake && !self.timers.is_set(Timer::Quorum) {
            self.resume_office();
        }
    }

    /// Not quiet any more. What was left to write in its sleep has a clock, and now a timer.
    #[inline]
    pub(super) fn mark_awake(&mut self) {
        if self.is_quiet {
            self.is_quiet = false;
            self.arm_disk();
            self.events.push(Event::QuietChanged { is_quiet: false });
        }
    }

    fn become_quiet(&mut self) {
        if !self.is_quiet {
            self.is_quiet = true;
            self.events.push(Event::QuietChanged { is_quiet: true });
        }
        // Whoever may be quiet waits for none of them.
        self.clear_timers();
        self.append_due = MemberSet::EMPTY;
    }

    fn mark_word(&mut self, to: Identity, word: QuietWord) {
        if let Some(member) = find_identity(&self.slots, to)
            && let Some(slot) = self.slot_mut(member)
        {
            slot.replies.quiet = Some(word);
            self.reply_due.insert(member);
        }
    }

    /// What is to be said to a member about silence, if it still holds.
    pub(super) fn take_quiet_word(&mut self, member: Member) -> Option<Body<'static>> {
        let place = &mut self.slot_mut(member)?.replies.quiet;
        let word = place.take_if(|word| *word != QuietWord::Agreed)?;
        let (commit, is_quiet) = (self.commit, self.is_quiet);
        let activity = self.activity();
        match (word, &self.role) {
            (QuietWord::Ask, Role::Leader(office)) => {
                let round = office.round;
                let ask = Body::Quiet(Quiet { commit, round });
                (office.is_asking && office.seen == activity).then_some(ask)
            }
            (QuietWord::Agree, Role::Follower(Some(owed))) if is_quiet => {
                let round = owed.quiet_round;
                Some(Body::QuietReply(QuietReply { round, is_quiet }))
            }
            (QuietWord::Awake, Role::Follower(owed)) => {
                let round = owed.as_ref().map_or(Round::ZERO, |owed| owed.quiet_round);
                let is_quiet = false;
                Some(Body::QuietReply(QuietReply { round, is_quiet }))
            }
            (QuietWord::Ask | QuietWord::Agree | QuietWord::Awake | QuietWord::Agreed, _) => None,
        }
    }

    // ----- on the leader -----

    /// Changes with all that a leader does for others: its log never shrinks, and tickets are
    /// counted. The low half tells two heartbeats apart.
    pub(super) fn activity(&self) -> u32 {
        let last = self.window.last().index.value();
        low_half(last.wrapping_add(self.reads.issued()))
    }

    /// Somebody else's read counts as activity too.
    pub(super) fn mark_busy(&mut self) {
        if let Role::Leader(office) = &mut self.role {
            (office.is_asking, office.idle_beats) = (false, 0);
        }
        self.stir_if_quiet();
    }

    /// With a heartbeat: asks for silence instead, if nothing has happened for long enough.
    pub(super) fn ask_for_quiet(&mut self) -> bool {
        let Some(after) = self.config.quiet_after else {
            return false;
        };
        let (seen, can_be) = (self.activity(), self.leader_can_be_quiet());
        let Role::Leader(office) = &mut self.role else {
            return false;
        };
        // An attempt ends with the next heartbeat: who did not agree is kept content by that, and
        // who did is woken.
        if office.is_asking || !can_be || office.seen != seen {
            (office.seen, office.idle_beats, office.is_asking) = (seen, 0, false);
            return false;
        }
        office.idle_beats = office.idle_beats.saturating_add(1);
        if office.idle_beats < after.get() {
            return false;
        }
        office.open_round_unnoted();
        office.is_asking = true;
        // An append of this round would wake whoever agrees to it.
        self.append_due = MemberSet::EMPTY;
        for slot in self.slots.iter_mut() {
            slot.replies.quiet = None;
        }
        for member in self.reachable().iter() {
            if let Some(slot) = self.slots.get_mut(member.index()) {
                slot.replies.quiet = Some(QuietWord::Ask);
                self.reply_due.insert(member);
            }
        }
        self.arm_heartbeat();
        self.maybe_become_quiet();
        true
    }

    /// Who has answered within the time in which a leader must hear from a quorum.
    fn reachable(&self) -> MemberSet {
        let authority = self.authority_timeout();
        let is_near = |member: &Member| {
            let contact = self.slot(*member).map(|slot| slot.progress.contact);
            contact.is_some_and(|contact| self.now < contact.saturating_add(authority))
        };
        self.peers().iter().filter(is_near).collect()
    }

    /// Whether nothing is under way, and everyone who can be reached has everything and knows so.
    fn leader_can_be_quiet(&self) -> bool {
        let Role::Leader(office) = &self.role else {
            return false;
        };
        let last = self.window.last().index;
        let is_level = |member: Member| {
            self.slot(member).is_some_and(|slot| {
                let progress = &slot.progress;
                matches!(progress.flow, Flow::Replicate { .. })
                    && progress.matched == last
                    && progress.commit_sent == last
            })
        };
        // Whoever may not know that it is a member would be left asleep, reachable or not.
        let knows_members = |member: Member| {
            let slot = self.slot(member);
            slot.is_some_and(|slot| slot.progress.matched >= self.current.index)
        };
        let is_asking = |slot: &Slot| slot.progress.asked.is_some();
        office.leaving.is_none()
            && office.transfer.is_none()
            && self.is_voter()
            && self.is_at_rest(last)
            && !self.slots.iter().any(is_asking)
            && self.reachable().iter().all(is_level)
            && self.peers().iter().all(knows_members)
    }

    /// Whether the whole log up to here is committed and on the medium, and nobody waits for a read.
    fn is_at_rest(&self, last: LogIndex) -> bool {
        self.commit == last
            && self.window.last().index == last
            && self.dirty_since.is_none()
            && !self.current.voters.is_joint()
            && self.reads.batches().is_empty()
    }

    /// Everyone who can be reached agreed, and they are a quorum: nobody else could lead without
    /// waking one of them.
    fn maybe_become_quiet(&mut self) {
        let Role::Leader(office) = &self.role else {
            return;
        };
        let me = self.current.me.map(MemberSet::single).unwrap_or_default();
        let has_agreed = |member: &Member| {
            let slot = self.slot(*member);
            slot.is_some_and(|slot| slot.replies.quiet == Some(QuietWord::Agreed))
        };
        let agreed: MemberSet = self.peers().iter().filter(has_agreed).collect();
        let missing = self.reachable().difference(agreed);
        if missing.is_empty()
            && self.current.voters.is_quorum(agreed.union(me))
            && office.seen == self.activity()
            && self.leader_can_be_quiet()
        {
            self.become_quiet();
        }
    }

    #[inline(never)]
    pub(super) fn on_quiet_reply(
        &mut self,
        sender: Identity,
        reply: &QuietReply,
    ) -> Option<DropReason> {
        let Some(member) = find_identity(&self.slots, sender) else {
            return Some(DropReason::Stranger);
        };
        if !reply.is_quiet {
            if self.is_leader() || self.is_quiet {
                self.stir();
            }
            return None;
        }
        if let Role::Leader(office) = &self.role
            && office.is_asking
            && office.round == reply.round
            && !self.is_quiet
        {
            if let Some(slot) = self.slot_mut(member) {
                slot.replies.quiet = Some(QuietWord::Agreed);
            }
            self.maybe_become_quiet();
        }
        None
    }

    /// The office goes on: the others are told, and a quorum has to answer as from now.
    fn resume_office(&mut self) {
        self.mark_awake();
        let (now, seen) = (self.now, self.activity());
        if let Role::Leader(office) = &mut self.role {
            (office.seen, office.idle_beats, office.is_asking) = (seen, 0, false);
        }
        let deadline = now.saturating_add(self.authority_timeout());
        self.timers.set(Timer::Quorum, deadline);
        self.on_heartbeat_timeout();
    }

    // ----- on whoever follows -----

    /// The leader asks for silence. Whether or not this node agrees, it promises nothing: the
    /// round is not acknowledged by it.
    #[inline(never)]
    pub(super) fn on_quiet(&mut self, sender: Identity, quiet: &Quiet) -> Option<DropReason> {
        if !self.is_following(sender) {
            return None;
        }
        let can_be = self.config.quiet_after.is_some()
            && self.is_at_rest(quiet.commit)
            && !self.is_receiving();
        let owed = self.owed()?;
        // One that was overtaken by an append, that comes twice, or that is older than this life
        // of the node would put it to sleep while the others are awake.
        let is_late = quiet.round <= owed.round || quiet.round <= owed.quiet_round;
        if is_late || owed.round == Round::ZERO {
            return None;
        }
        owed.quiet_round = quiet.round;
        if can_be && owed.verified >= quiet.commit {
            self.become_quiet();
            self.mark_word(sender, QuietWord::Agree);
        } else {
            self.mark_heard();
            self.mark_word(sender, QuietWord::Awake);
        }
        None
    }

    /// Whether a snapshot is on its way that brings more than what is committed here: the rest of
    /// any other was overtaken by entries and never comes.
    fn is_receiving(&self) -> bool {
        let incoming = self.incoming.as_ref();
        incoming.is_some_and(|incoming| incoming.snapshot.last.index > self.commit)
    }

    /// Waits for the leader once more, as if it had just been heard: it may be as alive as it was.
    fn watch_again(&mut self) {
        self.mark_awake();
        // Nobody watched the medium either.
        self.on_disk_timeout();
        self.arm_election();
        let wait = if self.timers.is_set(Timer::Election) {
            self.election_timeout
        } else {
            self.current.stickiness
        };
        self.sticky_until = self.sticky_until.max(self.now.saturating_add(wait));
    }

    /// Tells the leader that somebody is awake. Who does not know it, or could not replace it, tells
    /// everyone who votes.
    pub(super) fn mark_awake_words(&mut self) {
        let can_stand =
            self.is_electable() && !self.is_stalled && self.window.has_room_for_office();
        let leader = match &self.role {
            Role::Follower(Some(owed)) if can_stand => Some(owed.leader),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => {
                None
            }
        };
        if let Some(leader) = leader {
            return self.mark_word(leader, QuietWord::Awake);
        }
        if self.current.me.is_none() {
            // A stranger wakes nobody; an earlier life of this node may stand in the table.
            return;
        }
        let voters = self.current.voters.members().intersection(self.peers());
        for member in voters.iter() {
            if let Some(slot) = self.slots.get_mut(member.index()) {
                slot.replies.quiet = Some(QuietWord::Awake);
                self.reply_due.insert(member);
            }
        }
    }

    /// What holds of a quiet node.
    pub(super) fn check_quiet(&self) -> Result<(), &'static str> {
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        if !self.is_quiet {
            let is_timed = self.timers.is_set(Timer::Quorum) || self.is_dirty_untimed;
            return check(
                !self.is_leader() || is_timed || self.fault.is_some(),
                "a leader that is awake looks for its quorum",
            );
        }
        let is_silent = [
            Timer::Election,
            Timer::Heartbeat,
            Timer::Quorum,
            Timer::Disk,
        ]
        .iter()
        .all(|timer| !self.timers.is_set(*timer));
        check(is_silent, "whoever is quiet waits for nothing")?;
        check(
            matches!(self.role, Role::Leader(_) | Role::Follower(Some(_))),
            "whoever is quiet leads or follows",
        )?;
        check(
            self.commit == self.window.last().index,
            "the whole log of whoever is quiet is committed",
        )
    }
}

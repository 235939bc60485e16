//! Elections: pre-vote, votes, and who may not be replaced yet.
//!
//! A node that hears nothing first asks whether it would win, `[Ongaro14 §9.6]`: a node that was
//! cut off would otherwise come back with a high term and depose a leader that works. That alone
//! does not stop a removed node with a full log, so whoever has heard from a leader within the
//! stickiness period refuses both kinds of request, `[Ongaro14 §4.2.3]`.
//!
//! A leader sends nothing to whom it has removed, so a voter that was away does not learn of its
//! removal and would ask for pre-votes for ever. Those who stay answer it: what is committed up to
//! here does not name you. If that place lies beyond the end of its log, no configuration that it
//! holds is later, and no majority could elect it; so it falls silent at no cost, until a leader
//! that has let it in again sends it a configuration.
//!
//! # Deviations
//!
//! A vote request leaves only once term, own vote and the claimed log tail are durable, where the
//! paper lets the candidate ask at once. Otherwise a candidate that crashed before its write could
//! come back without them, campaign in the same term with a shorter log, and count the old grants.

use quorum::{Member, MemberSet, NodeId, Outcome};

use super::outlet::Ready;
use super::{Ballots, Guest, Node, Owed, Role, RoleName, Timer};
use crate::error::Fault;
use crate::event::{DropReason, Event};
use crate::message::{Body, PreVote, PreVoteReply, Vote, VoteReply};
use crate::slot::{Replies, find_identity};
use crate::types::{EntryId, Identity, LogIndex, Round, Term};

impl Node {
    /// Whether a leader may still be in office as far as this node knows.
    pub(super) fn is_sticky(&self) -> bool {
        self.is_leader() || self.now < self.sticky_until
    }

    /// A leader was heard: nobody else is helped for a while.
    #[inline]
    pub(super) fn mark_heard(&mut self) {
        self.sticky_until = self.now.saturating_add(self.current.stickiness);
        self.election_base = self.now;
        if !self.timers.is_set(Timer::Election) {
            self.mark_awake();
            self.arm_election();
        }
    }

    /// Draws the next election timeout. Only a node that may stand has one.
    pub(super) fn arm_election(&mut self) {
        if !self.is_electable() {
            self.timers.clear(Timer::Election);
            return;
        }
        let min = self
            .config
            .election_timeout_min
            .max(self.current.stickiness)
            .saturating_add(self.config.lag());
        let spread = self
            .config
            .election_timeout_max
            .saturating_sub(self.config.election_timeout_min);
        self.election_base = self.now;
        self.election_timeout = self.jitter.between(min, min.saturating_add(spread));
        let deadline = self.now.saturating_add(self.election_timeout);
        self.timers.set(Timer::Election, deadline);
    }

    pub(super) fn enter_term(&mut self, term: Term) {
        self.vault.enter_term(term);
        self.mark_dirty();
        self.become_follower();
    }

    #[inline(never)]
    pub(super) fn become_follower(&mut self) {
        self.mark_awake();
        self.change_role(Role::Follower(None));
        self.timers.clear(Timer::Heartbeat);
        self.timers.clear(Timer::Quorum);
        self.timers.clear(Timer::Transfer);
        (self.append_due, self.ask_due) = (MemberSet::EMPTY, MemberSet::EMPTY);
        self.set_leader(None);
        if !self.timers.is_set(Timer::Election) {
            self.arm_election();
        }
    }

    pub(super) fn follow(&mut self, leader: Identity) {
        self.become_follower();
        self.role = Role::Follower(Some(Owed {
            leader,
            verified: LogIndex::ZERO,
            verified_sent: LogIndex::ZERO,
            round: Round::ZERO,
            round_sent: Round::ZERO,
            reject: None,
            chunk: None,
            repeat: false,
            room_sent: u32::MAX,
            quiet_round: Round::ZERO,
        }));
        self.set_leader(Some(leader.node));
    }

    pub(super) fn change_role(&mut self, role: Role) {
        let before = self.role_name();
        self.role = role;
        let now = self.role_name();
        if before != now {
            self.events.push(Event::RoleChanged {
                role: now,
                term: self.term(),
            });
        }
    }

    pub(super) fn set_leader(&mut self, leader: Option<quorum::NodeId>) {
        if self.leader != leader {
            self.leader = leader;
            self.fail_reads();
            self.events.push(Event::LeaderChanged {
                leader,
                term: self.term(),
            });
        }
    }

    /// The election timer fired: campaigns, unless a leader was heard since it was armed.
    pub(super) fn on_election_timeout(&mut self) {
        let deadline = self.election_base.saturating_add(self.election_timeout);
        if self.now < deadline {
            self.timers.set(Timer::Election, deadline);
            return;
        }
        self.arm_election();
        // While the own vote is being written, another term would only begin the wait anew.
        let is_waiting = self.is_role(RoleName::Candidate) && !self.may_ask();
        // The timer may be from a time when the removal of this node was not committed yet.
        if !self.is_stalled && !is_waiting && self.is_electable() {
            self.become_pre_candidate();
        }
    }

    /// Asks everyone whether a campaign would succeed.
    pub(super) fn become_pre_candidate(&mut self) {
        if !self.may_take_office() {
            return;
        }
        self.attempt = self.attempt.wrapping_add(1);
        self.become_follower();
        let granted = self.current.me.map(MemberSet::single).unwrap_or_default();
        self.change_role(Role::PreCandidate(Ballots {
            granted,
            refused: MemberSet::EMPTY,
            is_transfer: false,
        }));
        self.ask_voters();
        self.count_pre_votes();
    }

    /// Whether there is room for a leader's first entry, and a term for it; says so if not.
    pub(super) fn may_take_office(&mut self) -> bool {
        if !self.window.has_room_for_office() {
            self.events.push(Event::NoRoomToCampaign);
            return false;
        }
        if self.term().next().is_none_or(|term| term == Term::MAX) {
            self.events.push(Event::TermsExhausted);
            return false;
        }
        true
    }

    /// Stands at once, because the leader wants it.
    pub(super) fn become_successor(&mut self) {
        self.become_follower();
        self.become_candidate();
        if let Role::Candidate(ballots) = &mut self.role {
            ballots.is_transfer = true;
        }
    }

    fn ask_voters(&mut self) {
        self.ask_due = self.current.voters.members().intersection(self.peers());
        let interval = self.config.heartbeat_interval;
        self.timers
            .set(Timer::Heartbeat, self.now.saturating_add(interval));
    }

    /// Asks those again that have not answered: the request or the answer may be lost.
    pub(super) fn ask_again(&mut self) {
        let (Role::PreCandidate(ballots) | Role::Candidate(ballots)) = &self.role else {
            return;
        };
        let answered = ballots.granted.union(ballots.refused);
        if self.may_ask() {
            self.ask_voters();
            self.ask_due = self.ask_due.difference(answered);
        }
    }

    /// A pre-vote promises nothing. A vote request claims term, own vote and log tail.
    fn may_ask(&self) -> bool {
        match self.role {
            Role::PreCandidate(_) => true,
            Role::Candidate(_) => self.vault.is_settled(self.window.last().index),
            Role::Follower(_) | Role::Leader(_) => false,
        }
    }

    fn become_candidate(&mut self) {
        let Some(term) = self.term().next() else {
            return;
        };
        self.vault.enter_term(term);
        let me = self.vault.identity;
        self.vault.vote_for(me);
        self.mark_dirty();
        self.timers.clear(Timer::Heartbeat);
        self.ask_due = MemberSet::EMPTY;
        self.change_role(Role::Candidate(Ballots::default()));
        self.arm_election();
    }

    /// The candidate's term and vote are on the medium: its own vote counts, and it may ask.
    pub(super) fn on_own_vote_durable(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        let me = self.current.me.map(MemberSet::single).unwrap_or_default();
        if !self.may_ask() {
            return Ok(());
        }
        if let Role::Candidate(ballots) = &mut self.role {
            ballots.granted = ballots.granted.union(me);
            // The time to gather votes starts when they can be asked for.
            self.arm_election();
            self.ask_again();
        }
        self.count_votes(memory)
    }

    fn count_votes(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        let Role::Candidate(ballots) = &self.role else {
            return Ok(());
        };
        let outcome = self
            .current
            .voters
            .outcome(ballots.granted, ballots.refused);
        if outcome == Outcome::Won && self.vault.is_settled(self.window.last().index) {
            self.become_leader(memory)?;
        }
        Ok(())
    }

    fn count_pre_votes(&mut self) {
        let Role::PreCandidate(ballots) = &self.role else {
            return;
        };
        let voters = &self.current.voters;
        if voters.outcome(ballots.granted, ballots.refused) == Outcome::Won {
            self.become_candidate();
        }
    }

    #[inline(never)]
    pub(super) fn on_pre_vote(
        &mut self,
        sender: Identity,
        term: Term,
        request: &PreVote,
    ) -> Option<DropReason> {
        self.consider_pre_vote(sender, term, request);
        None
    }

    /// Would this node vote for the sender in the term after `term`? Changes nothing else, but that
    /// a quiet node wakes, and then waits for its leader before it helps to replace it.
    pub(super) fn consider_pre_vote(&mut self, sender: Identity, term: Term, request: &PreVote) {
        self.stir_for(sender, request);
        let granted = !self.is_sticky()
            && term >= self.term()
            && request.last.term <= term
            && request.last.is_up_to_date_with(self.window.last());
        let verdict = Some((request.attempt, granted));
        self.mark_reply(sender, |replies| replies.pre_vote = verdict);
    }

    #[inline(never)]
    pub(super) fn on_pre_vote_reply(
        &mut self,
        sender: Identity,
        reply: &PreVoteReply,
    ) -> Option<DropReason> {
        let Some(member) = find_identity(&self.slots, sender) else {
            return Some(DropReason::Stranger);
        };
        if reply.attempt != self.attempt {
            return None;
        }
        let last = self.window.last();
        if let Role::PreCandidate(ballots) = &mut self.role {
            match reply.removed_at {
                // Its place lies in a log that any winner has, and this one has not.
                Some(place) if !last.is_up_to_date_with(place) => self.become_removed(place),
                Some(_) | None => {
                    ballots.count(member, reply.is_granted);
                    self.count_pre_votes();
                }
            }
        }
        None
    }

    /// The group goes on without this node and nobody could tell it: it stops asking. Once its log
    /// gets as far it knows better, by the configurations in it.
    fn become_removed(&mut self, place: EntryId) {
        self.current.removed_below = place;
        self.become_follower();
        self.arm_election();
        self.events.push(Event::Removed);
    }

    /// What a stranger is owed: the verdict on its pre-vote, with what it has to know about itself.
    pub(super) fn reply_to_guest(
        &mut self,
        memory: &[u8],
        ready: Ready<'_>,
    ) -> Option<(NodeId, Body<'static>)> {
        let removed_at = self.removed_at(memory);
        for guest in self.guests.iter_mut() {
            let to = guest.identity;
            if !ready.has(to.node) {
                continue;
            }
            if let Some(mut body) = self.vault.reply(&mut guest.replies, to) {
                if let Body::PreVoteReply(reply) = &mut body
                    && !reply.is_granted
                {
                    reply.removed_at = removed_at;
                }
                self.guests.retain(|guest| guest.replies.is_owed());
                return Some((to.node, body));
            }
        }
        None
    }

    /// What a stranger that asks is told about itself: the end of what is committed here, if the
    /// configuration in force, which does not name it, is.
    fn removed_at(&self, memory: &[u8]) -> Option<EntryId> {
        if self.current.index > self.commit {
            return None;
        }
        let term = self.window.term(memory, self.commit)?;
        Some(EntryId::new(self.commit, term))
    }

    #[inline(never)]
    pub(super) fn on_vote(&mut self, sender: Identity, request: &Vote) -> Option<DropReason> {
        if request.last.term > self.term() {
            return Some(DropReason::Malformed);
        }
        // Whoever follows a leader of this term knows that the election is over.
        let can_vote = matches!(self.role, Role::Follower(None) | Role::PreCandidate(_));
        // A node may have learned the term elsewhere, and have heard from its leader just now.
        if can_vote
            && (request.is_transfer || !self.is_sticky())
            && self.vault.vote().is_none()
            && request.last.is_up_to_date_with(self.window.last())
        {
            self.vault.vote_for(sender);
            self.mark_dirty();
            // Whoever got the vote gets the time to use it.
            self.become_follower();
            self.arm_election();
        }
        self.mark_reply(sender, |replies| replies.vote = true);
        None
    }

    #[inline(never)]
    pub(super) fn on_vote_reply(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        reply: &VoteReply,
    ) -> Result<Option<DropReason>, Fault> {
        let Some(member) = find_identity(&self.slots, sender) else {
            return Ok(Some(DropReason::Stranger));
        };
        if let Role::Candidate(ballots) = &mut self.role {
            ballots.count(member, reply.is_granted);
            self.count_votes(memory)?;
        }
        Ok(None)
    }

    /// Notes what is owed to a member, or to one of the two latest strangers.
    pub(super) fn mark_reply(&mut self, to: Identity, note: impl FnOnce(&mut Replies)) {
        let member = find_identity(&self.slots, to);
        if let Some(member) = member {
            if let Some(slot) = self.slot_mut(member) {
                note(&mut slot.replies);
                self.reply_due.insert(member);
            }
            return;
        }
        if let Some(guest) = self.guests.iter_mut().find(|guest| guest.identity == to) {
            return note(&mut guest.replies);
        }
        let mut guest = Guest {
            identity: to,
            replies: Replies::default(),
        };
        note(&mut guest.replies);
        if self.guests.is_full() {
            self.guests.remove(0);
        }
        let _ = self.guests.push(guest);
    }

    pub(super) fn is_role(&self, role: RoleName) -> bool {
        self.role_name() == role
    }
}

impl Ballots {
    /// The first answer of a member stands; a grant after a refusal is from a repeated request.
    fn count(&mut self, member: Member, is_granted: bool) {
        if is_granted {
            self.granted.insert(member);
            self.refused.remove(member);
        } else if !self.granted.contains(member) {
            self.refused.insert(member);
        }
    }
}

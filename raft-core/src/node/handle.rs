//! What comes in: messages and the results of writes. Dispatch and the term gate only. What is
//! rare is kept out of line, here and in the modules beneath, so that the frequent path is small.

use clocks::Instant;
use quorum::NodeId;

use super::{Node, Role};
use crate::durable::Ticket;
use crate::error::{Fault, HandleError};
use crate::event::{DropReason, Event};
use crate::message::{Body, Message};
use crate::snapshot::Piece;
use crate::types::{Identity, Term};

/// A term further ahead than this is a lie or damage: no group holds so many elections while one
/// member is away.
const TERM_JUMP_MAX: u32 = 1 << 24;

impl Node {
    #[inline]
    pub(crate) fn handle_message<'m>(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        message: &Message<'m>,
    ) -> Result<Option<Piece<'m>>, Fault> {
        self.live()?;
        self.observe(now);
        if let Err(reason) = self.admit(from, message) {
            self.drop_message(from, reason);
            return Ok(None);
        }
        let sender = Identity::new(from, message.incarnation);
        if message.term > self.term() && !self.on_higher_term(sender, message) {
            return Ok(None);
        }
        if message.term < self.term() {
            self.on_lower_term(sender, message);
            return Ok(None);
        }
        let dropped = match &message.body {
            Body::Append(append) => self.on_append(memory, sender, append)?,
            Body::Hollow(hollow) => self.on_hollow(memory, sender, hollow)?,
            Body::Ack(ack) => self.on_ack(memory, sender, ack)?,
            Body::PreVote(request) => self.on_pre_vote(sender, message.term, request),
            Body::PreVoteReply(reply) => self.on_pre_vote_reply(sender, reply),
            Body::Vote(request) => self.on_vote(sender, request),
            Body::VoteReply(reply) => self.on_vote_reply(memory, sender, reply)?,
            Body::ReadRequest(request) => self.on_read_request(sender, request),
            Body::ReadReply(reply) => self.on_read_reply(sender, reply),
            Body::TimeoutNow => self.on_timeout_now(sender),
            Body::Chunk(chunk) => match self.on_chunk(memory, sender, chunk)? {
                Ok(piece) => return Ok(piece),
                Err(reason) => Some(reason),
            },
        };
        if let Some(reason) = dropped {
            self.drop_message(from, reason);
        }
        Ok(None)
    }

    #[inline]
    fn admit(&self, from: NodeId, message: &Message<'_>) -> Result<(), DropReason> {
        if message.group != self.vault.group {
            return Err(DropReason::WrongGroup);
        }
        if from == self.config.id {
            return Err(DropReason::OwnName);
        }
        let ahead = message.term.value().saturating_sub(self.term().value());
        if ahead > TERM_JUMP_MAX || message.term == Term::MAX {
            return Err(DropReason::TermTooHigh);
        }
        Ok(())
    }

    /// Decides whether a higher term is entered, `[Ongaro14 §3.3]`; says whether the message is
    /// to be looked at.
    #[inline(never)]
    fn on_higher_term(&mut self, sender: Identity, message: &Message<'_>) -> bool {
        match &message.body {
            // A pre-vote changes nothing at its receiver, its answer only if it refuses.
            Body::PreVote(request) => {
                self.consider_pre_vote(sender, message.term, request);
                false
            }
            Body::PreVoteReply(reply) if reply.is_granted => false,
            // Whoever has heard from a leader does not help to replace it, [Ongaro14 §4.2.3].
            Body::Vote(vote) if !vote.is_transfer && self.is_sticky() => false,
            Body::Vote(_)
            | Body::PreVoteReply(_)
            | Body::VoteReply(_)
            | Body::Append(_)
            | Body::Hollow(_)
            | Body::Ack(_)
            | Body::Chunk(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow => {
                self.enter_term(message.term);
                true
            }
        }
    }

    /// Teaches the term to who is behind.
    #[inline(never)]
    fn on_lower_term(&mut self, sender: Identity, message: &Message<'_>) {
        match &message.body {
            Body::PreVote(request) => self.consider_pre_vote(sender, message.term, request),
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_) | Body::Vote(_) => {
                self.mark_reply(sender, |replies| replies.vote = true);
            }
            // A grant comes from whoever is not ahead: its term may be lower.
            Body::PreVoteReply(reply) => {
                if let Some(reason) = self.on_pre_vote_reply(sender, reply) {
                    self.drop_message(sender.node, reason);
                }
            }
            Body::VoteReply(_)
            | Body::Ack(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow => {}
        }
    }

    pub(crate) fn handle_unreachable(&mut self, now: Instant, peer: NodeId) -> Result<(), Fault> {
        self.live()?;
        self.observe(now);
        self.on_unreachable(peer);
        Ok(())
    }

    #[inline]
    pub(crate) fn handle_persisted(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        ticket: &Ticket,
    ) -> Result<(), HandleError> {
        self.live()?;
        if !self.vault.persisted(ticket)? {
            return Ok(());
        }
        self.observe(now);
        self.is_stalled = false;
        // What gathered meanwhile has waited no longer than the medium was busy.
        self.dirty_since = None;
        if self.vault.is_dirty(self.window.last().index) {
            self.mark_dirty();
        }
        match self.role {
            Role::Leader(_) => self.on_own_log_durable(memory)?,
            Role::Candidate(_) => self.on_own_vote_durable(memory)?,
            Role::Follower(_) | Role::PreCandidate(_) => {}
        }
        Ok(())
    }

    pub(crate) fn handle_persist_failed(
        &mut self,
        now: Instant,
        ticket: &Ticket,
    ) -> Result<(), HandleError> {
        self.live()?;
        if self.vault.persist_failed(ticket)? {
            self.observe(now);
            self.events.push(Event::PersistFailed);
        }
        Ok(())
    }
}

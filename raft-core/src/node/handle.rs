//! What comes in: messages and the results of writes. Dispatch and the term gate only. What is
//! rare is kept out of line, here and in the modules beneath, so that the frequent path is small.

use clocks::Instant;
use quorum::NodeId;

use super::{Node, Role};
use crate::durable::Ticket;
use crate::error::{Fault, FrameError, HandleError};
use crate::event::{DropReason, Event};
use crate::message::{Ack, Append, Body, Message};
use crate::snapshot::Piece;
use crate::types::{Identity, Term};
use crate::wire::{Head, decode};

/// A term further ahead than this is a lie or damage: no group holds so many elections while one
/// member is away.
const TERM_JUMP_MAX: u32 = 1 << 24;

/// What is left to be done with a message.
enum Rest<'m> {
    /// Nothing, or a piece of a snapshot is to be stored.
    Done(Option<Piece<'m>>),
    /// It is of this term and of one of the frequent kinds.
    Frequent,
}

impl Node {
    #[inline]
    pub(crate) fn handle_message<'m>(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        message: &Message<'m>,
    ) -> Result<Option<Piece<'m>>, Fault> {
        if let Rest::Done(piece) = self.handle_rare(memory, now, from, message)? {
            return Ok(piece);
        }
        let sender = Identity::new(from, message.incarnation);
        if let Body::Append(append) = &message.body {
            self.handle_append(memory, sender, append)?;
        } else if let Body::Ack(ack) = &message.body {
            self.handle_ack(memory, sender, ack)?;
        }
        Ok(None)
    }

    /// The same from the bytes: what is frequent is read where it stands.
    #[inline]
    pub(crate) fn handle_frame<'f>(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        frame: &'f [u8],
    ) -> Result<Option<Piece<'f>>, FrameError> {
        let (head, body) = Head::split(frame)?;
        if !(head.is_frequent() && self.is_of_this_term(from, &head))
            && let Rest::Done(piece) = self.handle_rare_frame(memory, now, from, frame)?
        {
            return Ok(piece);
        }
        let sender = Identity::new(from, head.incarnation);
        if head.is_append() {
            let append = head.append(body)?;
            self.observe(now);
            self.handle_append(memory, sender, &append)?;
        } else {
            let ack = head.ack(body)?;
            self.observe(now);
            self.handle_ack(memory, sender, &ack)?;
        }
        Ok(None)
    }

    #[inline(never)]
    fn handle_rare_frame<'f>(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        frame: &'f [u8],
    ) -> Result<Rest<'f>, FrameError> {
        let message = decode(frame)?;
        Ok(self.handle_rare(memory, now, from, &message)?)
    }

    /// Whether the gates of [`handle_rare`](Node::handle_rare) are open to a frame and leave
    /// everything as it is.
    #[inline]
    fn is_of_this_term(&self, from: NodeId, head: &Head) -> bool {
        head.group == self.vault.group
            && head.term == self.term()
            && head.term != Term::MAX
            && from != self.config.id
            && self.fault.is_none()
    }

    #[inline]
    fn handle_append(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        append: &Append<'_>,
    ) -> Result<(), Fault> {
        if let Some(reason) = self.on_append(memory, sender, append)? {
            self.drop_message(sender.node, reason);
        }
        Ok(())
    }

    #[inline]
    fn handle_ack(&mut self, memory: &mut [u8], sender: Identity, ack: &Ack) -> Result<(), Fault> {
        if let Some(reason) = self.on_ack(memory, sender, ack)? {
            self.drop_message(sender.node, reason);
        }
        Ok(())
    }

    /// Everything but the two frequent kinds, once they are of this term.
    #[inline(never)]
    fn handle_rare<'m>(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        message: &Message<'m>,
    ) -> Result<Rest<'m>, Fault> {
        self.live()?;
        self.observe(now);
        if let Err(reason) = self.admit(from, message) {
            self.drop_message(from, reason);
            return Ok(Rest::Done(None));
        }
        let sender = Identity::new(from, message.incarnation);
        if message.term > self.term() && !self.on_higher_term(sender, message) {
            return Ok(Rest::Done(None));
        }
        if message.term < self.term() {
            self.on_lower_term(sender, message);
            return Ok(Rest::Done(None));
        }
        let dropped = match &message.body {
            Body::Append(_) | Body::Ack(_) => return Ok(Rest::Frequent),
            Body::Hollow(hollow) => self.on_hollow(memory, sender, hollow)?,
            Body::PreVote(request) => self.on_pre_vote(sender, message.term, request),
            Body::PreVoteReply(reply) => self.on_pre_vote_reply(sender, reply),
            Body::Vote(request) => self.on_vote(sender, request),
            Body::VoteReply(reply) => self.on_vote_reply(memory, sender, reply)?,
            Body::ReadRequest(request) => self.on_read_request(sender, request),
            Body::ReadReply(reply) => self.on_read_reply(sender, reply),
            Body::TimeoutNow => self.on_timeout_now(sender),
            Body::Quiet(quiet) => self.on_quiet(sender, quiet),
            Body::QuietReply(reply) => self.on_quiet_reply(sender, reply),
            Body::Chunk(chunk) => match self.on_chunk(memory, sender, chunk)? {
                Ok(piece) => return Ok(Rest::Done(piece)),
                Err(reason) => Some(reason),
            },
        };
        if let Some(reason) = dropped {
            self.drop_message(from, reason);
        }
        Ok(Rest::Done(None))
    }

    #[inline]
    pub(super) fn admit(&self, from: NodeId, message: &Message<'_>) -> Result<(), DropReason> {
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
    pub(super) fn on_higher_term(&mut self, sender: Identity, message: &Message<'_>) -> bool {
        match &message.body {
            // A pre-vote changes nothing at its receiver, its answer only if it refuses.
            Body::PreVote(request) => {
                self.consider_pre_vote(sender, message.term, request);
                false
            }
            Body::PreVoteReply(reply) if reply.is_granted => false,
            // Whoever has heard from a leader does not help to replace it, [Ongaro14 §4.2.3].
            Body::Vote(vote) if !vote.is_transfer && self.is_sticky() => {
                self.stir_if_quiet();
                false
            }
            Body::Vote(_)
            | Body::PreVoteReply(_)
            | Body::VoteReply(_)
            | Body::Append(_)
            | Body::Hollow(_)
            | Body::Ack(_)
            | Body::Chunk(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow
            | Body::Quiet(_)
            | Body::QuietReply(_) => {
                self.enter_term(message.term);
                true
            }
        }
    }

    /// Teaches the term to who is behind.
    #[inline(never)]
    pub(super) fn on_lower_term(&mut self, sender: Identity, message: &Message<'_>) {
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
            // Whoever has been away may be behind: a leader that wakes brings it level.
            Body::QuietReply(reply) if !reply.is_quiet => {
                if let Some(reason) = self.on_quiet_reply(sender, reply) {
                    self.drop_message(sender.node, reason);
                }
            }
            Body::VoteReply(_)
            | Body::Ack(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow
            | Body::Quiet(_)
            | Body::QuietReply(_) => {}
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

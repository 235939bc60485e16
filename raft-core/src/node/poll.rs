//! What goes out. Nothing is queued: each call looks at what is due and builds one message, one
//! write or one delivery from the state as it is now.

use clocks::Instant;
use quorum::{Member, MemberSet, NodeId};

use super::outlet::{Outlet, Ready};
use super::{Node, Role};
use crate::durable::{Beginning, RECORD_VERSION, RecordHeader, Snapshot, Write};
use crate::entry::{Entries, Entry, EntryKind};
use crate::error::Fault;
use crate::event::Event;
use crate::message::{
    Ack, Append, Body, Chunk, ChunkData, Message, PreVote, PreVoteReply, Vote, VoteReply,
};
use crate::slot::{Flow, Replies};
use crate::types::{EntryId, LogIndex};
use crate::window::Window;
use crate::wire::{APPEND_HEADER_BYTES, CHUNK_HEADER_BYTES};

/// What is handed to the application, in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Committed<'a> {
    /// The next command: apply it.
    Command(Entry<'a>),
    /// The application's state is replaced by this snapshot, which the driver has stored.
    Snapshot(Snapshot),
}

impl Node {
    /// The next message, given to `out`.
    #[inline]
    pub(super) fn poll_out<'m, O: Outlet<'m>>(
        &mut self,
        memory: &'m [u8],
        now: Instant,
        ready: Ready<'_>,
        out: &mut O,
    ) -> Option<O::Sent> {
        self.observe(now);
        // Whatever is said of a term waits until the term is on the medium.
        if !self.vault.is_term_durable() || self.fault.is_some() {
            return None;
        }
        if !self.reply_due.is_empty() || !self.guests.is_empty() || self.reads.ask_due {
            let reply = self.next_reply(memory, ready);
            if let Some((to, body)) = reply {
                return out.send_rare(to, self.message(body));
            }
        }
        match &self.role {
            Role::Leader(_) => self.next_append(memory, ready, out),
            Role::Follower(_) => self.next_ack(ready, out),
            Role::PreCandidate(_) | Role::Candidate(_) => {
                let (to, body) = self.next_ask(ready)?;
                out.send_rare(to, self.message(body))
            }
        }
    }

    #[inline]
    fn message<'m>(&self, body: Body<'m>) -> Message<'m> {
        Message {
            group: self.vault.group,
            incarnation: self.vault.identity.incarnation,
            term: self.term(),
            body,
        }
    }

    #[inline(never)]
    fn next_reply<'m>(&mut self, memory: &[u8], ready: Ready<'_>) -> Option<(NodeId, Body<'m>)> {
        for member in self.reply_due.iter() {
            let Some(slot) = self.slots.get_mut(member.index()) else {
                continue;
            };
            let to = slot.identity;
            if slot.replies.is_owed() && !ready.has(to.node) {
                continue;
            }
            let body = self.vault.reply(&mut slot.replies, to);
            if !slot.replies.is_owed() && !self.is_owed_more(member) {
                self.reply_due.remove(member);
            }
            if let Some(body) = body {
                return Some((to.node, body));
            }
            if ready.has(to.node)
                && let Some(body) = self.take_owed_more(member)
            {
                return Some((to.node, body));
            }
        }
        if let Some(reply) = self.reply_to_guest(memory, ready) {
            return Some(reply);
        }
        self.next_read_request(ready)
    }

    /// Whether this member is owed more than votes and entries.
    fn is_owed_more(&self, member: Member) -> bool {
        self.is_read_confirmed(member)
            || self.is_to_be_told(member)
            || self
                .slot(member)
                .is_some_and(|slot| slot.replies.has_quiet_word())
    }

    fn take_owed_more(&mut self, member: Member) -> Option<Body<'static>> {
        if let Some(reply) = self.take_read_reply(member) {
            return Some(Body::ReadReply(reply));
        }
        if self.take_timeout_now(member) {
            return Some(Body::TimeoutNow);
        }
        self.take_quiet_word(member)
    }

    /// The question to the leader for an index to read at.
    fn next_read_request<'m>(&mut self, ready: Ready<'_>) -> Option<(NodeId, Body<'m>)> {
        let Role::Follower(Some(owed)) = &self.role else {
            return None;
        };
        let to = owed.leader.node;
        if !self.reads.ask_due || !ready.has(to) {
            return None;
        }
        let request = self.take_read_request()?;
        Some((to, Body::ReadRequest(request)))
    }

    /// The acknowledgement to the leader: its round at once, its entries when they are durable.
    #[inline]
    fn next_ack<'m, O: Outlet<'m>>(&mut self, ready: Ready<'_>, out: &mut O) -> Option<O::Sent> {
        let durable = self.vault.log_durable();
        // Room for a frame is as good as more: only less is worth a word when it is regained.
        let frame = self.config.frame_bytes_max;
        let Role::Follower(Some(owed)) = &mut self.role else {
            return None;
        };
        let verified = durable.at_most(owed.verified);
        let is_due = verified.get() > owed.verified_sent
            || owed.round > owed.round_sent
            || owed.repeat
            || owed.reject.is_some()
            || owed.chunk.is_some()
            || ((owed.room_sent as usize) < frame && owed.room_sent < self.window.room() / 2);
        if !is_due || !ready.has(owed.leader.node) {
            return None;
        }
        let room = self.window.room();
        if room == 0 && self.window.base().index < self.delivered {
            self.events.push(Event::WindowFull);
        }
        let mut ack = Ack::from_durable(verified, owed.round, room);
        ack.reject = owed.reject.take();
        ack.chunk = owed.chunk.take();
        owed.verified_sent = owed.verified_sent.max(ack.verified);
        owed.round_sent = owed.round;
        owed.room_sent = room;
        owed.repeat = false;
        let to = owed.leader.node;
        if ack.reject.is_some() || ack.chunk.is_some() {
            return out.send_rare(to, self.message(Body::Ack(ack)));
        }
        (ack.reject, ack.chunk) = (None, None);
        out.send(to, self.message(Body::Ack(ack)))
    }

    #[inline(never)]
    fn next_ask<'m>(&mut self, ready: Ready<'_>) -> Option<(NodeId, Body<'m>)> {
        let is_ready = |member: &Member| {
            let slot = self.slots.get(member.index());
            slot.is_some_and(|slot| ready.has(slot.identity.node))
        };
        let member = self.ask_due.iter().find(is_ready)?;
        self.ask_due.remove(member);
        let to = self.slot(member)?.identity.node;
        let last = self.window.last();
        let body = match self.role {
            Role::PreCandidate(_) => Body::PreVote(PreVote {
                last,
                attempt: self.attempt,
            }),
            Role::Candidate(ref ballots) => Body::Vote(Vote {
                last,
                is_transfer: ballots.is_transfer,
            }),
            Role::Follower(_) | Role::Leader(_) => return None,
        };
        Some((to, body))
    }

    /// The next append or chunk, starting with the member after the one served last.
    #[inline]
    fn next_append<'m, O: Outlet<'m>>(
        &mut self,
        memory: &'m [u8],
        ready: Ready<'_>,
        out: &mut O,
    ) -> Option<O::Sent> {
        if self.append_due.is_empty() {
            return None;
        }
        let mut rest = self.append_due;
        while !rest.is_empty() {
            let later = rest.difference(MemberSet::first(usize::from(self.cursor)));
            let turn = if later.is_empty() { rest } else { later };
            let Some(member) = turn.iter().next() else {
                break;
            };
            rest.remove(member);
            let Some(slot) = self.slots.get(member.index()) else {
                continue;
            };
            let to = slot.identity.node;
            if !ready.has(to) {
                continue;
            }
            let transmit = self.append_to(memory, member, to, out);
            if transmit.is_some() {
                self.cursor = u8::try_from(member.index() + 1).unwrap_or(0);
                return transmit;
            }
            self.append_due.remove(member);
        }
        None
    }

    #[inline]
    fn append_to<'m, O: Outlet<'m>>(
        &mut self,
        memory: &'m [u8],
        member: Member,
        to: NodeId,
        out: &mut O,
    ) -> Option<O::Sent> {
        let Role::Leader(office) = &mut self.role else {
            return None;
        };
        let (round, first) = (office.round, office.first);
        let (base, last) = (self.window.base(), self.window.last());
        let slot = self.slots.get_mut(member.index())?;
        if slot.standing.is_witness() {
            let hollow = self.hollow_to(memory, member)?;
            return out.send_rare(to, self.message(hollow));
        }
        let progress = &mut slot.progress;
        progress.fall_behind(base.index, self.config.lends);
        let left = match &progress.flow {
            Flow::Snapshot { .. } => {
                let chunk = self.chunk_to(memory, member)?;
                return out.send_rare(to, self.message(chunk));
            }
            Flow::Lend { .. } => {
                let contact = self.contact_to(member)?;
                return out.send_rare(to, self.message(contact));
            }
            Flow::Probe { sent: true } => return None,
            Flow::Probe { sent: false } => u32::MAX,
            Flow::Replicate(flight) => flight.left(self.config.in_flight),
        };
        let prev = progress.next.previous();
        // Everything from a leader's first entry on is its own.
        let prev_term = if prev < first {
            self.window.term(memory, prev)?
        } else {
            self.vault.term()
        };
        let prev = EntryId::new(prev, prev_term);
        let (end, entries, is_trial) = if prev.index < last.index && left > 0 {
            let frame = self
                .config
                .frame_bytes_max
                .saturating_sub(APPEND_HEADER_BYTES)
                .min(usize::try_from(left).unwrap_or(usize::MAX));
            let is_new_round = round > progress.round_sent;
            let (window, room) = (&self.window, progress.room);
            entries_to_send(window, memory, prev.index, frame, room, is_new_round)?
        } else {
            (prev.index, Entries::EMPTY, false)
        };
        let commit = self.commit.min(end);
        let has_news = end > prev.index
            || commit > progress.commit_sent
            || round > progress.round_sent
            || matches!(progress.flow, Flow::Probe { .. });
        if !has_news {
            return None;
        }
        if is_trial {
            // Not counted as sent: the answer says whether it was taken.
        } else if let Flow::Replicate(flight) = &mut progress.flow {
            if end > prev.index {
                let sent = u32::try_from(entries.len()).unwrap_or(u32::MAX);
                flight.on_sent(end, sent);
                progress.room = progress.room.saturating_sub(sent);
                progress.next = end.next();
            }
        } else {
            progress.flow = Flow::Probe { sent: true };
        }
        progress.commit_sent = progress.commit_sent.max(commit);
        progress.round_sent = round;
        if end == last.index {
            // Everything there is has been said.
            self.append_due.remove(member);
        }
        office.handed = round;
        let append = Append {
            prev,
            commit,
            round,
            entries,
        };
        out.send(to, self.message(Body::Append(append)))
    }

    #[inline(never)]
    fn chunk_to<'m>(&mut self, memory: &'m [u8], member: Member) -> Option<Body<'m>> {
        let Role::Leader(office) = &mut self.role else {
            return None;
        };
        let (round, snapshot) = (office.round, self.snapshot);
        let configuration = self.window.base_configuration(memory);
        let overhead = CHUNK_HEADER_BYTES + configuration.len();
        let room = self.config.frame_bytes_max.saturating_sub(overhead);
        if room == 0 {
            self.events.push(Event::SnapshotFrameTooSmall);
            return None;
        }
        let progress = &mut self.slots.get_mut(member.index())?.progress;
        let Flow::Snapshot {
            index,
            offset,
            sent,
        } = &mut progress.flow
        else {
            return None;
        };
        if *index != snapshot.last.index {
            (*index, *offset, *sent) = (snapshot.last.index, 0, false);
        }
        if *sent {
            return None;
        }
        *sent = true;
        let offset = (*offset).min(snapshot.size);
        let len = snapshot.size.saturating_sub(offset);
        let len = u32::try_from(len)
            .unwrap_or(u32::MAX)
            .min(u32::try_from(room).unwrap_or(u32::MAX));
        progress.round_sent = round;
        office.handed = round;
        self.note_piece(member);
        let data = ChunkData::Wanted(len);
        Some(Body::Chunk(Chunk {
            snapshot,
            configuration,
            round,
            offset,
            data,
        }))
    }

    #[inline]
    pub(crate) fn poll_persist<'m>(&'m mut self, memory: &'m [u8]) -> Option<Write<'m>> {
        let last = self.window.last().index;
        if self.vault.has_outstanding() || self.fault.is_some() || !self.vault.is_dirty(last) {
            return None;
        }
        let (after, beginning, configuration) = if self.vault.is_beginning() {
            let configuration = self.window.base_configuration(memory);
            let beginning = Beginning {
                snapshot: self.snapshot,
                configuration_len: u16::try_from(configuration.len()).ok()?,
                is_witness: self.vault.is_witness(),
            };
            (self.window.base().index, Some(beginning), configuration)
        } else {
            (self.vault.log_durable().get(), None, &[][..])
        };
        let entries = self.window.entries(memory, after, last)?;
        let header = RecordHeader {
            version: RECORD_VERSION,
            group: self.vault.group,
            identity: self.vault.identity,
            hard: self.vault.hard(),
            commit: self.commit,
            beginning,
            after,
            entries_len: u32::try_from(entries.len()).ok()?,
        };
        Some(Write {
            vault: &mut self.vault,
            header,
            last,
            configuration,
            entries,
        })
    }

    /// The next command that is committed and durable here, or the snapshot before it.
    #[inline]
    pub(crate) fn poll_committed<'m>(&mut self, memory: &'m [u8]) -> Option<Committed<'m>> {
        let deliverable = self.deliverable();
        if self.delivered >= deliverable || self.fault.is_some() {
            return None;
        }
        if self.delivered < self.window.base().index {
            if deliverable < self.window.base().index {
                return None;
            }
            self.delivered = self.window.base().index;
            // A witness has no state that anything could replace, and no commands besides.
            if !self.vault.is_witness() {
                return Some(Committed::Snapshot(self.snapshot));
            }
        }
        while self.delivered < deliverable {
            let index = self.delivered.next();
            let Some(entry) = self.window.entry(memory, index) else {
                self.fail(Fault::WindowDamaged);
                return None;
            };
            self.delivered = index;
            if entry.kind == EntryKind::Command {
                return Some(Committed::Command(entry));
            }
        }
        None
    }
}

/// The entries after `after` that one frame and the follower's room allow, the last of them, and
/// whether they are a trial: where there is some room but too little, each new round tries one
/// entry, because who never has to refuse anything never learns that it must compact.
#[inline]
fn entries_to_send<'m>(
    window: &Window,
    memory: &'m [u8],
    after: LogIndex,
    frame: usize,
    room: u32,
    is_new_round: bool,
) -> Option<(LogIndex, Entries<'m>, bool)> {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(frame);
    let (end, entries) = window.fit(memory, after, room)?;
    if end == after && room > 0 && is_new_round {
        let one = window.entries(memory, after, after.next())?;
        if one.len() <= frame {
            return Some((after.next(), one, true));
        }
    }
    Some((end, entries, false))
}

impl crate::durable::Vault {
    /// What is owed to `to`, one message at a time. A vote that is given but not durable yet
    /// stays owed.
    pub(super) fn reply(
        &self,
        replies: &mut Replies,
        to: crate::types::Identity,
    ) -> Option<Body<'static>> {
        if let Some((attempt, is_granted)) = replies.pre_vote.take() {
            return Some(Body::PreVoteReply(PreVoteReply {
                attempt,
                is_granted,
                removed_at: None,
            }));
        }
        if replies.vote && self.hard_durable().get() == self.hard() {
            replies.vote = false;
            return Some(Body::VoteReply(VoteReply::from_durable(
                self.hard_durable(),
                to,
            )));
        }
        None
    }
}

//! One frame for all who are level, where the medium is shared: radio, CAN, multicast.
//!
//! A leader sends each follower the same entries, on a bus once for each. Sending an append to
//! everybody without more would not do: whoever is behind refuses it, each frame of a pipeline
//! again, all at once on one medium; and whoever has another configuration answers for a member
//! that it is not.
//!
//! So a frame names the members it is for, all of which expect the same next entry, and counts as
//! sent to each of them. They are named by their places in the configuration in force at the entry
//! before its first: whoever holds that entry has the same log up to it, and so the same
//! configuration and the same places (Log Matching, `[Ongaro14 §3.5]`). Whoever is not named, or
//! does not hold that entry, is silent. The answers go one to one.
//!
//! Silence has to be noticed. A frame is for those only that have acknowledged the contact before
//! the latest, or the latest that they were sent: whoever missed a frame is left out from the next heartbeat on, gets that one alone,
//! refuses it, and is brought level like any other. A lost frame costs a heartbeat; nothing is
//! lost by it that was not sent as well.
//!
//! Bounds: O(members) and one frame; no state beside that of the members.

use clocks::Instant;
use quorum::{Member, MemberSet, NodeId};

use super::outlet::Ready;
use super::{Node, Role};
use crate::entry::Entries;
use crate::error::Fault;
use crate::event::DropReason;
use crate::message::{Append, Body, Broadcast, Message};
use crate::slot::Flow;
use crate::types::{EntryId, Identity, LogIndex, Round};
use crate::wire::broadcast_header_bytes;

impl Node {
    #[inline(never)]
    pub(crate) fn poll_broadcast<'m>(
        &mut self,
        memory: &'m [u8],
        now: Instant,
        ready: Ready<'_>,
    ) -> Option<Broadcast<'m>> {
        self.observe(now);
        // A leader's term is on the medium, and nothing is due from a node that has stopped.
        let Role::Leader(office) = &self.role else {
            return None;
        };
        let (round, first) = (office.round, office.first);
        let (next, level) = self.level(round, ready)?;
        let (prev, last) = (next.previous(), self.window.last().index);
        // Whoever holds `prev` knows the members by the places that they have here.
        if prev < self.window.base().index || prev < self.current.index {
            return None;
        }
        let prev_term = if prev < first {
            self.window.term(memory, prev)?
        } else {
            self.vault.term()
        };
        let (end, entries) = if prev < last {
            let (end, entries) = self.fit_all(memory, prev, level)?;
            if end == prev {
                // Somebody has no room: that is between the two.
                return None;
            }
            (end, entries)
        } else {
            (prev, Entries::EMPTY)
        };
        let commit = self.commit.min(end);
        let members: MemberSet = level
            .iter()
            .filter(|member| end > prev || self.lacks(*member, commit, round))
            .collect();
        if members.len() < 2 {
            return None;
        }
        let prev = EntryId::new(prev, prev_term);
        let append = Append {
            prev,
            commit,
            round,
            entries,
        };
        self.mark_sent(members, &append, end);
        let message = Message {
            group: self.vault.group,
            incarnation: self.vault.identity.incarnation,
            term: self.term(),
            body: Body::Append(append),
        };
        Some(Broadcast { members, message })
    }

    /// The members that something is due to, are ready, answer, and wait for the same entry: those
    /// that are furthest.
    fn level(&self, round: Round, ready: Ready<'_>) -> Option<(LogIndex, MemberSet)> {
        let progress = |member: Member| {
            let slot = self.slot(member)?;
            let acked = slot.progress.round_acked;
            // The round of an attempt to be quiet is acknowledged by nobody.
            let answers = acked.next() >= round || acked >= slot.progress.round_sent;
            let is_level = matches!(slot.progress.flow, Flow::Replicate(_)) && answers;
            (is_level && ready.has(slot.identity.node)).then_some(slot.progress.next)
        };
        // What a witness gets is made for it alone.
        let due = self.append_due.difference(self.current.witnesses);
        let next = due.iter().filter_map(progress).max()?;
        let level = due.iter().filter(|member| progress(*member) == Some(next));
        Some((next, level.collect()))
    }

    /// The entries after `prev` for which everybody has room, and not too much under way already, as
    /// far as they fit a frame.
    fn fit_all<'m>(
        &self,
        memory: &'m [u8],
        prev: LogIndex,
        members: MemberSet,
    ) -> Option<(LogIndex, Entries<'m>)> {
        let rooms = members.iter().filter_map(|member| {
            let progress = &self.slot(member)?.progress;
            let Flow::Replicate(flight) = &progress.flow else {
                return None;
            };
            Some(progress.room.min(flight.left(self.config.in_flight)))
        });
        let room = rooms.min()?;
        let header = broadcast_header_bytes(members);
        let frame = self.config.frame_bytes_max.saturating_sub(header);
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(frame);
        self.window.fit(memory, prev, room)
    }

    /// Whether a member was not told of this commit or contact.
    fn lacks(&self, member: Member, commit: LogIndex, round: Round) -> bool {
        self.slot(member).is_some_and(|slot| {
            commit > slot.progress.commit_sent || round > slot.progress.round_sent
        })
    }

    /// Notes for each member what it was sent, as if that had gone to it alone.
    fn mark_sent(&mut self, members: MemberSet, append: &Append<'_>, end: LogIndex) {
        let sent = u32::try_from(append.entries.len()).unwrap_or(u32::MAX);
        for member in members.iter() {
            let Some(slot) = self.slot_mut(member) else {
                continue;
            };
            let progress = &mut slot.progress;
            if end > append.prev.index
                && let Flow::Replicate(flight) = &mut progress.flow
            {
                flight.on_sent(end, sent);
                progress.room = progress.room.saturating_sub(sent);
                progress.next = end.next();
            }
            progress.commit_sent = progress.commit_sent.max(append.commit);
            progress.round_sent = append.round;
        }
        if end == self.window.last().index {
            // Everything there is has been said.
            self.append_due = self.append_due.difference(members);
        }
        if let Role::Leader(office) = &mut self.role {
            office.handed = append.round;
        }
    }

    #[inline(never)]
    pub(crate) fn handle_broadcast(
        &mut self,
        memory: &mut [u8],
        now: Instant,
        from: NodeId,
        broadcast: &Broadcast<'_>,
    ) -> Result<(), Fault> {
        self.live()?;
        self.observe(now);
        let message = &broadcast.message;
        if let Err(reason) = self.admit(from, message) {
            self.drop_message(from, reason);
            return Ok(());
        }
        let Body::Append(append) = &message.body else {
            self.drop_message(from, DropReason::Malformed);
            return Ok(());
        };
        let sender = Identity::new(from, message.incarnation);
        if message.term > self.term() && !self.on_higher_term(sender, message) {
            return Ok(());
        }
        if !self.is_meant(memory, broadcast.members, append)? {
            // Silent, and yet it has heard that its leader lives.
            if message.term == self.term() && self.is_following(sender) {
                self.mark_heard();
            }
            return Ok(());
        }
        if message.term < self.term() {
            self.on_lower_term(sender, message);
            return Ok(());
        }
        if let Some(reason) = self.on_append(memory, sender, append)? {
            self.drop_message(from, reason);
        }
        Ok(())
    }

    /// Whether this node is named and level; else it is silent. Its configuration stands before the
    /// frame's first entry, as that of the sender does: then they are the same.
    fn is_meant(
        &self,
        memory: &[u8],
        members: MemberSet,
        append: &Append<'_>,
    ) -> Result<bool, Fault> {
        let is_named = self.current.me.is_some_and(|me| members.contains(me));
        let knows_all = self.current.index <= append.prev.index;
        Ok(is_named && knows_all && self.mismatch(memory, append.prev)?.is_none())
    }
}

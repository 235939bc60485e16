//! Following: entries of the leader, and what is owed to it, `[Ongaro14 §3.5]`.
//!
//! An append names the entry before its first. If that is here with the same term, everything
//! before agrees too. Entries that are here already stay (a delayed append must not cut off what
//! a later one brought); the first that differs, and all after it, give way. What an append has
//! verified ends with its last entry, and only so far does the leader's commit count.

use super::{Node, Owed, Role};
use crate::configuration::{Encoded, Refused};
use crate::entry::{ENTRY_HEADER_BYTES, EntryKind, Header, split_entry};
use crate::error::Fault;
use crate::event::{DropReason, Event};
use crate::message::{Append, Reject};
use crate::types::{EntryId, Identity, LogIndex, Round, Term};

/// How taking an append's entries ended.
pub(super) struct Taken {
    /// Up to here the log is the leader's.
    pub(super) verified: LogIndex,
    /// What was wrong with the entry after that, if anything.
    pub(super) refused: Option<DropReason>,
}

/// Whether the place of an entry is free.
pub(super) enum Way {
    /// An entry goes there.
    Free,
    /// It is here already.
    Here,
}

impl Node {
    /// Accepts the sender as the leader of this term, unless there is another one, and notes the
    /// round that it is in.
    #[inline]
    pub(super) fn recognise(&mut self, sender: Identity, round: Round) -> Result<(), DropReason> {
        if !self.is_following(sender) {
            self.follow_first(sender)?;
        }
        if let Some(owed) = self.owed() {
            owed.round = owed.round.max(round);
        }
        self.mark_heard();
        Ok(())
    }

    #[inline]
    pub(super) fn is_following(&self, leader: Identity) -> bool {
        matches!(&self.role, Role::Follower(Some(owed)) if owed.leader == leader)
    }

    /// Follows the first who claims to lead in this term; there is never a second.
    #[inline(never)]
    fn follow_first(&mut self, sender: Identity) -> Result<(), DropReason> {
        match &self.role {
            Role::Leader(_) | Role::Follower(Some(_)) => Err(DropReason::SecondLeader),
            Role::Follower(None) | Role::PreCandidate(_) | Role::Candidate(_) => {
                self.follow(sender);
                Ok(())
            }
        }
    }

    #[inline]
    pub(super) fn owed(&mut self) -> Option<&mut Owed> {
        match &mut self.role {
            Role::Follower(owed) => owed.as_mut(),
            Role::PreCandidate(_) | Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    #[inline]
    pub(super) fn on_append(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        append: &Append<'_>,
    ) -> Result<Option<DropReason>, Fault> {
        if self.vault.is_witness() {
            return Ok(Some(DropReason::IsWitness));
        }
        if let Err(reason) = self.agree(memory, sender, append.prev, append.round)? {
            return Ok(reason);
        }
        let is_empty = append.entries.is_empty();
        let taken = if is_empty {
            Taken {
                verified: append.prev.index,
                refused: None,
            }
        } else {
            let last_before = self.window.last();
            let taken = self.take(memory, append)?;
            // Entries that were here already are written, or waiting: no new clock starts for them.
            if self.window.last() != last_before {
                self.mark_dirty();
            }
            taken
        };
        Ok(self.conclude(is_empty, taken, append.commit))
    }

    /// Follows the sender, if its log and this one agree up to `prev`. The inner error says why
    /// nothing is to be taken; `None` is for logs that do not agree, which it is told.
    #[inline]
    pub(super) fn agree(
        &mut self,
        memory: &[u8],
        sender: Identity,
        prev: EntryId,
        round: Round,
    ) -> Result<Result<(), Option<DropReason>>, Fault> {
        if prev.term > self.term() {
            return Ok(Err(Some(DropReason::Malformed)));
        }
        if let Err(reason) = self.recognise(sender, round) {
            return Ok(Err(Some(reason)));
        }
        let Some(hint) = self.mismatch(memory, prev)? else {
            return Ok(Ok(()));
        };
        if prev.index <= self.commit {
            return Ok(Err(Some(DropReason::ConflictBelowCommit)));
        }
        if let Some(owed) = self.owed() {
            let prev = prev.index;
            owed.reject = Some(Reject { prev, hint });
        }
        Ok(Err(None))
    }

    /// Notes what was verified, and what of it is committed.
    #[inline]
    pub(super) fn conclude(
        &mut self,
        is_empty: bool,
        taken: Taken,
        commit: LogIndex,
    ) -> Option<DropReason> {
        if let Some(owed) = self.owed() {
            // An append that brings nothing new may repeat one whose answer was lost.
            owed.repeat |= !is_empty && taken.verified <= owed.verified_sent;
            owed.verified = owed.verified.max(taken.verified);
        }
        self.commit = self.commit.max(commit.min(taken.verified));
        taken.refused
    }

    /// The last entry that may agree, if `prev` is not here.
    #[inline]
    pub(super) fn mismatch(&self, memory: &[u8], prev: EntryId) -> Result<Option<EntryId>, Fault> {
        let (last, base) = (self.window.last(), self.window.base());
        if prev == last || prev.index < base.index {
            // What is compacted is committed, and every leader has what is committed.
            return Ok(None);
        }
        if prev.index > last.index {
            return Ok(Some(last));
        }
        let term = self
            .window
            .term(memory, prev.index)
            .ok_or(Fault::WindowDamaged)?;
        if term == prev.term {
            return Ok(None);
        }
        let before = prev.index.previous();
        let hint = self
            .window
            .last_with_term_at_most(memory, before, prev.term);
        Ok(Some(hint.ok_or(Fault::WindowDamaged)?))
    }

    /// Takes the entries that are new, as far as they fit.
    #[inline]
    fn take(&mut self, memory: &mut [u8], append: &Append<'_>) -> Result<Taken, Fault> {
        let mut id = append.prev;
        // What comes in a frame is one run; only a message that was never one can have two.
        let [head, tail] = append.entries.slices();
        let mut ended = self.take_run(memory, &mut id, head)?;
        if ended.is_ok() && !tail.is_empty() {
            ended = self.take_run(memory, &mut id, tail)?;
        }
        Ok(Taken {
            verified: id.index,
            refused: ended.err().flatten(),
        })
    }

    /// Takes one entry after the other; `id` is the last that was taken.
    #[inline]
    fn take_run(
        &mut self,
        memory: &mut [u8],
        id: &mut EntryId,
        mut rest: &[u8],
    ) -> Result<Result<(), Option<DropReason>>, Fault> {
        let term = self.term();
        while let Some((header, bytes, after)) = split_entry(rest) {
            if header.term < id.term || header.term > term {
                return Ok(Err(Some(DropReason::Malformed)));
            }
            let next = EntryId::new(id.index.next(), header.term);
            if let Err(refused) = self.take_one(memory, next.index, header, bytes)? {
                return Ok(Err(refused));
            }
            (*id, rest) = (next, after);
        }
        if rest.is_empty() {
            Ok(Ok(()))
        } else {
            Ok(Err(Some(DropReason::Malformed)))
        }
    }

    /// Takes one entry: skips it when it is here, makes way for it when another is. The inner
    /// error says why it was not taken; `None` is for lack of room.
    #[inline]
    fn take_one(
        &mut self,
        memory: &mut [u8],
        index: LogIndex,
        header: Header,
        bytes: &[u8],
    ) -> Result<Result<(), Option<DropReason>>, Fault> {
        if index <= self.window.last().index {
            match self.make_way(memory, index, header.term)? {
                Ok(Way::Free) => {}
                Ok(Way::Here) => return Ok(Ok(())),
                Err(reason) => return Ok(Err(Some(reason))),
            }
        }
        match header.kind {
            EntryKind::Command | EntryKind::NoOp => {}
            EntryKind::Configuration => {
                let payload = bytes.get(ENTRY_HEADER_BYTES..).unwrap_or_default();
                if let Err(reason) = self.check_members(payload) {
                    return Ok(Err(Some(reason)));
                }
            }
            // Its payload would be missing here for good.
            EntryKind::Hollow => return Ok(Err(Some(DropReason::Malformed))),
        }
        if self.window.append_one(memory, header.term, bytes).is_err() {
            self.events.push(Event::WindowFull);
            return Ok(Err(None));
        }
        if header.kind == EntryKind::Configuration {
            self.adopt_configuration(memory, index)?;
        }
        Ok(Ok(()))
    }

    /// Makes way for an entry of this term at an index that the log has: what is here with the same
    /// term stays.
    #[inline]
    pub(super) fn make_way(
        &mut self,
        memory: &mut [u8],
        index: LogIndex,
        term: Term,
    ) -> Result<Result<Way, DropReason>, Fault> {
        if index < self.window.base().index {
            return Ok(Ok(Way::Here));
        }
        let here = self.window.term(memory, index);
        if here.ok_or(Fault::WindowDamaged)? == term {
            return Ok(Ok(Way::Here));
        }
        // The base is committed, so nothing of an earlier term can follow it either.
        if index <= self.commit {
            return Ok(Err(DropReason::ConflictBelowCommit));
        }
        self.truncate(memory, index.previous())?;
        Ok(Ok(Way::Free))
    }

    /// Whether this node can hold these members.
    pub(super) fn check_members(&self, payload: &[u8]) -> Result<(), DropReason> {
        match Encoded::decode(payload, self.slots.capacity()) {
            Ok(encoded) if encoded.count > 0 => Ok(()),
            Ok(_) | Err(Refused::Malformed) => Err(DropReason::Malformed),
            Err(Refused::TooLarge) => Err(DropReason::TooManyMembers),
        }
    }

    /// Drops everything after `last`, and takes back a configuration that goes with it.
    fn truncate(&mut self, memory: &mut [u8], last: LogIndex) -> Result<(), Fault> {
        if last < self.commit {
            return Err(self.fail(Fault::CommitOverwritten));
        }
        self.window
            .truncate(memory, last)
            .ok_or(Fault::WindowDamaged)?;
        self.vault.truncate(last);
        self.mark_dirty();
        let below = self.term();
        self.events.push(Event::Lost {
            from: last.next(),
            below,
        });
        if let Some(owed) = self.owed() {
            owed.verified = owed.verified.min(last);
            owed.verified_sent = owed.verified_sent.min(last);
        }
        if self.current.index > last {
            self.restore_configuration(memory)?;
        }
        Ok(())
    }
}

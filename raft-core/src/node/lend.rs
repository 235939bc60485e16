//! Entries from before the window, lent by a driver that keeps them.
//!
//! A member that needs what is compacted gets the snapshot: all of the state, over a link that
//! carries the last hundred entries in a moment. Many drivers have these entries still, in a file
//! or in flash. So a leader can ask its driver for them first, and falls back on the snapshot when
//! the driver declines.
//!
//! The leader does not know the terms of what it compacted. It cannot name the entry that a lent
//! one follows, so the driver does; everything else is Raft as always: the follower compares, takes
//! what fits, refuses what does not follow, and says where to go back to, `[Ongaro14 §3.5]`. Until
//! a loan arrives, the heartbeats to that member name the base, which it has not, and its refusals
//! are its answers.
//!
//! One loan for a member is under way at a time. What is lent is asked for again with the next
//! heartbeat if it brought no acknowledgement, as a piece of a snapshot is. A loan is checked
//! before anything changes: whole entries that can be decoded, terms that do not fall and end with
//! that of the base, the same terms as in the window where it reaches into it. A driver that lends
//! entries of another log that pass all this can make members disagree, as one that returns a
//! wrong log at restart can.
//!
//! Bounds: no memory beyond the phase of the member's flow; the work of a loan is O(its bytes), of
//! looking for a need O(members). Nothing is copied.

use clocks::Instant;
use quorum::Member;

use super::{Node, Role};
use crate::configuration::Encoded;
use crate::entry::{ENTRY_HEADER_BYTES, Entries, EntryKind, split_entry};
use crate::lend::{Fetch, LendError};
use crate::message::{Append, Body, Message, Transmit};
use crate::slot::{Flow, find_identity};
use crate::types::{EntryId, LogIndex};
use crate::wire::APPEND_HEADER_BYTES;

impl Node {
    /// The next member that needs what is not in the window any more.
    pub(crate) fn poll_fetch(&mut self) -> Option<Fetch> {
        if !self.config.lends || self.fault.is_some() || !self.is_leader() {
            return None;
        }
        let (base, term) = (self.window.base().index, self.term());
        let bytes_max = self.loan_bytes_max();
        for member in self.peers().iter() {
            let slot = self.slots.get_mut(member.index())?;
            if slot.standing.is_witness() {
                // What it lacks takes one frame in any case.
                continue;
            }
            let progress = &mut slot.progress;
            progress.fall_behind(base, true);
            if progress.flow == (Flow::Lend { asked: false }) && progress.room > 0 {
                progress.flow = Flow::Lend { asked: true };
                return Some(Fetch {
                    to: slot.identity,
                    term,
                    after: progress.next.previous(),
                    last: base,
                    bytes_max: bytes_max.min(progress.room),
                });
            }
        }
        None
    }

    /// The longest loan: what one frame carries, and what may be in flight.
    fn loan_bytes_max(&self) -> u32 {
        let frame = self.config.frame_bytes_max;
        let frame = frame.saturating_sub(APPEND_HEADER_BYTES);
        let frame = u32::try_from(frame).unwrap_or(u32::MAX);
        frame.min(self.config.in_flight.bytes)
    }

    /// The append that carries these entries.
    pub(crate) fn lend<'m>(
        &mut self,
        memory: &[u8],
        now: Instant,
        fetch: &Fetch,
        prev: EntryId,
        entries: &'m [u8],
    ) -> Result<Transmit<'m>, LendError> {
        self.live().map_err(LendError::Faulted)?;
        let member = self.wanted_by(fetch).ok_or(LendError::NotWanted)?;
        let end = self.check_loan(memory, fetch, prev, entries)?;
        self.observe(now);
        let commit = self.commit.min(end);
        let not_wanted = LendError::NotWanted;
        let Role::Leader(office) = &mut self.role else {
            return Err(not_wanted);
        };
        let slot = self.slots.get_mut(member.index()).ok_or(not_wanted)?;
        let progress = &mut slot.progress;
        progress.flow = Flow::Lend { asked: true };
        progress.commit_sent = progress.commit_sent.max(commit);
        progress.round_sent = office.round;
        office.handed = office.round;
        let body = Body::Append(Append {
            prev,
            commit,
            round: office.round,
            entries: Entries::from_bytes(entries),
        });
        let message = Message {
            group: self.vault.group,
            incarnation: self.vault.identity.incarnation,
            term: self.term(),
            body,
        };
        Ok(Transmit {
            to: fetch.to.node,
            message,
        })
    }

    /// The driver does not have what was asked for: the member gets the snapshot.
    pub(crate) fn decline(&mut self, fetch: &Fetch) {
        let index = self.window.base().index;
        if let Some(member) = self.wanted_by(fetch)
            && let Some(slot) = self.slot_mut(member)
        {
            slot.progress.flow = Flow::Snapshot {
                index,
                offset: 0,
                sent: false,
            };
            self.append_due.insert(member);
        }
    }

    /// The member that still needs what was fetched.
    fn wanted_by(&self, fetch: &Fetch) -> Option<Member> {
        if !self.is_leader() || self.term() != fetch.term || !self.vault.is_term_durable() {
            return None;
        }
        let member = find_identity(&self.slots, fetch.to)?;
        let progress = &self.slot(member)?.progress;
        let is_wanted =
            matches!(progress.flow, Flow::Lend { .. }) && progress.next.previous() == fetch.after;
        is_wanted.then_some(member)
    }

    /// Whether a loan can be part of this log; says where it ends.
    fn check_loan(
        &self,
        memory: &[u8],
        fetch: &Fetch,
        prev: EntryId,
        mut entries: &[u8],
    ) -> Result<LogIndex, LendError> {
        let base = self.window.base();
        let is_first = prev.index == LogIndex::ZERO;
        let is_possible = prev.term <= base.term && (!is_first || prev == EntryId::ZERO);
        if prev.index != fetch.after || !is_possible {
            return Err(LendError::WrongPlace { after: fetch.after });
        }
        if entries.is_empty() {
            return Err(LendError::Empty);
        }
        let bytes_max = fetch.bytes_max;
        let is_within = |len: usize, most: u32| u32::try_from(len).is_ok_and(|len| len <= most);
        let is_short = is_within(entries.len(), bytes_max);
        let mut last = prev;
        while !entries.is_empty() {
            let index = last.index.next();
            let malformed = LendError::Malformed { index };
            let (header, bytes, rest) = split_entry(entries).ok_or(malformed)?;
            // One alone may be longer than the follower's room: it says what becomes of it.
            let is_alone = index == prev.index.next() && rest.is_empty();
            let fits = is_short || (is_alone && is_within(bytes.len(), self.loan_bytes_max()));
            if !fits {
                return Err(LendError::TooLong { bytes_max });
            }
            if header.kind == EntryKind::Configuration {
                let payload = bytes.get(ENTRY_HEADER_BYTES..).unwrap_or_default();
                let seats = Encoded::decode(payload, self.slots.capacity());
                if !seats.is_ok_and(|seats| seats.count > 0) {
                    return Err(malformed);
                }
            }
            let is_ours = if index < base.index {
                header.term <= base.term
            } else {
                self.window.term(memory, index) == Some(header.term)
            };
            if header.term < last.term || !is_ours {
                return Err(LendError::Contradiction { index });
            }
            (last, entries) = (EntryId::new(index, header.term), rest);
        }
        Ok(last.index)
    }

    /// The heartbeat to a member that waits for a loan: an append after the base, which it refuses.
    pub(super) fn contact_to(&mut self, member: Member) -> Option<Body<'static>> {
        let Role::Leader(office) = &mut self.role else {
            return None;
        };
        let (base, round) = (self.window.base(), office.round);
        let progress = &mut self.slots.get_mut(member.index())?.progress;
        if round <= progress.round_sent {
            return None;
        }
        progress.round_sent = round;
        office.handed = round;
        Some(Body::Append(Append {
            prev: base,
            commit: base.index,
            round,
            entries: Entries::EMPTY,
        }))
    }
}

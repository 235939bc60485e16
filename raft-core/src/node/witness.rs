//! Witnesses: members that vote and count, and keep of the log index and term alone.
//!
//! Three copies let a group lose one member; but a third full copy may be more than a site or a
//! board can hold. A witness breaks the tie without one: a vote is judged by index and term, and so
//! is what counts towards a commit. It keeps configurations whole, because they take effect.
//!
//! What must not happen is that something without payload is taken for the real thing. So:
//!
//! - a *life* of a node is a witness or is none, from the first thing that it takes and for good;
//!   the record in which it takes it says so. A witness drops whatever carries payloads, another
//!   member whatever carries none. A witness that is to become a full member joins anew, as another
//!   life, and starts as a learner that has nothing;
//! - a witness never stands for election and is no successor, so nobody gets entries from it;
//! - a leader tells a witness only of entries that are durable at the leader itself. To others an
//!   append may leave before the leader's own write ends; but a witness that knew of an entry which
//!   a crash then took from its only holder would refuse its vote to everybody for ever. And only
//!   of what full members and all witnesses together would be a quorum for: what the leader alone
//!   has, where that is not enough, or where the leader votes no more, could be lost with it while
//!   the witness goes on refusing those who are left;
//! - witnesses alone are never a majority, of either set of a joint configuration
//!   (`configuration.rs`), so whatever is committed has a payload somewhere.
//!
//! The price: what a leader and a witness have committed has *one* copy of its payload until other
//! members have it. If that leader is lost for good, a full member that lagged cannot be elected,
//! because the witness knows that it lacks something: the group stands still rather than forget.
//!
//! A witness has no state: it delivers nothing, and its snapshot is the end of the log that was
//! dropped, without a byte. Its driver compacts as every driver does, to get room.
//!
//! Work: as for other members, but per entry no byte of payload is copied anywhere.
//!
//! Source: voting with witnesses is of `[Paris86]`; how it joins Raft is our own.

use quorum::Member;

use super::follow::{Taken, Way};
use super::{Node, Role};
use crate::durable::Snapshot;
use crate::entry::{ENTRY_HEADER_BYTES, EntryKind};
use crate::error::Fault;
use crate::event::{DropReason, Event};
use crate::hollow::{HollowEntries, HollowRun};
use crate::message::{Body, Chunk, ChunkData, Hollow};
use crate::read::ReadFailure;
use crate::slot::Flow;
use crate::types::{EntryId, Identity, LogIndex};
use crate::wire::{APPEND_HEADER_BYTES, CHUNK_HEADER_BYTES};

impl Node {
    /// Whether this node keeps no payloads: this life of it, or its place in the configuration.
    pub(crate) fn is_witness(&self) -> bool {
        let seat = self.current.me.and_then(|me| self.slot(me));
        self.vault.is_witness() || seat.is_some_and(|slot| slot.standing.is_witness())
    }

    /// Whether it is one, or could still become one: nothing was ever taken here.
    pub(super) fn can_witness(&self) -> bool {
        let is_blank = self.window.last().index == LogIndex::ZERO && self.slots.is_empty();
        self.vault.is_witness() || is_blank
    }

    fn become_witness(&mut self) {
        if !self.vault.is_witness() {
            self.vault.become_witness();
            self.incoming = None;
            // Whoever asked a node that was nothing yet would read from what never comes.
            self.reads.fail_all(ReadFailure::Witness);
            self.mark_dirty();
        }
    }

    // ----- on a witness -----

    #[inline(never)]
    pub(super) fn on_hollow(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        hollow: &Hollow<'_>,
    ) -> Result<Option<DropReason>, Fault> {
        if !self.can_witness() {
            return Ok(Some(DropReason::IsNoWitness));
        }
        if let Err(reason) = self.agree(memory, sender, hollow.prev, hollow.round)? {
            return Ok(reason);
        }
        let is_empty = hollow.entries.is_empty();
        let last_before = self.window.last();
        let taken = self.take_hollow(memory, hollow)?;
        if self.window.last() != last_before {
            self.mark_dirty();
        }
        Ok(self.conclude(is_empty, taken, hollow.commit))
    }

    /// Takes the entries that are new, as far as they fit.
    fn take_hollow(&mut self, memory: &mut [u8], hollow: &Hollow<'_>) -> Result<Taken, Fault> {
        let mut id = hollow.prev;
        let mut runs = hollow.entries.iter();
        let mut refused = None;
        for run in runs.by_ref() {
            if run.term() < id.term || run.term() > self.term() {
                refused = Some(DropReason::Malformed);
                break;
            }
            let (index, reason) = self.take_hollow_run(memory, id.index, &run)?;
            id = EntryId::new(index, run.term());
            if let Err(reason) = reason {
                let verified = index;
                return Ok(Taken {
                    verified,
                    refused: reason,
                });
            }
        }
        if runs.remainder() > 0 {
            refused = Some(DropReason::Malformed);
        }
        Ok(Taken {
            verified: id.index,
            refused,
        })
    }

    /// Takes one run that follows `after`: up to where, and why not further. However many entries
    /// a run claims, the work is bounded by the window.
    fn take_hollow_run(
        &mut self,
        memory: &mut [u8],
        after: LogIndex,
        run: &HollowRun<'_>,
    ) -> Result<(LogIndex, Result<(), Option<DropReason>>), Fault> {
        let (end, base) = (after.plus(u64::from(run.count())), self.window.base());
        if after < base.index && base.index <= end && run.term() != base.term {
            return Ok((after, Err(Some(DropReason::ConflictBelowCommit))));
        }
        // What is compacted is here already.
        let mut at = after.max(self.window.base().index.min(end));
        while at < end {
            let index = at.next();
            if let Err(reason) = self.take_hollow_one(memory, index, run)? {
                return Ok((at, Err(reason)));
            }
            at = index;
        }
        Ok((at, Ok(())))
    }

    fn take_hollow_one(
        &mut self,
        memory: &mut [u8],
        index: LogIndex,
        run: &HollowRun<'_>,
    ) -> Result<Result<(), Option<DropReason>>, Fault> {
        if index <= self.window.last().index {
            match self.make_way(memory, index, run.term())? {
                Ok(Way::Free) => {}
                Ok(Way::Here) => return Ok(Ok(())),
                Err(reason) => return Ok(Err(Some(reason))),
            }
        }
        let (kind, payload) = match run {
            HollowRun::Entries { .. } => (EntryKind::Hollow, &[][..]),
            HollowRun::Configuration { payload, .. } => (EntryKind::Configuration, *payload),
        };
        if kind == EntryKind::Configuration
            && let Err(reason) = self.check_members(payload)
        {
            return Ok(Err(Some(reason)));
        }
        let appended = self.window.append(memory, run.term(), kind, payload);
        if appended.is_err() {
            self.events.push(Event::WindowFull);
            return Ok(Err(None));
        }
        self.become_witness();
        if kind == EntryKind::Configuration {
            self.adopt_configuration(memory, index)?;
        }
        Ok(Ok(()))
    }

    /// What a witness lacks is compacted at the leader: its log begins anew there. Nothing has to
    /// be stored before, so it does so at once.
    pub(super) fn install_hollow(
        &mut self,
        memory: &mut [u8],
        chunk: &Chunk<'_>,
    ) -> Result<(), Fault> {
        self.become_witness();
        self.window
            .stage_configuration(memory, chunk.configuration)
            .map_err(|_| Fault::WindowDamaged)?;
        self.install(memory, hollow_snapshot(chunk.snapshot.last))
    }

    // ----- on its leader -----

    /// Up to where witnesses may be told: as far as the full members, with all witnesses, would be
    /// a quorum, and as is durable here. A witness that knew more would refuse its vote to all who
    /// can win, if the leader does not come back or has no vote to give any more.
    fn tellable(&self) -> LogIndex {
        let has = |member: Member| match self.slot(member) {
            Some(slot) if slot.standing.is_witness() => u64::MAX,
            Some(slot) => slot.progress.matched.value(),
            None => 0,
        };
        let agreed = LogIndex::new(self.current.voters.committed(has));
        let durable = self.vault.log_durable().get();
        agreed.max(self.commit).min(durable)
    }

    /// What an append is for other members.
    #[inline(never)]
    pub(super) fn hollow_to<'m>(&mut self, memory: &'m [u8], member: Member) -> Option<Body<'m>> {
        let tellable = self.tellable();
        let Role::Leader(office) = &mut self.role else {
            return None;
        };
        let round = office.round;
        let progress = &mut self.slots.get_mut(member.index())?.progress;
        progress.fall_behind(self.window.base().index, false);
        let left = match &progress.flow {
            Flow::Snapshot { .. } | Flow::Lend { .. } => {
                return self.hollow_chunk_to(memory, member);
            }
            Flow::Probe { sent: true } => return None,
            Flow::Probe { sent: false } => u32::MAX,
            Flow::Replicate(flight) => flight.left(self.config.in_flight),
        };
        // What was said once cannot be taken back.
        let told = match &progress.flow {
            Flow::Replicate(_) => progress.next.previous(),
            Flow::Probe { .. } | Flow::Lend { .. } | Flow::Snapshot { .. } => progress.matched,
        };
        let last = tellable.max(told);
        // A newcomer is probed at the end of the log, which may go further.
        progress.next = progress.next.min(last.next()).max(progress.matched.next());
        let prev = progress.next.previous();
        let prev = EntryId::new(prev, self.window.term(memory, prev)?);
        let frame = self
            .config
            .frame_bytes_max
            .saturating_sub(APPEND_HEADER_BYTES);
        let room = usize::try_from(progress.room.min(left)).unwrap_or(usize::MAX);
        let all = self.window.entries(memory, prev.index, last)?;
        let fit = Fit::of(HollowEntries::of(all), frame, room);
        // Where there is too little room each new round tries one entry, as with other members.
        let is_trial = fit.count == 0
            && prev.index < last
            && room > 0
            && round > progress.round_sent
            && self
                .window
                .entries(memory, prev.index, prev.index.next())
                .is_some_and(|one| HollowEntries::of(one).wire_len() <= frame);
        let end = prev.index.plus(if is_trial { 1 } else { fit.count });
        let entries = self.window.entries(memory, prev.index, end)?;
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
                flight.on_sent(end, fit.kept);
                progress.room = progress.room.saturating_sub(fit.kept);
                progress.next = end.next();
            }
        } else {
            progress.flow = Flow::Probe { sent: true };
        }
        progress.commit_sent = progress.commit_sent.max(commit);
        progress.round_sent = round;
        if end >= last {
            self.append_due.remove(member);
        }
        office.handed = round;
        Some(Body::Hollow(Hollow {
            prev,
            commit,
            round,
            entries: HollowEntries::of(entries),
        }))
    }

    fn hollow_chunk_to<'m>(&mut self, memory: &'m [u8], member: Member) -> Option<Body<'m>> {
        let Role::Leader(office) = &mut self.role else {
            return None;
        };
        let (round, base) = (office.round, self.window.base());
        let configuration = self.window.base_configuration(memory);
        if CHUNK_HEADER_BYTES + configuration.len() > self.config.frame_bytes_max {
            self.events.push(Event::SnapshotFrameTooSmall);
            return None;
        }
        let progress = &mut self.slots.get_mut(member.index())?.progress;
        let Flow::Snapshot { index, sent, .. } = &mut progress.flow else {
            return None;
        };
        if *index != base.index {
            (*index, *sent) = (base.index, false);
        }
        if core::mem::replace(sent, true) {
            return None;
        }
        progress.round_sent = round;
        office.handed = round;
        Some(Body::Chunk(Chunk {
            snapshot: hollow_snapshot(base),
            configuration,
            round,
            offset: 0,
            data: ChunkData::Hollow,
        }))
    }

    /// No entry on a witness has a payload but configurations, and none on another member lacks it.
    pub(super) fn check_hollow(&self, kind: EntryKind) -> Result<(), &'static str> {
        match kind {
            EntryKind::Configuration => Ok(()),
            EntryKind::Hollow if self.vault.is_witness() => Ok(()),
            EntryKind::Command | EntryKind::NoOp if !self.vault.is_witness() => Ok(()),
            EntryKind::Hollow => Err("only a witness lacks payloads"),
            EntryKind::Command | EntryKind::NoOp => Err("a witness keeps no payloads"),
        }
    }
}

/// Bytes of a witness's window that the entries after `after` up to `last` take. A configuration
/// among them takes more: then the room is guessed too large, and the answer corrects it.
#[inline(never)]
pub(super) fn hollow_flight(after: LogIndex, last: LogIndex) -> u32 {
    let bytes = last.since(after).saturating_mul(ENTRY_HEADER_BYTES as u64);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What stands for a log up to `last` where there is no state.
pub(super) const fn hollow_snapshot(last: EntryId) -> Snapshot {
    Snapshot {
        last,
        size: 0,
        checksum: 0,
    }
}

/// How many entries fit a frame and a witness's window.
struct Fit {
    count: u64,
    /// Bytes of the window that they take.
    kept: u32,
}

impl Fit {
    fn of(entries: HollowEntries<'_>, frame: usize, room: usize) -> Self {
        let (mut count, mut kept, mut sent) = (0_u64, 0_usize, 0_usize);
        for run in entries.iter() {
            sent = sent.saturating_add(run.wire_len());
            if sent > frame {
                break;
            }
            let left = room.saturating_sub(kept);
            // Of a run as many entries as there is room for, of a configuration all or nothing.
            let size = run.wire_len();
            let fits = (left / size).min(usize::try_from(run.count()).unwrap_or(usize::MAX));
            count = count.saturating_add(fits as u64);
            kept = kept.saturating_add(fits.saturating_mul(size));
            if (fits as u64) < u64::from(run.count()) {
                break;
            }
        }
        let kept = u32::try_from(kept).unwrap_or(u32::MAX);
        Fit { count, kept }
    }
}

//! Compaction, and snapshots for members that need what is compacted, `[Ongaro14 §5]`.
//!
//! The machine never holds a snapshot's bytes. The leader says which piece is to be sent and its
//! driver supplies it; the follower's driver stores it and reports. Pieces go one at a time; one
//! that gets lost is sent again with the next heartbeat. When the last one is stored, the
//! snapshot replaces the log in one write.

use super::witness::hollow_snapshot;
use super::{Incoming, Node, Role};
use crate::configuration::{Encoded, Refused};
use crate::durable::Snapshot;
use crate::error::{CompactError, Fault};
use crate::event::DropReason;
use crate::message::{Chunk, ChunkAck, ChunkData};
use crate::snapshot::{Piece, Receipt};
use crate::types::{EntryId, Identity, LogIndex};

/// No snapshot ends beyond this index: half of all indexes stay for the entries after it.
pub(super) const SNAPSHOT_INDEX_MAX: LogIndex = LogIndex::new(u64::MAX / 2);

impl Node {
    pub(crate) fn compact(
        &mut self,
        memory: &mut [u8],
        index: LogIndex,
        size: u64,
        checksum: u32,
    ) -> Result<(), CompactError> {
        self.live().map_err(CompactError::Faulted)?;
        let base = self.window.base().index;
        if index <= base {
            return Err(CompactError::AlreadyCompacted { base });
        }
        if index > self.delivered {
            return Err(CompactError::NotDelivered {
                delivered: self.delivered,
            });
        }
        if let Some((member, until)) = self.held(index) {
            return Err(CompactError::Held { member, until });
        }
        self.move_base(memory, index)
            .map_err(|fault| CompactError::Faulted(self.fail(fault)))?;
        self.release_hold();
        let last = self.window.base();
        self.snapshot = if self.vault.is_witness() {
            hollow_snapshot(last)
        } else {
            Snapshot {
                last,
                size,
                checksum,
            }
        };
        self.vault.rebase();
        self.mark_dirty_untimed();
        Ok(())
    }

    fn move_base(&mut self, memory: &mut [u8], index: LogIndex) -> Result<(), Fault> {
        let damaged = Fault::WindowDamaged;
        // No configuration stands after the one in force: mostly there is nothing to look through.
        let latest = index.min(self.current.index);
        if let Some(at) = self.window.last_configuration(memory, latest) {
            self.window
                .keep_configuration(memory, at)
                .map_err(|_| damaged)?;
        }
        self.window.compact(memory, index).ok_or(damaged)
    }

    /// A piece arrived. The inner error drops it; without a piece there is nothing to store.
    #[inline(never)]
    pub(super) fn on_chunk<'m>(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        chunk: &Chunk<'m>,
    ) -> Result<Result<Option<Piece<'m>>, DropReason>, Fault> {
        let data = match chunk.data {
            ChunkData::Received(_) if self.vault.is_witness() => {
                return Ok(Err(DropReason::IsWitness));
            }
            ChunkData::Received(data) => data,
            ChunkData::Hollow if !self.can_witness() => return Ok(Err(DropReason::IsNoWitness)),
            ChunkData::Hollow => &[],
            ChunkData::Wanted(_) => return Ok(Err(DropReason::Malformed)),
        };
        let snapshot = chunk.snapshot;
        if snapshot.last.index > SNAPSHOT_INDEX_MAX {
            return Ok(Err(DropReason::BeyondLog));
        }
        let end = chunk.offset.checked_add(data.len() as u64);
        let is_sound = snapshot.last.term <= self.term()
            && snapshot.last.index > LogIndex::ZERO
            && end.is_some_and(|end| end <= snapshot.size);
        match Encoded::decode(chunk.configuration, self.slots.capacity()) {
            Ok(encoded) if is_sound && encoded.count > 0 => {}
            Ok(_) | Err(Refused::Malformed) => return Ok(Err(DropReason::Malformed)),
            Err(Refused::TooLarge) => return Ok(Err(DropReason::TooManyMembers)),
        }
        if let Err(reason) = self.recognise(sender, chunk.round) {
            return Ok(Err(reason));
        }
        if self.has_all_of(memory, snapshot.last) {
            self.commit = self.commit.max(snapshot.last.index);
            self.incoming = None;
            if let Some(owed) = self.owed() {
                owed.verified = owed.verified.max(snapshot.last.index);
                owed.repeat = true;
            }
            return Ok(Ok(None));
        }
        if chunk.data == ChunkData::Hollow {
            self.install_hollow(memory, chunk)?;
            return Ok(Ok(None));
        }
        if self.is_storing_another(sender, snapshot) {
            return Ok(Ok(None));
        }
        let now = self.now;
        let incoming = self.continue_incoming(memory, sender, chunk)?;
        if chunk.offset != incoming.stored {
            let stored = incoming.stored;
            self.owe_chunk(snapshot.last.index, stored);
            return Ok(Ok(None));
        }
        incoming.offered.get_or_insert(now);
        Ok(Ok(Some(Piece {
            from: sender,
            snapshot,
            offset: chunk.offset,
            data,
        })))
    }

    /// Whether the driver is storing a piece of another snapshot. That one is waited for, as long
    /// as a write may take: otherwise a leader that compacts faster than this medium stores would
    /// make it start again and again.
    fn is_storing_another(&self, sender: Identity, snapshot: Snapshot) -> bool {
        let Some(incoming) = &self.incoming else {
            return false;
        };
        let is_another = incoming.leader != sender || incoming.snapshot != snapshot;
        let patience = self.config.persist_timeout;
        is_another
            && incoming
                .offered
                .is_some_and(|since| self.now < since.saturating_add(patience))
    }

    /// Whether the log, or what is committed, covers everything up to `last` already.
    fn has_all_of(&self, memory: &[u8], last: EntryId) -> bool {
        last.index <= self.commit
            || self
                .window
                .term(memory, last.index)
                .is_some_and(|term| term == last.term)
    }

    /// Goes on with the snapshot that is being received, or starts with another. A piece where
    /// the stored part ends may be offered to the driver more than once, because the driver may
    /// have failed to store it.
    fn continue_incoming(
        &mut self,
        memory: &mut [u8],
        sender: Identity,
        chunk: &Chunk<'_>,
    ) -> Result<&mut Incoming, Fault> {
        let is_same = self.incoming.as_ref().is_some_and(|incoming| {
            incoming.leader == sender && incoming.snapshot == chunk.snapshot
        });
        if !is_same {
            self.window
                .stage_configuration(memory, chunk.configuration)
                .map_err(|_| Fault::WindowDamaged)?;
        }
        let fresh = Incoming {
            leader: sender,
            snapshot: chunk.snapshot,
            stored: 0,
            offered: None,
        };
        let kept = self.incoming.take().filter(|_| is_same);
        Ok(self.incoming.insert(kept.unwrap_or(fresh)))
    }

    fn owe_chunk(&mut self, index: LogIndex, stored: u64) {
        if let Some(owed) = self.owed() {
            owed.chunk = Some(ChunkAck { index, stored });
        }
    }

    pub(crate) fn handle_stored(
        &mut self,
        memory: &mut [u8],
        now: clocks::Instant,
        receipt: &Receipt,
    ) -> Result<(), Fault> {
        self.live()?;
        self.observe(now);
        let Some(incoming) = &mut self.incoming else {
            return Ok(());
        };
        let is_expected = incoming.leader == receipt.from
            && incoming.snapshot == receipt.snapshot
            && incoming.stored == receipt.offset;
        if !is_expected {
            return Ok(());
        }
        incoming.stored = incoming.stored.saturating_add(receipt.len);
        incoming.offered = None;
        let (snapshot, stored, leader) = (incoming.snapshot, incoming.stored, incoming.leader);
        self.owe_chunk(snapshot.last.index, stored);
        if stored < snapshot.size {
            return Ok(());
        }
        self.incoming = None;
        if !self.has_all_of(memory, snapshot.last) {
            self.install(memory, snapshot)?;
        }
        self.commit = self.commit.max(snapshot.last.index);
        if let Role::Follower(Some(owed)) = &mut self.role
            && owed.leader == leader
        {
            owed.verified = owed.verified.max(snapshot.last.index);
        }
        Ok(())
    }

    /// The snapshot replaces the whole log.
    pub(super) fn install(&mut self, memory: &mut [u8], snapshot: Snapshot) -> Result<(), Fault> {
        // Answers are noted by place in the member table, which is replaced.
        if matches!(self.role, Role::PreCandidate(_) | Role::Candidate(_)) {
            self.become_follower();
        }
        // What is committed here is part of the snapshot; what is not may contradict it.
        let kept = self.commit.min(self.vault.log_durable().get());
        self.window
            .install(memory, snapshot.last)
            .map_err(|_| Fault::WindowDamaged)?;
        self.snapshot = snapshot;
        self.vault.replace(kept);
        self.commit = snapshot.last.index;
        self.mark_dirty();
        if let Some(owed) = self.owed() {
            owed.verified = snapshot.last.index;
            owed.verified_sent = owed.verified_sent.min(kept);
            owed.reject = None;
        }
        self.restore_configuration(memory)?;
        // From now on it knows for how long hearing from a leader counts.
        self.mark_heard();
        Ok(())
    }
}

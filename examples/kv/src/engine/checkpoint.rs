//! Snapshots: made when the log window fills, sent to those far behind, received when this node is.
//!
//! The window holds every entry since the last snapshot, so snapshots must come faster than it fills. When
//! about half of it is used, or a large proposal finds no room in the rest, the map is frozen and saved by another thread, while writes go on; then the
//! log is compacted, and the next write of the journal begins anew. Only when that write is durable may
//! the next snapshot begin, because until then a restart needs the one before.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant as Clock};

use raft_core::error::CompactError;
use raft_core::{Chunk, ChunkData, ENTRY_HEADER_BYTES, EntryId, LogIndex, Piece, Snapshot};
use tracing::{error, info, warn};

use super::Machine;
use crate::metrics::Metrics;
use crate::storage::{Job, Source, Storage};
use crate::store::Store;

/// The window has room for one entry per so many bytes of it, however small the entries are.
const WINDOW_BYTES_PER_ENTRY: u64 = 32;

/// While a snapshot is being sent, a new one would make it start over: it waits this long.
const SENDING_DELAY: Duration = Duration::from_secs(2);

/// How long to wait after a map could not be saved.
const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Phase {
    Idle,
    /// The map is being saved as it was after `last`, when so much was applied.
    Saving {
        last: EntryId,
        used_then: u64,
    },
    /// The log is compacted, the journal does not know yet.
    Compacted,
    /// The write that says so is on its way.
    Persisting,
}

#[derive(Debug)]
pub(super) struct Checkpoint {
    phase: Phase,
    /// What the entries applied since the window's base take up in it.
    used: u64,
    used_max: u64,
    window_len: u64,
    has_compacted: bool,
    /// A proposal found no room in what the window has left.
    is_short: bool,
    retry_at: Option<Clock>,
    source: Option<Source>,
    sent_at: Option<Clock>,
    outgoing: Vec<u8>,
    /// The piece that is being stored.
    storing: bool,
    received: Option<(Snapshot, Box<Store>)>,
    metrics: Rc<Metrics>,
}

impl Checkpoint {
    /// For a node whose window has so many bytes, none of them applied yet.
    pub(super) fn new(window_len: usize, id: u64, metrics: Rc<Metrics>) -> Self {
        let window_len = window_len as u64;
        Self {
            phase: Phase::Idle,
            used: 0,
            // Not the same on all nodes, so that they do not all save at once.
            used_max: window_len / 2 - window_len / 16 * (id % 3),
            window_len,
            has_compacted: false,
            is_short: false,
            retry_at: None,
            source: None,
            sent_at: None,
            outgoing: Vec::new(),
            storing: false,
            received: None,
            metrics,
        }
    }

    /// A command was applied.
    #[inline]
    pub(super) fn count(&mut self, payload_len: usize) {
        let size = (ENTRY_HEADER_BYTES + payload_len) as u64;
        self.used += size.max(WINDOW_BYTES_PER_ENTRY);
    }

    /// A proposal found no room, however little of the window is used.
    pub(super) fn run_short(&mut self) {
        self.is_short = true;
    }

    /// Whether a snapshot would help, and there is reason for one.
    fn is_due(&self) -> bool {
        self.used >= self.used_max || (self.is_short && self.used > 0)
    }

    /// Begins a snapshot when it is time. Says whether the log was compacted since the last turn.
    pub(super) fn tick(
        &mut self,
        delivered: LogIndex,
        raft: &Machine,
        store: &mut Store,
        storage: &Storage,
    ) -> bool {
        let was_compacted = core::mem::take(&mut self.has_compacted);
        if !matches!(self.phase, Phase::Idle) || !self.is_due() {
            return was_compacted;
        }
        let now = Clock::now();
        let is_sending = self.sent_at.is_some_and(|at| now < at + SENDING_DELAY);
        let is_urgent = self.is_short || self.used > self.window_len / 4 * 3;
        if self.retry_at.is_some_and(|at| now < at) || (is_sending && !is_urgent) {
            return was_compacted;
        }
        let Some(last) = raft.entry(delivered).map(|entry| entry.id) else {
            return was_compacted;
        };
        info!("saving the map as of entry {}", last.index);
        match storage.save(store.freeze(), last) {
            Ok(()) => {
                let used_then = self.used;
                self.phase = Phase::Saving { last, used_then };
            }
            Err(failure) => {
                store.thaw();
                self.fail(&failure);
            }
        }
        was_compacted
    }

    fn fail(&mut self, failure: &io::Error) {
        error!("cannot save the map: {failure}");
        self.metrics.snapshots_failed.inc();
        self.retry_at = Some(Clock::now() + RETRY_DELAY);
        self.phase = Phase::Idle;
    }

    /// The map was saved, or could not be.
    pub(super) fn saved(
        &mut self,
        saved: io::Result<Snapshot>,
        raft: &mut Machine,
        store: &mut Store,
    ) {
        store.thaw();
        let Phase::Saving { last, used_then } = self.phase else {
            return;
        };
        let snapshot = match saved {
            Ok(snapshot) => snapshot,
            Err(failure) => return self.fail(&failure),
        };
        match raft.compact(last.index, snapshot.size, snapshot.checksum) {
            Ok(()) => {
                let size = snapshot.size;
                info!(
                    "the log begins after entry {}; the snapshot has {size} bytes",
                    last.index
                );
                self.metrics.snapshots_saved.inc();
                self.used = self.used.saturating_sub(used_then);
                self.phase = Phase::Compacted;
                self.has_compacted = true;
                // Whoever still finds no room says so again.
                self.is_short = false;
            }
            Err(CompactError::AlreadyCompacted { .. }) => self.phase = Phase::Idle,
            Err(refused) => {
                warn!("{refused}");
                self.phase = Phase::Idle;
            }
        }
    }

    /// A write is on its way; `anew` is the snapshot that counts from then on.
    pub(super) fn persisting(&mut self, anew: Option<Snapshot>) {
        if let (Phase::Compacted, Some(_)) = (&self.phase, anew) {
            self.phase = Phase::Persisting;
        }
    }

    /// The write on its way is durable.
    pub(super) fn persisted(&mut self) {
        if let Phase::Persisting = self.phase {
            self.phase = Phase::Idle;
        }
    }

    /// The data of a piece to be sent.
    pub(super) fn piece(&mut self, chunk: &Chunk<'_>, storage: &Storage) -> Option<&[u8]> {
        let ChunkData::Wanted(len) = chunk.data else {
            return Some(&[]);
        };
        self.sent_at = Some(Clock::now());
        let is_open = |source: &Source| source.snapshot() == chunk.snapshot;
        if !self.source.as_ref().is_some_and(is_open) {
            match storage.snapshots().open(&chunk.snapshot) {
                Ok(source) => self.source = Some(source),
                Err(failure) => {
                    error!("cannot send the snapshot: {failure}");
                    return None;
                }
            }
        }
        self.outgoing.resize(usize::try_from(len).ok()?, 0);
        let source = self.source.as_ref()?;
        if let Err(failure) = source.read(chunk.offset, &mut self.outgoing) {
            error!("cannot send the snapshot: {failure}");
            return None;
        }
        Some(&self.outgoing)
    }

    /// Stores a piece that another node sent. One at a time; what comes meanwhile is sent again.
    pub(super) fn store_piece(&mut self, piece: Piece<'_>, storage: &Storage) {
        if self.storing {
            return;
        }
        if piece.offset() == 0 {
            let snapshot = piece.snapshot();
            let (size, last) = (snapshot.size, snapshot.last.index);
            info!("receiving a snapshot of {size} bytes as of entry {last}");
        }
        self.storing = true;
        storage.submit(Job::Piece {
            snapshot: piece.snapshot(),
            offset: piece.offset(),
            data: piece.data().to_vec(),
            is_last: piece.is_last(),
            receipt: piece.into_receipt(),
        });
    }

    /// A piece was stored, or could not be. Says whether it was.
    pub(super) fn piece_stored(
        &mut self,
        snapshot: Snapshot,
        stored: anyhow::Result<Option<Box<Store>>>,
    ) -> bool {
        self.storing = false;
        match stored {
            Ok(Some(store)) => self.received = Some((snapshot, store)),
            Ok(None) => {}
            Err(failure) => {
                error!("cannot store a piece of a snapshot: {failure:#}");
                return false;
            }
        }
        true
    }

    /// The map of a snapshot that takes the place of this node's.
    ///
    /// # Errors
    /// It cannot be read back.
    pub(super) fn install(
        &mut self,
        snapshot: &Snapshot,
        storage: &Storage,
    ) -> anyhow::Result<Store> {
        info!(
            "the map is that of the snapshot as of entry {}",
            snapshot.last.index
        );
        self.metrics.snapshots_installed.inc();
        self.used = 0;
        self.is_short = false;
        match self.received.take() {
            Some((received, store)) if received == *snapshot => Ok(*store),
            _ => storage.snapshots().load(snapshot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_when_a_proposal_finds_no_room_and_something_can_go() {
        let mut checkpoint = Checkpoint::new(4 << 20, 3, Rc::new(Metrics::new().unwrap()));
        checkpoint.run_short();
        assert!(!checkpoint.is_due(), "nothing to save");
        checkpoint.count(1_000_000);
        assert!(checkpoint.is_due());
        checkpoint.is_short = false;
        assert!(!checkpoint.is_due(), "not half of the window");
        checkpoint.count(1 << 20);
        checkpoint.count(1 << 20);
        assert!(checkpoint.is_due());
    }
}

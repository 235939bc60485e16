//! What was committed, in the order of the log: written down the first time anybody commits it.

use raft_core::{EntryKind, LogIndex, Term};

use crate::world::app::App;
use crate::world::chain::Chain;
use crate::world::host::Machine;
use crate::world::reuse::copies_in_place;

/// One committed entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committed {
    /// A hash of the log up to here.
    pub(super) hash: u64,
    /// The term in which it was committed, which may be later than the entry's own.
    pub(super) commit_term: Term,
    /// The application's state after it.
    pub(super) state: u64,
    /// Whether the application is given it.
    pub(super) is_command: bool,
}

/// The one history that all must agree on.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: Vec<Committed>,
}

copies_in_place!(Ledger { entries });

/// Entries for which there is room before the history begins.
const ENTRIES: usize = 1 << 16;

impl Ledger {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.entries.reserve(ENTRIES);
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.entries[..])
    }

    /// The last committed index.
    pub(super) fn last(&self) -> LogIndex {
        LogIndex::new(self.entries.len() as u64)
    }

    /// What was committed at `index`.
    pub(super) fn at(&self, index: LogIndex) -> Option<&Committed> {
        let place = usize::try_from(index.value().checked_sub(1)?).ok()?;
        self.entries.get(place)
    }

    /// The last entry that was committed before `term`.
    pub(super) fn last_before(&self, term: Term) -> Option<LogIndex> {
        let before = |entry: &Committed| entry.commit_term < term;
        let place = self.entries.iter().rposition(before)?;
        Some(LogIndex::new(place as u64 + 1))
    }

    /// Writes down what a machine committed up to `commit` in `term`.
    pub(super) fn extend(
        &mut self,
        raft: &Machine,
        log: &Chain,
        commit: LogIndex,
        term: Term,
    ) -> Result<(), String> {
        while self.last() < commit {
            let index = self.last().next();
            let (Some(link), Some(entry)) = (log.link(index), raft.entry(index)) else {
                return Err(format!(
                    "{} counts entry {index} as committed, and nobody ever committed it",
                    raft.identity().node
                ));
            };
            let before = self.entries.last().map_or(0, |entry| entry.state);
            let is_command = entry.kind == EntryKind::Command;
            let state = if is_command {
                App::next_state(before, index, entry.payload)
            } else {
                before
            };
            self.entries.push(Committed {
                hash: link.hash,
                commit_term: term,
                state,
                is_command,
            });
        }
        Ok(())
    }
}

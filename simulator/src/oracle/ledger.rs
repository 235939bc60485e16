//! What was committed, in the order of the log: written down the first time anybody commits it.

use std::collections::VecDeque;

use raft_core::{EntryId, EntryKind, LogIndex, Term};

use super::words::words;
use crate::world::app::{Answer, App, Command};
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
    /// What the application answers to it.
    pub(super) answer: Option<Answer>,
}

/// The one history that all must agree on; without its beginning, once nobody can ask for that
/// any more.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// What is forgotten: everything up to here.
    start: LogIndex,
    entries: VecDeque<Committed>,
    /// The application that all others must agree with.
    app: App,
    /// The entries that hold configurations.
    configurations: Vec<EntryId>,
}

copies_in_place!(Ledger {
    start,
    entries,
    app,
    configurations
});

/// Entries for which there is room before the history begins.
const ENTRIES: usize = 1 << 14;

impl Ledger {
    pub(super) fn clear(&mut self) {
        self.start = LogIndex::ZERO;
        self.entries.clear();
        self.entries.reserve(ENTRIES);
        self.app = App::default();
        self.configurations.clear();
        self.configurations.reserve(256);
    }

    pub(super) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Committed>()
    }

    /// How many entries it holds.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets what stands before `floor`, the lowest index at which any log begins.
    pub(super) fn forget_before(&mut self, floor: LogIndex) {
        let count = floor.since(self.start).saturating_sub(1);
        let count = count.min(self.entries.len().saturating_sub(1) as u64);
        self.entries.drain(..count as usize);
        self.start = self.start.plus(count);
    }

    /// The last index that is forgotten.
    pub(super) fn start(&self) -> LogIndex {
        self.start
    }

    /// Whether something was committed at `index` that is not remembered any more.
    pub(super) fn is_forgotten(&self, index: LogIndex) -> bool {
        index <= self.start
    }

    /// The last committed index.
    pub(super) fn last(&self) -> LogIndex {
        self.start.plus(self.entries.len() as u64)
    }

    /// What was committed at `index`.
    pub(super) fn at(&self, index: LogIndex) -> Option<&Committed> {
        let place = index.value().checked_sub(self.start.value() + 1)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    /// The last entry that was committed before `term`.
    pub(super) fn last_before(&self, term: Term) -> Option<LogIndex> {
        let later = self.entries.iter().rev();
        let count = later.take_while(|entry| entry.commit_term >= term).count();
        let index = self.last().value() - count as u64;
        (index > self.start.value()).then_some(LogIndex::new(index))
    }

    /// The latest configuration that was committed at `index` or before.
    pub(super) fn configuration_at(&self, index: LogIndex) -> Option<EntryId> {
        let mut latest_first = self.configurations.iter().rev();
        latest_first.find(|id| id.index <= index).copied()
    }

    /// What the register holds after `index`; `None` if that is not remembered.
    pub(super) fn register_at(&self, index: LogIndex, register: usize) -> Option<u64> {
        let count = usize::try_from(index.since(self.start)).ok()?;
        let mut latest_first = self.entries.range(..count.min(self.entries.len())).rev();
        let is_there = |answer: &Answer| Command::new(answer.number).register == register;
        let answer = latest_first.find_map(|entry| entry.answer.filter(is_there));
        match answer {
            Some(answer) => Some(answer.value),
            None => (self.start == LogIndex::ZERO).then_some(0),
        }
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
                return Err(words!(
                    "{} counts entry {index} as committed, and nobody ever committed it",
                    raft.identity().node
                ));
            };
            let is_command = entry.kind == EntryKind::Command;
            let answer = is_command.then(|| self.app.apply(index, entry.payload));
            if entry.kind == EntryKind::Configuration {
                self.configurations.push(entry.id);
            }
            self.entries.push_back(Committed {
                hash: link.hash,
                commit_term: term,
                state: self.app.state,
                is_command,
                answer: answer.flatten(),
            });
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn push_for_test(&mut self, hash: u64, commit_term: Term) {
        self.entries.push_back(Committed {
            hash,
            commit_term,
            state: 0,
            is_command: false,
            answer: None,
        });
    }
}

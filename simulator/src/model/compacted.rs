//! What was dropped of the log: the papers' leader still has it, and may send it, `[Ongaro14 §5]`.

use std::collections::BTreeMap;

use raft_core::EntryKind;

use super::{Abstract, Entry};

/// Entries that somebody has compacted. They were committed, so they are the same everywhere.
#[derive(Clone, Debug, Default)]
pub struct Compacted {
    entries: BTreeMap<u64, Entry>,
}

impl Compacted {
    /// A node in this state drops its log up to `index`.
    pub fn keep(&mut self, state: &Abstract, index: u64) {
        for (at, entry) in (state.log.base.index + 1..=index).zip(state.log.entries.iter()) {
            // What a witness dropped says less than what others drop of the same.
            if entry.kind == EntryKind::Hollow {
                self.entries.entry(at).or_insert(*entry);
            } else {
                self.entries.insert(at, *entry);
            }
        }
    }

    /// The entry at `index`.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        self.entries.get(&index)
    }

    /// The term at `index`; before the first entry it is zero.
    pub fn term(&self, index: u64) -> Option<u64> {
        match index {
            0 => Some(0),
            _ => self.entry(index).map(|entry| entry.term),
        }
    }
}

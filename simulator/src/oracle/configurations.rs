//! Configurations as the harness knows them: what each entry that holds one means, and which of
//! them stand in each host's log.

use raft_core::{EntryId, LogIndex};

use super::view::Members;
use crate::world::reuse::copies_in_place;
use crate::world::swarm::HOSTS_MAX;

/// Which members each configuration entry names, and where the entries stand.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    /// Index and term name an entry, and so the members that it holds.
    known: Vec<(EntryId, Members)>,
    /// The configuration entries of each log behind its base, in order.
    held: [Vec<EntryId>; HOSTS_MAX],
}

copies_in_place!(Configurations { known, held });

impl Configurations {
    /// Forgets everything; buffers stay.
    pub(super) fn reset(&mut self) {
        self.known.clear();
        self.known.reserve(256);
        for held in &mut self.held {
            held.clear();
            held.reserve(64);
        }
    }

    /// What is known of this entry.
    pub(super) fn members(&self, id: EntryId) -> Option<&Members> {
        let mut latest_first = self.known.iter().rev();
        let found = latest_first.find(|(other, _)| *other == id);
        found.map(|(_, members)| members)
    }

    /// A host says that this entry means these members; the first who says so is believed.
    pub(super) fn learn(&mut self, id: EntryId, members: Members) {
        self.known.push((id, members));
    }

    /// The configuration entries in a host's log.
    pub(super) fn held(&self, host: usize) -> &[EntryId] {
        &self.held[host]
    }

    /// A host has a new log.
    pub(super) fn clear(&mut self, host: usize) {
        self.held[host].clear();
    }

    /// A configuration was added to a log.
    pub(super) fn push(&mut self, host: usize, id: EntryId) {
        self.held[host].push(id);
    }

    /// A log holds the entries after `base` up to `last` only.
    pub(super) fn keep(&mut self, host: usize, base: LogIndex, last: LogIndex) {
        self.held[host].retain(|id| id.index > base && id.index <= last);
    }
}

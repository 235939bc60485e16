//! Index and term identify an entry and everything before it, `[Ongaro14 §3.5]`.
//!
//! Found when the entry is appended anywhere, not when it is committed.

use std::collections::VecDeque;

use raft_core::{EntryId, LogIndex, Term};

use super::words::words;
use crate::world::chain::Link;
use crate::world::reuse::copies_in_place;

/// An entry that stands so far behind all others that were seen is a liar's: it has no place of its
/// own.
const GAP_MAX: usize = 1 << 14;

/// For each index and term, the hash of the log up to there.
#[derive(Debug, Default)]
pub(super) struct LogMatching {
    /// Forgotten is everything up to here.
    start: LogIndex,
    /// The first that was seen at each index.
    first: VecDeque<Option<Link>>,
    /// The others, which are few.
    others: Vec<(LogIndex, Link)>,
}

copies_in_place!(LogMatching {
    start,
    first,
    others
});

/// Entries for which there is room before the history begins.
const ENTRIES: usize = 1 << 14;

impl LogMatching {
    pub(super) fn clear(&mut self) {
        self.start = LogIndex::ZERO;
        self.first.clear();
        self.first.reserve(ENTRIES);
        self.others.clear();
        self.others.reserve(ENTRIES);
    }

    pub(super) fn bytes(&self) -> usize {
        self.first.len() * size_of::<Option<Link>>() + size_of_val(&self.others[..])
    }

    /// Forgets what stands before `floor`, the lowest index at which any log begins.
    pub(super) fn forget_before(&mut self, floor: LogIndex) {
        let count = floor.since(self.start).saturating_sub(1);
        let count = count.min(self.first.len() as u64);
        self.first.drain(..count as usize);
        self.start = self.start.plus(count);
        let start = self.start;
        self.others.retain(|(index, _)| *index > start);
    }

    fn place(&self, index: LogIndex) -> Option<usize> {
        let place = index.value().checked_sub(self.start.value() + 1)?;
        usize::try_from(place).ok()
    }

    fn find(&self, index: LogIndex, term: Term) -> Option<u64> {
        let first = self.first.get(self.place(index)?).copied().flatten();
        if let Some(link) = first.filter(|link| link.term == term) {
            return Some(link.hash);
        }
        let mut latest_first = self.others.iter().rev();
        latest_first
            .find(|(at, link)| *at == index && link.term == term)
            .map(|(_, link)| link.hash)
    }

    /// The hash of a log that ends with this entry.
    pub(super) fn hash_of(&self, id: EntryId) -> Option<u64> {
        self.find(id.index, id.term)
    }

    /// A host appended an entry.
    pub(super) fn on_append(
        &mut self,
        host: usize,
        index: LogIndex,
        link: Link,
    ) -> Result<(), String> {
        let Some(place) = self.place(index) else {
            return Ok(());
        };
        match self.find(index, link.term) {
            Some(hash) if hash == link.hash => return Ok(()),
            Some(_) => {
                return Err(words!(
                    "host {} holds another log up to entry {index} of term {} than was seen before",
                    host + 1,
                    link.term
                ));
            }
            None => {}
        }
        if place >= self.first.len() + GAP_MAX {
            self.others.push((index, link));
            return Ok(());
        }
        if self.first.len() <= place {
            self.first.resize(place + 1, None);
        }
        match &mut self.first[place] {
            Some(_) => self.others.push((index, link)),
            none => *none = Some(link),
        }
        Ok(())
    }
}

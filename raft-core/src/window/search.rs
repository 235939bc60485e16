//! Finding a place in the log: what fits into a frame, where terms change, where a configuration
//! stands.

use super::Window;
use crate::entry::{Entries, Entry, EntryKind};
use crate::types::{EntryId, LogIndex, Term};

impl Window {
    /// The entries after `after` that together take at most `bytes_max`, and the last of them;
    /// `after` itself if not even one does. Takes O(log n) steps.
    #[inline]
    pub(crate) fn fit<'m>(
        &self,
        memory: &'m [u8],
        after: LogIndex,
        bytes_max: usize,
    ) -> Option<(LogIndex, Entries<'m>)> {
        let all = self.entries(memory, after, self.last.index)?;
        if all.len() <= bytes_max {
            return Some((self.last.index, all));
        }
        let (mut fits, mut too_much) = ((after, Entries::EMPTY), self.last.index);
        while fits.0.next() < too_much {
            let middle = fits.0.plus(too_much.since(fits.0) / 2);
            let entries = self.entries(memory, after, middle)?;
            if entries.len() <= bytes_max {
                fits = (middle, entries);
            } else {
                too_much = middle;
            }
        }
        Some(fits)
    }

    /// The last entry at or before `index` whose term is at most `term`; at the least `base`.
    /// Terms never fall along a log, so halving finds it.
    pub(crate) fn last_with_term_at_most(
        &self,
        memory: &[u8],
        index: LogIndex,
        term: Term,
    ) -> Option<EntryId> {
        let at = |index| {
            self.term(memory, index)
                .map(|term| EntryId::new(index, term))
        };
        let top = at(index.min(self.last.index).max(self.base.index))?;
        if top.term <= term {
            return Some(top);
        }
        let (mut low, mut above) = (self.base, top.index);
        while low.index.next() < above {
            let middle = at(low.index.plus(above.since(low.index) / 2))?;
            if middle.term <= term {
                low = middle;
            } else {
                above = middle.index;
            }
        }
        Some(low)
    }

    /// The last configuration entry at or before `index`, if the window holds one. Looks at each
    /// entry in turn: for truncation and restart only.
    pub(crate) fn last_configuration(&self, memory: &[u8], index: LogIndex) -> Option<LogIndex> {
        let mut at = index.min(self.last.index);
        while at > self.base.index {
            if self.header(memory, at)?.1.kind == EntryKind::Configuration {
                return Some(at);
            }
            at = at.previous();
        }
        None
    }

    /// Everything that a log means: not where in the ring it stands.
    pub(crate) fn logical<'m>(
        &self,
        memory: &'m [u8],
    ) -> (
        EntryId,
        EntryId,
        &'m [u8],
        impl Iterator<Item = Entry<'m>> + use<'m>,
    ) {
        let run = self
            .entries(memory, self.base.index, self.last.index)
            .unwrap_or_default();
        let entries = run.iter(self.base.index.next());
        (
            self.base,
            self.last,
            self.base_configuration(memory),
            entries,
        )
    }
}

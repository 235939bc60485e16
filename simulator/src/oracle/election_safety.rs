//! At most one leader in a term.

use raft_core::Term;

use super::words::words;
use crate::world::reuse::copies_in_place;

/// Remembers who led or spoke as leader in each term, across crashes.
#[derive(Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: Vec<(Term, usize)>,
}

copies_in_place!(ElectionSafety { leaders });

impl ElectionSafety {
    pub(super) fn clear(&mut self) {
        self.leaders.clear();
        self.leaders.reserve(1 << 12);
    }

    /// A host came into office in `term`, or sent what only a leader sends.
    pub(super) fn on_leader(&mut self, host: usize, term: Term) -> Result<(), String> {
        let mut latest_first = self.leaders.iter().rev();
        match latest_first.find(|(other, _)| *other == term) {
            Some((_, leader)) if *leader == host => Ok(()),
            Some((_, other)) => Err(words!(
                "hosts {} and {} both lead term {term}",
                other + 1,
                host + 1
            )),
            None => {
                self.leaders.push((term, host));
                Ok(())
            }
        }
    }
}

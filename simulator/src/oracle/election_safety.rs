//! At most one leader in a term.

use raft_core::Term;

/// Remembers who led or spoke as leader in each term, across crashes.
#[derive(Clone, Debug, Default)]
pub(super) struct ElectionSafety {
    leaders: Vec<Option<usize>>,
}

impl ElectionSafety {
    /// A host came into office in `term`, or sent what only a leader sends.
    pub(super) fn on_leader(&mut self, host: usize, term: Term) -> Result<(), String> {
        let place = term.value() as usize;
        if self.leaders.len() <= place {
            self.leaders.resize(place + 1, None);
        }
        match self.leaders[place] {
            Some(other) if other != host => Err(format!(
                "hosts {} and {} both lead term {term}",
                other + 1,
                host + 1
            )),
            _ => {
                self.leaders[place] = Some(host);
                Ok(())
            }
        }
    }
}

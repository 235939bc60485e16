//! Who leads a term has all that was committed in earlier terms, `[Ongaro14 §3.6.3]`.
//!
//! The term in which an entry was *committed* counts, not the entry's own: a late leader of an
//! older term may lack it and break nothing.

use raft_core::{LogIndex, Term};

use super::ledger::Ledger;
use crate::world::chain::Chain;

/// Remembers the log with which each leader came into office.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaderCompleteness {
    elected: Vec<(Term, usize, Chain)>,
}

impl LeaderCompleteness {
    /// A host came into office.
    pub(super) fn on_leader(
        &mut self,
        host: usize,
        term: Term,
        log: &Chain,
        ledger: &Ledger,
    ) -> Result<(), String> {
        self.elected.push((term, host, log.clone()));
        match ledger.last_before(term) {
            Some(index) => check(host, term, log, index, ledger),
            None => Ok(()),
        }
    }

    /// Entries after `known` were committed: later leaders that are in office already have them.
    pub(super) fn on_commit(&self, known: LogIndex, ledger: &Ledger) -> Result<(), String> {
        let index = ledger.last();
        let Some(committed) = ledger.at(index).filter(|_| index > known) else {
            return Ok(());
        };
        let later = self.elected.iter().rev();
        for (term, host, log) in later.take_while(|(term, _, _)| *term > committed.commit_term) {
            check(*host, *term, log, index, ledger)?;
        }
        Ok(())
    }
}

fn check(
    host: usize,
    term: Term,
    log: &Chain,
    index: LogIndex,
    ledger: &Ledger,
) -> Result<(), String> {
    // What is compacted is compared where the compacted part ends.
    let index = index.max(log.base().index);
    let committed = ledger.at(index).map(|entry| entry.hash);
    if log.link(index).map(|link| link.hash) == committed {
        return Ok(());
    }
    Err(format!(
        "host {} leads term {term} with a log that ends with {:?}, and lacks entry {index}, \
         committed in term {}",
        host + 1,
        log.last(),
        ledger.at(index).map_or(0, |e| e.commit_term.value())
    ))
}

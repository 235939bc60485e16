//! Who leads a term has all that was committed in earlier terms, `[Ongaro14 §3.6.3]`.
//!
//! The term in which an entry was *committed* counts, not the entry's own: a late leader of an
//! older term may lack it and break nothing.

use raft_core::{EntryId, LogIndex, Term};

use super::ledger::Ledger;
use super::words::words;
use crate::world::chain::Chain;
use crate::world::reuse::{Shelf, copies_in_place};

/// The latest leaders are remembered; a commit that is so late that more came since is compared
/// with these.
const LEADERS: usize = 16;

/// A leader, and the end of the log with which it came into office: what nobody had committed yet.
#[derive(Debug, Default)]
struct Elected {
    term: Term,
    host: usize,
    log: Chain,
}

copies_in_place!(Elected { term, host, log });

/// Remembers with what each leader came into office.
#[derive(Debug, Default)]
pub(super) struct LeaderCompleteness {
    elected: Shelf<Elected>,
}

copies_in_place!(LeaderCompleteness { elected });

impl LeaderCompleteness {
    pub(super) fn clear(&mut self) {
        self.elected.clear();
        self.elected.reserve_with(LEADERS, || {
            let mut log = Chain::default();
            log.reset(EntryId::ZERO, 0);
            Elected {
                log,
                ..Elected::default()
            }
        });
    }

    /// A host came into office.
    pub(super) fn on_leader(
        &mut self,
        host: usize,
        term: Term,
        log: &Chain,
        ledger: &Ledger,
    ) -> Result<(), String> {
        if self.elected.len() == LEADERS {
            self.elected.take_first();
        }
        let elected = self.elected.add();
        (elected.term, elected.host) = (term, host);
        elected.log.copy_after(log, ledger.last());
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
        for leader in later.take_while(|leader| leader.term > committed.commit_term) {
            check(leader.host, leader.term, &leader.log, index, ledger)?;
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
    if ledger.is_forgotten(index) || log.link(index).map(|link| link.hash) == committed {
        return Ok(());
    }
    Err(words!(
        "host {} leads term {term} with a log that ends with {:?}, and lacks entry {index}, \
         committed in term {}",
        host + 1,
        log.last(),
        ledger.at(index).map_or(0, |e| e.commit_term.value())
    ))
}

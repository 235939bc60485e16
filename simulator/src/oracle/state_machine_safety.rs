//! All commit and apply the same, `[Ongaro14 §3.6.3]`.

use raft_core::LogIndex;

use super::ledger::Ledger;
use super::words::words;
use crate::world::chain::Chain;

/// A host counts everything up to `index` as committed.
pub(super) fn check_commit(
    host: usize,
    log: &Chain,
    index: LogIndex,
    ledger: &Ledger,
) -> Result<(), String> {
    let index = index.max(log.base().index);
    if index == LogIndex::ZERO || index > ledger.last() || ledger.is_forgotten(index) {
        return Ok(());
    }
    let (mine, others) = (log.link(index), ledger.at(index));
    if mine.map(|link| link.hash) == others.map(|entry| entry.hash) {
        return Ok(());
    }
    Err(words!(
        "host {} commits another log up to entry {index} (its term there: {:?}) than was committed \
         in term {:?}",
        host + 1,
        mine.map(|link| link.term),
        others.map(|entry| entry.commit_term)
    ))
}

/// An application whose latest entry was `applied` took the command at `index`; its state is now
/// `state`.
pub(super) fn check_applied(
    host: usize,
    applied: LogIndex,
    index: LogIndex,
    state: u64,
    ledger: &Ledger,
) -> Result<(), String> {
    let host = host + 1;
    if index <= applied {
        return Err(words!(
            "host {host} applies entry {index} after entry {applied}"
        ));
    }
    // Only what the ledger holds can have been skipped, however far apart a liar puts the two.
    let mut between = applied.max(ledger.start()).next();
    while between < index && between <= ledger.last() {
        if ledger.at(between).is_some_and(|entry| entry.is_command) {
            return Err(words!(
                "host {host} applies entry {index} and skips the command at {between}"
            ));
        }
        between = between.next();
    }
    match ledger.at(index) {
        Some(entry) if entry.is_command && entry.state == state => Ok(()),
        Some(_) => Err(words!(
            "host {host} reaches another state with entry {index} than the others"
        )),
        None if ledger.is_forgotten(index) => Ok(()),
        None => Err(words!(
            "host {host} applies entry {index}, which nobody committed"
        )),
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Term;

    use super::*;

    /// A traitor's snapshot may end anywhere, and what is between belongs to nobody: a walk from
    /// index to index would not end.
    #[test]
    fn far_index_ends_the_comparison_at_once() {
        let far = LogIndex::new(u64::MAX / 2);
        let mut ledger = Ledger::default();
        assert!(check_applied(0, LogIndex::ZERO, far, 0, &ledger).is_err());
        ledger.push_for_test(1, Term::new(1));
        assert!(check_applied(0, LogIndex::ZERO, far, 0, &ledger).is_err());
        assert!(check_applied(0, far, far.next(), 0, &ledger).is_err());
    }
}

//! A snapshot is the state after its last entry, on whoever makes or takes it, and installing one
//! neither lowers the commit nor drops more than it must, `[Ongaro14 §5.1]`.

use raft_core::{LogIndex, Piece, Snapshot};

use super::ledger::Ledger;
use super::view::View;
use super::words::words;
use crate::world::chain::Chain;
use crate::world::disk::Disk;

/// A host makes a snapshot of everything up to `index`, or takes one over; its application has
/// this state.
pub(super) fn check_state(
    host: usize,
    index: LogIndex,
    state: Option<u64>,
    ledger: &Ledger,
) -> Result<(), String> {
    let committed = ledger.at(index).map(|entry| entry.state);
    let is_forgotten = ledger.is_forgotten(index) && state.is_some();
    if (committed.is_some() && committed == state) || is_forgotten {
        return Ok(());
    }
    Err(words!(
        "the snapshot of entry {index} on host {} has the state {state:?}; committed is \
         {committed:?}",
        host + 1
    ))
}

/// The base of a host's log moved: by compaction, or because a snapshot was installed.
pub(super) fn check_base(
    host: usize,
    before: &View,
    after: &View,
    log: &Chain,
    hash: Option<u64>,
    ledger: &Ledger,
) -> Result<(), String> {
    let base = after.base;
    let is_here = log
        .link(base.index)
        .is_some_and(|link| link.term == base.term);
    let ends = if is_here { before.last } else { base };
    let committed = ledger.at(base.index).map(|entry| entry.hash);
    let laws = [
        (after.commit >= before.commit, "lowers the commit"),
        (after.commit >= base.index, "is not committed"),
        (after.last == ends, "does not leave the log that it should"),
        (
            ledger.is_forgotten(base.index) || hash.is_some() && hash == committed,
            "is of another log than the committed one",
        ),
    ];
    match laws.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, law)) => Err(words!(
            "host {} has a snapshot of {base:?} that {law}: from {before:?} to {after:?}",
            host + 1
        )),
    }
}

/// A machine wants a piece to be stored: it begins where what is stored ends, or before.
pub(crate) fn check_piece(host: usize, piece: &Piece<'_>, disk: &Disk) -> Result<(), String> {
    let stored = disk.stored_bytes(piece.snapshot().last.index);
    if piece.offset() <= stored {
        return Ok(());
    }
    Err(words!(
        "host {} stores {piece:?}, and has {stored} bytes of that snapshot",
        host + 1
    ))
}

/// The pieces of a snapshot came together, and are not what their name says.
pub(super) fn damaged(host: usize, name: &Snapshot) -> String {
    words!("host {} received a damaged {name:?}", host + 1)
}

#[cfg(test)]
mod tests {
    use raft_core::{EntryId, Term};

    use super::*;
    use crate::world::chain::Link;

    fn id(index: u64, term: u32) -> EntryId {
        EntryId::new(LogIndex::new(index), Term::new(term))
    }

    #[test]
    fn a_suffix_stays_exactly_if_the_log_matches() {
        let mut log = Chain::default();
        let mut ledger = Ledger::default();
        for hash in 1..=4 {
            let term = Term::new(1);
            log.push(Link { term, hash });
            ledger.push_for_test(hash, term);
        }
        let view = |commit, base, last| View {
            commit: LogIndex::new(commit),
            base,
            last,
            ..View::default()
        };
        let before = view(2, EntryId::ZERO, id(4, 1));
        let check = |after: View, hash| check_base(0, &before, &after, &log, hash, &ledger).is_ok();
        assert!(check(view(3, id(3, 1), id(4, 1)), Some(3)));
        assert!(!check(view(3, id(3, 1), id(3, 1)), Some(3)));
        assert!(!check(view(2, id(3, 1), id(4, 1)), Some(3)));
        assert!(!check(view(3, id(3, 1), id(4, 1)), Some(33)));
        assert!(check(view(3, id(3, 2), id(3, 2)), Some(3)));
        assert!(!check(view(3, id(3, 2), id(4, 1)), Some(3)));
        assert!(!check(view(1, id(1, 1), id(4, 1)), Some(1)));
    }
}

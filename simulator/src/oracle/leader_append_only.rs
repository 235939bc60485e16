//! In its term of office a leader only adds to its log, `[Ongaro14 §3.5]`.

use raft_core::Role;

use super::view::View;
use super::words::words;
use crate::world::chain::Chain;

/// Whether a machine stayed in the same office during a step.
pub(super) fn applies(before: &View, after: &View) -> bool {
    before.role == Role::Leader && after.role == Role::Leader && before.hard.term == after.hard.term
}

/// A leader whose log ended with `before.last` and this hash has `log` now.
pub(super) fn check(host: usize, before: &View, hash: u64, log: &Chain) -> Result<(), String> {
    let place = before.last.index;
    if log.link(place).map(|link| link.hash) == Some(hash) {
        return Ok(());
    }
    Err(words!(
        "host {} leads term {} and its log, which ended with entry {place}, is another one now: it \
         ends with {:?}",
        host + 1,
        before.hard.term,
        log.last()
    ))
}

#[cfg(test)]
mod tests {
    use raft_core::{EntryId, LogIndex, Term};

    use super::*;
    use crate::world::chain::Link;

    fn log(hashes: &[u64]) -> Chain {
        let mut log = Chain::default();
        for hash in hashes {
            let term = Term::new(1);
            log.push(Link { term, hash: *hash });
        }
        log
    }

    #[test]
    fn a_leader_may_add_and_neither_cut_nor_change() {
        let before = View {
            role: Role::Leader,
            last: EntryId::new(LogIndex::new(2), Term::new(1)),
            ..View::default()
        };
        assert!(applies(&before, &before));
        assert!(check(0, &before, 20, &log(&[10, 20])).is_ok());
        assert!(check(0, &before, 20, &log(&[10, 20, 30])).is_ok());
        assert!(check(0, &before, 20, &log(&[10])).is_err());
        assert!(check(0, &before, 20, &log(&[10, 21, 30])).is_err());
    }
}

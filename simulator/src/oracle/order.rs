//! Base, delivery, commit and end of a log stand in this order, and terms never fall along it.
//!
//! What the application was given is also on the host's own disk: a machine delivers only what
//! is committed *and* durable here, `[Ongaro14 §10.2.1]`.

use raft_core::{LogIndex, Term};

use super::view::View;
use super::words::words;

/// A machine shows this view; its log is on its disk up to `stored`.
pub(super) fn check(host: usize, view: &View, stored: LogIndex) -> Result<(), String> {
    let known = view.commit.min(stored).min(view.last.index);
    let terms = (view.base.term <= view.last.term) & (view.last.term <= view.hard.term);
    let indexes = (view.base.index <= view.commit) & (view.commit <= view.last.index);
    if terms & indexes & (view.delivered <= known) {
        return Ok(());
    }
    let laws = [
        (view.base.index <= view.commit, "the base is committed"),
        (view.commit <= view.last.index, "the commit is in the log"),
        (
            view.delivered <= view.commit,
            "what is delivered is committed",
        ),
        (view.delivered <= stored, "what is delivered is on the disk"),
        (view.base.term <= view.last.term, "the base is the oldest"),
        (
            view.last.term <= view.hard.term,
            "the last term was entered",
        ),
    ];
    match laws.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, law)) => Err(words!(
            "host {} breaks the law that {law}; on its disk the log ends with entry {stored}: \
             {view:?}",
            host + 1
        )),
    }
}

/// An entry of term `next` was added behind one of term `last`.
pub(super) fn check_append(
    host: usize,
    index: LogIndex,
    last: Term,
    next: Term,
) -> Result<(), String> {
    if last <= next {
        return Ok(());
    }
    Err(words!(
        "host {} holds entry {index} of term {next} behind one of term {last}",
        host + 1
    ))
}

#[cfg(test)]
mod tests {
    use raft_core::{EntryId, HardState};

    use super::*;

    fn view() -> View {
        let id = |index, term| EntryId::new(LogIndex::new(index), Term::new(term));
        View {
            hard: HardState {
                term: Term::new(3),
                vote: None,
            },
            base: id(2, 1),
            delivered: LogIndex::new(4),
            commit: LogIndex::new(5),
            last: id(6, 3),
            ..View::default()
        }
    }

    #[test]
    fn each_law_can_be_broken() {
        let stored = LogIndex::new(6);
        assert!(check(0, &view(), stored).is_ok());
        let mut breaks: Vec<(View, u64)> = Vec::new();
        let mut add = |change: fn(&mut View), stored| {
            let mut view = view();
            change(&mut view);
            breaks.push((view, stored));
        };
        add(|view| view.commit = LogIndex::new(1), 6);
        add(|view| view.commit = LogIndex::new(7), 6);
        add(|view| view.delivered = LogIndex::new(6), 6);
        add(|_| {}, 3);
        add(|view| view.base.term = Term::new(4), 6);
        add(|view| view.hard.term = Term::new(2), 6);
        for (view, stored) in breaks {
            assert!(check(0, &view, LogIndex::new(stored)).is_err(), "{view:?}");
        }
    }

    #[test]
    fn terms_never_fall_along_a_log() {
        let check = |last, next| {
            check_append(0, LogIndex::new(9), Term::new(last), Term::new(next)).is_ok()
        };
        assert!(check(1, 1) && check(1, 5) && !check(5, 4));
    }
}

//! In one life, term, vote, commit, base and delivery only grow.

use super::view::View;
use super::words::words;

/// Compares a machine before and after a step.
#[inline]
pub(super) fn check(before: &View, after: &View) -> Result<(), String> {
    match broken(before, after) {
        None => Ok(()),
        Some(what) => Err(words!("{what}: from {before:?} to {after:?}")),
    }
}

fn broken(before: &View, after: &View) -> Option<&'static str> {
    let (old, new) = (before.hard, after.hard);
    if old.term > new.term {
        return Some("the term fell");
    }
    if old.term == new.term && old.vote != new.vote && old.vote.is_some() {
        return Some("a vote was taken back");
    }
    if before.commit > after.commit {
        return Some("the commit fell");
    }
    if before.delivered > after.delivered {
        return Some("the delivery fell");
    }
    (before.base.index > after.base.index).then_some("the base fell")
}

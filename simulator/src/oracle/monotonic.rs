//! In one life, term, vote, commit, base and delivery only grow.

use super::view::View;

/// Compares a machine before and after a step.
pub(super) fn check(before: &View, after: &View) -> Result<(), String> {
    let check = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("{what}: from {before:?} to {after:?}"))
        }
    };
    let (old, new) = (before.hard, after.hard);
    check(old.term <= new.term, "the term fell")?;
    check(
        old.term < new.term || old.vote.is_none() || old.vote == new.vote,
        "a vote was taken back",
    )?;
    check(before.commit <= after.commit, "the commit fell")?;
    check(before.delivered <= after.delivered, "the delivery fell")?;
    check(before.base.index <= after.base.index, "the base fell")
}

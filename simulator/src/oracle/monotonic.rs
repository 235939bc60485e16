//! In one life, term, vote, commit, base and delivery only grow, and so does a leader's log.

use raft_core::Role;

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
    check(before.base.index <= after.base.index, "the base fell")?;
    let stays_leader =
        before.role == Role::Leader && after.role == Role::Leader && old.term == new.term;
    check(
        !stays_leader || before.last.index <= after.last.index,
        "a leader's log was cut",
    )
}

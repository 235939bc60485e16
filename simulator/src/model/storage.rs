//! What survives a crash, `[Ongaro14 §3.8]`, and what a node comes back with.

use super::{Abstract, Id, Input, Role, Step, Written, must};

pub(super) fn check(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before.durable, step.after.durable);
    must(after.index <= step.after.last().index, || {
        "§3.8: more is durable than there is".into()
    })?;
    match step.input {
        Input::Persisted(written) => {
            let hard = written.hard;
            let (term, vote) = (u64::from(hard.term.value()), hard.vote);
            let is_written = (after.term, after.vote) == (term, vote);
            let is_same = (after.term, after.vote) == (before.term, before.vote);
            must(is_written || is_same, || {
                format!("§3.8: {after:?} counts as durable, {hard:?} was written")
            })?;
            let most = before.index.max(written.last.index);
            must(before.index <= after.index && after.index <= most, || {
                format!(
                    "§3.8: entries up to {} count as durable, {most} are written",
                    after.index
                )
            })
        }
        _ => {
            must(
                (after.term, after.vote) == (before.term, before.vote),
                || format!("§3.8: term and vote become durable by {:?}", step.input),
            )?;
            must(after.index <= before.index, || {
                format!("§3.8: entries become durable by {:?}", step.input)
            })
        }
    }
}

/// Whether a node may come back like this from what its medium holds.
///
/// # Errors
///
/// What does not fit.
pub fn check_restart(stored: &Written, base: Id, after: &Abstract) -> Result<(), String> {
    let (term, vote) = (u64::from(stored.hard.term.value()), stored.hard.vote);
    must(
        after.last() == stored.last && after.log.base == base,
        || {
            format!(
                "§3.8: the medium has ({base:?}, {:?}], the node ({:?}, {:?}]",
                stored.last,
                after.log.base,
                after.last()
            )
        },
    )?;
    // The log may prove that a later term was seen.
    let expected = if stored.last.term > term {
        (stored.last.term, None)
    } else {
        (term, vote)
    };
    must((after.term, after.vote) == expected, || {
        format!(
            "§3.8: the medium has {:?}, the node term {} and vote {:?}",
            stored.hard, after.term, after.vote
        )
    })?;
    must(
        after.role == Role::Follower && after.leader.is_none(),
        || "§3.3: a node comes back in office".into(),
    )?;
    must(
        base.index <= after.commit && after.commit <= after.last().index,
        || format!("§3.8: a node comes back with commit {}", after.commit),
    )
}

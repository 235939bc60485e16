//! What counts as committed, `[Ongaro14 §3.5, §3.6.2]`.

use std::collections::BTreeMap;

use raft_core::{Body, ChunkData, Identity};

use super::log::has_all_of;
use super::{Id, Input, Role, Step, must};

pub(super) fn check(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    must(after.commit >= before.commit, || {
        format!("§3.5: the commit falls to {}", after.commit)
    })?;
    must(after.commit <= after.last().index, || {
        "§3.5: more is committed than there is".into()
    })?;
    delivery(step)?;
    if after.role == Role::Leader {
        matches(step)?;
        all_is_committed(step)?;
    }
    if after.commit == before.commit {
        return Ok(());
    }
    if step.was_leader() {
        return leader_commits(step);
    }
    let is_allowed = match (step.input, step.message()) {
        // With the append goes its commit: looked at where its entries are.
        (_, Some((_, message))) => match message.body {
            Body::Append(_) | Body::Hollow(_) => true,
            Body::Chunk(chunk) => {
                let last = Id::from(chunk.snapshot.last);
                let is_complete = chunk.data == ChunkData::Hollow;
                (is_complete || has_all_of(before, last))
                    && after.commit == before.commit.max(last.index)
            }
            _ => false,
        },
        (Input::Stored(snapshot), _) => {
            after.commit == before.commit.max(snapshot.last.index.value())
        }
        _ => false,
    };
    must(is_allowed, || {
        format!("§3.5: commit {} comes from nowhere", after.commit)
    })
}

/// What is committed, and durable here, is handed over in order.
fn delivery(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    if after.delivered == before.delivered {
        return Ok(());
    }
    must(matches!(step.input, Input::Deliver), || {
        format!("§3.5: entries are handed over by {:?}", step.input)
    })?;
    let most = after.commit.min(after.durable.index);
    must(
        before.delivered <= after.delivered && after.delivered <= most,
        || {
            format!(
                "§3.5: entries up to {} are handed over, {most} are committed",
                after.delivered
            )
        },
    )
}

/// A leader knows of a member's log what the member said, and of its own what is durable.
fn matches(step: &Step<'_>) -> Result<(), String> {
    let expected = expected_matches(step);
    for (member, matched) in &step.after.matched {
        let known = expected.get(member).copied().unwrap_or(0);
        // A leader may look at its own disk later.
        let is_own = *member == step.after.me && *matched <= step.after.durable.index;
        must(*matched == known || is_own, || {
            format!("§3.5: {member:?} is taken to have {matched}, and it said {known}")
        })?;
    }
    Ok(())
}

fn expected_matches(step: &Step<'_>) -> BTreeMap<Identity, u64> {
    let mut matched = if step.was_leader() {
        step.before.matched.clone()
    } else {
        BTreeMap::new()
    };
    if let Some((from, message)) = step.message()
        && let Body::Ack(ack) = &message.body
        && step.was_leader()
        && u64::from(message.term.value()) == step.after.term
        && ack.verified.value() <= step.before.last().index
    {
        let sender = Identity::new(from, message.incarnation);
        if let Some(known) = matched.get_mut(&sender) {
            *known = (*known).max(ack.verified.value());
        }
    }
    matched
}

/// What a quorum is known to have, and is of its own term, a leader has committed: unless the
/// configuration has just changed, after which the next answer counts again.
fn all_is_committed(step: &Step<'_>) -> Result<(), String> {
    let after = step.after;
    if after.configuration.is_joint() || after.configuration_index > after.commit {
        return Ok(());
    }
    for index in after
        .matched
        .values()
        .filter(|index| **index > after.commit)
    {
        let has = |member| {
            after
                .matched
                .get(&member)
                .is_some_and(|known| known >= index)
        };
        let is_own = after.log.term(*index) == Some(after.term);
        must(!is_own || !after.configuration.is_quorum(has), || {
            format!(
                "§3.5: a quorum has {index}, and {} is committed",
                after.commit
            )
        })?;
    }
    Ok(())
}

/// A leader commits what a quorum has, if it is of its own term; everything before goes with it.
fn leader_commits(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let is_answer = step
        .message()
        .is_some_and(|(_, message)| matches!(message.body, Body::Ack(_)));
    must(
        is_answer || matches!(step.input, Input::Persisted(_)),
        || format!("§3.5: a leader commits by {:?}", step.input),
    )?;
    let matched = expected_matches(step);
    let own = after.durable.index;
    let has = |member: Identity, index: u64| {
        let is_own = member == after.me && own >= index;
        is_own || matched.get(&member).is_some_and(|known| *known >= index)
    };
    let is_agreed = |index: u64| before.configuration.is_quorum(|member| has(member, index));
    must(is_agreed(after.commit), || {
        format!("§3.5: {} is committed, and no quorum has it", after.commit)
    })?;
    must(after.log.term(after.commit) == Some(after.term), || {
        format!(
            "§3.6.2: {} is committed by counting, and is of an older term",
            after.commit
        )
    })?;
    // A leader that was let in again may look at its own disk later.
    let knows = |member: Identity| {
        let known = after.matched.get(&member).or(matched.get(&member));
        known.is_some_and(|known| *known > after.commit)
    };
    must(!before.configuration.is_quorum(knows), || {
        format!("§3.5: {} is committed, a quorum has more", after.commit)
    })
}

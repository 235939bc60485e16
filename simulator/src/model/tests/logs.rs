//! Logs, commits and configurations.

use super::*;
use raft_core::Snapshot;

#[test]
fn a_follower_takes_what_follows() {
    let before = following();
    let bytes = encoded(&[2, 2]);
    let input = from(2, 2, append(id(3, 2), 9, &bytes));
    let both = but(&and(&and(&before, command(2)), command(2)), |state| {
        (state.commit, state.verified) = (5, Some(5));
    });
    allowed(&before, &input, &both);
    let one = but(&and(&before, command(2)), |state| {
        (state.commit, state.verified) = (4, Some(4));
    });
    allowed(&before, &input, &one);
    let eager = but(&one, |state| state.verified = Some(5));
    refused(&before, &input, &eager, "§3.5");
    let lazy = but(&both, |state| state.commit = 1);
    refused(&before, &input, &lazy, "§3.5");
    let other = but(&and(&and(&before, command(2)), command(1)), |state| {
        (state.commit, state.verified) = (5, Some(5));
    });
    refused(&before, &input, &other, "§3.5");
    let far = from(2, 2, append(id(3, 1), 9, &bytes));
    refused(&before, &far, &both, "that do not follow");
    allowed(&before, &far, &before);
    let believing = but(&before, |state| state.commit = 2);
    refused(&before, &far, &believing, "that does not follow");
    let trusting = but(&before, |state| state.verified = Some(3));
    refused(&before, &far, &trusting, "that is not");
}

#[test]
fn a_follower_gives_way_only_where_logs_differ() {
    let before = following();
    let same = encoded(&[1]);
    let input = from(2, 2, append(id(1, 1), 1, &same));
    allowed(&before, &input, &before);
    let cut = with_log(before.clone(), &[command(1), command(1)]);
    let cut = but(&cut, |state| state.durable.index = 2);
    refused(&before, &input, &cut, "§3.5");
    let before = but(&before, |state| (state.term, state.durable.term) = (3, 3));
    let newer = encoded(&[3]);
    let input = from(2, 3, append(id(2, 1), 1, &newer));
    let replaced = with_log(before.clone(), &[command(1), command(1), command(3)]);
    let replaced = but(&replaced, |state| {
        (state.verified, state.durable.index) = (Some(3), 2);
    });
    allowed(&before, &input, &replaced);
    let kept = but(&and(&before, command(3)), |state| state.verified = Some(3));
    refused(&before, &input, &kept, "§3.5");
}

#[test]
fn a_leader_only_adds_entries_of_its_term() {
    let before = leader();
    allowed(&before, &Input::Propose, &and(&before, command(2)));
    refused(
        &before,
        &Input::Propose,
        &and(&before, command(1)),
        "another term",
    );
    let empty = and(&before, entry(2, EntryKind::NoOp));
    refused(&before, &Input::Propose, &empty, "a leader adds");
    let shorter = with_log(before.clone(), &[command(1), command(1)]);
    let shorter = but(&shorter, |state| state.durable.index = 2);
    refused(&before, &Input::Propose, &shorter, "changes its log");
    refused(
        &before,
        &Input::Timeout,
        &and(&before, command(2)),
        "the log changes",
    );
    refused(
        &follower(),
        &Input::Propose,
        &and(&follower(), command(2)),
        "the log changes",
    );
}

#[test]
fn a_leader_counts_what_members_said() {
    let before = leader();
    let counted = but(&before, |state| {
        state.matched.insert(node(2), 2);
    });
    let older = with_log(before.clone(), &[command(1), command(1), command(1)]);
    allowed(
        &older,
        &from(2, 2, ack(2)),
        &but(&older, |state| {
            state.matched.insert(node(2), 2);
        }),
    );
    refused(&before, &from(2, 2, ack(1)), &counted, "and it said 1");
    refused(&before, &from(3, 2, ack(2)), &counted, "and it said 0");
    refused(&before, &from(2, 1, ack(2)), &counted, "and it said 0");
    refused(&before, &Input::Timeout, &counted, "and it said 0");
}

#[test]
fn a_leader_commits_what_a_quorum_has_of_its_own_term() {
    let before = leader();
    let after = but(&before, |state| {
        state.matched.insert(node(2), 3);
        state.commit = 3;
    });
    allowed(&before, &from(2, 2, ack(3)), &after);
    let idle = but(&after, |state| state.commit = 1);
    refused(&before, &from(2, 2, ack(3)), &idle, "a quorum has 3");
    let alone = but(&before, |state| state.commit = 3);
    refused(&before, &Input::Timeout, &alone, "a leader commits by");
    refused(
        &before,
        &written(2, Some(node(1)), 3, 2),
        &alone,
        "no quorum has it",
    );
    let less = but(&after, |state| state.commit = 2);
    refused(&before, &from(2, 2, ack(3)), &less, "a quorum has 3");
    // Figure 8: entry 3 is of an older term, whatever a quorum has of it.
    let old = [command(1), command(1), command(1)];
    let (before, after) = (with_log(before, &old), with_log(after, &old));
    refused(&before, &from(2, 2, ack(3)), &after, "§3.6.2");
    let fallen = but(&before, |state| state.commit = 0);
    refused(&before, &Input::Timeout, &fallen, "the commit falls");
    let beyond = but(&before, |state| state.commit = 4);
    refused(&before, &Input::Timeout, &beyond, "than there is");
    let idle = follower();
    let told = but(&idle, |state| state.commit = 2);
    refused(&idle, &from(2, 2, ack(3)), &told, "comes from nowhere");
}

#[test]
fn what_is_committed_and_durable_is_handed_over() {
    let before = but(&follower(), |state| {
        (state.commit, state.durable.index) = (3, 2)
    });
    let two = but(&before, |state| state.delivered = 2);
    allowed(&before, &Input::Deliver, &two);
    refused(&before, &Input::Timeout, &two, "are handed over by");
    let three = but(&before, |state| state.delivered = 3);
    refused(&before, &Input::Deliver, &three, "2 are committed");
    refused(
        &two,
        &Input::Deliver,
        &but(&two, |s| s.delivered = 1),
        "§3.5",
    );
}

fn compacted(state: &Abstract, index: u64, term: u64, rest: &[Entry]) -> Abstract {
    but(&with_log(state.clone(), rest), |state| {
        state.log.base = Id { term, index };
        state.configuration_index = index;
    })
}

#[test]
fn compaction_drops_what_was_handed_over() {
    let before = follower();
    let rest = [command(1), command(2)];
    let after = compacted(&before, 1, 1, &rest);
    let input = Input::Compact(LogIndex::new(1));
    allowed(&before, &input, &after);
    refused(&before, &Input::Timeout, &after, "§");
    refused(
        &before,
        &input,
        &compacted(&before, 1, 1, &rest[1..]),
        "that stay",
    );
    refused(&before, &input, &compacted(&before, 1, 2, &rest), "ends at");
    let early = Input::Compact(LogIndex::new(2));
    refused(
        &before,
        &early,
        &compacted(&before, 2, 1, &rest[1..]),
        "not handed over",
    );
}

#[test]
fn a_snapshot_replaces_what_it_does_not_agree_with() {
    let stored = |index, term| {
        Input::Stored(Snapshot {
            last: id(index, term),
            size: 1,
            checksum: 1,
        })
    };
    let before = following();
    let installed = |index, term| {
        but(&compacted(&before, index, term, &[]), |state| {
            (state.commit, state.verified) = (index, Some(index));
            state.durable.index = 1;
        })
    };
    allowed(&before, &stored(5, 2), &installed(5, 2));
    refused(&before, &stored(5, 2), &installed(6, 2), "§");
    refused(&before, &stored(3, 2), &installed(3, 2), "agrees with");
    refused(&before, &Input::Timeout, &installed(5, 2), "§");
    let known = but(&before, |state| {
        (state.commit, state.verified) = (3, Some(3))
    });
    allowed(&before, &stored(3, 2), &known);
    let more = but(&before, |state| state.verified = Some(3));
    refused(&before, &Input::Unreachable, &more, "is verified by");
}

/// The state with a configuration added to its log, in force.
fn changed(state: &Abstract, next: &Configuration) -> Abstract {
    but(&and(state, entry(2, EntryKind::Configuration)), |state| {
        let index = state.last().index;
        Arc::make_mut(&mut state.log.configurations).insert(index, next.clone());
        (state.configuration, state.configuration_index) = (next.clone(), index);
        let kept: BTreeMap<_, _> = next
            .members()
            .map(|member| (member, state.matched.get(&member).copied().unwrap_or(0)))
            .collect();
        state.matched = kept;
    })
}

fn joint() -> Configuration {
    configuration(&[
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Outgoing),
        (4, Standing::Incoming),
    ])
}

#[test]
fn one_change_at_a_time_and_through_both_majorities() {
    let young = leader();
    let before = but(&young, |state| state.commit = 3);
    let input = Input::Reconfigure;
    let after = changed(&before, &joint());
    allowed(&before, &input, &after);
    refused(&young, &input, &changed(&young, &joint()), "[Ongaro15]");
    refused(
        &after,
        &input,
        &changed(&after, &joint()),
        "is not committed",
    );
    refused(
        &before,
        &input,
        &changed(&before, &voters(&[1, 2, 4])),
        "does not follow",
    );
    refused(&before, &Input::Propose, &after, "§");
    let ignored = but(&after, |state| {
        state.configuration = before.configuration.clone();
    });
    refused(&before, &input, &ignored, "in force is");
    let unnamed = but(&after, |state| state.configuration_index = 0);
    refused(&before, &input, &unnamed, "in force is entry 0");
}

#[test]
fn a_joint_configuration_ends_when_it_is_committed() {
    let before = changed(&but(&leader(), |state| state.commit = 3), &joint());
    let before = but(&before, |state| {
        state.matched.insert(node(2), 4);
        state.durable.index = 4;
    });
    let end = |commit, next: &[u64]| {
        let after = but(&before, |state| {
            state.commit = commit;
            state.matched.insert(node(4), 4);
        });
        changed(&after, &voters(next))
    };
    // Nodes 1 and 2 are a majority of the old and of the new voters.
    allowed(&before, &from(4, 2, ack(4)), &end(4, &[1, 2, 4]));
    refused(
        &before,
        &from(4, 2, ack(4)),
        &end(3, &[1, 2, 4]),
        "is not committed",
    );
    refused(&before, &from(4, 2, ack(4)), &end(4, &[1, 2, 3]), "ends as");
    let lonely = but(&before, |state| {
        state.matched.insert(node(2), 0);
    });
    let after = but(&lonely, |state| {
        state.matched.insert(node(4), 4);
        state.commit = 4;
    });
    // Nodes 1 and 4 are a majority of the new voters only.
    refused(&lonely, &from(4, 2, ack(4)), &after, "no quorum has it");
}

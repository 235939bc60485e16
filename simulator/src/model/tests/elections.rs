//! Terms, votes, roles, and what of them survives.

use super::*;
use crate::model::check_restart;

#[test]
fn nothing_comes_of_nothing() {
    for state in [follower(), following(), candidate(), leader()] {
        allowed(&state, &Input::Nothing, &state);
        let other = but(&state, |after| after.me = node(9));
        refused(&state, &Input::Nothing, &other, "another name");
    }
}

#[test]
fn terms_only_grow_and_for_a_reason() {
    let before = follower();
    let fallen = but(&before, |after| after.term = 1);
    refused(&before, &Input::Timeout, &fallen, "the term falls");
    let risen = but(&before, |after| after.term = 3);
    refused(&before, &Input::Timeout, &risen, "§3.4");
    allowed(&before, &from(2, 3, vote_reply(false)), &risen);
    refused(&before, &from(2, 3, ack(0)), &before, "is not followed");
    let standing = but(&risen, |after| after.role = Role::PreCandidate);
    refused(&before, &from(2, 3, ack(0)), &standing, "enters a term as");
    // A pre-vote changes nothing, and its answer only if it refuses.
    refused(&before, &from(2, 3, pre_vote_reply(true)), &risen, "§3.4");
    allowed(&before, &from(2, 3, pre_vote_reply(false)), &risen);
}

#[test]
fn a_vote_is_given_once_and_to_an_up_to_date_log() {
    let before = follower();
    let voted = but(&before, |after| after.vote = Some(node(2)));
    allowed(&before, &from(2, 2, vote(3, 2)), &voted);
    allowed(&before, &from(2, 2, vote(3, 2)), &before);
    refused(&before, &from(2, 2, vote(2, 2)), &voted, "§3.6.1");
    refused(&before, &from(2, 2, vote(9, 1)), &voted, "§3.6.1");
    refused(&before, &from(3, 2, vote(3, 2)), &voted, "§3.6.1");
    refused(&before, &Input::Timeout, &voted, "§3.6.1");
    let other = but(&before, |after| after.vote = Some(node(3)));
    refused(
        &voted,
        &from(3, 2, vote(3, 2)),
        &other,
        "the vote of term 2",
    );
    let later = but(&voted, |after| after.term = 3);
    allowed(&before, &from(2, 3, vote(3, 2)), &later);
    refused(&before, &from(2, 3, vote(2, 2)), &later, "§3.6.1");
}

#[test]
fn who_stands_has_a_quorum_of_pre_votes_and_votes_for_itself() {
    let before = but(&follower(), |state| {
        state.role = Role::PreCandidate;
        state.grants = [node(1)].into();
    });
    let after = but(&candidate(), |state| {
        (state.term, state.durable.vote) = (3, None);
        state.grants.clear();
    });
    let yes = from(2, 2, pre_vote_reply(true));
    allowed(&before, &yes, &after);
    refused(&before, &from(2, 2, pre_vote_reply(false)), &after, "§9.6");
    refused(&before, &from(4, 2, pre_vote_reply(true)), &after, "§9.6");
    refused(&before, &Input::Timeout, &after, "§9.6");
    let other = but(&after, |state| state.vote = Some(node(2)));
    refused(&before, &yes, &other, "does not vote for itself");
    let leap = but(&after, |state| state.term = 4);
    refused(&before, &yes, &leap, "comes from nowhere");
    let early = but(&after, |state| state.grants = [node(1)].into());
    refused(&before, &yes, &early, "is not durable");
    let out = |state: &Abstract| {
        but(state, |state| {
            state.configuration = voters(&[2, 3]);
            state.log.base_configuration = Some(voters(&[2, 3]));
        })
    };
    refused(&out(&before), &yes, &out(&after), "who has no vote");
    let asking = out(&before);
    let quiet = but(&asking, |state| state.role = Role::Follower);
    refused(&quiet, &Input::Timeout, &asking, "becomes PreCandidate");
}

#[test]
fn who_leads_has_a_quorum_of_votes() {
    let before = candidate();
    let after = and(&leader(), entry(2, EntryKind::NoOp));
    let after = but(&after, |state| {
        state.matched = [(node(1), 3), (node(2), 0), (node(3), 0)].into();
    });
    let yes = from(2, 2, vote_reply(true));
    allowed(&before, &yes, &after);
    refused(&before, &from(2, 2, vote_reply(false)), &after, "§3.4");
    refused(&before, &from(2, 1, vote_reply(true)), &after, "§3.4");
    refused(&before, &from(4, 2, vote_reply(true)), &after, "a quorum");
    refused(&before, &Input::Timeout, &after, "a node leads by");
    let idle = but(&before, |state| state.role = Role::Follower);
    refused(&idle, &yes, &after, "becomes Leader");
    let early = but(&before, |state| state.durable.vote = None);
    let unsafe_after = but(&after, |state| state.durable.vote = None);
    refused(&early, &yes, &unsafe_after, "§3.8");
    let mute = but(&after, |state| state.log = before.log.clone());
    refused(&before, &yes, &mute, "begins with 0 entries");
    let loud = and(&leader(), command(2));
    refused(&before, &yes, &loud, "§6.4");
    let old = and(&leader(), entry(1, EntryKind::NoOp));
    refused(&before, &yes, &old, "another term");
}

#[test]
fn votes_are_counted_that_were_given() {
    let before = candidate();
    let more = but(&before, |state| {
        state.grants.insert(node(2));
    });
    allowed(&before, &from(2, 2, vote_reply(true)), &more);
    refused(&before, &from(2, 2, vote_reply(false)), &more, "not given");
    refused(&before, &from(3, 2, vote_reply(true)), &more, "not given");
    refused(&before, &Input::Timeout, &more, "not given");
}

#[test]
fn offices_are_left_for_a_reason() {
    let before = leader();
    let left = but(&following(), |state| {
        (state.leader, state.verified) = (None, None);
        state.vote = Some(node(1));
        state.durable.vote = Some(node(1));
    });
    allowed(&before, &Input::Timeout, &left);
    refused(&before, &from(2, 2, ack(3)), &left, "becomes Follower");
    refused(&before, &Input::Propose, &left, "becomes Follower");
}

#[test]
fn a_term_has_one_leader() {
    let before = following();
    let beat = append(id(3, 2), 1, &[]);
    let other = but(&before, |state| {
        (state.leader, state.verified) = (Some(NodeId::new(3)), Some(3));
    });
    refused(&before, &from(3, 2, beat), &other, "two leaders");
    let heard = but(&other, |state| state.leader = Some(NodeId::new(2)));
    allowed(&follower(), &from(2, 2, beat), &heard);
    refused(&follower(), &Input::Timeout, &following(), "has not spoken");
    refused(
        &follower(),
        &from(2, 2, ack(0)),
        &following(),
        "has not spoken",
    );
}

#[test]
fn what_is_durable_was_written() {
    let before = but(&candidate(), |state| {
        state.durable.vote = None;
        state.durable.index = 2;
        state.grants.clear();
    });
    let after = but(&before, |state| {
        state.durable.vote = Some(node(1));
        state.durable.index = 3;
        state.grants = [node(1)].into();
    });
    allowed(&before, &written(2, Some(node(1)), 3, 2), &after);
    refused(&before, &written(2, None, 3, 2), &after, "was written");
    refused(
        &before,
        &written(2, Some(node(1)), 2, 1),
        &after,
        "are written",
    );
    refused(&before, &Input::Timeout, &after, "§3.8");
    let entries = but(&before, |state| state.durable.index = 3);
    refused(&before, &Input::PersistFailed, &entries, "§3.8");
    let beyond = but(&before, |state| state.durable.index = 4);
    refused(&before, &written(2, None, 9, 2), &beyond, "than there is");
}

#[test]
fn a_node_comes_back_with_what_it_had() {
    let state = but(&follower(), |state| state.vote = Some(node(2)));
    let Input::Persisted(stored) = written(2, Some(node(2)), 3, 2) else {
        unreachable!("made above")
    };
    let check = |stored, state: &Abstract| check_restart(&stored, Id::default(), state);
    assert_eq!(check(stored, &state), Ok(()));
    let hard = HardState {
        term: Term::new(1),
        vote: None,
    };
    let proved = Written { hard, ..stored };
    assert_eq!(check(proved, &follower()), Ok(()), "the log proves term 2");
    assert!(check(proved, &state).is_err(), "and no vote of it");
    assert!(check(stored, &follower()).is_err(), "a vote is forgotten");
    let short = with_log(state.clone(), &[command(1), command(1)]);
    assert!(check(stored, &short).is_err(), "an entry is forgotten");
    let office = but(&state, |state| state.role = Role::Leader);
    assert!(
        check(stored, &office).is_err(),
        "nobody comes back in office"
    );
    let ahead = but(&state, |state| state.commit = 4);
    assert!(check(stored, &ahead).is_err(), "nor ahead of its log");
}

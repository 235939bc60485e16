//! The rules of elections, configuration and identity: each test fails when its rule is removed.
//!
//! Elsewhere: a refusal teaches the term (B-12), a hung disk ends an office (B-21), no change of
//! the membership before the own first commit (D-49), the fallback of a truncation (D-58, D-59),
//! who may stand (D-53), other lives (D-60): `histories_elections`, `histories_membership`.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::ReconfigureError;
use raft_core::{Change, DropReason, Event, GroupId, Incarnation, LogIndex, Role, Standing};
use support::past::{Item, Past, STICKINESS_MICROS, identity, voters};
use support::solo::{Said, ack, append};
use support::{Machine, World, config};

#[test]
fn election_asks_before_it_disturbs() {
    let mut solo = Past::new(1).log(&[1]).start();
    solo.wake();
    let outcome = solo.drain();
    assert!(
        outcome
            .sent
            .iter()
            .all(|(_, term, said)| *term == 1 && matches!(said, Said::PreVote { .. }))
    );
    assert_eq!(outcome.sent.len(), 2);
    assert_eq!((solo.term(), solo.vote()), (1, None));
    for _ in 0..20 {
        solo.wake();
        solo.drain();
    }
    assert_eq!(solo.term(), 1, "without answers no term is begun");
}

#[test]
fn leader_without_a_quorum_steps_down_and_is_silent() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).establish();
    let start = solo.now;
    while solo.raft.is_leader() {
        // One of five answers all the time.
        let outcome = {
            solo.wake();
            solo.drain()
        };
        for said in outcome.to(2) {
            if let Said::Append { round, .. } = said {
                solo.say(2, 1, ack(1, round));
            }
        }
    }
    let millis = solo.now.saturating_since(start).as_millis();
    assert!((200..=230).contains(&millis), "{millis} ms");
    let outcome = solo.drain();
    assert_eq!(outcome.sent, []);
    assert!(solo.raft.propose(b"x").is_err());
}

#[test]
fn contact_counts_from_when_the_round_was_opened() {
    let mut solo = Past::new(1).establish();
    // The round is opened after 20 ms, and its answers take 170 ms.
    solo.tick(20);
    solo.drain();
    solo.pass(170);
    for peer in [2, 3] {
        solo.say(peer, 1, ack(1, 2));
    }
    solo.tick(29);
    assert!(solo.raft.is_leader());
    solo.tick(1);
    assert_eq!(
        solo.raft.role(),
        Role::Follower,
        "an old round proves old contact"
    );
}

#[test]
fn stickiness_is_a_constant_of_the_group() {
    // The node's own timeouts start at 100 ms, its group protects a leader for 400 ms.
    let mut solo = Past::new(2).term(3).stickiness(400_000).start();
    solo.pass(400);
    solo.say(1, 3, append((0, 0), 0, 1, &[]));
    solo.pass(399);
    assert!(solo.say(3, 4, Said::Vote { last: (0, 0) }).is_silent());
    solo.tick(0);
    assert_eq!(
        solo.raft.role(),
        Role::Follower,
        "nor does it stand itself earlier"
    );
    solo.pass(1);
    let outcome = solo.say(3, 4, Said::Vote { last: (0, 0) });
    assert_eq!(outcome.sent, [(3, 4, Said::VoteReply(true))]);
}

#[test]
fn stickiness_of_the_founder_travels_in_the_configuration() {
    let mut world = World::group(2);
    world.crash(1);
    let now = world.now;
    let before = world.raft(2).poll_timeout().unwrap();
    assert!(before.saturating_since(now) <= Duration::from_millis(200));
    assert_eq!(STICKINESS_MICROS, 100_000);
    // Within it the second node refuses a pre-vote, after it it would grant.
    let mut solo = Past::new(2).term(1).start();
    solo.say(1, 1, append((0, 0), 0, 1, &[]));
    let ask = |attempt| Said::PreVote {
        last: (0, 0),
        attempt,
    };
    let (attempt, granted) = (1, false);
    let outcome = solo.say(3, 1, ask(1));
    assert_eq!(
        outcome.sent,
        [(3, 1, Said::PreVoteReply { attempt, granted })]
    );
    solo.pass(100);
    let (attempt, granted) = (2, true);
    let outcome = solo.say(3, 1, ask(2));
    assert_eq!(
        outcome.sent,
        [(3, 1, Said::PreVoteReply { attempt, granted })]
    );
}

#[test]
fn leader_helps_nobody_to_replace_it() {
    let mut solo = Past::new(1).establish();
    let (last, attempt, granted) = ((9, 1), 1, false);
    let outcome = solo.say(2, 1, Said::PreVote { last, attempt });
    assert_eq!(
        outcome.sent,
        [(2, 1, Said::PreVoteReply { attempt, granted })]
    );
    let outcome = solo.say(2, 5, Said::PreVote { last, attempt });
    assert_eq!(
        outcome.sent,
        [(2, 1, Said::PreVoteReply { attempt, granted })]
    );
    assert!(solo.raft.is_leader());
}

#[test]
fn restored_node_behaves_as_if_a_leader_had_just_been_heard() {
    let mut solo = Past::new(2).term(3).restart();
    solo.drain();
    let (last, attempt, granted) = ((0, 0), 1, false);
    let outcome = solo.say(3, 3, Said::PreVote { last, attempt });
    assert_eq!(
        outcome.sent,
        [(3, 3, Said::PreVoteReply { attempt, granted })]
    );
    let outcome = solo.say(3, 3, Said::Vote { last });
    assert_eq!(outcome.sent, [(3, 3, Said::VoteReply(false))]);
    assert!(solo.say(3, 4, Said::Vote { last }).is_silent());
    solo.tick(99);
    assert_eq!(solo.raft.role(), Role::Follower);
}

#[test]
fn configuration_takes_effect_when_it_is_appended() {
    let mut solo = Past::new(1).establish();
    solo.raft
        .reconfigure(&[Change::AddLearner(identity(4))])
        .unwrap();
    assert_eq!(solo.raft.members().count(), 4);
    assert_eq!(solo.drain().to(4).len(), 1, "it is spoken to at once");
    let mut follower = Past::new(2).term(1).start();
    let change = (1, Item::Seats(voters(&[1, 2, 3, 4])));
    let outcome = follower.say(1, 1, append((0, 0), 0, 1, &[change]));
    assert_eq!(follower.raft.members().count(), 4);
    assert_eq!(
        (follower.commit(), follower.raft.configuration_index()),
        (0, LogIndex::new(1))
    );
    let index = LogIndex::new(1);
    assert!(
        outcome
            .events
            .contains(&Event::ConfigurationChanged { index })
    );
}

#[test]
fn change_of_voters_passes_through_a_joint_configuration() {
    for change in [
        Change::AddVoter(identity(4)),
        Change::Remove(NodeId::new(3)),
    ] {
        let mut solo = Past::new(1).establish();
        solo.raft.reconfigure(&[change]).unwrap();
        assert!(solo.raft.is_joint(), "{change:?}");
    }
    let mut solo = Past::new(1).establish();
    solo.raft
        .reconfigure(&[Change::AddLearner(identity(4))])
        .unwrap();
    assert!(!solo.raft.is_joint(), "a learner does not vote");
    solo.drain();
    solo.level();
    solo.raft
        .reconfigure(&[Change::Promote(NodeId::new(4))])
        .unwrap();
    assert!(solo.raft.is_joint());
    solo.drain();
    solo.level();
    solo.level();
    assert!(!solo.raft.is_joint(), "and the leader ends it");
    let standings: Vec<_> = solo.raft.members().map(|seat| seat.standing).collect();
    assert_eq!(standings, [Standing::Voter; 4]);
}

#[test]
fn compaction_keeps_the_configuration_at_its_index() {
    let log = [
        (1, Item::Seats(voters(&[1, 2, 3, 4]))),
        (1, Item::NoOp),
        (1, Item::Seats(voters(&[1, 2, 3, 5]))),
    ];
    let mut solo = Past::new(2).items(&log).commit(3).start();
    solo.raft.compact(LogIndex::new(2), 0, 0).unwrap();
    let ids = |solo: &support::solo::Solo| -> Vec<u64> {
        let members = solo.raft.members();
        members.map(|seat| seat.identity.node.value()).collect()
    };
    assert_eq!(ids(&solo), [1, 2, 3, 5], "the latest is in force");
    solo.drain();
    solo.crash();
    assert_eq!(ids(&solo), [1, 2, 3, 5]);
    let write = solo.raft.poll_persist().map(|write| write.after());
    assert_eq!(write, Some(LogIndex::new(3)));
}

#[test]
fn old_and_new_members_together_are_bounded() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4]).establish();
    let change = [
        Change::Remove(NodeId::new(3)),
        Change::Remove(NodeId::new(4)),
        Change::AddVoter(identity(5)),
        Change::AddVoter(identity(6)),
    ];
    assert_eq!(
        solo.raft.reconfigure(&change),
        Err(ReconfigureError::TooManyMembers { members_max: 5 })
    );
    assert!(solo.raft.reconfigure(&change[..3]).is_ok());
}

#[test]
fn group_has_a_name_of_its_own_and_one_founder() {
    let found = |seed| Machine::found(config(1), vec![0; 4096], seed, Instant::ZERO).unwrap();
    let (one, other) = (found(1), found(2));
    assert_ne!(one.group(), other.group());
    assert_ne!(one.identity().incarnation, other.identity().incarnation);
    let joined = Machine::join(config(2), one.group(), vec![0; 4096], 3, Instant::ZERO).unwrap();
    assert_eq!(joined.group(), one.group());
    assert_eq!(joined.members().count(), 0);
}

#[test]
fn joiner_has_no_vote_until_a_configuration_names_its_life() {
    let now = Instant::from_micros(5);
    let mut raft = Machine::join(config(2), GroupId::new(77), vec![0; 4096], 3, now).unwrap();
    assert!(!raft.is_voter());
    raft.campaign(now).unwrap();
    let later = now.saturating_add(Duration::from_secs(3600));
    raft.handle_timeout(later).unwrap();
    assert_eq!(raft.role(), Role::Follower);
    // A configuration that names another life of it does not give it one.
    let mut solo = Past::new(4).members(vec![]).start();
    let mut others = voters(&[1, 3, 4]);
    others[2].identity.incarnation = raft_core::Incarnation::new(99);
    solo.say(1, 1, append((0, 0), 1, 1, &[(1, Item::Seats(others))]));
    assert!(!solo.raft.is_voter());
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(solo.raft.role(), Role::Follower);
    let named = [(1, Item::Seats(voters(&[1, 3, 4])))];
    solo.say(1, 1, append((1, 1), 1, 2, &named));
    assert!(solo.raft.is_voter());
}

#[test]
fn frames_of_another_group_or_in_the_own_name_are_dropped() {
    let mut solo = Past::new(2).term(1).start();
    let before = solo.raft.clone();
    let now = solo.now;
    append((0, 0), 0, 1, &[]).with(1, 9, 0, |mut message| {
        message.group = GroupId::new(78);
        solo.take(now, 1, message);
    });
    let outcome = solo.drain();
    assert_eq!(outcome.dropped(), Some(DropReason::WrongGroup));
    assert_eq!(outcome.sent, []);
    let outcome = solo.say(2, 9, append((0, 0), 0, 1, &[]));
    assert_eq!(outcome.dropped(), Some(DropReason::OwnName));
    solo.raft
        .handle_timeout(before.poll_timeout().map_or(now, |_| now))
        .unwrap();
    assert_eq!((solo.term(), solo.raft.leader()), (1, None));
}

#[test]
fn answer_of_a_stranger_does_not_count() {
    let mut solo = Past::new(1).start();
    let attempt = solo.stand();
    let granted = true;
    let outcome = solo.say(9, 0, Said::PreVoteReply { attempt, granted });
    assert_eq!(outcome.dropped(), Some(DropReason::Stranger));
    assert_eq!(solo.raft.role(), Role::PreCandidate);
    solo.say(2, 0, Said::PreVoteReply { attempt, granted });
    let outcome = solo.say(9, 1, Said::VoteReply(true));
    assert_eq!(outcome.dropped(), Some(DropReason::Stranger));
    assert_eq!(solo.raft.role(), Role::Candidate);
}

/// Only the life that the configuration names has a vote: another one of the same node has not
/// promised what that one did.
#[test]
fn vote_of_another_life_does_not_count() {
    let mut solo = Past::new(1).start();
    let attempt = solo.stand();
    let granted = true;
    solo.say(2, 0, Said::PreVoteReply { attempt, granted });
    assert_eq!(solo.raft.role(), Role::Candidate);
    let now = solo.now;
    Said::VoteReply(true).with(2, 1, 9, |mut message| {
        message.incarnation = Incarnation::new(99);
        solo.take(now, 2, message);
    });
    assert_eq!(solo.drain().dropped(), Some(DropReason::Stranger));
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.say(2, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Leader);
}

/// A commit below the joint configuration is none of it: left then, the new majority alone would
/// count while members of the old one do not know of the change.
#[test]
fn joint_configuration_is_not_left_before_it_is_committed() {
    let add = Change::AddVoter(identity(4));
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"before").unwrap();
    solo.raft.reconfigure(&[add]).unwrap();
    solo.drain();
    for peer in [2, 3] {
        solo.say(peer, 1, ack(2, 1));
    }
    assert_eq!(solo.raft.commit(), LogIndex::new(2), "the command alone");
    assert!(solo.raft.is_joint() && solo.last().0 == 3);
    for peer in [2, 3] {
        solo.say(peer, 1, ack(3, 1));
    }
    assert!(!solo.raft.is_joint() && solo.last().0 == 4);
}

//! A voter becomes a learner: through a joint configuration, and the leader too.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::ReconfigureError;
use raft_core::{Change, Role, Standing};
use support::World;
use support::past::{Item, Past, identity, seats, voters};
use support::solo::{Said, Solo, ack, append};

fn demote(id: u64) -> Change {
    Change::Demote(NodeId::new(id))
}

fn members(solo: &Solo) -> Vec<(u64, Standing)> {
    let seats = solo.raft.members();
    seats
        .map(|seat| (seat.identity.node.value(), seat.standing))
        .collect()
}

#[test]
fn demoted_voter_counts_in_the_old_majority_until_the_change_ends() {
    let mut solo = Past::new(1).establish();
    solo.raft.reconfigure(&[demote(3), demote(2)]).unwrap();
    solo.drain();
    let between = [
        (1, Standing::Voter),
        (2, Standing::Demoted),
        (3, Standing::Demoted),
    ];
    assert_eq!(members(&solo), between);
    assert_eq!(solo.commit(), 1, "the old majority has not agreed");
    solo.say(2, 1, ack(2, 1));
    // Then the leader is the only voter.
    let after = [
        (1, Standing::Voter),
        (2, Standing::Learner),
        (3, Standing::Learner),
    ];
    assert_eq!(members(&solo), after);
    assert_eq!(solo.commit(), 3);
    assert_eq!(
        solo.raft.reconfigure(&[demote(2)]),
        Err(ReconfigureError::AlreadyLearner(NodeId::new(2)))
    );
    assert_eq!(
        solo.raft.reconfigure(&[demote(1)]),
        Err(ReconfigureError::NoVoters)
    );
}

/// A change may take the vote of one and give it to another.
#[test]
fn vote_moves_from_one_member_to_another() {
    let group = seats(&[
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Learner),
    ]);
    let mut solo = Past::new(1).members(group).establish();
    let promote = Change::Promote(NodeId::new(3));
    solo.raft.reconfigure(&[demote(2), promote]).unwrap();
    solo.drain();
    let between = [
        (1, Standing::Voter),
        (2, Standing::Demoted),
        (3, Standing::Incoming),
    ];
    assert_eq!(members(&solo), between);
    solo.say(3, 1, ack(2, 1));
    assert_eq!(solo.commit(), 1, "the old majority needs node 2");
    solo.say(2, 1, ack(2, 1));
    solo.say(3, 1, ack(3, 1));
    assert_eq!(solo.commit(), 3, "the new majority does not");
    assert!(!solo.raft.is_joint());
}

/// A demoted node receives the log, and stands for nothing.
#[test]
fn demoted_node_follows_and_does_not_stand() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.raft(1).reconfigure(&[demote(3)]).unwrap();
    world.settle();
    assert!(!world.raft(3).is_voter());
    world.propose(b"for all");
    world.run(Duration::from_millis(100));
    assert_eq!(world.host(3).applied.len(), 1);
    world.isolate(3);
    world.run(Duration::from_millis(2000));
    assert_eq!(world.role(3), Role::Follower);
    // Its copy does not make a majority.
    world.heal();
    world.settle();
    world.isolate(2);
    let before = world.raft(1).commit();
    let _ = world.raft(1).propose(b"two of three, one vote");
    world.run(Duration::from_millis(60));
    assert_eq!(world.raft(1).commit(), before);
}

/// D-61: a leader that demoted itself stayed in office.
#[test]
fn leader_that_demoted_itself_stayed() {
    let mut solo = Past::new(1).voters(&[1, 2]).establish();
    solo.raft.reconfigure(&[demote(1)]).unwrap();
    solo.drain();
    solo.say(2, 1, ack(2, 1));
    solo.tick(20);
    solo.drain();
    solo.say(2, 1, ack(3, 1));
    assert_eq!((solo.commit(), solo.raft.role()), (3, Role::Leader));
    // It has the entry, and was told of the commit in the third round.
    solo.say(2, 1, ack(3, 2));
    assert_eq!(solo.raft.role(), Role::Leader);
    solo.say(2, 1, ack(3, 3));
    assert_eq!(solo.raft.role(), Role::Follower);
    for _ in 0..5 {
        solo.tick(200);
        assert!(solo.drain().is_silent());
    }
    // It follows the next one, and is a member like any other learner.
    let entry = append((3, 1), 3, 1, &[(2, Item::NoOp)]);
    let outcome = solo.say(2, 2, entry);
    assert_eq!(outcome.to(2).last(), Some(&ack(4, 1)));
}

/// D-61: the others elect one of those that vote, and the demoted one follows it.
#[test]
fn group_goes_on_without_the_vote_of_its_leader() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.raft(1).reconfigure(&[demote(1)]).unwrap();
    world.run(Duration::from_millis(1000));
    let leader = world.leader().expect("one of the two that vote");
    assert_ne!(leader, 1);
    world.propose(b"under another");
    world.run(Duration::from_millis(100));
    assert_eq!(world.host(1).applied.len(), 1);
    assert_eq!(world.raft(1).leader(), Some(NodeId::new(leader)));
}

/// D-53: the newest log is on a node that its own uncommitted entry demotes; it must stand.
#[test]
fn newest_log_on_a_demoted_node() {
    let leaving = seats(&[(1, Standing::Demoted), (2, Standing::Voter)]);
    let settled = seats(&[(1, Standing::Learner), (2, Standing::Voter)]);
    let log = [(1, Item::Seats(leaving)), (1, Item::Seats(settled))];
    let mut solo = Past::new(1).voters(&[1, 2]).items(&log).commit(1).start();
    solo.run_for_office();
    solo.say(2, 2, Said::VoteReply(true));
    assert!(solo.raft.is_leader());
    // Committed, it does not.
    let mut solo = Past::new(1).voters(&[1, 2]).items(&log).commit(2).start();
    solo.pass(1000);
    solo.raft.campaign(solo.now).unwrap();
    assert!(solo.drain().is_silent());
}

/// Who was demoted by an entry that is overwritten has its vote again.
#[test]
fn demotion_is_taken_back_with_its_entry() {
    let group = seats(&[
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Demoted),
    ]);
    let mut solo = Past::new(3).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[(1, Item::Seats(group))]));
    assert!(solo.raft.is_joint());
    solo.say(2, 2, append((1, 1), 1, 1, &[(2, Item::NoOp)]));
    assert_eq!(solo.raft.members().collect::<Vec<_>>(), voters(&[1, 2, 3]));
    assert_eq!(solo.raft.identity(), identity(3));
    solo.pass(1000);
    solo.stand();
}

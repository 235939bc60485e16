//! Membership: bugs that other implementations had, as the smallest history that shows each. The
//! letter and number are those of the catalogue of known bugs.
//!
//! | not here | why it cannot occur, or where it is |
//! |---|---|
//! | D-48, D-62 | not in the catalogue |
//! | D-50 | a configuration is in force when it is appended, never when it is applied; what remains of it is `change_before_the_last_one_was_committed` |
//! | D-51 | likewise; the history itself is `group_after_the_leader_died_with_the_joint_commit` |
//! | D-56 (transfer) | no leadership transfer yet |
//! | D-63 | there is no static member file: a node votes only where the stored configuration names its life |

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::ReconfigureError;
use raft_core::{Change, DropReason, LogIndex, Role, Standing};
use support::World;
use support::past::{Item, Past, command, commands, encode_seats, identity, seats, voters};
use support::solo::{Said, Solo, ack, append, chunk};

const ADD_4: Change = Change::AddVoter(identity_of_4());

const fn identity_of_4() -> raft_core::Identity {
    raft_core::Identity::new(NodeId::new(4), raft_core::Incarnation::new(4))
}

fn remove(id: u64) -> Change {
    Change::Remove(NodeId::new(id))
}

/// The voters {1, 2, 3} on the way to {1, 2, 4}.
fn joint() -> Vec<raft_core::Seat> {
    seats(&[
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Outgoing),
        (4, Standing::Incoming),
    ])
}

fn members(solo: &Solo) -> Vec<u64> {
    let ids = solo.raft.members().map(|seat| seat.identity.node.value());
    ids.collect()
}

/// D-49: a leader changed the membership before it had committed anything of its own term, and
/// two changes by different leaders each found a quorum.
#[test]
fn change_before_the_own_first_commit() {
    let mut solo = Past::new(1).log(&[1]).lead();
    let before = solo.raft.clone();
    assert_eq!(
        solo.raft.reconfigure(&[ADD_4]),
        Err(ReconfigureError::NotEstablished)
    );
    assert_eq!(solo.raft, before);
    solo.say(2, 2, ack(2, 1));
    assert!(solo.raft.reconfigure(&[ADD_4]).is_ok());
}

/// D-49, played out: the change of the old leader finds no quorum any more.
#[test]
fn two_leaders_changed_the_membership() {
    let past = |id| Past::new(id).voters(&[1, 2, 3, 4]);
    let mut world = World::of(&[past(1), past(2), past(3), past(4), past(5).members(vec![])]);
    world.elect(1);
    let four = [2, 3, 4];
    world.cut.extend(four.map(|id| (1, id)));
    world.cut.extend(four.map(|id| (id, 1)));
    let add = [Change::AddVoter(identity(5))];
    world.raft(1).reconfigure(&add).unwrap();
    world.run(Duration::from_millis(600));
    let leader = world.leader().expect("another leads");
    world.raft(leader).reconfigure(&[remove(1)]).unwrap();
    world.run(Duration::from_millis(100));
    assert!(!world.raft(leader).is_joint());
    world
        .cut
        .retain(|pair| [(2, 1), (3, 1), (4, 1)].contains(pair));
    world.run(Duration::from_millis(1000));
    assert!(!world.raft(1).is_leader(), "its side is no quorum");
    assert_eq!(world.raft(leader).members().count(), 3);
}

/// D-50: a second change was begun before the first was committed.
#[test]
fn change_before_the_last_one_was_committed() {
    let mut solo = Past::new(1).establish();
    solo.raft.reconfigure(&[ADD_4]).unwrap();
    solo.drain();
    assert!(solo.raft.is_joint());
    assert_eq!(
        solo.raft.reconfigure(&[remove(3)]),
        Err(ReconfigureError::Pending)
    );
    for peer in [2, 3, 4] {
        solo.say(peer, 1, ack(2, 1));
    }
    assert!(!solo.raft.is_joint(), "the leader goes on by itself");
    assert_eq!(
        solo.raft.reconfigure(&[remove(3)]),
        Err(ReconfigureError::Pending),
        "until that is committed too"
    );
    for peer in [2, 3, 4] {
        solo.say(peer, 1, ack(3, 1));
    }
    assert!(solo.raft.reconfigure(&[remove(3)]).is_ok());
}

/// D-51: the leader died when it had committed the joint configuration; those that know of the
/// new voter have the shorter logs, or do not know that they may vote. Somebody must win.
#[test]
fn group_after_the_leader_died_with_the_joint_commit() {
    let change = (1, Item::Seats(joint()));
    let log = [commands(1, &[1]), vec![change]].concat();
    let longer = [log.clone(), commands(3, &[1])].concat();
    let mut world = World::of(&[
        Past::new(1).items(&longer).commit(2),
        Past::new(2).items(&log),
        Past::new(3).log(&[1]),
        Past::new(4).members(vec![]).items(&longer),
    ]);
    world.crash(1);
    world.run(Duration::from_millis(2000));
    let leader = world.leader().expect("two of each set are up");
    assert!(!world.raft(leader).is_joint(), "and the change is ended");
}

/// D-52: the leader of two removed itself, left at once, and the other never learned of it.
#[test]
fn leader_left_before_the_survivor_knew() {
    let past = |id| Past::new(id).voters(&[1, 2]);
    let mut world = World::of(&[past(1), past(2)]);
    world.elect(1);
    world.raft(1).reconfigure(&[remove(1)]).unwrap();
    world.run(Duration::from_millis(1000));
    assert_eq!(world.leader(), Some(2));
    assert!(!world.raft(1).is_leader());
    world.propose(b"alone");
    world.settle();
    assert_eq!(world.host(2).applied.len(), 1);
}

/// D-52: the leader leaves only when the survivor has the entry and knows the commit.
#[test]
fn leader_leaves_when_the_survivors_know() {
    let mut solo = Past::new(1).voters(&[1, 2]).establish();
    solo.raft.reconfigure(&[remove(1)]).unwrap();
    solo.drain();
    solo.say(2, 1, ack(2, 1));
    solo.tick(20);
    solo.drain();
    solo.say(2, 1, ack(3, 1));
    assert_eq!((solo.commit(), solo.raft.role()), (3, Role::Leader));
    // It has the entry, and was told of the commit in the third round.
    solo.say(2, 1, ack(3, 2));
    assert_eq!(solo.raft.role(), Role::Leader);
    let outcome = solo.say(2, 1, ack(3, 3));
    assert_eq!(solo.raft.role(), Role::Follower);
    assert_eq!(outcome.sent, []);
    for _ in 0..5 {
        solo.tick(200);
        assert!(solo.drain().is_silent(), "D-61: and is silent then");
    }
}

/// D-53: the newest log is on a node that its own uncommitted entry removes; it must stand.
#[test]
fn newest_log_on_a_removed_node() {
    // The final {2} after a joint {1, 2} to {2}: node 1 has it, node 2 does not.
    let leaving = seats(&[(1, Standing::Outgoing), (2, Standing::Voter)]);
    let log = vec![(1, Item::Seats(leaving)), (1, Item::Seats(voters(&[2])))];
    let mut world = World::of(&[
        Past::new(1).voters(&[1, 2]).items(&log).commit(1),
        Past::new(2).voters(&[1, 2]).items(&log[..1]),
    ]);
    world.run(Duration::from_millis(2000));
    assert_eq!(world.leader(), Some(2));
    assert_eq!(world.raft(2).members().count(), 1);
}

/// D-53: the same across a restart and a truncation: the configuration before the latest counts.
#[test]
fn removed_node_stands_while_its_removal_is_uncommitted() {
    let log = [
        (1, Item::Seats(joint())),
        (1, Item::Seats(voters(&[1, 2, 4]))),
    ];
    let mut solo = Past::new(3).items(&log).commit(1).start();
    assert!(!solo.raft.is_voter());
    solo.stand();
    let mut solo = Past::new(3).items(&log).commit(2).start();
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(
        solo.raft.role(),
        Role::Follower,
        "once committed it does not"
    );
    solo.tick(5000);
    assert!(solo.drain().is_silent());
    let mut solo = Past::new(3).items(&log).commit(1).start();
    solo.say(2, 2, append((1, 1), 1, 1, &[(2, Item::NoOp)]));
    assert!(solo.raft.is_voter() && solo.raft.is_joint());
}

/// D-54: a learner, or a node that does not know it is a voter, refused its vote.
#[test]
fn learner_refused_its_vote() {
    let learner = seats(&[(1, Standing::Voter), (2, Standing::Learner)]);
    for members in [learner, vec![], voters(&[1, 3])] {
        let mut solo = Past::new(2).members(members).term(1).start();
        let outcome = solo.say(1, 2, Said::Vote { last: (0, 0) });
        assert_eq!(outcome.sent, [(1, 2, Said::VoteReply(true))]);
        let (last, attempt, granted) = ((0, 0), 7, true);
        let outcome = solo.say(9, 2, Said::PreVote { last, attempt });
        let reply = Said::PreVoteReply { attempt, granted };
        assert_eq!(outcome.sent, [(9, 2, reply)]);
    }
}

/// D-54: and a learner does not stand itself, nor does its answer count.
#[test]
fn learner_counted_as_a_voter() {
    let members = seats(&[
        (1, Standing::Voter),
        (2, Standing::Learner),
        (3, Standing::Voter),
    ]);
    let mut solo = Past::new(2).members(members.clone()).start();
    solo.raft.campaign(solo.now).unwrap();
    assert!(solo.drain().is_silent());
    solo.tick(5000);
    assert!(solo.drain().is_silent());
    let mut solo = Past::new(1).members(members).start();
    let attempt = solo.stand();
    let granted = true;
    solo.say(2, 0, Said::PreVoteReply { attempt, granted });
    assert_eq!(solo.raft.role(), Role::PreCandidate);
    solo.say(3, 0, Said::PreVoteReply { attempt, granted });
    solo.say(2, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.say(3, 1, Said::VoteReply(true));
    assert!(solo.raft.is_leader());
    solo.say(2, 1, ack(1, 1));
    assert_eq!(solo.commit(), 0);
    solo.say(3, 1, ack(1, 1));
    assert_eq!(solo.commit(), 1);
}

/// {1, 2, 3} on the way to {3, 4, 5}.
fn disjoint() -> Past {
    let members = seats(&[
        (1, Standing::Outgoing),
        (2, Standing::Outgoing),
        (3, Standing::Voter),
        (4, Standing::Incoming),
        (5, Standing::Incoming),
    ]);
    Past::new(3).members(members)
}

/// D-55: votes were counted in the union of both sets.
#[test]
fn votes_counted_in_the_union() {
    for (granting, wins) in [(vec![1, 2], false), (vec![4, 5], false), (vec![1, 4], true)] {
        let mut solo = disjoint().start();
        let attempt = solo.stand();
        let granted = true;
        for peer in &granting {
            solo.say(*peer, 0, Said::PreVoteReply { attempt, granted });
        }
        let is_candidate = solo.raft.role() == Role::Candidate;
        assert_eq!(is_candidate, wins, "{granting:?}");
        if is_candidate {
            for peer in granting {
                assert!(!solo.raft.is_leader());
                solo.say(peer, 1, Said::VoteReply(true));
            }
            assert!(solo.raft.is_leader());
        }
    }
}

/// D-55: copies were counted in the union of both sets.
#[test]
fn copies_counted_in_the_union() {
    for (having, commits) in [(vec![1, 2], false), (vec![4, 5], false), (vec![2, 5], true)] {
        let mut solo = disjoint().lead();
        for peer in &having {
            solo.say(*peer, 1, ack(1, 1));
        }
        assert_eq!(solo.commit() >= 1, commits, "{having:?}");
    }
}

/// D-55: a check-quorum that asked the union kept a leader that had lost one of the two.
#[test]
fn contact_counted_in_the_union() {
    let mut solo = disjoint().lead();
    for round in 1..40 {
        for peer in [1, 2] {
            solo.say(peer, 1, ack(1, round));
        }
        solo.tick(20);
        solo.drain();
        if !solo.raft.is_leader() {
            return;
        }
    }
    panic!("it heard nobody of the new set");
}

/// D-55: a node alone in the new set took the shortcut of a group of one.
#[test]
fn shortcut_of_one_asked_the_first_set_only() {
    let members = seats(&[
        (1, Standing::Voter),
        (2, Standing::Outgoing),
        (3, Standing::Outgoing),
    ]);
    let mut solo = Past::new(1).members(members).start();
    solo.raft.campaign(solo.now).unwrap();
    solo.drain();
    assert_eq!(solo.raft.role(), Role::PreCandidate);
}

/// D-56: a leader proposed to leave the joint configuration again and again.
#[test]
fn joint_configuration_left_many_times() {
    let mut solo = Past::new(1).establish();
    solo.raft.reconfigure(&[ADD_4]).unwrap();
    solo.drain();
    for _ in 0..3 {
        for peer in [2, 3, 4] {
            solo.say(peer, 1, ack(2, 1));
        }
    }
    assert_eq!(solo.last().0, 3, "once");
    // A new leader that finds it committed leaves it too, once.
    let log = [(1, Item::Seats(joint()))];
    let mut solo = Past::new(1).items(&log).commit(1).lead();
    assert_eq!(solo.terms(), [1, 2]);
    for peer in [2, 3, 4] {
        solo.say(peer, 2, ack(2, 1));
    }
    assert_eq!(solo.terms(), [1, 2, 2]);
    assert_eq!(members(&solo), [1, 2, 4]);
}

/// D-57: after a restart only one half of a joint configuration counted.
#[test]
fn joint_configuration_lost_in_a_restart() {
    let mut solo = Past::new(1).establish();
    solo.raft.reconfigure(&[ADD_4, remove(3)]).unwrap();
    solo.drain();
    solo.crash();
    assert!(solo.raft.is_joint());
    assert_eq!(members(&solo), [1, 2, 3, 4]);
    // And out of a snapshot.
    let solo = Past::new(1).members(joint()).base(5, 1, b"x").start();
    assert!(solo.raft.is_joint());
    assert_eq!(members(&solo), [1, 2, 3, 4]);
}

/// D-58: an uncommitted configuration outlived the snapshot that replaced its entry.
#[test]
fn configuration_outlived_the_snapshot() {
    let log = [commands(1, &[1]), vec![(1, Item::Seats(joint()))]].concat();
    let mut solo = Past::new(3).items(&log).start();
    assert!(solo.raft.is_joint());
    let outcome = solo.say(2, 3, chunk((9, 2), b"nine", 1));
    assert_eq!(outcome.snapshots, [9]);
    assert!(!solo.raft.is_joint());
    assert_eq!(members(&solo), [1, 2, 3]);
    assert_eq!(solo.raft.configuration_index(), LogIndex::new(9));
}

/// D-58: a snapshot took along a configuration later than itself, which could not be taken back.
#[test]
fn snapshot_took_a_later_configuration() {
    let log = [commands(1, &[1, 1]), vec![(1, Item::Seats(joint()))]].concat();
    let mut solo = Past::new(3).items(&log).commit(2).start();
    solo.raft.compact(LogIndex::new(2), 0, 0).unwrap();
    solo.drain();
    assert!(solo.raft.is_joint(), "it is in force");
    let outcome = solo.say(2, 2, append((2, 1), 2, 1, &[(2, command(3, 2))]));
    assert_eq!(outcome.to(2).last(), Some(&ack(3, 1)));
    assert_eq!(members(&solo), [1, 2, 3], "and taken back");
    solo.crash();
    assert_eq!(members(&solo), [1, 2, 3]);
}

/// D-59: the configuration before a truncated one was gone from the log.
#[test]
fn configuration_before_a_truncated_one() {
    let first = (1, Item::Seats(voters(&[1, 2, 3, 5])));
    let second = (1, Item::Seats(joint()));
    let log = [vec![first], commands(2, &[1]), vec![second]].concat();
    let mut solo = Past::new(3).items(&log).commit(2).start();
    solo.raft.compact(LogIndex::new(2), 0, 0).unwrap();
    solo.say(2, 2, append((2, 1), 2, 1, &[(2, Item::NoOp)]));
    assert_eq!(members(&solo), [1, 2, 3, 5]);
    assert!(!solo.raft.is_joint());
}

/// D-60: a member that lost its disk came back empty and voted as if nothing had happened.
#[test]
fn member_came_back_with_an_empty_disk() {
    let mut world = World::group(3);
    world.propose(b"x");
    world.settle();
    let (group, now) = (world.group_id(), world.now);
    let old = world.identity(3);
    // A new life of node 3, with nothing.
    let config = support::config(3);
    let raft = support::Machine::join(config, group, vec![0; support::WINDOW], 4711, now).unwrap();
    let host = world.host(3);
    host.raft = Some(raft);
    host.journal.clear();
    host.applied.clear();
    assert_ne!(world.identity(3), old);
    world.crash(2);
    world.propose(b"y");
    world.run(Duration::from_millis(90));
    assert_eq!(world.host(1).applied.len(), 1, "its copy does not count");
    world.run(Duration::from_millis(1000));
    assert!(!world.raft(1).is_leader(), "nor does its answer");
    assert!(!world.raft(3).is_voter());
    world.restart(2);
    world.run(Duration::from_millis(1000));
    let leader = world.leader().expect("two of the old lives");
    assert_ne!(leader, 3);
    // Until it is removed and added again.
    world.raft(leader).reconfigure(&[remove(3)]).unwrap();
    world.run(Duration::from_millis(300));
    let new = world.identity(3);
    world
        .raft(leader)
        .reconfigure(&[Change::AddVoter(new)])
        .unwrap();
    world.run(Duration::from_millis(300));
    assert!(world.raft(3).is_voter());
    let applied = world.host(leader).applied.clone();
    assert_eq!(world.host(3).applied, applied);
}

/// D-60: the acknowledgement of another life counted for the member.
#[test]
fn acknowledgement_of_another_life_counted() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    let now = solo.now;
    ack(2, 1).with(2, 1, 9, |mut message| {
        message.incarnation = raft_core::Incarnation::new(99);
        solo.take(now, 2, message);
    });
    let outcome = solo.drain();
    assert_eq!(outcome.dropped(), Some(DropReason::Stranger));
    assert_eq!(solo.commit(), 1);
}

/// A configuration that cannot be is not taken from anybody.
#[test]
fn configuration_without_voters_accepted() {
    let mut solo = Past::new(2).term(1).start();
    let learners = seats(&[(1, Standing::Learner)]);
    let outcome = solo.say(
        1,
        1,
        append((0, 0), 0, 1, &[(1, Item::Seats(learners.clone()))]),
    );
    assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.last(), (0, 0));
    let configuration = encode_seats(&learners, 100_000);
    let Said::Chunk {
        last,
        size,
        offset,
        round,
        data,
        ..
    } = chunk((9, 1), b"x", 1)
    else {
        unreachable!()
    };
    let said = Said::Chunk {
        last,
        size,
        offset,
        round,
        data,
        configuration,
    };
    assert_eq!(solo.say(1, 1, said).dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.raft.base().index, LogIndex::ZERO);
}

//! Lives of a node, and nodes that are out of the group: bugs that other implementations had, played out in a group. The
//! letter and number are those of the catalogue of known bugs; the smallest steps of the same rules are in
//! `histories_membership` and `rules_group`.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Change, Role};
use support::past::{Item, Past, voters};
use support::solo::{Said, append};
use support::{Machine, WINDOW, World, config};

/// Node `id` loses its medium and joins again under its name.
fn wipe(world: &mut World, id: u64) {
    let (group, now) = (world.raft(1).group(), world.now);
    let raft = Machine::join(config(id), group, vec![0; WINDOW], 4711 + id, now).unwrap();
    let host = world.host(id);
    host.raft = Some(raft);
    host.journal.clear();
    host.applied.clear();
    host.events.clear();
}

/// D-60: a member that had acknowledged an entry lost its disk, and its vote made a leader of a node without the entry.
#[test]
fn empty_disk_voted_for_a_log_without_what_it_had_acknowledged() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.isolate(2);
    world.propose(b"acknowledged");
    world.settle();
    assert_eq!(world.host(1).applied.len(), 1, "committed by nodes 1 and 3");
    wipe(&mut world, 3);
    world.isolate(1);
    world.cut.retain(|(from, to)| *from == 1 || *to == 1);
    world.run(Duration::from_millis(2000));
    assert!(!world.raft(2).is_leader(), "its only help has forgotten");
    assert_ne!(world.role(2), Role::Candidate);
    world.heal();
    world.run(Duration::from_millis(1000));
    assert_eq!(world.leader(), Some(1));
    assert_eq!(world.host(2).applied.len(), 1);
    assert!(!world.raft(3).is_voter());
}

/// D-60: two nodes were removed properly, wiped and started again under their names; a member that had slept meanwhile
/// made a majority of the old configuration with them, and the group had two leaders.
#[test]
fn removed_and_wiped_nodes_helped_a_member_with_the_old_configuration() {
    let all = [1, 2, 3, 4, 5];
    let mut world = World::of(&all.map(|id| Past::new(id).voters(&all)));
    world.elect(1);
    world.isolate(3);
    let remove = [4, 5].map(|id| Change::Remove(NodeId::new(id)));
    world.raft(1).reconfigure(&remove).unwrap();
    world.run(Duration::from_millis(100));
    assert!(world.raft(1).is_leader() && !world.raft(1).is_joint());
    assert_eq!(world.raft(1).members().count(), 3);
    wipe(&mut world, 4);
    wipe(&mut world, 5);
    // The sleeper and the new lives on one side, the two that know better on the other.
    world.heal();
    for id in [1, 2] {
        world.cut.extend([3, 4, 5].map(|other| (id, other)));
        world.cut.extend([3, 4, 5].map(|other| (other, id)));
    }
    let term = world.raft(3).term();
    world.run(Duration::from_millis(2000));
    assert_eq!(world.raft(3).members().count(), 5, "it knows no better");
    assert_eq!(world.raft(3).term(), term, "nor does it get a majority");
    assert!(!world.raft(3).is_leader());
    world.propose(b"one group");
    world.settle();
    assert_eq!(world.host(1).applied.len(), 1);
}

/// B-16: as long as its removal has not reached the others, the log of a removed server is as good as theirs, and
/// pre-vote alone does not hold it back.
#[test]
fn removed_server_with_a_log_as_good_was_helped() {
    let group = [1, 2, 3, 4];
    let refused = |attempt| {
        let granted = false;
        Said::PreVoteReply { attempt, granted }
    };
    let mut leader = Past::new(4).voters(&group).log(&[1]).establish();
    let mut solo = Past::new(2).voters(&group).log(&[1]).term(2).start();
    let first = append((1, 1), 1, 1, &[(2, Item::NoOp)]);
    solo.say(4, 2, first);
    leader
        .raft
        .reconfigure(&[Change::Remove(NodeId::new(1))])
        .unwrap();
    for attempt in 1..10 {
        let last = (2, 2);
        let asked = Said::PreVote { last, attempt };
        solo.pass(99);
        let outcome = solo.say(1, 2, asked.clone());
        assert_eq!(outcome.sent, [(1, 2, refused(attempt))]);
        solo.say(4, 2, append((2, 2), 1, 1 + u64::from(attempt), &[]));
        leader.hear(1, 2, &asked);
        assert_eq!(leader.drain().to(1).first(), Some(&refused(attempt)));
        assert!(leader.raft.is_leader());
    }
}

/// D-61: a leader that removed itself went on sending heartbeats, so that the others elected nobody.
#[test]
fn leader_that_removed_itself_stayed() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    let remove = [Change::Remove(NodeId::new(1))];
    world.raft(1).reconfigure(&remove).unwrap();
    world.run(Duration::from_millis(1000));
    assert_eq!(world.role(1), Role::Follower);
    let leader = world.leader().expect("one of the two that stay");
    assert_ne!(leader, 1);
    let term = world.raft(leader).term();
    world.propose(b"without it");
    world.run(Duration::from_millis(2000));
    assert_eq!(world.raft(leader).term(), term, "and is not disturbed");
    assert_eq!(world.host(leader).applied.len(), 1);
    assert_eq!(world.host(1).applied, [], "nobody sends it anything");
}

/// D-61: the same when it crashes between the last step of its change and its leaving.
#[test]
fn leader_that_removed_itself_came_back_and_led() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    let remove = [Change::Remove(NodeId::new(1))];
    world.raft(1).reconfigure(&remove).unwrap();
    world.settle();
    assert!(!world.raft(1).is_voter(), "the change is through here");
    world.crash(1);
    world.restart(1);
    world.run(Duration::from_millis(1500));
    let leader = world.leader().expect("one of the two that stay");
    assert_ne!(leader, 1);
    assert!(!world.raft(leader).is_joint());
    assert_eq!(world.raft(leader).members().count(), 2);
}

/// D-63: a removed node started again from a list of members that still named it, and voted and stood as before. Here
/// no such list exists. What it stored is the change on its way; it is not told the end of it, and finds no help among
/// those that know it.
#[test]
fn removed_node_started_again_as_a_voter() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    let remove = [Change::Remove(NodeId::new(3))];
    world.raft(1).reconfigure(&remove).unwrap();
    world.run(Duration::from_millis(100));
    let term = world.raft(1).term();
    world.crash(3);
    world.restart(3);
    world.run(Duration::from_millis(2000));
    assert_eq!((world.leader(), world.raft(1).term()), (Some(1), term));
    // Not even when one of two is away: neither it nor, with its help, the other one leads.
    world.crash(1);
    world.run(Duration::from_millis(2000));
    assert_eq!(world.leader(), None);
    let others = [2, 3].map(|id| world.raft(id).term());
    assert_eq!(others, [term; 2]);
}

/// D-63: one that has heard the end of the change knows by its own log that it is out, and is silent.
#[test]
fn removed_node_that_knows_started_again_as_a_voter() {
    let gone = [(1, Item::Seats(voters(&[1, 2])))];
    let mut solo = Past::new(3).items(&gone).commit(1).start();
    assert!(!solo.raft.is_voter());
    for _ in 0..20 {
        solo.raft.campaign(solo.now).unwrap();
        solo.tick(200);
        assert!(solo.drain().is_silent());
    }
    solo.crash();
    assert!(!solo.raft.is_voter());
}

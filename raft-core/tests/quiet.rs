//! Quiet mode: how an idle group falls silent, what wakes it, and what may go wrong meanwhile.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Change, Event, ReadOutcome};
use support::World;
use support::past::{Past, identity, voters};

/// Idle time after which these groups go quiet, in milliseconds.
const IDLE: u64 = 300;

fn member(id: u64, voters: &[u64]) -> Past {
    Past::new(id).voters(voters).log(&[1]).quiet(IDLE)
}

/// Three members, the first leading.
fn group() -> World {
    let pasts: Vec<_> = (1..=3).map(|id| member(id, &[1, 2, 3])).collect();
    led(&pasts)
}

fn led(pasts: &[Past]) -> World {
    let mut world = World::of(pasts);
    world.elect(1);
    world
}

fn run(world: &mut World, millis: u64) {
    world.run(Duration::from_millis(millis));
}

fn quiet(world: &mut World) -> Vec<u64> {
    let mut ids = world.ids();
    ids.retain(|id| world.raft(*id).status().is_quiet);
    ids
}

/// The group with nothing to do, until everyone is quiet.
fn asleep() -> World {
    let mut world = group();
    run(&mut world, 1000);
    assert_eq!(quiet(&mut world), [1, 2, 3]);
    world
}

fn wake(world: &mut World, id: u64) {
    let now = world.now;
    world.raft(id).wake(now).expect("alive");
    world.settle();
}

#[test]
fn idle_group_falls_silent_and_asks_to_be_called_never() {
    let mut world = asleep();
    let term = world.raft(1).term();
    for id in 1..=3 {
        assert_eq!(world.raft(id).poll_timeout(), None);
        let is_quiet = true;
        assert!(
            world
                .host(id)
                .events
                .contains(&Event::QuietChanged { is_quiet })
        );
    }
    for _ in 0..100 {
        world.now = world.now.saturating_add(Duration::from_millis(60_000));
        let now = world.now;
        for id in 1..=3 {
            world.raft(id).handle_timeout(now).expect("alive");
            assert_eq!(world.transmit(id), 0, "nobody says anything");
        }
    }
    assert_eq!(quiet(&mut world), [1, 2, 3]);
    assert_eq!((world.leader(), world.raft(1).term()), (Some(1), term));
}

#[test]
fn group_with_work_stays_awake() {
    let mut world = group();
    for _ in 0..20 {
        run(&mut world, IDLE - 50);
        world.propose(b"x");
        world.settle();
        assert_eq!(quiet(&mut world), []);
    }
}

#[test]
fn proposal_wakes_everyone_and_they_sleep_again() {
    let mut world = asleep();
    run(&mut world, 50_000);
    let id = world.propose(b"news");
    world.settle();
    assert_eq!(quiet(&mut world), []);
    run(&mut world, 100);
    for node in 1..=3 {
        assert_eq!(world.raft(node).delivered(), id.index);
    }
    assert_eq!(
        world.leader(),
        Some(1),
        "its time to hear from a quorum began anew"
    );
    run(&mut world, 1000);
    assert_eq!(quiet(&mut world), [1, 2, 3]);
}

#[test]
fn change_of_members_and_transfer_wake() {
    let mut world = asleep();
    world
        .raft(1)
        .reconfigure(&[Change::Remove(NodeId::new(3))])
        .expect("it leads");
    world.settle();
    run(&mut world, 50);
    assert!(!world.raft(1).is_quiet() && !world.raft(2).is_quiet());
    assert_eq!(world.raft(2).members().count(), 2);
    let mut world = asleep();
    run(&mut world, 50_000);
    let now = world.now;
    world
        .raft(1)
        .transfer(now, NodeId::new(2))
        .expect("it leads");
    world.settle();
    run(&mut world, 50);
    assert_eq!(world.leader(), Some(2));
}

#[test]
fn reads_wake_wherever_they_are_asked() {
    for reader in 1..=3 {
        let mut world = asleep();
        run(&mut world, 50_000);
        let now = world.now;
        let _ = world.raft(reader).read(now).expect("a leader is known");
        run(&mut world, 100);
        let ended = world.raft(reader).poll_read();
        assert!(
            matches!(ended, Some(ReadOutcome::Ready { .. })),
            "{ended:?}"
        );
        assert_eq!(quiet(&mut world), []);
    }
}

/// Whoever is woken asks the leader before it asks for its office.
#[test]
fn woken_group_keeps_the_leader_that_lives() {
    for id in 1..=3 {
        let mut world = asleep();
        let term = world.raft(1).term();
        run(&mut world, 50_000);
        wake(&mut world, id);
        assert!(!quiet(&mut world).contains(&1), "the leader is told");
        run(&mut world, 250);
        assert_eq!((world.leader(), world.raft(1).term()), (Some(1), term));
    }
}

#[test]
fn leader_that_died_while_all_were_quiet_is_replaced_after_a_wake() {
    let mut world = asleep();
    world.crash(1);
    run(&mut world, 5_000);
    assert_eq!(quiet(&mut world), [2, 3], "nobody watches");
    wake(&mut world, 3);
    assert_eq!(world.leader(), None);
    run(&mut world, 1_500);
    assert!(matches!(world.leader(), Some(2 | 3)));
}

/// The leader that everybody waited for was cut off and slept on.
#[test]
fn leader_that_was_replaced_in_its_sleep_serves_no_read() {
    let pasts: Vec<_> = (1..=3).map(|id| member(id, &[1, 2, 3]).lease(0)).collect();
    let mut world = led(&pasts);
    run(&mut world, 1000);
    assert_eq!(quiet(&mut world), [1, 2, 3]);
    world.isolate(1);
    wake(&mut world, 2);
    run(&mut world, 1_000);
    let now = world.now;
    assert!(world.raft(1).is_quiet() && world.raft(1).is_leader());
    let _ = world.raft(1).read(now).expect("it thinks that it leads");
    world.settle();
    assert_eq!(world.raft(1).poll_read(), None);
    run(&mut world, 500);
    let ended = world.raft(1).poll_read();
    assert!(
        matches!(ended, Some(ReadOutcome::Failed { .. })),
        "{ended:?}"
    );
    assert!(!world.raft(1).is_leader(), "no quorum answers");
    world.heal();
    run(&mut world, 500);
    let term = world.raft(2).term();
    assert_eq!(world.raft(1).term(), term);
    assert_eq!(world.raft(3).term(), term);
}

#[test]
fn follower_cut_off_while_quiet_is_level_after_the_next_news() {
    let mut world = asleep();
    world.isolate(3);
    world.propose(b"a");
    run(&mut world, 100);
    assert!(world.raft(3).is_quiet());
    world.heal();
    run(&mut world, 100);
    assert!(!world.raft(3).is_quiet());
    assert_eq!(world.raft(3).commit(), world.raft(1).commit());
}

/// One is down: the others are a quorum and do not wait for it. It comes back and asks.
#[test]
fn restarted_member_wakes_the_leader_and_is_brought_level() {
    let mut world = group();
    world.crash(3);
    let id = world.propose(b"missed");
    run(&mut world, 1500);
    assert_eq!(quiet(&mut world), [1, 2]);
    let term = world.raft(1).term();
    world.restart(3);
    run(&mut world, 90);
    assert_eq!(
        world.raft(3).commit(),
        id.index,
        "before it could have campaigned"
    );
    assert_eq!((world.leader(), world.raft(1).term()), (Some(1), term));
    run(&mut world, 1500);
    assert_eq!(quiet(&mut world), [1, 2, 3]);
}

/// A learner has no timer that could tell it.
#[test]
fn restarted_learner_is_brought_level() {
    let seats = |id| {
        let mut seats = voters(&[1, 2, 3]);
        seats.push(raft_core::Seat {
            identity: identity(4),
            standing: raft_core::Standing::Learner,
        });
        member(id, &[]).members(seats)
    };
    let mut world = led(&[seats(1), seats(2), seats(3), seats(4)]);
    run(&mut world, 1000);
    assert_eq!(quiet(&mut world), [1, 2, 3, 4]);
    world.crash(4);
    let id = world.propose(b"missed");
    run(&mut world, 1500);
    assert_eq!(quiet(&mut world), [1, 2, 3]);
    world.restart(4);
    run(&mut world, 50);
    assert_eq!(world.raft(4).commit(), id.index);
}

#[test]
fn member_that_may_not_be_quiet_keeps_its_group_awake() {
    let mut world = led(&[
        member(1, &[1, 2, 3]),
        member(2, &[1, 2, 3]),
        Past::new(3).log(&[1]),
    ]);
    let term = world.raft(1).term();
    for _ in 0..300 {
        run(&mut world, 10);
        assert!(!world.raft(1).is_quiet() && !world.raft(3).is_quiet());
    }
    assert_eq!((world.leader(), world.raft(1).term()), (Some(1), term));
    world.propose(b"x");
    run(&mut world, 50);
    assert_eq!(world.raft(3).commit(), world.raft(1).commit());
}

/// A leader that may not be quiet never asks.
#[test]
fn leader_that_may_not_be_quiet_does_not_ask() {
    let mut world = led(&[
        Past::new(1).log(&[1]),
        member(2, &[1, 2, 3]),
        member(3, &[1, 2, 3]),
    ]);
    run(&mut world, 3_000);
    assert_eq!(quiet(&mut world), []);
}

#[test]
fn group_without_a_quorum_does_not_fall_asleep() {
    let mut world = group();
    world.crash(2);
    world.crash(3);
    run(&mut world, 1_500);
    assert_eq!(quiet(&mut world), []);
    assert!(!world.raft(1).is_leader());
}

/// Nobody but the leader would tell a new member that it is one.
#[test]
fn joiner_that_was_never_heard_keeps_the_group_awake() {
    let mut world = group();
    world.join(4, member(4, &[]).config(), support::WINDOW);
    world.isolate(4);
    let joiner = world.identity(4);
    let change = Change::AddLearner(joiner);
    world.raft(1).reconfigure(&[change]).expect("it leads");
    run(&mut world, 3_000);
    assert_eq!(quiet(&mut world), []);
    world.heal();
    run(&mut world, 100);
    assert_eq!(world.raft(4).commit(), world.raft(1).commit());
    run(&mut world, 1_500);
    assert_eq!(quiet(&mut world), [1, 2, 3, 4]);
}

#[test]
fn compaction_wakes_nobody() {
    let mut world = asleep();
    world.propose(b"x");
    run(&mut world, 1_500);
    for id in 1..=3 {
        assert_eq!(quiet(&mut world), [1, 2, 3]);
        world.compact(id);
        world.settle();
        run(&mut world, 50_000);
        assert_eq!(quiet(&mut world), [1, 2, 3], "node {id}");
        assert_eq!(world.raft(id).poll_timeout(), None);
    }
}

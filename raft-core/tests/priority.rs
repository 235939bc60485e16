//! Priorities in elections: who campaigns first, and that it is never more than that.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::ConfigError;
use raft_core::{Config, PRIORITY_MAX};
use support::World;
use support::past::Past;

fn member(id: u64, priority: u8) -> Past {
    Past::new(id).log(&[1]).priority(priority)
}

fn group(priorities: [u8; 3]) -> World {
    let [a, b, c] = priorities;
    World::of(&[member(1, a), member(2, b), member(3, c)])
}

fn run(world: &mut World, millis: u64) {
    world.run(Duration::from_millis(millis));
}

/// The ranges of two priorities do not overlap, and even the last one ends.
#[test]
fn each_priority_has_a_range_of_its_own() {
    let now = Instant::from_micros(1_000_000);
    for priority in 0..=PRIORITY_MAX {
        let lag = 100 * u64::from(PRIORITY_MAX - priority);
        let range = 100 + lag..200 + lag;
        for seed in 0..50 {
            let raft = member(1, priority).restore(seed, now);
            let timeout = raft.poll_timeout().expect("it waits for a leader");
            let wait = timeout.saturating_since(now).as_millis();
            assert!(range.contains(&wait), "{wait} of {range:?}");
        }
    }
    assert_eq!(member(1, PRIORITY_MAX).config(), Past::new(1).config());
}

#[test]
fn highest_priority_leads_first_and_the_next_when_it_is_gone() {
    for preferred in 1..=3 {
        let mut priorities = [1, 1, 1];
        priorities[preferred as usize - 1] = 3;
        let mut world = group(priorities);
        run(&mut world, 300);
        assert_eq!(world.leader(), Some(preferred));
        world.crash(preferred);
        run(&mut world, 1200);
        let leader = world.leader().expect("the others go on");
        assert_ne!(leader, preferred);
        world.propose(b"x");
        run(&mut world, 50);
    }
}

/// Nobody gives way, and nobody disturbs: the office changes hands only if somebody wants so.
#[test]
fn leader_of_low_priority_stays_until_it_hands_over() {
    let mut world = group([0, 3, 0]);
    world.crash(2);
    run(&mut world, 1500);
    let leader = world.leader().expect("the lowest lead if no other can");
    let term = world.raft(leader).term();
    world.restart(2);
    run(&mut world, 1000);
    assert_eq!(
        (world.leader(), world.raft(leader).term()),
        (Some(leader), term)
    );
    let now = world.now;
    world
        .raft(leader)
        .transfer(now, NodeId::new(2))
        .expect("it leads");
    run(&mut world, 50);
    assert_eq!(world.leader(), Some(2));
}

/// A priority wins no votes.
#[test]
fn shorter_log_of_the_highest_priority_does_not_lead() {
    let behind = member(1, 3);
    let ahead = |id| Past::new(id).log(&[1, 2]).priority(0);
    let mut world = World::of(&[behind, ahead(2), ahead(3)]);
    run(&mut world, 1500);
    assert!(matches!(world.leader(), Some(2 | 3)));
    assert_eq!(world.raft(1).last(), world.raft(2).last());
}

/// A leader without a quorum gives way after the same time whatever its priority is.
#[test]
fn priority_does_not_prolong_an_office() {
    for priority in [0, 3] {
        let mut world = group([3, priority, priority]);
        world.elect(1);
        let others = [2, 3];
        for other in others {
            world.crash(other);
        }
        run(&mut world, 201);
        assert!(!world.raft(1).is_leader());
    }
    let mut world = group([0, 0, 0]);
    world.elect(1);
    world.crash(2);
    world.crash(3);
    run(&mut world, 201);
    assert!(!world.raft(1).is_leader());
}

#[test]
fn priority_above_the_highest_is_refused() {
    let build = |priority| Config::builder(NodeId::new(1)).priority(priority).build();
    assert!(build(PRIORITY_MAX).is_ok());
    assert_eq!(build(PRIORITY_MAX + 1), Err(ConfigError::PriorityTooHigh));
}

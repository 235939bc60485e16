//! The whole of it in small: a group forms, agrees, loses its leader, compacts, comes back.

mod support;

use clocks::Duration;
use support::World;

#[test]
fn three_nodes_agree() {
    let mut world = World::group(3);
    world.propose(b"hello");
    world.settle();
    for id in 1..=3 {
        let applied = &world.host(id).applied;
        assert_eq!(
            applied.last().map(|(_, payload)| payload.as_slice()),
            Some(&b"hello"[..])
        );
    }
}

#[test]
fn another_leader_takes_over_and_nothing_is_lost() {
    let mut world = World::group(3);
    world.propose(b"before");
    world.settle();
    world.crash(1);
    world.run(Duration::from_millis(600));
    let leader = world.leader().expect("somebody took over");
    assert_ne!(leader, 1);
    world.propose(b"after");
    world.settle();
    world.restart(1);
    world.run(Duration::from_millis(600));
    let expected = world.host(leader).applied.clone();
    assert_eq!(expected.len(), 2);
    for id in 1..=3 {
        assert_eq!(world.host(id).applied, expected, "node {id}");
    }
}

#[test]
fn a_lagging_member_is_brought_up_by_a_snapshot() {
    let mut world = World::group(3);
    world.isolate(3);
    for number in 0..50_u32 {
        world.propose(&[number as u8; 500]);
        world.settle();
        if number % 10 == 9 {
            world.compact(1);
            world.compact(2);
        }
    }
    world.heal();
    world.run(Duration::from_millis(600));
    let expected = world.host(1).applied.clone();
    assert_eq!(expected.len(), 50);
    assert_eq!(world.host(3).applied, expected);
    world.crash(3);
    world.restart(3);
    world.propose(b"one more");
    world.run(Duration::from_millis(600));
    assert_eq!(world.host(3).applied.len(), 51);
}

#[test]
fn everybody_restarts_and_nothing_is_lost() {
    let mut world = World::group(3);
    for number in 0..20_u8 {
        world.propose(&[number; 16]);
    }
    world.settle();
    for id in 1..=3 {
        world.crash(id);
    }
    for id in 1..=3 {
        world.restart(id);
    }
    world.run(Duration::from_millis(1000));
    for id in 1..=3 {
        assert_eq!(world.host(id).applied.len(), 20, "node {id}");
    }
}

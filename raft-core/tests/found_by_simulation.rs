//! Bugs that the simulator found, each reduced to the few steps that matter.

mod support;

use clocks::Duration;
use raft_core::error::CompactError;
use raft_core::{Change, Event, LogIndex};
use support::{WINDOW, World, config};

#[test]
fn entries_that_are_here_already_do_not_start_the_clock_on_the_disk() {
    let mut world = World::group(3);
    world.propose(b"once");
    world.transmit(1);
    let again: Vec<_> = world.wire.iter().cloned().collect();
    world.settle();
    for frame in again.iter().filter(|frame| frame.is_append()) {
        world.deliver(frame);
        world.settle();
    }
    world.run(Duration::from_millis(1500));
    for id in 1..=3 {
        let stalled = world.host(id).events.contains(&Event::DiskStalled);
        assert!(!stalled, "node {id} has nothing to write");
    }
}

#[test]
fn a_member_makes_no_snapshot_of_a_time_whose_configuration_it_does_not_know() {
    let mut world = World::founded();
    for number in 0..3 {
        world.propose(&[number; 8]);
    }
    world.settle();
    world.join(2, config(2), WINDOW);
    world.settle();
    let identity = world.identity(2);
    let added = world.raft(1).reconfigure(&[Change::AddLearner(identity)]);
    let let_in = added.expect("added").index;
    world.settle();
    assert!(world.raft(2).delivered() >= let_in);
    let before = world.raft(2).clone();
    let early = world.raft(2).compact(let_in.previous(), 0, 0);
    assert_eq!(early, Err(CompactError::ConfigurationUnknown));
    assert_eq!(*world.raft(2), before, "nothing changed");
    assert_eq!(world.raft(2).compact(let_in, 0, 0), Ok(()));
    // The founder knows all of them.
    assert_eq!(world.raft(1).compact(LogIndex::new(1), 0, 0), Ok(()));
}

//! Bugs that the simulator found, each reduced to the few steps that matter.

mod support;

use clocks::Duration;
use raft_core::Event;
use support::World;

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

//! Time: bugs that other implementations had with timeouts that are meant to differ. The letter and number are those of
//! the catalogue of known bugs; the draws themselves are judged in `clocks`.

mod support;

use clocks::{Duration, Instant};
use raft_core::error::ConfigError;
use support::World;
use support::past::Past;

/// Three nodes that start together, each told the time every `tick_millis` only: how many ticks until one leads.
fn ticks_until_a_leader(seeds: u64, tick_millis: u64) -> Option<u32> {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    for id in 1..=3 {
        // Neighbouring seeds, as counters and serial numbers give them.
        world.host(id).raft = Some(Past::new(id).restore(3 * seeds + id, Instant::ZERO));
    }
    world.now = Instant::ZERO;
    for tick in 1..=4_000 / tick_millis {
        world.now = Instant::from_micros(tick * tick_millis * 1_000);
        let now = world.now;
        for id in 1..=3 {
            world.raft(id).handle_timeout(now).unwrap();
        }
        world.settle();
        if world.leader().is_some() {
            return u32::try_from(tick).ok();
        }
    }
    None
}

/// F-83: the timeouts of all members fell on the same tick of a coarse clock, again and again, so that each voted for
/// itself. Timeouts lie between 100 and 200 ms here.
#[test]
fn timeouts_on_the_same_tick_split_the_vote_for_ever() {
    for tick_millis in [10, 20, 33] {
        let (mut slowest, mut sum) = (0, 0);
        for seeds in 0..200 {
            let ticks = ticks_until_a_leader(seeds, tick_millis);
            let ticks = ticks.unwrap_or_else(|| panic!("seeds {seeds}: nobody in four seconds"));
            slowest = slowest.max(ticks);
            sum += ticks;
        }
        println!("{tick_millis} ms: {} ticks, at most {slowest}", sum / 200);
    }
}

/// F-83: a range too narrow for the members to differ is refused.
#[test]
fn range_without_room_for_differences_accepted() {
    let between = |min, max| {
        raft_core::Config::builder(quorum::NodeId::new(1))
            .election_timeout(Duration::from_millis(min), Duration::from_millis(max))
            .heartbeat_interval(Duration::from_millis(20))
            .build()
    };
    for max in [100, 160, 179] {
        let refused = between(160, max).map(|_| ());
        assert_eq!(refused, Err(ConfigError::ElectionRangeTooNarrow));
    }
    assert!(between(160, 180).is_ok());
}

//! A world that has warmed up asks for no memory: not to run, not to begin another seed, not to
//! become a copy of another world.

#[path = "../../raft-core/tests/support/counting.rs"]
mod counting;

use counting::counted;
use simulator::world::stats::Count;
use simulator::world::{Progress, Share};
use simulator::{Options, World};

/// Runs seeds one after the other until there were so many events; every now and then `fork`
/// becomes a copy of the world and runs on beside it.
fn run(world: &mut World, fork: &mut World, first: u64, events: u64) {
    // The reference model is made of lists and sets that come and go: few seeds have one.
    let options = Options {
        reference: Share::None,
        ..Options::default()
    };
    let (mut seed, mut seen, mut steps) = (first, 0, 0_u64);
    while seen < events {
        world.reset(seed, options).expect("a sound world");
        loop {
            steps += 1;
            if steps.is_multiple_of(5000) {
                fork.copy_from(world);
                fork.run_to_end().expect("a sound world");
            }
            if world.step().expect("a sound world") == Progress::Ends {
                break;
            }
        }
        seen += world.stats().count(Count::Event);
        seed += 1;
    }
}

#[test]
fn a_warm_world_asks_for_no_memory() {
    let (mut world, mut fork) = (World::blank(), World::blank());
    run(&mut world, &mut fork, 1, 1_000_000);
    let before = counted();
    run(&mut world, &mut fork, 1_000_001, 100_000);
    assert_eq!(counted() - before, 0);
}

#[test]
fn a_world_of_three_is_small() {
    let (mut largest, mut sum, mut steps) = (0, 0, 0);
    let mut world = World::blank();
    for seed in 1..=400 {
        world
            .reset(seed, Options::default())
            .expect("a sound world");
        if world.swarm().hosts != 3 {
            continue;
        }
        while world.step().expect("a sound world") == Progress::Goes {
            largest = largest.max(world.bytes());
            (sum, steps) = (sum + world.bytes(), steps + 1);
        }
    }
    let mean = sum / steps;
    println!("a copy of a world of three hosts copies {mean} bytes, at most {largest}");
    assert!(mean < 80_000 && largest < 160_000, "{mean} {largest}");
}

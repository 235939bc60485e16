//! One seed, one history.

use simulator::determinism::compare;
use simulator::world::trace::Verbosity;
use simulator::{Options, World, run, run_in};

#[test]
fn a_seed_is_a_history() {
    for seed in 1..=40 {
        let once = run(seed, Options::default());
        let again = run(seed, Options::default());
        assert_eq!(once.violation, None, "seed {seed}");
        assert_eq!(once.hash, again.hash, "seed {seed}");
        assert_eq!(once.micros, again.micros, "seed {seed}");
    }
}

#[test]
fn looking_on_changes_nothing() {
    let options = Options {
        verbosity: Verbosity::Last(10),
        ..Options::default()
    };
    for seed in 1..=10 {
        let seen = run(seed, options);
        assert_eq!(run(seed, Options::default()).hash, seen.hash, "seed {seed}");
        assert!(!seen.lines.is_empty());
    }
}

#[test]
fn seeds_differ() {
    let hashes: Vec<_> = (1..=20)
        .map(|seed| run(seed, Options::default()).hash)
        .collect();
    for (place, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..place].contains(hash));
    }
}

#[test]
fn a_copy_and_a_world_that_is_used_again_go_the_same_way() {
    let (mut world, mut fork) = (World::blank(), World::blank());
    for seed in 1..=60 {
        let history = run_in(&mut world, seed, Options::default());
        assert_eq!(compare(&history, &mut world, &mut fork), Ok(()), "{seed}");
    }
}

#[test]
fn a_difference_is_noticed() {
    let mut history = run(7, Options::default());
    history.hash ^= 1;
    let found = compare(&history, &mut World::blank(), &mut World::blank());
    assert!(found.is_err());
}

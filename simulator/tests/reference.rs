//! The reference model alone on the bench: it notices every seeded fault that makes a machine take a
//! step that the papers do not know, and nothing in worlds that are sound.

use simulator::world::Share;
use simulator::{Bench, Options, Oracle, Sabotage, run};

const SEEDS: u64 = 150;

const ALONE: Options = Options {
    bench: Bench::only(Oracle::Reference),
    sabotage: Sabotage::None,
    verbosity: simulator::world::trace::Verbosity::Silent,
    reference: Share::Every,
};

/// What the reference says about the first seed in which it notices this fault.
fn found(sabotage: Sabotage) -> Option<(u64, String)> {
    let options = Options { sabotage, ..ALONE };
    (1..=SEEDS).find_map(|seed| Some((seed, run(seed, options).violation?.what.clone())))
}

#[test]
fn faults_of_disks_networks_and_machines_are_noticed() {
    for name in [
        "reports-early",
        "forgets-record",
        "forges-grants",
        "changes-commands",
        "raises-claims",
        "rewinds",
        "rots-memory",
        "loses-record",
        "raises-acks",
        "raises-commits",
        "hardens-pre-votes",
        "deposes-by-pre-votes",
        "changes-members",
        "echoes-pre-votes",
    ] {
        let sabotage = Sabotage::by_name(name).expect("there is such a fault");
        let Some((seed, what)) = found(sabotage) else {
            panic!("the reference does not notice {name}");
        };
        assert_eq!(run(seed, ALONE).violation, None, "seed {seed} is sound");
        println!("{name}: seed {seed}: {what}");
    }
}

/// Steps that the papers allow: what the application does with its commands, and what is lost.
#[test]
fn what_is_no_step_of_a_machine_is_left_to_other_oracles() {
    for sabotage in [
        Sabotage::SkipsCommands,
        Sabotage::RepeatsCommands,
        Sabotage::LosesVotes,
    ] {
        let options = Options { sabotage, ..ALONE };
        for seed in 1..=5 {
            assert_eq!(run(seed, options).violation, None, "seed {seed}");
        }
    }
}

#[test]
fn the_reference_changes_nothing() {
    for seed in 1..=20 {
        let with = run(seed, ALONE);
        let without = Options {
            reference: Share::None,
            ..ALONE
        };
        assert_eq!(with.violation, None, "seed {seed}");
        assert_eq!(with.hash, run(seed, without).hash, "seed {seed}");
    }
}

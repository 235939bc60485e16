//! Stories: what a seed decided is the same history again, and the texts in `scenarios/` end as
//! they say.

use simulator::Options;
use simulator::scenario::{Scenario, record};
use simulator::world::trace::Verbosity;
use simulator::{Bench, Sabotage};

#[test]
fn the_decisions_of_a_seed_are_its_history() {
    for seed in 1..=60 {
        let recorded = record(seed, Options::default()).unwrap();
        let played = recorded
            .scenario
            .play_with(Bench::ALL, Verbosity::Decisions)
            .unwrap();
        assert_eq!(played.violation, recorded.violation, "seed {seed}");
        let skipped = played.happened.iter().position(|did| !did);
        if let Some(place) = skipped {
            panic!("seed {seed}: {place} {:?}", recorded.scenario.steps[place]);
        }
        assert_eq!(played.world.trace().hash(), recorded.hash, "seed {seed}");
    }
}

#[test]
fn the_decisions_of_a_failing_seed_fail_in_the_same_way() {
    for (name, sabotage) in Sabotage::ALL {
        let options = Options {
            sabotage,
            ..Options::default()
        };
        let failing = (1..=40).filter_map(|seed| record(seed, options).ok());
        for recorded in failing
            .filter(|recorded| recorded.violation.is_some())
            .take(3)
        {
            let played = recorded.scenario.play_on(Bench::ALL).unwrap();
            let (was, is) = (recorded.violation.unwrap(), played.violation);
            println!("{name}: {} lines, {was}", recorded.scenario.events());
            assert_eq!(
                Some(was.oracle),
                is.map(|violation| violation.oracle),
                "{name}"
            );
        }
    }
}

#[test]
fn a_story_is_the_same_after_writing_and_reading() {
    for seed in 1..=20 {
        let scenario = record(seed, Options::default()).unwrap().scenario;
        let text = scenario.to_string();
        let again = Scenario::parse(&text).unwrap();
        for (one, other) in scenario.steps.iter().zip(&again.steps) {
            assert_eq!(one, other);
        }
        assert_eq!(again, scenario, "seed {seed}");
    }
}

//! Hostile input: a smoke run, and that the harness notices what is broken on purpose.

use simulator::hostile::traitor::{self, Traitor};
use simulator::hostile::{Manner, Rule, Sabotage, Stage, shrink};
use simulator::world::Progress;
use simulator::{Bench, Options, Oracle, Violation, World};

#[test]
fn episodes_break_no_rule() {
    let mut stage = Stage::new().unwrap();
    for seed in 1..4_000 {
        if let Err(failure) = stage.run(seed, &Manner::default()) {
            let shrunk = shrink(&mut stage, seed, &Manner::default(), failure);
            panic!(
                "seed {seed} --keep {:?}\n{}\n{}",
                shrunk.keep,
                shrunk.lines.join("\n"),
                shrunk.failure.broken
            );
        }
    }
    assert!(stage.tally.messages > 500_000 && stage.tally.restarts > 100);
    assert!(stage.tally.reads > 10_000, "{:?}", stage.tally);
}

#[test]
fn an_episode_is_its_seed() {
    let run = |seed| {
        let mut stage = Stage::new().unwrap();
        let told = Manner {
            is_told: true,
            ..Manner::default()
        };
        stage.run(seed, &told).unwrap();
        stage.lines
    };
    assert_eq!(run(17), run(17));
    assert_ne!(run(17), run(18));
}

/// A check that cannot fail proves nothing: each seeded fault is noticed, by the rule that it
/// breaks, and shrunk to a few inputs that break the same rule.
#[test]
fn seeded_faults_are_noticed_and_shrunk() {
    for (sabotage, rules) in [
        (Sabotage::Panics, &[Rule::NoPanic][..]),
        (Sabotage::ReportsEarly, &[Rule::Promises]),
        (Sabotage::LosesRecord, &[Rule::Remembers]),
        (Sabotage::GoesBack, &[Rule::Monotone, Rule::OneVote]),
        (Sabotage::LearnsOfOthers, &[Rule::Strangers]),
        (Sabotage::Rewrites, &[Rule::CommittedStays]),
        (Sabotage::OverlooksEntries, &[Rule::Covered]),
        (Sabotage::ForgetsEnds, &[Rule::Ends]),
        (Sabotage::LeavesReads, &[Rule::Ends]),
    ] {
        let mut stage = Stage::new().unwrap();
        let manner = Manner {
            sabotage,
            ..Manner::default()
        };
        let found = (1..20_000).find_map(|seed| Some((seed, stage.run(seed, &manner).err()?)));
        let (seed, failure) = found.unwrap_or_else(|| panic!("{sabotage:?} went unnoticed"));
        assert!(
            rules.contains(&failure.broken.rule),
            "{sabotage:?}: {}",
            failure.broken
        );
        let shrunk = shrink(&mut stage, seed, &manner, failure);
        assert!(rules.contains(&shrunk.failure.broken.rule));
        assert!(shrunk.keep.len() <= 40, "{sabotage:?}: {:?}", shrunk.keep);
        // The list of steps is the bug report: it fails again.
        let again = Manner {
            keep: Some(shrunk.keep.clone()),
            ..manner
        };
        assert_eq!(
            stage.run(seed, &again).unwrap_err().broken,
            shrunk.failure.broken
        );
    }
}

/// Plays worlds with a traitor until one of these oracles is violated.
fn betrayed(bench: Bench, seeds: u64) -> Option<Violation> {
    (1..seeds).find_map(|seed| {
        let options = Options {
            bench,
            ..Options::default()
        };
        let mut world = World::new(seed, options).unwrap();
        world.betray(Traitor::new(seed, world.swarm().hosts));
        loop {
            match world.step() {
                Ok(Progress::Goes) => {}
                Ok(Progress::Ends) => return None,
                Err(violation) => return Some(violation),
            }
        }
    })
}

#[test]
fn a_traitor_breaks_agreement_and_no_rule_of_a_single_node() {
    assert_eq!(betrayed(traitor::bench(), 150), None);
    // The lies do reach their hearers: these oracles rest on members that follow the protocol.
    for oracle in [Oracle::LogMatching, Oracle::StateMachineSafety] {
        let violation = betrayed(Bench::only(oracle), 400);
        assert!(violation.is_some(), "{oracle} held against a traitor");
    }
}

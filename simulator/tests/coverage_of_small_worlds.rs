//! What random worlds visit of a small world of which all states are known.

use simulator::search::explore::Limits;
use simulator::search::raft::{Coverage, Grain, Habit, Wanderer, profile};

fn elections(grain: Grain) -> Coverage {
    let profile = profile("elections", 1).expect("there is such a profile");
    let (coverage, report) =
        Coverage::of(profile, grain, &Limits::default()).expect("it is of the right kind");
    assert!(report.is_closed());
    coverage
}

/// Visited forms, after runs of so many steps together.
fn visited(coverage: &mut Coverage, habit: Habit, steps: u64) -> u64 {
    coverage.forget();
    let mut wanderer = Wanderer::new(habit).expect("a sound beginning");
    let (mut taken, mut seed) = (0, 0);
    while taken < steps {
        let run = coverage.visit(&mut wanderer, seed).expect("sound worlds");
        assert!(run > 0);
        (taken, seed) = (taken + run, seed + 1);
    }
    let missed = coverage.missed().iter().map(|kind| kind.2).sum::<u64>();
    assert_eq!(missed, coverage.forms() - coverage.visited());
    coverage.visited()
}

/// Without faults a world sees a part that does not grow; with them it sees more with each run.
fn compare(coverage: &mut Coverage) {
    let few = visited(coverage, Habit::Plain, 7_000);
    let more = visited(coverage, Habit::Plain, 70_000);
    let tame = visited(coverage, Habit::Tame, 70_000);
    assert!(few < more, "{few} and {more}");
    assert!(2 * tame < more, "{tame} without faults, {more} with them");
}

#[test]
fn worlds_in_which_nothing_goes_wrong_visit_fewer_shapes() {
    let mut coverage = elections(Grain::Shapes);
    assert!(coverage.forms() > 500);
    compare(&mut coverage);
}

#[test]
fn worlds_that_go_on_from_what_is_new_visit_more_situations() {
    let mut coverage = elections(Grain::Situations);
    assert!(coverage.forms() > 70_000);
    compare(&mut coverage);
    // At first there is little to go on from.
    let plain = visited(&mut coverage, Habit::Plain, 300_000);
    let forks = visited(&mut coverage, Habit::Forks, 300_000);
    assert!(plain < forks, "{plain} and {forks}");
}

#[test]
fn profiles_that_random_worlds_are_not_held_to_are_refused() {
    for name in ["joining-and-leaving", "snapshots", "calm", "unsynced"] {
        let profile = profile(name, 1).expect("there is such a profile");
        assert!(
            Coverage::of(profile, Grain::Shapes, &Limits::default()).is_none(),
            "{name}"
        );
    }
}

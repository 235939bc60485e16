//! What random worlds visit of a small world of which all states are known.

use simulator::search::explore::Limits;
use simulator::search::raft::{Coverage, Habit, Wanderer, profile};

/// Visited shapes in ten thousand, after so many runs.
fn covered(habit: Habit, runs: u64) -> u64 {
    let profile = profile("elections", 1).expect("there is such a profile");
    let (mut coverage, report) =
        Coverage::of(profile, &Limits::default()).expect("it is of the right kind");
    assert!(report.is_closed());
    assert!(coverage.shapes() > 500);
    let mut wanderer = Wanderer::new(habit).expect("a sound beginning");
    for seed in 0..runs {
        let steps = coverage.visit(&mut wanderer, seed).expect("sound worlds");
        assert!(steps > 0);
    }
    let missed = coverage.missed().iter().map(|kind| kind.2).sum::<u64>();
    assert_eq!(missed, coverage.shapes() - coverage.visited());
    coverage.per_myriad()
}

/// Without faults a world sees a part that does not grow; with them it sees more with each run.
#[test]
fn worlds_in_which_nothing_goes_wrong_visit_less() {
    let few = covered(Habit::Plain, 50);
    let more = covered(Habit::Plain, 500);
    let tame = covered(Habit::Tame, 500);
    assert!(few < more, "{few} and {more}");
    assert!(2 * tame < more, "{tame} without faults, {more} with them");
}

#[test]
fn profiles_that_random_worlds_are_not_held_to_are_refused() {
    for name in ["joining-and-leaving", "snapshots", "calm", "unsynced"] {
        let profile = profile(name, 1).expect("there is such a profile");
        assert!(
            Coverage::of(profile, &Limits::default()).is_none(),
            "{name}"
        );
    }
}

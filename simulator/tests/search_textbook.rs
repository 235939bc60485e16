//! The engine of the exhaustive search counts what others count.

use simulator::search::explore::{End, Limits, Report, explore};
use simulator::search::space::Space;
use simulator::search::textbook::abd::Abd;
use simulator::search::textbook::paxos::Paxos;
use simulator::search::textbook::register::Register;
use simulator::search::textbook::two_phase::{Symmetry, TwoPhase};

fn all_of(mut space: impl Space) -> Report {
    explore(&mut space, &Limits::default())
}

fn two_phase(managers: usize, symmetry: Symmetry) -> TwoPhase {
    TwoPhase {
        managers,
        symmetry,
        gives_up_late: false,
    }
}

#[test]
fn two_phase_commit_has_288_states_with_three_managers() {
    let report = all_of(two_phase(3, Symmetry::None));
    assert_eq!((report.states, report.end), (288, End::Closed));
}

#[test]
fn two_phase_commit_has_8832_states_with_five_managers() {
    let report = all_of(two_phase(5, Symmetry::None));
    assert_eq!((report.states, report.end), (8_832, End::Closed));
}

#[test]
fn two_phase_commit_has_665_states_with_five_managers_sorted_by_state() {
    let report = all_of(two_phase(5, Symmetry::SortedByState));
    assert_eq!((report.states, report.end), (665, End::Closed));
}

#[test]
fn paxos_has_16668_states() {
    let report = all_of(Register::<Paxos>::default());
    assert_eq!((report.states, report.end), (16_668, End::Closed));
}

#[test]
fn the_register_of_attiya_bar_noy_and_dolev_has_544_states() {
    let report = all_of(Register::<Abd>::default());
    assert_eq!((report.states, report.end), (544, End::Closed));
}

#[test]
fn a_manager_that_aborts_after_its_yes_is_caught_with_its_history() {
    let mut space = TwoPhase {
        gives_up_late: true,
        ..two_phase(3, Symmetry::Full)
    };
    let limits = Limits {
        keeps_parents: true,
        ..Limits::default()
    };
    let End::Caught(caught) = explore(&mut space, &limits).end else {
        panic!("not caught");
    };
    assert_eq!(caught.invariant, "agreement");
    assert_eq!(caught.history.len() as u32, caught.depth);
}

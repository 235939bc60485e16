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

/// Depth first, the last step first, going on from the state that was met and not from the one
/// that stands for it: how stateright counts.
fn depth_first(mut space: impl Space) -> usize {
    let mut pending = vec![space.initial()];
    let mut seen = std::collections::HashSet::from([space.fingerprint(&pending[0])]);
    let mut steps = Vec::new();
    while let Some(state) = pending.pop() {
        steps.clear();
        space.expand(&state, &mut steps);
        let new = steps.iter().filter(|step| seen.insert(step.print));
        pending.extend(new.map(|step| step.state));
    }
    seen.len()
}

/// Sorting by state alone leaves ties as they are, so what is met depends on the way: 665 is the
/// count of a depth-first search, and with ties broken the count is the same on every way.
#[test]
fn two_phase_commit_has_665_states_with_five_managers_sorted_by_state() {
    assert_eq!(depth_first(two_phase(5, Symmetry::SortedByState)), 665);
    let all = all_of(two_phase(5, Symmetry::Full));
    assert!(all.is_closed());
    assert_eq!(depth_first(two_phase(5, Symmetry::Full)) as u64, all.states);
    assert_eq!(all.states, 314);
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

/// Our space in the hands of another checker, which keeps whole states and no fingerprints of ours.
struct Crossed<S>(S);

/// A state, told apart by the words that the space gives for it.
#[derive(Clone, Debug)]
struct Known<T>(T, u64);

impl<T> PartialEq for Known<T> {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1
    }
}

impl<T> std::hash::Hash for Known<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.1.hash(state);
    }
}

impl<S> stateright::Model for Crossed<S>
where
    S: Space + Copy,
    S::State: std::fmt::Debug,
{
    type State = Known<S::State>;
    type Action = usize;

    fn init_states(&self) -> Vec<Self::State> {
        let mut space = self.0;
        let state = space.initial();
        vec![Known(state, space.fingerprint(&state))]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<usize>) {
        let (mut space, mut steps) = (self.0, Vec::new());
        space.expand(&state.0, &mut steps);
        actions.extend(0..steps.len());
    }

    fn next_state(&self, state: &Self::State, action: usize) -> Option<Self::State> {
        let (mut space, mut steps) = (self.0, Vec::new());
        space.expand(&state.0, &mut steps);
        Some(Known(steps[action].state, steps[action].print))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        let holds = |model: &Self, state: &Self::State| {
            let mut space = model.0;
            space.broken(&state.0).is_none()
        };
        vec![stateright::Property::always("the invariant", holds)]
    }
}

fn crossed<S>(space: S) -> usize
where
    S: Space + Copy + Send + Sync + 'static,
    S::State: std::fmt::Debug + Send + Sync,
{
    use stateright::{Checker, Model};
    let checker = Crossed(space).checker().spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

#[test]
fn stateright_counts_the_same() {
    assert_eq!(crossed(two_phase(3, Symmetry::None)), 288);
    assert_eq!(crossed(two_phase(5, Symmetry::None)), 8_832);
    assert_eq!(crossed(Register::<Paxos>::default()), 16_668);
    assert_eq!(crossed(Register::<Abd>::default()), 544);
}

//! Two-phase commit, `[Gray06 §2]`: a transaction manager commits once every resource manager is
//! prepared, and may abort before.

use super::fingerprint;
use crate::search::space::{Space, Step};

/// The most resource managers.
const MANAGERS_MAX: usize = 6;

/// What a resource manager is at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Manager {
    /// Undecided.
    #[default]
    Working,
    /// Has voted yes.
    Prepared,
    /// Has committed.
    Committed,
    /// Has aborted.
    Aborted,
}

/// A state: messages are never taken away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct State {
    managers: [Manager; MANAGERS_MAX],
    /// Who said that it is prepared, as bits.
    said: u8,
    /// Of whom the transaction manager knows it.
    known: u8,
    /// What the transaction manager has told everyone.
    decided: Option<bool>,
}

/// A step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// The transaction manager decides.
    Decide(bool),
    /// It learns that this one is prepared.
    Learn(usize),
    /// A resource manager gets ready, and says so.
    Prepare(usize),
    /// A resource manager aborts by itself.
    GiveUp(usize),
    /// A resource manager obeys.
    Obey(usize),
}

/// How states are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symmetry {
    /// Each on its own.
    None,
    /// Resource managers in order of their state alone: ties keep their order, so that some
    /// symmetric states count more than once. What stateright's example does.
    SortedByState,
    /// Resource managers in order of everything that concerns them.
    Full,
}

/// The protocol with some resource managers.
#[derive(Clone, Copy, Debug)]
pub struct TwoPhase {
    /// How many resource managers.
    pub managers: usize,
    /// How states are counted.
    pub symmetry: Symmetry,
    /// A seeded fault: one that voted yes may still abort by itself.
    pub gives_up_late: bool,
}

impl Space for TwoPhase {
    type State = State;
    type Action = Action;

    fn initial(&mut self) -> State {
        State::default()
    }

    fn expand(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) {
        let all = (1 << self.managers) - 1;
        let mut add = |action, change: &dyn Fn(&mut State)| {
            let mut after = *state;
            change(&mut after);
            steps.push(Step {
                action,
                state: after,
                print: self.fingerprint(&after),
                broken: None,
            });
        };
        if state.decided.is_none() {
            if state.known == all {
                add(Action::Decide(true), &|after| after.decided = Some(true));
            }
            add(Action::Decide(false), &|after| after.decided = Some(false));
        }
        for which in 0..self.managers {
            let bit = 1 << which;
            let manager = state.managers[which];
            if state.decided.is_none() && state.said & bit != 0 {
                add(Action::Learn(which), &|after| after.known |= bit);
            }
            if manager == Manager::Working {
                add(Action::Prepare(which), &|after| {
                    after.managers[which] = Manager::Prepared;
                    after.said |= bit;
                });
            }
            let is_late = self.gives_up_late && manager == Manager::Prepared;
            if manager == Manager::Working || is_late {
                add(Action::GiveUp(which), &|after| {
                    after.managers[which] = Manager::Aborted
                });
            }
            if let Some(is_commit) = state.decided {
                let end = [Manager::Aborted, Manager::Committed][usize::from(is_commit)];
                add(Action::Obey(which), &|after| after.managers[which] = end);
            }
        }
    }

    fn fingerprint(&self, state: &State) -> u64 {
        let mut order: Vec<usize> = (0..self.managers).collect();
        let bit = |bits: u8, which: usize| bits >> which & 1;
        let manager = |which: usize| state.managers[which];
        match self.symmetry {
            Symmetry::None => {}
            Symmetry::SortedByState => order.sort_by_key(|which| manager(*which)),
            Symmetry::Full => order.sort_by_key(|which| {
                (
                    manager(*which),
                    bit(state.said, *which),
                    bit(state.known, *which),
                )
            }),
        }
        let mut sorted = State {
            decided: state.decided,
            ..State::default()
        };
        for (to, from) in order.into_iter().enumerate() {
            sorted.managers[to] = manager(from);
            sorted.said |= bit(state.said, from) << to;
            sorted.known |= bit(state.known, from) << to;
        }
        fingerprint(&sorted)
    }

    /// No two decide differently (AC1).
    fn broken(&mut self, state: &State) -> Option<&'static str> {
        let has = |end| state.managers[..self.managers].contains(&end);
        (has(Manager::Committed) && has(Manager::Aborted)).then_some("agreement")
    }

    fn describe(&self, _: &State, action: Action) -> String {
        format!("{action:?}")
    }
}

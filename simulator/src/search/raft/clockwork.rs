//! Clocks that run step by step, some slow and some fast.
//!
//! A lease holds where nobody else can lead until it is over, `[Ongaro14 §6.4.1]`: that compares
//! clocks. So here time is one for all. At the beginning each clock is given a rate, a fifth too slow
//! or too fast, which is all that is declared. Then at any moment a unit of time passes for everybody;
//! frames and disks may take none of it, or any. Whoever has a deadline behind it may look at the
//! clock, or do so later: being late is allowed.
//!
//! Times are written into the form of a node as they are, less what has passed anyway, so the states
//! are finitely many. The settings are such that whatever is drawn for an election timeout ends
//! between the same two units, whichever the rate.

use clocks::{Duration, Instant};
use quorum::NodeId;

use super::group::{Action, NONE, RaftSpace, State};
use super::names::NODES_MAX;
use super::node::View;
use super::pace::Pace;
use super::profile::Time;
use super::sabotage::Sabotage;
use super::step::{Acting, Input};
use crate::model;
use crate::search::space::{Space, Step};

/// What a slow and a fast clock show of a unit of time.
const SLOW: Duration = Duration::from_millis(800);
const FAST: Duration = Duration::from_millis(1200);

/// Slower than declared.
const SLOWER: Duration = Duration::from_millis(600);

/// Settings of nodes with such clocks.
pub(super) const PACE: Pace = Pace {
    // Three units on a slow clock, two on a fast one.
    heartbeat: Duration::from_millis(2400),
    // Over after seven units on a slow clock and after five on a fast one.
    election_min: Duration::from_millis(4900),
    election_max: Duration::from_millis(5513),
    long: Duration::from_millis(5513),
    // Over after five units on a slow clock and after three on a fast one.
    drift: Some(200_000),
};

/// A node that means nobody.
const NOBODY: NodeId = NodeId::new(99);

impl RaftSpace {
    /// Gives each clock its rate: in all ways. Says whether that is what has to happen.
    pub(super) fn wind(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) -> bool {
        let past = self.pasts.get(state.past);
        if !self.nodes.profile.has_clocks() || past.fast.is_some() {
            return false;
        }
        for fast in 0..1_u8 << self.count {
            let mut past = self.pasts.get(state.past).clone();
            past.fast = Some(fast);
            let after = State {
                past: self.pasts.intern(past, self.term, &self.nodes.prefixes),
                ..*state
            };
            let input = Input::Wind(fast);
            steps.push(self.whole(Action { place: 0, input }, after));
        }
        true
    }

    /// A unit of time passes for everybody.
    pub(super) fn tick(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) {
        let Some(fast) = self.pasts.get(state.past).fast else {
            return;
        };
        let views = state.nodes[..self.count].iter();
        let mut views = views.map(|id| self.nodes.locals.view(*id));
        let is_late = |view: &View| self.looks(view) && !view.is_leader;
        if self.nodes.profile.time == Time::Clocks && views.any(is_late) {
            return;
        }
        let mut after = *state;
        for (place, local) in after.nodes.iter_mut().enumerate() {
            if *local == NONE {
                continue;
            }
            let step = self.nodes.step(*local, Input::Pass(fast & 1 << place != 0));
            let outcome = self.nodes.outcome(step);
            if outcome.broken.is_some() {
                let broken = outcome.broken;
                let input = Input::Pass(true);
                let action = Action { place: 0, input };
                let step = self.whole(action, *state);
                return steps.push(Step { broken, ..step });
            }
            *local = outcome.local;
        }
        if after != *state {
            let input = Input::Pass(true);
            steps.push(self.whole(Action { place: 0, input }, after));
        }
    }

    /// Whether a node has a reason to look at the clock. Where nobody asks again, whoever asks for votes
    /// goes on waiting.
    pub(super) fn looks(&self, view: &View) -> bool {
        view.is_due && (self.nodes.profile.asks_again() || !view.is_asking)
    }

    /// A step of no single node.
    fn whole(&self, action: Action, after: State) -> Step<State, Action> {
        Step {
            action,
            state: after,
            print: self.fingerprint(&after),
            broken: None,
        }
    }
}

impl Acting<'_> {
    /// Time passes and nothing happens: the machine only sees the clock.
    pub(super) fn see(&mut self, now: Instant) {
        self.local.now = now;
        let done = self.local.machine.handle_unreachable(now, NOBODY);
        self.note(done);
        self.stepped(&model::Input::Unreachable);
    }

    pub(super) fn pass_unit(&mut self, is_fast: bool) {
        let is_slower = self.nodes.sabotage == Sabotage::ClocksSlower;
        let unit = match is_fast {
            true => FAST,
            false if is_slower => SLOWER,
            false => SLOW,
        };
        self.see(self.local.now.saturating_add(unit));
    }

    pub(super) fn campaign(&mut self) {
        let done = self.local.machine.campaign(self.local.now);
        self.note(done);
        self.stepped(&model::Input::Campaign);
    }
}

/// Which clocks are fast, when the nodes are called otherwise.
pub(super) fn renamed(fast: Option<u8>, renaming: &[u8; NODES_MAX]) -> u64 {
    let Some(fast) = fast else { return 0 };
    let places = renaming.iter().enumerate();
    let fast = places.filter(|(place, _)| fast & 1 << place != 0);
    1 + fast.map(|(_, to)| 1 << to).sum::<u64>()
}

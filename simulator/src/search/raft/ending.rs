//! How a world ends: the storm stops, or a majority stays well. What must come of that.

use super::ghost::Phase;
use super::group::{Action, NONE, RaftSpace, State};
use super::profile::Ending;
use super::step::Input;
use crate::search::lasso::Liveness;
use crate::search::space::{Space, Step};

impl RaftSpace {
    pub(super) fn phase(&self, state: &State) -> Phase {
        self.pasts.get(state.past).phase
    }

    /// The ways in which the ending can begin now.
    pub(super) fn end(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) {
        if self.phase(state) != Phase::Storm {
            return;
        }
        match self.nodes.profile.ending {
            Ending::None => {}
            Ending::Calm => self.begin(state, Phase::Calm, Input::End(0, 0), steps),
            Ending::Majority => {
                for leader in 0..self.count as u8 {
                    for follower in 0..self.count as u8 {
                        if self.is_well(state, leader, follower) {
                            let phase = Phase::Majority { leader, follower };
                            let input = Input::End(leader, follower);
                            self.begin(state, phase, input, steps);
                        }
                    }
                }
            }
        }
    }

    fn begin(
        &mut self,
        state: &State,
        phase: Phase,
        input: Input,
        steps: &mut Vec<Step<State, Action>>,
    ) {
        let mut past = self.pasts.get(state.past).clone();
        past.phase = phase;
        let after = State {
            past: self.pasts.intern(past, self.term, &self.nodes.prefixes),
            ..*state
        };
        steps.push(Step {
            action: Action { place: 0, input },
            state: after,
            print: self.fingerprint(&after),
            broken: None,
        });
    }

    /// Whether a leader and a follower that has just heard from it are the latest there is.
    fn is_well(&mut self, state: &State, leader: u8, follower: u8) -> bool {
        let id = state.nodes[usize::from(follower)];
        let term = self
            .nodes
            .locals
            .view(state.nodes[usize::from(leader)])
            .term;
        let views = || state.nodes[..self.count].iter();
        let is_latest = views().all(|id| self.nodes.locals.view(*id).term <= term);
        let is_led = {
            let view = self.nodes.locals.view(state.nodes[usize::from(leader)]);
            let other = self.nodes.locals.view(id);
            view.is_leader && other.term == term && other.leader == Some(leader)
        };
        let frames = state.frames.iter().take_while(|frame| **frame != NONE);
        let is_old = frames
            .clone()
            .all(|frame| self.nodes.frames.get(*frame).term <= term);
        if leader == follower || !is_led || !is_latest || !is_old {
            return false;
        }
        // Waiting makes a difference only to who still sticks to a leader.
        let calm = self.nodes.step(id, Input::Calm);
        !self.nodes.outcome(calm).is_idle
    }

    /// Whether time passes for a node.
    pub(super) fn has_time(&self, state: &State, place: usize) -> bool {
        match self.phase(state) {
            Phase::Storm | Phase::Calm => true,
            Phase::Majority { leader, follower } => {
                place != usize::from(leader) && place != usize::from(follower)
            }
        }
    }

    /// What a majority that is well must not notice.
    pub(super) fn disturbance(&self, after: &State) -> Option<&'static str> {
        let Phase::Majority { leader, follower } = self.phase(after) else {
            return None;
        };
        let view = |place: u8| self.nodes.locals.view(after.nodes[usize::from(place)]);
        let is_calm = view(leader).is_leader && view(follower).term == view(leader).term;
        (!is_calm).then_some("undisturbed")
    }
}

impl Liveness for RaftSpace {
    /// The storm is over, and no leader of the latest term has committed an entry of its own.
    fn is_waiting(&self, state: &State) -> bool {
        let views = || {
            let ids = state.nodes[..self.count].iter();
            ids.map(|id| self.nodes.locals.view(*id))
        };
        let latest = views().map(|view| view.term).max();
        let is_led = views().any(|view| view.is_established && Some(view.term) == latest);
        self.phase(state) == Phase::Calm && !is_led
    }

    /// Each node's deadlines pass, again and again.
    fn kind(&self, action: Action) -> Option<u8> {
        match action.input {
            Input::Wait => Some(action.place),
            Input::Calm => Some(4 + action.place),
            _ => None,
        }
    }

    fn is_instant(&self, state: &State) -> bool {
        state.frames[0] != NONE
    }

    fn is_cut(&self, _: &State) -> bool {
        self.is_cut
    }
}

//! A group as a space: states of nodes, frames under way and the past, all as numbers.

use super::ghost::{Counter, Past, Pasts};
use super::judge::Group;
use super::names::{NODES_MAX, renamings};
use super::node::{Locals, standing_of, weigh};
use super::prefix::Prefixes;
use super::profile::Profile;
use super::sabotage::Sabotage;
use super::step::{Input, Nodes};
use super::{disks::Disks, frames::Frames, prelude};
use crate::search::space::{Space, Step, mix};

/// The most frames that a profile has under way.
pub(super) const FRAMES_MAX: usize = 8;
/// The most frames that are there before some get lost.
const CROWD: usize = 16;
const NONE: u32 = u32::MAX;

/// A state of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    nodes: [u32; NODES_MAX],
    past: u32,
    /// Ascending, then [`NONE`].
    frames: [u32; FRAMES_MAX],
}

/// Something happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    place: u8,
    input: Input,
}

/// A group of nodes that run the shipping code.
pub struct RaftSpace {
    pub(super) nodes: Nodes,
    pasts: Pasts,
    initial: State,
    count: usize,
    renamings: usize,
    term: u32,
    index: u32,
    left_out: u64,
}

impl RaftSpace {
    /// The world of a profile. The seed is that of the fingerprints.
    pub fn new(profile: Profile, sabotage: Sabotage, seed: u64) -> Self {
        let seed = mix(seed);
        let renamings = renamings(profile.members - usize::from(profile.changes > 0));
        let formed = prelude::form(profile.members, profile.joiners);
        let nodes = Nodes::new(
            profile,
            sabotage,
            Locals::new(&renamings, seed),
            Disks::new(&renamings, seed),
            Frames::new(&renamings, seed),
            Prefixes::new(&renamings, seed, formed.term),
        );
        let mut space = RaftSpace {
            nodes,
            pasts: Pasts::new(&renamings, seed),
            initial: State {
                nodes: [NONE; NODES_MAX],
                past: 0,
                frames: [NONE; FRAMES_MAX],
            },
            count: profile.members + profile.joiners,
            renamings: renamings.len(),
            term: formed.term,
            index: formed.index,
            left_out: 0,
        };
        space.nodes.term_max = formed.term + profile.terms;
        space.nodes.identities = formed.identities;
        for (place, content) in formed.contents.iter().enumerate() {
            space.initial.nodes[place] = space.nodes.wake(place, content);
        }
        space.initial.past = space.pasts.intern(Past::default(), &space.nodes.prefixes);
        space
    }

    /// Different states of single nodes, different frames, and different steps of single nodes.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (
            self.nodes.locals.len(),
            self.nodes.frames.len(),
            self.nodes.steps(),
        )
    }

    /// What may happen to the node at a place without a frame, and what it costs.
    fn inputs(&self, state: &State, place: usize, inputs: &mut Vec<(Input, Option<Counter>)>) {
        let profile = &self.nodes.profile;
        let view = self.nodes.locals.view(state.nodes[place]);
        let counts = self.pasts.get(state.past).counts;
        let may = |counter: Counter, max: u8| counts[counter as usize] < max;
        inputs.clear();
        inputs.push((Input::Wait, None));
        if !view.is_leader {
            inputs.push((Input::Calm, None));
        }
        if view.is_asking || (view.is_leader && profile.rounds > 1) {
            inputs.push((Input::Beat, None));
        }
        if view.is_leader && may(Counter::Proposal, profile.proposals) {
            inputs.push((Input::Propose, Some(Counter::Proposal)));
        }
        if view.is_leader && may(Counter::Change, profile.changes) {
            inputs.push((Input::Reconfigure, Some(Counter::Change)));
        }
        if view.commit > view.log.base && may(Counter::Compaction, profile.compactions) {
            inputs.push((Input::Compact, Some(Counter::Compaction)));
        }
        let cuts = view.cuts.unwrap_or(0) as u8;
        if view.cuts.is_some() {
            inputs.push((Input::Stored, None));
        }
        let parts = || std::iter::once(None).chain((0..cuts).map(Some));
        if may(Counter::Crash, profile.crashes) {
            inputs.extend(parts().map(|cut| (Input::Crash(cut), Some(Counter::Crash))));
        }
        if view.cuts.is_some() && may(Counter::Failure, profile.failures) {
            inputs.extend(parts().map(|cut| (Input::Failed(cut), Some(Counter::Failure))));
        }
    }

    /// Takes a step and adds the states after it: several if frames have to be lost.
    fn take(
        &mut self,
        state: &State,
        place: usize,
        input: Input,
        counter: Option<Counter>,
        steps: &mut Vec<Step<State, Action>>,
    ) {
        let local = state.nodes[place];
        let id = self.nodes.step(local, input);
        let outcome = self.nodes.outcome(id);
        if outcome.is_idle {
            return;
        }
        let action = Action {
            place: place as u8,
            input,
        };
        if outcome.broken.is_some() {
            let broken = outcome.broken;
            return steps.push(Step {
                action,
                state: *state,
                broken,
            });
        }
        if outcome.is_beyond {
            self.left_out += 1;
            return;
        }
        let mut crowd = [NONE; CROWD];
        let delivered = match input {
            Input::Deliver(frame) if !self.nodes.profile.repeats => Some(frame),
            _ => None,
        };
        let kept = state.frames.iter().copied();
        let kept = kept.filter(|frame| *frame != NONE && Some(*frame) != delivered);
        let mut len = 0;
        for frame in kept.chain(outcome.sent.iter().copied()) {
            if len < CROWD && !crowd[..len].contains(&frame) {
                crowd[len] = frame;
                len += 1;
            }
        }
        crowd[..len].sort_unstable();
        let mut after = *state;
        after.nodes[place] = outcome.local;
        let (past, broken) = self.enter(state, &after, place, counter);
        after.past = past;
        let frames_max = self.nodes.profile.frames;
        if len <= frames_max {
            after.frames.copy_from_slice(&crowd[..FRAMES_MAX]);
            return steps.push(Step {
                action,
                state: after,
                broken,
            });
        }
        for kept in 0_u32..1 << len {
            if kept.count_ones() as usize != frames_max {
                continue;
            }
            after.frames = [NONE; FRAMES_MAX];
            let survivors = (0..len).filter(|place| kept & 1 << place != 0);
            for (to, from) in survivors.enumerate() {
                after.frames[to] = crowd[from];
            }
            steps.push(Step {
                action,
                state: after,
                broken,
            });
        }
    }

    /// The past after a step, and the invariant that the step breaks.
    fn enter(
        &mut self,
        before: &State,
        after: &State,
        place: usize,
        counter: Option<Counter>,
    ) -> (u32, Option<&'static str>) {
        let nodes = &self.nodes;
        let (old, new) = (
            nodes.locals.view(before.nodes[place]),
            nodes.locals.view(after.nodes[place]),
        );
        let is_quiet = counter.is_none()
            && old.commit == new.commit
            && (old.is_leader, old.term) == (new.is_leader, new.term)
            && old.log == new.log;
        if is_quiet {
            return (before.past, None);
        }
        let mut past = self.pasts.get(before.past).clone();
        if let Some(counter) = counter {
            past.counts[counter as usize] += 1;
        }
        let group = Group {
            views: after
                .nodes
                .map(|id| (id != NONE).then(|| nodes.locals.view(id))),
            disks: after
                .nodes
                .map(|id| (id != NONE).then(|| nodes.disks.get(nodes.locals.view(id).disk))),
            prefixes: &nodes.prefixes,
            term: self.term,
            index: self.index,
        };
        let broken = group.enter(place, old, &mut past).err();
        (self.pasts.intern(past, &nodes.prefixes), broken)
    }
}

impl Space for RaftSpace {
    type State = State;
    type Action = Action;

    fn initial(&mut self) -> State {
        self.initial
    }

    fn expand(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) {
        let mut inputs = Vec::new();
        for place in 0..self.count {
            self.inputs(state, place, &mut inputs);
            for (input, counter) in inputs.iter().copied() {
                self.take(state, place, input, counter, steps);
            }
        }
        for frame in state.frames {
            if frame == NONE {
                break;
            }
            let place = usize::from(self.nodes.frames.get(frame).to);
            self.take(state, place, Input::Deliver(frame), None, steps);
        }
    }

    /// A sum over all renamings: the same for states that are renamings of each other.
    fn fingerprint(&self, state: &State) -> u64 {
        let locals = &self.nodes.locals;
        let mut sums = [0_u64; 24];
        let sums = &mut sums[..self.renamings];
        sums.copy_from_slice(self.pasts.prints(state.past));
        for id in &state.nodes[..self.count] {
            let view = locals.view(*id);
            let mut weight = 0;
            for (of, attempt) in &view.attempts {
                let of = locals.view(state.nodes[usize::from(*of)]);
                weight = weight * 8 + standing_of(*attempt, of) + 1;
            }
            for (sum, print) in sums.iter_mut().zip(locals.prints(*id)) {
                *sum = sum.wrapping_add(weigh(*print, weight));
            }
        }
        for id in state.frames {
            if id == NONE {
                break;
            }
            let weight = match self.nodes.frames.get(id).attempt {
                Some((of, attempt)) => {
                    standing_of(attempt, locals.view(state.nodes[usize::from(of)]))
                }
                None => 0,
            };
            for (sum, print) in sums.iter_mut().zip(self.nodes.frames.prints(id)) {
                *sum = sum.wrapping_add(weigh(*print, weight));
            }
        }
        sums.iter().fold(0, |all, sum| all.wrapping_add(mix(*sum)))
    }

    fn describe(&self, before: &State, action: Action) -> String {
        super::words::describe(&self.nodes, before.nodes[usize::from(action.place)], action)
    }

    fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Action {
    /// The node's number.
    pub(super) fn node(self) -> u8 {
        self.place + 1
    }

    pub(super) fn input(self) -> Input {
        self.input
    }
}

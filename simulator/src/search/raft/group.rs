//! A group as a space: states of nodes, frames under way and the past, all as numbers.

use super::ghost::{Counter, Past, Pasts, Phase};
use super::judge::Group;
use super::names::{NODES_MAX, renamings};
use super::node::{Locals, standing_of, weigh};
use super::pace::Pace;
use super::prefix::Prefixes;
use super::profile::{Menu, Profile};
use super::sabotage::Sabotage;
use super::shape::Beginning;
use super::step::{Input, Nodes};
use super::{disks::Disks, frames::Frames, prelude};
use crate::search::space::{Space, Step, mix};

/// The most frames that a profile has under way.
pub(super) const FRAMES_MAX: usize = 8;
/// The most frames that are there before some get lost.
const CROWD: usize = 16;
pub(super) const NONE: u32 = u32::MAX;
/// The most renamings: those of three nodes.
const RENAMINGS_MAX: usize = 6;

/// About what is kept of a node's state: the machine, its disk, its fingerprints.
const LOCAL_BYTES: usize = 6 << 10;

type Sums = [u64; RENAMINGS_MAX];

#[inline]
fn add(sums: &mut Sums, others: &Sums) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = sum.wrapping_add(*other);
    }
}

/// All sets of `kept` out of `all`, as bits, ascending.
fn subsets(all: usize, kept: usize) -> impl Iterator<Item = u32> {
    let mut next = Some((1_u32 << kept) - 1);
    std::iter::from_fn(move || {
        let set = next.filter(|set| *set < 1 << all)?;
        // The next number with as many bits.
        let lowest = set & set.wrapping_neg();
        let ripple = set + lowest;
        next = Some(ripple | ((set ^ ripple) / lowest) >> 2);
        Some(set)
    })
}

/// A state of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    pub(super) nodes: [u32; NODES_MAX],
    pub(super) past: u32,
    /// Ascending, those in a hurry last; then `NONE`.
    pub(super) frames: [u32; FRAMES_MAX],
}

/// Something happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action {
    pub(super) place: u8,
    pub(super) input: Input,
}

/// A node enters a state.
struct Entering {
    place: usize,
    counter: Option<Counter>,
    /// By which step.
    step: u32,
}

/// A group of nodes that run the shipping code.
pub struct RaftSpace {
    pub(super) nodes: Nodes,
    pub(super) pasts: Pasts,
    initial: State,
    pub(super) count: usize,
    renamings: usize,
    pub(super) term: u32,
    pub(super) index: u32,
    left_out: u64,
    /// A step from the state that was expanded last was left out.
    pub(super) is_cut: bool,
}

impl RaftSpace {
    /// The world of a profile. The seed is that of the fingerprints.
    pub fn new(profile: Profile, sabotage: Sabotage, seed: u64) -> Self {
        let seed = mix(seed);
        let is_last_apart = profile.changes > 0 && profile.menu == Menu::Exchange;
        let equals = profile.members - usize::from(is_last_apart);
        let equals = if profile.is_symmetric { equals } else { 1 };
        let renamings = renamings(equals.min(3));
        let pace = Pace::of(&profile);
        let formed = prelude::form(profile.members, profile.joiners, &pace);
        let nodes = Nodes::new(
            profile,
            sabotage,
            Locals::new(&renamings, seed, profile.has_clocks()),
            Disks::new(&renamings, seed, pace),
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
            is_cut: false,
        };
        space.nodes.term_max = formed.term + profile.terms;
        space.nodes.identities = formed.identities;
        for (place, content) in formed.contents.iter().enumerate() {
            space.initial.nodes[place] = space.nodes.wake(place, content);
        }
        let past = Past::default();
        space.initial.past = space.pasts.intern(past, formed.term, &space.nodes.prefixes);
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

    /// Where the group begins.
    pub(super) fn beginning(&self) -> Beginning {
        Beginning {
            term: self.term,
            index: u64::from(self.index),
        }
    }

    /// The first rule of the reference model that a step broke.
    pub fn rule(&self) -> Option<&str> {
        self.nodes.rule.as_deref()
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
        // What changes nothing may as well be lost; in the calm nothing is.
        let is_frame = matches!(input, Input::Deliver(_));
        if outcome.is_idle && !(is_frame && self.phase(state) == Phase::Calm) {
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
                print: 0,
                broken,
            });
        }
        if outcome.is_beyond {
            self.left_out += 1;
            self.is_cut = true;
            return;
        }
        let mut after = *state;
        after.nodes[place] = outcome.local;
        let mut crowd = [NONE; CROWD];
        let delivered = match input {
            Input::Deliver(frame) if !self.nodes.profile.repeats => Some(frame),
            _ => None,
        };
        let kept = state.frames.iter().copied();
        let kept = kept.filter(|frame| *frame != NONE && Some(*frame) != delivered);
        let mut len = 0;
        for frame in kept.chain(outcome.sent.iter().copied()) {
            if len < CROWD && !crowd[..len].contains(&frame) && !self.is_dead(&after, frame) {
                crowd[len] = frame;
                len += 1;
            }
        }
        // Those that are in a hurry come last and are not counted.
        let phase = self.phase(state);
        let is_urgent = |frame: u32| self.is_urgent(frame, phase);
        crowd[..len].sort_unstable_by_key(|frame| (is_urgent(*frame), *frame));
        let urgent = crowd[..len].iter().filter(|frame| is_urgent(**frame));
        let urgent = urgent.count();
        let (frames_max, usual) = (self.nodes.profile.frames, len - urgent);
        if usual.min(frames_max) + urgent > FRAMES_MAX {
            self.left_out += 1;
            self.is_cut = true;
            return;
        }
        let entering = Entering {
            place,
            counter,
            step: id,
        };
        let (past, broken) = self.enter(state, &after, &entering);
        after.past = past;
        after.past = self.forget(&after);
        let broken = broken.or_else(|| self.disturbance(&after));
        let heed = |all: u8, frame: &u32| all | self.heed(&after, *frame);
        let heeded = crowd[..len].iter().fold(0, heed);
        let mut sums = self.node_sums(&after, heeded);
        if usual <= frames_max {
            after.frames.copy_from_slice(&crowd[..FRAMES_MAX]);
            crowd[..len]
                .iter()
                .for_each(|frame| self.add_frame(&after, *frame, &mut sums));
            let print = self.print(&sums);
            return steps.push(Step {
                action,
                state: after,
                print,
                broken,
            });
        }
        let mut weighed = [[0; RENAMINGS_MAX]; CROWD];
        for (sums, frame) in weighed.iter_mut().zip(&crowd[..len]) {
            self.add_frame(&after, *frame, sums);
        }
        let mut heeded_sums = (heeded, sums);
        for kept in subsets(usual, frames_max) {
            after.frames = [NONE; FRAMES_MAX];
            let is_kept = |place: &usize| *place >= usual || kept & 1 << place != 0;
            let frames = (0..len).filter(is_kept);
            let heeded = frames.fold(0, |all, place| all | self.heed(&after, crowd[place]));
            if heeded != heeded_sums.0 {
                heeded_sums = (heeded, self.node_sums(&after, heeded));
            }
            let mut sums = heeded_sums.1;
            let survivors = (0..len).filter(is_kept);
            for (to, from) in survivors.enumerate() {
                after.frames[to] = crowd[from];
                add(&mut sums, &weighed[from]);
            }
            steps.push(Step {
                action,
                state: after,
                print: self.print(&sums),
                broken,
            });
        }
    }

    /// For each renaming, the sum of the fingerprints of past and nodes.
    fn node_sums(&self, state: &State, heeded: u8) -> Sums {
        let without = self.unnoticed(state, heeded);
        let locals = &self.nodes.locals;
        let mut sums = [0; RENAMINGS_MAX];
        sums[..self.renamings].copy_from_slice(self.pasts.prints(state.past));
        for (id, without) in state.nodes[..self.count].iter().zip(without) {
            let attempts = &locals.view(*id).attempts;
            for (which, print) in locals.prints(*id, without).iter().enumerate() {
                let mut weight = 0;
                for (of, attempt) in attempts {
                    let place = usize::from(*of);
                    let standing = standing_of(*attempt, locals.view(state.nodes[place]));
                    weight += (standing + 1) << (16 * locals.renaming(which)[place]);
                }
                sums[which] = sums[which].wrapping_add(weigh(*print, weight));
            }
        }
        sums
    }

    /// Adds a frame under way to the sums.
    #[inline]
    fn add_frame(&self, state: &State, id: u32, sums: &mut Sums) {
        let weight = match self.nodes.frames.attempt(id) {
            Some((of, attempt)) => {
                let of = state.nodes[usize::from(of)];
                standing_of(attempt, self.nodes.locals.view(of))
            }
            None => 0,
        };
        for (sum, print) in sums.iter_mut().zip(self.nodes.frames.prints(id)) {
            *sum = sum.wrapping_add(weigh(*print, weight));
        }
    }

    /// A sum over all renamings: the same for states that are renamings of each other.
    #[inline]
    fn print(&self, sums: &Sums) -> u64 {
        let sums = sums[..self.renamings].iter();
        sums.fold(0_u64, |all, sum| all.wrapping_add(mix(*sum)))
            .max(1)
    }

    /// Whether a frame arrives before anything else happens, or never.
    pub(super) fn is_urgent(&self, frame: u32, phase: Phase) -> bool {
        phase == Phase::Calm
            || (self.nodes.profile.swift_elections && self.nodes.frames.is_electoral(frame))
    }

    /// Frames that are in a hurry arrive, in any order, or are lost.
    fn hurry(&mut self, state: &State, phase: Phase, steps: &mut Vec<Step<State, Action>>) {
        for (place, frame) in state.frames.into_iter().enumerate() {
            if frame == NONE || !self.is_urgent(frame, phase) {
                continue;
            }
            let to = usize::from(self.nodes.frames.get(frame).to);
            self.take(state, to, Input::Deliver(frame), None, steps);
            if phase == Phase::Calm {
                continue;
            }
            if self.nodes.profile.is_reduced() {
                continue;
            }
            let mut after = *state;
            after.frames[place..].rotate_left(1);
            after.frames[FRAMES_MAX - 1] = NONE;
            steps.push(Step {
                action: Action {
                    place: to as u8,
                    input: Input::Lose(frame),
                },
                state: after,
                print: self.fingerprint(&after),
                broken: None,
            });
        }
        if self.nodes.profile.is_reduced() && phase != Phase::Calm {
            self.lose_all(state, phase, steps);
        }
    }

    /// The past after a step, and the invariant that the step breaks.
    fn enter(
        &mut self,
        before: &State,
        after: &State,
        entering: &Entering,
    ) -> (u32, Option<&'static str>) {
        let nodes = &self.nodes;
        let (place, counter) = (entering.place, entering.counter);
        let outcome = nodes.outcome(entering.step);
        let (old, new) = (
            nodes.locals.view(before.nodes[place]),
            nodes.locals.view(after.nodes[place]),
        );
        let is_quiet = counter.is_none()
            && outcome.ended.is_empty()
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
        if counter == Some(Counter::Crash) {
            past.reads[place].clear();
        }
        if outcome.was_asked {
            past.ask(place, self.index + past.committed.len() as u32);
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
        let broken = broken.or(past.end(place, &outcome.ended).err());
        (self.pasts.intern(past, self.term, &nodes.prefixes), broken)
    }
}

impl Space for RaftSpace {
    type State = State;
    type Action = Action;

    fn initial(&mut self) -> State {
        self.initial
    }

    fn expand(&mut self, state: &State, steps: &mut Vec<Step<State, Action>>) {
        self.is_cut = false;
        let mut frames = state.frames.iter().take_while(|frame| **frame != NONE);
        let phase = self.phase(state);
        let is_hurried = frames.any(|frame| self.is_urgent(*frame, phase));
        if is_hurried {
            return self.hurry(state, phase, steps);
        }
        if self.wind(state, steps) {
            return;
        }
        self.end(state, steps);
        self.tick(state, steps);
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

    fn fingerprint(&self, state: &State) -> u64 {
        let frames = || state.frames.iter().filter(|frame| **frame != NONE);
        let heeded = frames().fold(0, |all, frame| all | self.heed(state, *frame));
        let mut sums = self.node_sums(state, heeded);
        frames().for_each(|frame| self.add_frame(state, *frame, &mut sums));
        self.print(&sums)
    }

    fn describe(&self, before: &State, action: Action) -> String {
        super::words::describe(&self.nodes, before.nodes[usize::from(action.place)], action)
    }

    fn bytes(&self) -> u64 {
        let (locals, frames, steps) = self.sizes();
        (locals * LOCAL_BYTES + (frames + self.pasts.len()) * 512 + steps * 128) as u64
    }

    fn left_out(&self) -> u64 {
        self.left_out
    }
}

//! The reductions, held against every state of closed worlds that are explored without them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::group::FRAMES_MAX;
use super::*;
use crate::search::raft::{Profile, Sabotage, profile};

/// A world, explored without reductions, with a look at what they would make of it.
struct Both {
    space: RaftSpace,
    reduction: Reduction,
}

/// A small world with these bounds.
fn small(name: &str, bounds: &[(&str, u8)]) -> Profile {
    let profile = profile(name, 1).expect("there is such a profile");
    let with = |profile: Profile, bound: &(&str, u8)| profile.with(bound.0, bound.1);
    let changed = bounds.iter().try_fold(profile, with);
    changed.expect("there are such bounds")
}

impl Both {
    fn new(profile: Profile) -> Self {
        Both {
            space: RaftSpace::new(profile, Sabotage::None, 3),
            reduction: profile.reduction,
        }
    }

    fn reduce(&mut self, is_reduced: bool) {
        let reduction = if is_reduced {
            self.reduction
        } else {
            Reduction::None
        };
        self.space.nodes.profile.reduction = reduction;
    }

    fn steps(&mut self, state: &State, is_reduced: bool) -> Vec<Step<State, Action>> {
        self.reduce(is_reduced);
        let mut steps = Vec::new();
        self.space.expand(state, &mut steps);
        steps
    }

    fn dead(&mut self, state: &State) -> Vec<u32> {
        self.reduce(true);
        let frames = state.frames.into_iter();
        let dead = frames.filter(|frame| *frame != NONE && self.space.is_dead(state, *frame));
        dead.collect()
    }

    /// The state as it would be kept, and its fingerprint.
    fn reduced(&mut self, state: &State) -> (State, u64) {
        let dead = self.dead(state);
        let mut kept = *state;
        kept.past = self.space.forget(state);
        kept.frames = [NONE; FRAMES_MAX];
        let frames = state.frames.iter().filter(|frame| !dead.contains(frame));
        for (to, from) in kept.frames.iter_mut().zip(frames) {
            *to = *from;
        }
        let print = self.space.fingerprint(&kept);
        (kept, print)
    }

    /// The fingerprint of all but the frames, unless frames are in a hurry.
    fn situation(&mut self, state: &State) -> Option<u64> {
        let phase = self.space.phase(state);
        let frames = state.frames.iter().filter(|frame| **frame != NONE);
        let mut urgent = frames.filter(|frame| self.space.is_urgent(**frame, phase));
        if urgent.next().is_some() {
            return None;
        }
        let mut bare = *state;
        bare.frames = [NONE; FRAMES_MAX];
        Some(self.reduced(&bare).1)
    }

    /// What is under way in a state, and its steps that the other one has not.
    fn tell(&mut self, state: &State, others: &BTreeSet<u64>) {
        let (kept, print) = self.reduced(state);
        println!(
            "{kept:?} {print:x}, past {:?}",
            self.space.pasts.get(kept.past)
        );
        for frame in kept.frames.into_iter().filter(|frame| *frame != NONE) {
            let place = self.space.nodes.frames.get(frame).to;
            let input = Input::Deliver(frame);
            println!(
                "  under way: {}",
                self.space.describe(&kept, Action { place, input })
            );
        }
        for place in 0..self.space.count {
            let machine = &self.space.nodes.locals.get(kept.nodes[place]).machine;
            println!(
                "  {:?} {:?} leader {:?}",
                machine.role(),
                machine.hard_state(),
                machine.leader()
            );
        }
        for step in self.steps(&kept, true) {
            let words = self.space.describe(&kept, step.action);
            let is_common = others.contains(&step.print) || step.print == print;
            println!(
                "  {} {:x} {words} {:?}",
                if is_common { ' ' } else { '!' },
                step.print,
                step.state
            );
        }
    }

    /// All states, in the order in which they are met.
    fn states(&mut self, is_reduced: bool) -> Vec<State> {
        self.reduce(is_reduced);
        let initial = self.space.initial();
        let mut seen = HashSet::from([self.space.fingerprint(&initial)]);
        let (mut all, mut at) = (vec![initial], 0);
        while let Some(state) = all.get(at).copied() {
            at += 1;
            for step in self.steps(&state, is_reduced) {
                assert_eq!(step.broken, None);
                if seen.insert(step.print) {
                    all.push(step.state);
                }
            }
        }
        all
    }
}

/// Of states that become one, all have the same ways on; what is taken for dead does nothing and
/// stays dead; and the same situations are met with the reductions as without.
fn check(profile: Profile) -> (usize, usize) {
    let mut both = Both::new(profile);
    let plain = both.states(false);
    let mut ways: HashMap<u64, (State, BTreeSet<u64>)> = HashMap::new();
    let mut situations = BTreeSet::new();
    for state in &plain {
        let (kept, print) = both.reduced(state);
        let steps = both.steps(&kept, true);
        // A step that leads nowhere is none.
        let prints = steps.iter().map(|step| step.print);
        let prints: BTreeSet<u64> = prints.filter(|to| *to != print).collect();
        let (first, known) = ways.entry(print).or_insert((*state, prints.clone()));
        if *known != prints {
            let first = *first;
            both.tell(&first, &prints);
            both.tell(state, &known.clone());
            panic!("two states that became one have different ways on");
        }
        let dead = both.dead(state);
        for frame in &dead {
            let to = usize::from(both.space.nodes.frames.get(*frame).to);
            let step = both
                .space
                .nodes
                .step(state.nodes[to], Input::Deliver(*frame));
            assert!(both.space.nodes.outcome(step).is_idle);
        }
        for step in both.steps(state, false) {
            let later = both.dead(&step.state);
            let frames = step.state.frames;
            let mut stayed = dead.iter().filter(|frame| frames.contains(frame));
            assert!(stayed.all(|frame| later.contains(frame)));
        }
        situations.extend(both.situation(state));
    }
    let reduced = both.states(true);
    let met = reduced.iter().filter_map(|state| both.situation(state));
    assert_eq!(met.collect::<BTreeSet<u64>>(), situations);
    assert!(reduced.iter().all(|state| {
        let print = both.reduced(state).1;
        ways.contains_key(&print)
    }));
    (plain.len(), reduced.len())
}

#[test]
fn elections_are_reduced_soundly() {
    let counts = check(small("elections", &[("crashes", 0)]));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn swift_elections_are_reduced_soundly() {
    let counts = check(small("figure-8", &[("terms", 2)]));
    assert!(counts.0 > 10 * counts.1, "{counts:?}");
}

#[test]
fn slow_disks_are_reduced_soundly() {
    let counts = check(small("unsynced", &[("crashes", 0)]));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn reads_are_reduced_soundly() {
    let counts = check(small("reads", &[("terms", 1), ("frames", 1)]));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn answers_to_earlier_lives_are_reduced_soundly() {
    let bounds = [("frames", 1), ("proposals", 0), ("reads", 1)];
    let counts = check(small("earlier-lives", &bounds));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn orders_to_stand_are_reduced_soundly() {
    let counts = check(small("transfer", &[("proposals", 0)]));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn clocks_are_reduced_soundly() {
    let counts = check(small("leases", &[("members", 2), ("terms", 1)]));
    assert!(counts.0 > counts.1, "{counts:?}");
}

#[test]
fn renamed_groups_go_on_alike() {
    let mut profile = small("elections", &[("crashes", 0)]);
    profile.reduction = Reduction::None;
    check(profile);
}

/// The check has teeth: a reduction that goes too far, votes left out while somebody may ask for
/// one, is noticed.
#[test]
#[should_panic(expected = "different ways on")]
fn a_reduction_that_goes_too_far_is_noticed() {
    let mut profile = small("elections", &[("crashes", 0)]);
    profile.reduction = Reduction::Rash;
    check(profile);
}

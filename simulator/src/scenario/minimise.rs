//! The search for a shorter story, see [`shrink`](crate::scenario::shrink).

use crate::oracle::{Bench, Oracle};
use crate::scenario::{Effort, Knobs, Played, Scenario, simplify};
use crate::world::World;
use crate::world::decision::Decision;
use crate::world::swarm::HOSTS_MAX;
use crate::world::trace::Verbosity;

/// Stories longer than this are not searched for pairs of lines.
const PAIRS_MAX: usize = 60;

/// The shortest story so far, and what may still be spent.
#[derive(Debug)]
pub(super) struct Minimiser {
    best: Scenario,
    oracle: Oracle,
    bench: Bench,
    lines_left: u64,
    replays: u64,
    /// A world whose buffers the next candidate uses.
    spare: Option<World>,
}

impl Minimiser {
    /// Nothing if the oracle does not fire.
    pub(super) fn new(
        scenario: Scenario,
        oracle: Oracle,
        bench: Bench,
        effort: Effort,
    ) -> Option<Self> {
        let mut minimiser = Minimiser {
            best: scenario.clone(),
            oracle,
            bench,
            lines_left: effort.lines,
            replays: 0,
            spare: None,
        };
        minimiser.attempt(scenario).then_some(minimiser)
    }

    pub(super) fn replays(&self) -> u64 {
        self.replays
    }

    pub(super) fn into_best(self) -> Scenario {
        self.best
    }

    pub(super) fn best(&self) -> &Scenario {
        &self.best
    }

    /// Everything, until nothing helps.
    pub(super) fn run(&mut self) {
        self.take_cone();
        self.drop_hosts();
        self.drop_kinds();
        self.abstract_all();
        self.drop_pieces();
        loop {
            let before = (self.best.events(), self.best.knobs.clone());
            simplify::times(self);
            simplify::crashes_and_sizes(self);
            simplify::knobs(self);
            self.automate();
            self.drop_hosts();
            self.drop_pieces();
            self.gather();
            simplify::names(self);
            self.drop_pairs();
            if (self.best.events(), &self.best.knobs) == (before.0, &before.1) {
                return;
            }
        }
    }

    fn play(&mut self, candidate: &Scenario) -> Option<Played> {
        // Setting a world up costs about as much as some lines.
        let cost = candidate.events() as u64 + 20;
        self.lines_left = self.lines_left.checked_sub(cost)?;
        self.replays += 1;
        let world = self.spare.take().unwrap_or_else(World::blank);
        let mut played = candidate.play_in(world, self.bench, Verbosity::Silent);
        self.spare = Some(std::mem::replace(&mut played.world, World::hollow()));
        let found = played.violation.as_ref();
        let fires = found.is_some_and(|found| found.oracle == self.oracle);
        fires.then_some(played)
    }

    /// Plays a story; the same oracle fires: it is the best one now, without the lines that mean
    /// nothing.
    pub(super) fn attempt(&mut self, mut candidate: Scenario) -> bool {
        let Some(played) = self.play(&candidate) else {
            return false;
        };
        let mut happened = played.happened.iter();
        candidate.steps.retain(|_| happened.next() == Some(&true));
        self.best = candidate;
        true
    }

    /// As [`attempt`](Self::attempt), but only if the story becomes shorter.
    fn attempt_shorter(&mut self, mut candidate: Scenario) -> bool {
        let Some(played) = self.play(&candidate) else {
            return false;
        };
        let mut happened = played.happened.iter();
        candidate.steps.retain(|_| happened.next() == Some(&true));
        let is_shorter = candidate.events() < self.best.events();
        if is_shorter {
            self.best = candidate;
        }
        is_shorter
    }

    /// The story without the lines for which `drops` holds.
    fn without(&self, mut drops: impl FnMut(&Decision) -> bool) -> Scenario {
        let mut candidate = self.best.clone();
        candidate.steps.retain(|step| !drops(&step.decision));
        candidate
    }

    fn attempt_without(&mut self, drops: impl FnMut(&Decision) -> bool) -> bool {
        let candidate = self.without(drops);
        candidate.events() < self.best.events() && self.attempt(candidate)
    }

    /// Only what the failure can rest on: earlier lines at the same host, the lines in which the
    /// frames that arrived were sent, and so on backwards.
    fn take_cone(&mut self) {
        let candidate = self.best.clone();
        let Some(played) = self.play(&candidate) else {
            return;
        };
        let mut is_in = vec![false; candidate.events()];
        if let Some(last) = is_in.get_mut(played.last) {
            *last = true;
        }
        for place in (0..candidate.events()).rev() {
            if is_in[place] {
                for cause in &played.causes[place] {
                    if let Some(cause) = is_in.get_mut(*cause) {
                        *cause = true;
                    }
                }
            }
        }
        let mut candidate = candidate;
        let mut is_in = is_in.into_iter();
        candidate.steps.retain(|_| is_in.next() == Some(true));
        self.attempt(candidate);
    }

    fn drop_hosts(&mut self) {
        for host in (0..self.best.knobs.hosts).rev() {
            self.attempt_without(|decision| decision.hosts().any(|other| other == host));
        }
    }

    fn drop_kinds(&mut self) {
        self.attempt_without(|d| matches!(d, Decision::Busy(..)));
        self.attempt_without(|d| matches!(d, Decision::Unreachable(..)));
        self.attempt_without(|d| matches!(d, Decision::Clock(..)));
        self.attempt_without(|d| matches!(d, Decision::Campaign(_)));
        self.attempt_without(|d| matches!(d, Decision::Rouse(_)));
        self.attempt_without(|d| matches!(d, Decision::Transfer(..)));
        self.attempt_without(|d| matches!(d, Decision::Read(..)));
        self.attempt_without(|d| matches!(d, Decision::Freeze(..)));
        self.attempt_without(|d| matches!(d, Decision::Propose(..)));
        self.attempt_without(|d| matches!(d, Decision::Crash(..) | Decision::Restart(_)));
        for host in 0..HOSTS_MAX {
            self.attempt_without(|d| {
                matches!(d, Decision::Crash(..) | Decision::Restart(_) if d.host() == Some(host))
            });
        }
    }

    /// What makes a long story robust, so that more of it can go: names that leave more open, and
    /// what happens by itself.
    fn loosen(&mut self) {
        simplify::all_names(self);
        self.automate_all();
    }

    /// Tries what would make a long story much shorter at once, in all combinations.
    fn abstract_all(&mut self) {
        let whole = self.best.clone();
        let is_bulk = |d: &Decision| {
            use crate::world::decision::FrameKind::{Ack, Append};
            matches!(d, Decision::Deliver(p) if matches!(p.kind, Append | Ack))
        };
        let is_proposal = |d: &Decision| matches!(d, Decision::Propose(..));
        for way in 0..128_u32 {
            let has = |bit: u32| way >> bit & 1 == 1;
            let mut candidate = whole.clone();
            if has(0) {
                candidate = simplify::open(&candidate);
            }
            if has(1) {
                candidate.steps.retain(|step| !is_proposal(&step.decision));
            }
            if has(2) {
                candidate.steps.retain(|step| !is_bulk(&step.decision));
            }
            if has(3) {
                gathered(&mut candidate);
            }
            if has(4) {
                for step in &mut candidate.steps {
                    step.at = None;
                }
            }
            let everybody = (1 << candidate.knobs.hosts) - 1;
            let mut knobs = candidate.knobs.clone();
            if has(5) {
                knobs.disks = everybody;
            }
            if has(6) {
                knobs.links = used_links(&candidate);
            }
            self.attempt_shorter(automatic(&candidate, knobs));
        }
    }

    /// Takes out pieces, large ones first, from the end to the beginning.
    fn drop_pieces(&mut self) {
        let mut size = self.best.events().next_power_of_two() / 2;
        while size > 0 {
            self.loosen();
            let mut end = self.best.events();
            let mut helped = false;
            while end > 0 && self.lines_left > 0 {
                let start = end.saturating_sub(size);
                let mut candidate = self.best.clone();
                candidate.steps.drain(start..end);
                helped |= self.attempt(candidate);
                end = start.min(self.best.events());
            }
            if !(helped && size == 1) {
                size /= 2;
            }
        }
    }

    /// Takes out two lines at once.
    fn drop_pairs(&mut self) {
        if self.best.events() > PAIRS_MAX {
            return;
        }
        let mut first = 0;
        while first < self.best.events() {
            let mut second = first + 1;
            while second < self.best.events() {
                let mut candidate = self.best.clone();
                candidate.steps.remove(second);
                candidate.steps.remove(first);
                if !self.attempt(candidate) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    /// Lets all disks and links do by themselves what lines said, or those on which something
    /// arrives.
    fn automate_all(&mut self) {
        let hosts = self.best.knobs.hosts;
        let everybody = (1 << hosts) - 1;
        for links in [[everybody; HOSTS_MAX], used_links(&self.best)] {
            let mut knobs = self.best.knobs.clone();
            knobs.disks = everybody;
            knobs.links = links;
            let candidate = automatic(&self.best, knobs);
            if self.attempt_shorter(candidate) {
                return;
            }
        }
    }

    /// Lets single disks and links do by themselves what lines said.
    fn automate(&mut self) {
        self.automate_all();
        let hosts = self.best.knobs.hosts;
        let everybody = (1 << hosts) - 1;
        let mut disks = vec![everybody];
        disks.extend((0..hosts).map(|host| 1 << host));
        for mask in disks {
            let mut knobs = self.best.knobs.clone();
            knobs.disks |= mask;
            let candidate = automatic(&self.best, knobs);
            self.attempt_shorter(candidate);
        }
        for from in 0..hosts {
            for to in (0..hosts).filter(|to| *to != from) {
                if self.best.knobs.links[from] >> to & 1 == 1 {
                    continue;
                }
                let mut knobs = self.best.knobs.clone();
                knobs.links[from] |= 1 << to;
                let candidate = automatic(&self.best, knobs);
                self.attempt_shorter(candidate);
            }
        }
    }

    /// Lets the group be there from the beginning.
    fn gather(&mut self) {
        if self.best.knobs.members != 0 {
            return;
        }
        for mut candidate in [self.best.clone(), simplify::open(&self.best)] {
            gathered(&mut candidate);
            if self.attempt_shorter(candidate) {
                self.drop_pieces();
                return;
            }
        }
    }
}

/// The links on which a story delivers anything.
fn used_links(scenario: &Scenario) -> [u64; HOSTS_MAX] {
    let mut links = scenario.knobs.links;
    for step in &scenario.steps {
        if let Decision::Deliver(pattern) = &step.decision {
            links[usize::from(pattern.from)] |= 1 << pattern.to;
        }
    }
    links
}

/// The story with these options, without the lines that they make superfluous.
fn automatic(scenario: &Scenario, knobs: Knobs) -> Scenario {
    let mut candidate = scenario.clone();
    candidate.steps.retain(|step| match &step.decision {
        Decision::Deliver(pattern) => knobs.links[usize::from(pattern.from)] >> pattern.to & 1 == 0,
        Decision::Store(host) => knobs.disks >> host & 1 == 0,
        _ => true,
    });
    candidate.knobs = knobs;
    candidate
}

/// The group is there from the beginning, and nobody needs to be let in.
fn gathered(scenario: &mut Scenario) {
    scenario.knobs.members = (1 << scenario.knobs.hosts) - 1;
    let is_growth = |d: &Decision| matches!(d, Decision::Reconfigure(..));
    let growth = scenario.steps.iter().position(|s| is_growth(&s.decision));
    if let Some(place) = growth {
        scenario.steps.remove(place);
    }
}

//! Breadth-first exploration: the shortest way to a broken invariant is found first.

use std::time::{Duration, Instant};

use super::queue::Queue;
use super::seen::Seen;
use super::space::{Space, Step};

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Stop after so many states.
    pub states_max: u64,
    /// Do not go beyond this many steps from the beginning.
    pub depth_max: u32,
    /// Stop when the met states, those still to be expanded and what is known of the space take so
    /// much memory, in bytes.
    pub memory_bytes: u64,
    /// Stop after this time.
    pub time_max: Option<Duration>,
    /// Keep where each state was met from, so that a broken invariant comes with its history.
    /// Doubles the memory of the table.
    pub keeps_parents: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            states_max: u64::MAX,
            depth_max: u32::MAX,
            memory_bytes: 1 << 30,
            time_max: None,
            keeps_parents: false,
        }
    }
}

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// Its name.
    pub invariant: &'static str,
    /// After how many steps.
    pub depth: u32,
    /// Every step in words, if parents were kept.
    pub history: Vec<String>,
}

/// How an exploration ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every state within the bounds was met.
    Closed,
    /// An invariant does not hold.
    Caught(Caught),
    /// A limit was reached first; it is named.
    Stopped(&'static str),
}

/// What was explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// How it ended.
    pub end: End,
    /// Different states met.
    pub states: u64,
    /// Steps taken, those to states that were met before included.
    pub steps: u64,
    /// The longest shortest way to a state.
    pub depth: u32,
    /// The most states that waited to be expanded.
    pub frontier: usize,
    /// The most memory that was taken, in bytes.
    pub bytes: u64,
    /// How long it took.
    pub time: Duration,
}

impl Report {
    /// Whether all states within the bounds were met.
    pub fn is_closed(&self) -> bool {
        self.end == End::Closed
    }

    /// The chance that a collision of fingerprints hid a state: one in so many, at least.
    pub fn omission_odds(&self) -> u64 {
        let pairs = u128::from(self.states) * u128::from(self.states);
        u64::try_from((1_u128 << 65) / pairs.max(1)).unwrap_or(u64::MAX)
    }
}

/// Explores a space until it is closed, an invariant breaks, or a limit is reached.
pub fn explore<S: Space>(space: &mut S, limits: &Limits) -> Report {
    explore_with(space, limits, &mut |_, _, _, _| {})
}

/// What looks on: it sees each state with its fingerprint and its steps.
pub(super) type Watch<'a, S> =
    &'a mut dyn FnMut(&S, &StateOf<S>, u64, &[Step<StateOf<S>, <S as Space>::Action>]);

type StateOf<S> = <S as Space>::State;

/// As [`explore`], with somebody looking on.
pub(super) fn explore_with<S: Space>(
    space: &mut S,
    limits: &Limits,
    watch: Watch<'_, S>,
) -> Report {
    let mut search = Search {
        began: Instant::now(),
        seen: Seen::new(limits.keeps_parents),
        limits: *limits,
        report: Report {
            end: End::Closed,
            states: 0,
            steps: 0,
            depth: 0,
            frontier: 1,
            bytes: 0,
            time: Duration::ZERO,
        },
        waiting: Queue::new(),
    };
    search.report.end = match search.run(space, watch) {
        Ok(()) => End::Closed,
        Err(end) => end,
    };
    search.measure(space);
    search.report.states = search.seen.len() as u64;
    search.report.time = search.began.elapsed();
    search.report
}

struct Search<T> {
    began: Instant,
    seen: Seen,
    limits: Limits,
    report: Report,
    waiting: Queue<T>,
}

impl<T: Copy> Search<T> {
    fn run<S: Space<State = T>>(&mut self, space: &mut S, watch: Watch<'_, S>) -> Result<(), End> {
        let initial = space.initial();
        let root = space.fingerprint(&initial);
        self.seen.insert(root, root);
        if let Some(invariant) = space.broken(&initial) {
            return Err(self.caught(space, invariant, root, None));
        }
        let mut steps = Vec::new();
        self.waiting.push(initial);
        // How many are left at this depth, and how many were expanded.
        let (mut left, mut expanded) = (1, 0_u64);
        while let Some(state) = self.waiting.pop() {
            expanded += 1;
            if expanded % 1024 == 0 {
                self.measure(space);
                self.check_limits()?;
            }
            if self.report.depth == self.limits.depth_max {
                return Err(End::Stopped("depth"));
            }
            steps.clear();
            space.expand(&state, &mut steps);
            let from = space.fingerprint(&state);
            watch(space, &state, from, &steps);
            self.report.steps += steps.len() as u64;
            // All looks into the table first: one alone would wait for the memory.
            steps.retain(|step| step.broken.is_some() || !self.seen.has_at_home(step.print));
            for step in &steps {
                self.take(space, from, step)?;
            }
            left -= 1;
            if left == 0 {
                left = self.waiting.len();
                self.report.depth += u32::from(left > 0);
            }
        }
        Ok(())
    }

    /// Notes what is the most so far.
    fn measure<S: Space<State = T>>(&mut self, space: &S) {
        let bytes = self.seen.bytes() + self.waiting.bytes() + space.bytes();
        self.report.bytes = self.report.bytes.max(bytes);
        self.report.frontier = self.report.frontier.max(self.waiting.len());
    }

    #[inline]
    fn take<S: Space<State = T>>(
        &mut self,
        space: &mut S,
        from: u64,
        step: &Step<T, S::Action>,
    ) -> Result<(), End> {
        if let Some(invariant) = step.broken {
            return Err(self.caught(space, invariant, from, Some(step.action)));
        }
        if !self.seen.insert(step.print, from) {
            return Ok(());
        }
        if let Some(invariant) = space.broken(&step.state) {
            return Err(self.caught(space, invariant, from, Some(step.action)));
        }
        self.waiting.push(step.state);
        Ok(())
    }

    fn check_limits(&self) -> Result<(), End> {
        if self.seen.len() as u64 >= self.limits.states_max {
            return Err(End::Stopped("states"));
        }
        if self.report.bytes >= self.limits.memory_bytes {
            return Err(End::Stopped("memory"));
        }
        let is_over = |time| self.began.elapsed() >= time;
        if self.limits.time_max.is_some_and(is_over) {
            return Err(End::Stopped("time"));
        }
        Ok(())
    }

    fn caught<S: Space<State = T>>(
        &self,
        space: &mut S,
        invariant: &'static str,
        from: u64,
        action: Option<S::Action>,
    ) -> End {
        let history = if self.limits.keeps_parents {
            self.history(space, from, action)
        } else {
            Vec::new()
        };
        End::Caught(Caught {
            invariant,
            depth: self.report.depth + u32::from(action.is_some()),
            history,
        })
    }

    /// Goes the way from the beginning once more. A fingerprint stands for all states that are
    /// symmetric to each other, so it is a way to a state like the one that was met.
    fn history<S: Space<State = T>>(
        &self,
        space: &mut S,
        from: u64,
        last: Option<S::Action>,
    ) -> Vec<String> {
        let mut way = vec![from];
        while let Some(parent) = self.seen.parent(way[way.len() - 1]) {
            if parent == way[way.len() - 1] {
                break;
            }
            way.push(parent);
        }
        way.pop();
        let mut state = space.initial();
        let (mut words, mut steps) = (Vec::new(), Vec::new());
        while let Some(fingerprint) = way.pop() {
            steps.clear();
            space.expand(&state, &mut steps);
            let found = steps
                .iter()
                .find(|step| step.broken.is_none() && step.print == fingerprint);
            let Some(step) = found else { break };
            words.push(space.describe(&state, step.action));
            state = step.state;
        }
        steps.clear();
        space.expand(&state, &mut steps);
        if last.is_some() {
            // The same step, or the one that the symmetry makes of it.
            let mut is_breaking = |step: &Step<T, S::Action>| {
                step.broken.is_some() || space.broken(&step.state).is_some()
            };
            let found = steps
                .iter()
                .find(|step| is_breaking(step))
                .map(|s| s.action);
            words.extend(found.map(|action| space.describe(&state, action)));
        }
        words
    }
}

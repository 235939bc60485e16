//! Making a failing story short, while the same oracle fires.
//!
//! A short story must be found, not guessed: each candidate is played, and it counts only if the
//! oracle that fired first fires again. What is tried, in this order and again until nothing
//! helps: the causal past of the failure alone; whole hosts; whole kinds of decisions; pieces,
//! halves first and single lines last (`[Zeller02]`); simpler options, sizes, crashes and times;
//! disks and links that do by themselves what lines said; names that leave more open; pairs of
//! lines. The effort is bounded by the lines played, not by a clock, so the same seed gives the
//! same story everywhere.

use std::time::Instant;

use crate::oracle::{Bench, Oracle};
use crate::scenario::minimise::Minimiser;
use crate::scenario::{Expected, Scenario, record};
use crate::world::Options;

/// How much may be tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// Lines played, at most.
    pub lines: u64,
}

impl Default for Effort {
    fn default() -> Self {
        Effort { lines: 2_500_000 }
    }
}

/// A story that was made short.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The story.
    pub scenario: Scenario,
    /// Its decisions.
    pub events: usize,
    /// The decisions that the seed had made when it failed.
    pub events_before: usize,
    /// Who fires.
    pub oracle: Oracle,
    /// How many candidates were played.
    pub replays: u64,
    /// How long it took.
    pub milliseconds: u64,
}

/// The short story of a seed that fails; nothing if it does not fail.
pub fn shrink(seed: u64, options: Options) -> Option<Shrunk> {
    let began = Instant::now();
    let recorded = record(seed, options).ok()?;
    let oracle = recorded.violation?.oracle;
    let mut shrunk = shrink_scenario(recorded.scenario, oracle, options.bench, Effort::default())?;
    shrunk.milliseconds = began.elapsed().as_millis() as u64;
    Some(shrunk)
}

/// Makes a story short in which `oracle` fires; nothing if it does not.
pub fn shrink_scenario(
    scenario: Scenario,
    oracle: Oracle,
    bench: Bench,
    effort: Effort,
) -> Option<Shrunk> {
    let began = Instant::now();
    let events_before = scenario.events();
    let about = scenario.about.clone();
    let mut minimiser = Minimiser::new(scenario, oracle, bench, effort)?;
    minimiser.run();
    let replays = minimiser.replays();
    let mut scenario = minimiser.into_best();
    scenario.expected = Expected::Violation(oracle);
    scenario.about = about;
    Some(Shrunk {
        events: scenario.events(),
        scenario,
        events_before,
        oracle,
        replays,
        milliseconds: began.elapsed().as_millis() as u64,
    })
}

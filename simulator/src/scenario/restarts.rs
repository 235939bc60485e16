//! A story with a restart in it, at any point.
//!
//! A line of a story can stand for a dozen arrivals and writes that follow by themselves, so a
//! crash between two lines meets few of the moments at which a crash is dangerous. Here a story is
//! first written out: nothing happens by itself any more, each arrival, each write and each wake
//! is a line with its time, and the history is the same. Then a crash can stand anywhere, also
//! between a write and its report. What comes after it is either the end of the storm, or the
//! rest of the story as far as it still means something.
//!
//! Bounds: a story of n lines, written out, over h hosts has n * h places, with two ends and up to
//! three remains of a write each.

use crate::oracle::Bench;
use crate::scenario::{Scenario, Step};
use crate::world::World;
use crate::world::decision::{Decision, Left};
use crate::world::happening::What;
use crate::world::swarm::HOSTS_MAX;
use crate::world::trace::Verbosity;

/// Where a host crashes in a story, what that leaves, and how the story goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    /// Before which line; at most as many as there are.
    pub before: usize,
    /// Which host, from zero.
    pub host: usize,
    /// What is left of a write that was not reported.
    pub left: Left,
    /// The rest of the story follows; otherwise the storm is over.
    pub goes_on: bool,
}

impl Scenario {
    /// The same history with nothing left to happen by itself.
    #[must_use]
    pub fn written_out(&self) -> Self {
        let played = self.play();
        let happenings = played.world.trace().happenings().iter();
        let decided =
            happenings
                .skip(played.begins)
                .filter_map(|happening| match &happening.what {
                    // What is lost is not delivered, which says the same.
                    What::Decided(Decision::Lose(_) | Decision::Hold(_)) => None,
                    What::Decided(decision) => Some(Step {
                        at: Some(happening.at),
                        decision: decision.clone(),
                    }),
                    _ => None,
                });
        let mut steps: Vec<_> = decided.collect();
        // Behind the end of the storm the world goes on by itself.
        let calm = steps
            .iter()
            .position(|step| step.decision == Decision::Calm);
        steps.truncate(calm.map_or(steps.len(), |place| place + 1));
        let mut written = self.clone();
        (written.knobs.links, written.knobs.disks) = ([0; HOSTS_MAX], 0);
        (written.steps, written.outcome) = (steps, String::new());
        written
    }

    /// The story with a restart in it.
    #[must_use]
    pub fn with_restart(&self, restart: &Restart) -> Self {
        let step = |decision| Step { at: None, decision };
        // A world has a handful of hosts.
        let host = restart.host as u8;
        let place = restart.before.min(self.steps.len());
        let (before, after) = self.steps.split_at(place);
        let mut steps = before.to_vec();
        steps.push(step(Decision::Crash(host, restart.left)));
        steps.push(step(Decision::Restart(host)));
        if restart.goes_on {
            steps.extend_from_slice(after);
        }
        if steps
            .last()
            .is_none_or(|last| last.decision != Decision::Calm)
        {
            steps.push(step(Decision::Calm));
        }
        Scenario {
            about: Vec::new(),
            mutant: None,
            knobs: self.knobs.clone(),
            steps,
            expected: self.expected,
            outcome: String::new(),
        }
    }

    /// Whether it ends as it says, every oracle on the bench; in a world whose buffers may be used.
    ///
    /// # Errors
    ///
    /// What came instead.
    pub fn check_in(&self, world: &mut World) -> Result<Vec<bool>, String> {
        let blank = core::mem::replace(world, World::hollow());
        let played = self.play_in(blank, Bench::ALL, Verbosity::Silent);
        *world = played.world;
        self.judge(played.violation.as_ref())?;
        Ok(played.happened)
    }
}

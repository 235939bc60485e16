//! A history as a text: the options of a world and what it decides, line by line.
//!
//! A seed that fails is a report, but no story: thousands of events, and one draw of chance less
//! changes all that follow. A scenario lists the *decisions* instead: which frame arrives, who
//! wakes, what a crash leaves. Each stands under a name that says what it is and not which number
//! it has, so one can take a line out and the others still mean the same; a line that means
//! nothing any more is passed over. It runs on the same hosts, drivers, disks and oracles as the
//! world of a seed.
//!
//! - [`record`] makes the scenario of a seed that fails.
//! - [`shrink()`] makes it short: fewer hosts, faults, proposals, arrivals, and the same oracle.
//! - [`Scenario::with_restart`] lets a host crash and come back at any point of it.
//! - [`Scenario::parse`] and `Display` are its text, [`Scenario::play`] runs it.
//!
//! ```
//! use simulator::scenario::Scenario;
//!
//! let story = Scenario::parse(
//!     "hosts 3\n\
//!      members n1 n2 n3\n\
//!      auto network disk\n\
//!      crash n1\n\
//!      wake n2\n\
//!      propose n2 8 bytes\n\
//!      calm\n\
//!      expect sound\n",
//! )
//! .unwrap();
//! assert_eq!(story.play().violation, None);
//! ```
//!
//! # Lines
//!
//! Options come first: `seed`, `hosts`, `window`, `frame`, `compact`, `padding`,
//! `election-timeout`, `heartbeat`, `persist-timeout`, `clock-rate`, `lease`, `sabotage`, `rot`,
//! `mutant`; `members n1 n2` says who is in the group before the first line, with n1 as leader; `auto network disk` lets every frame
//! arrive and every write end at once, `auto network 1->2` and `auto disk n1` only some.
//!
//! Then decisions. A time in milliseconds before one means "not before"; without it, it happens
//! at once, except `wake n1`, which first lets the time pass until n1 wants to wake. After
//! `---` stands what came of it.

mod minimise;
mod perform;
pub mod pool;
mod print;
mod record;
mod restarts;
mod shrink;
mod simplify;
mod text;

use crate::oracle::{Bench, Oracle, Violation};
use crate::world::clock::Moment;
use crate::world::decision::Decision;
use crate::world::sabotage::Sabotage;
use crate::world::swarm::{HOSTS_MAX, Swarm};
use crate::world::trace::Verbosity;

pub use perform::Played;
pub use record::{Recorded, record};
pub use restarts::Restart;

pub use shrink::{Effort, Shrunk, shrink, shrink_scenario};
pub use text::ParseError;

/// One line of a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// It happens not before this moment.
    pub at: Option<Moment>,
    /// What.
    pub decision: Decision,
}

/// How a story ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Expected {
    /// Nothing contradicts anything.
    #[default]
    Sound,
    /// This oracle finds a contradiction.
    Violation(Oracle),
}

/// The options of a story's world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Knobs {
    /// From it the machines' seeds and the clocks are drawn.
    pub seed: u64,
    /// How many hosts there are.
    pub hosts: usize,
    /// Bytes of each log window.
    pub window: usize,
    /// Bytes of a frame, at most.
    pub frame: usize,
    /// Applied entries after which a host compacts its log.
    pub compact: u64,
    /// Bytes of a snapshot beside what it must hold.
    pub padding: u64,
    /// The shortest time for which a follower waits for a leader; the longest is twice that.
    pub election_timeout: clocks::Duration,
    /// A leader's heartbeat.
    pub heartbeat: clocks::Duration,
    /// When a host gives its disk up.
    pub persist_timeout: clocks::Duration,
    /// How fast or slow a clock may run, in millionths.
    pub clock_rate: i64,
    /// Leases are on, for clocks that are wrong by so many millionths.
    pub lease: Option<u32>,
    /// After how long an idle group may be quiet, if it may.
    pub quiet: Option<clocks::Duration>,
    /// The hosts that never are, one bit each.
    pub never_quiet: u64,
    /// How many steps of priority each host is below the highest.
    pub lags: [u8; HOSTS_MAX],
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// After how many borrows memory rots, if that is what is broken.
    pub rot: u32,
    /// The members before the first line, one bit each; if none, n1 has founded a group of its
    /// own and the others wait.
    pub members: u64,
    /// Per sender, the receivers that every frame reaches at once.
    pub links: [u64; HOSTS_MAX],
    /// The disks that do everything at once.
    pub disks: u64,
}

/// A story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// What it is about, line by line.
    pub about: Vec<String>,
    /// The seeded bug for whose sake it was found, if any. The sound code must pass it soundly.
    pub mutant: Option<String>,
    /// The options of its world.
    pub knobs: Knobs,
    /// What happens.
    pub steps: Vec<Step>,
    /// How it ends.
    pub expected: Expected,
    /// The diagram that was recorded.
    pub outcome: String,
}

impl Default for Knobs {
    fn default() -> Self {
        Knobs {
            seed: 1,
            hosts: 3,
            window: 4096,
            frame: 512,
            compact: 1_000_000,
            padding: 0,
            election_timeout: clocks::Duration::from_millis(100),
            heartbeat: clocks::Duration::from_millis(25),
            persist_timeout: clocks::Duration::from_millis(2000),
            clock_rate: 0,
            lease: None,
            quiet: None,
            never_quiet: 0,
            lags: [0; HOSTS_MAX],
            sabotage: Sabotage::None,
            rot: crate::world::ROT_AFTER,
            members: 0,
            links: [0; HOSTS_MAX],
            disks: 0,
        }
    }
}

impl Knobs {
    /// The options of a seed's world that matter once its decisions are known.
    pub fn of(seed: u64, swarm: &Swarm, sabotage: Sabotage) -> Self {
        Knobs {
            seed,
            hosts: swarm.hosts,
            window: swarm.window_bytes,
            frame: swarm.frame_bytes,
            compact: swarm.compact_after,
            padding: swarm.snapshot_padding,
            election_timeout: swarm.election_timeout.0,
            heartbeat: swarm.heartbeat,
            persist_timeout: swarm.persist_timeout,
            clock_rate: swarm.clock_rate_ppm,
            lease: swarm.lease_drift_ppm,
            quiet: swarm.quiet_after,
            never_quiet: swarm.never_quiet,
            lags: swarm.lags,
            sabotage,
            ..Knobs::default()
        }
    }

    fn swarm(&self) -> Swarm {
        let (millis, micros) = (clocks::Duration::from_millis, clocks::Duration::from_micros);
        Swarm {
            hosts: self.hosts,
            founders: 1,
            window_bytes: self.window,
            frame_bytes: self.frame,
            compact_after: self.compact,
            snapshot_padding: self.padding,
            election_timeout: (
                self.election_timeout,
                self.election_timeout.saturating_mul(2),
            ),
            heartbeat: self.heartbeat,
            persist_timeout: self.persist_timeout,
            clock_rate_ppm: self.clock_rate,
            lease_drift_ppm: self.lease,
            quiet_after: self.quiet,
            never_quiet: self.never_quiet,
            lags: self.lags,
            // Nothing strikes by itself.
            storm: millis(1 << 40),
            fault_interval: millis(1 << 40),
            // What follows is for the calm end of a story.
            calm_delay: (micros(100), millis(5)),
            write: (micros(100), micros(300)),
            payload_bytes_max: 8,
            ..Swarm::default()
        }
    }
}

impl Scenario {
    /// How many decisions it has.
    pub fn events(&self) -> usize {
        self.steps.len()
    }

    /// Whether it ends as it says, when everybody judges.
    ///
    /// # Errors
    ///
    /// What came instead.
    pub fn check(&self) -> Result<(), String> {
        let played = self.play_with(Bench::ALL, Verbosity::Silent);
        self.judge(played.violation.as_ref())
    }

    /// Whether this is how it says that it ends.
    ///
    /// # Errors
    ///
    /// What came instead.
    pub fn judge(&self, found: Option<&Violation>) -> Result<(), String> {
        match (self.expected, found) {
            (Expected::Sound, None) => Ok(()),
            (Expected::Sound, Some(violation)) => Err(format!("FAILED {violation}")),
            (Expected::Violation(oracle), Some(found)) if found.oracle == oracle => Ok(()),
            (Expected::Violation(oracle), Some(found)) => {
                Err(format!("{oracle} was expected to fire, and it was {found}"))
            }
            (Expected::Violation(oracle), None) => {
                Err(format!("{oracle} was expected to fire, and nobody did"))
            }
        }
    }
}

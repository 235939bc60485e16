//! How fast the nodes of a profile are: their settings, and how far time passes in a step.

use clocks::Duration;
use raft_core::Config;

use super::clockwork;
use super::names::name;
use super::profile::{Profile, Time};

/// The election timeouts of a profile in which nothing depends on them.
pub(super) const ELECTION_MIN: Duration = Duration::from_millis(1000);
pub(super) const ELECTION_MAX: Duration = Duration::from_millis(2000);
const PERSIST: Duration = Duration::from_millis(1_000_000_000);

/// The times of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    pub(super) heartbeat: Duration,
    pub(super) election_min: Duration,
    pub(super) election_max: Duration,
    /// So long that every deadline but the disk's has passed.
    pub(super) long: Duration,
    /// The drift that leases count on, in millionths.
    pub(super) drift: Option<u32>,
}

impl Pace {
    pub(super) fn of(profile: &Profile) -> Pace {
        let usual = Pace {
            heartbeat: Duration::from_millis(100),
            election_min: ELECTION_MIN,
            election_max: ELECTION_MAX,
            long: Duration::from_millis(10_000),
            drift: None,
        };
        match profile.time {
            // A read's deadline is far: stickiness ends many times before it.
            Time::Abstract if profile.reads > 0 => Pace {
                election_max: Duration::from_millis(1_000_000),
                long: Duration::from_millis(10_000_000),
                ..usual
            },
            Time::Abstract => usual,
            Time::Clocks | Time::LateClocks => clockwork::PACE,
        }
    }

    pub(super) fn config(&self, place: usize) -> Config {
        let mut builder = Config::builder(name(place))
            .election_timeout(self.election_min, self.election_max)
            .heartbeat_interval(self.heartbeat)
            .persist_timeout(PERSIST)
            .frame_bytes_max(1024);
        if let Some(drift) = self.drift {
            builder = builder.lease(drift);
        }
        builder.build().expect("the settings are sound")
    }
}

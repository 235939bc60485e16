//! The clock of a node.
//!
//! The Raft node may answer reads by a lease only where time goes on while the machine is suspended, and never goes
//! back. On Linux there is such a clock, the time since the machine was started; the standard library's stands
//! still meanwhile.

use core::time::Duration;
use std::time::Instant as Clock;

use clocks::Instant;

/// Measures time since it was started.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    origin: Duration,
}

/// Whether this clock is good enough for leases.
pub const IS_FIT_FOR_LEASES: bool = cfg!(target_os = "linux");

#[cfg(target_os = "linux")]
fn reading() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // It counts from the machine's start: neither part is negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn reading() -> Duration {
    static FIRST: std::sync::OnceLock<Clock> = std::sync::OnceLock::new();
    FIRST.get_or_init(Clock::now).elapsed()
}

impl Watch {
    /// Starts it.
    pub fn start() -> Self {
        Self { origin: reading() }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        reading().saturating_sub(self.origin)
    }

    /// The time since its start, as the Raft node wants it.
    pub fn now(&self) -> Instant {
        let micros = self.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// When it will show `at`, by the clock of timers.
    pub fn when(&self, at: Instant) -> Clock {
        let micros = at.as_micros().saturating_sub(self.now().as_micros());
        Clock::now() + Duration::from_micros(micros)
    }

    /// Makes it look as if it had been started so much earlier.
    #[cfg(test)]
    pub fn age(&mut self, by: Duration) {
        self.origin = self.origin.saturating_sub(by);
    }
}

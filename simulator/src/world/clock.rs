//! True time, which only the harness knows, and the clocks of the hosts, which run fast or slow,
//! start anywhere and may be set.

use core::fmt;

use clocks::{Duration, Instant};

/// A moment of true time, in microseconds since the world began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// The moment so many microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Moment(micros)
    }

    /// Microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time since an earlier moment; zero if it was later.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Later by `duration`.
    #[must_use]
    pub const fn plus(self, duration: Duration) -> Self {
        Moment(self.0.saturating_add(duration.as_micros()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:6}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

const MILLION: i64 = 1_000_000;

/// The clock of one host: `offset + true time * (1 + rate)`.
#[derive(Clone, Debug)]
pub struct HostClock {
    offset_micros: i64,
    rate_ppm: i64,
}

impl HostClock {
    /// A clock that is ahead by `offset` and gains `rate_ppm` microseconds in a second.
    pub fn new(offset: Duration, rate_ppm: i64) -> Self {
        HostClock {
            offset_micros: i64::try_from(offset.as_micros()).unwrap_or(i64::MAX / 4),
            rate_ppm: rate_ppm.clamp(-MILLION / 2, MILLION),
        }
    }

    /// What it shows.
    #[inline]
    pub fn show(&self, now: Moment) -> Instant {
        // Simulated times are far below 2^43 microseconds, so the products fit.
        let elapsed = i64::try_from(now.0).unwrap_or(i64::MAX / (2 * MILLION));
        let drifted = match self.rate_ppm {
            0 => elapsed,
            rate => elapsed + elapsed * rate / MILLION,
        };
        let shown = self.offset_micros.saturating_add(drifted);
        Instant::from_micros(u64::try_from(shown).unwrap_or(0))
    }

    /// The first moment at which it shows `deadline` or more.
    pub fn when(&self, deadline: Instant) -> Moment {
        let shown = i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX / 4);
        let drifted = shown.saturating_sub(self.offset_micros).max(0);
        if self.rate_ppm == 0 {
            return Moment(u64::try_from(drifted).unwrap_or(0));
        }
        let whole = drifted / (MILLION + self.rate_ppm) * MILLION;
        let rest = drifted % (MILLION + self.rate_ppm) * MILLION / (MILLION + self.rate_ppm);
        let mut moment = Moment(u64::try_from(whole + rest).unwrap_or(0));
        while self.show(moment) < deadline && self.show(moment) < self.show(Moment(moment.0 + 4)) {
            moment.0 += 1;
        }
        moment
    }

    /// Sets it forward or back.
    pub fn step(&mut self, micros: i64) {
        self.offset_micros = self.offset_micros.saturating_add(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_met_at_the_first_moment_that_shows_it() {
        for rate in [-500_000, -100_000, -33, 0, 7, 1000, 100_000, 777_777] {
            let clock = HostClock::new(Duration::from_millis(77), rate);
            for deadline in [
                0, 1, 76_999, 77_000, 77_001, 100_000, 12_345_678, 99_999_999,
            ] {
                let deadline = Instant::from_micros(deadline);
                let moment = clock.when(deadline);
                assert!(clock.show(moment) >= deadline, "{rate} {deadline:?}");
                if let Some(before) = moment.0.checked_sub(2) {
                    assert!(clock.show(Moment(before)) < deadline, "{rate} {deadline:?}");
                }
            }
        }
    }
}

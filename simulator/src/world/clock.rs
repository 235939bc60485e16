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
    /// What it shows while it stands still.
    stopped_at: Option<i64>,
}

impl HostClock {
    /// A clock that is ahead by `offset` and gains `rate_ppm` microseconds in a second.
    pub fn new(offset: Duration, rate_ppm: i64) -> Self {
        HostClock {
            offset_micros: i64::try_from(offset.as_micros()).unwrap_or(i64::MAX / 4),
            rate_ppm: rate_ppm.clamp(-MILLION / 2, MILLION),
            stopped_at: None,
        }
    }

    /// What it shows.
    #[inline]
    pub fn show(&self, now: Moment) -> Instant {
        let shown = self.stopped_at.unwrap_or_else(|| self.shown(now));
        Instant::from_micros(u64::try_from(shown).unwrap_or(0))
    }

    fn shown(&self, now: Moment) -> i64 {
        // Simulated times are far below 2^43 microseconds, so the products fit.
        let elapsed = i64::try_from(now.0).unwrap_or(i64::MAX / (2 * MILLION));
        let drifted = match self.rate_ppm {
            0 => elapsed,
            rate => elapsed + elapsed * rate / MILLION,
        };
        self.offset_micros.saturating_add(drifted)
    }

    /// The first moment at which it shows `deadline` or more, if it runs; a clock that stands
    /// still shows it never or already.
    pub fn when(&self, deadline: Instant) -> Moment {
        let shown = i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX / 4);
        let drifted = shown.saturating_sub(self.offset_micros).max(0);
        if self.rate_ppm == 0 {
            return Moment(u64::try_from(drifted).unwrap_or(0));
        }
        let whole = drifted / (MILLION + self.rate_ppm) * MILLION;
        let rest = drifted % (MILLION + self.rate_ppm) * MILLION / (MILLION + self.rate_ppm);
        let mut moment = Moment(u64::try_from(whole + rest).unwrap_or(0));
        if self.stopped_at.is_some() {
            return moment;
        }
        while self.show(moment) < deadline && self.show(moment) < self.show(Moment(moment.0 + 4)) {
            moment.0 += 1;
        }
        moment
    }

    /// Sets it forward or back.
    pub fn step(&mut self, micros: i64) {
        self.offset_micros = self.offset_micros.saturating_add(micros);
        if let Some(shown) = &mut self.stopped_at {
            *shown = shown.saturating_add(micros);
        }
    }

    /// It runs at another rate from now on; what it shows does not jump.
    pub fn set_rate(&mut self, now: Moment, rate_ppm: i64) {
        let before = self.shown(now);
        self.rate_ppm = rate_ppm.clamp(-MILLION / 2, MILLION);
        let jump = self.shown(now) - before;
        self.offset_micros = self.offset_micros.saturating_sub(jump);
    }

    /// Whether it does not stand still.
    pub fn is_running(&self) -> bool {
        self.stopped_at.is_none()
    }

    /// It stands still.
    pub fn stop(&mut self, now: Moment) {
        self.stopped_at.get_or_insert(self.shown(now));
    }

    /// It goes on: from where it stood, or with the time that it should show.
    pub fn go_on(&mut self, now: Moment, catches_up: bool) {
        let behind = self
            .stopped_at
            .take()
            .map_or(0, |shown| self.shown(now) - shown);
        if !catches_up {
            self.step(-behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_still_goes_on_from_there_or_catches_up() {
        let at = |millis: u64| Moment(millis * 1000);
        let mut clock = HostClock::new(Duration::from_millis(5), 100_000);
        clock.stop(at(10));
        assert_eq!(clock.show(at(10)), clock.show(at(90)));
        let mut other = clock.clone();
        clock.go_on(at(90), false);
        assert_eq!(clock.show(at(90)), other.show(at(90)));
        assert!(clock.show(at(91)) > clock.show(at(90)));
        other.go_on(at(90), true);
        let never_stopped = HostClock::new(Duration::from_millis(5), 100_000);
        assert_eq!(other.show(at(95)), never_stopped.show(at(95)));
    }

    #[test]
    fn a_clock_that_changes_its_rate_neither_jumps_nor_leaves_its_bounds() {
        const MOST: u64 = 100_000;
        let mut clock = HostClock::new(Duration::from_millis(1), 0);
        let rates = [100_000, -100_000, 7, -99_999, 100_000, 0, 33_333];
        let mut now = 0;
        for rate in rates {
            let before = clock.show(Moment(now));
            clock.set_rate(Moment(now), rate);
            assert_eq!(clock.show(Moment(now)), before);
            for step in [1, 10, 999, 123_456] {
                let shown = clock.show(Moment(now + step)).saturating_since(before);
                let most = step * MOST / 1_000_000 + 1;
                let off = shown.as_micros().abs_diff(step);
                assert!(off <= most, "{rate}: {step} microseconds were {shown:?}");
            }
            now += 1_234_567;
        }
    }

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

//! A clock that does not wrap, from a hardware counter that does.
//!
//! # The problem
//!
//! Small microcontrollers count time in 32 bits: at 1 MHz that wraps after 71 minutes. Counting the wraps extends it,
//! but the conversion to microseconds has traps. Converting each difference and adding the results loses a fraction
//! every time, and a clock that is read often runs slow. Multiplying the total count by a million overflows
//! 64 bits within hours at 1 GHz, and 128-bit division is expensive on the boards that need this.
//!
//! # The idea
//!
//! Keep whole seconds and, in ticks, what is left of the current one. Both are exact, and what is left is
//! less than 2^32 ticks, so that its conversion fits 64 bits. The result is always the total count times a million
//! divided by the frequency, rounded down, as if computed with unlimited precision.
//!
//! # Bounds
//!
//! At most three 64-bit divisions per observation, one if the second has not changed.

use core::num::{NonZeroU32, NonZeroU64};

use crate::{Duration, Instant};

const MICROS_PER_SEC: u64 = 1_000_000;

/// Extends a 32-bit counter that wraps to zero after `u32::MAX` to [`Instant`]s that never go back.
///
/// The origin is the zero of the counter before its first observed wrap.
///
/// # What the driver owes
///
/// - An observation at least once per wrap: less than a [`wrap_period`](Tick32::wrap_period) from one to the next.
///   Each period that passes unobserved is lost, and time is behind by it from then on. A device that
///   sleeps longer needs to wake up for an observation, or a slower counter.
/// - Observations in the order in which the counter was read. A value that is older than the one before looks like
///   almost a whole period of progress. Where an interrupt handler also observes, read and observe in one critical
///   section.
///
/// ```
/// use clocks::{Instant, Tick32};
/// use core::num::NonZeroU32;
///
/// // A low-power oscillator.
/// let mut clock = Tick32::new(NonZeroU32::new(32_768).unwrap());
/// assert_eq!(clock.observe(32_768), Instant::from_micros(1_000_000));
/// assert_eq!(clock.observe(u32::MAX).as_micros(), 131_071_999_969);
/// // Wrapped: one tick later.
/// assert_eq!(clock.observe(0).as_micros(), 131_072_000_000);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Tick32 {
    hertz: NonZeroU64,
    /// The last value observed.
    last: u32,
    /// Whole seconds, in microseconds.
    whole: Instant,
    /// Ticks since the last whole second, fewer than `hertz`.
    rest: u64,
}

impl Tick32 {
    /// A counter that advances `hertz` times a second and was last zero at the origin.
    #[inline]
    #[must_use]
    pub const fn new(hertz: NonZeroU32) -> Self {
        // `From` cannot be called in a constant; the widening loses nothing, so that the fallback is never taken.
        let hertz = match NonZeroU64::new(hertz.get() as u64) {
            Some(hertz) => hertz,
            None => NonZeroU64::MIN,
        };
        Self {
            hertz,
            last: 0,
            whole: Instant::ZERO,
            rest: 0,
        }
    }

    /// The time at which the counter was read as `ticks`: never before the time that was returned last.
    pub fn observe(&mut self, ticks: u32) -> Instant {
        // No overflow below: `rest` is less than 2^32 before and 2^33 after this line, and less than 2^32 at the end,
        // where a million times as much is less than 2^52.
        self.rest = self
            .rest
            .wrapping_add(u64::from(ticks.wrapping_sub(self.last)));
        self.last = ticks;
        if self.rest >= self.hertz.get() {
            self.whole = self
                .whole
                .saturating_add(Duration::from_secs(self.rest / self.hertz));
            self.rest %= self.hertz;
        }
        self.whole.saturating_add(Duration::from_micros(
            self.rest.wrapping_mul(MICROS_PER_SEC) / self.hertz,
        ))
    }

    /// How long the counter takes to come round, rounded down to a microsecond. Less than this may pass between
    /// two observations.
    #[inline]
    #[must_use]
    pub const fn wrap_period(&self) -> Duration {
        Duration::from_micros((1 << 32) * MICROS_PER_SEC).saturating_div(self.hertz.get())
    }
}

//! A point in time, as a number that somebody else read from a clock.
//!
//! A machine that reads a clock itself cannot be simulated, replayed or explored. So `now` is an argument
//! everywhere, and it must be the same type on a server with an operating system and on a board with a 32-bit
//! counter: microseconds in a `u64`, since an origin that the driver chooses. That is enough for 584,000 years, so
//! overflow is not a case anyone has to handle; arithmetic saturates rather than panics.

use crate::Duration;

/// Microseconds since an origin that the driver chooses: power-up, process start, whatever its clock counts from.
///
/// Instants of different processes have nothing to do with each other. There are no operators `+` and `-`, because
/// they would have to panic or to hide that they saturate.
///
/// ```
/// use clocks::{Duration, Instant};
///
/// let start = Instant::from_micros(1_000);
/// let deadline = start.saturating_add(Duration::from_millis(150));
/// assert_eq!(deadline.as_micros(), 151_000);
/// assert_eq!(deadline.saturating_since(start), Duration::from_millis(150));
/// assert_eq!(start.saturating_since(deadline), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant {
    micros: u64,
}

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self { micros: 0 };

    /// The last instant there is: as a deadline, one that is never reached.
    pub const MAX: Self = Self { micros: u64::MAX };

    /// The instant `micros` microseconds after the origin.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Microseconds since the origin.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// The instant `duration` later, at most [`Instant::MAX`].
    #[inline]
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self {
            micros: self.micros.saturating_add(duration.as_micros()),
        }
    }

    /// The instant `duration` earlier, at least [`Instant::ZERO`].
    #[inline]
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self {
            micros: self.micros.saturating_sub(duration.as_micros()),
        }
    }

    /// The instant `duration` later, or `None` if that is after [`Instant::MAX`].
    #[inline]
    #[must_use]
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        match self.micros.checked_add(duration.as_micros()) {
            Some(micros) => Some(Self { micros }),
            None => None,
        }
    }

    /// How long ago `earlier` was, or [`Duration::ZERO`] if it is not earlier at all.
    #[inline]
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }
}

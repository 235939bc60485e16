//! A length of time, in the unit of [`Instant`](crate::Instant).
//!
//! `core::time::Duration` is seconds and nanoseconds in 16 bytes, and its operators panic on overflow. Timeouts here
//! are one `u64` of microseconds, and arithmetic on them saturates. Conversion from the standard type rounds up, and
//! division by zero gives the longest duration: waiting too long costs time, waiting too short can cost more.

/// A length of time in whole microseconds, up to 584,000 years.
///
/// ```
/// use clocks::Duration;
///
/// const HEARTBEAT: Duration = Duration::from_millis(50);
/// assert_eq!(HEARTBEAT.saturating_mul(3).as_millis(), 150);
///
/// let from_config = Duration::from(core::time::Duration::from_nanos(1_500));
/// assert_eq!(from_config.as_micros(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Duration {
    micros: u64,
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self { micros: 0 };

    /// The longest duration there is: as a timeout, one that never ends.
    pub const MAX: Self = Self { micros: u64::MAX };

    /// `micros` microseconds.
    #[inline]
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// `millis` milliseconds, at most [`Duration::MAX`].
    #[inline]
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self {
            micros: millis.saturating_mul(1_000),
        }
    }

    /// `secs` seconds, at most [`Duration::MAX`].
    #[inline]
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self {
            micros: secs.saturating_mul(1_000_000),
        }
    }

    /// The length in microseconds.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.micros
    }

    /// The length in whole milliseconds, what is left over dropped: for people to read, not to set timers with.
    #[inline]
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.micros / 1_000
    }

    /// The sum, at most [`Duration::MAX`].
    #[inline]
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_add(other.micros),
        }
    }

    /// The difference, at least [`Duration::ZERO`].
    #[inline]
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self {
            micros: self.micros.saturating_sub(other.micros),
        }
    }

    /// `factor` times as long, at most [`Duration::MAX`].
    #[inline]
    #[must_use]
    pub const fn saturating_mul(self, factor: u64) -> Self {
        Self {
            micros: self.micros.saturating_mul(factor),
        }
    }

    /// The `divisor`-th part, rounded down to a microsecond. A `divisor` of zero gives [`Duration::MAX`], for zero
    /// time as well: nothing divided by nothing must not become a timeout that fires at once.
    #[inline]
    #[must_use]
    pub const fn saturating_div(self, divisor: u64) -> Self {
        match self.micros.checked_div(divisor) {
            Some(micros) => Self { micros },
            None => Self::MAX,
        }
    }
}

/// Exact.
impl From<Duration> for core::time::Duration {
    #[inline]
    fn from(duration: Duration) -> Self {
        Self::from_micros(duration.micros)
    }
}

/// Rounds up to a whole microsecond, so that a timeout does not become shorter, and saturates at [`Duration::MAX`].
impl From<core::time::Duration> for Duration {
    #[inline]
    fn from(duration: core::time::Duration) -> Self {
        let part = u64::from(duration.subsec_nanos().div_ceil(1_000));
        Self {
            micros: duration
                .as_secs()
                .saturating_mul(1_000_000)
                .saturating_add(part),
        }
    }
}

//! Wall-clock time as keys expire by it: milliseconds since 1970.
//!
//! Only the leader looks at its clock, when it turns a command into an operation; replicas take the time
//! from the operation. So all of them agree on what has expired, whatever their own clocks say.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// What this machine's clock says. It may run backward; [`crate::store::Store`] does not follow it there.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Self(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// The time `millis` later, or earlier if negative; it stops at the ends of the range.
    pub fn saturating_add(self, millis: i64) -> Self {
        Self(self.0.saturating_add_signed(millis))
    }

    /// Milliseconds from `earlier` to this time, 0 if it is not earlier.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

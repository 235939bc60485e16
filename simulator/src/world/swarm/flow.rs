//! Bounds of what is under way, and drivers that keep older entries.
//!
//! Most groups have neither: a window in flight that is narrow, or loans in place of snapshots,
//! would take the faults of everything else away from them.

use core::fmt;

use super::Swarm;
use crate::world::random::Random;

impl Swarm {
    /// The same world with some of it.
    pub(super) fn flow(self, random: &mut Random) -> Swarm {
        Swarm {
            // Appends, and bytes in frames; a frame is the least.
            in_flight: random.pick(&[None, None, Some((1, 1)), Some((2, 9)), Some((9, 2))]),
            uncommitted_bytes_max: random.pick(&[None, None, None, Some(0), Some(150)]),
            // One that never lasts, and one that holds more than a window.
            archive_bytes: random.pick(&[0, 0, 0, 500, 6000]),
            hold_percent: random.pick(&[None, None, Some(50), Some(100)]),
            ..self
        }
    }

    pub(super) fn fmt_flow(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  flow     in_flight={:?} uncommitted={:?} archive={} hold={:?}",
            self.in_flight, self.uncommitted_bytes_max, self.archive_bytes, self.hold_percent,
        )
    }
}

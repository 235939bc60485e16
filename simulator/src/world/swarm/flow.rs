//! Bounds of what is under way, and drivers that keep older entries.
//!
//! Most groups have neither: a window in flight that is narrow, or loans in place of snapshots,
//! would take the faults of everything else away from them.

use core::fmt;

use crate::world::random::Random;

/// What of it a world has. The default is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// What may be in flight to a member, if that is bounded: appends, and bytes in frames.
    pub in_flight: Option<(u16, u32)>,
    /// Bytes of entries that a leader lets wait for their commit.
    pub uncommitted_bytes_max: Option<u32>,
    /// Bytes of older entries that each driver keeps to lend them; none if zero.
    pub archive_bytes: usize,
    /// Part of the window below which compaction waits for who gets the snapshot.
    pub hold_percent: Option<u8>,
}

impl Flow {
    pub(super) fn draw(random: &mut Random) -> Self {
        Flow {
            // A frame is the least.
            in_flight: random.pick(&[None, None, Some((1, 1)), Some((2, 9)), Some((9, 2))]),
            uncommitted_bytes_max: random.pick(&[None, None, None, Some(0), Some(150)]),
            // One that never lasts, and one that holds more than a window.
            archive_bytes: random.pick(&[0, 0, 0, 500, 6000]),
            hold_percent: random.pick(&[None, None, Some(50), Some(100)]),
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  flow     in_flight={:?} uncommitted={:?} archive={} hold={:?}",
            self.in_flight, self.uncommitted_bytes_max, self.archive_bytes, self.hold_percent,
        )
    }
}

//! What is on its way to one member, and how much of it there may be.
//!
//! A leader that sends entries as they come fills the buffers of a transport that does not say
//! when it is full, and all of it waits behind a follower that is slow or gone. So the appends on
//! their way to a member are bounded, in number and in bytes, beside the room that the member
//! itself reports.
//!
//! The bytes are exact: those of the entries that were sent and are not acknowledged. To know the
//! exact number of appends one would have to remember where each of them ended. Here they are
//! counted in two parts instead, up to a mark and after it: an acknowledgement that reaches the
//! mark frees the first part, and the second takes its place. So there are never more than the
//! bound, and at times up to half of it is freed one round trip late.
//!
//! Whatever shows that something was lost ends the counting, because then nothing after it is of
//! use: a refusal, and a transport that says so. An append without entries is not counted; one
//! leaves with each heartbeat also when the window is used up, and is refused where an earlier
//! append did not arrive. So nothing stays counted for ever.
//!
//! Bounds: 16 bytes for each member, in place of what other phases of the flow keep there.

use crate::types::LogIndex;

/// Appends with entries, and bytes of these entries, on their way to one member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InFlight {
    /// How many appends.
    pub messages: u16,
    /// How many bytes of entries, their headers included.
    pub bytes: u32,
}

/// What is on its way to one member.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Flight {
    /// The last entry of the first part.
    mark: LogIndex,
    bytes: u32,
    /// Appends that end at the mark or before it.
    older: u16,
    /// Appends after the mark.
    newer: u16,
}

impl Flight {
    pub(crate) const NONE: Flight = Flight {
        mark: LogIndex::ZERO,
        bytes: 0,
        older: 0,
        newer: 0,
    };

    pub(crate) const fn sum(&self) -> InFlight {
        InFlight {
            messages: self.older.saturating_add(self.newer),
            bytes: self.bytes,
        }
    }

    /// How many bytes of entries the next append may carry.
    #[inline]
    pub(crate) fn left(&self, most: InFlight) -> u32 {
        if self.sum().messages < most.messages {
            most.bytes.saturating_sub(self.bytes)
        } else {
            0
        }
    }

    /// An append left whose entries end with `end`.
    #[inline]
    pub(crate) const fn on_sent(&mut self, end: LogIndex, bytes: u32) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.older == 0 {
            (self.older, self.mark) = (1, end);
        } else {
            self.newer = self.newer.saturating_add(1);
        }
    }

    /// Everything up to `matched` is acknowledged. `bytes` is what the entries after it take that
    /// were sent, the last of them at `sent`; nothing if that is not known any more.
    #[inline]
    pub(crate) fn on_acked(&mut self, matched: LogIndex, sent: LogIndex, bytes: Option<u32>) {
        if matched >= sent {
            *self = Flight::NONE;
            return;
        }
        self.bytes = bytes.unwrap_or(self.bytes);
        if matched >= self.mark {
            (self.older, self.newer, self.mark) = (self.newer, 0, sent);
        }
    }

    /// What the future still depends on.
    pub(crate) const fn parts(&self) -> (LogIndex, u16, u16) {
        (self.mark, self.older, self.newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: InFlight = InFlight {
        messages: 4,
        bytes: 1000,
    };

    fn index(index: u64) -> LogIndex {
        LogIndex::new(index)
    }

    /// Appends of one entry of 100 bytes each, up to this entry.
    fn sent(last: u64) -> Flight {
        let mut flight = Flight::NONE;
        for end in 1..=last {
            assert!(flight.left(MOST) > 0);
            flight.on_sent(index(end), 100);
        }
        flight
    }

    #[test]
    fn number_of_appends_is_bounded() {
        assert_eq!(sent(3).left(MOST), 700);
        assert_eq!(sent(4).left(MOST), 0);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut flight = Flight::NONE;
        flight.on_sent(index(1), 1000);
        assert_eq!(flight.left(MOST), 0);
    }

    /// What is freed at an acknowledgement is never more than what was acknowledged.
    #[test]
    fn never_fewer_are_counted_than_are_under_way() {
        for acked in 0..=4 {
            for then in acked..=4 {
                let mut flight = sent(4);
                for matched in [acked, then] {
                    let rest = u16::try_from(4 - matched).unwrap();
                    flight.on_acked(index(matched), index(4), Some(u32::from(rest) * 100));
                    assert!(flight.sum().messages >= rest, "{acked} {then}");
                    assert_eq!(flight.sum().bytes, u32::from(rest) * 100);
                }
            }
        }
    }

    #[test]
    fn everything_acknowledged_leaves_nothing() {
        let mut flight = sent(4);
        flight.on_acked(index(4), index(4), Some(0));
        assert_eq!(flight, Flight::NONE);
    }

    #[test]
    fn mark_that_is_reached_frees_the_first_part() {
        let mut flight = sent(4);
        flight.on_acked(index(1), index(4), Some(300));
        assert_eq!(flight.sum().messages, 3, "the first was a part by itself");
        flight.on_acked(index(3), index(4), Some(100));
        assert_eq!(flight.sum().messages, 3, "the mark is the fourth");
        flight.on_sent(index(5), 100);
        flight.on_acked(index(4), index(5), Some(100));
        assert_eq!(flight.sum().messages, 1);
    }

    #[test]
    fn bytes_that_are_not_known_stay_counted() {
        let mut flight = sent(2);
        flight.on_acked(index(1), index(2), None);
        assert_eq!(flight.sum().bytes, 200);
    }
}

//! A position in a configuration: a dense index for arrays and bit sets.
//!
//! Vote counting and commit counting happen on every message. Looking processes up by name there costs a search;
//! a small index costs nothing. The price is that an index means something only together with the configuration
//! that assigned it: never put a [`Member`] into a message, send the [`NodeId`](crate::NodeId).

use core::fmt;

/// The index of a member in a configuration, from 0 to 63.
///
/// ```
/// use quorum::Member;
///
/// let third = Member::new(2).unwrap();
/// assert_eq!(third.index(), 2);
/// assert_eq!(Member::new(Member::COUNT_MAX), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Member(pub(crate) u8);

impl Member {
    /// How many members a configuration can have: one for each bit of a [`MemberSet`](crate::MemberSet).
    pub const COUNT_MAX: usize = 64;

    /// The member at `index`, or `None` if `index` is not below [`Member::COUNT_MAX`].
    #[inline]
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the index is below 64")]
    pub const fn new(index: usize) -> Option<Self> {
        if index < Self::COUNT_MAX {
            Some(Self(index as u8))
        } else {
            None
        }
    }

    /// The index given to [`Member::new`], below [`Member::COUNT_MAX`].
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        // The mask changes nothing; it lets the optimiser drop bounds checks on arrays of 64.
        (self.0 & 63) as usize
    }

    /// The member of the lowest set bit; member 0 when no bit is set, so that there is no failing path.
    #[inline]
    pub(crate) const fn lowest(bits: u64) -> Self {
        Self((bits.trailing_zeros() & 63) as u8)
    }

    /// The member of the highest set bit; member 0 when no bit is set, so that there is no failing path.
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a logarithm of 64 bits is below 64"
    )]
    pub(crate) const fn highest(bits: u64) -> Self {
        Self((bits | 1).ilog2() as u8)
    }

    /// The one bit that stands for this member.
    #[inline]
    pub(crate) const fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

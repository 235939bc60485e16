//! A set of members in one machine word.
//!
//! Who granted, who is reachable, who must be sent to: all of these are sets of at most 64 members. As a sorted list
//! each question is a loop; as bits in a `u64` union, intersection and counting are single instructions on most
//! CPUs, the set is `Copy`, and two equal sets are equal bit for bit, whatever the order of insertion.
//!
//! Every operation is constant time; iterating is one step per member that is present. Nothing can fail: a
//! [`Member`] always fits.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::{BitAnd, BitOr, Sub};

use crate::Member;

/// A set of up to 64 members.
///
/// `|`, `&` and `-` are [`union`](Self::union), [`intersection`](Self::intersection) and
/// [`difference`](Self::difference). The order between sets is that of their [`bits`](Self::bits); it means nothing
/// except that sorting is deterministic.
///
/// ```
/// use quorum::{Member, MemberSet};
///
/// let mut acked = MemberSet::EMPTY;
/// let leader = Member::new(1).unwrap();
/// assert!(acked.insert(leader));
/// assert!(!acked.insert(leader));
///
/// let missing = MemberSet::first(3) - acked;
/// assert_eq!(missing.iter().map(Member::index).collect::<Vec<_>>(), [0, 2]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct MemberSet(u64);

impl MemberSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);

    /// The set in which member `i` is present if bit `i` (of value `1 << i`) is set.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The members `0..count`. A `count` above [`Member::COUNT_MAX`] gives all 64.
    #[inline]
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count >= Member::COUNT_MAX {
            Self(u64::MAX)
        } else {
            Self((1 << count) - 1)
        }
    }

    /// The set of just `member`.
    #[inline]
    #[must_use]
    pub const fn single(member: Member) -> Self {
        Self(member.bit())
    }

    /// Adds `member`; `true` if it was not there before.
    #[inline]
    pub const fn insert(&mut self, member: Member) -> bool {
        let added = !self.contains(member);
        self.0 |= member.bit();
        added
    }

    /// Takes `member` out; `true` if it was there before.
    #[inline]
    pub const fn remove(&mut self, member: Member) -> bool {
        let removed = self.contains(member);
        self.0 &= !member.bit();
        removed
    }

    /// Bit `i` (of value `1 << i`) is set if member `i` is present.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether `member` is present.
    #[inline]
    #[must_use]
    pub const fn contains(self, member: Member) -> bool {
        self.0 & member.bit() != 0
    }

    /// How many members are present, from 0 to 64.
    #[inline]
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether no member is present.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members of either set.
    #[inline]
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The members of both sets.
    #[inline]
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members of this set that are not in `other`.
    #[inline]
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every member of this set is in `other`. The empty set is a subset of every set.
    #[inline]
    #[must_use]
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The members, ascending by index; the set itself is copied and stays usable.
    #[inline]
    #[must_use]
    pub const fn iter(self) -> Members {
        Members(self.0)
    }

    /// This set but for its first member; empty stays empty.
    #[inline]
    pub(crate) const fn without_lowest(self) -> Self {
        Self(self.0 & self.0.wrapping_sub(1))
    }
}

impl BitOr for MemberSet {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitAnd for MemberSet {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        self.intersection(other)
    }
}

impl Sub for MemberSet {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.difference(other)
    }
}

impl FromIterator<Member> for MemberSet {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        let mut set = Self::EMPTY;
        set.extend(members);
        set
    }
}

impl Extend<Member> for MemberSet {
    fn extend<I: IntoIterator<Item = Member>>(&mut self, members: I) {
        for member in members {
            self.insert(member);
        }
    }
}

impl IntoIterator for MemberSet {
    type Item = Member;
    type IntoIter = Members;

    #[inline]
    fn into_iter(self) -> Members {
        self.iter()
    }
}

/// Prints the indexes: `{0, 2, 5}`.
impl fmt::Debug for MemberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Member::index))
            .finish()
    }
}

/// The members of a [`MemberSet`], ascending by index, from [`MemberSet::iter`].
#[derive(Clone, Debug)]
pub struct Members(u64);

impl Iterator for Members {
    type Item = Member;

    #[inline]
    fn next(&mut self) -> Option<Member> {
        if self.0 == 0 {
            return None;
        }
        let member = Member::lowest(self.0);
        *self = MemberSet(self.0).without_lowest().iter();
        Some(member)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = MemberSet(self.0).len();
        (len, Some(len))
    }
}

impl DoubleEndedIterator for Members {
    #[inline]
    fn next_back(&mut self) -> Option<Member> {
        if self.0 == 0 {
            return None;
        }
        let member = Member::highest(self.0);
        self.0 &= !member.bit();
        Some(member)
    }
}

impl ExactSizeIterator for Members {}

impl FusedIterator for Members {}

//! Two configurations at once, while one replaces the other.
//!
//! # The problem
//!
//! Members do not learn about a new configuration at the same moment. If each decides by the one that it knows, a
//! majority of the old and a majority of the new need not share a member, and both decide.
//!
//! Counting a majority of *all* members, old and new, fails: from three members to three others, four of the six
//! can agree while two of the three old ones, who have not heard of it, decide alone. What works is to ask for a
//! majority of the old **and** a majority of the new until the change is committed [Ongaro14 §4.3]: whoever decides
//! by either one then shares a member with it.
//!
//! # Bounds
//!
//! Twice those of [`Majority`]. The union of both halves has at most 64 members, by its type.

use crate::{Majority, Member, MemberSet, Outcome};

/// A configuration, or the transition between two.
///
/// ```
/// use quorum::{Joint, MemberSet};
///
/// // From {0, 1, 2} to {2, 3, 4}.
/// let change = Joint::new(MemberSet::from_bits(0b11100), Some(MemberSet::from_bits(0b00111)));
/// assert!(change.is_joint());
/// assert_eq!(change.members(), MemberSet::first(5));
///
/// // Three of the five members, but only one of the three old ones.
/// assert!(!change.is_quorum(MemberSet::from_bits(0b11100)));
/// // Two of each.
/// assert!(change.is_quorum(MemberSet::from_bits(0b01101)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Joint {
    incoming: Majority,
    outgoing: Option<Majority>,
}

impl Joint {
    /// A configuration that is not in transition.
    #[inline]
    #[must_use]
    pub const fn simple(members: MemberSet) -> Self {
        Self {
            incoming: Majority::new(members),
            outgoing: None,
        }
    }

    /// The transition to `incoming` from `outgoing`, or no transition if `outgoing` is `None`.
    ///
    /// `Some` of an empty set is a transition that never agrees to anything, like every empty [`Majority`].
    #[inline]
    #[must_use]
    pub const fn new(incoming: MemberSet, outgoing: Option<MemberSet>) -> Self {
        let outgoing = match outgoing {
            Some(members) => Some(Majority::new(members)),
            None => None,
        };
        Self {
            incoming: Majority::new(incoming),
            outgoing,
        }
    }

    /// The configuration that remains when the transition is over.
    #[inline]
    #[must_use]
    pub const fn incoming(&self) -> Majority {
        self.incoming
    }

    /// The configuration that is being replaced, while there is one.
    #[inline]
    #[must_use]
    pub const fn outgoing(&self) -> Option<Majority> {
        self.outgoing
    }

    /// Whether this is a transition, so that two majorities are asked.
    #[inline]
    #[must_use]
    pub const fn is_joint(&self) -> bool {
        self.outgoing.is_some()
    }

    /// The members of either configuration: whom to send to, not whom to count.
    #[inline]
    #[must_use]
    pub const fn members(&self) -> MemberSet {
        match self.outgoing {
            Some(outgoing) => self.incoming.members().union(outgoing.members()),
            None => self.incoming.members(),
        }
    }

    /// Whether `agreeing` contains a quorum of each configuration.
    #[inline]
    #[must_use]
    pub const fn is_quorum(&self, agreeing: MemberSet) -> bool {
        match self.outgoing {
            Some(outgoing) => self.incoming.is_quorum(agreeing) && outgoing.is_quorum(agreeing),
            None => self.incoming.is_quorum(agreeing),
        }
    }

    /// What a vote has come to: won if won in each configuration, lost if lost in either.
    ///
    /// Contradicting answers and those of strangers count as in [`Majority::outcome`].
    #[inline]
    #[must_use]
    pub const fn outcome(&self, granted: MemberSet, refused: MemberSet) -> Outcome {
        let incoming = self.incoming.outcome(granted, refused);
        match self.outgoing {
            Some(outgoing) => incoming.and(outgoing.outcome(granted, refused)),
            None => incoming,
        }
    }

    /// The largest `v` such that a quorum of each configuration has a `value` of at least `v`.
    ///
    /// `value` is called once for each member of each configuration, so twice for a member of both.
    #[inline]
    #[must_use]
    pub fn committed(&self, value: impl Fn(Member) -> u64) -> u64 {
        let incoming = self.incoming.committed_by(&value);
        match self.outgoing {
            Some(outgoing) => incoming.min(outgoing.committed_by(&value)),
            None => incoming,
        }
    }
}

//! The state of a vote.

/// What a vote has come to, from the answers so far.
///
/// `Won` and `Lost` are final as long as answers are only added: see [`Majority::outcome`](crate::Majority::outcome)
/// for what happens to a member that answers both ways.
///
/// ```
/// use quorum::{Majority, MemberSet, Outcome};
///
/// let voters = Majority::new(MemberSet::first(3));
/// assert_eq!(voters.outcome(MemberSet::first(1), MemberSet::EMPTY), Outcome::Pending);
/// assert_eq!(voters.outcome(MemberSet::first(2), MemberSet::EMPTY), Outcome::Won);
/// assert_eq!(voters.outcome(MemberSet::EMPTY, MemberSet::first(2)), Outcome::Lost);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// A quorum granted.
    Won,
    /// So many refused that no quorum can grant any more.
    Lost,
    /// The answers still missing decide.
    Pending,
}

impl Outcome {
    /// The outcome of two votes that must both be won.
    #[inline]
    pub(crate) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lost, _) | (_, Self::Lost) => Self::Lost,
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            (Self::Won, Self::Won) => Self::Won,
        }
    }
}

//! More than half of the members.
//!
//! # The problem
//!
//! A decision must survive the loss of some members, and two decisions must not contradict each other. Asking all
//! members fails as soon as one is down. Asking any fixed number that is not more than half fails too: two groups of
//! two among four can decide without having met. Any two sets of more than half share a member `[Thomas79]`, and
//! that member knows both decisions; Raft and Paxos rest on this one fact.
//!
//! # What it answers
//!
//! [`Majority::outcome`] counts a vote; [`Majority::committed`] finds how far a log is replicated, which is where a
//! leader may commit up to [Ongaro14 Fig. 3.1].
//!
//! # Bounds
//!
//! One word of state. Votes are counted in constant time. [`Majority::committed`] states its own bound: it looks at
//! each member once, with sorting networks for the common sizes and a short insertion beyond.
//!
//! # What it does not do
//!
//! Weights, grids and flexible quorums (a large one to elect and a small one to commit) are other systems.

use crate::{Member, MemberSet, Outcome};

/// The largest majority that [`Majority::committed`] has to look at: of 64 members.
const SIZE_MAX: usize = Member::COUNT_MAX / 2 + 1;

/// A configuration in which any set of more than half of the members is a quorum.
///
/// # The empty majority
///
/// A majority over no members is never a quorum, every vote in it is [`Outcome::Lost`], and it commits nothing. By
/// counting alone it would agree to everything at once, and a node with a configuration that it has not received
/// yet would elect itself. (etcd treats an empty half as always agreeing, because it stands for "not joint" there;
/// here that is the `None` of [`Joint::new`](crate::Joint::new).)
///
/// ```
/// use quorum::{Majority, Member, MemberSet};
///
/// let voters = Majority::new(MemberSet::first(5));
/// assert_eq!(voters.size(), 3);
/// assert!(voters.is_quorum(MemberSet::from_bits(0b10101)));
///
/// // Three of five have the log up to 7 or further.
/// let matched = [9, 4, 7, 7, 2];
/// assert_eq!(voters.committed(|member| matched.get(member.index()).copied().unwrap_or(0)), 7);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Majority(MemberSet);

impl Majority {
    /// The configuration in which more than half of `members` must agree.
    #[inline]
    #[must_use]
    pub const fn new(members: MemberSet) -> Self {
        Self(members)
    }

    /// The members given to [`Majority::new`].
    #[inline]
    #[must_use]
    pub const fn members(&self) -> MemberSet {
        self.0
    }

    /// How many members make a quorum: more than half, so 1 of 1, 2 of 2, 2 of 3, 3 of 4, up to 33 of 64.
    ///
    /// For no members it is 1, which none can reach.
    #[inline]
    #[must_use]
    pub const fn size(&self) -> usize {
        self.0.len() / 2 + 1
    }

    /// Whether `agreeing` contains a quorum. Members of `agreeing` that are not [`members`](Self::members) do not
    /// count.
    #[inline]
    #[must_use]
    pub const fn is_quorum(&self, agreeing: MemberSet) -> bool {
        agreeing.intersection(self.0).len() >= self.size()
    }

    /// What a vote has come to when `granted` said yes and `refused` said no.
    ///
    /// Answers of strangers do not count. A member in both sets counts as having refused: an answer that was taken
    /// back, or that contradicts another one, is no promise to build on. Losing a vote costs a retry, winning one
    /// wrongly costs the agreement.
    #[inline]
    #[must_use]
    pub const fn outcome(&self, granted: MemberSet, refused: MemberSet) -> Outcome {
        if self.is_quorum(granted.difference(refused)) {
            Outcome::Won
        } else if self.is_quorum(self.0.difference(refused)) {
            Outcome::Pending
        } else {
            Outcome::Lost
        }
    }

    /// The largest `v` such that a quorum has a `value` of at least `v`; 0 without members.
    ///
    /// With `value` the log index that each member is known to have stored, everything up to the result is stored by
    /// a quorum. (Whether it is *committed* also depends on the term of the entry [Ongaro14 §3.6.2], which is the
    /// caller's to check.)
    ///
    /// `value` is called exactly once for each member, in ascending order. Beyond that a call costs at most 10 minima
    /// and maxima for up to five members, 45 pairs of them for up to nine (with 5 words of scratch space), and 2,112
    /// pairs for 64, that is `n * (n / 2 + 1)` for `n` members (with 33 words).
    #[inline]
    #[must_use]
    pub fn committed(&self, value: impl Fn(Member) -> u64) -> u64 {
        self.committed_by(&value)
    }

    #[inline]
    pub(crate) fn committed_by<F: Fn(Member) -> u64>(&self, value: &F) -> u64 {
        let mut members = self.0.iter();
        let mut next = || match members.next() {
            Some(member) => value(member),
            None => 0,
        };
        // Taking members away until none is left is cheaper than counting where there is no instruction for that.
        let all_but_1 = self.0.without_lowest();
        let all_but_3 = all_but_1.without_lowest().without_lowest();
        let all_but_5 = all_but_3.without_lowest().without_lowest();
        // A quorum of an even count is as large as one of the next odd count, so that a missing last member with
        // value 0 changes nothing: two sizes share each network.
        if all_but_1.is_empty() {
            next()
        } else if all_but_3.is_empty() {
            median_of_3(next(), next(), next())
        } else if all_but_5.is_empty() {
            median_of_5([next(), next(), next(), next(), next()])
        } else {
            committed_beyond_5(self, value)
        }
    }
}

/// Kept apart from the common sizes, which would pay for its stack frame.
#[inline(never)]
fn committed_beyond_5<F: Fn(Member) -> u64>(majority: &Majority, value: &F) -> u64 {
    let (members, rank) = (majority.members(), majority.size());
    if rank <= 5 {
        nth_largest::<5, F>(members, rank, value)
    } else {
        nth_largest::<SIZE_MAX, F>(members, rank, value)
    }
}

#[inline]
fn median_of_3(a: u64, b: u64, c: u64) -> u64 {
    let low = a.min(b);
    let high = a.max(b);
    low.max(high.min(c))
}

/// Of the two lower and the two higher of four values the inner ones are kept; with the fifth they are three values
/// with the same median.
#[inline]
fn median_of_5([a, b, c, d, e]: [u64; 5]) -> u64 {
    let low = a.min(b).max(c.min(d));
    let high = a.max(b).min(c.max(d));
    median_of_3(low, high, e)
}

/// The `rank`-th largest value, with `1 <= rank <= RANK_MAX`.
///
/// Keeps the `rank` largest values seen so far in descending order; each new value sinks through them.
fn nth_largest<const RANK_MAX: usize, F: Fn(Member) -> u64>(
    members: MemberSet,
    rank: usize,
    value: &F,
) -> u64 {
    let mut kept = [0; RANK_MAX];
    for member in members {
        let mut sinking = value(member);
        for slot in kept.iter_mut().take(rank) {
            let larger = sinking.max(*slot);
            sinking = sinking.min(*slot);
            *slot = larger;
        }
    }
    kept.iter().take(rank).next_back().copied().unwrap_or(0)
}

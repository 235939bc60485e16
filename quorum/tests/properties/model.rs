//! Majorities by the book: sorted sets of numbers, and trying every case.

use std::collections::BTreeSet;

use quorum::{Joint, Majority, Member, MemberSet, Outcome};

pub(crate) fn member(index: usize) -> Member {
    Member::new(index).expect("a member index below 64")
}

/// The members of `set` as plain numbers.
pub(crate) fn indexes(set: MemberSet) -> BTreeSet<usize> {
    (0..Member::COUNT_MAX)
        .filter(|index| set.bits() >> index & 1 == 1)
        .collect()
}

/// Every set among the first `count` members.
pub(crate) fn all_sets(count: usize) -> impl Iterator<Item = MemberSet> + Clone {
    (0..1u64 << count).map(MemberSet::from_bits)
}

/// Every subset of `set`, which must be small.
fn all_subsets(set: MemberSet) -> impl Iterator<Item = MemberSet> {
    all_sets(Member::COUNT_MAX - set.bits().leading_zeros() as usize)
        .filter(move |subset| subset.bits() & !set.bits() == 0)
}

pub(crate) fn is_quorum(members: MemberSet, agreeing: MemberSet) -> bool {
    let (mut asked, mut agreed) = (0, 0);
    for index in 0..Member::COUNT_MAX {
        if members.bits() >> index & 1 == 1 {
            asked += 1;
            agreed += agreeing.bits() >> index & 1;
        }
    }
    2 * agreed > asked
}

/// A quorum of every configuration that is given.
pub(crate) fn is_quorum_of_all(configurations: &[MemberSet], agreeing: MemberSet) -> bool {
    configurations
        .iter()
        .all(|members| is_quorum(*members, agreeing))
}

/// What a vote has come to, by trying how it can end: each member that has not answered grants or refuses. Nothing is
/// decided before each end is the same.
pub(crate) fn outcome(
    configurations: &[MemberSet],
    granted: MemberSet,
    refused: MemberSet,
) -> Outcome {
    let members = configurations
        .iter()
        .fold(0, |all, members| all | members.bits());
    let granted = granted.bits() & !refused.bits();
    let open = MemberSet::from_bits(members & !granted & !refused.bits());
    let mut ends = all_subsets(open)
        .map(|late| is_quorum_of_all(configurations, MemberSet::from_bits(granted | late.bits())));
    let first = ends.next().expect("the empty subset");
    match (first, ends.all(|end| end == first)) {
        (true, true) => Outcome::Won,
        (false, true) => Outcome::Lost,
        (_, false) => Outcome::Pending,
    }
}

/// The largest of the values that a quorum of each configuration has reached, tried one by one.
pub(crate) fn committed(configurations: &[MemberSet], values: &[u64]) -> u64 {
    let reached = |least: u64| -> MemberSet {
        (0..values.len())
            .filter(|index| values[*index] >= least)
            .map(member)
            .collect()
    };
    let agreed = |least: &u64| is_quorum_of_all(configurations, reached(*least));
    values.iter().copied().filter(agreed).max().unwrap_or(0)
}

/// The majorities of a joint configuration as the model takes them.
pub(crate) fn configurations(incoming: MemberSet, outgoing: Option<MemberSet>) -> Vec<MemberSet> {
    [Some(incoming), outgoing].into_iter().flatten().collect()
}

/// Looks values up by member, as a caller would.
pub(crate) fn by_member(values: &[u64]) -> impl Fn(Member) -> u64 {
    |member| values[member.index()]
}

/// Every vector of `length` values below `bound`.
pub(crate) fn all_values(length: u32, bound: u64) -> impl Iterator<Item = Vec<u64>> {
    (0..bound.pow(length)).map(move |number| {
        (0..length)
            .map(|place| number / bound.pow(place) % bound)
            .collect()
    })
}

/// What the two kinds of configuration have in common.
pub(crate) trait Quorum {
    fn agrees(&self, agreeing: MemberSet) -> bool;
}

impl Quorum for Majority {
    fn agrees(&self, agreeing: MemberSet) -> bool {
        self.is_quorum(agreeing)
    }
}

impl Quorum for Joint {
    fn agrees(&self, agreeing: MemberSet) -> bool {
        self.is_quorum(agreeing)
    }
}

//! `Majority` against the model: everything for up to five members, samples for up to 64.

use std::cell::RefCell;

use proptest::prelude::*;
use quorum::{Majority, MemberSet, Outcome};

use crate::model::{self, all_sets, all_values, by_member, indexes, member};

#[test]
fn quorum_is_more_than_half() {
    let sizes = [1, 1, 2, 2, 3, 3, 4, 4, 5];
    for (count, size) in sizes.into_iter().enumerate() {
        assert_eq!(Majority::new(MemberSet::first(count)).size(), size);
    }
    assert_eq!(Majority::new(MemberSet::first(64)).size(), 33);
}

#[test]
fn empty_majority_agrees_to_nothing() {
    let nobody = Majority::new(MemberSet::EMPTY);
    let everybody = MemberSet::first(64);
    assert!(!nobody.is_quorum(MemberSet::EMPTY));
    assert!(!nobody.is_quorum(everybody));
    assert_eq!(
        nobody.outcome(MemberSet::EMPTY, MemberSet::EMPTY),
        Outcome::Lost
    );
    assert_eq!(nobody.outcome(everybody, MemberSet::EMPTY), Outcome::Lost);
    assert_eq!(nobody.committed(|_| u64::MAX), 0);
}

#[test]
fn quorum_agrees_with_the_model_for_all_sets_of_up_to_five_members() {
    for members in all_sets(5) {
        let majority = Majority::new(members);
        assert_eq!(majority.members(), members);
        // A sixth and a seventh that are never members.
        for agreeing in all_sets(7) {
            assert_eq!(
                majority.is_quorum(agreeing),
                model::is_quorum(members, agreeing),
                "{members:?} {agreeing:?}"
            );
        }
    }
}

#[test]
fn outcome_agrees_with_the_model_for_all_votes_of_up_to_five_members() {
    for members in all_sets(5) {
        for granted in all_sets(5) {
            for refused in all_sets(5) {
                assert_eq!(
                    Majority::new(members).outcome(granted, refused),
                    model::outcome(&[members], granted, refused),
                    "{members:?}: {granted:?} granted, {refused:?} refused"
                );
            }
        }
    }
}

#[test]
fn member_that_granted_and_refused_counts_as_refused() {
    let three = Majority::new(MemberSet::first(3));
    let both = MemberSet::first(2);
    assert_eq!(three.outcome(both, MemberSet::EMPTY), Outcome::Won);
    assert_eq!(three.outcome(both, both), Outcome::Lost);
}

#[test]
fn votes_of_strangers_do_not_count() {
    let three = Majority::new(MemberSet::first(3));
    let strangers = MemberSet::first(64) - MemberSet::first(3);
    assert_eq!(three.outcome(strangers, MemberSet::EMPTY), Outcome::Pending);
    assert_eq!(three.outcome(MemberSet::EMPTY, strangers), Outcome::Pending);
}

#[test]
fn committed_agrees_with_the_model_for_all_values_of_up_to_five_members() {
    for members in all_sets(5) {
        for values in all_values(5, 4) {
            assert_eq!(
                Majority::new(members).committed(by_member(&values)),
                model::committed(&[members], &values),
                "{members:?} {values:?}"
            );
        }
    }
}

/// What is built from minima and maxima alone is right for all values if it is right for zeros and ones.
#[test]
fn committed_agrees_with_the_model_for_all_zeros_and_ones_of_up_to_twelve_members() {
    for count in 0..=12 {
        let majority = Majority::new(MemberSet::first(count));
        for values in all_values(count as u32, 2) {
            let ones = values.iter().filter(|value| **value == 1).count();
            assert_eq!(
                majority.committed(by_member(&values)),
                u64::from(2 * ones > count),
                "{values:?}"
            );
        }
    }
}

#[test]
fn committed_takes_one_member_for_its_word() {
    assert_eq!(
        Majority::new(MemberSet::single(member(63))).committed(|_| 7),
        7
    );
}

#[test]
fn committed_reaches_the_largest_value() {
    for count in 1..=64 {
        assert_eq!(
            Majority::new(MemberSet::first(count)).committed(|_| u64::MAX),
            u64::MAX
        );
    }
}

/// A member with a small value more often than a large one, so that values repeat.
fn values() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        prop_oneof![4 => 0..8u64, 1 => any::<u64>(), 1 => Just(u64::MAX)],
        64,
    )
}

/// Any set, mostly of the sizes that clusters have.
pub(crate) fn members() -> impl Strategy<Value = MemberSet> {
    prop_oneof![
        any::<u64>().prop_map(MemberSet::from_bits),
        (0usize..=64).prop_map(MemberSet::first),
        prop::collection::vec(0usize..64, 0..12)
            .prop_map(|some| some.into_iter().map(member).collect()),
    ]
}

proptest! {
    #[test]
    fn committed_agrees_with_the_model_up_to_64_members(members in members(), values in values()) {
        prop_assert_eq!(Majority::new(members).committed(by_member(&values)), model::committed(&[members], &values));
    }

    #[test]
    fn committed_asks_each_member_once_in_order(members in members()) {
        let asked = RefCell::new(Vec::new());
        let _ = Majority::new(members).committed(|member| {
            asked.borrow_mut().push(member.index());
            0
        });
        prop_assert!(indexes(members).into_iter().eq(asked.into_inner()));
    }

    #[test]
    fn committed_is_what_a_quorum_has_and_no_more(members in members(), values in values()) {
        let majority = Majority::new(members);
        let committed = majority.committed(by_member(&values));
        let having = |least: u64| members.iter().filter(|member| values[member.index()] >= least).collect();
        prop_assert!(members.is_empty() || majority.is_quorum(having(committed)));
        if let Some(more) = committed.checked_add(1) {
            prop_assert!(!majority.is_quorum(having(more)));
        }
    }

    #[test]
    fn decided_vote_stays_decided(members in members(), granted: u64, refused: u64, later: u64, yes: u64) {
        let majority = Majority::new(members);
        let (granted, refused) = (MemberSet::from_bits(granted & !refused), MemberSet::from_bits(refused));
        let late = MemberSet::from_bits(later) - granted - refused;
        let yes = MemberSet::from_bits(yes);
        let before = majority.outcome(granted, refused);
        let after = majority.outcome(granted | (late & yes), refused | (late - yes));
        prop_assert!(before == Outcome::Pending || before == after);
    }

    #[test]
    fn vote_is_decided_when_everybody_answered(members in members(), granted: u64) {
        let granted = MemberSet::from_bits(granted);
        let outcome = Majority::new(members).outcome(granted, members - granted);
        let expected = if model::is_quorum(members, granted) { Outcome::Won } else { Outcome::Lost };
        prop_assert_eq!(outcome, expected);
    }
}

//! `MemberSet` against `BTreeSet`.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorum::{Member, MemberSet, NodeId};

use crate::model::{all_sets, indexes, member};

#[test]
fn member_exists_for_each_index_below_64_only() {
    for index in 0..Member::COUNT_MAX {
        assert_eq!(Member::new(index).map(Member::index), Some(index));
    }
    // Also not for what an eight-bit index would truncate to a valid one.
    for index in [64, 65, 255, 256, 257, usize::MAX] {
        assert_eq!(Member::new(index), None);
    }
}

#[test]
fn first_saturates_at_64_members() {
    for count in 0..=Member::COUNT_MAX {
        assert_eq!(indexes(MemberSet::first(count)), (0..count).collect());
    }
    for count in [65, 128, usize::MAX] {
        assert_eq!(MemberSet::first(count), MemberSet::from_bits(u64::MAX));
    }
}

#[test]
fn default_set_is_empty() {
    assert_eq!(MemberSet::default(), MemberSet::EMPTY);
    assert!(MemberSet::EMPTY.is_empty());
}

#[test]
fn sets_and_names_print_as_people_write_them() {
    let set: MemberSet = [5, 0, 63].map(member).into_iter().collect();
    assert_eq!(format!("{set:?}"), "{0, 5, 63}");
    assert_eq!(format!("{:>3}", member(7)), "  7");
    assert_eq!(format!("{:04}", NodeId::new(7)), "0007");
}

#[test]
fn sets_can_be_computed_at_compile_time() {
    const BOTH: MemberSet = MemberSet::first(2).union(MemberSet::from_bits(0b1000));
    const COUNT: usize = BOTH.len();
    assert_eq!(COUNT, 3);
}

#[test]
fn all_sets_of_up_to_six_members_come_in_order_from_both_ends() {
    for set in all_sets(6) {
        assert!(set.iter().map(Member::index).eq(indexes(set)));
        assert!(
            set.iter()
                .rev()
                .map(Member::index)
                .eq(indexes(set).into_iter().rev())
        );
    }
}

proptest! {
    #[test]
    fn insert_and_remove_report_what_changed(steps in prop::collection::vec((any::<bool>(), 0usize..64), 0..200)) {
        let mut set = MemberSet::EMPTY;
        let mut model = BTreeSet::new();
        for (insert, index) in steps {
            if insert {
                prop_assert_eq!(set.insert(member(index)), model.insert(index));
            } else {
                prop_assert_eq!(set.remove(member(index)), model.remove(&index));
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(&indexes(set), &model);
        }
    }

    #[test]
    fn operations_are_those_of_sets(a: u64, b: u64) {
        let (a, b) = (MemberSet::from_bits(a), MemberSet::from_bits(b));
        let (model_a, model_b) = (indexes(a), indexes(b));
        prop_assert_eq!(indexes(a | b), model_a.union(&model_b).copied().collect());
        prop_assert_eq!(indexes(a & b), model_a.intersection(&model_b).copied().collect());
        prop_assert_eq!(indexes(a - b), model_a.difference(&model_b).copied().collect());
        prop_assert_eq!(a.is_subset(b), model_a.is_subset(&model_b));
        prop_assert!((a & b).is_subset(a) && a.is_subset(a | b));
        for index in 0..64 {
            prop_assert_eq!(a.contains(member(index)), model_a.contains(&index));
            prop_assert_eq!(indexes(MemberSet::single(member(index))), [index].into());
        }
    }

    #[test]
    fn members_come_in_index_order_from_both_ends(bits: u64, from_front in prop::collection::vec(any::<bool>(), 65)) {
        let set = MemberSet::from_bits(bits);
        prop_assert!(set.iter().map(Member::index).eq(indexes(set)));
        prop_assert_eq!(set.into_iter().collect::<MemberSet>(), set);

        let mut members = set.iter();
        let mut model = indexes(set);
        for front in from_front {
            prop_assert_eq!(members.len(), model.len());
            let (member, expected) =
                if front { (members.next(), model.pop_first()) } else { (members.next_back(), model.pop_last()) };
            prop_assert_eq!(member.map(Member::index), expected);
        }
        prop_assert_eq!(members.next(), None);
    }
}

//! What everything rests on: two decisions have a member in common who knows both.

use proptest::prelude::*;
use quorum::{Joint, Majority, MemberSet};

use crate::majority::members;
use crate::model::{Quorum, all_sets};

/// Every quorum of `a` among the first `count` members shares a member with every quorum of `b`.
fn always_meet(a: &impl Quorum, b: &impl Quorum, count: usize) -> bool {
    let of_b = all_sets(count).filter(|set| b.agrees(*set));
    all_sets(count)
        .filter(|set| a.agrees(*set))
        .all(|of_a| of_b.clone().all(|of_b| !(of_a & of_b).is_empty()))
}

#[test]
fn any_two_quorums_of_a_majority_share_a_member() {
    for members in all_sets(6) {
        let majority = Majority::new(members);
        assert!(always_meet(&majority, &majority, 6), "{members:?}");
    }
}

#[test]
fn joint_quorums_share_a_member_with_quorums_of_both_configurations() {
    for incoming in all_sets(4) {
        for outgoing in all_sets(4) {
            let joint = Joint::new(incoming, Some(outgoing));
            assert!(
                always_meet(&joint, &Majority::new(incoming), 4),
                "{joint:?}"
            );
            assert!(
                always_meet(&joint, &Majority::new(outgoing), 4),
                "{joint:?}"
            );
            assert!(always_meet(&joint, &joint, 4), "{joint:?}");
        }
    }
}

/// Why there are joint configurations: the same check finds the fault without them.
#[test]
fn quorums_of_two_configurations_alone_need_not_meet() {
    let (old, new) = (
        Majority::new(MemberSet::first(3)),
        Majority::new(MemberSet::first(5)),
    );
    assert!(!always_meet(&old, &new, 5));
}

proptest! {
    /// If some set is a quorum, what it leaves out is none: so no two quorums are disjoint.
    #[test]
    fn no_quorum_is_disjoint_from_another_up_to_64_members(
        incoming in members(),
        outgoing in members(),
        agreeing: u64,
    ) {
        let agreeing = MemberSet::from_bits(agreeing);
        let others = MemberSet::first(64) - agreeing;
        let joint = Joint::new(incoming, Some(outgoing));
        for half in [Majority::new(incoming), Majority::new(outgoing)] {
            prop_assert!(!(half.is_quorum(agreeing) && half.is_quorum(others)));
            prop_assert!(!(joint.is_quorum(agreeing) && half.is_quorum(others)));
        }
    }

    #[test]
    fn more_agreement_never_loses_a_quorum(incoming in members(), outgoing in members(), some: u64, more: u64) {
        let joint = Joint::new(incoming, Some(outgoing));
        let (some, more) = (MemberSet::from_bits(some), MemberSet::from_bits(more));
        prop_assert!(!joint.is_quorum(some) || joint.is_quorum(some | more));
    }
}

//! `Joint` against the model: everything for up to four members in total, samples for up to 64.

use proptest::prelude::*;
use quorum::{Joint, Majority, MemberSet, Outcome};

use crate::majority::members;
use crate::model::{self, all_sets, all_values, by_member};

/// Every pair of configurations among the first `count` members, and every single one.
fn all_changes(count: usize) -> impl Iterator<Item = (MemberSet, Option<MemberSet>)> {
    all_sets(count).flat_map(move |incoming| {
        let outgoing = std::iter::once(None).chain(all_sets(count).map(Some));
        outgoing.map(move |outgoing| (incoming, outgoing))
    })
}

#[test]
fn simple_configuration_is_its_majority() {
    for members in all_sets(4) {
        let (joint, majority) = (Joint::simple(members), Majority::new(members));
        assert_eq!(joint, Joint::new(members, None));
        assert!(!joint.is_joint());
        assert_eq!(joint.members(), members);
        assert_eq!(joint.incoming(), majority);
        assert_eq!(joint.outgoing(), None);
        for granted in all_sets(4) {
            assert_eq!(joint.is_quorum(granted), majority.is_quorum(granted));
        }
    }
}

#[test]
fn transition_has_the_members_of_both() {
    let (incoming, outgoing) = (MemberSet::from_bits(0b1100), MemberSet::from_bits(0b0111));
    let change = Joint::new(incoming, Some(outgoing));
    assert!(change.is_joint());
    assert_eq!(change.members(), MemberSet::first(4));
    assert_eq!(change.incoming().members(), incoming);
    assert_eq!(
        change.outgoing().map(|majority| majority.members()),
        Some(outgoing)
    );
}

#[test]
fn transition_from_nobody_agrees_to_nothing() {
    let three = MemberSet::first(3);
    let change = Joint::new(three, Some(MemberSet::EMPTY));
    assert!(change.is_joint());
    assert!(!change.is_quorum(three));
    assert_eq!(change.outcome(three, MemberSet::EMPTY), Outcome::Lost);
    assert_eq!(change.committed(|_| 9), 0);
}

/// The history of [Ongaro14 §4.3] in one line: four of six are a majority of all, and still not of the old ones.
#[test]
fn majority_of_the_union_is_not_enough() {
    let (old, new) = (
        MemberSet::from_bits(0b000_111),
        MemberSet::from_bits(0b111_000),
    );
    let change = Joint::new(new, Some(old));
    let four = MemberSet::from_bits(0b111_100);
    assert!(Majority::new(old | new).is_quorum(four));
    assert!(!change.is_quorum(four));
    assert_eq!(change.outcome(four, MemberSet::EMPTY), Outcome::Pending);
    assert_eq!(
        change.committed(|member| if four.contains(member) { 5 } else { 0 }),
        0
    );
}

#[test]
fn outcome_agrees_with_the_model_for_all_votes_of_up_to_four_members() {
    for (incoming, outgoing) in all_changes(4) {
        let configurations = model::configurations(incoming, outgoing);
        let joint = Joint::new(incoming, outgoing);
        for granted in all_sets(4) {
            assert_eq!(
                joint.is_quorum(granted),
                model::is_quorum_of_all(&configurations, granted)
            );
            for refused in all_sets(4) {
                // An empty half can never be won, whatever the votes are.
                assert_eq!(
                    joint.outcome(granted, refused),
                    model::outcome(&configurations, granted, refused),
                    "{joint:?}: {granted:?} granted, {refused:?} refused"
                );
            }
        }
    }
}

#[test]
fn committed_agrees_with_the_model_for_all_values_of_up_to_four_members() {
    for (incoming, outgoing) in all_changes(4) {
        let configurations = model::configurations(incoming, outgoing);
        for values in all_values(4, 4) {
            assert_eq!(
                Joint::new(incoming, outgoing).committed(by_member(&values)),
                model::committed(&configurations, &values),
                "{incoming:?} {outgoing:?} {values:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn joint_agrees_with_the_model_up_to_64_members(
        incoming in members(),
        outgoing in prop::option::of(members()),
        agreeing: u64,
        values in prop::collection::vec(0..20u64, 64),
    ) {
        let configurations = model::configurations(incoming, outgoing);
        let joint = Joint::new(incoming, outgoing);
        let agreeing = MemberSet::from_bits(agreeing);
        prop_assert_eq!(joint.is_quorum(agreeing), model::is_quorum_of_all(&configurations, agreeing));
        prop_assert_eq!(joint.committed(by_member(&values)), model::committed(&configurations, &values));
    }
}

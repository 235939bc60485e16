//! The search of the shipping code: small worlds close, and each seeded fault is found.

use simulator::search::explore::{Limits, explore};
use simulator::search::raft::{Budget, Caught, Profile, RaftSpace, Sabotage, hunt_report, profile};

fn small(name: &str, bounds: &[(&str, u8)]) -> Profile {
    let profile = profile(name, 1).expect("there is such a profile");
    let with = |profile: Profile, bound: &(&str, u8)| profile.with(bound.0, bound.1);
    let changed = bounds.iter().try_fold(profile, with);
    changed.expect("there are such bounds")
}

fn caught(profile: &Profile, sabotage: Sabotage) -> Caught {
    let budget = Budget {
        time_max: None,
        ..Budget::default()
    };
    let (caught, report) = hunt_report(profile, sabotage, &budget);
    caught.unwrap_or_else(|| panic!("not caught: {report:?}"))
}

/// A world in which nothing is broken closes, and another hash function counts the same states.
#[test]
fn a_sound_world_closes_with_the_same_count_for_every_hash() {
    let profile = small("elections", &[("frames", 1), ("crashes", 0)]);
    let count = |seed| {
        let mut space = RaftSpace::new(profile, Sabotage::None, seed);
        let report = explore(&mut space, &Limits::default());
        assert!(report.is_closed(), "{report:?}");
        (report.states, report.depth, report.steps)
    };
    let first = count(1);
    assert!(first.0 > 10_000);
    assert_eq!(first, count(2));
}

#[test]
fn refused_votes_that_arrive_as_granted_elect_two_leaders() {
    let profile = small("elections", &[("frames", 2), ("crashes", 0)]);
    let caught = caught(&profile, Sabotage::RefusalsGranted);
    assert_eq!((caught.invariant, caught.depth), ("election-safety", 10));
}

#[test]
fn a_disk_that_forgets_votes_makes_a_node_promise_what_it_did_not_store() {
    let profile = small("elections", &[("frames", 1)]);
    let caught = caught(&profile, Sabotage::VotesForgotten);
    assert_eq!(caught.invariant, "persist-before-send");
}

#[test]
fn requests_with_a_raised_log_elect_a_leader_that_lacks_entries() {
    let profile = small("elections", &[("frames", 1), ("terms", 2)]);
    let caught = caught(&profile, Sabotage::RequestsRaised);
    assert_eq!(caught.invariant, "leader-completeness");
}

#[test]
fn acknowledgements_of_too_much_commit_what_one_node_has() {
    let profile = small("replication", &[("frames", 1)]);
    let caught = caught(&profile, Sabotage::AcksRaised);
    assert_eq!(caught.invariant, "quorum-durability");
}

#[test]
fn writes_that_are_reported_early_are_promised_early() {
    let profile = small("unsynced", &[("crashes", 0)]);
    let caught = caught(&profile, Sabotage::WritesReportedEarly);
    assert_eq!(caught.invariant, "persist-before-send");
}

#[test]
fn a_group_in_which_nobody_grants_a_pre_vote_asks_for_ever() {
    let profile = small("calm", &[]);
    let caught = caught(&profile, Sabotage::PreVotesRefused);
    assert_eq!(caught.invariant, "liveness");
}

#[test]
fn pre_votes_that_everybody_grants_let_a_lonely_node_disturb_the_others() {
    let profile = small("undisturbed", &[]);
    let caught = caught(&profile, Sabotage::PreVotesGranted);
    assert_eq!(caught.invariant, "undisturbed");
}

/// No law of the group is broken by one who campaigns too often; the model knows that nobody
/// campaigns because of an answer.
#[test]
fn a_node_that_a_refusal_makes_campaign_is_caught_by_the_model_alone() {
    let profile = small("elections", &[("crashes", 0)]);
    let caught = caught(&profile, Sabotage::RefusalsStir);
    assert_eq!(caught.invariant, "reference");
}

/// Small worlds with all that a node can be asked for close, and something was asked and answered.
#[test]
fn worlds_of_wishes_close() {
    let worlds = [
        small("reads", &[("terms", 1)]),
        small("transfer", &[("proposals", 0), ("terms", 1)]),
        small("membership", &[("terms", 1)]),
        small("pieces", &[]),
        small("leases", &[("members", 2), ("terms", 1)]),
    ];
    for profile in worlds {
        let mut space = RaftSpace::new(profile, Sabotage::None, 0);
        let report = explore(&mut space, &Limits::default());
        assert!(report.is_closed(), "{}: {report:?}", profile.name);
        let reached = space.reached();
        assert!(reached.contains("terms +1"), "{reached}");
        assert_eq!(
            profile.reads > 0,
            reached.contains("answer a read"),
            "{reached}"
        );
        assert!(!reached.contains("answer a read: 0"), "{reached}");
    }
}

#[test]
fn reads_that_are_answered_as_of_the_beginning_miss_what_was_committed() {
    let caught = caught(&small("reads", &[("terms", 1)]), Sabotage::ReadsStale);
    assert_eq!(caught.invariant, "linearizability");
}

/// A clock that is slower than was declared outlasts the promises of the others.
#[test]
fn a_lease_on_a_clock_that_drifts_too_far_is_answered_while_another_leads() {
    let caught = caught(&small("leases", &[]), Sabotage::ClocksSlower);
    assert_eq!(caught.invariant, "linearizability");
}

#[test]
fn a_vote_for_a_successor_that_nobody_named_is_noticed() {
    let caught = caught(
        &small("transfer", &[("proposals", 0)]),
        Sabotage::SuccessorsUnnamed,
    );
    assert_eq!(caught.invariant, "transfer");
}

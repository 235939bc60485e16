//! For each oracle one fault, seeded by hand, that makes it fire, alone on the bench; the same
//! seeds pass without the fault and with every oracle.

use simulator::linear::{Verdict, search};
use simulator::{Bench, Options, Oracle, Sabotage, World, run};

const SEEDS: u64 = 300;

/// Whether `oracle`, judging alone, notices the fault in one of the first seeds, and nothing is
/// noticed by anybody in that seed without it.
fn assert_caught(sabotage: Sabotage, oracle: Oracle) {
    let options = Options {
        bench: Bench::only(oracle),
        sabotage,
        ..Options::default()
    };
    for seed in 1..=SEEDS {
        let Some(violation) = run(seed, options).violation else {
            continue;
        };
        assert_eq!(violation.oracle, oracle);
        let honest = run(seed, Options::default());
        assert_eq!(honest.violation, None, "seed {seed} is sound");
        let others = Options {
            bench: Bench::ALL.without(oracle),
            ..options
        };
        println!(
            "{} caught by {oracle} with seed {seed}; by others: {:?}",
            sabotage.name(),
            run(seed, others).violation.map(|v| v.oracle)
        );
        return;
    }
    panic!("{oracle} does not notice {}", sabotage.name());
}

#[test]
fn election_safety_notices_forged_grants() {
    assert_caught(Sabotage::ForgesGrants, Oracle::ElectionSafety);
}

#[test]
fn one_vote_notices_a_disk_that_forgets_a_record() {
    assert_caught(Sabotage::ForgetsRecord, Oracle::OneVote);
}

#[test]
fn up_to_date_vote_notices_raised_claims() {
    assert_caught(Sabotage::RaisesClaims, Oracle::UpToDateVote);
}

#[test]
fn log_matching_notices_commands_changed_on_their_way() {
    assert_caught(Sabotage::ChangesCommands, Oracle::LogMatching);
}

#[test]
fn leader_completeness_notices_forged_grants() {
    assert_caught(Sabotage::ForgesGrants, Oracle::LeaderCompleteness);
}

#[test]
fn state_machine_safety_notices_a_skipped_command() {
    assert_caught(Sabotage::SkipsCommands, Oracle::StateMachineSafety);
}

#[test]
fn state_machine_safety_notices_a_repeated_command() {
    assert_caught(Sabotage::RepeatsCommands, Oracle::StateMachineSafety);
}

#[test]
fn quorum_durability_notices_a_disk_that_reports_early() {
    assert_caught(Sabotage::ReportsEarly, Oracle::QuorumDurability);
}

#[test]
fn quorum_durability_notices_that_one_copy_is_missing() {
    assert_caught(Sabotage::OneReportsEarly, Oracle::QuorumDurability);
}

#[test]
fn witness_notices_that_nobody_knows_who_is_one() {
    assert_caught(Sabotage::ForgetsWitnesses, Oracle::Witness);
}

#[test]
fn patience_notices_clocks_that_are_read_ahead_of_time() {
    assert_caught(Sabotage::HurriesTime, Oracle::Patience);
}

#[test]
fn hung_disk_notices_writes_that_are_reported_early() {
    assert_caught(Sabotage::ReportsEarly, Oracle::HungDisk);
}

#[test]
fn vote_quorum_notices_pre_votes_that_nobody_granted() {
    assert_caught(Sabotage::EchoesPreVotes, Oracle::VoteQuorum);
}

#[test]
fn persist_before_send_notices_a_disk_that_reports_early() {
    assert_caught(Sabotage::ReportsEarly, Oracle::PersistBeforeSend);
}

#[test]
fn monotonic_notices_a_host_that_goes_back_to_an_earlier_image() {
    assert_caught(Sabotage::Rewinds, Oracle::Monotonic);
}

#[test]
fn recovery_notices_a_disk_that_forgets_a_record() {
    assert_caught(Sabotage::ForgetsRecord, Oracle::Recovery);
}

#[test]
fn invariants_notice_damaged_memory() {
    assert_caught(Sabotage::RotsMemory, Oracle::Invariants);
}

#[test]
fn liveness_notices_that_votes_never_arrive() {
    assert_caught(Sabotage::LosesVotes, Oracle::Liveness);
}

#[test]
fn vote_quorum_notices_forged_grants() {
    assert_caught(Sabotage::ForgesGrants, Oracle::VoteQuorum);
}

#[test]
fn pre_vote_inert_notices_pre_votes_that_arrive_as_votes() {
    assert_caught(Sabotage::HardensPreVotes, Oracle::PreVoteInert);
}

#[test]
fn leader_append_only_notices_a_leader_that_goes_back_to_an_earlier_image() {
    assert_caught(Sabotage::Rewinds, Oracle::LeaderAppendOnly);
}

#[test]
fn quorum_log_notices_a_disk_that_loses_a_stored_record() {
    assert_caught(Sabotage::LosesRecord, Oracle::QuorumLog);
}

#[test]
fn match_index_notices_a_disk_that_loses_a_stored_record() {
    assert_caught(Sabotage::LosesRecord, Oracle::MatchIndex);
}

#[test]
fn match_index_notices_raised_acknowledgements() {
    assert_caught(Sabotage::RaisesAcks, Oracle::MatchIndex);
}

#[test]
fn commit_rule_notices_raised_commits() {
    assert_caught(Sabotage::RaisesCommits, Oracle::CommitRule);
}

#[test]
fn order_notices_a_disk_that_reports_early() {
    assert_caught(Sabotage::ReportsEarly, Oracle::Order);
}

#[test]
fn reconfiguration_notices_members_changed_on_their_way() {
    assert_caught(Sabotage::ChangesMembers, Oracle::Reconfiguration);
}

#[test]
fn snapshot_notices_one_of_another_state() {
    assert_caught(Sabotage::SpoilsSnapshots, Oracle::Snapshot);
}

#[test]
fn purity_notices_a_machine_that_reads_the_clock() {
    assert_caught(Sabotage::MisreadsClock, Oracle::Purity);
}

#[test]
fn bounded_output_notices_a_machine_that_forgets_what_it_sent() {
    assert_caught(Sabotage::ForgetsSending, Oracle::BoundedOutput);
}

#[test]
fn exactly_once_notices_a_client_that_is_answered_early() {
    assert_caught(Sabotage::AnswersEarly, Oracle::ExactlyOnce);
}

#[test]
fn exactly_once_notices_a_command_that_is_proposed_twice() {
    assert_caught(Sabotage::ProposesTwice, Oracle::ExactlyOnce);
}

#[test]
fn linearizability_notices_reads_of_whatever_was_applied() {
    assert_caught(Sabotage::ReadsLocally, Oracle::Linearizability);
}

#[test]
fn the_search_notices_reads_of_whatever_was_applied_without_the_log() {
    let options = Options {
        bench: Bench::ALL.without(Oracle::Linearizability),
        sabotage: Sabotage::ReadsLocally,
        ..Options::default()
    };
    let is_noticed = |seed: &u64| {
        let mut world = World::blank();
        assert_eq!(world.reset(*seed, options), Ok(()));
        assert_eq!(world.run_to_end(), Ok(()), "no other oracle notices");
        let verdict = search::check(&world.client_history(), 20_000);
        matches!(verdict, Verdict::Contradiction { .. })
    };
    assert!((1..=SEEDS).find(is_noticed).is_some());
}

#[test]
fn progress_notices_that_commands_never_arrive() {
    assert_caught(Sabotage::LosesCommands, Oracle::Progress);
}

#[test]
fn catch_up_notices_that_snapshots_never_arrive() {
    assert_caught(Sabotage::LosesChunks, Oracle::CatchUp);
}

#[test]
fn joint_left_notices_that_configurations_never_arrive() {
    assert_caught(Sabotage::LosesConfigurations, Oracle::JointLeft);
}

#[test]
fn stable_leader_notices_outsiders_that_depose_it() {
    assert_caught(Sabotage::DeposesByPreVotes, Oracle::StableLeader);
}

#[test]
fn deaf_leader_notices_answers_that_nobody_gave() {
    assert_caught(Sabotage::EchoesAppends, Oracle::DeafLeader);
}

#[test]
fn no_majority_notices_pre_votes_that_nobody_granted() {
    assert_caught(Sabotage::EchoesPreVotes, Oracle::NoMajority);
}

#[test]
fn invariants_notice_drivers_that_trust_damaged_frames() {
    assert_caught(Sabotage::TrustsFrames, Oracle::Invariants);
}

#[test]
fn recovery_notices_drivers_that_trust_rotten_records() {
    assert_caught(Sabotage::TrustsRecords, Oracle::Recovery);
}

//! The seeded faults: each must be noticed by its oracle, judging alone. This is a check of the
//! checks: it finds an oracle that cannot fail.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::oracle::{Bench, Oracle};
use crate::world::{Options, Share};
use crate::{Sabotage, run};

/// Which oracle must notice what.
const NOTICES: &[(Sabotage, Oracle)] = &[
    (Sabotage::ForgesGrants, Oracle::ElectionSafety),
    (Sabotage::ForgetsRecord, Oracle::OneVote),
    (Sabotage::RaisesClaims, Oracle::UpToDateVote),
    (Sabotage::ChangesCommands, Oracle::LogMatching),
    (Sabotage::ForgesGrants, Oracle::LeaderCompleteness),
    (Sabotage::SkipsCommands, Oracle::StateMachineSafety),
    (Sabotage::RepeatsCommands, Oracle::StateMachineSafety),
    (Sabotage::ReportsEarly, Oracle::QuorumDurability),
    (Sabotage::ReportsEarly, Oracle::PersistBeforeSend),
    (Sabotage::Rewinds, Oracle::Monotonic),
    (Sabotage::ForgetsRecord, Oracle::Recovery),
    (Sabotage::RotsMemory, Oracle::Invariants),
    (Sabotage::LosesVotes, Oracle::Liveness),
    (Sabotage::ForgesGrants, Oracle::VoteQuorum),
    (Sabotage::HardensPreVotes, Oracle::PreVoteInert),
    (Sabotage::Rewinds, Oracle::LeaderAppendOnly),
    (Sabotage::LosesRecord, Oracle::QuorumLog),
    (Sabotage::LosesRecord, Oracle::MatchIndex),
    (Sabotage::RaisesAcks, Oracle::MatchIndex),
    (Sabotage::RaisesCommits, Oracle::CommitRule),
    (Sabotage::ReportsEarly, Oracle::Order),
    (Sabotage::ChangesMembers, Oracle::Reconfiguration),
    (Sabotage::SpoilsSnapshots, Oracle::Snapshot),
    (Sabotage::MisreadsClock, Oracle::Purity),
    (Sabotage::ForgetsSending, Oracle::BoundedOutput),
    (Sabotage::OneReportsEarly, Oracle::QuorumDurability),
    (Sabotage::HurriesTime, Oracle::Patience),
    (Sabotage::ReportsEarly, Oracle::HungDisk),
    (Sabotage::EchoesPreVotes, Oracle::VoteQuorum),
    (Sabotage::TrustsFrames, Oracle::Invariants),
    (Sabotage::TrustsRecords, Oracle::Recovery),
    (Sabotage::AnswersEarly, Oracle::ExactlyOnce),
    (Sabotage::ProposesTwice, Oracle::ExactlyOnce),
    (Sabotage::ReadsLocally, Oracle::Linearizability),
    (Sabotage::LosesCommands, Oracle::Progress),
    (Sabotage::LosesChunks, Oracle::CatchUp),
    (Sabotage::LosesConfigurations, Oracle::JointLeft),
    (Sabotage::DeposesByPreVotes, Oracle::StableLeader),
    (Sabotage::EchoesAppends, Oracle::DeafLeader),
    (Sabotage::EchoesPreVotes, Oracle::NoMajority),
    (Sabotage::RaisesAcks, Oracle::Reference),
    (Sabotage::ForgetsWitnesses, Oracle::Witness),
];

/// Histories in which an oracle must have noticed.
const HISTORIES: u64 = 300;

/// Looks whether the oracles are awake.
pub(super) struct Seeded;

impl Checker for Seeded {
    fn name(&self) -> &'static str {
        "seeded"
    }

    fn unit(&self) -> &'static str {
        "faults"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        try_each(trial.budget, NOTICES, |&(sabotage, oracle)| {
            let options = Options {
                bench: Bench::only(oracle),
                sabotage,
                reference: Share::Every,
                ..Options::default()
            };
            let first = trial.first_seed();
            let mut seeds = first..first + HISTORIES;
            let notices = |seed| run(seed, options).violation.is_some();
            (!seeds.any(notices)).then(|| Caught {
                by: oracle.name().into(),
                what: format!("{oracle} does not notice {}", sabotage.name()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oracle_has_something_to_notice() {
        for oracle in Oracle::ALL {
            assert!(
                NOTICES.iter().any(|(_, notices)| *notices == oracle),
                "{oracle}"
            );
        }
    }
}

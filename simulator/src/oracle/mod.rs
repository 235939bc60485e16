//! What must be true, checked after every step.
//!
//! Each oracle is a type of its own in a module of its own and can be dropped, so that one can
//! see which of them notices what. They judge by what the harness knows (the disks, the frames,
//! the commands that were applied) and by the public questions of a machine, never by its
//! private state. All are incremental: a step costs what it changed.

mod bench;
pub(crate) mod bounded_output;
mod commit_rule;
mod configurations;
mod deaf_leader;
mod election_safety;
mod exactly_once;
mod follow;
mod hooks;
mod hung_disk;
mod invariants;
mod leader_append_only;
mod leader_completeness;
mod ledger;
mod linearizability;
mod liveness;
mod log_matching;
mod match_index;
mod monotonic;
mod name;
mod no_majority;
mod one_vote;
mod order;
mod patience;
mod persist_before_send;
mod pre_vote_inert;
mod purity;
mod quorum_durability;
mod quorum_log;
mod reconfiguration;
mod recovery;
mod reference;
pub(crate) mod snapshot;
mod state_machine_safety;
mod up_to_date_vote;
mod view;
mod vote_quorum;
mod witness;
pub(crate) mod words;

use raft_core::{EntryId, LogIndex};

use crate::world::chain::Chain;
use crate::world::clients::Clients;
use crate::world::host::Host;
use crate::world::reuse::copies_in_place;
use crate::world::swarm::HOSTS_MAX;

use ledger::Ledger;
use view::{Members, View};

pub(crate) use hooks::rebuild;

pub use bench::{Bench, Court, Finding, Judged, Violation};
pub use liveness::{Liveness, Recovery};
pub use name::Oracle;
pub use no_majority::NoMajority;

/// What is judged when a group is well after the storm.
pub(crate) const WELL: [Oracle; 5] = [
    Oracle::Liveness,
    Oracle::JointLeft,
    Oracle::Progress,
    Oracle::CatchUp,
    Oracle::StableLeader,
];

/// So many more commits, and the beginning of history may be forgotten.
const FORGET_EVERY: usize = 64;

/// What the harness remembers of a host that is up.
#[derive(Debug, Default)]
struct Shadow {
    view: View,
    members: Members,
    log: Chain,
    /// Steps until the whole log is looked at again.
    until_whole: u8,
}

copies_in_place!(Shadow {
    view,
    members,
    log,
    until_whole
});

/// All oracles and what they remember.
#[derive(Debug)]
pub struct Oracles {
    court: Court,
    /// Hosts that are witnesses, in all lives: operators wanted them so.
    witnesses: u64,
    shadows: [Shadow; HOSTS_MAX],
    ledger: Ledger,
    election_safety: election_safety::ElectionSafety,
    one_vote: one_vote::OneVote,
    up_to_date_vote: up_to_date_vote::UpToDateVote,
    log_matching: log_matching::LogMatching,
    leader_completeness: leader_completeness::LeaderCompleteness,
    /// How many committed entries there are when the next are forgotten.
    forget_at: usize,
    vote_quorum: vote_quorum::VoteQuorum,
    quorum_log: quorum_log::QuorumLog,
    match_index: match_index::MatchIndex,
    commit_rule: commit_rule::CommitRule,
    configurations: configurations::Configurations,
    purity: purity::Purity,
    /// Slow, so only where it is asked for.
    reference: Option<Box<reference::Reference>>,
    exactly_once: exactly_once::ExactlyOnce,
    deaf_leader: deaf_leader::DeafLeader,
    hung_disk: hung_disk::HungDisk,
    patience: patience::Patience,
    /// What clients asked for and were told.
    pub(crate) clients: Clients,
}

copies_in_place!(Oracles {
    court,
    witnesses,
    shadows,
    ledger,
    election_safety,
    one_vote,
    up_to_date_vote,
    log_matching,
    leader_completeness,
    forget_at,
    vote_quorum,
    quorum_log,
    match_index,
    commit_rule,
    configurations,
    purity,
    reference,
    exactly_once,
    deaf_leader,
    hung_disk,
    patience,
    clients,
});

impl Oracles {
    /// Oracles that have seen nothing yet.
    pub fn new(bench: Bench) -> Self {
        Oracles {
            court: Court::new(bench),
            witnesses: 0,
            shadows: Default::default(),
            ledger: Ledger::default(),
            election_safety: Default::default(),
            one_vote: Default::default(),
            up_to_date_vote: Default::default(),
            log_matching: Default::default(),
            leader_completeness: Default::default(),
            forget_at: FORGET_EVERY,
            vote_quorum: Default::default(),
            quorum_log: Default::default(),
            match_index: Default::default(),
            commit_rule: Default::default(),
            configurations: Default::default(),
            purity: Default::default(),
            reference: None,
            exactly_once: Default::default(),
            deaf_leader: Default::default(),
            hung_disk: Default::default(),
            patience: Default::default(),
            clients: Clients::default(),
        }
    }

    /// Forgets everything; buffers stay.
    pub fn reset(&mut self, bench: Bench) {
        self.court = Court::new(bench);
        self.witnesses = 0;
        for shadow in &mut self.shadows {
            (shadow.view, shadow.members) = Default::default();
            shadow.log.reset(EntryId::ZERO, 0);
        }
        self.ledger.clear();
        self.election_safety.clear();
        self.one_vote.clear();
        self.up_to_date_vote = Default::default();
        self.log_matching.clear();
        self.leader_completeness.clear();
        self.forget_at = FORGET_EVERY;
        self.vote_quorum = Default::default();
        self.quorum_log = Default::default();
        self.match_index = Default::default();
        self.commit_rule = Default::default();
        self.configurations.reset();
        self.purity = Default::default();
        self.reference = None;
        self.exactly_once.clear();
        self.deaf_leader = Default::default();
        self.hung_disk = Default::default();
        self.patience = Default::default();
        self.clients.reset();
    }

    /// Bytes that a copy copies, beside itself.
    pub fn bytes(&self) -> usize {
        let logs: usize = self.shadows.iter().map(|shadow| shadow.log.bytes()).sum();
        logs + self.ledger.bytes() + self.log_matching.bytes()
    }

    /// Who judges, and how often each did.
    pub fn court(&self) -> &Court {
        &self.court
    }

    /// Judges what was found elsewhere.
    pub fn judge(&mut self, oracle: Oracle, found: Result<(), String>) -> Result<(), Violation> {
        self.court.judge(oracle, found)
    }

    /// The log of a host that is up, as the harness remembers it.
    pub fn log(&self, host: usize) -> &Chain {
        &self.shadows[host].log
    }

    /// The last index that anybody committed.
    pub fn committed(&self) -> LogIndex {
        self.ledger.last()
    }

    /// Forgets the part of history that stands before every log, on disk or in memory.
    fn forget(&mut self, hosts: &[Host]) {
        if self.ledger.len() < self.forget_at {
            return;
        }
        let logs = hosts.iter().map(|host| &host.disk.durable().log);
        let used = logs.filter(|log| log.last().index > LogIndex::ZERO);
        if let Some(floor) = used.map(|log| log.base().index).min() {
            self.ledger.forget_before(floor);
            self.log_matching.forget_before(floor);
        }
        self.forget_at = self.ledger.len() + FORGET_EVERY;
    }
}

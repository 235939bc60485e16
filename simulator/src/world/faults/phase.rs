//! What a group is doing when a fault strikes. A storm in which leaders crash only while nothing
//! else goes on proves little: every kind of fault must have met every phase.

use raft_core::Role;

use crate::world::World;
use crate::world::clock::Moment;

/// What a group is doing, the rarest thing first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// A snapshot is being sent.
    Snapshot,
    /// A configuration with two majorities is in force somewhere.
    Joint,
    /// Somebody stands for election.
    Election,
    /// A leader has entries that are not committed.
    Replication,
    /// A leader has nothing to do.
    Rest,
    /// There is no leader, and nobody stands.
    Waiting,
}

/// How many phases there are.
pub const PHASES: usize = 6;

impl Phase {
    /// All of them.
    pub const ALL: [Phase; PHASES] = [
        Phase::Snapshot,
        Phase::Joint,
        Phase::Election,
        Phase::Replication,
        Phase::Rest,
        Phase::Waiting,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Snapshot => "snapshot",
            Phase::Joint => "joint",
            Phase::Election => "election",
            Phase::Replication => "replication",
            Phase::Rest => "rest",
            Phase::Waiting => "waiting",
        }
    }
}

impl World {
    /// What the group is doing.
    pub(crate) fn phase(&self) -> Phase {
        let recent = self.swarm.part(25);
        let machines = || self.hosts.iter().filter_map(|host| host.raft.as_ref());
        let is_sending = |sent: Moment| sent > Moment::default() && self.now < sent.plus(recent);
        if self.hosts.iter().any(|host| is_sending(host.sent_piece)) {
            return Phase::Snapshot;
        }
        if machines().any(|raft| raft.is_joint()) {
            return Phase::Joint;
        }
        let stands = |role| matches!(role, Role::PreCandidate | Role::Candidate);
        if machines().any(|raft| stands(raft.role())) {
            return Phase::Election;
        }
        let leader = self
            .leader()
            .and_then(|leader| self.hosts[leader].raft.as_ref());
        match leader {
            Some(raft) if raft.commit() < raft.last().index => Phase::Replication,
            Some(_) => Phase::Rest,
            None => Phase::Waiting,
        }
    }
}

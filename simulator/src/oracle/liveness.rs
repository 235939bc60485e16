//! When the faults are over the group commits again, and everybody catches up.
//!
//! The network still takes its time and clocks still run apart, but nothing is lost and nobody
//! fails. Then within a bound some moment must come at which a command that was proposed after
//! the storm is applied by every live member of the leader's configuration.

use core::fmt;

use clocks::Duration;
use quorum::NodeId;
use raft_core::EntryId;

use crate::world::clock::Moment;
use crate::world::host::Host;

/// How long after the storm the group must be well, in its longest election timeouts.
const PATIENCE: u64 = 50;

/// Terms since the storm of which is remembered what was proposed first.
const TERMS: usize = 64;

/// Watches the recovery.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    since: Moment,
    patience: Duration,
    /// The first commands that leaders took since, by term.
    proposed: [EntryId; TERMS],
}

impl Liveness {
    /// The storm is over now, in a group with this longest election timeout.
    pub fn new(now: Moment, election_timeout_max: Duration) -> Self {
        Liveness {
            since: now,
            patience: election_timeout_max.saturating_mul(PATIENCE),
            proposed: [EntryId::ZERO; TERMS],
        }
    }

    /// A leader took a command.
    pub fn on_proposed(&mut self, id: EntryId) {
        let first = &mut self.proposed[id.term.value() as usize % TERMS];
        if first.term != id.term {
            *first = id;
        }
    }

    /// How long the group had.
    pub fn elapsed(&self, now: Moment) -> Duration {
        Duration::from_micros(now.as_micros() - self.since.as_micros())
    }

    /// Whether it has taken too long.
    pub fn is_over(&self, now: Moment) -> bool {
        self.elapsed(now) > self.patience
    }

    /// Whether the group is well: a leader, its latest command since the storm, and every live
    /// member with it.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn is_well(&self, hosts: &[Host]) -> Result<(), Unwell> {
        let leaders = hosts.iter().filter_map(|host| host.raft.as_ref());
        let leader = leaders
            .filter(|raft| raft.is_established())
            .max_by_key(|raft| raft.term())
            .ok_or(Unwell::NoLeader)?;
        let name = leader.identity().node;
        if leader.is_joint() || leader.configuration_index() > leader.commit() {
            return Err(Unwell::Joint(name));
        }
        let wanted = self.proposed[leader.term().value() as usize % TERMS];
        if wanted.term != leader.term() {
            return Err(Unwell::NoCommand(name));
        }
        for seat in leader.members() {
            let member = hosts
                .iter()
                .find(|host| host.identity == Some(seat.identity));
            let Some(raft) = member.and_then(|host| host.raft.as_ref()) else {
                continue;
            };
            if member.is_some_and(|host| host.is_frozen) {
                continue;
            }
            if raft.delivered() < wanted.index || raft.term() != leader.term() {
                return Err(Unwell::Behind {
                    member: seat.identity.node,
                    delivered: EntryId::new(raft.delivered(), raft.term()),
                    leader: name,
                    wanted,
                });
            }
        }
        Ok(())
    }
}

/// What a group lacks to be well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwell {
    /// Nobody leads who has committed anything in its term.
    NoLeader,
    /// The leader does not finish its change of members.
    Joint(NodeId),
    /// The leader was given no command since the storm.
    NoCommand(NodeId),
    /// A member is behind.
    Behind {
        /// Who.
        member: NodeId,
        /// What it has delivered, and its term.
        delivered: EntryId,
        /// Who leads.
        leader: NodeId,
        /// The leader's first command since the storm.
        wanted: EntryId,
    },
}

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwell::NoLeader => f.write_str("there is no leader that has committed anything"),
            Unwell::Joint(node) => write!(f, "node {node} does not finish its change of members"),
            Unwell::NoCommand(node) => write!(f, "node {node} leads and takes no command"),
            Unwell::Behind {
                member,
                delivered,
                leader,
                wanted,
            } => write!(
                f,
                "node {member} has delivered {} in term {}, and not entry {} of node {leader}",
                delivered.index, delivered.term, wanted.index
            ),
        }
    }
}

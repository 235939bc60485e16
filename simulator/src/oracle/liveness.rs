//! When the faults are over the group commits again, and everybody catches up.
//!
//! The network still takes its time and clocks still run apart, but nothing is lost and nobody
//! fails. Then within a bound some moment must come at which a command that was proposed after
//! the storm is applied by every live member of the leader's configuration.

use clocks::Duration;
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
    pub fn is_well(&self, hosts: &[Host]) -> Result<(), String> {
        let leaders = hosts.iter().filter_map(|host| host.raft.as_ref());
        let leader = leaders
            .filter(|raft| raft.is_established())
            .max_by_key(|raft| raft.term());
        let Some(leader) = leader else {
            return Err("there is no leader that has committed anything".into());
        };
        let name = leader.identity().node;
        if leader.is_joint() || leader.configuration_index() > leader.commit() {
            return Err(format!("node {name} does not finish its change of members"));
        }
        let wanted = self.proposed[leader.term().value() as usize % TERMS];
        if wanted.term != leader.term() {
            return Err(format!("node {name} leads and takes no command"));
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
                return Err(format!(
                    "node {} has delivered {} in term {}, and not entry {} of node {name}",
                    seat.identity.node,
                    raft.delivered(),
                    raft.term(),
                    wanted.index
                ));
            }
        }
        Ok(())
    }
}

//! When the faults are over the group commits again, and everybody catches up.
//!
//! The network still takes its time and clocks still run apart, but nothing is lost and nobody
//! fails. Then within a bound some moment must come at which a command that was proposed after
//! the storm is applied by every live member of the leader's configuration.

use clocks::Duration;
use raft_core::EntryId;

use crate::world::clock::Moment;
use crate::world::host::Host;

/// How long after the storm the group must be well: fifty of the longest election timeouts.
const PATIENCE: Duration = Duration::from_millis(10_000);

/// Watches the recovery.
#[derive(Clone, Debug)]
pub struct Liveness {
    since: Moment,
    /// Commands that leaders took since.
    proposed: Vec<EntryId>,
}

impl Liveness {
    /// The storm is over now.
    pub fn new(now: Moment) -> Self {
        Liveness {
            since: now,
            proposed: Vec::new(),
        }
    }

    /// A leader took a command.
    pub fn on_proposed(&mut self, id: EntryId) {
        self.proposed.push(id);
    }

    /// How long the group had.
    pub fn elapsed(&self, now: Moment) -> Duration {
        Duration::from_micros(now.as_micros() - self.since.as_micros())
    }

    /// Whether it has taken too long.
    pub fn is_over(&self, now: Moment) -> bool {
        self.elapsed(now) > PATIENCE
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
        let of_term = |id: &&EntryId| id.term == leader.term();
        let Some(wanted) = self.proposed.iter().find(of_term) else {
            return Err(format!("node {name} leads and takes no command"));
        };
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

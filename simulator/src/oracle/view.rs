//! What a machine says of itself when asked.

use quorum::NodeId;
use raft_core::{EntryId, HardState, Identity, LogIndex, Role};

use crate::world::host::{Machine, host_of};
use crate::world::swarm::HOSTS_MAX;

/// The members of the configuration in force, by host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Members {
    /// Hosts that count in the new majority.
    pub(super) incoming: u64,
    /// Hosts that count in the old majority, while both are needed.
    pub(super) outgoing: Option<u64>,
    /// Which life of each host is meant.
    pub(super) identities: [Option<Identity>; HOSTS_MAX],
}

impl Members {
    /// Asks a machine.
    pub(super) fn of(raft: &Machine) -> Self {
        let (mut incoming, mut outgoing) = (0, 0);
        // Worked out from the seats: whether a machine knows that both majorities count is judged.
        let mut is_joint = false;
        let mut identities = [None; HOSTS_MAX];
        for seat in raft.members() {
            let Some(host) = host_of(seat.identity.node) else {
                continue;
            };
            identities[host] = Some(seat.identity);
            incoming |= u64::from(seat.standing.is_in_incoming()) << host;
            outgoing |= u64::from(seat.standing.is_in_outgoing()) << host;
            is_joint |= seat.standing.is_transitional();
        }
        Members {
            incoming,
            outgoing: is_joint.then_some(outgoing),
            identities,
        }
    }

    pub(super) const fn is_joint(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Whether these hosts contain every majority that is asked for.
    pub(super) fn has_quorum(&self, hosts: u64) -> bool {
        let has = |voters: u64| (hosts & voters).count_ones() > voters.count_ones() / 2;
        has(self.incoming) && self.outgoing.is_none_or(has)
    }
}

/// The public facts of one machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct View {
    pub(super) hard: HardState,
    pub(super) role: Role,
    pub(super) leader: Option<NodeId>,
    pub(super) commit: LogIndex,
    pub(super) delivered: LogIndex,
    pub(super) base: EntryId,
    pub(super) last: EntryId,
    pub(super) configuration_index: LogIndex,
}

impl Default for View {
    fn default() -> Self {
        View {
            hard: HardState::default(),
            role: Role::Follower,
            leader: None,
            commit: LogIndex::ZERO,
            delivered: LogIndex::ZERO,
            base: EntryId::ZERO,
            last: EntryId::ZERO,
            configuration_index: LogIndex::ZERO,
        }
    }
}

impl View {
    /// Asks a machine.
    #[inline]
    pub(super) fn of(raft: &Machine) -> Self {
        View {
            hard: raft.hard_state(),
            role: raft.role(),
            leader: raft.leader(),
            commit: raft.commit(),
            delivered: raft.delivered(),
            base: raft.base(),
            last: raft.last(),
            configuration_index: raft.configuration_index(),
        }
    }

    /// Whether a machine says this of itself, asked without making a copy of what it says.
    #[inline]
    pub(super) fn is_of(&self, raft: &Machine) -> bool {
        let View {
            hard,
            role,
            leader,
            commit,
            delivered,
            base,
            last,
            configuration_index,
        } = self;
        // What changes most often comes first.
        *commit == raft.commit()
            && *last == raft.last()
            && *role == raft.role()
            && hard.term == raft.term()
            && *leader == raft.leader()
            && *delivered == raft.delivered()
            && *configuration_index == raft.configuration_index()
            && *base == raft.base()
            && hard.vote == raft.hard_state().vote
    }

    /// Whether another configuration may be in force.
    pub(super) fn has_other_configuration(&self, other: &View) -> bool {
        self.configuration_index != other.configuration_index
            || self.last.term != other.last.term
            || self.base != other.base
    }
}

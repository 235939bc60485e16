//! What happened in the Raft node, for the log.

use raft_core::{Event, Role};
use tracing::{debug, error, info, warn};

use super::Engine;

impl Engine {
    /// Logs what has happened, and does what follows from it.
    pub(super) fn follow_events(&mut self) {
        while let Some(event) = self.raft.poll_event() {
            match event {
                Event::RoleChanged { role, term } => {
                    info!("now {role:?} in term {term}");
                    if role == Role::Candidate {
                        self.metrics.candidacies.inc();
                    }
                }
                Event::LeaderChanged { leader, term } => match leader {
                    Some(leader) => {
                        info!("node {leader} leads in term {term}");
                        self.metrics.leader_changes.inc();
                    }
                    None => info!("no leader is known in term {term}"),
                },
                Event::ConfigurationChanged { index } => {
                    self.have_members_changed = true;
                    let members: Vec<String> = self
                        .raft
                        .members()
                        .map(|seat| format!("{} {:?}", seat.identity.node, seat.standing))
                        .collect();
                    info!("members since entry {index}: {}", members.join(", "));
                }
                Event::Lost { from, below } => {
                    info!("entries from {from} on were overwritten in term {below}");
                    self.pending.lose(from);
                }
                Event::Dropped {
                    from,
                    reason,
                    count,
                } => {
                    warn!("dropped {count} messages, the last of node {from}: {reason:?}");
                    self.metrics.dropped.inc_by(u64::from(count));
                }
                Event::WindowFull
                | Event::NoRoomToCampaign
                | Event::TermsExhausted
                | Event::DiskStalled
                | Event::SnapshotFrameTooSmall
                | Event::TransferFailed { .. } => warn!("{event:?}"),
                Event::PersistFailed | Event::QuietChanged { .. } => debug!("{event:?}"),
                Event::Faulted(fault) => error!("{fault}"),
            }
        }
    }
}

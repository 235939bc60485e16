//! Handing over the office: by an operator's wish, and before this node ends.

use std::time::Instant as Clock;

use core::time::Duration;
use quorum::NodeId;
use raft_core::LogIndex;

use super::{Asker, Machine};
use crate::transport::Links;

/// How long an operator waits to hear who leads: longer than the Raft node tries.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether a successor leads.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The operators who wait for a transfer.
#[derive(Debug, Default)]
pub(super) struct Office {
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    to: NodeId,
    asker: Asker,
    end: Clock,
}

impl Office {
    /// Hands over to `to`, or to the member that is closest to this one; answers when that is done, or cannot be.
    pub(super) fn transfer(
        &mut self,
        raft: &mut Machine,
        now: clocks::Instant,
        links: &Links,
        to: Option<NodeId>,
        asker: Asker,
    ) {
        let Some(to) = to.or_else(|| successor(raft, links)) else {
            return asker.refuse("ERR no other member that could lead is connected");
        };
        match raft.transfer(now, to) {
            Ok(()) => self.waiting.push(Waiting {
                to,
                asker,
                end: Clock::now() + PATIENCE,
            }),
            Err(refused) => asker.refuse(&format!("ERR {refused}")),
        }
    }

    pub(super) fn deadline(&self) -> Option<Clock> {
        (!self.waiting.is_empty()).then(|| Clock::now() + LOOK_INTERVAL)
    }

    /// Answers those whose transfer has come to an end.
    pub(super) fn tick(&mut self, raft: &Machine) {
        let now = Clock::now();
        self.waiting.retain(|Waiting { to, asker, end }| {
            if raft.leader() == Some(*to) {
                asker
                    .outbox
                    .fill(asker.place, asker.protocol, |encoder| encoder.ok());
            } else if raft.is_leader() && raft.transferring_to().is_none() {
                asker.refuse(&format!(
                    "ERR node {to} did not take over in time; this node goes on"
                ));
            } else if let Some(other) = raft.leader().filter(|_| !raft.is_leader()) {
                asker.refuse(&format!("ERR node {other} leads instead of node {to}"));
            } else if now >= *end {
                asker.refuse("UNCERTAIN it is not known who leads");
            } else {
                return true;
            }
            false
        });
    }

    /// Answers all of them: there is no time to wait.
    pub(super) fn give_up(&mut self) {
        for Waiting { asker, .. } in self.waiting.drain(..) {
            asker.refuse("UNCERTAIN this node is ending");
        }
    }
}

/// The connected voter whose log is closest to that of this leader, the lowest id of equals.
pub(super) fn successor(raft: &Machine, links: &Links) -> Option<NodeId> {
    let own = raft.identity().node;
    raft.members()
        .filter(|seat| seat.standing.is_in_incoming())
        .map(|seat| seat.identity.node)
        .filter(|node| *node != own)
        .filter(|node| links.find(*node).is_some_and(|link| link.is_connected()))
        .min_by_key(|node| {
            let matched = raft.matched(*node).unwrap_or(LogIndex::ZERO);
            (core::cmp::Reverse(matched), *node)
        })
}

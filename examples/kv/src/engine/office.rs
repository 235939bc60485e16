//! Handing over the office: by an operator's wish, and before this node ends.
//!
//! Writes that come meanwhile wait. The successor asks for votes before it can say that it leads, so for a moment
//! after that this node knows no leader: requests wait on, because they would get nothing but an error.

use std::time::Instant as Clock;

use core::time::Duration;
use quorum::NodeId;
use raft_core::{LogIndex, Standing};

use super::{Asker, Machine};
use crate::transport::Links;

/// How long an operator waits to hear who leads: longer than the Raft node tries.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often to look whether a successor leads.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How long clients wait for a successor to make itself known after it was voted for.
const VACANCY_TIME_MAX: Duration = Duration::from_secs(1);

/// Who waits for a transfer.
#[derive(Debug, Default)]
pub(super) struct Office {
    /// Operators.
    waiting: Vec<Waiting>,
    /// Until when clients wait if this node loses its office now, while it hands over, and after.
    vacancy_end: Option<Clock>,
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
        let look = (!self.waiting.is_empty()).then(|| Clock::now() + LOOK_INTERVAL);
        look.into_iter().chain(self.vacancy_end).min()
    }

    /// Whether this node has handed over, and does not know yet who leads.
    pub(super) fn is_vacant(&self, raft: &Machine) -> bool {
        raft.leader().is_none() && self.vacancy_end.is_some_and(|end| Clock::now() < end)
    }

    /// Looks whether the office changes hands; says whether clients that waited for that can go on.
    pub(super) fn follow(&mut self, raft: &Machine) -> bool {
        if raft.transferring_to().is_some() {
            self.vacancy_end = Some(Clock::now() + VACANCY_TIME_MAX);
            return false;
        }
        !self.is_vacant(raft) && self.vacancy_end.take().is_some()
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

/// The connected voter that can lead and whose log is closest to that of this leader, the lowest id of equals.
pub(super) fn successor(raft: &Machine, links: &Links) -> Option<NodeId> {
    let own = raft.identity().node;
    raft.members()
        .filter(|seat| can_succeed(seat.standing))
        .map(|seat| seat.identity.node)
        .filter(|node| *node != own)
        .filter(|node| links.find(*node).is_some_and(|link| link.is_connected()))
        .min_by_key(|node| {
            let matched = raft.matched(*node).unwrap_or(LogIndex::ZERO);
            (core::cmp::Reverse(matched), *node)
        })
}

/// A witness votes and cannot lead.
fn can_succeed(standing: Standing) -> bool {
    standing.is_in_incoming() && !standing.is_witness()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_office_goes_to_voters_that_are_no_witnesses() {
        for standing in [Standing::Voter, Standing::Incoming] {
            assert!(can_succeed(standing), "{standing:?}");
        }
        for standing in [
            Standing::Witness,
            Standing::IncomingWitness,
            Standing::OutgoingWitness,
            Standing::Outgoing,
            Standing::Demoted,
            Standing::Learner,
        ] {
            assert!(!can_succeed(standing), "{standing:?}");
        }
    }
}

//! Nobody helps to replace a leader that was just heard, and nobody stands before its time:
//! `[Ongaro14 §3.4]`, `[Ongaro14 §4.2.3]`.
//!
//! Within the shortest election timeout after a leader was heard, or after a restart, before which
//! one may have been heard, no vote and no pre-vote is given. A campaign begins only when so long
//! nobody was heard, voted for or campaigned for, and not while the own vote is being written:
//! another term would begin that wait anew. Nothing of this is safety, and each omission costs a
//! group its leader now and then, which no bound on recovery notices. A vote does not wait if the
//! candidate says that the leader told it to stand, `[Ongaro14 §3.10]`; it says so only if a leader
//! of the term before did.
//!
//! Times are those that a machine was told: its clock, which stands still for it where it is set
//! back.

use clocks::{Duration, Instant};
use raft_core::{Body, HardState, Message, Role, Term};

use super::view::{Members, View};
use super::words::words;
use crate::world::host::{Host, Machine, host_of, node};
use crate::world::swarm::HOSTS_MAX;

/// What the harness remembers of a host.
#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    /// When a leader was last heard, or may have been.
    heard: Option<Instant>,
    /// Since when it may wait for its election timeout.
    since: Option<Instant>,
    /// It was told to stand by its operator.
    is_told: bool,
    /// It was told to stand by its leader just now.
    is_ordered: bool,
    /// Attempts for which it owes a refusal, by who asks.
    refuses: [Option<u32>; HOSTS_MAX],
}

/// Remembers who waits for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience {
    waits: [Wait; HOSTS_MAX],
    /// The latest terms whose leaders told each host to stand.
    orders: [[Term; ORDERS]; HOSTS_MAX],
}

/// So many orders to stand are remembered of each host.
const ORDERS: usize = 8;

impl Patience {
    /// A host came up. What it has stored tells whether it was there before, its configuration
    /// how long to wait.
    pub(super) fn on_start(
        &mut self,
        host: usize,
        told: Instant,
        (stored, known): (HardState, &Members),
    ) {
        let is_back = stored != HardState::default() && known.incoming != 0;
        let began = is_back.then_some(told);
        self.waits[host] = Wait {
            heard: began,
            since: began,
            ..Wait::default()
        };
    }

    /// The host is another node from now on.
    pub(super) fn forget(&mut self, host: usize) {
        for wait in &mut self.waits {
            wait.refuses[host] = None;
        }
    }

    /// A host was told to stand for election.
    pub(super) fn on_campaign(&mut self, host: usize) {
        self.waits[host].is_told = true;
    }

    /// A leader tells a host to stand.
    pub(super) fn on_order(&mut self, host: usize, term: Term) {
        let orders = &mut self.orders[host];
        if !orders.contains(&term) {
            orders.rotate_right(1);
            orders[0] = term;
        }
    }

    /// A candidate says that it was told to stand.
    pub(super) fn on_successor(&self, host: usize, term: Term) -> Result<(), String> {
        let before = Term::new(term.value().saturating_sub(1));
        if self.orders[host].contains(&before) {
            return Ok(());
        }
        Err(words!(
            "host {} asks for votes of term {term} as a successor, and nobody told it to stand",
            host + 1
        ))
    }

    /// Whether the host was told to stand by its leader, with the message it was given last.
    pub(super) fn is_ordered(&self, host: usize) -> bool {
        self.waits[host].is_ordered
    }

    /// A machine was given a message; `before` is what it was, and whether it was in a group.
    pub(super) fn on_received(
        &mut self,
        number: usize,
        from: usize,
        (before, is_member): (&View, bool),
        message: &Message<'_>,
        host: &Host,
    ) -> Option<Result<(), String>> {
        let (raft, wait) = (host.raft.as_ref()?, &mut self.waits[number]);
        let (told, patience) = (host.told, host.waits.election_min);
        let is_early = wait.is_sticky(told, patience);
        (wait.is_told, wait.is_ordered) = (false, false);
        match &message.body {
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_) => {
                let is_followed = raft.term() == message.term && raft.leader() == Some(node(from));
                // Who knows no group does not know how long to wait either.
                if is_followed && raft.role() == Role::Follower && is_member {
                    (wait.heard, wait.since) = (Some(told), Some(told));
                }
                None
            }
            Body::PreVote(request) => {
                let is_refused = is_early || before.role == Role::Leader;
                wait.refuses[from] = is_refused.then_some(request.attempt);
                None
            }
            Body::Vote(request) => {
                let voted = votes_for(raft, from) && raft.hard_state() != before.hard;
                if !voted {
                    return None;
                }
                wait.since = Some(told);
                if !is_early || request.is_transfer {
                    return Some(Ok(()));
                }
                Some(Err(words!(
                    "host {} votes for host {} at {told:?} and has heard a leader at {:?}",
                    number + 1,
                    from + 1,
                    wait.heard
                )))
            }
            Body::TimeoutNow => {
                let is_leader = before.leader == Some(node(from));
                wait.is_ordered = is_leader && before.hard.term == message.term;
                None
            }
            Body::PreVoteReply(_)
            | Body::VoteReply(_)
            | Body::Ack(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::Quiet(_)
            | Body::QuietReply(_) => None,
        }
    }

    /// A pre-vote is given.
    pub(super) fn on_granted(&self, from: usize, to: usize, attempt: u32) -> Result<(), String> {
        if self.waits[from].refuses[to] != Some(attempt) {
            return Ok(());
        }
        Err(words!(
            "host {} gives its pre-vote to attempt {attempt} of host {}, and had heard a leader \
             just before it was asked",
            from + 1,
            to + 1
        ))
    }

    /// The public facts of a machine changed.
    pub(super) fn on_change(
        &mut self,
        number: usize,
        before: &View,
        after: &View,
        host: &Host,
    ) -> Option<Result<(), String>> {
        let wait = &mut self.waits[number];
        let is_told = core::mem::take(&mut wait.is_told);
        let begins = matches!(
            (before.role, after.role),
            (Role::Follower, Role::PreCandidate | Role::Candidate)
                | (Role::Candidate, Role::PreCandidate)
        );
        let since = wait.since;
        if after.role == Role::Candidate && before.role != Role::Candidate {
            wait.since = Some(host.told);
        }
        if core::mem::take(&mut wait.is_ordered) || !begins {
            return None;
        }
        if is_told {
            // An operator is obeyed, unless a leader was heard: its own vote is not its alone.
            let is_early = wait.is_sticky(host.told, host.waits.election_min);
            let (told, heard) = (host.told, wait.heard);
            return is_early.then(|| Err(words_of_haste(number, told, heard)));
        }
        let earliest = since.map(|since| since.saturating_add(host.waits.election_min));
        if earliest.is_some_and(|earliest| host.told < earliest) {
            return Some(Err(words!(
                "host {} begins a campaign at {:?} and had to wait from {since:?} on",
                number + 1,
                host.told
            )));
        }
        let is_stored = host.disk.durable().hard == before.hard;
        if before.role == Role::Candidate && !is_stored {
            return Some(Err(words!(
                "host {} begins another campaign while its vote of term {} is being written",
                number + 1,
                before.hard.term
            )));
        }
        Some(Ok(()))
    }
}

impl Wait {
    fn is_sticky(&self, told: Instant, patience: Duration) -> bool {
        self.heard
            .is_some_and(|heard| told < heard.saturating_add(patience))
    }
}

fn words_of_haste(number: usize, told: Instant, heard: Option<Instant>) -> String {
    words!(
        "host {} stands at {told:?} because it was told to, and has heard a leader at {heard:?}",
        number + 1
    )
}

fn votes_for(raft: &Machine, host: usize) -> bool {
    let vote = raft.hard_state().vote;
    vote.and_then(|vote| host_of(vote.node)) == Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_owed_to_one_attempt_of_one_node() {
        let mut patience = Patience::default();
        patience.waits[1].refuses[2] = Some(7);
        assert!(patience.on_granted(1, 2, 6).is_ok());
        assert!(patience.on_granted(1, 0, 7).is_ok());
        assert!(patience.on_granted(1, 2, 7).is_err());
        patience.forget(2);
        assert!(patience.on_granted(1, 2, 7).is_ok());
    }

    #[test]
    fn who_was_there_before_may_have_heard_a_leader() {
        let (told, min) = (Instant::from_micros(50), Duration::from_micros(10));
        let mut patience = Patience::default();
        let stored = HardState {
            term: raft_core::Term::new(1),
            vote: None,
        };
        let members = Members {
            incoming: 0b11,
            ..Members::default()
        };
        patience.on_start(0, told, (HardState::default(), &members));
        assert!(!patience.waits[0].is_sticky(told, min));
        patience.on_start(0, told, (stored, &Members::default()));
        assert!(!patience.waits[0].is_sticky(told, min));
        patience.on_start(0, told, (stored, &members));
        assert!(patience.waits[0].is_sticky(told, min));
        assert!(!patience.waits[0].is_sticky(Instant::from_micros(60), min));
    }
}

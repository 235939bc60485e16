//! Whoever leads was given the votes of every majority that its configuration asks for,
//! `[Ongaro14 §3.4]`, `[Ongaro14 §4.3]`.
//!
//! Counted are votes that really left a voter, or stand on the leader's own disk. Learners and
//! nodes that were removed are in neither majority, so their votes do not help. In the same way
//! whoever becomes a candidate has the pre-votes of its latest attempt, `[Ongaro14 §9.6]`: one for
//! an earlier attempt says nothing of now.

use raft_core::Term;

use super::view::Members;
use super::words::words;
use crate::world::swarm::HOSTS_MAX;

/// Remembers for each candidate who voted for it in its latest term.
#[derive(Clone, Debug, Default)]
pub(super) struct VoteQuorum {
    given: [(Term, u64); HOSTS_MAX],
    /// The latest attempt of each that it spoke of, and who gave it a pre-vote for that.
    attempts: [(u32, u64); HOSTS_MAX],
}

impl VoteQuorum {
    /// `voter` says that `candidate` has its vote of `term`.
    pub(super) fn on_vote(&mut self, voter: usize, term: Term, candidate: usize) {
        let given = &mut self.given[candidate];
        if given.0 < term {
            *given = (term, 0);
        }
        if given.0 == term {
            given.1 |= 1 << voter;
        }
    }

    /// `candidate` asks for pre-votes.
    pub(super) fn on_attempt(&mut self, candidate: usize, attempt: u32) {
        if self.attempts[candidate].0 != attempt {
            self.attempts[candidate] = (attempt, 0);
        }
    }

    /// `voter` would vote for `candidate`.
    pub(super) fn on_pre_vote(&mut self, voter: usize, attempt: u32, candidate: usize) {
        let (latest, voters) = &mut self.attempts[candidate];
        if *latest == attempt {
            *voters |= 1 << voter;
        }
    }

    /// A host became a candidate.
    pub(super) fn on_candidate(&self, host: usize, members: &Members) -> Result<(), String> {
        let (attempt, voters) = self.attempts[host];
        if members.has_quorum(voters | 1 << host) {
            return Ok(());
        }
        Err(words!(
            "host {} stands with the pre-votes {voters:#b} only for attempt {attempt}; its \
             configuration asks for majorities of {:#b} and {:?}",
            host + 1,
            members.incoming,
            members.outgoing
        ))
    }

    /// The host is another node from now on.
    pub(super) fn forget(&mut self, host: usize) {
        self.given[host] = (Term::ZERO, 0);
        for (_, voters) in &mut self.given {
            *voters &= !(1 << host);
        }
    }

    /// A host came into office; `own` says whether its own vote for itself is on its disk.
    pub(super) fn on_leader(
        &self,
        host: usize,
        term: Term,
        members: &Members,
        own: bool,
    ) -> Result<(), String> {
        let (of, voters) = self.given[host];
        let given = if of == term { voters } else { 0 };
        let votes = given | u64::from(own) << host;
        if members.has_quorum(votes) {
            return Ok(());
        }
        Err(words!(
            "host {} leads term {term} with the votes {votes:#b} only; its configuration asks for \
             majorities of {:#b} and {:?}",
            host + 1,
            members.incoming,
            members.outgoing
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joint_configuration_asks_for_both_majorities() {
        let members = Members {
            incoming: 0b0111,
            outgoing: Some(0b1001),
            ..Members::default()
        };
        let mut votes = VoteQuorum::default();
        let (old, term) = (Term::new(3), Term::new(4));
        votes.on_vote(3, old, 0);
        votes.on_vote(1, term, 0);
        assert!(votes.on_leader(0, term, &members, true).is_err());
        votes.on_vote(3, term, 0);
        assert!(votes.on_leader(0, term, &members, true).is_ok());
        assert!(votes.on_leader(0, term, &members, false).is_err());
        assert!(votes.on_leader(0, old, &members, true).is_err());
        votes.forget(3);
        assert!(votes.on_leader(0, term, &members, true).is_err());
    }

    #[test]
    fn pre_votes_count_for_their_attempt() {
        let members = Members {
            incoming: 0b0111,
            ..Members::default()
        };
        let mut votes = VoteQuorum::default();
        votes.on_attempt(0, 4);
        votes.on_pre_vote(1, 3, 0);
        assert!(votes.on_candidate(0, &members).is_err());
        votes.on_pre_vote(1, 4, 0);
        assert!(votes.on_candidate(0, &members).is_ok());
        votes.on_attempt(0, 5);
        assert!(votes.on_candidate(0, &members).is_err());
    }
}

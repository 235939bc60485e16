//! One vote of a node in a term, across its restarts.
//!
//! Judged on frames that left: a vote that was given and lost in a crash with its message was
//! never given.

use raft_core::Term;

use super::words::words;
use crate::world::reuse::copies_in_place;
use crate::world::swarm::HOSTS_MAX;

/// Remembers for whom each host voted.
#[derive(Debug, Default)]
pub(super) struct OneVote {
    votes: [Vec<(Term, usize)>; HOSTS_MAX],
}

copies_in_place!(OneVote { votes });

impl OneVote {
    pub(super) fn clear(&mut self) {
        for votes in &mut self.votes {
            votes.clear();
            votes.reserve(1 << 12);
        }
    }

    /// A host says that `candidate` has its vote of `term`; asking for votes says so for itself.
    pub(super) fn on_vote(
        &mut self,
        host: usize,
        term: Term,
        candidate: usize,
    ) -> Result<(), String> {
        let votes = &mut self.votes[host];
        let mut latest_first = votes.iter().rev();
        match latest_first.find(|(other, _)| *other == term) {
            Some((_, before)) if *before == candidate => Ok(()),
            Some((_, other)) => Err(words!(
                "host {} gives its vote of term {term} to host {}, and gave it to host {} before",
                host + 1,
                candidate + 1,
                other + 1
            )),
            None => {
                votes.push((term, candidate));
                Ok(())
            }
        }
    }

    /// The host is another node from now on.
    pub(super) fn forget(&mut self, host: usize) {
        self.votes[host].clear();
    }
}

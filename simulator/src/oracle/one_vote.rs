//! One vote of a node in a term, across its restarts.
//!
//! Judged on frames that left: a vote that was given and lost in a crash with its message was
//! never given.

use raft_core::Term;

use crate::swarm::HOSTS_MAX;

/// Remembers for whom each host voted.
#[derive(Clone, Debug, Default)]
pub(super) struct OneVote {
    votes: [Vec<Option<usize>>; HOSTS_MAX],
}

impl OneVote {
    /// A host says that `candidate` has its vote of `term`; asking for votes says so for itself.
    pub(super) fn on_vote(
        &mut self,
        host: usize,
        term: Term,
        candidate: usize,
    ) -> Result<(), String> {
        let votes = &mut self.votes[host];
        let place = term.value() as usize;
        if votes.len() <= place {
            votes.resize(place + 1, None);
        }
        match votes[place] {
            Some(other) if other != candidate => Err(format!(
                "host {} gives its vote of term {term} to host {}, and gave it to host {} before",
                host + 1,
                candidate + 1,
                other + 1
            )),
            _ => {
                votes[place] = Some(candidate);
                Ok(())
            }
        }
    }

    /// The host is another node from now on.
    pub(super) fn forget(&mut self, host: usize) {
        self.votes[host].clear();
    }
}

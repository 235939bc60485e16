//! A vote goes only to a candidate whose log is at least as up to date, `[Ongaro14 §3.6.1]`.
//!
//! Judged at the step in which the vote is given, by the log tail that the candidate claimed in
//! the request that it sent. Later answers may come from a longer log, so they are not judged.

use raft_core::{EntryId, Term};

use super::view::View;
use super::words::words;
use crate::world::host::host_of;
use crate::world::swarm::HOSTS_MAX;

/// Remembers what each candidate claimed.
#[derive(Clone, Debug, Default)]
pub(super) struct UpToDateVote {
    claims: [Option<(Term, EntryId)>; HOSTS_MAX],
}

impl UpToDateVote {
    /// A candidate asks for votes.
    pub(super) fn on_request(&mut self, host: usize, term: Term, last: EntryId) {
        self.claims[host] = Some((term, last));
    }

    /// A machine changed.
    pub(super) fn on_change(
        &mut self,
        host: usize,
        before: &View,
        after: &View,
    ) -> Result<(), String> {
        let Some(vote) = after.hard.vote else {
            return Ok(());
        };
        let candidate = host_of(vote.node).unwrap_or(host);
        if after.hard == before.hard || candidate == host {
            return Ok(());
        }
        let term = after.hard.term;
        match self.claims[candidate] {
            // A request of an earlier term that arrives late is not known any more.
            Some((claimed, _)) if claimed > term => Ok(()),
            // Compared here and not by the machine's own method, which is what is judged.
            Some((claimed, last))
                if claimed == term
                    && (last.term, last.index) >= (before.last.term, before.last.index) =>
            {
                Ok(())
            }
            claim => Err(words!(
                "host {} votes in term {term} for host {}, which claimed {claim:?}; its own log \
                 ends with {:?}",
                host + 1,
                candidate + 1,
                before.last
            )),
        }
    }
}

//! What a leader counts as stored by a member is stored there, and never becomes less in its
//! term of office.
//!
//! Looked at when an acknowledgement arrives, when a leader's own write ends, and when the disk
//! of a member changes. A member that has entered a later term may have made way for another
//! leader's entries: an earlier leader that has not heard of it yet breaks nothing.

use raft_core::{LogIndex, Role, Term};

use super::Shadow;
use super::view::Members;
use super::words::words;
use crate::world::chain::Chain;
use crate::world::host::{Host, node};
use crate::world::swarm::HOSTS_MAX;

/// Remembers what each leader counted for each member.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchIndex {
    counted: [[(Term, LogIndex); HOSTS_MAX]; HOSTS_MAX],
}

impl MatchIndex {
    /// Looks at what `leader` counts for `member`; says whether there was anything to look at.
    pub(super) fn on_counted(
        &mut self,
        leader: usize,
        member: usize,
        hosts: &[Host],
        log: &Chain,
    ) -> Option<Result<(), String>> {
        let raft = hosts[leader].raft.as_ref()?;
        let matched = raft.matched(node(member))?;
        let term = raft.term();
        let counted = &mut self.counted[leader][member];
        let (of, before) = std::mem::replace(counted, (term, matched));
        let seat = raft
            .members()
            .find(|seat| seat.identity.node == node(member))?;
        if of == term && matched < before {
            return Some(Err(words!(
                "host {} counted {before} entries of host {} in term {term}, and now {matched}",
                leader + 1,
                member + 1
            )));
        }
        let is_meant = hosts[member].identity == Some(seat.identity);
        let stored = hosts[member].disk.durable();
        let is_same_time = is_meant && stored.hard.term <= term;
        is_same_time.then(|| check(leader, member, matched, log, &stored.log))
    }

    /// The host is another node, whose count starts over.
    pub(super) fn forget(&mut self, host: usize) {
        for counted in &mut self.counted {
            counted[host] = (Term::ZERO, LogIndex::ZERO);
        }
    }

    /// The host has other members in force: whom it does not know it does not count, and whom it
    /// meets again it counts from the beginning.
    pub(super) fn on_members(&mut self, leader: usize, members: &Members) {
        for (counted, identity) in self.counted[leader].iter_mut().zip(members.identities) {
            if identity.is_none() {
                *counted = (Term::ZERO, LogIndex::ZERO);
            }
        }
    }

    /// The disk of `member` changed: whoever leads may not have counted more.
    pub(super) fn on_disk(
        &self,
        member: usize,
        hosts: &[Host],
        shadows: &[Shadow],
    ) -> Result<(), String> {
        let stored = hosts[member].disk.durable();
        for (leader, host) in hosts.iter().enumerate() {
            let shadow = &shadows[leader];
            let (term, matched) = self.counted[leader][member];
            let view = &shadow.view;
            let counts = host.raft.is_some()
                && view.role == Role::Leader
                && view.hard.term == term
                && stored.hard.term <= term
                && shadow.members.identities[member] == hosts[member].identity;
            if counts {
                check(leader, member, matched, &shadow.log, &stored.log)?;
            }
        }
        Ok(())
    }
}

fn check(
    leader: usize,
    member: usize,
    matched: LogIndex,
    log: &Chain,
    stored: &Chain,
) -> Result<(), String> {
    // What either has compacted is committed, and other oracles look after that.
    let is_old = matched <= stored.base().index || matched < log.base().index;
    let (theirs, mine) = (stored.link(matched), log.link(matched));
    if is_old || theirs.is_some() && theirs.map(|l| l.hash) == mine.map(|l| l.hash) {
        return Ok(());
    }
    Err(words!(
        "host {} counts entry {matched} as stored by host {}, whose disk holds another log, or \
         one that ends with {:?}",
        leader + 1,
        member + 1,
        stored.last()
    ))
}

#[cfg(test)]
mod tests {
    use raft_core::EntryId;

    use super::*;
    use crate::world::chain::Link;

    fn log(hashes: &[u64]) -> Chain {
        let mut log = Chain::default();
        log.reset(EntryId::new(LogIndex::new(3), Term::new(1)), 3);
        for hash in hashes {
            let term = Term::new(1);
            log.push(Link { term, hash: *hash });
        }
        log
    }

    #[test]
    fn counted_is_stored_and_the_same() {
        let check = |matched, stored: &[u64]| {
            check(0, 1, LogIndex::new(matched), &log(&[4, 5, 6]), &log(stored)).is_ok()
        };
        assert!(check(5, &[4, 5]) && check(2, &[]) && check(3, &[]));
        assert!(!check(6, &[4, 5]));
        assert!(!check(5, &[4, 55]));
    }
}

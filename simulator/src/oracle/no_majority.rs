//! Without a majority nothing new is committed, and terms do not grow, `[Ongaro14 §9.6]`.
//!
//! Judged at the end of some histories, when every link has been cut and the writes that were
//! under way have had their time: from then on every host is alone.

use clocks::Duration;
use raft_core::{LogIndex, Term};

use super::words::words;
use crate::world::clock::Moment;
use crate::world::host::Host;

/// Hosts that are apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMajority {
    since: Moment,
    term: Term,
    /// What was committed when the writes under way had had their time.
    committed: Option<LogIndex>,
}

/// Terms by which candidates that had won their pre-votes may go beyond.
const TERMS_MORE: u32 = 1;

impl NoMajority {
    /// Whether every configuration in force asks for more than one host.
    pub fn applies(hosts: &[Host]) -> bool {
        let mut rafts = hosts.iter().filter_map(|host| host.raft.as_ref());
        rafts.all(|raft| {
            let voters = |is_in: fn(raft_core::Standing) -> bool| {
                raft.members().filter(|seat| is_in(seat.standing)).count()
            };
            let members = raft.members().count();
            members == 0
                || voters(raft_core::Standing::is_in_incoming) > 1
                    && (!raft.is_joint() || voters(raft_core::Standing::is_in_outgoing) > 1)
        })
    }

    /// All links are cut now.
    pub fn new(now: Moment, hosts: &[Host]) -> Self {
        NoMajority {
            since: now,
            term: latest(hosts),
            committed: None,
        }
    }

    /// Looks at them, whose settling takes `grace` and who are watched as long again; says how it
    /// ended, once it has.
    pub fn look(
        &mut self,
        now: Moment,
        grace: Duration,
        hosts: &[Host],
        committed: LogIndex,
    ) -> Option<Result<(), String>> {
        let elapsed = Duration::from_micros(now.as_micros() - self.since.as_micros());
        if elapsed < grace {
            return None;
        }
        let settled = *self.committed.get_or_insert(committed);
        let term = latest(hosts);
        if committed > settled {
            return Some(Err(words!(
                "no majority is connected, and entry {committed} is committed after {settled}"
            )));
        }
        if term.value() > self.term.value() + TERMS_MORE {
            return Some(Err(words!(
                "no majority is connected, and terms grow from {} to {term}",
                self.term
            )));
        }
        (elapsed >= grace.saturating_mul(2)).then_some(Ok(()))
    }
}

fn latest(hosts: &[Host]) -> Term {
    let terms = hosts.iter().filter_map(|host| host.raft.as_ref());
    terms.map(|raft| raft.term()).max().unwrap_or(Term::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_after_the_grace_is_noticed() {
        let (at, index) = (Moment::from_micros, LogIndex::new);
        let grace = Duration::from_micros(100);
        let mut oracle = NoMajority::new(at(0), &[]);
        assert_eq!(oracle.look(at(50), grace, &[], index(3)), None);
        assert_eq!(oracle.look(at(120), grace, &[], index(4)), None);
        let mut other = oracle;
        assert_eq!(oracle.look(at(200), grace, &[], index(4)), Some(Ok(())));
        assert!(
            other
                .look(at(150), grace, &[], index(5))
                .is_some_and(|f| f.is_err())
        );
    }
}

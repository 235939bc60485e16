//! No majority could elect a leader without one that has all that is committed on its disk.
//!
//! [`QuorumDurability`](super::Oracle::QuorumDurability) looks at the moment of the commit; this
//! looks for ever after: whenever a disk changes, every quorum of the latest committed
//! configuration must still contain a voter whose durable log holds everything that was ever
//! committed. Who holds it is kept as a set, so a write costs one look at one log.

use raft_core::LogIndex;

use super::ledger::Ledger;
use super::view::Members;
use super::words::words;
use crate::world::host::Host;

/// Remembers who holds everything.
#[derive(Clone, Debug, Default)]
pub(super) struct QuorumLog {
    members: Option<Members>,
    holders: u64,
}

impl QuorumLog {
    /// A configuration was committed.
    pub(super) fn on_configuration(&mut self, members: Members) {
        self.members = Some(members);
    }

    /// More was committed.
    pub(super) fn on_commit(&mut self, hosts: &[Host], ledger: &Ledger) -> Result<(), String> {
        for (number, host) in hosts.iter().enumerate() {
            self.look(number, host, ledger);
        }
        self.check(ledger.last())
    }

    /// A disk changed.
    pub(super) fn on_disk(
        &mut self,
        number: usize,
        host: &Host,
        ledger: &Ledger,
    ) -> Result<(), String> {
        self.look(number, host, ledger);
        self.check(ledger.last())
    }

    fn look(&mut self, number: usize, host: &Host, ledger: &Ledger) {
        let last = ledger.last();
        let log = &host.disk.durable().log;
        let meant = self.members.as_ref().and_then(|all| all.identities[number]);
        let has_all = match (log.link(last), ledger.at(last)) {
            (Some(link), Some(committed)) => link.hash == committed.hash,
            _ => last == LogIndex::ZERO,
        };
        let holds = has_all && meant.is_some() && meant == host.identity;
        self.holders = self.holders & !(1 << number) | u64::from(holds) << number;
    }

    fn check(&self, last: LogIndex) -> Result<(), String> {
        let Some(members) = &self.members else {
            return Ok(());
        };
        let others = !self.holders;
        if last == LogIndex::ZERO || !members.has_quorum(others) {
            return Ok(());
        }
        Err(words!(
            "a quorum of {:#b} and {:?} has forgotten what is committed up to entry {last}: only \
             {:#b} hold it",
            members.incoming,
            members.outgoing,
            self.holders
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quorum_must_contain_a_holder() {
        let check = |incoming, outgoing, holders| {
            let members = Some(Members {
                incoming,
                outgoing,
                ..Members::default()
            });
            QuorumLog { members, holders }
                .check(LogIndex::new(1))
                .is_ok()
        };
        assert!(check(0b111, None, 0b011) && !check(0b111, None, 0b001));
        // Of four voters two are enough: no three are without one of them.
        assert!(check(0b1111, None, 0b0011) && !check(0b1111, None, 0b0001));
        // In a joint configuration one majority is enough: nobody is elected without it.
        assert!(check(0b111, Some(0b11000), 0b00011));
        assert!(!check(0b111, Some(0b11100), 0b10001));
    }
}

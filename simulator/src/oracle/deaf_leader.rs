//! A leader that no majority reaches gives way, `[Howard20]`: one that can send but not receive
//! would otherwise keep everybody from electing a better one.
//!
//! Judged whenever a leader is woken, in the time that it sees itself: its clock, which stands
//! still for it where it is set back. From whom it heard is what the network delivered.

use clocks::{Duration, Instant};
use raft_core::{LogIndex, Term};

use super::view::{Members, View};
use super::words::words;
use crate::world::swarm::HOSTS_MAX;

/// Remembers who heard whom when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeafLeader {
    heard: [[Instant; HOSTS_MAX]; HOSTS_MAX],
    /// The latest time that each host has seen.
    seen: [Instant; HOSTS_MAX],
    /// The office that each was found in last, and since when.
    office: [(Term, LogIndex, Instant); HOSTS_MAX],
}

impl DeafLeader {
    /// The host begins to look at its clock again.
    pub(super) fn on_start(&mut self, host: usize) {
        self.seen[host] = Instant::default();
        self.office[host] = Default::default();
        self.heard[host] = Default::default();
    }

    fn see(&mut self, host: usize, local: Instant) -> Instant {
        let seen = &mut self.seen[host];
        *seen = local.max(*seen);
        *seen
    }

    /// A frame reached the host.
    pub(super) fn on_received(&mut self, host: usize, from: usize, local: Instant) {
        self.heard[host][from] = self.see(host, local);
    }

    /// A leader was woken, and still is one. Nothing is judged in the first moment of an office
    /// or a configuration.
    pub(super) fn on_woken(
        &mut self,
        host: usize,
        local: Instant,
        view: &View,
        members: &Members,
        patience: Duration,
    ) -> Option<Result<(), String>> {
        let now = self.see(host, local);
        let (term, configuration, since) = self.office[host];
        let same = (term, configuration) == (view.hard.term, view.configuration_index);
        if !same {
            self.office[host] = (view.hard.term, view.configuration_index, now);
            return None;
        }
        let mut reached = 1 << host;
        let long_ago = now.saturating_sub(patience);
        for (from, heard) in self.heard[host].iter().enumerate() {
            reached |= u64::from(*heard.max(&since) >= long_ago) << from;
        }
        if members.has_quorum(reached) {
            return Some(Ok(()));
        }
        Some(Err(words!(
            "host {} leads term {} and has heard in {} ms from {reached:#b} only",
            host + 1,
            view.hard.term,
            patience.as_millis()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_hears_a_majority_or_gives_way() {
        let members = Members {
            incoming: 0b111,
            ..Members::default()
        };
        let (view, patience) = (View::default(), Duration::from_millis(400));
        let at = |millis: u64| Instant::from_micros(millis * 1000);
        let mut oracle = DeafLeader::default();
        oracle.office[0] = (Term::new(9), LogIndex::ZERO, at(0));
        let woken = |oracle: &mut DeafLeader, millis| {
            oracle.on_woken(0, at(millis), &view, &members, patience)
        };
        assert_eq!(woken(&mut oracle, 100), None);
        assert_eq!(woken(&mut oracle, 400), Some(Ok(())));
        oracle.on_received(0, 2, at(450));
        assert_eq!(woken(&mut oracle, 850), Some(Ok(())));
        assert!(woken(&mut oracle, 851).is_some_and(|found| found.is_err()));
        // A clock that was set back stands still.
        oracle.on_received(0, 1, at(500));
        assert_eq!(woken(&mut oracle, 100), Some(Ok(())));
    }
}

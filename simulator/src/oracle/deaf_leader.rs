//! A leader that no majority reaches gives way, `[Howard20]`: one that can send but not receive
//! would otherwise keep everybody from electing a better one.
//!
//! Judged whenever a leader is woken, in the time that it was told: its clock, which stands still
//! for it where it is set back. A member was in reach when the round was opened that it answers,
//! `[Ongaro14 §6.4.1]`, not when the answer came: that may have been on its way for long.

use clocks::{Duration, Instant};
use raft_core::{LogIndex, Round, Term};

use super::view::{Members, View};
use super::words::words;
use crate::world::swarm::HOSTS_MAX;

/// So many rounds of each leader are remembered: more than a machine does, and more than reads
/// open while a member answers.
const ROUNDS: usize = 32;

/// A round of a term.
type Name = (Term, Round);

/// Remembers who was in reach of whom when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DeafLeader {
    heard: [[Instant; HOSTS_MAX]; HOSTS_MAX],
    /// When each leader first spoke of its latest rounds.
    rounds: [[(Name, Instant); ROUNDS]; HOSTS_MAX],
    /// The office that each was found in last, and since when.
    office: [(Term, LogIndex, Instant); HOSTS_MAX],
}

impl DeafLeader {
    /// The host begins to look at its clock again.
    pub(super) fn on_start(&mut self, host: usize) {
        self.office[host] = Default::default();
        self.heard[host] = Default::default();
    }

    /// A leader speaks of a round.
    pub(super) fn on_round(&mut self, host: usize, name: Name, now: Instant) {
        let place = &mut self.rounds[host][place(name)];
        if place.0 != name {
            *place = (name, now);
        }
    }

    /// An answer to a round reached the host.
    pub(super) fn on_answer(&mut self, host: usize, from: usize, name: Name) {
        let (known, opened) = self.rounds[host][place(name)];
        if known == name {
            let heard = &mut self.heard[host][from];
            *heard = opened.max(*heard);
        }
    }

    /// A leader was woken, and still is one. Nothing is judged in the first moment of an office
    /// or a configuration.
    pub(super) fn on_woken(
        &mut self,
        host: usize,
        now: Instant,
        view: &View,
        members: &Members,
        patience: Duration,
    ) -> Option<Result<(), String>> {
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
            "host {} leads term {} and was in {} ms in reach of {reached:#b} only",
            host + 1,
            view.hard.term,
            patience.as_millis()
        )))
    }
}

fn place((_, round): Name) -> usize {
    (round.value() % ROUNDS as u64) as usize
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
        let name = (Term::new(9), Round::ZERO.next());
        oracle.on_round(0, name, at(450));
        oracle.on_round(0, name, at(500));
        assert!(woken(&mut oracle, 501).is_some_and(|found| found.is_err()));
        // It counts from its opening.
        oracle.on_answer(0, 2, name);
        assert_eq!(woken(&mut oracle, 850), Some(Ok(())));
        assert!(woken(&mut oracle, 851).is_some_and(|found| found.is_err()));
        // Nobody asked this.
        oracle.on_answer(0, 1, (Term::new(8), name.1));
        assert!(woken(&mut oracle, 851).is_some_and(|found| found.is_err()));
    }
}

//! When the latest rounds were opened.
//!
//! Whoever acknowledges a round still followed when it was opened, and that time is what leases and
//! the quorum timer rest on. A time for each round would be a list without end; so the latest are
//! noted, and an acknowledgement of an older one counts for nothing.
//!
//! The latest stands first: acknowledgements are mostly of that, and found in one step.

use clocks::Instant;

use crate::types::Round;

/// How many are remembered.
const NOTES: usize = 8;

/// Rounds and when they were opened, the latest first; a place that is not used yet has round zero.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Rounds {
    notes: [(Round, Instant); NOTES],
}

impl Rounds {
    pub(super) const fn new() -> Self {
        Rounds {
            notes: [(Round::ZERO, Instant::ZERO); NOTES],
        }
    }

    /// Notes a round that is later than those before, in the place of the oldest.
    #[inline]
    pub(super) fn note(&mut self, round: Round, now: Instant) {
        let [a, b, c, d, e, f, g, _] = self.notes;
        self.notes = [(round, now), a, b, c, d, e, f, g];
    }

    /// When the latest noted round up to this one was opened.
    #[inline]
    pub(super) fn opened(&self, round: Round) -> Option<Instant> {
        let mut notes = self.notes.iter();
        let (noted, at) = notes.find(|(noted, _)| *noted <= round)?;
        (*noted > Round::ZERO).then_some(*at)
    }

    /// The first noted round after this one, and when it was opened.
    pub(super) fn noted_after(&self, round: Round) -> Option<(Round, Instant)> {
        let mut notes = self.notes.iter().rev();
        notes.find(|(noted, _)| *noted > round).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: u64) -> Instant {
        Instant::from_micros(time)
    }

    /// Rounds 3, 6, 9, … opened at times 30, 60, 90, …: those between were not noted.
    fn every_third(count: u64) -> Rounds {
        let mut rounds = Rounds::new();
        for number in 1..=count {
            rounds.note(Round::new(3 * number), at(30 * number));
        }
        rounds
    }

    #[test]
    fn acknowledged_round_counts_from_the_latest_noted_one_up_to_it() {
        let rounds = every_third(3);
        let opened = |round| rounds.opened(Round::new(round)).map(Instant::as_micros);
        assert_eq!([0, 2].map(opened), [None; 2]);
        assert_eq!(
            [3, 5, 6, 8, 9, 100].map(opened),
            [30, 30, 60, 60, 90, 90].map(Some)
        );
    }

    #[test]
    fn oldest_note_gives_way() {
        let rounds = every_third(NOTES as u64 + 1);
        assert_eq!(rounds.opened(Round::new(5)), None);
        assert_eq!(rounds.opened(Round::new(6)), Some(at(60)));
    }

    #[test]
    fn next_note_is_the_first_after() {
        let rounds = every_third(3);
        let after = |round| rounds.noted_after(Round::new(round));
        assert_eq!(after(0), Some((Round::new(3), at(30))));
        assert_eq!(after(3), Some((Round::new(6), at(60))));
        assert_eq!(after(9), None);
    }
}

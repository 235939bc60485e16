//! When the latest rounds were opened.
//!
//! Whoever acknowledges a round still followed when it was opened, and that time is what leases and
//! the quorum timer rest on. A time for each round would be a list without end; so the latest are
//! noted, and an acknowledgement of an older one counts for nothing.
//!
//! The latest stands first, because acknowledgements are mostly of that. The others follow as steps
//! back from the one after them, which takes half the memory.
//!
//! Bounds: the latest and [`EARLIER`] before it. Two that are more than 71 minutes or four thousand
//! million rounds apart are too far for a step: then what is before them is forgotten, which is
//! always safe.

use clocks::{Duration, Instant};

use crate::types::Round;

/// How many are remembered besides the latest.
const EARLIER: usize = 7;

/// From a noted round to the one before it: rounds, and microseconds between their openings. None
/// if the first is zero.
type Step = (u32, u32);

/// Rounds and when they were opened; round zero if there was none yet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Rounds {
    latest: Round,
    at: Instant,
    earlier: [Step; EARLIER],
}

impl Rounds {
    pub(super) const fn new() -> Self {
        Rounds {
            latest: Round::ZERO,
            at: Instant::ZERO,
            earlier: [(0, 0); EARLIER],
        }
    }

    /// Notes a round that is later than those before, in the place of the oldest.
    pub(super) fn note(&mut self, round: Round, now: Instant) {
        let rounds = round.value().saturating_sub(self.latest.value());
        let age = now.saturating_since(self.at).as_micros();
        match (u32::try_from(rounds), u32::try_from(age)) {
            (Ok(rounds), Ok(age)) if self.latest > Round::ZERO => {
                let mut moved = (rounds, age);
                for step in &mut self.earlier {
                    moved = core::mem::replace(step, moved);
                }
            }
            _ => self.earlier = [(0, 0); EARLIER],
        }
        (self.latest, self.at) = (round, now);
    }

    /// When the latest noted round up to this one was opened.
    #[inline]
    pub(super) fn opened(&self, round: Round) -> Option<Instant> {
        if round >= self.latest {
            return (self.latest > Round::ZERO).then_some(self.at);
        }
        self.opened_before(round)
    }

    #[inline(never)]
    fn opened_before(&self, round: Round) -> Option<Instant> {
        let (_, at) = self.notes().find(|(noted, _)| *noted <= round)?;
        Some(at)
    }

    /// The first noted round after this one, and when it was opened.
    pub(super) fn noted_after(&self, round: Round) -> Option<(Round, Instant)> {
        self.notes().take_while(|(noted, _)| *noted > round).last()
    }

    /// From the latest back.
    fn notes(&self) -> impl Iterator<Item = (Round, Instant)> {
        let latest = (self.latest > Round::ZERO).then_some((self.latest, self.at));
        let mut steps = self.earlier.iter();
        core::iter::successors(latest, move |(noted, at)| {
            let (rounds, age) = *steps.next()?;
            let noted = Round::new(noted.value().saturating_sub(u64::from(rounds)));
            let at = at.saturating_sub(Duration::from_micros(u64::from(age)));
            (rounds > 0).then_some((noted, at))
        })
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
        let rounds = every_third(EARLIER as u64 + 2);
        assert_eq!(rounds.opened(Round::new(5)), None);
        assert_eq!(rounds.opened(Round::new(6)), Some(at(60)));
    }

    #[test]
    fn too_long_a_step_forgets_what_is_before_it() {
        let mut rounds = every_third(2);
        let late = at(60 + u64::from(u32::MAX));
        rounds.note(Round::new(9), late);
        assert_eq!(rounds.opened(Round::new(8)), Some(at(60)));
        let later = at(late.as_micros() + u64::from(u32::MAX) + 1);
        rounds.note(Round::new(10), later);
        assert_eq!(rounds.opened(Round::new(9)), None);
        assert_eq!(rounds.opened(Round::new(10)), Some(later));
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

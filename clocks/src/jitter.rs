//! Deterministic randomness for timeouts.
//!
//! # The problem
//!
//! Members that time out together campaign together, split the vote, and time out together again. Randomised
//! timeouts break the tie [Ongaro14 §3.4], if the draws of two members really differ. They do not when the random
//! number is drawn in a coarse unit: whole milliseconds out of a range of a few, or a number modulo a small base, make
//! collisions the rule. [`Jitter::between`] draws in microseconds, the finest unit there is here.
//!
//! # The idea
//!
//! A generator that is one word of state, a few shifts and two multiplications: SplitMix64 `[Steele14]`, with the
//! mixing function and the output of Vigna's reference implementation `splitmix64.c`. Its period is 2^64. It
//! has no secrets: whoever sees one output knows all that follow, so nothing that must be unguessable may come from it.
//!
//! # Bounds
//!
//! 8 bytes. [`next_u64`](Jitter::next_u64) is constant time; [`below`](Jitter::below) draws at most 64 numbers, fewer
//! than two on average. Nothing divides.

use crate::Duration;

/// The odd number nearest to 2^64 divided by the golden ratio: the distance between two states.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// How often [`Jitter::below`] draws before it accepts a bias that no one can measure.
const DRAWS_MAX: u32 = 64;

/// A seeded generator: equal seeds give equal numbers, on every machine and in every release.
///
/// Give each member a seed of its own, and each start another one, so that two members do not follow each other in
/// step. Seeds that are neighbours, such as `1`, `2` and `3`, are as good as any.
///
/// Not `Copy`: two copies of a generator draw the same numbers, which should be seen in the source.
///
/// ```
/// use clocks::{Duration, Jitter};
///
/// let mut jitter = Jitter::new(42);
/// let timeout = jitter.between(Duration::from_millis(150), Duration::from_millis(300));
/// assert!(timeout >= Duration::from_millis(150) && timeout < Duration::from_millis(300));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// The generator that starts from `seed`. Every seed is as good, zero included.
    #[inline]
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, uniform over all of `u64`.
    #[inline]
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`, each with the same probability; 0, without drawing, if `bound` is 0 or 1.
    ///
    /// Draws as many bits as `bound - 1` has and rejects what is too large, which is less than half of the draws. After
    /// 64 rejections in a row, once in more than 2^64 calls, it folds the last draw into the range instead.
    #[inline]
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.below_within(bound, DRAWS_MAX)
    }

    /// A duration from `min` up to, but not including, `max`, drawn in microseconds; `min`, without drawing, if there
    /// is nothing between them.
    #[inline]
    pub const fn between(&mut self, min: Duration, max: Duration) -> Duration {
        let width = max.saturating_sub(min);
        min.saturating_add(Duration::from_micros(self.below(width.as_micros())))
    }

    const fn below_within(&mut self, bound: u64, draws_max: u32) -> u64 {
        if bound <= 1 {
            return 0;
        }
        let mask = u64::MAX >> (bound - 1).leading_zeros();
        let mut drawn = self.next_u64() & mask;
        let mut draws = 1;
        while drawn >= bound && draws < draws_max {
            drawn = self.next_u64() & mask;
            draws += 1;
        }
        // The mask is below twice the bound, so that one subtraction is enough.
        if drawn >= bound { drawn - bound } else { drawn }
    }
}

#[cfg(test)]
mod tests {
    use super::Jitter;

    /// With 64 draws nobody would live to see it, so the number of draws is an argument here.
    #[test]
    fn last_draw_is_folded_into_the_range() {
        for bound in [2, 3, 5, 9, 1_000, (1 << 63) + 1, u64::MAX] {
            for seed in 0..1_000 {
                let mut jitter = Jitter::new(seed);
                assert!(jitter.below_within(bound, 1) < bound);
                let mut drawn_once = Jitter::new(seed);
                drawn_once.next_u64();
                assert_eq!(jitter, drawn_once);
            }
        }
    }
}

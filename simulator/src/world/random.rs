//! Chance, in named streams: what one part of the world draws does not shift what another draws.

use clocks::{Duration, Jitter};

/// Which part of the world draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// The options of the seed.
    Swarm,
    /// Loss, delay, duplication.
    Network,
    /// When and where faults strike.
    Faults,
    /// Write latency, and what a crash leaves.
    Disk,
    /// Proposals, membership, compaction.
    Workload,
    /// The seeds handed to the machines, clocks.
    Hosts,
}

/// A seeded source of numbers; the same seed and stream give the same numbers everywhere.
#[derive(Clone, Debug)]
pub struct Random(Jitter);

impl Random {
    /// The numbers of one stream of a seed.
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut mixer = Jitter::new(seed);
        let mixed = mixer.next_u64() ^ ((stream as u64 + 1) << 32);
        Random(Jitter::new(mixed))
    }

    /// Any number.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; zero if `bound` is.
    ///
    /// Scaled, not rejected: for the bounds of a simulation the bias is far below what anybody
    /// could measure, and every draw costs the same.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0..bound`, for indexes.
    #[inline]
    pub fn index(&mut self, bound: usize) -> usize {
        // Below `bound`, which is a `usize`.
        self.below(bound as u64) as usize
    }

    /// A number in `min..=max`.
    #[inline]
    pub fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.below(max.saturating_sub(min).saturating_add(1))
    }

    /// True `permille` times in a thousand.
    #[inline]
    pub fn chance(&mut self, permille: u64) -> bool {
        permille > 0 && self.below(1000) < permille
    }

    /// One of `choices`, which is not empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// A duration from `min` up to `max`, both possible.
    #[inline]
    pub fn duration(&mut self, min: Duration, max: Duration) -> Duration {
        Duration::from_micros(self.between(min.as_micros(), max.as_micros()))
    }
}

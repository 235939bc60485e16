//! Numbers that hurt: each field of an invented message is drawn in one of four ways.
//!
//! Uniform numbers hardly ever meet the machine: of 2^64 indexes a log holds thirty. Numbers from
//! the machine's own neighbourhood never leave it. So a number is *near* what the receiver itself
//! holds, or *small*, or at a *border* of the types and limits in use, or *anything* of any
//! magnitude; and an episode decides how often it is exactly what an honest peer would say, because
//! a machine that is only ever lied to stays where it is.
//!
//! A draw is a function of seed and step alone: a step that is left out does not shift the others,
//! so a failing sequence can be shrunk by leaving steps out.

use clocks::Jitter;

/// Borders of types, of fields on the wire, and of the limits that the protocol sets itself.
const BORDERS: [u64; 16] = [
    0,
    1,
    2,
    (1 << 24) - 1,
    1 << 24,
    (1 << 28) - 1,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64 - 1,
    u32::MAX as u64,
    1 << 32,
    (1 << 48) - 1,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// A source of numbers for one step.
#[derive(Clone, Debug)]
pub struct Draw {
    random: Jitter,
    pool: u64,
    left: u32,
    tame: u32,
}

impl Draw {
    /// The numbers of a step of a seed. Of 256 numbers `tame` are exactly what they are near to.
    pub fn new(seed: u64, step: u64, tame: u8) -> Self {
        let mut mixer = Jitter::new(seed ^ step.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Draw {
            random: Jitter::new(mixer.next_u64()),
            pool: 0,
            left: 0,
            tame: u32::from(tame),
        }
    }

    /// Any number.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// A byte; eight of them for the price of one number.
    #[inline]
    pub fn byte(&mut self) -> u32 {
        if self.left == 0 {
            (self.pool, self.left) = (self.random.next_u64(), 8);
        }
        let byte = (self.pool & 0xff) as u32;
        self.pool >>= 8;
        self.left -= 1;
        byte
    }

    /// A number in `0..bound`; `bound` is 1 to 256.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        (self.byte() * bound) >> 8
    }

    /// A place in `0..bound`; `bound` is 1 to 256.
    #[inline]
    pub fn place(&mut self, bound: usize) -> usize {
        (self.byte() as usize * bound) >> 8
    }

    /// Yes in one of `count` cases.
    #[inline]
    pub fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    /// Whether this field is what an honest peer would say.
    #[inline]
    pub fn is_tame(&mut self) -> bool {
        self.byte() < self.tame
    }

    /// One of `choices`, which is not empty.
    #[inline]
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.place(choices.len())]
    }

    /// A number that is `near`, or near it, or small, or at a border, or anything.
    #[inline]
    pub fn number(&mut self, near: u64) -> u64 {
        if self.is_tame() {
            return near;
        }
        self.wild(near)
    }

    /// A number that may be anything, often close to `near`.
    pub fn wild(&mut self, near: u64) -> u64 {
        let by = u64::from(self.byte());
        match self.byte() % 16 {
            0..=3 => near.wrapping_add(1 + by % 4),
            4..=6 => near.wrapping_sub(1 + by % 4),
            7 => near.wrapping_add(by),
            8 => near.wrapping_sub(by),
            9 | 10 => by % 16,
            11 => by,
            12 => BORDERS[by as usize % BORDERS.len()],
            13 => BORDERS[by as usize % BORDERS.len()].wrapping_sub(near),
            _ => self.random.next_u64() >> (by % 64),
        }
    }

    /// The same in 32 bits.
    #[inline]
    pub fn number_u32(&mut self, near: u32) -> u32 {
        if self.is_tame() {
            return near;
        }
        // The low half: borders of 64 bits become those of 32.
        (self.wild(u64::from(near)) & u64::from(u32::MAX)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_seed_and_step_alone() {
        let numbers = |seed, step| {
            let mut draw = Draw::new(seed, step, 100);
            [draw.number(7), draw.number(1 << 40), draw.next_u64()]
        };
        assert_eq!(numbers(1, 2), numbers(1, 2));
        assert_ne!(numbers(1, 2), numbers(1, 3));
        assert_ne!(numbers(1, 2), numbers(2, 2));
    }

    #[test]
    fn every_way_of_drawing_occurs() {
        let near = 1 << 40;
        let (mut exact, mut close, mut small, mut border, mut other) = (0, 0, 0, 0, 0);
        for step in 0..10_000 {
            let number = Draw::new(1, step, 64).number(near);
            match number {
                _ if number == near => exact += 1,
                _ if number.abs_diff(near) <= 4 => close += 1,
                0..=255 => small += 1,
                _ if BORDERS.contains(&number) => border += 1,
                _ => other += 1,
            }
        }
        for count in [exact, close, small, border, other] {
            assert!(count > 200, "{exact} {close} {small} {border} {other}");
        }
    }

    #[test]
    fn a_tame_draw_says_what_is_expected() {
        let tame = (0..1000).filter(|step| Draw::new(3, *step, 230).number(99) == 99);
        assert!((850..950).contains(&tame.count()));
        assert_ne!(Draw::new(3, 1, 0).number(99), 99);
    }
}

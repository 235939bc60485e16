//! The input, taken from its front; what is missing at its end is zero.

/// Reads numbers and runs of bytes from an input.
#[derive(Clone, Debug)]
pub struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// All of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Bytes { rest: data }
    }

    /// The next byte, if there is one.
    pub fn first(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// The next byte.
    pub fn u8(&mut self) -> u8 {
        self.first().unwrap_or(0)
    }

    /// Yes in one of `count` cases.
    pub fn one_in(&mut self, count: u8) -> bool {
        self.u8().is_multiple_of(count)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.u8()) % bound
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// Up to `len` bytes.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// A number that is often close to `near`, often small, and sometimes anything.
    pub fn number(&mut self, near: u64) -> u64 {
        let choice = self.u8();
        let by = u64::from(self.u8());
        match choice % 8 {
            0..=2 => near.wrapping_add(by % 16),
            3 | 4 => near.wrapping_sub(by % 16),
            5 => by,
            6 => u64::MAX - by,
            _ => {
                let mut all = [0; 8];
                let taken = self.take(8);
                all[..taken.len()].copy_from_slice(taken);
                u64::from_le_bytes(all)
            }
        }
    }
}

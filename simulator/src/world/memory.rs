//! The memory of a log window. A seeded fault can damage it, which sound memory never is.
//!
//! It stands in the machine itself, so that a machine is one plain value.

/// The longest window of any host.
pub const WINDOW_BYTES_MAX: usize = 4096;

/// Bytes that may rot.
#[derive(Clone, Debug)]
pub struct Memory {
    bytes: [u8; WINDOW_BYTES_MAX],
    len: usize,
    /// Borrows left until a bit flips.
    rots_after: Option<u32>,
}

impl Memory {
    /// Sound memory of `len` bytes, at most [`WINDOW_BYTES_MAX`].
    pub const fn new(len: usize) -> Self {
        Memory {
            bytes: [0; WINDOW_BYTES_MAX],
            len,
            rots_after: None,
        }
    }

    /// Memory in which many bits flip after so many borrows.
    pub const fn rotting(len: usize, borrows: u32) -> Self {
        let mut memory = Memory::new(len);
        memory.rots_after = Some(borrows);
        memory
    }
}

impl AsRef<[u8]> for Memory {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl AsMut<[u8]> for Memory {
    #[inline]
    fn as_mut(&mut self) -> &mut [u8] {
        if let Some(left) = &mut self.rots_after {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.rots_after = None;
                for byte in self.bytes.iter_mut().skip(1).step_by(2) {
                    *byte ^= 0x55;
                }
            }
        }
        &mut self.bytes[..self.len]
    }
}

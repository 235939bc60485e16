//! The memory of a log window. A seeded fault can damage it, which sound memory never is.

/// Bytes that may rot.
#[derive(Clone, Debug)]
pub struct Memory {
    bytes: Vec<u8>,
    /// Borrows left until a bit flips.
    rots_after: Option<u32>,
}

impl Memory {
    /// Sound memory.
    pub fn new(len: usize) -> Self {
        Memory {
            bytes: vec![0; len],
            rots_after: None,
        }
    }

    /// Memory in which many bits flip after so many borrows.
    pub fn rotting(len: usize, borrows: u32) -> Self {
        Memory {
            bytes: vec![0; len],
            rots_after: Some(borrows),
        }
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Memory {
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
        &mut self.bytes
    }
}

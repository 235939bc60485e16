//! The state machine that a driver under test drives: small, and so that a lost, doubled, swapped
//! or changed command shows.

use raft_core::LogIndex;

/// What has been applied, and a digest of it in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Application {
    /// The last command whose effect the digest contains, or the end of the snapshot it came from.
    pub applied: LogIndex,
    /// A digest of all commands so far.
    pub digest: u64,
}

/// A snapshot begins with what counts and is filled up, so that it takes several frames.
const SNAPSHOT_BYTES: usize = 600;

impl Application {
    /// Applies a command, as `poll_committed` hands it over.
    pub fn apply(&mut self, index: LogIndex, payload: &[u8]) {
        self.digest = digest(self.digest, index, payload);
        self.applied = index;
    }

    /// Its state as bytes, with everything up to `index` in it.
    pub fn snapshot(&self, index: LogIndex) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SNAPSHOT_BYTES);
        bytes.extend_from_slice(&index.value().to_le_bytes());
        bytes.extend_from_slice(&self.digest.to_le_bytes());
        bytes.extend((bytes.len()..SNAPSHOT_BYTES).map(|place| place as u8 ^ self.digest as u8));
        bytes
    }

    /// The state in a snapshot; none if they are too few. Whether they
    /// are the right ones is for a checksum to say.
    pub fn load(bytes: &[u8]) -> Option<Self> {
        let (index, rest) = bytes.split_first_chunk::<8>()?;
        let (digest, _) = rest.split_first_chunk::<8>()?;
        Some(Application {
            applied: LogIndex::new(u64::from_le_bytes(*index)),
            digest: u64::from_le_bytes(*digest),
        })
    }
}

/// The digest after one more command.
pub(super) fn digest(before: u64, index: LogIndex, payload: &[u8]) -> u64 {
    let mixed = checksum(payload) ^ index.value().rotate_left(32);
    (before.rotate_left(7) ^ mixed).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// FNV-1a, 64 bits.
pub fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

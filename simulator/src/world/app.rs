//! The application: a state that depends on every command and on their order.

use raft_core::LogIndex;

use crate::world::chain::{hash_bytes, mix};

/// A state machine of the smallest kind that can show a lost, doubled or swapped command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct App {
    /// The last entry whose effect it contains.
    pub applied: LogIndex,
    /// A hash of all commands so far.
    pub state: u64,
}

impl App {
    /// The state after one more command.
    pub fn next_state(state: u64, index: LogIndex, payload: &[u8]) -> u64 {
        mix(mix(state, index.value()), hash_bytes(payload))
    }

    /// Applies a command.
    pub fn apply(&mut self, index: LogIndex, payload: &[u8]) {
        self.state = App::next_state(self.state, index, payload);
        self.applied = index;
    }

    /// Writes its state as bytes, the same on every host; everything up to `index` is in it.
    pub fn write_snapshot(&self, index: LogIndex, padding: u64, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&index.value().to_le_bytes());
        bytes.extend_from_slice(&self.state.to_le_bytes());
        bytes.extend((0..padding).map(|place| (place ^ self.state) as u8));
    }

    /// The state in a snapshot.
    pub fn load(bytes: &[u8]) -> Option<App> {
        let (applied, rest) = bytes.split_first_chunk::<8>()?;
        let (state, _) = rest.split_first_chunk::<8>()?;
        Some(App {
            applied: LogIndex::new(u64::from_le_bytes(*applied)),
            state: u64::from_le_bytes(*state),
        })
    }
}

/// The checksum that the drivers use.
pub fn checksum(bytes: &[u8]) -> u32 {
    (hash_bytes(bytes) >> 32) as u32
}

//! The application: a few registers, and a state that depends on every command and its order.

use raft_core::LogIndex;

use crate::world::chain::{hash_bytes, mix};

/// How many registers there are.
pub const REGISTERS: usize = 4;

/// What a command does.
///
/// A command begins with its number, and the number says all: each writes itself into one of the
/// registers, or reads one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Command {
    /// Which command it is.
    pub number: u64,
    /// Which register it is about.
    pub register: usize,
    /// Whether it reads.
    pub is_read: bool,
}

impl Command {
    /// The command with this number.
    pub const fn new(number: u64) -> Self {
        Command {
            number,
            register: (number % REGISTERS as u64) as usize,
            is_read: (number / REGISTERS as u64).is_multiple_of(3),
        }
    }

    /// The command in a payload.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (number, _) = payload.split_first_chunk::<8>()?;
        Some(Command::new(u64::from_le_bytes(*number)))
    }
}

/// What the application says to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The command.
    pub number: u64,
    /// The register's value afterwards: the number of the command that wrote it, zero before the
    /// first.
    pub value: u64,
}

/// A state machine of the smallest kind that can show a lost, doubled or swapped command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct App {
    /// The last entry whose effect it contains.
    pub applied: LogIndex,
    /// A hash of all commands so far.
    pub state: u64,
    /// The registers.
    pub registers: [u64; REGISTERS],
}

/// Bytes of a snapshot without padding.
const SNAPSHOT_BYTES: usize = 16 + 8 * REGISTERS;

impl App {
    /// Applies a command; there is no answer to one that is too short to say anything.
    pub fn apply(&mut self, index: LogIndex, payload: &[u8]) -> Option<Answer> {
        self.state = mix(mix(self.state, index.value()), hash_bytes(payload));
        self.applied = index;
        let command = Command::decode(payload)?;
        let value = &mut self.registers[command.register];
        if !command.is_read {
            *value = command.number;
        }
        Some(Answer {
            number: command.number,
            value: *value,
        })
    }

    /// Writes its state as bytes, the same on every host; everything up to `index` is in it.
    pub fn write_snapshot(&self, index: LogIndex, padding: u64, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.extend_from_slice(&index.value().to_le_bytes());
        bytes.extend_from_slice(&self.state.to_le_bytes());
        for value in self.registers {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        // The padding tells two states apart too.
        bytes.resize(bytes.len() + padding as usize, self.state as u8);
    }

    /// The state in a snapshot of what is up to `last`: a liar may call a later one so.
    pub fn load_at(bytes: &[u8], last: LogIndex) -> Option<App> {
        let app = App::load(bytes)?;
        Some(App {
            applied: app.applied.min(last),
            ..app
        })
    }

    /// The state in a snapshot.
    fn load(bytes: &[u8]) -> Option<App> {
        let (words, _) = bytes.get(..SNAPSHOT_BYTES)?.as_chunks::<8>();
        let (applied, words) = words.split_first()?;
        let (state, words) = words.split_first()?;
        let mut registers = [0; REGISTERS];
        for (value, word) in registers.iter_mut().zip(words) {
            *value = u64::from_le_bytes(*word);
        }
        Some(App {
            applied: LogIndex::new(u64::from_le_bytes(*applied)),
            state: u64::from_le_bytes(*state),
            registers,
        })
    }
}

/// The checksum that the drivers use.
pub fn checksum(bytes: &[u8]) -> u32 {
    (hash_bytes(bytes) >> 32) as u32
}

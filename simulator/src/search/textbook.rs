//! Protocols of the textbooks, small enough that the number of their states is known: who tests
//! the tester?
//!
//! The counts are those that TLC and stateright give for the same models, so an engine that
//! forgets a state, or counts one twice, is seen. Each test asserts the exact count.

pub mod abd;
pub mod paxos;
pub mod register;
pub mod two_phase;

use std::hash::{Hash, Hasher};

use super::space::fold;

/// The fingerprint of anything that can be hashed.
pub(crate) fn fingerprint(value: &impl Hash) -> u64 {
    let mut words = Words(0);
    value.hash(&mut words);
    words.finish()
}

struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = fold(self.0, u64::from(*byte));
        }
    }
}

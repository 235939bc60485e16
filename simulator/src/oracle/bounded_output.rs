//! An input makes no more frames than the log and the members account for.
//!
//! Each member, and each of the strangers that may be owed an answer, can be sent every entry of
//! the window once, each in a frame of its own, and a few frames beside.

use super::words::words;
use crate::world::host::Machine;

/// Frames to one receiver beside those with entries: a question, an answer of each kind, a
/// heartbeat, a piece of a snapshot.
const BESIDE: u64 = 6;
/// Receivers that are no members.
const STRANGERS: u64 = 3;

/// So many frames any input may make, whatever the log and the members are.
pub(crate) const ALWAYS: u64 = STRANGERS * BESIDE;

/// The most frames that one input may make.
pub(crate) fn bound(raft: &Machine) -> u64 {
    let members = raft.members().count() as u64;
    let entries = raft.last().index.since(raft.base().index);
    (members + STRANGERS) * (entries + BESIDE)
}

/// A machine wanted to send so many frames after one input.
pub(super) fn check(host: usize, sent: u64, bound: u64) -> Result<(), String> {
    if sent <= bound {
        return Ok(());
    }
    Err(words!(
        "host {} sends {sent} frames after one input; log and members account for {bound}",
        host + 1
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_itself_is_allowed() {
        assert!(check(0, 12, 12).is_ok());
        assert!(check(0, 13, 12).is_err());
    }
}

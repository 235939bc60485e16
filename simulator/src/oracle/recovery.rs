//! A restart comes back with exactly what its disk holds.

use raft_core::HardState;

use super::words::words;
use crate::world::chain::Chain;
use crate::world::disk::Durable;
use crate::world::host::Machine;

/// A machine came up with this log.
pub(super) fn check(raft: &Machine, log: &Chain, stored: &Durable) -> Result<(), String> {
    let name = raft.identity().node;
    let last = stored.log.last();
    if raft.last() != last || log.last() != last || log.last_hash() != stored.log.last_hash() {
        return Err(words!(
            "node {name} comes back with a log up to {:?}, its disk holds one up to {last:?}",
            raft.last()
        ));
    }
    if raft.base() != stored.log.base() {
        return Err(words!(
            "node {name} comes back with a log after {:?}, on its disk it stands after {:?}",
            raft.base(),
            stored.log.base()
        ));
    }
    let expected = if last.term > stored.hard.term {
        HardState {
            term: last.term,
            vote: None,
        }
    } else {
        stored.hard
    };
    if raft.hard_state() != expected {
        return Err(words!(
            "node {name} comes back with {:?}, its disk says {expected:?}",
            raft.hard_state()
        ));
    }
    Ok(())
}

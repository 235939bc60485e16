//! The machine's own invariants hold, and it has not stopped.

use super::words::words;
use crate::world::host::Machine;

/// Asks the machine: by its numbers, and about its whole log too if it `is_due`.
pub(super) fn check(raft: &Machine, is_due: bool) -> Result<(), String> {
    if let Some(fault) = raft.fault() {
        let name = raft.identity().node;
        return Err(words!("node {name} has stopped: {fault}"));
    }
    let found = if is_due {
        raft.check_invariants()
    } else {
        raft.check_numbers()
    };
    found.map_err(|law| words!("node {} breaks the law that {law}", raft.identity().node))
}

//! The machine's own invariants hold, and it has not stopped.

use crate::world::host::Machine;

/// Asks the machine.
pub(super) fn check(raft: &Machine) -> Result<(), String> {
    let name = raft.identity().node;
    if let Some(fault) = raft.fault() {
        return Err(format!("node {name} has stopped: {fault}"));
    }
    raft.check_invariants()
        .map_err(|law| format!("node {name} breaks the law that {law}"))
}

//! What is being written cannot change under the driver's hands.

use clocks::Instant;
use raft_core::Raft;

fn drive(raft: &mut Raft<Vec<u8>, 3>, now: Instant) {
    let Some(write) = raft.poll_persist() else { return };
    let _ = raft.handle_timeout(now);
    let _ticket = write.into_ticket();
}

fn main() {
    let _ = drive;
}

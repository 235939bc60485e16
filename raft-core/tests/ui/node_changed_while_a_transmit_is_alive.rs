//! What is being sent is lent from the window, which cannot change meanwhile.

use clocks::Instant;
use raft_core::{Raft, Ready, wire};

fn drive(raft: &mut Raft<Vec<u8>, 3>, now: Instant, frame: &mut [u8]) {
    let Some(transmit) = raft.poll_transmit(now, Ready::All) else { return };
    let _ = raft.propose(b"in between");
    let _ = wire::encode(&transmit.message, frame);
}

fn main() {
    let _ = drive;
}

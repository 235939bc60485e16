//! What is being applied is lent from the window, which cannot be compacted meanwhile.

use raft_core::{Committed, Raft};

fn drive(raft: &mut Raft<Vec<u8>, 3>, apply: fn(&[u8])) {
    let Some(Committed::Command(entry)) = raft.poll_committed() else { return };
    let _ = raft.compact(entry.id.index, 0, 0);
    apply(entry.payload);
}

fn main() {
    let _ = drive;
}

//! One write gives one ticket.

use raft_core::Write;

fn drive(write: Write<'_>) {
    let _first = write.into_ticket();
    let _second = write.into_ticket();
}

fn main() {
    let _ = drive;
}

//! The bytes of a write are gone once its ticket is taken: store them first.

use raft_core::{RECORD_HEADER_BYTES_MAX, Write};

fn drive(write: Write<'_>) {
    let _ticket = write.into_ticket();
    let _ = write.record(&mut [0; RECORD_HEADER_BYTES_MAX]);
}

fn main() {
    let _ = drive;
}

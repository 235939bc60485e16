//! A decoded message borrows its frame: the buffer cannot receive the next one meanwhile.

use raft_core::wire;

fn receive(frame: &mut [u8], fill: fn(&mut [u8])) {
    let Ok(message) = wire::decode(frame) else { return };
    fill(frame);
    let _ = message.term;
    drop(message);
}

fn main() {
    let _ = receive;
}

//! How much RAM a node takes besides its log window: `cargo test -p raft-core --test memory -- --nocapture`.

use raft_core::Raft;

/// What a node of five members may take on a 64-bit host.
const FIVE_MEMBERS_BYTES_MAX: usize = 2048;

#[test]
fn node_of_five_members_fits_its_budget() {
    let bytes = [
        (3, size_of::<Raft<&mut [u8], 3>>()),
        (5, size_of::<Raft<&mut [u8], 5>>()),
        (7, size_of::<Raft<&mut [u8], 7>>()),
    ];
    for (members, bytes) in bytes {
        println!("{members} members: {bytes} bytes without the log window");
    }
    if cfg!(target_pointer_width = "64") {
        assert!(bytes[1].1 <= FIVE_MEMBERS_BYTES_MAX, "{} bytes", bytes[1].1);
    }
}

/// The window is the only memory that grows: what is lent is what is used.
#[test]
fn owned_window_adds_only_itself() {
    let alone = size_of::<Raft<[u8; 0], 5>>();
    assert_eq!(size_of::<Raft<[u8; 4096], 5>>(), alone + 4096);
}

//! A ticket is a fact of this start: it cannot be stored and read back.

fn read<T: serde::de::DeserializeOwned>(_: &[u8]) -> Option<T> {
    None
}

fn main() {
    let _ = read::<raft_core::HardState>(&[]);
    let _ = read::<raft_core::Ticket>(&[]);
}

//! `cargo +nightly fuzz run raft_messages`: see `raft_fuzz::raft_messages` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::raft_messages(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("raft_messages", raft_fuzz::raft_messages);
}

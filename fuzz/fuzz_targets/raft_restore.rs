//! `cargo +nightly fuzz run raft_restore`: see `raft_fuzz::raft_restore` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::raft_restore(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("raft_restore", raft_fuzz::raft_restore);
}

//! `cargo +nightly fuzz run raft_values`: see `raft_fuzz::raft_values` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::raft_values(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("raft_values", raft_fuzz::raft_values);
}

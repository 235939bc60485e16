//! `cargo +nightly fuzz run raft_window`: see `raft_fuzz::raft_window` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::raft_window(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("raft_window", raft_fuzz::raft_window);
}

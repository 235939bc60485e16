//! `cargo +nightly fuzz run quorum_sets`: see `raft_fuzz::quorum_sets` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::quorum_sets(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("quorum_sets", raft_fuzz::quorum_sets);
}

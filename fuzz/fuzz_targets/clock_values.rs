//! `cargo +nightly fuzz run clock_values`: see `raft_fuzz::clock_values` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::clock_values(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("clock_values", raft_fuzz::clock_values);
}

//! `cargo +nightly fuzz run session_table`: see `raft_fuzz::session_table` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::session_table(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("session_table", raft_fuzz::session_table);
}

//! `cargo +nightly fuzz run wire_decode`: see `raft_fuzz::wire_decode` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::wire_decode(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("wire_decode", raft_fuzz::wire_decode);
}

//! `cargo +nightly fuzz run kv_resp`: see `raft_fuzz::kv_resp` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::kv_resp(data));

#[cfg(not(fuzzing))]
fn main() {
    raft_fuzz::replay("kv_resp", raft_fuzz::kv_resp);
}

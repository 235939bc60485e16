//! `cargo +nightly fuzz run raft_messages`: see `raft_fuzz::raft_messages` for what the bytes mean.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| raft_fuzz::raft_messages(data));

#[cfg(not(fuzzing))]
fn main() {
    let mut replayed = 0;
    for path in std::env::args().skip(1) {
        let data = std::fs::read(&path).expect("a readable file");
        raft_fuzz::raft_messages(&data);
        replayed += 1;
    }
    println!(
        "{replayed} inputs replayed; to look for new ones: cargo +nightly fuzz run raft_messages"
    );
}

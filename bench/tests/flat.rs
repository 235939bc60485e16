//! The price of an entry does not depend on how many went before it, nor on how full the window is.
//!
//! Counted are instructions, under callgrind, so no neighbour of a busy machine can make it fail; where
//! there is no valgrind the test says so. `bench flatness` prints longer histories.

use std::process::{Command, Stdio};

const CONTENDER: &str = "raft-core, explicit commit";

/// Instructions of a run of so many batches of `window` entries, three nodes, 16 bytes.
fn counted(window: usize, batches: usize) -> u64 {
    let profile = std::env::temp_dir().join(format!("flat-{}-{batches}.out", std::process::id()));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(env!("CARGO_BIN_EXE_bench"))
        .args(["cell", "replication", CONTENDER])
        .args([3, 16, window, batches].map(|number| number.to_string()))
        .output()
        .expect("valgrind starts");
    // If it cannot be removed, a small file stays in the temporary directory.
    let _ = std::fs::remove_file(profile);
    let summary = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{summary}");
    let count = summary
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.unwrap_or_else(|| panic!("callgrind did not count: {summary}"))
}

/// Instructions of `more` batches that follow `before`.
fn price(window: usize, before: usize, more: usize) -> f64 {
    let both = counted(window, before + more) - counted(window, before);
    both as f64 / (more * window) as f64
}

fn has_valgrind() -> bool {
    let asked = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let has = asked.is_ok_and(|status| status.success());
    if !has {
        eprintln!("nothing was counted: valgrind is missing (on Debian: apt-get install valgrind)");
    }
    has
}

fn assert_within_two_percent(one: f64, other: f64) {
    let off = (one - other).abs() / one;
    assert!(off <= 0.02, "{one:.1} and {other:.1} instructions an entry");
}

/// Batches of 64 entries from one cut of the log to the next.
const CYCLE: usize = 31;

#[test]
fn an_entry_costs_the_same_after_a_history_a_hundred_times_as_long() {
    if has_valgrind() {
        let (short, long) = (
            price(64, 2 * CYCLE, 2 * CYCLE),
            price(64, 200 * CYCLE, 2 * CYCLE),
        );
        assert_within_two_percent(short, long);
    }
}

#[test]
fn an_entry_costs_the_same_in_an_empty_and_in_a_full_window() {
    if has_valgrind() {
        // The log is cut when it holds 2,048 entries, for the first time.
        let (empty, full) = (price(1, 64, 100), price(1, 1800, 100));
        assert_within_two_percent(empty, full);
    }
}

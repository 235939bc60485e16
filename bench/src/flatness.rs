//! Does a step cost more when more has happened before it?
//!
//! A machine that looks through its log, or lets a table grow, is fast in a short benchmark and slow in the second
//! month. Here the price of the next entries is measured after histories of very different lengths, and with a
//! window that is nearly empty or nearly full. It must depend on neither. Instructions decide: they are the same in
//! each run, and a cache that becomes cold does not show in them; CPU time is told beside them.

use std::io;

use crate::consensus;
use crate::contender::{LOG_ENTRIES_KEPT, Load, Registered};
use crate::measure::{Spread, collected, has_valgrind, thread_cpu_nanos};

const GROUP: &str = "replication";
const NAME: &str = "raft-core, explicit commit";

/// Entries committed before, about: whole cycles of the log.
const HISTORIES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// How full the log is, in hundredths of where it is cut.
const FILLS: [usize; 6] = [0, 20, 40, 60, 80, 95];
/// Runs of which the median counts.
const REPEATS: usize = 11;

const BY_LENGTH: Load = Load {
    members: 3,
    payload_bytes: 16,
    window: 64,
};
const BY_FILL: Load = Load {
    members: 3,
    payload_bytes: 16,
    window: 1,
};

/// Prints both tables.
///
/// # Errors
///
/// Instructions could not be counted.
pub(crate) fn run() -> io::Result<()> {
    let Some(contender) = consensus::find(GROUP, NAME) else {
        return Err(io::Error::other(format!("no contender `{NAME}`")));
    };
    let counts = has_valgrind();
    println!("### The next entry after a history: n = 3, 16 B, w = 64\n");
    println!("| entries committed before | instr/entry | CPU ns/entry, median (min-max) |");
    println!("|---:|---:|---:|");
    for entries in HISTORIES {
        let cycle = BY_LENGTH.cycle_batches();
        let before = entries.div_ceil(cycle * BY_LENGTH.window) * cycle;
        // Two cycles more, so that what the cut costs counts as often everywhere.
        let cost = Cost::of(contender, BY_LENGTH, before, 2 * cycle, counts)?;
        println!("| {} {cost}", grouped(before * BY_LENGTH.window));
    }
    println!("\n### The next entry by what is in the window: n = 3, 16 B, w = 1\n");
    println!("| entries in the log | instr/entry | CPU ns/entry, median (min-max) |");
    println!("|---:|---:|---:|");
    for fill in FILLS {
        let cycle = BY_FILL.cycle_batches();
        // One cycle, then the log holds what is kept of it, and fills.
        let more = cycle * fill / 100;
        let cost = Cost::of(contender, BY_FILL, cycle + more, cycle / 20, counts)?;
        println!("| {} {cost}", grouped(LOG_ENTRIES_KEPT + more));
    }
    Ok(())
}

struct Cost {
    instructions: Option<f64>,
    nanos: Spread,
}

impl Cost {
    /// Of an entry, over `more` batches that follow `before`.
    fn of(
        contender: &Registered,
        load: Load,
        before: usize,
        more: usize,
        counts: bool,
    ) -> io::Result<Self> {
        let entries = (more * load.window) as f64;
        let instructions = match counts {
            true => {
                let short = collected(contender, GROUP, load, before)?;
                let long = collected(contender, GROUP, load, before + more)?;
                Some((long - short) as f64 / entries)
            }
            false => None,
        };
        let repeats = (0..REPEATS).map(|_| {
            let mut cluster = (contender.build)(load);
            cluster.run(before);
            let start = thread_cpu_nanos();
            cluster.run(more);
            (thread_cpu_nanos() - start) as f64 / entries
        });
        Ok(Cost {
            instructions,
            nanos: Spread::of(repeats.collect()),
        })
    }
}

impl core::fmt::Display for Cost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Spread { median, min, max } = self.nanos;
        match self.instructions {
            Some(count) => write!(f, "| {count:.1} ")?,
            None => write!(f, "| - ")?,
        }
        write!(f, "| {median:.1} ({min:.1}-{max:.1}) |")
    }
}

/// With a comma after every third digit.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut words = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            words.push(',');
        }
        words.push(digit);
    }
    words
}

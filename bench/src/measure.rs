//! What a cell costs: CPU time and allocations in this process, instructions in a child under callgrind.
//!
//! Time is the thread's CPU time, since wall time follows the neighbours of a shared machine. The contenders of a
//! group take turns, one run of a new cluster each per repeat, so that a slow minute falls on all of them and none
//! gains or loses by where its memory happens to lie; the median is reported with the extremes. Instructions are the difference between two runs of different length, in which building the
//! cluster, electing its leader and filling its log cancel out.

use core::hint::black_box;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::time::{ClockId, clock_gettime};

use crate::alloc::{Allocations, allocations};
use crate::contender::{Load, Registered};

/// How long and how often to run.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Runs of each cell: odd, so that the median is one of them.
    pub(crate) repeats: usize,
    /// CPU time that one run should take.
    pub(crate) run_nanos: u64,
}

/// The cost of one operation.
pub(crate) struct Cost {
    pub(crate) nanos: Spread,
    pub(crate) allocations: f64,
    pub(crate) allocated_bytes: f64,
    pub(crate) instructions: Option<f64>,
}

/// A median and what it lies between.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of these samples.
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        let at = |index: usize| samples.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(samples.len() / 2),
            min: at(0),
            max: at(samples.len().saturating_sub(1)),
        }
    }
}

/// CPU time and allocations of each contender, in their order; instructions are left open.
pub(crate) fn measure(contenders: &[&'static Registered], load: Load, effort: Effort) -> Vec<Cost> {
    let mut cells: Vec<Cell> = contenders
        .iter()
        .map(|contender| Cell::calibrated(contender, load, effort))
        .collect();
    for repeat in 0..effort.repeats {
        for cell in &mut cells {
            cell.repeat(repeat);
        }
    }
    cells.into_iter().map(Cell::cost).collect()
}

struct Cell {
    contender: &'static Registered,
    load: Load,
    batches: usize,
    nanos: Vec<u64>,
    allocated: Allocations,
}

impl Cell {
    fn calibrated(contender: &'static Registered, load: Load, effort: Effort) -> Self {
        let cycle_batches = load.cycle_batches();
        let (nanos, _) = run_warm(contender, load, cycle_batches);
        Self {
            contender,
            load,
            batches: cycle_batches * effort.run_nanos.div_ceil(nanos.max(1)) as usize,
            nanos: Vec::with_capacity(effort.repeats),
            allocated: Allocations { calls: 0, bytes: 0 },
        }
    }

    /// One run of a new cluster, at addresses that no other repeat has: by where its memory happens to lie a
    /// cheap contender gains or loses a third of its time.
    fn repeat(&mut self, repeat: usize) {
        let shift = vec![0_u8; 1 + 208 * repeat];
        let (nanos, allocated) = run_warm(self.contender, self.load, self.batches);
        drop(black_box(shift));
        self.nanos.push(nanos);
        self.allocated.calls += allocated.calls;
        self.allocated.bytes += allocated.bytes;
    }

    fn cost(self) -> Cost {
        let run_operations = (self.batches * self.load.window) as f64;
        let operations = run_operations * self.nanos.len() as f64;
        let nanos = self
            .nanos
            .iter()
            .map(|nanos| *nanos as f64 / run_operations);
        Cost {
            nanos: Spread::of(nanos.collect()),
            allocations: self.allocated.calls as f64 / operations,
            allocated_bytes: self.allocated.bytes as f64 / operations,
            instructions: None,
        }
    }
}

/// What `batches` take after a first cycle, which fills the log and the caches.
fn run_warm(contender: &Registered, load: Load, batches: usize) -> (u64, Allocations) {
    let mut cluster = (contender.build)(load);
    let warm_batches = load.cycle_batches();
    cluster.run(warm_batches);
    let before = allocations();
    let start = thread_cpu_nanos();
    cluster.run(batches);
    let nanos = thread_cpu_nanos() - start;
    let after = allocations();
    cluster.verify(warm_batches + batches);
    let allocated = Allocations {
        calls: after.calls - before.calls,
        bytes: after.bytes - before.bytes,
    };
    (nanos, allocated)
}

/// CPU time of this thread so far.
pub(crate) fn thread_cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Says whether instructions can be counted here.
pub(crate) fn has_valgrind() -> bool {
    let asked = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Instructions of one operation of `contender`, in all code that runs in user space.
///
/// # Errors
///
/// This program or valgrind could not be started, or callgrind's summary was not understood.
pub(crate) fn instructions(contender: &Registered, group: &str, load: Load) -> io::Result<f64> {
    // Whole cycles, of thousands of entries together: what happens once in a run must not show.
    let cycle_entries = load.cycle_batches() * load.window;
    let entries = if load.window == 1 { 1900 } else { 7000 };
    let batches = load.cycle_batches() * usize::div_ceil(entries, cycle_entries);
    let short = collected(contender, group, load, batches)?;
    let long = collected(contender, group, load, 2 * batches)?;
    Ok((long - short) as f64 / (batches * load.window) as f64)
}

const GLIBC_WITHOUT_REP: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1000000000:glibc.cpu.x86_rep_stosb_threshold=1000000000";

/// Instructions of a whole run of `contender`, from its start to its end.
///
/// # Errors
///
/// As [`instructions`].
pub(crate) fn collected(
    contender: &Registered,
    group: &str,
    load: Load,
    batches: usize,
) -> io::Result<u64> {
    let profile =
        Profile(std::env::temp_dir().join(format!("bench-callgrind-{}.out", std::process::id())));
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", profile.0.display()))
        .arg(std::env::current_exe()?)
        // Valgrind counts every byte that `rep movsb` moves as an instruction, which glibc uses above 4 KiB.
        .env("GLIBC_TUNABLES", GLIBC_WITHOUT_REP)
        .args(["cell", group, contender.name])
        .args(
            [load.members, load.payload_bytes, load.window, batches]
                .map(|number| number.to_string()),
        )
        .output()?;
    let summary = String::from_utf8_lossy(&output.stderr);
    let count = summary
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match count {
        Some(count) if output.status.success() => Ok(count),
        Some(_) | None => Err(io::Error::other(format!(
            "callgrind did not count:\n{summary}"
        ))),
    }
}

/// Callgrind's profile, of which only the total is used.
struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        // If it cannot be removed, a small file stays in the temporary directory.
        let _ = std::fs::remove_file(&self.0);
    }
}

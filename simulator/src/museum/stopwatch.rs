//! How long a hunt took: processor time where the system tells it, so that a busy machine makes
//! nobody look slow; else the time on the wall.

use std::fs;
use std::time::{Duration, Instant};

/// The system brings processor time up to date this often at the least; below it the wall counts.
const TICK: Duration = Duration::from_millis(4);

/// Measures from its start on.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: Instant,
    processor: Option<Duration>,
}

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Stopwatch {
            wall: Instant::now(),
            processor: processor_time(),
        }
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        match (self.processor, processor_time()) {
            (Some(before), Some(now)) => now
                .saturating_sub(before)
                .max(self.wall.elapsed().min(TICK)),
            _ => self.wall.elapsed(),
        }
    }
}

/// What this thread has had of the processor: the first number of Linux's `schedstat`.
fn processor_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        let stopwatch = Stopwatch::start();
        let mut sum = 0_u64;
        while stopwatch.elapsed() < Duration::from_millis(1) {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        assert!(std::hint::black_box(sum) > 0);
    }
}

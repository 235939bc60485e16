//! A leader whose disk does not finish a write gives way: it would hold the group up, and nobody
//! replaces one that still sends heartbeats, `[Howard20]`.
//!
//! Judged whenever a leader is woken, in the time that it was told. The write counts from the
//! first such moment at which it was under way.

use clocks::{Duration, Instant};

use super::words::words;
use crate::world::swarm::HOSTS_MAX;

/// Remembers since when the disk of each leader was seen to write the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HungDisk {
    since: [Option<Instant>; HOSTS_MAX],
}

impl HungDisk {
    /// The disk is done with something, or the host is another one.
    pub(super) fn on_done(&mut self, host: usize) {
        self.since[host] = None;
    }

    /// A host was woken; it leads or not, and its disk writes a record or not.
    pub(super) fn on_woken(
        &mut self,
        host: usize,
        now: Instant,
        is_held_up: bool,
        patience: Duration,
    ) -> Option<Result<(), String>> {
        if !is_held_up {
            self.since[host] = None;
            return None;
        }
        let since = *self.since[host].get_or_insert(now);
        if now < since.saturating_add(patience) {
            return Some(Ok(()));
        }
        Some(Err(words!(
            "host {} leads at {now:?}, and its disk writes the same record since {since:?}",
            host + 1
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_write_may_not_take_too_long() {
        let at = Instant::from_micros;
        let mut oracle = HungDisk::default();
        let mut woken =
            |now, is_held_up| oracle.on_woken(0, at(now), is_held_up, Duration::from_micros(10));
        assert_eq!(woken(5, true), Some(Ok(())));
        assert_eq!(woken(14, true), Some(Ok(())));
        assert!(woken(15, true).is_some_and(|found| found.is_err()));
        assert_eq!(woken(16, false), None);
        assert_eq!(woken(17, true), Some(Ok(())));
        oracle.on_done(0);
        let found = oracle.on_woken(0, at(29), true, Duration::from_micros(10));
        assert_eq!(found, Some(Ok(())));
    }
}

//! What became of every write: the demonstration's only source of truth.
//!
//! A write is acknowledged when its `+OK` arrived; only then does the server owe it to anybody. If the
//! connection broke first, the write may or may not have taken place, and is unknown for ever: sending it
//! again would hide the loss of the first. A write that a node refused (not the leader, no leader) has
//! not taken place and is sent again under the same number.
//!
//! The ledger also times each failover: from the kill to the first acknowledgement of a write that was sent
//! after the process was gone. Answers that were already on their way do not count.

use core::time::Duration;
use std::time::Instant;

use hdrhistogram::Histogram;

/// Latencies are told apart up to this; anything longer counts as this.
const LATENCY_MICROS_MAX: u64 = 120_000_000;

/// What is known about one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not answered yet.
    Open,
    /// The server said that it is done.
    Acknowledged,
    /// The answer was lost with the connection.
    Unknown,
    /// The server refused it for good.
    Refused,
}

/// A write that somebody is responsible for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub number: usize,
    /// When it was first tried.
    pub since: Instant,
}

/// A leader that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// Just before the signal.
    pub begun: Instant,
    /// When the process was gone for sure.
    pub done: Instant,
}

/// The fates of all writes, and how long they took.
#[derive(Debug)]
pub struct Ledger {
    fates: Vec<Fate>,
    acknowledged: usize,
    unknown: usize,
    refused: usize,
    first_refusal: Option<String>,
    latencies: Histogram<u64>,
    /// The kill of a leader, until something sent later is acknowledged.
    kill: Option<Kill>,
    /// How long each kill kept clients waiting.
    outages: Vec<Duration>,
}

impl Default for Ledger {
    fn default() -> Self {
        let latencies = Histogram::new_with_max(LATENCY_MICROS_MAX, 3);
        Self {
            fates: Vec::new(),
            acknowledged: 0,
            unknown: 0,
            refused: 0,
            first_refusal: None,
            // The bounds are constants that the histogram accepts.
            latencies: latencies.expect("1 µs to 120 s at 3 digits is a valid range"),
            kill: None,
            outages: Vec::new(),
        }
    }
}

impl Ledger {
    /// Starts the next write.
    pub fn begin(&mut self, now: Instant) -> Pending {
        let number = self.fates.len();
        self.fates.push(Fate::Open);
        Pending { number, since: now }
    }

    /// Notes that a write last sent at `sent` is acknowledged.
    pub fn acknowledge(&mut self, pending: Pending, sent: Instant, now: Instant) {
        self.settle(pending, Fate::Acknowledged);
        self.acknowledged += 1;
        let micros = now.saturating_duration_since(pending.since).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        if let Some(kill) = self.kill.take_if(|kill| sent >= kill.done) {
            self.outages.push(now.saturating_duration_since(kill.begun));
        }
    }

    /// Notes that nobody will ever know.
    pub fn lose_track(&mut self, pending: Pending) {
        self.settle(pending, Fate::Unknown);
        self.unknown += 1;
    }

    /// Notes that the server refused a write for good.
    pub fn refuse(&mut self, pending: Pending, text: &[u8]) {
        self.settle(pending, Fate::Refused);
        self.refused += 1;
        self.first_refusal
            .get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
    }

    /// Each write has one fate and keeps it.
    fn settle(&mut self, pending: Pending, fate: Fate) {
        let place = &mut self.fates[pending.number];
        assert_eq!(*place, Fate::Open, "write {} has two fates", pending.number);
        *place = fate;
    }

    /// Starts to time a failover.
    pub fn kill(&mut self, kill: Kill) {
        self.kill = Some(kill);
    }

    /// Whether nothing has been acknowledged since a leader was killed.
    pub fn is_waiting(&self) -> bool {
        self.kill.is_some()
    }

    /// How many writes were begun.
    pub fn len(&self) -> usize {
        self.fates.len()
    }

    /// Whether no write was begun.
    pub fn is_empty(&self) -> bool {
        self.fates.is_empty()
    }

    /// How many are acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// How many are unknown.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// How many were refused for good, and the server's words for the first of them.
    pub fn refused(&self) -> (usize, Option<&str>) {
        (self.refused, self.first_refusal.as_deref())
    }

    /// The time that so much of all acknowledged writes took at most; 0.5 is the median.
    pub fn latency(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latencies.value_at_quantile(quantile))
    }

    /// How long each failover kept clients waiting, in order.
    pub fn outages(&self) -> &[Duration] {
        &self.outages
    }

    /// What is known about each write, by number.
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_has_one_fate() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        let [a, b, c, d] = [(); 4].map(|()| ledger.begin(now));
        ledger.acknowledge(a, now, now + Duration::from_millis(5));
        ledger.lose_track(b);
        ledger.refuse(c, b"ERR no");
        assert_eq!(d.number, 3);
        let fates = [Fate::Acknowledged, Fate::Unknown, Fate::Refused, Fate::Open];
        assert_eq!(ledger.fates(), fates);
        assert_eq!((ledger.acknowledged(), ledger.unknown()), (1, 1));
        assert_eq!(ledger.refused(), (1, Some("ERR no")));
        let median = ledger.latency(0.5).as_micros();
        assert!((5_000..5_010).contains(&median), "{median}");
    }

    #[test]
    #[should_panic(expected = "two fates")]
    fn an_unknown_write_cannot_become_acknowledged() {
        let now = Instant::now();
        let mut ledger = Ledger::default();
        let write = ledger.begin(now);
        ledger.lose_track(write);
        ledger.acknowledge(write, now, now);
    }

    #[test]
    fn answers_already_on_their_way_do_not_end_an_outage() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut ledger = Ledger::default();
        let [early, late] = [(); 2].map(|()| ledger.begin(start));
        ledger.kill(Kill {
            begun: at(10),
            done: at(12),
        });
        ledger.acknowledge(early, at(11), at(13));
        assert!(ledger.is_waiting());
        ledger.acknowledge(late, at(12), at(710));
        assert!(!ledger.is_waiting());
        assert_eq!(ledger.outages(), [Duration::from_millis(700)]);
    }
}

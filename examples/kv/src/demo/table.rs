//! The closing table: what the demonstration found, in a dozen lines.

use core::fmt;
use core::time::Duration;

/// One kill of a leader and what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failover {
    /// The node that was killed.
    pub node: u64,
    /// What the group was doing just then.
    pub circumstance: String,
    /// From the kill to the first acknowledgement of a write sent after it.
    pub outage: Duration,
}

/// What one node had when everything was read back from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// Which node, and how it was asked.
    pub source: String,
    /// Acknowledged writes found.
    pub found: usize,
    /// Acknowledged writes missing.
    pub lost: usize,
    /// Other values than were written.
    pub wrong: usize,
}

/// Everything the table shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// How long writes were sent.
    pub elapsed: Duration,
    /// At most so many were sent per second.
    pub rate: Option<u32>,
    /// Writes whose answer was lost.
    pub unknown: usize,
    /// How many of these took place.
    pub unknown_found: usize,
    /// Writes the server refused for good, and its words for the first.
    pub refused: (usize, Option<String>),
    /// Median, 99th percentile and longest time to an acknowledgement.
    pub latency: [Duration; 3],
    /// Each failover in order.
    pub failovers: Vec<Failover>,
    /// Each node that was read back.
    pub read_back: Vec<ReadBack>,
    /// Each node's bytes on disk.
    pub bytes_on_disk: Vec<u64>,
}

impl Summary {
    /// Acknowledged writes missing, over all nodes that were read back.
    pub fn lost(&self) -> usize {
        self.read_back.iter().map(|node| node.lost).sum()
    }

    /// Other values than were written, over all nodes that were read back.
    pub fn wrong(&self) -> usize {
        self.read_back.iter().map(|node| node.wrong).sum()
    }

    /// Whether nothing was lost, changed or refused, and everything was looked for on every node.
    pub fn is_flawless(&self) -> bool {
        let complete = |node: &ReadBack| node.found == self.acknowledged;
        self.lost() == 0
            && self.wrong() == 0
            && self.refused.0 == 0
            && !self.read_back.is_empty()
            && self.read_back.iter().all(complete)
    }

    fn per_second(&self) -> u128 {
        let acknowledged = u128::try_from(self.acknowledged).unwrap_or(u128::MAX);
        let millis = self.elapsed.as_millis().max(1);
        acknowledged.saturating_mul(1000) / millis
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |out: &mut fmt::Formatter<'_>, name: &str, value: &str, note: &str| {
            let line = format!("  {name:<18}{value:>12}  {note}");
            writeln!(out, "{}", line.trim_end())
        };
        let per_second = grouped(self.per_second());
        let seconds = self.elapsed.as_secs_f64();
        let limit = self.rate.map_or(String::new(), |rate| {
            format!(" of at most {}", grouped(rate))
        });
        let rate = format!("in {seconds:.1} s: {per_second} per second{limit}");
        row(out, "acknowledged", &grouped(self.acknowledged), &rate)?;
        let took_place = format!(
            "answer lost with the connection; {} took place",
            grouped(self.unknown_found)
        );
        let note = if self.unknown == 0 { "" } else { &took_place };
        row(out, "unknown", &grouped(self.unknown), note)?;
        row(out, "lost", &grouped(self.lost()), "")?;
        row(out, "read back wrong", &grouped(self.wrong()), "")?;
        if let (1.., Some(text)) = (self.refused.0, &self.refused.1) {
            row(out, "refused", &grouped(self.refused.0), text)?;
        }
        for (name, latency) in ["latency p50", "latency p99", "latency max"]
            .iter()
            .zip(self.latency)
        {
            row(out, name, &milliseconds(latency), "")?;
        }
        for (failover, number) in self.failovers.iter().zip(1..) {
            let name = format!("failover {number}");
            let note = format!(
                "without a leader: n{} killed {}",
                failover.node, failover.circumstance
            );
            row(out, &name, &milliseconds(failover.outage), &note)?;
        }
        for node in &self.read_back {
            row(out, "read back", &grouped(node.found), &node.source)?;
        }
        for (bytes, number) in self.bytes_on_disk.iter().zip(1..) {
            let note = format!("n{number}");
            row(out, "on disk", &megabytes(*bytes), &note)?;
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub fn grouped(number: impl fmt::Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let read_back = |source: &str| ReadBack {
            source: source.into(),
            found: 612_345,
            lost: 0,
            wrong: 0,
        };
        Summary {
            acknowledged: 612_345,
            elapsed: Duration::from_millis(20_500),
            rate: Some(60_000),
            unknown: 512,
            unknown_found: 300,
            refused: (0, None),
            latency: [12, 48, 1900].map(Duration::from_millis),
            failovers: vec![Failover {
                node: 1,
                circumstance: "at 25 %".into(),
                outage: Duration::from_millis(1210),
            }],
            read_back: vec![read_back("n1, by itself"), read_back("n3, linearizable")],
            bytes_on_disk: vec![85_160_000],
        }
    }

    #[test]
    fn golden_table() {
        let expected = "  \
  acknowledged           612,345  in 20.5 s: 29,870 per second of at most 60,000
  unknown                    512  answer lost with the connection; 300 took place
  lost                         0
  read back wrong              0
  latency p50            12.0 ms
  latency p99            48.0 ms
  latency max          1900.0 ms
  failover 1           1210.0 ms  without a leader: n1 killed at 25 %
  read back              612,345  n1, by itself
  read back              612,345  n3, linearizable
  on disk                85.1 MB  n1
";
        assert_eq!(summary().to_string(), expected);
        assert!(summary().is_flawless());
    }

    #[test]
    fn anything_lost_wrong_refused_or_not_looked_for_is_a_flaw() {
        let flaw = |spoil: fn(&mut Summary)| {
            let mut spoiled = summary();
            spoil(&mut spoiled);
            assert!(!spoiled.is_flawless(), "{spoiled:?}");
        };
        flaw(|summary| summary.read_back[1].lost = 1);
        flaw(|summary| summary.read_back[0].wrong = 1);
        flaw(|summary| summary.refused.0 = 1);
        flaw(|summary| summary.read_back[0].found -= 1);
        flaw(|summary| summary.read_back.clear());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}

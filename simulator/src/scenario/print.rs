//! Writing a story down.

use core::fmt;

use crate::scenario::text::everybody;
use crate::scenario::{Expected, Knobs, Scenario};
use crate::world::decision::{Alteration, Decision, Illness};
use crate::world::sabotage::Sabotage;
use crate::world::swarm::HOSTS_MAX;

fn time(micros: u64) -> String {
    if micros.is_multiple_of(1000) {
        format!("{}ms", micros / 1000)
    } else {
        format!("{micros}us")
    }
}

fn names(hosts: u64) -> String {
    let all = (0..HOSTS_MAX).filter(|host| hosts >> host & 1 == 1);
    let all: Vec<_> = all.map(|host| format!("n{}", host + 1)).collect();
    all.join(" ")
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.about {
            writeln!(f, "{}", format!("# {line}").trim_end())?;
        }
        self.knobs.fmt(f)?;
        if let Some(mutant) = &self.mutant {
            writeln!(f, "mutant {mutant}")?;
        }
        writeln!(f)?;
        for step in &self.steps {
            if let Some(at) = step.at {
                let micros = at.as_micros();
                write!(f, "{}.{:03} ", micros / 1000, micros % 1000)?;
            }
            writeln!(f, "{}", step.decision)?;
        }
        writeln!(f)?;
        match self.expected {
            Expected::Sound => writeln!(f, "expect sound")?,
            Expected::Violation(oracle) => writeln!(f, "expect violation {oracle}")?,
        }
        if !self.outcome.is_empty() {
            write!(f, "\n---\n{}", self.outcome)?;
        }
        Ok(())
    }
}

impl fmt::Display for Knobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let standard = Knobs::default();
        writeln!(f, "hosts {}", self.hosts)?;
        let mut number = |name: &str, value: u64, usual: u64| {
            if value == usual {
                return Ok(());
            }
            writeln!(f, "{name} {value}")
        };
        number("seed", self.seed, standard.seed)?;
        number("window", self.window as u64, standard.window as u64)?;
        number("frame", self.frame as u64, standard.frame as u64)?;
        number("compact", self.compact, standard.compact)?;
        number("padding", self.padding, standard.padding)?;
        number("rot", self.rot.into(), standard.rot.into())?;
        if self.clock_rate != standard.clock_rate {
            writeln!(f, "clock-rate {}", self.clock_rate)?;
        }
        if let Some(lease) = self.lease {
            writeln!(f, "lease {lease}")?;
        }
        if self.is_shared {
            writeln!(f, "shared")?;
        }
        if let Some(quiet) = self.quiet {
            writeln!(f, "quiet {}", time(quiet.as_micros()))?;
        }
        if self.never_quiet != 0 {
            writeln!(f, "never-quiet {}", names(self.never_quiet))?;
        }
        if let Some((messages, frames)) = self.flow.in_flight {
            writeln!(f, "in-flight {messages} {frames}")?;
        }
        if let Some(bytes) = self.flow.uncommitted_bytes_max {
            writeln!(f, "uncommitted {bytes}")?;
        }
        if self.flow.archive_bytes > 0 {
            writeln!(f, "archive {}", self.flow.archive_bytes)?;
        }
        if let Some(percent) = self.flow.hold_percent {
            writeln!(f, "hold-compaction {percent}")?;
        }
        if self.lags != standard.lags {
            f.write_str("lags")?;
            self.lags.iter().try_for_each(|lag| write!(f, " {lag}"))?;
            writeln!(f)?;
        }
        if self.election_timeout != standard.election_timeout {
            let micros = self.election_timeout.as_micros();
            writeln!(f, "election-timeout {}", time(micros))?;
        }
        if self.heartbeat != standard.heartbeat {
            writeln!(f, "heartbeat {}", time(self.heartbeat.as_micros()))?;
        }
        if self.persist_timeout != standard.persist_timeout {
            let micros = self.persist_timeout.as_micros();
            writeln!(f, "persist-timeout {}", time(micros))?;
        }
        if self.sabotage != Sabotage::None {
            writeln!(f, "sabotage {}", self.sabotage.name())?;
        }
        if self.members != 0 {
            writeln!(f, "members {}", names(self.members))?;
        }
        let everybody = everybody(self.hosts);
        let links = &self.links[..self.hosts];
        let has_all = self.hosts > 1
            && (0..)
                .zip(links)
                .all(|(host, to)| to | 1 << host == *to | everybody);
        if has_all && self.disks & everybody == everybody {
            return writeln!(f, "auto network disk");
        }
        if has_all {
            writeln!(f, "auto network")?;
        } else if links.iter().any(|to| to & everybody != 0) {
            write!(f, "auto network")?;
            for (from, to) in links.iter().enumerate() {
                for to in (0..self.hosts).filter(|host| to >> host & 1 == 1 && *host != from) {
                    write!(f, " {}->{}", from + 1, to + 1)?;
                }
            }
            writeln!(f)?;
        }
        match self.disks & everybody {
            0 => Ok(()),
            all if all == everybody => writeln!(f, "auto disk"),
            some => writeln!(f, "auto disk {}", names(some)),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |host: &u8| u32::from(*host) + 1;
        match self {
            Decision::Deliver(pattern) => write!(f, "deliver {pattern}"),
            Decision::Wake(host) => write!(f, "wake n{}", n(host)),
            Decision::Store(host) => write!(f, "store n{}", n(host)),
            Decision::Fail(host, left) => write!(f, "fail n{} leaves {left}", n(host)),
            Decision::Crash(host, left) => {
                write!(f, "crash n{}", n(host))?;
                if left.kept > 0 {
                    write!(f, " keep {}", left.kept)?;
                }
                match left.torn {
                    Some(bytes) => write!(f, " tear {bytes}"),
                    None => Ok(()),
                }
            }
            Decision::Restart(host) => write!(f, "restart n{}", n(host)),
            Decision::Wipe(host) => write!(f, "wipe n{}", n(host)),
            Decision::Propose(host, 1, bytes) => write!(f, "propose n{} {bytes} bytes", n(host)),
            Decision::Propose(host, count, bytes) => {
                write!(f, "propose n{} {count} x {bytes} bytes", n(host))
            }
            Decision::Read(host, count) => write!(f, "read n{} {count}", n(host)),
            Decision::Campaign(host) => write!(f, "campaign n{}", n(host)),
            Decision::Rouse(host) => write!(f, "rouse n{}", n(host)),
            Decision::Transfer(from, to) => write!(f, "transfer {}->{}", n(from), n(to)),
            Decision::Reconfigure(host, all) => {
                write!(f, "reconfigure n{}", n(host))?;
                for alteration in all {
                    match alteration {
                        Alteration::Voter(host) => write!(f, " +n{}", n(host))?,
                        Alteration::Learner(host) => write!(f, " +n{}:learner", n(host))?,
                        Alteration::Witness(host) => write!(f, " +n{}:witness", n(host))?,
                        Alteration::Promote(host) => write!(f, " ^n{}", n(host))?,
                        Alteration::Demote(host) => write!(f, " _n{}", n(host))?,
                        Alteration::Remove(host) => write!(f, " -n{}", n(host))?,
                    }
                }
                Ok(())
            }
            Decision::Unreachable(from, to) => write!(f, "unreachable {}->{}", n(from), n(to)),
            Decision::Busy(host, peers) => write!(f, "busy n{} {}", n(host), names(*peers)),
            Decision::Free(host) => write!(f, "free n{}", n(host)),
            Decision::StopClock(host) => write!(f, "stop-clock n{}", n(host)),
            Decision::StartClock(host, catches_up) => {
                let word = if *catches_up { "caught-up" } else { "behind" };
                write!(f, "start-clock n{} {word}", n(host))
            }
            Decision::Rate(host, ppm) => write!(f, "rate n{} {ppm:+}", n(host)),
            Decision::Rot(host) => write!(f, "rot-record n{}", n(host)),
            Decision::Clock(host, micros) => {
                let sign = if *micros < 0 { '-' } else { '+' };
                write!(
                    f,
                    "clock n{} {sign}{}",
                    n(host),
                    time(micros.unsigned_abs())
                )
            }
            Decision::Freeze(host, illness) => {
                let mut all = Illness::ALL.into_iter();
                let word = all.find(|(_, other)| other == illness);
                write!(
                    f,
                    "freeze n{} {}",
                    n(host),
                    word.map_or("", |(word, _)| word)
                )
            }
            Decision::Image(host) => write!(f, "image n{}", n(host)),
            Decision::Rewind => f.write_str("rewind"),
            Decision::Partition(sides) => {
                let sides: Vec<_> = sides.iter().map(|side| names(*side)).collect();
                write!(f, "partition {}", sides.join(" | "))
            }
            Decision::Cut(from, to) => write!(f, "cut {}->{}", n(from), n(to)),
            Decision::Heal => f.write_str("heal"),
            Decision::Lose(pattern) => write!(f, "lose {pattern}"),
            Decision::Hold(pattern) => write!(f, "hold {pattern}"),
            Decision::Stall(host) => write!(f, "stall n{}", n(host)),
            Decision::Flow(host) => write!(f, "flow n{}", n(host)),
            Decision::Run(micros) => write!(f, "run {}", time(*micros)),
            Decision::Calm => f.write_str("calm"),
        }
    }
}

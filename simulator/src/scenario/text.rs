//! Reading a story.

use core::fmt;

use clocks::Duration;

use crate::oracle::Oracle;
use crate::scenario::{Expected, Knobs, Scenario, Step};
use crate::world::clock::Moment;
use crate::world::decision::{Alteration, Decision, FrameKind, Illness, Left, Pattern};
use crate::world::sabotage::Sabotage;
use crate::world::swarm::HOSTS_MAX;

/// A line that is no line of a story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// Which one, from 1.
    pub line: usize,
    /// Why.
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

impl Scenario {
    /// Reads a story.
    ///
    /// # Errors
    ///
    /// The first line that is none.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (script, outcome) = match text.split_once("\n---\n") {
            Some((script, outcome)) => (script, outcome),
            None => (text, ""),
        };
        let mut scenario = Scenario {
            about: Vec::new(),
            mutant: None,
            knobs: Knobs::default(),
            steps: Vec::new(),
            expected: Expected::Sound,
            outcome: outcome.to_owned(),
        };
        for (place, line) in script.lines().enumerate() {
            if let Some(words) = line.strip_prefix('#') {
                scenario.about.push(words.trim().to_owned());
                continue;
            }
            let mut words = Words(line.split_whitespace().collect());
            if words.0.is_empty() {
                continue;
            }
            let read = scenario.read(&mut words).and_then(|()| words.end());
            read.map_err(|what| ParseError {
                line: place + 1,
                what,
            })?;
        }
        Ok(scenario)
    }

    fn read(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let knobs = &mut self.knobs;
        match words.0[0] {
            "expect" => {
                words.skip();
                self.expected = match words.word()? {
                    "sound" => Expected::Sound,
                    "violation" => {
                        let name = words.word()?;
                        let oracle = Oracle::by_name(name);
                        Expected::Violation(oracle.ok_or(format!("no oracle is called {name}"))?)
                    }
                    other => return Err(format!("{other}: sound, or violation ORACLE")),
                };
                Ok(())
            }
            "mutant" => {
                words.skip();
                self.mutant = Some(words.word()?.to_owned());
                Ok(())
            }
            "seed" | "hosts" | "window" | "frame" | "compact" | "padding" | "election-timeout"
            | "heartbeat" | "persist-timeout" | "clock-rate" | "lease" | "shared" | "sabotage"
            | "rot" | "members" | "auto" | "quiet" | "never-quiet" | "lags" | "in-flight"
            | "uncommitted" | "archive" | "hold-compaction" => knobs.read(words),
            _ => {
                self.steps.push(step(words)?);
                Ok(())
            }
        }
    }
}

impl Knobs {
    fn read(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        match words.word()? {
            "seed" => self.seed = words.number()?,
            "hosts" => {
                self.hosts = words.number()?;
                if self.hosts == 0 || self.hosts > HOSTS_MAX {
                    return Err(format!("1 to {HOSTS_MAX} hosts"));
                }
            }
            "window" => self.window = words.number()?,
            "frame" => self.frame = words.number()?,
            "compact" => self.compact = words.number()?,
            "padding" => self.padding = words.number()?,
            "election-timeout" => self.election_timeout = words.duration()?,
            "heartbeat" => self.heartbeat = words.duration()?,
            "persist-timeout" => self.persist_timeout = words.duration()?,
            "clock-rate" => self.clock_rate = words.number()?,
            "lease" => self.lease = Some(words.number()?),
            "shared" => self.is_shared = true,
            "in-flight" => self.flow.in_flight = Some((words.number()?, words.number()?)),
            "uncommitted" => self.flow.uncommitted_bytes_max = Some(words.number()?),
            "archive" => self.flow.archive_bytes = words.number()?,
            "hold-compaction" => self.flow.hold_percent = Some(words.number()?),
            "quiet" => self.quiet = Some(words.duration()?),
            "never-quiet" => self.never_quiet = words.hosts()?,
            "lags" => {
                for lag in self.lags.iter_mut().take(words.0.len()) {
                    *lag = words.number()?;
                    if *lag > raft_core::PRIORITY_MAX {
                        return Err(format!("at most {} steps", raft_core::PRIORITY_MAX));
                    }
                }
            }
            "rot" => self.rot = words.number()?,
            "sabotage" => {
                let name = words.word()?;
                let found = Sabotage::by_name(name);
                self.sabotage = found.ok_or(format!("no seeded fault is called {name}"))?;
            }
            "members" => {
                while !words.0.is_empty() {
                    self.members |= 1 << words.host()?;
                }
            }
            "auto" => self.read_auto(words)?,
            other => return Err(format!("{other}?")),
        }
        Ok(())
    }

    fn read_auto(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let (mut network, mut disk, mut all) = (false, false, true);
        while !words.0.is_empty() {
            match words.0[0] {
                "network" => network = true,
                "disk" => disk = true,
                link if link.contains("->") => {
                    let (from, to) = words.link()?;
                    self.links[usize::from(from)] |= 1 << to;
                    all = false;
                    continue;
                }
                _ => {
                    self.disks |= 1 << words.host()?;
                    all = false;
                    continue;
                }
            }
            words.skip();
        }
        if all && network {
            self.links = [everybody(self.hosts); HOSTS_MAX];
        }
        if all && disk {
            self.disks = everybody(self.hosts);
        }
        Ok(())
    }
}

pub(super) fn everybody(hosts: usize) -> u64 {
    (1 << hosts) - 1
}

fn step(words: &mut Words<'_>) -> Result<Step, String> {
    let mut at = None;
    if words.0[0].starts_with(|c: char| c.is_ascii_digit()) {
        at = Some(moment(words.word()?)?);
    }
    let decision = match words.word()? {
        "deliver" => Decision::Deliver(words.pattern()?),
        "wake" => Decision::Wake(words.host()?),
        "store" => Decision::Store(words.host()?),
        "fail" => Decision::Fail(words.host()?, words.after("leaves")?),
        "crash" => {
            let host = words.host()?;
            let mut left = Left::default();
            if words.is("keep") {
                left.kept = words.after("keep")?;
            }
            if words.is("tear") {
                left.torn = Some(words.after("tear")?);
            }
            Decision::Crash(host, left)
        }
        "restart" => Decision::Restart(words.host()?),
        "wipe" => Decision::Wipe(words.host()?),
        "propose" => words.proposal()?,
        "read" => Decision::Read(words.host()?, words.number()?),
        "campaign" => Decision::Campaign(words.host()?),
        "rouse" => Decision::Rouse(words.host()?),
        "transfer" => {
            let (from, to) = words.link()?;
            Decision::Transfer(from, to)
        }
        "reconfigure" => Decision::Reconfigure(words.host()?, words.alterations()?),
        "unreachable" => {
            let (from, to) = words.link()?;
            Decision::Unreachable(from, to)
        }
        "busy" => Decision::Busy(words.host()?, words.hosts()?),
        "free" => Decision::Free(words.host()?),
        "stop-clock" => Decision::StopClock(words.host()?),
        "start-clock" => {
            let host = words.host()?;
            match words.word()? {
                "caught-up" => Decision::StartClock(host, true),
                "behind" => Decision::StartClock(host, false),
                word => return Err(format!("{word}: caught-up, or behind")),
            }
        }
        "rate" => Decision::Rate(words.host()?, words.number()?),
        "rot-record" => Decision::Rot(words.host()?),
        "clock" => Decision::Clock(words.host()?, words.shift()?),
        "freeze" => {
            let (host, word) = (words.host()?, words.word()?);
            let mut all = Illness::ALL.into_iter();
            let found = all
                .find(|(name, _)| *name == word)
                .ok_or("deaf, cut or down")?;
            Decision::Freeze(host, found.1)
        }
        "image" => Decision::Image(words.host()?),
        "rewind" => Decision::Rewind,
        "partition" => {
            let mut sides = vec![0];
            while !words.0.is_empty() {
                if words.is("|") {
                    words.skip();
                    sides.push(0);
                } else if let Some(side) = sides.last_mut() {
                    *side |= 1 << words.host()?;
                }
            }
            Decision::Partition(sides)
        }
        "cut" => {
            let (from, to) = words.link()?;
            Decision::Cut(from, to)
        }
        "heal" => Decision::Heal,
        "lose" => Decision::Lose(words.pattern()?),
        "hold" => Decision::Hold(words.pattern()?),
        "stall" => Decision::Stall(words.host()?),
        "flow" => Decision::Flow(words.host()?),
        "run" => Decision::Run(words.duration()?.as_micros()),
        "calm" => Decision::Calm,
        other => return Err(format!("{other} is nothing that can happen")),
    };
    Ok(Step { at, decision })
}

struct Words<'t>(Vec<&'t str>);

impl<'t> Words<'t> {
    fn skip(&mut self) {
        self.0.remove(0);
    }

    fn is(&self, word: &str) -> bool {
        self.0.first() == Some(&word)
    }

    fn end(&self) -> Result<(), String> {
        match self.0.first() {
            Some(word) => Err(format!("{word} is too much")),
            None => Ok(()),
        }
    }

    fn word(&mut self) -> Result<&'t str, String> {
        if self.0.is_empty() {
            return Err("a word is missing".into());
        }
        Ok(self.0.remove(0))
    }

    fn number<T: core::str::FromStr>(&mut self) -> Result<T, String> {
        let word = self.word()?;
        word.parse()
            .map_err(|_| format!("{word} is no number here"))
    }

    fn after<T: core::str::FromStr>(&mut self, expected: &str) -> Result<T, String> {
        match self.word()? {
            word if word == expected => self.number(),
            word => Err(format!("{expected} was expected, not {word}")),
        }
    }

    fn duration(&mut self) -> Result<Duration, String> {
        let word = self.word()?;
        let read = |digits: &str| digits.parse().ok();
        let found = match (word.strip_suffix("ms"), word.strip_suffix("us")) {
            (Some(digits), _) => read(digits).map(Duration::from_millis),
            (_, Some(digits)) => read(digits).map(Duration::from_micros),
            _ => None,
        };
        found.ok_or_else(|| format!("{word} is no time: 25ms, or 300us"))
    }

    fn shift(&mut self) -> Result<i64, String> {
        let sign = match self.0.first() {
            Some(word) if word.starts_with('-') => -1,
            Some(word) if word.starts_with('+') => 1,
            _ => return Err("+300ms, or -300ms".into()),
        };
        self.0[0] = &self.0[0][1..];
        let micros = i64::try_from(self.duration()?.as_micros());
        Ok(sign * micros.map_err(|_| "too long")?)
    }

    fn host(&mut self) -> Result<u8, String> {
        let word = self.word()?;
        host(word.strip_prefix('n').unwrap_or(word))
    }

    fn hosts(&mut self) -> Result<u64, String> {
        let mut all = 0;
        while !self.0.is_empty() {
            all |= 1 << self.host()?;
        }
        Ok(all)
    }

    fn link(&mut self) -> Result<(u8, u8), String> {
        let word = self.word()?;
        let (from, to) = word.split_once("->").ok_or("a link is 1->2")?;
        Ok((host(from)?, host(to)?))
    }

    fn pattern(&mut self) -> Result<Pattern, String> {
        let word = self.word()?;
        let kind = FrameKind::by_word(word).ok_or_else(|| format!("{word} is no message"))?;
        let (from, to) = self.link()?;
        let mut pattern = Pattern {
            kind,
            from,
            to,
            term: None,
            detail: None,
            number: None,
            is_newest: false,
        };
        if self.is("term") {
            pattern.term = Some(self.after("term")?);
        }
        match kind {
            FrameKind::Append | FrameKind::Hollow if self.is("prev") => {
                let prev = self.after("prev")?;
                let count = self.word()?;
                let count = count.strip_prefix('+').and_then(|c| c.parse().ok());
                pattern.detail = Some((prev, count.ok_or("+ and the number of entries")?));
            }
            FrameKind::Ack if self.is("upto") => pattern.detail = Some((self.after("upto")?, 0)),
            FrameKind::Chunk if self.is("of") => {
                pattern.detail = Some((self.after("of")?, self.after("at")?));
            }
            _ if pattern.term.is_some() && pattern.is_bare() => pattern.detail = Some((0, 0)),
            _ => {}
        }
        if let Some(number) = self.0.first().and_then(|word| word.strip_prefix('#')) {
            pattern.number = Some(number.parse().map_err(|_| "# and a number")?);
            self.skip();
        } else if self.is("last") {
            pattern.is_newest = true;
            self.skip();
        }
        Ok(pattern)
    }

    fn proposal(&mut self) -> Result<Decision, String> {
        let host = self.host()?;
        let mut count = 1;
        if self.0.get(1) == Some(&"x") {
            count = self.number()?;
            self.skip();
        }
        let bytes = self.number()?;
        match self.word()? {
            "bytes" => Ok(Decision::Propose(host, count, bytes)),
            _ => Err("propose n1 2 x 24 bytes".into()),
        }
    }

    fn alterations(&mut self) -> Result<Vec<Alteration>, String> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            let word = self.word()?;
            let read = |rest: &str| host(rest.strip_prefix('n').unwrap_or(rest));
            all.push(match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(rest), _) => match rest.split_once(':') {
                    Some((rest, "learner")) => Alteration::Learner(read(rest)?),
                    Some((rest, "witness")) => Alteration::Witness(read(rest)?),
                    Some(_) | None => Alteration::Voter(read(rest)?),
                },
                (_, Some(rest)) => Alteration::Remove(read(rest)?),
                _ => match (word.strip_prefix('^'), word.strip_prefix('_')) {
                    (Some(rest), _) => Alteration::Promote(read(rest)?),
                    (_, Some(rest)) => Alteration::Demote(read(rest)?),
                    _ => return Err("+n4, +n4:learner, +n4:witness, ^n4, _n4 or -n4".into()),
                },
            });
        }
        Ok(all)
    }
}

fn host(word: &str) -> Result<u8, String> {
    match word.parse() {
        Ok(number @ 1..=7_u8) => Ok(number - 1),
        _ => Err(format!("{word} is no host: n1 to n{HOSTS_MAX}")),
    }
}

fn moment(word: &str) -> Result<Moment, String> {
    let (millis, micros) = word.split_once('.').unwrap_or((word, "000"));
    let parse = |digits: &str| digits.parse::<u64>().ok();
    match (parse(millis), parse(micros)) {
        (Some(millis), Some(micros)) if micros < 1000 => {
            Ok(Moment::from_micros(millis.saturating_mul(1000) + micros))
        }
        _ => Err(format!("{word} is no time: milliseconds, as 12.345")),
    }
}

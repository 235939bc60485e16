//! What happened, as a hash that two runs compare and as text that a person reads.

use std::collections::VecDeque;
use std::io::Write as _;

use raft_core::{Body, Message};

use crate::world::chain::mix;
use crate::world::clock::Moment;
use crate::world::decision::{Decision, FrameName};
use crate::world::happening::{Facts, Happening, Names, What};
use crate::world::swarm::HOSTS_MAX;

/// How much of a history is put into words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Verbosity {
    /// Nothing.
    #[default]
    Silent,
    /// The last so many events, for the report of a failure.
    Last(usize),
    /// Everything, printed as it happens.
    Print,
    /// Everything, kept as values; see [`Trace::happenings`].
    Keep,
    /// The choices of the world alone, kept as values.
    Decisions,
}

/// The record of one history.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: [u64; 2],
    verbosity: Verbosity,
    lines: VecDeque<String>,
    happenings: Vec<Happening>,
    names: Option<Box<Names>>,
    facts: [Option<Facts>; HOSTS_MAX],
}

impl Trace {
    /// An empty record.
    pub fn new(verbosity: Verbosity) -> Self {
        Trace {
            hash: [1, 2],
            verbosity,
            lines: VecDeque::new(),
            happenings: Vec::new(),
            names: matches!(verbosity, Verbosity::Keep | Verbosity::Decisions).then(Box::default),
            facts: Default::default(),
        }
    }

    /// Begins anew.
    pub fn reset(&mut self, verbosity: Verbosity) {
        *self = Trace::new(verbosity);
    }

    /// From now on frames have names.
    pub fn name_frames(&mut self) {
        self.names.get_or_insert_default();
    }

    /// A frame leaves: its place among all frames, if they have names.
    #[inline]
    pub fn name(&mut self, from: usize, to: usize, message: &Message<'_>) -> u32 {
        match &mut self.names {
            Some(names) => names.add(FrameName::of(from, to, message)),
            None => 0,
        }
    }

    /// The names of the frames, if they have any.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_deref()
    }

    /// Adds numbers to the hash.
    #[inline]
    pub fn record(&mut self, first: u64, second: u64) {
        let [low, high] = &mut self.hash;
        *low = mix(*low, first);
        *high = mix(high.rotate_left(17), second) ^ *low;
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u128 {
        (u128::from(self.hash[1]) << 64) | u128::from(self.hash[0])
    }

    /// Puts an event into words, if somebody wants to read them.
    #[inline]
    pub fn say(&mut self, now: Moment, host: usize, words: impl FnOnce() -> String) {
        self.note(now, host, || What::Words(words()));
    }

    /// Something happened; made only if somebody wants to know.
    #[inline]
    pub fn note(&mut self, now: Moment, host: usize, what: impl FnOnce() -> What) {
        if !matches!(self.verbosity, Verbosity::Silent | Verbosity::Decisions) {
            self.add(now, host, what());
        }
    }

    /// The world chooses; made only if somebody wants to know.
    #[inline]
    pub fn decide(&mut self, now: Moment, host: usize, decision: impl FnOnce() -> Decision) {
        // Before that, machines are set up, and nothing is left to choice.
        if self.verbosity != Verbosity::Silent && now > Moment::default() {
            self.add(now, host, What::Decided(decision()));
        }
    }

    /// A frame arrives, which is a choice of the world.
    #[inline]
    pub fn deliver(&mut self, now: Moment, host: usize, frame: u32) {
        let Some(name) = self.names.as_ref().and_then(|names| names.name(frame)) else {
            return;
        };
        let pattern = (*name).into();
        self.decide(now, host, || Decision::Deliver(pattern));
    }

    /// A frame is lost, and what follows from that depends on it.
    pub fn lose(&mut self, now: Moment, host: usize, frame: u32) {
        let Some(name) = self.names.as_ref().and_then(|names| names.name(frame)) else {
            return;
        };
        let pattern = (*name).into();
        self.decide(now, host, || Decision::Lose(pattern));
    }

    /// Looks at a host, and keeps what has changed.
    #[inline]
    pub fn look(&mut self, now: Moment, number: usize, facts: impl FnOnce() -> Option<Facts>) {
        if self.verbosity != Verbosity::Keep {
            return;
        }
        let facts = facts();
        if facts != self.facts[number] {
            self.facts[number].clone_from(&facts);
            if let Some(facts) = facts {
                self.add(now, number, What::Facts(facts));
            }
        }
    }

    #[cold]
    fn add(&mut self, at: Moment, host: usize, what: What) {
        let line = |what: &What| format!("{at} ms  n{}  {what}", host + 1);
        match self.verbosity {
            Verbosity::Silent => {}
            Verbosity::Print => {
                // Whoever stops reading has seen enough.
                let _ = writeln!(std::io::stdout(), "{}", line(&what));
            }
            Verbosity::Last(count) => {
                if self.lines.len() >= count {
                    self.lines.pop_front();
                }
                self.lines.push_back(line(&what));
            }
            Verbosity::Keep | Verbosity::Decisions => {
                self.happenings.push(Happening { at, host, what });
            }
        }
    }

    /// What was kept.
    pub fn happenings(&self) -> &[Happening] {
        &self.happenings
    }

    /// The last events.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// A message in words.
pub fn describe(message: &Message<'_>) -> String {
    let what = match &message.body {
        Body::PreVote(m) => format!("pre-vote? last {} attempt {}", id(m.last), m.attempt),
        Body::PreVoteReply(m) => format!("pre-vote {} attempt {}", yes(m.is_granted), m.attempt),
        Body::Vote(m) if m.is_transfer => format!("vote? last {}, as successor", id(m.last)),
        Body::Vote(m) => format!("vote? last {}", id(m.last)),
        Body::VoteReply(m) => format!("vote {}", yes(m.is_granted)),
        Body::Append(m) => format!(
            "append prev {} +{} commit {} round {}",
            id(m.prev),
            m.entries.iter(m.prev.index).count(),
            m.commit,
            m.round.value()
        ),
        Body::Hollow(m) => format!(
            "hollow prev {} +{} commit {} round {}",
            id(m.prev),
            m.entries.count(),
            m.commit,
            m.round.value()
        ),
        Body::Ack(m) => {
            let reject = m.reject.map_or(String::new(), |r| {
                format!(" reject {} hint {}", r.prev, id(r.hint))
            });
            let chunk = m.chunk.map_or(String::new(), |c| {
                format!(" chunk {}:{}", c.index, c.stored)
            });
            format!(
                "ack {} round {} room {}{reject}{chunk}",
                m.verified,
                m.round.value(),
                m.room
            )
        }
        Body::Chunk(m) => format!(
            "chunk of {} ({} bytes) at {} round {}",
            id(m.snapshot.last),
            m.snapshot.size,
            m.offset,
            m.round.value()
        ),
        Body::ReadRequest(m) => format!("read? {}", m.number),
        Body::ReadReply(m) => format!("read {} at {}", m.number, m.index),
        Body::TimeoutNow => "stand now".into(),
        Body::Quiet(m) => format!("quiet? commit {} round {}", m.commit, m.round.value()),
        Body::QuietReply(m) if m.is_quiet => format!("quiet agreed, round {}", m.round.value()),
        Body::QuietReply(m) => format!("awake, round {}", m.round.value()),
    };
    format!("term {}: {what}", message.term)
}

/// An entry's index and term, as `index/term`.
pub fn id(id: raft_core::EntryId) -> String {
    format!("{}/t{}", id.index, id.term)
}

fn yes(is: bool) -> &'static str {
    if is { "granted" } else { "refused" }
}

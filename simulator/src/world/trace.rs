//! What happened, as a hash that two runs compare and as text that a person reads.

use std::collections::VecDeque;
use std::io::Write as _;

use raft_core::{Body, Message};

use crate::world::chain::mix;
use crate::world::clock::Moment;

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
}

/// The record of one history.
#[derive(Clone, Debug)]
pub struct Trace {
    hash: [u64; 2],
    verbosity: Verbosity,
    lines: VecDeque<String>,
}

impl Trace {
    /// An empty record.
    pub fn new(verbosity: Verbosity) -> Self {
        Trace {
            hash: [1, 2],
            verbosity,
            lines: VecDeque::new(),
        }
    }

    /// Begins anew.
    pub fn reset(&mut self, verbosity: Verbosity) {
        *self = Trace::new(verbosity);
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
        if self.verbosity != Verbosity::Silent {
            self.say_aloud(now, host, words);
        }
    }

    #[cold]
    fn say_aloud(&mut self, now: Moment, host: usize, words: impl FnOnce() -> String) {
        let line = || format!("{now} ms  n{}  {}", host + 1, words());
        match self.verbosity {
            Verbosity::Silent => {}
            Verbosity::Print => {
                // Whoever stops reading has seen enough.
                let _ = writeln!(std::io::stdout(), "{}", line());
            }
            Verbosity::Last(count) => {
                if self.lines.len() >= count {
                    self.lines.pop_front();
                }
                self.lines.push_back(line());
            }
        }
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
        Body::Vote(m) => format!("vote? last {}", id(m.last)),
        Body::VoteReply(m) => format!("vote {}", yes(m.is_granted)),
        Body::Append(m) => format!(
            "append prev {} +{} commit {} round {}",
            id(m.prev),
            m.entries.iter(m.prev.index).count(),
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

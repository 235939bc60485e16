//! Commands that take effect exactly once, however often a client repeats them.
//!
//! Raft commits what a leader was given. A client that hears nothing, because the answer was lost
//! or the leader fell, gives its command to the next leader, and then the log holds it twice: a
//! counter counts twice, a lock that was given back is taken again. A set of the numbers of all
//! commands ever executed would help and grow for ever; forgetting old numbers by a clock makes
//! replicas differ, because each forgets at another time.
//!
//! So the state machine keeps a table of sessions, changed by nothing but committed commands. A
//! client registers, and the index of that entry names its session. It numbers its commands, and
//! says with each the first number whose answer it lacks; answers below are dropped, answers from
//! there on are kept and given again. A full table evicts the session whose last use has the lowest
//! log index, so that every replica evicts the same one. Whoever was evicted gets
//! [`Outcome::Expired`], never a second execution.
//!
//! # Duties
//!
//! *Of the state machine*: every committed command passes through [`Sessions::begin`], also on
//! followers; the table is part of every snapshot ([`Sessions::encode`], [`Sessions::restore`]);
//! all members have the same three capacities, because these decide who is evicted.
//!
//! *Of the client*: a number means one command for ever; at most `OUTSTANDING` numbers, counted
//! from the first unanswered one, are under way; its nonce is drawn at random for each session.
//! After [`Outcome::Expired`] it cannot know whether its unanswered commands were executed:
//! it looks, and decides, before it registers anew.
//!
//! ```
//! use raft_core::session::{Outcome, Request, SessionId, Sessions};
//! use raft_core::{Entry, EntryId, EntryKind, LogIndex, Term};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! enum Command {
//!     Register { nonce: u64 },
//!     Add { request: Request, amount: u32 },
//! }
//!
//! /// Eight clients with four commands under way each; an answer is a sum of four bytes.
//! #[derive(Default)]
//! struct Counter {
//!     sum: u32,
//!     sessions: Sessions<8, 4, 4>,
//! }
//!
//! #[derive(PartialEq, Debug)]
//! enum Answer {
//!     Registered(SessionId),
//!     Sum(u32),
//!     Refused,
//! }
//!
//! impl Counter {
//!     /// Called with each entry that `poll_committed` lends, on every member.
//!     fn apply(&mut self, entry: Entry<'_>) -> Answer {
//!         let index = entry.id.index;
//!         match postcard::from_bytes(entry.payload) {
//!             Ok(Command::Register { nonce }) => match self.sessions.register(index, nonce) {
//!                 Ok(registered) => Answer::Registered(registered.session),
//!                 Err(_) => Answer::Refused,
//!             },
//!             Ok(Command::Add { request, amount }) => match self.sessions.begin(index, request) {
//!                 Outcome::Fresh(mut place) => {
//!                     self.sum = self.sum.wrapping_add(amount);
//!                     let fits = place.record(&self.sum.to_le_bytes());
//!                     fits.map_or(Answer::Refused, |()| Answer::Sum(self.sum))
//!                 }
//!                 Outcome::Repeated(answer) => match answer.first_chunk() {
//!                     Some(sum) => Answer::Sum(u32::from_le_bytes(*sum)),
//!                     None => Answer::Refused,
//!                 },
//!                 Outcome::Forgotten | Outcome::Ahead | Outcome::Expired => Answer::Refused,
//!             },
//!             Err(_) => Answer::Refused,
//!         }
//!     }
//! }
//!
//! let mut counter = Counter::default();
//! let mut commit = |index, command: &Command| {
//!     let (id, kind) = (EntryId::new(LogIndex::new(index), Term::new(1)), EntryKind::Command);
//!     let mut buffer = [0; 64];
//!     let payload = postcard::to_slice(command, &mut buffer).expect("a small command");
//!     counter.apply(Entry { id, kind, payload })
//! };
//! let session = SessionId::new(2);
//! assert_eq!(commit(2, &Command::Register { nonce: 77 }), Answer::Registered(session));
//! let request = Request { session, number: 0, first_unacknowledged: 0 };
//! let add = Command::Add { request, amount: 5 };
//! assert_eq!(commit(3, &add), Answer::Sum(5));
//! assert_eq!(commit(4, &add), Answer::Sum(5)); // the same command, committed twice, added once
//! ```
//!
//! # Deviations
//!
//! `[Ongaro14 §6.3]` lets sessions expire by the leader's clock, agreed on through the log, and has
//! clients keep theirs alive. Here only room expires sessions, so no clock enters the log and
//! silent clients cost nothing until others need their place. A registration that is committed
//! twice gives two sessions there; here the nonce gives the first one again, because in a small
//! table orphans would evict the living.
//!
//! Bounds: a session takes `32 + OUTSTANDING * (4 + ANSWER_BYTES)` bytes, rounded up to eight, and
//! the table one word more (`cargo test -p raft-core --test session -- --nocapture`);
//! [`Sessions::begin`] is a binary search and looks at `OUTSTANDING` answers at most;
//! [`Sessions::register`] looks at every session and may move all of them by one place.
//! Source: `[Ongaro14 §6.3]`.

mod bytes;
mod one;

use core::fmt;

use heapless::Vec;
use serde::{Deserialize, Serialize};

pub use bytes::{BufferTooSmall, DecodeError};
pub use one::{AnswerTooLong, Place};

use crate::types::LogIndex;
use one::Session;

/// Names a session for all time: the log index of the entry that registered it.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SessionId(u64);

impl SessionId {
    /// The session with this number.
    pub const fn new(session: u64) -> Self {
        SessionId(session)
    }

    /// The plain number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client sends beside each command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request {
    /// The session, as its registration was answered.
    pub session: SessionId,
    /// Which command of the session this is, counted from 0. A repetition has the same number.
    pub number: u64,
    /// The lowest number whose answer the client has not seen yet, at most `number`. The answers
    /// below are dropped, whatever becomes of this request.
    pub first_unacknowledged: u64,
}

/// What is to be done with a committed command.
#[derive(PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "only `Fresh` may be executed"]
pub enum Outcome<'a, const ANSWER_BYTES: usize> {
    /// Execute it, now, and record its answer. From here on the number counts as executed, also
    /// if nothing is recorded.
    Fresh(Place<'a, ANSWER_BYTES>),
    /// It was executed before: this was the answer. Empty if none was recorded.
    Repeated(&'a [u8]),
    /// The client has said that it has seen this answer, so it is gone. Do not execute; whoever
    /// asks is a late copy of the client's own frame, or a client that breaks its duty.
    Forgotten,
    /// The number lies `OUTSTANDING` or more beyond the first unacknowledged one. Do not execute;
    /// nothing is remembered, so the client may send it again when it has seen older answers.
    Ahead,
    /// There is no such session: it was evicted, or never was. Do not execute; the client cannot
    /// know what became of its unanswered commands.
    Expired,
}

/// What a registration came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Registered {
    /// The client's session.
    pub session: SessionId,
    /// Whose place it took, when the table was full.
    pub evicted: Option<SessionId>,
}

/// A registration does not stand beyond all that are in the table: the embedder's fault, who
/// applies entries out of their order, or registers twice in one. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfOrder {
    /// The newest session of the table.
    pub newest: SessionId,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "session {} is registered already: apply entries in the order of the log",
            self.newest
        )
    }
}

impl core::error::Error for OutOfOrder {}

/// The sessions of a state machine: at most `SESSIONS`, each with at most `OUTSTANDING` commands
/// under way, whose answers have at most `ANSWER_BYTES` bytes.
///
/// A value, not a machine: what it holds follows from the committed commands alone, so equal
/// histories make equal tables with equal bytes. [The module](self) shows one at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Sessions<const SESSIONS: usize, const OUTSTANDING: usize, const ANSWER_BYTES: usize> {
    /// In ascending order of their names, which is the order of their registration.
    sessions: Vec<Session<OUTSTANDING, ANSWER_BYTES>, SESSIONS>,
}

impl<const SESSIONS: usize, const OUTSTANDING: usize, const ANSWER_BYTES: usize>
    Sessions<SESSIONS, OUTSTANDING, ANSWER_BYTES>
{
    /// A table without sessions. A capacity of zero, or one that does not fit 16 bits, does not
    /// compile; neither do answers of 65,535 bytes or more.
    pub const fn new() -> Self {
        const {
            assert!(SESSIONS > 0 && SESSIONS <= 0xffff);
            assert!(OUTSTANDING > 0 && OUTSTANDING <= 0xffff);
            assert!(ANSWER_BYTES < 0xffff);
        }
        Sessions {
            sessions: Vec::new(),
        }
    }

    /// Opens a session for the committed registration at `index`, or finds the one that an earlier
    /// registration with this `nonce` opened. A full table evicts the session least recently used.
    ///
    /// # Errors
    ///
    /// [`OutOfOrder`] unless `index` lies beyond every session of the table; nothing changed.
    pub fn register(&mut self, index: LogIndex, nonce: u64) -> Result<Registered, OutOfOrder> {
        if let Some(session) = self.sessions.iter_mut().find(|held| held.nonce == nonce) {
            session.mark_used(index);
            let session = session.id;
            let evicted = None;
            return Ok(Registered { session, evicted });
        }
        let session = SessionId::new(index.value());
        if let Some(newest) = self.sessions.last().map(|held| held.id)
            && newest >= session
        {
            return Err(OutOfOrder { newest });
        }
        let evicted = self.sessions.is_full().then(|| self.evict()).flatten();
        // There is room: the table was not full, or is not any more.
        let _ = self.sessions.push(Session::new(session, nonce));
        Ok(Registered { session, evicted })
    }

    /// Closes a session at its client's wish, which is a committed command too. `false` if there
    /// is none of that name.
    pub fn unregister(&mut self, session: SessionId) -> bool {
        let is_here = self.contains(session);
        self.sessions.retain(|held| held.id != session);
        is_here
    }

    /// Says what is to be done with the command committed at `index` to which `request` belongs,
    /// and counts as a use of its session.
    pub fn begin(&mut self, index: LogIndex, request: Request) -> Outcome<'_, ANSWER_BYTES> {
        let position = self.position(request.session);
        let Some(session) = position.and_then(|at| self.sessions.get_mut(at)) else {
            return Outcome::Expired;
        };
        session.mark_used(index);
        session.acknowledge(request.first_unacknowledged);
        session.begin(request.number)
    }

    /// Whether there is a session of this name.
    pub fn contains(&self, session: SessionId) -> bool {
        self.position(session).is_some()
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    fn position(&self, session: SessionId) -> Option<usize> {
        let found = self.sessions.binary_search_by_key(&session, |held| held.id);
        found.ok()
    }

    /// Removes the session whose last use lies furthest back in the log.
    fn evict(&mut self) -> Option<SessionId> {
        let oldest = self.sessions.iter();
        let oldest = oldest.min_by_key(|held| (held.used, held.id))?.id;
        self.sessions.retain(|held| held.id != oldest);
        Some(oldest)
    }
}

impl<const SESSIONS: usize, const OUTSTANDING: usize, const ANSWER_BYTES: usize> Default
    for Sessions<SESSIONS, OUTSTANDING, ANSWER_BYTES>
{
    fn default() -> Self {
        Self::new()
    }
}

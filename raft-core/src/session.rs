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
//! # Capacities
//!
//! **The three capacities are part of the state machine's version.** They decide who is evicted and
//! what is ahead, so members with different ones execute different commands. A group changes them
//! only when all its members do, between the same two entries of the log: at a committed command
//! that says so, or while every member stands still with the same entries applied. Up to there each
//! member applies with the old table, also after a restart, and restores older snapshots into the
//! old table; there it enlarges it by [`Sessions::restore_enlarged`]. No table is made smaller.
//!
//! # Duties of the state machine
//!
//! - Every committed command passes through [`Sessions::begin`], also on followers.
//! - The table is part of every snapshot ([`Sessions::encode`], [`Sessions::restore`]).
//! - Each entry is applied once. Whoever stores state and applied index apart, so that after a crash
//!   the state is ahead of its index, and applies the entries between them again, makes a replica
//!   that differs: what was ahead may be executed now, and a session that was closed opens again.
//!   The table cannot see it; [`OutOfOrder`] says which part of it is caught.
//!
//! # Duties of the client
//!
//! - A nonce is drawn at random for each session. Who is told of a session that is not new, and did
//!   not send this registration before, draws another nonce and registers again
//!   ([`Registered::is_new`]).
//! - A command that was sent once keeps its session and its number for ever, whatever it is answered
//!   and whether it is sent again or given up: a copy of it may be on its way still.
//! - At most `OUTSTANDING` numbers, counted from the first unanswered one, are under way.
//! - A nonce whose session is gone can open a second one. What was sent under the first is expired,
//!   and whether it was executed is unknown; it does not become a command of the second.
//! - After [`Outcome::Expired`] it looks, and decides, before it registers anew.
//!
//! ```
//! use raft_core::session::{Outcome, Registered, Request, SessionId, Sessions};
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
//!     Registered { session: SessionId, is_new: bool },
//!     Sum(u32),
//!     /// You had this answer. Nothing is left to do.
//!     Forgotten,
//!     /// Too far ahead: send the same again when you have older answers.
//!     Ahead,
//!     /// Whether it was executed is unknown: look, and register anew.
//!     Expired,
//!     /// No command, or one that contradicts itself.
//!     Refused,
//! }
//!
//! impl Counter {
//!     /// Called with each entry that `poll_committed` lends, on every member.
//!     fn apply(&mut self, entry: Entry<'_>) -> Answer {
//!         let index = entry.id.index;
//!         match postcard::from_bytes(entry.payload) {
//!             Ok(Command::Register { nonce }) => match self.sessions.register(index, nonce) {
//!                 Ok(Registered { session, is_new, .. }) => Answer::Registered { session, is_new },
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
//!                 Outcome::Forgotten => Answer::Forgotten,
//!                 Outcome::Ahead => Answer::Ahead,
//!                 Outcome::Expired => Answer::Expired,
//!                 Outcome::Contradictory => Answer::Refused,
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
//! let (session, nonce) = (SessionId::new(2), 77);
//! let registered = Answer::Registered { session, is_new: true };
//! assert_eq!(commit(2, &Command::Register { nonce }), registered);
//! let add = |session, number, first_unacknowledged| {
//!     let request = Request { session, nonce, number, first_unacknowledged };
//!     Command::Add { request, amount: 5 }
//! };
//! assert_eq!(commit(3, &add(session, 0, 0)), Answer::Sum(5));
//! assert_eq!(commit(4, &add(session, 0, 0)), Answer::Sum(5)); // committed twice, added once
//! assert_eq!(commit(5, &add(session, 1, 1)), Answer::Sum(10)); // the client has the first answer
//! assert_eq!(commit(6, &add(session, 0, 0)), Answer::Forgotten);
//! assert_eq!(commit(7, &add(session, 5, 1)), Answer::Ahead);
//! assert_eq!(commit(8, &add(SessionId::new(1), 0, 0)), Answer::Expired);
//! ```
//!
//! # Deviations
//!
//! `[Ongaro14 §6.3]` lets sessions expire by the leader's clock, agreed on through the log, and has
//! clients keep theirs alive. Here only room expires sessions, so no clock enters the log and
//! silent clients cost nothing until others need their place. A registration that is committed
//! twice gives two sessions there; here the nonce gives the first one again, because in a small
//! table orphans would evict the living. A request says the nonce too, so that it is not taken for
//! that of a client to whom another group gave the same name.
//!
//! Bounds: an answer takes `4 + ANSWER_BYTES` bytes, rounded up to two, a session
//! `32 + OUTSTANDING` answers, rounded up to eight, and the table eight bytes more
//! (`cargo test -p raft-core --test session -- --nocapture`);
//! [`Sessions::begin`] is a binary search and looks at `OUTSTANDING` answers at most;
//! [`Sessions::register`] looks at every session and may move all of them by one place;
//! [`Sessions::restore`] compares the nonces of every two sessions.
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
///
/// Another group, or the same one set up anew, gives the same names to others. Beside the nonce, as
/// in a [`Request`], a name is good there too.
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

/// What a client sends beside each command: the same for ever, but for the acknowledgement, which
/// may have grown when it sends the command again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Request {
    /// The session, as its registration was answered.
    pub session: SessionId,
    /// What the session was registered with. The name alone may be another client's, in another
    /// group: with another nonce there is no such session.
    pub nonce: u64,
    /// Which command of the session this is, counted from 0. A repetition has the same number.
    pub number: u64,
    /// The lowest number whose answer the client has not seen yet, at most `number`. The answers
    /// below are dropped, also if this command is forgotten, or ahead.
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
    /// The number lies `OUTSTANDING` or more beyond the first unacknowledged one. Do not execute
    /// this copy. Nothing is remembered, so the client may send the command again when it has seen
    /// older answers; and if it does not, a late copy of its own may still be executed, as soon as
    /// there is room. So the number stays taken.
    Ahead,
    /// `first_unacknowledged` lies beyond `number`: the client says that it has the answer for
    /// which it asks. Its fault: it has to set the acknowledgement right. Do not execute. No answer
    /// was dropped; only the use of the session counts.
    Contradictory,
    /// There is no session of this name with this nonce: it was evicted, or closed, or never was,
    /// or another client's has the name here. Do not execute. Nothing changed. Whether a command
    /// sent under it was executed cannot be known.
    Expired,
}

/// What a registration came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Registered {
    /// The client's session.
    pub session: SessionId,
    /// Whether this entry opened it. Otherwise an earlier registration with the same nonce did:
    /// an earlier copy of this one, or another client that drew the same nonce, or this client in a
    /// life before. A client that has not sent the registration before takes the session for
    /// another's, draws another nonce and registers again. One that has sent it before cannot tell
    /// the cases apart; unless its nonces are random beyond doubt, also after a restart, it draws
    /// another nonce for each attempt.
    pub is_new: bool,
    /// Whose place it took, when the table was full.
    pub evicted: Option<SessionId>,
}

/// A registration does not stand beyond all that are in the table: the embedder's fault, who
/// applies entries out of their order, or again, or registers twice in one. Nothing changed.
///
/// It catches this alone: a nonce that no session of the table has, registered at or before the
/// index that names the newest session of the table. It does not catch a registration that is
/// applied again while its session is in the table, or after the newest sessions were closed; nor
/// any other command that is applied again or out of its order.
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
        if let Some(found) = self.sessions.iter_mut().find(|held| held.nonce == nonce) {
            found.mark_used(index);
            return Ok(Registered {
                session: found.id,
                is_new: false,
                evicted: None,
            });
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
        Ok(Registered {
            session,
            is_new: true,
            evicted,
        })
    }

    /// Closes a session at its client's wish, which is a committed command too. `false` if there
    /// is none of that name with that nonce.
    pub fn unregister(&mut self, session: SessionId, nonce: u64) -> bool {
        let is_here = self.find(session, nonce).is_some();
        if is_here {
            self.sessions.retain(|held| held.id != session);
        }
        is_here
    }

    /// Says what is to be done with the command committed at `index` to which `request` belongs,
    /// and counts as a use of its session.
    pub fn begin(&mut self, index: LogIndex, request: Request) -> Outcome<'_, ANSWER_BYTES> {
        let Some(session) = self.find(request.session, request.nonce) else {
            return Outcome::Expired;
        };
        session.mark_used(index);
        if request.first_unacknowledged > request.number {
            return Outcome::Contradictory;
        }
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

    fn find(
        &mut self,
        session: SessionId,
        nonce: u64,
    ) -> Option<&mut Session<OUTSTANDING, ANSWER_BYTES>> {
        let position = self.position(session)?;
        let held = self.sessions.get_mut(position)?;
        (held.nonce == nonce).then_some(held)
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

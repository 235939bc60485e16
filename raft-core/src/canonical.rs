//! Canonical forms: equal situations are equal sequences of words.
//!
//! Whoever explores what a group can do meets the same situation again and again, with other
//! times on the clocks, another count of attempts, the roles played by other nodes. Equality of
//! machines is too fine to see that: it compares clocks and counters. Throwing them away is too
//! coarse: whether a leader was heard just now decides a vote. A canonical form keeps of each
//! value what the protocol can still notice, and writes names as the caller wants them.
//!
//! # What is written
//!
//! - A time is written as its relation to now. Only a leader's own deadlines and the ages of its
//!   contacts are written as durations (ages up to the time that ends its authority); everything
//!   else is "before" or "after", unless whoever asks wants all of it ([`Names::is_timed`]).
//! - Drawn timeouts and the versions of writes are left out, and so is everything
//!   that is set anew before it is read: progress outside of office, the attempt outside of a
//!   pre-vote, events that nobody fetched, whose turn it is to be sent to.
//! - Reads are numbered anew: whether their numbers go on where others end is written. Life and
//!   number of a question are names that its answers repeat ([`Names::own_question`]).
//! - Members are written in the order of their new names, so that a group with its nodes renamed
//!   has the form of another one.
//!
//! # What it promises
//!
//! Two machines with equal forms answer the same input with messages of equal forms, and have
//! equal forms afterwards, as long as time stands still or moves to a deadline that both have.
//! How much later a deadline lies is not part of the form, except for a leader's. In a timed form
//! all of it is, but for what chance drew: there an election may be due anywhere in its range.
//!
//! Work: O(members² + log window). Nothing is allocated.

use clocks::{Duration, Instant};
use quorum::NodeId;

use crate::configuration::{Encoded, Seat};
use crate::durable::{HardState, Snapshot};
use crate::entry::{Entries, Entry, EntryKind};
use crate::hollow::{HollowEntries, HollowRun};
use crate::message::{Body, ChunkData, Message};
use crate::types::{EntryId, GroupId, Identity, Incarnation, LogIndex, Round, Term};

/// How names are written that mean nothing by themselves. The methods given here keep them, and
/// hold for a machine that is looked at alone, with nothing of it under way.
pub trait Names {
    /// The name of a node. Different nodes must get different names.
    fn node(&self, node: NodeId) -> NodeId {
        node
    }

    /// The number of this node's latest pre-vote attempt. It is compared with answers under way
    /// and with nothing else; `is_open` says whether an answer to it would count.
    fn own_attempt(&self, attempt: u32, is_open: bool) -> u32 {
        let _ = (attempt, is_open);
        0
    }

    /// The number of an attempt of `node` that a question or an answer names.
    fn attempt(&self, node: NodeId, attempt: u32) -> u32 {
        let _ = node;
        attempt
    }

    /// The life of this node that asks for an index to read at, and the number of a question that it
    /// has asked and not seen answered, or would ask next. Compared with questions and answers of
    /// this node under way, and with nothing else.
    fn own_question(&self, nonce: u64, number: u64) -> (u64, u64) {
        let _ = (nonce, number);
        (0, 0)
    }

    /// The same of a question of `node` that a message names, or the leader that was asked.
    fn question(&self, node: NodeId, nonce: u64, number: u64) -> (u64, u64) {
        let _ = node;
        (nonce, number)
    }

    /// Whether times of all nodes are written as durations, not a leader's alone: for whoever lets
    /// clocks run step by step.
    fn is_timed(&self) -> bool {
        false
    }

    /// The number of a leader's round.
    fn round(&self, round: Round) -> Round {
        round
    }

    /// A term. Whoever compares groups of which one began later counts it from there.
    fn term(&self, term: Term) -> Term {
        term
    }

    /// An index of the log, likewise.
    fn index(&self, index: LogIndex) -> LogIndex {
        index
    }

    /// What was drawn by chance when a group began: its name, and which life of a node speaks.
    fn drawn(&self, number: u64) -> u64 {
        number
    }

    /// What the driver says of a snapshot: its length, and its checksum.
    fn contents(&self, number: u64) -> u64 {
        number
    }

    /// A time of the settings, or a leader's.
    fn time(&self, time: Duration) -> Duration {
        time
    }

    /// Bytes that a window has free. Whoever knows that some amount is more than will ever be
    /// used can write it as one number.
    fn room(&self, bytes: u32) -> u32 {
        bytes
    }

    /// Whether a detail can still be noticed. A machine cannot know that no question and no answer
    /// is under way to it, nor will be; whoever sees the whole group may.
    fn keeps(&self, detail: Detail) -> bool {
        let _ = detail;
        true
    }
}

/// What a form can leave out, see [`Names::keeps`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Whom a node voted for: only a request for a vote in its term tells it.
    Vote,
    /// That a node asks for pre-votes or votes, and what it was answered. Left out, it is written
    /// as a follower without a leader.
    Asking,
}

/// Every name stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsTheyAre;

impl Names for AsTheyAre {}

/// Where a form is written.
pub(crate) struct Form<'a> {
    pub(crate) names: &'a dyn Names,
    pub(crate) word: &'a mut dyn FnMut(u64),
}

impl Form<'_> {
    pub(crate) fn put(&mut self, word: u64) {
        (self.word)(word);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.put(u64::from(flag));
    }

    pub(crate) fn index(&mut self, index: LogIndex) {
        self.put(self.names.index(index).value());
    }

    pub(crate) fn term(&mut self, term: Term) {
        self.put(u64::from(self.names.term(term).value()));
    }

    pub(crate) fn time(&mut self, time: Duration) {
        self.put(self.names.time(time).as_micros());
    }

    /// How much later a deadline lies, if this form says so, else whether it does.
    pub(crate) fn deadline(&mut self, deadline: Instant, now: Instant) {
        if self.names.is_timed() {
            self.time(deadline.saturating_since(now));
        } else {
            self.flag(now < deadline);
        }
    }

    pub(crate) fn own_question(&mut self, nonce: u64, number: u64) {
        let (nonce, number) = self.names.own_question(nonce, number);
        self.put(nonce);
        self.put(number);
    }

    pub(crate) fn question(&mut self, of: NodeId, nonce: u64, number: u64) {
        let (nonce, number) = self.names.question(of, nonce, number);
        self.put(nonce);
        self.put(number);
    }

    pub(crate) fn group(&mut self, group: GroupId) {
        self.put(self.names.drawn(group.value()));
    }

    fn incarnation(&mut self, incarnation: Incarnation) {
        self.put(self.names.drawn(incarnation.value().into()));
    }

    pub(crate) fn entry_id(&mut self, id: EntryId) {
        self.index(id.index);
        self.term(id.term);
    }

    pub(crate) fn round(&mut self, round: Round) {
        self.put(self.names.round(round).value());
    }

    pub(crate) fn room(&mut self, bytes: u32) {
        self.put(u64::from(self.names.room(bytes)));
    }

    pub(crate) fn node(&mut self, node: NodeId) {
        self.put(self.names.node(node).value());
    }

    pub(crate) fn identity(&mut self, identity: Identity) {
        self.node(identity.node);
        self.incarnation(identity.incarnation);
    }

    /// Whether there is something, and what: an absent value differs from every present one.
    pub(crate) fn option<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub(crate) fn hard(&mut self, hard: HardState) {
        self.term(hard.term);
        let is_kept = self.names.keeps(Detail::Vote);
        self.option(hard.vote.filter(|_| is_kept), Form::identity);
    }

    pub(crate) fn snapshot(&mut self, snapshot: Snapshot) {
        self.entry_id(snapshot.last);
        self.put(self.names.contents(snapshot.size));
        self.put(self.names.contents(snapshot.checksum.into()));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.put(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.put(u64::from_le_bytes(word));
        }
    }

    /// A configuration, its seats in the order of their new names. Bytes that are none stay.
    pub(crate) fn configuration(&mut self, bytes: &[u8]) {
        let Ok(encoded) = Encoded::decode(bytes, usize::from(u16::MAX)) else {
            self.put(u64::MAX);
            return self.bytes(bytes);
        };
        self.put(encoded.count as u64);
        self.time(encoded.stickiness);
        let mut previous = None;
        while let Some(Seat { identity, standing }) =
            next_by_name(self.names, previous, encoded.seats(), |seat| {
                seat.identity.node
            })
        {
            previous = Some(self.names.node(identity.node));
            self.identity(identity);
            self.put(standing as u64);
        }
    }

    pub(crate) fn entry(&mut self, entry: &Entry<'_>) {
        self.term(entry.id.term);
        self.put(entry.kind as u64);
        match entry.kind {
            EntryKind::Configuration => self.configuration(entry.payload),
            EntryKind::Command | EntryKind::NoOp | EntryKind::Hollow => self.bytes(entry.payload),
        }
    }

    fn entries(&mut self, first: LogIndex, entries: Entries<'_>) {
        let mut len = entries.len() as u64;
        for entry in entries.iter(first) {
            len = len.saturating_sub(entry.payload.len() as u64);
            self.entry(&entry);
        }
        // Bytes behind the last whole entry, and where the entries end.
        self.put(len | 1 << 63);
    }

    fn hollow(&mut self, entries: &HollowEntries<'_>) {
        let mut runs = entries.iter();
        for run in runs.by_ref() {
            self.term(run.term());
            match run {
                HollowRun::Entries { count, .. } => self.put(u64::from(count)),
                HollowRun::Configuration { payload, .. } => self.configuration(payload),
            }
        }
        self.put(runs.remainder() as u64 | 1 << 63);
    }

    fn message(&mut self, from: NodeId, to: NodeId, message: &Message<'_>) {
        self.node(from);
        self.node(to);
        self.group(message.group);
        self.incarnation(message.incarnation);
        self.term(message.term);
        match &message.body {
            Body::PreVote(request) => {
                self.put(1);
                self.entry_id(request.last);
                self.put(u64::from(self.names.attempt(from, request.attempt)));
            }
            Body::PreVoteReply(reply) => {
                self.put(2);
                self.put(u64::from(self.names.attempt(to, reply.attempt)));
                self.flag(reply.is_granted);
            }
            Body::Vote(request) => {
                self.put(3);
                self.entry_id(request.last);
                self.flag(request.is_transfer);
            }
            Body::VoteReply(reply) => {
                self.put(4);
                self.flag(reply.is_granted);
            }
            Body::Append(append) => {
                self.put(5);
                self.entry_id(append.prev);
                self.index(append.commit);
                self.round(append.round);
                self.entries(append.prev.index.next(), append.entries);
            }
            Body::Ack(ack) => {
                self.put(6);
                self.index(ack.verified);
                self.round(ack.round);
                self.room(ack.room);
                self.option(ack.reject, |form, reject| {
                    form.index(reject.prev);
                    form.entry_id(reject.hint);
                });
                self.option(ack.chunk, |form, chunk| {
                    form.index(chunk.index);
                    form.put(chunk.stored);
                });
            }
            Body::Chunk(chunk) => {
                self.put(7);
                self.snapshot(chunk.snapshot);
                self.configuration(chunk.configuration);
                self.round(chunk.round);
                self.put(chunk.offset);
                match chunk.data {
                    ChunkData::Received(bytes) => self.bytes(bytes),
                    ChunkData::Wanted(len) => self.put(u64::from(len) | 1 << 63),
                    ChunkData::Hollow => self.put(u64::MAX),
                }
            }
            Body::ReadRequest(request) => {
                self.put(8);
                self.question(from, request.nonce, request.number);
            }
            Body::ReadReply(reply) => {
                self.put(9);
                self.question(to, reply.nonce, reply.number);
                self.index(reply.index);
            }
            Body::TimeoutNow => self.put(10),
            Body::Quiet(quiet) => {
                self.put(11);
                self.index(quiet.commit);
                self.round(quiet.round);
            }
            Body::QuietReply(reply) => {
                self.put(12);
                self.round(reply.round);
                self.flag(reply.is_quiet);
            }
            Body::Hollow(hollow) => {
                self.put(13);
                self.entry_id(hollow.prev);
                self.index(hollow.commit);
                self.round(hollow.round);
                self.hollow(&hollow.entries);
            }
        }
    }
}

/// The item with the smallest new name above `previous`.
pub(crate) fn next_by_name<T>(
    names: &dyn Names,
    previous: Option<NodeId>,
    items: impl Iterator<Item = T>,
    node: impl Fn(&T) -> NodeId,
) -> Option<T> {
    items
        .filter(|item| Some(names.node(node(item))) > previous)
        .min_by_key(|item| names.node(node(item)))
}

impl Entry<'_> {
    /// Writes the canonical form of this entry without its index, see [`Names`].
    pub fn canonical(&self, names: &dyn Names, word: &mut dyn FnMut(u64)) {
        Form { names, word }.entry(self);
    }
}

impl Message<'_> {
    /// Writes the canonical form of this message under way from `from` to `to`, see
    /// [`Names`] and [`Raft::canonical`](crate::Raft::canonical).
    pub fn canonical(
        &self,
        from: NodeId,
        to: NodeId,
        names: &dyn Names,
        word: &mut dyn FnMut(u64),
    ) {
        Form { names, word }.message(from, to, self);
    }
}

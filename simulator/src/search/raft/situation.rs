//! A state of the search, in a form that a random world has too.
//!
//! # The problem
//!
//! The search knows its states by number, and a group of it begins elsewhere than a random world: with
//! another name, in another term. A leader's deadlines are exact times, of which a random world has
//! any.
//!
//! # The idea
//!
//! The canonical forms of the three machines and of the frames under way, seen through a lens that
//! counts terms and indexes from the beginning and writes neither names of groups nor lengths of time.
//! It says all that the protocol can notice but how long a leader's times are: the search lets no time
//! pass for a leader without a deadline, so there it is always the same.
//!
//! Not counted are frames that do nothing when they arrive, now and for ever
//! ([`reduce`](super::reduce)): a random world has them where the search has them not. How often a
//! node crashed and who led before is the checker's own and no part of it. Rounds of contact after the
//! first are written as the first.

use std::cell::RefCell;
use std::collections::HashMap;

use clocks::Duration;
use quorum::NodeId;
use raft_core::canonical::Names;
use raft_core::{LogIndex, Message, Raft, Role, Round, Term};

use super::frames::Kind;
use super::names::{Lens, Renaming, place_of, print_of};
use super::shape::{self, Beginning, Prints};
use crate::search::space::{fold, mix};

/// What is told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grain {
    /// States: machines and frames under way, as far as the protocol can notice them.
    Situations,
    /// Nodes as the papers know them, without frames and timers.
    Shapes,
}

impl Grain {
    /// What it tells apart.
    pub const fn name(self) -> &'static str {
        match self {
            Grain::Situations => "situations",
            Grain::Shapes => "shapes",
        }
    }
}

/// A node's part of a situation.
#[derive(Clone, Debug)]
pub(super) struct NodeForm {
    prints: Prints,
    /// Its latest attempt, if answers to it count.
    attempt: Option<u32>,
    /// Attempts of others that it holds answers for, by their places under each renaming.
    attempts: Vec<(u8, u32)>,
    term: u32,
    is_candidate: bool,
    is_leader: bool,
}

/// A frame's part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FrameForm {
    prints: Prints,
    attempt: Option<(u8, u32)>,
    to: usize,
    term: u32,
    kind: Kind,
}

/// How a group is seen from its beginning.
struct Distant<'a> {
    lens: Lens<'a>,
    beginning: Beginning,
}

impl Names for Distant<'_> {
    fn node(&self, node: NodeId) -> NodeId {
        self.lens.node(node)
    }

    fn own_attempt(&self, attempt: u32, is_open: bool) -> u32 {
        self.lens.own_attempt(attempt, is_open)
    }

    fn attempt(&self, node: NodeId, attempt: u32) -> u32 {
        self.lens.attempt(node, attempt)
    }

    fn round(&self, round: Round) -> Round {
        round.min(Round::new(1))
    }

    fn term(&self, term: Term) -> Term {
        Term::new(term.value().saturating_sub(self.beginning.term))
    }

    fn index(&self, index: LogIndex) -> LogIndex {
        LogIndex::new(index.value().saturating_sub(self.beginning.index))
    }

    fn drawn(&self, _: u64) -> u64 {
        0
    }

    fn contents(&self, _: u64) -> u64 {
        0
    }

    fn time(&self, _: Duration) -> Duration {
        Duration::ZERO
    }

    fn room(&self, bytes: u32) -> u32 {
        self.lens.room(bytes)
    }
}

/// How terms and indexes are counted, and the renamings that count as one.
pub(super) struct Viewpoint<'a> {
    pub(super) grain: Grain,
    pub(super) beginning: Beginning,
    pub(super) renamings: &'a [Renaming],
    /// By what they are without renaming.
    pub(super) known: &'a RefCell<HashMap<u64, Prints>>,
}

impl Viewpoint<'_> {
    fn distant(&self, which: usize) -> Distant<'_> {
        Distant {
            lens: Lens::new(&self.renamings[which]),
            beginning: self.beginning,
        }
    }

    /// The prints under all renamings of what has this one without: that follows from it.
    fn renamed(&self, plain: u64, print: impl Fn(usize) -> u64) -> Prints {
        let mut known = self.known.borrow_mut();
        *known.entry(plain).or_insert_with(|| {
            let mut prints = Prints::default();
            let places = (0..self.renamings.len()).zip(&mut prints);
            places.for_each(|(which, to)| *to = print(which));
            prints
        })
    }

    /// A machine's part of a situation.
    pub(super) fn node<B, const N: usize>(&self, raft: &Raft<B, N>) -> NodeForm
    where
        B: AsRef<[u8]> + AsMut<[u8]>,
    {
        let mut form = NodeForm {
            prints: Prints::default(),
            attempt: None,
            attempts: Vec::new(),
            term: raft.term().value(),
            is_candidate: raft.role() == Role::Candidate,
            is_leader: raft.is_leader(),
        };
        if self.grain == Grain::Shapes {
            form.prints = shape::prints(raft, &self.beginning, self.renamings);
            return form;
        }
        let print = |which| {
            let distant = self.distant(which);
            let print = print_of(5, |word| raft.canonical(&distant, word));
            (print, distant.lens)
        };
        let (plain, lens) = print(0);
        let (attempt, is_open) = lens.own_attempt.get();
        form.attempt = is_open.then_some(attempt);
        form.attempts = lens.attempts.take();
        form.prints = self.renamed(plain, |which| print(which).0);
        form
    }

    #[cfg(test)]
    pub(super) fn words<B, const N: usize>(&self, raft: &Raft<B, N>) -> Vec<u64>
    where
        B: AsRef<[u8]> + AsMut<[u8]>,
    {
        let mut words = Vec::new();
        raft.canonical(&self.distant(0), &mut |word| words.push(word));
        words
    }

    /// The part of a frame from the first of two nodes to the second.
    pub(super) fn frame(&self, (from, to): (NodeId, NodeId), message: &Message<'_>) -> FrameForm {
        let mut form = FrameForm {
            prints: Prints::default(),
            attempt: None,
            to: place_of(to),
            term: message.term.value(),
            kind: Kind::of(&message.body),
        };
        let print = |which| {
            let distant = self.distant(which);
            let print = print_of(6, |word| message.canonical(from, to, &distant, word));
            (print, distant.lens.attempts.take().first().copied())
        };
        let (plain, attempt) = print(0);
        form.attempt = attempt;
        form.prints = self.renamed(plain, |which| print(which).0);
        form
    }

    /// The fingerprint of a group, its nodes in the order of their places: the same for groups that
    /// are renamings of each other. `None` if more frames are under way than `frames_max`; the same
    /// frame twice is one.
    pub(super) fn print(
        &self,
        nodes: &[&NodeForm],
        frames: &mut Vec<FrameForm>,
        frames_max: usize,
    ) -> Option<u64> {
        frames.retain(|frame| !frame.is_dead(nodes));
        frames.sort_unstable_by_key(|frame| frame.prints[0]);
        frames.dedup();
        if frames.len() > frames_max {
            return None;
        }
        let counts = |(place, attempt): (u8, u32)| {
            let node = nodes.get(usize::from(place));
            node.is_some_and(|node| node.attempt == Some(attempt))
        };
        let sum = |(which, renaming): (usize, &Renaming)| {
            let mut sum = 0_u64;
            for node in nodes {
                let open = node.attempts.iter().filter(|attempt| counts(**attempt));
                let open = open.fold(0_u64, |open, (place, _)| {
                    open | 1 << renaming[usize::from(*place)]
                });
                sum = sum.wrapping_add(mix(fold(node.prints[which], open)));
            }
            for frame in &*frames {
                let is_open = frame.attempt.is_some_and(counts);
                sum = sum.wrapping_add(mix(fold(frame.prints[which], is_open.into())));
            }
            mix(sum)
        };
        let sums = self.renamings.iter().enumerate().map(sum);
        Some(sums.fold(0, u64::wrapping_add))
    }
}

impl FrameForm {
    /// Whether it does nothing when it arrives, now and for ever, unless a node forgets what it said:
    /// as in [`reduce`](super::reduce).
    pub(super) fn is_dead(&self, nodes: &[&NodeForm]) -> bool {
        let Some(to) = nodes.get(self.to) else {
            return true;
        };
        match self.kind {
            Kind::PreVote | Kind::Vote | Kind::Entries => false,
            _ if self.term > to.term => false,
            Kind::TimeoutNow | Kind::ReadReply => self.term < to.term,
            Kind::VoteReply => self.term < to.term || !to.is_candidate,
            Kind::Ack | Kind::ReadRequest => {
                self.term < to.term || !(to.is_candidate || to.is_leader)
            }
            Kind::PreVoteReply => self.attempt.map(|(_, attempt)| attempt) != to.attempt,
        }
    }
}

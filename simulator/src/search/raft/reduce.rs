//! Reductions: what nobody can notice any more is left out, so that fewer states say as much.
//!
//! # The problem
//!
//! Most states differ in what is of no consequence: who was voted for in an election that is over,
//! an answer under way that its receiver will ignore, which of two requests was lost first.
//!
//! # The idea
//!
//! Each rule rests on something that only grows. *Durable* terms do: a node never goes back behind
//! the term on its disk. So
//!
//! - **answers of the past** are never under way: a vote or an acknowledgement for a term that its
//!   receiver has left, or in which it can hold no office any more, is ignored then and for ever;
//!   so is an answer to a pre-vote that its receiver asks no more, if nobody can crash any more;
//! - **votes of the past** are not told apart: a vote is read only when another node asks for one
//!   in its term. Nobody does when all have that term, nobody stands in it, and no frame of an
//!   election is under way;
//! - **elections of the past**: where elections are swift, nobody asks twice and no such frame is
//!   under way, a node that asks waits for answers that cannot come: it is a follower;
//! - **the past itself**: who led a term, and in which term something was committed, are read when
//!   somebody comes to lead; that is never in a term that all have left;
//! - **losses**: a frame that is lost early does what it does when it is lost late: nothing. So
//!   swift frames are lost all at once, by one step, and not one by one in all ways.
//!
//! The first four are bisimulations up to what is left out: states that become one had the same
//! ways on. The test below holds that against every state of closed worlds; and without the
//! reductions the same situations are reached.

use super::frames::Kind;
use super::ghost::{Counter, Past, Phase};
use super::group::{Action, NONE, RaftSpace, State};
use super::names::{NODES_MAX, Without};
use super::node::standing_of;
use super::profile::Reduction;
use super::step::Input;
use crate::search::space::{Space, Step};

impl RaftSpace {
    /// Whose vote a frame under way can tell, in the lower four bits, and whose asking it can
    /// further, in the upper four.
    #[inline]
    pub(super) fn heed(&self, state: &State, frame: u32) -> u8 {
        let frame = self.nodes.frames.get(frame);
        let term_of = |place: u8| {
            let id = state.nodes[usize::from(place)];
            self.nodes.locals.view(id).term
        };
        let (asks, votes) = (16 << frame.from, 1 << frame.to);
        match frame.kind {
            Kind::PreVote => asks,
            // A request of a later term brings a vote that is free.
            Kind::Vote if frame.term > term_of(frame.to) => asks,
            Kind::Vote => asks | votes,
            // An answer of a later term ends the asking, or is ignored.
            Kind::PreVoteReply | Kind::VoteReply if frame.term > term_of(frame.to) => 0,
            Kind::PreVoteReply | Kind::VoteReply => 16 << frame.to,
            // These tell nobody anything but a term.
            Kind::Ack | Kind::ReadRequest | Kind::ReadReply => 0,
            // Whoever is told to stand does so in a term of its own, and asks for votes there.
            Kind::TimeoutNow => asks | votes | 16 << frame.to,
            // Who is behind is told the term, and in the same breath whether it has the vote.
            Kind::Entries => {
                let is_told = frame.term < term_of(frame.to);
                (if is_told { votes } else { 0 })
                    | if frame.term < term_of(frame.from) {
                        asks
                    } else {
                        0
                    }
            }
        }
    }

    /// What of each node nobody can notice, in a state in which these are heeded.
    #[inline]
    pub(super) fn unnoticed(&self, state: &State, heeded: u8) -> [Without; NODES_MAX] {
        let mut without = [Without::NOTHING; NODES_MAX];
        let profile = &self.nodes.profile;
        if !profile.is_reduced() {
            return without;
        }
        let views = || {
            let ids = state.nodes[..self.count].iter();
            ids.map(|id| self.nodes.locals.view(*id))
        };
        let never_again = profile.swift_elections && profile.impatient && !profile.asks_again();
        let never_again = never_again && self.phase(state) != Phase::Calm;
        let least = views().map(|view| view.durable_term).min().unwrap_or(0);
        for (place, view) in views().enumerate() {
            let stands = |other: &super::node::View| other.is_candidate && other.term == view.term;
            let others = || views().enumerate().filter(|(other, _)| *other != place);
            let is_rash = profile.reduction == Reduction::Rash;
            without[place] = Without {
                vote: is_rash
                    || !profile.slow_disks
                        && view.is_settled
                        && view.term == least
                        && heeded & 1 << place == 0
                        && (never_again || !others().any(|(_, other)| stands(other))),
                asking: never_again && heeded & 16 << place == 0,
            };
        }
        without
    }

    /// Whether a frame does nothing when it arrives, now and for ever.
    #[inline]
    pub(super) fn is_dead(&self, state: &State, frame: u32) -> bool {
        let frames = &self.nodes.frames;
        let known = frames.get(frame);
        let to = self.nodes.locals.view(state.nodes[usize::from(known.to)]);
        if !self.nodes.profile.is_reduced() || !to.is_settled || known.term > to.term {
            return false;
        }
        match known.kind {
            Kind::PreVote | Kind::Vote | Kind::Entries => false,
            // Of a term that is over, and not answered.
            Kind::TimeoutNow | Kind::ReadReply => known.term < to.term,
            Kind::VoteReply => known.term < to.term || !to.is_candidate,
            Kind::Ack | Kind::ReadRequest => {
                known.term < to.term || !(to.is_candidate || to.is_leader)
            }
            Kind::PreVoteReply => {
                let crashes = self.pasts.get(state.past).counts[Counter::Crash as usize];
                let attempt = frames.attempt(frame);
                crashes >= self.nodes.profile.crashes
                    && attempt.is_some_and(|(_, attempt)| standing_of(attempt, to) == 0)
            }
        }
    }

    /// The past without what is never read again.
    pub(super) fn forget(&mut self, state: &State) -> u32 {
        let ids = state.nodes[..self.count].iter();
        let terms = ids.map(|id| self.nodes.locals.view(*id).durable_term);
        let least = terms.min().unwrap_or(0);
        if !self.nodes.profile.is_reduced() || self.pasts.oldest(state.past) >= least {
            return state.past;
        }
        let mut past = self.pasts.get(state.past).clone();
        past.forget(self.term, least);
        self.pasts.intern(past, self.term, &self.nodes.prefixes)
    }

    /// All frames that are in a hurry are lost.
    pub(super) fn lose_all(
        &self,
        state: &State,
        phase: Phase,
        steps: &mut Vec<Step<State, Action>>,
    ) {
        let mut after = *state;
        for frame in &mut after.frames {
            if *frame != NONE && self.is_urgent(*frame, phase) {
                *frame = NONE;
            }
        }
        steps.push(Step {
            action: Action {
                place: 0,
                input: Input::LoseAll,
            },
            state: after,
            print: self.fingerprint(&after),
            broken: None,
        });
    }
}

impl Past {
    /// Forgets who led the terms below `least`, and that something was committed in one of them
    /// rather than in `first`, the term of the beginning.
    fn forget(&mut self, first: u32, least: u32) {
        for (term, leader) in (first + 1..least).zip(&mut self.leaders) {
            let _ = term;
            *leader = 0;
        }
        for (_, term) in &mut self.committed {
            if *term < least {
                *term = first;
            }
        }
    }

    /// The lowest term that it remembers anything of.
    pub(super) fn oldest(&self, first: u32) -> u32 {
        let leaders = (first + 1..).zip(self.leaders);
        let led = leaders.filter(|(_, leader)| *leader != 0);
        let committed = self.committed.iter().map(|(_, term)| *term);
        let terms = led.map(|(term, _)| term).chain(committed);
        terms.filter(|term| *term > first).min().unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;

//! What can be seen of a group in the search and in a random world alike: each node as the papers
//! know it.
//!
//! The full form of a machine does not compare: a leader's deadlines are exact times, and a random
//! world has any. So the shape of a node is coarser: term, vote, role, leader, the terms and kinds of
//! its entries, commit index, votes gathered, what a leader knows of the others. Terms and indexes
//! are counted from the beginning, and a vote of the beginning's term, which nobody asks for any
//! more, is none. Frames, timers and disks are no part of it. Shapes are equal if one is a renaming
//! of the other.

use raft_core::{LogIndex, Raft, Role};

use super::names::{Renaming, place_of};
use crate::search::space::fold;

/// Where a group begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Beginning {
    pub(super) term: u32,
    pub(super) index: u64,
}

/// The most renamings: those of three nodes.
const RENAMINGS_MAX: usize = 6;

/// The fingerprints of the shape of one node, under each renaming.
pub(super) type Prints = [u64; RENAMINGS_MAX];

/// How far a node came since the beginning, as one reads it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Class {
    role: &'static str,
    pub(super) term: u32,
    pub(super) entries: u64,
}

impl core::fmt::Display for Class {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Class {
            role,
            term,
            entries,
        } = self;
        write!(f, "{role} +{term}/{entries}")
    }
}

/// What kind of shape a node has.
pub(super) fn class<B, const N: usize>(raft: &Raft<B, N>, beginning: &Beginning) -> Class
where
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    let role = match raft.role() {
        Role::Follower if raft.leader().is_some() => "follower",
        Role::Follower => "alone",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    };
    Class {
        role,
        term: raft.term().value().saturating_sub(beginning.term),
        entries: raft.last().index.value().saturating_sub(beginning.index),
    }
}

/// The fingerprints of the shape of a node.
pub(super) fn prints<B, const N: usize>(
    raft: &Raft<B, N>,
    beginning: &Beginning,
    renamings: &[Renaming],
) -> Prints
where
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    let mut prints = [0; RENAMINGS_MAX];
    for (print, renaming) in prints.iter_mut().zip(renamings) {
        *print = fold(0, 3);
        write(raft, beginning, renaming, &mut |word| {
            *print = fold(*print, word);
        });
    }
    prints
}

fn write<B, const N: usize>(
    raft: &Raft<B, N>,
    beginning: &Beginning,
    renaming: &Renaming,
    word: &mut impl FnMut(u64),
) where
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    let place = |node| renaming.get(place_of(node)).map_or(0, |to| u64::from(*to));
    let term = |term: u32| u64::from(term.saturating_sub(beginning.term));
    let index = |index: LogIndex| index.value().saturating_sub(beginning.index);
    let hard = raft.hard_state();
    word(place(raft.identity().node));
    word(term(hard.term.value()));
    let vote = hard.vote.filter(|_| hard.term.value() > beginning.term);
    word(vote.map_or(0, |vote| place(vote.node) + 1));
    word(raft.role() as u64);
    word(raft.leader().map_or(0, |leader| place(leader) + 1));
    let last = raft.last().index;
    word(index(last));
    for at in beginning.index + 1..=last.value() {
        let entry = raft.entry(LogIndex::new(at));
        word(entry.map_or(0, |entry| {
            term(entry.id.term.value()) << 8 | entry.kind as u64
        }));
    }
    word(index(raft.commit()));
    word(raft.verified().map_or(0, |verified| index(verified) + 1));
    let granted = raft.grants().map(|identity| 1 << place(identity.node));
    word(granted.sum());
    let mut matched = [0; 4];
    if raft.is_leader() {
        for seat in raft.members() {
            let known = raft.matched(seat.identity.node).map_or(0, index);
            matched[place(seat.identity.node) as usize & 3] = known;
        }
    }
    matched.into_iter().for_each(word);
}

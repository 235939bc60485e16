//! What the checker remembers of the past, as a number: who led, what was committed, and how
//! often a bounded thing has happened.

use std::collections::HashMap;

use super::clockwork;
use super::names::{NODES_MAX, Renaming};
use super::prefix::Prefixes;
use crate::search::space::fold;

/// Terms above the beginning of which the leader is remembered.
pub(super) const TERMS_MAX: usize = 7;

/// Something of which a profile allows only so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counter {
    Crash,
    Proposal,
    Change,
    Compaction,
    Failure,
    Read,
    Transfer,
    Campaign,
}

pub(super) const COUNTERS: usize = 8;

/// How far the ending of a profile has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Phase {
    /// Anything goes.
    #[default]
    Storm,
    /// Everything is well.
    Calm,
    /// This leader and this follower are well.
    Majority { leader: u8, follower: u8 },
}

/// The past.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Past {
    /// Who led each term after the first: its place and one, or zero.
    pub(super) leaders: [u8; TERMS_MAX],
    pub(super) counts: [u8; COUNTERS],
    pub(super) phase: Phase,
    /// Whose clocks are fast, as bits; the others are slow. Nothing as long as that is open.
    pub(super) fast: Option<u8>,
    /// Entry by entry, what was committed first: its prefix, and in which term.
    pub(super) committed: Vec<(u32, u32)>,
    /// For each read of a node that has not ended, as they came: up to where everything was committed
    /// when it began.
    pub(super) reads: [Vec<u32>; NODES_MAX],
}

/// All pasts met so far.
pub(super) struct Pasts {
    known: HashMap<Past, u32>,
    all: Vec<Past>,
    oldest: Vec<u32>,
    prints: Vec<u64>,
    renamings: Vec<Renaming>,
    seed: u64,
}

impl Pasts {
    pub(super) fn new(renamings: &[Renaming], seed: u64) -> Self {
        Pasts {
            known: HashMap::new(),
            all: Vec::new(),
            oldest: Vec::new(),
            prints: Vec::new(),
            renamings: renamings.to_vec(),
            seed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: u32) -> &Past {
        &self.all[id as usize]
    }

    /// The lowest term that a past remembers anything of.
    #[inline]
    pub(super) fn oldest(&self, id: u32) -> u32 {
        self.oldest[id as usize]
    }

    /// The number of a past in a group that began in the term `first`.
    pub(super) fn intern(&mut self, past: Past, first: u32, prefixes: &Prefixes) -> u32 {
        if let Some(id) = self.known.get(&past) {
            return *id;
        }
        let id = self.all.len() as u32;
        for (which, renaming) in self.renamings.iter().enumerate() {
            let mut print = fold(self.seed, 0xa);
            for leader in past.leaders {
                let renamed = match leader.checked_sub(1) {
                    Some(place) => u64::from(renaming[usize::from(place)]) + 1,
                    None => 0,
                };
                print = fold(print, renamed);
            }
            let place = |place: u8| u64::from(renaming[usize::from(place)]);
            let phase = match past.phase {
                Phase::Storm => 0,
                Phase::Calm => 1,
                Phase::Majority { leader, follower } => 2 + place(leader) * 8 + place(follower),
            };
            print = fold(print, phase);
            print = fold(print, clockwork::renamed(past.fast, renaming));
            for count in past.counts {
                print = fold(print, u64::from(count));
            }
            for (prefix, term) in &past.committed {
                print = fold(print, prefixes.print(*prefix, which));
                print = fold(print, u64::from(*term));
            }
            for at in 0..NODES_MAX {
                let from = renaming.iter().position(|to| usize::from(*to) == at);
                let reads = from.map_or(&[][..], |place| &past.reads[place]);
                for (count, floor) in (1..).zip(reads) {
                    print = fold(print, (at as u64) << 40 | count << 32 | u64::from(*floor));
                }
            }
            self.prints.push(print);
        }
        self.oldest.push(past.oldest(first));
        self.all.push(past.clone());
        self.known.insert(past, id);
        id
    }

    pub(super) fn prints(&self, id: u32) -> &[u64] {
        let width = self.renamings.len();
        &self.prints[id as usize * width..][..width]
    }
}

//! Logs as numbers: a prefix of a log is the prefix before its last entry, and that entry.
//!
//! Two logs that agree up to an index have the same prefix there, so log matching, leader
//! completeness and state-machine safety are comparisons of numbers.

use std::collections::HashMap;

use raft_core::Entry;

use super::names::{Lens, Renaming, key_of, print_of};
use crate::search::space::fold;

/// The prefix with which all logs begin.
pub(super) const ROOT: u32 = 0;

/// All prefixes met so far.
pub(super) struct Prefixes {
    known: HashMap<(u32, u64, u64), u32>,
    of_sum: HashMap<u32, u32>,
    terms: Vec<u32>,
    sums: Vec<u32>,
    prints: Vec<u64>,
    renamings: Vec<Renaming>,
    seed: u64,
}

impl Prefixes {
    pub(super) fn new(renamings: &[Renaming], seed: u64, root_term: u32) -> Self {
        let root_sum = 0x51;
        Prefixes {
            known: HashMap::new(),
            of_sum: HashMap::from([(root_sum, ROOT)]),
            terms: vec![root_term],
            sums: vec![root_sum],
            prints: vec![fold(seed, 77); renamings.len()],
            renamings: renamings.to_vec(),
            seed,
        }
    }

    /// The prefix that ends with `entry` and continues `before`.
    pub(super) fn extend(&mut self, before: u32, entry: &Entry<'_>) -> u32 {
        let plain = Lens::new(&[0, 1, 2, 3]);
        let (one, other) = key_of(|word| entry.canonical(&plain, word));
        let next = self.terms.len() as u32;
        let id = *self.known.entry((before, one, other)).or_insert(next);
        if id == next {
            let term = entry.id.term.value();
            let mut sum = fold(u64::from(self.sums[before as usize]), u64::from(term));
            if self.renamings.len() == 1 {
                sum = fold(sum, one);
            }
            let sum = sum as u32;
            self.of_sum.insert(sum, id);
            self.sums.push(sum);
            self.terms.push(term);
            for (which, renaming) in self.renamings.iter().enumerate() {
                let lens = Lens::new(renaming);
                let print = print_of(self.seed, |word| entry.canonical(&lens, word));
                let start = before as usize * self.renamings.len();
                self.prints.push(fold(self.prints[start + which], print));
            }
        }
        id
    }

    /// The term of the last entry.
    pub(super) fn term(&self, prefix: u32) -> u32 {
        self.terms[prefix as usize]
    }

    /// A checksum of a prefix. Where groups that are renamings of each other count once it must not
    /// depend on names, and tells prefixes apart by their terms alone: that is enough as long as a
    /// leader has no choice between entries.
    pub(super) fn sum(&self, prefix: u32) -> u32 {
        self.sums[prefix as usize]
    }

    /// The prefix with this checksum.
    pub(super) fn with_sum(&self, sum: u32) -> Option<u32> {
        self.of_sum.get(&sum).copied()
    }

    /// The fingerprint under a renaming.
    pub(super) fn print(&self, prefix: u32, renaming: usize) -> u64 {
        self.prints[prefix as usize * self.renamings.len() + renaming]
    }
}

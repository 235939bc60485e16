//! Renamings of the nodes, and what of a canonical form depends on counters elsewhere.

use std::cell::{Cell, RefCell};

use quorum::NodeId;
use raft_core::canonical::{Detail, Names};

use crate::search::space::fold;

/// The most nodes that a space has.
pub(super) const NODES_MAX: usize = 4;

/// Every node's place under a renaming.
pub(super) type Renaming = [u8; NODES_MAX];

/// So many free bytes are more than any profile ever uses.
const PLENTY: u32 = 256;

/// The name of the node at a place.
pub(super) fn name(place: usize) -> NodeId {
    NodeId::new(place as u64 + 1)
}

/// The place of a node.
pub(super) fn place_of(node: NodeId) -> usize {
    (node.value() as usize).wrapping_sub(1)
}

/// All renamings of the first `equals` nodes; the others, which play another part, stay. The
/// first one changes nothing.
pub(super) fn renamings(equals: usize) -> Vec<Renaming> {
    let mut all = vec![[0, 1, 2, 3]];
    for first in 0..equals {
        for which in 0..all.len() {
            for other in first + 1..equals {
                let mut renaming = all[which];
                renaming.swap(first, other);
                all.push(renaming);
            }
        }
    }
    all
}

/// Writes names as a renaming wants them, and notes the attempts that a form speaks of: what
/// they mean depends on another node, so they are no part of the form.
pub(super) struct Lens<'a> {
    renaming: &'a Renaming,
    pub(super) own_attempt: Cell<(u32, bool)>,
    pub(super) attempts: RefCell<Vec<(u8, u32)>>,
    pub(super) without: Without,
    is_timed: bool,
}

/// What of a node nobody can notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Without {
    pub(super) vote: bool,
    pub(super) asking: bool,
}

impl Without {
    pub(super) const NOTHING: Without = Without {
        vote: false,
        asking: false,
    };
    /// All of them, by number.
    pub(super) const ALL: [Without; 4] = [
        Without::NOTHING,
        Without {
            vote: true,
            asking: false,
        },
        Without {
            vote: false,
            asking: true,
        },
        Without {
            vote: true,
            asking: true,
        },
    ];

    #[inline]
    pub(super) fn number(self) -> usize {
        usize::from(self.vote) + 2 * usize::from(self.asking)
    }
}

impl<'a> Lens<'a> {
    pub(super) fn new(renaming: &'a Renaming) -> Self {
        Lens {
            renaming,
            own_attempt: Cell::new((0, false)),
            attempts: RefCell::default(),
            without: Without::NOTHING,
            is_timed: false,
        }
    }

    /// Times are written as they are, or as before and after.
    pub(super) fn timed(self, is_timed: bool) -> Self {
        Lens { is_timed, ..self }
    }

    pub(super) fn without(renaming: &'a Renaming, without: Without) -> Self {
        Lens {
            without,
            ..Lens::new(renaming)
        }
    }
}

impl Names for Lens<'_> {
    fn node(&self, node: NodeId) -> NodeId {
        self.renaming
            .get(place_of(node))
            .map_or(node, |place| name(usize::from(*place)))
    }

    fn own_attempt(&self, attempt: u32, is_open: bool) -> u32 {
        self.own_attempt.set((attempt, is_open));
        0
    }

    fn attempt(&self, node: NodeId, attempt: u32) -> u32 {
        let place = place_of(node) as u8;
        self.attempts.borrow_mut().push((place, attempt));
        0
    }

    fn is_timed(&self) -> bool {
        self.is_timed
    }

    fn own_question(&self, nonce: u64, number: u64) -> (u64, u64) {
        (nonce, number)
    }

    fn keeps(&self, detail: Detail) -> bool {
        match detail {
            Detail::Vote => !self.without.vote,
            Detail::Asking => !self.without.asking,
        }
    }

    fn room(&self, bytes: u32) -> u32 {
        if bytes >= PLENTY { u32::MAX } else { bytes }
    }
}

/// The fingerprint of a form that is written to a closure.
pub(super) fn print_of(seed: u64, write: impl FnOnce(&mut dyn FnMut(u64))) -> u64 {
    let mut print = fold(seed, 0);
    write(&mut |word| print = fold(print, word));
    print
}

/// Two independent fingerprints of a form: equal ones are taken as the same form.
pub(super) fn key_of(write: impl Fn(&mut dyn FnMut(u64))) -> (u64, u64) {
    (print_of(1, &write), print_of(2, &write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_renaming_is_there_once() {
        for (equals, count) in [(1, 1), (2, 2), (3, 6), (4, 24)] {
            let mut all = renamings(equals);
            assert_eq!(all[0], [0, 1, 2, 3]);
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }
}

//! A log as the harness remembers it: for each entry the term and a hash of everything up to it.
//!
//! Two logs that agree at one index agree before it exactly if the hashes are the same, so one
//! comparison stands for the whole prefix.

use std::collections::VecDeque;

use raft_core::{Entry, EntryId, LogIndex, Term};

use crate::world::memory::WINDOW_BYTES_MAX;
use crate::world::reuse::copies_in_place;

/// More entries than a log window holds, whose ring has one place for 32 bytes.
const LINKS_MAX: usize = WINDOW_BYTES_MAX / 32;

/// Mixes a number into a hash.
#[inline]
pub const fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (mixed >> 32)
}

/// Multiplies, and keeps both halves of the product.
#[inline]
const fn fold(one: u64, other: u64) -> u64 {
    let product = (one as u128).wrapping_mul(other as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

const ODD: [u64; 3] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
];

/// A hash of bytes.
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    // Not mixed with the first bytes, of which one flipped bit could make up for it.
    let len = (bytes.len() as u64).wrapping_mul(ODD[0]);
    let mut hash = ODD[0];
    let (pairs, single) = chunks.as_chunks::<2>();
    for [one, other] in pairs {
        let (one, other) = (u64::from_le_bytes(*one), u64::from_le_bytes(*other));
        hash = fold(hash ^ one ^ ODD[1], other ^ ODD[2]);
    }
    if let [one] = single {
        hash = fold(hash ^ u64::from_le_bytes(*one), ODD[1]);
    }
    let mut last = 0;
    for byte in rest {
        last = last << 8 | u64::from(*byte);
    }
    fold(hash ^ last ^ len, ODD[2])
}

/// One entry of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The entry's term.
    pub term: Term,
    /// A hash of the log up to this entry.
    pub hash: u64,
}

impl Link {
    /// The link of `entry` behind a log with this hash.
    pub fn after(hash: u64, entry: &Entry<'_>) -> Self {
        let kind = entry.kind as u64;
        let place = u64::from(entry.id.term.value()) << 8 | kind;
        Link {
            term: entry.id.term,
            hash: mix(hash.rotate_left(23) ^ hash_bytes(entry.payload), place),
        }
    }
}

/// A log: what stands before it, and its entries.
#[derive(Debug, Default)]
pub struct Chain {
    base: EntryId,
    base_hash: u64,
    links: VecDeque<Link>,
}

copies_in_place!(Chain {
    base,
    base_hash,
    links
});

impl Chain {
    /// The place before the first link.
    pub fn base(&self) -> EntryId {
        self.base
    }

    /// The last entry.
    #[inline]
    pub fn last(&self) -> EntryId {
        match self.links.back() {
            Some(link) => EntryId::new(self.base.index.plus(self.links.len() as u64), link.term),
            None => self.base,
        }
    }

    /// The hash of everything.
    pub fn last_hash(&self) -> u64 {
        self.links.back().map_or(self.base_hash, |link| link.hash)
    }

    /// The link at `index`; the base counts as one.
    #[inline]
    pub fn link(&self, index: LogIndex) -> Option<Link> {
        if index == self.base.index {
            return Some(self.base_link());
        }
        let place = index.value().checked_sub(self.base.index.value() + 1)?;
        self.links.get(usize::try_from(place).ok()?).copied()
    }

    /// Forgets everything and starts at `base`.
    pub fn reset(&mut self, base: EntryId, hash: u64) {
        (self.base, self.base_hash) = (base, hash);
        self.links.clear();
        self.links.reserve(LINKS_MAX);
    }

    /// Becomes what `other` says after `index`, or all that it says if it begins later.
    pub fn copy_after(&mut self, other: &Chain, index: LogIndex) {
        let skip = index.since(other.base.index).min(other.links.len() as u64);
        let from = other.base.index.plus(skip);
        let start = other.link(from).unwrap_or(other.base_link());
        self.reset(EntryId::new(from, start.term), start.hash);
        self.links
            .extend(other.links.iter().skip(skip as usize).copied());
    }

    fn base_link(&self) -> Link {
        Link {
            term: self.base.term,
            hash: self.base_hash,
        }
    }

    /// Drops everything after `index`.
    pub fn truncate(&mut self, index: LogIndex) {
        let keep = usize::try_from(index.since(self.base.index)).unwrap_or(usize::MAX);
        self.links.truncate(keep);
    }

    /// Drops everything up to `index`, if it is here.
    pub fn compact(&mut self, index: LogIndex) {
        let Some(link) = self.link(index) else { return };
        let drop = usize::try_from(index.since(self.base.index)).unwrap_or(usize::MAX);
        self.links.drain(..drop.min(self.links.len()));
        (self.base, self.base_hash) = (EntryId::new(index, link.term), link.hash);
    }

    /// Adds an entry.
    pub fn push(&mut self, link: Link) {
        self.links.push_back(link);
    }

    /// Bytes that a copy of it copies, beside itself.
    pub fn bytes(&self) -> usize {
        self.links.len() * size_of::<Link>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by simulation: a damaged frame passed for whole, because the length stood where a
    /// flipped bit of the first byte could make up for zeros that were cut off.
    #[test]
    fn zeros_cut_off_and_one_bit_flipped_is_another_text() {
        let mut frame = [0; 36];
        frame[0] = 24;
        let sum = hash_bytes(&frame);
        for len in 0..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame[..len].to_vec();
                if let Some(first) = damaged.first_mut() {
                    *first ^= 1 << bit;
                }
                assert_ne!(hash_bytes(&damaged), sum, "{len} bytes, bit {bit}");
            }
        }
    }
}

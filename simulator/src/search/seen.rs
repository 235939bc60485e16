//! The states that were met, as fingerprints of 64 bits in tables with open addressing.
//!
//! Two states with one fingerprint count as one, so a search can miss states: with `n` of them the
//! chance that it missed any is about `n² / 2^65` (hash compaction, `[Stern95]`). A second run with
//! another seed has other collisions.
//!
//! One table that doubles needs three times its memory while it does, and is half empty afterwards.
//! So there are many small tables, each for the fingerprints with the same first bits. Each grows by
//! a quarter, alone: at most four of five places are taken and, once there are many, at least two of
//! three, so that a state costs 10 to 12.5 bytes (twice that where parents are kept).

use crate::search::space::mix;

/// So many tables.
const SEGMENTS: usize = 1 << SEGMENT_BITS;
const SEGMENT_BITS: u32 = 8;
/// Each begins with so many places.
const PLACES_MIN: usize = 16;

/// A set of fingerprints.
pub(super) struct Seen {
    segments: Vec<Segment>,
    len: usize,
    places: usize,
}

struct Segment {
    /// Zero is an empty place.
    places: Vec<u64>,
    /// The fingerprint of the state from which each was met first; none if that is not kept.
    parents: Vec<u64>,
    len: usize,
}

impl Seen {
    pub(super) fn new(keeps_parents: bool) -> Self {
        let segment = || Segment {
            places: vec![0; PLACES_MIN],
            parents: vec![0; if keeps_parents { PLACES_MIN } else { 0 }],
            len: 0,
        };
        Seen {
            segments: (0..SEGMENTS).map(|_| segment()).collect(),
            len: 0,
            places: SEGMENTS * PLACES_MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How much memory the tables take.
    pub(super) fn bytes(&self) -> u64 {
        let has_parents = !self.segments[0].parents.is_empty();
        self.places as u64 * if has_parents { 16 } else { 8 }
    }

    /// Whether a fingerprint stands at the place where it belongs. A guess that costs one look and
    /// depends on no other, so that a processor can do many at once: "no" may be wrong.
    #[inline]
    pub(super) fn has_at_home(&self, fingerprint: u64) -> bool {
        let mixed = mix(fingerprint);
        let places = &self.segments[segment(mixed)].places;
        places[home(mixed, places.len())] == fingerprint
    }

    /// Adds a fingerprint and says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, fingerprint: u64, parent: u64) -> bool {
        let fingerprint = fingerprint.max(1);
        let mixed = mix(fingerprint);
        let segment = &mut self.segments[segment(mixed)];
        let mut place = find(&segment.places, fingerprint, mixed);
        if segment.places[place] == fingerprint {
            return false;
        }
        // Beyond four of five places the search for a place gets long.
        if segment.len * 5 >= segment.places.len() * 4 {
            self.places += segment.grow();
            place = find(&segment.places, fingerprint, mixed);
        }
        segment.places[place] = fingerprint;
        if let Some(known) = segment.parents.get_mut(place) {
            *known = parent;
        }
        segment.len += 1;
        self.len += 1;
        true
    }

    /// The state from which this one was met first.
    pub(super) fn parent(&self, fingerprint: u64) -> Option<u64> {
        let fingerprint = fingerprint.max(1);
        let mixed = mix(fingerprint);
        let segment = &self.segments[segment(mixed)];
        let place = find(&segment.places, fingerprint, mixed);
        let is_known = segment.places[place] != 0;
        segment.parents.get(place).copied().filter(|_| is_known)
    }
}

impl Segment {
    /// By a quarter; says by how many places.
    #[cold]
    fn grow(&mut self) -> usize {
        let len = self.places.len();
        let more = if len < 1 << 12 { len } else { len / 4 };
        let old = std::mem::replace(&mut self.places, vec![0; len + more]);
        let old_parents = std::mem::take(&mut self.parents);
        if !old_parents.is_empty() {
            self.parents = vec![0; len + more];
        }
        for (from, fingerprint) in old.into_iter().enumerate() {
            if fingerprint == 0 {
                continue;
            }
            let to = find(&self.places, fingerprint, mix(fingerprint));
            self.places[to] = fingerprint;
            if let Some(parent) = self.parents.get_mut(to) {
                *parent = old_parents[from];
            }
        }
        more
    }
}

/// The table of a fingerprint: its first bits.
#[inline]
fn segment(mixed: u64) -> usize {
    (mixed >> (64 - SEGMENT_BITS)) as usize
}

/// Where a fingerprint belongs in a table of so many places: its last bits, as a fraction.
#[inline]
fn home(mixed: u64, places: usize) -> usize {
    (((mixed & 0xffff_ffff) * places as u64) >> 32) as usize
}

/// The place of a fingerprint, or the empty one where it belongs.
#[inline]
fn find(places: &[u64], fingerprint: u64, mixed: u64) -> usize {
    let mut place = home(mixed, places.len());
    while places[place] != 0 && places[place] != fingerprint {
        place += 1;
        if place == places.len() {
            place = 0;
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_found_with_its_parent_after_growing() {
        let mut seen = Seen::new(true);
        for n in 1..200_000_u64 {
            assert!(seen.insert(mix(n), mix(n - 1)));
            assert!(!seen.insert(mix(n), 0));
        }
        assert_eq!(seen.len(), 199_999);
        for n in 1..200_000_u64 {
            assert_eq!(seen.parent(mix(n)), Some(mix(n - 1)));
        }
        assert_eq!(seen.parent(mix(200_000)), None);
    }

    #[test]
    fn a_state_costs_little() {
        let mut seen = Seen::new(false);
        for n in 1..3_000_000_u64 {
            seen.insert(mix(n), 0);
        }
        assert!(seen.bytes() < 13 * seen.len() as u64, "{}", seen.bytes());
    }
}

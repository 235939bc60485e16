//! The states that were met, as fingerprints of 64 bits in a table with open addressing.
//!
//! Eight bytes for each state, sixteen where parents are kept. Two states with one fingerprint
//! count as one, so a search can miss states: with `n` of them the chance that it missed any is
//! about `n² / 2^65` (hash compaction, `[Stern95]`). A second run with another seed has other
//! collisions.

use crate::search::space::mix;

/// The table begins with so many places.
const PLACES_MIN: usize = 1 << 12;

/// A set of fingerprints.
pub(super) struct Seen {
    /// Zero is an empty place.
    places: Vec<u64>,
    /// The fingerprint of the state from which each was met first.
    parents: Option<Vec<u64>>,
    len: usize,
    places_max: usize,
}

/// No place is left in the memory that the table may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

impl Seen {
    pub(super) fn new(memory_bytes: u64, keeps_parents: bool) -> Self {
        let place_bytes = if keeps_parents { 16 } else { 8 };
        let places = usize::try_from(memory_bytes / place_bytes).unwrap_or(usize::MAX);
        let places_max = match places {
            0..=PLACES_MIN => PLACES_MIN,
            _ => 1 << places.ilog2(),
        };
        Seen {
            places: vec![0; PLACES_MIN],
            parents: keeps_parents.then(|| vec![0; PLACES_MIN]),
            len: 0,
            places_max,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether a fingerprint stands at the place where it belongs. A guess that costs one look and
    /// depends on no other, so that a processor can do many at once: "no" may be wrong.
    #[inline]
    pub(super) fn has_at_home(&self, fingerprint: u64) -> bool {
        let home = mix(fingerprint) as usize & (self.places.len() - 1);
        self.places[home] == fingerprint
    }

    /// Adds a fingerprint and says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, fingerprint: u64, parent: u64) -> Result<bool, Full> {
        let fingerprint = fingerprint.max(1);
        let place = find(&self.places, fingerprint);
        if self.places[place] == fingerprint {
            return Ok(false);
        }
        // Seven of eight places at most: beyond that the search for a place gets long.
        if self.len >= self.places.len() / 8 * 7 {
            self.grow()?;
            return self.insert(fingerprint, parent);
        }
        self.places[place] = fingerprint;
        if let Some(parents) = &mut self.parents {
            parents[place] = parent;
        }
        self.len += 1;
        Ok(true)
    }

    /// The state from which this one was met first.
    pub(super) fn parent(&self, fingerprint: u64) -> Option<u64> {
        let place = find(&self.places, fingerprint.max(1));
        let parents = self.parents.as_ref()?;
        (self.places[place] != 0).then(|| parents[place])
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Full> {
        let places = self.places.len() * 2;
        if places > self.places_max {
            return Err(Full);
        }
        let old = std::mem::replace(&mut self.places, vec![0; places]);
        let old_parents = self.parents.take();
        let mut parents = old_parents.as_ref().map(|_| vec![0; places]);
        for (from, fingerprint) in old.into_iter().enumerate() {
            if fingerprint == 0 {
                continue;
            }
            let to = find(&self.places, fingerprint);
            self.places[to] = fingerprint;
            if let (Some(parents), Some(old)) = (&mut parents, &old_parents) {
                parents[to] = old[from];
            }
        }
        self.parents = parents;
        Ok(())
    }
}

/// The place of a fingerprint, or the empty one where it belongs.
#[inline]
fn find(places: &[u64], fingerprint: u64) -> usize {
    let mask = places.len() - 1;
    let mut place = mix(fingerprint) as usize & mask;
    while places[place] != 0 && places[place] != fingerprint {
        place = (place + 1) & mask;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_found_with_its_parent_after_growing() {
        let mut seen = Seen::new(1 << 24, true);
        for n in 1..200_000_u64 {
            assert_eq!(seen.insert(mix(n), mix(n - 1)), Ok(true));
            assert_eq!(seen.insert(mix(n), 0), Ok(false));
        }
        assert_eq!(seen.len(), 199_999);
        for n in 1..200_000_u64 {
            assert_eq!(seen.parent(mix(n)), Some(mix(n - 1)));
        }
        assert_eq!(seen.parent(mix(200_000)), None);
    }

    #[test]
    fn a_full_table_says_so() {
        let mut seen = Seen::new(0, false);
        let full = (1..).find(|n| seen.insert(mix(*n), 0).is_err());
        assert_eq!(full, Some(PLACES_MIN as u64 / 8 * 7 + 1));
    }
}

//! Entries as a witness knows them: index and term of each, and configurations whole.
//!
//! A witness votes by index and term and counts towards a commit by index and term; of a payload
//! it needs nothing. Sending it entries whose payload was cut away, one by one, would cost eight
//! bytes for each; but their indexes are consecutive and their terms hardly ever change. So
//! consecutive entries of one term travel as one run, of eight bytes whatever their number, and
//! only a configuration travels as it is, because it takes effect where it is appended.
//!
//! ```text
//! 0..4   term, little endian
//! 4..8   28 low bits: how many entries, at least one; of a configuration, the length of its payload
//!        4 high bits: 3 for a run, 2 for a configuration (as in an entry's header)
//! 8..    payload of a configuration
//! ```
//!
//! On the sender the entries are lent whole from its window and read as runs; nothing is copied.

use core::hash::{Hash, Hasher};

use crate::entry::{ENTRY_HEADER_BYTES, Entries, EntryKind, Header, PAYLOAD_BYTES_MAX};
use crate::types::Term;

/// The most entries that one run stands for.
pub(crate) const RUN_ENTRIES_MAX: u32 = (1 << 28) - 1;

// It stands where an entry has the length of its payload.
const _: () = assert!(PAYLOAD_BYTES_MAX == (1 << 28) - 1);

/// What a witness is told of consecutive entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HollowRun<'a> {
    /// So many entries of one term, whatever they hold.
    Entries {
        /// Their term.
        term: Term,
        /// How many, at least one.
        count: u32,
    },
    /// One configuration.
    Configuration {
        /// Its term.
        term: Term,
        /// The encoded configuration.
        payload: &'a [u8],
    },
}

impl HollowRun<'_> {
    /// The term of its entries.
    pub const fn term(&self) -> Term {
        match self {
            HollowRun::Entries { term, .. } | HollowRun::Configuration { term, .. } => *term,
        }
    }

    /// How many entries it stands for.
    pub const fn count(&self) -> u32 {
        match self {
            HollowRun::Entries { count, .. } => *count,
            HollowRun::Configuration { .. } => 1,
        }
    }

    /// Bytes that it takes in a frame.
    pub(crate) const fn wire_len(&self) -> usize {
        match self {
            HollowRun::Entries { .. } => ENTRY_HEADER_BYTES,
            HollowRun::Configuration { payload, .. } => ENTRY_HEADER_BYTES + payload.len(),
        }
    }

    pub(crate) fn header(&self) -> Header {
        match self {
            HollowRun::Entries { term, count } => Header {
                term: *term,
                kind: EntryKind::Hollow,
                payload_len: *count as usize,
            },
            HollowRun::Configuration { term, payload } => Header {
                term: *term,
                kind: EntryKind::Configuration,
                payload_len: payload.len(),
            },
        }
    }
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Source<'a> {
    /// Whole entries of a sender's window, to be read as runs.
    Lent(Entries<'a>),
    /// Encoded runs of a frame.
    Runs(&'a [u8]),
}

/// A series of entries without their payloads. Two are equal when they say the same, lent or
/// received.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HollowEntries<'a>(Source<'a>);

impl<'a> HollowEntries<'a> {
    /// No entries.
    pub const EMPTY: HollowEntries<'static> = HollowEntries(Source::Runs(&[]));

    /// Runs encoded one after the other in `bytes`. Nothing is checked here: the machine checks
    /// each before it takes it.
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        HollowEntries(Source::Runs(bytes))
    }

    /// Entries as they stand in a window or a frame, without what they hold.
    pub const fn of(entries: Entries<'a>) -> Self {
        HollowEntries(Source::Lent(entries))
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        match &self.0 {
            Source::Lent(entries) => entries.is_empty(),
            Source::Runs(bytes) => bytes.is_empty(),
        }
    }

    /// Bytes that they take in a frame. Work: O(entries) on the sender.
    pub fn wire_len(&self) -> usize {
        match &self.0 {
            Source::Lent(_) => self.iter().map(|run| run.wire_len()).sum(),
            Source::Runs(bytes) => bytes.len(),
        }
    }

    /// Their bytes as they were received.
    pub(crate) const fn received(&self) -> Option<&'a [u8]> {
        match &self.0 {
            Source::Lent(_) => None,
            Source::Runs(bytes) => Some(bytes),
        }
    }

    /// How many entries they are.
    pub fn count(&self) -> u64 {
        self.iter().map(|run| u64::from(run.count())).sum()
    }

    /// The runs one by one. Stops before bytes that are none.
    pub const fn iter(&self) -> HollowIter<'a> {
        HollowIter { rest: self.0 }
    }
}

impl PartialEq for HollowEntries<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.iter(), other.iter());
        mine.by_ref().eq(theirs.by_ref()) && mine.remainder() == theirs.remainder()
    }
}

impl Eq for HollowEntries<'_> {}

impl Hash for HollowEntries<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for run in self.iter() {
            run.hash(state);
        }
    }
}

/// Iterator over the runs of [`HollowEntries`].
#[derive(Clone, Debug)]
pub struct HollowIter<'a> {
    rest: Source<'a>,
}

impl<'a> HollowIter<'a> {
    /// Bytes behind the last whole run: none if the sender is sound.
    pub const fn remainder(&self) -> usize {
        match &self.rest {
            Source::Lent(entries) => entries.len(),
            Source::Runs(bytes) => bytes.len(),
        }
    }
}

impl<'a> Iterator for HollowIter<'a> {
    type Item = HollowRun<'a>;

    fn next(&mut self) -> Option<HollowRun<'a>> {
        match &mut self.rest {
            Source::Lent(entries) => next_of_entries(entries),
            Source::Runs(bytes) => next_of_runs(bytes),
        }
    }
}

fn next_of_runs<'a>(bytes: &mut &'a [u8]) -> Option<HollowRun<'a>> {
    let header = Header::decode(bytes)?;
    let (_, behind) = bytes.split_at_checked(ENTRY_HEADER_BYTES)?;
    let (run, rest) = match header.kind {
        EntryKind::Hollow => {
            let count = u32::try_from(header.payload_len).ok()?;
            let term = header.term;
            (
                (count > 0).then_some(HollowRun::Entries { term, count })?,
                behind,
            )
        }
        EntryKind::Configuration => {
            let (payload, rest) = behind.split_at_checked(header.payload_len)?;
            let term = header.term;
            (HollowRun::Configuration { term, payload }, rest)
        }
        EntryKind::Command | EntryKind::NoOp => return None,
    };
    *bytes = rest;
    Some(run)
}

/// The next configuration, or as many other entries of one term as follow each other.
fn next_of_entries<'a>(entries: &mut Entries<'a>) -> Option<HollowRun<'a>> {
    let (first, bytes, rest) = entries.split_first()?;
    *entries = rest;
    let term = first.term;
    if first.kind == EntryKind::Configuration {
        let payload = bytes.get(ENTRY_HEADER_BYTES..)?;
        return Some(HollowRun::Configuration { term, payload });
    }
    let mut count = 1;
    while let Some((header, _, rest)) = entries.split_first() {
        if header.term != term
            || header.kind == EntryKind::Configuration
            || count == RUN_ENTRIES_MAX
        {
            break;
        }
        (*entries, count) = (rest, count.saturating_add(1));
    }
    Some(HollowRun::Entries { term, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u32, kind: EntryKind, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            term: Term::new(term),
            kind,
            payload_len: payload.len(),
        };
        [&header.encode()[..], payload].concat()
    }

    extern crate std;
    use std::vec::Vec;

    #[test]
    fn entries_of_one_term_are_one_run_and_a_configuration_stays_whole() {
        let log = [
            entry(1, EntryKind::NoOp, b""),
            entry(1, EntryKind::Command, b"a long payload"),
            entry(2, EntryKind::Command, b"x"),
            entry(2, EntryKind::Configuration, b"members"),
            entry(2, EntryKind::Command, b"y"),
        ];
        let bytes = log.concat();
        let (head, tail) = bytes.split_at(log[0].len());
        let hollow = HollowEntries::of(Entries::from_slices(head, tail));
        let (one, two) = (Term::new(1), Term::new(2));
        let payload = &b"members"[..];
        let runs = [
            HollowRun::Entries {
                term: one,
                count: 2,
            },
            HollowRun::Entries {
                term: two,
                count: 1,
            },
            HollowRun::Configuration { term: two, payload },
            HollowRun::Entries {
                term: two,
                count: 1,
            },
        ];
        assert!(hollow.iter().eq(runs));
        assert_eq!((hollow.count(), hollow.wire_len()), (5, 4 * 8 + 7));
    }

    #[test]
    fn a_run_of_nothing_and_a_command_are_no_runs() {
        let none = HollowRun::Entries {
            term: Term::new(1),
            count: 0,
        };
        for bytes in [
            none.header().encode().to_vec(),
            entry(1, EntryKind::Command, b"x"),
            entry(1, EntryKind::Configuration, b"cut")[..9].to_vec(),
        ] {
            let mut runs = HollowEntries::from_bytes(&bytes).iter();
            assert_eq!(runs.next(), None);
            assert_eq!(runs.remainder(), bytes.len());
        }
    }
}

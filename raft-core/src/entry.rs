//! An entry, encoded once: the same bytes stand in the window, on the wire and on the medium.
//!
//! ```text
//! 0..4   term, little endian
//! 4..8   length of the payload (28 low bits) and kind (4 high bits), little endian
//! 8..    payload
//! ```
//!
//! The index is not stored: it follows from where the entry stands. Bounds: a payload has at most
//! [`PAYLOAD_BYTES_MAX`] bytes, a header [`ENTRY_HEADER_BYTES`].

use crate::types::{EntryId, LogIndex, Term, low_half};

/// Bytes before the payload of an encoded entry.
pub const ENTRY_HEADER_BYTES: usize = 8;
/// The longest payload that the format can express: 256 MiB less one byte.
pub const PAYLOAD_BYTES_MAX: usize = (1 << 28) - 1;

const LENGTH_MASK: u32 = (1 << 28) - 1;

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EntryKind {
    /// A command of the application.
    Command,
    /// The empty entry by which a new leader learns what is committed, `[Ongaro14 §6.4]`.
    NoOp,
    /// A configuration; takes effect when it is appended, `[Ongaro14 §4.1]`.
    Configuration,
    /// On a witness: an entry of any other kind, without its payload.
    Hollow,
}

impl EntryKind {
    const fn code(self) -> u32 {
        match self {
            EntryKind::Command => 0,
            EntryKind::NoOp => 1,
            EntryKind::Configuration => 2,
            EntryKind::Hollow => 3,
        }
    }

    const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(EntryKind::Command),
            1 => Some(EntryKind::NoOp),
            2 => Some(EntryKind::Configuration),
            3 => Some(EntryKind::Hollow),
            _ => None,
        }
    }
}

/// An entry, lent from where it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Entry<'a> {
    /// Where it stands and who made it.
    pub id: EntryId,
    /// What it is for.
    pub kind: EntryKind,
    /// The application's bytes, or the encoded configuration.
    pub payload: &'a [u8],
}

/// The decoded first eight bytes of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) term: Term,
    pub(crate) kind: EntryKind,
    pub(crate) payload_len: usize,
}

impl Header {
    pub(crate) const fn size(self) -> usize {
        ENTRY_HEADER_BYTES + self.payload_len
    }

    /// `payload_len` is at most [`PAYLOAD_BYTES_MAX`]; the window checks it first.
    #[inline]
    pub(crate) fn encode(self) -> [u8; ENTRY_HEADER_BYTES] {
        let word = (low_half(self.payload_len as u64) & LENGTH_MASK) | (self.kind.code() << 28);
        let both = u64::from(self.term.value()) | (u64::from(word) << 32);
        both.to_le_bytes()
    }

    #[inline]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let both = u64::from_le_bytes(*bytes.first_chunk::<ENTRY_HEADER_BYTES>()?);
        let word = low_half(both >> 32);
        Some(Header {
            term: Term::new(low_half(both)),
            kind: EntryKind::from_code(word >> 28)?,
            payload_len: (word & LENGTH_MASK) as usize,
        })
    }
}

/// A run of encoded entries, lent from a window or a frame: at most two slices, because an entry
/// never wraps around the end of the window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Entries<'a> {
    head: &'a [u8],
    tail: &'a [u8],
}

impl<'a> Entries<'a> {
    /// No entries.
    pub const EMPTY: Entries<'static> = Entries {
        head: &[],
        tail: &[],
    };

    /// Entries encoded one after the other in `bytes`. Nothing is checked here: the machine
    /// checks each entry before it takes it.
    pub const fn from_bytes(bytes: &'a [u8]) -> Self {
        Entries {
            head: bytes,
            tail: &[],
        }
    }

    pub(crate) const fn from_slices(head: &'a [u8], tail: &'a [u8]) -> Self {
        Entries { head, tail }
    }

    /// The encoded bytes: write one slice after the other.
    pub const fn slices(&self) -> [&'a [u8]; 2] {
        [self.head, self.tail]
    }

    /// How many bytes they take.
    pub const fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// The entries one by one, the first standing at `first`. Stops before bytes that are no
    /// whole entry.
    pub const fn iter(&self, first: LogIndex) -> EntryIter<'a> {
        EntryIter {
            head: self.head,
            tail: self.tail,
            index: first,
        }
    }

    #[inline]
    pub(crate) fn split_first(self) -> Option<(Header, &'a [u8], Entries<'a>)> {
        let (head, tail) = if self.head.is_empty() {
            (self.tail, self.head)
        } else {
            (self.head, self.tail)
        };
        let (header, entry, rest) = split_entry(head)?;
        Some((header, entry, Entries { head: rest, tail }))
    }
}

/// The entry at the front of `bytes`: its header, all its bytes, and the bytes behind it.
#[inline]
pub(crate) fn split_entry(bytes: &[u8]) -> Option<(Header, &[u8], &[u8])> {
    let header = Header::decode(bytes)?;
    let (entry, rest) = bytes.split_at_checked(header.size())?;
    Some((header, entry, rest))
}

/// Iterator over a run of encoded entries.
#[derive(Clone, Debug)]
pub struct EntryIter<'a> {
    head: &'a [u8],
    tail: &'a [u8],
    index: LogIndex,
}

impl<'a> Iterator for EntryIter<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let run = Entries {
            head: self.head,
            tail: self.tail,
        };
        let (header, bytes, rest) = run.split_first()?;
        (self.head, self.tail) = (rest.head, rest.tail);
        let id = EntryId::new(self.index, header.term);
        self.index = self.index.next();
        Some(Entry {
            id,
            kind: header.kind,
            payload: bytes.get(ENTRY_HEADER_BYTES..)?,
        })
    }
}

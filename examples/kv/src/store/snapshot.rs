//! The map as bytes: what a checkpoint on disk holds and what a node far behind is sent.
//!
//! # Format
//!
//! All numbers are little-endian. Magic `kv-map\n` and a version byte; the clock (8 bytes), the number of
//! keys (8) and of addresses (4); per key in ascending order its length (4), its value's (4), its expiry (8,
//! 0 for none) and both strings; per address in ascending order of its node the node (8), two lengths (2
//! each), whether it stays a learner (1) and both texts; the CRC-32 of everything before (4). Keys that have
//! expired are left out, so two replicas that applied the same operations save the same bytes, whatever either
//! has swept. Version 1 said nothing of learners.
//!
//! The checksum finds damage, not malice: a snapshot comes from the own disk or from a peer. Loading still
//! believes no length, so that the worst a forged one can do is be refused.

use core::error::Error;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write};
use std::sync::Arc;

use super::table::{Base, Table};
use super::{Address, Entry, Store};
use crate::timestamp::Timestamp;

const MAGIC: &[u8; 7] = b"kv-map\n";
const VERSION: u8 = 2;
/// Key length, value length and expiry.
const ENTRY_HEADER_LEN: usize = 16;
/// What is gathered before it is checksummed and written.
const CHUNK_LEN: usize = 64 * 1024;

/// Why bytes cannot be loaded as a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// They do not start as a saved map does: the file is something else.
    Foreign,
    /// Another release wrote them.
    Version(u8),
    /// Their checksum is wrong: they are damaged or were cut short.
    Checksum,
    /// The checksum is right and what they say makes no sense: not written by this program.
    Malformed,
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => formatter.write_str("not a saved map"),
            Self::Version(version) => write!(
                formatter,
                "saved map of version {version}; this program reads version {VERSION}"
            ),
            Self::Checksum => formatter.write_str("saved map is damaged or cut short"),
            Self::Malformed => formatter.write_str("saved map is malformed"),
        }
    }
}

impl Error for LoadError {}

/// The map as it was at one moment, to be saved elsewhere while the map itself goes on changing.
#[derive(Clone, Debug)]
pub struct Frozen {
    entries: Arc<Base>,
    clock: Timestamp,
    addresses: BTreeMap<u64, Address>,
}

impl Frozen {
    /// Writes the map, sorted by key. Takes time in proportion to the map, and 16 bytes per key.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save(&self, out: &mut impl Write) -> io::Result<()> {
        let entries = self.entries.iter().map(|(key, entry)| (&**key, entry));
        save(entries, self.clock, &self.addresses, out)
    }
}

impl Store {
    /// Writes the map, sorted by key. Takes time in proportion to the map, and 16 bytes per key.
    ///
    /// # Errors
    /// Those of `out`; the store is unchanged.
    pub fn save(&self, out: &mut impl Write) -> io::Result<()> {
        save(self.entries.iter(), self.clock, &self.addresses, out)
    }

    /// The map as it is now. Takes no time worth mentioning; until [`Store::thaw`], changes are kept apart,
    /// which makes every access a little slower.
    pub fn freeze(&mut self) -> Frozen {
        Frozen {
            entries: self.entries.freeze(),
            clock: self.clock,
            addresses: self.addresses.clone(),
        }
    }

    /// Ends the freeze, best after the [`Frozen`] is gone, since otherwise everything is copied. Takes time in
    /// proportion to what has changed meanwhile.
    pub fn thaw(&mut self) {
        self.entries.thaw();
    }

    /// Reads a map that [`Store::save`] wrote.
    ///
    /// # Errors
    /// The bytes are not such a map; see [`LoadError`].
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let header = bytes.strip_prefix(MAGIC).ok_or(LoadError::Foreign)?;
        let version = *header.first().ok_or(LoadError::Checksum)?;
        if version != VERSION {
            return Err(LoadError::Version(version));
        }
        let (body, sum) = bytes.split_last_chunk().ok_or(LoadError::Checksum)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(LoadError::Checksum);
        }
        let body = body.get(MAGIC.len() + 1..).ok_or(LoadError::Malformed)?;
        parse(body).ok_or(LoadError::Malformed)
    }
}

fn save<'a>(
    entries: impl Iterator<Item = (&'a [u8], &'a Entry)>,
    clock: Timestamp,
    addresses: &BTreeMap<u64, Address>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut sorted: Vec<_> = entries.filter(|(_, entry)| entry.is_live(clock)).collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);

    let mut sink = Sink::new(out);
    sink.push(&[MAGIC])?;
    sink.push(&[&[VERSION], &clock.0.to_le_bytes()])?;
    sink.push(&[&length::<u64>(sorted.len())?.to_le_bytes()])?;
    sink.push(&[&length::<u32>(addresses.len())?.to_le_bytes()])?;
    for (key, entry) in sorted {
        sink.push(&[
            &length::<u32>(key.len())?.to_le_bytes(),
            &length::<u32>(entry.value.len())?.to_le_bytes(),
            // An expiry of 0 has always passed, so no live entry has one.
            &entry.expiry.unwrap_or_default().0.to_le_bytes(),
            key,
            &entry.value,
        ])?;
    }
    for (node, address) in addresses {
        sink.push(&[
            &node.to_le_bytes(),
            &length::<u16>(address.peer.len())?.to_le_bytes(),
            &length::<u16>(address.client.len())?.to_le_bytes(),
            &[u8::from(address.is_learner)],
            address.peer.as_bytes(),
            address.client.as_bytes(),
        ])?;
    }
    sink.finish()
}

fn parse(mut rest: &[u8]) -> Option<Store> {
    let clock = Timestamp(u64::from_le_bytes(take(&mut rest)?));
    let entries_len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
    let addresses_len = u32::from_le_bytes(take(&mut rest)?);

    let room = entries_len.min(rest.len() / ENTRY_HEADER_LEN);
    let mut entries = HashMap::with_capacity(room);
    let mut expiring = BTreeSet::new();
    let mut last_key: Option<&[u8]> = None;
    for _ in 0..entries_len {
        let key_len = u32::from_le_bytes(take(&mut rest)?);
        let value_len = u32::from_le_bytes(take(&mut rest)?);
        let expiry = Timestamp(u64::from_le_bytes(take(&mut rest)?));
        let key = take_slice(&mut rest, usize::try_from(key_len).ok()?)?;
        let value = take_slice(&mut rest, usize::try_from(value_len).ok()?)?.into();
        let expiry = (expiry.0 != 0).then_some(expiry);
        if last_key.replace(key).is_some_and(|last| last >= key) {
            return None;
        }
        let entry = Entry { value, expiry };
        if !entry.is_live(clock) {
            return None;
        }
        if let Some(expiry) = expiry {
            expiring.insert((expiry, key.into()));
        }
        entries.insert(key.into(), entry);
    }

    let mut addresses: BTreeMap<u64, Address> = BTreeMap::new();
    for _ in 0..addresses_len {
        let node = u64::from_le_bytes(take(&mut rest)?);
        let peer_len = u16::from_le_bytes(take(&mut rest)?);
        let client_len = u16::from_le_bytes(take(&mut rest)?);
        let is_learner = match take(&mut rest)? {
            [0] => false,
            [1] => true,
            [_] => return None,
        };
        let peer = text(take_slice(&mut rest, usize::from(peer_len))?)?;
        let client = text(take_slice(&mut rest, usize::from(client_len))?)?;
        let known_last = addresses.last_key_value().map(|(last, _)| *last);
        if known_last.is_some_and(|last| last >= node) {
            return None;
        }
        let address = Address {
            peer,
            client,
            is_learner,
        };
        addresses.insert(node, address);
    }
    rest.is_empty().then_some(Store {
        entries: Table::new(entries),
        expiring,
        clock,
        addresses,
    })
}

fn take<const LEN: usize>(rest: &mut &[u8]) -> Option<[u8; LEN]> {
    let (bytes, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*bytes)
}

fn take_slice<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (bytes, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(bytes)
}

fn text(bytes: &[u8]) -> Option<Box<str>> {
    core::str::from_utf8(bytes).ok().map(Box::from)
}

fn length<T: TryFrom<usize>>(len: usize) -> io::Result<T> {
    T::try_from(len).map_err(|_| io::Error::other("too long to be saved"))
}

/// Checksums what passes through it, in chunks.
struct Sink<'a, W> {
    out: &'a mut W,
    sum: crc32fast::Hasher,
    chunk: Vec<u8>,
}

impl<'a, W: Write> Sink<'a, W> {
    fn new(out: &'a mut W) -> Self {
        Self {
            out,
            sum: crc32fast::Hasher::new(),
            chunk: Vec::with_capacity(CHUNK_LEN),
        }
    }

    fn push(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
        for piece in pieces {
            self.chunk.extend_from_slice(piece);
        }
        if self.chunk.len() >= CHUNK_LEN {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sum.update(&self.chunk);
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.write_all(&self.sum.finalize().to_le_bytes())
    }
}

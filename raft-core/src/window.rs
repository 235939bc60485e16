//! The log window: encoded entries in a ring of lent memory.
//!
//! A log that is cut at its front and grows and is overwritten at its back is a ring. Entries of
//! any length in a ring of bytes would wrap around its end and have to be copied together again
//! before anyone could borrow them; so here an entry that does not fit before the end starts at
//! the front instead, and the few bytes behind it stay unused until the ring comes round. Any run
//! of entries is then at most two slices.
//!
//! ```text
//! | base configuration | staged configuration | offsets, u32 each | entries ...           |
//!                                          data: [head, tail) or [head, high) and [0, tail)
//! ```
//!
//! The offsets are a second ring, indexed by the low bits of the entry's index, so that any entry
//! is found in one step. `base` is the last entry that is no longer here: the end of the snapshot
//! that stands for everything before, whose configuration is kept with it. The staged configuration
//! is that of a snapshot that is being received.
//!
//! Bounds: memory up to 4 GiB; at most one entry for every 32 bytes of it; finding, adding and
//! cutting cost the same at any fill.
//!
//! The methods take the memory as an argument, because the window's owner lends it.

mod configuration;
mod search;

use crate::configuration::configuration_bytes_max;
use crate::entry::{ENTRY_HEADER_BYTES, Entries, Entry, EntryKind, Header};
use crate::types::{EntryId, LogIndex, Term, low_half};

/// Entries without payload for which a proposal leaves room: each election may add one.
const RESERVED_ENTRIES: usize = 16;
/// A joint configuration and the one that ends it.
const RESERVED_CONFIGURATIONS: usize = 2;
/// The memory per entry that the offset ring is made for.
const BYTES_PER_OFFSET: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Last entry before the window.
    base: EntryId,
    last: EntryId,
    /// Where the first entry starts.
    head: u32,
    /// Where the next entry may start.
    tail: u32,
    /// End of the entries above `head` when the ring has come round; zero when it has not.
    high: u32,
    /// The largest entry since the window was last empty.
    largest: u32,
    /// Bytes of the configuration that is in force at `base`.
    base_configuration_len: u16,
    staged_configuration_len: u16,
    /// Bytes that each of the two configurations may take.
    configuration_bytes: u32,
    /// Where the offsets start, how many there are (a power of two), where the entries start,
    /// and how many bytes they have.
    offsets_start: u32,
    offsets: u32,
    data_start: u32,
    data_len: u32,
    /// What a proposal leaves free.
    reserve: u32,
    /// The longest entry of the reserve: it too may have to start at the front of the ring.
    gap_min: u32,
}

/// Equal when base and end are: where in the ring the entries stand does not matter. The owner
/// compares the entries themselves, see [`Window::logical`].
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        (self.base, self.last) == (other.base, other.last)
    }
}

impl Eq for Window {}

impl core::hash::Hash for Window {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        (self.base, self.last).hash(state);
    }
}

/// What does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoRoom;

impl Window {
    /// The smallest memory with which a node of up to `members` members can work: its reserve
    /// and as much again.
    pub(crate) const fn bytes_min(members: usize) -> usize {
        let fixed = 2 * configuration_bytes_max(members);
        let data = 2 * Self::reserve_bytes(members);
        // The offset ring takes at most an eighth, plus what rounding costs.
        fixed + data + (RESERVED_ENTRIES + RESERVED_CONFIGURATIONS + 14) * 4
    }

    const fn reserve_bytes(members: usize) -> usize {
        RESERVED_ENTRIES * ENTRY_HEADER_BYTES
            + RESERVED_CONFIGURATIONS * (ENTRY_HEADER_BYTES + configuration_bytes_max(members))
    }

    /// An empty window over memory of this length, or the length that is needed.
    pub(crate) fn new(memory_len: usize, members: usize) -> Result<Self, usize> {
        let needed = Self::bytes_min(members);
        if memory_len < needed {
            return Err(needed);
        }
        let memory_len = memory_len.min(u32::MAX as usize);
        let offsets_start = 2 * configuration_bytes_max(members);
        let offsets_min = (RESERVED_ENTRIES + RESERVED_CONFIGURATIONS + 1).next_power_of_two();
        let wanted = (memory_len / BYTES_PER_OFFSET).max(1);
        let mut offsets = (1_usize << wanted.ilog2()).max(offsets_min);
        // Small windows of large groups need the bytes more than the places.
        let data_min = 2 * Self::reserve_bytes(members);
        while offsets > offsets_min && memory_len < offsets_start + offsets * 4 + data_min {
            offsets /= 2;
        }
        let data_start = offsets_start + offsets * 4;
        let narrow = |bytes: usize| u32::try_from(bytes).map_err(|_| needed);
        Ok(Window {
            base: EntryId::ZERO,
            last: EntryId::ZERO,
            head: 0,
            tail: 0,
            high: 0,
            largest: 0,
            base_configuration_len: 0,
            staged_configuration_len: 0,
            configuration_bytes: narrow(configuration_bytes_max(members))?,
            offsets_start: narrow(offsets_start)?,
            offsets: narrow(offsets)?,
            data_start: narrow(data_start)?,
            data_len: narrow(memory_len.saturating_sub(data_start))?,
            reserve: narrow(Self::reserve_bytes(members))?,
            gap_min: narrow(ENTRY_HEADER_BYTES + configuration_bytes_max(members))?,
        })
    }

    pub(crate) const fn base(&self) -> EntryId {
        self.base
    }

    pub(crate) const fn last(&self) -> EntryId {
        self.last
    }

    /// Entries in the window.
    pub(crate) const fn len(&self) -> u64 {
        self.last.index.since(self.base.index)
    }

    /// The largest entry, header included, that could be added now.
    #[inline]
    pub(crate) fn room(&self) -> u32 {
        if self.len() >= u64::from(self.offsets) {
            return 0;
        }
        if self.high != 0 {
            self.head.saturating_sub(self.tail)
        } else {
            self.data_len.saturating_sub(self.tail).max(self.head)
        }
    }

    /// The largest entry, header included, that an empty window takes from a proposal.
    pub(crate) fn entry_bytes_max(&self) -> usize {
        // Half, because as much may be lost at the end of the ring. As the smallest window has
        // the reserve twice, that is more than the gap that is counted for any entry.
        (self.data_len.saturating_sub(self.reserve) / 2) as usize
    }

    /// Bytes that the entries take.
    pub(crate) const fn used(&self) -> u32 {
        if self.high != 0 {
            self.high
                .saturating_sub(self.head)
                .saturating_add(self.tail)
        } else {
            self.tail.saturating_sub(self.head)
        }
    }

    /// How many entries it can hold at most.
    pub(crate) const fn places(&self) -> u32 {
        self.offsets
    }

    /// Bytes that there are for entries.
    pub(crate) const fn capacity(&self) -> u32 {
        self.data_len
    }

    /// Whether an entry of `size` bytes can be added and leave the reserve, wherever in its ring
    /// a window of this size may stand: what one leader accepts must fit on every member. So the
    /// bytes count, and the largest gap that there can be at the end of a ring.
    #[inline]
    pub(crate) fn has_room_for_proposal(&self, size: usize) -> bool {
        let spare = (RESERVED_ENTRIES + RESERVED_CONFIGURATIONS) as u64;
        if self.len() + spare >= u64::from(self.offsets) {
            return false;
        }
        let Ok(size) = u32::try_from(size) else {
            return false;
        };
        let gap = self.largest.max(size).max(self.gap_min);
        let needed = u64::from(self.used()) + u64::from(size) + u64::from(gap);
        needed + u64::from(self.reserve) <= u64::from(self.data_len)
    }

    /// Whether at least this part of it is used, in bytes or in places, or another entry as long as
    /// the longest finds no room.
    pub(crate) fn is_filled(&self, percent: u8) -> bool {
        let reaches = |used: u64, all: u32| {
            used.saturating_mul(100) >= u64::from(all).saturating_mul(u64::from(percent))
        };
        reaches(u64::from(self.used()), self.data_len)
            || reaches(self.len(), self.offsets)
            || !self.has_room_for_proposal(self.largest as usize)
    }

    /// Where an entry of `size` bytes would start, where it would end, and whether the ring has
    /// then come round.
    #[inline]
    fn place(&self, size: u32) -> Option<(u32, u32, bool)> {
        if self.high != 0 {
            let free = self.head.checked_sub(self.tail)?;
            return (size <= free).then(|| (self.tail, self.tail + size, true));
        }
        if size <= self.data_len.checked_sub(self.tail)? {
            Some((self.tail, self.tail + size, false))
        } else if size <= self.head {
            Some((0, size, true))
        } else {
            None
        }
    }

    /// Where in the memory the byte at this offset stands.
    #[inline]
    fn data_at(&self, offset: usize) -> usize {
        self.data_start as usize + offset
    }

    #[inline]
    fn offset_slot(&self, index: LogIndex) -> usize {
        let slot = low_half(index.value()) & self.offsets.wrapping_sub(1);
        self.offsets_start as usize + slot as usize * 4
    }

    #[inline]
    fn offset(&self, memory: &[u8], index: LogIndex) -> Option<usize> {
        let slot = self.offset_slot(index);
        let bytes = memory.get(slot..slot + 4)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    }

    #[inline]
    fn holds(&self, index: LogIndex) -> bool {
        index > self.base.index && index <= self.last.index
    }

    /// Reserves the place of the next entry and records it; the caller fills the bytes.
    #[inline]
    fn push<'m>(
        &mut self,
        memory: &'m mut [u8],
        size: usize,
        term: Term,
    ) -> Result<&'m mut [u8], NoRoom> {
        if self.len() >= u64::from(self.offsets) {
            return Err(NoRoom);
        }
        let size = u32::try_from(size).map_err(|_| NoRoom)?;
        let (start, end, wrapped) = self.place(size).ok_or(NoRoom)?;
        let index = self.last.index.next();
        let slot = self.offset_slot(index);
        *memory
            .get_mut(slot..slot + 4)
            .and_then(|m| m.first_chunk_mut())
            .ok_or(NoRoom)? = start.to_le_bytes();
        let at = self.data_at(start as usize);
        let place = memory.get_mut(at..at + size as usize).ok_or(NoRoom)?;
        if wrapped && self.high == 0 {
            self.high = self.tail;
        }
        self.tail = end;
        self.largest = self.largest.max(size);
        self.last = EntryId::new(index, term);
        Ok(place)
    }

    /// Adds an entry made of its parts.
    #[inline]
    pub(crate) fn append(
        &mut self,
        memory: &mut [u8],
        term: Term,
        kind: EntryKind,
        payload: &[u8],
    ) -> Result<(), NoRoom> {
        let header = Header {
            term,
            kind,
            payload_len: payload.len(),
        };
        let place = self.push(memory, header.size(), term)?;
        let (head, body) = place
            .split_at_mut_checked(ENTRY_HEADER_BYTES)
            .ok_or(NoRoom)?;
        copy(head, &header.encode());
        copy(body, payload);
        Ok(())
    }

    /// Adds an entry whose payload of `payload_len` bytes `fill` writes.
    pub(crate) fn append_with(
        &mut self,
        memory: &mut [u8],
        term: Term,
        kind: EntryKind,
        payload_len: usize,
        fill: impl FnOnce(&mut [u8]) -> Option<()>,
    ) -> Result<(), NoRoom> {
        let before = self.clone();
        let header = Header {
            term,
            kind,
            payload_len,
        };
        let place = self.push(memory, header.size(), term)?;
        let filled = place
            .split_at_mut_checked(ENTRY_HEADER_BYTES)
            .and_then(|(head, body)| {
                copy(head, &header.encode());
                fill(body)
            });
        if filled.is_none() {
            *self = before;
            return Err(NoRoom);
        }
        Ok(())
    }

    /// Adds one entry that is already encoded and was checked: whole, and of this term.
    #[inline]
    pub(crate) fn append_one(
        &mut self,
        memory: &mut [u8],
        term: Term,
        bytes: &[u8],
    ) -> Result<(), NoRoom> {
        copy(self.push(memory, bytes.len(), term)?, bytes);
        Ok(())
    }

    /// Whether a new leader could append its first entry and end a joint configuration.
    pub(crate) fn has_room_for_office(&self) -> bool {
        self.len() + 2 <= u64::from(self.offsets)
            && self.room() as usize >= 2 * ENTRY_HEADER_BYTES + self.configuration_bytes as usize
    }

    /// Drops everything after `index`, which must be `base` or in the window.
    pub(crate) fn truncate(&mut self, memory: &[u8], index: LogIndex) -> Option<()> {
        if index >= self.last.index {
            return Some(());
        }
        let term = self.term(memory, index)?;
        let start = u32::try_from(self.offset(memory, index.next())?).ok()?;
        if index == self.base.index {
            self.empty();
        } else {
            // Cutting back over the end of the ring undoes its coming round.
            if self.high != 0 && start >= self.head {
                self.high = 0;
            }
            self.tail = start;
        }
        self.last = EntryId::new(index, term);
        Some(())
    }

    /// Drops everything up to `index`, which must be in the window or be `base`.
    pub(crate) fn compact(&mut self, memory: &[u8], index: LogIndex) -> Option<()> {
        if index <= self.base.index {
            return Some(());
        }
        let term = self.term(memory, index)?;
        if index == self.last.index {
            self.empty();
        } else {
            let start = u32::try_from(self.offset(memory, index.next())?).ok()?;
            if self.high != 0 && start < self.head {
                self.high = 0;
            }
            self.head = start;
        }
        self.base = EntryId::new(index, term);
        Some(())
    }

    fn empty(&mut self) {
        (self.head, self.tail, self.high, self.largest) = (0, 0, 0, 0);
    }

    /// Forgets every entry and starts behind `base`.
    pub(crate) fn reset(&mut self, base: EntryId) {
        (self.base, self.last) = (base, base);
        self.empty();
    }

    /// The term of the entry at `index`, `base` included.
    #[inline]
    pub(crate) fn term(&self, memory: &[u8], index: LogIndex) -> Option<Term> {
        if index == self.last.index {
            return Some(self.last.term);
        }
        if index == self.base.index {
            return Some(self.base.term);
        }
        Some(self.header(memory, index)?.1.term)
    }

    #[inline]
    fn header<'m>(&self, memory: &'m [u8], index: LogIndex) -> Option<(&'m [u8], Header)> {
        if !self.holds(index) {
            return None;
        }
        let bytes = memory.get(self.data_at(self.offset(memory, index)?)..)?;
        Some((bytes, Header::decode(bytes)?))
    }

    /// The entry at `index`.
    #[inline]
    pub(crate) fn entry<'m>(&self, memory: &'m [u8], index: LogIndex) -> Option<Entry<'m>> {
        let (bytes, header) = self.header(memory, index)?;
        let payload = bytes.get(ENTRY_HEADER_BYTES..header.size())?;
        Some(Entry {
            id: EntryId::new(index, header.term),
            kind: header.kind,
            payload,
        })
    }

    /// The encoded entries after `after` up to and including `last`.
    #[inline]
    pub(crate) fn entries<'m>(
        &self,
        memory: &'m [u8],
        after: LogIndex,
        last: LogIndex,
    ) -> Option<Entries<'m>> {
        if after >= last {
            return Some(Entries::EMPTY);
        }
        if !self.holds(after.next()) || !self.holds(last) {
            return None;
        }
        let start = self.data_at(self.offset(memory, after.next())?);
        let end = self.data_at(self.end_of(memory, last)?);
        if start < end {
            Some(Entries::from_bytes(memory.get(start..end)?))
        } else {
            let head = memory.get(start..self.data_at(self.high as usize))?;
            let tail = memory.get(self.data_at(0)..end)?;
            Some(Entries::from_slices(head, tail))
        }
    }

    #[inline]
    fn end_of(&self, memory: &[u8], index: LogIndex) -> Option<usize> {
        if index == self.last.index {
            return Some(self.tail as usize);
        }
        let (_, header) = self.header(memory, index)?;
        Some(self.offset(memory, index)? + header.size())
    }
}

/// Copies between slices that the caller made equally long; the comparison lets the compiler see
/// that nothing can panic.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    if to.len() == from.len() {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests;

//! The head of a record as bytes.
//!
//! The format is postcard's, and postcard reads it: fields in their order, numbers of more than one
//! byte in groups of seven bits, the low ones first, an option as a byte that says whether it is
//! there. Every write makes one, so the few numbers are put down here by hand.

use serde::{Deserialize, Serialize};

use super::{HardState, RECORD_HEADER_BYTES_MAX, Snapshot};
use crate::types::{EntryId, GroupId, Identity, LogIndex};

/// The head of a record, as postcard encodes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct RecordHeader {
    pub(crate) version: u8,
    pub(crate) group: GroupId,
    pub(crate) identity: Identity,
    pub(crate) hard: HardState,
    pub(crate) commit: LogIndex,
    /// Present when the record begins anew.
    pub(crate) beginning: Option<Beginning>,
    /// The entries in this record follow this index; whatever was stored beyond it is gone.
    pub(crate) after: LogIndex,
    pub(crate) entries_len: u32,
}

/// What a record says that begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Beginning {
    /// What stands before the entries.
    pub(crate) snapshot: Snapshot,
    /// How many bytes of configuration follow the header.
    pub(crate) configuration_len: u16,
    /// This life of the node keeps no payloads.
    pub(crate) is_witness: bool,
}

impl RecordHeader {
    /// Its bytes, in `scratch`, which holds the longest.
    pub(crate) fn encode<'s>(&self, scratch: &'s mut [u8; RECORD_HEADER_BYTES_MAX]) -> &'s [u8] {
        let mut head = Head {
            bytes: scratch,
            len: 0,
        };
        head.byte(self.version);
        head.number(self.group.value());
        head.identity(self.identity);
        head.number(u64::from(self.hard.term.value()));
        head.byte(u8::from(self.hard.vote.is_some()));
        if let Some(vote) = self.hard.vote {
            head.identity(vote);
        }
        head.number(self.commit.value());
        head.byte(u8::from(self.beginning.is_some()));
        if let Some(beginning) = self.beginning {
            head.entry(beginning.snapshot.last);
            head.number(beginning.snapshot.size);
            head.number(u64::from(beginning.snapshot.checksum));
            head.number(u64::from(beginning.configuration_len));
            head.byte(u8::from(beginning.is_witness));
        }
        head.number(self.after.value());
        head.number(u64::from(self.entries_len));
        let Head { bytes, len } = head;
        bytes.get(..len).unwrap_or_default()
    }
}

/// Bytes that are filled from the front.
struct Head<'s> {
    bytes: &'s mut [u8; RECORD_HEADER_BYTES_MAX],
    len: usize,
}

impl Head<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    #[inline]
    fn number(&mut self, number: u64) {
        let [low, ..] = number.to_le_bytes();
        match number {
            0..0x80 => self.byte(low),
            0x80.. => self.long(number),
        }
    }

    fn long(&mut self, mut number: u64) {
        let rest = self.bytes.get_mut(self.len..).unwrap_or_default();
        for place in rest {
            let [low, ..] = number.to_le_bytes();
            self.len += 1;
            if number < 0x80 {
                *place = low;
                return;
            }
            *place = low | 0x80;
            number >>= 7;
        }
    }

    #[inline]
    fn identity(&mut self, identity: Identity) {
        self.number(identity.node.value());
        self.number(u64::from(identity.incarnation.value()));
    }

    #[inline]
    fn entry(&mut self, id: EntryId) {
        self.number(id.index.value());
        self.number(u64::from(id.term.value()));
    }
}

#[cfg(test)]
mod tests {
    use clocks::Jitter;
    use quorum::NodeId;

    use super::*;
    use crate::durable::{Beginning, HardState, RECORD_VERSION, Snapshot};
    use crate::types::{GroupId, Incarnation, LogIndex, Term};

    /// Numbers of all lengths.
    fn long(jitter: &mut Jitter) -> u64 {
        jitter.next_u64() >> jitter.below(64)
    }

    fn short(jitter: &mut Jitter) -> u32 {
        u32::try_from(long(jitter) >> 32).unwrap_or(0) >> jitter.below(32)
    }

    #[test]
    fn the_head_is_what_postcard_makes_of_it() {
        let jitter = &mut Jitter::new(7);
        for round in 0..10_000 {
            let incarnation = Incarnation::new(short(jitter));
            let identity = Identity::new(NodeId::new(long(jitter)), incarnation);
            let term = Term::new(short(jitter));
            let snapshot = Snapshot {
                last: EntryId::new(LogIndex::new(long(jitter)), term),
                size: long(jitter),
                checksum: short(jitter),
            };
            let configuration_len = u16::try_from(short(jitter) >> 16).unwrap_or(0);
            let header = RecordHeader {
                version: RECORD_VERSION,
                group: GroupId::new(long(jitter)),
                identity,
                hard: HardState {
                    term,
                    vote: (round % 2 == 0).then_some(identity),
                },
                commit: LogIndex::new(long(jitter)),
                beginning: (round % 3 == 0).then_some(Beginning {
                    snapshot,
                    configuration_len,
                    is_witness: round % 2 == 0,
                }),
                after: LogIndex::new(long(jitter)),
                entries_len: short(jitter),
            };
            let mut scratch = [[0; RECORD_HEADER_BYTES_MAX]; 2];
            let [one, other] = &mut scratch;
            let made = header.encode(one);
            assert_eq!(postcard::to_slice(&header, other).as_deref(), Ok(made));
        }
    }
}

//! What a node may have stored, encoded as `docs/WIRE.md` says, and the pieces that hostile
//! messages and records are made of: entries and configurations, proper and absurd.

use quorum::NodeId;
use raft_core::{
    EntryId, GroupId, HardState, Identity, Incarnation, LogIndex, Seat, Snapshot, Standing, Term,
};

use super::draw::Draw;

/// The group to which the subjects belong.
pub const GROUP: u64 = 77;
/// The first life of node `id` in the openings.
pub fn identity(id: u64) -> Identity {
    Identity::new(NodeId::new(id), Incarnation::new(id as u32))
}

/// What is stored of a node, as one record that begins anew.
#[derive(Clone, Debug)]
pub struct Past {
    /// The node.
    pub id: u64,
    /// Its term.
    pub term: u32,
    /// Its vote in that term.
    pub vote: Option<u64>,
    /// What the snapshot covers.
    pub base: (u64, u32),
    /// Bytes of the snapshot.
    pub size: u64,
    /// The configuration at the base.
    pub seats: Vec<(u64, Standing)>,
    /// The entries after the base.
    pub entries: Vec<u8>,
    /// The stored commit.
    pub commit: u64,
}

impl Past {
    /// An empty member of {1, 2, 3}.
    pub fn new(id: u64) -> Self {
        Past {
            id,
            term: 0,
            vote: None,
            base: (0, 0),
            size: 0,
            seats: (1..=3).map(|id| (id, Standing::Voter)).collect(),
            entries: Vec::new(),
            commit: 0,
        }
    }

    /// Adds commands of these terms.
    #[must_use]
    pub fn log(mut self, terms: &[u32]) -> Self {
        for term in terms {
            entry(&mut self.entries, *term, 0, &term.to_le_bytes());
            self.term = self.term.max(*term);
        }
        self
    }

    /// The record.
    pub fn record(&self) -> Vec<u8> {
        let mut seats = Vec::new();
        if !self.seats.is_empty() {
            configuration(&mut seats, 100_000, &self.seats);
        }
        let base = EntryId::new(LogIndex::new(self.base.0), Term::new(self.base.1));
        let header = (
            1_u8,
            GroupId::new(GROUP),
            identity(self.id),
            HardState {
                term: Term::new(self.term),
                vote: self.vote.map(identity),
            },
            LogIndex::new(self.commit),
            Some((
                Snapshot {
                    last: base,
                    size: self.size,
                    checksum: 0,
                },
                seats.len() as u16,
                // A full member.
                false,
            )),
            base.index,
            self.entries.len() as u32,
        );
        let mut scratch = [0; 256];
        let header = postcard::to_slice(&header, &mut scratch).map_or(&[][..], |bytes| bytes);
        [header, &seats, &self.entries].concat()
    }
}

/// Appends an encoded entry: kind 0 is a command, 1 a no-op, 2 a configuration.
pub fn entry(out: &mut Vec<u8>, term: u32, kind: u32, payload: &[u8]) {
    out.extend_from_slice(&term.to_le_bytes());
    out.extend_from_slice(&(payload.len() as u32 | (kind << 28)).to_le_bytes());
    out.extend_from_slice(payload);
}

/// Appends a proper configuration of first lives.
pub fn configuration(out: &mut Vec<u8>, stickiness_micros: u64, seats: &[(u64, Standing)]) {
    out.push(1);
    varint(out, stickiness_micros, 1);
    varint(out, seats.len() as u64, 1);
    for &(id, standing) in seats {
        let seat = Seat {
            identity: identity(id),
            standing,
        };
        let mut scratch = [0; 32];
        if let Ok(bytes) = postcard::to_slice(&seat, &mut scratch) {
            out.extend_from_slice(bytes);
        }
    }
}

/// Appends any configuration: often proper, with absurd standings, lives, counts and lengths.
pub fn any_configuration(out: &mut Vec<u8>, draw: &mut Draw) {
    if draw.one_in(64) {
        out.extend((0..draw.below(40)).map(|_| draw.byte() as u8));
        return;
    }
    let long = |draw: &mut Draw, bytes| if draw.one_in(64) { bytes } else { 1 };
    out.push(if draw.one_in(64) { 2 } else { 1 });
    let width = long(draw, 10);
    varint(out, draw.number(100_000), width);
    let count = if draw.one_in(32) {
        draw.number(5)
    } else {
        u64::from(1 + draw.below(5))
    };
    let width = long(draw, 3);
    varint(out, count, width);
    let mut id = 0_u64;
    for _ in 0..count.min(9) {
        id = if draw.one_in(64) {
            draw.wild(id)
        } else {
            id.wrapping_add(1 + u64::from(draw.one_in(4)))
        };
        let incarnation = if draw.is_tame() || !draw.one_in(4) {
            id & 0xffff
        } else {
            draw.wild(id) & 0xffff_ffff
        };
        let standing = if draw.one_in(3) { draw.below(6) } else { 1 };
        let width = long(draw, 10);
        varint(out, id, width);
        varint(out, incarnation, 1);
        varint(out, u64::from(standing), 1);
    }
    if draw.one_in(64) {
        out.push(0);
    }
}

/// A number in groups of seven bits, the lowest first, in at least `len` bytes.
pub fn varint(out: &mut Vec<u8>, mut value: u64, len: usize) {
    for place in 1.. {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 && place >= len {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

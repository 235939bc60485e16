//! Messages that nobody would send: well formed, with any content.

use raft_core::{
    Ack, Append, Body, Chunk, ChunkAck, ChunkData, Entries, EntryId, Incarnation, LogIndex,
    Message, PreVote, PreVoteReply, Quiet, QuietReply, ReadReply, ReadRequest, Reject, Round,
    Snapshot, Term, Vote, VoteReply,
};

use crate::bytes::Bytes;
use crate::host::Host;

/// The bytes that an invented message borrows.
#[derive(Default)]
pub(crate) struct Parts {
    entries: Vec<u8>,
    configuration: Vec<u8>,
    data: Vec<u8>,
}

/// Any message at all, preferably about what concerns the receiver.
pub(crate) fn invent<'p>(
    bytes: &mut Bytes<'_>,
    receiver: &Host,
    parts: &'p mut Parts,
) -> Message<'p> {
    let raft = &receiver.raft;
    let (last, commit) = (raft.last(), raft.commit());
    let near = |bytes: &mut Bytes<'_>| -> LogIndex {
        let anchor = [last.index, commit, raft.base().index][bytes.below(3)];
        LogIndex::new(bytes.number(anchor.value()))
    };
    let term =
        |bytes: &mut Bytes<'_>, term: Term| Term::new(bytes.number(u64::from(term.value())) as u32);
    let id = |bytes: &mut Bytes<'_>| {
        let index = near(bytes);
        let known = raft.entry(index).map(|entry| entry.id.term);
        match (known, bytes.u8() % 4) {
            (Some(known), 1..) => EntryId::new(index, known),
            _ => EntryId::new(index, term(bytes, last.term)),
        }
    };
    let message_term = term(bytes, raft.term());
    let round = |bytes: &mut Bytes<'_>| Round::new(bytes.number(1));
    let body = match bytes.below(15) {
        0 => Body::PreVote(PreVote {
            last: id(bytes),
            attempt: bytes.number(1) as u32,
        }),
        1 => Body::PreVoteReply(PreVoteReply {
            attempt: bytes.number(1) as u32,
            is_granted: bytes.one_in(2),
        }),
        2 => Body::Vote(Vote {
            last: id(bytes),
            is_transfer: bytes.one_in(4),
        }),
        3 => Body::VoteReply(VoteReply {
            is_granted: bytes.one_in(2),
        }),
        10 => Body::ReadRequest(ReadRequest {
            nonce: bytes.number(0),
            number: bytes.number(0),
        }),
        11 => Body::ReadReply(ReadReply {
            nonce: bytes.number(0),
            number: bytes.number(0),
            index: near(bytes),
        }),
        12 => Body::TimeoutNow,
        13 => Body::Quiet(Quiet {
            commit: near(bytes),
            round: round(bytes),
        }),
        14 => Body::QuietReply(QuietReply {
            round: round(bytes),
            is_quiet: bytes.one_in(2),
        }),
        4 | 5 => {
            let (verified, round) = (near(bytes), round(bytes));
            let flags = bytes.u8();
            let reject = (flags & 1 != 0).then(|| Reject {
                prev: near(bytes),
                hint: id(bytes),
            });
            let chunk = (flags & 2 != 0).then(|| ChunkAck {
                index: near(bytes),
                stored: bytes.number(0),
            });
            let room = bytes.number(0) as u32;
            Body::Ack(Ack {
                verified,
                round,
                room,
                reject,
                chunk,
            })
        }
        6 | 7 => {
            let (last, size) = (id(bytes), bytes.number(0));
            parts.configuration = invent_configuration(bytes, receiver);
            let len = bytes.below(64);
            parts.data = vec![1; len];
            Body::Chunk(Chunk {
                snapshot: Snapshot {
                    last,
                    size,
                    checksum: u32::from(bytes.u8()),
                },
                configuration: &parts.configuration,
                round: round(bytes),
                offset: bytes.number(0),
                data: ChunkData::Received(&parts.data),
            })
        }
        _ => {
            let prev = id(bytes);
            for _ in 0..bytes.below(12) {
                invent_entry(bytes, receiver, prev.term, &mut parts.entries);
            }
            let entries = Entries::from_bytes(&parts.entries);
            Body::Append(Append {
                prev,
                commit: near(bytes),
                round: round(bytes),
                entries,
            })
        }
    };
    Message {
        group: raft.group(),
        incarnation: Incarnation::new(7),
        term: message_term,
        body,
    }
}

fn invent_entry(bytes: &mut Bytes<'_>, receiver: &Host, near: Term, entries: &mut Vec<u8>) {
    let term = bytes.number(u64::from(near.value())) as u32;
    let kind = u32::from(bytes.u8() % 16).min(3);
    let payload = match kind {
        2 => invent_configuration(bytes, receiver),
        _ => vec![2; usize::from(bytes.u8() % 128)],
    };
    // Sometimes an entry claims to be longer than it is.
    let claimed = payload.len() as u32 + u32::from(bytes.u8() == 0xff) * u32::from(bytes.u8());
    entries.extend_from_slice(&term.to_le_bytes());
    entries.extend_from_slice(&(claimed | (kind << 28)).to_le_bytes());
    entries.extend_from_slice(&payload);
}

/// A configuration as `docs/WIRE.md` specifies it, now and then in more bytes than it takes.
fn invent_configuration(bytes: &mut Bytes<'_>, receiver: &Host) -> Vec<u8> {
    let how = bytes.u8();
    if how == 0xff {
        let len = bytes.below(32);
        return bytes.take(len).to_vec();
    }
    let is_long = how & 0x80 != 0;
    let mut out = vec![1];
    varint(
        &mut out,
        bytes.number(100_000),
        if is_long { 10 } else { 1 },
    );
    let count = bytes.below(7);
    varint(&mut out, count as u64, if is_long { 3 } else { 1 });
    let mut node = 0;
    for _ in 0..count {
        node += 1 + bytes.below(3) as u64;
        let is_receiver = node == receiver.id && !bytes.one_in(8);
        let incarnation = if is_receiver {
            receiver.identity.incarnation.value()
        } else {
            u32::from(bytes.u8())
        };
        varint(&mut out, node, if is_long { 10 } else { 1 });
        varint(
            &mut out,
            u64::from(incarnation),
            if is_long { 5 } else { 1 },
        );
        varint(&mut out, bytes.below(6) as u64, if is_long { 5 } else { 1 });
    }
    out
}

/// A number in groups of seven bits, the lowest first, in at least `len` bytes.
fn varint(out: &mut Vec<u8>, mut value: u64, len: usize) {
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

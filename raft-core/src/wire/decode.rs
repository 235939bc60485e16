//! From bytes to a message.

use super::*;
use crate::durable::Snapshot;
use crate::entry::Entries;
use crate::message::{
    Ack, Append, Body, Chunk, ChunkAck, ChunkData, Message, PreVote, PreVoteReply, Quiet,
    QuietReply, ReadReply, ReadRequest, Reject, Vote, VoteReply,
};
use crate::types::{EntryId, GroupId, Incarnation, LogIndex, Round, Term};

/// Reads one message, which must fill `frame` exactly. Borrows; copies nothing; looks at a
/// number of bytes that does not depend on the frame's length.
///
/// # Errors
///
/// [`DecodeError`]: the sender speaks another version, or the transport damaged the frame. Drop
/// it and count it; a bad frame is never fatal.
#[inline]
pub fn decode(frame: &[u8]) -> Result<Message<'_>, DecodeError> {
    let (head, body) = Head::split(frame)?;
    let [version_kind, flags] = head.tag;
    if version_kind >> 4 != VERSION {
        return Err(DecodeError::UnknownVersion(version_kind >> 4));
    }
    let (kind, round) = (version_kind & 0x0f, head.round_high);
    let mut reader = Reader { rest: body };
    let body = match (kind, flags) {
        (KIND_APPEND, 0) => Body::Append(reader.append(round)?),
        (KIND_ACK, 0..=3) => Body::Ack(reader.ack(flags, round)?),
        (KIND_PRE_VOTE, 0) => {
            let (last, attempt) = (reader.entry_id()?, reader.u32()?);
            Body::PreVote(PreVote { last, attempt })
        }
        // Nobody grants a vote to whom it says is out.
        (KIND_PRE_VOTE_REPLY, 0..=2) => Body::PreVoteReply(reader.pre_vote_reply(flags)?),
        (KIND_VOTE, 0..=1) => Body::Vote(Vote {
            last: reader.entry_id()?,
            is_transfer: flags & FLAG_TRANSFER != 0,
        }),
        (KIND_VOTE_REPLY, 0..=1) => Body::VoteReply(VoteReply {
            is_granted: flags & FLAG_GRANTED != 0,
        }),
        (KIND_CHUNK, 0) => Body::Chunk(reader.chunk(round)?),
        (KIND_CHUNK, FLAG_HOLLOW) => Body::Chunk(reader.chunk(round)?.hollowed()?),
        (KIND_HOLLOW, 0) => Body::Hollow(reader.append(round)?.hollowed()),
        (KIND_READ_REQUEST, 0) => Body::ReadRequest(ReadRequest {
            nonce: reader.u64()?,
            number: reader.u64()?,
        }),
        (KIND_READ_REPLY, 0) => Body::ReadReply(ReadReply {
            nonce: reader.u64()?,
            number: reader.u64()?,
            index: LogIndex::new(reader.u64()?),
        }),
        (KIND_TIMEOUT_NOW, 0) => Body::TimeoutNow,
        (KIND_QUIET, 0) => Body::Quiet(Quiet {
            commit: LogIndex::new(reader.u64()?),
            round: Round::new(round | u64::from(reader.u32()?)),
        }),
        (KIND_QUIET_REPLY, 0..=1) => Body::QuietReply(QuietReply {
            round: Round::new(round | u64::from(reader.u32()?)),
            is_quiet: flags & FLAG_QUIET != 0,
        }),
        _ => return Err(DecodeError::UnknownKind(version_kind)),
    };
    if !reader.rest.is_empty() {
        return Err(DecodeError::TrailingBytes);
    }
    Ok(Message {
        group: head.group,
        incarnation: head.incarnation,
        term: head.term,
        body,
    })
}

/// What every frame begins with, read where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// Version and kind, and the flags.
    pub(super) tag: [u8; 2],
    /// Bits 32 to 47 of the round, in their place.
    round_high: u64,
    pub(crate) incarnation: Incarnation,
    pub(crate) group: GroupId,
    pub(crate) term: Term,
}

const TAG_APPEND: [u8; 2] = [(VERSION << 4) | KIND_APPEND, 0];

impl Head {
    #[inline]
    pub(crate) fn split(frame: &[u8]) -> Result<(Head, &[u8]), DecodeError> {
        let (header, body) = frame
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(DecodeError::Truncated)?;
        let [version_kind, flags, round_low, round_high, ..] = *header;
        let head = Head {
            tag: [version_kind, flags],
            round_high: u64::from(u16::from_le_bytes([round_low, round_high])) << 32,
            incarnation: Incarnation::new(u32_at(header, 4)),
            group: GroupId::new(u64_at(header, 8)),
            term: Term::new(u32_at(header, 16)),
        };
        Ok((head, body))
    }

    /// Whether it is an append.
    #[inline]
    pub(crate) fn is_append(&self) -> bool {
        self.tag == TAG_APPEND
    }

    /// Whether it is an append or an acknowledgement.
    #[inline]
    pub(crate) fn is_frequent(&self) -> bool {
        let [version_kind, flags] = self.tag;
        let is_ack = version_kind == (VERSION << 4) | KIND_ACK;
        self.is_append() || (is_ack && flags <= FLAG_REJECT | FLAG_CHUNK)
    }

    /// What follows it if it is an append.
    #[inline]
    pub(crate) fn append<'f>(&self, body: &'f [u8]) -> Result<Append<'f>, DecodeError> {
        Reader { rest: body }.append(self.round_high)
    }

    /// What follows it if it is an acknowledgement.
    #[inline]
    pub(crate) fn ack(&self, body: &[u8]) -> Result<Ack, DecodeError> {
        let mut reader = Reader { rest: body };
        let [_, flags] = self.tag;
        let ack = reader.ack(flags, self.round_high)?;
        if !reader.rest.is_empty() {
            return Err(DecodeError::TrailingBytes);
        }
        Ok(ack)
    }
}

struct Reader<'f> {
    rest: &'f [u8],
}

impl<'f> Reader<'f> {
    /// The next `N` bytes: one check for all the fields in them.
    #[inline]
    fn take<const N: usize>(&mut self) -> Result<&'f [u8; N], DecodeError> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline]
    fn append(&mut self, round_high: u64) -> Result<Append<'f>, DecodeError> {
        let fixed = self.take::<{ APPEND_HEADER_BYTES - HEADER_BYTES }>()?;
        let prev = entry_id_at(fixed, 0);
        let delta = u32_at(fixed, 12).cast_signed();
        let round = Round::new(round_high | u64::from(u32_at(fixed, 16)));
        let commit = if delta == COMMIT_UNSTATED {
            LogIndex::ZERO
        } else {
            LogIndex::new(prev.index.value().saturating_add_signed(i64::from(delta)))
        };
        let entries = Entries::from_bytes(core::mem::take(&mut self.rest));
        Ok(Append {
            prev,
            commit,
            round,
            entries,
        })
    }

    #[inline]
    fn ack(&mut self, flags: u8, round_high: u64) -> Result<Ack, DecodeError> {
        let fixed = self.take::<{ ACK_BYTES_MIN - HEADER_BYTES }>()?;
        let room = u32_at(fixed, 0);
        let verified = LogIndex::new(u64_at(fixed, 4));
        let round = Round::new(round_high | u64::from(u32_at(fixed, 12)));
        let mut ack = Ack {
            verified,
            round,
            room,
            reject: None,
            chunk: None,
        };
        if flags & FLAG_REJECT != 0 {
            let prev = LogIndex::new(self.u64()?);
            ack.reject = Some(Reject {
                prev,
                hint: self.entry_id()?,
            });
        }
        if flags & FLAG_CHUNK != 0 {
            let index = LogIndex::new(self.u64()?);
            ack.chunk = Some(ChunkAck {
                index,
                stored: self.u64()?,
            });
        }
        Ok(ack)
    }

    fn pre_vote_reply(&mut self, flags: u8) -> Result<PreVoteReply, DecodeError> {
        let mut reply = PreVoteReply {
            attempt: self.u32()?,
            is_granted: flags & FLAG_GRANTED != 0,
            removed_at: None,
        };
        if flags & FLAG_REMOVED != 0 {
            reply.removed_at = Some(self.entry_id()?);
        }
        Ok(reply)
    }

    fn chunk(&mut self, round: u64) -> Result<Chunk<'f>, DecodeError> {
        let last = self.entry_id()?;
        let round = Round::new(round | u64::from(self.u32()?));
        let checksum = self.u32()?;
        let size = self.u64()?;
        let offset = self.u64()?;
        let len = self.u32()? as usize;
        let (configuration, data) = core::mem::take(&mut self.rest)
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        let snapshot = Snapshot {
            last,
            size,
            checksum,
        };
        Ok(Chunk {
            snapshot,
            configuration,
            round,
            offset,
            data: ChunkData::Received(data),
        })
    }

    fn entry_id(&mut self) -> Result<EntryId, DecodeError> {
        Ok(entry_id_at(self.take::<12>()?, 0))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32_at(self.take::<4>()?, 0))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64_at(self.take::<8>()?, 0))
    }
}

#[inline]
fn entry_id_at(bytes: &[u8], at: usize) -> EntryId {
    EntryId::new(
        LogIndex::new(u64_at(bytes, at + 4)),
        Term::new(u32_at(bytes, at)),
    )
}

/// Four bytes at a place that the caller knows to exist: the check disappears in compilation.
#[inline]
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let place = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    place.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let place = bytes.get(at..).and_then(|bytes| bytes.first_chunk());
    place.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

//! From a message to bytes.

use super::hollow::put_hollow;
use super::*;
use crate::message::{
    Ack, Append, Body, Chunk, ChunkData, Message, PreVoteReply, Quiet, QuietReply, ReadReply,
    ReadRequest,
};
use crate::types::{EntryId, LogIndex, Round};

/// How many bytes [`encode()`] makes of this message.
pub fn encoded_len(message: &Message<'_>) -> usize {
    match &message.body {
        Body::PreVote(_) => HEADER_BYTES + 16,
        Body::PreVoteReply(reply) => pre_vote_reply_len(reply),
        Body::Vote(_) => HEADER_BYTES + 12,
        Body::VoteReply(_) | Body::TimeoutNow => HEADER_BYTES,
        Body::ReadRequest(_) => HEADER_BYTES + 16,
        Body::ReadReply(_) => HEADER_BYTES + 24,
        Body::Quiet(_) => HEADER_BYTES + 12,
        Body::QuietReply(_) => HEADER_BYTES + 4,
        Body::Append(append) => APPEND_HEADER_BYTES + append.entries.len(),
        Body::Hollow(hollow) => APPEND_HEADER_BYTES + hollow.entries.wire_len(),
        Body::Ack(ack) => ack_len(ack),
        Body::Chunk(chunk) => {
            let data = match chunk.data {
                ChunkData::Hollow => 0,
                ChunkData::Received(data) => data.len(),
                ChunkData::Wanted(len) => len as usize,
            };
            CHUNK_HEADER_BYTES + chunk.configuration.len() + data
        }
    }
}

/// Encodes a message into `frame` and lends the bytes to be sent.
///
/// # Errors
///
/// [`EncodeError::BufferTooSmall`] if `frame` is shorter than [`encoded_len`];
/// [`EncodeError::ChunkData`] for a chunk whose data the driver has yet to supply.
#[inline]
pub fn encode<'f>(message: &Message<'_>, frame: &'f mut [u8]) -> Result<&'f [u8], EncodeError> {
    match &message.body {
        Body::Chunk(Chunk {
            data: ChunkData::Wanted(len @ 1..),
            ..
        }) => Err(EncodeError::ChunkData {
            wanted: *len as usize,
        }),
        _ => Ok(encode_open(message, frame)?),
    }
}

/// Encodes a message whose chunk data the driver supplies; for any other message `data` is
/// ignored.
///
/// # Errors
///
/// As [`encode()`]; [`EncodeError::ChunkData`] if `data` is not as long as the chunk wants.
pub fn encode_chunk<'f>(
    message: &Message<'_>,
    data: &[u8],
    frame: &'f mut [u8],
) -> Result<&'f [u8], EncodeError> {
    let Body::Chunk(Chunk {
        data: ChunkData::Wanted(wanted),
        ..
    }) = message.body
    else {
        return encode(message, frame);
    };
    let wanted = wanted as usize;
    let wrong = EncodeError::ChunkData { wanted };
    if data.len() != wanted {
        return Err(wrong);
    }
    let frame = encode_open(message, frame)?;
    let place = frame.len().checked_sub(wanted);
    let place = place.and_then(|place| frame.get_mut(place..));
    copy(place.ok_or(wrong)?, data).ok_or(wrong)?;
    Ok(frame)
}

/// Encodes all but the data that a chunk wants: its place, at the end of the frame, stays as it
/// was. One arm for each kind: what it is called, how long it is, how it is filled.
#[inline(always)]
pub(crate) fn encode_open<'f>(
    message: &Message<'_>,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    let none = Round::ZERO;
    match &message.body {
        Body::Append(append) => {
            let len = APPEND_HEADER_BYTES + append.entries.len();
            fill(message, KIND_APPEND, 0, append.round, len, frame, |body| {
                put_append(body, append)
            })
        }
        Body::Hollow(hollow) => {
            let len = APPEND_HEADER_BYTES + hollow.entries.wire_len();
            fill(message, KIND_HOLLOW, 0, hollow.round, len, frame, |body| {
                put_hollow(body, hollow)
            })
        }
        Body::Ack(ack) => {
            let reject = u8::from(ack.reject.is_some()) * FLAG_REJECT;
            let flags = reject | (u8::from(ack.chunk.is_some()) * FLAG_CHUNK);
            let len = ack_len(ack);
            fill(message, KIND_ACK, flags, ack.round, len, frame, |body| {
                put_ack(body, ack)
            })
        }
        Body::PreVote(pre_vote) => fill(message, KIND_PRE_VOTE, 0, none, 36, frame, |body| {
            let fixed = body.first_chunk_mut::<16>()?;
            put_entry_id(fixed, 0, pre_vote.last);
            put_at(fixed, 12, pre_vote.attempt.to_le_bytes());
            Some(())
        }),
        Body::PreVoteReply(reply) => encode_pre_vote_reply(message, reply, frame),
        Body::Vote(vote) => {
            let flags = u8::from(vote.is_transfer) * FLAG_TRANSFER;
            fill(message, KIND_VOTE, flags, none, 32, frame, |body| {
                put_entry_id(body.first_chunk_mut::<12>()?, 0, vote.last);
                Some(())
            })
        }
        Body::VoteReply(reply) => {
            let flags = u8::from(reply.is_granted) * FLAG_GRANTED;
            fill(message, KIND_VOTE_REPLY, flags, none, 20, frame, |_| {
                Some(())
            })
        }
        Body::Chunk(chunk) => {
            let len = encoded_len(message);
            let flags = u8::from(chunk.data == ChunkData::Hollow) * FLAG_HOLLOW;
            fill(
                message,
                KIND_CHUNK,
                flags,
                chunk.round,
                len,
                frame,
                |body| put_chunk(body, chunk),
            )
        }
        Body::ReadRequest(request) => encode_read_request(message, request, frame),
        Body::ReadReply(reply) => encode_read_reply(message, reply, frame),
        Body::TimeoutNow => fill(message, KIND_TIMEOUT_NOW, 0, none, 20, frame, |_| Some(())),
        Body::Quiet(quiet) => encode_quiet(message, quiet, frame),
        Body::QuietReply(reply) => encode_quiet_reply(message, reply, frame),
    }
}

#[inline(never)]
fn encode_pre_vote_reply<'f>(
    message: &Message<'_>,
    reply: &PreVoteReply,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    let removed = u8::from(reply.removed_at.is_some()) * FLAG_REMOVED;
    let flags = removed | (u8::from(reply.is_granted) * FLAG_GRANTED);
    let (kind, len) = (KIND_PRE_VOTE_REPLY, pre_vote_reply_len(reply));
    fill(message, kind, flags, Round::ZERO, len, frame, |body| {
        put_at(body, 0, reply.attempt.to_le_bytes());
        if let Some(id) = reply.removed_at {
            put_entry_id(body, 4, id);
        }
        Some(())
    })
}

fn pre_vote_reply_len(reply: &PreVoteReply) -> usize {
    HEADER_BYTES + if reply.removed_at.is_some() { 16 } else { 4 }
}

#[inline(never)]
fn encode_read_request<'f>(
    message: &Message<'_>,
    request: &ReadRequest,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    let (kind, none) = (KIND_READ_REQUEST, Round::ZERO);
    fill(message, kind, 0, none, 36, frame, |body| {
        put_at(body, 0, request.nonce.to_le_bytes());
        put_at(body, 8, request.number.to_le_bytes());
        Some(())
    })
}

#[inline(never)]
fn encode_read_reply<'f>(
    message: &Message<'_>,
    reply: &ReadReply,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    let (kind, none) = (KIND_READ_REPLY, Round::ZERO);
    fill(message, kind, 0, none, 44, frame, |body| {
        put_at(body, 0, reply.nonce.to_le_bytes());
        put_at(body, 8, reply.number.to_le_bytes());
        put_at(body, 16, reply.index.value().to_le_bytes());
        Some(())
    })
}

#[inline(never)]
fn encode_quiet<'f>(
    message: &Message<'_>,
    quiet: &Quiet,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    fill(message, KIND_QUIET, 0, quiet.round, 32, frame, |body| {
        put_at(body, 0, quiet.commit.value().to_le_bytes());
        put_at(body, 8, low_bytes(quiet.round));
        Some(())
    })
}

#[inline(never)]
fn encode_quiet_reply<'f>(
    message: &Message<'_>,
    reply: &QuietReply,
    frame: &'f mut [u8],
) -> Result<&'f mut [u8], EncodeError> {
    let (kind, flags) = (KIND_QUIET_REPLY, u8::from(reply.is_quiet) * FLAG_QUIET);
    fill(message, kind, flags, reply.round, 24, frame, |body| {
        put_at(body, 0, low_bytes(reply.round));
        Some(())
    })
}

/// Takes `needed` bytes of the frame, writes the header that every kind has, and lets `put_body`
/// write the rest.
#[inline(always)]
pub(super) fn fill<'f>(
    message: &Message<'_>,
    kind: u8,
    flags: u8,
    round: Round,
    needed: usize,
    frame: &'f mut [u8],
    put_body: impl FnOnce(&mut [u8]) -> Option<()>,
) -> Result<&'f mut [u8], EncodeError> {
    let too_small = EncodeError::BufferTooSmall { needed };
    let frame = frame.get_mut(..needed).ok_or(too_small)?;
    let (header, body) = frame
        .split_first_chunk_mut::<HEADER_BYTES>()
        .ok_or(too_small)?;
    let [_, _, _, _, low, high, _, _] = round.value().to_le_bytes();
    put_at(header, 0, [(VERSION << 4) | kind, flags, low, high]);
    put_at(header, 4, message.incarnation.value().to_le_bytes());
    put_at(header, 8, message.group.value().to_le_bytes());
    put_at(header, 16, message.term.value().to_le_bytes());
    put_body(body).ok_or(too_small)?;
    Ok(frame)
}

#[inline]
fn ack_len(ack: &Ack) -> usize {
    let reject = if ack.reject.is_some() { 20 } else { 0 };
    HEADER_BYTES + 16 + reject + if ack.chunk.is_some() { 16 } else { 0 }
}

/// The low 32 bits of a round; the header has the rest.
#[inline]
fn low_bytes(round: Round) -> [u8; 4] {
    let [a, b, c, d, ..] = round.value().to_le_bytes();
    [a, b, c, d]
}

#[inline]
pub(super) fn put_append(body: &mut [u8], append: &Append<'_>) -> Option<()> {
    let body = put_append_header(body, append.prev, append.commit, append.round)?;
    let [head, tail] = append.entries.slices();
    if head.is_empty() && tail.is_empty() {
        return Some(());
    }
    let (first, second) = body.split_at_mut_checked(head.len())?;
    copy(first, head)?;
    if tail.is_empty() {
        return Some(());
    }
    copy(second, tail)
}

/// What stands before the entries of an append; lends the place behind it.
#[inline]
pub(super) fn put_append_header(
    body: &mut [u8],
    prev: EntryId,
    commit: LogIndex,
    round: Round,
) -> Option<&mut [u8]> {
    let (fixed, rest) = body.split_first_chunk_mut::<{ APPEND_HEADER_BYTES - HEADER_BYTES }>()?;
    // Relative to `prev` it takes four bytes; beyond their range it is left unsaid.
    let commit = commit.value().checked_signed_diff(prev.index.value());
    let commit = commit.and_then(|commit| i32::try_from(commit).ok());
    let commit = commit.unwrap_or(COMMIT_UNSTATED);
    put_entry_id(fixed, 0, prev);
    put_at(fixed, 12, commit.to_le_bytes());
    put_at(fixed, 16, low_bytes(round));
    Some(rest)
}

#[inline]
fn put_ack(body: &mut [u8], ack: &Ack) -> Option<()> {
    let (fixed, mut body) = body.split_first_chunk_mut::<16>()?;
    put_at(fixed, 0, ack.room.to_le_bytes());
    put_at(fixed, 4, ack.verified.value().to_le_bytes());
    put_at(fixed, 12, low_bytes(ack.round));
    if let Some(reject) = &ack.reject {
        let (fixed, rest) = body.split_first_chunk_mut::<20>()?;
        put_at(fixed, 0, reject.prev.value().to_le_bytes());
        put_entry_id(fixed, 8, reject.hint);
        body = rest;
    }
    if let Some(chunk) = &ack.chunk {
        let fixed = body.first_chunk_mut::<16>()?;
        put_at(fixed, 0, chunk.index.value().to_le_bytes());
        put_at(fixed, 8, chunk.stored.to_le_bytes());
    }
    Some(())
}

fn put_chunk(body: &mut [u8], chunk: &Chunk<'_>) -> Option<()> {
    let (fixed, body) = body.split_first_chunk_mut::<{ CHUNK_HEADER_BYTES - HEADER_BYTES }>()?;
    put_entry_id(fixed, 0, chunk.snapshot.last);
    put_at(fixed, 12, low_bytes(chunk.round));
    put_at(fixed, 16, chunk.snapshot.checksum.to_le_bytes());
    put_at(fixed, 20, chunk.snapshot.size.to_le_bytes());
    put_at(fixed, 28, chunk.offset.to_le_bytes());
    put_at(
        fixed,
        36,
        u32::try_from(chunk.configuration.len()).ok()?.to_le_bytes(),
    );
    let (first, second) = body.split_at_mut_checked(chunk.configuration.len())?;
    copy(first, chunk.configuration)?;
    match chunk.data {
        ChunkData::Received(data) => copy(second, data),
        ChunkData::Wanted(_) | ChunkData::Hollow => Some(()),
    }
}

#[inline]
fn put_entry_id(bytes: &mut [u8], at: usize, id: EntryId) {
    put_at(bytes, at, id.term.value().to_le_bytes());
    put_at(bytes, at + 4, id.index.value().to_le_bytes());
}

/// Writes at a place that the caller knows to exist: the check disappears in compilation.
#[inline]
fn put_at<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes
        .get_mut(at..)
        .and_then(|bytes| bytes.first_chunk_mut())
    {
        *place = value;
    }
}

#[inline]
pub(super) fn copy(to: &mut [u8], from: &[u8]) -> Option<()> {
    if to.len() != from.len() {
        return None;
    }
    to.copy_from_slice(from);
    Some(())
}

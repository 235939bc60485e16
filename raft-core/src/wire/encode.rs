//! From a message to bytes.

use super::*;
use crate::message::{Ack, Append, Body, Chunk, ChunkData, Message};
use crate::types::{EntryId, Round};

/// How many bytes [`encode`] makes of this message.
pub fn encoded_len(message: &Message<'_>) -> usize {
    match &message.body {
        Body::PreVote(_) => HEADER_BYTES + 16,
        Body::PreVoteReply(_) => HEADER_BYTES + 4,
        Body::Vote(_) => HEADER_BYTES + 12,
        Body::VoteReply(_) => HEADER_BYTES,
        Body::Append(append) => APPEND_HEADER_BYTES + append.entries.len(),
        Body::Ack(ack) => {
            let reject = if ack.reject.is_some() { 20 } else { 0 };
            HEADER_BYTES + 16 + reject + if ack.chunk.is_some() { 16 } else { 0 }
        }
        Body::Chunk(chunk) => {
            let data = match chunk.data {
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
    let data = match &message.body {
        Body::Chunk(Chunk {
            data: ChunkData::Received(data),
            ..
        }) => data,
        Body::Chunk(Chunk {
            data: ChunkData::Wanted(len),
            ..
        }) if *len > 0 => {
            return Err(EncodeError::ChunkData {
                wanted: *len as usize,
            });
        }
        _ => &[][..],
    };
    encode_with(message, data, frame)
}

/// Encodes a message whose chunk data the driver supplies; for any other message `data` is
/// ignored.
///
/// # Errors
///
/// As [`encode`]; [`EncodeError::ChunkData`] if `data` is not as long as the chunk wants.
pub fn encode_chunk<'f>(
    message: &Message<'_>,
    data: &[u8],
    frame: &'f mut [u8],
) -> Result<&'f [u8], EncodeError> {
    match &message.body {
        Body::Chunk(Chunk {
            data: ChunkData::Wanted(len),
            ..
        }) => {
            if data.len() == *len as usize {
                encode_with(message, data, frame)
            } else {
                Err(EncodeError::ChunkData {
                    wanted: *len as usize,
                })
            }
        }
        _ => encode(message, frame),
    }
}

#[inline]
fn encode_with<'f>(
    message: &Message<'_>,
    data: &[u8],
    frame: &'f mut [u8],
) -> Result<&'f [u8], EncodeError> {
    let needed = encoded_len(message);
    let too_small = EncodeError::BufferTooSmall { needed };
    let frame = frame.get_mut(..needed).ok_or(too_small)?;
    put(message, data, frame).ok_or(too_small)?;
    Ok(frame)
}

/// Fills a frame of exactly the right length.
#[inline]
fn put(message: &Message<'_>, data: &[u8], frame: &mut [u8]) -> Option<()> {
    let (header, body) = frame.split_first_chunk_mut::<HEADER_BYTES>()?;
    let (kind, flags, round) = describe(&message.body);
    let [_, _, _, _, low, high, _, _] = round.value().to_le_bytes();
    let mut word = [(VERSION << 4) | kind, flags, low, high, 0, 0, 0, 0];
    *word.last_chunk_mut::<4>()? = message.incarnation.value().to_le_bytes();
    *header.first_chunk_mut::<8>()? = word;
    *header.get_mut(8..)?.first_chunk_mut::<8>()? = message.group.value().to_le_bytes();
    *header.last_chunk_mut::<4>()? = message.term.value().to_le_bytes();
    match &message.body {
        Body::PreVote(pre_vote) => {
            let body = put_entry_id(body, pre_vote.last)?;
            put_u32(body, pre_vote.attempt)?;
        }
        Body::PreVoteReply(reply) => {
            put_u32(body, reply.attempt)?;
        }
        Body::Vote(vote) => {
            put_entry_id(body, vote.last)?;
        }
        Body::VoteReply(_) => {}
        Body::Append(append) => put_append(body, append)?,
        Body::Ack(ack) => put_ack(body, ack)?,
        Body::Chunk(chunk) => put_chunk(body, chunk, data)?,
    }
    Some(())
}

#[inline]
fn describe(body: &Body<'_>) -> (u8, u8, Round) {
    match body {
        Body::PreVote(_) => (KIND_PRE_VOTE, 0, Round::ZERO),
        Body::PreVoteReply(reply) => (
            KIND_PRE_VOTE_REPLY,
            u8::from(reply.is_granted) * FLAG_GRANTED,
            Round::ZERO,
        ),
        Body::Vote(_) => (KIND_VOTE, 0, Round::ZERO),
        Body::VoteReply(reply) => (
            KIND_VOTE_REPLY,
            u8::from(reply.is_granted) * FLAG_GRANTED,
            Round::ZERO,
        ),
        Body::Append(append) => (KIND_APPEND, 0, append.round),
        Body::Ack(ack) => {
            let reject = u8::from(ack.reject.is_some()) * FLAG_REJECT;
            (
                KIND_ACK,
                reject | (u8::from(ack.chunk.is_some()) * FLAG_CHUNK),
                ack.round,
            )
        }
        Body::Chunk(chunk) => (KIND_CHUNK, 0, chunk.round),
    }
}

#[inline]
fn put_append(body: &mut [u8], append: &Append<'_>) -> Option<()> {
    let prev = append.prev.index.value();
    // Relative to `prev` it takes four bytes; beyond their range it is left unsaid.
    let commit = append.commit.value().wrapping_sub(prev) as i64;
    let commit = i32::try_from(commit).unwrap_or(COMMIT_UNSTATED);
    let body = put_entry_id(body, append.prev)?;
    let body = put_u32(body, commit as u32)?;
    let body = put_u32(body, append.round.value() as u32)?;
    let [head, tail] = append.entries.slices();
    let (first, second) = body.split_at_mut_checked(head.len())?;
    copy(first, head)?;
    copy(second, tail)
}

#[inline]
fn put_ack(body: &mut [u8], ack: &Ack) -> Option<()> {
    let body = put_u32(body, ack.room)?;
    let body = put_u64(body, ack.verified.value())?;
    let mut body = put_u32(body, ack.round.value() as u32)?;
    if let Some(reject) = &ack.reject {
        body = put_u64(body, reject.prev.value())?;
        body = put_entry_id(body, reject.hint)?;
    }
    if let Some(chunk) = &ack.chunk {
        body = put_u64(body, chunk.index.value())?;
        put_u64(body, chunk.stored)?;
    }
    Some(())
}

fn put_chunk(body: &mut [u8], chunk: &Chunk<'_>, data: &[u8]) -> Option<()> {
    let body = put_entry_id(body, chunk.snapshot.last)?;
    let body = put_u32(body, chunk.round.value() as u32)?;
    let body = put_u32(body, chunk.snapshot.checksum)?;
    let body = put_u64(body, chunk.snapshot.size)?;
    let body = put_u64(body, chunk.offset)?;
    let body = put_u32(body, u32::try_from(chunk.configuration.len()).ok()?)?;
    let (first, second) = body.split_at_mut_checked(chunk.configuration.len())?;
    copy(first, chunk.configuration)?;
    copy(second, data)
}

#[inline]
fn put_entry_id(bytes: &mut [u8], id: EntryId) -> Option<&mut [u8]> {
    let bytes = put_u32(bytes, id.term.value())?;
    put_u64(bytes, id.index.value())
}

#[inline]
fn put_u32(bytes: &mut [u8], value: u32) -> Option<&mut [u8]> {
    let (place, rest) = bytes.split_first_chunk_mut()?;
    *place = value.to_le_bytes();
    Some(rest)
}

#[inline]
fn put_u64(bytes: &mut [u8], value: u64) -> Option<&mut [u8]> {
    let (place, rest) = bytes.split_first_chunk_mut()?;
    *place = value.to_le_bytes();
    Some(rest)
}

#[inline]
fn copy(to: &mut [u8], from: &[u8]) -> Option<()> {
    if to.len() != from.len() {
        return None;
    }
    to.copy_from_slice(from);
    Some(())
}

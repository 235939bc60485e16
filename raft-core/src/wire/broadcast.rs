//! An append for several members, named by their places in the configuration.
//!
//! ```text
//! 0..20  header of every frame; the flags say how many bytes the set takes, 1 to 8
//! 20..   the set: bit `i` of byte `j` is member `8 j + i`; the last byte is not zero
//! then   an append, as in a frame of its own
//! ```

use super::decode::Head;
use super::encode::{fill, put_append};
use super::*;
use crate::message::{Body, Broadcast, Message};
use quorum::MemberSet;

/// What arrived on a medium that also carries broadcasts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Frame<'a> {
    /// A message to this node, for [`Raft::handle_message`](crate::Raft::handle_message).
    One(Message<'a>),
    /// An append to several, for [`Raft::handle_broadcast`](crate::Raft::handle_broadcast).
    Many(Broadcast<'a>),
}

/// Bytes that the set takes: as many as hold its highest member.
const fn set_bytes(members: MemberSet) -> usize {
    let bits = u64::BITS - members.bits().leading_zeros();
    bits.div_ceil(8) as usize
}

/// Bytes of a broadcast to these members without entries: one more than an append for each eight
/// places up to the highest.
pub const fn broadcast_header_bytes(members: MemberSet) -> usize {
    APPEND_HEADER_BYTES + set_bytes(members)
}

/// How many bytes [`encode_broadcast`] makes of this broadcast.
pub fn encoded_broadcast_len(broadcast: &Broadcast<'_>) -> usize {
    encoded_len(&broadcast.message).saturating_add(set_bytes(broadcast.members))
}

/// Encodes a broadcast into `frame` and lends the bytes to be sent, once for all.
///
/// # Errors
///
/// [`EncodeError::BufferTooSmall`] if `frame` is shorter than [`encoded_broadcast_len`];
/// [`EncodeError::NoBroadcast`] if it names nobody or its message is no append.
pub fn encode_broadcast<'f>(
    broadcast: &Broadcast<'_>,
    frame: &'f mut [u8],
) -> Result<&'f [u8], EncodeError> {
    let (message, set) = (&broadcast.message, broadcast.members);
    let Body::Append(append) = &message.body else {
        return Err(EncodeError::NoBroadcast);
    };
    if set.is_empty() {
        return Err(EncodeError::NoBroadcast);
    }
    let (kind, len) = (KIND_BROADCAST, encoded_broadcast_len(broadcast));
    let count = set_bytes(set);
    let flags = u8::try_from(count).unwrap_or_default();
    let filled = fill(message, kind, flags, append.round, len, frame, |body| {
        let (place, body) = body.split_at_mut_checked(count)?;
        for (byte, bits) in place.iter_mut().zip(set.bits().to_le_bytes()) {
            *byte = bits;
        }
        put_append(body, append)
    });
    filled.map(|bytes| &*bytes)
}

/// Reads a frame of a medium that also carries broadcasts; else as [`decode()`].
///
/// # Errors
///
/// As [`decode()`]. A set that is empty, or longer than it need be, is no kind that there is.
pub fn decode_frame(frame: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let is_broadcast = |first: &u8| *first == (VERSION << 4) | KIND_BROADCAST;
    if !frame.first().is_some_and(is_broadcast) {
        return decode(frame).map(Frame::One);
    }
    let (head, body) = Head::split(frame)?;
    let [kind, flags] = head.tag;
    let count = usize::from(flags);
    if !(1..=8).contains(&count) {
        return Err(DecodeError::UnknownKind(kind));
    }
    let (set, rest) = body.split_at_checked(count).ok_or(DecodeError::Truncated)?;
    let mut bits = [0; 8];
    for (place, byte) in bits.iter_mut().zip(set) {
        *place = *byte;
    }
    let members = MemberSet::from_bits(u64::from_le_bytes(bits));
    if set_bytes(members) != count {
        return Err(DecodeError::UnknownKind(kind));
    }
    let message = Message {
        group: head.group,
        incarnation: head.incarnation,
        term: head.term,
        body: Body::Append(head.append(rest)?),
    };
    Ok(Frame::Many(Broadcast { members, message }))
}

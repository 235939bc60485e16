//! Messages as bytes: a fixed little-endian layout, specified in `docs/WIRE.md`.
//!
//! Hot headers are written by hand within a budget, because a general encoder costs ten times
//! as much: an append header is 40 bytes, an acknowledgement 36 when all is well. Integers are
//! little endian and have a fixed place; entries follow as they are stored. Decoding borrows and
//! never copies; every byte sequence either decodes or gives a [`DecodeError`].
//!
//! ```text
//! 0      version (high 4 bits: 1) and kind (low 4 bits)
//! 1      flags, meaning per kind; unknown flags are refused
//! 2..4   round, bits 32 to 47 (append, ack, chunk, quiet and its reply; else zero)
//! 4..8   incarnation of the sender
//! 8..16  group
//! 16..20 term
//! 20..   body
//! ```

mod broadcast;
mod decode;
mod encode;
mod hollow;

use core::fmt;

pub use broadcast::{
    Frame, broadcast_header_bytes, decode_frame, encode_broadcast, encoded_broadcast_len,
};
pub(crate) use decode::Head;
pub use decode::decode;
pub(crate) use encode::encode_open;
pub use encode::{encode, encode_chunk, encoded_len};

/// The version that the first byte of a frame names.
pub const VERSION: u8 = 1;
/// Bytes that every frame has.
pub const HEADER_BYTES: usize = 20;
/// Bytes of an append without entries.
pub const APPEND_HEADER_BYTES: usize = 40;
/// Bytes of a chunk before configuration and data.
pub const CHUNK_HEADER_BYTES: usize = 60;
/// Bytes of an acknowledgement when all is well.
const ACK_BYTES_MIN: usize = 36;
/// The longest acknowledgement: with a refusal and a snapshot's progress.
pub const ACK_BYTES_MAX: usize = 72;
/// The smallest frame size that a transport may have.
pub const FRAME_BYTES_MIN: usize = ACK_BYTES_MAX;

const KIND_PRE_VOTE: u8 = 1;
const KIND_PRE_VOTE_REPLY: u8 = 2;
const KIND_VOTE: u8 = 3;
const KIND_VOTE_REPLY: u8 = 4;
const KIND_APPEND: u8 = 5;
const KIND_ACK: u8 = 6;
const KIND_CHUNK: u8 = 7;
const KIND_READ_REQUEST: u8 = 8;
const KIND_READ_REPLY: u8 = 9;
const KIND_TIMEOUT_NOW: u8 = 10;
const KIND_QUIET: u8 = 11;
const KIND_QUIET_REPLY: u8 = 12;
const KIND_BROADCAST: u8 = 13;
const KIND_HOLLOW: u8 = 14;

const FLAG_GRANTED: u8 = 1;
const FLAG_REMOVED: u8 = 2;
const FLAG_TRANSFER: u8 = 1;
const FLAG_QUIET: u8 = 1;
const FLAG_REJECT: u8 = 1;
const FLAG_CHUNK: u8 = 2;
const FLAG_HOLLOW: u8 = 1;

/// The append says nothing about the commit: it lies too far from `prev` to be expressed.
const COMMIT_UNSTATED: i32 = i32::MIN;

/// Why a message could not be encoded; nothing was lost, the message can be encoded again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EncodeError {
    /// The buffer is too small. A buffer of the configured `frame_bytes_max` never is.
    BufferTooSmall {
        /// Bytes that the message takes.
        needed: usize,
    },
    /// A broadcast that names nobody, or carries something else than an append.
    NoBroadcast,
    /// The chunk's data is not as long as the chunk says, or was not supplied: use
    /// [`encode_chunk`] for a chunk that is sent.
    ChunkData {
        /// Bytes that the chunk wants.
        wanted: usize,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::BufferTooSmall { needed } => {
                write!(
                    f,
                    "the frame buffer is too small: {needed} bytes are needed"
                )
            }
            EncodeError::NoBroadcast => f.write_str("a broadcast is an append to somebody"),
            EncodeError::ChunkData { wanted } => {
                write!(f, "the chunk wants exactly {wanted} bytes of snapshot data")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// Why bytes are not a message: drop the frame and count it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DecodeError {
    /// Fewer bytes than the message must have.
    Truncated,
    /// More bytes than the message can have.
    TrailingBytes,
    /// Another version of the format.
    UnknownVersion(u8),
    /// A kind or a flag that this version does not have.
    UnknownKind(u8),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated => f.write_str("the frame is cut short"),
            DecodeError::TrailingBytes => f.write_str("the frame has bytes behind its end"),
            DecodeError::UnknownVersion(version) => {
                write!(
                    f,
                    "the frame has format version {version}, this node speaks {VERSION}"
                )
            }
            DecodeError::UnknownKind(kind) => write!(f, "unknown kind or flags: {kind:#04x}"),
        }
    }
}

impl core::error::Error for DecodeError {}

//! What is replicated: one change to the map, as the bytes of one log entry.
//!
//! Replicating the client's command itself would be simpler, but `SET k v EX 10` means something else on
//! a replica that applies it a second later, and every replica would parse text again. An [`Operation`] is
//! what the leader made of a command: relative times are absolute, options are bits, and a stamp says
//! when the leader accepted it. Applying it needs no clock and no randomness, so it does the same everywhere.
//!
//! # Encoding
//!
//! One byte for the kind, eight for the stamp (milliseconds, little-endian), then by kind:
//!
//! | kind | change | layout |
//! |---|---|---|
//! | 1 | `Set` | flags, time if the flags say so, key length, key, value to the end |
//! | 2 | `SetMany` | count of strings, then each with its length: key, value, key, value |
//! | 3 | `Delete` | count of keys, then each with its length |
//! | 4 | `Add` | amount (8 bytes, signed), key to the end |
//! | 5 | `Expire` | condition, time (8 bytes), key to the end |
//! | 6 | `Persist` | key to the end |
//! | 7 | `Clear` | nothing |
//! | 8 | `Address` | node (8 bytes), peer address with its length, client address to the end |
//! | 9 | `Forget` | node (8 bytes) |
//! | 10 | `Vote` | node (8 bytes), whether it is to have one (1) |
//!
//! Counts and lengths are LEB128 of at most 5 bytes in their shortest form. Every operation has exactly
//! one encoding, and decoding is total: any bytes are an operation or a typed error. A kind is never used
//! again for something else.

mod strings;

use core::error::Error;
use core::fmt;

use crate::timestamp::Timestamp;

pub use strings::Strings;

/// One change and when the leader accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// The leader's clock when it accepted the command.
    pub stamp: Timestamp,
    /// What to do.
    pub change: Change<'a>,
}

/// What an operation does to the map or to the list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Gives a key a value.
    Set {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
        /// Whether to do it at all.
        condition: Condition,
        /// When the key goes away.
        expiry: Expiry,
        /// What the client wants to hear.
        answer: Answer,
    },
    /// Gives several keys values: key, value, key, value. A last key without a value is ignored.
    SetMany(Strings<'a>),
    /// Removes keys.
    Delete(Strings<'a>),
    /// Adds to the whole number a key holds; a missing key counts as 0.
    Add {
        /// The key.
        key: &'a [u8],
        /// What to add.
        by: i64,
    },
    /// Makes a key go away at a time; at once if that is not later than the stamp.
    Expire {
        /// The key.
        key: &'a [u8],
        /// When it goes away.
        at: Timestamp,
        /// Whether to do it at all.
        condition: ExpireCondition,
    },
    /// Makes a key stay.
    Persist {
        /// The key.
        key: &'a [u8],
    },
    /// Removes every key.
    Clear,
    /// Records where a node listens, for its peers and for `MOVED`.
    Address {
        /// The node's id.
        node: u64,
        /// Where it listens for other nodes.
        peer: &'a str,
        /// Where it listens for clients.
        client: &'a str,
    },
    /// Says whether a node whose address is known gets a vote once it has caught up.
    Vote {
        /// The node's id.
        node: u64,
        /// Whether it does.
        is_wanted: bool,
    },
    /// Forgets where a removed node listened.
    Forget {
        /// The node's id.
        node: u64,
    },
}

/// When a `Set` takes place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// Only if the key has no value (`NX`).
    IfAbsent,
    /// Only if the key has a value (`XX`).
    IfPresent,
}

/// When a key that is `Set` goes away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// Never.
    #[default]
    Never,
    /// When it would have gone away anyhow (`KEEPTTL`).
    Keep,
    /// At this time.
    At(Timestamp),
}

/// What the client of a `Set` wants to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// `OK`, or null if the condition failed.
    #[default]
    Status,
    /// The value before (`SET … GET`).
    Previous,
    /// 1 or 0 (`SETNX`).
    Count,
}

/// When an `Expire` takes place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpireCondition {
    /// Always.
    #[default]
    Always,
    /// Only if the key would stay for ever (`NX`).
    IfPersistent,
    /// Only if the key goes away some time (`XX`).
    IfExpiring,
    /// Only if that makes it go away later (`GT`).
    IfLater,
    /// Only if that makes it go away earlier (`LT`).
    IfEarlier,
}

/// Why bytes are no operation: an entry of a newer release, or damage that no checksum caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end too early.
    Truncated,
    /// No operation has this kind.
    Kind(u8),
    /// No option has these bits.
    Flags(u8),
    /// A length or count is not in its shortest form or exceeds 32 bits.
    Length,
    /// Something follows the operation.
    Trailing,
    /// An address is not UTF-8.
    Address,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => formatter.write_str("the operation ends too early"),
            Self::Kind(kind) => write!(formatter, "operation of unknown kind {kind}"),
            Self::Flags(flags) => write!(formatter, "operation with unknown options {flags:#010b}"),
            Self::Length => formatter.write_str("malformed length in an operation"),
            Self::Trailing => formatter.write_str("bytes after the end of an operation"),
            Self::Address => formatter.write_str("an address in an operation is not UTF-8"),
        }
    }
}

impl Error for DecodeError {}

const SET: u8 = 1;
const SET_MANY: u8 = 2;
const DELETE: u8 = 3;
const ADD: u8 = 4;
const EXPIRE: u8 = 5;
const PERSIST: u8 = 6;
const CLEAR: u8 = 7;
const ADDRESS: u8 = 8;
const FORGET: u8 = 9;
const VOTE: u8 = 10;

impl<'a> Operation<'a> {
    /// Appends the encoding. It is longer than the strings in it by at most 28 bytes, plus 5 per string.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.change.kind());
        push_time(out, self.stamp);
        match self.change {
            Change::Set {
                key,
                value,
                condition,
                expiry,
                answer,
            } => {
                out.push(set_flags(condition, expiry, answer));
                if let Expiry::At(at) = expiry {
                    push_time(out, at);
                }
                strings::push(out, key);
                out.extend_from_slice(value);
            }
            Change::SetMany(strings) | Change::Delete(strings) => strings.encode(out),
            Change::Add { key, by } => {
                out.extend_from_slice(&by.to_le_bytes());
                out.extend_from_slice(key);
            }
            Change::Expire { key, at, condition } => {
                out.push(expire_flags(condition));
                push_time(out, at);
                out.extend_from_slice(key);
            }
            Change::Persist { key } => out.extend_from_slice(key),
            Change::Clear => {}
            Change::Address { node, peer, client } => {
                out.extend_from_slice(&node.to_le_bytes());
                strings::push(out, peer.as_bytes());
                out.extend_from_slice(client.as_bytes());
            }
            Change::Vote { node, is_wanted } => {
                out.extend_from_slice(&node.to_le_bytes());
                out.push(u8::from(is_wanted));
            }
            Change::Forget { node } => out.extend_from_slice(&node.to_le_bytes()),
        }
    }

    /// Reads an operation that takes all of `bytes`.
    ///
    /// # Errors
    /// The bytes are no operation; see [`DecodeError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes;
        let kind = take_byte(&mut rest)?;
        let stamp = take_time(&mut rest)?;
        let change = match kind {
            SET => decode_set(&mut rest)?,
            SET_MANY => Change::SetMany(Strings::decode(&mut rest)?),
            DELETE => Change::Delete(Strings::decode(&mut rest)?),
            ADD => Change::Add {
                by: i64::from_le_bytes(take_array(&mut rest)?),
                key: core::mem::take(&mut rest),
            },
            EXPIRE => Change::Expire {
                condition: expire_condition(take_byte(&mut rest)?)?,
                at: take_time(&mut rest)?,
                key: core::mem::take(&mut rest),
            },
            PERSIST => Change::Persist {
                key: core::mem::take(&mut rest),
            },
            CLEAR => Change::Clear,
            ADDRESS => Change::Address {
                node: u64::from_le_bytes(take_array(&mut rest)?),
                peer: text(strings::take(&mut rest)?)?,
                client: text(core::mem::take(&mut rest))?,
            },
            VOTE => Change::Vote {
                node: u64::from_le_bytes(take_array(&mut rest)?),
                is_wanted: match take_byte(&mut rest)? {
                    0 => false,
                    1 => true,
                    unknown => return Err(DecodeError::Flags(unknown)),
                },
            },
            FORGET => Change::Forget {
                node: u64::from_le_bytes(take_array(&mut rest)?),
            },
            unknown => return Err(DecodeError::Kind(unknown)),
        };
        if !rest.is_empty() {
            return Err(DecodeError::Trailing);
        }
        Ok(Self { stamp, change })
    }
}

impl Change<'_> {
    const fn kind(&self) -> u8 {
        match self {
            Change::Set { .. } => SET,
            Change::SetMany(_) => SET_MANY,
            Change::Delete(_) => DELETE,
            Change::Add { .. } => ADD,
            Change::Expire { .. } => EXPIRE,
            Change::Persist { .. } => PERSIST,
            Change::Clear => CLEAR,
            Change::Address { .. } => ADDRESS,
            Change::Vote { .. } => VOTE,
            Change::Forget { .. } => FORGET,
        }
    }
}

fn decode_set<'a>(rest: &mut &'a [u8]) -> Result<Change<'a>, DecodeError> {
    let flags = take_byte(rest)?;
    let unknown = DecodeError::Flags(flags);
    let condition = match flags & 0b11 {
        0 => Condition::Always,
        1 => Condition::IfAbsent,
        2 => Condition::IfPresent,
        _ => return Err(unknown),
    };
    let answer = match flags >> 2 & 0b11 {
        0 => Answer::Status,
        1 => Answer::Previous,
        2 => Answer::Count,
        _ => return Err(unknown),
    };
    let expiry = match flags >> 4 {
        0 => Expiry::Never,
        1 => Expiry::Keep,
        2 => Expiry::At(take_time(rest)?),
        _ => return Err(unknown),
    };
    Ok(Change::Set {
        key: strings::take(rest)?,
        value: core::mem::take(rest),
        condition,
        expiry,
        answer,
    })
}

/// Condition in bits 0 and 1, answer in 2 and 3, expiry in 4 and 5.
const fn set_flags(condition: Condition, expiry: Expiry, answer: Answer) -> u8 {
    let condition = match condition {
        Condition::Always => 0,
        Condition::IfAbsent => 1,
        Condition::IfPresent => 2,
    };
    let answer = match answer {
        Answer::Status => 0,
        Answer::Previous => 1,
        Answer::Count => 2,
    };
    let expiry = match expiry {
        Expiry::Never => 0,
        Expiry::Keep => 1,
        Expiry::At(_) => 2,
    };
    condition | answer << 2 | expiry << 4
}

const fn expire_flags(condition: ExpireCondition) -> u8 {
    match condition {
        ExpireCondition::Always => 0,
        ExpireCondition::IfPersistent => 1,
        ExpireCondition::IfExpiring => 2,
        ExpireCondition::IfLater => 3,
        ExpireCondition::IfEarlier => 4,
    }
}

const fn expire_condition(flags: u8) -> Result<ExpireCondition, DecodeError> {
    Ok(match flags {
        0 => ExpireCondition::Always,
        1 => ExpireCondition::IfPersistent,
        2 => ExpireCondition::IfExpiring,
        3 => ExpireCondition::IfLater,
        4 => ExpireCondition::IfEarlier,
        unknown => return Err(DecodeError::Flags(unknown)),
    })
}

fn push_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.0.to_le_bytes());
}

fn take_time(rest: &mut &[u8]) -> Result<Timestamp, DecodeError> {
    take_array(rest).map(|bytes| Timestamp(u64::from_le_bytes(bytes)))
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, DecodeError> {
    take_array(rest).map(|[byte]| byte)
}

fn take_array<const LEN: usize>(rest: &mut &[u8]) -> Result<[u8; LEN], DecodeError> {
    let (bytes, tail) = rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(*bytes)
}

fn text(bytes: &[u8]) -> Result<&str, DecodeError> {
    core::str::from_utf8(bytes).map_err(|_| DecodeError::Address)
}

#[cfg(test)]
mod tests;

//! RESP, the protocol Redis clients speak, in its versions 2 and 3.
//!
//! A request is an array of byte strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or, typed by a person into a
//! terminal, one line of words. A reply is a tagged value. Version 3 adds tags (null, map, boolean,
//! double) that version 2 spells with the tags it has; a connection starts in version 2 and moves to
//! version 3 by `HELLO 3`.
//!
//! [`decode`] reads requests, [`encode`] writes replies; both are what the server needs. [`reply`] reads
//! replies, which only a client needs.

mod args;
pub mod decode;
pub mod encode;
pub mod reply;

/// The version of RESP a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client speaks first.
    #[default]
    Resp2,
    /// What a client gets after `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// The number `HELLO` uses for this version.
    pub const fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

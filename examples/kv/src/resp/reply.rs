//! Reads replies, as a client has to.
//!
//! Unlike requests, replies nest, so the reader bounds the depth; and a client believes its server, so it
//! parses a partial reply again from its start when more has arrived. Byte strings stay in the buffer.

use core::error::Error;
use core::fmt;

/// How deep arrays may nest: `COMMAND` needs 4.
const DEPTH_MAX: usize = 8;

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply<'a> {
    /// A status such as `OK`.
    Simple(&'a [u8]),
    /// An error; its first word is the code.
    Error(&'a [u8]),
    /// A whole number; RESP3's booleans count as 0 and 1.
    Integer(i64),
    /// A byte string.
    Bulk(&'a [u8]),
    /// No value.
    Null,
    /// An array, a set, or a map with keys and values in turn.
    Array(Vec<Reply<'a>>),
}

/// The server sent something that is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError;

impl fmt::Display for ReplyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the server's answer is not RESP")
    }
}

impl Error for ReplyError {}

/// The reply at the front of `buffer` and how many bytes it took; `None` while it is incomplete.
///
/// # Errors
/// The bytes are no reply; the connection cannot be used any further.
pub fn parse(buffer: &[u8]) -> Result<Option<(Reply<'_>, usize)>, ReplyError> {
    parse_nested(buffer, 0, DEPTH_MAX)
}

type Parsed<'a> = Result<Option<(Reply<'a>, usize)>, ReplyError>;

fn parse_nested(buffer: &[u8], start: usize, depth: usize) -> Parsed<'_> {
    let rest = buffer.get(start..).unwrap_or_default();
    let Some(tag) = rest.first() else {
        return Ok(None);
    };
    let Some(end) = memchr::memchr(b'\r', rest) else {
        return Ok(None);
    };
    let line = rest.get(1..end).unwrap_or_default();
    // The line feed after it may still be on its way.
    let next = start + end + 2;
    if next > buffer.len() {
        return Ok(None);
    }
    let reply = match tag {
        b'+' | b',' | b'(' => Reply::Simple(line),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(number(line)?),
        b'_' => Reply::Null,
        b'#' => Reply::Integer(i64::from(line == b"t")),
        b'$' | b'=' | b'!' => return parse_bulk(buffer, next, number(line)?),
        b'*' | b'~' | b'>' => return parse_array(buffer, next, number(line)?, depth),
        b'%' => return parse_array(buffer, next, number(line)?.saturating_mul(2), depth),
        _ => return Err(ReplyError),
    };
    Ok(Some((reply, next)))
}

fn parse_bulk(buffer: &[u8], start: usize, len: i64) -> Parsed<'_> {
    let Ok(len) = usize::try_from(len) else {
        return Ok(Some((Reply::Null, start)));
    };
    let end = start.saturating_add(len);
    match buffer.get(start..end) {
        Some(bytes) if buffer.len() >= end.saturating_add(2) => {
            Ok(Some((Reply::Bulk(bytes), end + 2)))
        }
        _ => Ok(None),
    }
}

fn parse_array(buffer: &[u8], start: usize, len: i64, depth: usize) -> Parsed<'_> {
    let Ok(len) = usize::try_from(len) else {
        return Ok(Some((Reply::Null, start)));
    };
    let depth = depth.checked_sub(1).ok_or(ReplyError)?;
    let mut items = Vec::new();
    let mut next = start;
    for _ in 0..len {
        let Some((item, end)) = parse_nested(buffer, next, depth)? else {
            return Ok(None);
        };
        items.push(item);
        next = end;
    }
    Ok(Some((Reply::Array(items), next)))
}

fn number(line: &[u8]) -> Result<i64, ReplyError> {
    let text = core::str::from_utf8(line).map_err(|_| ReplyError)?;
    text.parse().map_err(|_| ReplyError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_both_versions_are_read() {
        let check = |bytes: &[u8], expected: Reply<'_>| {
            assert_eq!(parse(bytes), Ok(Some((expected, bytes.len()))));
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Ok(None), "{end} bytes of {bytes:?}");
            }
        };
        check(b"+OK\r\n", Reply::Simple(b"OK"));
        check(b"-MOVED 1 h:1\r\n", Reply::Error(b"MOVED 1 h:1"));
        check(b"$-1\r\n", Reply::Null);
        check(b"_\r\n", Reply::Null);
        check(b"$2\r\n\r\n\r\n", Reply::Bulk(b"\r\n"));
        let pair = vec![Reply::Bulk(b"a"), Reply::Integer(1)];
        check(b"%1\r\n$1\r\na\r\n:1\r\n", Reply::Array(pair));
    }

    #[test]
    fn nonsense_and_bottomless_nesting_are_refused() {
        assert_eq!(parse(b"?\r\n"), Err(ReplyError));
        assert_eq!(parse(b":x\r\n"), Err(ReplyError));
        assert_eq!(parse(&b"*1\r\n".repeat(100)), Err(ReplyError));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(0u8..=255, 0..100)) {
            let _ = parse(&bytes);
        }
    }
}

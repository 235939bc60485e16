//! Reads requests out of the bytes a client has sent so far, without copying them.
//!
//! Bytes arrive in pieces that have nothing to do with requests: half of one, or thirty at once when a
//! client pipelines. Parsing from the start after every piece is quadratic for a large request that
//! trickles in; trusting a length to reserve memory lets a stranger ask for 512 MB with ten bytes.
//!
//! [`Decoder`] remembers where it stopped, so every byte is looked at once, and stores of an argument only
//! where it lies in the caller's buffer. A length over the [`Limits`] is refused when it is *read*: the
//! buffer never has to hold more than one request of [`Limits::request_len_max`] bytes plus what one
//! read from the socket may add. Its own memory is 16 bytes per argument that has really arrived.
//!
//! Inline requests (a line of words, quoted as `redis-cli` quotes) are the exception: unquoting needs a
//! copy, which is bounded by [`INLINE_LEN_MAX`].

use core::error::Error;
use core::fmt;

use super::args::Span;
pub use super::args::{Args, OwnedArgs};

/// The longest inline request, in bytes without its line end; the same as in Redis.
pub const INLINE_LEN_MAX: usize = 64 * 1024;

/// Digits and sign of an `i64`: no length line is longer.
const LENGTH_DIGITS_MAX: usize = 20;

/// How many spans the decoder keeps room for between requests.
const SPANS_KEPT_MAX: usize = 1024;

/// What a client may ask the server to hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments of one request, its name included.
    pub args_max: usize,
    /// Bytes of one argument.
    pub bulk_len_max: usize,
    /// Bytes of one request as it is encoded.
    pub request_len_max: usize,
}

impl Limits {
    /// For a client that has authenticated, or where no password is set.
    pub const TRUSTED: Self = Self {
        args_max: 16 * 1024,
        bulk_len_max: 1024 * 1024,
        request_len_max: 4 * 1024 * 1024,
    };

    /// For a client that has yet to authenticate: enough for `HELLO 3 AUTH user password SETNAME name`.
    pub const STRANGER: Self = Self {
        args_max: 10,
        bulk_len_max: 16 * 1024,
        request_len_max: 64 * 1024,
    };
}

/// One whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The name and what follows it. Empty for a blank line or an array of nothing, which Redis ignores.
    pub args: Args<'a>,
    /// How many bytes at the front of the buffer the request took; the caller drops them.
    pub consumed: usize,
}

/// What is wrong with the bytes a client sent. The client's fault; nothing after them can be understood,
/// so the server answers with the text of the error and closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of arguments is not a number or over [`Limits::args_max`].
    ArgumentCount,
    /// The length of an argument is not a number, negative, or over [`Limits::bulk_len_max`].
    BulkLength,
    /// The request as a whole would exceed [`Limits::request_len_max`].
    RequestLength,
    /// An argument does not start with `$`.
    NotABulk(u8),
    /// An argument is not followed by `\r\n`.
    LineEnd,
    /// A line of words is longer than [`INLINE_LEN_MAX`].
    InlineLength,
    /// A line of words has an open quote, or text right after a closing one.
    Quotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ArgumentCount => "invalid multibulk length",
            Self::BulkLength => "invalid bulk length",
            Self::RequestLength => "too big request",
            Self::NotABulk(byte) => {
                let shown = byte.escape_ascii();
                return write!(formatter, "Protocol error: expected '$', got '{shown}'");
            }
            Self::LineEnd => "expected CRLF after an argument",
            Self::InlineLength => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
        };
        write!(formatter, "Protocol error: {text}")
    }
}

impl Error for ProtocolError {}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// The first byte of a request, or the count in `*count\r\n`, or a line of words.
    Start,
    /// The length in `$length\r\n` of the first of so many missing arguments.
    Length { missing: usize },
    /// The bytes of the first of so many missing arguments, and their line end.
    Body { missing: usize, len: usize },
}

/// Finds requests at the front of a buffer that grows.
///
/// ```
/// use kv::resp::decode::{Decoder, Limits};
///
/// let mut decoder = Decoder::new(Limits::TRUSTED);
/// let buffer = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
/// assert_eq!(decoder.decode(&buffer[..9]), Ok(None)); // half of it: call again with more
/// let request = decoder.decode(buffer)?.unwrap();
/// assert_eq!(request.args.at(1), Some(&b"k"[..]));
/// let rest = &buffer[request.consumed..];
/// assert_eq!(decoder.decode(rest)?.unwrap().args.at(0), Some(&b"PING"[..]));
/// # Ok::<(), kv::resp::decode::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    phase: Phase,
    /// Everything before it has been looked at.
    cursor: usize,
    spans: Vec<Span>,
    /// The words of an inline request without their quotes.
    unquoted: Vec<u8>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::Start,
            cursor: 0,
            spans: Vec::new(),
            unquoted: Vec::new(),
        }
    }

    /// Applies other limits from the next request on, as when a client has authenticated.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The request at the front of `buffer`, or `None` while it is incomplete. Until a request has been
    /// returned, the next call must start with the same bytes; afterwards, with what follows it.
    ///
    /// # Errors
    /// The client broke the protocol or its limits. The connection cannot be used any further.
    pub fn decode<'a>(
        &'a mut self,
        buffer: &'a [u8],
    ) -> Result<Option<Request<'a>>, ProtocolError> {
        loop {
            match self.phase {
                Phase::Start => match buffer.first() {
                    None => return Ok(None),
                    Some(b'*') => {
                        if !self.read_count(buffer)? {
                            return Ok(None);
                        }
                    }
                    Some(_) => return self.read_inline(buffer),
                },
                Phase::Length { missing: 0 } => {
                    let consumed = self.restart();
                    let args = Args::new(buffer, &self.spans);
                    return Ok(Some(Request { args, consumed }));
                }
                Phase::Length { missing } => {
                    if !self.read_length(buffer, missing)? {
                        return Ok(None);
                    }
                }
                Phase::Body { missing, len } => {
                    if !self.read_body(buffer, missing, len)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Makes ready for the request after the current one, whose spans stay; says where it ended.
    fn restart(&mut self) -> usize {
        self.phase = Phase::Start;
        core::mem::take(&mut self.cursor)
    }

    fn forget_spans(&mut self) {
        self.spans.clear();
        self.spans.shrink_to(SPANS_KEPT_MAX);
    }

    fn read_count(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        let Some((count, next)) =
            length_line(buffer, 1).map_err(|_| ProtocolError::ArgumentCount)?
        else {
            return Ok(false);
        };
        // Redis takes a negative count for an empty request.
        let missing = usize::try_from(count.max(0)).map_err(|_| ProtocolError::ArgumentCount)?;
        if missing > self.limits.args_max {
            return Err(ProtocolError::ArgumentCount);
        }
        self.forget_spans();
        self.cursor = next;
        self.phase = Phase::Length { missing };
        Ok(true)
    }

    fn read_length(&mut self, buffer: &[u8], missing: usize) -> Result<bool, ProtocolError> {
        match buffer.get(self.cursor) {
            None => return Ok(false),
            Some(b'$') => {}
            Some(byte) => return Err(ProtocolError::NotABulk(*byte)),
        }
        let Some((len, next)) =
            length_line(buffer, self.cursor + 1).map_err(|_| ProtocolError::BulkLength)?
        else {
            return Ok(false);
        };
        let len = usize::try_from(len).map_err(|_| ProtocolError::BulkLength)?;
        if len > self.limits.bulk_len_max {
            return Err(ProtocolError::BulkLength);
        }
        if next.saturating_add(len).saturating_add(2) > self.limits.request_len_max {
            return Err(ProtocolError::RequestLength);
        }
        self.cursor = next;
        self.phase = Phase::Body { missing, len };
        Ok(true)
    }

    fn read_body(
        &mut self,
        buffer: &[u8],
        missing: usize,
        len: usize,
    ) -> Result<bool, ProtocolError> {
        let end = self.cursor + len;
        match buffer.get(end..end + 2) {
            None => return Ok(false),
            Some(b"\r\n") => {}
            Some(_) => return Err(ProtocolError::LineEnd),
        }
        self.spans.push(Span {
            start: self.cursor,
            end,
        });
        self.cursor = end + 2;
        self.phase = Phase::Length {
            missing: missing - 1,
        };
        Ok(true)
    }

    fn read_inline<'a>(
        &'a mut self,
        buffer: &'a [u8],
    ) -> Result<Option<Request<'a>>, ProtocolError> {
        let unseen = buffer.get(self.cursor..).unwrap_or_default();
        let found = memchr::memchr(b'\n', unseen).map(|offset| self.cursor + offset);
        if found.unwrap_or(buffer.len()) > INLINE_LEN_MAX {
            return Err(ProtocolError::InlineLength);
        }
        let Some(end) = found else {
            self.cursor = buffer.len();
            return Ok(None);
        };
        let line = buffer.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.forget_spans();
        self.unquoted.clear();
        self.split_words(line)?;
        self.restart();
        let args = Args::new(&self.unquoted, &self.spans);
        let consumed = end + 1;
        Ok(Some(Request { args, consumed }))
    }

    /// Cuts a line into words as Redis does: `"a\x00b"` with escapes, `'it\'s'` with one, else by blanks.
    fn split_words(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let mut rest = line;
        loop {
            rest = rest.trim_ascii_start();
            let Some(first) = rest.first() else {
                return Ok(());
            };
            let start = self.unquoted.len();
            rest = match first {
                b'"' => unquote_double(&rest[1..], &mut self.unquoted)?,
                b'\'' => unquote_single(&rest[1..], &mut self.unquoted)?,
                _ => bare_word(rest, &mut self.unquoted),
            };
            if self.spans.len() == self.limits.args_max {
                return Err(ProtocolError::ArgumentCount);
            }
            let end = self.unquoted.len();
            self.spans.push(Span { start, end });
        }
    }
}

/// The line is no number, or none that fits.
struct BadNumber;

/// The number that starts at `start` and where its line ends; `None` while the line end is missing.
#[inline]
fn length_line(buffer: &[u8], start: usize) -> Result<Option<(i64, usize)>, BadNumber> {
    let line = buffer.get(start..).unwrap_or_default();
    let negative = line.first() == Some(&b'-');
    let digits_start = usize::from(negative);
    let mut value: i64 = 0;
    for (offset, byte) in line.iter().enumerate().skip(digits_start) {
        match byte {
            b'0'..=b'9' if offset < LENGTH_DIGITS_MAX => {
                let digit = i64::from(byte - b'0');
                value = value
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_add(digit))
                    .ok_or(BadNumber)?;
            }
            b'\r' if offset > digits_start => {
                return match line.get(offset + 1) {
                    None => Ok(None),
                    Some(b'\n') => {
                        let value = if negative { -value } else { value };
                        Ok(Some((value, start + offset + 2)))
                    }
                    Some(_) => Err(BadNumber),
                };
            }
            _ => return Err(BadNumber),
        }
    }
    Ok(None)
}

fn bare_word<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let len = rest.iter().position(u8::is_ascii_whitespace);
    let (word, rest) = rest.split_at(len.unwrap_or(rest.len()));
    out.extend_from_slice(word);
    rest
}

fn unquote_single<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        rest = match rest {
            [b'\\', b'\'', rest @ ..] => {
                out.push(b'\'');
                rest
            }
            [b'\'', rest @ ..] => return after_quote(rest),
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => return Err(ProtocolError::Quotes),
        };
    }
}

fn unquote_double<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, tail) = match rest {
            [b'\\', b'x', high, low, tail @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), tail)
            }
            [b'\\', escaped, tail @ ..] => (unescape(*escaped), tail),
            [b'"', tail @ ..] => return after_quote(tail),
            [byte, tail @ ..] => (*byte, tail),
            [] => return Err(ProtocolError::Quotes),
        };
        out.push(byte);
        rest = tail;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        other => (other | 0x20).wrapping_sub(b'a').wrapping_add(10),
    }
}

fn after_quote(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(byte) if !byte.is_ascii_whitespace() => Err(ProtocolError::Quotes),
        _ => Ok(rest),
    }
}

#[cfg(test)]
mod tests;

//! Writes replies, in the version of RESP their connection speaks.
//!
//! What a command answers is the same in both versions; only the spelling differs: a missing value is
//! `_` or `$-1`, a map of n pairs is `%n` or an array of 2n, `true` is `#t` or `:1`. [`Encoder`] knows the
//! spelling so that no command has to.
//!
//! Replies are appended to a buffer that the connection owns and keeps, so a reply allocates nothing once
//! that buffer has grown.

use super::Protocol;

/// Appends replies to a buffer.
///
/// ```
/// use kv::resp::{Protocol, encode::Encoder};
///
/// let mut out = Vec::new();
/// Encoder::new(&mut out, Protocol::Resp2).null();
/// Encoder::new(&mut out, Protocol::Resp3).null();
/// assert_eq!(out, b"$-1\r\n_\r\n");
/// ```
#[derive(Debug)]
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Encoder<'a> {
    /// An encoder that appends to `out`.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The version it writes.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `OK`.
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A short status. Line ends in it become blanks.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text);
    }

    /// An error: its code in capitals, a blank, and a sentence. Line ends in it become blanks.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text);
    }

    /// A whole number.
    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    /// A count of things held in memory.
    pub fn count(&mut self, value: usize) {
        self.integer(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A byte string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.length(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A byte string, or null where there is none.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Text for people, which RESP3 marks as such.
    pub fn text(&mut self, text: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text.as_bytes()),
            Protocol::Resp3 => {
                self.length(b'=', text.len() + 4);
                self.out.extend_from_slice(b"txt:");
                self.out.extend_from_slice(text.as_bytes());
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// No value.
    pub fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Announces an array; its `len` elements follow.
    pub fn array(&mut self, len: usize) {
        self.length(b'*', len);
    }

    /// Announces a map; its `len` pairs follow, key before value.
    pub fn map(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.length(b'*', len.saturating_mul(2)),
            Protocol::Resp3 => self.length(b'%', len),
        }
    }

    /// Announces a set; its `len` elements follow.
    pub fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.length(b'*', len),
            Protocol::Resp3 => self.length(b'~', len),
        }
    }

    fn line(&mut self, tag: u8, text: &str) {
        self.out.push(tag);
        let clean = text.bytes().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            other => other,
        });
        self.out.extend(clean);
        self.out.extend_from_slice(b"\r\n");
    }

    fn header(&mut self, tag: u8, value: i64) {
        self.out.push(tag);
        push_decimal(self.out, value);
        self.out.extend_from_slice(b"\r\n");
    }

    fn length(&mut self, tag: u8, len: usize) {
        self.header(tag, i64::try_from(len).unwrap_or(i64::MAX));
    }
}

/// Appends a request as clients send it: an array of byte strings.
pub fn request<'a, I>(out: &mut Vec<u8>, args: I)
where
    I: ExactSizeIterator<Item = &'a [u8]>,
{
    let mut encoder = Encoder::new(out, Protocol::Resp2);
    encoder.array(args.len());
    args.for_each(|arg| encoder.bulk(arg));
}

/// Appends a number in decimal digits; the formatting machinery of `core` takes several times as long.
pub fn push_decimal(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        // The remainder of a division by ten always fits.
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(protocol: Protocol, write: impl FnOnce(&mut Encoder<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Encoder::new(&mut out, protocol));
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(resp2: &str, resp3: &str, write: impl Fn(&mut Encoder<'_>)) {
        assert_eq!(encoded(Protocol::Resp2, &write), resp2);
        assert_eq!(encoded(Protocol::Resp3, &write), resp3);
    }

    #[test]
    fn both_versions_spell_alike() {
        check("+OK\r\n", "+OK\r\n", |e| e.ok());
        check(":-12\r\n", ":-12\r\n", |e| e.integer(-12));
        check("$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n", |e| e.bulk(b"a\r\n"));
        check("*2\r\n", "*2\r\n", |e| e.array(2));
    }

    #[test]
    fn versions_spell_null_map_set_and_text_differently() {
        check("$-1\r\n", "_\r\n", |e| e.null());
        check("*4\r\n", "%2\r\n", |e| e.map(2));
        check("*2\r\n", "~2\r\n", |e| e.set(2));
        check("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", |e| e.text("hi"));
    }

    #[test]
    fn line_ends_cannot_be_smuggled_into_an_error() {
        check("-ERR a  :1\r\n", "-ERR a  :1\r\n", |e| {
            e.error("ERR a\r\n:1")
        });
    }

    #[test]
    fn decimals_agree_with_the_standard_library() {
        for value in [0, 1, -1, 9, 10, 99, 100, 12345, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_decimal(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}

//! A list of byte strings, wherever it comes from: the arguments of a request or an encoded operation.
//!
//! `DEL` with a thousand keys should neither copy them into a vector to be encoded nor into another one to
//! be applied. [`Strings`] is a view over either form.

use core::fmt;

use super::DecodeError;
use crate::resp::decode::Args;

/// A list of byte strings that somebody else owns.
#[derive(Clone, Copy)]
pub struct Strings<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    Args(Args<'a>),
    Slices(&'a [&'a [u8]]),
    /// As many strings with their lengths, already checked.
    Encoded {
        count: u32,
        bytes: &'a [u8],
    },
}

impl<'a> From<Args<'a>> for Strings<'a> {
    fn from(args: Args<'a>) -> Self {
        Self(Source::Args(args))
    }
}

impl<'a> From<&'a [&'a [u8]]> for Strings<'a> {
    fn from(slices: &'a [&'a [u8]]) -> Self {
        Self(Source::Slices(slices))
    }
}

impl<'a> Strings<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Args(args) => args.len(),
            Source::Slices(slices) => slices.len(),
            Source::Encoded { count, .. } => usize::try_from(count).unwrap_or(usize::MAX),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them in order.
    pub fn iter(&self) -> Iter<'a> {
        Iter {
            source: self.0,
            next: 0,
        }
    }

    /// All of them in order, two at a time.
    pub fn pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut strings = self.iter();
        core::iter::from_fn(move || Some((strings.next()?, strings.next()?)))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        push_length(out, self.len());
        self.iter().for_each(|string| push(out, string));
    }

    /// Checks every length, so that iterating cannot fail.
    pub(super) fn decode(rest: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let count = take_length(rest)?;
        let bytes = *rest;
        for _ in 0..count {
            take(rest)?;
        }
        Ok(Self(Source::Encoded { count, bytes }))
    }
}

impl PartialEq for Strings<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Strings<'_> {}

impl fmt::Debug for Strings<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.iter().map(|string| string.escape_ascii().to_string());
        formatter.debug_list().entries(texts).finish()
    }
}

/// Iterates over [`Strings`].
#[derive(Clone)]
pub struct Iter<'a> {
    source: Source<'a>,
    next: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.source {
            Source::Args(args) => {
                let string = args.at(self.next)?;
                self.next += 1;
                Some(string)
            }
            Source::Slices(slices) => {
                let string = slices.get(self.next)?;
                self.next += 1;
                Some(string)
            }
            Source::Encoded { count, bytes } => {
                *count = count.checked_sub(1)?;
                take(bytes).ok()
            }
        }
    }
}

/// Appends a string after its length.
pub(super) fn push(out: &mut Vec<u8>, string: &[u8]) {
    push_length(out, string.len());
    out.extend_from_slice(string);
}

/// Takes a string and its length off the front.
#[inline]
pub(super) fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let len = take_length(rest)?;
    let len = usize::try_from(len).map_err(|_| DecodeError::Length)?;
    let (string, tail) = rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
    *rest = tail;
    Ok(string)
}

/// Lengths come from a decoder that refuses anything near 4 GiB, so they fit.
fn push_length(out: &mut Vec<u8>, len: usize) {
    let mut rest = u32::try_from(len).unwrap_or(u32::MAX);
    while rest >= 0x80 {
        out.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    out.push(rest.to_le_bytes()[0]);
}

#[inline]
fn take_length(rest: &mut &[u8]) -> Result<u32, DecodeError> {
    let mut len: u64 = 0;
    for shift in (0..35).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(DecodeError::Truncated)?;
        *rest = tail;
        len |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // A last group of zeros could have been left out.
            if *byte == 0 && shift > 0 {
                return Err(DecodeError::Length);
            }
            return u32::try_from(len).map_err(|_| DecodeError::Length);
        }
    }
    Err(DecodeError::Length)
}

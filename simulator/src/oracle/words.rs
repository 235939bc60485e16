//! What contradicts what, in words.
//!
//! Hardly anything is ever wrong, and what makes words is long. It is kept off the path on which
//! all is well, so that this path fits into the caches that hold instructions.

use core::fmt;

/// As `format!`, where it is not expected to be reached.
macro_rules! words {
    ($($part:tt)*) => {
        $crate::oracle::words::put(format_args!($($part)*))
    };
}

pub(crate) use words;

#[cold]
#[inline(never)]
pub(crate) fn put(parts: fmt::Arguments<'_>) -> String {
    parts.to_string()
}

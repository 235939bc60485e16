//! What can be run, a module for each word.

pub(crate) mod coverage;
// Whoever stops reading, as `| head` does, has seen enough: no reason to panic.
macro_rules! println {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}
macro_rules! print {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout(), $($words)*);
    }};
}

pub(crate) mod crash_points;
pub(crate) mod determinism;
pub(crate) mod draw;
pub(crate) mod explore;
pub(crate) mod histories;
pub(crate) mod hostile;
pub(crate) mod linear;
pub(crate) mod museum;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod search;
pub(crate) mod shrink;
pub(crate) mod topologies;

/// Which part of the work, of how many: `I/N`, counted from zero.
fn shard(text: &str) -> Result<(u64, u64), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(place, count)| Some((place.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((place, count)) if place < count => Ok((place, count)),
        _ => Err("a shard is I/N with I below N".into()),
    }
}

//! Histories as text, one in a line: a name, then the operations.
//!
//! ```text
//! stale read | x=1 0-1 | x=2 2-3 | x:1 4-5
//! ```
//!
//! `x=1` writes, `x:1` reads 1, `x:1>2` swaps 1 for 2, `x:1!` wanted to swap 1 and found another.
//! Behind it stand call and end; the end `?` is not known. Empty lines and lines that begin with
//! `#` say nothing.

use super::{Action, Operation};

/// A history and its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// What it shows.
    pub name: String,
    /// Its operations.
    pub history: Vec<Operation>,
}

/// Reads histories.
///
/// # Errors
///
/// The first part that cannot be read.
pub fn parse(text: &str) -> Result<Vec<Named>, String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(parse_line).collect()
}

fn parse_line(line: &str) -> Result<Named, String> {
    let mut parts = line.split('|').map(str::trim);
    let name = parts.next().unwrap_or_default().to_owned();
    let read = |part| parse_operation(part).ok_or_else(|| format!("{name}: what is \"{part}\"?"));
    let history = parts.map(read).collect::<Result<_, _>>()?;
    Ok(Named { name, history })
}

fn parse_operation(part: &str) -> Option<Operation> {
    let (what, when) = part.split_once(' ')?;
    let (call, end) = when.trim().split_once('-')?;
    let register = what.chars().next()?;
    let rest = what.get(register.len_utf8()..)?;
    let action = if let Some(value) = rest.strip_prefix('=') {
        Action::Write(value.parse().ok()?)
    } else {
        let rest = rest.strip_prefix(':')?;
        match (rest.split_once('>'), rest.strip_suffix('!')) {
            (Some((from, to)), _) => Action::Swap {
                from: from.parse().ok()?,
                to: to.parse().ok()?,
            },
            (None, Some(wanted)) => Action::SwapFailed(wanted.parse().ok()?),
            (None, None) => Action::Read(rest.parse().ok()?),
        }
    };
    let end = match end {
        "?" => None,
        end => Some(end.parse().ok()?),
    };
    Some(Operation {
        // `w` is 0, so that the few registers of a text have small numbers.
        key: u32::from(register).checked_sub(u32::from('w'))?,
        action,
        call: call.parse().ok()?,
        end,
    })
}

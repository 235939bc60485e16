//! How many files the system lets this process have open, and how many clients that leaves room for.
//!
//! A connection is an open file. Without room for one more, nodes could not reach this one, a snapshot could not be
//! written, and nobody could ask what is wrong: so clients get what is left when everything else has its share, and
//! one client too many is told so instead of waiting for ever.

use anyhow::{Context, bail};
use rlimit::Resource;
use tracing::warn;

/// The most clients at a time.
const CLIENTS_MAX: usize = 10_000;
/// With room for fewer clients than this, a server is of no use.
const CLIENTS_MIN: usize = 16;
/// The journal, snapshots, standard streams, ports, and connections that are about to be refused.
const OWN_MAX: usize = 64;

/// Raises the limit of open files as far as it is needed and allowed; says how many clients fit beside so many
/// connections of others.
///
/// # Errors
/// Hardly any.
pub fn clients_max(others_max: usize) -> anyhow::Result<usize> {
    let wanted = u64::try_from(CLIENTS_MAX + OWN_MAX + others_max)?;
    let (now, _) = Resource::NOFILE
        .get()
        .context("cannot ask how many files may be open")?;
    let limit = match now < wanted {
        // If the system refuses, what there was is left.
        true => rlimit::increase_nofile_limit(wanted).unwrap_or(now),
        false => now,
    };
    let clients = left(usize::try_from(limit).unwrap_or(usize::MAX), others_max);
    if clients < CLIENTS_MIN {
        let least = CLIENTS_MIN + OWN_MAX + others_max;
        bail!(
            "at most {limit} files may be open, which is too few: allow at least {least}, as of `ulimit -n {least}`"
        );
    }
    if clients < CLIENTS_MAX {
        warn!(
            "at most {limit} files may be open: room for {clients} clients, not for {CLIENTS_MAX}"
        );
    }
    Ok(clients)
}

/// How many clients fit below a limit of open files.
fn left(limit: usize, others_max: usize) -> usize {
    let left = limit.saturating_sub(others_max).saturating_sub(OWN_MAX);
    left.min(CLIENTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_get_what_the_others_leave() {
        assert_eq!(left(1_000_000, 352), CLIENTS_MAX);
        assert_eq!(left(CLIENTS_MAX + OWN_MAX + 352, 352), CLIENTS_MAX);
        assert_eq!(left(1024, 352), 1024 - 352 - OWN_MAX);
        assert_eq!(left(300, 352), 0);
    }
}

//! Going on without the group: `kv recover`.
//!
//! A majority that is lost for good takes the group with it. What one survivor holds can found another:
//! [`raft_core::Raft::recover`] says what that may lose and what it may bring back. Here it is offline, on
//! the data directory of a node that is not running, and takes the place of everything in the journal in one
//! transaction: a crash leaves the old node or the new one.

use core::fmt::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use clocks::Instant;
use raft_core::error::RecoverError;
use raft_core::{Raft, Survivor};

use crate::engine::Machine;
use crate::setup::{self, Stored, first_record, seed};
use crate::storage::{Journal, Snapshots};

/// Whether the operator takes what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The node goes on alone.
    Given,
    /// Nothing is changed; the report says what the node holds.
    Withheld,
}

/// Says what the node in this directory holds, and with consent makes it a group of its own.
///
/// # Errors
/// One line that says why not. Nothing was changed, but for one error that says that this is not known: the
/// disk failed while the new group was written, and the directory holds the old node or the new one.
pub fn recover(directory: &Path, window_len: usize, consent: Consent) -> anyhow::Result<String> {
    let shown = directory.display();
    let Stored {
        settings,
        recovered,
        mut journal,
    } = setup::read(directory, window_len)?;
    let survivor = recovered.survivor();
    let survivor = survivor.with_context(|| format!("{shown} cannot be recovered"))?;
    let mut report = describe(&survivor);
    if consent == Consent::Withheld {
        writeln!(
            report,
            "nothing was changed; --accept-data-loss goes on with this"
        )?;
        return Ok(report);
    }
    let snapshot = recovered.snapshot();
    let applied = snapshot.last.index;
    if applied.value() > 0 {
        // The state up to there is nowhere else.
        let saved = Snapshots::new(directory.to_owned()).load(&snapshot);
        saved.with_context(|| format!("the snapshot in {shown} cannot be used"))?;
    }
    let config = settings.config(None)?;
    let raft: Result<Machine, RecoverError> =
        Raft::recover(config, recovered, applied, seed(), Instant::ZERO);
    let raft = raft.with_context(|| format!("{shown} cannot be recovered"))?;
    let group = raft.group();
    let mut record = first_record(raft)?;
    store(&mut journal, &mut record, &shown.to_string())?;
    writeln!(
        report,
        "this node is now the only one of group {group}: run it with `kv serve --dir {shown}`, and let the \
         others join it with empty directories"
    )?;
    Ok(report)
}

fn store(journal: &mut Journal, record: &mut [u8], shown: &str) -> anyhow::Result<()> {
    journal.append(record, true).map_err(|failure| {
        anyhow!(failure.text).context(format!(
            "cannot write to {shown}, and whether the new group is stored there is not known: run `kv recover` \
             without --accept-data-loss and look before another survivor is chosen"
        ))
    })
}

fn describe(survivor: &Survivor) -> String {
    let Survivor {
        group,
        identity,
        standing,
        last,
        commit,
        term,
    } = survivor;
    let standing = match standing {
        Some(standing) => format!("{standing:?}").to_lowercase(),
        None => "about to be removed".into(),
    };
    format!(
        "node {}, {standing} of group {group}\nlast term {}, last entry {}\ncommitted at least up to entry \
         {commit}, has seen term {term}\n",
        identity.node, last.term, last.index
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::start_record;

    #[test]
    fn a_failed_write_says_that_the_outcome_is_unknown_and_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let mut record = Vec::new();
        start_record(&mut record);
        Journal::create(root.path(), b"settings", &mut record).unwrap();
        let (mut journal, _) = Journal::open(root.path(), |_| Ok(())).unwrap();
        journal.fill_disk(true);
        let error = store(&mut journal, &mut record, "n1").unwrap_err();
        let said = format!("{error:#}");
        for part in [
            "to n1",
            "is not known",
            "without --accept-data-loss and look",
        ] {
            assert!(said.contains(part), "{said}");
        }
        journal.fill_disk(false);
        store(&mut journal, &mut record, "n1").unwrap();
    }
}

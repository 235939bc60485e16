//! Logs, `[Ongaro14 §3.5, §5]`: what a leader adds, what a follower takes, what is compacted.

use raft_core::{Body, ChunkData, EntryKind};

use super::message::hollow_entries;
use super::{Abstract, Entry, Id, Input, Log, Step, must};

pub(super) fn check(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    must(after.verified.unwrap_or(0) <= after.last().index, || {
        "§3.5: more is verified than there is".into()
    })?;
    if step.becomes_leader() {
        return begins_term(step);
    }
    if let Some(offer) = offer_of_leader(step) {
        return takes(step, &offer);
    }
    if let Some(last) = hollow_snapshot_of_leader(step)
        && after.log.base != before.log.base
    {
        verified_stays(step)?;
        return installs(before, after, last);
    }
    verified_stays(step)?;
    match step.input {
        Input::Compact(index) => compacts(before, after, index.value()),
        Input::Stored(snapshot) if after.log.base != before.log.base => {
            installs(before, after, Id::from(snapshot.last))
        }
        Input::Propose | Input::Reconfigure | Input::Message(..) | Input::Persisted(_)
            if step.stays_leader() =>
        {
            adds(step)
        }
        _ => must(after.log.entries == before.log.entries, || {
            format!("§3.5: the log changes by {:?}", step.input)
        }),
    }?;
    must(
        after.log.base == before.log.base
            || matches!(step.input, Input::Compact(_) | Input::Stored(_)),
        || format!("§5.1: the log is compacted by {:?}", step.input),
    )
}

/// A leader begins its term with an empty entry `[Ongaro14 §6.4]`, the founder with the members.
fn begins_term(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let added = grown_by(&before.log, &after.log)?;
    let [entry] = added else {
        return Err(format!(
            "§3.6.2: a leader begins with {} entries",
            added.len()
        ));
    };
    must(entry.term == after.term, || {
        "§3.5: a leader makes an entry of another term".into()
    })?;
    must(entry.kind == EntryKind::NoOp || step.is_founding(), || {
        "§6.4: a leader does not begin with an empty entry".into()
    })
}

/// A leader only adds to its log, entries of its own term, of the kinds that it was asked for.
fn adds(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let added = grown_by(&before.log, &after.log)?;
    must(added.iter().all(|entry| entry.term == after.term), || {
        "§3.5: a leader makes an entry of another term".into()
    })?;
    let kind = match step.input {
        Input::Propose => EntryKind::Command,
        // A change that begins, or a joint configuration that ends.
        _ => EntryKind::Configuration,
    };
    must(added.iter().all(|entry| entry.kind == kind), || {
        format!("§3.5: a leader adds {added:?} by {:?}", step.input)
    })
}

/// What was added to a log that is otherwise the same.
fn grown_by<'l>(before: &Log, after: &'l Log) -> Result<&'l [Entry], String> {
    let is_same = after.base == before.base && after.entries.starts_with(&before.entries);
    must(is_same, || "§3.5: a leader changes its log".into())?;
    Ok(&after.entries[before.entries.len()..])
}

/// Entries that a leader offers: whole to those that keep payloads, hollow to witnesses.
struct Offer {
    prev: Id,
    commit: u64,
    entries: Vec<Entry>,
}

/// What came from the leader of the node's term, if something did.
fn offer_of_leader(step: &Step<'_>) -> Option<Offer> {
    let (from, message) = step.message()?;
    let is_now = u64::from(message.term.value()) == step.after.term;
    if !is_now || step.after.leader != Some(from) {
        return None;
    }
    let (prev, commit, entries) = match &message.body {
        Body::Append(append) => {
            let entries = append.entries.iter(append.prev.index.next());
            let entries = entries.map(|entry| Entry::of(&entry)).collect();
            (append.prev, append.commit, entries)
        }
        Body::Hollow(hollow) => (hollow.prev, hollow.commit, hollow_entries(hollow)),
        _ => return None,
    };
    Some(Offer {
        prev: Id::from(prev),
        commit: commit.value(),
        entries,
    })
}

/// The end of a snapshot for a witness that came from the leader: it is installed at once.
fn hollow_snapshot_of_leader(step: &Step<'_>) -> Option<Id> {
    let (from, message) = step.message()?;
    let is_now = u64::from(message.term.value()) == step.after.term;
    match &message.body {
        Body::Chunk(chunk)
            if is_now && chunk.data == ChunkData::Hollow && step.after.leader == Some(from) =>
        {
            Some(Id::from(chunk.snapshot.last))
        }
        _ => None,
    }
}

/// A follower takes entries that follow one of its own: some prefix of them, as it has room.
/// With them goes the commit, and how far its log is the leader's.
fn takes(step: &Step<'_>, offer: &Offer) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let (prev, commit, entries) = (offer.prev, offer.commit, &offer.entries);
    let known = if before.term == after.term && before.leader == after.leader {
        before.verified.unwrap_or(0)
    } else {
        0
    };
    let is_match =
        prev.index <= before.log.base.index || before.log.term(prev.index) == Some(prev.term);
    if !is_match {
        must(after.log.entries == before.log.entries, || {
            format!("§3.5: entries are taken that do not follow {prev:?}")
        })?;
        must(after.commit == before.commit, || {
            "§3.5: a commit counts that does not follow".into()
        })?;
        return must(after.verified == Some(known), || {
            "§3.5: a log counts as the leader's that is not".into()
        });
    }
    let is_successor = |count: usize| {
        let end = prev.index + count as u64;
        merged(&before.log, prev.index, &entries[..count]) == *after.log.entries
            && after.commit == before.commit.max(commit.min(end))
            && after.verified == Some(end.max(known))
    };
    let is_same = after.log.base == before.log.base;
    must(
        is_same && (0..=entries.len()).rev().any(is_successor),
        || {
            format!(
                "§3.5: {} entries after {prev:?} with commit {commit} make of log {:?}, commit {}, \
             verified {known} the log {:?}, commit {}, verified {:?}",
                entries.len(),
                before.last(),
                before.commit,
                after.last(),
                after.commit,
                after.verified,
            )
        },
    )
}

/// A log with entries taken after `prev`: what is here stays, and gives way only from the first
/// entry on that differs.
fn merged(log: &Log, prev: u64, entries: &[Entry]) -> Vec<Entry> {
    let mut merged = log.entries.to_vec();
    for (index, entry) in (prev + 1..).zip(entries) {
        let Some(place) = index.checked_sub(log.base.index + 1) else {
            continue;
        };
        let place = place as usize;
        if merged.get(place).is_some_and(|old| old.term == entry.term) {
            continue;
        }
        merged.truncate(place);
        merged.push(*entry);
    }
    merged
}

/// Without an append, only a snapshot shows that a log is the leader's.
fn verified_stays(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let Some(verified) = after.verified else {
        return Ok(());
    };
    let is_same = before.term == after.term && before.leader == after.leader;
    let known = if is_same {
        before.verified.unwrap_or(0)
    } else {
        0
    };
    let covered = match (step.input, step.message()) {
        (Input::Stored(snapshot), _) => snapshot.last.index.value(),
        (_, Some((_, message))) => match message.body {
            Body::Chunk(chunk)
                if has_all_of(before, Id::from(chunk.snapshot.last))
                    || chunk.data == ChunkData::Hollow =>
            {
                chunk.snapshot.last.index.value()
            }
            _ => 0,
        },
        _ => 0,
    };
    must(verified == known || verified == known.max(covered), || {
        format!("§3.5: {verified} is verified by {:?}", step.input)
    })
}

/// Whether everything up to `last` is here, or committed.
pub(super) fn has_all_of(state: &Abstract, last: Id) -> bool {
    last.index <= state.commit || state.log.term(last.index) == Some(last.term)
}

/// Compaction drops entries that were handed over, and nothing else, `[Ongaro14 §5.1]`.
fn compacts(before: &Abstract, after: &Abstract, index: u64) -> Result<(), String> {
    if after.log.base == before.log.base {
        return must(after.log == before.log, || {
            "§5.1: a compaction that is none changes the log".into()
        });
    }
    must(index <= before.delivered, || {
        "§5.1: an entry is dropped that was not handed over".into()
    })?;
    let base = Id {
        index,
        term: before.log.term(index).unwrap_or(0),
    };
    must(after.log.base == base, || {
        format!(
            "§5.1: compaction up to {base:?} ends at {:?}",
            after.log.base
        )
    })?;
    must(*after.log.entries == before.log.after(index), || {
        "§5.1: compaction changes the entries that stay".into()
    })
}

/// A snapshot of what is not here replaces the log, `[Ongaro14 §5.3]`.
fn installs(before: &Abstract, after: &Abstract, last: Id) -> Result<(), String> {
    must(!has_all_of(before, last), || {
        "§5.3: a snapshot replaces entries that it agrees with".into()
    })?;
    must(
        after.log.base == last && after.log.entries.is_empty(),
        || {
            format!(
                "§5.3: the snapshot up to {last:?} ends at {:?}",
                after.log.base
            )
        },
    )
}

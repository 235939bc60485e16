//! Drivers that do one thing wrong, so that the tester can be seen to find it.

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// Messages leave before the write that they rest on begins.
    SendsBeforeStoring,
    /// A write is reported when it is written and not synced yet.
    AcknowledgesBeforeSync,
    /// The vote is stored first, and the term after it.
    SplitsTermAndVote,
    /// A failed write or sync is reported as done.
    IgnoresFailures,
    /// A torn record at the end of the journal is taken for a whole one.
    ReplaysTornRecord,
    /// Entries in the place of others are taken for stored already.
    ForgetsTruncation,
    /// Records of before stay in their file, and are read after the one that begins anew.
    KeepsOldJournal,
    /// The record that names a snapshot is stored before the snapshot.
    NamesSnapshotFirst,
    /// A restart claims that everything is applied that was, with the snapshot's state.
    AppliesNothingAgain,
    /// A damaged record counts as the end of the journal.
    DropsDamage,
    /// A file takes the place of another, and the directory is not synced.
    ForgetsNames,
    /// A snapshot is kept without a look at its checksum.
    TrustsSnapshots,
}

impl Flaw {
    /// Every one of them.
    pub const ALL: [Flaw; 12] = [
        Flaw::SendsBeforeStoring,
        Flaw::AcknowledgesBeforeSync,
        Flaw::SplitsTermAndVote,
        Flaw::IgnoresFailures,
        Flaw::ReplaysTornRecord,
        Flaw::ForgetsTruncation,
        Flaw::KeepsOldJournal,
        Flaw::NamesSnapshotFirst,
        Flaw::AppliesNothingAgain,
        Flaw::DropsDamage,
        Flaw::ForgetsNames,
        Flaw::TrustsSnapshots,
    ];
}

/// A record with another term and the vote as it is: what is on the medium between the two halves
/// of a write that was split.
pub(super) fn with_term(record: &[u8], term: u32) -> Vec<u8> {
    // Version, group, node and incarnation stand before the term, each but the first a varint.
    let start = skip(record, 1, 3);
    let mut changed = record[..start].to_vec();
    put_varint(&mut changed, u64::from(term));
    changed.extend_from_slice(&record[skip(record, start, 1)..]);
    changed
}

/// A record that does not begin anew, without its entries: they are said to be stored up to `last`.
pub(super) fn without_entries(record: &[u8], last: u64) -> Vec<u8> {
    let vote = skip(record, 1, 4);
    let commit = match record[vote] {
        0 => vote + 1,
        _ => skip(record, vote + 1, 2),
    };
    let beginning = skip(record, commit, 1);
    let mut changed = record[..=beginning].to_vec();
    put_varint(&mut changed, last);
    put_varint(&mut changed, 0);
    changed
}

/// The place behind so many varints.
fn skip(record: &[u8], mut place: usize, varints: usize) -> usize {
    for _ in 0..varints {
        let rest = record[place..].iter();
        place += rest.take_while(|byte| **byte & 0x80 != 0).count() + 1;
    }
    place
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

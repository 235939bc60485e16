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
    let mut start = 1;
    for _ in 0..3 {
        start += varint_len(record.get(start..).unwrap_or_default());
    }
    let end = start + varint_len(record.get(start..).unwrap_or_default());
    let mut changed = record.get(..start).unwrap_or_default().to_vec();
    let mut rest = term;
    while rest >= 0x80 {
        changed.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    changed.push(rest as u8);
    changed.extend_from_slice(record.get(end..).unwrap_or_default());
    changed
}

fn varint_len(bytes: &[u8]) -> usize {
    let more = bytes.iter().take_while(|byte| **byte & 0x80 != 0).count();
    more + 1
}

//! A journal in [`Files`]: records one behind the other, each with checksums; the example of a
//! [`Store`] that keeps the contract.
//!
//! A power cut leaves a prefix of the record that was being written, with nothing or with zeros
//! behind it; decay changes bits in the middle of what was written. To tell them apart, head and
//! body end with a byte that is never zero, and the head has a checksum of its own: where such a
//! byte stands and the checksum is wrong the record was whole once, and is refused.

use raft_core::{RECORD_HEADER_BYTES_MAX, Snapshot, Write};

use super::application::checksum;
use super::driver::Store;
use super::files::Files;
use super::flaw::{Flaw, with_term, without_entries};
use super::medium::{Failed, Medium};
use super::rig::Refusal;

const JOURNAL: &str = "journal";
const FRESH: &str = "journal.new";
/// Only the flaw that keeps it has one.
const OLD: &str = "journal.old";
/// Length, checksum of the length, mark.
const HEAD_BYTES: usize = 9;
/// Checksum of the body, mark.
const TAIL_BYTES: usize = 9;
const MARK: u8 = 0xa5;

/// The journal and the snapshots of one node.
#[derive(Debug)]
pub struct Journal {
    files: Files,
    flaw: Flaw,
    end: usize,
    /// The last index stored, and the term of the latest record, for the flaws that want to know.
    last: u64,
    term: u32,
}

/// What stands at a place of the file.
enum Found<'f> {
    Whole(&'f [u8], usize),
    Torn,
    Damaged,
}

impl Journal {
    /// A journal in these files.
    pub fn new(files: Files) -> Self {
        Journal::flawed(files, Flaw::None)
    }

    /// A journal that does something wrong.
    pub fn flawed(files: Files, flaw: Flaw) -> Self {
        Journal {
            files,
            flaw,
            end: 0,
            last: 0,
            term: 0,
        }
    }

    fn read(&self, name: &str) -> Result<(Vec<Vec<u8>>, usize), Refusal> {
        let bytes = self.files.read(name).unwrap_or_default();
        let (mut records, mut place) = (Vec::new(), 0);
        while place < bytes.len() {
            match find(&bytes[place..]) {
                Found::Whole(record, len) => {
                    records.push(record.to_vec());
                    place += len;
                }
                Found::Torn if self.flaw == Flaw::ReplaysTornRecord => {
                    let rest = &bytes[place..];
                    records.push(rest.get(HEAD_BYTES..).unwrap_or_default().to_vec());
                    break;
                }
                Found::Damaged if self.flaw == Flaw::DropsDamage => break,
                Found::Torn => break,
                Found::Damaged => {
                    let what = format!("the record at byte {place} of {name}");
                    return Err(Refusal::Damaged(what));
                }
            }
        }
        Ok((records, place))
    }

    fn put(&mut self, record: &[u8], begins_anew: bool) -> Result<(), Failed> {
        let stored = frame(record);
        if !begins_anew {
            if self.flaw == Flaw::AcknowledgesBeforeSync && self.end > 0 {
                self.files.sync(JOURNAL)?;
            }
            self.files.write(JOURNAL, self.end, &stored)?;
            if self.flaw != Flaw::AcknowledgesBeforeSync {
                self.files.sync(JOURNAL)?;
            }
            self.end += stored.len();
            return Ok(());
        }
        if self.flaw == Flaw::KeepsOldJournal {
            let old = self.files.read(JOURNAL).unwrap_or_default();
            self.files.append(OLD, &old)?;
            self.files.sync(OLD)?;
        }
        // This record stands for all before it.
        self.replace(&stored)?;
        self.end = stored.len();
        Ok(())
    }

    /// A new file takes the old one's place.
    fn replace(&self, bytes: &[u8]) -> Result<(), Failed> {
        self.files.set_len(FRESH, 0)?;
        self.files.write(FRESH, 0, bytes)?;
        self.files.sync(FRESH)?;
        self.files.rename(FRESH, JOURNAL)?;
        if self.flaw != Flaw::ForgetsNames {
            self.files.sync_names()?;
        }
        Ok(())
    }

    /// Removes snapshots that the durable record that begins anew stands for.
    fn prune(&self, name: &Snapshot) {
        for other in self.files.names() {
            let index = other.strip_prefix("snapshot-").and_then(|rest| {
                let (index, _) = rest.split_once('-')?;
                index.parse::<u64>().ok()
            });
            if index.is_some_and(|index| index < name.last.index.value()) {
                // What cannot be removed now is removed next time.
                let _ = self.files.remove(&other);
            }
        }
    }
}

/// A record as it is stored.
fn frame(record: &[u8]) -> Vec<u8> {
    let len = (record.len() as u32).to_le_bytes();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + record.len() + TAIL_BYTES);
    bytes.extend_from_slice(&len);
    bytes.extend_from_slice(&(checksum(&len) as u32).to_le_bytes());
    bytes.push(MARK);
    bytes.extend_from_slice(record);
    bytes.extend_from_slice(&checksum(record).to_le_bytes());
    bytes.push(MARK);
    bytes
}

fn find(bytes: &[u8]) -> Found<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
        return Found::Torn;
    };
    let [a, b, c, d, sum @ .., mark] = *head;
    let len = [a, b, c, d];
    if mark == 0 {
        return Found::Torn;
    }
    if mark != MARK || (checksum(&len) as u32).to_le_bytes() != sum {
        return Found::Damaged;
    }
    let len = u32::from_le_bytes(len) as usize;
    let Some((record, tail)) = rest.split_at_checked(len) else {
        return Found::Torn;
    };
    let Some((tail, _)) = tail.split_first_chunk::<TAIL_BYTES>() else {
        return Found::Torn;
    };
    let (sum, mark) = tail.split_at(TAIL_BYTES - 1);
    match mark {
        [0] => Found::Torn,
        [MARK] if checksum(record).to_le_bytes() == *sum => {
            Found::Whole(record, HEAD_BYTES + len + TAIL_BYTES)
        }
        _ => Found::Damaged,
    }
}

fn file_of(name: &Snapshot) -> String {
    format!("snapshot-{}-{}", name.last.index, name.last.term)
}

impl Store for Journal {
    fn open(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        (self.end, self.last, self.term) = (0, 0, 0);
        let failed = |_| Refusal::Unusable("the journal cannot be stored again".into());
        let (mut records, end) = self.read(JOURNAL)?;
        if end > 0 {
            // What is read may be in memory only: after a sync that failed, a system shows as
            // stored what it has dropped. It counts from now on, so it is stored again, and a
            // torn record, which was never acknowledged, is left behind.
            let kept = self.files.read(JOURNAL).unwrap_or_default();
            self.replace(&kept[..end]).map_err(failed)?;
        }
        self.end = end;
        if self.flaw == Flaw::KeepsOldJournal {
            records.extend(self.read(OLD)?.0);
        }
        Ok(records)
    }

    fn append(&mut self, write: &Write<'_>) -> Result<(), Failed> {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        let overwrites = write.after() < write.last() && write.last().value() <= self.last;
        if self.flaw == Flaw::ForgetsTruncation && overwrites && !write.begins_anew() {
            return self.put(&without_entries(&record, self.last), false);
        }
        let hard = write.hard_state();
        let begins_anew = write.begins_anew();
        if self.flaw == Flaw::SplitsTermAndVote && !begins_anew && hard.term.value() > self.term {
            self.put(&with_term(&record, self.term), begins_anew)?;
        }
        self.put(&record, begins_anew)?;
        self.last = write.last().value();
        self.term = hard.term.value();
        if let Some(name) = write.snapshot() {
            self.prune(&name);
        }
        Ok(())
    }

    fn save(&mut self, name: &Snapshot, bytes: &[u8]) -> Result<(), Failed> {
        let (file, fresh) = (file_of(name), "snapshot.new");
        self.files.set_len(fresh, 0)?;
        self.files.write(fresh, 0, bytes)?;
        self.files.sync(fresh)?;
        self.files.rename(fresh, &file)?;
        self.files.sync_names()
    }

    fn load(&mut self, name: &Snapshot) -> Result<Vec<u8>, Refusal> {
        let file = file_of(name);
        let refuse = |what: &str| Refusal::Snapshot(format!("{file} {what}"));
        let bytes = self.files.read(&file).ok_or_else(|| refuse("is missing"))?;
        let is_it = bytes.len() as u64 == name.size && checksum(&bytes) as u32 == name.checksum;
        if !is_it && self.flaw != Flaw::TrustsSnapshots {
            return Err(refuse("is damaged"));
        }
        Ok(bytes)
    }

    fn medium(&mut self) -> &mut dyn Medium {
        &mut self.files
    }
}

//! The journal, examined: a real database in a real file, whose contents after a power cut are any
//! that a disk may leave of the pages that were not synced.
//!
//! Not examined here are the making of a data directory (a crash in it leaves one that is refused,
//! and is made anew) and the files of snapshots, which the examination keeps in its own way.

use std::fs;

use raft_core::{RECORD_HEADER_BYTES_MAX, Snapshot, Write};
use simulator::contract::{
    self, Blow, Driver, Failed, Fate, Fault, Files, History, Medium, Point, Refusal, Store, replay,
};

use super::backend::tape;
use super::journal::{FILE_NAME, Journal, start_record};

const MAKING: &str = "making";

struct Examined {
    directory: tempfile::TempDir,
    files: Files,
    journal: Option<Journal>,
    snapshots: contract::Journal,
}

impl Examined {
    fn new(reorders: bool) -> Self {
        let files = Files::new(reorders);
        Examined {
            directory: in_memory(),
            snapshots: contract::Journal::new(files.clone()),
            files,
            journal: None,
        }
    }

    /// Stops the process that had the journal; nothing that it still writes counts.
    fn stop(&mut self) {
        tape::tell(None);
        self.journal = None;
    }

    fn read(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        tape::tell(Some(self.files.clone()));
        let (journal, _) = Journal::open(self.directory.path(), |record| {
            records.push(record.to_vec());
            Ok(())
        })?;
        self.journal = Some(journal);
        Ok(records)
    }

    fn create(&mut self, record: &mut [u8]) -> anyhow::Result<()> {
        self.stop();
        let path = self.directory.path().join(FILE_NAME);
        drop(fs::remove_file(&path));
        Journal::create(self.directory.path(), b"settings", record)?;
        let bytes = fs::read(&path)?;
        self.files.set_len(MAKING, 0)?;
        self.files.write(MAKING, 0, &bytes)?;
        self.files.sync(MAKING)?;
        self.files.rename(MAKING, FILE_NAME)?;
        self.files.sync_names()?;
        self.read().map(drop)
    }
}

impl Store for Examined {
    fn open(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        self.stop();
        let Some(bytes) = self.files.read(FILE_NAME) else {
            return Ok(Vec::new());
        };
        let path = self.directory.path().join(FILE_NAME);
        fs::write(path, bytes).map_err(|error| Refusal::Unusable(error.to_string()))?;
        self.read()
            .map_err(|error| Refusal::Damaged(format!("{error:#}")))
    }

    fn append(&mut self, write: &Write<'_>) -> Result<(), Failed> {
        let mut record = Vec::new();
        start_record(&mut record);
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        for part in write.record(&mut scratch) {
            record.extend_from_slice(part);
        }
        let stored = match &mut self.journal {
            Some(journal) => journal.append(&mut record, write.begins_anew()).is_ok(),
            None => self.create(&mut record).is_ok(),
        };
        stored.then_some(()).ok_or(Failed)
    }

    fn save(&mut self, name: &Snapshot, bytes: &[u8]) -> Result<(), Failed> {
        self.snapshots.save(name, bytes)
    }

    fn load(&mut self, name: &Snapshot) -> Result<Vec<u8>, Refusal> {
        self.snapshots.load(name)
    }

    fn medium(&mut self) -> &mut dyn Medium {
        &mut self.files
    }
}

/// What a power cut leaves is for `Files` to say: no disk has to sync anything.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// An operation that no history reaches.
const NEVER: u64 = 1 << 60;

/// Every operation of a history is struck, and the group goes on. The first six make the data
/// directory, which is not examined.
fn every_operation(scripts: &[usize], blow: impl Fn(u64) -> Blow) {
    let mut examined = Driver::new(Examined::new(true));
    let mut tried = 0;
    for history in scripts.iter().copied().map(History::Script) {
        let before = examined.store().medium().operations();
        let quiet = Point {
            history,
            operation: NEVER,
            blow: Blow::None,
        };
        replay(&mut examined, quiet).unwrap();
        let operations = examined.store().medium().operations() - before;
        for operation in 6..operations {
            let point = Point {
                history,
                operation,
                blow: blow(operation),
            };
            let done = replay(&mut examined, point);
            // Said here: opening a journal silences panics for a while.
            done.inspect_err(|breach| println!("{breach}")).unwrap();
            tried += 1;
        }
    }
    println!("{tried} operations");
}

#[test]
fn a_power_cut_forgets_nothing() {
    // Other pages survive at each operation.
    let fate = |operation: u64| Fate {
        kept: operation.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        torn: None,
    };
    every_operation(&[2, 4], |operation| Blow::CrashAndGoOn(fate(operation)));
}

#[test]
fn a_failed_sync_forgets_nothing() {
    every_operation(&[2], |_| Blow::Failure(Fault::Broken));
}

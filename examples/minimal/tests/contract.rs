//! The journal of the minimal nodes, examined: real files, whose contents after a power cut are
//! those that a file system may leave.
//!
//! `Files` is told what the journal does, operation by operation, and says what remains; the
//! journal then reads that from a real directory.

use std::fs;
use std::path::PathBuf;

use minimal::Journal;
use raft_core::{Snapshot, Write};
use simulator::contract::{self, Driver, Failed, Files, Medium, Options, Refusal, Store, examine};

const NAME: &str = "node.journal";
const FRESH: &str = "node.new";

/// What a power cut leaves is for `Files` to say: no disk has to sync anything.
fn in_memory() -> tempfile::TempDir {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    directory.expect("a temporary directory")
}

struct Minimal {
    directory: tempfile::TempDir,
    files: Files,
    journal: Option<Journal>,
    /// These nodes make no snapshots: those of the examination are kept as its own example does.
    snapshots: contract::Journal,
}

impl Minimal {
    fn new() -> Self {
        let files = Files::new(true);
        Minimal {
            directory: in_memory(),
            snapshots: contract::Journal::new(files.clone()),
            files,
            journal: None,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    /// What `replace` does: write, sync, rename, sync the directory.
    fn on_replaced(&self) -> Result<(), Failed> {
        let bytes = fs::read(self.path()).map_err(|_| Failed)?;
        self.files.set_len(FRESH, 0)?;
        self.files.write(FRESH, 0, &bytes)?;
        self.files.sync(FRESH)?;
        self.files.rename(FRESH, NAME)?;
        self.files.sync_names()
    }

    fn on_appended(&self) -> Result<(), Failed> {
        let bytes = fs::read(self.path()).map_err(|_| Failed)?;
        let old = self.files.len(NAME).unwrap_or(0);
        self.files.append(NAME, &bytes[old..])?;
        self.files.sync(NAME)
    }
}

impl Store for Minimal {
    fn open(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        let unusable = |_| Refusal::Unusable("the directory".into());
        for name in [NAME, FRESH] {
            let path = self.directory.path().join(name);
            match self.files.read(name) {
                Some(bytes) => fs::write(path, bytes).map_err(unusable)?,
                None => drop(fs::remove_file(path)),
            }
        }
        let opened = Journal::open(self.path());
        let (journal, records) = opened.map_err(|error| Refusal::Damaged(error.to_string()))?;
        self.on_replaced()
            .map_err(|_| Refusal::Unusable("the journal".into()))?;
        self.journal = Some(journal);
        Ok(records)
    }

    fn append(&mut self, write: &Write<'_>) -> Result<(), Failed> {
        let journal = self.journal.as_mut().ok_or(Failed)?;
        journal.store(write).map_err(|_| Failed)?;
        match write.begins_anew() {
            true => self.on_replaced(),
            false => self.on_appended(),
        }
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

#[test]
fn the_journal_keeps_the_storage_contract() {
    // Every operation of every script is struck.
    let options = Options {
        histories: 0,
        exact_bytes_max: 0,
        fates_max: 2,
        decays_max: 40,
        ..Options::default()
    };
    match examine(&mut Driver::new(Minimal::new()), &options) {
        Ok(report) => println!("{report:?}"),
        Err(breach) => panic!("{breach}"),
    }
}

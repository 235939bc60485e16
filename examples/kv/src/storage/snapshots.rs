//! Snapshots of the map as files beside the journal, each named for what it is.
//!
//! A snapshot is written to a temporary file, synced, and then given its name, so that a file with the
//! name of a snapshot is whole. The record of the journal that begins anew says which one counts; the
//! others are deleted once that record is durable, not before: until then a restart needs the old one.

use core::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use raft_core::{EntryId, Snapshot};

use crate::store::{Frozen, Store};

/// What is synced at a time, so that the syncs of the journal do not have to wait for all of it.
const SYNC_INTERVAL_BYTES: usize = 8 * 1024 * 1024;

const OUTGOING: &str = "saving.tmp";
const INCOMING: &str = "receiving.tmp";

/// The snapshots in one data directory.
#[derive(Clone, Debug)]
pub struct Snapshots {
    directory: PathBuf,
}

impl Snapshots {
    /// Those of this directory.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// How much room everything in the data directory takes.
    pub fn bytes_on_disk(&self) -> u64 {
        let entries = fs::read_dir(&self.directory).into_iter().flatten();
        let lens = entries
            .flatten()
            .filter_map(|entry| Some(entry.metadata().ok()?.len()));
        lens.sum()
    }

    fn path(&self, snapshot: &Snapshot) -> PathBuf {
        let Snapshot { last, checksum, .. } = snapshot;
        let EntryId { index, term } = last;
        let name = format!("snapshot-{index}-{term}-{checksum:08x}.map");
        self.directory.join(name)
    }

    /// Saves a map that has everything up to `last`; it is durable when this returns.
    ///
    /// # Errors
    /// What the disk says; nothing is left behind.
    pub fn save(&self, frozen: &Frozen, last: EntryId) -> io::Result<Snapshot> {
        let path = self.directory.join(OUTGOING);
        let mut out = Paced::create(&path)?;
        let saved = frozen.save(&mut out).and_then(|()| out.finish());
        let saved = saved.and_then(|(size, checksum)| {
            let snapshot = Snapshot {
                last,
                size,
                checksum,
            };
            self.name(&path, &snapshot)?;
            Ok(snapshot)
        });
        saved.inspect_err(|_| drop(fs::remove_file(&path)))
    }

    fn name(&self, path: &Path, snapshot: &Snapshot) -> io::Result<()> {
        fs::rename(path, self.path(snapshot))?;
        File::open(&self.directory)?.sync_all()
    }

    /// Stores a piece that was received; with the last one the snapshot is durable and loaded.
    ///
    /// # Errors
    /// What the disk says, or that the snapshot is damaged.
    pub fn receive(
        &self,
        snapshot: &Snapshot,
        offset: u64,
        data: &[u8],
        is_last: bool,
    ) -> anyhow::Result<Option<Store>> {
        let path = self.directory.join(INCOMING);
        let mut options = File::options();
        options.write(true).create(true).truncate(offset == 0);
        let file = options.open(&path)?;
        file.write_all_at(data, offset)?;
        // A crash starts the transfer anew, so only the whole has to be durable.
        if !is_last {
            return Ok(None);
        }
        file.set_len(snapshot.size)?;
        file.sync_all()?;
        let store = load(&path, snapshot)?;
        self.name(&path, snapshot)?;
        Ok(Some(store))
    }

    /// Loads a snapshot.
    ///
    /// # Errors
    /// It is missing, another one, or damaged.
    pub fn load(&self, snapshot: &Snapshot) -> anyhow::Result<Store> {
        load(&self.path(snapshot), snapshot)
    }

    /// Opens a snapshot to be read piece by piece.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(&self, snapshot: &Snapshot) -> io::Result<Source> {
        Ok(Source {
            snapshot: *snapshot,
            file: File::open(self.path(snapshot))?,
        })
    }

    /// Deletes those that this one stands for. Others may just have been saved or received, and may count
    /// next. What cannot be deleted stays until the next time.
    pub fn delete_older(&self, snapshot: &Snapshot) {
        let last = snapshot.last.index.value();
        self.delete(|index, _| index < last);
    }

    /// Deletes everything but this one, and what an interrupted saving or transfer left behind: only at start.
    pub fn clean_up(&self, snapshot: &Snapshot) {
        let kept = self.path(snapshot);
        self.delete(|_, path| path != kept);
        for name in [OUTGOING, INCOMING] {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }

    fn delete(&self, is_old: impl Fn(u64, &Path) -> bool) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if index_of(&path).is_some_and(|index| is_old(index, &path)) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// The last index in the snapshot of this name, if it is one.
fn index_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?.strip_prefix("snapshot-")?;
    name.split_once('-')?.0.parse().ok()
}

/// A snapshot that is being sent.
pub struct Source {
    snapshot: Snapshot,
    file: File,
}

impl Source {
    /// Which one it is.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    /// Reads a piece.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(data, offset)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot.fmt(formatter)
    }
}

fn load(path: &Path, snapshot: &Snapshot) -> anyhow::Result<Store> {
    let shown = path.display();
    let bytes = fs::read(path).with_context(|| format!("cannot read the snapshot {shown}"))?;
    let is_named = bytes.len() as u64 == snapshot.size && checksum(&bytes) == snapshot.checksum;
    if !is_named {
        bail!("the snapshot {shown} is damaged or cut short");
    }
    Store::load(&bytes).with_context(|| format!("the snapshot {shown}"))
}

/// A saved map ends with its checksum. (That of the whole file would be the same for every file.)
fn checksum(bytes: &[u8]) -> u32 {
    bytes
        .last_chunk()
        .map_or(0, |last| u32::from_le_bytes(*last))
}

/// Writes a file, counts, keeps the last bytes, and syncs every now and then.
struct Paced {
    file: File,
    size: u64,
    unsynced: usize,
    last: [u8; 4],
}

impl Paced {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            size: 0,
            unsynced: 0,
            last: [0; 4],
        })
    }

    /// Its size and checksum, once it is durable.
    fn finish(&self) -> io::Result<(u64, u32)> {
        self.file.sync_all()?;
        Ok((self.size, u32::from_le_bytes(self.last)))
    }
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        for byte in bytes.iter().skip(bytes.len().saturating_sub(4)) {
            self.last.rotate_left(1);
            self.last[3] = *byte;
        }
        self.size += bytes.len() as u64;
        self.unsynced += bytes.len();
        if self.unsynced >= SYNC_INTERVAL_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use raft_core::{LogIndex, Term};

    use super::*;
    use crate::operation::{Change, Operation};
    use crate::timestamp::Timestamp;

    #[test]
    fn a_saved_snapshot_is_sent_received_and_loaded_and_damage_is_found() {
        let [here, there] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [ours, theirs] = [&here, &there].map(|dir| Snapshots::new(dir.path().to_owned()));
        let mut store = Store::default();
        for number in 0..1000_u32 {
            let key = &number.to_string().into_bytes()[..];
            store.apply(&Operation {
                stamp: Timestamp(1),
                change: Change::Add { key, by: 7 },
            });
        }
        let last = EntryId::new(LogIndex::new(1000), Term::new(3));
        let snapshot = ours.save(&store.freeze(), last).unwrap();
        assert_eq!(ours.load(&snapshot).unwrap(), store);

        let source = ours.open(&snapshot).unwrap();
        let mut offset = 0;
        let mut received = None;
        while received.is_none() {
            let len = (snapshot.size - offset).min(700);
            let mut data = vec![0; usize::try_from(len).unwrap()];
            source.read(offset, &mut data).unwrap();
            let is_last = offset + len == snapshot.size;
            received = theirs.receive(&snapshot, offset, &data, is_last).unwrap();
            offset += len;
        }
        assert_eq!(received, Some(store.clone()));
        assert_eq!(theirs.load(&snapshot).unwrap(), store);

        let path = theirs.path(&snapshot);
        let mut bytes = fs::read(&path).unwrap();
        bytes[500] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let refusal = format!("{:#}", theirs.load(&snapshot).unwrap_err());
        assert!(refusal.contains("damaged"), "{refusal}");
        fs::write(&path, &bytes[..900]).unwrap();
        assert!(theirs.load(&snapshot).is_err());

        theirs.delete_older(&snapshot);
        assert!(path.exists());
        theirs.clean_up(&Snapshot::default());
        assert!(!path.exists());
    }
}

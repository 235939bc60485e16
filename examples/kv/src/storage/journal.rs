//! The journal: every write of the Raft node as one value of a redb table, in order.
//!
//! A row per entry would cost a hundred times as much; a value per write makes the number of syncs that
//! of the writes, which is one each. A record that begins anew takes the place of all before it, in
//! the same transaction. Each record has a checksum of its own: redb checks its pages only after a crash.

use core::panic::AssertUnwindSafe;
use std::fs::{self, File};
use std::io;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use prometheus::Histogram;
use redb::{Builder, Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::backend::{Backend, Health};

/// The file of the journal in the data directory.
pub const FILE_NAME: &str = "kv.redb";

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const JOURNAL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("journal");
const FORMAT: &[u8] = b"kv data directory, version 1";
/// Nothing is read back while the node runs, so only what is being written has to be in memory.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of the checksum in front of each record.
const CHECKSUM_BYTES: usize = 4;

/// A write that failed.
#[derive(Debug)]
pub struct Failure {
    /// What the system says.
    pub text: String,
    /// Whether trying again may help. If not, the process has to end.
    pub is_final: bool,
}

/// The open journal of one node.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Without it after a failure, until it could be opened again.
    database: Option<Database>,
    /// Keeps the directory to this process, even while there is no database.
    lock: File,
    health: Health,
    next: u64,
}

/// Makes room for the checksum of a record; the record is appended to it.
pub fn start_record(bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend_from_slice(&[0; CHECKSUM_BYTES]);
}

impl Journal {
    /// Makes the journal of a new node with its settings and its first record.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(directory: &Path, settings: &[u8], record: &mut [u8]) -> anyhow::Result<()> {
        let path = directory.join(FILE_NAME);
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        let database = open_database(&file, &Health::default())?;
        seal(record);
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert("format", FORMAT)?;
            meta.insert("settings", settings)?;
            meta.insert(
                "checksum",
                crc32fast::hash(settings).to_le_bytes().as_slice(),
            )?;
            let mut journal = transaction.open_table(JOURNAL)?;
            journal.insert(0, &*record)?;
        }
        transaction.commit()?;
        drop(database);
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(())
    }

    /// Opens the journal of a node and hands its settings, then each record to `replay`, in order.
    ///
    /// # Errors
    /// One line that says what is wrong with the directory: missing, foreign, in use, damaged, cut short.
    pub fn open(
        directory: &Path,
        mut replay: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<(Self, Vec<u8>)> {
        let path = directory.join(FILE_NAME);
        let file = find(directory, &path)?;
        let health = Health::default();
        let shown = path.display();
        let damaged = || format!("{shown} is damaged, cut short, or no journal of this program");
        if file.metadata()?.len() == 0 {
            bail!("{shown} is empty: its contents were cut off");
        }
        let database = guarded(|| open_database(&file, &health)).with_context(damaged)?;
        let read = guarded(|| read(&database, &mut replay)).with_context(damaged)?;
        let (settings, next) = read;
        let journal = Self {
            path,
            database: Some(database),
            lock: file,
            health,
            next,
        };
        Ok((journal, settings))
    }

    /// Stores a record that was begun with [`start_record`]; it is durable when this returns. With
    /// `is_anew` it takes the place of all before it.
    ///
    /// # Errors
    /// What the disk says. Whether the record is stored is unknown; a later record replaces it.
    pub fn append(&mut self, record: &mut [u8], is_anew: bool) -> Result<(), Failure> {
        seal(record);
        let work = AssertUnwindSafe(|| self.try_append(record, is_anew));
        let (error, is_contradiction) = match catch_unwind(work) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => (error, false),
            Err(_) => (anyhow!("the journal contradicts itself"), true),
        };
        // redb does not go on after an error: it is opened again before the next write.
        self.database = None;
        Err(Failure {
            text: format!("{error:#}"),
            is_final: is_contradiction || self.health.has_sync_failed(),
        })
    }

    fn try_append(&mut self, record: &[u8], is_anew: bool) -> anyhow::Result<()> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open_database(&self.lock, &self.health)?,
        };
        let database = self.database.insert(database);
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        if is_anew {
            transaction.delete_table(JOURNAL)?;
        }
        transaction.open_table(JOURNAL)?.insert(self.next, record)?;
        // Whatever becomes of it, its number is not used again.
        self.next += 1;
        transaction.commit()?;
        Ok(())
    }

    /// From now on notes what each sync takes.
    pub fn measure(&self, sync_time: Histogram) {
        self.health.measure(sync_time);
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the disk be full or not.
    #[cfg(test)]
    pub(crate) fn fill_disk(&self, is_full: bool) {
        let order = core::sync::atomic::Ordering::Relaxed;
        self.health.is_full.store(is_full, order);
    }
}

/// Finds and locks the file of a node that exists.
fn find(directory: &Path, path: &Path) -> anyhow::Result<File> {
    let shown = directory.display();
    let how_to = "make one with `kv init` or `kv join`";
    let mut entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("there is no directory {shown}: {how_to}")
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    let is_empty = entries.next().is_none();
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_empty => {
            bail!("{shown} is empty: {how_to}")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            bail!("{shown} is not the data directory of a node: there is no {FILE_NAME} in it")
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot open {}", path.display()));
        }
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => bail!("{shown} is in use by another process"),
        Err(fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {shown}"))
        }
    }
}

/// Opens the database in a file whose lock is held.
fn open_database(file: &File, health: &Health) -> anyhow::Result<Database> {
    let backend = Backend::new(file.try_clone()?, health.clone());
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    Ok(builder.create_with_backend(backend)?)
}

/// The settings and the number for the next record.
fn read(
    database: &Database,
    replay: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<(Vec<u8>, u64)> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let find = |name: &str| -> anyhow::Result<Vec<u8>> {
        let value = meta.get(name)?.ok_or_else(|| anyhow!("no {name} in it"))?;
        Ok(value.value().to_vec())
    };
    if find("format")? != FORMAT {
        bail!("another format");
    }
    let settings = find("settings")?;
    if find("checksum")? != crc32fast::hash(&settings).to_le_bytes() {
        bail!("wrong checksum of the settings");
    }
    let journal = transaction.open_table(JOURNAL)?;
    let mut next = 0;
    for row in journal.iter()? {
        let (number, value) = row?;
        let stored = value.value();
        let record = unseal(stored).ok_or_else(|| anyhow!("wrong checksum of a record"))?;
        replay(record)?;
        next = number.value() + 1;
    }
    Ok((settings, next))
}

/// A damaged file must not be able to do worse than to be refused, whatever the database asserts of it.
fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let done = catch_unwind(AssertUnwindSafe(work));
    set_hook(hook);
    done.unwrap_or_else(|_| Err(anyhow!("it contradicts itself")))
}

fn seal(record: &mut [u8]) {
    if let Some((sum, rest)) = record.split_first_chunk_mut::<CHECKSUM_BYTES>() {
        *sum = crc32fast::hash(rest).to_le_bytes();
    }
}

fn unseal(stored: &[u8]) -> Option<&[u8]> {
    let (sum, record) = stored.split_first_chunk::<CHECKSUM_BYTES>()?;
    (crc32fast::hash(record).to_le_bytes() == *sum).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        start_record(&mut bytes);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn open(directory: &Path) -> anyhow::Result<(Journal, Vec<String>)> {
        let mut records = Vec::new();
        let (journal, settings) = Journal::open(directory, |record| {
            records.push(String::from_utf8(record.to_vec())?);
            Ok(())
        })?;
        assert_eq!(settings, b"settings");
        Ok((journal, records))
    }

    #[test]
    fn records_come_back_in_order_and_one_that_begins_anew_replaces_the_others() {
        let directory = tempfile::tempdir().unwrap();
        Journal::create(directory.path(), b"settings", &mut record("a")).unwrap();
        let (mut journal, records) = open(directory.path()).unwrap();
        assert_eq!(records, ["a"]);
        journal.append(&mut record("b"), false).unwrap();
        journal.append(&mut record("c"), false).unwrap();
        drop(journal);
        let (mut journal, records) = open(directory.path()).unwrap();
        assert_eq!(records, ["a", "b", "c"]);
        journal.append(&mut record("d"), true).unwrap();
        journal.append(&mut record("e"), false).unwrap();
        drop(journal);
        assert_eq!(open(directory.path()).unwrap().1, ["d", "e"]);
    }

    #[test]
    fn a_full_disk_fails_writes_until_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        Journal::create(directory.path(), b"settings", &mut record("a")).unwrap();
        let (mut journal, _) = open(directory.path()).unwrap();
        journal.append(&mut record("b"), false).unwrap();
        journal.fill_disk(true);
        for _ in 0..3 {
            let failure = journal.append(&mut record("lost"), false).unwrap_err();
            assert!(!failure.is_final, "{}", failure.text);
        }
        journal.fill_disk(false);
        journal.append(&mut record("c"), false).unwrap();
        drop(journal);
        let (_, records) = open(directory.path()).unwrap();
        assert_eq!(records, ["a", "b", "c"]);
    }

    #[test]
    fn directories_that_are_none_of_a_node_are_refused_with_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let refusal = |path: &Path| format!("{:#}", open(path).unwrap_err());
        let missing = refusal(&directory.path().join("missing"));
        assert!(missing.starts_with("there is no directory"), "{missing}");
        assert!(refusal(directory.path()).contains("is empty: make one with `kv init`"));
        fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        assert!(refusal(directory.path()).contains("is not the data directory of a node"));
        fs::write(directory.path().join(FILE_NAME), "").unwrap();
        assert!(refusal(directory.path()).contains("its contents were cut off"));
        fs::write(directory.path().join(FILE_NAME), "mine".repeat(5000)).unwrap();
        assert!(refusal(directory.path()).contains("is damaged, cut short, or no journal"));
    }

    #[test]
    fn a_journal_in_use_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        Journal::create(directory.path(), b"settings", &mut record("a")).unwrap();
        let _journal = open(directory.path()).unwrap();
        let refusal = open(directory.path()).unwrap_err();
        assert!(refusal.to_string().contains("in use by another process"));
    }

    #[test]
    fn damage_and_truncation_anywhere_are_refused_and_never_a_panic() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        Journal::create(directory.path(), b"settings", &mut record("a")).unwrap();
        let long = "b".repeat(100_000);
        let (mut journal, _) = open(directory.path()).unwrap();
        journal.append(&mut record(&long), false).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for part in 1..20 {
            fs::write(&path, &whole[..whole.len() * part / 20]).unwrap();
            assert!(open(directory.path()).is_err(), "cut to {part}/20");
        }
        let body = whole
            .windows(1000)
            .position(|bytes| bytes == &long.as_bytes()[..1000]);
        let mut damaged = whole.clone();
        damaged[body.unwrap() + 500] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let refusal = format!("{:#}", open(directory.path()).unwrap_err());
        assert!(refusal.contains("is damaged"), "{refusal}");
        fs::write(&path, &whole).unwrap();
        assert_eq!(open(directory.path()).unwrap().1, ["a".to_owned(), long]);
    }
}

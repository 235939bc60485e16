//! The file under the database: filled before it is used, locked while it is used.
//!
//! Left to itself, a database file grows with holes. The first write into a hole makes the file system
//! allocate a block, and the next sync has to store that too: on ext4 twice the time. And a hole
//! promises room that the disk may not have. So the file grows by zeros that are really written: a full
//! disk shows when the file grows, before anything depends on it.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use prometheus::Histogram;
use redb::StorageBackend;

const ZEROS: &[u8] = &[0; 256 * 1024];

/// What went wrong with the file, beyond what an error of the database says.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    sync_failed: Arc<AtomicBool>,
    /// What syncs take, once somebody wants to know.
    sync_time: Arc<OnceLock<Histogram>>,
    #[cfg(test)]
    pub(super) is_full: Arc<AtomicBool>,
}

impl Health {
    /// Whether a sync failed. Nobody knows then what the disk holds: the kernel may have dropped what
    /// it could not write and show it as written.
    pub(super) fn has_sync_failed(&self) -> bool {
        self.sync_failed.load(Ordering::Relaxed)
    }

    pub(super) fn measure(&self, sync_time: Histogram) {
        // Whoever asks first is told.
        let _ = self.sync_time.set(sync_time);
    }

    fn check_room(&self) -> io::Result<()> {
        #[cfg(test)]
        if self.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

/// An open database file. Whoever opened it holds its lock.
#[derive(Debug)]
pub(super) struct Backend {
    file: File,
    health: Health,
}

impl Backend {
    pub(super) fn new(file: File, health: Health) -> Self {
        Self { file, health }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut end = self.len()?;
        if len <= end {
            #[cfg(test)]
            tape::note(|files, name| files.set_len(name, len as usize))?;
            return self.file.set_len(len);
        }
        self.health.check_room()?;
        #[cfg(test)]
        tape::note(|files, name| files.set_len(name, len as usize))?;
        let start = end;
        while end < len {
            let missing = usize::try_from(len - end).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..missing).unwrap_or(ZEROS);
            if let Err(error) = self.file.write_all_at(zeros, end) {
                // Gives back what there was of room; if that fails too, the file is merely longer.
                let _ = self.file.set_len(start);
                return Err(error);
            }
            end += zeros.len() as u64;
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        #[cfg(test)]
        tape::note(|files, name| files.sync(name))
            .inspect_err(|_| self.health.sync_failed.store(true, Ordering::Relaxed))?;
        let start = Instant::now();
        let synced = self.file.sync_data();
        if let Some(sync_time) = self.health.sync_time.get() {
            sync_time.observe(start.elapsed().as_secs_f64());
        }
        synced.inspect_err(|_| self.health.sync_failed.store(true, Ordering::Relaxed))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.health.check_room()?;
        #[cfg(test)]
        tape::note(|files, name| files.write(name, offset as usize, data))?;
        self.file.write_all_at(data, offset)
    }
}

/// What is done to the file is told to the examination of the storage contract, which may let it
/// fail.
#[cfg(test)]
pub(super) mod tape {
    use std::cell::RefCell;
    use std::io;

    use simulator::contract::{Failed, Files};

    thread_local! {
        static TAPE: RefCell<Option<Files>> = const { RefCell::new(None) };
    }

    /// From now on, on this thread, these files hear of it, or none.
    pub(in crate::storage) fn tell(files: Option<Files>) {
        TAPE.set(files);
    }

    pub(super) fn note(
        operation: impl FnOnce(&Files, &str) -> Result<(), Failed>,
    ) -> io::Result<()> {
        TAPE.with_borrow(|files| match files {
            Some(files) => operation(files, crate::storage::FILE_NAME).map_err(io::Error::other),
            None => Ok(()),
        })
    }
}

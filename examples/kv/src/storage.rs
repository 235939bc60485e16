//! The thread that makes things durable, and what it is asked and says.
//!
//! A sync takes milliseconds in which the node must not stand still, so a thread of its own stores one
//! thing after the other and reports. While it is busy with one write of the Raft node, the node gathers
//! what will be the next: group commit. Maps are saved by yet another thread, because that takes seconds.

mod backend;
#[cfg(test)]
mod contract;
mod journal;
mod snapshots;

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use raft_core::{EntryId, Receipt, Snapshot, Ticket};
use tokio::sync::mpsc as channel;

use crate::store::{Frozen, Store};
pub use journal::{FILE_NAME, Failure, Journal, start_record};
pub use snapshots::{Snapshots, Source};

/// Something to be stored.
#[derive(Debug)]
pub enum Job {
    /// A write of the Raft node.
    Append {
        /// What to report.
        ticket: Ticket,
        /// Its record, begun with [`start_record`].
        record: Vec<u8>,
        /// If the record begins anew: the snapshot that counts from then on.
        anew: Option<Snapshot>,
    },
    /// A piece of a snapshot that another node sends.
    Piece {
        /// What to report.
        receipt: Receipt,
        /// The snapshot it belongs to.
        snapshot: Snapshot,
        /// Where in it.
        offset: u64,
        /// Its bytes.
        data: Vec<u8>,
        /// Whether it completes the snapshot.
        is_last: bool,
    },
}

/// What became of it.
#[derive(Debug)]
pub enum Done {
    /// A write ended; the buffer comes back to be used again.
    Appended(Ticket, Vec<u8>, Result<(), Failure>),
    /// A piece is stored; the last one comes with the map that the snapshot holds.
    Stored(Receipt, Snapshot, anyhow::Result<Option<Box<Store>>>),
    /// The map is saved.
    Saved(io::Result<Snapshot>),
}

/// The threads that store things.
#[derive(Debug)]
pub struct Storage {
    jobs: mpsc::Sender<Job>,
    done: channel::UnboundedSender<Done>,
    snapshots: Snapshots,
    thread: JoinHandle<()>,
}

impl Storage {
    /// Starts the thread. What it has done comes out of the receiver.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        journal: Journal,
        snapshots: Snapshots,
    ) -> io::Result<(Self, channel::UnboundedReceiver<Done>)> {
        let (jobs, queue) = mpsc::channel();
        let (done, reports) = channel::unbounded_channel();
        let thread = {
            let (done, snapshots) = (done.clone(), snapshots.clone());
            let name = "storage".to_owned();
            thread::Builder::new()
                .name(name)
                .spawn(move || run(journal, &snapshots, queue, &done))?
        };
        let storage = Self {
            jobs,
            done,
            snapshots,
            thread,
        };
        Ok((storage, reports))
    }

    /// Hands over something to be stored; the report comes later.
    pub fn submit(&self, job: Job) {
        // The thread ends only when this sender does.
        let _ = self.jobs.send(job);
    }

    /// Saves a map that has everything up to `last`; the report comes later.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn save(&self, frozen: Frozen, last: EntryId) -> io::Result<()> {
        let (done, snapshots) = (self.done.clone(), self.snapshots.clone());
        let save = move || {
            let saved = snapshots.save(&frozen, last);
            // Before the report, so that the map can be merged without a copy.
            drop(frozen);
            let _ = done.send(Done::Saved(saved));
        };
        thread::Builder::new()
            .name("snapshot".into())
            .spawn(save)
            .map(drop)
    }

    /// The snapshots in the data directory.
    pub fn snapshots(&self) -> &Snapshots {
        &self.snapshots
    }

    /// How much room the data directory takes.
    pub fn bytes_on_disk(&self) -> u64 {
        self.snapshots.bytes_on_disk()
    }

    /// Finishes what was handed over and closes the journal.
    pub fn close(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }
}

fn run(
    mut journal: Journal,
    snapshots: &Snapshots,
    queue: mpsc::Receiver<Job>,
    done: &channel::UnboundedSender<Done>,
) {
    for job in queue {
        let report = match job {
            Job::Append {
                ticket,
                mut record,
                anew,
            } => {
                let stored = journal.append(&mut record, anew.is_some());
                if let (Ok(()), Some(snapshot)) = (&stored, &anew) {
                    snapshots.delete_older(snapshot);
                }
                Done::Appended(ticket, record, stored)
            }
            Job::Piece {
                receipt,
                snapshot,
                offset,
                data,
                is_last,
            } => {
                let stored = snapshots.receive(&snapshot, offset, &data, is_last);
                Done::Stored(receipt, snapshot, stored.map(|store| store.map(Box::new)))
            }
        };
        if done.send(report).is_err() {
            return;
        }
    }
}

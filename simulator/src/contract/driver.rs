//! A driver for whoever has a medium and no driver yet, or wants the medium examined alone.
//!
//! It does what every driver does, in the order that `raft-core` documents. With a [`Flaw`] it
//! does one thing wrong, which the tester must find. Fuzz targets and the tests of `raft-core` drive
//! a machine step by step, in other orders, and therefore themselves.

use std::collections::VecDeque;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Body, Change, ChunkData, Committed, Config, GroupId, Identity, LogIndex, Message, Piece, Raft,
    Ready, Receipt, Recovered, Snapshot, Ticket, Write, wire,
};

use super::application::{Application, checksum};
use super::flaw::Flaw;
use super::medium::{Failed, Medium};
use super::rig::{Begin, FRAME_BYTES_MAX, Input, MEMBERS_MAX, Refusal, Rig, WINDOW_BYTES};

/// Where records and snapshots are kept: the part of a driver that most failures sit in.
pub trait Store {
    /// Every record that was stored since the latest that begins anew, that one first. What was
    /// torn by a power cut is dropped; what is damaged otherwise is refused.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: what is wrong with the medium.
    fn open(&mut self) -> Result<Vec<Vec<u8>>, Refusal>;

    /// Stores a write; it is durable when this returns. Older records may go if it begins anew.
    ///
    /// # Errors
    ///
    /// [`Failed`]: what the medium holds of it is unknown. The write comes again.
    fn append(&mut self, write: &Write<'_>) -> Result<(), Failed>;

    /// Stores a snapshot; it is durable when this returns. Older ones stay until a record that
    /// begins anew with this one is durable.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    fn save(&mut self, name: &Snapshot, bytes: &[u8]) -> Result<(), Failed>;

    /// Reads a snapshot.
    ///
    /// # Errors
    ///
    /// [`Refusal::Snapshot`]: it is not there, or damaged.
    fn load(&mut self, name: &Snapshot) -> Result<Vec<u8>, Refusal>;

    /// What all this is kept on.
    fn medium(&mut self) -> &mut dyn Medium;
}

/// A machine as the tester's drivers run it.
pub type Machine = Raft<Vec<u8>, MEMBERS_MAX>;

#[derive(Debug)]
struct Node {
    raft: Machine,
    application: Application,
    /// The snapshot that is being received.
    incoming: Vec<u8>,
}

/// A driver around a [`Store`]; a [`Rig`].
#[derive(Debug)]
pub struct Driver<S> {
    store: S,
    flaw: Flaw,
    id: NodeId,
    name: Option<(GroupId, Identity)>,
    node: Option<Node>,
    sent: VecDeque<(NodeId, Vec<u8>)>,
    last_application: Application,
}

fn settings(node: NodeId) -> Config {
    Config::builder(node)
        .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
        .heartbeat_interval(Duration::from_millis(20))
        .persist_timeout(Duration::from_millis(1000))
        .frame_bytes_max(FRAME_BYTES_MAX)
        .build()
        .expect("these settings are sound")
}

/// The most commands between two compactions, if nobody asks for one: far from a full window.
const COMPACT_BYTES: usize = WINDOW_BYTES / 2;

impl<S: Store> Driver<S> {
    /// A driver around an empty medium.
    pub fn new(store: S) -> Self {
        Driver::flawed(store, Flaw::None)
    }

    /// A driver that does something wrong.
    pub fn flawed(store: S, flaw: Flaw) -> Self {
        Driver {
            store,
            flaw,
            id: NodeId::new(0),
            name: None,
            node: None,
            sent: VecDeque::new(),
            last_application: Application::default(),
        }
    }

    /// The machine, while it runs.
    pub fn raft(&self) -> Option<&Machine> {
        self.node.as_ref().map(|node| &node.raft)
    }

    /// The medium's keeper.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }

    fn start(&mut self, raft: Machine, application: Application, now: Instant) {
        self.name = Some((raft.group(), raft.identity()));
        self.node = Some(Node {
            raft,
            application,
            incoming: Vec::new(),
        });
        self.serve(now);
    }

    fn read(&mut self, seed: u64, now: Instant) -> Result<(Machine, Application), Refusal> {
        let mut recovered = Recovered::new(vec![0; WINDOW_BYTES])?;
        for record in self.store.open()? {
            recovered.replay(&record)?;
        }
        let name = recovered.snapshot();
        let mut application = Application::default();
        if name.last.index > LogIndex::ZERO {
            let bytes = self.store.load(&name)?;
            let found = Application::load(&bytes).filter(|found| found.applied == name.last.index);
            application = found.ok_or_else(|| Refusal::Snapshot("another one".into()))?;
        }
        if self.flaw == Flaw::AppliesNothingAgain {
            application.applied = self.last_application.applied.max(application.applied);
        }
        let applied = application.applied;
        let raft = Machine::restore(settings(self.id), recovered, applied, seed, now)?;
        Ok((raft, application))
    }

    /// Does what the machine wants.
    fn serve(&mut self, now: Instant) {
        for _ in 0..2 {
            self.persist(now);
            self.transmit(now);
            self.apply();
            let is_long = |node: &Node| node.raft.log_bytes() > COMPACT_BYTES;
            if !self.node.as_ref().is_some_and(is_long) {
                break;
            }
            self.compact();
        }
        if !self.store.medium().is_powered() {
            self.node = None;
        }
    }

    fn persist(&mut self, now: Instant) {
        let Some(node) = &mut self.node else { return };
        let Some(write) = node.raft.poll_persist() else {
            return;
        };
        if self.flaw == Flaw::SendsBeforeStoring {
            return self.persist_late(now);
        }
        let stored = self.store.append(&write);
        let ticket = write.into_ticket();
        self.report(now, ticket, stored);
    }

    fn report(&mut self, now: Instant, ticket: Ticket, stored: Result<(), Failed>) {
        let Some(node) = &mut self.node else { return };
        let is_ignored = self.flaw == Flaw::IgnoresFailures && self.store.medium().is_powered();
        if stored.is_ok() || is_ignored {
            let _ = node.raft.handle_persisted(now, ticket);
        } else {
            // Nobody knows what the medium holds now: it is read again, at the next start.
            self.node = None;
        }
    }

    /// The flaw: messages that rest on a write leave before it.
    fn persist_late(&mut self, now: Instant) {
        let Some(node) = &mut self.node else { return };
        let mut promising = node.raft.clone();
        if let Some(write) = promising.poll_persist() {
            let ticket = write.into_ticket();
            let _ = promising.handle_persisted(now, ticket);
        }
        std::mem::swap(&mut node.raft, &mut promising);
        self.transmit(now);
        let stored = match promising.poll_persist() {
            Some(write) => self.store.append(&write),
            None => Ok(()),
        };
        if stored.is_err() {
            self.node = None;
        }
    }

    fn transmit(&mut self, now: Instant) {
        let mut frame = [0; FRAME_BYTES_MAX];
        while self.store.medium().is_powered() {
            let Some(node) = &mut self.node else { return };
            let Some(transmit) = node.raft.poll_transmit(now, Ready::All) else {
                return;
            };
            let (to, message) = (transmit.to, transmit.message);
            let Some(data) = piece_of(&mut self.store, &message) else {
                continue;
            };
            if let Ok(bytes) = wire::encode_chunk(&message, &data, &mut frame) {
                self.sent.push_back((to, bytes.to_vec()));
            }
        }
    }

    fn apply(&mut self) {
        let Some(node) = &mut self.node else { return };
        while let Some(committed) = node.raft.poll_committed() {
            match committed {
                Committed::Command(entry) => node.application.apply(entry.id.index, entry.payload),
                Committed::Snapshot(name) => {
                    let loaded = self.store.load(&name).ok();
                    node.application = loaded
                        .and_then(|bytes| Application::load(&bytes))
                        .unwrap_or_default();
                }
            }
        }
        self.last_application = node.application;
    }

    fn compact(&mut self) {
        let Some(node) = &mut self.node else { return };
        let index = node.raft.delivered();
        let Some(last) = node.raft.entry(index).map(|entry| entry.id) else {
            return;
        };
        if index <= node.raft.base().index {
            return;
        }
        let bytes = node.application.snapshot(index);
        let (size, sum) = (bytes.len() as u64, checksum(&bytes) as u32);
        let name = Snapshot {
            last,
            size,
            checksum: sum,
        };
        if self.flaw == Flaw::NamesSnapshotFirst {
            let _ = node.raft.compact(index, size, sum);
            if let Some(write) = node.raft.poll_persist() {
                let stored = self.store.append(&write);
                let ticket = write.into_ticket();
                self.report(Instant::ZERO, ticket, stored);
            }
            let _ = self.store.save(&name, &bytes);
            return;
        }
        match self.store.save(&name, &bytes) {
            Ok(()) => drop(node.raft.compact(index, size, sum)),
            Err(Failed) => self.node = None,
        }
    }

    fn receive(&mut self, from: NodeId, frame: &[u8], now: Instant) {
        let Some(node) = &mut self.node else { return };
        let Ok(message) = wire::decode(frame) else {
            return;
        };
        let Ok(Some(piece)) = node.raft.handle_message(now, from, message) else {
            return;
        };
        let Some(receipt) = keep_piece(&mut self.store, &mut node.incoming, piece) else {
            return;
        };
        match receipt {
            Ok(receipt) => drop(node.raft.handle_stored(now, receipt)),
            Err(Failed) => self.node = None,
        }
    }
}

/// Stores a piece of a snapshot: only the whole has to be durable, because a restart begins the
/// transfer anew. None: the piece is of no use now.
fn keep_piece<S: Store>(
    store: &mut S,
    incoming: &mut Vec<u8>,
    piece: Piece<'_>,
) -> Option<Result<Receipt, Failed>> {
    let (name, offset) = (piece.snapshot(), piece.offset() as usize);
    if offset == 0 {
        incoming.clear();
    }
    if incoming.len() < offset {
        return None;
    }
    incoming.truncate(offset);
    incoming.extend_from_slice(piece.data());
    let is_last = piece.is_last();
    let receipt = piece.into_receipt();
    if !is_last {
        return Some(Ok(receipt));
    }
    if checksum(incoming) as u32 != name.checksum {
        return None;
    }
    Some(store.save(&name, incoming).map(|()| receipt))
}

/// The bytes that a message needs from the store; none if they are gone.
fn piece_of<S: Store>(store: &mut S, message: &Message<'_>) -> Option<Vec<u8>> {
    let Body::Chunk(chunk) = &message.body else {
        return Some(Vec::new());
    };
    let ChunkData::Wanted(len) = chunk.data else {
        return Some(Vec::new());
    };
    let (start, len) = (chunk.offset as usize, len as usize);
    let bytes = store.load(&chunk.snapshot).ok()?;
    bytes.get(start..start + len).map(<[u8]>::to_vec)
}

impl<S: Store> Rig for Driver<S> {
    fn begin(&mut self, begin: Begin, now: Instant) -> Result<(), Refusal> {
        self.store.medium().wipe();
        self.store.open()?;
        self.sent.clear();
        self.last_application = Application::default();
        self.id = begin.node;
        let (config, memory) = (settings(begin.node), vec![0; WINDOW_BYTES]);
        let raft = match begin.group {
            None => Machine::found(config, memory, begin.seed, now),
            Some(group) => Machine::join(config, group, memory, begin.seed, now),
        };
        self.start(raft?, Application::default(), now);
        Ok(())
    }

    fn restart(&mut self, seed: u64, now: Instant) -> Result<(), Refusal> {
        self.node = None;
        self.sent.clear();
        let (raft, application) = self.read(seed, now)?;
        self.start(raft, application, now);
        Ok(())
    }

    fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Frame(from, frame) => self.receive(from, frame, now),
            Input::Compact => self.compact(),
            Input::Time | Input::Propose(_) | Input::Admit(_) => {}
        }
        let Some(node) = &mut self.node else { return };
        match input {
            Input::Time => drop(node.raft.handle_timeout(now)),
            Input::Propose(payload) => drop(node.raft.propose(payload)),
            Input::Admit(names) => {
                let changes: Vec<_> = names.iter().copied().map(Change::AddVoter).collect();
                let _ = node.raft.reconfigure(&changes);
            }
            Input::Frame(..) | Input::Compact => {}
        }
        self.serve(now);
    }

    fn take_sent(&mut self) -> Option<(NodeId, Vec<u8>)> {
        self.sent.pop_front()
    }

    fn is_up(&self) -> bool {
        self.node.is_some()
    }

    fn identity(&self) -> Option<(GroupId, Identity)> {
        self.name
    }

    fn deadline(&self) -> Option<Instant> {
        self.raft().and_then(Machine::poll_timeout)
    }

    fn application(&self) -> Application {
        let node = self.node.as_ref();
        node.map_or(self.last_application, |node| node.application)
    }

    fn medium(&mut self) -> &mut dyn Medium {
        self.store.medium()
    }
}

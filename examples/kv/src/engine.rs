//! The engine: drives the Raft node and applies what it commits.
//!
//! Connections hand requests to the engine, which proposes them; peers hand it frames, the storage thread
//! its reports. None of them acts at once on what comes of that. They only mark the engine as due, and
//! [`Engine::pump`] runs after all that was ready has been taken in: so the writes of many clients leave as one
//! message per peer and one write to the disk, without any timer. All of it is one thread: nothing is
//! locked, and no request changes threads on its way.
//!
//! - `requests`: what clients want.
//! - `pending`: writes that wait for their entry to be applied.
//! - `reads`: reads that wait for proof that this node still leads.
//! - `members`: who is let in, promoted, and removed.
//! - `office`: handing over the office.
//! - `checkpoint`: snapshots made, sent, and received.
//! - `readiness`: whether clients should be sent here.
//! - `events`, `status`: what is told about all that, to the log and to clients.

mod checkpoint;
mod events;
mod members;
mod office;
mod pending;
mod readiness;
mod reads;
mod requests;
mod status;

use std::rc::Rc;
use std::time::Instant as Clock;

use anyhow::{Context, bail};
use clocks::Instant;
use quorum::NodeId;
use raft_core::{Body, Committed, LogIndex, Raft, Ready, wire};
use tracing::{debug, error, info, warn};

use crate::metrics::Metrics;
use crate::operation::{Change, Operation};
use crate::setup::Settings;
use crate::storage::{Done, Job, Storage, start_record};
use crate::store::Store;
use crate::transport::Links;
use crate::watch::Watch;
use checkpoint::Checkpoint;
use members::Members;
use office::Office;
use pending::Pending;
use readiness::{Readiness, Room};
use reads::Reads;
pub use requests::{Asker, Taken};

/// The most members of a group, those that come and those that go in one change counted together.
pub const MEMBERS_MAX: usize = 16;

/// The Raft node of this server.
pub type Machine = Raft<Vec<u8>, MEMBERS_MAX>;

/// How long to wait before a failed write is tried again.
const STORE_RETRY_DELAY: core::time::Duration = core::time::Duration::from_millis(500);

/// How long until reads that could not be asked about are tried again.
const READ_RETRY_DELAY: core::time::Duration = core::time::Duration::from_millis(10);

/// With less than this share of its window free, a node may be sent nothing although there is more.
const HOLDING_BACK_SHARE: usize = 8;

/// Commands applied before others get their turn.
const APPLY_MAX: usize = 4096;

/// A node's Raft machine, its map, and everything in between.
#[derive(Debug)]
pub struct Engine {
    raft: Machine,
    store: Store,
    settings: Settings,
    watch: Watch,
    storage: Storage,
    pub(crate) links: Links,
    pending: Pending,
    reads: Reads,
    members: Members,
    office: Office,
    checkpoint: Checkpoint,
    /// Why nothing can be stored, and when to try again.
    trouble: Option<(String, Clock)>,
    /// More is committed than one pump applies.
    is_behind: bool,
    have_members_changed: bool,
    spare_record: Vec<u8>,
    payload: Vec<u8>,
    ready: Vec<NodeId>,
    readiness: Readiness,
    /// The leader that was heard last, and when.
    heard: Option<(NodeId, Instant)>,
    /// Since when the storage thread has had a write, if it has one.
    storing: Option<Instant>,
    /// Clients connected.
    pub(crate) clients: usize,
    pub(crate) metrics: Rc<Metrics>,
}

impl Engine {
    /// An engine around a machine and the map as the machine's snapshot has it.
    pub fn new(
        raft: Machine,
        store: Store,
        settings: Settings,
        watch: Watch,
        storage: Storage,
        window_len: usize,
        metrics: Rc<Metrics>,
    ) -> Self {
        Self {
            checkpoint: Checkpoint::new(window_len, settings.id, Rc::clone(&metrics)),
            raft,
            store,
            settings,
            watch,
            storage,
            links: Links::default(),
            pending: Pending::new(metrics.commit_time.clone()),
            reads: Reads::default(),
            members: Members::default(),
            office: Office::default(),
            trouble: None,
            is_behind: false,
            have_members_changed: true,
            spare_record: Vec::new(),
            payload: Vec::new(),
            ready: Vec::new(),
            readiness: Readiness::default(),
            heard: None,
            storing: None,
            clients: 0,
            metrics,
        }
    }

    /// The Raft node.
    pub fn raft(&self) -> &Machine {
        &self.raft
    }

    /// The map, as far as this node has applied it.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What this node was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Instant {
        self.watch.now()
    }

    /// What finishes what is being stored.
    pub fn into_storage(self) -> Storage {
        self.storage
    }

    // ----- what happened -----

    /// A peer's frame arrived.
    pub fn receive(&mut self, from: NodeId, frame: &[u8]) -> anyhow::Result<()> {
        let message = match wire::decode(frame) {
            Ok(message) => message,
            Err(damage) => {
                warn!("a frame of node {from} is damaged: {damage}");
                self.metrics.bad_frames.inc();
                return Ok(());
            }
        };
        let now = self.now();
        if let Some(piece) = self.raft.handle_message(now, from, message)? {
            self.checkpoint.store_piece(piece, &self.storage);
        }
        if self.raft.leader() == Some(from) && self.raft.term() == message.term {
            self.heard = Some((from, now));
            if let Body::Append(append) = &message.body {
                let room = self.room();
                self.readiness.hear(message.term, append, room);
            }
        }
        Ok(())
    }

    fn room(&self) -> Room {
        let free = self.raft.log_bytes_max() - self.raft.log_bytes();
        match free < self.raft.log_bytes_max() / HOLDING_BACK_SHARE {
            true => Room::None,
            false => Room::Some,
        }
    }

    /// The connection to a peer broke.
    pub fn unreachable(&mut self, peer: NodeId) -> anyhow::Result<()> {
        let now = self.now();
        Ok(self.raft.handle_unreachable(now, peer)?)
    }

    /// The storage thread has done something.
    pub fn report(&mut self, done: Done) -> anyhow::Result<()> {
        let now = self.now();
        match done {
            Done::Appended(ticket, record, Ok(())) => {
                self.storing = None;
                self.spare_record = record;
                if self.trouble.take().is_some() {
                    info!("writes are stored again");
                }
                self.raft.handle_persisted(now, ticket)?;
                self.checkpoint.persisted();
            }
            Done::Appended(ticket, record, Err(failure)) => {
                self.storing = None;
                self.spare_record = record;
                if failure.is_final {
                    let text = failure.text;
                    bail!("what the disk holds is unknown: {text}");
                }
                if self
                    .trouble
                    .as_ref()
                    .is_none_or(|(text, _)| *text != failure.text)
                {
                    error!(
                        "cannot store writes, nothing is acknowledged: {}",
                        failure.text
                    );
                }
                self.trouble = Some((failure.text, Clock::now() + STORE_RETRY_DELAY));
                self.raft.handle_persist_failed(now, ticket)?;
            }
            Done::Stored(receipt, snapshot, stored) => {
                match self.checkpoint.piece_stored(snapshot, stored) {
                    true => self.raft.handle_stored(now, receipt)?,
                    // It is sent again.
                    false => drop(receipt),
                }
            }
            Done::Saved(saved) => self
                .checkpoint
                .saved(saved, &mut self.raft, &mut self.store),
        }
        Ok(())
    }

    // ----- the turn of the wheel -----

    /// When to pump at the latest.
    pub fn deadline(&self) -> Option<Clock> {
        let raft = self.raft.poll_timeout();
        let raft = raft.map(|at| self.watch.when(at));
        let retry = self.trouble.as_ref().map(|(_, at)| *at);
        let uncertain = self.pending.deadline();
        let reads = self
            .reads
            .want_ticket()
            .then(|| Clock::now() + READ_RETRY_DELAY);
        let (members, office) = (self.members.deadline(), self.office.deadline());
        let all = [raft, retry, uncertain, reads, members, office];
        all.into_iter().flatten().min()
    }

    /// Lets everything happen that is due. Says whether clients that found no room should try again.
    ///
    /// # Errors
    /// The node cannot go on.
    pub fn pump(&mut self) -> anyhow::Result<bool> {
        let now = self.now();
        self.raft.handle_timeout(now)?;
        // Before a snapshot of the next leader can replace what they were to see.
        self.dismiss_reads();
        self.members
            .tick(&mut self.raft, &self.store, &self.settings, &mut self.links);
        self.ask_for_reads(now);
        self.persist(now);
        self.transmit(now)?;
        self.apply()?;
        let committed = self.raft.is_established().then(|| self.raft.commit());
        let (term, applied) = (self.raft.term(), self.raft.delivered());
        self.readiness.tick(term, applied, committed);
        if self.answer_reads() {
            // Whoever gathered behind them can be asked about now.
            self.transmit(now)?;
        }
        self.office.tick(&self.raft);
        self.follow_events();
        if let Some(fault) = self.raft.fault() {
            bail!("the Raft node has stopped: {fault}");
        }
        self.settle();
        let is_compacted = self.checkpoint.tick(
            self.raft.delivered(),
            &self.raft,
            &mut self.store,
            &self.storage,
        );
        let is_free_again = self.office.follow(&self.raft);
        let takes_none = !self.raft.is_leader() && !self.office.is_vacant(&self.raft);
        Ok(is_compacted || is_free_again || takes_none)
    }

    /// One ticket for all reads that came since the last one.
    fn ask_for_reads(&mut self, now: Instant) {
        if !self.reads.want_ticket() || !self.raft.is_leader() {
            return;
        }
        match self.raft.read(now) {
            Ok(ticket) => self.reads.ask(ticket),
            // They gather until there is a place.
            Err(refused) => debug!("reads have to wait: {refused}"),
        }
    }

    /// Says whether any ticket has come to its end.
    fn answer_reads(&mut self) -> bool {
        let mut is_heard = false;
        while let Some(outcome) = self.raft.poll_read() {
            self.reads.hear(&outcome);
            is_heard = true;
        }
        if !self.reads.is_empty() {
            // A lease is looked at once more, by a clock read now.
            let now = self.now();
            self.reads
                .answer_proven(self.raft.delivered(), now, &self.store);
        }
        is_heard
    }

    /// Sends the reads of a lost office away, unless who leads now will be known in a moment.
    fn dismiss_reads(&mut self) {
        let is_proof_possible = self.raft.is_leader() && self.reads.term() == self.raft.term();
        let is_over = !is_proof_possible && !self.office.is_vacant(&self.raft);
        if is_over && !self.reads.is_empty() {
            let redirect = self.redirection();
            self.reads.refuse(&redirect);
        }
    }

    /// Begins to hand over to whoever is closest; says whether anybody will lead instead.
    pub fn hand_over(&mut self) -> bool {
        let now = self.now();
        self.raft.transferring_to().is_some()
            || office::successor(&self.raft, &self.links)
                .is_some_and(|to| self.raft.transfer(now, to).is_ok())
    }

    /// Who leads, if it is not this node.
    pub fn other_leader(&self) -> Option<NodeId> {
        self.raft.leader().filter(|_| !self.raft.is_leader())
    }

    fn persist(&mut self, now: Instant) {
        if self
            .trouble
            .as_ref()
            .is_some_and(|(_, at)| Clock::now() < *at)
        {
            return;
        }
        let Some(write) = self.raft.poll_persist() else {
            return;
        };
        let mut record = core::mem::take(&mut self.spare_record);
        start_record(&mut record);
        let mut scratch = [0; raft_core::RECORD_HEADER_BYTES_MAX];
        for part in write.record(&mut scratch) {
            record.extend_from_slice(part);
        }
        let anew = write.snapshot();
        let ticket = write.into_ticket();
        self.checkpoint.persisting(anew);
        self.storing = Some(now);
        self.storage.submit(Job::Append {
            ticket,
            record,
            anew,
        });
    }

    fn transmit(&mut self, now: Instant) -> anyhow::Result<()> {
        let links = &self.links;
        links.ready(&mut self.ready);
        while let Some(transmit) = self.raft.poll_transmit(now, Ready::Only(&self.ready)) {
            let Some(link) = links.find(transmit.to) else {
                continue;
            };
            let data = match &transmit.message.body {
                Body::Chunk(chunk) => match self.checkpoint.piece(chunk, &self.storage) {
                    Some(data) => data,
                    None => continue,
                },
                _ => &[],
            };
            let pushed = link.push(&transmit.message, data);
            pushed.context("a message does not fit its frame")?;
            if link.is_full() {
                links.ready(&mut self.ready);
            }
        }
        Ok(())
    }

    /// Applies what is committed, and answers.
    fn apply(&mut self) -> anyhow::Result<()> {
        let Self {
            raft,
            store,
            pending,
            reads,
            checkpoint,
            ..
        } = self;
        let mut applied = 0;
        while let Some(committed) = raft.poll_committed() {
            let entry = match committed {
                Committed::Command(entry) => entry,
                Committed::Snapshot(snapshot) => {
                    *store = checkpoint.install(&snapshot, &self.storage)?;
                    pending.skip_to(snapshot.last.index);
                    continue;
                }
            };
            // A read sees what was in the log when it came, and nothing that came later.
            reads.answer_before(entry.id, store);
            checkpoint.count(entry.payload.len());
            if entry.payload.is_empty() {
                pending.pass(entry.id);
            } else {
                let operation = Operation::decode(entry.payload)
                    .with_context(|| format!("cannot apply entry {}", entry.id.index))?;
                if let Change::Address { node, peer, client } = operation.change {
                    info!("node {node} listens at {peer} for nodes, at {client} for clients");
                }
                let outcome = store.apply(&operation);
                pending.answer(entry.id, &outcome);
            }
            applied += 1;
            if applied == APPLY_MAX {
                break;
            }
        }
        self.is_behind = applied == APPLY_MAX;
        Ok(())
    }

    /// Answers those who cannot get what they wait for.
    fn settle(&mut self) {
        self.dismiss_reads();
        if let Some(overwritten) = self.pending.take_overwritten() {
            // Another entry is committed in their place: they have not taken place, and never will.
            let text = self.redirection();
            overwritten
                .into_iter()
                .for_each(|asker| asker.refuse(&text));
        }
        let led = self.raft.is_leader().then(|| self.raft.term());
        self.pending.settle(led, Clock::now());
    }

    /// Answers all who wait: there is no time to find out what becomes of their requests.
    pub fn give_up(&mut self) {
        self.pending.lose(LogIndex::ZERO);
        self.members.give_up();
        self.office.give_up();
        self.reads.refuse("TRYAGAIN this node is ending");
    }

    /// Whether more is committed than is applied yet.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether the members have changed since this was last asked.
    pub fn take_members_changed(&mut self) -> bool {
        core::mem::take(&mut self.have_members_changed)
    }
}

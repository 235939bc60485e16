//! The driver: what runs after every input of a machine. Persist, transmit, apply, compact.

mod shared;

use clocks::Duration;
use raft_core::{Committed, DropReason, Event, LogIndex, Piece};

use crate::model::Input;
use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::app::{App, checksum};
use crate::world::clock::Moment;
use crate::world::happening::What;
use crate::world::queue::Due;
use crate::world::random::Random;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm::Swarm;

impl World {
    /// Does what a machine wants after an input.
    pub(crate) fn drain(&mut self, host: usize) -> Result<(), Violation> {
        self.drain_with(host, self.network.busy(host))
    }

    /// The same while the links to these hosts are busy.
    pub(crate) fn drain_with(&mut self, host: usize, busy: u64) -> Result<(), Violation> {
        if self.hosts[host].raft.is_none() {
            return Ok(());
        }
        self.persist(host)?;
        self.transmit(host, busy)?;
        self.apply(host)?;
        self.answer_reads(host)?;
        self.hear_events(host)?;
        if self.compact(host)? {
            self.persist(host)?;
            self.transmit(host, busy)?;
        }
        self.arm(host);
        Ok(())
    }

    /// Starts the write that the machine wants.
    fn persist(&mut self, number: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        let Some(write) = raft.poll_persist() else {
            return Ok(());
        };
        let now = self.now;
        self.trace.note(now, number, || What::Writes(write.last()));
        let log = self.oracles.log(number);
        let time = write_time(
            &mut self.disk_random,
            &self.swarm,
            number,
            self.is_calm,
            now,
        );
        let done = host.disk.start_record(now, time, write, log);
        self.queue.push(done, Due::DiskDone(number, host.start));
        let is_leader = || host.raft.as_ref().is_some_and(|raft| raft.is_leader());
        let is_early = match self.sabotage {
            Sabotage::ReportsEarly => true,
            Sabotage::OneReportsEarly => number == 1 && !is_leader(),
            _ => false,
        };
        if is_early && let Some(ticket) = host.disk.latest_record().and_then(|r| r.ticket.take()) {
            let local = host.tell(now);
            if let Some(raft) = host.raft.as_mut() {
                let _ = raft.handle_persisted(local, ticket);
            }
            self.oracles.on_written(number, &self.hosts)?;
            self.observe(number)?;
        }
        Ok(())
    }

    pub(crate) fn store_piece(&mut self, number: usize, piece: Piece<'_>) {
        let (now, host) = (self.now, &mut self.hosts[number]);
        if host.disk.is_storing(&piece) {
            return;
        }
        let time = write_time(
            &mut self.disk_random,
            &self.swarm,
            number,
            self.is_calm,
            now,
        );
        let done = host.disk.start_piece(now, time, piece);
        self.queue.push(done, Due::DiskDone(number, host.start));
    }

    /// Hands what is committed to the application.
    fn apply(&mut self, number: usize) -> Result<(), Violation> {
        while self.apply_one(number)? {}
        self.oracles
            .on_step(number, || Input::Deliver, &self.hosts)?;
        self.oracles.on_delivered(number, &self.hosts[number])
    }

    /// Hands over what is next; says whether there was anything.
    #[inline(never)]
    fn apply_one(&mut self, number: usize) -> Result<bool, Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        let before = host.app.applied;
        match raft.poll_committed() {
            None => return Ok(false),
            Some(Committed::Command(entry)) => {
                let index = entry.id.index;
                let is_odd = index.value() % 16 == 7;
                if self.sabotage == Sabotage::SkipsCommands && is_odd {
                    return Ok(true);
                }
                let id = entry.id;
                let answer = host.app.apply(index, entry.payload);
                let state = host.app.state;
                self.stats.add(Count::Applied);
                if let Some(applied) = &mut self.applied {
                    applied.push((number, entry.id));
                }
                self.trace.record(index.value(), state);
                self.oracles.on_applied(number, before, index, state)?;
                let clients = &mut self.oracles.clients;
                if let Some(asked) = clients.on_applied(number, id, self.now, answer) {
                    self.oracles.on_answered(asked)?;
                }
                if self.sabotage == Sabotage::RepeatsCommands && is_odd {
                    self.oracles.on_applied(number, index, index, state)?;
                }
            }
            Some(Committed::Snapshot(name)) => {
                let stored = host.disk.snapshot(&name);
                let loaded = stored.and_then(|bytes| App::load_at(bytes, name.last.index));
                host.app = loaded.unwrap_or_default();
                let state = loaded.map(|app| app.state);
                self.trace.say(self.now, number, || {
                    format!("takes over the snapshot at {}", name.last.index)
                });
                self.oracles.clients.on_snapshot(number, name.last.index);
                self.oracles.on_snapshot(number, &name, state)?;
            }
        }
        Ok(true)
    }

    /// Compacts the log if it has grown long; says whether it did.
    fn compact(&mut self, number: usize) -> Result<bool, Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        let index = raft.delivered();
        let gain = index.since(raft.base().index);
        let is_needed = std::mem::take(&mut host.needs_room);
        if gain == 0 || (gain < self.swarm.compact_after && !is_needed) {
            return Ok(false);
        }
        // A snapshot that is being sent starts over when a later one takes its place. Thirty
        // election timeouts are what the longest takes over the slowest links to the slowest disks.
        let is_sending = self.now < host.sent_piece.plus(self.swarm.part(100))
            && self.now < host.compacted.plus(self.swarm.part(3000));
        if is_sending {
            return Ok(false);
        }
        if raft.held(index).is_some() {
            self.stats.add(Count::CompactionHeld);
            return Ok(false);
        }
        self.compact_to(number, index)
    }

    /// Makes a snapshot of everything up to `index`, which was handed to the application.
    #[inline(never)]
    fn compact_to(&mut self, number: usize, index: LogIndex) -> Result<bool, Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        host.compacted = self.now;
        if raft.is_witness() {
            return self.compact_witness(number, index);
        }
        let bytes = &mut self.snapshot;
        let app = self.sabotage.spoil(host.app);
        app.write_snapshot(index, self.swarm.snapshot_padding, bytes);
        let (size, sum) = (bytes.len() as u64, checksum(bytes));
        host.archive.keep(raft, index);
        if raft.compact(index, size, sum).is_err() {
            return Ok(false);
        }
        self.stats.add(Count::Compaction);
        let name = raft.snapshot();
        if host.random.chance(300) {
            host.disk.keep_checkpoint(host.app);
        }
        let now = self.now;
        self.trace
            .say(now, number, || format!("compacts up to {index}"));
        let time = write_time(
            &mut self.disk_random,
            &self.swarm,
            number,
            self.is_calm,
            now,
        );
        let done = host.disk.start_snapshot(now, time, name, bytes);
        self.queue.push(done, Due::DiskDone(number, host.start));
        self.oracles
            .on_step(number, || Input::Compact(index), &self.hosts)?;
        self.oracles.on_compact(number, index, app.state)?;
        self.observe(number)?;
        Ok(true)
    }

    fn hear_events(&mut self, number: usize) -> Result<(), Violation> {
        while let Some(raft) = self.hosts[number].raft.as_mut() {
            let Some(event) = raft.poll_event() else {
                break;
            };
            self.hear(number, event)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn hear(&mut self, number: usize, event: Event) -> Result<(), Violation> {
        match event {
            Event::RoleChanged { role, term } => {
                let what = || What::Role(role, term);
                self.trace.note(self.now, number, what);
            }
            Event::Dropped { reason, from, .. } => {
                self.stats.add(Count::MessageDropped);
                if reason != DropReason::Stranger && self.traitor.is_none() {
                    let what = words!(
                        "host {} drops a message of the honest node {from}: {reason:?}",
                        number + 1
                    );
                    self.judge(Oracle::Invariants, Err(what))?;
                }
            }
            Event::DiskStalled => self.trace.say(self.now, number, || "disk stalled".into()),
            Event::QuietChanged { is_quiet } => self.hear_quiet(number, is_quiet),
            Event::NoRoomToCampaign | Event::WindowFull => {
                self.trace.say(self.now, number, || format!("{event:?}"));
                self.hosts[number].needs_room = true;
            }
            Event::LeaderChanged { .. }
            | Event::ConfigurationChanged { .. }
            | Event::Lost { .. }
            | Event::TermsExhausted
            | Event::PersistFailed
            | Event::SnapshotFrameTooSmall
            | Event::TransferFailed { .. }
            | Event::Removed
            | Event::Faulted(_) => {
                self.trace.say(self.now, number, || format!("{event:?}"));
            }
        }
        Ok(())
    }

    /// Sees to it that the machine is woken in time.
    pub(crate) fn arm(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        let deadline = host.raft.as_ref().and_then(|raft| raft.poll_timeout());
        let Some(deadline) = deadline else { return };
        if host.armed_for == Some(deadline) {
            return;
        }
        if !host.clock.is_running() && deadline > host.clock.show(self.now) {
            // It looks again when its clock goes on.
            return;
        }
        host.armed_for = Some(deadline);
        let at = host.clock.when(deadline).max(self.now);
        if host.wake_at.is_none_or(|earlier| at < earlier) {
            host.wake_at = Some(at);
            self.queue.push(at, Due::Wake(number));
        }
    }
}

/// How long an operation of a disk takes.
fn write_time(
    random: &mut Random,
    swarm: &Swarm,
    number: usize,
    is_calm: bool,
    now: Moment,
) -> Duration {
    if now == Moment::default() {
        // Machines are being set up.
        return Duration::ZERO;
    }
    let (min, max) = swarm.write;
    let time = random.duration(min, max);
    match swarm.slow_disk {
        Some((slow, factor)) if slow == number && !is_calm => time.saturating_mul(factor),
        Some(_) | None => time,
    }
}

//! The driver: what runs after every input of a machine. Persist, transmit, apply, compact.

use clocks::Duration;
use raft_core::{
    Body, ChunkData, Committed, DropReason, Event, Message, Piece, Ready, Snapshot, wire,
};

use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::app::{App, checksum};
use crate::world::decision::Decision;
use crate::world::disk::{Operation, Record, StoredSnapshot};
use crate::world::happening::What;
use crate::world::host::{host_of, node};
use crate::world::network::Frame;
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm::HOSTS_MAX;
use crate::world::trace::describe;

impl World {
    /// Does what a machine wants after an input.
    pub(crate) fn drain(&mut self, host: usize) -> Result<(), Violation> {
        if self.hosts[host].raft.is_none() {
            return Ok(());
        }
        let busy = self.draw_busy(host);
        self.persist(host)?;
        self.transmit(host, busy)?;
        self.apply(host)?;
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
        let (now, log) = (self.now, self.oracles.log(number));
        let mut record = Record::new(write, log, Vec::new());
        self.trace.say(now, number, || What::Writes(record.last()));
        let early = (self.sabotage == Sabotage::ReportsEarly)
            .then(|| record.ticket.take())
            .flatten();
        self.start(number, Operation::Record(record));
        if let Some(ticket) = early {
            let host = &mut self.hosts[number];
            let local = host.clock.show(now);
            if let Some(raft) = host.raft.as_mut() {
                let _ = raft.handle_persisted(local, ticket);
            }
            self.observe(number)?;
        }
        Ok(())
    }

    /// Hands an operation to the disk.
    fn start(&mut self, number: usize, operation: Operation) {
        let (min, max) = self.swarm.write;
        let mut time = if self.is_installing() {
            Duration::ZERO
        } else {
            self.disk_random.duration(min, max)
        };
        if let Some((slow, factor)) = self.swarm.slow_disk
            && slow == number
            && !self.is_calm
        {
            time = time.saturating_mul(factor);
        }
        let host = &mut self.hosts[number];
        let done = host.disk.start(self.now, operation, time);
        self.queue.push(done, Due::DiskDone(number, host.start));
    }

    pub(crate) fn store_piece(&mut self, number: usize, piece: Piece<'_>) {
        if self.hosts[number].disk.is_storing(&piece) {
            return;
        }
        let operation = Operation::Piece {
            name: piece.snapshot(),
            offset: piece.offset(),
            data: piece.data().to_vec(),
            receipt: piece.into_receipt(),
        };
        self.start(number, operation);
    }

    /// The peers whose transport is busy at the moment, one bit each.
    fn draw_busy(&mut self, number: usize) -> u64 {
        if let Some(pool) = &mut self.pool {
            return pool.take_busy(number);
        }
        let mut busy = 0;
        if self.swarm.busy > 0 {
            for peer in 0..self.hosts.len() {
                busy |= u64::from(self.network.is_busy(&self.swarm)) << peer;
            }
        }
        if busy != 0 {
            let decision = || Decision::Busy(number as u8, busy);
            self.trace.decide(self.now, number, decision);
        }
        busy
    }

    /// Sends what the machine wants to send, except to peers whose transport is busy.
    fn transmit(&mut self, number: usize, mask: u64) -> Result<(), Violation> {
        let mut busy = [node(number); HOSTS_MAX];
        let mut count = 0;
        for peer in (0..self.hosts.len()).filter(|peer| mask >> peer & 1 == 1) {
            busy[count] = node(peer);
            count += 1;
        }
        if count > 0 && !self.hosts[number].retries {
            self.stats.add(Count::LinkBusy);
            self.hosts[number].retries = true;
            let later = self.now.plus(Duration::from_millis(5));
            self.queue.push(later, Due::Wake(number));
        }
        while self.transmit_one(number, Ready::Except(&busy[..count]))? {}
        Ok(())
    }

    fn transmit_one(&mut self, number: usize, ready: Ready<'_>) -> Result<bool, Violation> {
        let (now, host) = (self.now, &mut self.hosts[number]);
        let local = host.clock.show(now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        let Some(transmit) = raft.poll_transmit(local, ready) else {
            return Ok(false);
        };
        let Some(to) = host_of(transmit.to).filter(|to| *to < self.swarm.hosts) else {
            return Ok(true);
        };
        let message = transmit.message;
        let data = match chunk_data(&message, |name| host.disk.snapshot(name)) {
            Ok(data) => data,
            Err(name) => {
                let what = format!("host {} wants to send {name:?}, long gone", number + 1);
                self.judge(Oracle::Invariants, Err(what))?;
                return Ok(false);
            }
        };
        if matches!(message.body, Body::Chunk(_)) {
            host.sent_piece = now;
        }
        let encoded = match wire::encode_chunk(&message, data, &mut self.frame) {
            Ok(encoded) => encoded,
            Err(error) => {
                let what = format!("host {} sends what does not fit: {error}", number + 1);
                self.judge(Oracle::Invariants, Err(what))?;
                return Ok(true);
            }
        };
        let mut bytes = self.network.buffer();
        bytes.clear();
        bytes.extend_from_slice(encoded);
        self.trace
            .record(now.as_micros(), 3 << 40 | (number as u64) << 8 | to as u64);
        let name = self.trace.name(number, to, &message);
        let words = || What::Sent(to, name, describe(&message));
        self.trace.say(now, number, words);
        if let Ok(sent) = wire::decode(&bytes) {
            self.oracles.on_frame(number, to, &sent, &self.hosts)?;
        }
        let frame = Frame {
            from: number,
            to,
            bytes,
            generation: 0,
            name,
        };
        if let Some(pool) = &mut self.pool {
            let is_lost = !self.network.reaches(number, to);
            pool.push(frame, is_lost, self.trace.names());
            return Ok(true);
        }
        let (network, queue) = (&mut self.network, &mut self.queue);
        let arrives = network.send(now, frame, &self.swarm, queue, &mut self.stats);
        if !arrives {
            self.trace.say(now, number, || What::Lost(name));
            if self.work_random.chance(200) {
                // A transport that notices tells the machine.
                self.queue.push(now, Due::Unreachable(number, to));
            }
        }
        Ok(true)
    }

    /// A transport tells a host that it does not reach another.
    pub(crate) fn notice_unreachable(
        &mut self,
        number: usize,
        peer: usize,
    ) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        let decision = || Decision::Unreachable(number as u8, peer as u8);
        self.trace.decide(self.now, number, decision);
        let _ = raft.handle_unreachable(host.clock.show(self.now), node(peer));
        self.observe(number)?;
        self.drain(number)
    }

    /// Hands what is committed to the application.
    fn apply(&mut self, number: usize) -> Result<(), Violation> {
        loop {
            let host = &mut self.hosts[number];
            let Some(raft) = host.raft.as_mut() else {
                return Ok(());
            };
            let before = host.app;
            match raft.poll_committed() {
                None => break,
                Some(Committed::Command(entry)) => {
                    let index = entry.id.index;
                    let is_odd = index.value() % 16 == 7;
                    if self.sabotage == Sabotage::SkipsCommands && is_odd {
                        continue;
                    }
                    host.app.apply(index, entry.payload);
                    let state = host.app.state;
                    self.stats.add(Count::Applied);
                    self.trace.record(index.value(), state);
                    self.oracles
                        .on_applied(number, before.applied, index, state)?;
                    if self.sabotage == Sabotage::RepeatsCommands && is_odd {
                        self.oracles.on_applied(number, index, index, state)?;
                    }
                }
                Some(Committed::Snapshot(name)) => {
                    let loaded = host.disk.snapshot(&name).and_then(App::load);
                    host.app = loaded.unwrap_or_default();
                    let state = loaded.map(|app| app.state);
                    self.trace.say(self.now, number, || {
                        What::Words(format!("takes over the snapshot at {}", name.last.index))
                    });
                    self.oracles.on_snapshot(number, &name, state)?;
                }
            }
        }
        self.observe(number)
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
        // A snapshot that is being sent starts over when a later one takes its place.
        let is_sending = self.now < host.sent_piece.plus(Duration::from_millis(100))
            && self.now < host.compacted.plus(Duration::from_millis(1000));
        if gain == 0 || is_sending || (gain < self.swarm.compact_after && !is_needed) {
            return Ok(false);
        }
        host.compacted = self.now;
        let bytes = host.app.snapshot(index, self.swarm.snapshot_padding);
        if raft
            .compact(index, bytes.len() as u64, checksum(&bytes))
            .is_err()
        {
            return Ok(false);
        }
        self.stats.add(Count::Compaction);
        let name = raft.snapshot();
        if host.random.chance(300) {
            host.disk.keep_checkpoint(host.app);
        }
        let words = || What::Words(format!("compacts up to {index}"));
        self.trace.say(self.now, number, words);
        self.start(number, Operation::Snapshot(StoredSnapshot { name, bytes }));
        self.observe(number)?;
        Ok(true)
    }

    fn hear_events(&mut self, number: usize) -> Result<(), Violation> {
        while let Some(raft) = self.hosts[number].raft.as_mut() {
            let Some(event) = raft.poll_event() else {
                break;
            };
            match event {
                Event::RoleChanged { role, term } => {
                    let what = || What::Role(role, term);
                    self.trace.say(self.now, number, what);
                }
                Event::Dropped { reason, from, .. } => {
                    self.stats.add(Count::MessageDropped);
                    if reason != DropReason::Stranger {
                        let what = format!(
                            "host {} drops a message of the honest node {from}: {reason:?}",
                            number + 1
                        );
                        self.judge(Oracle::Invariants, Err(what))?;
                    }
                }
                Event::DiskStalled => {
                    let words = || What::Words("disk stalled".into());
                    self.trace.say(self.now, number, words);
                }
                Event::NoRoomToCampaign | Event::WindowFull => {
                    let words = || What::Words(format!("{event:?}"));
                    self.trace.say(self.now, number, words);
                    self.hosts[number].needs_room = true;
                }
                Event::LeaderChanged { .. }
                | Event::ConfigurationChanged { .. }
                | Event::Lost { .. }
                | Event::TermsExhausted
                | Event::PersistFailed
                | Event::SnapshotFrameTooSmall
                | Event::Faulted(_) => {
                    let words = || What::Words(format!("{event:?}"));
                    self.trace.say(self.now, number, words);
                }
            }
        }
        Ok(())
    }

    /// Sees to it that the machine is woken in time.
    pub(crate) fn arm(&mut self, number: usize) {
        let host = &mut self.hosts[number];
        let deadline = host.raft.as_ref().and_then(|raft| raft.poll_timeout());
        let Some(deadline) = deadline else { return };
        let at = host.clock.when(deadline).max(self.now);
        if host.wake_at.is_none_or(|earlier| at < earlier) {
            host.wake_at = Some(at);
            self.queue.push(at, Due::Wake(number));
        }
    }
}

/// The bytes that a chunk wants, or the snapshot that is not there.
fn chunk_data<'d>(
    message: &Message<'_>,
    find: impl FnOnce(&Snapshot) -> Option<&'d [u8]>,
) -> Result<&'d [u8], Snapshot> {
    let Body::Chunk(chunk) = &message.body else {
        return Ok(&[]);
    };
    let ChunkData::Wanted(len) = chunk.data else {
        return Ok(&[]);
    };
    let bytes = find(&chunk.snapshot);
    // Simulated snapshots are a few kilobytes.
    let (start, len) = (chunk.offset as usize, len as usize);
    bytes
        .and_then(|bytes| bytes.get(start..start + len))
        .ok_or(chunk.snapshot)
}

//! What can happen to one host: a frame arrives, it wakes, its disk is done, it comes back.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{Message, Piece, wire};

use crate::model::Input;
use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation, rebuild, snapshot};
use crate::world::World;
use crate::world::chain::Chain;
use crate::world::decision::Decision;
use crate::world::disk::Outcome;
use crate::world::happening::What;
use crate::world::host::{Host, node};
use crate::world::network::{Arrival, FrameId};
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::trace::describe;

impl World {
    /// Which host something happens to, if it can be paused.
    pub(super) fn concerns(&self, due: Due) -> Option<usize> {
        match due {
            Due::Deliver(frame) => Some(self.network.receiver(frame)),
            Due::Wake(host)
            | Due::DiskDone(host, _)
            | Due::LinksFree(host)
            | Due::Unreachable(host, _) => Some(host),
            Due::Restart(_)
            | Due::Fault
            | Due::Heal
            | Due::Relieve(_)
            | Due::Propose
            | Due::Reconfigure
            | Due::Calm
            | Due::Look => None,
        }
    }

    pub(super) fn deliver(&mut self, id: FrameId) -> Result<(), Violation> {
        let mut bytes = core::mem::take(&mut self.arrived);
        let arrival = self.network.take(id, &mut bytes);
        // Oracles judge by what was sent, whatever a seeded fault makes of it.
        let sent = (self.sabotage != Sabotage::None).then(|| bytes.clone());
        let result = match arrival {
            Some(arrival) if !arrival.is_whole && self.sabotage != Sabotage::TrustsFrames => {
                // The driver's checksum tells. Decoding it would do no harm either.
                let _ = wire::decode(&bytes);
                Ok(())
            }
            Some(Arrival { from, to, name, .. }) if self.sabotage.tamper(&mut bytes) => {
                self.receive((from, to), name, &bytes, sent.as_deref())
            }
            Some(_) | None => Ok(()),
        };
        self.arrived = bytes;
        result
    }

    pub(crate) fn receive(
        &mut self,
        (from, to): (usize, usize),
        name: u32,
        bytes: &[u8],
        sent: Option<&[u8]>,
    ) -> Result<(), Violation> {
        let host = &mut self.hosts[to];
        let local = host.tell(self.now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        let message = match wire::decode_frame(bytes) {
            Ok(wire::Frame::One(message)) => message,
            Ok(wire::Frame::Many(broadcast)) => {
                return self.receive_broadcast((from, to), name, broadcast);
            }
            Err(error) => {
                let what = words!("a frame of host {} does not decode: {error}", from + 1);
                return self.judge(Oracle::Invariants, Err(what));
            }
        };
        let now = self.now;
        self.trace.deliver(now, to, name);
        self.trace
            .note(now, to, || What::Arrived(from, name, describe(&message)));
        self.trace.record(
            now.as_micros(),
            (to as u64) << 32 | (from as u64) << 24 | bytes.len() as u64,
        );
        // A machine that has stopped says so to the oracle of invariants.
        let piece = if self.oracles.wants_twin(host.told > local) {
            self.handle_twice(to, local, node(from), message)?
        } else {
            raft.handle_message(local, node(from), message)
                .unwrap_or_default()
        };
        if let Some(piece) = piece {
            let found = snapshot::check_piece(to, &piece, &self.hosts[to].disk);
            self.oracles.judge(Oracle::Snapshot, found)?;
            self.store_piece(to, piece);
        }
        let sent = sent.and_then(|bytes| wire::decode(bytes).ok());
        let message = sent.as_ref().unwrap_or(&message);
        self.oracles
            .on_step(to, || Input::Message(node(from), *message), &self.hosts)?;
        self.oracles.on_received(to, from, message, &self.hosts)?;
        self.observe(to)?;
        self.drain(to)
    }

    /// Gives a message to a machine and to a copy of it, which must do the same.
    #[cold]
    #[inline(never)]
    fn handle_twice<'m>(
        &mut self,
        to: usize,
        local: Instant,
        from: NodeId,
        message: Message<'m>,
    ) -> Result<Option<Piece<'m>>, Violation> {
        let told = self.hosts[to].told;
        let Some(raft) = self.hosts[to].raft.as_mut() else {
            return Ok(None);
        };
        let twin = raft.clone();
        let piece = raft.handle_message(local, from, message);
        // A clock that runs back counts as standing still.
        let seen = self.sabotage.misread(told);
        self.oracles.on_twin(twin, raft, seen, from, message)?;
        Ok(piece.unwrap_or_default())
    }

    /// A host that had too much for its links sends the rest. Where there is none, nothing
    /// happened.
    pub(crate) fn links_free(&mut self, host: usize) -> Result<(), Violation> {
        let decision = || Decision::Free(host as u8);
        self.trace.decide(self.now, host, decision);
        self.network.free_links(host);
        let before = self.stats.count(Count::FrameSent);
        self.transmit(host, 0)?;
        if self.stats.count(Count::FrameSent) > before {
            self.stats.add(Count::Event);
            self.drain_with(host, 0)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn heal(&mut self) {
        self.stats.add(Count::Event);
        // What is cut after the storm stays cut.
        if !self.is_calm {
            self.network.heal();
        }
    }

    pub(super) fn wake(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        let woken = &mut self.hosts[host];
        if woken.wake_at.is_none_or(|at| at > now) {
            // Something earlier woke it since, or another life of it was meant.
            return Ok(());
        }
        woken.forget_wake();
        let local = woken.clock.show(now);
        let Some(raft) = &woken.raft else {
            return Ok(());
        };
        if raft.poll_timeout().is_none_or(|deadline| deadline > local) {
            // The deadline has moved. Some drivers wake their machine all the same.
            if !self.work_random.chance(100) {
                self.arm(host);
                return Ok(());
            }
        }
        self.wake_now(host)
    }

    /// A host looks at its clock.
    pub(crate) fn wake_now(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        let woken = &mut self.hosts[host];
        woken.forget_wake();
        let local = woken.tell(now);
        let Some(raft) = woken.raft.as_mut() else {
            return Ok(());
        };
        let decision = || Decision::Wake(host as u8);
        self.trace.decide(now, host, decision);
        self.stats.add(Count::Event);
        self.trace.record(now.as_micros(), 1 << 40 | host as u64);
        let _ = raft.handle_timeout(self.sabotage.hurry(local));
        self.oracles.on_step(host, || Input::Timeout, &self.hosts)?;
        self.observe(host)?;
        self.oracles.on_woken(host, &self.hosts)?;
        self.drain(host)?;
        self.look_at_reads(host)?;
        let raft = self.hosts[host].raft.as_ref();
        let again = raft.and_then(|raft| raft.poll_timeout());
        match again.filter(|deadline| *deadline <= local) {
            Some(_) => self.judge(
                Oracle::Invariants,
                Err(words!("host {} wants to be woken without end", host + 1)),
            ),
            None => Ok(()),
        }
    }

    pub(super) fn disk_done(&mut self, host: usize, start: u32) -> Result<(), Violation> {
        if self.hosts[host].start != start {
            return Ok(());
        }
        let is_safe = self.is_calm || self.is_installing();
        let fails = !is_safe && self.disk_random.chance(self.swarm.write_failure);
        let disk = &self.hosts[host].disk;
        let failed = if fails {
            disk.draw_failure(&mut self.disk_random)
        } else {
            None
        };
        self.end_write(host, failed)
    }

    /// The oldest operation of a disk is done, or it failed and left so many bytes.
    pub(crate) fn end_write(&mut self, host: usize, failed: Option<u32>) -> Result<(), Violation> {
        self.stats.add(Count::Event);
        let (now, number) = (self.now, host as u8);
        self.trace.decide(now, host, || match failed {
            Some(left) => Decision::Fail(number, left),
            None => Decision::Store(number),
        });
        let disk = &mut self.hosts[host].disk;
        let outcome = disk.finish(failed, &mut self.stats);
        self.trace
            .note(now, host, || What::Disk(disk_words(&outcome)));
        self.trace.record(now.as_micros(), 2 << 40 | host as u64);
        if matches!(outcome, Outcome::Stored(_)) {
            self.oracles.on_disk(host, &self.hosts)?;
        }
        let owner = &mut self.hosts[host];
        let local = owner.tell(now);
        let Some(raft) = owner.raft.as_mut() else {
            return Ok(());
        };
        let mut input = Input::Nothing;
        let mut is_written = false;
        let reported = match outcome {
            Outcome::Stored(Some(ticket)) => {
                is_written = true;
                raft.handle_persisted(local, ticket)
            }
            Outcome::Failed(Some(ticket)) => raft.handle_persist_failed(local, ticket),
            Outcome::Piece(name, receipt) => {
                self.stats.add(Count::PieceStored);
                self.oracles.on_told(host, &name);
                input = Input::Stored(name);
                raft.handle_stored(local, receipt)
            }
            Outcome::Damaged(name) => {
                return self.oracles.on_damaged(host, &name);
            }
            Outcome::Stored(None) | Outcome::Failed(None) | Outcome::Silent => Ok(()),
        };
        if let Err(raft_core::error::HandleError::ForeignTicket) = reported {
            let what = words!("host {} refuses its own ticket", host + 1);
            self.judge(Oracle::Invariants, Err(what))?;
        }
        if is_written {
            self.oracles.on_written(host, &self.hosts)?;
        } else {
            self.oracles.on_step(host, || input, &self.hosts)?;
        }
        self.observe(host)?;
        self.oracles.on_own_disk(host, &self.hosts)?;
        self.drain(host)
    }

    #[inline(never)]
    pub(crate) fn restart(&mut self, host: usize) -> Result<(), Violation> {
        if self.hosts[host].raft.is_some() || self.hosts[host].is_frozen {
            return Ok(());
        }
        let decision = || Decision::Restart(host as u8);
        self.trace.decide(self.now, host, decision);
        self.stats.add(Count::Event);
        if self.sabotage == Sabotage::ForgetsRecord {
            self.hosts[host].disk.forget_latest();
        }
        let now = self.now;
        if !self.hosts[host].has_past() {
            // Nothing it ever said rests on anything: it starts over.
            return self.begin_anew(host);
        }
        if self.sabotage == Sabotage::LosesRecord {
            self.hosts[host].disk.forget_latest();
        }
        let restored = self.hosts[host].restore(now, &mut self.stats);
        if self.sabotage == Sabotage::LosesRecord {
            self.accept_loss(host);
        }
        self.oracles.on_disk(host, &self.hosts)?;
        if !self.is_calm {
            // Only there: whoever is down when the storm ends is started in any case.
            self.stats.add(Count::Restart);
        }
        self.came_up(host, restored.map_err(|error| error.to_string()))
    }

    /// A seeded fault: what a host came back with is all that it ever stored.
    fn accept_loss(&mut self, host: usize) {
        let Host { raft, disk, .. } = &mut self.hosts[host];
        if let Some(raft) = raft {
            let mut log = Chain::default();
            rebuild(&mut log, raft, &disk.durable().log);
            disk.believe(raft.hard_state(), log);
        }
    }

    /// A host whose disk lost something for good does not come back as itself. It stays down
    /// until it is out of the group, and then joins as a new node.
    pub(crate) fn refuse_rotten(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        if self.hosts[host].disk.is_sound() {
            let what = words!("host {} does not see that its journal is damaged", host + 1);
            return self.judge(Oracle::Recovery, Err(what));
        }
        if self.sabotage == Sabotage::TrustsRecords {
            let restored = self.hosts[host].restore(now, &mut self.stats);
            return self.came_up(host, restored.map_err(|error| error.to_string()));
        }
        self.hosts[host].is_frozen = true;
        self.hosts[host].is_rotten = true;
        self.stats.add(Count::Rot);
        Ok(())
    }

    /// A host that lost even its name asks to be let in under a new one.
    fn begin_anew(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        self.oracles.on_wipe(host);
        let begun = match self.group {
            Some(group) => self.hosts[host].join(group, now),
            None => return Ok(()),
        };
        self.came_up(host, begun.map_err(|error| error.to_string()))
    }

    pub(crate) fn came_up(
        &mut self,
        host: usize,
        begun: Result<(), String>,
    ) -> Result<(), Violation> {
        let now = self.now;
        if let Err(error) = begun {
            let what = words!("host {} does not come up: {error}", host + 1);
            return self.judge(Oracle::Recovery, Err(what));
        }
        if let Some(raft) = &self.hosts[host].raft {
            let (term, last, base) = (raft.term(), raft.last(), raft.base());
            let what = || What::Started(term, base, last);
            self.trace.note(now, host, what);
        }
        self.oracles.on_start(host, &self.hosts)?;
        self.observe(host)?;
        self.drain(host)
    }
}

fn disk_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stored(_) => "record stored".into(),
        Outcome::Failed(_) => "write failed".into(),
        Outcome::Piece(_, receipt) => format!("piece stored, {receipt:?}"),
        Outcome::Damaged(name) => format!("damaged snapshot {name:?}"),
        Outcome::Silent => "done".into(),
    }
}

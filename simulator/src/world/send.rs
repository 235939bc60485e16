//! Sending: what a machine wants to say goes through an encoder, past the oracles, into the network.

mod lend;

use clocks::Instant;
use raft_core::{Body, ChunkData, Message, Ready, Snapshot, wire};

use crate::model::Input;
use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation, bounded_output};
use crate::world::World;
use crate::world::decision::Decision;
use crate::world::happening::What;
use crate::world::host::{Machine, host_of, node};
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm::HOSTS_MAX;
use crate::world::tamper;
use crate::world::trace::describe;

impl World {
    /// Sends what the machine wants to send, except to peers whose transport is busy.
    pub(crate) fn transmit(&mut self, number: usize, mut rest: u64) -> Result<(), Violation> {
        if rest == 0 {
            return self.transmit_all(number, Ready::All);
        }
        let (mut busy, mut count) = ([node(number); HOSTS_MAX], 0);
        while rest != 0 {
            busy[count] = node(rest.trailing_zeros() as usize);
            (rest, count) = (rest & (rest - 1), count + 1);
        }
        self.transmit_all(number, Ready::Except(&busy[..count]))
    }

    fn transmit_all(&mut self, number: usize, ready: Ready<'_>) -> Result<(), Violation> {
        let local = self.hosts[number].tell(self.now);
        let (mut sent, mut bound) = (0, bounded_output::ALWAYS);
        while self.transmit_one(number, local, ready)? {
            sent += 1;
            if sent > bound {
                let raft = self.hosts[number].raft.as_ref();
                bound = raft.map_or(0, bounded_output::bound);
                if sent > bound {
                    break;
                }
            }
        }
        if sent > 0 {
            self.oracles.on_sent(number, sent, bound)?;
        }
        self.lend(number, local, ready)
    }

    // Out of line: most polls have nothing to say, and must not prepare what a frame needs.
    #[inline(never)]
    pub(crate) fn transmit_one(
        &mut self,
        number: usize,
        local: Instant,
        ready: Ready<'_>,
    ) -> Result<bool, Violation> {
        let (now, host) = (self.now, &mut self.hosts[number]);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        // Not for long: the world would drown in frames.
        let forgets =
            self.sabotage == Sabotage::ForgetsSending && self.stats.count(Count::FrameSent) < 1_000;
        let unsent = forgets.then(|| copy(raft));
        let Some(transmit) = raft.poll_transmit(local, ready) else {
            return Ok(false);
        };
        let Some(to) = host_of(transmit.to).filter(|to| *to < self.swarm.hosts) else {
            return Ok(true);
        };
        let message = &transmit.message;
        let data = match chunk_data(message, |name| host.disk.snapshot(name)) {
            Ok(data) => data,
            Err(name) => {
                let what = words!("host {} wants to send {name:?}, long gone", number + 1);
                self.judge(Oracle::Invariants, Err(what))?;
                return Ok(false);
            }
        };
        let echo = tamper::echo(self.sabotage, message);
        match message.body {
            Body::Chunk(_) => host.sent_piece = now,
            Body::Ack(_) => self.acker = Some(number),
            _ => {}
        }
        let len = match wire::encode_chunk(message, data, &mut self.frame) {
            Ok(encoded) => encoded.len(),
            Err(error) => {
                let what = words!("host {} sends what does not fit: {error}", number + 1);
                self.judge(Oracle::Invariants, Err(what))?;
                return Ok(true);
            }
        };
        let arrives = self.put_frame(number, to, len)?;
        if let Some(unsent) = unsent {
            self.hosts[number].raft = Some(*unsent);
        }
        let Some(name) = arrives.err() else {
            return Ok(true);
        };
        if let Some(body) = echo {
            self.trace.lose(now, number, name);
            self.echo(number, to, body)?;
        }
        if self.pool.is_none() && self.work_random.chance(200) {
            // A transport that notices tells the machine.
            self.queue.push(now, Due::Unreachable(number, to));
        }
        Ok(true)
    }

    /// Puts the frame that was encoded last on its way. The inner error numbers one that is lost.
    pub(crate) fn put_frame(
        &mut self,
        number: usize,
        to: usize,
        len: usize,
    ) -> Result<Result<(), u32>, Violation> {
        let now = self.now;
        self.trace
            .record(now.as_micros(), 3 << 40 | (number as u64) << 8 | to as u64);
        let encoded = &mut self.frame[..len];
        let Ok(sent) = wire::decode(encoded) else {
            let what = words!("host {} says what nobody can read", number + 1);
            self.judge(Oracle::Invariants, Err(what))?;
            return Ok(Ok(()));
        };
        let name = self.trace.name(number, to, &sent);
        let words = || What::Sent(to, name, describe(&sent));
        self.trace.note(now, number, words);
        self.oracles.on_frame(number, to, &sent, &self.hosts)?;
        let encoded = match &mut self.traitor {
            Some(traitor) => traitor.bend(number, encoded),
            None => encoded,
        };
        let (network, queue) = (&mut self.network, &mut self.queue);
        let (swarm, stats) = (&self.swarm, &mut self.stats);
        let link = (number, to);
        let arrives = match &mut self.pool {
            Some(pool) => {
                stats.add(Count::FrameSent);
                let reaches = network.reaches(number, to);
                pool.push(link, (name, encoded), reaches, self.trace.names())
            }
            None => {
                let before = network.busy(number);
                let arrives = network.send(now, link, (name, encoded), swarm, queue, stats);
                let busy = network.busy(number) & !before;
                if busy != 0 {
                    let decision = || Decision::Busy(number as u8, busy);
                    self.trace.decide(now, number, decision);
                }
                arrives
            }
        };
        if arrives {
            return Ok(Ok(()));
        }
        self.trace.note(now, number, || What::Lost(name));
        Ok(Err(name))
    }

    /// A transport tells a host that it does not reach another.
    pub(crate) fn notice_unreachable(
        &mut self,
        number: usize,
        peer: usize,
    ) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let local = host.tell(self.now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        let decision = || Decision::Unreachable(number as u8, peer as u8);
        self.trace.decide(self.now, number, decision);
        let _ = raft.handle_unreachable(local, node(peer));
        self.oracles
            .on_step(number, || Input::Unreachable, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }

    /// A seeded fault: a frame that never arrived is answered.
    #[cold]
    fn echo(&mut self, number: usize, from: usize, body: Body<'_>) -> Result<(), Violation> {
        let identity = self.hosts[from].identity;
        let host = &mut self.hosts[number];
        let local = host.tell(self.now);
        if let (Some(raft), Some(identity)) = (host.raft.as_mut(), identity) {
            let message = Message {
                group: raft.group(),
                incarnation: identity.incarnation,
                term: raft.term(),
                body,
            };
            let _ = raft.handle_message(local, identity.node, message);
        }
        self.oracles
            .on_step(number, || Input::Nothing, &self.hosts)?;
        self.observe(number)
    }
}

#[cold]
fn copy(raft: &Machine) -> Box<Machine> {
    Box::new(raft.clone())
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

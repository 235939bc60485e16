//! A medium on which one frame reaches everybody: what a leader says to all who are level at once.
//!
//! Each host hears such a frame for itself, early or late or not at all, named in it or not: a copy
//! takes each link. A host that the frame does not name, or that lacks the entry before its first,
//! must be silent: nothing about it may change but its term.

use clocks::Instant;
use quorum::{Member, MemberSet};
use raft_core::{Broadcast, Ready, wire};

use crate::model::Input;
use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::decision::Decision;
use crate::world::happening::What;
use crate::world::host::{Host, Machine, node};
use crate::world::stats::Count;
use crate::world::trace::describe;

impl World {
    /// Sends what the machine says to several at once; says whether there was anything.
    #[inline(never)]
    pub(in crate::world) fn broadcast_one(
        &mut self,
        number: usize,
        local: Instant,
        ready: Ready<'_>,
    ) -> Result<bool, Violation> {
        let host = &mut self.hosts[number];
        let Some(broadcast) = host
            .raft
            .as_mut()
            .and_then(|raft| raft.poll_broadcast(local, ready))
        else {
            return Ok(false);
        };
        self.stats.add(Count::Broadcast);
        let encoded = match wire::encode_broadcast(&broadcast, &mut self.frame) {
            Ok(encoded) => encoded,
            Err(error) => {
                let what = words!("host {} sends what does not fit: {error}", number + 1);
                self.judge(Oracle::Invariants, Err(what))?;
                return Ok(true);
            }
        };
        let len = encoded.len();
        for to in (0..self.swarm.hosts).filter(|to| *to != number) {
            self.spread((number, to), len)?;
        }
        Ok(true)
    }

    /// One copy of the frame that was just encoded takes its way.
    fn spread(&mut self, link: (usize, usize), len: usize) -> Result<(), Violation> {
        let (now, (number, to)) = (self.now, link);
        let Some(encoded) = self.frame.get(..len) else {
            return Ok(());
        };
        let Ok(wire::Frame::Many(sent)) = wire::decode_frame(encoded) else {
            let what = words!("a broadcast of host {} does not decode", number + 1);
            return self.judge(Oracle::Invariants, Err(what));
        };
        self.trace
            .record(now.as_micros(), 5 << 40 | (number as u64) << 8 | to as u64);
        let name = self.trace.name(number, to, &sent.message);
        let words = || What::Sent(to, name, describe(&sent.message));
        self.trace.note(now, number, words);
        if is_named(&self.hosts[number], sent.members, to) {
            self.oracles
                .on_frame(number, to, &sent.message, &self.hosts)?;
        } else {
            self.oracles.on_overheard(number, to, &sent.message)?;
        }
        let (network, queue) = (&mut self.network, &mut self.queue);
        let (swarm, stats) = (&self.swarm, &mut self.stats);
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
        if !arrives {
            self.trace.note(now, number, || What::Lost(name));
        }
        Ok(())
    }

    /// A copy arrives.
    pub(in crate::world) fn receive_broadcast(
        &mut self,
        (from, to): (usize, usize),
        name: u32,
        broadcast: Broadcast<'_>,
    ) -> Result<(), Violation> {
        let (now, host) = (self.now, &mut self.hosts[to]);
        let local = host.tell(now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        let message = broadcast.message;
        self.trace.deliver(now, to, name);
        self.trace
            .note(now, to, || What::Arrived(from, name, describe(&message)));
        let place = (to as u64) << 32 | (from as u64) << 24 | broadcast.members.bits();
        self.trace.record(now.as_micros(), place);
        let is_meant = is_meant(raft, &broadcast);
        let before = (raft.term(), raft.last(), raft.commit(), raft.verified());
        let _ = raft.handle_broadcast(local, node(from), broadcast);
        let after = (raft.term(), raft.last(), raft.commit(), raft.verified());
        if is_meant || before.0 != after.0 {
            self.oracles
                .on_step(to, || Input::Message(node(from), message), &self.hosts)?;
            self.oracles.on_received(to, from, &message, &self.hosts)?;
        } else {
            if before != after {
                let what = words!("host {} takes a frame that is for others", to + 1);
                self.judge(Oracle::Invariants, Err(what))?;
            }
            self.oracles.on_step(to, || Input::Nothing, &self.hosts)?;
        }
        if is_meant {
            self.stats.add(Count::BroadcastTaken);
        }
        self.observe(to)?;
        self.drain(to)
    }
}

/// Whether the frame names this machine, which holds the entry before its first and has no
/// configuration behind that.
fn is_meant(raft: &Machine, broadcast: &Broadcast<'_>) -> bool {
    let raft_core::Body::Append(append) = broadcast.message.body else {
        return false;
    };
    let prev = append.prev;
    let mut seats = raft.members();
    let place = seats.position(|seat| seat.identity == raft.identity());
    let is_named = place.is_some_and(|place| broadcast.members.bits() >> place & 1 == 1);
    let known = match raft.entry(prev.index) {
        Some(entry) => entry.id.term == prev.term,
        None => prev == raft.base() || prev.index < raft.base().index,
    };
    is_named && known && raft.configuration_index() <= prev.index
}

/// Whether a set of places in the sender's configuration names a host.
fn is_named(sender: &Host, members: MemberSet, to: usize) -> bool {
    let Some(raft) = &sender.raft else {
        return false;
    };
    let seats = raft.members().enumerate();
    let mut named = seats
        .filter(|(place, _)| Member::new(*place).is_some_and(|member| members.contains(member)));
    named.any(|(_, seat)| seat.identity.node == node(to))
}

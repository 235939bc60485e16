//! Reads without a log entry, on hosts of every kind, and leaders that are told to hand over.

use raft_core::{LogIndex, ReadOutcome};

use crate::model::Input;
use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::app::Command;
use crate::world::clients::Reading;
use crate::world::decision::Decision;
use crate::world::host::node;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;

impl World {
    /// Somebody reads somewhere: at whoever leads, follows or learns.
    pub(crate) fn read_somewhere(&mut self) -> Result<(), Violation> {
        let number = match self.swarm.reads_at_leaders {
            true => self.some_leader(),
            false => self.work_random.index(self.hosts.len()),
        };
        let count = self.work_random.between(1, 3);
        if self.hosts[number].paused_until > self.now {
            return Ok(());
        }
        self.read_at(number, count)
    }

    /// Any host that believes to lead, or any host.
    fn some_leader(&mut self) -> usize {
        let count = self.leaders().count();
        if count == 0 {
            return self.work_random.index(self.hosts.len());
        }
        let place = self.work_random.index(count);
        self.leaders().nth(place).unwrap_or_default()
    }

    /// Asks a host to answer so many reads.
    pub(crate) fn read_at(&mut self, number: usize, count: u64) -> Result<(), Violation> {
        let (now, host) = (self.now, &mut self.hosts[number]);
        let local = host.tell(now);
        let since = host.told;
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        let decision = || Decision::Read(number as u8, count as u32);
        self.trace.decide(now, number, decision);
        for _ in 0..count {
            let clients = &mut self.oracles.clients;
            let asked = clients.ask_to_read(now);
            match raft.read(local) {
                Ok(ticket) => {
                    let reading = Reading {
                        ticket,
                        number: asked,
                        since,
                    };
                    clients.on_reading(number, reading);
                }
                Err(_) => clients.on_refused(asked),
            }
        }
        self.oracles
            .on_step(number, || Input::Nothing, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }

    /// Answers the reads that have ended, from the state as it is.
    pub(crate) fn answer_reads(&mut self, number: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        let begun = self.oracles.clients.reading(number);
        if begun == 0 && raft.reads() == 0 {
            return Ok(());
        }
        while let Some(outcome) = raft.poll_read() {
            let clients = &mut self.oracles.clients;
            let Some(asked) = clients.on_read(number, outcome.ticket()) else {
                // Memory that was put back asks again for what was answered.
                if self.sabotage == Sabotage::None {
                    let what = words!("host {} ends a read that nobody waits for", number + 1);
                    self.judge(Oracle::Invariants, Err(what))?;
                }
                return self.answer_reads(number);
            };
            let is_ready = match outcome {
                ReadOutcome::Ready { valid_until, .. } => {
                    valid_until.is_none_or(|until| host.clock.show(self.now) < until)
                }
                ReadOutcome::Failed { .. } => false,
            };
            if !is_ready {
                clients.on_refused(asked);
                self.stats.add(Count::ReadFailed);
                continue;
            }
            let floor = clients
                .asked(asked)
                .map_or(LogIndex::ZERO, |asked| asked.floor);
            if let ReadOutcome::Ready { index, .. } = outcome
                && index < floor
            {
                let what = words!(
                    "host {} reads at {index}, and {floor} was answered before",
                    number + 1
                );
                return self.judge(Oracle::Linearizability, Err(what));
            }
            let is_leased = matches!(
                outcome,
                ReadOutcome::Ready {
                    valid_until: Some(_),
                    ..
                }
            );
            self.stats.add(match is_leased {
                true => Count::ReadByLease,
                false if raft.is_leader() => Count::ReadByRound,
                false => Count::ReadElsewhere,
            });
            let value = host.app.registers[Command::new(asked).register];
            // The state knows of commands only; the machine's own entries count too.
            clients.answer(asked, raft.delivered(), false, value, self.now);
            self.oracles.on_answered(asked)?;
        }
        let (known, begun) = (raft.reads(), self.oracles.clients.reading(number));
        if known != begun as u64 && self.sabotage == Sabotage::None {
            let what = words!(
                "host {} has {begun} reads to answer, its machine knows of {known}",
                number + 1
            );
            self.judge(Oracle::Invariants, Err(what))?;
        }
        Ok(())
    }

    /// A host has looked at its clock: what has waited for longer than any read does was forgotten.
    pub(crate) fn look_at_reads(&mut self, number: usize) -> Result<(), Violation> {
        let host = &self.hosts[number];
        let patience = host.waits.election_max.saturating_mul(2);
        let oldest = self.oracles.clients.oldest_read(number);
        let Some(reading) = oldest.filter(|reading| {
            host.raft.is_some() && host.told.saturating_since(reading.since) > patience
        }) else {
            return Ok(());
        };
        let command = reading.number;
        let what = words!("host {} forgot the read of command {command}", number + 1);
        self.judge(Oracle::Invariants, Err(what))
    }

    /// Now and then a leader is told to hand over to somebody.
    pub(crate) fn transfer_somewhere(&mut self) -> Result<(), Violation> {
        let to = self.work_random.index(self.hosts.len());
        match self.leader() {
            Some(leader) if self.hosts[leader].paused_until <= self.now => {
                self.transfer_at(leader, to)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Tells a host to hand its office to another.
    pub(crate) fn transfer_at(&mut self, number: usize, to: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let local = host.tell(self.now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        let decision = || Decision::Transfer(number as u8, to as u8);
        self.trace.decide(self.now, number, decision);
        if raft.transfer(local, node(to)).is_ok() {
            self.stats.add(Count::Transfer);
        }
        self.oracles
            .on_step(number, || Input::Nothing, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }
}

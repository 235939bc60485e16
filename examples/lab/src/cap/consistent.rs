//! The workload through the log of a Raft group: reads too, so that every answer has its place in one order.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use clocks::Duration;
use raft_core::{EntryId, LogIndex, Term};
use simulator::stage::{Setting, Stage};

use super::workload::{self, End, Log, Operation, Phase};
use super::{LATENCY, STEP};

const TIMEOUT: Duration = Duration::from_millis(150);

/// How long a client waits.
const PATIENCE: Duration = Duration::from_millis(600);

/// A request in the log of a leader.
struct Pending {
    client: usize,
    began: Duration,
    phase: Phase,
    operation: Operation,
    leader: usize,
    id: EntryId,
}

/// The clients' side of the group.
struct Service {
    stage: Stage,
    pending: Vec<Pending>,
    /// All that was ever proposed, by index and term.
    proposed: BTreeMap<(LogIndex, Term), Operation>,
    log: Log,
}

/// Runs the workload; says also how many of the answered writes every node has in the end.
pub(super) fn run(hosts: usize, minority: &[usize], seed: u64) -> Result<(Log, usize)> {
    let setting = Setting {
        hosts,
        latency: LATENCY,
        election_timeout: (TIMEOUT, TIMEOUT.saturating_mul(2)),
        heartbeat: TIMEOUT.saturating_div(4),
        write: (Duration::from_micros(100), Duration::from_micros(300)),
    };
    let mut service = Service {
        stage: Stage::settled(setting, seed)?,
        pending: Vec::new(),
        proposed: BTreeMap::new(),
        log: Log::new(hosts, seed),
    };
    let mut before = Phase::Before;
    for (now, phase) in workload::steps() {
        if phase != before {
            match phase {
                Phase::Cut => service.stage.split(minority),
                Phase::Before | Phase::After => service.stage.heal(),
            }
            before = phase;
        }
        for (client, operation) in service.log.ask(phase) {
            service.ask(client, operation, now, phase, minority)?;
        }
        service.stage.advance(STEP)?;
        service.answer(now.saturating_add(STEP));
    }
    let mut now = workload::END;
    while !service.pending.is_empty() || !service.is_level(hosts) {
        now = now.saturating_add(STEP);
        service.stage.advance(STEP)?;
        service.answer(now);
        ensure!(
            now < workload::END.saturating_mul(10),
            "seed {seed}: the group does not come to rest"
        );
    }
    let kept = service.kept(hosts);
    Ok((service.log, kept))
}

impl Service {
    /// A client asks its own node, which passes the request on to the leader that it knows, if it reaches it.
    fn ask(
        &mut self,
        client: usize,
        operation: Operation,
        now: Duration,
        phase: Phase,
        minority: &[usize],
    ) -> Result<()> {
        let known = self.stage.machine(client).and_then(|raft| raft.leader());
        let leader = known.and_then(simulator::world::host::host_of);
        let is_cut = |leader: &usize| {
            phase == Phase::Cut && minority.contains(leader) != minority.contains(&client)
        };
        let reached = leader.filter(|leader| !is_cut(leader));
        let accepted = match reached {
            Some(leader) => self
                .stage
                .propose(leader, &payload(operation))?
                .map(|id| (leader, id)),
            None => None,
        };
        let Some((leader, id)) = accepted else {
            self.log
                .end(client, now, now, phase, operation, End::Refused);
            return Ok(());
        };
        self.proposed.insert((id.index, id.term), operation);
        self.pending.push(Pending {
            client,
            began: now,
            phase,
            operation,
            leader,
            id,
        });
        Ok(())
    }

    /// Answers what the leader to which it was given has applied, and gives up on what takes too long.
    fn answer(&mut self, now: Duration) {
        let pending = std::mem::take(&mut self.pending);
        for request in pending {
            let applied = self.stage.applied(request.leader);
            let place = applied.iter().rposition(|id| *id == request.id);
            let end = match (request.operation, place) {
                (Operation::Write { .. }, Some(_)) => End::Written,
                (Operation::Read { key }, Some(place)) => {
                    End::Read(self.value(&applied[..place], key))
                }
                (_, None) if now.saturating_sub(request.began) > PATIENCE => End::NoAnswer,
                (_, None) => {
                    self.pending.push(request);
                    continue;
                }
            };
            let (client, began, phase) = (request.client, request.began, request.phase);
            self.log
                .end(client, began, now, phase, request.operation, end);
        }
    }

    /// What the last of these wrote to `key`.
    fn value(&self, applied: &[EntryId], key: u64) -> Option<u64> {
        let latest = applied.iter().rev();
        let mut operations = latest.filter_map(|id| self.proposed.get(&(id.index, id.term)));
        operations.find_map(|operation| match operation {
            Operation::Write {
                key: written,
                value,
            } if *written == key => Some(*value),
            Operation::Write { .. } | Operation::Read { .. } => None,
        })
    }

    /// Whether every node has applied everything, and has the same state.
    fn is_level(&self, hosts: usize) -> bool {
        let Some(leader) = self.stage.leader() else {
            return false;
        };
        let last = self.stage.machine(leader).map(|raft| raft.last().index);
        let app = self.stage.app(leader);
        last == Some(app.applied) && (0..hosts).all(|host| self.stage.app(host) == app)
    }

    /// Answered writes that are kept. [`is_level`](Self::is_level) says that all nodes have the same state, so whoever
    /// applied most speaks for all: the others took over snapshots of what they missed.
    fn kept(&self, hosts: usize) -> usize {
        let applied = (0..hosts).map(|host| self.stage.applied(host));
        let applied = applied.max_by_key(|applied| applied.len());
        let applied = applied.unwrap_or_default().iter();
        let operations = applied.filter_map(|id| self.proposed.get(&(id.index, id.term)));
        let written: Vec<_> = operations.collect();
        let answered = self.log.ends().filter(|end| end.end == End::Written);
        answered
            .filter(|end| written.contains(&&end.operation))
            .count()
    }
}

/// A command is its operation; the experiment itself keeps what it means.
fn payload(operation: Operation) -> [u8; 16] {
    let (key, value) = match operation {
        Operation::Write { key, value } => (key, value),
        Operation::Read { key } => (key, 0),
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&key.to_le_bytes());
    bytes[8..].copy_from_slice(&value.to_le_bytes());
    bytes
}

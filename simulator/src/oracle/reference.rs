//! Every step is one that the papers allow: the naive model in lock step.

use quorum::NodeId;
use raft_core::Message;

use super::words::words;
use super::{Oracle, Oracles, Violation};
use crate::model::{
    Abstract, Compacted, History, Id, Input, Written, check_restart, check_sent, check_step,
};
use crate::world::disk::Durable;
use crate::world::host::{Host, Machine, node};
use crate::world::swarm::HOSTS_MAX;

/// The log is read whole once in so many steps: in between, what index and term identify is taken
/// to be what it was.
const READ_WHOLE: u64 = 16;

/// The model's picture of each host, and of what was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    states: [Option<Abstract>; HOSTS_MAX],
    history: History,
    compacted: Compacted,
    steps: u64,
}

/// What a disk holds, as the model puts it.
fn written(durable: &Durable) -> Written {
    Written {
        hard: durable.hard,
        last: Id::from(durable.log.last()),
    }
}

impl Oracles {
    /// From the start on, holds every step against the model.
    pub fn hold_against_reference(&mut self) {
        if self.court.bench().has(Oracle::Reference) {
            self.reference = Some(Box::default());
        }
    }

    /// Holds a step of a host against the model, before anybody else looks at it. Nothing in worlds
    /// that are not asked to.
    #[inline]
    pub fn on_step<'i>(
        &mut self,
        host: usize,
        input: impl FnOnce() -> Input<'i>,
        hosts: &[Host],
    ) -> Result<(), Violation> {
        if self.reference.is_none() {
            return Ok(());
        }
        self.hold(host, &input(), hosts)
    }

    #[cold]
    fn hold(&mut self, host: usize, input: &Input<'_>, hosts: &[Host]) -> Result<(), Violation> {
        let (Some(reference), Some(raft)) = (&mut self.reference, &hosts[host].raft) else {
            return Ok(());
        };
        if matches!(input, Input::Deliver) && !reference.has_delivered(host, raft) {
            return Ok(());
        }
        let found = reference.on_step(host, input, raft);
        self.court.judge(Oracle::Reference, found)
    }

    /// The same for a write that is reported as done.
    pub fn on_written(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let stored = || Input::Persisted(written(hosts[host].disk.durable()));
        self.on_step(host, stored, hosts)
    }

    pub(super) fn start_reference(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let (Some(reference), Some(raft)) = (&mut self.reference, &hosts[host].raft) else {
            return Ok(());
        };
        let found = reference.on_start(host, raft, hosts[host].disk.durable());
        self.court.judge(Oracle::Reference, found)
    }

    pub(super) fn forget_reference(&mut self, host: usize) {
        if let Some(reference) = &mut self.reference {
            reference.forget(host, node(host));
        }
    }

    /// On a medium that all share, a host hears what is said to others.
    ///
    /// # Errors
    ///
    /// As [`on_frame`](Oracles::on_frame), of what a sender may say to anybody.
    pub fn on_overheard(
        &mut self,
        from: usize,
        to: usize,
        message: &Message<'_>,
    ) -> Result<(), Violation> {
        match &mut self.reference {
            Some(reference) => {
                let found = reference.on_overheard(from, node(to), message);
                self.court.judge(Oracle::Reference, found)
            }
            None => Ok(()),
        }
    }

    pub(super) fn sent_by_reference(
        &mut self,
        from: usize,
        to: usize,
        message: &Message<'_>,
    ) -> Result<(), Violation> {
        match &mut self.reference {
            Some(reference) => {
                let found = reference.on_frame(from, node(to), message);
                self.court.judge(Oracle::Reference, found)
            }
            None => Ok(()),
        }
    }
}

impl Reference {
    /// A host came up with what its disk holds.
    fn on_start(&mut self, host: usize, raft: &Machine, durable: &Durable) -> Result<(), String> {
        let state = Abstract::of(raft, None);
        let base = Id::from(durable.log.base());
        let found = check_restart(&written(durable), base, &state);
        self.states[host] = Some(state);
        found
    }

    /// A host is another node from now on.
    fn forget(&mut self, host: usize, node: NodeId) {
        self.states[host] = None;
        self.history.forget(node);
    }

    /// Whether something was handed over since the last step.
    fn has_delivered(&self, host: usize, raft: &Machine) -> bool {
        let state = self.states[host].as_ref();
        state.is_some_and(|state| state.delivered != raft.delivered().value())
    }

    /// A machine was given something.
    fn on_step(&mut self, host: usize, input: &Input<'_>, raft: &Machine) -> Result<(), String> {
        let Some(before) = &self.states[host] else {
            return Ok(());
        };
        self.steps += 1;
        if let Input::Message(from, message) = input {
            self.history.receive(before, *from, message)?;
        }
        let known = (!self.steps.is_multiple_of(READ_WHOLE)).then_some(before);
        let mut after = Abstract::of(raft, known);
        if after.log.base_configuration.is_none() && after.log.base == before.log.base {
            after
                .log
                .base_configuration
                .clone_from(&before.log.base_configuration);
        }
        if let Input::Compact(_) = input {
            self.compacted.keep(before, after.log.base.index);
        }
        check_step(before, input, &after).map_err(|what| words!("host {}: {what}", host + 1))?;
        self.history.note(&after)?;
        self.states[host] = Some(after);
        Ok(())
    }

    /// A message leaves a machine.
    #[cold]
    fn on_frame(&mut self, host: usize, to: NodeId, message: &Message<'_>) -> Result<(), String> {
        let Some(state) = &self.states[host] else {
            return Ok(());
        };
        self.steps += 1;
        check_sent(state, &self.compacted, to, message)
            .map_err(|what| words!("host {}: {what}", host + 1))?;
        self.history.send(state, to, message)
    }

    /// A message that leaves a machine reaches one that it is not for.
    fn on_overheard(
        &mut self,
        host: usize,
        to: NodeId,
        message: &Message<'_>,
    ) -> Result<(), String> {
        match &self.states[host] {
            Some(state) => self.history.send(state, to, message),
            None => Ok(()),
        }
    }
}

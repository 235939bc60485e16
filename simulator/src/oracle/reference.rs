//! Every step is one that the papers allow: the naive model in lock step.

use quorum::NodeId;
use raft_core::Message;

use crate::model::{Abstract, History, Id, Input, Written, check_restart, check_sent, check_step};
use crate::world::disk::Durable;
use crate::world::host::Machine;
use crate::world::swarm::HOSTS_MAX;

/// The log is read whole once in so many steps: in between, what index and term identify is taken
/// to be what it was.
const READ_WHOLE: u64 = 16;

/// The model's picture of each host, and of what was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    states: [Option<Abstract>; HOSTS_MAX],
    history: History,
    steps: u64,
}

/// What a disk holds, as the model puts it.
pub(super) fn written(durable: &Durable) -> Written {
    Written {
        hard: durable.hard,
        last: Id::from(durable.log.last()),
    }
}

impl Reference {
    /// A host came up with what its disk holds.
    pub(super) fn on_start(
        &mut self,
        host: usize,
        raft: &Machine,
        durable: &Durable,
    ) -> Result<(), String> {
        let state = Abstract::of(raft, None);
        let base = Id::from(durable.log.base());
        let found = check_restart(&written(durable), base, &state);
        self.states[host] = Some(state);
        found
    }

    /// A host is another node from now on.
    pub(super) fn forget(&mut self, host: usize, node: NodeId) {
        self.states[host] = None;
        self.history.forget(node);
    }

    /// A machine was given something.
    pub(super) fn on_step(
        &mut self,
        host: usize,
        input: &Input<'_>,
        raft: &Machine,
    ) -> Result<(), String> {
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
        check_step(before, input, &after).map_err(|what| format!("host {}: {what}", host + 1))?;
        self.history.note(&after)?;
        self.states[host] = Some(after);
        Ok(())
    }

    /// A message leaves a machine.
    pub(super) fn on_frame(
        &mut self,
        host: usize,
        to: NodeId,
        message: &Message<'_>,
    ) -> Result<(), String> {
        let Some(state) = &self.states[host] else {
            return Ok(());
        };
        self.steps += 1;
        check_sent(state, to, message).map_err(|what| format!("host {}: {what}", host + 1))?;
        self.history.send(state, to, message)
    }
}

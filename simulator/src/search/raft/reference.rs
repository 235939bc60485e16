//! Each step of a node held against the naive model, [`crate::model`].
//!
//! The laws of the group see what comes of a wrong step; the model sees the step. Steps of nodes
//! are done once and remembered, so it costs a fraction of what it costs in a world. What it says
//! counts last: a step that breaks another law is called by that law.

use quorum::NodeId;
use raft_core::Message;

use super::disks::Disk;
use super::node::Machine;
use super::step::Acting;
use crate::model::{
    Abstract, Compacted, Id, Input, Written, check_restart, check_sent, check_step,
};

/// The law that the model stands for.
pub(super) const LAW: &str = "reference";

/// A node in the middle of a step, as the model sees it.
pub(super) struct Reference {
    state: Abstract,
    /// The first rule that was broken.
    pub(super) rule: Option<String>,
}

impl Reference {
    pub(super) fn new(machine: &Machine) -> Self {
        Reference {
            state: Abstract::of(machine, None),
            rule: None,
        }
    }

    /// The machine is as it was before the step: only what was broken meanwhile stays.
    pub(super) fn go_back(&mut self, machine: &Machine) {
        self.state = Abstract::of(machine, None);
    }

    /// A message leaves the machine.
    pub(super) fn sends(&mut self, to: NodeId, message: &Message<'_>) {
        let found = check_sent(&self.state, &Compacted::default(), to, message);
        self.note(found);
    }

    fn note(&mut self, found: Result<(), String>) {
        if let Err(rule) = found {
            self.rule.get_or_insert(rule);
        }
    }
}

/// What a disk holds, as the model puts it.
fn written(disk: &Disk) -> Written {
    Written {
        hard: disk.hard,
        last: Id::from(disk.last),
    }
}

impl Acting<'_> {
    /// The machine was given something.
    pub(super) fn stepped(&mut self, input: &Input<'_>) {
        let before = &self.reference.state;
        let mut after = Abstract::of(&self.local.machine, None);
        if after.log.base_configuration.is_none() && after.log.base == before.log.base {
            let known = &before.log.base_configuration;
            after.log.base_configuration.clone_from(known);
        }
        let found = check_step(before, input, &after);
        self.reference.note(found);
        self.reference.state = after;
    }

    /// A write was reported as done.
    pub(super) fn wrote(&mut self) {
        let disk = self.nodes.disks.get(self.local.disk);
        self.stepped(&Input::Persisted(written(disk)));
    }

    /// What is committed was handed over.
    pub(super) fn delivered(&mut self) {
        if self.reference.state.delivered != self.local.machine.delivered().value() {
            self.stepped(&Input::Deliver);
        }
    }

    /// The machine came back from its disk.
    pub(super) fn came_back(&mut self) {
        let disk = self.nodes.disks.get(self.local.disk);
        let after = Abstract::of(&self.local.machine, None);
        let found = check_restart(&written(disk), Id::from(disk.base), &after);
        self.reference.note(found);
        self.reference.state = after;
    }
}

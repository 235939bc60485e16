//! How the group of an examination comes into being: founded, grown, complete.

use super::*;

impl Stage<'_> {
    /// Makes the group: founder first, then the others are let in.
    pub(in crate::contract) fn found(&mut self) -> Result<Flow, (Duty, String)> {
        if self.is_founder {
            if self.begin_rig()? == Flow::Cut {
                return Ok(Flow::Cut);
            }
        } else {
            self.begin_other(1);
        }
        self.found_rest()
    }

    /// Makes whoever is not there yet, and lets everybody in.
    pub(in crate::contract) fn found_rest(&mut self) -> Result<Flow, (Duty, String)> {
        for who in 1..NODES {
            if self.others[who - 1].identity().is_none() {
                self.begin_other(who);
            }
        }
        if !self.has_begun && self.begin_rig()? == Flow::Cut {
            return Ok(Flow::Cut);
        }
        self.wait_until("the group does not come together", |stage| {
            if stage.admit()? == Flow::Cut {
                return Ok(Some(Flow::Cut));
            }
            Ok(stage.is_complete().then_some(Flow::Goes))
        })
    }

    /// Whether all are voters, and the leader knows that it is committed.
    fn is_complete(&self) -> bool {
        let mut rafts = self.others.iter().filter_map(Driver::raft);
        rafts.all(|raft| {
            let voters = raft.members().filter(|seat| seat.standing.is_in_incoming());
            let is_settled = !raft.is_joint() && raft.configuration_index() <= raft.commit();
            is_settled && voters.count() == NODES
        })
    }

    /// Whoever leads lets in who is up and not in.
    fn admit(&mut self) -> Result<Flow, (Duty, String)> {
        let mut names: Vec<Identity> = Vec::new();
        names.extend(
            self.others
                .iter()
                .filter_map(|other| Some(other.identity()?.1)),
        );
        if let (Some((_, name)), true) = (self.rig.identity(), self.rig.is_up()) {
            names.push(name);
            self.admitted = Some(name);
        }
        let is_in = |raft: &crate::contract::driver::Machine, name: &Identity| {
            raft.members().any(|seat| seat.identity == *name)
        };
        let now = self.now;
        for place in 0..self.others.len() {
            let Some(raft) = self.others[place]
                .raft()
                .filter(|raft| raft.is_established())
            else {
                continue;
            };
            let missing: Vec<_> = names
                .iter()
                .filter(|name| !is_in(raft, name))
                .copied()
                .collect();
            if !missing.is_empty() {
                self.others[place].handle(Input::Admit(&missing), now);
                self.collect_other(place + 1);
            }
        }
        if self.is_founder && !self.is_complete() {
            let others: Vec<_> = names
                .into_iter()
                .filter(|name| name.node != node(0))
                .collect();
            return self.input(0, Input::Admit(&others));
        }
        Ok(Flow::Goes)
    }
}

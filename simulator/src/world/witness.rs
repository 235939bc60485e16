//! Witnesses in the worlds: which hosts are let in as such, and what their drivers do.
//!
//! A life of a host is let in as a witness or as another member, and never as the other: an entry
//! under way from a change that was undone could otherwise make it what nobody wants any more. So a
//! seed says of each host what it is to be, in all its lives.

use quorum::NodeId;
use raft_core::{Change, Identity, LogIndex};

use crate::model::Input;
use crate::oracle::Violation;
use crate::world::World;
use crate::world::host::host_of;
use crate::world::random::Random;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm::Swarm;

/// Every other host may be one: then of the first so many never more than half are.
const CANDIDATES: u64 = 0b010_1010;

/// The witnesses of a seed: mostly none.
pub(super) fn draw_witnesses(random: &mut Random) -> u64 {
    if random.chance(300) {
        random.next_u64() & CANDIDATES
    } else {
        0
    }
}

impl Swarm {
    /// Whether this node is let in as a witness.
    pub fn is_witness(&self, node: NodeId) -> bool {
        host_of(node).is_some_and(|host| self.witnesses >> host & 1 == 1)
    }

    /// How a host is let in with a vote.
    pub fn let_in(&self, identity: Identity) -> Change {
        if self.is_witness(identity.node) {
            Change::AddWitness(identity)
        } else {
            Change::AddVoter(identity)
        }
    }
}

impl World {
    /// Now and then a witness comes or goes.
    pub(super) fn draw_witness(
        &mut self,
        strangers: &[Identity],
        witnesses: &[NodeId],
    ) -> Option<Change> {
        let mut strangers = strangers.iter().copied();
        let out = strangers.find(|identity| self.swarm.is_witness(identity.node));
        match (out, witnesses.first()) {
            (Some(out), _) if self.work_random.chance(500) => Some(Change::AddWitness(out)),
            (_, Some(node)) if self.work_random.chance(150) => Some(Change::Remove(*node)),
            _ => None,
        }
    }

    /// Whom an operator lets in as a witness is one.
    pub(super) fn note_witnesses(&mut self, changes: &[Change]) {
        for change in changes {
            if let Change::AddWitness(identity) = change
                && let Some(host) = host_of(identity.node)
                && self.sabotage != Sabotage::ForgetsWitnesses
            {
                self.oracles.on_witness(host);
                self.stats.add(Count::WitnessAdded);
            }
        }
    }

    /// A witness drops the beginning of its log, and there is nothing to keep of it.
    pub(super) fn compact_witness(
        &mut self,
        number: usize,
        index: LogIndex,
    ) -> Result<bool, Violation> {
        let raft = self.hosts[number].raft.as_mut();
        if raft.is_none_or(|raft| raft.compact(index, 0, 0).is_err()) {
            return Ok(false);
        }
        self.stats.add(Count::WitnessCompaction);
        self.trace
            .say(self.now, number, || format!("compacts up to {index}"));
        self.oracles
            .on_step(number, || Input::Compact(index), &self.hosts)?;
        self.observe(number)?;
        Ok(true)
    }
}

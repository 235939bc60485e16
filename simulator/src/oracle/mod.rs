//! What must be true, checked after every step.
//!
//! Each oracle is a type of its own in a module of its own and can be dropped, so that one can
//! see which of them notices what. They judge by what the harness knows (the disks, the frames,
//! the commands that were applied) and by the public questions of a machine, never by its
//! private state. All are incremental: a step costs what it changed.

mod bench;
mod election_safety;
mod invariants;
mod leader_completeness;
mod ledger;
mod liveness;
mod log_matching;
mod monotonic;
mod name;
mod one_vote;
mod persist_before_send;
mod quorum_durability;
mod recovery;
mod state_machine_safety;
mod up_to_date_vote;
mod view;

use raft_core::{Body, LogIndex, Message, Role, Snapshot};

use crate::world::chain::{Chain, Link};
use crate::world::host::{Host, Machine};
use crate::world::stats::{Count, Stats};
use crate::world::swarm::HOSTS_MAX;

use ledger::Ledger;
use view::View;

pub use bench::{Bench, Court, Judged, Violation};
pub use liveness::Liveness;
pub use name::Oracle;

/// What the harness remembers of a host that is up.
#[derive(Clone, Debug, Default)]
struct Shadow {
    view: View,
    log: Chain,
}

/// All oracles and what they remember.
#[derive(Clone, Debug)]
pub struct Oracles {
    court: Court,
    shadows: [Shadow; HOSTS_MAX],
    ledger: Ledger,
    election_safety: election_safety::ElectionSafety,
    one_vote: one_vote::OneVote,
    up_to_date_vote: up_to_date_vote::UpToDateVote,
    log_matching: log_matching::LogMatching,
    leader_completeness: leader_completeness::LeaderCompleteness,
}

impl Oracles {
    /// Oracles that have seen nothing yet.
    pub fn new(bench: Bench) -> Self {
        Oracles {
            court: Court::new(bench),
            shadows: Default::default(),
            ledger: Ledger::default(),
            election_safety: Default::default(),
            one_vote: Default::default(),
            up_to_date_vote: Default::default(),
            log_matching: Default::default(),
            leader_completeness: Default::default(),
        }
    }

    /// Who judges, and how often each did.
    pub fn court(&self) -> &Court {
        &self.court
    }

    /// Judges what was found elsewhere.
    pub fn judge(&mut self, oracle: Oracle, found: Result<(), String>) -> Result<(), Violation> {
        self.court.judge(oracle, found)
    }

    /// The log of a host that is up, as the harness remembers it.
    pub fn log(&self, host: usize) -> &Chain {
        &self.shadows[host].log
    }

    /// The last index that anybody committed.
    pub fn committed(&self) -> LogIndex {
        self.ledger.last()
    }

    /// A host came up.
    pub fn on_start(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let durable = hosts[host].disk.durable();
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        let shadow = &mut self.shadows[host];
        shadow.log = rebuild(raft, &durable.log);
        shadow.view = View::of(raft);
        shadow.view.refresh_members(raft);
        let found = recovery::check(raft, &shadow.log, durable);
        self.court.judge(Oracle::Recovery, found)
    }

    /// A host lost everything it ever knew, and its name with it.
    pub fn on_wipe(&mut self, host: usize) {
        self.one_vote.forget(host);
    }

    /// Something was handed to a machine, or taken from it: looks what changed.
    pub fn observe(
        &mut self,
        host: usize,
        hosts: &[Host],
        stats: &mut Stats,
    ) -> Result<(), Violation> {
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        self.court
            .judge(Oracle::Invariants, invariants::check(raft))?;
        let before = self.shadows[host].view;
        let mut after = View::of(raft);
        if after.is_same(&before) {
            return Ok(());
        }
        after.members = before.members;
        if after.has_other_configuration(&before) {
            after.refresh_members(raft);
            if after.members.is_joint() && !before.members.is_joint() {
                stats.add(Count::Joint);
            }
            if after.configuration_index < before.configuration_index {
                stats.add(Count::ConfigurationUndone);
            }
        }
        count_roles(&before, &after, raft, stats);
        self.shadows[host].view = after;
        self.court
            .judge(Oracle::Monotonic, monotonic::check(&before, &after))?;
        let found = self.up_to_date_vote.on_change(host, &before, &after);
        self.court.judge(Oracle::UpToDateVote, found)?;
        if after.last != before.last || after.base != before.base {
            let found = self.follow_log(host, raft, stats);
            self.court.judge(Oracle::LogMatching, found)?;
        }
        let is_new_leader = after.role == Role::Leader
            && (before.role != Role::Leader || before.hard.term != after.hard.term);
        if is_new_leader {
            let term = after.hard.term;
            let found = self.election_safety.on_leader(host, term);
            self.court.judge(Oracle::ElectionSafety, found)?;
            let log = &self.shadows[host].log;
            let found = self
                .leader_completeness
                .on_leader(host, term, log, &self.ledger);
            self.court.judge(Oracle::LeaderCompleteness, found)?;
        }
        if after.commit > before.commit {
            self.follow_commit(host, hosts, &before, stats)?;
        }
        Ok(())
    }

    /// Brings the remembered log up to date.
    fn follow_log(&mut self, host: usize, raft: &Machine, stats: &mut Stats) -> Result<(), String> {
        let log = &mut self.shadows[host].log;
        let (base, last) = (raft.base(), raft.last());
        if base != log.base() {
            let is_here = log.link(base.index).is_some_and(|l| l.term == base.term);
            if is_here && base.index > log.base().index {
                log.compact(base.index);
            } else {
                stats.add(Count::SnapshotInstalled);
                let hash = self.log_matching.hash_of(base);
                log.reset(base, hash.unwrap_or_default());
            }
        }
        let end = last.index.min(log.last().index);
        let mut common = end;
        while common > base.index
            && raft.entry(common).map(|entry| entry.id.term)
                != log.link(common).map(|link| link.term)
        {
            common = common.previous();
        }
        if common < log.last().index {
            stats.add(Count::Truncation);
            log.truncate(common);
        }
        let mut index = common.next();
        let mut found = Ok(());
        while index <= last.index {
            let Some(entry) = raft.entry(index) else {
                return Err(format!("host {host} cannot show entry {index} of its log"));
            };
            let link = Link::after(log.last_hash(), &entry);
            log.push(link);
            found = found.and(self.log_matching.on_append(host, index, link));
            index = index.next();
        }
        found
    }

    fn follow_commit(
        &mut self,
        host: usize,
        hosts: &[Host],
        before: &View,
        stats: &mut Stats,
    ) -> Result<(), Violation> {
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        let shadow = &self.shadows[host];
        let known = self.ledger.last();
        let commit = shadow.view.commit;
        let old = commit.min(known);
        let found = state_machine_safety::check_commit(host, &shadow.log, old, &self.ledger);
        self.court.judge(Oracle::StateMachineSafety, found)?;
        if commit <= known {
            return Ok(());
        }
        let term = shadow.view.hard.term;
        let found = self.ledger.extend(raft, &shadow.log, commit, term);
        self.court.judge(Oracle::StateMachineSafety, found)?;
        stats.add_many(Count::Commit, commit.since(known));
        let found = quorum_durability::check(host, hosts, &before.members, commit, &self.ledger);
        self.court.judge(Oracle::QuorumDurability, found)?;
        let found = self.leader_completeness.on_commit(known, &self.ledger);
        self.court.judge(Oracle::LeaderCompleteness, found)
    }

    /// A frame leaves a host.
    pub fn on_frame(
        &mut self,
        from: usize,
        to: usize,
        message: &Message<'_>,
        hosts: &[Host],
    ) -> Result<(), Violation> {
        let sender = &hosts[from];
        let durable = sender.disk.durable();
        let found = persist_before_send::check(from, to, message, sender);
        self.court.judge(Oracle::PersistBeforeSend, found)?;
        match &message.body {
            Body::Vote(vote) => {
                self.up_to_date_vote
                    .on_request(from, message.term, vote.last);
                let found = self.one_vote.on_vote(from, message.term, from);
                self.court.judge(Oracle::OneVote, found)
            }
            Body::VoteReply(reply) if reply.is_granted => {
                let found = self.one_vote.on_vote(from, message.term, to);
                self.court.judge(Oracle::OneVote, found)
            }
            Body::Append(_) | Body::Chunk(_) => {
                let found = self.election_safety.on_leader(from, message.term);
                self.court.judge(Oracle::ElectionSafety, found)
            }
            Body::Ack(ack) => {
                let is_leading = self.shadows[to].view.role == Role::Leader
                    && hosts[to].raft.is_some()
                    && self.shadows[to].view.hard.term == message.term;
                let leader = is_leading.then_some(&self.shadows[to].log);
                let found =
                    persist_before_send::check_ack(from, to, ack.verified, &durable.log, leader);
                self.court.judge(Oracle::PersistBeforeSend, found)
            }
            Body::PreVote(_) | Body::PreVoteReply(_) | Body::VoteReply(_) => Ok(()),
        }
    }

    /// A command was handed to an application whose latest entry was `applied`.
    pub fn on_applied(
        &mut self,
        host: usize,
        applied: LogIndex,
        index: LogIndex,
        state: u64,
    ) -> Result<(), Violation> {
        let found = state_machine_safety::check_applied(host, applied, index, state, &self.ledger);
        self.court.judge(Oracle::StateMachineSafety, found)
    }

    /// An application took over a snapshot.
    pub fn on_snapshot(
        &mut self,
        host: usize,
        snapshot: &Snapshot,
        state: Option<u64>,
    ) -> Result<(), Violation> {
        let found = state_machine_safety::check_snapshot(host, snapshot, state, &self.ledger);
        self.court.judge(Oracle::StateMachineSafety, found)
    }
}

fn count_roles(before: &View, after: &View, raft: &Machine, stats: &mut Stats) {
    if before.role == after.role {
        return;
    }
    match (before.role, after.role) {
        (_, Role::Leader) => stats.add(Count::Election),
        (Role::Leader, _) if !raft.is_voter() => stats.add(Count::LeaderRemoved),
        (Role::Leader, _) if before.hard.term == after.hard.term => stats.add(Count::GaveWay),
        (Role::Candidate, _) => stats.add(Count::CampaignLost),
        _ => {}
    }
}

/// The log of a machine that just started; what stands before it is on the disk.
fn rebuild(raft: &Machine, stored: &Chain) -> Chain {
    let mut log = Chain::default();
    let base = raft.base();
    let hash = stored.link(base.index).map_or(0, |link| link.hash);
    log.reset(base, hash);
    let mut index = base.index.next();
    while let Some(entry) = raft.entry(index) {
        let link = Link::after(log.last_hash(), &entry);
        log.push(link);
        index = index.next();
    }
    log
}

//! What must be true, checked after every step.
//!
//! Each oracle is a type of its own in a module of its own and can be dropped, so that one can
//! see which of them notices what. They judge by what the harness knows (the disks, the frames,
//! the commands that were applied) and by the public questions of a machine, never by its
//! private state. All are incremental: a step costs what it changed.

mod bench;
pub(crate) mod bounded_output;
mod commit_rule;
mod configurations;
mod election_safety;
mod invariants;
mod leader_append_only;
mod leader_completeness;
mod ledger;
mod liveness;
mod log_matching;
mod match_index;
mod monotonic;
mod name;
mod one_vote;
mod order;
mod persist_before_send;
mod pre_vote_inert;
mod purity;
mod quorum_durability;
mod quorum_log;
mod reconfiguration;
mod recovery;
mod snapshot;
mod state_machine_safety;
mod up_to_date_vote;
mod view;
mod vote_quorum;

use clocks::Instant;
use quorum::NodeId;
use raft_core::{Body, EntryKind, LogIndex, Message, Role, Snapshot};

use crate::world::chain::{Chain, Link};
use crate::world::host::{Host, Machine};
use crate::world::stats::{Count, Stats};
use crate::world::swarm::HOSTS_MAX;

use ledger::Ledger;
use view::{Members, View};

pub use bench::{Bench, Court, Judged, Violation};
pub use liveness::Liveness;
pub use name::Oracle;

/// What the harness remembers of a host that is up.
#[derive(Clone, Debug, Default)]
struct Shadow {
    view: View,
    members: Members,
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
    vote_quorum: vote_quorum::VoteQuorum,
    quorum_log: quorum_log::QuorumLog,
    match_index: match_index::MatchIndex,
    commit_rule: commit_rule::CommitRule,
    configurations: configurations::Configurations,
    purity: purity::Purity,
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
            vote_quorum: Default::default(),
            quorum_log: Default::default(),
            match_index: Default::default(),
            commit_rule: Default::default(),
            configurations: Default::default(),
            purity: Default::default(),
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
        shadow.members = Members::of(raft);
        self.configurations.clear(host);
        let mut index = raft.base().index.next();
        while let Some(entry) = raft.entry(index) {
            if entry.kind == EntryKind::Configuration {
                self.configurations.push(host, entry.id);
            }
            index = index.next();
        }
        let found = recovery::check(raft, &shadow.log, durable);
        self.court.judge(Oracle::Recovery, found)
    }

    /// A host lost everything it ever knew, and its name with it.
    pub fn on_wipe(&mut self, host: usize) {
        self.one_vote.forget(host);
        self.vote_quorum.forget(host);
        self.match_index.forget(host);
    }

    /// The disk of a host holds something else now.
    pub fn on_disk(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let found = self.quorum_log.on_disk(host, &hosts[host], &self.ledger);
        self.court.judge(Oracle::QuorumLog, found)?;
        let found = self.match_index.on_disk(host, hosts, &self.shadows);
        self.court.judge(Oracle::MatchIndex, found)
    }

    /// A machine was told that its disk is done with something.
    pub fn on_own_disk(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        self.count_matched(host, host, hosts)
    }

    fn count_matched(
        &mut self,
        leader: usize,
        member: usize,
        hosts: &[Host],
    ) -> Result<(), Violation> {
        let log = &self.shadows[leader].log;
        match self.match_index.on_counted(leader, member, hosts, log) {
            Some(found) => self.court.judge(Oracle::MatchIndex, found),
            None => Ok(()),
        }
    }

    /// A machine was given this message of `from`; [`observe`](Oracles::observe) follows.
    pub fn on_received(
        &mut self,
        host: usize,
        from: usize,
        message: &Message<'_>,
        hosts: &[Host],
    ) -> Result<(), Violation> {
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        let before = &self.shadows[host].view;
        match &message.body {
            Body::Append(append) if raft.commit() > before.commit => {
                self.commit_rule.on_told(host, commit_rule::bound(append));
            }
            Body::Chunk(chunk) => self.on_told(host, &chunk.snapshot),
            Body::Ack(_) => self.count_matched(host, from, hosts)?,
            _ if pre_vote_inert::applies(message) => {
                let after = View::of(raft);
                let found = pre_vote_inert::check(host, before, &after, message);
                self.court.judge(Oracle::PreVoteInert, found)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A host was given a snapshot, or has stored a piece of it.
    pub fn on_told(&mut self, host: usize, snapshot: &Snapshot) {
        self.commit_rule.on_told(host, snapshot.last.index);
    }

    /// Whether the next message is given to a copy of the machine as well.
    pub fn wants_twin(&mut self) -> bool {
        self.purity.is_time()
    }

    /// `raft` was given a message, and `twin`, which was its copy, is to be given the same.
    pub fn on_twin(
        &mut self,
        twin: Machine,
        raft: &Machine,
        now: Instant,
        from: NodeId,
        message: Message<'_>,
    ) -> Result<(), Violation> {
        let found = purity::check(twin, raft, now, from, message);
        self.court.judge(Oracle::Purity, found)
    }

    /// A machine wanted to send so many frames after one input.
    pub fn on_sent(&mut self, host: usize, sent: u64, bound: u64) -> Result<(), Violation> {
        let found = bounded_output::check(host, sent, bound);
        self.court.judge(Oracle::BoundedOutput, found)
    }

    /// A host makes a snapshot of everything up to `index`; its application has this state.
    pub fn on_compact(
        &mut self,
        host: usize,
        index: LogIndex,
        state: u64,
    ) -> Result<(), Violation> {
        let found = snapshot::check_state(host, index, Some(state), &self.ledger);
        self.court.judge(Oracle::Snapshot, found)
    }

    /// The pieces of a snapshot came together, and are not what their name says.
    pub fn on_damaged(&mut self, host: usize, name: &Snapshot) -> Result<(), Violation> {
        let found = Err(snapshot::damaged(host, name));
        self.court.judge(Oracle::Snapshot, found)
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
        let shadow = &mut self.shadows[host];
        let (before, after) = (shadow.view, View::of(raft));
        let cause = self.commit_rule.take(host);
        if after == before {
            return Ok(());
        }
        shadow.view = after;
        let members = shadow.members;
        let is_reconfigured = after.has_other_configuration(&before);
        if is_reconfigured {
            shadow.members = Members::of(raft);
            if shadow.members.is_joint() && !members.is_joint() {
                stats.add(Count::Joint);
            }
            if after.configuration_index < before.configuration_index {
                stats.add(Count::ConfigurationUndone);
            }
        }
        count_roles(&before, &after, raft, stats);
        self.court
            .judge(Oracle::Monotonic, monotonic::check(&before, &after))?;
        let stored = hosts[host].disk.last().index;
        self.court
            .judge(Oracle::Order, order::check(host, &after, stored))?;
        if after.hard != before.hard {
            let found = self.up_to_date_vote.on_change(host, &before, &after);
            self.court.judge(Oracle::UpToDateVote, found)?;
        }
        if after.last != before.last || after.base != before.base {
            self.follow_log(host, raft, &before, stats)?;
        }
        let is_new_leader = after.role == Role::Leader
            && (before.role != Role::Leader || before.hard.term != after.hard.term);
        if is_new_leader {
            self.follow_election(host, &hosts[host])?;
        }
        if after.commit > before.commit {
            let log = &self.shadows[host].log;
            let term = log.link(after.commit).map(|link| link.term);
            let found = commit_rule::check(host, &before, &after, cause, term);
            self.court.judge(Oracle::CommitRule, found)?;
            self.follow_commit(host, hosts, &members, stats)?;
        }
        if is_reconfigured {
            self.follow_configuration(host, hosts)?;
        }
        Ok(())
    }

    /// A host came into office.
    fn follow_election(&mut self, number: usize, host: &Host) -> Result<(), Violation> {
        let shadow = &self.shadows[number];
        let (term, log) = (shadow.view.hard.term, &shadow.log);
        let found = self.election_safety.on_leader(number, term);
        self.court.judge(Oracle::ElectionSafety, found)?;
        let durable = host.disk.durable().hard;
        let own = durable.term == term && durable.vote == host.identity;
        let found = self
            .vote_quorum
            .on_leader(number, term, &shadow.members, own);
        self.court.judge(Oracle::VoteQuorum, found)?;
        let found = self
            .leader_completeness
            .on_leader(number, term, log, &self.ledger);
        self.court.judge(Oracle::LeaderCompleteness, found)
    }

    /// Another configuration may be in force on a host.
    fn follow_configuration(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let Shadow { view, members, log } = &self.shadows[host];
        self.match_index.on_members(host, members);
        let (known, ledger) = (&mut self.configurations, &self.ledger);
        let mut found = reconfiguration::check_force(host, view, members, known, ledger);
        if let Some(id) = known.held(host).last().copied() {
            let held = known.held(host);
            found = found.and_then(|()| reconfiguration::check_one(host, held, log, ledger));
            if known.members(id).is_none() {
                found = found.and_then(|()| reconfiguration::check_added(host, view, id, log));
                known.learn(id, *members);
            }
        }
        let found = found.and_then(|()| reconfiguration::check_overlap(hosts, &self.shadows));
        self.court.judge(Oracle::Reconfiguration, found)
    }

    /// Brings the remembered log up to date.
    fn follow_log(
        &mut self,
        host: usize,
        raft: &Machine,
        before: &View,
        stats: &mut Stats,
    ) -> Result<(), Violation> {
        let Shadow {
            view: after, log, ..
        } = &mut self.shadows[host];
        let (base, last, old_hash) = (raft.base(), raft.last(), log.last_hash());
        if base != log.base() {
            let here = log.link(base.index).filter(|link| link.term == base.term);
            let seen = self.log_matching.hash_of(base);
            let hash = here.map(|link| link.hash).or(seen);
            let found = snapshot::check_base(host, before, after, log, hash, &self.ledger);
            self.court.judge(Oracle::Snapshot, found)?;
            if here.is_some() && base.index > log.base().index {
                log.compact(base.index);
            } else {
                stats.add(Count::SnapshotInstalled);
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
        if after.has_other_configuration(before) {
            self.configurations.keep(host, base.index, common);
        }
        let mut index = common.next();
        while index <= last.index {
            let Some(entry) = raft.entry(index) else {
                let what = format!("host {host} cannot show entry {index} of its log");
                return self.court.judge(Oracle::LogMatching, Err(what));
            };
            let (term, link) = (log.last().term, Link::after(log.last_hash(), &entry));
            log.push(link);
            let found = order::check_append(host, index, term, link.term);
            self.court.judge(Oracle::Order, found)?;
            let found = self.log_matching.on_append(host, index, link);
            self.court.judge(Oracle::LogMatching, found)?;
            if entry.kind == EntryKind::Configuration {
                self.configurations.push(host, entry.id);
            }
            index = index.next();
        }
        if leader_append_only::applies(before, after) {
            let found = leader_append_only::check(host, before, old_hash, log);
            self.court.judge(Oracle::LeaderAppendOnly, found)?;
        }
        Ok(())
    }

    fn follow_commit(
        &mut self,
        host: usize,
        hosts: &[Host],
        members: &Members,
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
        let found = quorum_durability::check(host, hosts, members, commit, &self.ledger);
        self.court.judge(Oracle::QuorumDurability, found)?;
        let found = self.leader_completeness.on_commit(known, &self.ledger);
        self.court.judge(Oracle::LeaderCompleteness, found)?;
        if let Some(id) = self
            .ledger
            .configuration_at(commit)
            .filter(|id| id.index > known)
            && let Some(members) = self.configurations.members(id)
        {
            self.quorum_log.on_configuration(*members);
        }
        let found = self.quorum_log.on_commit(hosts, &self.ledger);
        self.court.judge(Oracle::QuorumLog, found)
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
                self.vote_quorum.on_vote(from, message.term, from);
                let found = self.one_vote.on_vote(from, message.term, from);
                self.court.judge(Oracle::OneVote, found)
            }
            Body::VoteReply(reply) if reply.is_granted => {
                self.vote_quorum.on_vote(from, message.term, to);
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
        let found = snapshot::check_state(host, snapshot.last.index, state, &self.ledger);
        self.court.judge(Oracle::Snapshot, found)
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
pub(crate) fn rebuild(raft: &Machine, stored: &Chain) -> Chain {
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

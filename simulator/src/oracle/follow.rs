//! What an input made of a machine: seen by comparing its public facts before and after.

use raft_core::{EntryKind, LogIndex, Role};

use super::commit_rule::Cause;
use super::view::{Members, View};
use super::words::words;
use super::{
    Oracle, Oracles, Shadow, Violation, commit_rule, invariants, leader_append_only, monotonic,
    order, quorum_durability, reconfiguration, snapshot, state_machine_safety, witness,
};
use crate::world::app::Answer;
use crate::world::chain::{Chain, Link};
use crate::world::host::{Host, Machine};
use crate::world::stats::{Count, Stats};

/// So many steps of a machine are judged by its numbers alone; then its whole log is looked at
/// again, as it is whenever that was cut at either end or another configuration is in force.
const WHOLE_EVERY: u8 = 63;

impl Oracles {
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
        if raft.is_quiet() {
            // Nobody has to reach it; when it wakes its time begins anew.
            self.deaf_leader.on_start(host);
        }
        let shadow = &mut self.shadows[host];
        let cause = self.commit_rule.take(host);
        if shadow.until_whole > 0 && shadow.view.is_of(raft) {
            shadow.until_whole -= 1;
            let found = invariants::check(raft, false);
            return self.court.judge(Oracle::Invariants, found);
        }
        self.follow(host, hosts, cause, stats)
    }

    /// The public facts of a machine have changed, or its whole log is due to be looked at.
    #[inline(never)]
    fn follow(
        &mut self,
        host: usize,
        hosts: &[Host],
        cause: Cause,
        stats: &mut Stats,
    ) -> Result<(), Violation> {
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        let shadow = &mut self.shadows[host];
        let (before, after) = (shadow.view, View::of(raft));
        let is_cut = after.base != before.base
            || after.last.index < before.last.index
            || after.configuration_index != before.configuration_index;
        let is_due = is_cut || shadow.until_whole == 0;
        shadow.until_whole = if is_due {
            WHOLE_EVERY
        } else {
            shadow.until_whole - 1
        };
        self.court
            .judge(Oracle::Invariants, invariants::check(raft, is_due))?;
        if after == before {
            return Ok(());
        }
        shadow.view = after;
        let is_reconfigured = after.has_other_configuration(&before);
        let mut members = None;
        if is_reconfigured {
            let old = core::mem::replace(&mut shadow.members, Members::of(raft));
            if shadow.members.is_joint() && !old.is_joint() {
                stats.add(Count::Joint);
            }
            members = Some(old);
            if after.configuration_index < before.configuration_index {
                stats.add(Count::ConfigurationUndone);
            }
        }
        count_roles(&before, &after, raft, stats);
        let found = witness::check_role(self.witnesses, host, after.role);
        self.court.judge(Oracle::Witness, found)?;
        self.court
            .judge(Oracle::Monotonic, monotonic::check(&before, &after))?;
        let oracle = &mut self.patience;
        let is_ordered = oracle.is_ordered(host);
        if let Some(found) = oracle.on_change(host, &before, &after, &hosts[host]) {
            self.court.judge(Oracle::Patience, found)?;
        }
        let stands = after.role == Role::Candidate && before.role != Role::Candidate;
        if stands && !is_ordered {
            let members = members.as_ref().unwrap_or(&self.shadows[host].members);
            let found = self.vote_quorum.on_candidate(host, members);
            self.court.judge(Oracle::VoteQuorum, found)?;
        }
        let stored = hosts[host].disk.last().index;
        self.court
            .judge(Oracle::Order, order::check(host, &after, stored))?;
        if after.hard != before.hard {
            let found = self.up_to_date_vote.on_change(host, &before, &after);
            self.court.judge(Oracle::UpToDateVote, found)?;
        }
        let is_moved = after.last != before.last || after.base != before.base;
        if is_moved || self.may_differ_inside() {
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
            self.follow_commit(host, hosts, members.as_ref(), stats)?;
        }
        if is_reconfigured {
            self.follow_configuration(host, hosts)?;
        }
        Ok(())
    }

    /// A machine handed over what it had; that changes nothing else of it.
    pub fn on_delivered(&mut self, number: usize, host: &Host) -> Result<(), Violation> {
        let view = &mut self.shadows[number].view;
        let delivered = host.raft.as_ref().map(|raft| raft.delivered());
        let Some(delivered) = delivered.filter(|index| *index != view.delivered) else {
            return Ok(());
        };
        let before = *view;
        view.delivered = delivered;
        let found = monotonic::check(&before, view);
        self.court.judge(Oracle::Monotonic, found)?;
        let found = order::check(number, view, host.disk.last().index);
        self.court.judge(Oracle::Order, found)
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
        let Shadow {
            view, members, log, ..
        } = &self.shadows[host];
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

    /// Whether two logs that end with the same entry may differ before it: where somebody lies, so
    /// where nobody looks after that.
    fn may_differ_inside(&self) -> bool {
        !self.court.bench().has(Oracle::LogMatching)
    }

    /// Brings the remembered log up to date.
    fn follow_log(
        &mut self,
        host: usize,
        raft: &Machine,
        before: &View,
        stats: &mut Stats,
    ) -> Result<(), Violation> {
        let is_checked_inside = self.may_differ_inside();
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
        let common = match is_checked_inside {
            true => common_by_content(raft, log),
            false => common_by_term(raft, log),
        };
        if common < log.last().index {
            stats.add(Count::Truncation);
            log.truncate(common);
        }
        if after.has_other_configuration(before) || is_checked_inside {
            self.configurations.keep(host, base.index, common);
        }
        let mut index = common.next();
        while index <= last.index {
            let Some(entry) = raft.entry(index) else {
                let what = words!("host {host} cannot show entry {index} of its log");
                return self.court.judge(Oracle::LogMatching, Err(what));
            };
            let found = witness::check_entry(self.witnesses, host, index, entry.kind);
            self.court.judge(Oracle::Witness, found)?;
            let link = match entry.kind {
                // What a witness does not say of an entry is known from whoever had it first.
                EntryKind::Hollow => Link {
                    term: entry.id.term,
                    hash: self.log_matching.hash_of(entry.id).unwrap_or_default(),
                },
                _ => Link::after(log.last_hash(), &entry),
            };
            let term = log.last().term;
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

    /// `members` are those before the step, if they may be others now.
    fn follow_commit(
        &mut self,
        host: usize,
        hosts: &[Host],
        members: Option<&Members>,
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
        // The ledger ends where the machine has no entries to show: behind a liar's snapshot.
        let written = self.ledger.last();
        stats.add_many(Count::Commit, written.since(known));
        let mut index = known;
        while index < written {
            index = index.next();
            let answer = self.ledger.at(index).and_then(|entry| entry.answer);
            if let Some(Answer { number, .. }) = answer {
                let found = self.exactly_once.on_commit(number, index, &self.clients);
                self.court.judge(Oracle::ExactlyOnce, found)?;
            }
        }
        let members = members.unwrap_or(&self.shadows[host].members);
        let full = !self.witnesses;
        let found = quorum_durability::check(host, hosts, (members, full), commit, &self.ledger);
        self.court.judge(Oracle::QuorumDurability, found)?;
        self.forget(hosts);
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
}

/// The last entry that a machine's log and the remembered one share; both begin at the same place.
/// An entry's term says enough of what is before it.
fn common_by_term(raft: &Machine, log: &Chain) -> LogIndex {
    let mut common = raft.last().index.min(log.last().index);
    while common > raft.base().index
        && raft.entry(common).map(|entry| entry.id.term) != log.link(common).map(|link| link.term)
    {
        common = common.previous();
    }
    common
}

/// The same, where a term says nothing.
fn common_by_content(raft: &Machine, log: &Chain) -> LogIndex {
    let mut common = log.base().index;
    let mut hash = log.link(common).map_or(0, |link| link.hash);
    while let Some(entry) = raft.entry(common.next()) {
        let link = Link::after(hash, &entry);
        if log.link(entry.id.index) != Some(link) {
            break;
        }
        (common, hash) = (entry.id.index, link.hash);
    }
    common
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

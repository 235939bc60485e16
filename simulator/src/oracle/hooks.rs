//! What the world tells the oracles: what comes and goes, and what became of it.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{Append, Body, Chunk, EntryKind, Hollow, LogIndex, Message, Role, Snapshot};

use super::view::{Members, View};
use super::{
    Oracle, Oracles, Shadow, Violation, bounded_output, commit_rule, exactly_once, linearizability,
    persist_before_send, pre_vote_inert, purity, recovery, snapshot, state_machine_safety, witness,
};
use crate::world::app::Command;
use crate::world::chain::{Chain, Link};
use crate::world::clients::Outcome;
use crate::world::host::{Host, Machine};

impl Oracles {
    /// A host came up.
    pub fn on_start(&mut self, host: usize, hosts: &[Host]) -> Result<(), Violation> {
        let durable = hosts[host].disk.durable();
        let Some(raft) = &hosts[host].raft else {
            return Ok(());
        };
        let shadow = &mut self.shadows[host];
        rebuild(&mut shadow.log, raft, &durable.log);
        shadow.view = View::of(raft);
        shadow.members = Members::of(raft);
        shadow.until_whole = 0;
        self.deaf_leader.on_start(host);
        self.hung_disk.on_done(host);
        let known = (durable.hard, &shadow.members);
        self.patience.on_start(host, hosts[host].told, known);
        self.configurations.clear(host);
        let mut index = raft.base().index.next();
        while let Some(entry) = raft.entry(index) {
            if entry.kind == EntryKind::Configuration {
                self.configurations.push(host, entry.id);
            }
            index = index.next();
        }
        let found = recovery::check(raft, &shadow.log, durable);
        self.court.judge(Oracle::Recovery, found)?;
        self.start_reference(host, hosts)
    }

    /// A host lost everything it ever knew, and its name with it.
    pub fn on_wipe(&mut self, host: usize) {
        // A witness it stays: whoever lets it in again lets in the same kind, and a frame for the life
        // before may reach this one first.
        self.one_vote.forget(host);
        self.vote_quorum.forget(host);
        self.patience.forget(host);
        self.match_index.forget(host);
        self.forget_reference(host);
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
        self.hung_disk.on_done(host);
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
        let Shadow {
            view: before,
            members,
            ..
        } = &self.shadows[host];
        let known = (before, members.incoming != 0);
        let waits = &mut self.patience;
        if let Some(found) = waits.on_received(host, from, known, message, &hosts[host]) {
            self.court.judge(Oracle::Patience, found)?;
        }
        match &message.body {
            Body::Append(append) if raft.commit() > before.commit => {
                self.commit_rule.on_told(host, commit_rule::bound(append));
            }
            Body::Hollow(hollow) if raft.commit() > before.commit => {
                self.commit_rule
                    .on_told(host, commit_rule::bound_of_hollow(hollow));
            }
            Body::Chunk(chunk) => self.on_told(host, &chunk.snapshot),
            Body::Ack(ack) => {
                self.deaf_leader
                    .on_answer(host, from, (message.term, ack.round));
                self.count_matched(host, from, hosts)?;
            }
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

    /// A host is to be let in as a witness.
    pub fn on_witness(&mut self, host: usize) {
        self.witnesses |= 1 << host;
    }

    /// A host was told to stand for election.
    pub fn on_campaign(&mut self, host: usize) {
        self.patience.on_campaign(host);
    }

    /// A host was woken, and has done what was due.
    pub fn on_woken(&mut self, number: usize, hosts: &[Host]) -> Result<(), Violation> {
        let host = &hosts[number];
        let Shadow { view, members, .. } = &self.shadows[number];
        let (told, waits) = (host.told, host.waits);
        let is_held_up = view.role == Role::Leader && host.disk.is_writing();
        let oracle = &mut self.hung_disk;
        if let Some(found) = oracle.on_woken(number, told, is_held_up, waits.persist) {
            self.court.judge(Oracle::HungDisk, found)?;
        }
        let is_quiet = host.raft.as_ref().is_some_and(|raft| raft.is_quiet());
        if view.role != Role::Leader || is_quiet {
            return Ok(());
        }
        let oracle = &mut self.deaf_leader;
        match oracle.on_woken(number, told, view, members, waits.election_max) {
            Some(found) => self.court.judge(Oracle::DeafLeader, found),
            None => Ok(()),
        }
    }

    /// Whether the next message is given to a copy of the machine as well; its clock was set back
    /// or not.
    pub fn wants_twin(&mut self, is_back: bool) -> bool {
        self.purity.is_time(is_back)
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
        self.sent_by_reference(from, to, message)?;
        let found = witness::check_frame(self.witnesses, from, to, message);
        self.court.judge(Oracle::Witness, found)?;
        let found = persist_before_send::check(from, to, message, sender);
        self.court.judge(Oracle::PersistBeforeSend, found)?;
        match &message.body {
            Body::PreVote(request) => {
                self.vote_quorum.on_attempt(from, request.attempt);
                Ok(())
            }
            Body::PreVoteReply(reply) if reply.is_granted => {
                self.vote_quorum.on_pre_vote(from, reply.attempt, to);
                let found = self.patience.on_granted(from, to, reply.attempt);
                self.court.judge(Oracle::Patience, found)
            }
            Body::Vote(vote) => {
                self.up_to_date_vote
                    .on_request(from, message.term, vote.last);
                self.vote_quorum.on_vote(from, message.term, from);
                if vote.is_transfer {
                    let found = self.patience.on_successor(from, message.term);
                    self.court.judge(Oracle::Patience, found)?;
                }
                let found = self.one_vote.on_vote(from, message.term, from);
                self.court.judge(Oracle::OneVote, found)
            }
            Body::VoteReply(reply) if reply.is_granted => {
                self.vote_quorum.on_vote(from, message.term, to);
                let found = self.one_vote.on_vote(from, message.term, to);
                self.court.judge(Oracle::OneVote, found)
            }
            Body::Append(Append { round, .. })
            | Body::Hollow(Hollow { round, .. })
            | Body::Chunk(Chunk { round, .. }) => {
                let told = sender.told;
                self.deaf_leader
                    .on_round(from, (message.term, *round), told);
                let found = self.election_safety.on_leader(from, message.term);
                self.court.judge(Oracle::ElectionSafety, found)
            }
            Body::Ack(ack) => {
                let is_leading = self.shadows[to].view.role == Role::Leader
                    && hosts[to].raft.is_some()
                    && self.shadows[to].view.hard.term == message.term;
                // Whoever is lied to acknowledges what its leader never had.
                let is_comparable = is_leading && self.court.bench().has(Oracle::LogMatching);
                let leader = is_comparable.then_some(&self.shadows[to].log);
                let found =
                    persist_before_send::check_ack(from, to, ack.verified, &durable.log, leader);
                self.court.judge(Oracle::PersistBeforeSend, found)
            }
            Body::TimeoutNow => {
                self.patience.on_order(to, message.term);
                Ok(())
            }
            Body::PreVoteReply(_)
            | Body::VoteReply(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::Quiet(_)
            | Body::QuietReply(_) => Ok(()),
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
        let found = witness::check_applied(self.witnesses, host, index);
        self.court.judge(Oracle::Witness, found)?;
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

    /// The client of the command with this number was told something.
    pub fn on_answered(&mut self, number: u64) -> Result<(), Violation> {
        let Some(asked) = self.clients.asked(number) else {
            return Ok(());
        };
        let Outcome::Answered(told) = asked.outcome else {
            return Ok(());
        };
        let floor = asked.floor;
        if told.is_logged {
            let found = exactly_once::check_answered(number, told.at, &self.ledger);
            self.court.judge(Oracle::ExactlyOnce, found)?;
        }
        let found = linearizability::check(Command::new(number), floor, &told, &self.ledger);
        self.court.judge(Oracle::Linearizability, found)
    }

    /// The history is over: what clients saw of it is looked at as a whole, unless it is too much.
    /// Says whether it was.
    pub fn on_end(&mut self) -> Result<bool, Violation> {
        let found = linearizability::check_history(self.clients.history());
        let is_decided = found.is_some();
        if let Some(found) = found {
            self.court.judge(Oracle::Linearizability, found)?;
        }
        Ok(is_decided)
    }
}

/// Makes the log of a machine that just started; what stands before it is on the disk.
pub(crate) fn rebuild(log: &mut Chain, raft: &Machine, stored: &Chain) {
    let base = raft.base();
    let hash = stored.link(base.index).map_or(0, |link| link.hash);
    log.reset(base, hash);
    let mut index = base.index.next();
    while let Some(entry) = raft.entry(index) {
        let link = match entry.kind {
            EntryKind::Hollow => stored.link(index).unwrap_or(Link::after(0, &entry)),
            _ => Link::after(log.last_hash(), &entry),
        };
        log.push(link);
        index = index.next();
    }
}

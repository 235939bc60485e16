//! What must never happen, judged by what the checker itself knows.

use raft_core::{Body, Message};

use super::disks::Disk;
use super::ghost::{Past, TERMS_MAX};
use super::names::NODES_MAX;
use super::node::{Local, Log, View};
use super::prefix::Prefixes;

/// A frame leaves a node: its term, vote and claims are on the disk.
pub(super) fn release(
    message: &Message<'_>,
    from: usize,
    to: usize,
    disk: &Disk,
) -> Option<&'static str> {
    let term = message.term.value();
    let voted_for = |place: usize| disk.term == term && usize::from(disk.vote) == place + 1;
    let keeps = match &message.body {
        Body::VoteReply(reply) => !reply.is_granted || voted_for(to),
        Body::Vote(vote) => {
            let last = u64::from(disk.log.last());
            voted_for(from) && vote.last.index.value() == last
        }
        Body::Ack(ack) => ack.verified.value() <= u64::from(disk.log.last()),
        Body::PreVote(_)
        | Body::PreVoteReply(_)
        | Body::Append(_)
        | Body::Hollow(_)
        | Body::Chunk(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_)
        | Body::QuietReply(_) => true,
    };
    (term > disk.term || !keeps).then_some("persist-before-send")
}

/// What a node may not do to itself in one step.
pub(super) fn own(before: &Local, after: &Local, is_restart: bool) -> Option<&'static str> {
    let (old, new) = (&before.machine, &after.machine);
    if new.fault().is_some() || new.check_invariants().is_err() {
        return Some("invariants");
    }
    if is_restart {
        return None;
    }
    let is_back = new.term() < old.term()
        || new.commit() < old.commit()
        || new.base().index < old.base().index;
    is_back.then_some("monotonic")
}

/// All nodes of a state, and what each has on its disk.
pub(super) struct Group<'a> {
    pub(super) views: [Option<&'a View>; NODES_MAX],
    pub(super) disks: [Option<&'a Disk>; NODES_MAX],
    pub(super) prefixes: &'a Prefixes,
    /// The term in which it began, and the last index that all had then.
    pub(super) term: u32,
    pub(super) index: u32,
}

impl Group<'_> {
    /// The node at a place came to this state: extends the past, or says what is broken.
    pub(super) fn enter(
        &self,
        place: usize,
        before: &View,
        past: &mut Past,
    ) -> Result<(), &'static str> {
        let Some(view) = self.views[place] else {
            return Ok(());
        };
        self.match_logs(place, view)?;
        if view.is_leader {
            self.lead(place, view, past)?;
        }
        // After a restart the commit may be lower than before.
        if view.commit > before.commit.min(self.index) {
            self.commit(place, view, past)?;
        }
        Ok(())
    }

    /// Logs that hold an entry of the same index and term are the same up to it.
    fn match_logs(&self, place: usize, view: &View) -> Result<(), &'static str> {
        let others = self.views.iter().enumerate();
        for (_, other) in others.filter(|(other, _)| *other != place) {
            let Some(other) = other else { continue };
            if !self.agree(&view.log, &other.log) {
                return Err("log-matching");
            }
        }
        Ok(())
    }

    fn agree(&self, one: &Log, other: &Log) -> bool {
        let first = one.base.max(other.base);
        let last = one.last().min(other.last());
        for index in (first..=last).rev() {
            let (Some(one), Some(other)) = (one.at(index), other.at(index)) else {
                return true;
            };
            if one == other {
                return true;
            }
            if self.prefixes.term(one) == self.prefixes.term(other) {
                return false;
            }
        }
        true
    }

    /// One leader in a term, and it has what was committed in earlier terms.
    fn lead(&self, place: usize, view: &View, past: &mut Past) -> Result<(), &'static str> {
        let Some(term) = view.term.checked_sub(self.term + 1) else {
            return Ok(());
        };
        let leader = &mut past.leaders[(term as usize).min(TERMS_MAX - 1)];
        if *leader == place as u8 + 1 {
            return Ok(());
        }
        if *leader != 0 {
            return Err("election-safety");
        }
        *leader = place as u8 + 1;
        let committed = (self.index + 1..).zip(&past.committed);
        for (index, (prefix, term)) in committed {
            // What it has compacted is compared where its log begins.
            let is_there = index < view.log.base || view.log.at(index) == Some(*prefix);
            if *term < view.term && !is_there {
                return Err("leader-completeness");
            }
        }
        Ok(())
    }

    /// Whoever commits an index commits the same as everybody, and it is on enough disks.
    fn commit(&self, place: usize, view: &View, past: &mut Past) -> Result<(), &'static str> {
        for index in self.index + 1..=view.commit {
            let known = past.committed.get((index - self.index - 1) as usize);
            let own = view.log.at(index);
            match (known, own) {
                // Compacted, so it was committed before.
                (_, None) => {}
                (Some((prefix, _)), Some(own)) if *prefix == own => {}
                (Some(_), Some(_)) => return Err("state-machine-safety"),
                (None, Some(own)) => {
                    past.committed.push((own, view.term));
                    self.is_durable(index, own, view)?;
                    self.later_leaders(place, index, own, view.term)?;
                }
            }
        }
        Ok(())
    }

    /// Every majority that the committing node's configuration asks for has it on disk.
    fn is_durable(&self, index: u32, prefix: u32, view: &View) -> Result<(), &'static str> {
        let mut holders = 0_u8;
        for (place, disk) in self.disks.iter().enumerate() {
            let Some(disk) = disk else { continue };
            let holds = disk.log.at(index) == Some(prefix) || index < disk.log.base;
            holders |= u8::from(holds) << place;
        }
        for voters in [view.incoming, view.outgoing] {
            if (voters & holders).count_ones() * 2 <= voters.count_ones() {
                return Err("quorum-durability");
            }
        }
        Ok(())
    }

    fn later_leaders(
        &self,
        place: usize,
        index: u32,
        prefix: u32,
        term: u32,
    ) -> Result<(), &'static str> {
        for (other, view) in self.views.iter().enumerate() {
            let Some(view) = view else { continue };
            let is_later = other != place && view.is_leader && view.term > term;
            if is_later && index >= view.log.base && view.log.at(index) != Some(prefix) {
                return Err("leader-completeness");
            }
        }
        Ok(())
    }
}

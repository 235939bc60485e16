//! What the outside knows of a node: what left it, and what that promises.

use std::collections::BTreeMap;

use quorum::NodeId;
use raft_core::{Body, EntryId, EntryKind, LogIndex, Message, Term};

use super::application::{Application, digest};
use super::duty::Duty;

/// A duty and what was seen of it.
pub(super) type Seen = Result<(), (Duty, String)>;

#[derive(Clone, Copy, Debug)]
struct Link {
    before: EntryId,
    digest: u64,
}

/// Every entry that anybody ever sent, by index and term; by log matching those name everything
/// before it too. And what the node under test promised.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    links: BTreeMap<(LogIndex, Term), Link>,
    committed: EntryId,
    /// The latest term that the node spoke in.
    pub(super) term: Term,
    /// For whom it voted, as far as anybody was told.
    pub(super) votes: BTreeMap<Term, NodeId>,
    /// The last entry that it acknowledged.
    pub(super) acknowledged: EntryId,
    applied: Application,
    /// Applied before anybody else was known to have.
    unchecked: Vec<Application>,
    /// The term in which it sent entries.
    pub(super) leads: Option<Term>,
    has_spoken: bool,
    /// How many promises left it.
    pub(super) promises: u64,
}

impl Witness {
    /// Whether anything left the node.
    pub(super) fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    /// An append of anybody: learns the entries.
    pub(super) fn on_entries(&mut self, message: &Message<'_>) {
        let Body::Append(append) = &message.body else {
            return;
        };
        let mut before = append.prev;
        for entry in append.entries.iter(append.prev.index.next()) {
            let Some(old) = self.digest(before) else {
                return;
            };
            let digest = match entry.kind {
                EntryKind::Command => digest(old, entry.id.index, entry.payload),
                _ => old,
            };
            self.links.insert(key(entry.id), Link { before, digest });
            before = entry.id;
        }
    }

    /// The digest of the log up to an entry, if it is known.
    pub(super) fn digest(&self, id: EntryId) -> Option<u64> {
        if id == EntryId::ZERO {
            return Some(0);
        }
        self.links.get(&key(id)).map(|link| link.digest)
    }

    /// The entry at `index` of the log that ends with `id`.
    fn ancestor(&self, mut id: EntryId, index: LogIndex) -> Option<EntryId> {
        while id.index > index {
            id = self.links.get(&key(id))?.before;
        }
        (id.index == index).then_some(id)
    }

    /// A peer has committed up to here.
    pub(super) fn on_committed(&mut self, id: EntryId) -> Seen {
        if id.index > self.committed.index {
            self.committed = id;
        }
        for application in std::mem::take(&mut self.unchecked) {
            self.check(application)?;
        }
        Ok(())
    }

    /// The node's state machine is so far.
    pub(super) fn on_applied(&mut self, application: Application) -> Seen {
        if application == self.applied {
            return Ok(());
        }
        self.applied = application;
        self.check(application)
    }

    fn check(&mut self, application: Application) -> Seen {
        let Some(id) = self.ancestor(self.committed, application.applied) else {
            if application.applied > self.committed.index {
                self.unchecked.push(application);
            }
            return Ok(());
        };
        match self.digest(id) {
            Some(digest) if digest != application.digest => Err((
                Duty::ApplyCommands,
                format!(
                    "the state machine claims to contain entry {} and everything before it, and \
                     has another content than what was agreed on",
                    application.applied
                ),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// A frame arrives at the node: it may have to give up what it acknowledged.
    pub(super) fn on_received(&mut self, message: &Message<'_>) {
        let Body::Append(append) = &message.body else {
            return;
        };
        if message.term < self.term {
            return;
        }
        for entry in append.entries.iter(append.prev.index.next()) {
            let id = entry.id;
            let Some(mine) = self.ancestor(self.acknowledged, id.index) else {
                continue;
            };
            if mine == id {
                continue;
            }
            while self.acknowledged.index >= id.index {
                let link = self.links.get(&key(self.acknowledged));
                self.acknowledged = link.map_or(EntryId::ZERO, |link| link.before);
            }
            return;
        }
    }

    /// A frame left the node. `leader_log` names the entry at an index of the receiver's log, if
    /// the receiver leads this term.
    pub(super) fn on_sent(
        &mut self,
        to: NodeId,
        me: NodeId,
        message: &Message<'_>,
        leader_log: impl FnOnce(LogIndex) -> Option<EntryId>,
    ) -> Seen {
        self.has_spoken = true;
        if message.term < self.term {
            return Err((
                Duty::KeepTerm,
                format!(
                    "it speaks in term {}, and spoke in term {} before",
                    message.term, self.term
                ),
            ));
        }
        self.promises += u64::from(message.term > self.term);
        self.term = message.term;
        match &message.body {
            Body::Vote(_) => self.on_vote(message.term, me),
            Body::VoteReply(reply) if reply.is_granted => self.on_vote(message.term, to),
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_) => {
                self.leads = Some(message.term);
                Ok(())
            }
            Body::Ack(ack) => {
                if let Some(id) = leader_log(ack.verified)
                    && id.index > self.acknowledged.index
                {
                    self.acknowledged = id;
                    self.promises += 1;
                }
                Ok(())
            }
            Body::VoteReply(_)
            | Body::PreVote(_)
            | Body::PreVoteReply(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow
            | Body::Quiet(_)
            | Body::QuietReply(_) => Ok(()),
        }
    }

    fn on_vote(&mut self, term: Term, candidate: NodeId) -> Seen {
        let known = self.votes.len();
        let first = *self.votes.entry(term).or_insert(candidate);
        self.promises += (self.votes.len() - known) as u64;
        if first == candidate {
            return Ok(());
        }
        Err((
            Duty::KeepVote,
            format!("in term {term} it votes for node {candidate}, and voted for node {first}"),
        ))
    }

    /// Entries that stood, or might have, where others of the log that ends with `id` stand.
    pub(super) fn rivals(&self, id: EntryId) -> Vec<EntryId> {
        let all = self.links.keys();
        let all = all.map(|(index, term)| EntryId::new(*index, *term));
        all.filter(|rival| {
            let mine = self.ancestor(id, rival.index);
            mine.is_some_and(|mine| mine != *rival)
        })
        .collect()
    }

    /// The last entry that the node must have after a restart.
    pub(super) fn promised(&self) -> EntryId {
        let applied = self.ancestor(self.committed, self.applied.applied);
        match applied {
            Some(applied) if applied.index > self.acknowledged.index => applied,
            Some(_) | None => self.acknowledged,
        }
    }
}

fn key(id: EntryId) -> (LogIndex, Term) {
    (id.index, id.term)
}

//! All messages ever sent: the network as the formal specification has it, `[Ongaro14 §B]`. What one
//! state does not show, two messages may contradict.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher};
use std::sync::Arc;

use quorum::NodeId;
use raft_core::{Body, Identity, Message};

use super::{Abstract, Entry, Id, Log, Role, must};
use crate::world::chain::{hash_bytes, mix};

/// The log of a term's leader.
#[derive(Clone, Debug)]
struct Office {
    leader: Identity,
    log: Log,
}

/// What was sent so far, and by which leaders.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Hashes of sender, receiver and message.
    sent: BTreeSet<u64>,
    /// To whom each voter gave its vote of a term; its own candidacy counts.
    votes: BTreeMap<(u64, Identity), Identity>,
    /// Pre-votes that a node may grant: who asks, in which attempt.
    pre_votes: BTreeSet<(Identity, NodeId, u32)>,
    /// Nodes that were told to stand, and in which term.
    told: BTreeSet<(Identity, u64)>,
    /// The leaders by term.
    offices: BTreeMap<u64, Office>,
    /// Who agreed to be silent, as the leader of the term was told, in its latest attempt.
    agreed: BTreeMap<u64, (u64, BTreeSet<Identity>)>,
}

/// The same for the same message between the same nodes. Both are as decoded from a frame.
fn fingerprint(from: NodeId, to: NodeId, message: &Message<'_>) -> u64 {
    let mut hasher = Mixer(0);
    (from, to, message).hash(&mut hasher);
    hasher.finish()
}

/// Hashes a few numbers fast; nobody looks for collisions here.
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(hash_bytes(bytes));
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mix(self.0.rotate_left(23), number);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }
}

impl History {
    /// A node is in this state now.
    ///
    /// # Errors
    ///
    /// It leads a term that another leads, or a leader's log changed.
    pub fn note(&mut self, state: &Abstract) -> Result<(), String> {
        if state.role != Role::Leader {
            return Ok(());
        }
        if state.is_quiet {
            let agreed = self.agreed.get(&state.term).map(|(_, members)| members);
            let is_in =
                |member| member == state.me || agreed.is_some_and(|all| all.contains(&member));
            must(state.configuration.is_quorum(is_in), || {
                format!("quiet: a leader is silent, {agreed:?} agreed")
            })?;
            must(state.commit == state.last().index, || {
                "quiet: a leader is silent and has work".into()
            })?;
        }
        let Some(office) = self.offices.get_mut(&state.term) else {
            let office = Office {
                leader: state.me,
                log: state.log.clone(),
            };
            self.offices.insert(state.term, office);
            return Ok(());
        };
        must(office.leader == state.me, || {
            format!(
                "§3.4: term {} has the leaders {:?} and {:?}",
                state.term, office.leader, state.me
            )
        })?;
        if !Arc::ptr_eq(&office.log.entries, &state.log.entries) {
            office.log = state.log.clone();
        }
        Ok(())
    }

    /// A node in this state sends this message, as its receiver will
    /// decode it.
    ///
    /// # Errors
    ///
    /// What was sent before contradicts it.
    pub fn send(
        &mut self,
        state: &Abstract,
        to: NodeId,
        message: &Message<'_>,
    ) -> Result<(), String> {
        self.sent.insert(fingerprint(state.me.node, to, message));
        let term = u64::from(message.term.value());
        match &message.body {
            Body::Vote(request) => {
                let told = (state.me, term.saturating_sub(1));
                must(!request.is_transfer || self.told.contains(&told), || {
                    format!("§3.10: {:?} was not told to stand", state.me)
                })?;
                self.vote(term, state.me, state.me)
            }
            Body::VoteReply(reply) if reply.is_granted => match state.durable.vote {
                Some(candidate) => self.vote(term, state.me, candidate),
                None => Err("§3.4: a vote is given to nobody".into()),
            },
            Body::PreVoteReply(reply) if reply.is_granted => {
                let asked = (state.me, to, reply.attempt);
                must(self.pre_votes.contains(&asked), || {
                    format!(
                        "§9.6: attempt {} of node {to} gets a pre-vote",
                        reply.attempt
                    )
                })
            }
            Body::Ack(ack) => self.acknowledge(term, state, ack.verified.value()),
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_) => {
                // Whoever hears of it is awake again.
                self.agreed.remove(&term);
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

    fn vote(&mut self, term: u64, voter: Identity, candidate: Identity) -> Result<(), String> {
        let first = *self.votes.entry((term, voter)).or_insert(candidate);
        must(first == candidate, || {
            format!("§3.4: {voter:?} votes in term {term} for {first:?} and {candidate:?}")
        })
    }

    /// What is acknowledged to a leader is what the leader has.
    fn acknowledge(&self, term: u64, state: &Abstract, verified: u64) -> Result<(), String> {
        let Some(office) = self.offices.get(&term) else {
            return Err(format!(
                "§3.5: term {term} is acknowledged and has no leader"
            ));
        };
        let from = state.log.base.index.max(office.log.base.index);
        let part = |log: &Log| {
            let count = verified.checked_sub(from)? as usize;
            log.after(from).get(..count).map(<[Entry]>::to_vec)
        };
        let Some(_) = verified.checked_sub(from) else {
            return Ok(());
        };
        // A witness has what it keeps of what the leader has.
        let is_kept = |(mine, theirs): (&Entry, &Entry)| mine == theirs || *mine == theirs.hollow();
        let is_same = match (part(&state.log), part(&office.log)) {
            (Some(mine), Some(theirs)) => mine.iter().zip(&theirs).all(is_kept),
            (mine, theirs) => mine == theirs,
        };
        must(is_same, || {
            format!("§3.5: {verified} is acknowledged, the leader has another log")
        })
    }

    /// A message arrives at a node in this state.
    ///
    /// # Errors
    ///
    /// Nobody sent it.
    pub fn receive(
        &mut self,
        state: &Abstract,
        from: NodeId,
        message: &Message<'_>,
    ) -> Result<(), String> {
        must(
            self.sent
                .contains(&fingerprint(from, state.me.node, message)),
            || format!("nobody sent this: {message:?}"),
        )?;
        if let Body::PreVote(request) = &message.body
            && u64::from(message.term.value()) >= state.term
            && Id::from(request.last) >= state.last()
        {
            self.pre_votes.insert((state.me, from, request.attempt));
        }
        if let Body::QuietReply(reply) = &message.body
            && u64::from(message.term.value()) == state.term
            && state.role == Role::Leader
            && reply.is_quiet
        {
            let sender = Identity::new(from, message.incarnation);
            let (round, members) = self.agreed.entry(state.term).or_default();
            // What comes late belongs to an attempt that is over.
            if reply.round.value() > *round {
                (*round, *members) = (reply.round.value(), BTreeSet::new());
            }
            if reply.round.value() == *round {
                members.insert(sender);
            }
        }
        if let Body::TimeoutNow = &message.body {
            self.told
                .insert((state.me, u64::from(message.term.value())));
        }
        Ok(())
    }

    /// A node lost everything it ever knew.
    pub fn forget(&mut self, node: NodeId) {
        self.pre_votes.retain(|(me, _, _)| me.node != node);
    }
}

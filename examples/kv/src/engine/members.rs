//! Who belongs to the group: adding, promoting, removing, and where everybody listens.
//!
//! An operator's wish takes several steps of the log: the address first, so that everybody can reach the
//! newcomer, then the change itself, one at a time. Each turn of the engine tries what is possible now.
//! A newcomer gets no vote before it has nearly caught up: until then it would count in the majority and
//! could not help it.

use core::time::Duration;
use std::time::Instant as Clock;

use quorum::NodeId;
use raft_core::error::ReconfigureError;
use raft_core::{Change, EntryId, Identity, LogIndex, Standing, Term};

use super::{Asker, Machine};
use crate::operation::{Change as Applied, Operation};
use crate::setup::Settings;
use crate::store::Store;
use crate::timestamp::Timestamp;
use crate::transport::Links;

/// A newcomer gets a vote when it lacks at most so many entries.
const PROMOTION_LAG_MAX: u64 = 1000;

/// How long an operator waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long until a step that was not possible is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// What an operator wants.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Add {
        identity: Identity,
        peer: Box<str>,
        client: Box<str>,
    },
    Remove(NodeId),
    Demote(NodeId),
    Promote(NodeId),
}

#[derive(Debug)]
struct Task {
    wish: Wish,
    asker: Asker,
    end: Clock,
    /// The address is on its way.
    is_announced: bool,
    /// The change is in the log of this leader, here.
    accepted: Option<EntryId>,
}

/// What becomes of a task in this turn.
enum Step {
    Wait,
    Done,
    Refused(String),
}

/// The wishes that are not fulfilled yet.
#[derive(Debug, Default)]
pub(super) struct Members {
    tasks: Vec<Task>,
    /// The term in which this node, leading, has announced its own address.
    announced_in: Option<Term>,
}

impl Members {
    pub(super) fn wish(&mut self, wish: Wish, asker: Asker) {
        self.tasks.push(Task {
            wish,
            asker,
            end: Clock::now() + PATIENCE,
            is_announced: false,
            accepted: None,
        });
    }

    /// Answers all operators: there is no time to wait for what they want.
    pub(super) fn give_up(&mut self) {
        for task in self.tasks.drain(..) {
            task.asker.refuse("UNCERTAIN this node is ending");
        }
    }

    pub(super) fn deadline(&self) -> Option<Clock> {
        (!self.tasks.is_empty()).then(|| Clock::now() + RETRY_DELAY)
    }

    /// Does what is possible now.
    pub(super) fn tick(
        &mut self,
        raft: &mut Machine,
        store: &Store,
        settings: &Settings,
        links: &mut Links,
    ) {
        if raft.is_established() {
            self.announce_self(raft, store, settings);
            promote(raft, store);
        }
        let now = Clock::now();
        self.tasks.retain_mut(|task| {
            let step = match task.step(raft, store, links) {
                Step::Wait if now >= task.end => Step::Refused(match task.accepted {
                    Some(_) => "UNCERTAIN the change is in the log and not complete yet".into(),
                    None => "TRYAGAIN the change was not possible in time".into(),
                }),
                step => step,
            };
            match step {
                Step::Wait => return true,
                Step::Done => {
                    let Asker {
                        outbox,
                        place,
                        protocol,
                    } = &task.asker;
                    outbox.fill(*place, *protocol, |encoder| encoder.ok());
                }
                Step::Refused(text) => task.asker.refuse(&text),
            }
            false
        });
    }

    /// The leader makes known where it listens, unless everybody knows.
    fn announce_self(&mut self, raft: &mut Machine, store: &Store, settings: &Settings) {
        if self.announced_in == Some(raft.term()) {
            return;
        }
        let (peer, client) = (
            settings.peer_listen.to_string(),
            settings.listen.to_string(),
        );
        let id = settings.id;
        if announce(raft, store, id, &peer, &client) {
            self.announced_in = Some(raft.term());
            forget_strangers(raft, store);
        }
    }
}

impl Task {
    fn step(&mut self, raft: &mut Machine, store: &Store, links: &mut Links) -> Step {
        if let Some(accepted) = self.accepted {
            return self.conclude(accepted, raft, links, store);
        }
        if !raft.is_leader() {
            return Step::Refused(match self.is_announced {
                true => "UNCERTAIN the leadership was lost on the way".into(),
                false => "TRYAGAIN this node ceased to lead; nothing changed".into(),
            });
        }
        let change = match &self.wish {
            Wish::Add {
                identity,
                peer,
                client,
            } => {
                let known = raft
                    .members()
                    .find(|seat| seat.identity.node == identity.node);
                match known {
                    Some(seat) if seat.identity != *identity => {
                        let node = identity.node;
                        return Step::Refused(format!(
                            "ERR node {node} is a member in another incarnation, {}; \
                             RAFT.NODE REMOVE {node} first",
                            seat.identity.incarnation
                        ));
                    }
                    _ => {}
                }
                let node = identity.node.value();
                if !self.is_announced && !announce(raft, store, node, peer, client) {
                    return Step::Wait;
                }
                self.is_announced = true;
                if known.is_some() {
                    // Nothing changes but the address, and what the log has of it is still to come.
                    self.accepted = Some(raft.last()).filter(|last| last.term == raft.term());
                    return Step::Wait;
                }
                Change::AddLearner(*identity)
            }
            Wish::Remove(node) => Change::Remove(*node),
            Wish::Demote(node) => {
                match want_vote(*node, false, &mut self.is_announced, raft, store) {
                    Step::Done => Change::Demote(*node),
                    step => return step,
                }
            }
            // As for a newcomer, the vote comes by itself.
            Wish::Promote(node) => {
                return want_vote(*node, true, &mut self.is_announced, raft, store);
            }
        };
        match raft.reconfigure(&[change]) {
            Ok(id) => {
                self.accepted = Some(id);
                Step::Wait
            }
            Err(
                ReconfigureError::Pending
                | ReconfigureError::NotEstablished
                | ReconfigureError::Full,
            ) => Step::Wait,
            Err(ReconfigureError::AlreadyLearner(_)) => Step::Done,
            Err(refused) => Step::Refused(format!("ERR {refused}")),
        }
    }

    /// Waits until the change is committed, and the address of a newcomer known.
    fn conclude(
        &mut self,
        accepted: EntryId,
        raft: &mut Machine,
        links: &mut Links,
        store: &Store,
    ) -> Step {
        let is_here = raft.term() == accepted.term;
        if raft.commit() >= accepted.index && is_here {
            match &self.wish {
                Wish::Remove(node) => {
                    links.remove(*node);
                    forget(raft, store, node.value());
                }
                Wish::Add { .. } if raft.delivered() < accepted.index => return Step::Wait,
                Wish::Add {
                    identity,
                    peer,
                    client,
                } => {
                    let node = identity.node.value();
                    if !is_known(store, node, peer, client) {
                        // An earlier incarnation was still to be forgotten when this one was announced.
                        if let Some(again) = send_address(raft, store, node, peer, client) {
                            self.accepted = Some(again);
                        } else if !raft.is_leader() {
                            return Step::Refused(
                                "UNCERTAIN the leadership was lost on the way".into(),
                            );
                        }
                        return Step::Wait;
                    }
                }
                Wish::Demote(_) | Wish::Promote(_) => {}
            }
            return Step::Done;
        }
        match is_here && raft.is_leader() {
            true => Step::Wait,
            false => Step::Refused("UNCERTAIN the leadership was lost on the way".into()),
        }
    }
}

/// Sees to it that everybody knows whether a node is to have a vote.
fn want_vote(
    node: NodeId,
    is_wanted: bool,
    is_announced: &mut bool,
    raft: &mut Machine,
    store: &Store,
) -> Step {
    let node = node.value();
    let Some(address) = store.address(node) else {
        return Step::Refused(format!("ERR node {node} is no member"));
    };
    if address.is_learner != is_wanted {
        return Step::Done;
    }
    let change = Applied::Vote { node, is_wanted };
    *is_announced = *is_announced || propose(raft, store, change).is_some();
    Step::Wait
}

/// Gives a vote to a learner that has caught up, unless it is to stay one.
fn promote(raft: &mut Machine, store: &Store) {
    let last = raft.last().index;
    let stays = |node: u64| store.address(node).is_some_and(|known| known.is_learner);
    let learner = raft
        .members()
        .filter(|seat| seat.standing == Standing::Learner)
        .map(|seat| seat.identity.node)
        .filter(|node| !stays(node.value()))
        .find(|node| {
            let matched = raft.matched(*node).unwrap_or(LogIndex::ZERO);
            matched > LogIndex::ZERO && last.since(matched) <= PROMOTION_LAG_MAX
        });
    if let Some(learner) = learner {
        // Not possible while another change is on its way: tried again with the next turn.
        let _ = raft.reconfigure(&[Change::Promote(learner)]);
    }
}

/// Makes known where a node listens, unless that is known; says whether it is, or will be.
fn announce(raft: &mut Machine, store: &Store, node: u64, peer: &str, client: &str) -> bool {
    is_known(store, node, peer, client) || send_address(raft, store, node, peer, client).is_some()
}

fn is_known(store: &Store, node: u64, peer: &str, client: &str) -> bool {
    store
        .address(node)
        .is_some_and(|known| *known.peer == *peer && *known.client == *client)
}

fn send_address(
    raft: &mut Machine,
    store: &Store,
    node: u64,
    peer: &str,
    client: &str,
) -> Option<EntryId> {
    propose(raft, store, Applied::Address { node, peer, client })
}

/// Forgets where those listen who are no members: the leader that removed them may have lost its office
/// before it could, and a recovered group has lost all others.
fn forget_strangers(raft: &mut Machine, store: &Store) {
    let is_member = |node: u64| {
        let mut members = raft.members();
        members.any(|seat| seat.identity.node.value() == node)
    };
    let known = store.addresses().map(|(node, _)| node);
    let strangers: Vec<u64> = known.filter(|node| !is_member(*node)).collect();
    for node in strangers {
        forget(raft, store, node);
    }
}

fn forget(raft: &mut Machine, store: &Store, node: u64) {
    if store.address(node).is_some() {
        // An address too many does no harm.
        propose(raft, store, Applied::Forget { node });
    }
}

fn propose(raft: &mut Machine, store: &Store, change: Applied<'_>) -> Option<EntryId> {
    let stamp = Timestamp::now().max(store.clock());
    let mut payload = Vec::new();
    Operation { stamp, change }.encode(&mut payload);
    raft.propose(&payload).ok()
}

#[cfg(test)]
mod tests;

//! What must hold for one machine, whatever anybody says to it.
//!
//! Agreement is not among these: a lying member can break it, as in every protocol for crash
//! faults. What it cannot break is stated here, each rule as a function of what was seen before
//! and after an input, so that each can be shown to fail.

use core::fmt;

use quorum::NodeId;
use raft_core::{Body, Fault, HardState, Identity, LogIndex, Role, Transmit};

/// The rules.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rule {
    /// No input panics or overflows.
    NoPanic,
    /// No input stops the machine.
    NoFault,
    /// `check_invariants` holds.
    Invariants,
    /// Term, commit, base and delivery only grow within a life, and stand in order.
    Monotone,
    /// One vote in a term.
    OneVote,
    /// What was committed stays as it was.
    CommittedStays,
    /// A leader's word on the commit counts only as far as its message goes.
    Covered,
    /// What is said rests on what is stored.
    Promises,
    /// What one input makes the machine say is bounded.
    BoundedOutput,
    /// Other groups change nothing; answers of strangers are not counted.
    Strangers,
    /// A refused command changes nothing.
    NoChangeOnError,
    /// After a timeout the machine wants to be woken later than now.
    NoSpin,
    /// A restart from what was stored has it all.
    Remembers,
    /// Each read ends once, and in time; so does a handover.
    Ends,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::NoPanic => "no-panic",
            Rule::NoFault => "no-fault",
            Rule::Invariants => "invariants",
            Rule::Monotone => "monotone",
            Rule::OneVote => "one-vote",
            Rule::CommittedStays => "committed-stays",
            Rule::Covered => "covered",
            Rule::Promises => "promises",
            Rule::BoundedOutput => "bounded-output",
            Rule::Strangers => "strangers",
            Rule::NoChangeOnError => "no-change-on-error",
            Rule::NoSpin => "no-spin",
            Rule::Remembers => "remembers",
            Rule::Ends => "ends",
        })
    }
}

/// A rule that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Which one.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// `Err` unless `holds`.
#[inline]
pub fn check(holds: bool, rule: Rule, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds {
        return Ok(());
    }
    Err(broken(rule, what()))
}

#[cold]
fn broken(rule: Rule, what: String) -> Broken {
    Broken { rule, what }
}

/// What one sees of a machine from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct View {
    /// Term and vote.
    pub hard: HardState,
    /// What it knows to be committed.
    pub commit: LogIndex,
    /// What it handed over.
    pub delivered: LogIndex,
    /// What is compacted.
    pub base: LogIndex,
    /// The end of its log.
    pub last: LogIndex,
    /// Its durable end.
    pub durable: LogIndex,
    /// Why it stopped.
    pub fault: Option<Fault>,
}

/// Nothing falls within a life, and everything stands in order.
#[inline]
pub fn step(before: &View, after: &View) -> Result<(), Broken> {
    check(after.fault.is_none(), Rule::NoFault, || {
        format!("stopped: {:?}", after.fault)
    })?;
    let grows = after.hard.term >= before.hard.term
        && after.commit >= before.commit
        && after.delivered >= before.delivered
        && after.base >= before.base;
    let is_ordered = after.base <= after.commit
        && after.delivered <= after.commit
        && after.commit <= after.last
        && after.durable <= after.last
        && (after.delivered <= after.durable || after.delivered == before.delivered);
    check(grows && is_ordered, Rule::Monotone, || {
        format!("{before:?} became {after:?}")
    })?;
    let keeps = before.hard.vote.is_none()
        || after.hard.term != before.hard.term
        || after.hard.vote == before.hard.vote;
    check(keeps, Rule::OneVote, || {
        format!("{:?} became {:?}", before.hard, after.hard)
    })
}

/// A message raised the commit no further than it covers, `[Ongaro14 §3.5]`: what lies beyond may
/// still be another leader's. Acknowledgements raise that of a leader, which counts copies.
pub fn covered(before: LogIndex, after: LogIndex, body: &Body<'_>) -> Result<(), Broken> {
    let bound = match body {
        Body::Append(append) => {
            let count = append.entries.iter(append.prev.index.next()).count();
            append.prev.index.plus(count as u64)
        }
        Body::Hollow(hollow) => hollow.prev.index.plus(hollow.entries.count()),
        Body::Chunk(chunk) => chunk.snapshot.last.index,
        Body::Ack(_) | Body::VoteReply(_) => return Ok(()),
        Body::PreVote(_)
        | Body::PreVoteReply(_)
        | Body::Vote(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_)
        | Body::QuietReply(_) => before,
    };
    check(after <= bound.max(before), Rule::Covered, || {
        format!("the commit rose from {before} to {after} by {body:?}")
    })
}

/// What a machine has stored when it speaks.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Who it is.
    pub identity: Identity,
    /// Term and vote on the medium.
    pub hard: HardState,
    /// The log on the medium.
    pub durable: LogIndex,
    /// The length of its snapshot.
    pub snapshot: u64,
    /// What it is.
    pub role: Role,
}

/// A message promises nothing that could be forgotten.
#[inline]
pub fn said(stored: &Stored, transmit: &Transmit<'_>) -> Result<(), Broken> {
    let message = &transmit.message;
    let votes_for = |node: NodeId| stored.hard.vote.is_some_and(|vote| vote.node == node);
    let is_sound = match &message.body {
        Body::Ack(ack) => ack.verified <= stored.durable,
        Body::Vote(vote) => {
            stored.hard.vote == Some(stored.identity) && vote.last.index <= stored.durable
        }
        Body::VoteReply(reply) => !reply.is_granted || votes_for(transmit.to),
        Body::Chunk(chunk) => {
            let len = match chunk.data {
                raft_core::ChunkData::Wanted(len) => len,
                raft_core::ChunkData::Hollow => 0,
                raft_core::ChunkData::Received(_) => {
                    return Err(broken(Rule::Promises, format!("{message:?} has data")));
                }
            };
            let end = chunk.offset.checked_add(u64::from(len));
            stored.role == Role::Leader && end.is_some_and(|end| end <= stored.snapshot)
        }
        Body::Append(_)
        | Body::Hollow(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_) => stored.role == Role::Leader,
        Body::ReadRequest(_) | Body::QuietReply(_) => stored.role == Role::Follower,
        Body::PreVote(_) | Body::PreVoteReply(_) => true,
    };
    let is_own =
        message.term == stored.hard.term && message.incarnation == stored.identity.incarnation;
    check(is_sound && is_own, Rule::Promises, || {
        format!("{stored:?} says {transmit:?}")
    })
}

/// A machine that came back from everything that was reported as stored.
pub fn remembers(promised: HardState, durable: LogIndex, after: &View) -> Result<(), Broken> {
    let hard = after.hard;
    let keeps_vote =
        hard.term > promised.term || promised.vote.is_none() || hard.vote == promised.vote;
    check(
        hard.term >= promised.term && keeps_vote && after.last >= durable,
        Rule::Remembers,
        || format!("{promised:?} and a log up to {durable} came back as {after:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::past::identity;
    use super::*;
    use raft_core::{Ack, GroupId, Message, Round, Term, VoteReply};

    fn view(term: u32, vote: Option<u64>, commit: u64) -> View {
        View {
            hard: HardState {
                term: Term::new(term),
                vote: vote.map(identity),
            },
            commit: LogIndex::new(commit),
            last: LogIndex::new(9),
            durable: LogIndex::new(9),
            ..View::default()
        }
    }

    fn rule(found: Result<(), Broken>) -> Option<Rule> {
        found.err().map(|broken| broken.rule)
    }

    #[test]
    fn what_falls_is_noticed() {
        let before = view(3, Some(1), 5);
        assert_eq!(rule(step(&before, &before)), None);
        assert_eq!(rule(step(&before, &view(4, None, 5))), None);
        assert_eq!(
            rule(step(&before, &view(2, Some(1), 5))),
            Some(Rule::Monotone)
        );
        assert_eq!(
            rule(step(&before, &view(3, Some(1), 4))),
            Some(Rule::Monotone)
        );
        assert_eq!(
            rule(step(&before, &view(3, Some(1), 10))),
            Some(Rule::Monotone)
        );
        assert_eq!(
            rule(step(&before, &view(3, Some(2), 5))),
            Some(Rule::OneVote)
        );
        assert_eq!(rule(step(&before, &view(3, None, 5))), Some(Rule::OneVote));
        let stopped = View {
            fault: Some(Fault::WindowDamaged),
            ..before
        };
        assert_eq!(rule(step(&before, &stopped)), Some(Rule::NoFault));
        let early = View {
            delivered: LogIndex::new(5),
            durable: LogIndex::new(4),
            ..before
        };
        assert_eq!(rule(step(&before, &early)), Some(Rule::Monotone));
    }

    #[test]
    fn promises_that_nothing_is_stored_for_are_noticed() {
        let stored = Stored {
            identity: identity(1),
            hard: view(3, Some(2), 0).hard,
            durable: LogIndex::new(4),
            snapshot: 0,
            role: Role::Follower,
        };
        let found = |term, to, body| {
            let message = Message {
                group: GroupId::new(1),
                incarnation: identity(1).incarnation,
                term: Term::new(term),
                body,
            };
            let transmit = Transmit {
                to: NodeId::new(to),
                message,
            };
            rule(said(&stored, &transmit))
        };
        let ack = |verified| {
            Body::Ack(Ack {
                verified: LogIndex::new(verified),
                round: Round::ZERO,
                room: 0,
                reject: None,
                chunk: None,
            })
        };
        let grant = Body::VoteReply(VoteReply { is_granted: true });
        let broken = Some(Rule::Promises);
        assert_eq!(found(3, 2, ack(4)), None);
        assert_eq!(found(3, 2, ack(5)), broken);
        assert_eq!(found(4, 2, ack(4)), broken);
        assert_eq!(found(3, 2, grant), None);
        assert_eq!(found(3, 3, grant), broken);
    }

    #[test]
    fn what_is_forgotten_is_noticed() {
        let promised = view(3, Some(1), 0).hard;
        let end = LogIndex::new(9);
        let found = |after| rule(remembers(promised, end, &after));
        assert_eq!(found(view(3, Some(1), 0)), None);
        assert_eq!(found(view(4, None, 0)), None);
        assert_eq!(found(view(3, None, 0)), Some(Rule::Remembers));
        assert_eq!(found(view(2, Some(1), 0)), Some(Rule::Remembers));
        let short = View {
            last: LogIndex::new(8),
            ..view(3, Some(1), 0)
        };
        assert_eq!(found(short), Some(Rule::Remembers));
    }
}

//! Who is enough: commit, elections and authority in any configuration, against sets that are
//! counted on fingers.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use raft_core::{Role, Standing};
use support::cases::check;
use support::past::{Past, seats};
use support::solo::{Said, Solo, ack};

type Nodes = BTreeSet<u64>;

/// Two sets of voters, equal unless a change is under way, and learners: what a configuration is
/// in the dissertation, section 4.3.
#[derive(Clone, Debug)]
struct Naive {
    old: Nodes,
    new: Nodes,
    learners: Nodes,
}

impl Naive {
    fn past(&self) -> Past {
        let standing = |id| match (self.old.contains(&id), self.new.contains(&id)) {
            (true, true) => Standing::Voter,
            (false, true) => Standing::Incoming,
            (true, false) if self.learners.contains(&id) => Standing::Demoted,
            (true, false) => Standing::Outgoing,
            (false, false) => Standing::Learner,
        };
        let all = self.old.union(&self.new).copied().collect::<Nodes>();
        let all = all.union(&self.learners);
        let members: Vec<_> = all.map(|&id| (id, standing(id))).collect();
        Past::new(1).members(seats(&members))
    }

    fn is_joint(&self) -> bool {
        self.old != self.new
    }

    /// More than half of the old set, and more than half of the new.
    fn is_enough(&self, agreeing: &Nodes) -> bool {
        [&self.old, &self.new]
            .iter()
            .all(|side| 2 * side.intersection(agreeing).count() > side.len())
    }
}

/// Configurations of up to five nodes in which node 1 votes in one set at least.
fn configuration() -> impl Strategy<Value = Naive> {
    (1..32_u8, 1..32_u8, any::<u8>(), any::<bool>()).prop_filter_map(
        "node 1 votes",
        |(old, new, learners, is_joint)| {
            let nodes =
                |bits: u8| -> Nodes { (1..=5).filter(|id| bits >> (id - 1) & 1 == 1).collect() };
            let (new, old) = (nodes(new), nodes(if is_joint { old } else { new }));
            // A demoted voter is a learner to be; nobody who stays a voter is one.
            let learners = nodes(learners).difference(&new).copied().collect();
            let votes = old.contains(&1) || new.contains(&1);
            votes.then_some(Naive { old, new, learners })
        },
    )
}

/// Node 1 leading, in whatever configuration, with the help of everybody.
fn lead(past: Past) -> Solo {
    let mut solo = past.start();
    solo.raft.campaign(solo.now).unwrap();
    solo.drain();
    if solo.raft.role() == Role::PreCandidate {
        let (attempt, granted) = (solo.attempt(), true);
        let term = solo.term();
        for peer in solo.peers() {
            solo.say(peer, term, Said::PreVoteReply { attempt, granted });
        }
    }
    let term = solo.term();
    for peer in solo.peers() {
        if solo.raft.role() == Role::Candidate {
            solo.say(peer, term, Said::VoteReply(true));
        }
    }
    assert!(solo.raft.is_leader());
    solo
}

/// C-33: a commit that was found by a cleverer way than counting was carried by two of five.
///
/// Three old entries, the leader's first at 4, then six commands that are stored here one by one.
#[test]
fn commit_is_what_counting_says() {
    let saw = RefCell::new(BTreeMap::<_, u32>::new());
    // Node 1 stands for a write of the leader's own.
    let acks = prop::collection::vec((1..=5_u64, 1..=10_u64), 0..40);
    check(1_500, (configuration(), acks), |(naive, acks)| {
        let mut solo = lead(naive.past().log(&[1; 3]));
        let (mut holds, mut committed) = (BTreeMap::from([(1, 4)]), 0);
        for (from, index) in acks {
            if from == 1 {
                let _ = solo.raft.propose(b"command");
                solo.store();
                holds.insert(1, solo.durable());
            } else if naive
                .past()
                .seats
                .iter()
                .any(|seat| seat.identity.node.value() == from)
            {
                let index = index.min(solo.last().0);
                solo.hear(from, 2, &ack(index, 1));
                let held = holds.entry(from).or_default();
                *held = index.max(*held);
            }
            let enough = |index: &u64| {
                let having = holds.iter().filter(|(_, held)| *held >= index);
                naive.is_enough(&having.map(|(id, _)| *id).collect())
            };
            // Of its own term only, and never back.
            committed = (4..=solo.last().0)
                .filter(enough)
                .max()
                .unwrap_or(0)
                .max(committed);
            assert_eq!(solo.commit(), committed, "{naive:?} {holds:?}");
            if committed >= 4 && naive.is_joint() {
                // It ends the change: from here on the new set alone counts.
                break;
            }
        }
        let kind = (naive.is_joint(), committed > 0);
        *saw.borrow_mut().entry(kind).or_default() += 1;
    });
    let saw = saw.borrow();
    assert!(
        saw.len() == 4 && saw.values().all(|count| *count > 50),
        "{saw:?}"
    );
}

/// D-55: pre-votes and votes of any members in any order.
#[test]
fn elections_are_won_by_what_counting_says() {
    let saw = RefCell::new(BTreeMap::<_, u32>::new());
    let replies = || prop::collection::vec((2..=5_u64, prop::bool::weighted(0.7)), 0..8);
    check(
        1_500,
        (configuration(), replies(), replies()),
        |(naive, first, second)| {
            let mut solo = naive.past().start();
            let members: Nodes = solo.peers().into_iter().collect();
            solo.raft.campaign(solo.now).unwrap();
            solo.drain();
            let mut granted = Nodes::from([1]);
            // Alone in both sets it needs nobody, and is through already.
            if !naive.is_enough(&granted) {
                let attempt = solo.attempt();
                for (from, is_granted) in first {
                    assert_eq!(
                        solo.raft.role(),
                        Role::PreCandidate,
                        "{naive:?} {granted:?}"
                    );
                    if members.contains(&from) {
                        let granted_now = is_granted;
                        solo.say(
                            from,
                            0,
                            Said::PreVoteReply {
                                attempt,
                                granted: granted_now,
                            },
                        );
                        is_granted.then(|| granted.insert(from));
                    }
                    if naive.is_enough(&granted) {
                        break;
                    }
                }
                let expected = if naive.is_enough(&granted) {
                    Role::Candidate
                } else {
                    Role::PreCandidate
                };
                assert_eq!(solo.raft.role(), expected, "{naive:?} {granted:?}");
            }
            let asked = naive.is_enough(&granted);
            // The votes are counted anew.
            let mut granted = Nodes::from([1]);
            for (from, is_granted) in second.into_iter().filter(|_| asked) {
                if naive.is_enough(&granted) {
                    break;
                }
                assert_eq!(solo.raft.role(), Role::Candidate, "{naive:?} {granted:?}");
                if members.contains(&from) {
                    solo.say(from, 1, Said::VoteReply(is_granted));
                    is_granted.then(|| granted.insert(from));
                }
            }
            let is_won = asked && naive.is_enough(&granted);
            assert_eq!(solo.raft.is_leader(), is_won, "{naive:?} {granted:?}");
            let kind = (naive.is_joint(), is_won);
            *saw.borrow_mut().entry(kind).or_default() += 1;
        },
    );
    let saw = saw.borrow();
    assert!(
        saw.len() == 4 && saw.values().all(|count| *count > 50),
        "{saw:?}"
    );
}

/// D-55: a leader stays while those that answer are enough, and no longer.
#[test]
fn authority_lasts_while_counting_says_so() {
    let saw = RefCell::new(BTreeMap::<_, u32>::new());
    check(300, (configuration(), any::<u8>()), |(naive, answering)| {
        let mut solo = lead(naive.past());
        let answering = |id: &u64| answering >> id & 1 == 1;
        let answer: Vec<u64> = solo.peers().into_iter().filter(answering).collect();
        for round in 1..20 {
            for from in &answer {
                solo.hear(*from, 1, &ack(0, round));
            }
            solo.tick(20);
            solo.drain();
        }
        let mut agreeing: Nodes = answer.into_iter().collect();
        agreeing.insert(1);
        let expected = naive.is_enough(&agreeing);
        assert_eq!(solo.raft.is_leader(), expected, "{naive:?} {agreeing:?}");
        let kind = (naive.is_joint(), expected);
        *saw.borrow_mut().entry(kind).or_default() += 1;
    });
    let saw = saw.borrow();
    assert!(
        saw.len() == 4 && saw.values().all(|count| *count > 10),
        "{saw:?}"
    );
}

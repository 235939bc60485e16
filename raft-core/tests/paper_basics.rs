//! Raft, extended version [Ongaro14 §5.1]: one test per sentence that states a behaviour.

mod support;

use clocks::Duration;
use raft_core::error::ProposeError;
use raft_core::{Event, Role, Term};
use support::World;
use support::past::{Past, command};
use support::solo::{Said, ack, append};

/// 5.1: in normal operation one server leads and all others follow.
#[test]
fn exactly_one_leads_and_the_others_follow() {
    let mut world = World::of(&[1, 2, 3, 4, 5].map(|id| Past::new(id).voters(&[1, 2, 3, 4, 5])));
    world.run(Duration::from_millis(1000));
    let roles = [1, 2, 3, 4, 5].map(|id| world.role(id));
    assert_eq!(
        roles.iter().filter(|role| **role == Role::Leader).count(),
        1
    );
    assert_eq!(
        roles.iter().filter(|role| **role == Role::Follower).count(),
        4
    );
}

/// 5.1: followers issue no requests on their own.
#[test]
fn follower_is_passive() {
    let mut solo = Past::new(2).term(3).log(&[1, 3]).start();
    solo.say(1, 3, append((2, 3), 0, 1, &[]));
    assert!(solo.drain().is_silent());
    for _ in 0..9 {
        solo.tick(10);
        assert!(solo.drain().is_silent(), "nothing until the timeout");
    }
}

/// 5.1: a follower responds to requests, to the one who asked and nobody else.
#[test]
fn follower_responds_to_who_asked() {
    let mut solo = Past::new(2).term(3).start();
    let outcome = solo.say(1, 3, append((0, 0), 0, 7, &[]));
    assert_eq!(outcome.sent, [(1, 3, ack(0, 7))]);
}

/// 5.1: a client that asks a follower is sent to the leader.
#[test]
fn follower_names_the_leader_to_a_client() {
    let mut solo = Past::new(2).term(3).start();
    let before = solo.clone();
    let unknown = ProposeError::NotLeader { leader: None };
    assert_eq!(solo.raft.propose(b"x"), Err(unknown));
    assert_eq!(solo.raft, before.raft);
    solo.say(1, 3, append((0, 0), 0, 1, &[]));
    let leader = Some(quorum::NodeId::new(1));
    assert_eq!(
        solo.raft.propose(b"x"),
        Err(ProposeError::NotLeader { leader })
    );
    assert!(solo.drain().is_silent());
}

/// 5.1: terms are consecutive integers, and each begins with an election.
#[test]
fn election_begins_the_next_term() {
    let mut solo = Past::new(1).term(4).start();
    solo.run_for_office();
    assert_eq!(solo.term(), 5);
}

/// 5.1: who wins leads for the rest of the term.
#[test]
fn winner_leads_for_the_rest_of_the_term() {
    let mut solo = Past::new(1).term(4).establish();
    for round in 2..50 {
        solo.tick(20);
        solo.drain();
        for peer in solo.peers() {
            let last = solo.last().0;
            solo.say(peer, 5, ack(last, round));
        }
        assert!(solo.raft.is_leader());
        assert_eq!(solo.term(), 5);
    }
}

/// 5.1: a term may end without a leader when the vote is split, and the next follows.
#[test]
fn split_vote_ends_the_term_without_a_leader() {
    let mut solo = Past::new(1).term(4).start();
    solo.run_for_office();
    solo.say(2, 5, Said::VoteReply(false));
    solo.say(3, 5, Said::VoteReply(false));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 5));
    solo.win();
    assert_eq!(solo.term(), 6);
}

/// 5.1: at most one leader per term, however the votes fall.
#[test]
fn two_candidates_of_a_term_cannot_both_win() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.now = world.now.saturating_add(Duration::from_millis(100));
    let now = world.now;
    world.raft(1).campaign(now).unwrap();
    world.raft(2).campaign(now).unwrap();
    world.settle();
    let leaders = [1, 2, 3]
        .into_iter()
        .filter(|id| world.raft(*id).is_leader());
    assert!(leaders.count() <= 1);
    world.run(Duration::from_millis(1000));
    let mut terms = Vec::new();
    for id in 1..=3 {
        for event in world.host(id).events.clone() {
            if let Event::RoleChanged {
                role: Role::Leader,
                term,
            } = event
            {
                terms.push(term);
            }
        }
    }
    let count = terms.len();
    terms.sort();
    terms.dedup();
    assert_eq!(terms.len(), count, "one leader per term");
}

/// 5.1: the current term only grows, whatever arrives.
#[test]
fn term_never_falls() {
    let mut solo = Past::new(2).term(9).start();
    for term in [1, 8, 3] {
        solo.say(1, term, append((0, 0), 0, 1, &[]));
        solo.say(3, term, Said::Vote { last: (0, 0) });
        solo.say(3, term, Said::VoteReply(true));
        solo.say(1, term, ack(0, 1));
        assert_eq!(solo.term(), 9);
    }
}

/// 5.1: a server with the smaller term takes the larger one, from any message that proves it.
#[test]
fn smaller_term_gives_way_to_larger() {
    let bodies = [
        append((0, 0), 0, 1, &[]),
        ack(0, 0),
        Said::Vote { last: (0, 0) },
        Said::VoteReply(false),
        Said::PreVoteReply {
            attempt: 0,
            granted: false,
        },
    ];
    for said in bodies {
        let mut solo = Past::new(2).term(4).start();
        solo.say(1, 7, said.clone());
        assert_eq!(solo.term(), 7, "{said:?}");
    }
}

/// 5.1: who asks with a smaller term is told the larger one.
#[test]
fn sender_with_smaller_term_is_told_the_larger() {
    let requests = [append((0, 0), 0, 1, &[]), Said::Vote { last: (0, 0) }];
    for said in requests {
        let mut solo = Past::new(2).term(9).start();
        let outcome = solo.say(1, 4, said);
        assert_eq!(outcome.sent, [(1, 9, Said::VoteReply(false))]);
    }
}

/// 5.1: a candidate that learns of a larger term follows at once.
#[test]
fn outdated_candidate_becomes_follower() {
    let mut solo = Past::new(1).term(4).start();
    solo.run_for_office();
    solo.say(2, 8, Said::VoteReply(false));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 8));
}

/// 5.1: a leader that learns of a larger term follows at once.
#[test]
fn outdated_leader_becomes_follower() {
    let mut solo = Past::new(1).term(4).establish();
    solo.say(2, 8, ack(0, 0));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 8));
    assert!(solo.raft.propose(b"x").is_err());
}

/// 5.1: a request with a stale term is refused and changes nothing but the debt of an answer.
#[test]
fn stale_request_is_refused() {
    let mut solo = Past::new(2).log(&[1, 5]).start();
    let outcome = solo.say(1, 4, append((2, 5), 2, 1, &[(4, command(3, 4))]));
    assert_eq!(outcome.sent, [(1, 5, Said::VoteReply(false))]);
    assert_eq!((solo.last(), solo.commit()), ((2, 5), 0));
    assert_eq!(solo.raft.leader(), None);
    let outcome = solo.say(3, 4, Said::Vote { last: (9, 4) });
    assert_eq!(outcome.sent, [(3, 5, Said::VoteReply(false))]);
    assert_eq!(solo.vote(), None);
}

/// 5.1: a request without a timely answer is sent again: appends.
#[test]
fn leader_repeats_what_is_not_answered() {
    let mut solo = Past::new(1).term(4).log(&[1]).lead();
    let entries = vec![(5, support::past::Item::NoOp)];
    for _ in 0..3 {
        solo.tick(20);
        let outcome = solo.drain();
        for peer in [2, 3] {
            let [Said::Append { entries: sent, .. }] = &outcome.to(peer)[..] else {
                panic!("one append each: {outcome:?}");
            };
            assert_eq!(*sent, entries);
        }
    }
}

/// 5.1: a request without a timely answer is sent again: votes, to those who did not answer.
#[test]
fn candidate_repeats_what_is_not_answered() {
    let members = [1, 2, 3, 4, 5];
    let mut solo = Past::new(1).voters(&members).log(&[1]).start();
    solo.run_for_office();
    solo.say(2, 2, Said::VoteReply(true));
    solo.say(3, 2, Said::VoteReply(false));
    solo.tick(20);
    let vote = Said::Vote { last: (1, 1) };
    assert_eq!(
        solo.drain().sent,
        [(4, 2, vote.clone()), (5, 2, vote)],
        "nobody is asked twice who answered"
    );
}

/// 5.1: requests leave in parallel: nobody waits for another's answer.
#[test]
fn requests_leave_in_parallel() {
    let members = [1, 2, 3, 4, 5];
    let mut solo = Past::new(1).voters(&members).log(&[1]).start();
    let outcome = solo.run_for_office();
    assert_eq!(outcome.sent.len(), 4, "all are asked at once");
    let mut solo = Past::new(1).voters(&members).log(&[1]).establish();
    solo.raft.propose(b"x").unwrap();
    let outcome = solo.drain();
    let mut asked: Vec<u64> = outcome.sent.iter().map(|(to, _, _)| *to).collect();
    asked.sort();
    assert_eq!(asked, [2, 3, 4, 5]);
}

/// 5.1: the current term and the vote are what a restart finds.
#[test]
fn term_and_vote_survive_a_restart() {
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 4, Said::Vote { last: (0, 0) });
    solo.crash();
    assert_eq!((solo.raft.term(), solo.vote()), (Term::new(4), Some(1)));
}

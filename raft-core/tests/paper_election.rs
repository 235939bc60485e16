//! Raft, extended version [Ongaro14 §5.2]: one test per sentence that states a behaviour.

mod support;

use clocks::Duration;
use raft_core::{Event, Role};
use support::World;
use support::past::{Item, Past, command};
use support::solo::{Said, ack, append};

/// 5.2: servers begin as followers.
#[test]
fn server_begins_as_follower() {
    for past in [Past::new(1), Past::new(1).term(7).vote(1).log(&[2, 7])] {
        let mut solo = past.restart();
        assert_eq!(
            (solo.raft.role(), solo.raft.leader()),
            (Role::Follower, None)
        );
        assert_eq!(solo.drain().sent, []);
    }
}

/// 5.2: a follower stays one as long as a leader is heard.
#[test]
fn follower_stays_while_it_hears_a_leader() {
    let mut solo = Past::new(2).term(3).start();
    for round in 1..40 {
        solo.say(1, 3, append((0, 0), 0, round, &[]));
        solo.tick(99);
        assert_eq!(solo.raft.role(), Role::Follower);
        assert_eq!(solo.raft.leader(), Some(quorum::NodeId::new(1)));
    }
}

/// 5.2: a follower that gives its vote waits anew for the candidate.
#[test]
fn granting_a_vote_restarts_the_timeout() {
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 4, Said::Vote { last: (0, 0) });
    let granted_at = solo.now;
    let timeout = solo.raft.poll_timeout().unwrap();
    assert!(timeout >= granted_at.saturating_add(Duration::from_millis(100)));
}

/// 5.2: a refused candidate does not hold the timeout up.
#[test]
fn refusing_a_vote_does_not_restart_the_timeout() {
    let mut solo = Past::new(2).log(&[3]).start();
    let before = solo.raft.poll_timeout();
    solo.say(1, 4, Said::Vote { last: (0, 0) });
    assert_eq!(solo.raft.poll_timeout(), before);
}

/// 5.2: a leader sends heartbeats, appends without entries, to every follower periodically.
#[test]
fn leader_sends_heartbeats_to_all() {
    let mut solo = Past::new(1).establish();
    for round in 2..6 {
        solo.tick(20);
        let outcome = solo.drain();
        for peer in [2, 3] {
            assert_eq!(outcome.to(peer), [append((1, 1), 1, round, &[])]);
            solo.say(peer, 1, ack(1, round));
        }
    }
}

/// 5.2: a follower that hears nothing for the election timeout begins an election.
#[test]
fn silence_begins_an_election() {
    let mut solo = Past::new(2).term(3).log(&[1, 3]).restart();
    solo.drain();
    solo.wake();
    let outcome = solo.drain();
    let asked = Said::PreVote {
        last: (2, 3),
        attempt: solo.attempt(),
    };
    assert_eq!(outcome.sent, [(1, 3, asked.clone()), (3, 3, asked)]);
    let changed = Event::RoleChanged {
        role: Role::PreCandidate,
        term: solo.raft.term(),
    };
    assert_eq!(outcome.events, [changed]);
    assert_eq!(solo.term(), 3, "asking first changes no term");
}

/// 5.2: a candidate has entered the next term, voted for itself, and asks all others.
#[test]
fn candidate_votes_for_itself_and_asks_the_others() {
    let mut solo = Past::new(2).term(3).log(&[1, 3]).start();
    let outcome = solo.run_for_office();
    let asked = Said::Vote { last: (2, 3) };
    assert_eq!(outcome.sent, [(1, 4, asked.clone()), (3, 4, asked)]);
    assert_eq!((solo.term(), solo.vote()), (4, Some(2)));
    assert_eq!(outcome.writes, 1);
}

/// 5.2: with the votes of a majority of all members a candidate wins; with fewer it does not.
#[test]
fn majority_of_all_members_wins() {
    let members = [1, 2, 3, 4, 5];
    let mut solo = Past::new(1).voters(&members).start();
    solo.run_for_office();
    solo.say(2, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate, "two of five");
    solo.say(2, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate, "nobody counts twice");
    solo.say(3, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Leader, "three of five");
}

/// 5.2: only votes of the same term count.
#[test]
fn votes_of_another_term_do_not_count() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    solo.pass(400);
    solo.tick(0);
    let attempt = solo.attempt();
    let granted = true;
    solo.say(2, 1, Said::PreVoteReply { attempt, granted });
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 2));
    solo.say(3, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.say(3, 2, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Leader);
}

/// 5.2: each server votes for at most one candidate per term, first come first served.
#[test]
fn first_candidate_of_a_term_gets_the_only_vote() {
    let mut solo = Past::new(2).term(3).start();
    let vote = Said::Vote { last: (0, 0) };
    assert_eq!(
        solo.say(3, 4, vote.clone()).sent,
        [(3, 4, Said::VoteReply(true))]
    );
    assert_eq!(
        solo.say(1, 4, vote.clone()).sent,
        [(1, 4, Said::VoteReply(false))]
    );
    assert_eq!(
        solo.say(3, 4, vote).sent,
        [(3, 4, Said::VoteReply(true))],
        "the same candidate may ask again"
    );
    assert_eq!(solo.vote(), Some(3));
}

/// 5.2: a candidate does not vote for another of its term.
#[test]
fn candidate_keeps_its_own_vote() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    let outcome = solo.say(2, 1, Said::Vote { last: (5, 0) });
    assert_eq!(outcome.sent, [(2, 1, Said::VoteReply(false))]);
    assert_eq!(solo.vote(), Some(1));
}

/// 5.2: the winner sends to all at once, to establish its authority.
#[test]
fn winner_makes_itself_known_at_once() {
    let mut solo = Past::new(1).log(&[1]).start();
    let outcome = solo.win();
    for peer in [2, 3] {
        assert_eq!(outcome.to(peer), [append((1, 1), 0, 1, &[(2, Item::NoOp)])]);
    }
    assert_eq!(outcome.sent.len(), 2);
}

/// 5.2: a candidate that hears a leader of its own term returns to follower.
#[test]
fn candidate_recognises_a_leader_of_its_term() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    let outcome = solo.say(2, 1, append((0, 0), 0, 1, &[(1, Item::NoOp)]));
    assert_eq!(solo.raft.role(), Role::Follower);
    assert_eq!(solo.raft.leader(), Some(quorum::NodeId::new(2)));
    assert_eq!(outcome.to(2).last(), Some(&ack(1, 1)));
    assert_eq!(solo.vote(), Some(1), "its vote of this term stays given");
}

/// 5.2: a candidate that hears a leader of a later term returns to follower.
#[test]
fn candidate_recognises_a_leader_of_a_later_term() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    solo.say(2, 6, append((0, 0), 0, 1, &[]));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 6));
    assert_eq!(solo.raft.leader(), Some(quorum::NodeId::new(2)));
}

/// 5.2: a candidate refuses a leader of an earlier term and goes on.
#[test]
fn candidate_refuses_a_leader_of_an_earlier_term() {
    let mut solo = Past::new(1).term(4).start();
    solo.run_for_office();
    let outcome = solo.say(2, 4, append((0, 0), 0, 1, &[(4, command(1, 4))]));
    assert_eq!(outcome.sent, [(2, 5, Said::VoteReply(false))]);
    assert_eq!((solo.raft.role(), solo.last()), (Role::Candidate, (0, 0)));
}

/// 5.2: a candidate that neither wins nor loses tries again in another term.
#[test]
fn candidate_without_a_majority_tries_the_next_term() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    solo.say(2, 1, Said::VoteReply(false));
    while solo.raft.role() == Role::Candidate {
        solo.wake();
        solo.drain();
    }
    let attempt = solo.attempt();
    let granted = true;
    let outcome = solo.say(3, 1, Said::PreVoteReply { attempt, granted });
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 2));
    assert_eq!(outcome.to(2), [Said::Vote { last: (0, 0) }]);
}

/// 5.2: election timeouts are drawn from a fixed interval, and differ.
#[test]
fn timeouts_are_drawn_evenly_from_the_interval() {
    let now = clocks::Instant::from_micros(1_000_000);
    let mut drawn = Vec::new();
    for seed in 0..200 {
        let raft = Past::new(1).restore(seed, now);
        let timeout = raft.poll_timeout().unwrap().saturating_since(now);
        let micros = timeout.as_micros();
        assert!((100_000..200_000).contains(&micros), "{micros}");
        drawn.push(micros);
    }
    drawn.sort();
    drawn.dedup();
    assert!(drawn.len() > 195, "drawn in the finest unit");
    assert!(drawn[0] < 105_000 && drawn[drawn.len() - 1] > 195_000);
}

/// 5.2: the timeout is drawn anew for each election.
#[test]
fn timeout_is_drawn_anew_each_time() {
    let mut solo = Past::new(1).restart();
    solo.drain();
    let (mut waits, mut before) = (Vec::new(), solo.now);
    for _ in 0..400 {
        solo.wake();
        let outcome = solo.drain();
        if outcome.sent.is_empty() {
            continue;
        }
        waits.push(solo.now.saturating_since(before).as_micros());
        before = solo.now;
    }
    waits.sort();
    waits.dedup();
    assert!(waits.len() > 5, "{waits:?}");
}

/// 5.2: a candidate waits a whole timeout before the next election.
#[test]
fn candidate_waits_out_its_timeout() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    let end = solo.now.saturating_add(Duration::from_millis(99));
    while solo.raft.poll_timeout().unwrap() < end {
        solo.wake();
        solo.drain();
        assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 1));
    }
}

/// 5.2: split votes are resolved quickly: some timeout ends before the others.
#[test]
fn split_votes_are_resolved() {
    for seed in 0..10 {
        let mut world = World::of(&[1, 2, 3, 4].map(|id| Past::new(id).voters(&[1, 2, 3, 4])));
        world.run(Duration::from_millis(seed));
        for id in 1..=4 {
            let now = world.now;
            world.raft(id).campaign(now).unwrap();
        }
        world.run(Duration::from_millis(1500));
        assert!(world.leader().is_some(), "start {seed}");
    }
}

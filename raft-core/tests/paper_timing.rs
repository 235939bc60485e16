//! Raft, extended version [Ongaro14 §5.5, §5.6]: one test per sentence that states a behaviour.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::ConfigError;
use raft_core::{Config, Role};
use support::World;
use support::past::{Past, commands};
use support::solo::{Said, ack, append};

/// 5.5: while a follower is down the leader goes on asking, and is answered when it is back.
#[test]
fn leader_asks_a_crashed_follower_until_it_is_back() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.crash(2);
    world.propose(b"x");
    for _ in 0..50 {
        world.run(Duration::from_millis(10));
        assert!(world.raft(1).is_leader());
    }
    world.restart(2);
    world.run(Duration::from_millis(60));
    assert_eq!(world.host(2).applied.len(), 1);
}

/// 5.5: a candidate goes on asking a crashed voter, and is answered when it is back.
#[test]
fn candidate_asks_a_crashed_voter_until_it_is_back() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.crash(2);
    world.crash(3);
    world.run(Duration::from_millis(500));
    assert_eq!(world.leader(), None);
    world.restart(2);
    world.run(Duration::from_millis(800));
    assert!(world.leader().is_some());
}

/// 5.5: a server that crashed before it answered gets the request again and answers it the
/// same: votes.
#[test]
fn vote_request_may_be_repeated_after_a_crash() {
    let mut solo = Past::new(2).term(3).start();
    solo.hear(1, 4, &Said::Vote { last: (0, 0) });
    assert!(solo.store());
    solo.crash();
    solo.drain();
    solo.pass(100);
    let outcome = solo.say(1, 4, Said::Vote { last: (0, 0) });
    assert_eq!(outcome.sent, [(1, 4, Said::VoteReply(true))]);
    let outcome = solo.say(3, 4, Said::Vote { last: (0, 0) });
    assert_eq!(outcome.sent, [(3, 4, Said::VoteReply(false))]);
}

/// 5.5: the same for appends: entries that are there already are passed over.
#[test]
fn append_may_be_repeated_after_a_crash() {
    let mut solo = Past::new(2).term(3).start();
    let request = append((0, 0), 0, 1, &commands(1, &[1, 3]));
    solo.hear(1, 3, &request);
    assert!(solo.store());
    solo.crash();
    solo.drain();
    let outcome = solo.say(1, 3, request);
    assert_eq!(outcome.sent, [(1, 3, ack(2, 1))]);
    assert_eq!(outcome.writes, 0, "nothing is written twice");
    assert_eq!(solo.terms(), [1, 3]);
}

/// 5.5: requests are idempotent: a duplicate changes nothing and is answered alike.
#[test]
fn duplicate_append_changes_nothing() {
    let mut solo = Past::new(2).term(3).start();
    let request = append((0, 0), 1, 1, &commands(1, &[1, 3]));
    solo.say(1, 3, request.clone());
    let (last, commit) = (solo.last(), solo.commit());
    let outcome = solo.say(1, 3, request);
    assert_eq!(outcome.sent, [(1, 3, ack(2, 1))]);
    assert_eq!((outcome.writes, outcome.applied), (0, Vec::new()));
    assert_eq!((solo.last(), solo.commit()), (last, commit));
}

/// 5.6: safety does not depend on time: with clocks that disagree wildly nothing goes wrong,
/// and what was applied anywhere was applied everywhere in the same order.
#[test]
fn safety_does_not_depend_on_time() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    let mut clocks = [0_u64, 0, 0];
    for step in 0..3000_u64 {
        let id = step % 3 + 1;
        // One clock races, one crawls, one jumps back and forth.
        let clock = &mut clocks[id as usize - 1];
        *clock = match id {
            1 => *clock + 50_000,
            2 => *clock + 500,
            _ => (step * 7919) % 900_000,
        };
        world.now = Instant::from_micros(1_000_000 + *clock);
        let now = world.now;
        world.raft(id).handle_timeout(now).unwrap();
        world.drain(id);
        if let Some(leader) = world.leader() {
            let _ = world.raft(leader).propose(&step.to_le_bytes());
        }
        for _ in 0..step % 4 {
            let Some(frame) = world.wire.pop_front() else {
                break;
            };
            world.deliver(&frame);
            world.drain(frame.to);
        }
        if step % 50 == 0 {
            for id in world.ids() {
                world.compact_if_possible(id);
            }
        }
    }
    let logs = [1, 2, 3].map(|id| world.host(id).applied.clone());
    let longest = logs.iter().max_by_key(|log| log.len()).unwrap().clone();
    for log in &logs {
        assert_eq!(log[..], longest[..log.len()]);
    }
}

/// 5.6: heartbeats must come often enough: settings that contradict that are refused.
#[test]
fn heartbeats_must_fit_the_election_timeout() {
    let build = |heartbeat| {
        Config::builder(NodeId::new(1))
            .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
            .heartbeat_interval(Duration::from_millis(heartbeat))
            .build()
    };
    assert!(build(50).is_ok());
    assert_eq!(build(51).unwrap_err(), ConfigError::HeartbeatTooSlow);
}

/// 5.6: without a steady leader nothing is committed; with one it is.
#[test]
fn no_leader_no_progress() {
    let mut world = World::of(&[1, 2, 3].map(|id| Past::new(id).log(&[1])));
    for id in 1..=3 {
        world.isolate(id);
    }
    world.run(Duration::from_millis(2000));
    for id in 1..=3 {
        assert_ne!(world.role(id), Role::Leader);
        assert_eq!(world.raft(id).commit().value(), 0);
    }
    world.heal();
    world.run(Duration::from_millis(1000));
    for id in 1..=3 {
        assert_eq!(world.host(id).applied.len(), 1);
    }
}

/// 5.6: when the leader crashes the group is without one for about an election timeout.
#[test]
fn group_is_leaderless_for_about_an_election_timeout() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.run(Duration::from_millis(100));
    world.crash(1);
    let before = world.now;
    while world.leader().is_none() {
        world.run(Duration::from_millis(1));
    }
    let gap = world.now.saturating_since(before).as_millis();
    assert!((80..=420).contains(&gap), "{gap} ms");
}

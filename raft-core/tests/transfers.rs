//! Handing over the office, `[Ongaro14 §3.10]`.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::{ProposeError, ReconfigureError, TransferError};
use raft_core::{Change, Event, Role};
use support::World;
use support::past::{Past, commands, identity};
use support::solo::{Said, Solo, ack, append};

fn transfer(solo: &mut Solo, to: u64) -> Result<(), TransferError> {
    let done = solo.raft.transfer(solo.now, NodeId::new(to));
    solo.check();
    done
}

fn told(sent: &[(u64, u32, Said)]) -> Vec<u64> {
    let told = sent.iter().filter(|(_, _, said)| *said == Said::TimeoutNow);
    told.map(|(to, _, _)| *to).collect()
}

#[test]
fn level_successor_is_told_at_once() {
    let mut solo = Past::new(1).log(&[1]).establish();
    transfer(&mut solo, 3).unwrap();
    let term = solo.term();
    assert_eq!(solo.drain().sent, [(3, term, Said::TimeoutNow)]);
    assert_eq!(solo.raft.transferring_to(), Some(NodeId::new(3)));
    assert!(solo.drain().is_silent(), "once");
}

#[test]
fn successor_is_brought_level_first() {
    let mut solo = Past::new(1).log(&[1]).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    transfer(&mut solo, 3).unwrap();
    let term = solo.term();
    assert_eq!(told(&solo.say(2, term, ack(3, 1)).sent), []);
    assert_eq!(told(&solo.say(3, term, ack(2, 1)).sent), []);
    assert_eq!(told(&solo.say(3, term, ack(3, 1)).sent), [3]);
}

#[test]
fn order_to_stand_is_repeated_with_each_heartbeat() {
    let mut solo = Past::new(1).log(&[1]).establish();
    transfer(&mut solo, 3).unwrap();
    solo.drain();
    for _ in 0..3 {
        solo.tick(20);
        assert_eq!(told(&solo.drain().sent), [3]);
    }
}

#[test]
fn refusals_say_why() {
    let mut follower = Past::new(2).log(&[1]).start();
    follower.say(1, 1, append((1, 1), 1, 1, &[]));
    let leader = Some(NodeId::new(1));
    assert_eq!(
        transfer(&mut follower, 3),
        Err(TransferError::NotLeader { leader })
    );
    let mut solo = Past::new(1).log(&[1]).establish();
    solo.raft
        .reconfigure(&[Change::AddLearner(identity(4))])
        .unwrap();
    let before = solo.raft.clone();
    solo.pass(7);
    for (to, error) in [
        (1, TransferError::ToItself),
        (4, TransferError::NotAVoter(NodeId::new(4))),
        (9, TransferError::NotAVoter(NodeId::new(9))),
    ] {
        assert_eq!(transfer(&mut solo, to), Err(error));
        assert_eq!(solo.raft, before);
    }
    transfer(&mut solo, 2).unwrap();
    let to = NodeId::new(2);
    assert_eq!(transfer(&mut solo, 3), Err(TransferError::UnderWay { to }));
}

#[test]
fn proposals_wait_until_the_transfer_is_over() {
    let mut solo = Past::new(1).log(&[1]).establish();
    transfer(&mut solo, 3).unwrap();
    let to = NodeId::new(3);
    let refused = Err(ProposeError::Transferring { to });
    assert_eq!(solo.raft.propose(b"x"), refused);
    let change = [Change::AddLearner(identity(4))];
    assert_eq!(
        solo.raft.reconfigure(&change),
        Err(ReconfigureError::Transferring { to })
    );
    let mut waited = 0;
    while solo.raft.transferring_to().is_some() {
        for peer in [2, 3] {
            let sent = solo.drain().sent;
            let round = sent.iter().find_map(|(_, _, said)| match said {
                Said::Append { round, .. } => Some(*round),
                _ => None,
            });
            let Some(round) = round else { continue };
            solo.hear(peer, solo.term(), &ack(2, round));
        }
        solo.tick(1);
        waited += 1;
    }
    assert_eq!(waited, 200, "the longest election timeout");
    assert!(solo.raft.is_leader());
    assert!(solo.events().contains(&Event::TransferFailed { to }));
    assert!(solo.raft.propose(b"x").is_ok());
    assert!(solo.raft.reconfigure(&change).is_ok());
}

/// Neither asks for pre-votes first, nor is refused by who has just heard from the leader.
#[test]
fn successor_stands_at_once_and_nobody_is_sticky() {
    let mut solo = Past::new(3).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let sent = solo.say(1, 1, Said::TimeoutNow).sent;
    let vote = Said::SuccessorVote { last: (1, 1) };
    assert_eq!(sent, [(1, 2, vote.clone()), (2, 2, vote.clone())]);
    assert_eq!(solo.raft.role(), Role::Candidate);
    let mut voter = Past::new(2).log(&[1]).start();
    voter.say(1, 1, append((1, 1), 1, 1, &[]));
    let plain = Said::Vote { last: (1, 1) };
    assert_eq!(voter.say(3, 2, plain).sent, []);
    assert_eq!(
        voter.say(3, 2, vote.clone()).sent,
        [(3, 2, Said::VoteReply(true))]
    );
    // The old leader helps too.
    let mut old = Past::new(1).log(&[1]).establish();
    let (last, term) = (old.last(), old.term());
    let vote = Said::SuccessorVote { last };
    let sent = old.say(3, term + 1, vote).sent;
    assert_eq!(sent, [(3, term + 1, Said::VoteReply(true))]);
}

/// The order holds for one campaign; after that stickiness counts again.
#[test]
fn failed_successor_asks_like_everybody() {
    let mut solo = Past::new(3).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    solo.say(1, 1, Said::TimeoutNow);
    solo.pass(400);
    solo.tick(0);
    let sent = solo.drain().sent;
    assert_eq!(solo.raft.role(), Role::PreCandidate);
    assert!(
        sent.iter()
            .all(|(_, _, said)| matches!(said, Said::PreVote { .. }))
    );
    let outcome = solo.run_for_office();
    let plain = |said: &Said| matches!(said, Said::Vote { .. });
    assert!(
        outcome.sent.iter().all(|(_, _, said)| plain(said)),
        "{outcome:?}"
    );
    assert!(!outcome.sent.is_empty());
}

#[test]
fn order_of_who_does_not_lead_is_ignored() {
    for (from, term) in [(2, 1), (1, 0)] {
        let mut solo = Past::new(3).log(&[1]).start();
        solo.say(1, 1, append((1, 1), 1, 1, &[]));
        let outcome = solo.say(from, term, Said::TimeoutNow);
        assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 1));
        assert_eq!(outcome.sent, []);
    }
    // A node without a vote cannot lead.
    let mut solo = Past::new(4).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    solo.say(1, 1, Said::TimeoutNow);
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 1));
}

#[test]
fn office_changes_hands_without_a_timeout() {
    let mut world = World::group(3);
    for to in [2, 3, 1, 2] {
        let leader = world.leader().unwrap();
        let now = world.now;
        world.raft(leader).propose(&[to as u8]).unwrap();
        world.raft(leader).transfer(now, NodeId::new(to)).unwrap();
        world.settle();
        assert_eq!(world.leader(), Some(to));
        assert_eq!(world.role(leader), Role::Follower);
    }
    for id in 1..=3 {
        let applied = world.host(id).applied.iter();
        let applied: Vec<u8> = applied.map(|(_, payload)| payload[0]).collect();
        assert_eq!(applied, [2, 3, 1, 2]);
    }
}

#[test]
fn successor_gets_the_snapshot_first() {
    let mut world = World::group(3);
    world.isolate(3);
    for byte in 0..20 {
        world.propose(&[byte; 100]);
        world.settle();
    }
    world.compact(1);
    world.settle();
    let now = world.now;
    world.raft(1).transfer(now, NodeId::new(3)).unwrap();
    world.heal();
    world.run(Duration::from_millis(60));
    assert_eq!(world.leader(), Some(3));
    assert_eq!(world.host(3).applied.len(), 20);
}

/// D-52: it stays until its successor leads, or has failed to.
#[test]
fn leader_that_removed_itself_names_its_successor() {
    let mut world = World::group(3);
    let change = [Change::Remove(NodeId::new(1))];
    world.raft(1).reconfigure(&change).unwrap();
    let now = world.now;
    world.raft(1).transfer(now, NodeId::new(3)).unwrap();
    world.settle();
    assert_eq!(world.leader(), Some(3));
    assert_eq!(world.now, now, "nobody had to wait");
    assert!(!world.raft(1).is_voter());
}

/// The same while the successor lags behind a majority that would let the leader go.
#[test]
fn removed_leader_left_before_its_successor_was_level() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4]).log(&[1]).establish();
    let term = solo.term();
    solo.raft
        .reconfigure(&[Change::Remove(NodeId::new(1))])
        .unwrap();
    transfer(&mut solo, 3).unwrap();
    for _ in 0..5 {
        solo.tick(20);
        let sent = solo.drain().sent;
        let round = sent.iter().find_map(|(_, _, said)| match said {
            Said::Append { round, .. } => Some(*round),
            _ => None,
        });
        for peer in [2, 4] {
            let last = solo.last().0;
            solo.say(peer, term, ack(last, round.expect("a heartbeat")));
        }
    }
    assert!(solo.raft.is_leader() && !solo.raft.is_voter());
    assert_eq!(solo.commit(), solo.last().0);
    let last = solo.last().0;
    assert_eq!(told(&solo.say(3, term, ack(last, 1)).sent), [3]);
}

/// Who cannot store could not lead.
#[test]
fn successor_whose_disk_stalls_does_not_stand() {
    let mut solo = Past::new(3).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 1, 1, &commands(2, &[1])));
    let write = solo.take_write();
    assert!(write.is_some());
    solo.tick(1000);
    solo.hear(1, 1, &append((2, 1), 1, 2, &[]));
    solo.hear(1, 1, &Said::TimeoutNow);
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 1));
    solo.finish_write(write.expect("begun"));
    solo.hear(1, 1, &Said::TimeoutNow);
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 2));
}

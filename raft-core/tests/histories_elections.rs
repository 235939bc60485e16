//! Elections, votes and terms: bugs that other implementations had, as the smallest history that
//! shows each. The letter and number are those of the catalogue of known bugs.
//!
//! | not here | why it cannot occur, or where it is |
//! |---|---|
//! | B-15, B-18, B-19 | not in the catalogue |
//! | B-22 | one owner, no threads: the term cannot change between two steps of a call; what remains of it is the last test |

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Event, Role, Term};
use support::World;
use support::past::{Past, command};
use support::solo::{Said, ack, append};

const FIVE: [u64; 5] = [1, 2, 3, 4, 5];

fn granted(attempt: u32) -> Said {
    let granted = true;
    Said::PreVoteReply { attempt, granted }
}

/// B-05: a vote was told before it was stored, forgotten in a crash and given again.
#[test]
fn vote_told_before_it_was_stored() {
    let mut solo = Past::new(2).term(1).start();
    solo.hear(1, 2, &Said::Vote { last: (0, 0) });
    assert_eq!(solo.vote(), Some(1));
    assert_eq!(solo.sends(), [], "nothing is told yet");
    solo.crash();
    assert_eq!((solo.term(), solo.vote()), (1, None));
    solo.drain();
    solo.pass(100);
    let outcome = solo.say(3, 2, Said::Vote { last: (0, 0) });
    assert_eq!(outcome.sent, [(3, 2, Said::VoteReply(true))]);
    solo.crash();
    assert_eq!((solo.term(), solo.vote()), (2, Some(3)));
}

/// B-05: while the write is under way nothing is told either.
#[test]
fn vote_told_while_it_was_being_stored() {
    let mut solo = Past::new(2).term(1).start();
    solo.hear(1, 2, &Said::Vote { last: (0, 0) });
    let write = solo.take_write().unwrap();
    assert_eq!(solo.sends(), []);
    solo.finish_write(write);
    assert_eq!(solo.sends(), [(1, 2, Said::VoteReply(true))]);
}

/// B-05: the term was stored long ago, and the vote in it was told before it was stored.
#[test]
fn vote_in_a_stored_term_told_before_it_was_stored() {
    let mut solo = Past::new(2).term(2).start();
    solo.hear(1, 2, &Said::Vote { last: (0, 0) });
    assert_eq!(solo.sends(), [], "not even a refusal");
    solo.crash();
    assert_eq!((solo.term(), solo.vote()), (2, None));
}

/// B-06: an entry was stored and the term that it proves was not; an old leader was believed.
#[test]
fn entry_stored_without_its_term() {
    let mut past = Past::new(3).log(&[1, 5]);
    (past.term, past.vote) = (1, Some(1));
    let mut solo = past.restart();
    assert_eq!((solo.term(), solo.vote()), (5, None));
    solo.drain();
    let outcome = solo.say(1, 1, append((1, 1), 2, 1, &[(1, command(2, 1))]));
    assert_eq!(outcome.sent, [(1, 5, Said::VoteReply(false))]);
    assert_eq!(solo.terms(), [1, 5]);
}

/// B-07: a candidate counted its own vote before that was stored.
#[test]
fn own_vote_counted_before_it_was_stored() {
    let mut solo = Past::new(1).log(&[1]).start();
    let attempt = solo.stand();
    solo.hear(2, 1, &granted(attempt));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 2));
    assert_eq!(solo.sends(), [], "it does not even ask");
    solo.hear(2, 2, &Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate, "one vote of three");
    let write = solo.take_write().unwrap();
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.finish_write(write);
    assert_eq!(solo.raft.role(), Role::Leader);
}

/// B-07: the votes of all others do not make up for the own term that is not stored.
#[test]
fn leader_whose_own_vote_was_not_stored() {
    let mut solo = Past::new(1).log(&[1]).start();
    let attempt = solo.stand();
    solo.hear(2, 1, &granted(attempt));
    solo.hear(2, 2, &Said::VoteReply(true));
    solo.hear(3, 2, &Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.crash();
    assert_eq!((solo.term(), solo.vote()), (1, None));
}

/// B-08: a grant of an earlier term was counted in a later one.
#[test]
fn grant_of_an_earlier_campaign_counted() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    solo.run_for_office();
    assert_eq!(solo.term(), 2);
    let before = solo.raft.clone();
    let outcome = solo.say(2, 1, Said::VoteReply(true));
    assert!(outcome.is_silent());
    assert_eq!(solo.raft, before);
}

/// B-08: a pre-vote was counted as a vote, and one of an earlier attempt as one of this.
#[test]
fn pre_vote_counted_as_vote() {
    let mut solo = Past::new(1).voters(&FIVE).start();
    let attempt = solo.stand();
    for peer in [2, 3, 4, 5] {
        solo.say(peer, 0, granted(attempt));
    }
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 1));
    for peer in [2, 3, 4, 5] {
        solo.say(peer, 1, granted(attempt));
    }
    assert_eq!(solo.raft.role(), Role::Candidate);
    solo.say(2, 1, Said::VoteReply(true));
    assert_eq!(solo.raft.role(), Role::Candidate, "two votes of five");
    solo.say(3, 1, Said::VoteReply(true));
    assert!(solo.raft.is_leader());
}

/// B-09: logs were compared part by part, so that two of them refused each other for ever.
#[test]
fn logs_compared_by_term_and_index_apart() {
    let mut world = World::of(&[
        Past::new(1).voters(&[1, 2]).log(&[2]),
        Past::new(2).voters(&[1, 2]).log(&[1, 1]),
    ]);
    world.run(Duration::from_millis(1500));
    assert_eq!(world.leader(), Some(1));
    assert_eq!(world.raft(2).last(), world.raft(1).last());
}

/// B-10: a higher term in an answer was taken for a vote given.
#[test]
fn higher_term_adopted_as_a_vote() {
    let mut solo = Past::new(1).start();
    solo.run_for_office();
    solo.say(2, 7, Said::VoteReply(true));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 7));
    assert_eq!(solo.vote(), None);
    let mut solo = Past::new(2).log(&[3]).start();
    solo.say(1, 7, Said::Vote { last: (0, 0) });
    assert_eq!(
        (solo.term(), solo.vote()),
        (7, None),
        "its log is too short"
    );
}

/// B-11: a grant from a voter with a lower term was ignored, and the group stood still.
#[test]
fn grant_from_a_voter_that_is_behind_ignored() {
    let mut world = World::of(&[
        Past::new(1).log(&[1, 5]),
        Past::new(2).log(&[1, 5]),
        Past::new(3).log(&[1]).term(2),
    ]);
    world.crash(1);
    world.run(Duration::from_millis(1000));
    assert_eq!(world.leader(), Some(2));
}

/// B-11: such a grant counts at once, whatever the voter learns later.
#[test]
fn grant_of_a_lower_term_did_not_count() {
    let mut solo = Past::new(2).log(&[1, 5]).start();
    let attempt = solo.stand();
    solo.say(3, 2, granted(attempt));
    assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 6));
}

/// B-12: a refused pre-vote did not teach the term, and two voters refused each other for ever.
#[test]
fn refusal_did_not_teach_the_term() {
    let mut world = World::of(&[
        Past::new(1).voters(&[1, 2]).log(&[1]).term(5),
        Past::new(2).voters(&[1, 2]).log(&[1, 2, 3]),
    ]);
    world.run(Duration::from_millis(1500));
    assert_eq!(world.leader(), Some(2));
}

/// B-13: a node with a higher term and a short log ignored pre-votes of a lower one.
#[test]
fn pre_vote_of_a_lower_term_left_unanswered() {
    let mut solo = Past::new(1).term(5).start();
    let (last, attempt) = ((9, 3), 4);
    let outcome = solo.say(2, 3, Said::PreVote { last, attempt });
    let granted = false;
    assert_eq!(
        outcome.sent,
        [(2, 5, Said::PreVoteReply { attempt, granted })]
    );
    let mut asking = Past::new(2).log(&[3]).start();
    let attempt = asking.stand();
    asking.say(1, 5, Said::PreVoteReply { attempt, granted });
    assert_eq!((asking.raft.role(), asking.term()), (Role::Follower, 5));
}

/// B-14: a pre-candidate still named its old leader, and went on counting old answers.
#[test]
fn pre_candidate_kept_what_was_before() {
    let mut solo = Past::new(1).voters(&FIVE).term(3).start();
    solo.say(2, 3, append((0, 0), 0, 1, &[]));
    let first = solo.stand();
    assert_eq!(solo.raft.leader(), None);
    solo.say(3, 3, granted(first));
    solo.pass(400);
    solo.tick(0);
    solo.drain();
    let second = solo.attempt();
    assert_ne!(first, second);
    solo.say(4, 3, granted(first));
    solo.say(5, 3, granted(second));
    assert_eq!(solo.raft.role(), Role::PreCandidate, "two of five");
    solo.say(4, 3, granted(second));
    assert_eq!(solo.raft.role(), Role::Candidate);
}

/// B-16: a removed server with an up-to-date log deposed leader after leader.
#[test]
fn removed_server_disturbed_the_group() {
    let mut world = World::of(&[1, 2, 3, 4].map(|id| Past::new(id).voters(&[1, 2, 3, 4])));
    world.elect(4);
    let change = [raft_core::Change::Remove(NodeId::new(1))];
    world.raft(4).reconfigure(&change).unwrap();
    // It never hears of its removal, and loses contact with the leader alone.
    world.cut.extend([(4, 1), (1, 4)]);
    let term = world.raft(4).term();
    world.run(Duration::from_millis(2000));
    assert_eq!(world.leader(), Some(4));
    assert_eq!(world.raft(4).term(), term);
    let deposed = |event: &Event| {
        matches!(
            event,
            Event::RoleChanged {
                role: Role::Follower,
                ..
            }
        )
    };
    assert!(!world.host(4).events.iter().any(deposed));
    assert_eq!(world.raft(2).members().count(), 3);
}

/// B-16: it asked for votes in a higher term at once, and they helped it.
#[test]
fn vote_request_of_a_higher_term_deposed_a_leader() {
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 3, append((0, 0), 0, 1, &[]));
    let outcome = solo.say(3, 9, Said::Vote { last: (9, 3) });
    assert!(outcome.is_silent());
    assert_eq!(solo.term(), 3);
    let mut leader = Past::new(1).establish();
    let outcome = leader.say(3, 9, Said::Vote { last: (9, 3) });
    assert!(outcome.is_silent());
    assert!(leader.raft.is_leader());
}

fn terms_after(world: &mut World, millis: u64) -> Term {
    world.run(Duration::from_millis(millis));
    let ids = world.ids();
    ids.iter().map(|id| world.raft(*id).term()).max().unwrap()
}

/// B-17: two of three cannot reach each other, and leadership went back and forth.
#[test]
fn leadership_ping_pong_in_a_chain() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.cut.extend([(1, 2), (2, 1)]);
    let term = world.raft(1).term();
    assert_eq!(
        terms_after(&mut world, 2000),
        term,
        "node 3 protects node 1"
    );
    assert!(world.raft(1).is_leader());
    world.propose(b"x");
    world.run(Duration::from_millis(100));
    assert_eq!(world.host(3).applied.len(), 1);
}

/// B-17: a star whose leader is a tip that reaches nobody but the centre: the centre takes over.
#[test]
fn leader_at_the_tip_of_a_star() {
    let mut world = World::of(&FIVE.map(|id| Past::new(id).voters(&FIVE)));
    world.elect(1);
    for a in [1, 2, 4, 5] {
        for b in [1, 2, 4, 5] {
            world.cut.push((a, b));
        }
    }
    world.run(Duration::from_millis(2500));
    assert_eq!(world.leader(), Some(3), "only the centre reaches a quorum");
    let term = world.raft(3).term();
    world.propose(b"x");
    assert_eq!(terms_after(&mut world, 1500), term, "and then it is quiet");
    assert_eq!(world.host(1).applied.len(), 1);
}

/// B-17: a leader that can send and not hear kept everybody from electing another.
#[test]
fn leader_that_only_sends_stayed_in_office() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.cut.extend([(2, 1), (3, 1)]);
    world.run(Duration::from_millis(250));
    assert_ne!(world.role(1), Role::Leader, "it gives way");
    world.run(Duration::from_millis(1000));
    let leader = world.leader().expect("another leads");
    assert_ne!(leader, 1);
}

/// B-17: a leader that can hear and not send is replaced.
#[test]
fn leader_that_only_hears_is_replaced() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.cut.extend([(1, 2), (1, 3)]);
    world.run(Duration::from_millis(1000));
    assert_ne!(world.leader().expect("another leads"), 1);
    assert_eq!(world.role(1), Role::Follower);
}

/// B-20: heartbeats of an older term postponed the election for ever.
#[test]
fn heartbeats_of_an_old_leader_postponed_the_election() {
    let mut solo = Past::new(2).term(7).start();
    for round in 1..30 {
        solo.say(1, 6, append((0, 0), 0, round, &[]));
        solo.tick(10);
        solo.drain();
    }
    assert_ne!(solo.raft.role(), Role::Follower);
}

/// B-21: a leader whose disk hung sent heartbeats for ever, and nothing was committed.
#[test]
fn leader_with_a_hung_disk_stayed_in_office() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.host(1).disk_works = false;
    world.propose(b"x");
    world.run(Duration::from_millis(900));
    assert!(world.raft(1).is_leader(), "it may yet complete");
    world.run(Duration::from_millis(700));
    assert_ne!(world.role(1), Role::Leader);
    assert!(world.host(1).events.contains(&Event::DiskStalled));
    let leader = world.leader().expect("another leads");
    assert_ne!(leader, 1);
    world.propose(b"y");
    world.settle();
    assert!(!world.host(leader).applied.is_empty());
}

/// B-21: and a node whose disk hangs does not stand again meanwhile.
#[test]
fn node_with_a_hung_disk_stood_for_election() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 0, 1, &[(1, command(2, 1))]));
    let write = solo.take_write().unwrap();
    // As long as the leader is heard there is no reason to stand.
    for round in 2..12 {
        solo.tick(100);
        solo.hear(1, 1, &append((2, 1), 0, round, &[]));
    }
    assert!(solo.events().contains(&Event::DiskStalled));
    for _ in 0..20 {
        solo.tick(200);
        solo.raft.campaign(solo.now).unwrap();
        assert_eq!((solo.raft.role(), solo.term()), (Role::Follower, 1));
    }
    solo.finish_write(write);
    solo.drain();
    solo.tick(200);
    assert_eq!(solo.raft.role(), Role::PreCandidate);
}

/// B-23: a leader that was told to campaign split its own state.
#[test]
fn campaign_of_a_leader() {
    let mut solo = Past::new(1).establish();
    let before = solo.raft.clone();
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(solo.raft, before);
    assert!(solo.drain().is_silent());
}

/// B-23: a second call and late answers started another term.
#[test]
fn campaign_twice_and_late_grants() {
    let mut solo = Past::new(1).voters(&FIVE).start();
    let attempt = solo.stand();
    solo.raft.campaign(solo.now).unwrap();
    assert!(solo.drain().is_silent());
    solo.say(2, 0, granted(attempt));
    solo.say(3, 0, granted(attempt));
    solo.raft.campaign(solo.now).unwrap();
    assert!(solo.drain().is_silent());
    for peer in [2, 3] {
        solo.say(peer, 1, Said::VoteReply(true));
    }
    let before = solo.raft.clone();
    for peer in [4, 5] {
        assert!(solo.say(peer, 0, granted(attempt)).is_silent());
        assert!(solo.say(peer, 1, Said::VoteReply(true)).is_silent());
    }
    assert_eq!(solo.raft, before);
}

/// B-24: the timer of a lone voter fired before its vote was stored, and the term grew and grew.
#[test]
fn lone_voter_with_a_slow_disk_went_through_terms() {
    let mut solo = Past::new(1).voters(&[1]).log(&[1]).start();
    solo.raft.campaign(solo.now).unwrap();
    let write = solo.take_write().unwrap();
    for _ in 0..4 {
        solo.tick(200);
        assert_eq!(solo.term(), 2);
    }
    solo.finish_write(write);
    solo.drain();
    assert!(solo.raft.is_leader());
    assert_eq!((solo.term(), solo.commit()), (2, 2));
}

/// B-24: the same among three: a candidate whose vote takes long to store waits for it.
#[test]
fn candidate_with_a_slow_disk_went_through_terms() {
    let mut solo = Past::new(1).log(&[1]).start();
    let attempt = solo.stand();
    solo.hear(2, 1, &granted(attempt));
    let write = solo.take_write().unwrap();
    for _ in 0..4 {
        solo.tick(200);
        assert_eq!((solo.raft.role(), solo.term()), (Role::Candidate, 2));
    }
    solo.finish_write(write);
    assert_eq!(solo.sends().len(), 2, "now it asks");
    solo.tick(99);
    assert_eq!(
        solo.raft.role(),
        Role::Candidate,
        "and has time for answers"
    );
    solo.say(3, 2, Said::VoteReply(true));
    assert!(solo.raft.is_leader());
}

/// B-22: an entry was stamped with a term in which its maker was not elected.
#[test]
fn entry_stamped_with_a_term_that_was_not_won() {
    let mut solo = Past::new(1).establish();
    solo.hear(2, 2, &ack(1, 1));
    assert_eq!(solo.term(), 2);
    assert!(solo.raft.propose(b"x").is_err());
    assert_eq!(solo.terms(), [1]);
}

//! The rules of owed replies: each test fails when its rule is removed.
//!
//! Elsewhere: two guests, the newest wins (`laws`, bounded_work); votes are judged by the
//! candidate's configuration (`histories_membership`, D-54).

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Change, Ready, Transmit};
use support::World;
use support::past::{Past, commands, identity};
use support::solo::{Said, ack, append, chunk, reject};

#[test]
fn progress_and_refusal_travel_in_one_message() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 0, 1, &commands(2, &[1])));
    solo.hear(1, 1, &append((7, 1), 0, 2, &[]));
    assert!(solo.store());
    assert_eq!(solo.sends(), [(1, 1, reject(2, 2, 7, (2, 1)))]);
    solo.hear(1, 1, &append((7, 1), 0, 3, &[]));
    solo.hear(1, 1, &append((2, 1), 0, 4, &commands(3, &[1])));
    assert!(solo.store());
    assert_eq!(solo.sends(), [(1, 1, reject(3, 4, 7, (2, 1)))]);
}

#[test]
fn refusal_is_not_lost_while_the_term_is_being_stored() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 3, &append((7, 2), 0, 1, &[]));
    assert_eq!(solo.sends(), []);
    solo.hear(1, 3, &append((1, 1), 0, 2, &[]));
    assert_eq!(solo.drain().sent, [(1, 3, reject(1, 2, 7, (1, 1)))]);
}

#[test]
fn leader_that_is_a_stranger_is_answered() {
    let mut solo = Past::new(2).term(1).start();
    let outcome = solo.say(9, 1, append((0, 0), 0, 1, &commands(1, &[1])));
    assert_eq!(outcome.sent, [(9, 1, ack(1, 1))]);
    assert_eq!(solo.raft.leader(), Some(NodeId::new(9)));
}

#[test]
fn what_is_owed_is_reset_with_the_term() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 0, 9, &commands(2, &[1, 1])));
    // The new leader has verified nothing but what it says.
    let outcome = solo.say(3, 2, append((1, 1), 0, 1, &[]));
    assert_eq!(outcome.sent, [(3, 2, ack(1, 1))]);
    // A refusal owed to the old one is not told to the new one.
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((7, 1), 0, 1, &[]));
    assert_eq!(
        solo.say(3, 2, append((1, 1), 0, 1, &[])).sent,
        [(3, 2, ack(1, 1))]
    );
}

#[test]
fn round_does_not_wait_for_the_disk_and_entries_do() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 0, 5, &commands(2, &[1])));
    assert_eq!(solo.sends(), [(1, 1, ack(1, 5))]);
    let write = solo.take_write().unwrap();
    solo.hear(1, 1, &append((2, 1), 0, 6, &[]));
    assert_eq!(solo.sends(), [(1, 1, ack(1, 6))]);
    solo.finish_write(write);
    assert_eq!(solo.sends(), [(1, 1, ack(2, 6))]);
}

#[test]
fn grant_follows_from_the_durable_vote_at_the_time_of_sending() {
    let mut solo = Past::new(2).term(3).start();
    solo.hear(1, 4, &Said::Vote { last: (0, 0) });
    assert!(solo.store());
    // Before it is told, a later candidate gets the next vote.
    solo.hear(3, 5, &Said::Vote { last: (0, 0) });
    assert_eq!(solo.sends(), [], "the new term is not stored");
    assert!(solo.store());
    let mut sent = solo.sends();
    sent.sort_by_key(|(to, _, _)| *to);
    let expected = [
        (1, 5, Said::VoteReply(false)),
        (3, 5, Said::VoteReply(true)),
    ];
    assert_eq!(sent, expected);
}

#[test]
fn vote_of_a_durable_term_is_answered_when_the_vote_is_durable_too() {
    let mut solo = Past::new(2).term(4).start();
    solo.hear(1, 4, &Said::Vote { last: (0, 0) });
    assert_eq!(solo.sends(), [], "neither a grant nor a refusal");
    assert!(solo.store());
    assert_eq!(solo.sends(), [(1, 4, Said::VoteReply(true))]);
}

#[test]
fn pre_vote_reply_names_the_attempt_and_the_latest_one() {
    let mut solo = Past::new(2).log(&[2]).start();
    let ask = |last, attempt| Said::PreVote { last, attempt };
    solo.hear(1, 2, &ask((1, 1), 7));
    solo.hear(1, 2, &ask((1, 2), 8));
    solo.hear(3, 2, &ask((1, 1), 3));
    let mut sent = solo.sends();
    sent.sort_by_key(|(to, _, _)| *to);
    let reply = |attempt, granted| Said::PreVoteReply { attempt, granted };
    assert_eq!(sent, [(1, 2, reply(8, true)), (3, 2, reply(3, false))]);
}

#[test]
fn vote_and_pre_vote_answers_do_not_replace_each_other() {
    let mut solo = Past::new(2).term(4).start();
    let (last, attempt, granted) = ((0, 0), 2, true);
    solo.hear(1, 4, &Said::Vote { last });
    solo.hear(1, 4, &Said::PreVote { last, attempt });
    let mut sent = solo.drain().sent;
    sent.sort_by_key(|(_, _, said)| matches!(said, Said::VoteReply(_)));
    let reply = Said::PreVoteReply { attempt, granted };
    assert_eq!(sent, [(1, 4, reply), (1, 4, Said::VoteReply(true))]);
}

#[test]
fn everyone_who_is_behind_is_taught_the_term() {
    let mut solo = Past::new(2).voters(&[1, 2, 3, 4, 5]).term(9).start();
    for peer in [1, 3, 4, 5] {
        solo.hear(peer, 4, &append((0, 0), 0, 1, &[]));
        solo.hear(peer, 4, &Said::Vote { last: (0, 0) });
        solo.hear(peer, 4, &chunk((9, 4), b"x", 1));
    }
    let taught = [1, 3, 4, 5].map(|peer| (peer, 9, Said::VoteReply(false)));
    assert_eq!(solo.sends(), taught, "once each");
}

#[test]
fn lost_acknowledgement_is_repeated_when_the_append_is() {
    let mut solo = Past::new(2).log(&[1]).start();
    let request = append((1, 1), 0, 1, &commands(2, &[1]));
    solo.say(1, 1, request.clone());
    for _ in 0..3 {
        assert_eq!(solo.say(1, 1, request.clone()).sent, [(1, 1, ack(2, 1))]);
    }
}

#[test]
fn busy_member_blocks_nobody_and_loses_nothing() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).establish();
    solo.raft.propose(b"x").unwrap();
    assert!(solo.store());
    let busy = [NodeId::new(2), NodeId::new(4)];
    let mut sent = Vec::new();
    while let Some(Transmit { to, .. }) = solo.raft.poll_transmit(solo.now, Ready::Except(&busy)) {
        sent.push(to.value());
    }
    assert_eq!(sent, [3, 5]);
    solo.raft.propose(b"y").unwrap();
    let only = [NodeId::new(4)];
    let transmit = solo
        .raft
        .poll_transmit(solo.now, Ready::Only(&only))
        .unwrap();
    let Said::Append { entries, .. } = Said::of(&transmit.message) else {
        panic!("an append");
    };
    assert_eq!(
        (transmit.to.value(), entries.len()),
        (4, 2),
        "a batch by itself"
    );
    let rest: Vec<u64> = solo.sends().iter().map(|(to, _, _)| *to).collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
    // The same for votes and answers.
    let mut solo = Past::new(1).start();
    solo.raft.campaign(solo.now).unwrap();
    solo.hear(
        2,
        0,
        &Said::PreVote {
            last: (0, 0),
            attempt: 1,
        },
    );
    let all_busy = [2, 3].map(NodeId::new);
    assert!(
        solo.raft
            .poll_transmit(solo.now, Ready::Except(&all_busy))
            .is_none()
    );
    assert_eq!(solo.sends().len(), 3);
}

#[test]
fn sends_start_with_another_member_each_time() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).establish();
    let mut first = Vec::new();
    for number in 0..8_u8 {
        solo.raft.propose(&[number]).unwrap();
        let transmit = solo.raft.poll_transmit(solo.now, Ready::All).unwrap();
        first.push(transmit.to.value());
    }
    first.sort();
    assert_eq!(first, [2, 2, 3, 3, 4, 4, 5, 5]);
}

/// One history with an election, entries, a change of members and a snapshot, in which the n-th
/// frame is lost; says how many there were.
fn history_without_frame(lost: usize) -> usize {
    let past = |id| Past::new(id).voters(&[1, 2, 3]);
    let mut world = World::of(&[past(1), past(2), past(3), past(4).members(vec![])]);
    let mut frames = 0;
    let mut act = 0;
    for millis in 0..700_u64 {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        let now = world.now;
        for id in world.ids() {
            world.raft(id).handle_timeout(now).unwrap();
        }
        match (millis, world.leader()) {
            (300, Some(leader)) => {
                for number in 0..12_u8 {
                    world.raft(leader).propose(&[number; 900]).unwrap();
                }
                act += 1;
            }
            (330, Some(leader)) => world.compact_if_possible(leader),
            (340, Some(leader)) => {
                let change = [Change::AddVoter(identity(4))];
                world.raft(leader).reconfigure(&change).unwrap();
                act += 1;
            }
            _ => {}
        }
        for _ in 0..10_000 {
            for id in world.ids() {
                world.drain(id);
            }
            let Some(frame) = world.wire.pop_front() else {
                break;
            };
            frames += 1;
            if frames - 1 != lost {
                world.deliver(&frame);
            }
        }
    }
    assert_eq!(act, 2, "a leader in time, without frame {lost}");
    let expected = world.host(1).applied.clone();
    assert_eq!(expected.len(), 12, "without frame {lost}");
    for id in 2..=4 {
        assert_eq!(world.host(id).applied, expected, "without frame {lost}");
    }
    let leader = world.leader().unwrap();
    assert!(!world.raft(leader).is_joint(), "without frame {lost}");
    frames
}

/// Every due flag names the timer or the message that arms it again: whichever frame is lost,
/// the history comes to the same end.
#[test]
fn any_single_frame_may_be_lost() {
    let frames = history_without_frame(usize::MAX);
    assert!(frames > 60, "{frames}");
    for lost in 0..frames {
        history_without_frame(lost);
    }
}

//! Rounds of contacts that reads share: with each other, with heartbeats, and with the questions
//! of other members.

mod support;

use support::past::Past;
use support::readers::{read, ready, replies, round};
use support::solo::{Said, ack};

/// Reads open rounds besides those of heartbeats; a follower that answers late is nevertheless
/// known to follow.
#[test]
fn reads_made_a_slow_follower_look_dead() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let term = solo.term();
    let mut sent = std::collections::VecDeque::new();
    for step in 0..800 {
        solo.tick(1);
        let _ = solo.raft.read(solo.now);
        let rounds = solo.drain().sent;
        let rounds = rounds.iter().filter_map(|(_, _, said)| match said {
            Said::Append { round, .. } => Some(*round),
            _ => None,
        });
        sent.push_back(rounds.max());
        // One answers at once until it dies, the other after 150 ms.
        if let (Some(Some(round)), ..200) = (sent.back(), step) {
            solo.say(2, term, ack(2, *round));
        }
        if sent.len() > 150
            && let Some(Some(round)) = sent.pop_front()
        {
            solo.say(3, term, ack(2, round));
        }
        solo.ended();
    }
    assert!(solo.raft.is_leader());
}

/// Of many members each may ask, and the leader opens no round for each.
#[test]
fn questions_of_many_members_share_rounds() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).log(&[1]).establish();
    let term = solo.term();
    let mut rounds = std::collections::BTreeSet::new();
    for peer in [2, 3, 4, 5] {
        let (nonce, number) = (peer, 0);
        let outcome = solo.say(peer, term, Said::ReadRequest { nonce, number });
        rounds.extend(outcome.sent.iter().filter_map(|(_, _, said)| match said {
            Said::Append { round, .. } => Some(*round),
            _ => None,
        }));
    }
    assert_eq!(rounds.len(), 2, "{rounds:?}");
}

/// What gathers counts on the next heartbeat, too.
#[test]
fn heartbeat_serves_what_gathered() {
    let mut solo = Past::new(1).log(&[1]).establish();
    for _ in 0..2 {
        let _ = read(&mut solo);
        solo.drain();
    }
    let (nonce, number, term) = (5, 0, solo.term());
    solo.say(3, term, Said::ReadRequest { nonce, number });
    solo.tick(20);
    let round = round(&solo.drain().sent);
    let sent = solo.say(2, term, ack(2, round)).sent;
    assert_eq!(replies(&sent), [(3, 0, 2)]);
}

/// C-34: a read was released by one answer too few.
#[test]
fn one_answer_of_two_released_a_read() {
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).log(&[1]).establish();
    let ticket = read(&mut solo);
    let (round, term) = (round(&solo.drain().sent), solo.term());
    solo.say(2, term, ack(2, round));
    solo.say(2, term, ack(2, round));
    assert_eq!(solo.ended(), []);
    solo.say(3, term, ack(2, round));
    assert_eq!(solo.ended(), [ready(ticket, 2)]);
}

/// All records are taken, the last one gathers: it goes on as soon as an outcome is fetched.
#[test]
fn fetched_outcome_makes_room_for_what_gathered() {
    let mut solo = Past::new(1).log(&[1]).establish();
    solo.raft.propose(b"x").unwrap();
    solo.store();
    let (term, earlier) = (solo.term(), round(&solo.sends()));
    solo.hear(2, term, &ack(3, earlier));
    let first = read(&mut solo);
    let earlier = round(&solo.sends());
    solo.hear(2, term, &ack(3, earlier));
    let _ = read(&mut solo);
    let second = round(&solo.sends());
    let _ = read(&mut solo);
    assert_eq!(solo.sends(), [], "the first is not delivered yet");
    while solo.raft.poll_committed().is_some() {}
    assert_eq!(solo.raft.poll_read(), Some(ready(first, 3)));
    assert!(round(&solo.sends()) > second);
}

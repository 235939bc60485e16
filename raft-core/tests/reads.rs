//! Reads by a round of contacts, on every kind of node, `[Ongaro14 §6.4]`.
//!
//! Each test is named after what would be wrong. The findings of other implementations are here as
//! the smallest history that shows each: a name of a read that came back and released another, a
//! read answered before the first commit of a term, also in a group of one.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::ReadError;
use raft_core::{Body, Change, ReadFailure, ReadOutcome, Ready, Role};
use support::past::{Past, identity};
use support::readers::{failed, read, ready, replies, round};
use support::solo::{Said, ack, append};
use support::{World, config};

#[test]
fn read_is_answered_after_a_quorum_acknowledged_a_later_contact() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let ticket = read(&mut solo);
    assert_eq!(solo.ended(), []);
    let sent = solo.drain().sent;
    assert_eq!(sent.len(), 2, "one contact each");
    let (round, term) = (round(&sent), solo.term());
    solo.say(2, term, ack(2, round - 1));
    assert_eq!(solo.ended(), [], "that was before it");
    solo.say(2, term, ack(2, round));
    assert_eq!(solo.ended(), [ready(ticket, 2)]);
    assert_eq!(solo.ended(), [], "once");
}

/// A contact that left before the read came says nothing about the time after it.
#[test]
fn contact_from_before_the_read_does_not_count() {
    let mut solo = Past::new(1).log(&[1]).establish();
    solo.tick(20);
    let earlier = round(&solo.drain().sent);
    let ticket = read(&mut solo);
    let term = solo.term();
    let later = round(&solo.drain().sent);
    assert!(later > earlier);
    for peer in [2, 3] {
        solo.say(peer, term, ack(2, earlier));
    }
    assert_eq!(solo.ended(), []);
    solo.say(3, term, ack(2, later));
    assert_eq!(solo.ended(), [ready(ticket, 2)]);
}

/// A round that is open but was handed to nobody is joined: no contact is made for each read.
#[test]
fn reads_that_come_together_make_one_contact() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let tickets: Vec<_> = (0..10_000).map(|_| read(&mut solo)).collect();
    let sent = solo.drain().sent;
    assert_eq!(sent.len(), 2);
    let (round, term) = (round(&sent), solo.term());
    solo.say(2, term, ack(2, round));
    let expected: Vec<_> = tickets.iter().map(|ticket| ready(*ticket, 2)).collect();
    assert_eq!(solo.ended(), expected);
    assert_eq!(solo.raft.reads(), 0);
}

/// However slow the others are, few contacts are under way, and no read is refused.
#[test]
fn reads_gather_while_contacts_are_under_way() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let mut rounds = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let _ = read(&mut solo);
        for (_, _, said) in solo.drain().sent {
            if let Said::Append { round, .. } = said {
                rounds.insert(round);
            }
        }
    }
    assert_eq!(rounds.len(), 2, "{rounds:?}");
    let term = solo.term();
    let first = *rounds.first().unwrap();
    let sent = solo.say(2, term, ack(2, first)).sent;
    assert_eq!(solo.ended().len(), 1, "the one that opened it");
    let last = round(&sent);
    solo.say(2, term, ack(2, last));
    assert_eq!(solo.ended().len(), 99);
}

/// F-78: the commit of a new leader may be older than what its predecessor acknowledged.
#[test]
fn new_leader_answered_before_its_first_commit() {
    let mut solo = Past::new(1).log(&[1, 1]).lead();
    assert_eq!(solo.commit(), 0);
    let ticket = read(&mut solo);
    solo.tick(20);
    let (round, term) = (round(&solo.drain().sent), solo.term());
    for peer in [2, 3] {
        solo.say(peer, term, ack(2, round));
    }
    assert_eq!((solo.commit(), solo.ended()), (0, vec![]));
    let outcome = solo.say(2, term, ack(3, round));
    assert_eq!(solo.ended(), [], "only now a round can be opened for it");
    let last = outcome.sent.iter().find_map(|(_, _, said)| match said {
        Said::Append { round, .. } => Some(*round),
        _ => None,
    });
    solo.say(3, term, ack(3, last.expect("another contact")));
    assert_eq!(solo.ended(), [ready(ticket, 3)]);
}

/// E-77: after a restart the commit that was stored may lag behind what was acknowledged.
#[test]
fn lonely_leader_answered_before_its_first_commit() {
    let mut solo = Past::new(1).voters(&[1]).log(&[1, 1, 1]).commit(1).start();
    solo.raft.campaign(solo.now).unwrap();
    while solo.raft.role() != Role::Leader {
        assert!(solo.store());
    }
    let ticket = read(&mut solo);
    while solo.raft.poll_committed().is_some() {}
    assert_eq!((solo.commit(), solo.ended()), (1, vec![]));
    solo.drain();
    assert_eq!(solo.ended(), [ready(ticket, 4)]);
    let ticket = read(&mut solo);
    assert_eq!(solo.ended(), [ready(ticket, 4)], "later ones need nobody");
}

/// What a read is to see must have been handed over, not only be committed.
#[test]
fn read_was_ready_before_its_entries_were_delivered() {
    let mut solo = Past::new(1).log(&[1]).establish();
    solo.raft.propose(b"x").unwrap();
    solo.store();
    let (term, round) = (solo.term(), round(&solo.sends()));
    solo.hear(2, term, &ack(3, round));
    let ticket = read(&mut solo);
    let round = self::round(&solo.sends());
    solo.hear(3, term, &ack(3, round));
    assert_eq!((solo.commit(), solo.ended()), (3, vec![]));
    while solo.raft.poll_committed().is_some() {}
    assert_eq!(solo.ended(), [ready(ticket, 3)]);
}

/// the name of a read came back, and a late answer to its first contact released another.
#[test]
fn question_that_comes_again_released_another_read() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let term = solo.term();
    let question = Said::ReadRequest {
        nonce: 5,
        number: 0,
    };
    let first = round(&solo.say(2, term, question.clone()).sent);
    let ticket = read(&mut solo);
    let second = round(&solo.drain().sent);
    solo.say(2, term, question.clone());
    let sent = solo.say(3, term, ack(2, first)).sent;
    assert_eq!(replies(&sent), [(2, 0, 2)]);
    assert_eq!(solo.ended(), []);
    // It comes once more, after it was answered.
    solo.say(2, term, question);
    let sent = solo.say(2, term, ack(2, first)).sent;
    assert_eq!((replies(&sent), solo.ended()), (vec![], vec![]));
    let sent = solo.say(3, term, ack(2, second)).sent;
    assert_eq!(replies(&sent), [], "it waits for a contact of its own");
    assert_eq!(solo.ended(), [ready(ticket, 2)]);
}

#[test]
fn leader_in_a_partition_answered() {
    let mut world = World::group(3);
    let old = world.leader().unwrap();
    world.isolate(old);
    let ticket = world.now;
    let ticket = world.raft(old).read(ticket).unwrap();
    world.run(Duration::from_millis(600));
    let new = world.leader().unwrap();
    assert_ne!(new, old);
    world.propose(b"unseen");
    world.run(Duration::from_millis(100));
    let outcome = world.raft(old).poll_read();
    assert_eq!(outcome, Some(failed(ticket, ReadFailure::LeaderChanged)));
    let now = world.now;
    assert_eq!(world.raft(old).read(now), Err(ReadError::NoLeader));
}

/// While two sets of voters are in force, one of them alone may have a new leader.
#[test]
fn one_of_two_majorities_confirmed_a_read() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let change = [
        Change::AddVoter(identity(4)),
        Change::AddVoter(identity(5)),
        Change::Remove(NodeId::new(2)),
        Change::Remove(NodeId::new(3)),
    ];
    solo.raft.reconfigure(&change).unwrap();
    assert!(solo.raft.is_joint());
    let ticket = read(&mut solo);
    let (round, term) = (round(&solo.drain().sent), solo.term());
    for peer in [2, 3] {
        solo.say(peer, term, ack(2, round));
    }
    assert_eq!(solo.ended(), []);
    solo.say(4, term, ack(0, round));
    assert_eq!(solo.ended(), [ready(ticket, 2)]);
}

#[test]
fn followers_and_learners_read_what_was_acknowledged() {
    let mut world = World::group(3);
    world.join(4, config(4), support::WINDOW);
    let learner = world.identity(4);
    let change = [Change::AddLearner(learner)];
    world.raft(1).reconfigure(&change).unwrap();
    world.settle();
    for id in [2, 3, 4] {
        let written = world.propose(&[id as u8]);
        world.settle();
        let now = world.now;
        let ticket = world.raft(id).read(now).unwrap();
        world.settle();
        assert_eq!(
            world.raft(id).poll_read(),
            Some(ready(ticket, written.index.value()))
        );
        let applied = world.host(id).applied.last().unwrap().0;
        assert_eq!(applied, written.index.value());
    }
}

/// One question covers all that gathered, and the next waits for its answer.
#[test]
fn follower_asks_once_for_many() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let first = [(); 5].map(|()| read(&mut solo));
    let sent = solo.drain().sent;
    let [(1, 1, Said::ReadRequest { nonce, number })] = sent[..] else {
        panic!("{sent:?}")
    };
    let second = [(); 5].map(|()| read(&mut solo));
    assert_eq!(solo.drain().sent, []);
    let reply = |nonce, number, index| Said::ReadReply {
        nonce,
        number,
        index,
    };
    // Of another life, of another question, of somebody else.
    for (from, said) in [
        (1, reply(nonce ^ 1, number, 1)),
        (1, reply(nonce, number + 5, 1)),
        (3, reply(nonce, number, 1)),
    ] {
        assert_eq!(solo.say(from, 1, said).sent, []);
        assert_eq!(solo.ended(), []);
    }
    let sent = solo.say(1, 1, reply(nonce, number, 1)).sent;
    assert_eq!(solo.ended(), first.map(|ticket| ready(ticket, 1)));
    let number = number + 5;
    assert_eq!(sent, [(1, 1, Said::ReadRequest { nonce, number })]);
    assert_eq!(solo.say(1, 1, reply(nonce, number - 5, 1)).sent, []);
    assert_eq!(solo.ended(), []);
    solo.say(1, 1, reply(nonce, number, 1));
    assert_eq!(solo.ended(), second.map(|ticket| ready(ticket, 1)));
}

#[test]
fn lost_question_stayed_lost() {
    let mut world = World::group(3);
    let commit = world.raft(1).commit().value();
    world.cut.push((2, 1));
    let now = world.now;
    let ticket = world.raft(2).read(now).unwrap();
    world.settle();
    world.heal();
    assert_eq!(world.raft(2).poll_read(), None);
    world.run(Duration::from_millis(25));
    assert_eq!(world.raft(2).poll_read(), Some(ready(ticket, commit)));
}

#[test]
fn read_without_an_answer_ends_in_time() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let ticket = read(&mut solo);
    let mut questions = 0;
    for step in 1..10 {
        solo.tick(20);
        solo.hear(1, 1, &append((1, 1), 1, 1 + step, &[]));
        let sent = solo.drain().sent;
        questions += sent
            .iter()
            .filter(|(_, _, said)| matches!(said, Said::ReadRequest { .. }))
            .count();
        assert_eq!(solo.ended(), []);
    }
    assert_eq!(questions, 9, "asked again with each heartbeat interval");
    solo.tick(20);
    assert_eq!(solo.ended(), [failed(ticket, ReadFailure::TimedOut)]);
}

/// Confirmed, but the state machine does not get there.
#[test]
fn read_that_waits_for_entries_ends_in_time() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let ticket = read(&mut solo);
    let sent = solo.drain().sent;
    let [(_, _, Said::ReadRequest { nonce, number })] = sent[..] else {
        panic!("{sent:?}")
    };
    let index = u64::MAX;
    let reply = Said::ReadReply {
        nonce,
        number,
        index,
    };
    solo.say(1, 1, reply);
    assert_eq!(solo.ended(), []);
    solo.tick(200);
    assert_eq!(solo.ended(), [failed(ticket, ReadFailure::TimedOut)]);
}

#[test]
fn question_went_in_circles() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let (nonce, number) = (1, 1);
    let outcome = solo.say(3, 1, Said::ReadRequest { nonce, number });
    assert!(outcome.is_silent(), "{outcome:?}");
    // Nor does a leader answer whom it does not know.
    let mut solo = Past::new(1).log(&[1]).establish();
    let term = solo.term();
    let outcome = solo.say(9, term, Said::ReadRequest { nonce, number });
    assert_eq!(outcome.sent, []);
    assert!(outcome.dropped().is_some());
}

#[test]
fn reads_of_a_node_that_changes_its_leader_fail() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    let ticket = read(&mut solo);
    solo.say(3, 2, append((1, 1), 1, 1, &[]));
    assert_eq!(solo.ended(), [failed(ticket, ReadFailure::LeaderChanged)]);
    let mut solo = Past::new(1).log(&[1]).establish();
    let ticket = read(&mut solo);
    let term = solo.term();
    solo.say(3, term + 1, append((1, 1), 1, 1, &[]));
    assert_eq!(solo.ended(), [failed(ticket, ReadFailure::LeaderChanged)]);
}

/// A question that a leader keeps is not answered in a later office of it.
#[test]
fn question_to_an_earlier_office_was_answered() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let (nonce, number) = (5, 0);
    let term = solo.term();
    solo.say(2, term, Said::ReadRequest { nonce, number });
    solo.say(2, term + 1, Said::VoteReply(false));
    solo.pass(100);
    solo.win();
    let last = solo.last().0;
    for round in 1..4 {
        for peer in [2, 3] {
            let sent = solo.say(peer, solo.term(), ack(last, round)).sent;
            assert_eq!(replies(&sent), []);
        }
    }
}

/// Found by hostile input: the answer was due, and the leader had lost its office.
#[test]
fn leader_that_gave_way_answered_a_question() {
    let mut solo = Past::new(1).log(&[1]).establish();
    let (nonce, number, term) = (5, 0, solo.term());
    let sent = solo.say(2, term, Said::ReadRequest { nonce, number }).sent;
    solo.hear(3, term, &ack(2, round(&sent)));
    solo.hear(2, term + 1, &Said::VoteReply(false));
    assert_eq!(solo.raft.role(), Role::Follower);
    let sent = solo.say(2, term + 1, Said::Vote { last: (2, 2) }).sent;
    assert_eq!(replies(&sent), []);
}

#[test]
fn outcomes_that_nobody_fetches_are_refused_more_reads() {
    let mut solo = Past::new(2).log(&[1]).start();
    let mut tickets = Vec::new();
    for term in 1..=3 {
        // Each leader leaves a read that failed, after one that is ready.
        solo.say(1, term, append((1, 1), 1, 1, &[]));
        match solo.raft.read(solo.now) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => panic!("{term}: {error}"),
        }
        let sent = solo.drain().sent;
        if let (1, [(_, _, Said::ReadRequest { nonce, number })]) = (term % 2, &sent[..]) {
            let (nonce, number, index) = (*nonce, *number, 1);
            let reply = Said::ReadReply {
                nonce,
                number,
                index,
            };
            solo.say(1, term, reply);
        }
    }
    let before = solo.raft.clone();
    let later = solo.now.saturating_add(Duration::from_millis(1));
    assert_eq!(solo.raft.read(later), Err(ReadError::Full));
    assert_eq!(solo.raft, before);
    let ended: Vec<_> = solo.ended().iter().map(ReadOutcome::ticket).collect();
    assert_eq!(ended, tickets);
    let _ = read(&mut solo);
}

/// A piece of a snapshot hands its round to its receiver like an append does: what it acknowledges
/// may be from before the read.
#[test]
fn read_joined_a_round_that_left_with_a_piece_of_a_snapshot() {
    let mut solo = Past::new(1).base(3, 1, b"snapshot").log(&[1]).lead();
    let (term, last) = (solo.term(), solo.last().0);
    solo.say(3, term, ack(last, 1));
    let nothing = Said::Ack {
        verified: 0,
        round: 1,
        reject: Some((last - 1, (0, 0))),
        chunk: None,
    };
    solo.say(2, term, nothing);
    // A round that leaves with a piece alone: the link to the other is busy.
    solo.tick(20);
    let (node, only) = (NodeId::new(2), [NodeId::new(2)]);
    let sent = solo.raft.poll_transmit(solo.now, Ready::Only(&only));
    let sent = sent.expect("the piece is sent again");
    let Body::Chunk(piece) = sent.message.body else {
        panic!("{sent:?}");
    };
    let (to, round, index) = (
        sent.to,
        piece.round.value(),
        piece.snapshot.last.index.value(),
    );
    assert_eq!(to, node);
    let ticket = read(&mut solo);
    let stored = |round| Said::Ack {
        verified: 0,
        round,
        reject: None,
        chunk: Some((index, 4)),
    };
    solo.say(2, term, stored(round));
    assert_eq!(solo.ended(), [], "it was handed over before the read");
    solo.say(2, term, stored(round + 1));
    assert_eq!(solo.ended(), [ready(ticket, last)]);
}

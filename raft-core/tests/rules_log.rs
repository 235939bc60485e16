//! The rules of log and window: each test fails when its rule is removed.
//!
//! Elsewhere: commit counts the own term only, is bounded by what a message verified, an
//! acknowledgement names that, a match never falls (`histories_replication`, C-26 to C-32).

mod support;

use quorum::NodeId;
use raft_core::error::{CompactError, ProposeError, RestoreError};
use raft_core::{Committed, Event, LogIndex, Recovered, Role};
use support::past::{Item, Past, command, commands, voters};
use support::solo::{Said, Solo, ack, append, reject};

/// Fills a leader's window with proposals of these lengths, one after the other.
fn fill(solo: &mut Solo, lengths: &[usize]) -> u64 {
    for len in lengths {
        while solo.raft.propose(&vec![1; *len]).is_ok() {}
    }
    assert_eq!(solo.raft.propose(b""), Err(ProposeError::Full));
    solo.drain();
    solo.last().0
}

fn next_applied(solo: &mut Solo) -> Option<u64> {
    match solo.raft.poll_committed()? {
        Committed::Command(entry) => Some(entry.id.index.value()),
        Committed::Snapshot(_) => None,
    }
}

#[test]
fn nothing_is_delivered_before_it_is_durable_here() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 3, 1, &commands(2, &[1, 1])));
    assert_eq!(solo.commit(), 3);
    assert_eq!(next_applied(&mut solo), Some(1));
    assert_eq!(next_applied(&mut solo), None);
    assert_eq!(solo.drain().applied, [2, 3]);
}

#[test]
fn nothing_is_compacted_that_was_not_delivered() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).start();
    solo.hear(1, 1, &append((3, 1), 3, 1, &[]));
    let delivered = LogIndex::new(1);
    assert!(solo.raft.poll_committed().is_some());
    let before = solo.raft.clone();
    assert_eq!(
        solo.raft.compact(LogIndex::new(2), 0, 0),
        Err(CompactError::NotDelivered { delivered })
    );
    assert_eq!(solo.raft, before);
    solo.raft.compact(delivered, 0, 0).unwrap();
    assert_eq!(
        solo.raft.compact(delivered, 0, 0),
        Err(CompactError::AlreadyCompacted { base: delivered })
    );
}

#[test]
fn entries_stay_whole_as_the_ring_goes_round() {
    let mut solo = Past::new(1).window(4096).establish();
    let (mut sent, mut turns) = (0_u64, 0);
    for number in 0..600_u32 {
        let payload = vec![number as u8; (number % 97) as usize];
        let id = loop {
            match solo.raft.propose(&payload) {
                Ok(id) => break id,
                Err(ProposeError::Full) => {
                    solo.level();
                    let delivered = solo.raft.delivered();
                    // Leaves some, so that the ring does not start anew each time.
                    solo.raft
                        .compact(LogIndex::new(delivered.value() - 3), 0, 0)
                        .unwrap();
                    turns += 1;
                }
                Err(error) => panic!("{error}"),
            }
        };
        let write = solo.raft.poll_persist().expect("something to store");
        let entries: Vec<_> = write.entries().collect();
        assert_eq!(
            entries.last().map(|entry| (entry.id, entry.payload)),
            Some((id, &payload[..]))
        );
        drop(write);
        for said in solo.drain().to(2) {
            if let Said::Append { prev, entries, .. } = said {
                sent = sent.max(prev.0 + entries.len() as u64);
            }
        }
        assert_eq!(solo.raft.entry(id.index).unwrap().payload, payload);
    }
    assert!(turns > 5, "{turns}");
    assert_eq!(sent, solo.last().0, "everything left, whole");
}

#[test]
fn proposals_leave_room_for_sixteen_elections_and_two_configurations() {
    // Full by count, and full by bytes.
    for lengths in [&[0][..], &[200, 10, 0]] {
        let mut solo = Past::new(1).window(2048).establish();
        let full = fill(&mut solo, lengths);
        let mut last = solo.last();
        for turn in 1..=16 {
            let term = solo.term() + 1;
            let outcome = solo.say(2, term, append(last, 0, 1, &[(term, Item::NoOp)]));
            assert_eq!(outcome.to(2).last(), Some(&ack(full + turn, 1)));
            last = solo.last();
        }
        for turn in 17..=18 {
            let members = Item::Seats(voters(&[1, 2, 3, 4, 5]));
            let term = solo.term();
            let outcome = solo.say(2, term, append(last, 0, 2, &[(term, members)]));
            assert_eq!(outcome.to(2).last(), Some(&ack(full + turn, 2)));
            last = solo.last();
        }
    }
}

#[test]
fn node_without_room_for_office_does_not_campaign_and_says_so() {
    let mut solo = Past::new(1).window(2048).establish();
    let mut last = (fill(&mut solo, &[10, 0]), 1);
    // A later leader takes the reserve too.
    let mut round = 0;
    loop {
        round += 1;
        let entry = [(2, command(1, 1))];
        solo.say(2, 2, append(last, 0, round, &entry));
        if solo.last() == last {
            break;
        }
        last = solo.last();
    }
    solo.pass(300);
    solo.tick(0);
    let outcome = solo.drain();
    assert_eq!(outcome.events, [Event::NoRoomToCampaign]);
    assert_eq!((outcome.sent, solo.raft.role()), (vec![], Role::Follower));
    assert!(
        solo.raft.poll_timeout().unwrap() > solo.now,
        "it tries again later"
    );
    // With room again it campaigns.
    solo.say(2, 2, append(last, last.0, round + 1, &[]));
    solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
    solo.drain();
    solo.stand();
}

#[test]
fn follower_takes_the_prefix_that_fits() {
    let mut solo = Past::new(2).window(2048).term(1).start();
    let many = commands(1, &[1; 200]);
    let outcome = solo.say(1, 1, append((0, 0), 0, 1, &many));
    let taken = solo.last().0;
    assert!((20..200).contains(&taken));
    assert_eq!(outcome.to(1).last(), Some(&ack(taken, 1)));
    assert_eq!(outcome.dropped(), None);
    assert_eq!(solo.terms(), vec![1; taken as usize]);
}

/// The room that each acknowledgement names.
fn rooms(solo: &mut Solo) -> Vec<u32> {
    let mut rooms = Vec::new();
    loop {
        let stored = solo.store();
        let mut is_over = !stored;
        while let Some(transmit) = solo.raft.poll_transmit(solo.now, raft_core::Ready::All) {
            is_over = false;
            if let raft_core::Body::Ack(ack) = transmit.message.body {
                rooms.push(ack.room);
            }
        }
        if is_over {
            return rooms;
        }
    }
}

#[test]
fn acknowledgement_names_the_room_and_regained_room_is_told() {
    let mut solo = Past::new(2).window(2048).term(1).start();
    solo.hear(1, 1, &append((0, 0), 0, 1, &commands(1, &[1; 200])));
    let full = *rooms(&mut solo).last().unwrap();
    assert!(full < 40, "{full}");
    let last = solo.last();
    solo.hear(1, 1, &append(last, last.0, 2, &[]));
    assert_eq!(rooms(&mut solo), [full]);
    while solo.raft.poll_committed().is_some() {}
    solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
    let told = rooms(&mut solo);
    assert!(
        told.iter().any(|room| *room > 500),
        "without being asked: {told:?}"
    );
}

#[test]
fn follower_without_room_gets_heartbeats_only() {
    let mut solo = Past::new(1).establish();
    solo.room = 0;
    solo.say(2, 1, ack(1, 1));
    solo.raft.propose(b"x").unwrap();
    let outcome = solo.drain();
    assert_eq!((outcome.to(2), outcome.to(3).len()), (vec![], 1));
    solo.tick(20);
    assert_eq!(solo.drain().to(2), [append((1, 1), 1, 2, &[])]);
    solo.room = 9;
    let outcome = solo.say(2, 1, ack(1, 2));
    let entry = (1, Item::Command(b"x".to_vec()));
    assert_eq!(outcome.to(2), [append((1, 1), 1, 2, &[entry])]);
    solo.raft.propose(b"y").unwrap();
    assert_eq!(solo.drain().to(2), [], "nine bytes are on their way");
    assert_eq!(solo.say(2, 1, ack(2, 2)).to(2).len(), 1);
}

#[test]
fn window_too_small_says_how_much_is_needed() {
    let record = Past::new(2).log(&[1; 300]).record();
    // What is needed is known as far as it was read: a few turns at most.
    let (mut bytes, mut turns) = (2048, 0);
    loop {
        let mut recovered = Recovered::<_, 5>::new(vec![0; bytes]).unwrap();
        match recovered.replay(&record) {
            Ok(()) => break,
            Err(RestoreError::WindowTooSmall { needed }) => {
                assert!(needed > bytes);
                (bytes, turns) = (needed, turns + 1);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..=3).contains(&turns), "{turns}");
    let Err(RestoreError::WindowTooSmall { needed }) = Recovered::<_, 5>::new(vec![0; 64]) else {
        panic!("not even the reserve fits");
    };
    assert!(Recovered::<_, 5>::new(vec![0; needed]).is_ok());
}

#[test]
fn leader_sends_what_fits_a_frame() {
    let mut solo = Past::new(1).frame(200).establish();
    for number in 0..5_u8 {
        solo.raft.propose(&[number; 60]).unwrap();
    }
    let outcome = solo.drain();
    let counts: Vec<usize> = outcome
        .to(2)
        .iter()
        .map(|said| match said {
            Said::Append { entries, .. } => entries.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(counts, [2, 2, 1], "as many as fit, one after the other");
}

#[test]
fn unreachable_follower_is_asked_again_from_what_it_has() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    solo.raft
        .handle_unreachable(solo.now, NodeId::new(2))
        .unwrap();
    solo.tick(20);
    let entry = (1, Item::Command(b"x".to_vec()));
    assert_eq!(solo.drain().to(2), [append((1, 1), 1, 2, &[entry])]);
    // A refusal that belongs to the lost flight changes nothing.
    assert_eq!(solo.say(2, 1, reject(0, 1, 9, (8, 1))).to(2), []);
}

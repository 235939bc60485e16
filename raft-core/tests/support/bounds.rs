//! Filling every capacity, and counting what comes out of one input.

use quorum::NodeId;
use raft_core::error::{ProposeError, ReconfigureError};
use raft_core::{Change, Event, LogIndex, Ready, Standing};

use super::MEMBERS;
use super::past::{Past, commands, identity, seats};
use super::solo::{Said, Solo, ack, append};

/// Everything that has a capacity, full at the same time.
pub fn every_capacity_is_filled() {
    full_member_table();
    full_window();
    full_events();
    full_guests();
}

/// As many members as the type holds: each input makes at most one message to each.
fn full_member_table() {
    let members: Vec<u64> = (1..=MEMBERS as u64).collect();
    let mut solo = Past::new(1).voters(&members).establish();
    let one_more = [Change::AddLearner(identity(99))];
    assert_eq!(
        solo.raft.reconfigure(&one_more),
        Err(ReconfigureError::TooManyMembers {
            members_max: MEMBERS
        })
    );
    solo.raft.propose(b"x").unwrap();
    assert_eq!(solo.drain().sent.len(), MEMBERS - 1);
    solo.tick(20);
    assert_eq!(solo.drain().sent.len(), MEMBERS - 1);
    for peer in 2..=MEMBERS as u64 {
        let outcome = solo.say(peer, 1, ack(2, 2));
        assert!(outcome.sent.len() < MEMBERS, "{outcome:?}");
    }
    // A message that names more members than fit is dropped.
    let mut solo = Past::new(2).term(1).start();
    let many: Vec<u64> = (1..=MEMBERS as u64 + 1).collect();
    let entry = (1, super::past::Item::Seats(super::past::voters(&many)));
    let outcome = solo.say(1, 1, append((0, 0), 0, 1, &[entry]));
    assert_eq!(
        outcome.dropped(),
        Some(raft_core::DropReason::TooManyMembers)
    );
    assert_eq!(solo.last(), (0, 0));
}

/// A window without room takes nothing, says so, and sends no more for it.
fn full_window() {
    let mut solo = Past::new(1).window(2048).establish();
    let mut count = 0;
    while solo.raft.propose(&[7; 40]).is_ok() {
        count += 1;
    }
    assert!(count > 3);
    assert_eq!(solo.raft.propose(&[7; 40]), Err(ProposeError::Full));
    assert_eq!(solo.raft.propose(&[7; 40]), Err(ProposeError::Full));
    assert_eq!(solo.drain().sent.len(), 2, "one append each holds it all");
    let mut follower = Past::new(2).window(2048).term(1).start();
    let (mut prev, mut round) = ((0, 0), 1);
    while follower.last() == prev {
        let outcome = follower.say(1, 1, append(prev, 0, round, &commands(prev.0 + 1, &[1; 9])));
        assert_eq!(outcome.sent.len(), 1);
        assert!(
            outcome
                .events
                .iter()
                .all(|event| !matches!(event, Event::Dropped { .. }))
        );
        prev = (prev.0 + 9, 1);
        round += 1;
        assert!(round < 1000);
    }
    let full = follower.last();
    let outcome = follower.say(1, 1, append(full, 0, round, &commands(full.0 + 1, &[1; 9])));
    assert_eq!(outcome.sent, [(1, 1, ack(full.0, round))]);
    assert_eq!(follower.last(), full);
}

/// Events that nobody fetches take one place per kind.
fn full_events() {
    let mut solo = Past::new(2).log(&[1, 1]).start();
    for step in 0..50_u32 {
        let term = 2 + 2 * step;
        let index = solo.last().0;
        solo.hear(
            1,
            term,
            &append((index, solo.last().1), 0, 1, &commands(index + 1, &[term])),
        );
        solo.hear(3, term, &append((0, 0), 0, 1, &[]));
        solo.hear(
            3,
            term + 1,
            &append(
                (index, solo.terms()[index as usize - 1]),
                0,
                1,
                &commands(index + 1, &[term + 1]),
            ),
        );
        solo.store();
    }
    let events = solo.events();
    assert!(events.len() <= 11, "{events:?}");
    let kinds: Vec<_> = events.iter().map(std::mem::discriminant).collect();
    for (place, kind) in kinds.iter().enumerate() {
        assert!(!kinds[..place].contains(kind), "{events:?}");
    }
    let dropped = events.iter().find_map(|event| match event {
        Event::Dropped { count, .. } => Some(*count),
        _ => None,
    });
    assert_eq!(dropped, Some(50), "counts add up");
}

/// Of strangers, the two latest are answered.
fn full_guests() {
    let mut solo = Past::new(2).term(5).start();
    for stranger in 10..30 {
        solo.hear(
            stranger,
            5,
            &Said::PreVote {
                last: (0, 0),
                attempt: 1,
            },
        );
    }
    let sent: Vec<u64> = solo.sends().iter().map(|(to, _, _)| *to).collect();
    assert_eq!(sent, [28, 29]);
}

/// With nothing to do every call does nothing.
pub fn idle_calls_do_nothing(zoo: Vec<Solo>) {
    for mut solo in zoo {
        solo.drain();
        let before = solo.raft.clone();
        let offset = |index: u64| LogIndex::new(index);
        assert!(solo.raft.poll_persist().is_none());
        assert!(solo.raft.poll_transmit(solo.now, Ready::All).is_none());
        assert!(solo.raft.poll_committed().is_none());
        assert!(solo.raft.poll_event().is_none());
        solo.raft
            .handle_unreachable(solo.now, NodeId::new(99))
            .unwrap();
        let _ = (solo.raft.entry(offset(1)), solo.raft.poll_timeout());
        if before.poll_timeout().is_none_or(|when| when > solo.now) {
            solo.raft.handle_timeout(solo.now).unwrap();
            let mut after = solo.raft.clone();
            let mut expected = before;
            // Both have now seen the same time.
            let _ = expected.handle_unreachable(solo.now, NodeId::new(99));
            let _ = after.handle_unreachable(solo.now, NodeId::new(99));
            assert_eq!(after, expected);
        }
    }
    let _ = seats(&[(1, Standing::Voter)]);
}

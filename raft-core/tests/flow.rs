//! How much may be under way, and that whatever was counted is given back.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::{ConfigError, ProposeError};
use raft_core::{Change, Config, ConfigBuilder, InFlight};
use support::past::{Item, Past, encode_entry, identity};
use support::solo::{Outcome, Said, Solo, ack, reject};
use support::{FRAME, World};

/// Two appends at a time, of any size.
fn two_messages(builder: ConfigBuilder) -> ConfigBuilder {
    builder.in_flight(2, u32::MAX)
}

/// Any number of appends, of one frame together.
fn one_frame(builder: ConfigBuilder) -> ConfigBuilder {
    builder.in_flight(u16::MAX, FRAME as u32)
}

fn in_flight(solo: &Solo, peer: u64) -> InFlight {
    solo.raft.in_flight(NodeId::new(peer)).unwrap()
}

/// How many entries each append to node 2 carries.
fn carried(outcome: &Outcome) -> Vec<usize> {
    let appends = outcome.to(2).into_iter().filter_map(|said| match said {
        Said::Append { entries, .. } => Some(entries.len()),
        _ => None,
    });
    appends.collect()
}

/// Proposes commands one by one, each drained.
fn propose(solo: &mut Solo, count: usize, bytes: usize) -> Vec<usize> {
    let mut sent = Vec::new();
    for _ in 0..count {
        solo.raft.propose(&vec![7; bytes]).unwrap();
        sent.extend(carried(&solo.drain()));
    }
    sent
}

#[test]
fn as_many_appends_leave_as_are_allowed() {
    let mut solo = Past::new(1).set(two_messages).establish();
    assert_eq!(propose(&mut solo, 4, 9), [1, 1]);
    assert_eq!(in_flight(&solo, 2).messages, 2);
    assert_eq!(in_flight(&solo, 2).bytes as usize, 2 * encoded(9));
}

/// What waited for the window leaves together.
#[test]
fn what_waits_gathers() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 5, 9);
    let outcome = solo.say(2, 1, ack(last + 1, 1));
    assert_eq!(carried(&outcome), [3], "one append for all that waited");
    assert_eq!(in_flight(&solo, 2).messages, 2);
}

fn encoded(payload: usize) -> usize {
    encode_entry(1, &Item::Command(vec![7; payload])).len()
}

#[test]
fn as_many_bytes_leave_as_are_allowed() {
    let mut solo = Past::new(1).set(one_frame).establish();
    let (last, size) = (solo.last().0, encoded(1000));
    let fits = FRAME / size;
    assert_eq!(propose(&mut solo, fits + 2, 1000), vec![1; fits]);
    assert_eq!(in_flight(&solo, 2).bytes as usize, fits * size);
    // Each that is acknowledged makes room for one more.
    let outcome = solo.say(2, 1, ack(last + 1, 1));
    assert_eq!(carried(&outcome), [1]);
    // A smaller one finds room where the next in the log does not, and waits its turn.
    solo.raft.propose(b"x").unwrap();
    assert_eq!(carried(&solo.drain()), []);
}

/// The bound of one follower is not that of another.
#[test]
fn members_are_counted_apart() {
    let mut solo = Past::new(1).set(two_messages).establish();
    propose(&mut solo, 4, 9);
    let last = solo.last().0;
    solo.say(3, 1, ack(last, 1));
    assert_eq!(in_flight(&solo, 3), InFlight::default());
    assert_eq!(in_flight(&solo, 2).messages, 2);
}

/// C-39: bytes or messages stayed counted when everything was acknowledged.
#[test]
fn everything_acknowledged_is_not_in_flight() {
    for (settings, most) in [(two_messages as fn(_) -> _, 2), (one_frame, 3)] {
        let mut solo = Past::new(1).set(settings).establish();
        for round in 0..10 {
            assert_eq!(propose(&mut solo, most, 100).len(), most, "{round}");
            let last = solo.last().0;
            solo.say(2, 1, ack(last, 1));
            assert_eq!(in_flight(&solo, 2), InFlight::default());
        }
    }
}

/// C-39: with the window full and all of it lost, nothing was sent any more by which that would
/// have been noticed.
#[test]
fn full_window_that_was_lost_stopped_the_flow() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 4, 9);
    // An append without entries leaves with each heartbeat.
    solo.tick(20);
    let outcome = solo.drain();
    assert_eq!(carried(&outcome), [0]);
    // The follower has nothing of it.
    let outcome = solo.say(2, 1, reject(last, 2, last + 2, (last, 1)));
    assert_eq!(carried(&outcome), [4], "all of it, in one append");
    solo.say(2, 1, ack(last + 4, 2));
    assert_eq!(in_flight(&solo, 2), InFlight::default());
}

/// C-39: acknowledgements were lost, and what they would have freed stayed counted.
#[test]
fn lost_acknowledgements_kept_the_window_full() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 4, 9);
    solo.tick(20);
    solo.drain();
    // The answer to the heartbeat says what both acknowledgements said.
    let outcome = solo.say(2, 1, ack(last + 2, 2));
    assert_eq!(carried(&outcome), [2]);
}

/// A commit is told whether the window is full or not.
#[test]
fn commit_passes_a_full_window() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 4, 9);
    let outcome = solo.say(3, 1, ack(last + 2, 1));
    let commits: Vec<u64> = outcome
        .to(2)
        .into_iter()
        .filter_map(|said| match said {
            Said::Append { commit, .. } => Some(commit),
            _ => None,
        })
        .collect();
    assert_eq!((carried(&outcome), commits), (vec![0], vec![last + 2]));
}

#[test]
fn unreachable_member_has_nothing_in_flight() {
    let mut solo = Past::new(1).set(two_messages).establish();
    propose(&mut solo, 4, 9);
    solo.raft
        .handle_unreachable(solo.now, NodeId::new(2))
        .unwrap();
    assert_eq!(in_flight(&solo, 2), InFlight::default());
    solo.tick(20);
    assert_eq!(carried(&solo.drain()), [4], "a probe with all that is left");
}

/// Entries in flight were compacted: how long they were is not known, and they stay counted until
/// what came after them is acknowledged.
#[test]
fn compacted_entries_stay_in_flight() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 2, 9);
    solo.say(3, 1, ack(last + 2, 1));
    let before = in_flight(&solo, 2);
    solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
    solo.say(2, 1, ack(last, 1));
    assert_eq!(in_flight(&solo, 2), before);
    solo.say(2, 1, ack(last + 2, 1));
    assert_eq!(in_flight(&solo, 2), InFlight::default());
}

/// C-40: a member that the window held back was overtaken by the compaction.
#[test]
fn member_that_was_held_back_was_overtaken() {
    let mut solo = Past::new(1).set(two_messages).establish();
    let last = solo.last().0;
    propose(&mut solo, 4, 9);
    solo.say(3, 1, ack(last + 4, 1));
    solo.raft.compact(solo.raft.delivered(), 5, 0).unwrap();
    solo.tick(20);
    let outcome = solo.drain();
    assert!(
        matches!(outcome.to(2)[..], [Said::Chunk { .. }]),
        "{outcome:?}"
    );
}

/// Another leader, or the same in another term, begins with nothing in flight.
#[test]
fn next_term_of_office_begins_with_an_empty_window() {
    let mut solo = Past::new(1).set(two_messages).establish();
    propose(&mut solo, 4, 9);
    solo.say(3, 2, support::solo::append((1, 1), 0, 1, &[]));
    assert_eq!(
        solo.raft.in_flight(NodeId::new(2)),
        None,
        "it leads no more"
    );
    solo.pass(400);
    solo.win();
    assert_eq!(in_flight(&solo, 2), InFlight::default());
}

/// The narrowest window there can be: a group that loses frames comes to an end all the same.
#[test]
fn narrowest_window_of_a_group_that_loses_frames() {
    let mut pasts = [1, 2, 3].map(Past::new);
    for past in &mut pasts {
        past.settings = Some(|builder| builder.in_flight(1, FRAME as u32));
    }
    let mut world = World::of(&pasts);
    world.elect(1);
    for number in 0..60_u8 {
        world.propose(&[number; 100]);
        world.drain(1);
        // Every third frame is lost, whichever it is.
        let mut place = 0;
        world.wire.retain(|_| {
            place += 1;
            (place + number) % 3 != 0
        });
        world.run(Duration::from_millis(10));
    }
    world.run(Duration::from_millis(200));
    for id in 1..=3 {
        assert_eq!(world.host(id).applied.len(), 60, "node {id}");
    }
    for id in 2..=3 {
        let in_flight = world.raft(1).in_flight(NodeId::new(id));
        assert_eq!(in_flight, Some(InFlight::default()));
    }
}

#[test]
fn window_too_small_for_one_frame_is_refused() {
    let build = |messages, bytes| {
        let builder = Config::builder(NodeId::new(1)).frame_bytes_max(FRAME);
        builder.in_flight(messages, bytes).build().map(|_| ())
    };
    let needed = FRAME as u32;
    let refused = Err(ConfigError::InFlightTooSmall { needed });
    assert_eq!(build(1, needed), Ok(()));
    assert_eq!(build(1, needed - 1), refused);
    assert_eq!(build(0, needed), refused);
}

/// Two entries of 100 bytes may wait.
fn two_entries(builder: ConfigBuilder) -> ConfigBuilder {
    builder.uncommitted_bytes_max(2 * 108)
}

fn refused(solo: &mut Solo, bytes: usize) -> Option<u32> {
    match solo.raft.propose(&vec![7; bytes]) {
        Err(ProposeError::Uncommitted { bytes }) => Some(bytes),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn proposals_wait_for_commits() {
    let mut solo = Past::new(1).set(two_entries).establish();
    let last = solo.last().0;
    assert_eq!(refused(&mut solo, 100), None);
    assert_eq!(refused(&mut solo, 101), Some(108), "one byte too much");
    assert_eq!(refused(&mut solo, 100), None);
    let before = solo.raft.clone();
    assert_eq!(refused(&mut solo, 0), Some(216));
    assert_eq!(solo.raft, before);
    assert_eq!(solo.raft.uncommitted_bytes(), 216);
    // Whose copies they are does not matter, only that they are committed.
    solo.drain();
    assert_eq!(refused(&mut solo, 0), Some(216));
    solo.say(2, 1, ack(last + 1, 1));
    assert_eq!(refused(&mut solo, 100), None);
}

/// C-39: an entry longer than the bound was refused for ever, or was counted when it was gone.
#[test]
fn longest_proposal_is_taken_when_nothing_waits() {
    let mut solo = Past::new(1)
        .set(|builder| builder.uncommitted_bytes_max(0))
        .establish();
    for _ in 0..3 {
        let last = solo.last().0;
        let longest = solo.raft.payload_bytes_max().min(1000);
        assert_eq!(refused(&mut solo, longest), None);
        assert!(refused(&mut solo, 0).is_some());
        solo.drain();
        solo.say(2, 1, ack(last + 1, 1));
        assert_eq!(solo.raft.uncommitted_bytes(), 0);
    }
}

/// What a new leader finds in its log counts until it knows that it is committed.
#[test]
fn inherited_entries_are_uncommitted_until_the_first_commit() {
    let mut solo = Past::new(1).set(two_entries).log(&[1; 40]).lead();
    let bytes = refused(&mut solo, 0).expect("forty entries wait");
    assert!(bytes > 40 * 8, "{bytes}");
    solo.level();
    assert_eq!(refused(&mut solo, 0), None);
}

/// C-39: what was proposed and lost with the office stayed counted.
#[test]
fn lost_proposals_are_not_uncommitted() {
    let mut solo = Past::new(1).set(two_entries).establish();
    while refused(&mut solo, 50).is_none() {}
    solo.drain();
    let entries = support::past::commands(2, &[2]);
    solo.say(2, 2, support::solo::append((1, 1), 2, 1, &entries));
    solo.pass(400);
    solo.win();
    solo.level();
    assert_eq!(solo.raft.uncommitted_bytes(), 0);
    assert_eq!(refused(&mut solo, 100), None);
}

/// A change of the members is not refused for what waits.
#[test]
fn change_of_members_passes_the_bound() {
    let mut solo = Past::new(1).set(two_entries).establish();
    while refused(&mut solo, 100).is_none() {}
    let change = [Change::AddLearner(identity(4))];
    assert!(solo.raft.reconfigure(&change).is_ok());
}

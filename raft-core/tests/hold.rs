//! Compaction waits, for a bounded time, for members that are being sent the snapshot.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::{CompactError, ConfigError};
use raft_core::{Change, Config, ConfigBuilder, LogIndex};
use support::past::Past;
use support::solo::{Said, Solo, ack, append, reject};

/// For a second, as long as half of the window is free.
fn holding(builder: ConfigBuilder) -> ConfigBuilder {
    builder.hold_compaction(Duration::from_millis(1000), 50)
}

const SIZE: u64 = 300;

fn compact(solo: &mut Solo, index: u64) -> Result<(), CompactError> {
    let index = LogIndex::new(index);
    let held = solo.raft.held(index);
    let before = solo.raft.clone();
    let done = solo.raft.compact(index, SIZE, 0);
    let said = match done {
        Err(CompactError::Held { member, until }) => Some((member, until)),
        Ok(()) | Err(_) => None,
    };
    assert_eq!(said, held, "the question has the same answer");
    if done.is_err() {
        assert_eq!(solo.raft, before);
    }
    solo.check();
    done
}

/// Node 3 has what it is told to have.
fn follow(solo: &mut Solo) {
    let (last, term) = (solo.last().0, solo.term());
    solo.say(3, term, ack(last, 0));
    assert_eq!(solo.commit(), last);
}

/// A leader of term 2 with the snapshot up to 11 in three pieces, of which node 2 gets the first.
fn sending(settings: fn(ConfigBuilder) -> ConfigBuilder) -> Solo {
    let past = Past::new(1).set(settings).frame(256).window(8 * 1024);
    let mut solo = past.log(&[1; 10]).commit(10).applied(10).lead();
    follow(&mut solo);
    compact(&mut solo, 11).unwrap();
    let outcome = solo.say(2, 2, reject(0, 1, 10, (0, 0)));
    assert_eq!(piece(&outcome.to(2)), Some((11, 0)));
    for _ in 0..5 {
        solo.raft.propose(b"x").unwrap();
    }
    solo.drain();
    follow(&mut solo);
    assert_eq!(solo.raft.delivered().value(), 16);
    solo
}

/// Which snapshot a piece belongs to, and where in it the piece begins.
fn piece(said: &[Said]) -> Option<(u64, u64)> {
    said.iter().find_map(|said| match said {
        Said::Chunk { last, offset, .. } => Some((last.0, *offset)),
        _ => None,
    })
}

fn stored(index: u64, stored: u64) -> Said {
    Said::Ack {
        verified: 0,
        round: 0,
        reject: None,
        chunk: Some((index, stored)),
    }
}

/// Time passes, in which node 3 keeps the leader in office.
fn spend(solo: &mut Solo, millis: u64) {
    solo.tick(millis);
    let sent = solo.drain().to(3);
    let round = sent.iter().find_map(|said| match said {
        Said::Append { round, .. } => Some(*round),
        _ => None,
    });
    let (last, term) = (solo.last().0, solo.term());
    solo.say(3, term, ack(last, round.expect("a heartbeat")));
}

/// When the hold of `sending` ends.
fn end(solo: &Solo) -> Instant {
    solo.raft.held(LogIndex::new(16)).expect("held").1
}

/// E-73: each compaction of the leader made a slow follower begin with another snapshot.
#[test]
fn slow_follower_began_a_snapshot_for_ever() {
    let progress = |settings: fn(ConfigBuilder) -> ConfigBuilder| {
        let mut solo = sending(settings);
        let mut offsets = Vec::new();
        for number in 1..=2 {
            let _ = compact(&mut solo, 11 + number);
            let base = solo.raft.base().index.value();
            let sent = solo.say(2, 2, stored(base, 100 * number)).to(2);
            offsets.extend(piece(&sent));
            solo.tick(20);
            offsets.extend(piece(&solo.drain().to(2)));
        }
        offsets
    };
    // The one gets piece after piece; the other begins anew each time.
    assert_eq!(
        progress(holding),
        [(11, 100), (11, 100), (11, 200), (11, 200)]
    );
    let beginnings = progress(|builder| builder);
    assert!(beginnings.contains(&(12, 0)), "{beginnings:?}");
    assert!(beginnings.contains(&(13, 0)), "{beginnings:?}");
}

#[test]
fn compaction_is_held_while_the_snapshot_is_sent() {
    let mut solo = sending(holding);
    let member = NodeId::new(2);
    let until = end(&solo);
    for index in 12..=16 {
        assert_eq!(
            compact(&mut solo, index),
            Err(CompactError::Held { member, until })
        );
    }
}

/// A member that has the snapshot lacks what came after it.
#[test]
fn compaction_is_held_until_the_member_has_caught_up() {
    let mut solo = sending(holding);
    solo.say(2, 2, ack(11, 1));
    assert!(compact(&mut solo, 12).is_err());
    solo.say(2, 2, ack(13, 1));
    assert!(compact(&mut solo, 14).is_err());
    assert_eq!(compact(&mut solo, 13), Ok(()));
    // From now on it is a member like others.
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

#[test]
fn hold_ends_with_its_time() {
    let mut solo = sending(holding);
    let until = end(&solo);
    while solo.now < until {
        assert!(compact(&mut solo, 16).is_err());
        // Its answers do not prolong it.
        solo.say(2, 2, stored(11, 1));
        spend(&mut solo, 50);
    }
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

/// The next snapshot has its own time.
#[test]
fn next_snapshot_is_held_as_long() {
    let mut solo = sending(holding);
    let first = end(&solo);
    while solo.now < first {
        spend(&mut solo, 50);
    }
    assert_eq!(compact(&mut solo, 14), Ok(()));
    assert_eq!(
        solo.raft.held(LogIndex::new(16)),
        None,
        "nothing was sent of it"
    );
    solo.tick(20);
    let sent = solo.drain().to(2);
    assert_eq!(piece(&sent), Some((14, 0)));
    let second = end(&solo);
    assert!(second.saturating_since(first) >= Duration::from_millis(1000));
    assert!(compact(&mut solo, 16).is_err());
}

/// Members that come one after the other do not add up.
#[test]
fn second_receiver_does_not_prolong_the_hold() {
    let mut solo = sending(holding);
    let until = end(&solo);
    solo.tick(20);
    solo.drain();
    solo.raft
        .reconfigure(&[Change::AddLearner(support::past::identity(4))])
        .unwrap();
    solo.drain();
    follow(&mut solo);
    let outcome = solo.say(4, 2, reject(0, 0, 16, (0, 0)));
    assert_eq!(piece(&outcome.to(4)), Some((11, 0)));
    assert_eq!(end(&solo), until);
}

#[test]
fn hold_ends_when_the_window_fills() {
    let mut solo = sending(holding);
    let half = solo.raft.log_bytes_max() / 2;
    while solo.raft.log_bytes() < half {
        assert!(compact(&mut solo, 16).is_err());
        solo.raft.propose(&[7; 100]).unwrap();
    }
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

/// Where entries are short their places run out before the bytes do.
#[test]
fn hold_ends_when_the_places_run_out() {
    let mut solo = sending(holding);
    while compact(&mut solo, 16).is_err() {
        solo.raft.propose(&[]).expect("there is room yet");
    }
    assert!(solo.raft.log_bytes() < solo.raft.log_bytes_max() / 2);
}

/// However much is allowed, a hold never makes the leader refuse proposals.
#[test]
fn hold_ends_before_proposals_are_refused() {
    let mut solo = sending(|builder| builder.hold_compaction(Duration::from_millis(1000), 100));
    while solo.raft.propose(&[7; 100]).is_ok() {}
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

#[test]
fn hold_ends_when_the_member_is_removed() {
    let mut solo = sending(holding);
    let remove = [Change::Remove(NodeId::new(2))];
    solo.raft.reconfigure(&remove).unwrap();
    solo.drain();
    follow(&mut solo);
    follow(&mut solo);
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

/// A member that only lags behind, and one that was never heard of, hold nothing.
#[test]
fn members_that_get_no_snapshot_hold_nothing() {
    let past = Past::new(1).set(holding).frame(256);
    let mut solo = past.log(&[1; 10]).commit(10).applied(10).lead();
    follow(&mut solo);
    compact(&mut solo, 8).unwrap();
    solo.say(2, 2, reject(0, 1, 10, (9, 1)));
    assert_eq!(compact(&mut solo, 11), Ok(()));
}

/// Its successor, and a follower, know nothing of it.
#[test]
fn hold_ends_with_the_office() {
    let mut solo = sending(holding);
    solo.say(3, 3, append((16, 2), 16, 1, &[]));
    assert_eq!(compact(&mut solo, 14), Ok(()));
    solo.pass(400);
    solo.win();
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

#[test]
fn nothing_is_held_without_the_setting() {
    let mut solo = sending(|builder| builder);
    assert_eq!(compact(&mut solo, 16), Ok(()));
}

#[test]
fn more_than_the_whole_window_is_refused() {
    let build = |percent| {
        let builder = Config::builder(NodeId::new(1));
        let longest = Duration::from_millis(1);
        builder
            .hold_compaction(longest, percent)
            .build()
            .map(|_| ())
    };
    assert_eq!(build(100), Ok(()));
    assert_eq!(build(101), Err(ConfigError::HoldPercentTooLarge));
}

//! The lives of witnesses: what one life may be, and what it comes back from.

mod support;

use clocks::Duration;
use raft_core::error::{ReconfigureError, RestoreError};
use raft_core::{Change, Committed, DropReason, HardState, LogIndex, Recovered, Snapshot, Term};
use support::past::{
    Item, Past, STICKINESS_MICROS, commands, encode_entries, encode_seats, identity, record_header,
};
use support::solo::{Run, Said, ack, append, chunk, hollow};
use support::witnesses::{W, applied, group, kinds, leader, node, two_and_one, witness};
use support::{WINDOW, World, config};

// ----- one life is one or the other -----

#[test]
fn witness_takes_nothing_that_carries_payloads() {
    let mut solo = witness(&[1]).start();
    let before = solo.last();
    let entries = commands(2, &[1]);
    for said in [
        append((1, 1), 1, 1, &entries),
        append((1, 1), 1, 1, &[]),
        chunk((5, 1), b"state", 1),
    ] {
        let outcome = solo.say(1, 1, said);
        assert_eq!(outcome.dropped(), Some(DropReason::IsWitness));
        assert_eq!(outcome.sent, []);
        assert_eq!((solo.last(), solo.commit()), (before, 0));
    }
}

#[test]
fn full_member_takes_nothing_that_lacks_payloads() {
    let configuration = encode_seats(&two_and_one(), STICKINESS_MICROS);
    let mut solo = Past::new(2).members(two_and_one()).log(&[1]).start();
    let before = solo.last();
    for said in [
        hollow((1, 1), 1, 1, &[(1, Run::Entries(1))]),
        hollow((1, 1), 1, 1, &[]),
        Said::HollowChunk {
            last: (5, 1),
            round: 1,
            configuration,
        },
    ] {
        let outcome = solo.say(1, 1, said);
        assert_eq!(outcome.dropped(), Some(DropReason::IsNoWitness));
        assert_eq!(outcome.sent, []);
        assert_eq!((solo.last(), solo.commit()), (before, 0));
    }
    let smuggled = append((1, 1), 2, 1, &[(1, Item::Hollow)]);
    let outcome = solo.say(1, 1, smuggled);
    assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.last(), before);
}

/// A node took hollow entries, its leader died with the change that let it in, and the next one
/// lets it in as a learner: index and term of what it has agree, and would count.
#[test]
fn hollow_entries_are_not_taken_for_real_ones_when_the_change_was_undone() {
    let mut solo = Past::new(4).members(vec![]).start();
    solo.say(1, 1, hollow((0, 0), 0, 1, &[(1, Run::Entries(3))]));
    assert!(solo.raft.is_witness());
    assert_eq!(solo.durable(), 3);
    let outcome = solo.say(2, 2, append((3, 1), 3, 1, &commands(4, &[2])));
    assert_eq!(outcome.dropped(), Some(DropReason::IsWitness));
    assert!(
        outcome
            .to(2)
            .iter()
            .all(|said| !matches!(said, Said::Ack { .. }))
    );
    assert_eq!((solo.last(), solo.commit()), ((3, 1), 0));
    solo.crash();
    assert!(solo.raft.is_witness(), "and it remembers");
    let outcome = solo.say(2, 2, append((3, 1), 3, 1, &commands(4, &[2])));
    assert_eq!(outcome.dropped(), Some(DropReason::IsWitness));
}

/// The same life is let in again: as a witness it goes on, as anything else it never catches up.
#[test]
fn removed_witness_comes_back_as_a_witness_or_as_another_life() {
    let mut world = group();
    let identity = world.identity(3);
    world
        .raft(1)
        .reconfigure(&[Change::Remove(node(3))])
        .unwrap();
    world.run(Duration::from_millis(100));
    world
        .raft(1)
        .reconfigure(&[Change::AddLearner(identity)])
        .unwrap();
    world.propose(b"x");
    world.run(Duration::from_millis(300));
    assert_eq!(world.raft(1).matched(node(3)), Some(LogIndex::ZERO));
    world
        .raft(1)
        .reconfigure(&[Change::Remove(node(3))])
        .unwrap();
    world.run(Duration::from_millis(100));
    world
        .raft(1)
        .reconfigure(&[Change::AddWitness(identity)])
        .unwrap();
    world.run(Duration::from_millis(300));
    assert!(world.raft(3).is_voter() && world.raft(3).is_witness());
    assert_eq!(world.raft(3).last(), world.raft(1).last());
    // Another life of the node learns from nothing on, and is promoted then.
    world
        .raft(1)
        .reconfigure(&[Change::Remove(node(3))])
        .unwrap();
    world.run(Duration::from_millis(100));
    world.crash(3);
    world.hosts.pop();
    world.join(3, config(3), WINDOW);
    world.settle();
    let identity = world.identity(3);
    world
        .raft(1)
        .reconfigure(&[Change::AddLearner(identity)])
        .unwrap();
    world.run(Duration::from_millis(100));
    world
        .raft(1)
        .reconfigure(&[Change::Promote(node(3))])
        .unwrap();
    world.run(Duration::from_millis(100));
    assert!(world.raft(3).is_voter() && !world.raft(3).is_witness());
    assert_eq!(applied(&mut world, 3), [b"x".to_vec()]);
}

#[test]
fn witness_is_not_promoted() {
    let mut solo = leader();
    let before = solo.raft.clone();
    for (change, error) in [
        (Change::Promote(node(3)), ReconfigureError::Witness(node(3))),
        (
            Change::AddLearner(identity(3)),
            ReconfigureError::AlreadyMember(node(3)),
        ),
        (
            Change::AddWitness(identity(2)),
            ReconfigureError::AlreadyMember(node(2)),
        ),
    ] {
        assert_eq!(solo.raft.reconfigure(&[change]), Err(error));
        assert_eq!(solo.raft, before);
    }
}

// ----- restart, compaction, snapshots -----

#[test]
fn witness_comes_back_from_its_records() {
    let mut world = group();
    world.propose(b"x");
    world.run(Duration::from_millis(100));
    let (last, kinds_before) = (world.raft(3).last(), kinds(&mut world, 3));
    world.crash(3);
    world.restart(3);
    assert!(world.raft(3).is_witness());
    assert_eq!(world.raft(3).last(), last);
    assert_eq!(kinds(&mut world, 3), kinds_before);
    world.crash(2);
    world.propose(b"y");
    world.run(Duration::from_millis(200));
    assert_eq!(applied(&mut world, 1).len(), 2);
}

#[test]
fn records_that_mix_the_two_are_damaged() {
    let record = |is_witness: bool, after: u64, beginning: bool, items: &[(u32, Item)]| {
        let entries = encode_entries(items);
        let configuration = encode_seats(&two_and_one(), STICKINESS_MICROS);
        let hard = HardState {
            term: Term::new(1),
            vote: None,
        };
        let beginning =
            beginning.then_some((Snapshot::default(), configuration.len() as u16, is_witness));
        let header = record_header(identity(3), hard, 0, beginning, after, entries.len());
        let configuration = if beginning.is_some() {
            configuration
        } else {
            Vec::new()
        };
        [header, configuration, entries].concat()
    };
    let (hollow, real) = ([(1, Item::Hollow)], commands(1, &[1]));
    let noop = [(1, Item::NoOp)];
    for (records, is_sound) in [
        (vec![record(true, 0, true, &hollow)], true),
        (vec![record(false, 0, true, &real)], true),
        (vec![record(false, 0, true, &hollow)], false),
        (vec![record(true, 0, true, &real)], false),
        (vec![record(true, 0, true, &noop)], false),
        (
            vec![
                record(true, 0, true, &hollow),
                record(true, 1, false, &real),
            ],
            false,
        ),
        (
            vec![
                record(false, 0, true, &real),
                record(false, 1, false, &hollow),
            ],
            false,
        ),
        (
            vec![
                record(true, 0, true, &hollow),
                record(false, 0, true, &real),
            ],
            false,
        ),
        (
            vec![
                record(false, 0, true, &real),
                record(true, 0, true, &hollow),
            ],
            false,
        ),
    ] {
        let mut recovered = Recovered::<_, 5>::new(vec![0; WINDOW]).unwrap();
        let done = records
            .iter()
            .try_for_each(|record| recovered.replay(record));
        let expected = if is_sound {
            Ok(())
        } else {
            Err(RestoreError::DamagedRecord)
        };
        assert_eq!(done, expected);
    }
}

/// The driver of a witness compacts like any other, and there is nothing to keep for it.
#[test]
fn witness_compacts_without_a_snapshot() {
    let mut world = group();
    for byte in 0..20 {
        world.propose(&[byte]);
    }
    world.run(Duration::from_millis(100));
    let delivered = world.raft(3).delivered();
    world.raft(3).compact(delivered, 99, 7).unwrap();
    world.settle();
    let snapshot = world.raft(3).snapshot();
    assert_eq!((snapshot.size, snapshot.checksum), (0, 0));
    assert_eq!(snapshot.last.index, delivered);
    world.crash(3);
    world.restart(3);
    assert!(world.raft(3).is_witness());
    assert_eq!(world.raft(3).base().index, delivered);
    assert_eq!(world.raft(3).poll_committed(), None::<Committed<'_>>);
    world.crash(2);
    world.propose(b"y");
    world.run(Duration::from_millis(200));
    assert_eq!(applied(&mut world, 1).len(), 21);
}

#[test]
fn witness_that_lags_behind_a_compaction_needs_one_frame() {
    let mut world = group();
    world.isolate(3);
    for byte in 0..20 {
        world.propose(&[byte; 100]);
    }
    world.run(Duration::from_millis(100));
    world.compact(1);
    world.settle();
    world.heal();
    world.run(Duration::from_millis(100));
    assert_eq!(world.raft(3).last(), world.raft(1).last());
    assert_eq!(world.raft(3).base(), world.raft(1).base());
    assert_eq!(world.raft(3).snapshot().size, 0);
    assert_eq!(world.raft(3).members().count(), 3);
    assert_eq!(applied(&mut world, 3), Vec::<Vec<u8>>::new());
    let seat = world
        .raft(3)
        .members()
        .find(|seat| seat.identity.node == node(3));
    assert_eq!(seat.map(|seat| seat.standing), Some(W));
}

/// A window that holds hundreds of hollow entries could not hold a handful of the real ones.
#[test]
fn witness_with_a_small_window_follows_a_leader_with_a_large_one() {
    let mut world = World::group(2);
    world.join(3, config(3), 2048);
    world.settle();
    let identity = world.identity(3);
    world
        .raft(1)
        .reconfigure(&[Change::AddWitness(identity)])
        .unwrap();
    world.settle();
    world.isolate(2);
    for round in 0..40 {
        world.propose(&[7; 1000]);
        world.run(Duration::from_millis(5));
        world.compact_if_possible(1);
        if round % 10 == 9 {
            world.compact_if_possible(3);
        }
    }
    world.run(Duration::from_millis(100));
    assert_eq!(applied(&mut world, 1).len(), 40);
}

#[test]
fn room_that_a_witness_lacks_is_not_filled() {
    let mut solo = leader();
    solo.room = 20;
    let (last, term) = (solo.last(), solo.term());
    solo.say(3, term, ack(last.0, 1));
    for _ in 0..10 {
        solo.raft.propose(&[7; 30]).unwrap();
    }
    let sent = solo.drain().to(3);
    assert_eq!(sent, [hollow(last, last.0, 1, &[(term, Run::Entries(2))])]);
}

//! Witnesses: members that vote and count, and keep of the log index and term alone.

mod support;

use clocks::Duration;
use raft_core::error::{CampaignError, ReadError, ReconfigureError, TransferError};
use raft_core::{
    Change, DropReason, EntryKind, LogIndex, ReadFailure, ReadOutcome, Role, Standing,
};
use support::Frame;
use support::past::{Item, Past, identity, seats};
use support::solo::{Run, Said, ack, append, hollow};
use support::witnesses::{V, W, applied, group, kinds, leader, node, witness};

// ----- what it is for -----

#[test]
fn leader_and_witness_commit_while_the_other_member_is_away() {
    let mut world = group();
    world.isolate(2);
    let id = world.propose(b"one copy");
    world.run(Duration::from_millis(100));
    assert!(world.raft(1).commit() >= id.index);
    assert_eq!(applied(&mut world, 1), [b"one copy".to_vec()]);
    world.heal();
    world.run(Duration::from_millis(100));
    assert_eq!(applied(&mut world, 2), [b"one copy".to_vec()]);
}

#[test]
fn level_group_survives_the_loss_of_either_full_member() {
    for lost in [1, 2] {
        let mut world = group();
        world.propose(b"before");
        world.run(Duration::from_millis(100));
        world.crash(lost);
        world.run(Duration::from_millis(1000));
        let other = 3 - lost;
        assert_eq!(world.leader(), Some(other));
        world.propose(b"after");
        world.run(Duration::from_millis(100));
        let expected = [b"before".to_vec(), b"after".to_vec()];
        assert_eq!(applied(&mut world, other), expected);
    }
}

/// The group stands still rather than forget what only the lost leader and the witness had.
#[test]
fn follower_that_lagged_is_not_elected_by_a_witness_that_knows_more() {
    let mut world = group();
    world.isolate(2);
    world.propose(b"one copy");
    world.run(Duration::from_millis(100));
    world.crash(1);
    world.heal();
    world.run(Duration::from_millis(3000));
    assert_eq!(world.leader(), None);
    world.restart(1);
    world.run(Duration::from_millis(1000));
    assert!(world.leader().is_some());
    for id in [1, 2] {
        assert_eq!(applied(&mut world, id), [b"one copy".to_vec()], "node {id}");
    }
}

// ----- what it keeps, and what it never does -----

#[test]
fn witness_keeps_configurations_whole_and_nothing_else() {
    let mut world = group();
    world.propose(b"a payload that would be noticed");
    world.run(Duration::from_millis(100));
    let full = kinds(&mut world, 1);
    assert!(full.contains(&EntryKind::Command));
    let as_hollow = |kind: &EntryKind| match kind {
        EntryKind::Configuration => EntryKind::Configuration,
        _ => EntryKind::Hollow,
    };
    let expected: Vec<_> = full.iter().map(as_hollow).collect();
    assert_eq!(kinds(&mut world, 3), expected);
    let stored = world.host(3).journal.concat();
    let is_there = stored.windows(9).any(|bytes| bytes == b"a payload");
    assert!(!is_there, "no payload reaches its medium");
    assert_eq!(world.raft(3).commit(), world.raft(1).commit());
    assert_eq!(world.raft(3).delivered(), world.raft(1).delivered());
    assert_eq!(applied(&mut world, 3), Vec::<Vec<u8>>::new());
}

#[test]
fn thousand_entries_take_as_many_bytes_of_a_frame_as_one() {
    let mut solo = leader();
    let (last, term) = (solo.last(), solo.term());
    for _ in 0..100 {
        solo.raft.propose(&[7; 30]).unwrap();
    }
    let sent = solo.drain().to(3);
    assert_eq!(
        sent,
        [hollow(last, last.0, 1, &[(term, Run::Entries(100))])]
    );
}

#[test]
fn payload_never_goes_to_a_witness_and_a_hollow_entry_never_to_another() {
    let mut world = group();
    let mut hollow_frames = 0;
    let mut look = |frame: &Frame| {
        let message = frame.message();
        match message.body {
            raft_core::Body::Append(_) => assert_ne!(frame.to, 3),
            raft_core::Body::Hollow(_) => {
                assert_eq!(frame.to, 3);
                hollow_frames += 1;
            }
            _ => {}
        }
    };
    for round in 0..50_u8 {
        if round % 5 == 0 {
            world.propose(&[round]);
        }
        if round == 20 {
            world.compact(1);
        }
        world.now = world.now.saturating_add(Duration::from_millis(10));
        let now = world.now;
        for id in world.ids() {
            world.raft(id).handle_timeout(now).unwrap();
            world.drain(id);
        }
        while let Some(frame) = world.wire.pop_front() {
            look(&frame);
            world.deliver(&frame);
            world.drain(frame.to);
        }
    }
    assert!(hollow_frames > 10);
}

/// The leader's write was still under way when it crashed, and the witness refused its vote to
/// everybody for ever: nobody had the entry that it knew of.
#[test]
fn witness_is_told_of_nothing_that_its_leader_could_forget() {
    let mut solo = leader();
    let (last, term) = (solo.last(), solo.term());
    solo.raft.propose(b"x").unwrap();
    let sent = solo.sends();
    let is_told = |sent: &[(u64, u32, Said)]| {
        let mut said = sent.iter().filter(|(to, _, _)| *to == 3);
        said.any(|(_, _, said)| matches!(said, Said::Hollow { runs, .. } if !runs.is_empty()))
    };
    let others = sent.iter().filter(|(to, _, _)| *to == 2).count();
    assert_eq!(others, 1, "another member is told at once");
    assert!(!is_told(&sent));
    solo.store();
    let expected = hollow(last, last.0, 1, &[(term, Run::Entries(1))]);
    assert_eq!(solo.sends(), [(3, term, expected)]);
}

/// A read that was asked for before the node knew that it is to be a witness would be answered
/// from an empty state once the index is delivered: found by simulation.
#[test]
fn read_of_a_node_that_becomes_a_witness_fails() {
    for is_confirmed in [false, true] {
        let mut solo = Past::new(4).members(vec![]).start();
        solo.say(1, 1, hollow((0, 0), 0, 1, &[]));
        let _ticket = solo.raft.read(solo.now).expect("nothing is known yet");
        let asked = solo.drain().to(1).into_iter().find_map(|said| match said {
            Said::ReadRequest { nonce, number } => Some((nonce, number)),
            _ => None,
        });
        let (nonce, number) = asked.expect("it asks the leader");
        if is_confirmed {
            let index = 2;
            solo.say(
                1,
                1,
                Said::ReadReply {
                    nonce,
                    number,
                    index,
                },
            );
        }
        solo.say(1, 1, hollow((0, 0), 3, 2, &[(1, Run::Entries(3))]));
        assert!(solo.raft.is_witness());
        let ended = solo.ended();
        assert!(
            matches!(
                ended[..],
                [ReadOutcome::Failed {
                    reason: ReadFailure::Witness,
                    ..
                }]
            ),
            "{ended:?}"
        );
    }
}

#[test]
fn witness_does_not_stand_whatever_happens() {
    let mut solo = witness(&[1, 1]).start();
    assert_eq!(solo.raft.campaign(solo.now), Err(CampaignError::Witness));
    solo.tick(10_000);
    assert_eq!(solo.raft.poll_timeout(), None, "it waits for no election");
    assert_eq!(solo.raft.role(), Role::Follower);
    let round = hollow((2, 1), 2, 1, &[]);
    solo.say(1, 1, round);
    let outcome = solo.say(1, 1, Said::TimeoutNow);
    assert_eq!(outcome.dropped(), Some(DropReason::IsWitness));
    assert_eq!(outcome.sent, []);
    assert_eq!(solo.raft.role(), Role::Follower);
}

#[test]
fn witness_votes_by_index_and_term() {
    for (last, granted) in [((1, 1), false), ((2, 1), true), ((1, 2), true)] {
        let mut solo = witness(&[1, 1]).start();
        let outcome = solo.say(2, 3, Said::Vote { last });
        let expected = [(2, 3, Said::VoteReply(granted))];
        assert_eq!(outcome.sent, expected, "for {last:?}");
    }
}

#[test]
fn witness_refuses_reads_and_a_leader_does_not_hand_over_to_it() {
    let mut solo = witness(&[1]).start();
    solo.say(1, 1, hollow((1, 1), 1, 1, &[]));
    assert_eq!(solo.raft.read(solo.now).err(), Some(ReadError::Witness));
    let mut solo = leader();
    let before = solo.raft.clone();
    let refused = solo.raft.transfer(solo.now, node(3));
    assert_eq!(refused, Err(TransferError::Witness(node(3))));
    assert_eq!(solo.raft, before);
}

// ----- how many -----

/// Of the voters at most half can be witnesses: then every majority holds a payload.
#[test]
fn witnesses_alone_are_never_a_majority() {
    let full = |count: u64| (1..=count).map(|id| (id, V));
    for (voters, added, is_sound) in [
        (1, 1, true),
        (1, 2, false),
        (2, 1, true),
        (2, 2, true),
        (2, 3, false),
        (3, 2, true),
    ] {
        let members: Vec<_> = full(voters).collect();
        let mut solo = Past::new(1).members(seats(&members)).log(&[1]).establish();
        let ids = voters + 1..=voters + added;
        let changes: Vec<_> = ids.map(|id| Change::AddWitness(identity(id))).collect();
        let done = solo.raft.reconfigure(&changes);
        let expected = if is_sound {
            None
        } else {
            Some(ReconfigureError::WitnessQuorum)
        };
        assert_eq!(done.err(), expected, "{voters} and {added}");
    }
    let mut solo = leader();
    let removed = solo
        .raft
        .reconfigure(&[Change::Remove(node(1)), Change::Remove(node(2))]);
    assert_eq!(removed, Err(ReconfigureError::WitnessQuorum));
}

/// Nobody takes such a configuration from a peer or a medium either, whichever set it is.
#[test]
fn configuration_in_which_witnesses_are_a_majority_is_malformed() {
    let incoming = Standing::IncomingWitness;
    let outgoing = Standing::OutgoingWitness;
    for members in [
        seats(&[(1, V), (2, W), (3, W)]),
        seats(&[(1, V), (2, incoming), (3, incoming)]),
        seats(&[(1, V), (2, outgoing), (3, outgoing)]),
        seats(&[(3, W)]),
    ] {
        let mut solo = Past::new(2).log(&[1]).start();
        let outcome = solo.say(1, 1, append((1, 1), 1, 1, &[(1, Item::Seats(members))]));
        assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
        assert_eq!(solo.last(), (1, 1));
    }
}

/// Both majorities of a joint configuration count the witness that comes or goes.
#[test]
fn joint_configuration_counts_the_witness_that_joins() {
    let mut solo = Past::new(1).voters(&[1, 2]).log(&[1]).establish();
    let before = solo.last().0;
    let added = solo.raft.reconfigure(&[Change::AddWitness(identity(3))]);
    assert_eq!(added.unwrap().index.value(), before + 1);
    solo.drain();
    assert!(solo.raft.is_joint());
    let standings: Vec<_> = solo.raft.members().map(|seat| seat.standing).collect();
    assert_eq!(standings, [V, V, Standing::IncomingWitness]);
    let term = solo.term();
    solo.say(3, term, ack(before + 1, 1));
    assert!(solo.raft.is_joint(), "of {{1, 2}} one is no majority");
    solo.say(2, term, ack(before + 1, 1));
    assert!(!solo.raft.is_joint());
    let standings: Vec<_> = solo.raft.members().map(|seat| seat.standing).collect();
    assert_eq!(standings, [V, V, W]);
}

#[test]
fn joint_configuration_lets_the_witness_go() {
    let mut world = group();
    world
        .raft(1)
        .reconfigure(&[Change::Remove(node(3))])
        .unwrap();
    assert!(world.raft(1).is_joint());
    world.run(Duration::from_millis(100));
    assert_eq!(world.raft(1).members().count(), 2);
    world.run(Duration::from_millis(3000));
    assert!(world.leader().is_some());
}

// ----- hostile -----

/// A run may claim more entries than there is room for in the world: the work is that of the
/// window, and what does not fit is not verified.
#[test]
fn run_of_a_quarter_of_a_billion_entries_costs_no_more_than_the_window() {
    let mut solo = witness(&[1]).window(2048).start();
    let runs = vec![(1, Run::Entries((1 << 28) - 1)); 1000];
    let started = std::time::Instant::now();
    let outcome = solo.say(1, 1, hollow((1, 1), u64::MAX, 1, &runs));
    assert!(started.elapsed().as_secs() < 5);
    assert!(solo.last().0 < 2048 / 8);
    assert_eq!(solo.commit(), solo.last().0);
    assert!(matches!(outcome.to(1)[..], [Said::Ack { verified, .. }] if verified == solo.last().0));
    // From far below what is compacted.
    let last = LogIndex::new(solo.last().0);
    solo.raft.compact(last, 0, 0).unwrap();
    solo.drain();
    let started = std::time::Instant::now();
    solo.say(1, 1, hollow((0, 0), 0, 2, &runs));
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn runs_that_contradict_themselves_are_dropped() {
    for runs in [
        vec![(2, Run::Entries(1))],
        vec![(0, Run::Entries(1))],
        vec![(1, Run::Entries(0))],
        vec![(1, Run::Seats(vec![]))],
    ] {
        let mut solo = witness(&[1]).start();
        let outcome = solo.say(1, 1, hollow((1, 1), 9, 1, &runs));
        assert_eq!(outcome.dropped(), Some(DropReason::Malformed), "{runs:?}");
        assert_eq!((solo.last(), solo.commit()), ((1, 1), 1));
    }
    let mut solo = witness(&[1, 1]).commit(2).start();
    let outcome = solo.say(1, 2, hollow((1, 1), 0, 1, &[(2, Run::Entries(1))]));
    assert_eq!(outcome.dropped(), Some(DropReason::ConflictBelowCommit));
    assert_eq!(solo.terms(), [1, 1]);
}

#[test]
fn conflicting_suffix_gives_way_on_a_witness_too() {
    let mut solo = witness(&[1, 1, 1]).commit(1).start();
    solo.say(
        1,
        3,
        hollow((1, 1), 1, 1, &[(2, Run::Entries(1)), (3, Run::Entries(2))]),
    );
    assert_eq!(solo.terms(), [1, 2, 3, 3]);
    let outcome = solo.say(1, 3, hollow((9, 3), 1, 2, &[]));
    let Some(Said::Ack { reject, .. }) = outcome.to(1).pop() else {
        panic!("it answers");
    };
    assert_eq!(reject, Some((9, (4, 3))));
}

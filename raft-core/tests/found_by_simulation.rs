//! Bugs that the simulator found, each reduced to the few steps that matter.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Body, Change, EntryKind, Event, LogIndex, Role, Standing};
use support::past::{Item, Past, commands, seats, voters};
use support::solo::{Said, Solo, ack, append};
use support::{Frame, WINDOW, World, config};

#[test]
fn entries_that_are_here_already_do_not_start_the_clock_on_the_disk() {
    let mut world = World::group(3);
    world.propose(b"once");
    world.transmit(1);
    let again: Vec<_> = world.wire.iter().cloned().collect();
    world.settle();
    for frame in again.iter().filter(|frame| frame.is_append()) {
        world.deliver(frame);
        world.settle();
    }
    world.run(Duration::from_millis(1500));
    for id in 1..=3 {
        let stalled = world.host(id).events.contains(&Event::DiskStalled);
        assert!(!stalled, "node {id} has nothing to write");
    }
}

/// A member that joined had no configuration before the entry that let it in, so that a snapshot
/// from before that entry named nobody, and every receiver refused it.
#[test]
fn whoever_joins_knows_the_configuration_from_the_first_entry_on() {
    let mut world = World::group(3);
    let first = LogIndex::new(1);
    for id in 1..=3 {
        let kind = world.raft(id).entry(first).map(|entry| entry.kind);
        assert_eq!(kind, Some(EntryKind::Configuration), "node {id}");
        world.raft(id).compact(first, 0, 0).expect("compacts");
        world.settle();
    }
    world.join(4, config(4), WINDOW);
    world.settle();
    // A member that joined leads, and its snapshot ends before the entry that let it in.
    world.crash(1);
    world.run(Duration::from_millis(600));
    let leader = world.leader().expect("somebody leads");
    let identity = world.identity(4);
    let added = world
        .raft(leader)
        .reconfigure(&[Change::AddLearner(identity)]);
    let let_in = added.expect("added").index;
    world.run(Duration::from_millis(200));
    assert!(world.raft(4).delivered() >= let_in);
    assert_eq!(world.raft(4).members().count(), 4);
}

/// Lets time pass until a piece of a snapshot is on its way to `to`, and takes it.
fn next_chunk(world: &mut World, to: u64) -> Frame {
    for _ in 0..1000 {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        let now = world.now;
        world.raft(1).handle_timeout(now).expect("no fault");
        world.drain(1);
        while let Some(frame) = world.wire.pop_front() {
            if frame.to == to && matches!(frame.message().body, Body::Chunk(_)) {
                world.wire.clear();
                return frame;
            }
            world.deliver(&frame);
            for id in 1..=3 {
                world.drain(id);
            }
        }
    }
    panic!("no piece of a snapshot was sent");
}

/// A piece whose storing ends when its receiver stands for election: the votes so far are counted
/// by place in the member table, which the snapshot replaces.
#[test]
fn a_snapshot_that_is_stored_during_a_campaign_ends_the_campaign() {
    let mut world = World::group(3);
    world.isolate(3);
    world.propose(b"missed");
    world.settle();
    world.compact(1);
    world.heal();
    let chunk = next_chunk(&mut world, 3);
    let now = world.now;
    let piece = world
        .raft(3)
        .handle_message(now, NodeId::new(1), chunk.message());
    let piece = piece.expect("no fault").expect("to be stored");
    world.host(3).snapshot = piece.data().to_vec();
    let receipt = piece.into_receipt();
    let later = now.saturating_add(Duration::from_millis(100));
    world.raft(3).campaign(later).expect("no fault");
    assert_eq!(world.role(3), Role::PreCandidate);
    world
        .raft(3)
        .handle_stored(later, receipt)
        .expect("no fault");
    assert_eq!(world.role(3), Role::Follower);
    assert!(world.raft(3).base().index > LogIndex::ZERO);
    world.run(Duration::from_millis(600));
    let expected = world.host(1).applied.clone();
    assert_eq!(world.host(3).applied, expected);
}

/// The leader sends no more than there is room for, so a follower never had to refuse an entry,
/// and its driver was never told to compact.
#[test]
fn a_follower_whose_window_is_full_says_so() {
    // Large entries leave some bytes, small ones use up the places.
    for payload in [&[7; 100][..], &[]] {
        let mut world = World::founded();
        world.join(2, config(2), 3072);
        world.settle();
        let identity = world.identity(2);
        let added = world.raft(1).reconfigure(&[Change::AddVoter(identity)]);
        added.expect("added");
        world.settle();
        while world.raft(2).last() == world.raft(1).last() {
            world.propose(payload);
            world.settle();
        }
        world.host(2).events.clear();
        world.run(Duration::from_millis(100));
        assert!(world.host(2).events.contains(&Event::WindowFull));
        world.compact(2);
        world.run(Duration::from_millis(200));
        assert_eq!(world.raft(2).last(), world.raft(1).last());
        assert_eq!(world.raft(1).commit(), world.raft(1).last().index);
    }
}

/// Of many appends under way the first is lost, so that each of the others is refused. A refusal
/// also says what is verified, and that alone restarted the whole flow: each second refusal sent
/// everything again.
#[test]
fn one_lost_append_does_not_send_everything_again_and_again() {
    let mut world = World::group(2);
    for number in 0..12 {
        world.propose(&[number; 1000]);
        world.transmit(1);
    }
    let lost = world.wire.pop_front().expect("sent");
    assert!(lost.is_append());
    let mut appends = 0;
    loop {
        world.drain(1);
        world.drain(2);
        let Some(frame) = world.wire.pop_front() else {
            break;
        };
        appends += u32::from(frame.is_append());
        world.deliver(&frame);
    }
    assert_eq!(world.raft(2).last(), world.raft(1).last());
    // Those under way, and what they carried about twice more, four entries to a frame; it was 38.
    assert!(appends <= 20, "{appends} appends");
}

/// A leader that was removed, and let in again before it had left, left all the same: found by the
/// reference model, which knows no reason for a voter to give its office up.
#[test]
fn a_leader_that_is_let_in_again_stays() {
    let mut solo = Past::new(1).voters(&[1, 2, 3]).establish();
    let both = |solo: &mut Solo, verified, round| {
        for id in [2, 3] {
            solo.say(id, 1, ack(verified, round));
        }
        solo.drain();
    };
    let remove = Change::Remove(NodeId::new(1));
    solo.raft.reconfigure(&[remove]).expect("begins");
    solo.drain();
    both(&mut solo, 2, 1);
    both(&mut solo, 3, 1);
    assert!(
        solo.raft.is_leader() && !solo.raft.is_voter(),
        "it is leaving"
    );
    let identity = solo.raft.identity();
    let again = Change::AddVoter(identity);
    solo.raft.reconfigure(&[again]).expect("let in again");
    solo.drain();
    both(&mut solo, 4, 1);
    solo.tick(20);
    solo.drain();
    both(&mut solo, 5, 3);
    assert!(solo.raft.is_leader() && solo.raft.is_voter());
    assert_eq!(solo.commit(), 5);
}

/// The election timer of a node whose removal was not committed yet went on after it was, so that
/// a node without a vote asked for pre-votes once more: found by the reference model.
#[test]
fn a_timer_from_before_the_removal_does_not_make_a_candidate() {
    let leaving = [
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Outgoing),
    ];
    let log = [
        (1, Item::Seats(seats(&leaving))),
        (1, Item::Seats(voters(&[1, 2]))),
    ];
    let mut solo = Past::new(3).items(&log).commit(1).start();
    solo.say(1, 1, append((2, 1), 2, 1, &[]));
    solo.drain();
    assert_eq!(solo.commit(), 2);
    solo.tick(5000);
    assert!(solo.drain().is_silent());
    assert_eq!(solo.raft.role(), Role::Follower);
}

/// A command is not told the time. The clock on the medium started with the last time seen, so
/// that a group of one which had slept for longer than its medium may take lost its leader with
/// the next command.
#[test]
fn a_command_after_a_long_sleep_does_not_blame_the_medium() {
    let millis = |millis: u64| clocks::Instant::from_micros(millis * 1000);
    let config = raft_core::Config::builder(quorum::NodeId::new(1))
        .persist_timeout(clocks::Duration::from_millis(100))
        .build()
        .expect("sound");
    let mut raft =
        raft_core::Raft::<_, 3>::found(config, vec![0; 4096], 7, millis(0)).expect("room");
    while !raft.is_leader() || raft.commit() < raft.last().index {
        raft.handle_timeout(millis(0)).expect("sound");
        if let Some(write) = raft.poll_persist() {
            let ticket = write.into_ticket();
            raft.handle_persisted(millis(0), ticket)
                .expect("own ticket");
        }
    }
    raft.propose(b"after a long sleep")
        .expect("a leader with room");
    raft.handle_timeout(millis(150)).expect("sound");
    assert!(raft.is_leader(), "the medium has had no time yet");
    raft.handle_timeout(millis(251)).expect("sound");
    assert!(!raft.is_leader(), "the medium has had more than its 100 ms");
}

/// The attempts of each start had the same numbers, so that an answer to what was asked before a
/// crash counted for what was asked after it.
#[test]
fn pre_vote_of_an_earlier_start_counted() {
    let mut solo = Past::new(1).term(3).log(&[1, 3]).restart();
    let before = solo.stand();
    solo.crash();
    solo.pass(1);
    let after = solo.stand();
    let granted = |attempt| Said::PreVoteReply {
        attempt,
        granted: true,
    };
    for peer in [2, 3] {
        solo.say(peer, 3, granted(before));
    }
    assert_eq!(solo.raft.role(), Role::PreCandidate);
    solo.say(2, 3, granted(after));
    assert_eq!(solo.raft.role(), Role::Candidate);
}

/// A stranger that had asked and then became a member was owed an answer in either place: one that helped, from before it
/// asked again, and one that refused.
#[test]
fn stranger_that_became_a_member_was_answered_twice() {
    let mut solo = Past::new(2).term(1).start();
    let ask = Said::PreVote {
        last: (9, 1),
        attempt: 6,
    };
    solo.hear(4, 1, &ask);
    let with_4 = (1, Item::Seats(voters(&[1, 2, 3, 4])));
    solo.hear(1, 1, &append((0, 0), 0, 1, &[with_4]));
    solo.hear(4, 1, &ask);
    let refused = Said::PreVoteReply {
        attempt: 6,
        granted: false,
    };
    assert_eq!(solo.drain().to(4), [refused]);
}

/// A limit of Raft rather than a bug. Node 4 led term 2, gave its entry to the learner, and does not
/// come back. Node 2 was told to make the learner a voter, so it needs that vote, and the learner refuses it for its newer
/// log; node 3 needs node 2, whose log is longer; the learner itself does not stand.
#[test]
fn learner_with_the_newest_log_is_needed_by_who_knows_it_as_a_voter() {
    let standings = |first| {
        seats(&[
            (1, first),
            (2, Standing::Voter),
            (3, Standing::Voter),
            (4, Standing::Voter),
        ])
    };
    let learner = standings(Standing::Learner);
    let known = || commands(1, &[1]);
    let promoted = [
        known(),
        vec![(1, Item::Seats(standings(Standing::Incoming)))],
    ]
    .concat();
    let later = [known(), vec![(2, Item::NoOp)]].concat();
    let past = |id, log: &[(u32, Item)]| Past::new(id).members(learner.clone()).items(log);
    let mut world = World::of(&[
        past(1, &later),
        past(2, &promoted).term(2),
        past(3, &known()).term(2),
        past(4, &later),
    ]);
    for other in 1..=3 {
        world.cut.extend([(4, other), (other, 4)]);
    }
    world.run(Duration::from_millis(5000));
    assert_eq!(world.leader(), None);
    world.cut.clear();
    world.run(Duration::from_millis(1000));
    assert!(world.leader().is_some(), "one more and all is well");
}

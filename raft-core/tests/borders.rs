//! Borders: what the rules do at the last value that is allowed and at the first that is not, and
//! what tells apart two causes of the same thing. Each was once a line that could be changed
//! without any test noticing (docs/mutants.md).

mod support;

use clocks::Instant;
use quorum::NodeId;
use raft_core::error::{ReconfigureError, RestoreError};
use raft_core::{
    Append, Body, Change, DropReason, Entries, Event, GroupId, Incarnation, LogIndex, Message,
    RECORD_HEADER_BYTES_MAX, Raft, Recovered, Role, Round, Standing, Term, wire,
};
use support::past::{GROUP, Item, Past, commands, encode_entries, encode_seats, seats, voters};
use support::said::entry_id;
use support::solo::{Said, Solo, ack, append};

/// The voters {1, 2, 3} and these learners.
fn three_and(learners: &[u64]) -> Vec<raft_core::Seat> {
    let voters = (1..=3).map(|id| (id, Standing::Voter));
    let learners = learners.iter().map(|id| (*id, Standing::Learner));
    seats(&voters.chain(learners).collect::<Vec<_>>())
}

/// A follower of which this room is left is not sent more, what is under way counted.
#[test]
fn entries_under_way_take_up_the_room_of_a_follower() {
    let mut solo = Past::new(1).establish();
    let entry = encode_entries(&[(1, Item::Command(vec![7; 60]))]).len() as u32;
    solo.room = 2 * entry;
    let last = solo.last().0;
    solo.say(2, 1, ack(last, 1));
    let sent = |outcome: support::solo::Outcome| {
        let entries = outcome.to(2).into_iter().filter_map(|said| match said {
            Said::Append { entries, .. } => Some(entries.len()),
            _ => None,
        });
        entries.sum::<usize>()
    };
    for (number, expected) in [(1, 1), (2, 1), (3, 0)] {
        solo.raft.propose(&[7; 60]).unwrap();
        let outcome = solo.drain();
        assert_eq!(sent(outcome), expected, "entry {number}");
    }
    // The first is there, and the room is what was left behind it. The second is under way.
    let round = 1;
    solo.room = entry;
    let outcome = solo.say(2, 1, ack(last + 1, round));
    assert_eq!(sent(outcome), 0);
    solo.room = 2 * entry;
    let outcome = solo.say(2, 1, ack(last + 1, round));
    assert_eq!(sent(outcome), 1);
}

/// The entries of a write are the same in both forms, and its `Debug` says what it is.
#[test]
fn a_write_says_the_same_in_every_form() {
    let mut solo = Past::new(2).term(1).start();
    let entries = commands(1, &[1, 1, 1]);
    solo.hear(1, 1, &append((0, 0), 0, 1, &entries));
    let write = solo.raft.poll_persist().expect("there is something");
    assert_eq!(
        write.encoded_entries().slices().concat(),
        encode_entries(&entries)
    );
    assert_eq!(write.entries().count(), 3);
    let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
    assert!(
        write
            .record(&mut scratch)
            .concat()
            .ends_with(&encode_entries(&entries))
    );
    let text = format!("{write:?}");
    assert!(text.contains("after") && text.contains("last"), "{text}");
}

/// A pre-vote is granted in the term of whoever grants it: a later one is no reason to enter it.
#[test]
fn granted_pre_vote_of_a_later_term_is_not_entered() {
    let mut solo = Past::new(2).term(1).start();
    let said = |granted| Said::PreVoteReply {
        attempt: 1,
        granted,
    };
    solo.say(3, 5, said(true));
    assert_eq!(solo.term(), 1);
    solo.say(3, 5, said(false));
    assert_eq!(solo.term(), 5, "a refusal teaches the term");
}

/// After a restart, too, a learner does not stand because others voted in the configuration before.
#[test]
fn learner_did_not_vote_in_the_configuration_before() {
    let past = Past::new(4).members(three_and(&[4]));
    let mut solo = past.items(&[(1, Item::Seats(three_and(&[4, 5])))]).start();
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(solo.raft.role(), Role::Follower);
    assert!(solo.drain().sent.is_empty());
    // Whoever voted there does: it is what the configuration before is asked for.
    let gone = seats(&[(1, Standing::Voter), (2, Standing::Voter)]);
    let mut solo = Past::new(3).items(&[(1, Item::Seats(gone))]).start();
    solo.stand();
}

/// An entry that is said to hold a configuration, and holds nothing.
#[test]
fn configuration_of_no_bytes_is_malformed() {
    let mut solo = Past::new(2).term(1).start();
    let mut bytes = 1_u32.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(2_u32 << 28).to_le_bytes());
    let message = Message {
        group: GroupId::new(GROUP),
        incarnation: Incarnation::new(1),
        term: Term::new(1),
        body: Body::Append(Append {
            prev: entry_id((0, 0)),
            commit: LogIndex::ZERO,
            round: Round::new(1),
            entries: Entries::from_bytes(&bytes),
        }),
    };
    solo.take(solo.now, 1, message);
    assert_eq!(solo.drain().dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.last(), (0, 0));
    assert_eq!(solo.raft.members().count(), 3);
}

/// A cut right behind a configuration leaves it in force, and nobody is told that it changed.
#[test]
fn cut_behind_a_configuration_does_not_touch_it() {
    let log = [
        vec![(1, Item::Seats(three_and(&[4])))],
        commands(2, &[1, 1]),
    ];
    let mut solo = Past::new(2).items(&log.concat()).start();
    let outcome = solo.say(3, 2, append((1, 1), 0, 1, &commands(2, &[2])));
    assert_eq!(solo.last(), (2, 2));
    assert!(
        outcome
            .events
            .iter()
            .any(|e| matches!(e, Event::Lost { .. }))
    );
    let changed = |e: &Event| matches!(e, Event::ConfigurationChanged { .. });
    assert!(!outcome.events.iter().any(changed), "{outcome:?}");
    assert_eq!(solo.raft.members().count(), 4);
}

/// A record of which the medium cannot say whether it is whole, and which is.
#[test]
fn whole_record_that_may_be_torn_counts_as_whole() {
    let record = Past::new(1).log(&[1, 1]).record();
    for cut in 0..=record.len() {
        let mut recovered = Recovered::<_, 3>::new(vec![0; 4096]).expect("window");
        let is_whole = cut == record.len();
        assert_eq!(recovered.replay_prefix(&record[..cut]).is_ok(), is_whole);
        assert_eq!(recovered.replay(&record[..cut]).is_ok(), is_whole);
    }
}

/// A type for no members, or for more than a member set holds, is the caller's mistake.
#[test]
fn group_sizes_that_no_set_holds_are_refused() {
    fn new<const N: usize>() -> Result<(), RestoreError> {
        Recovered::<_, N>::new(vec![0; 64 * 1024]).map(drop)
    }
    assert_eq!(new::<0>(), Err(RestoreError::MembersOutOfRange));
    assert_eq!(new::<1>(), Ok(()));
    assert_eq!(new::<64>(), Ok(()));
    assert_eq!(new::<65>(), Err(RestoreError::MembersOutOfRange));
    assert_eq!(new::<66>(), Err(RestoreError::MembersOutOfRange));
}

/// A learner has no vote to give up, so it goes in one step.
#[test]
fn learner_is_removed_in_one_step() {
    let mut solo = Past::new(1).members(three_and(&[4])).establish();
    let before = solo.last().0;
    solo.raft
        .reconfigure(&[Change::Remove(NodeId::new(4))])
        .unwrap();
    assert_eq!(solo.raft.members().count(), 3);
    solo.level();
    assert_eq!(solo.last().0, before + 1);
}

/// The longest configuration that a frame carries beside the headers, and one byte more.
#[test]
fn configuration_that_just_fits_a_frame() {
    let learner = |id| raft_core::Seat {
        identity: raft_core::Identity::new(NodeId::new(u64::MAX - id), Incarnation::new(u32::MAX)),
        standing: Standing::Learner,
    };
    // In the order of their names, as they are encoded.
    let learners: Vec<_> = (0..30).rev().map(learner).collect();
    let changes: Vec<_> = learners
        .iter()
        .map(|seat| Change::AddLearner(seat.identity))
        .collect();
    let reconfigure = |frame| leader_alone(frame).reconfigure(&changes);
    let Err(ReconfigureError::FrameTooSmall { needed }) = reconfigure(300) else {
        panic!("thirty long names in 300 bytes");
    };
    let me = raft_core::Seat {
        identity: leader_alone(300).identity(),
        standing: Standing::Voter,
    };
    let seats = [vec![me], learners].concat();
    let entry = encode_entries(&[(1, Item::Seats(seats))]).len();
    assert_eq!(needed, entry + wire::APPEND_HEADER_BYTES);
    assert!(reconfigure(needed).is_ok());
    let error = ReconfigureError::FrameTooSmall { needed };
    assert_eq!(reconfigure(needed - 1), Err(error));
}

/// A group of one, in a type for many.
fn leader_alone(frame_bytes_max: usize) -> Raft<Vec<u8>, 64> {
    let config = Past::new(1).frame(frame_bytes_max).config();
    let now = Instant::ZERO;
    let mut raft = Raft::found(config, vec![0; 64 * 1024], 1, now).expect("founded");
    raft.handle_timeout(now).expect("alive");
    while let Some(write) = raft.poll_persist() {
        let ticket = write.into_ticket();
        raft.handle_persisted(now, ticket).expect("its own ticket");
    }
    assert!(raft.is_leader());
    raft
}

/// That the window is full is told when compaction would help: not whenever something was not compacted yet, and not when
/// nothing was applied that could go.
#[test]
fn full_window_is_told_when_compaction_would_help() {
    let full = |e: &Event| matches!(e, Event::WindowFull);
    let mut solo = Past::new(2).log(&[1, 1, 1, 1]).start();
    let outcome = solo.say(1, 1, append((4, 1), 4, 1, &[]));
    assert_eq!(outcome.applied.len(), 4);
    let outcome = solo.say(1, 1, append((4, 1), 4, 2, &[]));
    assert!(
        !outcome.events.iter().any(full),
        "there is room: {outcome:?}"
    );

    let mut solo = Past::new(2).window(2048).term(1).start();
    let (mut prev, mut round) = ((0, 0), 1);
    loop {
        solo.say(1, 1, append(prev, 0, round, &[(1, Item::NoOp)]));
        round += 1;
        if solo.last() == prev {
            break;
        }
        prev = solo.last();
    }
    let outcome = solo.say(1, 1, append(prev, 0, round, &[]));
    assert!(
        !outcome.events.iter().any(full),
        "nothing was applied: {outcome:?}"
    );
    solo.say(1, 1, append(prev, 1, round + 1, &[]));
    let outcome = solo.say(1, 1, append(prev, 1, round + 2, &[]));
    assert!(
        outcome.events.iter().any(full),
        "one entry could go: {outcome:?}"
    );
}

/// Where a command finds room that is as long as any configuration, a change of the members finds it.
#[test]
fn change_of_members_needs_the_room_of_its_configuration() {
    let mut solo = Past::new(1).window(2048).establish();
    let change = [Change::AddLearner(support::past::identity(4))];
    let mut checked = 0;
    while solo.clone().raft.propose(&[7; 200]).is_ok() {
        // Room for 200 bytes, hardly for many more.
        if solo.clone().raft.propose(&[7; 400]).is_err() {
            assert!(solo.clone().raft.reconfigure(&change).is_ok());
            checked += 1;
        }
        solo.raft.propose(&[7; 10]).unwrap();
    }
    assert!(checked > 0);
}

/// The last index at which a snapshot may end, and the one after it.
#[test]
fn last_index_of_a_snapshot() {
    for (index, expected) in [
        (u64::MAX / 2, None),
        (u64::MAX / 2 + 1, Some(DropReason::BeyondLog)),
    ] {
        let mut solo = Past::new(2).term(1).start();
        let outcome = solo.say(1, 1, support::solo::chunk((index, 1), b"x", 1));
        assert_eq!(outcome.dropped(), expected, "{index}");
    }
}

/// The same snapshot of another leader waits too while a piece is being stored; its own piece again does not.
#[test]
fn snapshot_of_another_leader_waits_for_the_piece_that_is_being_stored() {
    let mut solo = Past::new(3).start();
    let piece = |offset, data: &[u8]| Said::Chunk {
        last: (9, 1),
        size: 8,
        offset,
        round: 1,
        data: data.to_vec(),
        configuration: encode_seats(&voters(&[1, 2, 3]), 100_000),
    };
    let now = solo.now;
    let offer = |solo: &mut Solo, from, term, said: Said| {
        said.with(from, term, 0, |message| {
            let piece = solo.raft.handle_message(now, NodeId::new(from), message);
            piece.unwrap().map(|piece| piece.into_receipt())
        })
    };
    assert!(offer(&mut solo, 1, 1, piece(0, b"half")).is_some());
    // The driver may have failed to store it: the same piece is offered again.
    assert!(offer(&mut solo, 1, 1, piece(0, b"half")).is_some());
    assert!(offer(&mut solo, 2, 2, piece(0, b"half")).is_none());
}

/// Nor does a snapshot stand for a configuration of no bytes.
#[test]
fn snapshot_with_a_configuration_of_no_bytes_is_malformed() {
    let mut solo = Past::new(2).term(1).start();
    let said = Said::Chunk {
        last: (9, 1),
        size: 1,
        offset: 0,
        round: 1,
        data: b"x".to_vec(),
        configuration: Vec::new(),
    };
    assert_eq!(solo.say(1, 1, said).dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.raft.base().index, LogIndex::ZERO);
}

/// A pre-vote that was answered leaves nothing behind, whoever asked.
#[test]
fn answered_pre_vote_leaves_nothing_behind() {
    for from in [1, 9] {
        let mut solo = Past::new(2).log(&[3]).start();
        // Both have now seen the same time.
        solo.tick(0);
        solo.drain();
        let before = solo.raft.clone();
        let said = Said::PreVote {
            last: (0, 0),
            attempt: 1,
        };
        assert_eq!(solo.say(from, 3, said).sent.len(), 1);
        assert_eq!(solo.raft, before, "asked by {from}");
    }
}

/// A voter is no learner that could be promoted.
#[test]
fn voter_is_not_promoted() {
    let mut solo = Past::new(1).establish();
    let last = solo.last();
    let node = NodeId::new(2);
    assert_eq!(
        solo.raft.reconfigure(&[Change::Promote(node)]),
        Err(ReconfigureError::AlreadyVoter(node))
    );
    assert_eq!(solo.last(), last);
}

/// Members stand in the order of their names, whenever they came.
#[test]
fn members_stand_in_order() {
    let mut solo = Past::new(3).voters(&[3, 5]).establish();
    for id in [4, 1] {
        let learner = support::past::identity(id);
        solo.raft
            .reconfigure(&[Change::AddLearner(learner)])
            .unwrap();
        solo.level();
    }
    let members = solo.raft.members().map(|seat| seat.identity.node.value());
    assert_eq!(members.collect::<Vec<_>>(), [1, 3, 4, 5]);
}

/// What was read back tells the driver which snapshot to load.
#[test]
fn recovered_state_names_its_snapshot() {
    let past = Past::new(1).base(7, 2, b"seven").log(&[2]);
    let mut recovered = Recovered::<_, 5>::new(vec![0; 4096]).expect("window");
    recovered.replay(&past.record()).expect("sound");
    let snapshot = recovered.snapshot();
    assert_eq!((snapshot.last, snapshot.size), (entry_id((7, 2)), 5));
}

/// A heartbeat moves the election timeout without moving the timer: a driver that has set an alarm need not set it again.
#[test]
fn heartbeats_do_not_move_the_alarm() {
    let mut solo = Past::new(2).term(1).start();
    solo.say(1, 1, append((0, 0), 0, 1, &[]));
    let alarm = solo.raft.poll_timeout();
    for round in 2..9 {
        solo.pass(5);
        solo.say(1, 1, append((0, 0), 0, round, &[]));
        assert_eq!(solo.raft.poll_timeout(), alarm);
    }
    solo.wake();
    assert_eq!(solo.raft.role(), Role::Follower);
    assert!(solo.raft.poll_timeout() > alarm, "it was heard since");
}

/// What the window says of its bytes fits together.
#[test]
fn bytes_of_the_log_stay_below_their_limit() {
    let mut solo = Past::new(1).window(4096).establish();
    let max = solo.raft.log_bytes_max();
    assert!(max < 4096 && max >= solo.raft.payload_bytes_max());
    while solo.raft.propose(&[7; 40]).is_ok() {}
    assert!(solo.raft.log_bytes() <= max && solo.raft.log_bytes() > max / 2);
}

/// Whose fault a foreign ticket is can be read.
#[test]
fn foreign_ticket_says_what_it_is() {
    let text = raft_core::error::HandleError::ForeignTicket.to_string();
    assert!(
        text.contains("ticket") && text.contains("another node"),
        "{text}"
    );
}

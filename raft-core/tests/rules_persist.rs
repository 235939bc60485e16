//! The rules of persist-before-send: each test fails when its rule is removed.
//!
//! Elsewhere: votes (B-05, B-07), the own copy (C-44, C-47), what a truncation takes from an
//! outstanding ticket (C-45), the term of the last entry (B-06), every crash between two steps
//! (`laws`, persist_before_promise).

mod support;

use raft_core::error::{HandleError, RestoreError};
use raft_core::{Event, LogIndex, Recovered, Role};
use support::Machine;
use support::past::{Item, Past, commands, encode_entries, identity, record_header, voters};
use support::solo::{Said, Solo, ack, append};

/// A follower with three durable entries and two that are not.
fn with_a_volatile_tail() -> Solo {
    let mut solo = Past::new(1).log(&[1, 1, 1]).start();
    solo.hear(2, 1, &append((3, 1), 0, 1, &commands(4, &[1, 1])));
    solo.sends();
    solo.pass(300);
    solo
}

#[test]
fn pre_vote_may_precede_the_write() {
    let mut solo = with_a_volatile_tail();
    solo.tick(0);
    let sent = solo.sends();
    assert_eq!(sent.len(), 2);
    assert!(matches!(sent[0].2, Said::PreVote { last: (5, 1), .. }));
    assert_eq!(solo.durable(), 3);
}

#[test]
fn vote_request_waits_for_term_vote_and_the_claimed_tail() {
    let mut solo = with_a_volatile_tail();
    // A write of the tail is under way when the campaign begins: it holds neither term nor vote.
    let early = solo.take_write().unwrap();
    solo.tick(0);
    solo.sends();
    let (attempt, granted) = (solo.attempt(), true);
    solo.hear(3, 1, &Said::PreVoteReply { attempt, granted });
    assert_eq!(solo.raft.role(), Role::Candidate);
    assert_eq!(solo.sends(), []);
    solo.finish_write(early);
    assert_eq!(solo.durable(), 5);
    assert_eq!(solo.sends(), []);
    let write = solo.take_write().unwrap();
    assert_eq!(solo.sends(), []);
    solo.finish_write(write);
    let asked = Said::Vote { last: (5, 1) };
    assert_eq!(solo.sends(), [(2, 2, asked.clone()), (3, 2, asked)]);
}

#[test]
fn nobody_leads_before_term_vote_and_tail_are_durable() {
    let mut solo = with_a_volatile_tail();
    solo.tick(0);
    solo.sends();
    let (attempt, granted) = (solo.attempt(), true);
    solo.hear(3, 1, &Said::PreVoteReply { attempt, granted });
    for peer in [2, 3] {
        solo.hear(peer, 2, &Said::VoteReply(true));
    }
    assert_eq!(solo.raft.role(), Role::Candidate);
    assert!(solo.store());
    assert_eq!(solo.raft.role(), Role::Leader);
}

#[test]
fn nothing_is_said_of_a_term_that_is_not_durable() {
    for said in [
        append((3, 1), 0, 1, &[]),
        append((9, 1), 0, 1, &[]),
        Said::Vote { last: (9, 9) },
        Said::VoteReply(false),
    ] {
        let mut solo = Past::new(2).log(&[1, 1, 1]).start();
        solo.hear(1, 4, &said);
        let (last, attempt) = ((9, 9), 1);
        solo.hear(3, 4, &Said::PreVote { last, attempt });
        assert_eq!(solo.sends(), [], "{said:?}");
        assert!(solo.store());
        assert!(!solo.sends().is_empty(), "{said:?}");
    }
}

#[test]
fn append_of_a_durable_term_may_precede_its_write() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    assert_eq!(solo.sends().len(), 2);
    assert_eq!(solo.durable(), 1);
}

#[test]
fn one_write_at_a_time_and_what_gathers_is_the_next() {
    let mut solo = Past::new(1).establish();
    for number in 0..3_u8 {
        solo.raft.propose(&[number]).unwrap();
    }
    let write = solo.take_write().unwrap();
    for number in 3..8_u8 {
        solo.raft.propose(&[number]).unwrap();
        assert!(solo.raft.poll_persist().is_none());
    }
    solo.finish_write(write);
    let write = solo.raft.poll_persist().unwrap();
    assert_eq!((write.after().value(), write.last().value()), (4, 9));
    assert_eq!(write.entries().count(), 5, "group commit");
}

#[test]
fn dropped_write_is_offered_again() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    let before = solo.raft.clone();
    let one = format!("{:?}", solo.raft.poll_persist().unwrap());
    assert_eq!(solo.raft, before);
    assert_eq!(format!("{:?}", solo.raft.poll_persist().unwrap()), one);
}

#[test]
fn tickets_of_others_and_of_an_earlier_life_are_refused() {
    // The first write of each: nothing but the life, the node or the group tells them apart.
    let mut solo = Past::new(1).restart();
    let (old, _) = solo.take_write().unwrap();
    solo.crash();
    let seed = 7;
    solo.raft = solo.past.restore(seed, solo.now);
    let (_own, _) = solo.take_write().unwrap();
    let mut namesake = Past::new(3).restore(seed, solo.now);
    let other = namesake.poll_persist().unwrap().into_ticket();
    let mut foreign_group =
        Machine::found(support::config(1), vec![0; 4096], 9, clocks::Instant::ZERO).unwrap();
    let group = foreign_group.poll_persist().unwrap().into_ticket();
    for ticket in [old, other, group] {
        let before = solo.raft.clone();
        for result in [
            solo.raft.handle_persisted(solo.now, ticket.clone()),
            solo.raft.handle_persist_failed(solo.now, ticket),
        ] {
            assert_eq!(result, Err(HandleError::ForeignTicket));
        }
        assert_eq!(solo.raft, before);
    }
}

#[test]
fn failed_write_is_offered_again_as_a_whole() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 2, &append((1, 1), 0, 1, &commands(2, &[2, 2])));
    let (ticket, _) = solo.take_write().unwrap();
    solo.hear(1, 2, &append((3, 2), 0, 2, &commands(4, &[2])));
    solo.raft
        .handle_persist_failed(solo.now, ticket.clone())
        .unwrap();
    assert_eq!(solo.events().last(), Some(&Event::PersistFailed));
    assert_eq!(solo.sends(), [], "nothing is acknowledged meanwhile");
    let write = solo.raft.poll_persist().unwrap();
    assert_eq!((write.after().value(), write.last().value()), (1, 4));
    assert_eq!(write.hard_state().term.value(), 2);
    drop(write);
    let before = solo.raft.clone();
    solo.raft.handle_persisted(solo.now, ticket).unwrap();
    assert_eq!(solo.raft, before, "a failure cannot be taken back");
    assert_eq!(solo.drain().sent, [(1, 2, ack(4, 2))]);
}

#[test]
fn failed_write_of_nothing_new_is_repeated_too() {
    // The medium may hold anything beyond what is durable, so it is written again.
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 0, 1, &commands(2, &[1])));
    let (ticket, _) = solo.take_write().unwrap();
    solo.raft.handle_persist_failed(solo.now, ticket).unwrap();
    assert!(solo.store());
    assert_eq!(solo.durable(), 2);
}

#[test]
fn write_says_what_stays_and_what_goes() {
    let mut solo = Past::new(2).log(&[1, 1, 1, 1]).start();
    solo.hear(1, 2, &append((2, 1), 0, 1, &commands(3, &[2])));
    let write = solo.raft.poll_persist().unwrap();
    assert!(!write.begins_anew());
    assert_eq!(write.snapshot(), None);
    assert_eq!((write.after().value(), write.last().value()), (2, 3));
    let entries: Vec<_> = write.entries().map(|entry| entry.id.index).collect();
    assert_eq!(entries, [LogIndex::new(3)]);
    drop(write);
    solo.drain();
    solo.crash();
    assert_eq!(solo.terms(), [1, 1, 2]);
}

#[test]
fn first_write_and_the_one_after_a_compaction_begin_anew() {
    let mut raft =
        Machine::found(support::config(1), vec![0; 4096], 9, clocks::Instant::ZERO).unwrap();
    assert!(raft.poll_persist().unwrap().begins_anew());
    let mut solo = Past::new(2).log(&[1, 1, 1]).commit(3).start();
    solo.raft.compact(LogIndex::new(2), 5, 0).unwrap();
    let write = solo.raft.poll_persist().unwrap();
    assert!(write.begins_anew());
    assert_eq!(write.snapshot().map(|snapshot| snapshot.size), Some(5));
    assert_eq!((write.after().value(), write.last().value()), (2, 3));
    assert_eq!(write.entries().count(), 1, "it stands for all before it");
}

#[test]
fn compaction_during_a_write_is_the_next_write() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).commit(3).start();
    solo.hear(1, 1, &append((3, 1), 3, 1, &commands(4, &[1])));
    let write = solo.take_write().unwrap();
    solo.raft.compact(LogIndex::new(2), 5, 0).unwrap();
    solo.finish_write(write);
    let write = solo.raft.poll_persist().unwrap();
    assert!(write.begins_anew(), "the first did not hold it");
    assert_eq!((write.after().value(), write.last().value()), (2, 4));
}

#[test]
fn commit_rides_along_and_never_causes_a_write() {
    let mut solo = Past::new(2).log(&[1, 1]).start();
    let outcome = solo.say(1, 1, append((2, 1), 2, 1, &[]));
    assert_eq!((outcome.writes, solo.commit()), (0, 2));
    solo.hear(1, 1, &append((2, 1), 2, 2, &commands(3, &[1])));
    let write = solo.raft.poll_persist().unwrap();
    assert_eq!(write.commit().value(), 2);
    let mut leader = Past::new(1).establish();
    let outcome = leader.say(2, 1, ack(1, 1));
    assert_eq!(outcome.writes, 0);
}

#[test]
fn any_prefix_of_a_batch_is_a_sound_past() {
    let past = Past::new(2).log(&[1, 1]).commit(1);
    let members = (3, Item::Seats(voters(&[1, 2, 4])));
    let entries = encode_entries(&[commands(3, &[2, 3]), vec![members]].concat());
    let hard = raft_core::HardState {
        term: raft_core::Term::new(3),
        vote: Some(identity(1)),
    };
    let header = record_header(identity(2), hard, 5, None, 1, entries.len());
    let record = [&header[..], &entries].concat();
    let mut lasts = Vec::new();
    for cut in 0..=record.len() {
        let mut recovered = Recovered::<_, 5>::new(vec![0; 4096]).unwrap();
        recovered.replay(&past.record()).unwrap();
        let result = recovered.replay_prefix(&record[..cut]);
        let is_header_whole = cut >= header.len();
        assert_eq!(result.is_ok(), is_header_whole, "{cut}");
        let now = clocks::Instant::ZERO;
        let raft = Machine::restore(past.config(), recovered, LogIndex::ZERO, 1, now).unwrap();
        raft.check_invariants().unwrap();
        assert_eq!(raft.term().value(), if is_header_whole { 3 } else { 1 });
        lasts.push(raft.last().index.value());
        let is_new = raft.last().index.value() == 4;
        assert_eq!(
            raft.members().any(|seat| seat.identity == identity(4)),
            is_new
        );
    }
    lasts.dedup();
    assert_eq!(
        lasts,
        [2, 1, 2, 3, 4],
        "what it replaces is gone, then it grows"
    );
}

#[test]
fn records_out_of_order_or_of_others_are_refused() {
    let record = Past::new(2).log(&[1, 1]).record();
    let hard = raft_core::HardState::default();
    let follow = |node, after| record_header(identity(node), hard, 0, None, after, 0);
    let mut recovered = Recovered::<_, 5>::new(vec![0; 4096]).unwrap();
    assert_eq!(
        recovered.replay(&follow(2, 0)),
        Err(RestoreError::NoBeginning)
    );
    recovered.replay(&record).unwrap();
    let (last, after) = (LogIndex::new(2), LogIndex::new(3));
    assert_eq!(
        recovered.replay(&follow(2, 3)),
        Err(RestoreError::Gap { last, after })
    );
    assert_eq!(
        recovered.replay(&follow(3, 2)),
        Err(RestoreError::ForeignRecord)
    );
    assert_eq!(recovered.replay(&[]), Err(RestoreError::DamagedRecord));
    assert_eq!(
        recovered.replay(&[9; 40]),
        Err(RestoreError::UnknownVersion(9))
    );
    let now = clocks::Instant::ZERO;
    let raft = Machine::restore(support::config(3), recovered, LogIndex::ZERO, 1, now);
    assert_eq!(raft.unwrap_err(), RestoreError::ForeignRecord);
}

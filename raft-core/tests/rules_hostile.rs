//! The rules of snapshots and of hostile fields: each test fails when its rule is removed.
//!
//! Elsewhere: a snapshot that the log covers only moves the commit (`histories_replication`), a
//! snapshot is handed over before any entry (E-72), what is compacted is no conflict (E-69).

mod support;

use std::cell::Cell;
use std::rc::Rc;

use clocks::Instant;
use quorum::NodeId;
use raft_core::error::{
    CampaignError, CompactError, HandleError, ProposeError, ReadError, ReconfigureError,
    TransferError,
};
use raft_core::{
    Append, Body, Change, ChunkData, Committed, DropReason, Entries, Event, Fault, LogIndex,
    Message, Raft, ReadFailure, ReadOutcome, Ready, Role,
};
use support::config;
use support::past::{Past, command, commands, identity};
use support::solo::{Said, Solo, ack, append, chunk, reject};

fn piece_of(last: (u64, u32), data: &[u8], offset: u64, size: u64) -> Said {
    let Said::Chunk {
        round,
        configuration,
        ..
    } = chunk(last, b"", 1)
    else {
        unreachable!()
    };
    let data = data.to_vec();
    Said::Chunk {
        last,
        size,
        offset,
        round,
        data,
        configuration,
    }
}

fn stored(index: u64, stored: u64) -> Said {
    Said::Ack {
        verified: 0,
        round: 1,
        reject: None,
        chunk: Some((index, stored)),
    }
}

/// Says it, and expects it to be dropped for this reason with nothing else happening.
fn is_dropped(solo: &mut Solo, from: u64, term: u32, said: Said, reason: DropReason) {
    let (last, commit, own) = (solo.last(), solo.commit(), solo.term());
    let outcome = solo.say(from, term, said.clone());
    assert_eq!(outcome.dropped(), Some(reason), "{said:?}");
    assert_eq!(
        (solo.last(), solo.commit(), solo.term()),
        (last, commit, own)
    );
    assert_eq!(outcome.applied, [0; 0]);
    assert_eq!(solo.raft.fault(), None);
}

#[test]
fn snapshot_bytes_are_supplied_by_the_driver() {
    let mut solo = Past::new(1).base(5, 1, &[7; 100]).lead();
    solo.hear(2, 2, &reject(0, 1, 5, (0, 0)));
    let transmit = solo.raft.poll_transmit(solo.now, Ready::All).unwrap();
    let Body::Chunk(chunk) = transmit.message.body else {
        panic!("a piece");
    };
    assert_eq!((chunk.offset, chunk.data), (0, ChunkData::Wanted(100)));
    assert_eq!(chunk.snapshot, solo.raft.snapshot());
}

#[test]
fn piece_is_acknowledged_when_it_is_stored() {
    let mut solo = Past::new(2).term(1).start();
    let (now, mut receipt) = (solo.now, None);
    piece_of((9, 1), b"ab", 0, 4).with(1, 1, 0, |message| {
        let piece = solo.raft.handle_message(now, NodeId::new(1), message);
        receipt = piece.unwrap().map(|piece| {
            assert_eq!(
                (piece.offset(), piece.data(), piece.is_last()),
                (0, &b"ab"[..], false)
            );
            piece.into_receipt()
        });
    });
    assert_eq!(solo.drain().sent, [(1, 1, ack(0, 1))], "the round, no more");
    let receipt = receipt.unwrap();
    solo.raft.handle_stored(now, receipt.clone()).unwrap();
    assert_eq!(solo.drain().sent, [(1, 1, stored(9, 2))]);
    let before = solo.raft.clone();
    solo.raft.handle_stored(now, receipt).unwrap();
    assert_eq!(solo.raft, before, "a second report changes nothing");
}

#[test]
fn another_sender_or_another_snapshot_starts_at_the_beginning() {
    let mut solo = Past::new(2).term(1).start();
    assert_eq!(
        solo.say(1, 1, piece_of((9, 1), b"ab", 0, 4)).to(1),
        [stored(9, 2)]
    );
    // Another sender, the same snapshot.
    assert_eq!(
        solo.say(3, 2, piece_of((9, 1), b"cd", 2, 4)).to(3),
        [stored(9, 0)]
    );
    // Another length, another term, another index of the same sender.
    for (last, size) in [((9, 1), 5), ((9, 2), 4), ((8, 1), 4)] {
        let mut solo = Past::new(2).term(2).start();
        solo.say(1, 2, piece_of((9, 1), b"ab", 0, 4));
        let outcome = solo.say(1, 2, piece_of(last, b"cd", 2, size));
        assert_eq!(outcome.to(1), [stored(last.0, 0)]);
        assert_eq!(outcome.snapshots, [0; 0]);
    }
}

#[test]
fn installing_is_one_write() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).start();
    solo.hear(1, 2, &chunk((9, 2), b"nine", 1));
    let write = solo.raft.poll_persist().unwrap();
    assert!(write.begins_anew());
    let snapshot = write.snapshot().unwrap();
    assert_eq!((snapshot.last.index.value(), snapshot.size), (9, 4));
    assert_eq!((write.after().value(), write.last().value()), (9, 9));
    assert_eq!(
        (write.hard_state().term.value(), write.commit().value()),
        (2, 9)
    );
    assert!(write.encoded_entries().is_empty());
    drop(write);
    assert_eq!(solo.drain().writes, 1);
}

#[test]
fn terms_near_the_top_are_dropped() {
    for term in [u32::MAX, 3 + (1 << 24) + 1, 1 << 31] {
        let mut solo = Past::new(2).term(3).start();
        let reason = DropReason::TermTooHigh;
        is_dropped(&mut solo, 1, term, append((0, 0), 0, 1, &[]), reason);
        is_dropped(&mut solo, 1, term, Said::VoteReply(false), reason);
    }
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 3 + (1 << 24), Said::VoteReply(false));
    assert_eq!(solo.term(), 3 + (1 << 24));
}

#[test]
fn last_term_has_no_election() {
    let mut solo = Past::new(1).term(u32::MAX - 1).start();
    solo.raft.campaign(solo.now).unwrap();
    let outcome = solo.drain();
    assert_eq!(outcome.events, [Event::TermsExhausted]);
    assert_eq!((outcome.sent, solo.raft.role()), (vec![], Role::Follower));
}

#[test]
fn acknowledgements_of_what_does_not_exist_are_dropped() {
    for said in [ack(2, 1), ack(u64::MAX, 1), ack(1, 99)] {
        let mut solo = Past::new(1).lead();
        is_dropped(&mut solo, 2, 1, said, DropReason::BeyondLog);
        assert_eq!(solo.raft.matched(NodeId::new(2)), Some(LogIndex::ZERO));
    }
}

#[test]
fn snapshots_of_the_future_are_dropped() {
    let mut solo = Past::new(2).term(3).start();
    is_dropped(
        &mut solo,
        1,
        3,
        chunk((9, 4), b"x", 1),
        DropReason::Malformed,
    );
    let outcome = solo.say(1, 3, chunk((u64::MAX, 3), b"x", 1));
    assert!(outcome.dropped().is_some(), "no index follows it");
    solo.check();
}

#[test]
fn appends_that_contradict_themselves_are_dropped() {
    let cases = [
        append((2, 9), 0, 1, &[]),
        append((2, 1), 0, 1, &[(9, command(3, 9))]),
        append((2, 1), 0, 1, &[(0, command(3, 0))]),
    ];
    for said in cases {
        let mut solo = Past::new(2).log(&[1, 1]).term(2).start();
        is_dropped(&mut solo, 1, 2, said, DropReason::Malformed);
    }
    // Whole entries before the contradiction count.
    let mut solo = Past::new(2).log(&[1, 1]).term(2).start();
    let entries = [(2, command(3, 2)), (1, command(4, 1))];
    let outcome = solo.say(1, 2, append((2, 1), 9, 1, &entries));
    assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
    assert_eq!((solo.terms(), solo.commit()), (vec![1, 1, 2], 3));
}

#[test]
fn bytes_that_are_no_entries_are_dropped() {
    let good = support::past::encode_entries(&commands(1, &[1]));
    let bad: [&[u8]; 3] = [&[1, 2, 3], &[0xff; 12], &good[..good.len() - 1]];
    for bytes in bad {
        let mut solo = Past::new(2).term(1).start();
        let now = solo.now;
        append((0, 0), 9, 1, &[]).with(1, 1, 0, |message| {
            let Body::Append(append) = message.body else {
                unreachable!()
            };
            let entries = Entries::from_bytes(bytes);
            let body = Body::Append(Append { entries, ..append });
            solo.take(now, 1, Message { body, ..message });
        });
        let outcome = solo.drain();
        assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
        assert_eq!((solo.last(), solo.commit()), ((0, 0), 0));
    }
}

#[test]
fn pieces_that_do_not_fit_their_snapshot_are_dropped() {
    for (offset, size) in [(2, 3), (u64::MAX, u64::MAX), (5, 4)] {
        let mut solo = Past::new(2).term(1).start();
        let said = piece_of((9, 1), b"ab", offset, size);
        is_dropped(&mut solo, 1, 1, said, DropReason::Malformed);
    }
}

#[test]
fn second_leader_of_a_term_is_dropped() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 0, 1, &[]));
    let said = append((0, 0), 1, 1, &[(1, command(1, 9))]);
    is_dropped(&mut solo, 3, 1, said.clone(), DropReason::SecondLeader);
    is_dropped(
        &mut solo,
        3,
        1,
        chunk((9, 1), b"x", 1),
        DropReason::SecondLeader,
    );
    assert_eq!(solo.raft.leader(), Some(NodeId::new(1)));
    let mut leader = Past::new(1).establish();
    is_dropped(&mut leader, 3, 1, said, DropReason::SecondLeader);
    is_dropped(
        &mut leader,
        3,
        1,
        chunk((9, 1), b"x", 1),
        DropReason::SecondLeader,
    );
    assert!(leader.raft.is_leader());
}

#[test]
fn conflict_below_the_commit_is_dropped() {
    let committed = || {
        let mut solo = Past::new(2).log(&[1, 1, 1]).start();
        solo.say(1, 1, append((3, 1), 2, 1, &[]));
        solo
    };
    let reason = DropReason::ConflictBelowCommit;
    let overwrite = append((1, 1), 0, 1, &[(2, command(2, 2))]);
    let mut solo = committed();
    solo.say(3, 2, Said::VoteReply(false));
    is_dropped(&mut solo, 3, 2, overwrite, reason);
    is_dropped(&mut solo, 3, 2, append((2, 2), 0, 1, &[]), reason);
    // Above it another entry may come.
    let outcome = solo.say(3, 2, append((2, 1), 0, 1, &[(2, command(3, 2))]));
    assert_eq!((outcome.dropped(), solo.terms()), (None, vec![1, 1, 2]));
}

/// Memory that somebody else overwrites.
#[derive(Clone)]
struct Shared {
    bytes: Vec<u8>,
    other: Vec<u8>,
    is_damaged: Rc<Cell<bool>>,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        if self.is_damaged.get() {
            &self.other
        } else {
            &self.bytes
        }
    }
}

impl AsMut<[u8]> for Shared {
    fn as_mut(&mut self) -> &mut [u8] {
        if self.is_damaged.get() {
            &mut self.other
        } else {
            &mut self.bytes
        }
    }
}

#[test]
fn faulted_node_sends_nothing_and_takes_nothing() {
    let is_damaged = Rc::new(Cell::new(false));
    let memory = Shared {
        bytes: vec![0; 4096],
        other: vec![0xff; 4096],
        is_damaged: is_damaged.clone(),
    };
    let now = Instant::from_micros(1);
    let mut raft = Raft::<_, 3>::found(config(1), memory, 7, now).unwrap();
    raft.handle_timeout(now).unwrap();
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let ticket = raft.poll_persist().unwrap().into_ticket();
        tickets.push(ticket.clone());
        raft.handle_persisted(now, ticket).unwrap();
    }
    raft.propose(b"x").unwrap();
    let ticket = raft.poll_persist().unwrap().into_ticket();
    raft.handle_persisted(now, ticket.clone()).unwrap();
    let reader = raft.read(now).unwrap();
    is_damaged.set(true);
    assert!(raft.poll_committed().is_none());
    let fault = Fault::WindowDamaged;
    assert_eq!(raft.fault(), Some(fault));
    let events: Vec<_> = std::iter::from_fn(|| raft.poll_event()).collect();
    assert!(events.contains(&Event::Faulted(fault)));
    let failed = ReadOutcome::Failed {
        ticket: reader,
        reason: ReadFailure::Faulted(fault),
    };
    assert_eq!((raft.poll_read(), raft.poll_read()), (Some(failed), None));
    assert_eq!(raft.read(now), Err(ReadError::Faulted(fault)));
    assert_eq!(
        raft.transfer(now, NodeId::new(2)),
        Err(TransferError::Faulted(fault))
    );
    is_damaged.set(false);
    assert_eq!(raft.handle_timeout(now), Err(HandleError::Faulted(fault)));
    assert_eq!(raft.campaign(now), Err(CampaignError::Faulted(fault)));
    assert_eq!(
        raft.handle_persisted(now, ticket),
        Err(HandleError::Faulted(fault))
    );
    assert_eq!(raft.propose(b"x"), Err(ProposeError::Faulted(fault)));
    let change = [Change::AddVoter(identity(2))];
    assert_eq!(
        raft.reconfigure(&change),
        Err(ReconfigureError::Faulted(fault))
    );
    assert_eq!(
        raft.compact(LogIndex::new(1), 0, 0),
        Err(CompactError::Faulted(fault))
    );
    assert!(raft.poll_transmit(now, Ready::All).is_none());
    assert!(raft.poll_persist().is_none());
    assert_eq!(raft.poll_committed(), None::<Committed<'_>>);
    assert_eq!(raft.poll_timeout(), None);
}

//! Histories that once hurt a node, each named after its cause. Most were found by the fuzz target `raft_messages`.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{
    Ack, Append, Body, Chunk, ChunkData, DropReason, Entries, EntryId, Event, LogIndex, Message,
    RECORD_HEADER_BYTES_MAX, Raft, Recovered, Round, Snapshot, Term,
};
use support::{MEMBERS, World};

/// What `from` would say to `to` in the term in which `to` is.
fn forged<'a>(world: &mut World, from: u64, to: u64, body: Body<'a>) -> Message<'a> {
    Message {
        group: world.raft(to).group(),
        incarnation: world.identity(from).incarnation,
        term: world.raft(to).term(),
        body,
    }
}

fn append(prev: EntryId, commit: u64, entries: &[u8]) -> Body<'_> {
    Body::Append(Append {
        prev,
        commit: LogIndex::new(commit),
        round: Round::ZERO,
        entries: Entries::from_bytes(entries),
    })
}

/// A whole snapshot of no bytes that ends with `last`.
fn snapshot(last: EntryId, configuration: &[u8]) -> Body<'_> {
    Body::Chunk(Chunk {
        snapshot: Snapshot {
            last,
            size: 0,
            checksum: 0,
        },
        configuration,
        round: Round::ZERO,
        offset: 0,
        data: ChunkData::Received(&[]),
    })
}

fn entry(term: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = term.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// One voter in every member's place, each number in `long` bytes or as few as it takes.
fn configuration(members: u8, is_long: bool) -> Vec<u8> {
    let number = |bytes: &mut Vec<u8>, value: u8, long: usize| {
        let len = if is_long { long } else { 1 };
        bytes.push(value | if len > 1 { 0x80 } else { 0 });
        for place in 1..len {
            bytes.push(if place + 1 < len { 0x80 } else { 0 });
        }
    };
    let mut bytes = vec![1];
    number(&mut bytes, 0, 10);
    number(&mut bytes, members, 3);
    for node in 1..=members {
        number(&mut bytes, node, 10);
        number(&mut bytes, 0, 5);
        number(&mut bytes, 1, 5);
    }
    bytes
}

/// The last reason for which node `id` dropped a message.
fn dropped(world: &mut World, id: u64) -> Option<DropReason> {
    let mut last = None;
    while let Some(event) = world.raft(id).poll_event() {
        if let Event::Dropped { reason, .. } = event {
            last = Some(reason);
        }
    }
    last
}

/// Numbers can be written in more bytes than they take. A configuration that is longer than the longest proper one did
/// not fit its place, and the node stopped.
#[test]
fn configuration_with_overlong_numbers_is_malformed() {
    let mut world = World::group(3);
    let last = EntryId::new(LogIndex::new(100), Term::new(1));
    let (now, term) = (world.now, world.raft(3).term());
    let configuration = configuration(MEMBERS as u8, true);
    let message = forged(
        &mut world,
        1,
        3,
        snapshot(EntryId { term, ..last }, &configuration),
    );
    let piece = world.raft(3).handle_message(now, NodeId::new(1), message);
    assert_eq!(piece, Ok(None));
    assert_eq!(dropped(&mut world, 3), Some(DropReason::Malformed));
    assert_eq!(world.raft(3).fault(), None);
}

/// An append that begins before the base was compared with nothing on its way to the base, so that an entry of an
/// earlier term could follow it.
#[test]
fn append_that_passes_the_base_with_another_term_is_dropped() {
    let mut world = World::group(3);
    world.isolate(1);
    world.run(Duration::from_millis(600));
    let leader = world.leader().expect("somebody took over");
    world.propose(b"of a later term");
    world.settle();
    let other = 5 - leader;
    world.compact(other);
    world.settle();
    let base = world.raft(other).base();
    assert!(base.term > Term::new(1));
    assert_eq!(world.raft(other).last(), base);
    let entries = entry(1, b"x").repeat(base.index.value() as usize + 1);
    let message = forged(
        &mut world,
        leader,
        other,
        append(EntryId::ZERO, 0, &entries),
    );
    let now = world.now;
    let piece = world
        .raft(other)
        .handle_message(now, NodeId::new(leader), message);
    assert_eq!(piece, Ok(None));
    assert_eq!(world.raft(other).check_invariants(), Ok(()));
    assert_eq!(world.raft(other).last(), base);
    assert_eq!(
        dropped(&mut world, other),
        Some(DropReason::ConflictBelowCommit)
    );
}

/// Behind the last index there is no place for an entry: a snapshot that ends there left a log that cannot grow.
#[test]
fn snapshot_at_the_end_of_all_indexes_is_dropped() {
    let mut world = World::group(3);
    let (now, term) = (world.now, world.raft(3).term());
    let last = EntryId::new(LogIndex::new(u64::MAX), term);
    let configuration = configuration(3, false);
    let message = forged(&mut world, 1, 3, snapshot(last, &configuration));
    let piece = world.raft(3).handle_message(now, NodeId::new(1), message);
    assert_eq!(piece, Ok(None));
    assert_eq!(dropped(&mut world, 3), Some(DropReason::BeyondLog));
}

/// The application got a snapshot whose installation was not written: after a crash it was ahead of its log.
#[test]
fn snapshot_is_not_delivered_before_it_is_written() {
    let mut world = World::group(3);
    let (now, last) = (world.now, world.raft(3).last());
    let entries = entry(last.term.value(), b"not applied yet");
    let body = append(last, last.index.value() + 1, &entries);
    let message = forged(&mut world, 1, 3, body);
    let piece = world.raft(3).handle_message(now, NodeId::new(1), message);
    assert_eq!(piece, Ok(None));
    world.persist(3);
    let raft = world.raft(3);
    assert!(raft.delivered() < raft.commit() && raft.commit() == raft.durable());

    let later = EntryId::new(last.index.plus(10), last.term);
    let configuration = configuration(3, false);
    let message = forged(&mut world, 1, 3, snapshot(later, &configuration));
    let piece = world.raft(3).handle_message(now, NodeId::new(1), message);
    let receipt = piece.expect("alive").expect("a piece").into_receipt();
    world.raft(3).handle_stored(now, receipt).expect("alive");
    assert_eq!(world.raft(3).base(), later);
    assert_eq!(world.raft(3).poll_committed(), None);
    world.persist(3);
    assert!(world.raft(3).poll_committed().is_some());
    assert_eq!(world.raft(3).delivered(), later.index);
}

/// The prefix of a record that begins anew does not hold all that the records before it hold.
#[test]
fn torn_record_that_begins_anew_does_not_replace_what_was_stored() {
    let mut world = World::group(1);
    for number in 0..8 {
        world.propose(&[number; 16]);
        world.settle();
    }
    let last = world.raft(1).last();
    world
        .raft(1)
        .compact(LogIndex::new(3), 0, 0)
        .expect("delivered");
    let write = world
        .raft(1)
        .poll_persist()
        .expect("a compaction is written");
    assert!(write.begins_anew());
    let record = write.record(&mut [0; RECORD_HEADER_BYTES_MAX]).concat();
    drop(write);
    for len in 0..record.len() {
        let host = world.host(1);
        let mut recovered = Recovered::<_, MEMBERS>::new(vec![0; host.window]).expect("window");
        for record in &host.journal {
            recovered.replay(record).expect("our own records");
        }
        assert_eq!(
            recovered.replay_prefix(&record[..len]),
            Err(RestoreError::DamagedRecord),
            "{len} of {} bytes",
            record.len()
        );
        let config = host.config.clone();
        let raft =
            Raft::restore(config, recovered, LogIndex::ZERO, 9, world.now).expect("restores");
        assert_eq!(raft.last(), last);
    }
}

/// A founder has nobody to make contact with, and forgot to begin when members came: they replaced it.
#[test]
fn founder_makes_contact_once_it_has_members() {
    let mut world = World::group(3);
    world.run(Duration::from_millis(1000));
    assert_eq!(world.leader(), Some(1));
    assert_eq!(world.raft(1).term(), Term::new(1));
}

/// While a snapshot is on its way, an older acknowledgement may arrive that reaches beyond what was to be sent next.
#[test]
fn late_ack_during_a_snapshot_moves_next_along() {
    let mut world = World::group(3);
    world.isolate(3);
    for number in 0..6 {
        world.propose(&[number; 16]);
        world.settle();
    }
    world.compact(1);
    // The leader learns that its appends did not arrive, and turns to the snapshot.
    let now = world.now;
    world
        .raft(1)
        .handle_unreachable(now, NodeId::new(3))
        .expect("alive");
    world.run(Duration::from_millis(50));
    world.heal();
    let verified = world.raft(1).base().index.previous();
    let ack = Ack {
        verified,
        round: Round::ZERO,
        room: 1000,
        reject: None,
        chunk: None,
    };
    let message = forged(&mut world, 3, 1, Body::Ack(ack));
    let now = world.now;
    let piece = world.raft(1).handle_message(now, NodeId::new(3), message);
    assert_eq!(piece, Ok(None));
    assert_eq!(world.raft(1).check_invariants(), Ok(()));
    assert_eq!(world.raft(1).matched(NodeId::new(3)), Some(verified));
    world.run(Duration::from_millis(300));
    assert_eq!(world.host(3).applied.len(), 6);
}

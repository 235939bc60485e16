//! Snapshots and restart: bugs that other implementations had, as the smallest history that shows
//! each. The letter and number are those of the catalogue of known bugs.
//!
//! | not here | why it cannot occur, or where it is |
//! |---|---|
//! | E-64, E-68, E-71 | not in the catalogue |
//! | E-75 | there is no storage to ask for a range: entries are lent from the window, which is compared with a naive model of its own |
//! | E-77 (first read) | no reads yet; the election of a lone voter is `lone_voter_came_back_with_an_old_commit` |

mod support;

use clocks::Duration;
use raft_core::error::RestoreError;
use raft_core::{DropReason, EntryId, HardState, LogIndex, Recovered, Role, Snapshot, Term};
use support::past::{Item, Past, command, commands, identity, record_header};
use support::solo::{Said, ack, append, chunk, reject};
use support::{Machine, World};

fn piece(data: &[u8], offset: u64, size: u64) -> Said {
    let Said::Chunk {
        last,
        round,
        configuration,
        ..
    } = chunk((9, 1), b"", 1)
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

/// E-65: an append left where the snapshot was needed, just at its end.
#[test]
fn append_sent_where_the_snapshot_is_needed() {
    let leader = || Past::new(1).base(5, 1, b"snapshot").log(&[1]).lead();
    // What the follower lacks is the last entry of the snapshot.
    let outcome = leader().say(2, 2, reject(0, 1, 6, (4, 1)));
    assert!(matches!(
        outcome.to(2)[..],
        [Said::Chunk { last: (5, 1), .. }]
    ));
    // It has exactly the snapshot: the rest of the log follows.
    let outcome = leader().say(2, 2, reject(0, 1, 6, (5, 1)));
    let rest = [commands(6, &[1]), vec![(2, Item::NoOp)]].concat();
    assert_eq!(outcome.to(2), [append((5, 1), 5, 1, &rest)]);
}

/// E-66: installing a snapshot set the term back to that of its last entry.
#[test]
fn term_set_back_by_a_snapshot() {
    let mut solo = Past::new(2).term(7).start();
    let outcome = solo.say(1, 7, chunk((9, 3), b"nine", 1));
    assert_eq!((solo.term(), solo.last(), solo.commit()), (7, (9, 3), 9));
    assert_eq!(outcome.snapshots, [9]);
    solo.crash();
    assert_eq!((solo.term(), solo.last()), (7, (9, 3)));
}

/// E-67: a conflicting log stayed under a new snapshot, and came back in a crash.
#[test]
fn conflicting_log_kept_under_a_snapshot() {
    let mut solo = Past::new(2).log(&[1; 12]).start();
    solo.hear(1, 3, &chunk((9, 2), b"nine", 1));
    assert_eq!((solo.last(), solo.terms()), ((9, 2), vec![]));
    // Before the write, the old log is as it was.
    let mut early = solo.clone();
    early.crash();
    assert_eq!((early.terms(), early.commit()), (vec![1; 12], 0));
    solo.drain();
    solo.crash();
    assert_eq!((solo.last(), solo.terms()), ((9, 2), vec![]));
}

/// E-67: the same while a write of the old log is under way.
#[test]
fn write_of_the_old_log_completed_after_the_snapshot() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.hear(1, 1, &append((1, 1), 0, 1, &commands(2, &[1, 1, 1])));
    let write = solo.take_write().unwrap();
    solo.hear(1, 1, &chunk((3, 9), b"three", 2));
    solo.hear(3, 2, &chunk((9, 2), b"nine", 2));
    solo.finish_write(write);
    assert!(solo.durable() <= 4);
    assert_eq!(solo.raft.poll_committed(), None);
    let outcome = solo.drain();
    assert_eq!(outcome.snapshots, [9]);
    assert_eq!((solo.durable(), solo.last()), (9, (9, 2)));
}

/// E-69: an old commit was read back, and what was compacted counted as a conflict.
#[test]
fn compacted_entry_taken_for_a_conflict() {
    let mut solo = Past::new(2).base(5, 1, b"five").log(&[1, 1]).start();
    assert_eq!(solo.commit(), 5);
    let all = commands(3, &[1, 1, 1, 1, 1]);
    let outcome = solo.say(1, 2, append((2, 1), 7, 1, &all));
    assert_eq!(outcome.sent, [(1, 2, ack(7, 1))]);
    assert_eq!((solo.terms(), outcome.applied), (vec![1, 1], vec![6, 7]));
}

/// E-69: the commit read back was lower than what was applied, and committed entries gave way.
#[test]
fn commit_read_back_below_the_applied() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).applied(3).start();
    assert_eq!(solo.commit(), 3);
    let outcome = solo.say(1, 2, append((2, 1), 0, 1, &[(2, command(3, 2))]));
    assert_eq!(outcome.dropped(), Some(DropReason::ConflictBelowCommit));
    assert_eq!((solo.terms(), outcome.applied), (vec![1, 1, 1], vec![]));
}

/// E-70: a crash between the writes of hard state and snapshot left a node that could not start.
#[test]
fn hard_state_and_snapshot_stored_apart() {
    let mut solo = Past::new(1).voters(&[1]).log(&[1; 20]).establish();
    for index in [5, 12, 20] {
        solo.raft
            .compact(LogIndex::new(index), 1, index as u32)
            .unwrap();
        let mut lost = solo.clone();
        lost.crash();
        assert!(lost.raft.base().index < LogIndex::new(index));
        assert_eq!(lost.last(), solo.last(), "nothing is lost with the write");
        solo.drain();
        let mut kept = solo.clone();
        kept.crash();
        assert_eq!(kept.raft.base().index, LogIndex::new(index));
        assert_eq!((kept.last(), kept.commit()), (solo.last(), solo.commit()));
    }
}

/// E-70: the commit outran what a torn batch had left of the log.
#[test]
fn commit_beyond_the_torn_log() {
    let past = Past::new(2).log(&[1, 1]);
    let mut recovered: Recovered<Vec<u8>, 5> = Recovered::new(vec![0; past.window]).unwrap();
    recovered.replay(&past.record()).unwrap();
    let entries = support::past::encode_entries(&commands(3, &[1, 1]));
    let hard = HardState {
        term: Term::new(1),
        vote: None,
    };
    let header = record_header(identity(2), hard, 4, None, 2, entries.len());
    let torn = [&header[..], &entries[..13]].concat();
    assert_eq!(
        recovered.clone().replay(&torn),
        Err(RestoreError::DamagedRecord)
    );
    recovered.replay_prefix(&torn).unwrap();
    let now = clocks::Instant::ZERO;
    let raft = Machine::restore(past.config(), recovered, LogIndex::ZERO, 1, now).unwrap();
    assert_eq!((raft.last().index.value(), raft.commit().value()), (3, 3));
    raft.check_invariants().unwrap();
}

/// E-72: the applied index ran ahead of the data.
#[test]
fn applied_without_data() {
    // Entries after what the application has are handed over again.
    let mut solo = Past::new(2).log(&[1; 4]).commit(4).applied(2).restart();
    let outcome = solo.drain();
    assert_eq!((outcome.applied, outcome.snapshots), (vec![3, 4], vec![]));
    // An application that starts empty is given the snapshot first.
    let mut past = Past::new(2).base(5, 1, b"five").log(&[1, 1]).commit(7);
    past.applied = 3;
    let outcome = past.restart().drain();
    assert_eq!((outcome.snapshots, outcome.applied), (vec![5], vec![6, 7]));
    // One that claims more than was stored is refused.
    let past = Past::new(2).log(&[1; 4]);
    let mut recovered: Recovered<Vec<u8>, 5> = Recovered::new(vec![0; past.window]).unwrap();
    recovered.replay(&past.record()).unwrap();
    let (now, last) = (clocks::Instant::ZERO, LogIndex::new(4));
    let raft = Machine::restore(past.config(), recovered, LogIndex::new(5), 1, now);
    assert_eq!(raft.unwrap_err(), RestoreError::AppliedBeyondLog { last });
}

/// E-73: the follower crashed in the middle of a snapshot, and the leader waited for ever.
#[test]
fn follower_crashed_in_the_middle_of_a_snapshot() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.isolate(3);
    for number in 0..30_u8 {
        world.propose(&[number; 400]);
        world.settle();
    }
    world.compact(1);
    world.compact(2);
    world.heal();
    // The snapshot takes several frames; the follower crashes when it has the first.
    while world.host(3).incoming.is_empty() {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        for id in 1..=3 {
            let now = world.now;
            world.raft(id).handle_timeout(now).unwrap();
            world.drain(id);
        }
        if let Some(frame) = world.wire.pop_front() {
            world.deliver(&frame);
        }
    }
    world.crash(3);
    world.run(Duration::from_millis(50));
    world.restart(3);
    world.run(Duration::from_millis(500));
    let expected = world.host(1).applied.clone();
    assert_eq!(world.host(3).applied, expected);
}

/// E-73: a piece that was lost is sent again, with the heartbeat and no sooner.
#[test]
fn lost_piece_was_never_sent_again() {
    let mut solo = Past::new(1).base(5, 1, b"snapshot").lead();
    let first = solo.say(2, 2, reject(0, 1, 5, (0, 0))).to(2);
    assert!(matches!(first[..], [Said::Chunk { offset: 0, .. }]));
    assert_eq!(solo.drain().sent, []);
    solo.tick(20);
    let again = solo.drain().to(2);
    assert!(matches!(again[..], [Said::Chunk { offset: 0, .. }]));
}

/// E-74: stale answers moved the place in a snapshot about, and it never arrived.
#[test]
fn snapshot_moved_back_by_stale_answers() {
    let snapshot = vec![7; 10_000];
    let mut solo = Past::new(1).base(5, 1, &snapshot).lead();
    let mut sent = solo.say(2, 2, reject(0, 1, 5, (0, 0))).to(2);
    let (mut stored, mut pieces) = (0_u64, 0);
    while stored < 10_000 {
        let Some(Said::Chunk { offset, data, .. }) = sent.pop() else {
            panic!("the next piece: {sent:?}");
        };
        pieces += 1;
        assert!(pieces < 20, "it comes to an end");
        if offset == stored {
            stored += data.len() as u64;
        }
        let progress = |stored| Said::Ack {
            verified: 0,
            round: 1,
            reject: None,
            chunk: Some((5, stored)),
        };
        // Answers to another snapshot and late refusals change nothing; each real answer twice.
        let outcome = solo.say(2, 2, reject(0, 1, 5, (0, 0)));
        assert_eq!(outcome.to(2), []);
        let other = Said::Ack {
            verified: 0,
            round: 1,
            reject: None,
            chunk: Some((4, 77)),
        };
        assert_eq!(solo.say(2, 2, other).to(2), []);
        sent = solo.say(2, 2, progress(stored)).to(2);
        assert_eq!(solo.say(2, 2, progress(stored)).to(2), []);
    }
    assert_eq!(pieces, 3);
}

/// E-74: pieces that arrive twice, late or out of order are stored once, in order.
#[test]
fn pieces_out_of_order_were_stored() {
    let mut solo = Past::new(2).term(1).start();
    let stored = |stored| Said::Ack {
        verified: 0,
        round: 1,
        reject: None,
        chunk: Some((9, stored)),
    };
    let outcome = solo.say(1, 1, piece(b"cd", 2, 6));
    assert_eq!(outcome.to(1), [stored(0)], "it starts at the beginning");
    let outcome = solo.say(1, 1, piece(b"ab", 0, 6));
    assert_eq!(outcome.to(1), [stored(2)]);
    let outcome = solo.say(1, 1, piece(b"ef", 4, 6));
    assert_eq!(outcome.to(1), [stored(2)]);
    let outcome = solo.say(1, 1, piece(b"cd", 2, 6));
    assert_eq!(outcome.to(1), [stored(4)]);
    let outcome = solo.say(1, 1, piece(b"cd", 2, 6));
    assert_eq!(outcome.to(1), [stored(4)]);
    let outcome = solo.say(1, 1, piece(b"ef", 4, 6));
    assert_eq!(outcome.snapshots, [9]);
    assert_eq!(solo.last(), (9, 1));
}

/// E-74: the pieces of a later snapshot, or of another leader's, were added to those of an earlier one.
#[test]
fn pieces_of_another_snapshot_were_added() {
    let stored = |index, stored| Said::Ack {
        verified: 0,
        round: 1,
        reject: None,
        chunk: Some((index, stored)),
    };
    let with_last = |last| {
        let Said::Chunk {
            round,
            configuration,
            ..
        } = piece(b"", 0, 6)
        else {
            unreachable!()
        };
        let (size, offset, data) = (6, 2, b"cd".to_vec());
        Said::Chunk {
            last,
            size,
            offset,
            round,
            data,
            configuration,
        }
    };
    let mut solo = Past::new(2).term(1).start();
    assert_eq!(solo.say(1, 1, piece(b"ab", 0, 6)).to(1), [stored(9, 2)]);
    let mut other = solo.clone();
    assert_eq!(solo.say(1, 1, with_last((12, 1))).to(1), [stored(12, 0)]);
    let outcome = other.say(3, 2, piece(b"cd", 2, 6));
    assert_eq!(outcome.to(3), [stored(9, 0)], "it begins anew");
}

/// E-76: a follower lost acknowledged entries with its identity kept, and a heartbeat with a
/// commit beyond its log stopped the process.
#[test]
fn heartbeat_with_a_commit_beyond_the_log() {
    let mut solo = Past::new(2).term(1).start();
    let outcome = solo.say(1, 1, append((0, 0), 50, 1, &[]));
    assert_eq!((solo.commit(), outcome.sent), (0, vec![(1, 1, ack(0, 1))]));
    let outcome = solo.say(1, 1, append((40, 1), 50, 2, &[]));
    assert_eq!(outcome.sent, [(1, 1, reject(0, 2, 40, (0, 0)))]);
    assert_eq!((solo.commit(), solo.raft.fault()), (0, None));
}

/// E-77: a lone voter came back with an old commit, and answered before it knew the rest.
#[test]
fn lone_voter_came_back_with_an_old_commit() {
    let past = Past::new(1).voters(&[1]).log(&[1; 10]).commit(5).applied(5);
    let mut solo = past.restart();
    assert_eq!((solo.raft.role(), solo.commit()), (Role::Follower, 5));
    assert!(!solo.raft.is_established());
    solo.drain();
    solo.wake();
    let write = solo.take_write().unwrap();
    solo.finish_write(write);
    assert!(solo.raft.is_leader());
    assert!(
        !solo.raft.is_established(),
        "its first entry is not durable"
    );
    assert_eq!(solo.commit(), 5);
    let outcome = solo.drain();
    assert!(solo.raft.is_established());
    assert_eq!(outcome.applied, [6, 7, 8, 9, 10]);
}

/// A node that comes back does not help a new leader before the old one can have forgotten it.
#[test]
fn restarted_node_voted_at_once() {
    let mut solo = Past::new(2).term(3).restart();
    solo.drain();
    let outcome = solo.say(3, 4, Said::Vote { last: (9, 3) });
    assert!(outcome.is_silent());
    assert_eq!(solo.term(), 3);
    solo.pass(100);
    let outcome = solo.say(3, 4, Said::Vote { last: (9, 3) });
    assert_eq!(outcome.sent, [(3, 4, Said::VoteReply(true))]);
}

/// A snapshot that stands before nothing is no snapshot.
#[test]
fn snapshot_of_nothing_accepted() {
    let mut solo = Past::new(2).log(&[1, 1]).start();
    let outcome = solo.say(1, 1, chunk((0, 0), b"", 1));
    assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.terms(), [1, 1]);
    assert_eq!(solo.raft.snapshot(), Snapshot::default());
    assert_eq!(solo.raft.base(), EntryId::ZERO);
}

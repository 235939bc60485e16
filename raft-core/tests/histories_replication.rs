//! Log replication and commit: bugs that other implementations had, as the smallest history that
//! shows each. The letter and number are those of the catalogue of known bugs.
//!
//! | not here | why it cannot occur, or where it is |
//! |---|---|
//! | C-33 | the commit is computed from all members each time, nothing is cached or kept sorted; `quorum` compares it with a naive model |
//! | C-34 | no reads yet |
//! | C-35, C-36, C-41, C-48 | not in the catalogue |
//! | C-46 | one write is outstanding at a time; what remains of it is `completions_out_of_order` |

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::ProposeError;
use raft_core::{LogIndex, Role};
use support::World;
use support::past::{Item, Past, command, commands};
use support::solo::{Said, Solo, ack, append, chunk, reject};

fn matched(solo: &Solo, peer: u64) -> u64 {
    solo.raft.matched(NodeId::new(peer)).unwrap().value()
}

/// C-26: an entry of an earlier term was committed because a majority had it (figure 8).
#[test]
fn old_entry_committed_by_counting() {
    let mut solo = Past::new(1).log(&[1, 2]).term(3).lead();
    for peer in [2, 3] {
        let outcome = solo.say(peer, 4, ack(2, 1));
        assert_eq!((solo.commit(), outcome.applied), (0, vec![]));
    }
}

/// C-26: the search for a commit stopped at the first old entry, and never advanced.
#[test]
fn old_entry_stopped_the_commit() {
    let mut solo = Past::new(1).log(&[1, 2, 2]).term(3).lead();
    let outcome = solo.say(2, 4, ack(4, 1));
    assert_eq!((solo.commit(), outcome.applied), (4, vec![1, 2, 3]));
}

/// C-27: a new leader that knew less lowered the commit of a follower.
#[test]
fn commit_went_back() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).start();
    solo.say(1, 1, append((3, 1), 3, 1, &[]));
    assert_eq!(solo.commit(), 3);
    for (term, commit) in [(1, 1), (2, 0), (3, 2)] {
        let outcome = solo.say(3, term, append((3, 1), commit, 1, &[]));
        assert_eq!((solo.commit(), outcome.applied), (3, vec![]));
    }
}

/// C-28: a follower committed its own stale tail, which the message had not verified.
#[test]
fn stale_tail_committed_by_a_heartbeat() {
    let mut solo = Past::new(2).log(&[1, 1, 1, 1, 1, 1]).start();
    let outcome = solo.say(1, 2, append((4, 1), 6, 1, &[]));
    assert_eq!((solo.commit(), outcome.applied), (4, vec![1, 2, 3, 4]));
    let outcome = solo.say(1, 2, append((4, 1), 6, 2, &[(2, command(5, 2))]));
    assert_eq!((solo.commit(), outcome.applied), (5, vec![5]));
}

/// C-28: a leader tells each follower no more than the message verifies.
#[test]
fn leader_told_a_commit_beyond_the_message() {
    let mut solo = Past::new(1).log(&[1]).frame(200).establish();
    for number in 0..6_u8 {
        solo.raft.propose(&[number; 40]).unwrap();
    }
    solo.drain();
    solo.say(3, 2, ack(8, 1));
    let outcome = solo.say(2, 2, reject(2, 1, 8, (2, 2)));
    for said in outcome.to(2) {
        let Said::Append {
            prev,
            commit,
            entries,
            ..
        } = said
        else {
            panic!("only appends");
        };
        assert!(commit <= prev.0 + entries.len() as u64);
    }
}

/// C-29: the acknowledgement named the end of the follower's log, divergent tail included.
#[test]
fn acknowledged_the_own_last_index() {
    let mut solo = Past::new(2).log(&[1, 1, 1, 1]).start();
    let outcome = solo.say(1, 2, append((2, 1), 0, 1, &[]));
    assert_eq!(outcome.sent, [(1, 2, ack(2, 1))]);
    let outcome = solo.say(1, 2, append((2, 1), 0, 2, &[(1, command(3, 1))]));
    assert_eq!(outcome.sent, [(1, 2, ack(3, 2))]);
}

/// C-30: the hint of a refusal was taken for a match, and committed what nobody had.
#[test]
fn refusal_taken_for_a_match() {
    let mut solo = Past::new(1).log(&[1, 1]).lead();
    for peer in [2, 3] {
        solo.say(peer, 2, reject(0, 1, 2, (1, 1)));
        assert_eq!((matched(&solo, peer), solo.commit()), (0, 0));
    }
}

/// C-31: a delayed append cut off what a later one had brought.
#[test]
fn delayed_append_truncated_the_log() {
    let mut solo = Past::new(2).log(&[1]).start();
    let outcome = solo.say(1, 1, append((1, 1), 0, 2, &commands(2, &[1, 1])));
    assert_eq!(outcome.to(1).last(), Some(&ack(3, 2)));
    let outcome = solo.say(1, 1, append((1, 1), 0, 1, &commands(2, &[1])));
    assert_eq!(solo.terms(), [1, 1, 1]);
    assert_eq!(outcome.to(1), [ack(3, 2)], "it has more than that");
    solo.crash();
    assert_eq!(solo.terms(), [1, 1, 1]);
}

/// C-32: acknowledgements out of order lowered what a follower was known to have.
#[test]
fn late_acknowledgement_lowered_the_match() {
    let mut solo = Past::new(1).establish();
    for number in 0..4_u8 {
        solo.raft.propose(&[number]).unwrap();
    }
    solo.drain();
    solo.say(2, 1, ack(5, 1));
    let outcome = solo.say(2, 1, ack(3, 1));
    assert_eq!((matched(&solo, 2), solo.commit()), (5, 5));
    assert_eq!(outcome.sent, [], "nothing is sent twice");
    solo.say(2, 1, reject(3, 1, 4, (3, 1)));
    assert_eq!(matched(&solo, 2), 5, "a late refusal neither");
}

/// C-37: many conflicts gave the same hint again and again; each round trip must go on.
#[test]
fn probing_did_not_end() {
    let mine: Vec<u32> = (0..200).map(|i| 2 * (i / 4) + 2).collect();
    let other: Vec<u32> = (0..200).map(|i| 2 * (i / 4) + 1).collect();
    let mut world = World::of(&[
        Past::new(1).log(&mine).term(200),
        Past::new(2).log(&other).term(200),
        Past::new(3).log(&mine).term(200),
    ]);
    world.isolate(2);
    world.elect(1);
    world.heal();
    let (mut appends, last) = (0, world.raft(1).last());
    for _ in 0..200 {
        world.now = world.now.saturating_add(Duration::from_millis(20));
        for id in world.ids() {
            let now = world.now;
            world.raft(id).handle_timeout(now).unwrap();
        }
        for _ in 0..1000 {
            for id in world.ids() {
                world.drain(id);
            }
            let Some(frame) = world.wire.pop_front() else {
                break;
            };
            appends += u64::from(frame.to == 2 && frame.is_append());
            world.deliver(&frame);
        }
        if world.raft(2).last() == last {
            break;
        }
    }
    assert_eq!(world.raft(2).last(), last);
    assert!(appends < 120, "at most one for each term: {appends}");
}

/// C-38: a heartbeat probed at the commit, and its refusal was taken for a log that went back.
#[test]
fn late_refusal_taken_for_a_lost_log() {
    let mut solo = Past::new(1).log(&[1, 1, 1]).establish();
    solo.tick(20);
    solo.drain();
    let before = matched(&solo, 2);
    let outcome = solo.say(2, 2, reject(0, 1, 3, (1, 1)));
    assert_eq!((matched(&solo, 2), solo.raft.fault()), (before, None));
    assert_eq!(outcome.sent, [], "it is known to have this");
}

/// C-39: bytes in flight were not given back when all of it was lost, and nothing was sent again.
#[test]
fn lost_flight_was_never_given_back() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.run(Duration::from_millis(30));
    for round in 0..20_u8 {
        for number in 0..20 {
            let _ = world.raft(1).propose(&[round ^ number; 300]);
        }
        world.drain(1);
        // Everything in flight is lost, again and again.
        world.wire.clear();
        world.run(Duration::from_millis(45));
        for id in 1..=3 {
            world.compact_if_possible(id);
        }
    }
    let expected = world.host(1).applied.clone();
    assert!(expected.len() > 300, "{}", expected.len());
    assert_eq!(world.host(2).applied, expected);
    world.propose(b"still takes commands");
}

/// C-39: a leader that has no room stays able to spread its commit, and takes commands again.
#[test]
fn full_window_stopped_the_leader_for_good() {
    let mut solo = Past::new(1).window(2048).establish();
    while solo.raft.propose(&[1; 50]).is_ok() {}
    solo.drain();
    let outcome = solo.level();
    assert_eq!(solo.raft.propose(&[1; 50]), Err(ProposeError::Full));
    assert!(outcome.events.is_empty());
    solo.raft.compact(solo.raft.delivered(), 9, 0).unwrap();
    assert!(solo.raft.propose(&[1; 50]).is_ok());
}

/// C-40: a follower without room was overtaken by the compaction, and was sent the term zero.
#[test]
fn slow_follower_after_compaction() {
    let mut solo = Past::new(1).establish();
    solo.room = 0;
    solo.say(2, 1, ack(1, 1));
    solo.room = u32::MAX;
    for number in 0..5_u8 {
        solo.raft.propose(&[number]).unwrap();
    }
    assert_eq!(solo.drain().to(2), [], "no room, no news");
    let outcome = solo.say(3, 1, ack(6, 1));
    assert_eq!(
        outcome.to(2),
        [],
        "what it does not have is not committed there"
    );
    solo.raft.compact(LogIndex::new(6), 10, 0).unwrap();
    solo.drain();
    solo.tick(20);
    let outcome = solo.drain();
    assert!(
        matches!(
            outcome.to(2)[..],
            [Said::Chunk {
                last: (6, 1),
                size: 10,
                ..
            }]
        ),
        "{outcome:?}"
    );
}

/// C-42: a follower in doubt stayed in doubt while there was nothing to send.
#[test]
fn heartbeat_answer_ends_the_probing() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    solo.raft
        .handle_unreachable(solo.now, NodeId::new(2))
        .unwrap();
    assert_eq!(solo.drain().to(2), [], "one attempt at a time");
    solo.tick(20);
    assert_eq!(solo.drain().to(2).len(), 1);
    solo.say(2, 1, ack(2, 2));
    for number in 0..3_u8 {
        solo.raft.propose(&[number]).unwrap();
        assert_eq!(solo.drain().to(2).len(), 1, "entries leave as they come");
    }
}

/// C-42: the same with a heartbeat that has nothing to send at all.
#[test]
fn empty_heartbeat_ends_the_probing() {
    let mut solo = Past::new(1).establish();
    let peer = NodeId::new(2);
    solo.raft.handle_unreachable(solo.now, peer).unwrap();
    solo.tick(20);
    assert_eq!(solo.drain().to(2), [append((1, 1), 1, 2, &[])]);
    solo.say(2, 1, ack(1, 2));
    for number in 0..3_u8 {
        solo.raft.propose(&[number]).unwrap();
        assert_eq!(solo.drain().to(2).len(), 1, "entries leave as they come");
    }
}

/// C-42: so did one that was sent a snapshot it did not need any more.
#[test]
fn acknowledgement_ends_the_snapshot() {
    let mut solo = Past::new(1).base(5, 1, b"snapshot").log(&[1]).lead();
    let outcome = solo.say(2, 2, reject(0, 1, 6, (0, 0)));
    assert!(matches!(outcome.to(2)[..], [Said::Chunk { .. }]));
    // It has the snapshot and no more, or an entry beyond it.
    let mut exact = solo.clone();
    let outcome = exact.say(2, 2, ack(5, 1));
    let rest = [commands(6, &[1]), vec![(2, Item::NoOp)]].concat();
    assert_eq!(outcome.to(2), [append((5, 1), 5, 1, &rest)]);
    let outcome = solo.say(2, 2, ack(6, 1));
    assert_eq!(outcome.to(2), [append((6, 1), 5, 1, &[(2, Item::NoOp)])]);
}

/// C-43: an entry larger than a frame was taken, and could never be sent.
#[test]
fn entry_larger_than_a_frame_accepted() {
    let mut solo = Past::new(1).frame(200).establish();
    let payload_bytes_max = solo.raft.payload_bytes_max();
    assert_eq!(payload_bytes_max, 200 - 40 - 8);
    let too_long = vec![0; payload_bytes_max + 1];
    assert_eq!(
        solo.raft.propose(&too_long),
        Err(ProposeError::TooLarge { payload_bytes_max })
    );
    solo.raft.propose(&too_long[1..]).unwrap();
    assert_eq!(solo.drain().sent.len(), 2);
}

/// C-44, C-47: a lone voter committed before its own disk had the entry.
#[test]
fn committed_before_the_own_disk_had_it() {
    let mut solo = Past::new(1).voters(&[1]).start();
    solo.raft.campaign(solo.now).unwrap();
    assert!(solo.store());
    assert!(solo.raft.is_leader());
    assert_eq!((solo.last().0, solo.commit()), (1, 0));
    solo.raft.propose(b"x").unwrap();
    let write = solo.take_write().unwrap();
    assert_eq!((solo.commit(), solo.raft.poll_committed()), (0, None));
    solo.finish_write(write);
    assert_eq!(solo.commit(), 2);
}

/// C-44: a leader's copy counts among others only when durable.
#[test]
fn own_copy_counted_before_it_was_durable() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    assert_eq!(solo.sends().len(), 2, "the append may overtake the write");
    solo.hear(2, 1, &ack(2, 1));
    assert_eq!(solo.commit(), 1);
    solo.hear(3, 1, &ack(2, 1));
    assert_eq!(solo.commit(), 2, "two others are a majority");
    assert_eq!(
        solo.raft.poll_committed(),
        None,
        "not applied before it is durable here"
    );
    assert_eq!(solo.drain().applied, [2]);
}

/// C-45: an entry was overwritten and written again while its first write was under way, and the
/// completion of that was taken for the new one.
#[test]
fn async_append_aba_race() {
    let mut solo = Past::new(1).log(&[1]).term(1).start();
    solo.hear(2, 2, &append((1, 1), 0, 1, &commands(2, &[2])));
    let first = solo.take_write().unwrap();
    // Another leader overwrites it ...
    solo.hear(3, 3, &append((1, 1), 0, 1, &commands(2, &[3])));
    assert_eq!(solo.terms(), [1, 3]);
    // ... and the completion of the first write proves nothing of that.
    solo.finish_write(first);
    assert_eq!(solo.durable(), 1);
    assert!(solo.sends().is_empty(), "not even the term is durable");
    solo.crash();
    assert_eq!(
        (solo.terms(), solo.term()),
        (vec![1, 2], 2),
        "as it should be"
    );
}

/// C-45: even when a third leader brings back index and term of the first write.
#[test]
fn async_append_aba_race_with_the_same_entry() {
    let mut solo = Past::new(1).log(&[1]).term(1).start();
    let entry = commands(2, &[2]);
    solo.hear(2, 2, &append((1, 1), 0, 1, &entry));
    let first = solo.take_write().unwrap();
    solo.hear(3, 3, &append((1, 1), 0, 1, &commands(2, &[3])));
    solo.hear(2, 4, &append((1, 1), 0, 1, &entry));
    assert_eq!(solo.terms(), [1, 2]);
    solo.finish_write(first);
    assert_eq!(solo.durable(), 1, "the medium may say otherwise by now");
    let outcome = solo.drain();
    assert_eq!(
        outcome.sent,
        [(2, 4, ack(2, 1))],
        "the next write proves it"
    );
    assert_eq!(outcome.writes, 1);
}

/// C-46: completions that came out of order took back what a later one had proved.
#[test]
fn completions_out_of_order() {
    let mut solo = Past::new(1).voters(&[1]).establish();
    solo.raft.propose(b"x").unwrap();
    let (first, record) = solo.take_write().unwrap();
    solo.raft.propose(b"y").unwrap();
    assert!(solo.raft.poll_persist().is_none(), "one write at a time");
    solo.finish_write((first.clone(), record));
    assert_eq!((solo.durable(), solo.commit()), (2, 2));
    let second = solo.take_write().unwrap();
    solo.raft.handle_persisted(solo.now, first.clone()).unwrap();
    assert_eq!(solo.durable(), 2, "the first says nothing of the second");
    solo.finish_write(second);
    assert_eq!((solo.durable(), solo.commit()), (3, 3));
    let before = solo.raft.clone();
    solo.raft.handle_persisted(solo.now, first.clone()).unwrap();
    solo.raft.handle_persist_failed(solo.now, first).unwrap();
    assert_eq!(solo.raft, before, "a second use changes nothing");
}

/// C-31 and snapshots: a snapshot that covers less than the log cuts nothing off.
#[test]
fn old_snapshot_truncated_the_log() {
    let mut solo = Past::new(2).log(&[1, 1, 1]).start();
    let outcome = solo.say(1, 1, chunk((2, 1), b"two", 1));
    assert_eq!((solo.terms(), solo.commit()), (vec![1, 1, 1], 2));
    assert_eq!(outcome.to(1), [ack(2, 1)]);
    assert_eq!((outcome.applied, outcome.snapshots), (vec![1, 2], vec![]));
    assert_eq!(solo.raft.role(), Role::Follower);
}

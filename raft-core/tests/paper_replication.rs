//! Raft, extended version [Ongaro14 §5.3]: one test per sentence that states a behaviour.

mod support;

use clocks::Duration;
use raft_core::{Event, LogIndex};
use support::World;
use support::past::{Item, Past, command, commands};
use support::solo::{Said, ack, append, reject};

fn bytes(text: &str) -> Item {
    Item::Command(text.as_bytes().to_vec())
}

/// 5.3: a leader serves clients as soon as it is elected.
#[test]
fn leader_takes_commands_at_once() {
    let mut solo = Past::new(1).log(&[1]).lead();
    let id = solo.raft.propose(b"x").expect("it leads");
    assert_eq!((id.index.value(), id.term.value()), (3, 2));
}

/// 5.3: the leader appends the command to its log and sends it to all others in parallel.
#[test]
fn leader_appends_and_sends_in_parallel() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    let outcome = solo.drain();
    let sent = append((1, 1), 1, 1, &[(1, bytes("x"))]);
    assert_eq!(outcome.sent.len(), 2);
    for peer in [2, 3] {
        assert_eq!(outcome.to(peer), std::slice::from_ref(&sent));
    }
    assert_eq!(outcome.applied, [0; 0], "not committed yet");
}

/// 5.3: what is safely replicated the leader applies, and not before.
#[test]
fn leader_applies_when_a_majority_has_it() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    assert_eq!(solo.drain().applied, [0; 0]);
    let outcome = solo.say(2, 1, ack(2, 1));
    assert_eq!(outcome.applied, [2]);
    assert_eq!(solo.say(3, 1, ack(2, 1)).applied, [0; 0], "and only once");
}

/// 5.3: the leader retries until every follower has everything, long after it answered.
#[test]
fn leader_retries_until_every_follower_has_everything() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.isolate(3);
    for number in 0..5_u8 {
        world.propose(&[number]);
        world.settle();
    }
    assert_eq!(world.host(1).applied.len(), 5, "answered without node 3");
    world.run(Duration::from_millis(90));
    world.heal();
    world.run(Duration::from_millis(300));
    let expected = world.host(1).applied.clone();
    assert_eq!(world.host(3).applied, expected);
}

/// 5.3: each entry has the term in which the leader made it, and an index that is its place.
#[test]
fn entry_carries_term_and_index() {
    let mut solo = Past::new(1).log(&[1, 1, 3]).lead();
    let id = solo.raft.propose(b"x").unwrap();
    let entry = solo.raft.entry(LogIndex::new(5)).unwrap();
    assert_eq!((entry.id, entry.payload), (id, &b"x"[..]));
    assert_eq!(solo.terms(), [1, 1, 3, 4, 4]);
}

/// 5.3: an entry is committed once its leader has it on a majority, itself included.
#[test]
fn majority_of_copies_commits() {
    let members = [1, 2, 3, 4, 5];
    let mut solo = Past::new(1).voters(&members).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    solo.say(2, 1, ack(2, 1));
    assert_eq!(solo.commit(), 1, "two of five");
    solo.say(2, 1, ack(2, 1));
    assert_eq!(solo.commit(), 1, "nobody counts twice");
    solo.say(3, 1, ack(2, 1));
    assert_eq!(solo.commit(), 2, "three of five");
}

/// 5.3: with an entry, everything before it is committed, earlier leaders' entries included.
#[test]
fn commit_includes_everything_before() {
    let mut solo = Past::new(1).log(&[1, 1, 2]).lead();
    assert_eq!(solo.commit(), 0);
    let outcome = solo.say(2, 3, ack(4, 1));
    assert_eq!(solo.commit(), 4);
    assert_eq!(outcome.applied, [1, 2, 3]);
}

/// 5.3: appends carry the commit, heartbeats included, so that others find out.
#[test]
fn leader_spreads_its_commit() {
    let mut solo = Past::new(1).establish();
    solo.raft.propose(b"x").unwrap();
    solo.drain();
    let outcome = solo.say(2, 1, ack(2, 1));
    assert_eq!(outcome.to(2), [append((2, 1), 2, 1, &[])]);
    solo.say(3, 1, ack(2, 1));
    solo.tick(20);
    assert_eq!(solo.drain().to(2), [append((2, 1), 2, 2, &[])]);
}

/// 5.3: a follower applies what it learns to be committed, in the order of the log.
#[test]
fn follower_applies_in_order() {
    let mut solo = Past::new(2).term(1).start();
    let log = commands(1, &[1, 1, 1]);
    assert_eq!(solo.say(1, 1, append((0, 0), 0, 1, &log)).applied, [0; 0]);
    assert_eq!(solo.say(1, 1, append((3, 1), 2, 2, &[])).applied, [1, 2]);
    assert_eq!(solo.say(1, 1, append((3, 1), 3, 3, &[])).applied, [3]);
}

/// 5.3: a leader makes one entry per index and term, and none ever moves.
#[test]
fn entries_of_a_leader_stay_in_their_place() {
    let mut solo = Past::new(1).log(&[1, 1]).establish();
    let mut ids = Vec::new();
    for number in 0..20_u8 {
        let id = solo.raft.propose(&[number]).unwrap();
        assert!(!ids.contains(&id));
        ids.push(id);
        solo.drain();
        solo.level();
    }
    for (number, id) in (0..20_u8).zip(ids) {
        let entry = solo.raft.entry(id.index).unwrap();
        assert_eq!((entry.id, entry.payload), (id, &[number][..]));
    }
}

/// 5.3: an append names index and term of the entry before its first.
#[test]
fn append_names_the_entry_before() {
    let mut solo = Past::new(1).log(&[1, 1, 4]).lead();
    assert_eq!(solo.say(3, 5, ack(4, 1)).applied, [1, 2, 3]);
    solo.raft.propose(b"x").unwrap();
    let outcome = solo.drain();
    assert_eq!(
        outcome.sent,
        [(3, 5, append((4, 5), 4, 1, &[(5, bytes("x"))]))]
    );
}

/// 5.3: a follower without that entry refuses the new ones: its log is too short.
#[test]
fn follower_refuses_append_with_a_gap() {
    let mut solo = Past::new(2).log(&[1, 1]).start();
    let outcome = solo.say(1, 1, append((5, 1), 3, 1, &[(1, command(6, 1))]));
    assert_eq!(outcome.sent, [(1, 1, reject(0, 1, 5, (2, 1)))]);
    assert_eq!((solo.last(), solo.commit()), ((2, 1), 0));
}

/// 5.3: a follower without that entry refuses the new ones: another stands in its place.
#[test]
fn follower_refuses_append_after_another_entry() {
    let mut solo = Past::new(2).log(&[1, 1, 2]).start();
    let outcome = solo.say(1, 4, append((3, 3), 3, 1, &[(4, command(4, 4))]));
    assert_eq!(outcome.sent, [(1, 4, reject(0, 1, 3, (2, 1)))]);
    assert_eq!(solo.terms(), [1, 1, 2], "nothing is cut off by a refusal");
    assert_eq!(solo.commit(), 0);
}

/// 5.3: success tells the leader that the logs are the same up to the new entries.
#[test]
fn accepted_append_makes_the_logs_equal() {
    let mut solo = Past::new(2).log(&[1, 1]).start();
    let outcome = solo.say(1, 4, append((2, 1), 0, 1, &commands(3, &[3, 4])));
    assert_eq!(outcome.to(1).last(), Some(&ack(4, 1)));
    assert_eq!(solo.terms(), [1, 1, 3, 4]);
}

/// 5.3, figure 7: whatever a follower lacks or has too much, the leader's log ends up there.
#[test]
fn leader_makes_every_kind_of_follower_agree() {
    let leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    let followers: [&[u32]; 6] = [
        &[1, 1, 1, 4, 4, 5, 5, 6, 6],
        &[1, 1, 1, 4],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
        &[1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
        &[1, 1, 1, 4, 4, 4, 4],
        &[1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for log in followers {
        let mut world = World::of(&[
            Past::new(1).log(&leader).term(7),
            Past::new(2).log(log).term(7),
            Past::new(3).log(&leader).term(7),
        ]);
        world.isolate(2);
        world.elect(1);
        world.heal();
        world.run(Duration::from_millis(200));
        let (mut expected, mut actual) = (Vec::new(), Vec::new());
        for index in 1..=11 {
            expected.push(world.raft(1).entry(LogIndex::new(index)).map(|e| e.id));
            actual.push(world.raft(2).entry(LogIndex::new(index)).map(|e| e.id));
        }
        assert_eq!(actual, expected, "{log:?}");
        assert_eq!(world.raft(2).last(), world.raft(1).last(), "{log:?}");
        let applied = world.host(1).applied.clone();
        assert_eq!(world.host(2).applied, applied);
    }
}

/// 5.3: entries of a follower that conflict are overwritten by the leader's.
#[test]
fn conflicting_entries_are_overwritten() {
    let mut solo = Past::new(2).log(&[1, 1, 2, 2]).start();
    let outcome = solo.say(1, 4, append((2, 1), 0, 1, &commands(3, &[3])));
    assert_eq!(
        solo.terms(),
        [1, 1, 3],
        "and all that followed them is gone"
    );
    assert_eq!(outcome.to(1).last(), Some(&ack(3, 1)));
    let lost = Event::Lost {
        from: LogIndex::new(3),
        below: solo.raft.term(),
    };
    assert!(outcome.events.contains(&lost));
    solo.crash();
    assert_eq!(solo.terms(), [1, 1, 3], "on the medium too");
}

/// 5.3: a new leader starts each follower just after its own last entry.
#[test]
fn new_leader_starts_after_its_own_last_entry() {
    let mut solo = Past::new(1).log(&[1, 1, 1]).start();
    let outcome = solo.win();
    for peer in [2, 3] {
        assert_eq!(outcome.to(peer), [append((3, 1), 0, 1, &[(2, Item::NoOp)])]);
    }
}

/// 5.3: after a refusal the leader goes back and tries again.
#[test]
fn leader_goes_back_after_a_refusal() {
    let mut solo = Past::new(1).log(&[1, 1, 1]).lead();
    let outcome = solo.say(2, 2, reject(0, 1, 3, (1, 1)));
    let mut rest = commands(2, &[1, 1]);
    rest.push((2, Item::NoOp));
    assert_eq!(outcome.sent, [(2, 2, append((1, 1), 0, 1, &rest))]);
}

/// 5.3: eventually the logs meet, at the latest before the first entry.
#[test]
fn refusals_end_at_the_beginning_of_the_log() {
    let mut solo = Past::new(1).log(&[2, 2, 2]).lead();
    let outcome = solo.say(2, 3, reject(0, 1, 3, (0, 0)));
    let mut all = commands(1, &[2, 2, 2]);
    all.push((3, Item::NoOp));
    assert_eq!(outcome.sent, [(2, 3, append((0, 0), 0, 1, &all))]);
    solo.say(2, 3, ack(4, 1));
    assert_eq!(
        solo.raft.matched(quorum::NodeId::new(2)).unwrap(),
        LogIndex::new(4)
    );
}

/// 5.3: one refusal passes over a whole term of conflicting entries, on both sides.
#[test]
fn one_refusal_passes_over_a_whole_term() {
    let mut follower = Past::new(2).log(&[1, 1, 2, 2, 2, 2]).start();
    let outcome = follower.say(1, 5, append((6, 4), 0, 1, &[]));
    assert_eq!(
        outcome.to(1),
        [reject(0, 1, 6, (5, 2))],
        "the last that may agree"
    );
    let mut leader = Past::new(1).log(&[1, 1, 4, 4, 4, 4]).lead();
    let outcome = leader.say(2, 5, reject(0, 1, 6, (5, 2)));
    let Some(Said::Append { prev, .. }) = outcome.to(2).pop() else {
        panic!("it tries again");
    };
    assert_eq!(prev, (2, 1), "terms above 2 are passed over");
}

/// 5.3: a leader never overwrites or deletes an entry of its own log, whatever it hears.
#[test]
fn leader_only_appends() {
    let mut solo = Past::new(1).log(&[1, 1]).lead();
    let before = solo.terms();
    for said in [
        append((0, 0), 3, 9, &commands(1, &[2, 2, 2])),
        reject(0, 1, 2, (0, 0)),
        ack(99, 1),
        Said::VoteReply(false),
        Said::Vote { last: (99, 2) },
    ] {
        solo.say(2, 2, said);
        assert_eq!(solo.terms(), before);
    }
}

/// 5.3: one round of messages to a majority commits an entry.
#[test]
fn one_round_trip_commits() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.run(Duration::from_millis(40));
    world.propose(b"x");
    world.drain(1);
    let appends: Vec<_> = world.wire.drain(..).collect();
    assert_eq!(appends.len(), 2);
    world.deliver(&appends[0]);
    let member = appends[0].to;
    world.drain(member);
    let answer = world.wire.pop_front().expect("acknowledged");
    world.deliver(&answer);
    world.drain(1);
    assert_eq!(world.host(1).applied.len(), 1);
}

/// 5.3: one slow follower does not slow the group down.
#[test]
fn slow_follower_slows_nobody() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(1);
    world.isolate(3);
    let now = world.now;
    for number in 0..100_u8 {
        world.propose(&[number]);
        world.settle();
    }
    assert_eq!(world.host(1).applied.len(), 100);
    assert_eq!(world.now, now, "without any waiting");
}

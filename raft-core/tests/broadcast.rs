//! One frame for all who are level: who is named, who is silent, and what it saves.

mod support;

use std::collections::VecDeque;

use clocks::Duration;
use quorum::{Member, MemberSet, NodeId};
use raft_core::wire::{self, Frame};
use raft_core::{Broadcast, Change, Message, Ready, Standing};
use support::World;
use support::past::{Item, Past, command, encode_entries, seats};
use support::solo::{Said, Solo, ack, append, reject};

const FIVE: [u64; 5] = [1, 2, 3, 4, 5];

/// What a node says to several at once: for whom, and what.
fn broadcasts(solo: &mut Solo, ready: Ready<'_>) -> Vec<(Vec<u64>, Said)> {
    let names: Vec<u64> = solo
        .raft
        .members()
        .map(|seat| seat.identity.node.value())
        .collect();
    let mut said = Vec::new();
    while let Some(broadcast) = solo.raft.poll_broadcast(solo.now, ready) {
        let named = broadcast.members.iter().map(|member| names[member.index()]);
        said.push((named.collect(), Said::of(&broadcast.message)));
        assert!(said.len() < 100, "sending does not end");
    }
    solo.check();
    said
}

/// The places of these, counted from 0.
fn places(places: &[usize]) -> MemberSet {
    places
        .iter()
        .filter_map(|place| Member::new(*place))
        .collect()
}

fn hears(solo: &mut Solo, from: u64, term: u32, members: MemberSet, said: &Said) {
    let (now, node) = (solo.now, NodeId::new(from));
    said.with(from, term, u32::MAX, |message: Message<'_>| {
        let broadcast = Broadcast { members, message };
        solo.raft.handle_broadcast(now, node, broadcast).unwrap();
    });
    solo.check();
}

/// A leader whose four followers are level and have acknowledged its first round.
fn leader() -> Solo {
    let mut solo = Past::new(1).voters(&FIVE).establish();
    solo.drain();
    solo
}

#[test]
fn one_frame_serves_all_who_are_level() {
    let mut solo = leader();
    solo.raft.propose(b"for all").unwrap();
    let item = (1, Item::Command(b"for all".to_vec()));
    let said = append((1, 1), 1, 1, &[item]);
    assert_eq!(
        broadcasts(&mut solo, Ready::All),
        [(vec![2, 3, 4, 5], said)]
    );
    assert_eq!(solo.sends(), [], "nothing is left to say one to one");
    // The commit goes the same way, once it is known.
    for peer in [2, 3] {
        solo.hear(peer, 1, &ack(2, 1));
    }
    solo.store();
    let told = append((2, 1), 2, 1, &[]);
    assert_eq!(
        broadcasts(&mut solo, Ready::All),
        [(vec![2, 3, 4, 5], told)]
    );
    // And the next heartbeat.
    solo.tick(20);
    let contact = append((2, 1), 2, 2, &[]);
    assert_eq!(
        broadcasts(&mut solo, Ready::All),
        [(vec![2, 3, 4, 5], contact)]
    );
    assert_eq!(solo.sends(), []);
}

#[test]
fn who_is_not_ready_or_not_level_is_left_out() {
    let mut solo = leader();
    // Node 5 has refused something, and is looked for again.
    solo.raft.propose(b"a").unwrap();
    solo.drain();
    solo.hear(5, 1, &reject(1, 1, 2, (1, 1)));
    solo.drain();
    solo.raft.propose(b"b").unwrap();
    let asleep = [NodeId::new(4)];
    let said = broadcasts(&mut solo, Ready::Except(&asleep));
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].0, [2, 3]);
    let sent = solo.sends();
    assert!(sent.iter().any(|(to, _, _)| *to == 4), "{sent:?}");
    assert!(sent.iter().all(|(to, _, _)| *to >= 4), "{sent:?}");
    // For one alone a broadcast saves nothing.
    solo.raft.propose(b"c").unwrap();
    let two = [NodeId::new(2)];
    assert_eq!(broadcasts(&mut solo, Ready::Only(&two)), []);
}

/// Whoever missed a frame cannot say so. It is left out as soon as its answer is missing.
#[test]
fn who_does_not_answer_is_served_alone() {
    let mut solo = leader();
    for round in 2..=3 {
        solo.tick(20);
        let named = broadcasts(&mut solo, Ready::All)[0].0.clone();
        match round {
            2 => assert_eq!(named, [2, 3, 4, 5]),
            _ => assert_eq!(named, [2, 3, 4], "node 5 has not answered the second"),
        }
        let alone = solo.sends();
        assert_eq!(alone.len(), usize::from(round == 3), "{alone:?}");
        for peer in [2, 3, 4] {
            solo.hear(peer, 1, &ack(1, round));
        }
    }
    // Having answered, it is one of all again.
    solo.hear(5, 1, &ack(1, 3));
    solo.tick(20);
    assert_eq!(broadcasts(&mut solo, Ready::All)[0].0, [2, 3, 4, 5]);
}

/// The round of an attempt is acknowledged by nobody.
#[test]
fn refused_silence_leaves_all_level() {
    let mut solo = Past::new(1).voters(&FIVE).quiet(300).establish();
    let mut asked = false;
    for _ in 0..100 {
        if asked {
            break;
        }
        solo.tick(20);
        for (to, term, said) in solo.drain().sent {
            match said {
                Said::Append { round, .. } => drop(solo.say(to, term, ack(1, round))),
                said => asked = matches!(said, Said::Quiet { .. }),
            }
        }
    }
    assert!(asked, "it does not ask");
    solo.tick(20);
    assert_eq!(broadcasts(&mut solo, Ready::All)[0].0, [2, 3, 4, 5]);
}

/// Nobody could know whom places mean before it has the configuration that gives them.
#[test]
fn configuration_goes_one_to_one() {
    let mut solo = leader();
    let remove = [Change::Remove(NodeId::new(5))];
    solo.raft.reconfigure(&remove).unwrap();
    assert_eq!(broadcasts(&mut solo, Ready::All), []);
    assert_eq!(solo.sends().len(), 4);
    // Behind it, everything is said to all.
    solo.raft.propose(b"behind").unwrap();
    assert_eq!(broadcasts(&mut solo, Ready::All).len(), 1);
}

#[test]
fn only_a_leader_speaks_to_all() {
    let mut follower = Past::new(1).start();
    follower.stand();
    assert_eq!(broadcasts(&mut follower, Ready::All), []);
    let mut solo = leader();
    solo.raft.propose(b"a").unwrap();
    solo.hear(2, 9, &ack(1, 1));
    assert_eq!(broadcasts(&mut solo, Ready::All), []);
}

/// Everybody has room for what everybody gets, and the frame holds it.
#[test]
fn smallest_room_and_the_frame_bound_what_is_said() {
    let mut solo = Past::new(1).voters(&FIVE).frame(200).establish();
    for _ in 0..4 {
        solo.raft.propose(&[7; 60]).unwrap();
    }
    let mut frame = [0; 200];
    let mut sent = 0;
    while let Some(broadcast) = solo.raft.poll_broadcast(solo.now, Ready::All) {
        let bytes = wire::encode_broadcast(&broadcast, &mut frame).unwrap();
        assert!(bytes.len() <= 200);
        sent += 1;
    }
    assert_eq!(sent, 2, "two entries a frame");
    let mut solo = leader();
    solo.room = 30;
    solo.hear(3, 1, &ack(1, 1));
    solo.raft.propose(&[7; 60]).unwrap();
    assert_eq!(broadcasts(&mut solo, Ready::All), []);
    assert_eq!(solo.sends().len(), 3, "node 3 waits for room");
}

/// Node 2 of three, following node 1, with entries of term 1 up to the third.
fn follower() -> Solo {
    let mut solo = Past::new(2).log(&[1, 1, 1]).start();
    solo.say(1, 1, append((3, 1), 3, 1, &[]));
    solo
}

fn fourth() -> Said {
    append((3, 1), 3, 2, &[(1, command(4, 1))])
}

#[test]
fn who_is_named_and_level_answers_as_always() {
    let mut solo = follower();
    hears(&mut solo, 1, 1, places(&[1, 2]), &fourth());
    let outcome = solo.drain();
    assert_eq!(solo.last(), (4, 1));
    assert_eq!(outcome.to(1).last(), Some(&ack(4, 2)));
}

#[test]
fn who_is_not_named_or_not_level_is_silent() {
    let beyond = append((4, 1), 3, 2, &[(1, command(5, 1))]);
    let other = append((3, 2), 3, 2, &[(2, command(4, 2))]);
    for (members, said) in [
        (places(&[0, 2]), fourth()),
        (MemberSet::EMPTY, fourth()),
        (places(&[1, 2]), beyond),
        (places(&[1, 2]), other),
    ] {
        let mut solo = follower();
        let before = solo.raft.clone();
        let term = solo.term();
        hears(&mut solo, 1, term, members, &said);
        assert_eq!(solo.raft, before, "{members:?} {said:?}");
        assert!(solo.drain().is_silent());
    }
}

/// One frame that everybody missed made everybody stand for election: the next one found nobody
/// level, and whoever is not level did not note that its leader lives.
#[test]
fn who_is_not_level_was_deaf_to_its_leader() {
    let beyond = append((4, 1), 3, 2, &[(1, command(5, 1))]);
    let mut solo = follower();
    let end = solo.raft.poll_timeout().expect("it waits for its leader");
    let left = end.as_micros() - solo.now.as_micros();
    solo.pass(left / 1000 - 1);
    hears(&mut solo, 1, 1, places(&[1, 2]), &beyond);
    assert!(solo.drain().is_silent());
    solo.tick(2);
    assert_eq!(solo.raft.role(), raft_core::Role::Follower);
}

/// Places are those of a configuration: whoever has a later one may stand elsewhere.
#[test]
fn who_has_another_configuration_is_silent() {
    let mut solo = follower();
    let group = seats(&[
        (2, Standing::Voter),
        (3, Standing::Voter),
        (4, Standing::Learner),
    ]);
    solo.say(1, 1, append((3, 1), 3, 1, &[(1, Item::Seats(group))]));
    let before = solo.raft.clone();
    for members in [places(&[0]), places(&[1]), places(&[0, 1, 2])] {
        hears(&mut solo, 1, 1, members, &append((3, 1), 3, 2, &[]));
        assert_eq!(solo.raft, before);
    }
    hears(&mut solo, 1, 1, places(&[0, 2]), &append((4, 1), 3, 2, &[]));
    assert_eq!(solo.drain().to(1), [ack(4, 2)]);
}

/// A leader of a later term is one for everybody; who stays behind is told the term by whom it names.
#[test]
fn terms_are_those_of_any_message() {
    let mut solo = follower();
    let later = append((3, 1), 3, 1, &[(2, Item::NoOp)]);
    hears(&mut solo, 3, 2, places(&[0]), &later);
    assert_eq!((solo.term(), solo.last()), (2, (3, 1)), "not named");
    assert_eq!(solo.drain().sent, []);
    hears(&mut solo, 3, 2, places(&[0, 1]), &later);
    assert_eq!(solo.last(), (4, 2));
    solo.drain();
    hears(&mut solo, 1, 1, places(&[2]), &append((3, 1), 3, 9, &[]));
    assert_eq!(solo.drain().sent, []);
    hears(&mut solo, 1, 1, places(&[1, 2]), &append((3, 1), 3, 9, &[]));
    assert_eq!(solo.drain().sent, [(1, 2, Said::VoteReply(false))]);
}

/// Whatever the bits say, nothing happens that an append could not do.
#[test]
fn frames_that_make_no_sense_are_dropped() {
    let mut solo = follower();
    let before = solo.raft.clone();
    let all = MemberSet::from_bits(u64::MAX);
    hears(&mut solo, 1, 1, all, &Said::Vote { last: (9, 9) });
    let events = solo.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(solo.raft.last(), before.last());
    hears(
        &mut solo,
        1,
        1,
        all,
        &append((3, 1), u64::MAX, 2, &[(9, Item::NoOp)]),
    );
    assert_eq!(solo.raft.last(), before.last());
    assert!(solo.drain().dropped().is_some());
    hears(
        &mut solo,
        1,
        1,
        all,
        &append((u64::MAX, u32::MAX), 3, 2, &[]),
    );
    assert!(solo.drain().sent.is_empty());
}

/// A medium on which one frame reaches everybody, unless it gets lost on the way to somebody.
struct Air {
    world: World,
    is_shared: bool,
    heard: VecDeque<(u64, u64, Vec<u8>)>,
    /// Frames that were sent, one for each that is for several.
    frames: usize,
    bytes_max: usize,
    loses: fn(frame: usize, to: u64) -> bool,
}

impl Air {
    fn new(size: u64, frame: usize, is_shared: bool) -> Air {
        let names: Vec<u64> = (1..=size).collect();
        let pasts: Vec<_> = names
            .iter()
            .map(|id| Past::new(*id).voters(&names).frame(frame))
            .collect();
        let mut world = World::of(&pasts);
        world.elect(1);
        Air {
            world,
            is_shared,
            heard: VecDeque::new(),
            frames: 0,
            bytes_max: 0,
            loses: |_, _| false,
        }
    }

    fn speak(&mut self, id: u64) {
        let (now, ids) = (self.world.now, self.world.ids());
        self.world.persist(id);
        let mut buffer = [0; 4096];
        while let Some(broadcast) = self
            .is_shared
            .then(|| self.world.raft(id).poll_broadcast(now, Ready::All))
            .flatten()
        {
            let bytes = wire::encode_broadcast(&broadcast, &mut buffer).unwrap();
            self.bytes_max = self.bytes_max.max(bytes.len());
            for to in ids.iter().filter(|to| **to != id) {
                if !(self.loses)(self.frames, *to) {
                    self.heard.push_back((id, *to, bytes.to_vec()));
                }
            }
            self.frames += 1;
        }
        self.frames += self.world.transmit(id);
        for frame in &self.world.wire {
            self.bytes_max = self.bytes_max.max(frame.bytes.len());
        }
        self.world.persist(id);
        self.world.apply(id);
    }

    fn settle(&mut self) {
        loop {
            for id in self.world.ids() {
                self.speak(id);
            }
            if let Some((from, to, bytes)) = self.heard.pop_front() {
                let Ok(Frame::Many(broadcast)) = wire::decode_frame(&bytes) else {
                    panic!("our own frame")
                };
                let (now, from) = (self.world.now, NodeId::new(from));
                let raft = self.world.raft(to);
                raft.handle_broadcast(now, from, broadcast).unwrap();
            } else if let Some(frame) = self.world.wire.pop_front() {
                self.world.deliver(&frame);
            } else {
                return;
            }
        }
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.world.now = self.world.now.saturating_add(Duration::from_millis(1));
            let now = self.world.now;
            for id in self.world.ids() {
                self.world.raft(id).handle_timeout(now).unwrap();
            }
            self.settle();
        }
    }

    /// Commits so many entries of 16 bytes, so many at a time; returns the frames that took.
    fn commit(&mut self, count: usize, at_once: usize) -> usize {
        let before = self.frames;
        for _ in 0..count / at_once {
            for _ in 0..at_once {
                self.world.raft(1).propose(&[7; 16]).unwrap();
            }
            self.settle();
        }
        for id in self.world.ids() {
            assert_eq!(self.world.host(id).applied.len(), count, "node {id}");
        }
        self.frames - before
    }
}

/// Frames for a hundred entries, one to one and broadcast.
fn compare(size: u64, frame: usize, at_once: usize) -> (usize, usize) {
    let count = |is_shared| Air::new(size, frame, is_shared).commit(100, at_once);
    (count(false), count(true))
}

/// Each entry, one at a time: entry, answers, and that it is committed.
#[test]
fn frames_on_the_air() {
    println!("frames for 100 entries of 16 bytes | one to one | broadcast");
    for (size, at_once, frame, expected) in [
        (3, 1, 4096, (600, 400)),
        (5, 1, 4096, (1200, 600)),
        (3, 10, 4096, (60, 40)),
        (5, 10, 4096, (120, 60)),
        (3, 1, 72, (600, 400)),
        (5, 1, 72, (1200, 600)),
    ] {
        let (alone, shared) = compare(size, frame, at_once);
        println!("{size} nodes, {at_once} at once, frames of {frame} bytes | {alone} | {shared}");
        assert_eq!((alone, shared), expected, "{size} nodes, {at_once} at once");
    }
}

/// A frame of a radio carries header, set, and an entry of some bytes.
#[test]
fn broadcast_fits_a_frame_of_a_radio() {
    let set = places(&[1, 2, 4]);
    assert_eq!(wire::broadcast_header_bytes(set), 41);
    assert_eq!(wire::broadcast_header_bytes(places(&[8])), 42);
    assert_eq!(wire::broadcast_header_bytes(places(&[63])), 48);
    let entry = encode_entries(&[(1, Item::Command(vec![7; 15]))]);
    assert_eq!(wire::broadcast_header_bytes(set) + entry.len(), 64);
    let mut air = Air::new(3, 72, true);
    air.commit(10, 1);
    assert!(air.bytes_max <= 72, "{}", air.bytes_max);
}

/// Frames get lost on the way to one or the other; with the next heartbeats all are level again.
#[test]
fn who_misses_frames_is_brought_level() {
    for size in [3, 5] {
        let mut air = Air::new(size, 4096, true);
        air.loses = |frame, to| (frame * 7 + to as usize * 3).is_multiple_of(5);
        for _ in 0..40 {
            air.world.raft(1).propose(b"through noise").unwrap();
            air.run(5);
        }
        air.loses = |_, _| false;
        air.run(100);
        assert_eq!(air.world.leader(), Some(1), "nobody else was needed");
        for id in air.world.ids() {
            assert_eq!(air.world.host(id).applied.len(), 40, "node {id} of {size}");
        }
        // All are level: one frame serves them again.
        let before = air.frames;
        air.world.raft(1).propose(b"and then").unwrap();
        air.settle();
        assert_eq!(air.frames - before, size as usize + 1);
    }
}

/// A node that hears nothing of what is for several is served one to one.
#[test]
fn who_hears_no_broadcast_follows_all_the_same() {
    let mut air = Air::new(3, 4096, true);
    air.loses = |_, to| to == 3;
    for _ in 0..20 {
        air.world.raft(1).propose(b"to each").unwrap();
        air.run(20);
    }
    air.run(100);
    assert_eq!(air.world.leader(), Some(1));
    assert_eq!(air.world.host(3).applied.len(), 20);
}

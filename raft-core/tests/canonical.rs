//! Canonical forms: equal for equal situations, different for different ones, and equal machines
//! go on equally.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::canonical::{AsTheyAre, Names};
use raft_core::{Body, LogIndex, Ready, Round, Term, wire};
use support::{Machine, World, config};

fn form_with(raft: &Machine, names: &dyn Names) -> Vec<u64> {
    let mut words = Vec::new();
    raft.canonical(names, &mut |word| words.push(word));
    words
}

fn form(raft: &Machine) -> Vec<u64> {
    form_with(raft, &AsTheyAre)
}

/// The names of two nodes exchanged.
struct Exchanged(u64, u64);

impl Names for Exchanged {
    fn node(&self, node: NodeId) -> NodeId {
        match node.value() {
            value if value == self.0 => NodeId::new(self.1),
            value if value == self.1 => NodeId::new(self.0),
            _ => node,
        }
    }
}

/// Seen from where the group began, without what chance drew then.
struct FromTheBeginning(LogIndex, Term);

impl Names for FromTheBeginning {
    fn term(&self, term: Term) -> Term {
        Term::new(term.value().saturating_sub(self.1.value()))
    }

    fn index(&self, index: LogIndex) -> LogIndex {
        LogIndex::new(index.value().saturating_sub(self.0.value()))
    }

    fn drawn(&self, _: u64) -> u64 {
        0
    }

    fn contents(&self, _: u64) -> u64 {
        0
    }

    fn round(&self, _: Round) -> Round {
        Round::ZERO
    }

    fn time(&self, _: Duration) -> Duration {
        Duration::ZERO
    }

    fn room(&self, _: u32) -> u32 {
        0
    }
}

fn after(now: Instant, millis: u64) -> Instant {
    now.saturating_add(Duration::from_millis(millis))
}

/// Everything that a machine sends and then is, in canonical form.
fn goes_on(raft: &mut Machine, now: Instant) -> Vec<Vec<u64>> {
    let me = raft.identity().node;
    let mut said = Vec::new();
    while let Some(transmit) = raft.poll_transmit(now, Ready::All) {
        let mut words = Vec::new();
        let message = transmit.message;
        message.canonical(me, transmit.to, &AsTheyAre, &mut |word| words.push(word));
        said.push(words);
    }
    said.sort_unstable();
    said.push(form(raft));
    said
}

#[test]
fn the_time_of_day_is_no_part_of_the_form() {
    let found = |at: u64, seed: u64| {
        let now = Instant::from_micros(at);
        Machine::found(config(1), vec![0; support::WINDOW], seed, now).unwrap()
    };
    assert_eq!(form(&found(0, 1)), form(&found(1_000_000, 1)));
    assert_ne!(form(&found(0, 1)), form(&found(0, 2)), "other identities");
}

#[test]
fn counters_are_no_part_of_the_form() {
    let mut world = World::group(3);
    let now = after(world.now, 10_000);
    let raft = world.raft(2);
    raft.handle_timeout(now).unwrap();
    let asked_once = form(raft);
    let later = after(now, 10_000);
    let once = raft.clone();
    while raft.poll_transmit(now, Ready::All).is_some() {}
    raft.handle_timeout(later).unwrap();
    assert_eq!(asked_once, form(raft), "another attempt is like the first");
    assert_ne!(once, *raft, "but the machines differ");
}

#[test]
fn a_group_looks_as_it_did_before_from_where_it_is_now() {
    let mut world = World::group(3);
    let forms = |world: &mut World| {
        world.settle();
        (1..=3).for_each(|id| world.compact_if_possible(id));
        world.settle();
        let leader = world.raft(1);
        let here = FromTheBeginning(leader.last().index, leader.term());
        (1..=3)
            .map(|id| form_with(world.raft(id), &here))
            .collect::<Vec<_>>()
    };
    let before = forms(&mut world);
    for command in 0..5_u8 {
        world.propose(&[command]);
    }
    let after = forms(&mut world);
    // The leader still knows where its office began, the others do not.
    assert_eq!(before[1..], after[1..]);
    world.propose(b"one that stays in the log");
    world.settle();
    let leader = world.raft(1);
    let (last, term) = (leader.last().index, leader.term());
    let here = FromTheBeginning(LogIndex::new(last.value() - 1), term);
    assert_ne!(form_with(world.raft(2), &here), after[1]);
}

#[test]
fn what_matters_is_part_of_the_form() {
    let mut world = World::group(3);
    let mut forms = vec![
        form(world.raft(1)),
        form(world.raft(2)),
        form(world.raft(3)),
    ];
    // A follower that has not heard from its leader for a while, and one that asks.
    let (now, raft) = (world.now, world.raft(2));
    raft.handle_timeout(after(now, 99)).unwrap();
    forms.push(form(raft));
    raft.handle_timeout(after(now, 110)).unwrap();
    forms.push(form(raft));
    raft.handle_timeout(after(now, 1_000)).unwrap();
    forms.push(form(raft));
    let _ = raft.poll_transmit(after(now, 1_000), Ready::All).unwrap();
    forms.push(form(raft));
    // A leader with one command more, being written, written, sent.
    let raft = world.raft(1);
    raft.propose(b"x").unwrap();
    forms.push(form(raft));
    let ticket = raft.poll_persist().unwrap().into_ticket();
    forms.push(form(raft));
    raft.handle_persisted(now, ticket).unwrap();
    forms.push(form(raft));
    let _ = raft.poll_transmit(now, Ready::All).unwrap();
    forms.push(form(raft));
    let raft = world.raft(1);
    raft.propose(b"y").unwrap();
    forms.push(form(raft));
    for (place, one) in forms.iter().enumerate() {
        for other in &forms[place + 1..] {
            // 99 ms are within the stickiness period: nothing has changed there.
            let is_same_by_right = place == 1 && *other == forms[3];
            assert!(one != other || is_same_by_right, "form {place}");
        }
    }
}

#[test]
fn renamed_groups_have_the_forms_of_each_other() {
    // Nodes 2 and 3 differ in their lives, so only the leader's view can be compared whole:
    // exchanging them twice is nothing, exchanging them once is something else.
    let world = World::group(3);
    let leader = world.hosts[0].raft.as_ref().unwrap();
    struct Twice;
    impl Names for Twice {
        fn node(&self, node: NodeId) -> NodeId {
            Exchanged(2, 3).node(Exchanged(2, 3).node(node))
        }
    }
    assert_eq!(form(leader), form_with(leader, &Twice));
    assert_ne!(form(leader), form_with(leader, &Exchanged(2, 3)));
    assert_eq!(
        form(leader).len(),
        form_with(leader, &Exchanged(2, 3)).len()
    );
}

#[test]
fn messages_have_forms() {
    let mut world = World::group(3);
    world.raft(1).propose(b"x").unwrap();
    let now = world.now;
    let mut appends = Vec::new();
    while let Some(transmit) = world.raft(1).poll_transmit(now, Ready::All) {
        assert!(matches!(transmit.message.body, Body::Append(_)));
        let mut frame = [0; support::FRAME];
        let bytes = wire::encode(&transmit.message, &mut frame).unwrap();
        appends.push((transmit.to, bytes.to_vec()));
    }
    let words = |to: NodeId, bytes: &[u8], names: &dyn Names| {
        let mut words = Vec::new();
        let message = wire::decode(bytes).unwrap();
        message.canonical(NodeId::new(1), to, names, &mut |word| words.push(word));
        words
    };
    let [(two, to_two), (three, to_three)] = &appends[..] else {
        panic!("one for each follower");
    };
    assert_ne!(
        words(*two, to_two, &AsTheyAre),
        words(*three, to_three, &AsTheyAre)
    );
    assert_eq!(
        words(*two, to_two, &AsTheyAre),
        words(*three, to_three, &Exchanged(2, 3))
    );
}

/// Two machines with equal forms, one of them later and with other counters, answer every input
/// equally: here, every machine of a history and itself after its clock was set forward with
/// nothing due.
#[test]
fn equal_forms_go_on_equally() {
    let mut compared = 0;
    for history in 0..40_u64 {
        let mut world = World::group(3);
        for step in 0..30 {
            let id = 1 + (history * 7 + step * 3) % 3;
            let now = world.now;
            let mut one = world.raft(id).clone();
            let mut other = one.clone();
            let later = after(now, 1 + history % 7);
            other.handle_timeout(later).unwrap();
            if form(&one) == form(&other) {
                compared += 1;
                assert_eq!(goes_on(&mut one, now), goes_on(&mut other, later));
                let one_proposed = one.propose(b"z").map_err(|_| ());
                assert_eq!(one_proposed, other.propose(b"z").map_err(|_| ()));
                assert_eq!(goes_on(&mut one, now), goes_on(&mut other, later));
                one.handle_timeout(after(now, 100_000)).unwrap();
                other.handle_timeout(after(later, 100_000)).unwrap();
                assert_eq!(goes_on(&mut one, now), goes_on(&mut other, later));
            }
            match (history + step) % 4 {
                0 => {
                    let _ = world.raft(id).propose(&step.to_le_bytes());
                }
                1 => {
                    let _ = world.raft(id).campaign(now);
                }
                _ => world.now = after(now, 15 + step),
            }
            let now = world.now;
            world.raft(id).handle_timeout(now).unwrap();
            if step % 2 == 0 {
                world.settle();
            }
        }
    }
    assert!(compared > 100, "{compared} pairs were compared");
}

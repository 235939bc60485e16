//! Canonical forms of machines that read: what is numbered anew, and what answers are compared with.

mod support;

use clocks::{Duration, Instant};
use raft_core::Ready;
use raft_core::canonical::{AsTheyAre, Names};
use support::{Machine, World};

fn form(raft: &Machine, names: &dyn Names) -> Vec<u64> {
    let mut words = Vec::new();
    raft.canonical(names, &mut |word| words.push(word));
    words
}

fn after(now: Instant, millis: u64) -> Instant {
    now.saturating_add(Duration::from_millis(millis))
}

/// Questions are told apart.
struct Asking;

impl Names for Asking {
    fn own_question(&self, nonce: u64, number: u64) -> (u64, u64) {
        (nonce, number)
    }
}

/// Times are told apart.
struct Timed;

impl Names for Timed {
    fn is_timed(&self) -> bool {
        true
    }
}

/// A follower that has asked for an index, as often as this before, each time without an answer.
fn asked(world: &World, before: usize) -> Machine {
    let mut raft = world.hosts[1].raft.clone().expect("it runs");
    let now = world.now;
    for _ in 0..before {
        let _ = raft.read(now).expect("it knows a leader");
        while raft.poll_transmit(now, Ready::All).is_some() {}
    }
    raft
}

#[test]
fn which_question_is_open_shows_only_where_questions_are_told_apart() {
    let world = World::group(3);
    let (mut one, mut other) = (asked(&world, 0), asked(&world, 0));
    assert_eq!(form(&one, &Asking), form(&other, &Asking));
    let _ = one.read(world.now).expect("it knows a leader");
    assert_ne!(form(&one, &AsTheyAre), form(&other, &AsTheyAre));
    let _ = other.read(world.now).expect("it knows a leader");
    assert_eq!(form(&one, &Asking), form(&other, &Asking));
    // What waits is asked in one question, and what comes later in the next.
    let (one, other) = (asked(&world, 1), asked(&world, 2));
    assert_ne!(form(&one, &AsTheyAre), form(&other, &AsTheyAre));
}

#[test]
fn reads_that_ended_leave_nothing_but_a_number() {
    let mut world = World::group(3);
    world.settle();
    let now = world.now;
    let fresh = world.raft(2).clone();
    let mut used = fresh.clone();
    let _ = used.read(now).expect("it knows a leader");
    let patient = after(now, 100_000);
    for raft in [&mut used, &mut world.raft(2).clone()] {
        raft.handle_timeout(patient).expect("it runs");
        while raft.poll_read().is_some() {}
    }
    let mut waited = fresh;
    waited.handle_timeout(patient).expect("it runs");
    assert_eq!(form(&used, &AsTheyAre), form(&waited, &AsTheyAre));
    assert_ne!(form(&used, &Asking), form(&waited, &Asking));
}

#[test]
fn how_long_ago_a_leader_was_heard_shows_in_a_timed_form_only() {
    let mut world = World::group(3);
    world.settle();
    let now = world.now;
    let raft = world.raft(2).clone();
    let mut later = raft.clone();
    later.handle_timeout(after(now, 1)).expect("it runs");
    assert_eq!(form(&raft, &AsTheyAre), form(&later, &AsTheyAre));
    assert_ne!(form(&raft, &Timed), form(&later, &Timed));
}

#[test]
fn until_when_a_leaders_read_waits_is_part_of_its_form() {
    let mut world = World::group(3);
    world.settle();
    let now = world.now;
    let mut asked_at = |at: Instant| {
        let mut raft = world.raft(1).clone();
        let _ = raft.read(at).expect("it leads");
        while raft.poll_transmit(at, Ready::All).is_some() {}
        raft.handle_timeout(after(now, 1)).expect("it runs");
        form(&raft, &AsTheyAre)
    };
    assert_eq!(asked_at(now), asked_at(now));
    assert_ne!(asked_at(now), asked_at(after(now, 1)));
}

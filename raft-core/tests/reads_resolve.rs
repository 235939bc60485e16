//! Whatever happens, every ticket ends in exactly one outcome, and no read is stale.
//!
//! Random histories of a group: frames are lost, repeated and reordered, nodes crash and come back,
//! are cut off, leaders change, members come and go. Each ticket that a life of a node made is
//! counted; a read that is ready must see what any node knew to be committed when it began.

mod support;

use std::collections::HashMap;

use clocks::Duration;
use proptest::prelude::*;
use quorum::NodeId;
use raft_core::{Change, ReadOutcome, ReadTicket};
use support::past::Past;
use support::{World, config};

#[derive(Clone, Debug)]
enum Step {
    Read(u64),
    Propose,
    Pass(u64),
    Deliver(prop::sample::Index),
    Repeat(prop::sample::Index),
    Lose(prop::sample::Index),
    Settle,
    Crash(u64),
    Restart(u64),
    Isolate(u64),
    Heal,
    Campaign(u64),
    Transfer(u64, u64),
    Remove(u64),
    Add(u64),
    Stall(u64, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let node = || 1_u64..5;
    let frame = any::<prop::sample::Index>;
    prop_oneof![
        8 => node().prop_map(Step::Read),
        4 => Just(Step::Propose),
        6 => (1_u64..40).prop_map(Step::Pass),
        1 => (40_u64..300).prop_map(Step::Pass),
        8 => frame().prop_map(Step::Deliver),
        2 => frame().prop_map(Step::Repeat),
        2 => frame().prop_map(Step::Lose),
        2 => Just(Step::Settle),
        1 => node().prop_map(Step::Crash),
        2 => node().prop_map(Step::Restart),
        1 => node().prop_map(Step::Isolate),
        2 => Just(Step::Heal),
        1 => node().prop_map(Step::Campaign),
        1 => (node(), node()).prop_map(|(from, to)| Step::Transfer(from, to)),
        1 => node().prop_map(Step::Remove),
        1 => node().prop_map(Step::Add),
        1 => (node(), any::<bool>()).prop_map(|(node, works)| Step::Stall(node, works)),
    ]
}

/// Who asked: node, which of its lives, and what was committed anywhere at that time.
struct Asked {
    node: u64,
    life: u64,
    floor: u64,
}

struct Readers {
    world: World,
    open: HashMap<ReadTicket, Asked>,
    ready: usize,
    failed: usize,
}

impl Readers {
    fn read(&mut self, node: u64) {
        let ids = self.world.ids();
        let commits = ids.iter().map(|id| self.world.raft(*id).commit().value());
        let floor = commits.collect::<Vec<_>>().into_iter().max().unwrap_or(0);
        let (now, life) = (self.world.now, self.world.host(node).starts);
        if let Ok(ticket) = self.world.raft(node).read(now) {
            let asked = Asked { node, life, floor };
            assert!(self.open.insert(ticket, asked).is_none(), "made twice");
        }
    }

    fn fetch(&mut self, node: u64) {
        let life = self.world.host(node).starts;
        while let Some(outcome) = self.world.raft(node).poll_read() {
            let asked = self.open.remove(&outcome.ticket());
            let asked = asked.expect("ended once, and where it began");
            assert_eq!((asked.node, asked.life), (node, life));
            match outcome {
                ReadOutcome::Ready { index, .. } => {
                    assert!(index.value() >= asked.floor, "stale: {outcome:?}");
                    assert!(self.world.raft(node).delivered() >= index);
                    self.ready += 1;
                }
                ReadOutcome::Failed { .. } => self.failed += 1,
            }
        }
        let open = self.open.values();
        let open = open.filter(|asked| (asked.node, asked.life) == (node, life));
        assert_eq!(self.world.raft(node).reads(), open.count() as u64);
    }

    fn fetch_all(&mut self) {
        for id in self.world.ids() {
            self.world.drain(id);
            self.fetch(id);
        }
    }

    fn perform(&mut self, step: Step) {
        let world = &mut self.world;
        let now = world.now;
        let is_up = |world: &World, node| world.is_up(node);
        match step {
            Step::Read(node) if is_up(world, node) => self.read(node),
            Step::Propose => {
                if let Some(leader) = world.leader() {
                    let _ = world.raft(leader).propose(b"x");
                }
            }
            Step::Pass(millis) => {
                world.now = now.saturating_add(Duration::from_millis(millis));
                let now = world.now;
                for id in world.ids() {
                    world.raft(id).handle_timeout(now).expect("never faulted");
                }
            }
            Step::Deliver(place) | Step::Repeat(place) | Step::Lose(place)
                if !world.wire.is_empty() =>
            {
                let place_of = place.index(world.wire.len());
                let frame = match step {
                    Step::Repeat(_) => world.wire.get(place_of).cloned(),
                    _ => world.wire.remove(place_of),
                };
                if let (Some(frame), false) = (frame, matches!(step, Step::Lose(_))) {
                    world.deliver(&frame);
                }
            }
            Step::Settle => world.settle(),
            Step::Crash(node) if is_up(world, node) => {
                world.crash(node);
                self.open.retain(|_, asked| asked.node != node);
            }
            Step::Restart(node) if !is_up(world, node) => world.restart(node),
            Step::Isolate(node) => world.isolate(node),
            Step::Heal => world.heal(),
            Step::Campaign(node) if is_up(world, node) => {
                world.raft(node).campaign(now).expect("never faulted");
            }
            Step::Transfer(from, to) if is_up(world, from) => {
                let _ = world.raft(from).transfer(now, NodeId::new(to));
            }
            Step::Remove(node) => {
                if let Some(leader) = world.leader() {
                    let change = [Change::Remove(NodeId::new(node))];
                    let _ = world.raft(leader).reconfigure(&change);
                }
            }
            Step::Add(node) if is_up(world, node) => {
                let identity = world.identity(node);
                if let Some(leader) = world.leader() {
                    let change = [Change::AddVoter(identity)];
                    let _ = world.raft(leader).reconfigure(&change);
                }
            }
            Step::Stall(node, works) => world.host(node).disk_works = works,
            _ => {}
        }
        self.fetch_all();
    }
}

/// Three voters, which answer by lease if they can, and a learner.
fn group() -> World {
    let mut world = World::of(&[1, 2, 3].map(|id| Past::new(id).log(&[1]).lease(0)));
    world.elect(1);
    world.join(4, config(4), support::WINDOW);
    let learner = world.identity(4);
    let leader = world.leader().expect("somebody leads");
    let change = [Change::AddLearner(learner)];
    world.raft(leader).reconfigure(&change).expect("added");
    world.settle();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]
    #[test]
    fn every_ticket_ends_once_and_no_read_is_stale(
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let (ready, failed) = (0, 0);
        let mut readers = Readers { world: group(), open: HashMap::new(), ready, failed };
        for step in steps {
            readers.perform(step);
        }
        // Whatever is open ends within the longest election timeout.
        for _ in 0..200 {
            readers.perform(Step::Pass(1));
        }
        prop_assert!(readers.open.is_empty(), "{} never ended", readers.open.len());
    }
}

/// The random histories above are not idle: reads end in both ways.
#[test]
fn reads_end_in_both_ways() {
    let (ready, failed) = (0, 0);
    let world = group();
    let open = HashMap::new();
    let mut readers = Readers {
        world,
        open,
        ready,
        failed,
    };
    for node in 1..5 {
        readers.perform(Step::Read(node));
        readers.perform(Step::Settle);
        readers.perform(Step::Isolate(node));
        readers.perform(Step::Read(node));
        for _ in 0..200 {
            readers.perform(Step::Pass(1));
        }
        readers.perform(Step::Heal);
        for _ in 0..50 {
            readers.perform(Step::Pass(20));
            readers.perform(Step::Settle);
        }
    }
    let ended = (readers.ready, readers.failed);
    assert!(ended.0 >= 4 && ended.1 >= 1, "{ended:?}");
}

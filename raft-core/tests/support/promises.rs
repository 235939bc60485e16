//! What a node has promised, and whether it still knows after a crash.

use std::collections::HashMap;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Body, Change, LogIndex, Term};

use super::past::{Past, identity};
use super::{Frame, World};

/// Everything a node said that it must not forget.
#[derive(Clone, Default, Debug)]
pub struct Promises {
    /// Votes given: (voter, term) to the candidate that may count it.
    votes: HashMap<(u64, u32), u64>,
    /// Entries acknowledged: node to (index, term).
    entries: HashMap<u64, Vec<(u64, u32)>>,
    /// The latest term in which a node spoke.
    terms: HashMap<u64, u32>,
}

impl Promises {
    /// Notes what a frame promises, as it leaves.
    pub fn note(&mut self, world: &mut World, frame: &Frame) {
        let message = frame.message();
        let (from, term) = (frame.from, message.term.value());
        let latest = self.terms.entry(from).or_default();
        *latest = (*latest).max(term);
        match &message.body {
            Body::VoteReply(reply) if reply.is_granted => {
                let earlier = self.votes.insert((from, term), frame.to);
                assert!(earlier.is_none_or(|to| to == frame.to), "voted twice");
            }
            // A request for a vote claims the sender's own.
            Body::Vote(_) => {
                let earlier = self.votes.insert((from, term), from);
                assert!(earlier.is_none_or(|to| to == from), "voted twice");
            }
            Body::Ack(ack) => {
                let raft = world.raft(from);
                let first = raft.base().index.value() + 1;
                let has = (first..=ack.verified.value())
                    .map(|index| raft.entry(LogIndex::new(index)).expect("it has it").id)
                    .map(|id| (id.index.value(), id.term.value()));
                self.entries.entry(from).or_default().extend(has);
            }
            _ => {}
        }
    }

    /// The node has come back: does it know what it said? `before` are the entries that it
    /// held when it crashed: a later leader may have overwritten what was acknowledged.
    pub fn check(&self, world: &mut World, id: u64, before: &[(u64, u32)]) {
        let raft = world.raft(id);
        let (hard, base) = (raft.hard_state(), raft.base().index.value());
        if let Some(term) = self.terms.get(&id) {
            assert!(
                hard.term >= Term::new(*term),
                "node {id} forgot term {term}"
            );
        }
        if let Some(candidate) = self.votes.get(&(id, hard.term.value())) {
            let vote = hard.vote.map(|vote| vote.node.value());
            assert_eq!(vote, Some(*candidate), "node {id} forgot its vote");
        }
        for (index, term) in self.entries.get(&id).into_iter().flatten() {
            if *index <= base || !before.contains(&(*index, *term)) {
                continue;
            }
            let entry = raft.entry(LogIndex::new(*index)).map(|entry| entry.id.term);
            assert_eq!(
                entry,
                Some(Term::new(*term)),
                "node {id} forgot entry {index}"
            );
        }
    }
}

/// One thing that a driver does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Persist(u64),
    Transmit(u64),
    Apply(u64),
    Deliver,
    Tick(u64),
    Act(u8),
}

/// A history in steps: elections, commands, another leader that overwrites, a change of the
/// membership, a snapshot. The order is the same whenever the same steps were done before.
#[derive(Clone)]
struct Script {
    world: World,
    promises: Promises,
    turn: usize,
    quiet: u8,
    acted: u8,
    seen: usize,
    /// Whom the last step changed; zero for everybody.
    touched: u64,
}

const ACTS: u8 = 12;

impl Script {
    fn new() -> Script {
        let past = |id| Past::new(id).voters(&[1, 2, 3]);
        Script {
            world: World::of(&[past(1), past(2), past(3), past(4).members(Vec::new())]),
            promises: Promises::default(),
            turn: 0,
            quiet: 0,
            acted: 0,
            seen: 0,
            touched: 0,
        }
    }

    /// What comes next: one round over the nodes, then a message or an action.
    fn next(&mut self) -> Step {
        let ids = 4;
        let phase = self.turn % (ids * 3 + 3);
        self.turn += 1;
        let id = (phase / 3 % ids) as u64 + 1;
        match phase {
            12 => Step::Deliver,
            13 => Step::Deliver,
            14 => {
                // An action when nothing has moved for a few rounds.
                let is_quiet = self.world.wire.is_empty();
                self.quiet = if is_quiet { self.quiet + 1 } else { 0 };
                if self.quiet >= 4 {
                    self.quiet = 0;
                    self.acted += 1;
                    Step::Act(self.acted)
                } else {
                    Step::Tick(1)
                }
            }
            _ if phase.is_multiple_of(3) => Step::Persist(id),
            _ if phase % 3 == 1 => Step::Transmit(id),
            _ => Step::Apply(id),
        }
    }

    /// Whether the last step changed this node.
    fn concerns(&self, id: u64) -> bool {
        self.touched == 0 || self.touched == id
    }

    fn is_over(&self) -> bool {
        self.acted >= ACTS
    }

    fn perform(&mut self, step: Step) {
        let world = &mut self.world;
        self.touched = match step {
            Step::Persist(id) | Step::Transmit(id) | Step::Apply(id) => id,
            Step::Deliver => world.wire.front().map_or(u64::MAX, |frame| frame.to),
            Step::Tick(_) | Step::Act(_) => 0,
        };
        match step {
            Step::Persist(id) if world.is_up(id) => {
                world.persist(id);
            }
            Step::Transmit(id) if world.is_up(id) => {
                self.seen = world.wire.len();
                world.transmit(id);
                let frames: Vec<Frame> = world.wire.iter().skip(self.seen).cloned().collect();
                for frame in frames {
                    self.promises.note(world, &frame);
                }
            }
            Step::Apply(id) if world.is_up(id) => world.apply(id),
            Step::Deliver => {
                if let Some(frame) = world.wire.pop_front() {
                    world.deliver(&frame);
                }
            }
            Step::Tick(millis) => {
                world.now = world.now.saturating_add(Duration::from_millis(millis));
                let now = world.now;
                for id in world.ids() {
                    world.raft(id).handle_timeout(now).expect("never faulted");
                }
            }
            Step::Act(number) => self.act(number),
            Step::Persist(_) | Step::Transmit(_) | Step::Apply(_) => {}
        }
    }

    fn act(&mut self, number: u8) {
        let world = &mut self.world;
        let leader = world.leader();
        match (number, leader) {
            (1 | 7, _) => {
                let stander = if number == 1 { 1 } else { 2 };
                world.now = world.now.saturating_add(Duration::from_millis(100));
                let now = world.now;
                if world.is_up(stander) {
                    world.raft(stander).campaign(now).expect("never faulted");
                }
            }
            // Entries that only their leader has, and that the next one overwrites.
            (5, Some(leader)) => {
                world.isolate(leader);
                for _ in 0..3 {
                    let _ = world.raft(leader).propose(b"lost");
                }
            }
            (6, _) => world.now = world.now.saturating_add(Duration::from_millis(60)),
            (8, _) => world.heal(),
            (9, Some(leader)) => {
                let change = [
                    Change::AddVoter(identity(4)),
                    Change::Remove(NodeId::new(3)),
                ];
                let _ = world.raft(leader).reconfigure(&change);
            }
            (10, Some(_)) => {
                for id in world.ids() {
                    world.compact_if_possible(id);
                }
            }
            (_, Some(leader)) => {
                let _ = world.raft(leader).propose(&[number; 20]);
                let _ = world.raft(leader).propose(&[number; 30]);
            }
            (_, None) => {}
        }
    }
}

/// Runs the history once to its end, and then again and again: up to each of its steps, where
/// one node crashes and comes back, once with the write in progress stored and once without.
/// Afterwards the group must go on, with every promise kept.
pub fn crash_between_any_two_steps() {
    let mut script = Script::new();
    let (mut steps, mut crashes) = (0, 0_u32);
    while !script.is_over() {
        for victim in 1..=4 {
            // A crash between two steps that do not concern the victim is the same crash.
            if !script.concerns(victim) {
                continue;
            }
            for is_torn in [false, true] {
                crashes += u32::from(crash(script.clone(), victim, is_torn));
            }
        }
        let step = script.next();
        script.perform(step);
        steps += 1;
        assert!(steps < 5000, "the history ends");
    }
    let applied = script.world.host(2).applied.len();
    assert!(applied >= 6, "the history is worth something: {applied}");
    let mut terms: Vec<u32> = script
        .promises
        .votes
        .keys()
        .map(|(_, term)| *term)
        .collect();
    terms.sort();
    terms.dedup();
    assert!(terms.len() >= 2, "two elections: {terms:?}");
    assert!(
        script.world.host(4).applied.len() >= 6,
        "a new member came level"
    );
    assert!(
        script.world.raft(2).base().index.value() > 0,
        "a log was compacted"
    );
    assert!(crashes > 500, "{crashes} crashes in {steps} steps");
}

/// Says whether there was anything to lose or to keep.
fn crash(mut script: Script, victim: u64, is_torn: bool) -> bool {
    let turn = script.turn;
    let world = &mut script.world;
    let raft = world.raft(victim);
    let first = raft.base().index.value() + 1;
    let before: Vec<(u64, u32)> = (first..=raft.last().index.value())
        .map(|index| {
            (
                index,
                raft.entry(LogIndex::new(index)).unwrap().id.term.value(),
            )
        })
        .collect();
    if is_torn && !world.store_without_report(victim) {
        return false;
    }
    // What it said before stays on its way.
    world.host(victim).raft = None;
    world.restart(victim);
    script.promises.check(world, victim, &before);
    // Life goes on. No promise of the old life is broken by the new one: `note` watches.
    while !script.is_over() {
        let step = script.next();
        script.perform(step);
    }
    let world = &mut script.world;
    world.heal();
    world.run(Duration::from_millis(200));
    let mut logs: Vec<_> = world
        .ids()
        .iter()
        .map(|id| world.host(*id).applied.clone())
        .collect();
    logs.sort_by_key(Vec::len);
    let longest = logs.pop().expect("somebody is up");
    for log in logs {
        assert_eq!(log[..], longest[..log.len()], "step {turn}, node {victim}");
    }
    true
}

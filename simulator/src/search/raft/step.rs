//! One step of one node: the real machine, its driver and its disk, from one state to the next.
//!
//! A step depends on the node's state and on what happens, and on nothing else, so it is done
//! once and remembered. A sample of the remembered steps is done again and compared.

use clocks::Instant;
use raft_core::{Body, Identity, Role, wire};

use super::changing::Move;
use super::disks::{Content, Disks};
use super::frames::Frames;
use super::judge;
use super::names::name;
use super::node::{Local, Locals};
use super::pace::Pace;
use super::prefix::Prefixes;
use super::profile::Profile;
use super::reading::Ended;
use super::reference::{LAW, Reference};
use super::sabotage::Sabotage;
use crate::model;
use crate::search::table::Table;

/// What happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A frame arrives.
    Deliver(u32),
    /// A frame is lost.
    Lose(u32),
    /// All frames of elections under way are lost.
    LoseAll,
    /// The ending begins; with this leader and this follower, if it is about a majority.
    End(u8, u8),
    /// It has waited so long that every deadline has passed.
    Wait,
    /// The time in which it helps nobody to replace a leader has passed.
    Calm,
    /// Its next deadline has passed: a heartbeat, or asking again.
    Beat,
    /// A command is proposed.
    Propose,
    /// The membership is changed.
    Reconfigure(Move),
    /// The clocks at these places are fast, as bits.
    Wind(u8),
    /// A unit of time passes, on a clock that is fast or not.
    Pass(bool),
    /// It looks at the clock: a deadline has passed.
    Look,
    /// It is told to stand for election.
    Campaign,
    /// The log is compacted as far as it may be.
    Compact,
    /// It is asked to read.
    Read,
    /// It is told to hand over to the node at this place.
    Transfer(u8),
    /// It crashes and comes back. Of the record under way the disk has kept nothing, or all up
    /// to this cut.
    Crash(Option<u8>),
    /// The write is done.
    Stored,
    /// The write failed, and the disk kept of it as with a crash.
    Failed(Option<u8>),
}

impl Input {
    fn code(self) -> u32 {
        let part = |cut: Option<u8>| cut.map_or(0, |cut| u32::from(cut) + 1);
        match self {
            Input::Deliver(frame) | Input::Lose(frame) => frame,
            Input::Wait => 1 << 31,
            Input::Calm => 1 << 31 | 1,
            Input::Beat => 1 << 31 | 2,
            Input::Propose => 1 << 31 | 3,
            Input::Reconfigure(what) => 1 << 31 | 4 << 8 | what.code(),
            Input::Compact => 1 << 31 | 5,
            Input::Stored => 1 << 31 | 6,
            Input::End(..) => 1 << 31 | 7,
            Input::LoseAll => 1 << 31 | 8,
            Input::Read => 1 << 31 | 9,
            Input::Look => 1 << 31 | 10,
            Input::Campaign => 1 << 31 | 11,
            Input::Pass(is_fast) => 1 << 31 | 12 | u32::from(is_fast),
            Input::Wind(fast) => 1 << 31 | 5 << 8 | u32::from(fast),
            Input::Transfer(to) => 1 << 31 | 3 << 8 | u32::from(to),
            Input::Crash(cut) => 1 << 31 | 1 << 8 | part(cut),
            Input::Failed(cut) => 1 << 31 | 2 << 8 | part(cut),
        }
    }
}

/// What a step leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    pub(super) local: u32,
    pub(super) sent: Vec<u32>,
    pub(super) broken: Option<&'static str>,
    /// It was asked to read, and said that it would.
    pub(super) was_asked: bool,
    pub(super) ended: Vec<Ended>,
    /// It goes beyond the profile's bounds.
    pub(super) is_beyond: bool,
    /// Nothing happened.
    pub(super) is_idle: bool,
}

/// Everything that is known of single nodes.
pub(super) struct Nodes {
    pub(super) profile: Profile,
    pub(super) pace: Pace,
    pub(super) sabotage: Sabotage,
    /// Terms beyond this one are out of bounds.
    pub(super) term_max: u32,
    /// The identities of all nodes, joiners included.
    pub(super) identities: Vec<Identity>,
    pub(super) locals: Locals,
    pub(super) disks: Disks,
    pub(super) frames: Frames,
    pub(super) prefixes: Prefixes,
    done: Table,
    outcomes: Vec<Outcome>,
    lookups: u64,
    /// The first rule of the model that a step broke.
    pub(super) rule: Option<String>,
}

impl Nodes {
    pub(super) fn new(
        profile: Profile,
        sabotage: Sabotage,
        locals: Locals,
        disks: Disks,
        frames: Frames,
        prefixes: Prefixes,
    ) -> Self {
        Nodes {
            profile,
            pace: Pace::of(&profile),
            sabotage,
            term_max: 0,
            identities: Vec::new(),
            locals,
            disks,
            frames,
            prefixes,
            done: Table::new(),
            outcomes: Vec::new(),
            lookups: 0,
            rule: None,
        }
    }

    /// How many different steps of single nodes there are.
    pub(super) fn steps(&self) -> usize {
        self.outcomes.len()
    }

    /// The state of a node that was just started from a content.
    pub(super) fn wake(&mut self, place: usize, content: &Content) -> u32 {
        let disk = self.disks.intern(place, content, &mut self.prefixes);
        let disk = disk.unwrap_or(0);
        let machine = self.disks.restore(place, content, 0);
        let local = Local {
            place,
            machine: machine.expect("what was formed can be restored"),
            now: Instant::ZERO,
            disk,
            writing: None,
            tickets: Vec::new(),
            life: 0,
        };
        let mut acting = Acting::new(self, local);
        acting.drain();
        while let Some(writing) = acting.local.writing.take() {
            acting.local.disk = writing.after;
            let done = acting
                .local
                .machine
                .handle_persisted(Instant::ZERO, writing.ticket);
            acting.note(done);
            acting.wrote();
            acting.drain();
        }
        if acting.nodes.profile.impatient {
            acting.calm();
        }
        if acting.nodes.profile.has_clocks() {
            // The leader of the past is forgotten, and whoever likes may stand.
            acting.see(Instant::ZERO.saturating_add(acting.nodes.pace.long));
        }
        let local = acting.local;
        self.locals.intern(local, &self.disks, &mut self.prefixes)
    }

    /// The step as it was done before, or done now.
    #[inline]
    pub(super) fn step(&mut self, local: u32, input: Input) -> u32 {
        let key = u64::from(local) << 32 | u64::from(input.code());
        if let Some(outcome) = self.done.get(key) {
            self.lookups += 1;
            if self.lookups & 0xffff == 0 {
                self.check_again(local, input, outcome);
            }
            return outcome;
        }
        let outcome = self.act(local, input);
        let id = self.outcomes.len() as u32;
        self.outcomes.push(outcome);
        self.done.insert(key, id);
        id
    }

    #[inline]
    pub(super) fn outcome(&self, id: u32) -> &Outcome {
        &self.outcomes[id as usize]
    }

    /// How many steps end a read with an answer, and how many without.
    pub(super) fn endings(&self) -> (usize, usize) {
        let ended = |is_answer: bool| {
            let is_it = move |ended: &Ended| ended.is_answer() == is_answer;
            let steps = self.outcomes.iter();
            steps
                .filter(move |step| step.ended.iter().any(is_it))
                .count()
        };
        (ended(true), ended(false))
    }

    /// A step that is remembered must be the step that would be done now.
    #[cold]
    fn check_again(&mut self, local: u32, input: Input, outcome: u32) {
        let again = self.act(local, input);
        assert_eq!(again, self.outcomes[outcome as usize], "steps are pure");
    }

    #[cold]
    fn act(&mut self, id: u32, input: Input) -> Outcome {
        let before = self.locals.get(id).clone();
        let mut acting = Acting::new(self, before.clone());
        acting.happen(input);
        acting.drain();
        let is_follower = acting.local.machine.role() == Role::Follower;
        if acting.nodes.profile.impatient && is_follower && acting.local.tickets.is_empty() {
            acting.calm();
            acting.drain();
        }
        let Acting {
            local,
            mut sent,
            mut broken,
            is_beyond,
            was_asked,
            ended,
            reference,
            ..
        } = acting;
        sent.sort_unstable();
        sent.dedup();
        let is_restart = matches!(input, Input::Crash(_));
        broken = broken.or_else(|| judge::own(&before, &local, is_restart));
        let is_beyond = is_beyond || local.machine.term().value() > self.term_max;
        if broken.is_some() || is_beyond {
            return Outcome {
                local: id,
                sent: Vec::new(),
                broken,
                was_asked,
                ended,
                is_beyond,
                is_idle: false,
            };
        }
        let local = self.locals.intern(local, &self.disks, &mut self.prefixes);
        let is_idle = local == id && sent.is_empty() && ended.is_empty();
        let mut broken = self.disk_step(id, local);
        if broken.is_none() && reference.rule.is_some() {
            broken = Some(LAW);
            self.rule = self.rule.take().or(reference.rule);
        }
        Outcome {
            local,
            sent,
            broken,
            was_asked,
            ended,
            is_beyond,
            is_idle,
        }
    }

    /// What a disk never does: go back in term, or change a vote.
    fn disk_step(&self, before: u32, after: u32) -> Option<&'static str> {
        let disk = |local: u32| self.disks.get(self.locals.view(local).disk);
        let (before, after) = (disk(before), disk(after));
        let is_changed = before.term == after.term && before.vote != 0 && before.vote != after.vote;
        (after.term < before.term || is_changed).then_some("one-vote")
    }
}

/// A node in the middle of a step.
pub(super) struct Acting<'a> {
    pub(super) local: Local,
    pub(super) sent: Vec<u32>,
    pub(super) broken: Option<&'static str>,
    pub(super) nodes: &'a mut Nodes,
    pub(super) is_beyond: bool,
    pub(super) was_asked: bool,
    pub(super) ended: Vec<Ended>,
    /// It stands because a leader told it to.
    pub(super) is_told: bool,
    /// It stood before.
    pub(super) was_candidate: bool,
    pub(super) reference: Reference,
}

impl<'a> Acting<'a> {
    fn new(nodes: &'a mut Nodes, local: Local) -> Self {
        Acting {
            reference: Reference::new(&local.machine),
            was_candidate: local.machine.role() == Role::Candidate,
            local,
            sent: Vec::new(),
            broken: None,
            nodes,
            is_beyond: false,
            was_asked: false,
            ended: Vec::new(),
            is_told: false,
        }
    }
}

impl Acting<'_> {
    pub(super) fn break_law(&mut self, law: &'static str) {
        self.broken = self.broken.or(Some(law));
    }

    pub(super) fn note<E>(&mut self, result: Result<(), E>) {
        if result.is_err() {
            self.break_law("invariants");
        }
    }

    fn happen(&mut self, input: Input) {
        let now = self.local.now;
        match input {
            Input::Deliver(frame) => self.deliver(frame),
            // Nobody notices.
            Input::Lose(_) | Input::LoseAll | Input::End(..) | Input::Wind(_) => {}
            Input::Pass(is_fast) => self.pass_unit(is_fast),
            Input::Look => self.pass(now),
            Input::Campaign => self.campaign(),
            Input::Wait => self.pass(now.saturating_add(self.nodes.pace.long)),
            Input::Calm => self.calm(),
            Input::Beat => {
                let next = self.local.machine.poll_timeout();
                self.pass(next.unwrap_or(now).max(now));
            }
            Input::Propose => self.propose(),
            Input::Reconfigure(what) => self.reconfigure(what),
            Input::Compact => self.compact(),
            Input::Read => self.read(),
            Input::Transfer(to) => self.transfer(to),
            Input::Crash(cut) => self.crash(cut),
            Input::Stored => {
                if let Some(writing) = self.local.writing.take() {
                    self.local.disk = writing.after;
                    let done = self.local.machine.handle_persisted(now, writing.ticket);
                    self.note(done);
                    self.wrote();
                }
            }
            Input::Failed(cut) => {
                self.keep(cut);
                if let Some(writing) = self.local.writing.take() {
                    let done = self
                        .local
                        .machine
                        .handle_persist_failed(now, writing.ticket);
                    self.note(done);
                    self.stepped(&model::Input::PersistFailed);
                }
            }
        }
    }

    /// Lets the time pass in which a leader that was just heard is not replaced, and no more: a
    /// node that heard nothing for longer would campaign, which is another step.
    fn calm(&mut self) {
        let before = self.local.clone();
        self.pass(self.local.now.saturating_add(self.nodes.pace.election_min));
        if self.local.machine.role() != before.machine.role() {
            self.local = before;
            self.reference.go_back(&self.local.machine);
        }
    }

    fn pass(&mut self, now: Instant) {
        self.local.now = now;
        let done = self.local.machine.handle_timeout(now);
        self.note(done);
        self.stepped(&model::Input::Timeout);
    }

    fn deliver(&mut self, id: u32) {
        let frame = self.nodes.frames.get(id);
        let (from, bytes) = (usize::from(frame.from), frame.bytes.clone());
        let Ok(message) = wire::decode(&bytes) else {
            return self.break_law("wire");
        };
        let now = self.local.now;
        self.is_told = message.body == Body::TimeoutNow;
        let input = model::Input::Message(name(from), message);
        match self.local.machine.handle_message(now, name(from), message) {
            Ok(None) => self.stepped(&input),
            Ok(Some(piece)) => {
                self.stepped(&input);
                let snapshot = piece.snapshot();
                let receipt = piece.into_receipt();
                let done = self.local.machine.handle_stored(now, receipt);
                self.note(done);
                self.stepped(&model::Input::Stored(snapshot));
            }
            Err(error) => self.note(Err(error)),
        }
        if self.nodes.sabotage.stirs(&message.body) {
            let _ = self.local.machine.campaign(now);
            self.stepped(&model::Input::Nothing);
        }
    }

    fn compact(&mut self) {
        let delivered = self.local.machine.delivered();
        let log = super::node::Log::of(&self.local.machine, &mut self.nodes.prefixes);
        let Some(prefix) = log.at(delivered.value() as u32) else {
            return;
        };
        let sum = self.nodes.prefixes.sum(prefix);
        let size = u64::from(self.nodes.profile.pieces);
        let _ = self.local.machine.compact(delivered, size, sum);
        self.stepped(&model::Input::Compact(delivered));
    }

    fn crash(&mut self, cut: Option<u8>) {
        self.keep(cut);
        let place = self.local.place;
        // Each life draws another seed; it matters where answers to an earlier one are under way.
        self.local.life += u64::from(self.nodes.profile.reads > 0);
        let disks = &self.nodes.disks;
        let content = &disks.get(self.local.disk).content;
        let Some(machine) = disks.restore(place, content, self.local.life) else {
            return self.break_law("recovery");
        };
        self.local.machine = machine;
        self.local.tickets.clear();
        self.local.writing = None;
        self.local.now = Instant::ZERO;
        self.came_back();
    }

    /// The disk keeps the record under way up to a cut, if any.
    fn keep(&mut self, cut: Option<u8>) {
        let Some(cut) = cut else { return };
        let Some(writing) = &self.local.writing else {
            return;
        };
        let Some(len) = writing.cuts.get(usize::from(cut)) else {
            return;
        };
        // A few bytes more than whole entries: the start of one that counts for nothing.
        let torn = (*len + 3).min(writing.record.len());
        let is_whole = *len == writing.record.len();
        let record = writing.record[..torn].to_vec();
        let (place, disk) = (self.local.place, self.local.disk);
        let nodes = &mut *self.nodes;
        let kept = nodes
            .disks
            .store(place, disk, &record, is_whole, &mut nodes.prefixes);
        match kept {
            Some(disk) => self.local.disk = disk,
            None => self.break_law("recovery"),
        }
    }
}

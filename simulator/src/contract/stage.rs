//! The group around a node under test: two honest peers, a network, time.

mod found;

use std::collections::VecDeque;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Body, EntryId, GroupId, Identity, LogIndex, wire};

use super::driver::Driver;
use super::duty::Duty;
use super::files::Files;
use super::history::{NODES, Step, Who};
use super::journal::Journal;
use super::rig::{Begin, Input, Refusal, Rig};
use super::witness::{Seen, Witness};

/// How long a frame takes.
const DELAY: Duration = Duration::from_millis(1);
/// How long the group gets for something that takes a few election timeouts.
const PATIENCE_MILLIS: u64 = 8_000;
/// A history has some hundred events; one with so many is a driver that spins.
const EVENTS_MAX: u64 = 100_000;

struct Flight {
    at: Instant,
    from: Who,
    to: Who,
    bytes: Vec<u8>,
}

/// Whether the node under test still runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    /// Go on.
    Goes,
    /// Power failed.
    Cut,
}

/// A group.
pub(super) struct Stage<'r> {
    pub(super) rig: &'r mut dyn Rig,
    others: [Driver<Journal>; NODES - 1],
    pub(super) now: Instant,
    flights: VecDeque<Flight>,
    is_cut: [bool; NODES],
    is_asleep: [bool; NODES],
    not_before: [Instant; NODES],
    pub(super) witness: Witness,
    is_founder: bool,
    has_begun: bool,
    group: Option<GroupId>,
    /// The life of the node that the group let in.
    admitted: Option<Identity>,
    seeds: u64,
    commands: u64,
    events: u64,
    /// What the node had promised when its latest round began.
    promises_before: u64,
    /// Whether something was not synced then.
    lingers: bool,
    /// The medium's count when the history began.
    pub(super) origin: u64,
}

pub(super) fn node(who: Who) -> NodeId {
    NodeId::new(who as u64 + 1)
}

fn who(node: NodeId) -> Option<Who> {
    let place = usize::try_from(node.value()).ok()?.checked_sub(1)?;
    (place < NODES).then_some(place)
}

impl<'r> Stage<'r> {
    /// Three nodes that are not there yet.
    pub(super) fn new(rig: &'r mut dyn Rig, is_founder: bool) -> Self {
        let origin = rig.medium().operations();
        Stage {
            rig,
            others: std::array::from_fn(|_| Driver::new(Journal::new(Files::default()))),
            now: Instant::ZERO,
            flights: VecDeque::new(),
            is_cut: [false; NODES],
            is_asleep: [false; NODES],
            not_before: [Instant::ZERO; NODES],
            witness: Witness::default(),
            is_founder,
            has_begun: false,
            group: None,
            admitted: None,
            seeds: 0,
            commands: 0,
            events: 0,
            promises_before: 0,
            lingers: false,
            origin,
        }
    }

    /// A number that differs at every start.
    pub(super) fn seed(&mut self) -> u64 {
        self.seeds += 1;
        0x5eed + self.seeds * 7919
    }

    fn other(&mut self, who: Who) -> &mut Driver<Journal> {
        &mut self.others[who - 1]
    }

    /// Makes the node under test.
    pub(super) fn begin_rig(&mut self) -> Result<Flow, (Duty, String)> {
        let seed = self.seed();
        let group = if self.is_founder { None } else { self.group };
        let begin = Begin {
            node: node(0),
            group,
            seed,
        };
        self.note_call();
        let mut begun = self.rig.begin(begin, self.now);
        if begun.is_err() && self.rig.medium().is_powered() {
            // An operation may have failed; nobody knows the node yet, so it is made again.
            begun = self.rig.begin(begin, self.now);
        }
        if !self.rig.medium().is_powered() {
            return Ok(Flow::Cut);
        }
        if let Err(refusal) = begun {
            return Err((
                Duty::ComeBack,
                format!("a new node does not start: {refusal}"),
            ));
        }
        self.came_up();
        self.after_rig()
    }

    /// The node under test runs, for the first time or again.
    pub(super) fn came_up(&mut self) {
        self.has_begun = true;
        if self.is_founder {
            self.group = self.rig.identity().map(|(group, _)| group);
        }
    }

    fn begin_other(&mut self, who: Who) {
        let (seed, now) = (self.seed(), self.now);
        let begin = Begin {
            node: node(who),
            group: self.group,
            seed,
        };
        let begun = self.other(who).begin(begin, now);
        debug_assert!(begun.is_ok(), "{begun:?}");
        self.group = self.other(who).identity().map(|(group, _)| group);
        self.collect_other(who);
    }

    /// Runs a step of a history.
    pub(super) fn step(&mut self, step: Step) -> Result<Flow, (Duty, String)> {
        match step {
            Step::Lead(leader) => {
                self.is_asleep = std::array::from_fn(|who| who != leader);
                let mut flow = Flow::Goes;
                for _ in 0..80 {
                    if flow == Flow::Cut || self.leads(leader) {
                        break;
                    }
                    flow = self.pass(10)?;
                }
                self.is_asleep = [false; NODES];
                Ok(flow)
            }
            Step::Propose(who, len) => {
                self.commands += 1;
                let mut payload = vec![self.commands as u8; len];
                if let Some(first) = payload.first_mut() {
                    *first |= 0x80;
                }
                self.input(who, Input::Propose(&payload))
            }
            Step::Cut(who) => {
                self.is_cut[who] = true;
                Ok(Flow::Goes)
            }
            Step::Heal => {
                self.is_cut = [false; NODES];
                Ok(Flow::Goes)
            }
            Step::Wait(millis) => self.pass(millis),
            Step::Compact(who) => self.input(who, Input::Compact),
        }
    }

    fn leads(&self, who: Who) -> bool {
        match who {
            0 => self.witness.leads == Some(self.witness.term),
            _ => self.others[who - 1]
                .raft()
                .is_some_and(|raft| raft.is_leader()),
        }
    }

    fn input(&mut self, who: Who, input: Input<'_>) -> Result<Flow, (Duty, String)> {
        let now = self.now;
        if who > 0 {
            self.other(who).handle(input, now);
            return self.after_other(who).map(|()| Flow::Goes);
        }
        self.note_call();
        self.rig.handle(input, now);
        self.after_rig()
    }

    fn note_call(&mut self) {
        self.promises_before = self.witness.promises;
        self.lingers = !self.rig.medium().unsynced().is_empty();
    }

    /// Whether the node promised something in its latest round, or rests on something older that
    /// is not synced yet.
    pub(super) fn rests_on_air(&self) -> bool {
        self.lingers || self.witness.promises > self.promises_before
    }

    fn after_other(&mut self, who: Who) -> Seen {
        self.collect_other(who);
        let Some(raft) = self.others[who - 1].raft() else {
            return Ok(());
        };
        let index = raft.delivered();
        let base = Some(raft.base()).filter(|base| base.index == index);
        let id = raft.entry(index).map(|entry| entry.id).or(base);
        id.map_or(Ok(()), |id| self.witness.on_committed(id))
    }

    fn collect_other(&mut self, from: Who) {
        while let Some((to, bytes)) = self.other(from).take_sent() {
            if let Ok(message) = wire::decode(&bytes) {
                self.witness.on_entries(&message);
            }
            self.fly(from, to, bytes);
        }
    }

    /// Whether the driver did what its medium forbids.
    pub(super) fn check_misuse(&mut self) -> Seen {
        let misuse = self.rig.medium().misuse();
        misuse.map_or(Ok(()), |what| Err((Duty::RespectMedium, what)))
    }

    /// Looks at what the node did, and starts it again if it gave up.
    fn after_rig(&mut self) -> Result<Flow, (Duty, String)> {
        self.check_misuse()?;
        self.collect_rig()?;
        if !self.rig.medium().is_powered() {
            return Ok(Flow::Cut);
        }
        self.witness.on_applied(self.rig.application())?;
        if self.rig.is_up() {
            return Ok(Flow::Goes);
        }
        let seed = self.seed();
        let again = self.rig.restart(seed, self.now);
        if !self.rig.medium().is_powered() {
            return Ok(Flow::Cut);
        }
        match again {
            Ok(()) => self.collect_rig().map(|()| Flow::Goes),
            Err(Refusal::Empty) if self.is_nobody() => self.begin_rig(),
            Err(refusal) => Err((
                Duty::ComeBack,
                format!("after a failure of its medium it does not start: {refusal}"),
            )),
        }
    }

    /// Whether nobody knows the node yet, so that it may start over.
    pub(super) fn is_nobody(&self) -> bool {
        !self.witness.has_spoken() && self.admitted.is_none()
    }

    fn collect_rig(&mut self) -> Seen {
        while let Some((to, bytes)) = self.rig.take_sent() {
            let Ok(message) = wire::decode(&bytes) else {
                return Err((Duty::ComeBack, "it sends what does not decode".into()));
            };
            self.witness.on_entries(&message);
            let receiver = who(to).filter(|who| *who > 0);
            let raft = receiver.and_then(|who| self.others[who - 1].raft());
            let leader = raft.filter(|raft| raft.is_leader() && raft.term() == message.term);
            let entry = |index: LogIndex| -> Option<EntryId> {
                let leader = leader?;
                let base = Some(leader.base()).filter(|base| base.index == index);
                leader.entry(index).map(|entry| entry.id).or(base)
            };
            self.witness.on_sent(to, node(0), &message, entry)?;
            self.fly(0, to, bytes);
        }
        Ok(())
    }

    fn fly(&mut self, from: Who, to: NodeId, bytes: Vec<u8>) {
        let Some(to) = who(to) else { return };
        if !self.is_cut[from] && !self.is_cut[to] {
            let at = self.now.saturating_add(DELAY);
            self.flights.push_back(Flight {
                at,
                from,
                to,
                bytes,
            });
        }
    }

    /// Lets so many milliseconds pass.
    pub(super) fn pass(&mut self, millis: u64) -> Result<Flow, (Duty, String)> {
        let until = self.now.saturating_add(Duration::from_millis(millis));
        loop {
            let flight = self.flights.front().map(|flight| flight.at);
            let deadlines = (0..NODES).filter_map(|who| Some((self.deadline(who)?, who)));
            let deadline = deadlines.min();
            let next = deadline.map(|(at, _)| at).into_iter().chain(flight).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return Ok(Flow::Goes);
            };
            self.events += 1;
            if self.events > EVENTS_MAX {
                return Err((Duty::ComeBack, "the group finds no rest".into()));
            }
            self.now = self.now.max(next);
            let flow = match (flight, deadline) {
                (Some(at), _) if at == next => self.deliver()?,
                (_, Some((_, who))) => {
                    // Nobody is asked twice at the same moment.
                    self.not_before[who] = self.now.saturating_add(DELAY);
                    self.input(who, Input::Time)?
                }
                (_, None) => Flow::Goes,
            };
            if flow == Flow::Cut {
                return Ok(Flow::Cut);
            }
        }
    }

    fn deadline(&self, who: Who) -> Option<Instant> {
        if self.is_asleep[who] {
            return None;
        }
        let deadline = match who {
            0 => self.rig.deadline(),
            _ => self.others[who - 1].deadline(),
        };
        deadline.map(|at| at.max(self.not_before[who]))
    }

    fn deliver(&mut self) -> Result<Flow, (Duty, String)> {
        let Some(flight) = self.flights.pop_front() else {
            return Ok(Flow::Goes);
        };
        let Flight {
            from, to, bytes, ..
        } = flight;
        if self.is_cut[to] || self.is_cut[from] {
            return Ok(Flow::Goes);
        }
        if to == 0
            && let Ok(message) = wire::decode(&bytes)
        {
            self.witness.on_received(&message);
        }
        self.input(to, Input::Frame(node(from), &bytes))
    }

    /// Lets time pass until something is so.
    fn wait_until(
        &mut self,
        otherwise: &str,
        mut is_so: impl FnMut(&mut Self) -> Result<Option<Flow>, (Duty, String)>,
    ) -> Result<Flow, (Duty, String)> {
        for _ in 0..PATIENCE_MILLIS / 20 {
            if let Some(flow) = is_so(self)? {
                return Ok(flow);
            }
            if self.pass(20)? == Flow::Cut {
                return Ok(Flow::Cut);
            }
        }
        Err((Duty::ComeBack, otherwise.to_owned()))
    }

    /// The group goes on with the node, which was let in or is now, until all have applied a
    /// command that was proposed from here on.
    pub(super) fn go_on(&mut self) -> Result<Flow, (Duty, String)> {
        self.is_cut = [false; NODES];
        if self.found_rest()? == Flow::Cut {
            return Ok(Flow::Cut);
        }
        let before = self.others.iter().map(|other| other.application().applied);
        let before = before.max().unwrap_or_default();
        let mut turns = 0_u64;
        self.wait_until("the group does not get well again", |stage| {
            if turns.is_multiple_of(10) {
                let leader = (0..NODES).find(|who| stage.leads(*who));
                let proposed = leader.map(|leader| stage.step(Step::Propose(leader, 16)));
                if proposed.transpose()? == Some(Flow::Cut) {
                    return Ok(Some(Flow::Cut));
                }
            }
            turns += 1;
            let [one, other] = stage.others.each_ref().map(Rig::application);
            let is_even = one == other && stage.rig.application() == one;
            Ok((is_even && one.applied > before).then_some(Flow::Goes))
        })
    }

    /// A frame from a peer, made up, and what the node answers to it.
    pub(super) fn ask(&mut self, from: Who, term: raft_core::Term, body: Body<'_>) -> Vec<Vec<u8>> {
        let name = self.others[from - 1].identity();
        let Some((group, name)) = name else {
            return Vec::new();
        };
        let message = raft_core::Message {
            group,
            incarnation: name.incarnation,
            term,
            body,
        };
        let mut frame = [0; super::rig::FRAME_BYTES_MAX];
        if let Ok(bytes) = wire::encode(&message, &mut frame) {
            let bytes = bytes.to_vec();
            self.rig.handle(Input::Frame(node(from), &bytes), self.now);
        }
        self.take_answers(from)
    }

    /// What the node sends to this peer, and to nobody else.
    pub(super) fn take_answers(&mut self, to: Who) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        while let Some((receiver, bytes)) = self.rig.take_sent() {
            if receiver == node(to) {
                answers.push(bytes);
            }
        }
        answers
    }

    /// What is on its way is lost.
    pub(super) fn lose_flights(&mut self) {
        self.flights.clear();
    }
}

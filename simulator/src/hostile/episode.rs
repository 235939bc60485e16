//! One episode: an opening, a temper, and some hundred inputs, each judged.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Body, Change, DropReason, Event, LogIndex, Ready, wire};

use super::draw::Draw;
use super::input::{self, Parts, Sent, Temper};
use super::opening::Opening;
use super::past::identity;
use super::rules::{Broken, Rule, check, remembers};
use super::subject::{Record, Subject, fingerprint};

/// What is broken on purpose, to see that the rules notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// An input panics.
    Panics,
    /// Writes are reported, but nothing is known to be stored.
    ReportsEarly,
    /// A restart lacks the latest record.
    LosesRecord,
    /// The machine is put back to what it was at the beginning.
    GoesBack,
    /// A message of another group reaches the machine as one of its own.
    LearnsOfOthers,
    /// What is remembered of a committed entry is not what is there.
    Rewrites,
}

/// How an episode is run, beside its seed.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The rules are not looked at: what remains is the cost of inventing and of the machine.
    pub is_bare: bool,
    /// The steps to take; all if there is no list.
    pub keep: Option<Vec<u32>>,
    /// Put every input into words.
    pub is_told: bool,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Calls of `handle_message`.
    pub messages: u64,
    /// All inputs.
    pub inputs: u64,
    /// Messages of the subject.
    pub outputs: u64,
    /// Restarts.
    pub restarts: u64,
}

/// A rule was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// At which step.
    pub step: u32,
    /// Which rule, and how.
    pub broken: Broken,
}

/// Reusable memory and the openings; one for each thread.
pub struct Stage {
    openings: Vec<Opening>,
    parts: Parts,
    committed: Vec<u64>,
    /// The inputs in words, if they are told.
    pub lines: Vec<String>,
    /// What was counted, over all episodes.
    pub tally: Tally,
}

impl Stage {
    /// Ready to run.
    ///
    /// # Errors
    ///
    /// What an honest history broke while the openings were made.
    pub fn new() -> Result<Self, Broken> {
        Ok(Stage {
            openings: super::opening::all()?,
            parts: Parts::default(),
            committed: Vec::new(),
            lines: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// How an episode begins, in words.
    pub fn describe(&self, seed: u64) -> String {
        let plan = Plan::draw(seed, self.openings.len());
        format!("{}, {plan:?}", self.openings[plan.opening].name)
    }

    /// Runs the episode of a seed. A panic is a broken rule.
    ///
    /// # Errors
    ///
    /// The rule that was broken, and where.
    pub fn run(&mut self, seed: u64, manner: &Manner) -> Result<(), Failure> {
        catch_quietly();
        let at = Cell::new(0);
        let ended = IS_HOSTILE.with(|flag| {
            flag.set(true);
            let run = AssertUnwindSafe(|| self.play(seed, manner, &at));
            let ended = panic::catch_unwind(run);
            flag.set(false);
            ended
        });
        let broken = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => broken,
            Err(payload) => Broken {
                rule: Rule::NoPanic,
                what: words(payload.as_ref()),
            },
        };
        let step = at.get();
        Err(Failure { step, broken })
    }

    fn play(&mut self, seed: u64, manner: &Manner, at: &Cell<u32>) -> Result<(), Broken> {
        let plan = Plan::draw(seed, self.openings.len());
        let opening = &self.openings[plan.opening].subject;
        let mut subject = match plan.is_kept {
            true => opening.clone(),
            false => opening.light(),
        };
        subject.is_judged = !manner.is_bare;
        subject.is_watched = plan.is_watched && !manner.is_bare;
        self.committed.clear();
        self.lines.clear();
        let first = subject.view.base.next();
        let mut episode = Episode {
            seed,
            manner,
            plan,
            first,
            subject,
            stage: self,
        };
        episode.remember_committed();
        for step in 0..plan.steps {
            if let Some(keep) = &manner.keep
                && !keep.contains(&step)
            {
                continue;
            }
            at.set(step);
            episode.step(step)?;
        }
        if !manner.is_bare {
            episode.look_closely()?;
        }
        let outputs = episode.subject.outputs;
        self.tally.outputs += outputs;
        Ok(())
    }
}

/// What an episode is like.
#[derive(Clone, Copy, Debug)]
struct Plan {
    opening: usize,
    steps: u32,
    temper: Temper,
    /// One step in so many ends with a served driver.
    service: u32,
    /// All rules after each step, not only the cheap ones.
    is_watched: bool,
    /// Records are kept, and the node restarts.
    is_kept: bool,
}

impl Plan {
    fn draw(seed: u64, openings: usize) -> Self {
        let mut draw = Draw::new(seed, 0, 0);
        Plan {
            opening: draw.place(openings),
            steps: 64 + 2 * draw.below(256),
            temper: Temper::draw(&mut draw),
            service: draw.pick(&[1, 1, 1, 2, 4, 16]),
            is_watched: draw.one_in(32),
            is_kept: draw.one_in(32),
        }
    }
}

struct Episode<'s> {
    seed: u64,
    manner: &'s Manner,
    plan: Plan,
    /// The index of the first fingerprint of what is committed.
    first: LogIndex,
    subject: Subject,
    stage: &'s mut Stage,
}

impl Episode<'_> {
    fn step(&mut self, step: u32) -> Result<(), Broken> {
        let temper = &self.plan.temper;
        let mut draw = Draw::new(self.seed, u64::from(step) + 1, temper.tame);
        self.stage.tally.inputs += 1;
        let is_drained = self.subject.is_drained;
        let is_message = !draw.one_in(temper.others);
        if is_message {
            self.message(&mut draw)?;
        } else {
            self.other(&mut draw)?;
        }
        self.subject.is_drained = false;
        self.subject.observe()?;
        if !self.manner.is_bare {
            self.remember_committed();
            if self.subject.is_watched {
                self.look_closely()?;
            }
        }
        self.serve(&mut draw, is_message && is_drained)
    }

    fn tell(&mut self, say: impl FnOnce() -> String) {
        if self.manner.is_told {
            self.stage.lines.push(say());
        }
    }

    #[inline]
    fn message(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let subject = &mut self.subject;
        let Sent { from, message } =
            input::message(draw, &self.plan.temper, subject, &mut self.stage.parts);
        if self.manner.is_told {
            self.stage.lines.push(Sent { from, message }.to_string());
        }
        self.stage.tally.messages += 1;
        let refusal = match subject.is_judged {
            true => must_refuse(subject, from, &message),
            false => None,
        };
        let before = match refusal {
            Some(_) if subject.is_watched => {
                let _ = subject
                    .raft
                    .handle_unreachable(subject.now, NodeId::new(u64::MAX));
                subject.hear()?;
                Some(subject.raft.clone())
            }
            _ => None,
        };
        let mut handed = message;
        if self.manner.sabotage == Sabotage::LearnsOfOthers {
            handed.group = subject.raft.group();
        }
        let done = subject.raft.handle_message(subject.now, from, handed);
        if self.manner.sabotage == Sabotage::Panics && subject.view.last.value() % 8 == 7 {
            panic!("on purpose");
        }
        if let Some(reason) = refusal {
            let same = subject.look() == subject.view && matches!(done, Ok(None));
            check(same, Rule::Strangers, || {
                format!("{from} changed something: {message:?}")
            })?;
            if let Some(before) = before {
                let event = subject.raft.poll_event();
                let is_counted = matches!(
                    event, Some(Event::Dropped { count: 1, reason: why, .. }) if why == reason);
                check(
                    is_counted && before == subject.raft,
                    Rule::Strangers,
                    || format!("{from}: {event:?} after {message:?}"),
                )?;
            }
        }
        match done {
            Ok(None) => Ok(()),
            Ok(Some(piece)) => {
                let (snapshot, offset) = (piece.snapshot(), piece.offset());
                let len = piece.data().len() as u64;
                (subject.heard.snapshot, subject.heard.stored) =
                    (snapshot, offset.wrapping_add(len));
                let receipt = piece.into_receipt();
                match draw.below(4) {
                    0 => Ok(()),
                    1 => {
                        subject.keep(receipt, draw.place(4));
                        Ok(())
                    }
                    _ => subject.store(receipt),
                }
            }
            Err(error) => check(false, Rule::NoFault, || {
                format!("{error} after {message:?}")
            }),
        }
    }

    fn other(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        match draw.below(32) {
            0..=9 => self.time(draw),
            10..=15 => self.propose(draw),
            16 | 17 => self.reconfigure(draw),
            18..=20 => self.compact(draw),
            21 => {
                self.tell(|| "a write fails".into());
                self.subject.persist_fail()
            }
            22 | 23 => {
                self.tell(|| "a piece is stored late".into());
                let receipt = self.subject.receipts[draw.place(4)].clone();
                receipt.map_or(Ok(()), |receipt| self.subject.store(receipt))
            }
            24 => {
                self.tell(|| "campaigns".into());
                let done = self.subject.raft.campaign(self.subject.now);
                check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))
            }
            25 | 26 => {
                let peer = 1 + u64::from(draw.below(5));
                let peer = NodeId::new(draw.number(peer));
                self.tell(|| format!("{peer} is unreachable"));
                let done = self.subject.raft.handle_unreachable(self.subject.now, peer);
                check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))
            }
            27 => {
                self.tell(|| "any bytes".into());
                bytes(draw)
            }
            _ if self.subject.journal.is_some() => self.restart(draw),
            _ => self.time(draw),
        }
    }

    /// Time passes, stands still, jumps, runs back or ends; the timeout is early, due or late.
    fn time(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let subject = &mut self.subject;
        let due = subject.raft.poll_timeout();
        let now = match draw.below(16) {
            0..=8 => due.unwrap_or(subject.now),
            9 => subject.now,
            10 => subject.now.saturating_add(Duration::from_micros(1)),
            11 => due.map_or(subject.now, |due| {
                due.saturating_sub(Duration::from_micros(1))
            }),
            12 | 13 => subject.now.saturating_add(Duration::from_millis(50)),
            14 => subject
                .now
                .saturating_sub(Duration::from_millis(u64::from(draw.byte()))),
            _ if draw.one_in(8) => Instant::from_micros(draw.wild(subject.now.as_micros())),
            _ => subject.now.saturating_add(Duration::from_millis(500)),
        };
        // A clock may run back, but the subject's own does so only in the machine's eyes.
        let done = subject.raft.handle_timeout(now);
        subject.now = subject.now.max(now);
        let again = subject.raft.poll_timeout();
        let (now, end) = (subject.now, Instant::from_micros(u64::MAX));
        self.tell(|| format!("time is {now:?}"));
        check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))?;
        let is_later = again.is_none_or(|again| again > now || now == end);
        // An early call is no promise: only one that the machine itself asked for is.
        let asked = due.is_none_or(|due| due <= now);
        check(
            is_later || !asked || now < self.subject.now,
            Rule::NoSpin,
            || format!("at {now:?} it wants to be woken at {again:?}"),
        )
    }

    fn propose(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        const PAYLOAD: [u8; 1024] = [0xc3; 1024];
        let len = match draw.below(8) {
            0 => draw.number(200) as usize % 1025,
            1 => self.subject.raft.payload_bytes_max() + draw.place(2),
            _ => draw.place(32),
        };
        self.tell(|| format!("proposes {len} bytes"));
        let payload = PAYLOAD.get(..len).unwrap_or(&PAYLOAD);
        self.refusable(|subject| subject.raft.propose(payload).is_ok())
    }

    fn reconfigure(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let mut change = || {
            let node = match draw.one_in(8) {
                true => draw.wild(3),
                false => 1 + u64::from(draw.below(7)),
            };
            let known = identity(node);
            match draw.below(4) {
                0 => Change::AddLearner(known),
                1 => Change::AddVoter(known),
                2 => Change::Promote(known.node),
                _ => Change::Remove(known.node),
            }
        };
        let changes = [change(), change(), change(), change()];
        let count = draw.place(5);
        self.tell(|| format!("changes {:?}", &changes[..count]));
        self.refusable(|subject| subject.raft.reconfigure(&changes[..count]).is_ok())
    }

    fn compact(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let view = self.subject.view;
        let near = if draw.one_in(2) {
            view.delivered
        } else {
            view.base.next()
        };
        let index = LogIndex::new(draw.number(near.value()));
        let size = u64::from(draw.byte());
        let (size, checksum) = (draw.number(size), draw.below(3));
        self.tell(|| format!("compacts up to {index}, {size} bytes"));
        self.refusable(|subject| subject.raft.compact(index, size, checksum).is_ok())
    }

    /// A command that may be refused, and then changes nothing.
    fn refusable(&mut self, command: impl FnOnce(&mut Subject) -> bool) -> Result<(), Broken> {
        let before = self.subject.is_watched.then(|| self.subject.raft.clone());
        let is_taken = command(&mut self.subject);
        let same = is_taken || before.is_none_or(|before| before == self.subject.raft);
        check(same, Rule::NoChangeOnError, || {
            "a refused command changed something".into()
        })
    }

    fn restart(&mut self, draw: &mut Draw) -> Result<(), Broken> {
        let Some(mut records) = self.subject.journal.clone() else {
            return Ok(());
        };
        let is_honest = draw.one_in(2);
        if let (Some(last), Some(_)) = (records.last_mut(), &self.subject.taken) {
            last.is_torn = true;
            let len = draw.place(256) * last.bytes.len() / 255;
            last.bytes.truncate(len);
        }
        if self.manner.sabotage == Sabotage::LosesRecord && records.len() > 1 {
            records.pop();
        }
        if !is_honest {
            spoil(draw, &mut records);
        }
        let (promised, durable) = (self.subject.promised, self.subject.view.durable);
        let applied = match is_honest {
            true if draw.one_in(2) => self.subject.view.delivered,
            true => LogIndex::ZERO,
            false => LogIndex::new(draw.number(self.subject.view.delivered.value())),
        };
        let is_empty = records.is_empty() || (records.len() == 1 && records[0].is_torn);
        let done = self.subject.restart(records, applied, draw.next_u64());
        self.tell(|| format!("restarts, honest: {is_honest}: {done:?}"));
        self.stage.tally.restarts += 1;
        if is_honest && !is_empty {
            check(done.is_ok(), Rule::Remembers, || format!("{done:?}"))?;
            remembers(promised, durable, &self.subject.look())?;
        }
        if done.is_ok() {
            self.subject.view = self.subject.look();
            let kept = match is_honest {
                // What a node knew to be committed it may forget, as long as nobody relies on it.
                true => self.subject.view.commit.next().since(self.first) as usize,
                false => 0,
            };
            self.stage.committed.truncate(kept);
            if !is_honest {
                self.first = self.subject.view.base.next();
            }
            self.remember_committed();
        }
        Ok(())
    }

    /// The driver does its work, or some of it.
    #[inline]
    fn serve(&mut self, draw: &mut Draw, is_answer: bool) -> Result<(), Broken> {
        if self.plan.service > 1 && !draw.one_in(self.plan.service) {
            return Ok(());
        }
        let subject = &mut self.subject;
        let before = subject.promised;
        let writes = draw.byte();
        let mut has_written = false;
        if writes & 3 != 0 {
            subject.persist_begin();
        }
        if writes & 0xc != 0 && subject.taken.is_some() {
            has_written = true;
            subject.persist_end()?;
            subject.observe()?;
        }
        if self.manner.sabotage == Sabotage::ReportsEarly {
            subject.promised = before;
        }
        let is_answer = is_answer && !has_written && subject.is_judged;
        let max = match is_answer {
            true => subject.answers_max(),
            false => subject.due_max(),
        };
        match draw.byte() {
            0..=7 => subject.transmit(max, Ready::Only(&[NodeId::new(2)]))?,
            8..=15 => subject.transmit(max, Ready::Except(&[NodeId::new(3)]))?,
            _ => subject.transmit(max, Ready::All)?,
        }
        if writes & 0x30 != 0 {
            subject.apply()?;
        }
        if writes & 0x40 != 0 {
            subject.hear()?;
        }
        if self.manner.sabotage == Sabotage::GoesBack && writes == 0x40 {
            let opening = &self.stage.openings[self.plan.opening].subject;
            subject.raft = opening.raft.clone();
        }
        if !self.manner.is_bare {
            self.remember_committed();
        }
        Ok(())
    }

    /// Notes what was committed since, as far as it is in the window.
    #[inline]
    fn remember_committed(&mut self) {
        let (commit, base) = (self.subject.view.commit, self.subject.view.base);
        let committed = &mut self.stage.committed;
        let mut next = self.first.plus(committed.len() as u64);
        if commit < next {
            return;
        }
        if next <= base {
            // A snapshot: what it holds cannot be seen.
            committed.clear();
            self.first = base.next();
            next = self.first;
        }
        while next <= commit {
            let Some(entry) = self.subject.raft.entry(next) else {
                return;
            };
            let is_false = self.manner.sabotage == Sabotage::Rewrites && next.value() % 8 == 7;
            committed.push(fingerprint(&entry) ^ u64::from(is_false));
            next = next.next();
        }
    }

    /// All that must hold of the state.
    fn look_closely(&mut self) -> Result<(), Broken> {
        let raft = &self.subject.raft;
        let found = raft.check_invariants();
        check(found.is_ok(), Rule::Invariants, || {
            format!("not true: {}", found.err().unwrap_or_default())
        })?;
        for (place, print) in self.stage.committed.iter().enumerate() {
            let index = self.first.plus(place as u64);
            let is_same = index <= self.subject.view.base
                || raft
                    .entry(index)
                    .is_some_and(|it| fingerprint(&it) == *print);
            check(is_same, Rule::CommittedStays, || {
                format!(
                    "entry {index} was committed, now it is {:?}",
                    raft.entry(index)
                )
            })?;
        }
        Ok(())
    }
}

/// Why a message must change nothing, if it must.
#[inline]
fn must_refuse(
    subject: &Subject,
    from: NodeId,
    message: &raft_core::Message<'_>,
) -> Option<DropReason> {
    let raft = &subject.raft;
    if message.group != raft.group() {
        return Some(DropReason::WrongGroup);
    }
    if from == raft.identity().node {
        return Some(DropReason::OwnName);
    }
    let is_counted_answer = match &message.body {
        Body::VoteReply(_) => message.term == subject.view.hard.term,
        Body::Ack(_) => message.term == subject.view.hard.term && subject.is_leader(),
        Body::PreVoteReply(_) => message.term <= subject.view.hard.term,
        _ => false,
    };
    let is_member = || {
        raft.members().any(|seat| {
            seat.identity.node == from && seat.identity.incarnation == message.incarnation
        })
    };
    (is_counted_answer && !is_member()).then_some(DropReason::Stranger)
}

/// Records that nobody wrote: some are missing, torn, damaged, repeated or in another order.
fn spoil(draw: &mut Draw, records: &mut Vec<Record>) {
    let len = draw.place(records.len().min(200) + 1);
    records.truncate(records.len() - len);
    for _ in 0..draw.below(3) {
        if records.is_empty() {
            return;
        }
        let place = draw.place(records.len().min(256));
        match draw.below(4) {
            0 => {
                let copy = records[place].clone();
                records.push(copy);
            }
            1 => {
                records.remove(place);
            }
            2 => {
                let bytes = &mut records[place].bytes;
                let len = draw.place(256) * bytes.len() / 255;
                bytes.truncate(len);
                records[place].is_torn = draw.one_in(2);
            }
            _ => {
                let bytes = &mut records[place].bytes;
                if !bytes.is_empty() {
                    let at = draw.next_u64() as usize % bytes.len().min(96);
                    bytes[at] = draw.wild(u64::from(bytes[at])) as u8;
                }
            }
        }
    }
}

/// Any bytes either decode or do not.
fn bytes(draw: &mut Draw) -> Result<(), Broken> {
    let mut frame = [0; 96];
    for byte in &mut frame {
        *byte = draw.byte() as u8;
    }
    frame[0] = 0x10 | draw.below(9) as u8;
    frame[1] = draw.below(5) as u8;
    let frame = &frame[..draw.place(97)];
    let mut again = [0; 96];
    let is_canonical = match wire::decode(frame) {
        Ok(message) => wire::encode(&message, &mut again).is_ok(),
        Err(_) => true,
    };
    check(is_canonical, Rule::Promises, || {
        format!("{frame:?} decodes to what cannot be encoded")
    })
}

thread_local! {
    static IS_HOSTILE: Cell<bool> = const { Cell::new(false) };
    static PANICKED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics of episodes off the terminal, and notes where they were.
fn catch_quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_HOSTILE.with(Cell::get) {
                let place = info.location().map(|it| it.to_string());
                PANICKED.with(|text| *text.borrow_mut() = place.unwrap_or_default());
            } else {
                before(info);
            }
        }));
    });
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = match payload.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => payload.downcast_ref::<&str>().copied().unwrap_or("a panic"),
    };
    PANICKED.with(|place| format!("{text} at {}", place.borrow()))
}

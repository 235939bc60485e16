//! One episode: an opening, a temper, and some hundred inputs, each judged.

use std::cell::Cell;

use quorum::NodeId;
use raft_core::{Append, Body, DropReason, Entries, Event, LogIndex, Ready};

use super::draw::Draw;
use super::input::{self, Parts, Sent, Temper};
use super::opening::Opening;
use super::quietly;
use super::rules::{Broken, Rule, check, covered};
use super::subject::{Subject, fingerprint};

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
    /// Who looks at an append does not see its entries.
    OverlooksEntries,
    /// Reads that have ended count as under way.
    ForgetsEnds,
    /// Reads that have ended are not fetched.
    LeavesReads,
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
    /// Reads that ended.
    pub reads: u64,
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
    pub(super) committed: Vec<u64>,
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
        let at = Cell::new(0);
        let broken = match quietly::catch(|| self.play(seed, manner, &at)) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => broken,
            Err(what) => Broken {
                rule: Rule::NoPanic,
                what,
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
        let (outputs, reads) = (episode.subject.outputs, episode.subject.begun.ended);
        self.tally.outputs += outputs;
        self.tally.reads += reads;
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
            service: draw.pick(&[1, 1, 2, 4, 8, 16]),
            is_watched: draw.one_in(32),
            is_kept: draw.one_in(32),
        }
    }
}

/// An episode under way.
pub(super) struct Episode<'s> {
    seed: u64,
    pub(super) manner: &'s Manner,
    plan: Plan,
    /// The index of the first fingerprint of what is committed.
    pub(super) first: LogIndex,
    pub(super) subject: Subject,
    pub(super) stage: &'s mut Stage,
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

    pub(super) fn tell(&mut self, say: impl FnOnce() -> String) {
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
        if subject.is_judged && subject.raft.commit() > subject.view.commit {
            let body = match message.body {
                Body::Append(append) if self.manner.sabotage == Sabotage::OverlooksEntries => {
                    Body::Append(Append {
                        entries: Entries::EMPTY,
                        ..append
                    })
                }
                body => body,
            };
            covered(subject.view.commit, subject.raft.commit(), &body)?;
        }
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
                    event, Some(Event::Dropped { count: 1, reason: why, .. })
                        if why == reason || why == DropReason::TermTooHigh);
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
        if writes & 0x80 != 0 {
            self.end_reads()?;
        }
        let subject = &mut self.subject;
        if self.manner.sabotage == Sabotage::GoesBack && writes == 0x40 {
            let opening = &self.stage.openings[self.plan.opening].subject;
            subject.raft = opening.raft.clone();
            subject.begun.forget();
        }
        if !self.manner.is_bare {
            self.remember_committed();
        }
        Ok(())
    }

    /// Fetches the reads that have ended.
    pub(super) fn end_reads(&mut self) -> Result<(), Broken> {
        match self.manner.sabotage {
            Sabotage::LeavesReads => Ok(()),
            sabotage => self.subject.end_reads(sabotage == Sabotage::ForgetsEnds),
        }
    }

    /// Notes what was committed since, as far as it is in the window.
    #[inline]
    pub(super) fn remember_committed(&mut self) {
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
        Body::Ack(_) | Body::ReadRequest(_) => {
            message.term == subject.view.hard.term && subject.is_leader()
        }
        Body::PreVoteReply(_) | Body::QuietReply(_) => message.term <= subject.view.hard.term,
        _ => false,
    };
    let is_member = || {
        raft.members().any(|seat| {
            seat.identity.node == from && seat.identity.incarnation == message.incarnation
        })
    };
    (is_counted_answer && !is_member()).then_some(DropReason::Stranger)
}

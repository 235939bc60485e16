//! The examination: every point of every history, one after the other.

use std::time::Instant as Clock;

use super::duty::{Blow, Breach, Duty, Point};
use super::history::History;
use super::medium::{Fate, Fault};
use super::rig::{Refusal, Rig};
use super::stage::{Flow, Stage};

/// How thorough an examination is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Histories that are drawn, beside those that are written by hand.
    pub histories: u64,
    /// The seed of the first of them.
    pub first: u64,
    /// Torn writes of at most so many bytes are cut at every byte; longer ones at some.
    pub exact_bytes_max: usize,
    /// Only every so-manieth operation is struck; 1 for all, more for a slow medium.
    pub stride: u64,
    /// The most fates that are tried at an operation.
    pub fates_max: usize,
    /// How many bits decay, one after the other, at the end of each history.
    pub decays_max: u64,
    /// Begin no further history after so many seconds.
    pub seconds: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            histories: 10,
            first: 1,
            exact_bytes_max: 16,
            stride: 1,
            fates_max: 64,
            decays_max: 100,
            seconds: None,
        }
    }
}

/// What was tried, and withstood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Histories that were run to their end.
    pub histories: u64,
    /// Power cuts: an operation, and what survived.
    pub crashes: u64,
    /// Operations that failed.
    pub failures: u64,
    /// Bits that flipped.
    pub decays: u64,
    /// Of these, how many the driver refused with an error; the others were in nobody's way.
    pub refused: u64,
    /// Operations of the medium in the undisturbed histories.
    pub operations: u64,
}

/// An operation that no history reaches.
const NEVER: u64 = 1 << 60;

/// Examines a driver: runs it through every history, crashes it at every operation of its medium
/// with every fate that the medium allows, lets operations fail and bits flip, and asks each time
/// what it remembers.
///
/// # Errors
///
/// [`Breach`]: the first duty that was not done.
pub fn examine(rig: &mut dyn Rig, options: &Options) -> Result<Report, Breach> {
    let began = Clock::now();
    let mut report = Report::default();
    let scripts = (0..History::SCRIPTS).map(History::Script);
    let drawn = (0..options.histories).map(|place| History::Seed(options.first + place));
    for history in scripts.chain(drawn) {
        let is_over = |seconds| began.elapsed().as_secs() >= seconds;
        if options.seconds.is_some_and(is_over) {
            break;
        }
        examine_history(rig, history, options, &mut report)?;
    }
    Ok(report)
}

/// Runs one point again, as [`Breach::point`] names it.
///
/// # Errors
///
/// [`Breach`]: the duty that was not done.
pub fn replay(rig: &mut dyn Rig, point: Point) -> Result<(), Breach> {
    try_point(rig, point).map(drop)
}

fn examine_history(
    rig: &mut dyn Rig,
    history: History,
    options: &Options,
    report: &mut Report,
) -> Result<(), Breach> {
    let point = |operation, blow| Point {
        history,
        operation,
        blow,
    };
    let quiet = try_point(rig, point(NEVER, Blow::None))?;
    report.histories += 1;
    report.operations += quiet.operations;
    for operation in (0..quiet.operations).step_by(options.stride.max(1) as usize) {
        let found = try_point(rig, point(operation, Blow::Crash(Fate::NOTHING)))?;
        let mut fates = Fate::all(&found.unsynced, found.reorders, options.exact_bytes_max);
        thin(&mut fates, options.fates_max);
        report.crashes += 1;
        for (place, fate) in fates.into_iter().enumerate() {
            try_point(rig, point(operation, Blow::Crash(fate)))?;
            try_point(rig, point(operation, Blow::CrashAndGoOn(fate)))?;
            let again = place as u64 % 6;
            try_point(rig, point(operation, Blow::CrashAgain(fate, again)))?;
            report.crashes += 3;
        }
        for fault in [Fault::Refused, Fault::Broken] {
            try_point(rig, point(operation, Blow::Failure(fault)))?;
            report.failures += 1;
        }
    }
    let bits = if options.decays_max == 0 {
        0
    } else {
        quiet.bits
    };
    let step = (bits / options.decays_max.max(1)).max(1);
    for bit in (0..bits).step_by(step as usize) {
        let found = try_point(rig, point(NEVER, Blow::Decay(bit)))?;
        report.decays += 1;
        report.refused += u64::from(found.is_refused);
    }
    Ok(())
}

/// Keeps the first, the last, and some between.
fn thin(fates: &mut Vec<Fate>, most: usize) {
    let count = fates.len();
    if count > most.max(2) {
        let mut place = 0;
        fates.retain(|_| {
            place += 1;
            let (before, after) = ((place - 1) * most / count, place * most / count);
            before != after || place == 1 || place == count
        });
    }
}

/// What a run showed beside that nothing was wrong.
#[derive(Debug, Default)]
struct Found {
    operations: u64,
    unsynced: Vec<usize>,
    reorders: bool,
    bits: u64,
    is_refused: bool,
    /// Whether the node's latest promises may rest on what is not stored.
    rests_on_air: bool,
}

type Refused = (Duty, String);

fn try_point(rig: &mut dyn Rig, point: Point) -> Result<Found, Breach> {
    let breach = |(duty, what)| Breach { duty, what, point };
    let mut found = Found::default();
    let Err((duty, what)) = run(rig, point, &mut found) else {
        return Ok(found);
    };
    let is_promise = matches!(
        duty,
        Duty::KeepVote | Duty::KeepTerm | Duty::KeepEntries | Duty::KeepTruncation
    );
    match point.blow {
        _ if duty == Duty::RespectMedium => Err(breach((duty, what))),
        Blow::Failure(_) if duty != Duty::ComeBack => Err(breach((Duty::HeedFailures, what))),
        Blow::Decay(_) => Err(breach((Duty::RefuseDamage, what))),
        Blow::None | Blow::Crash(_) | Blow::CrashAgain(..)
            if is_promise && found.rests_on_air && is_early(rig, point) =>
        {
            Err(breach((Duty::StoreBeforeSending, what)))
        }
        _ => Err(breach((duty, what))),
    }
}

/// Whether all is well if everything survives that was written: then it was written, and not
/// stored yet, when the message left. Or if power fails after the node has done all that the input
/// asked for: then the message left before the write began.
fn is_early(rig: &mut dyn Rig, point: Point) -> bool {
    let later = Point {
        blow: Blow::Crash(Fate::EVERYTHING),
        ..point
    };
    let is_written = point.blow != later.blow && is_kept(rig, later);
    let waits = |operations| Point {
        operation: point.operation.saturating_add(operations),
        blow: Blow::Crash(Fate::NOTHING),
        ..point
    };
    is_written || (1..6).any(|operations| is_kept(rig, waits(operations)))
}

fn is_kept(rig: &mut dyn Rig, point: Point) -> bool {
    run(rig, point, &mut Found::default()).is_ok()
}

fn run(rig: &mut dyn Rig, point: Point, found: &mut Found) -> Result<(), Refused> {
    let (fault, fate) = match point.blow {
        Blow::None | Blow::Decay(_) => (None, Fate::NOTHING),
        Blow::Crash(fate) | Blow::CrashAndGoOn(fate) | Blow::CrashAgain(fate, _) => {
            (Some(Fault::PowerCut), fate)
        }
        Blow::Failure(fault) => (Some(fault), Fate::NOTHING),
    };
    rig.medium().settle(&Fate::NOTHING);
    rig.medium().wipe();
    let mut stage = Stage::new(rig, point.history.is_founder());
    if let Some(fault) = fault {
        let at = stage.origin + point.operation;
        stage.rig.medium().strike(at, fault);
    }
    play(&mut stage, point.history)?;
    found.rests_on_air = stage.rests_on_air();
    let medium = stage.rig.medium();
    found.operations = medium.operations() - stage.origin;
    found.unsynced = medium.unsynced();
    found.reorders = medium.reorders();
    medium.settle(&fate);
    stage.lose_flights();
    found.bits = stage.rig.medium().decaying_bits();
    if let Blow::Decay(bit) = point.blow {
        stage.rig.medium().flip(bit);
    }
    if let Blow::CrashAgain(_, more) = point.blow {
        let at = stage.rig.medium().operations() + more;
        stage.rig.medium().strike(at, Fault::PowerCut);
    }
    let began = come_back(&mut stage, point.blow)?;
    found.is_refused = began == Began::Refused;
    if began == Began::Refused {
        return Ok(());
    }
    if let Blow::CrashAndGoOn(_) = point.blow {
        stage.go_on()?;
        stage.rig.medium().settle(&Fate::NOTHING);
        stage.lose_flights();
        come_back(&mut stage, point.blow)?;
    }
    if began == Began::Again {
        stage.interrogate()?;
    }
    Ok(())
}

/// Plays a history until it ends or power fails.
fn play(stage: &mut Stage<'_>, history: History) -> Result<(), Refused> {
    if stage.found()? == Flow::Cut {
        return Ok(());
    }
    for step in history.steps() {
        if stage.step(step)? == Flow::Cut {
            return Ok(());
        }
    }
    Ok(())
}

/// How a node came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Began {
    /// With what it had.
    Again,
    /// As another one: it had nothing, and nobody knew it.
    Anew,
    /// Not at all, because its medium is damaged.
    Refused,
}

fn come_back(stage: &mut Stage<'_>, blow: Blow) -> Result<Began, Refused> {
    let is_damaged = matches!(blow, Blow::Decay(_));
    for _ in 0..3 {
        let (seed, now) = (stage.seed(), stage.now);
        let begun = stage.rig.restart(seed, now);
        stage.check_misuse()?;
        if !stage.rig.medium().is_powered() {
            stage.rig.medium().settle(&Fate::NOTHING);
            continue;
        }
        let refusal = match begun {
            Ok(()) => {
                stage.came_up();
                return Ok(Began::Again);
            }
            Err(refusal) => refusal,
        };
        return match refusal {
            Refusal::Empty if stage.is_nobody() => {
                stage.begin_rig()?;
                Ok(Began::Anew)
            }
            Refusal::Empty => Err((
                Duty::KeepName,
                "it was let in, and comes back with an empty medium".into(),
            )),
            _ if is_damaged => Ok(Began::Refused),
            Refusal::Damaged(what) => Err((Duty::DropTorn, format!("it refuses to start: {what}"))),
            Refusal::Snapshot(what) => {
                Err((Duty::SnapshotFirst, format!("it refuses to start: {what}")))
            }
            Refusal::Unusable(what) => Err((Duty::ComeBack, format!("it does not start: {what}"))),
        };
    }
    Err((Duty::ComeBack, "power fails at every restart".into()))
}

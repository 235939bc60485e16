//! What a driver owes, and how the tester says that it was not given.

use core::fmt;

use super::history::History;
use super::medium::{Fate, Fault};

/// What a driver and its medium owe to the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Duty {
    /// What a message promises is durable before the message leaves.
    StoreBeforeSending,
    /// A node votes once in a term, whatever happens to it.
    KeepVote,
    /// The term that a node spoke in is never forgotten.
    KeepTerm,
    /// What was acknowledged, and what was applied, is in the log for good.
    KeepEntries,
    /// Entries that took the place of others stay there.
    KeepTruncation,
    /// A node that was let in remembers who it is.
    KeepName,
    /// Every command is applied once, in order, and none that was not agreed on.
    ApplyCommands,
    /// The record that names a snapshot is stored after the snapshot.
    SnapshotFirst,
    /// What a power cut tore is dropped, and the node starts.
    DropTorn,
    /// What is damaged is refused, with an error, and never just left out.
    RefuseDamage,
    /// A write that failed is not reported as done, and what the medium holds is found out anew.
    HeedFailures,
    /// After a power cut the node comes back, answers, and catches up.
    ComeBack,
    /// What the medium forbids is not done.
    RespectMedium,
}

impl Duty {
    /// In words, as a rule.
    pub const fn rule(self) -> &'static str {
        match self {
            Duty::StoreBeforeSending => "what a message promises is stored before it leaves",
            Duty::KeepVote => "a node votes once in a term",
            Duty::KeepTerm => "a term is never forgotten",
            Duty::KeepEntries => "what was acknowledged or applied is never forgotten",
            Duty::KeepTruncation => "entries that took the place of others stay",
            Duty::KeepName => "a node that was let in remembers its name",
            Duty::ApplyCommands => "every command is applied once and in order",
            Duty::SnapshotFirst => "a snapshot is stored before the record that names it",
            Duty::DropTorn => "what a power cut tore is dropped",
            Duty::RefuseDamage => "damage is refused and not left out",
            Duty::HeedFailures => "a failed write is not reported as done",
            Duty::ComeBack => "after a power cut a node comes back and catches up",
            Duty::RespectMedium => "what the medium forbids is not done",
        }
    }
}

/// One thing that is done to a node in a history: a point at which it is crashed, a failure, or
/// decay. By it a breach is replayed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Point {
    /// What happens around it.
    pub history: History,
    /// The operation of the medium that is struck, counted from the beginning of the history.
    pub operation: u64,
    /// What strikes.
    pub blow: Blow,
}

/// What strikes a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blow {
    /// Nothing: the history runs to its end.
    None,
    /// Power fails, the medium keeps this much, and the node is asked what it remembers.
    Crash(Fate),
    /// The same, and the group goes on with the node.
    CrashAndGoOn(Fate),
    /// Power fails, and again so many operations into the restart, when nothing survives that was
    /// not synced.
    CrashAgain(Fate, u64),
    /// The operation fails.
    Failure(Fault),
    /// At the end of the history a bit of what was stored flips.
    Decay(u64),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point {
            history, operation, ..
        } = self;
        match self.blow {
            Blow::None => write!(f, "{history}, undisturbed"),
            Blow::Crash(fate) => write!(f, "{history}, power cut in operation {operation}: {fate}"),
            Blow::CrashAndGoOn(fate) => write!(
                f,
                "{history}, power cut in operation {operation}: {fate}; then the group goes on"
            ),
            Blow::CrashAgain(fate, more) => write!(
                f,
                "{history}, power cut in operation {operation}: {fate}; again in operation {more} \
                 of the restart"
            ),
            Blow::Failure(fault) => write!(f, "{history}, operation {operation}: {fault:?}"),
            Blow::Decay(bit) => write!(f, "{history}, then bit {bit} flips"),
        }
    }
}

/// A duty was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// Which one.
    pub duty: Duty,
    /// What was seen: the two facts that contradict each other.
    pub what: String,
    /// Where; hand it to [`replay`](super::replay).
    pub point: Point,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.duty.rule();
        write!(
            f,
            "{:?} ({rule}): {}\n  at {}\n  replay: {:?}",
            self.duty, self.what, self.point, self.point
        )
    }
}

impl core::error::Error for Breach {}

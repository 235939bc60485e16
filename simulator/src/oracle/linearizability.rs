//! What clients were told agrees with one order of all commands, in real time, `[Herlihy90]`.
//!
//! The order is that of the log, so a comparison of indexes is enough: whatever was called after
//! somebody had the answer of entry `i` stands behind `i`, or saw a state that contains it; and
//! the value that it was told is the register's value there. Some histories are also given to the
//! checker that knows no log, [`crate::linear::search`].

use raft_core::LogIndex;

use super::ledger::Ledger;
use super::words::words;
use crate::linear::{Operation, Verdict, search};
use crate::world::app::{Command, REGISTERS};
use crate::world::clients::Answered;

/// Operations of a history that is given to the checker, at most.
const OPERATIONS_MAX: usize = 2_000;
/// Steps that it may take for each register.
const STEPS_MAX: u64 = 20_000;

/// The client of this command, who asked when `floor` was answered, was told this.
pub(super) fn check(
    command: Command,
    floor: LogIndex,
    told: &Answered,
    ledger: &Ledger,
) -> Result<(), String> {
    let (number, at, value) = (command.number, told.at, told.value);
    let is_late = at > floor || (at == floor && !told.is_logged);
    if !is_late {
        return Err(words!(
            "command {number} was called when entry {floor} had been answered, and was answered as \
             of entry {at}"
        ));
    }
    let there = if told.is_logged {
        ledger
            .at(at)
            .and_then(|entry| entry.answer)
            .map(|answer| answer.value)
    } else {
        ledger.register_at(at, command.register)
    };
    if there == Some(value) || (there.is_none() && !told.is_logged) {
        return Ok(());
    }
    Err(words!(
        "command {number} was told {value} as of entry {at}, where the register holds {there:?}"
    ))
}

/// Gives a whole history to the checker that knows no log; `None` if it is too long for that.
pub(super) fn check_history(
    history: impl Iterator<Item = Operation>,
) -> Option<Result<(), String>> {
    let history: Vec<_> = history.take(OPERATIONS_MAX + 1).collect();
    if history.len() > OPERATIONS_MAX || history.is_empty() {
        return None;
    }
    debug_assert!(
        history
            .iter()
            .all(|operation| operation.key < REGISTERS as u32)
    );
    match search::check(&history, STEPS_MAX) {
        Verdict::Linearizable => Some(Ok(())),
        Verdict::Undecided => None,
        Verdict::Contradiction { key } => Some(Err(words!(
            "no order explains what the clients saw of register {key}"
        ))),
    }
}

//! What a client was told is done is in the log, once; and nothing that nobody asked for is.

use raft_core::LogIndex;

use super::ledger::Ledger;
use super::words::words;
use crate::world::clients::{Clients, Outcome};

/// Remembers where each command was committed.
#[derive(Debug, Default)]
pub(super) struct ExactlyOnce {
    /// By number of the command; zero if nowhere.
    committed: Vec<LogIndex>,
}

crate::world::reuse::copies_in_place!(ExactlyOnce { committed });

impl ExactlyOnce {
    pub(super) fn clear(&mut self) {
        self.committed.clear();
        self.committed.reserve(1 << 15);
    }

    /// The command of this number was committed at `index` for the first time.
    pub(super) fn on_commit(
        &mut self,
        number: u64,
        index: LogIndex,
        clients: &Clients,
    ) -> Result<(), String> {
        let Some(asked) = clients.asked(number) else {
            return Err(words!(
                "entry {index} holds command {number}, for which nobody asked"
            ));
        };
        if asked.outcome == Outcome::Failed {
            return Err(words!(
                "entry {index} holds command {number}, whose client knows that nothing came of it"
            ));
        }
        let place = number as usize;
        if self.committed.len() <= place {
            self.committed.resize(place + 1, LogIndex::ZERO);
        }
        let before = std::mem::replace(&mut self.committed[place], index);
        if before == LogIndex::ZERO {
            return Ok(());
        }
        Err(words!(
            "entries {before} and {index} both hold command {number}, which was given once"
        ))
    }
}

/// The client of the command `number` was told that it is done, as entry `index`.
pub(super) fn check_answered(number: u64, index: LogIndex, ledger: &Ledger) -> Result<(), String> {
    let committed = ledger.at(index).and_then(|entry| entry.answer);
    if committed.is_some_and(|answer| answer.number == number) {
        return Ok(());
    }
    Err(words!(
        "a client was told that its command {number} is done as entry {index}; committed there is \
         {committed:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::clock::Moment;

    #[test]
    fn a_command_is_committed_once_and_only_if_somebody_asked() {
        let mut clients = Clients::default();
        let (one, two) = (
            clients.ask(Moment::default()),
            clients.ask(Moment::default()),
        );
        clients.on_refused(two);
        let mut oracle = ExactlyOnce::default();
        let at = LogIndex::new;
        assert!(oracle.on_commit(one, at(5), &clients).is_ok());
        assert!(oracle.on_commit(one, at(6), &clients).is_err());
        assert!(oracle.on_commit(two, at(7), &clients).is_err());
        assert!(oracle.on_commit(3, at(8), &clients).is_err());
        assert!(check_answered(one, at(5), &Ledger::default()).is_err());
    }
}

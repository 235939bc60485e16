//! Clients: what they asked for, what they were told, and what they cannot know.
//!
//! A command is proposed to a node that believes to lead, once. Its client is answered when that
//! node applies the entry that the proposal became; if another entry is committed in its place,
//! the client learns that nothing came of it; if the node crashes or forgets, the outcome is
//! unknown for ever: the command may appear in the log later, once, or never.
//!
//! A read may also be answered from a state that some node has applied ([`Answered::at`] is then
//! the last entry of that state, and no command stands there): reads by lease or by a round of
//! heartbeats are to be told apart from others only by that.

use std::collections::VecDeque;

use clocks::Instant;
use raft_core::{EntryId, LogIndex, ReadTicket};

use crate::linear::{Action, Operation};
use crate::world::app::{Answer, Command};
use crate::world::clock::Moment;
use crate::world::reuse::copies_in_place;
use crate::world::swarm::HOSTS_MAX;

/// How a command ended, as far as its client knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Not known.
    Unknown,
    /// It was told that nothing came of it, and nothing will.
    Failed,
    /// It was answered.
    Answered(Answered),
}

/// What a client was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answered {
    /// The entry that holds the command, or the last one of the state that was read.
    pub at: LogIndex,
    /// Whether the command itself stands there.
    pub is_logged: bool,
    /// The register's value.
    pub value: u64,
    /// When.
    pub end: Moment,
}

/// What a client asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// When.
    pub call: Moment,
    /// The last entry of which anybody had an answer by then.
    pub floor: LogIndex,
    /// What came of it.
    pub outcome: Outcome,
}

/// A read that a host has begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// What its machine calls it.
    pub ticket: ReadTicket,
    /// The number of the command.
    pub number: u64,
    /// The latest time that its machine knew then.
    pub since: Instant,
}

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    /// By number of the command, which begins with 1.
    asked: Vec<Asked>,
    /// Which proposals each host will answer, in the order of the log.
    waiting: [VecDeque<(EntryId, u64)>; HOSTS_MAX],
    /// The reads that each host has begun and will answer.
    reading: [VecDeque<Reading>; HOSTS_MAX],
    /// The last entry of which anybody had an answer.
    answered: LogIndex,
}

copies_in_place!(Clients {
    asked,
    waiting,
    reading,
    answered
});

/// Commands for which there is room before the history begins.
const COMMANDS: usize = 1 << 15;

impl Clients {
    /// Forgets everything; buffers stay.
    pub fn reset(&mut self) {
        self.asked.clear();
        self.asked.reserve(COMMANDS);
        for waiting in &mut self.waiting {
            waiting.clear();
            waiting.reserve(1 << 10);
        }
        for reading in &mut self.reading {
            reading.clear();
            reading.reserve(1 << 10);
        }
        self.answered = LogIndex::ZERO;
    }

    /// A client is about to ask; says the number of its command.
    pub fn ask(&mut self, now: Moment) -> u64 {
        self.asked.push(Asked {
            call: now,
            floor: self.answered,
            outcome: Outcome::Unknown,
        });
        self.asked.len() as u64
    }

    /// A client is about to read: the number of the next command that does. The numbers between
    /// are of clients that change their mind.
    pub fn ask_to_read(&mut self, now: Moment) -> u64 {
        loop {
            let number = self.ask(now);
            if Command::new(number).is_read {
                return number;
            }
            self.on_refused(number);
        }
    }

    /// The host has begun the read of this number.
    pub fn on_reading(&mut self, host: usize, reading: Reading) {
        self.reading[host].push_back(reading);
    }

    /// The read of this ticket has ended at the host; says its number.
    pub fn on_read(&mut self, host: usize, ticket: ReadTicket) -> Option<u64> {
        let reading = &mut self.reading[host];
        let place = reading.iter().position(|other| other.ticket == ticket)?;
        reading.remove(place).map(|reading| reading.number)
    }

    /// The read that has been under way at a host for longest.
    pub fn oldest_read(&self, host: usize) -> Option<&Reading> {
        self.reading[host].front()
    }

    /// How many reads a host has begun that have not ended.
    pub fn reading(&self, host: usize) -> usize {
        self.reading[host].len()
    }

    /// What is known of a command.
    pub fn asked(&self, number: u64) -> Option<&Asked> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        self.asked.get(place)
    }

    /// The host took the command of this number as this entry.
    pub fn on_proposed(&mut self, host: usize, number: u64, id: EntryId) {
        let waiting = &mut self.waiting[host];
        // What stood here when the host led before is gone: its outcome is not known.
        while waiting
            .back()
            .is_some_and(|(other, _)| other.index >= id.index)
        {
            waiting.pop_back();
        }
        waiting.push_back((id, number));
    }

    /// The host refused the command.
    pub fn on_refused(&mut self, number: u64) {
        self.end(number, Outcome::Failed);
    }

    /// The host will not answer any more.
    pub fn on_crash(&mut self, host: usize) {
        self.waiting[host].clear();
        self.reading[host].clear();
    }

    /// The host applied the entry `id`; says whom it answers.
    pub fn on_applied(
        &mut self,
        host: usize,
        id: EntryId,
        now: Moment,
        answer: Option<Answer>,
    ) -> Option<u64> {
        while let Some((waiting, number)) = self.waiting[host].front().copied() {
            if waiting.index > id.index {
                break;
            }
            self.waiting[host].pop_front();
            if waiting != id {
                // Another entry stands in its place, or the machine's own does.
                self.end(number, Outcome::Failed);
                continue;
            }
            let value = answer.map_or(0, |answer| answer.value);
            self.answer(number, id.index, true, value, now);
            return Some(number);
        }
        None
    }

    /// A snapshot took the place of entries up to `index`: what became of those is not known.
    pub fn on_snapshot(&mut self, host: usize, index: LogIndex) {
        let waiting = &mut self.waiting[host];
        while waiting.front().is_some_and(|(id, _)| id.index <= index) {
            waiting.pop_front();
        }
    }

    /// The client of this command is told the value of its register.
    pub fn answer(&mut self, number: u64, at: LogIndex, is_logged: bool, value: u64, now: Moment) {
        self.answered = self.answered.max(at);
        self.end(
            number,
            Outcome::Answered(Answered {
                at,
                is_logged,
                value,
                end: now,
            }),
        );
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
        let place = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        if let Some(asked) = self.asked.get_mut(place) {
            asked.outcome = outcome;
        }
    }

    /// The history as its clients saw it.
    pub fn history(&self) -> impl Iterator<Item = Operation> + '_ {
        let numbered = (1..).zip(&self.asked);
        numbered.filter_map(|(number, asked)| {
            let command = Command::new(number);
            let (seen, end) = match asked.outcome {
                Outcome::Unknown => (0, None),
                Outcome::Failed => return None,
                Outcome::Answered(answered) => (answered.value, Some(answered.end.as_micros())),
            };
            Some(Operation {
                key: command.register as u32,
                action: if command.is_read {
                    Action::Read(seen)
                } else {
                    Action::Write(number)
                },
                call: asked.call.as_micros(),
                end,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use raft_core::Term;

    use super::*;

    fn id(index: u64, term: u32) -> EntryId {
        EntryId::new(LogIndex::new(index), Term::new(term))
    }

    #[test]
    fn a_client_is_answered_by_its_own_entry_only() {
        let mut clients = Clients::default();
        let numbers = [(); 3].map(|()| clients.ask(Moment::default()));
        for (number, index) in numbers.into_iter().zip([4, 5, 7]) {
            clients.on_proposed(0, number, id(index, 2));
        }
        let now = Moment::from_micros(9);
        let answer = |number| Some(Answer { number, value: 3 });
        assert_eq!(clients.on_applied(0, id(3, 1), now, None), None);
        // The second is applied; in the place of the first stood the machine's own entry.
        assert_eq!(clients.on_applied(0, id(5, 2), now, answer(2)), Some(2));
        assert_eq!(clients.asked(1).unwrap().outcome, Outcome::Failed);
        // Another leader's entry stands in the place of the third.
        assert_eq!(clients.on_applied(0, id(7, 3), now, answer(9)), None);
        assert_eq!(clients.asked(3).unwrap().outcome, Outcome::Failed);
        let number = clients.ask(now);
        assert_eq!(clients.asked(number).unwrap().floor, LogIndex::new(5));
        clients.on_proposed(1, number, id(8, 3));
        clients.on_crash(1);
        assert_eq!(clients.on_applied(1, id(8, 3), now, answer(4)), None);
        assert_eq!(clients.asked(number).unwrap().outcome, Outcome::Unknown);
        assert_eq!(clients.history().count(), 2);
    }
}

//! What the clients ask, and what became of it.

use clocks::Duration;
use simulator::world::random::{Random, Stream};

use super::STEP;

/// From when to when the network is cut.
pub(crate) const CUT: (Duration, Duration) =
    (Duration::from_millis(1000), Duration::from_millis(3000));
/// When the clients stop.
pub(crate) const END: Duration = Duration::from_millis(4500);

const KEYS: u64 = 8;

/// Where an experiment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Before,
    Cut,
    After,
}

impl Phase {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Before => "before the cut",
            Phase::Cut => "during the cut",
            Phase::After => "after the cut",
        }
    }
}

/// The steps of an experiment.
pub(crate) fn steps() -> impl Iterator<Item = (Duration, Phase)> {
    let count = END.as_micros() / STEP.as_micros();
    (0..count).map(|step| {
        let now = STEP.saturating_mul(step);
        let phase = if now < CUT.0 {
            Phase::Before
        } else if now < CUT.1 {
            Phase::Cut
        } else {
            Phase::After
        };
        (now, phase)
    })
}

/// What a client asks for. Every value is written once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Write { key: u64, value: u64 },
    Read { key: u64 },
}

/// What it got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Written,
    Read(Option<u64>),
    /// Nobody there may answer; nothing happened.
    Refused,
    /// Nobody can say whether it happened.
    NoAnswer,
}

impl End {
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, End::Written | End::Read(_))
    }
}

/// A request and its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) client: usize,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) phase: Phase,
    pub(crate) operation: Operation,
    pub(crate) end: End,
}

/// All requests of an experiment.
pub(crate) struct Log {
    clients: usize,
    random: Random,
    values: u64,
    ends: Vec<Ended>,
}

impl Log {
    pub(crate) fn new(clients: usize, seed: u64) -> Self {
        Log {
            clients,
            random: Random::new(seed, Stream::Workload),
            values: 0,
            ends: Vec::new(),
        }
    }

    /// What the clients ask for in this step. After the cut they only read, to see what is left.
    pub(crate) fn ask(&mut self, phase: Phase) -> Vec<(usize, Operation)> {
        let mut asked = Vec::new();
        for client in 0..self.clients {
            let key = self.random.below(KEYS);
            let operation = match self.random.below(8) {
                0 if phase != Phase::After => {
                    self.values += 1;
                    Operation::Write {
                        key,
                        value: self.values,
                    }
                }
                1 => Operation::Read { key },
                _ => continue,
            };
            asked.push((client, operation));
        }
        asked
    }

    pub(crate) fn end(
        &mut self,
        client: usize,
        began: Duration,
        ended: Duration,
        phase: Phase,
        operation: Operation,
        end: End,
    ) {
        self.ends.push(Ended {
            client,
            began,
            ended,
            phase,
            operation,
            end,
        });
    }

    pub(crate) fn ends(&self) -> impl Iterator<Item = &Ended> {
        self.ends.iter()
    }

    pub(crate) fn answered_writes(&self) -> usize {
        self.ends
            .iter()
            .filter(|end| end.end == End::Written)
            .count()
    }

    /// Whether this is a read whose value had been replaced before it was asked for: a write of the same key that
    /// was answered before the read began had itself begun after the write of the value that was read was answered.
    pub(crate) fn is_stale(&self, read: &Ended) -> bool {
        let (Operation::Read { key }, End::Read(got)) = (read.operation, read.end) else {
            return false;
        };
        let writes = || {
            self.ends.iter().filter_map(move |end| match end.operation {
                Operation::Write {
                    key: written,
                    value,
                } if written == key => Some((end, value)),
                Operation::Write { .. } | Operation::Read { .. } => None,
            })
        };
        // What was never answered may have happened at any later time: it replaces nothing for certain.
        let source = writes()
            .find(|(_, value)| Some(*value) == got)
            .map(|(end, _)| end);
        let replaced_at = match source {
            Some(source) if source.end == End::Written => source.ended,
            Some(_) => return false,
            None => Duration::ZERO,
        };
        writes().any(|(end, value)| {
            end.end == End::Written
                && Some(value) != got
                && end.ended < read.began
                && (end.began > replaced_at || source.is_none())
        })
    }

    /// How many writes of the cut are gone after it although their key was not written again: it was written on both
    /// sides, and keeps what the other side wrote.
    pub(crate) fn gone(&self, minority: &[usize], kept: impl Fn(u64) -> Option<u64>) -> usize {
        let writes = || {
            self.ends.iter().filter_map(|end| match end.operation {
                Operation::Write { key, value } if end.phase == Phase::Cut => {
                    Some((minority.contains(&end.client), key, value))
                }
                Operation::Write { .. } | Operation::Read { .. } => None,
            })
        };
        let winner = |key| {
            let value = kept(key)?;
            writes()
                .find(|(_, _, written)| *written == value)
                .map(|(side, _, _)| side)
        };
        let lost =
            writes().filter(|(side, key, _)| winner(*key).is_some_and(|winner| winner != *side));
        lost.count()
    }
}

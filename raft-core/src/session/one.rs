//! One session: its name, its last use, and the answers that its client may still ask for.

use core::fmt;

use super::{Outcome, SessionId};
use crate::types::LogIndex;

/// What a command was answered. Bytes behind `len` are zero, so that equal answers are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Answer<const ANSWER_BYTES: usize> {
    len: u16,
    bytes: [u8; ANSWER_BYTES],
}

impl<const ANSWER_BYTES: usize> Answer<ANSWER_BYTES> {
    const EMPTY: Self = Answer {
        len: 0,
        bytes: [0; ANSWER_BYTES],
    };

    pub(super) fn new(answer: &[u8]) -> Option<Self> {
        let mut bytes = [0; ANSWER_BYTES];
        bytes.get_mut(..answer.len())?.copy_from_slice(answer);
        let len = u16::try_from(answer.len()).ok()?;
        Some(Answer { len, bytes })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Where the answer of a fresh command goes.
#[derive(PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Place<'a, const ANSWER_BYTES: usize> {
    answer: &'a mut Answer<ANSWER_BYTES>,
}

impl<const ANSWER_BYTES: usize> Place<'_, ANSWER_BYTES> {
    /// Keeps `answer` for repetitions of the command; a second call replaces the first.
    ///
    /// # Errors
    ///
    /// [`AnswerTooLong`]: nothing changed. Record a shorter answer, otherwise a repetition finds
    /// an empty one.
    pub fn record(&mut self, answer: &[u8]) -> Result<(), AnswerTooLong> {
        let too_long = AnswerTooLong {
            len: answer.len(),
            len_max: ANSWER_BYTES,
        };
        *self.answer = Answer::new(answer).ok_or(too_long)?;
        Ok(())
    }
}

/// An answer that the table has no room for: the state machine's fault, which chose the bound.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AnswerTooLong {
    /// Bytes of the answer.
    pub len: usize,
    /// Bytes that an answer may have.
    pub len_max: usize,
}

impl fmt::Display for AnswerTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AnswerTooLong { len, len_max } = self;
        write!(f, "an answer of {len} bytes, where {len_max} fit")
    }
}

impl core::error::Error for AnswerTooLong {}

/// One client's session. Executed numbers are those below `first` and those with an answer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Session<const OUTSTANDING: usize, const ANSWER_BYTES: usize> {
    pub(super) id: SessionId,
    /// What the client registered with.
    pub(super) nonce: u64,
    /// The index of the last entry that used the session.
    pub(super) used: LogIndex,
    /// The lowest number whose answer the client has not acknowledged.
    pub(super) first: u64,
    /// The answer to each executed number from `first` on, at the number modulo `OUTSTANDING`.
    pub(super) answers: [Option<Answer<ANSWER_BYTES>>; OUTSTANDING],
}

impl<const OUTSTANDING: usize, const ANSWER_BYTES: usize> Session<OUTSTANDING, ANSWER_BYTES> {
    pub(super) const fn new(id: SessionId, nonce: u64) -> Self {
        Session {
            id,
            nonce,
            used: LogIndex::new(id.0),
            first: 0,
            answers: [None; OUTSTANDING],
        }
    }

    pub(super) fn mark_used(&mut self, index: LogIndex) {
        self.used = self.used.max(index);
    }

    /// Drops the answers below `first`. What a late copy says was said before: it changes nothing.
    pub(super) fn acknowledge(&mut self, first: u64) {
        let passed = first.saturating_sub(self.first).min(OUTSTANDING as u64);
        for number in self.first..self.first.saturating_add(passed) {
            if let Some(answer) = self.answers.get_mut(place_of(number, OUTSTANDING)) {
                *answer = None;
            }
        }
        self.first = self.first.max(first);
    }

    /// Takes the answer that stood at `place` of `places`, at most as many as here. `None` if its
    /// number lies beyond the last there is.
    pub(super) fn put(
        &mut self,
        place: usize,
        places: usize,
        answer: Answer<ANSWER_BYTES>,
    ) -> Option<()> {
        let first = place_of(self.first, places);
        let ahead = match place.checked_sub(first) {
            Some(ahead) => ahead,
            None => places.saturating_sub(first).saturating_add(place),
        };
        let number = self.first.checked_add(ahead as u64)?;
        *self.answers.get_mut(place_of(number, OUTSTANDING))? = Some(answer);
        Some(())
    }

    pub(super) fn begin(&mut self, number: u64) -> Outcome<'_, ANSWER_BYTES> {
        let Some(ahead) = number.checked_sub(self.first) else {
            return Outcome::Forgotten;
        };
        if ahead >= OUTSTANDING as u64 {
            return Outcome::Ahead;
        }
        match self.answers.get_mut(place_of(number, OUTSTANDING)) {
            Some(Some(answer)) => Outcome::Repeated(answer.as_bytes()),
            Some(place) => Outcome::Fresh(Place {
                answer: place.insert(Answer::EMPTY),
            }),
            None => Outcome::Ahead,
        }
    }
}

/// Where the answer to `number` stands among `places`.
fn place_of(number: u64, places: usize) -> usize {
    let place = number.checked_rem(places as u64).unwrap_or(0);
    usize::try_from(place).unwrap_or(places)
}

//! The table as bytes, for the snapshot of the state machine that embeds it.
//!
//! ```text
//! 0..1    version (1)
//! 1..9    SESSIONS, OUTSTANDING, ANSWER_BYTES, number of sessions: u16 each
//! 9..     sessions, ascending by name
//! session: name u64 | nonce u64 | last use u64 | first unacknowledged u64 | OUTSTANDING answers
//! answer:  length u16 and as many bytes, or 0xffff for a number that was not executed;
//!          the answer to number n stands at n modulo OUTSTANDING
//! ```
//!
//! Little endian. Each table has one encoding, and what is read makes the very table that was
//! written. The capacities are part of it: a table of other capacities would evict other sessions.
//! Enlarged, a table keeps its sessions and their answers, at the places of the new capacities.

use core::fmt;

use super::one::{Answer, Session};
use super::{SessionId, Sessions};
use crate::types::LogIndex;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 9;
const SESSION_HEADER_BYTES: usize = 32;
const ANSWER_HEADER_BYTES: usize = 2;
const NOT_EXECUTED: u16 = u16::MAX;

/// The buffer is too short for the table; nothing of use was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferTooSmall {
    /// Bytes that the table takes.
    pub needed: usize,
}

impl fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table of sessions takes {} bytes", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}

/// Why bytes are not a table of sessions that this state machine can hold. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DecodeError {
    /// The bytes end within the table: the snapshot was cut.
    Truncated,
    /// Bytes follow the table: what is lent must be the table alone.
    TrailingBytes,
    /// Another version of the format: written by a later release.
    UnknownVersion(u8),
    /// A table of other capacities, or of larger ones where smaller ones will do: the members of
    /// the group are built differently, or the state is older than the change of the capacities.
    OtherCapacities,
    /// Two sessions have this nonce, where a table has one of each: the snapshot is damaged.
    NonceTwice(u64),
    /// No table has these contents: the snapshot is damaged.
    Malformed,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated => f.write_str("the table of sessions is cut short"),
            DecodeError::TrailingBytes => f.write_str("bytes follow the table of sessions"),
            DecodeError::UnknownVersion(version) => {
                write!(f, "the table has version {version}, not {VERSION}")
            }
            DecodeError::OtherCapacities => f.write_str("the table has other capacities"),
            DecodeError::NonceTwice(nonce) => write!(f, "two sessions have the nonce {nonce}"),
            DecodeError::Malformed => f.write_str("no table of sessions has these contents"),
        }
    }
}

impl core::error::Error for DecodeError {}

impl<const SESSIONS: usize, const OUTSTANDING: usize, const ANSWER_BYTES: usize>
    Sessions<SESSIONS, OUTSTANDING, ANSWER_BYTES>
{
    /// The longest encoding of a table with these capacities, in bytes.
    pub const ENCODED_BYTES_MAX: usize = HEADER_BYTES
        + SESSIONS * (SESSION_HEADER_BYTES + OUTSTANDING * (ANSWER_HEADER_BYTES + ANSWER_BYTES));

    /// How many bytes [`Sessions::encode`] makes of this table.
    pub fn encoded_len(&self) -> usize {
        self.sessions.iter().fold(HEADER_BYTES, |len, session| {
            let answers = session.answers.iter().flatten();
            answers.fold(
                len + SESSION_HEADER_BYTES + OUTSTANDING * ANSWER_HEADER_BYTES,
                |len, answer| len + answer.as_bytes().len(),
            )
        })
    }

    /// Writes the table into `bytes` and lends what it wrote; `docs/WIRE.md` has the layout.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if `bytes` is shorter than [`Sessions::encoded_len`].
    pub fn encode<'b>(&self, bytes: &'b mut [u8]) -> Result<&'b [u8], BufferTooSmall> {
        let needed = self.encoded_len();
        let whole = bytes.get_mut(..needed);
        let whole = whole.ok_or(BufferTooSmall { needed })?;
        self.write(whole).ok_or(BufferTooSmall { needed })?;
        Ok(whole)
    }

    fn write(&self, bytes: &mut [u8]) -> Option<()> {
        let mut writer = Writer { rest: bytes };
        writer.put(&[VERSION])?;
        for number in Self::capacities() {
            writer.put(&number.to_le_bytes())?;
        }
        writer.put(&u16::try_from(self.sessions.len()).ok()?.to_le_bytes())?;
        for session in &self.sessions {
            let (used, first) = (session.used.value(), session.first);
            for number in [session.id.value(), session.nonce, used, first] {
                writer.put(&number.to_le_bytes())?;
            }
            for answer in &session.answers {
                let Some(answer) = answer else {
                    writer.put(&NOT_EXECUTED.to_le_bytes())?;
                    continue;
                };
                let answer = answer.as_bytes();
                writer.put(&u16::try_from(answer.len()).ok()?.to_le_bytes())?;
                writer.put(answer)?;
            }
        }
        Some(())
    }

    /// Replaces the table by the one that `bytes` holds, all of them. The capacities are the same.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the table stays as it was.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.replace(bytes, |written, own| written == own)
    }

    /// Replaces the table by the one that `bytes` holds, all of them, of which no capacity is larger
    /// than here. Same bytes make the same table.
    ///
    /// Only for a change of the capacities, which all members do at the same log index: see
    /// [Capacities](super#capacities).
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; the table stays as it was.
    pub fn restore_enlarged(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        self.replace(bytes, |written, own| written <= own)
    }

    fn replace(&mut self, bytes: &[u8], fits: fn(usize, usize) -> bool) -> Result<(), DecodeError> {
        // Once to look, once to take: so no second table stands on the stack.
        Self::read(bytes, fits, |_| ())?;
        Self::check_nonces(bytes)?;
        self.sessions.clear();
        Self::read(bytes, fits, |session| {
            let _ = self.sessions.push(session);
        })
    }

    fn read(
        bytes: &[u8],
        fits: fn(usize, usize) -> bool,
        mut take: impl FnMut(Session<OUTSTANDING, ANSWER_BYTES>),
    ) -> Result<(), DecodeError> {
        let (mut reader, written, count) = Reader::open(bytes)?;
        let own = [SESSIONS, OUTSTANDING, ANSWER_BYTES];
        if !written
            .iter()
            .zip(own)
            .all(|(written, own)| fits(*written, own))
        {
            return Err(DecodeError::OtherCapacities);
        }
        let [sessions, outstanding, answer_bytes] = written;
        if sessions == 0 || outstanding == 0 || count > sessions {
            return Err(DecodeError::Malformed);
        }
        let mut previous = None;
        for _ in 0..count {
            let session = reader.session(outstanding, answer_bytes)?;
            if previous >= Some(session.id) || session.used.value() < session.id.value() {
                return Err(DecodeError::Malformed);
            }
            previous = Some(session.id);
            take(session);
        }
        if reader.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }

    /// Each nonce against those behind it, among bytes that are well formed otherwise.
    fn check_nonces(bytes: &[u8]) -> Result<(), DecodeError> {
        let (mut reader, [_, outstanding, _], count) = Reader::open(bytes)?;
        for behind in (0..count).rev() {
            let nonce = reader.nonce(outstanding)?;
            let mut others = reader.clone();
            for _ in 0..behind {
                if others.nonce(outstanding)? == nonce {
                    return Err(DecodeError::NonceTwice(nonce));
                }
            }
        }
        Ok(())
    }

    /// None is cut: [`Sessions::new`] does not compile for capacities beyond 16 bits.
    fn capacities() -> [u16; 3] {
        [SESSIONS, OUTSTANDING, ANSWER_BYTES].map(|capacity| u16::try_from(capacity).unwrap_or(0))
    }
}

struct Writer<'b> {
    rest: &'b mut [u8],
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = core::mem::take(&mut self.rest);
        let (place, rest) = rest.split_at_mut_checked(bytes.len())?;
        place.copy_from_slice(bytes);
        self.rest = rest;
        Some(())
    }
}

#[derive(Clone)]
struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// The sessions, the three capacities with which they were written, and how many they are.
    fn open(bytes: &'b [u8]) -> Result<(Self, [usize; 3], usize), DecodeError> {
        let mut reader = Reader { rest: bytes };
        let [version] = *reader.take()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion(version));
        }
        let capacities = [reader.u16()?, reader.u16()?, reader.u16()?].map(usize::from);
        let count = usize::from(reader.u16()?);
        Ok((reader, capacities, count))
    }

    fn take<const N: usize>(&mut self) -> Result<&'b [u8; N], DecodeError> {
        let split = self.rest.split_first_chunk();
        let (bytes, rest) = split.ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.take().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u64(&mut self) -> Result<u64, DecodeError> {
        self.take().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// A session written with room for `outstanding` answers of `answer_bytes`, at most those here.
    fn session<const OUTSTANDING: usize, const ANSWER_BYTES: usize>(
        &mut self,
        outstanding: usize,
        answer_bytes: usize,
    ) -> Result<Session<OUTSTANDING, ANSWER_BYTES>, DecodeError> {
        let mut session = Session::new(SessionId::new(self.u64()?), self.u64()?);
        session.used = LogIndex::new(self.u64()?);
        session.first = self.u64()?;
        for place in 0..outstanding {
            let Some(answer) = self.answer()? else {
                continue;
            };
            if answer.len() > answer_bytes {
                return Err(DecodeError::Malformed);
            }
            let answer = Answer::new(answer).ok_or(DecodeError::Malformed)?;
            session
                .put(place, outstanding, answer)
                .ok_or(DecodeError::Malformed)?;
        }
        Ok(session)
    }

    /// The nonce of a session, which is passed over.
    fn nonce(&mut self, outstanding: usize) -> Result<u64, DecodeError> {
        let (_name, nonce, _used, _first) = (self.u64()?, self.u64()?, self.u64()?, self.u64()?);
        for _ in 0..outstanding {
            self.answer()?;
        }
        Ok(nonce)
    }

    fn answer(&mut self) -> Result<Option<&'b [u8]>, DecodeError> {
        let len = self.u16()?;
        if len == NOT_EXECUTED {
            return Ok(None);
        }
        let split = self.rest.split_at_checked(usize::from(len));
        let (bytes, rest) = split.ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(Some(bytes))
    }
}

//! What goes to a witness: an append whose entries are runs, and a chunk without data.
//!
//! Both have the fixed layout of their full form, so that one reader serves both.

use super::DecodeError;
use super::encode::{copy, put_append_header};
use crate::entry::ENTRY_HEADER_BYTES;
use crate::hollow::{HollowEntries, HollowRun};
use crate::message::{Append, Chunk, ChunkData, Hollow};

pub(super) fn put_hollow(body: &mut [u8], hollow: &Hollow<'_>) -> Option<()> {
    let mut rest = put_append_header(body, hollow.prev, hollow.commit, hollow.round)?;
    if let Some(bytes) = hollow.entries.received() {
        return copy(rest, bytes);
    }
    for run in hollow.entries.iter() {
        let (header, behind) = rest.split_first_chunk_mut::<ENTRY_HEADER_BYTES>()?;
        *header = run.header().encode();
        rest = match run {
            HollowRun::Entries { .. } => behind,
            HollowRun::Configuration { payload, .. } => {
                let (place, behind) = behind.split_at_mut_checked(payload.len())?;
                copy(place, payload)?;
                behind
            }
        };
    }
    rest.is_empty().then_some(())
}

impl<'f> Append<'f> {
    /// The same bytes read as runs.
    pub(super) fn hollowed(self) -> Hollow<'f> {
        let [runs, _] = self.entries.slices();
        Hollow {
            prev: self.prev,
            commit: self.commit,
            round: self.round,
            entries: HollowEntries::from_bytes(runs),
        }
    }
}

impl<'f> Chunk<'f> {
    /// The same without data; it must have none.
    pub(super) fn hollowed(self) -> Result<Chunk<'f>, DecodeError> {
        match self.data {
            ChunkData::Received([]) => Ok(Chunk {
                data: ChunkData::Hollow,
                ..self
            }),
            ChunkData::Received(_) | ChunkData::Wanted(_) | ChunkData::Hollow => {
                Err(DecodeError::TrailingBytes)
            }
        }
    }
}

//! The two configurations that are kept beside the entries: the one in force at the base, and
//! that of a snapshot on its way in.

use super::{NoRoom, Window, copy};
use crate::entry::ENTRY_HEADER_BYTES;
use crate::types::{EntryId, LogIndex};

impl Window {
    /// The encoded configuration in force at `base`; empty before a node has joined.
    pub(crate) fn base_configuration<'m>(&self, memory: &'m [u8]) -> &'m [u8] {
        memory
            .get(..usize::from(self.base_configuration_len))
            .unwrap_or_default()
    }

    /// Keeps `bytes` as the configuration in force at `base`.
    pub(crate) fn set_base_configuration(
        &mut self,
        memory: &mut [u8],
        bytes: &[u8],
    ) -> Result<(), NoRoom> {
        let area = memory
            .get_mut(..self.configuration_bytes as usize)
            .ok_or(NoRoom)?;
        copy(area.get_mut(..bytes.len()).ok_or(NoRoom)?, bytes);
        self.base_configuration_len = u16::try_from(bytes.len()).map_err(|_| NoRoom)?;
        Ok(())
    }

    /// Keeps the configuration of the entry at `index` as the one in force at `base`.
    pub(crate) fn keep_configuration(
        &mut self,
        memory: &mut [u8],
        index: LogIndex,
    ) -> Result<(), NoRoom> {
        let (_, header) = self.header(memory, index).ok_or(NoRoom)?;
        let area_len = self.offsets_start as usize;
        let (area, rest) = memory.split_at_mut_checked(area_len).ok_or(NoRoom)?;
        let slot = self.offset_slot(index) - area_len;
        let offset = rest
            .get(slot..)
            .and_then(|m| m.first_chunk::<4>())
            .ok_or(NoRoom)?;
        let start = (self.data_start - self.offsets_start) as usize
            + u32::from_le_bytes(*offset) as usize
            + ENTRY_HEADER_BYTES;
        let bytes = rest.get(start..start + header.payload_len).ok_or(NoRoom)?;
        copy(area.get_mut(..bytes.len()).ok_or(NoRoom)?, bytes);
        self.base_configuration_len = u16::try_from(bytes.len()).map_err(|_| NoRoom)?;
        Ok(())
    }

    /// The encoded configuration of the snapshot that is being received.
    pub(crate) fn staged_configuration<'m>(&self, memory: &'m [u8]) -> &'m [u8] {
        let area = memory.get(self.configuration_bytes as usize..);
        area.and_then(|area| area.get(..usize::from(self.staged_configuration_len)))
            .unwrap_or_default()
    }

    /// Keeps `bytes` as the configuration of the snapshot that is being received.
    pub(crate) fn stage_configuration(
        &mut self,
        memory: &mut [u8],
        bytes: &[u8],
    ) -> Result<(), NoRoom> {
        let start = self.configuration_bytes as usize;
        let area = memory
            .get_mut(start..self.offsets_start as usize)
            .ok_or(NoRoom)?;
        copy(area.get_mut(..bytes.len()).ok_or(NoRoom)?, bytes);
        self.staged_configuration_len = u16::try_from(bytes.len()).map_err(|_| NoRoom)?;
        Ok(())
    }

    /// The received snapshot replaces everything: its configuration is the one at `base`.
    pub(crate) fn install(&mut self, memory: &mut [u8], base: EntryId) -> Result<(), NoRoom> {
        let start = self.configuration_bytes as usize;
        let (area, staged) = memory.split_at_mut_checked(start).ok_or(NoRoom)?;
        let bytes = staged
            .get(..usize::from(self.staged_configuration_len))
            .ok_or(NoRoom)?;
        copy(area.get_mut(..bytes.len()).ok_or(NoRoom)?, bytes);
        self.base_configuration_len = self.staged_configuration_len;
        self.reset(base);
        Ok(())
    }
}

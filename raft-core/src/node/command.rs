//! What the application wants: room is reserved before anything changes.

use clocks::Instant;

use super::{Node, Role, RoleName};
use crate::entry::{ENTRY_HEADER_BYTES, EntryKind, PAYLOAD_BYTES_MAX};
use crate::error::{CampaignError, ProposeError};
use crate::types::EntryId;
use crate::wire::APPEND_HEADER_BYTES;

impl Node {
    #[inline]
    pub(crate) fn propose(
        &mut self,
        memory: &mut [u8],
        payload: &[u8],
    ) -> Result<EntryId, ProposeError> {
        self.live().map_err(ProposeError::Faulted)?;
        if !self.is_leader() {
            return Err(ProposeError::NotLeader {
                leader: self.leader,
            });
        }
        if let Some(to) = self.transferring_to() {
            return Err(ProposeError::Transferring { to });
        }
        let size = ENTRY_HEADER_BYTES.saturating_add(payload.len());
        // What the window has room for now is never too large for an empty one.
        if size > self.frame_room() || !self.window.has_room_for_proposal(size) {
            return Err(self.refusal(payload));
        }
        if self.config.uncommitted_bytes_max < u32::MAX {
            self.check_uncommitted(memory, size)?;
        }
        let term = self.term();
        self.window
            .append(memory, term, EntryKind::Command, payload)
            .map_err(|_| ProposeError::Full)?;
        self.mark_dirty_untimed();
        self.append_due = self.peers();
        if self.is_quiet {
            self.stir_untimed();
        }
        Ok(self.window.last())
    }

    /// Why a payload was not taken.
    #[inline(never)]
    fn refusal(&self, payload: &[u8]) -> ProposeError {
        let payload_bytes_max = self.payload_bytes_max();
        if payload.len() > payload_bytes_max {
            ProposeError::TooLarge { payload_bytes_max }
        } else {
            ProposeError::Full
        }
    }

    /// The longest entry, header included, that fits one frame and can be encoded.
    #[inline]
    fn frame_room(&self) -> usize {
        let frame = self.config.frame_bytes_max - APPEND_HEADER_BYTES;
        frame.min(ENTRY_HEADER_BYTES + PAYLOAD_BYTES_MAX)
    }

    /// The longest payload that fits the window and one frame.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        let entry = self.window.entry_bytes_max().min(self.frame_room());
        entry.saturating_sub(ENTRY_HEADER_BYTES)
    }

    pub(crate) fn campaign(&mut self, now: Instant) -> Result<(), CampaignError> {
        self.live()?;
        if self.is_witness() {
            return Err(CampaignError::Witness);
        }
        self.observe(now);
        let is_asking = self.is_role(RoleName::PreCandidate) || self.is_role(RoleName::Candidate);
        // The vote of whoever has just heard from a leader, which may count on it, is its own too.
        let may_stand = self.is_electable() && !self.is_sticky();
        if may_stand && !self.is_stalled && !is_asking {
            self.arm_election();
            self.become_pre_candidate();
            // Without room for office it follows as before, and has been woken.
            self.stir_if_quiet();
        }
        Ok(())
    }

    pub(crate) fn is_established(&self) -> bool {
        match &self.role {
            Role::Leader(office) => self.commit >= office.first,
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => false,
        }
    }
}

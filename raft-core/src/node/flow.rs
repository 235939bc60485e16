//! How much may be under way: what a leader has sent to each member and that one has not
//! acknowledged, and what it has taken into its log and nobody has committed.
//!
//! A counter that is raised here and lowered there drifts where one of the two is forgotten, and
//! then nothing is taken any more. So what is uncommitted is not counted: it is the length of the
//! log behind the commit, read when it is asked for. What is in flight is counted where a member's
//! flow is kept (`crate::flight`), and ends with it.

use quorum::NodeId;

use super::{Node, Role};
use crate::error::{Fault, ProposeError};
use crate::flight::InFlight;
use crate::slot::Flow;

impl Node {
    /// Refuses a proposal of `size` bytes if too much waits already. Without the first proposal
    /// that would be too much by itself nothing longer than the bound could ever be proposed.
    #[inline(never)]
    pub(super) fn check_uncommitted(&self, memory: &[u8], size: usize) -> Result<(), ProposeError> {
        let damaged = ProposeError::Faulted(Fault::WindowDamaged);
        let bytes = self.uncommitted_bytes(memory).ok_or(damaged)?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        if bytes > 0 && bytes.saturating_add(size) > self.config.uncommitted_bytes_max {
            return Err(ProposeError::Uncommitted { bytes });
        }
        Ok(())
    }

    /// Bytes of the entries after the commit.
    pub(crate) fn uncommitted_bytes(&self, memory: &[u8]) -> Option<u32> {
        let last = self.window.last().index;
        let entries = self.window.entries(memory, self.commit, last)?;
        u32::try_from(entries.len()).ok()
    }

    /// On a leader: what is on its way to this member.
    pub(crate) fn in_flight(&self, member: NodeId) -> Option<InFlight> {
        let Role::Leader(_) = &self.role else {
            return None;
        };
        let slot = self
            .slots
            .iter()
            .find(|slot| slot.identity.node == member)?;
        match &slot.progress.flow {
            Flow::Replicate(flight) => Some(flight.sum()),
            Flow::Probe { .. } | Flow::Lend { .. } | Flow::Snapshot { .. } => {
                Some(InFlight::default())
            }
        }
    }
}

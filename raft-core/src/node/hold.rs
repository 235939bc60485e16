//! Waiting with the next snapshot until the one before has arrived.
//!
//! A member that lags behind is sent the snapshot; when the leader compacts meanwhile, that is no
//! longer the one that fits its log, and the member begins with another. Where snapshots take
//! longer than the leader's log takes to grow, it begins for ever and the group is a member short.
//! The same happens a step later: a member has the snapshot, and what it needs next is compacted
//! before it arrives.
//!
//! So compaction can be made to wait for members that were sent a piece of the snapshot at the
//! base, until what would be dropped is acknowledged by them. A member that is gone must not keep
//! the log for ever: the hold ends a fixed time after the first piece was sent to anyone, and
//! before that when the window fills. After a compaction the time begins anew with the first piece
//! of the new snapshot, so that every snapshot has the same chance.
//!
//! Members that are lent entries wait for nothing that compaction takes away. Compaction is not
//! told the time: what counts is the last one seen, so a hold can last until the next call that
//! brings a later one.
//!
//! Bounds: one time for the office, one mark for a member; O(members) to look.

use clocks::{Duration, Instant};
use quorum::{Member, NodeId};

use super::{Node, Role};
use crate::types::LogIndex;

impl Node {
    /// Whom compacting up to `index` would outrun, and until when that is not allowed.
    pub(crate) fn held(&self, index: LogIndex) -> Option<(NodeId, Instant)> {
        let Role::Leader(office) = &self.role else {
            return None;
        };
        let until = office
            .sending_since?
            .saturating_add(self.config.hold_longest);
        if self.now >= until || self.window.is_filled(self.config.hold_percent) {
            return None;
        }
        let outrun = self
            .slots
            .iter()
            .find(|slot| slot.progress.got_pieces && slot.progress.matched < index)?;
        Some((outrun.identity.node, until))
    }

    /// A piece of the snapshot leaves for this member.
    pub(super) fn note_piece(&mut self, member: Member) {
        if self.config.hold_longest == Duration::ZERO {
            return;
        }
        let now = self.now;
        if let Role::Leader(office) = &mut self.role {
            office.sending_since.get_or_insert(now);
        }
        if let Some(slot) = self.slot_mut(member) {
            slot.progress.got_pieces = true;
        }
    }

    /// The snapshot is another one.
    pub(super) fn release_hold(&mut self) {
        if let Role::Leader(office) = &mut self.role
            && office.sending_since.take().is_some()
        {
            for slot in self.slots.iter_mut() {
                slot.progress.got_pieces = false;
            }
        }
    }
}

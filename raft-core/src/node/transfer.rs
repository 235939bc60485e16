//! Handing over the office, `[Ongaro14 §3.10]`.
//!
//! A leader that is about to be stopped, or that is far from its clients, could just fall silent;
//! the group then waits for an election timeout. Instead it brings its successor level and tells
//! it to stand at once. The successor asks for votes without asking for pre-votes first, and says
//! in its request that it was told to: everybody has just heard from the old leader and would
//! refuse otherwise. Nothing but `TimeoutNow` makes a node say so, and it says so in one term.
//!
//! No proposal is taken meanwhile, or the successor would never be level. If it does not lead
//! within the longest election timeout the leader goes on and says so with an event; until then
//! `TimeoutNow` is repeated with each heartbeat. It may still arrive, at any time of this term: so
//! from the first one on, this leader has no lease for the rest of its term, `[Ongaro14 §6.4.1]`.
//!
//! A leader that removed itself may name a successor like any other.

use clocks::Instant;
use quorum::{Member, NodeId};

use super::{Node, Role, Timer};
use crate::error::TransferError;
use crate::event::{DropReason, Event};
use crate::types::Identity;

/// A transfer under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Transfer {
    pub(crate) to: NodeId,
    /// The successor was told, and no heartbeat has passed since.
    pub(crate) sent: bool,
}

impl Node {
    pub(crate) fn transfer(&mut self, now: Instant, to: NodeId) -> Result<(), TransferError> {
        self.live().map_err(TransferError::Faulted)?;
        let Role::Leader(office) = &self.role else {
            return Err(TransferError::NotLeader {
                leader: self.leader,
            });
        };
        if let Some(transfer) = &office.transfer {
            return Err(TransferError::UnderWay { to: transfer.to });
        }
        if to == self.config.id {
            return Err(TransferError::ToItself);
        }
        let seat = self.slots.iter().find(|slot| slot.identity.node == to);
        if seat.is_some_and(|slot| slot.standing.is_witness()) {
            return Err(TransferError::Witness(to));
        }
        if !seat.is_some_and(|slot| slot.standing.is_in_incoming()) {
            return Err(TransferError::NotAVoter(to));
        }
        self.observe(now);
        self.stir_if_quiet();
        if let Role::Leader(office) = &mut self.role {
            office.transfer = Some(Transfer { to, sent: false });
        }
        let deadline = self.now.saturating_add(self.authority_timeout());
        self.timers.set(Timer::Transfer, deadline);
        self.mark_transfer();
        Ok(())
    }

    /// Whether this leader is handing over, and to whom.
    pub(crate) fn transferring_to(&self) -> Option<NodeId> {
        match &self.role {
            Role::Leader(office) => office.transfer.map(|transfer| transfer.to),
            Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => None,
        }
    }

    /// The successor, if it is to be told now: it has all that there is, on its medium.
    fn successor_to_tell(&self) -> Option<Member> {
        let Role::Leader(office) = &self.role else {
            return None;
        };
        let transfer = office.transfer.filter(|transfer| !transfer.sent)?;
        let is_it = |slot: &crate::slot::Slot| {
            slot.identity.node == transfer.to
                && slot.progress.matched >= self.window.last().index
                && slot.standing.is_in_incoming()
        };
        Member::new(self.slots.iter().position(is_it)?)
    }

    /// `TimeoutNow` is owed once the successor is level.
    pub(super) fn mark_transfer(&mut self) {
        if let Some(member) = self.successor_to_tell() {
            self.reply_due.insert(member);
        }
    }

    pub(super) fn is_to_be_told(&self, member: Member) -> bool {
        self.successor_to_tell() == Some(member)
    }

    /// Whether `member` is told to stand now; it counts as told.
    pub(super) fn take_timeout_now(&mut self, member: Member) -> bool {
        if !self.is_to_be_told(member) {
            return false;
        }
        if let Role::Leader(office) = &mut self.role
            && let Some(transfer) = &mut office.transfer
        {
            transfer.sent = true;
            office.has_sent_timeout_now = true;
        }
        true
    }

    /// The leader of this term wants this node to lead.
    #[inline(never)]
    pub(super) fn on_timeout_now(&mut self, sender: Identity) -> Option<DropReason> {
        if self.is_witness() {
            return Some(DropReason::IsWitness);
        }
        let is_leader = matches!(&self.role, Role::Follower(Some(owed)) if owed.leader == sender);
        if is_leader && !self.is_stalled && self.is_electable() && self.may_take_office() {
            self.become_successor();
        }
        None
    }

    /// The successor does not lead in time: this leader goes on.
    pub(super) fn on_transfer_timeout(&mut self) {
        if let Role::Leader(office) = &mut self.role
            && let Some(transfer) = office.transfer.take()
        {
            self.events.push(Event::TransferFailed { to: transfer.to });
        }
    }
}

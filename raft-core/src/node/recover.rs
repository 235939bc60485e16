//! Going on by force when a majority is lost for good.
//!
//! A group that has lost the majority of its voters, machines and storage both, commits nothing any
//! more: nobody who is left may decide for those who are gone. An operator can. Writing another
//! configuration into the old group is the simple way, and the wrong one: a majority that was only
//! switched off comes back, finds its quorum in the old configuration, and commits beside the new
//! one under the same name.
//!
//! So one survivor founds a *new group* with what it holds. It keeps its log, appends a
//! configuration of which it is the only voter, and draws another name for the group. Whatever
//! belongs to the old one is from then on a stranger's: no frame of it is listened to, no vote and
//! no copy counted. The other survivors join anew, with empty storage, like any new member. All of
//! it is one write that begins anew; before that is on the medium nothing is sent, delivered or
//! decided, and a crash leaves the node as it was, in the old group.
//!
//! What the old group committed and this survivor lacks is lost, however it was acknowledged. What
//! it holds and the old group did not commit, or overwrote, is committed. Of several survivors the
//! one with the most up-to-date log ([`Survivor::is_better_than`]) has every committed entry that
//! any of them has: a log that ends later in an entry of a later leader holds all that was committed
//! before that leader, `[Ongaro14 §3.6.3]` (leader completeness).
//!
//! Source: no paper. What other implementations do is a configuration by hand, `[Ongaro14 §4]`
//! without its safety.

use clocks::Instant;
use heapless::Vec;

use super::restore::{Recovered, Scratch, alone};
use super::{Node, Timer};
use crate::config::Config;
use crate::configuration::{Encoded, Standing};
use crate::durable::Vault;
use crate::entry::EntryKind;
use crate::error::{RecoverError, RestoreError};
use crate::event::Events;
use crate::slot::Slot;
use crate::types::{EntryId, GroupId, Identity, LogIndex, Term};

/// What one survivor of a lost majority holds, so that an operator can compare and choose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Survivor {
    /// The group that is to be given up. Only survivors of one group can be compared.
    pub group: GroupId,
    /// Which life of which node it is.
    pub identity: Identity,
    /// What it was allowed to do; `None` if its last configuration, not known to be committed, lets
    /// it go.
    pub standing: Option<Standing>,
    /// The end of its log.
    pub last: EntryId,
    /// What it knows to be committed; more may be.
    pub commit: LogIndex,
    /// The latest term that it has seen.
    pub term: Term,
}

impl Survivor {
    /// Whether this one is to be chosen before `other`: its log is more up to date, and so lacks
    /// nothing committed that the other has. The commit is no measure: it says what a survivor was
    /// told, not what it holds.
    pub const fn is_better_than(&self, other: &Survivor) -> bool {
        !other.last.is_up_to_date_with(self.last)
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Recovered<B, N> {
    /// What this node could go on with if the majority of its group is lost, see
    /// [`Raft::recover`](crate::Raft::recover). Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Raft::recover`](crate::Raft::recover), but for what that is given besides.
    pub fn survivor(&self) -> Result<Survivor, RecoverError> {
        let (group, identity) = self.origin.ok_or(RestoreError::NoBeginning)?;
        let (memory, window) = (self.memory.as_ref(), &self.window);
        let last = window.last();
        if last == EntryId::ZERO {
            return Err(RecoverError::NothingToKeep);
        }
        if self.is_witness {
            return Err(RecoverError::Witness);
        }
        let standing_at = |at: Option<LogIndex>| -> Option<Standing> {
            let bytes = match at {
                Some(at) => window.entry(memory, at)?.payload,
                None => window.base_configuration(memory),
            };
            let mut seats = Encoded::decode(bytes, N).ok()?.seats();
            let seat = seats.find(|seat| seat.identity == identity)?;
            Some(seat.standing)
        };
        let latest = window.last_configuration(memory, last.index);
        let standing = standing_at(latest);
        // A removal that is not committed may never have been.
        let open = latest.filter(|at| *at > self.commit);
        let before = open.map(|at| window.last_configuration(memory, at.previous()));
        if standing.or_else(|| before.and_then(standing_at)).is_none() {
            return Err(RecoverError::NotAMember);
        }
        Ok(Survivor {
            group,
            identity,
            standing,
            last,
            commit: self.commit.max(window.base().index).min(last.index),
            term: self.hard.term.max(last.term),
        })
    }

    pub(crate) fn into_new_group(
        self,
        config: Config,
        applied: LogIndex,
        seed: u64,
        now: Instant,
    ) -> Result<(B, Node<Vec<Slot, N>>), RecoverError> {
        let survivor = self.survivor()?;
        let term = survivor.term.next().ok_or(RecoverError::TermsExhausted)?;
        // The new group elects this node in the term after.
        if term.next().is_none_or(|next| next == Term::MAX) {
            return Err(RecoverError::TermsExhausted);
        }
        let (mut memory, mut node) = self.into_node(config, applied, seed, now)?;
        let group = GroupId::new(node.jitter.next_u64());
        let nonce = node.jitter.next_u64();
        let stickiness = match node.current.stickiness {
            clocks::Duration::ZERO => node.config.election_timeout_min,
            of_the_group => of_the_group,
        };
        let needed = memory.as_ref().len().saturating_mul(2);
        let too_small = RestoreError::WindowTooSmall { needed };
        let mut scratch = Scratch::default();
        let bytes = alone(&mut scratch, survivor.identity, stickiness).ok_or(too_small)?;
        let view: &mut Node = &mut node;
        // Nothing of the new group is on the medium, and no vote was given in it.
        view.vault = Vault::fresh(survivor.identity, group, nonce);
        view.vault.enter_term(term);
        let kind = EntryKind::Configuration;
        view.window
            .append(memory.as_mut(), term, kind, bytes)
            .map_err(|_| too_small)?;
        if !view.window.has_room_for_office() {
            return Err(too_small.into());
        }
        let index = view.window.last().index;
        view.adopt_configuration(memory.as_ref(), index)
            .map_err(|_| RestoreError::DamagedRecord)?;
        view.mark_dirty();
        // There is nobody to wait for.
        view.sticky_until = now;
        view.election_timeout = clocks::Duration::ZERO;
        view.timers.set(Timer::Election, now);
        view.events = Events::default();
        Ok((memory, node))
    }
}

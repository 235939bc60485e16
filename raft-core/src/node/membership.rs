//! Membership: joint consensus, `[Ongaro14 §4.3]`.
//!
//! A configuration is in force from the moment its entry is appended, committed or not,
//! `[Ongaro14 §4.1]`; when the entry is overwritten, the one before it is in force again. A
//! change of voters goes through a joint configuration, in which both majorities must agree, and
//! the leader ends it as soon as it is committed. A leader proposes no configuration before it
//! has committed an entry of its own term, `[Ongaro15]`: otherwise two uncommitted ones of
//! different leaders could both find a quorum.

use quorum::{Joint, Member, MemberSet};

use super::{Current, Guest, Node, Role, Timer};
use crate::configuration::{
    Change, Encoded, Encoder, Seat, Standing, configuration_bytes_max, is_witness_quorum,
};
use crate::entry::{ENTRY_HEADER_BYTES, EntryKind};
use crate::error::{Fault, ReconfigureError};
use crate::event::Event;
use crate::slot::{Progress, Slot};
use crate::types::{EntryId, LogIndex};
use crate::wire::APPEND_HEADER_BYTES;

impl Node {
    /// Puts the configuration of the entry at `index` in force.
    pub(super) fn adopt_configuration(
        &mut self,
        memory: &[u8],
        index: LogIndex,
    ) -> Result<(), Fault> {
        let was_voter = self.is_voter() && !self.is_witness();
        let entry = self
            .window
            .entry(memory, index)
            .ok_or(Fault::WindowDamaged)?;
        self.enforce(entry.payload, index)?;
        self.current.was_voter = was_voter;
        self.events.push(Event::ConfigurationChanged { index });
        if !self.is_leader() {
            // The leader was heard just now; until it knew a configuration it did not know for how
            // long that counts.
            self.mark_heard();
            self.arm_election();
        } else if !self.timers.is_set(Timer::Heartbeat) {
            // A leader that was alone has members now.
            self.arm_heartbeat();
        }
        Ok(())
    }

    /// Puts the latest configuration of snapshot and log in force, and learns from the one
    /// before it whether this node votes there, whatever is committed.
    pub(super) fn restore_configuration(&mut self, memory: &[u8]) -> Result<(), Fault> {
        let latest = self
            .window
            .last_configuration(memory, self.window.last().index);
        let before = latest.and_then(|at| self.window.last_configuration(memory, at.previous()));
        let was_voter = match latest {
            Some(_) => {
                let bytes = match before {
                    Some(at) => self.window.entry(memory, at).map(|entry| entry.payload),
                    None => Some(self.window.base_configuration(memory)),
                };
                self.votes_in(bytes.ok_or(Fault::WindowDamaged)?)?
            }
            None => false,
        };
        match latest {
            Some(at) => {
                let entry = self.window.entry(memory, at).ok_or(Fault::WindowDamaged)?;
                self.enforce(entry.payload, at)?;
            }
            None => {
                let base = self.window.base().index;
                self.enforce(self.window.base_configuration(memory), base)?;
            }
        }
        self.current.was_voter = was_voter;
        self.events.push(Event::ConfigurationChanged {
            index: self.current.index,
        });
        if !self.is_leader() {
            self.arm_election();
        }
        Ok(())
    }

    fn votes_in(&self, bytes: &[u8]) -> Result<bool, Fault> {
        let encoded =
            Encoded::decode(bytes, self.slots.capacity()).map_err(|_| Fault::WindowDamaged)?;
        let me = self.vault.identity;
        let votes = |standing: Standing| {
            !standing.is_witness() && (standing.is_in_incoming() || standing.is_in_outgoing())
        };
        Ok(encoded
            .seats()
            .any(|seat| seat.identity == me && votes(seat.standing)))
    }

    /// Makes the member table say what `bytes` say. Members that stay keep their progress.
    fn enforce(&mut self, bytes: &[u8], index: LogIndex) -> Result<(), Fault> {
        let encoded =
            Encoded::decode(bytes, self.slots.capacity()).map_err(|_| Fault::WindowDamaged)?;
        self.slots
            .retain(|slot| encoded.seats().any(|seat| seat.identity == slot.identity));
        let fresh = Progress::unknown(self.window.last().index, self.now);
        for seat in encoded.seats() {
            let kept = self
                .slots
                .iter_mut()
                .find(|slot| slot.identity == seat.identity);
            if let Some(slot) = kept {
                slot.standing = seat.standing;
                continue;
            }
            let Seat { identity, standing } = seat;
            // What it is owed as a guest it is owed as a member, and once.
            let is_it = |guest: &Guest| guest.identity == identity;
            let guest = self.guests.iter().position(is_it);
            let replies = guest.map(|place| self.guests.remove(place).replies);
            let slot = Slot {
                identity,
                standing,
                replies: replies.unwrap_or_default(),
                progress: fresh,
            };
            self.slots.push(slot).map_err(|_| Fault::WindowDamaged)?;
        }
        sort(&mut self.slots);
        let standing_in = |is_in: fn(Standing) -> bool| -> MemberSet {
            let members = (0..).zip(self.slots.iter());
            members
                .filter(|(_, slot)| is_in(slot.standing))
                .filter_map(|(place, _)| Member::new(place))
                .collect()
        };
        let incoming = standing_in(Standing::is_in_incoming);
        let is_joint = self
            .slots
            .iter()
            .any(|slot| slot.standing.is_transitional());
        let outgoing = is_joint.then(|| standing_in(Standing::is_in_outgoing));
        let me = self.vault.identity;
        self.current = Current {
            index,
            voters: Joint::new(incoming, outgoing),
            stickiness: encoded.stickiness,
            me: self
                .slots
                .iter()
                .position(|slot| slot.identity == me)
                .and_then(Member::new),
            was_voter: false,
            removed_below: EntryId::ZERO,
            witnesses: standing_in(Standing::is_witness),
        };
        self.ask_due = MemberSet::EMPTY;
        self.reply_due = MemberSet::first(self.slots.len());
        self.append_due = if self.is_leader() {
            self.peers()
        } else {
            MemberSet::EMPTY
        };
        Ok(())
    }

    pub(crate) fn reconfigure(
        &mut self,
        memory: &mut [u8],
        changes: &[Change],
    ) -> Result<EntryId, ReconfigureError> {
        self.live().map_err(ReconfigureError::Faulted)?;
        let Role::Leader(office) = &self.role else {
            return Err(ReconfigureError::NotLeader {
                leader: self.leader,
            });
        };
        if let Some(to) = self.transferring_to() {
            return Err(ReconfigureError::Transferring { to });
        }
        if self.commit < office.first {
            return Err(ReconfigureError::NotEstablished);
        }
        if self.commit < self.current.index || self.current.voters.is_joint() {
            return Err(ReconfigureError::Pending);
        }
        self.check_changes(changes)?;
        let seats = || Seats::Changed(changes).iter(&self.slots);
        let members = seats().count();
        let members_max = self.slots.capacity();
        if members > members_max {
            return Err(ReconfigureError::TooManyMembers { members_max });
        }
        if !seats().any(|seat| seat.standing.is_in_incoming()) {
            return Err(ReconfigureError::NoVoters);
        }
        if is_witness_quorum(seats(), Standing::is_in_incoming) {
            return Err(ReconfigureError::WitnessQuorum);
        }
        let room = ENTRY_HEADER_BYTES + configuration_bytes_max(members);
        if let Some(len) = encoded_len(self.current.stickiness, members, seats()) {
            let needed = APPEND_HEADER_BYTES + ENTRY_HEADER_BYTES + len;
            if needed > self.config.frame_bytes_max {
                return Err(ReconfigureError::FrameTooSmall { needed });
            }
        }
        if !self.window.has_room_for_proposal(room) {
            return Err(ReconfigureError::Full);
        }
        self.append_configuration(memory, Seats::Changed(changes))
            .map_err(|fault| ReconfigureError::Faulted(self.fail(fault)))?
            .ok_or(ReconfigureError::Full)
    }

    fn check_changes(&self, changes: &[Change]) -> Result<(), ReconfigureError> {
        if changes.is_empty() {
            return Err(ReconfigureError::Malformed);
        }
        for (place, change) in changes.iter().enumerate() {
            let node = change.node();
            if changes
                .iter()
                .skip(place + 1)
                .any(|other| other.node() == node)
            {
                return Err(ReconfigureError::Malformed);
            }
            let slot = self.slots.iter().find(|slot| slot.identity.node == node);
            match (change, slot.map(|slot| slot.standing)) {
                (Change::AddLearner(_) | Change::AddVoter(_) | Change::AddWitness(_), Some(_)) => {
                    return Err(ReconfigureError::AlreadyMember(node));
                }
                (Change::Promote(_) | Change::Demote(_) | Change::Remove(_), None) => {
                    return Err(ReconfigureError::NotAMember(node));
                }
                (Change::Promote(_) | Change::Demote(_), Some(standing))
                    if standing.is_witness() =>
                {
                    return Err(ReconfigureError::Witness(node));
                }
                (Change::Promote(_), Some(standing)) if standing != Standing::Learner => {
                    return Err(ReconfigureError::AlreadyVoter(node));
                }
                (Change::Demote(_), Some(Standing::Learner)) => {
                    return Err(ReconfigureError::AlreadyLearner(node));
                }
                (Change::AddLearner(_) | Change::AddVoter(_) | Change::AddWitness(_), None)
                | (Change::Promote(_) | Change::Demote(_) | Change::Remove(_), Some(_)) => {}
            }
        }
        Ok(())
    }

    /// The configuration in force is committed: ends a joint one, or leaves if out of it.
    pub(super) fn on_configuration_committed(&mut self, memory: &mut [u8]) -> Result<(), Fault> {
        if self.current.voters.is_joint() {
            // Without room (the reserve makes that rare) the next commit tries again.
            self.append_settled(memory)?;
        } else if !self.is_voter() {
            self.begin_leaving();
        }
        Ok(())
    }

    /// Appends the configuration in force without what is joint about it.
    pub(super) fn append_settled(&mut self, memory: &mut [u8]) -> Result<Option<EntryId>, Fault> {
        self.append_configuration(memory, Seats::Settled)
    }

    fn append_configuration(
        &mut self,
        memory: &mut [u8],
        seats: Seats<'_>,
    ) -> Result<Option<EntryId>, Fault> {
        let (term, stickiness) = (self.term(), self.current.stickiness);
        let slots = &self.slots;
        let count = seats.iter(slots).count();
        let Some(len) = encoded_len(stickiness, count, seats.iter(slots)) else {
            return Ok(None);
        };
        let fill = |bytes: &mut [u8]| -> Option<()> {
            let mut encoder = Encoder::new(bytes, stickiness, count)?;
            for seat in seats.iter(slots) {
                encoder.put(&seat)?;
            }
            Some(())
        };
        let kind = EntryKind::Configuration;
        if self
            .window
            .append_with(memory, term, kind, len, fill)
            .is_err()
        {
            return Ok(None);
        }
        self.mark_dirty_untimed();
        if self.is_quiet {
            self.stir_untimed();
        }
        let id = self.window.last();
        self.adopt_configuration(memory, id.index)?;
        Ok(Some(id))
    }
}

/// How many bytes a configuration takes.
fn encoded_len(
    stickiness: clocks::Duration,
    count: usize,
    seats: impl Iterator<Item = Seat>,
) -> Option<usize> {
    // Longest prologue and seat; one of each at a time.
    let mut scratch = [0; configuration_bytes_max(1)];
    let mut len = Encoder::new(&mut scratch, stickiness, count)?.len();
    for seat in seats {
        len += postcard::to_slice(&seat, &mut scratch).ok()?.len();
    }
    Some(len)
}

/// Which seats the next configuration has.
#[derive(Clone, Copy)]
enum Seats<'a> {
    /// Those of the table after a change.
    Changed(&'a [Change]),
    /// Those that remain when the joint configuration ends.
    Settled,
}

impl<'a> Seats<'a> {
    fn iter(self, slots: &'a [Slot]) -> impl Iterator<Item = Seat> + 'a {
        let (changes, is_settling) = match self {
            Seats::Changed(changes) => (changes, false),
            Seats::Settled => (&[][..], true),
        };
        changed(slots, changes).filter_map(move |seat| {
            let standing = if is_settling {
                seat.standing.settled()?
            } else {
                seat.standing
            };
            Some(Seat { standing, ..seat })
        })
    }
}

/// The member table with changes applied: ascending by node.
fn changed<'a>(slots: &'a [Slot], changes: &'a [Change]) -> impl Iterator<Item = Seat> + 'a {
    let mut previous = None;
    core::iter::from_fn(move || {
        loop {
            let old = slots.iter().map(|slot| slot.identity.node);
            let new = changes.iter().map(|change| change.node());
            let node = old.chain(new).filter(|node| Some(*node) > previous).min()?;
            previous = Some(node);
            let slot = slots.iter().find(|slot| slot.identity.node == node);
            let change = changes.iter().find(|change| change.node() == node);
            if let Some(seat) = seat_after(slot, change) {
                return Some(seat);
            }
        }
    })
}

fn seat_after(slot: Option<&Slot>, change: Option<&Change>) -> Option<Seat> {
    match (slot, change) {
        (Some(slot), None) => Some(Seat {
            identity: slot.identity,
            standing: slot.standing,
        }),
        (None, Some(Change::AddLearner(identity))) => Some(Seat {
            identity: *identity,
            standing: Standing::Learner,
        }),
        (None, Some(Change::AddVoter(identity))) => Some(Seat {
            identity: *identity,
            standing: Standing::Incoming,
        }),
        (None, Some(Change::AddWitness(identity))) => Some(Seat {
            identity: *identity,
            standing: Standing::IncomingWitness,
        }),
        (Some(slot), Some(Change::Remove(_))) if slot.standing.is_witness() => Some(Seat {
            identity: slot.identity,
            standing: Standing::OutgoingWitness,
        }),
        (Some(slot), Some(Change::Promote(_))) => Some(Seat {
            identity: slot.identity,
            standing: Standing::Incoming,
        }),
        (Some(slot), Some(Change::Demote(_))) => Some(Seat {
            identity: slot.identity,
            standing: Standing::Demoted,
        }),
        (Some(slot), Some(Change::Remove(_))) if slot.standing != Standing::Learner => Some(Seat {
            identity: slot.identity,
            standing: Standing::Outgoing,
        }),
        _ => None,
    }
}

/// Sorts the few members by node. By insertion, because most are in place already.
fn sort(slots: &mut [Slot]) {
    for end in 1..slots.len() {
        let mut place = end;
        while let Some(pair) = place
            .checked_sub(1)
            .and_then(|at| slots.get_mut(at..=place))
        {
            let [left, right] = pair else { break };
            if left.identity.node <= right.identity.node {
                break;
            }
            core::mem::swap(left, right);
            place -= 1;
        }
    }
}

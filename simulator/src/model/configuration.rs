//! Membership, `[Ongaro14 §4]`: which configuration is in force, and which may follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorum::NodeId;
use raft_core::{EntryKind, Identity, Incarnation, Seat, Standing};

use super::{Input, Step, must};

/// Who belongs to the group, and as what.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Configuration(Arc<BTreeMap<Identity, Standing>>);

impl Configuration {
    /// These seats.
    pub fn of(seats: impl Iterator<Item = Seat>) -> Self {
        let seats = seats.map(|seat| (seat.identity, seat.standing));
        Configuration(Arc::new(seats.collect()))
    }

    /// The same, and if they are those of `other`, without a copy of it.
    pub fn of_like<I: Iterator<Item = Seat>>(seats: impl Fn() -> I, other: &Configuration) -> Self {
        let now = seats().map(|seat| (seat.identity, seat.standing));
        let before = other
            .0
            .iter()
            .map(|(identity, standing)| (*identity, *standing));
        if now.eq(before) {
            other.clone()
        } else {
            Configuration::of(seats())
        }
    }

    /// What the payload of a configuration entry says, by docs/WIRE.md; nothing if it is none.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let bytes = &mut payload.iter();
        let _version = bytes.next()?;
        let _stickiness = varint(bytes)?;
        let count = varint(bytes)?;
        let mut seats = BTreeMap::new();
        for _ in 0..count {
            let node = NodeId::new(varint(bytes)?);
            let incarnation = Incarnation::new(u32::try_from(varint(bytes)?).ok()?);
            let standing = match varint(bytes)? {
                0 => Standing::Learner,
                1 => Standing::Voter,
                2 => Standing::Incoming,
                3 => Standing::Outgoing,
                4 => Standing::Demoted,
                5 => Standing::Witness,
                6 => Standing::IncomingWitness,
                7 => Standing::OutgoingWitness,
                _ => return None,
            };
            seats.insert(Identity::new(node, incarnation), standing);
        }
        Some(Configuration(Arc::new(seats)))
    }

    /// Everybody in it.
    pub fn members(&self) -> impl Iterator<Item = Identity> {
        self.0.keys().copied()
    }

    /// The member with this name.
    pub fn member(&self, node: NodeId) -> Option<Identity> {
        self.members().find(|identity| identity.node == node)
    }

    fn voters(&self, is_in: fn(Standing) -> bool) -> BTreeSet<Identity> {
        let seats = self.0.iter().filter(|(_, standing)| is_in(**standing));
        seats.map(|(identity, _)| *identity).collect()
    }

    /// The voters of the new set, or of the only one.
    fn incoming(&self) -> BTreeSet<Identity> {
        self.voters(Standing::is_in_incoming)
    }

    /// The voters of the old set.
    fn outgoing(&self) -> BTreeSet<Identity> {
        self.voters(Standing::is_in_outgoing)
    }

    /// Whether old and new must both agree, `[Ongaro14 §4.3]`.
    pub(super) fn is_joint(&self) -> bool {
        self.0.values().any(|standing| standing.is_transitional())
    }

    /// Whether this member votes.
    pub fn votes(&self, member: Identity) -> bool {
        let standing = self.0.get(&member);
        standing.is_some_and(|standing| standing.is_in_incoming() || standing.is_in_outgoing())
    }

    /// Whether it is a member that keeps no payloads.
    pub fn is_witness(&self, member: Identity) -> bool {
        let standing = self.0.get(&member);
        standing.is_some_and(|standing| {
            matches!(
                standing,
                Standing::Witness | Standing::IncomingWitness | Standing::OutgoingWitness
            )
        })
    }

    /// Whether every majority of its voters has a member that keeps the payloads.
    fn keeps_payloads(&self) -> bool {
        !self.is_quorum(|member| self.is_witness(member))
    }

    /// Whether a majority of the voters is among those for whom `agrees` holds: of both sets, while
    /// there are two.
    pub fn is_quorum(&self, agrees: impl Fn(Identity) -> bool) -> bool {
        let majority = |is_in: fn(Standing) -> bool| {
            let (mut voters, mut count) = (0, 0);
            for (identity, _) in self.0.iter().filter(|(_, standing)| is_in(**standing)) {
                voters += 1;
                count += usize::from(agrees(*identity));
            }
            count > voters / 2
        };
        majority(Standing::is_in_incoming)
            && (!self.is_joint() || majority(Standing::is_in_outgoing))
    }

    /// What becomes of it when the joint phase ends.
    fn settled(&self) -> Self {
        let seats = self.0.iter().filter_map(|(identity, standing)| {
            let standing = match standing {
                Standing::Learner | Standing::Demoted => Standing::Learner,
                Standing::Voter | Standing::Incoming => Standing::Voter,
                Standing::Witness | Standing::IncomingWitness => Standing::Witness,
                Standing::Outgoing | Standing::OutgoingWitness => return None,
            };
            Some((*identity, standing))
        });
        Configuration(Arc::new(seats.collect()))
    }

    /// Whether `next` may follow this one by the wish of an operator: the voters of before are its
    /// old set, or its only one if they stay as they are.
    fn may_become(&self, next: &Configuration) -> bool {
        let before = self.incoming();
        if !next.keeps_payloads() || !next.settled().keeps_payloads() {
            return false;
        }
        // Nobody who is in it changes from keeping payloads to keeping none, nor back.
        if next.members().any(|member| {
            self.0.contains_key(&member) && self.is_witness(member) != next.is_witness(member)
        }) {
            return false;
        }
        if next.is_joint() {
            next.outgoing() == before
        } else {
            next.incoming() == before
        }
    }
}

fn varint(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let mut value = 0;
    for place in 0..10 {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The latest configuration in the log is the one in force, committed or not; and a leader adds
/// only one that may follow.
pub(super) fn check(step: &Step<'_>) -> Result<(), String> {
    let after = step.after;
    let Some((index, latest)) = after.log.configuration_at(after.last().index) else {
        return Ok(());
    };
    let is_before_base = index <= after.log.base.index && after.configuration_index <= index;
    must(index == after.configuration_index || is_before_base, || {
        format!(
            "§4.1: the latest configuration is entry {index}, in force is entry {}",
            after.configuration_index
        )
    })?;
    must(*latest == after.configuration, || {
        format!(
            "§4.1: in force is {:?}, the latest in the log is {latest:?}",
            after.configuration
        )
    })?;
    if step.stays_leader() {
        leader_adds(step)?;
    }
    Ok(())
}

/// A leader that stays in office begins or ends one change at a time.
fn leader_adds(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let first = before.last().index + 1;
    let added: Vec<_> = after.log.configurations.range(first..).collect();
    if added.is_empty() {
        return Ok(());
    }
    let [(_, next)] = added[..] else {
        return Err("§4.3: two configurations are added at once".into());
    };
    let now = &before.configuration;
    if let Input::Reconfigure = step.input {
        must(before.log.term(before.commit) == Some(before.term), || {
            "[Ongaro15]: a change begins before an entry of this term is committed".into()
        })?;
        must(before.configuration_index <= before.commit, || {
            "§4.1: a change begins while another is not committed".into()
        })?;
        must(!now.is_joint() && now.may_become(next), || {
            format!("§4.3: {next:?} does not follow {now:?}")
        })
    } else {
        must(
            now.is_joint() && before.configuration_index <= after.commit,
            || "§4.3: a joint configuration ends that is not committed".into(),
        )?;
        must(*next == now.settled(), || {
            format!("§4.3: {now:?} ends as {next:?}")
        })
    }
}

impl Step<'_> {
    /// Whether the founder begins its log with the configuration.
    pub(super) fn is_founding(&self) -> bool {
        let entry = self.after.log.entry(1);
        self.before.last().index == 0
            && entry.is_some_and(|entry| entry.kind == EntryKind::Configuration)
            && self.after.configuration == self.before.configuration.settled()
    }
}

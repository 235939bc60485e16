//! What the state of a machine means, worked out from its public questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use raft_core::{EntryId, EntryKind, Identity, Raft};

use super::configuration::Configuration;
use crate::world::chain::{hash_bytes, mix};

pub use raft_core::Role;

/// Names an entry; later terms are greater, then later indexes: `[Ongaro14 §3.6.1]`, up to date.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Id {
    /// The term of the leader that made it.
    pub term: u64,
    /// Where it stands.
    pub index: u64,
}

impl From<EntryId> for Id {
    fn from(id: EntryId) -> Self {
        Id {
            term: u64::from(id.term.value()),
            index: id.index.value(),
        }
    }
}

/// An entry: its term, and a hash of what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The term of the leader that made it.
    pub term: u64,
    /// What it is for.
    pub kind: EntryKind,
    /// A hash of its payload.
    pub payload: u64,
}

impl Entry {
    /// What a machine's or a message's entry means.
    pub fn of(entry: &raft_core::Entry<'_>) -> Self {
        Entry {
            term: u64::from(entry.id.term.value()),
            kind: entry.kind,
            payload: mix(hash_bytes(entry.payload), 0),
        }
    }

    /// What a witness keeps of this entry.
    pub fn hollow(self) -> Self {
        match self.kind {
            EntryKind::Configuration => self,
            EntryKind::Command | EntryKind::NoOp | EntryKind::Hollow => {
                Entry::of_nothing(self.term)
            }
        }
    }

    /// An entry of which only the term is known.
    pub(super) fn of_nothing(term: u64) -> Self {
        Entry {
            term,
            kind: EntryKind::Hollow,
            payload: mix(hash_bytes(&[]), 0),
        }
    }
}

/// A log: what a snapshot stands for, and the entries after it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Log {
    /// The last entry that the snapshot covers.
    pub base: Id,
    /// The configuration at the base, as far as it is known.
    pub base_configuration: Option<Configuration>,
    /// The entries after it.
    pub entries: Arc<Vec<Entry>>,
    /// What the entries that are configurations say, by index.
    pub configurations: Arc<BTreeMap<u64, Configuration>>,
}

impl Log {
    /// The last entry.
    pub fn last(&self) -> Id {
        match self.entries.last() {
            Some(entry) => Id {
                term: entry.term,
                index: self.base.index + self.entries.len() as u64,
            },
            None => self.base,
        }
    }

    /// The entries after `index`, which is not below the base.
    pub fn after(&self, index: u64) -> &[Entry] {
        let skip = (index - self.base.index) as usize;
        self.entries.get(skip..).unwrap_or_default()
    }

    /// The entry at `index`, if it is here.
    pub fn entry(&self, index: u64) -> Option<&Entry> {
        let place = index.checked_sub(self.base.index + 1)?;
        self.entries.get(place as usize)
    }

    /// The term at `index`; the base has one too.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.entry(index).map(|entry| entry.term)
    }

    /// The latest configuration at or before `index`, and where it stands; nothing if that is
    /// before the base and not known.
    pub fn configuration_at(&self, index: u64) -> Option<(u64, &Configuration)> {
        let entry = self.configurations.range(..=index).next_back();
        match entry {
            Some((index, configuration)) => Some((*index, configuration)),
            None => Some((self.base.index, self.base_configuration.as_ref()?)),
        }
    }
}

/// What survives a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Durable {
    /// The term.
    pub term: u64,
    /// The vote of that term.
    pub vote: Option<Identity>,
    /// Up to here the log is on the medium.
    pub index: u64,
}

/// A node, as the papers know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Abstract {
    /// Its name.
    pub me: Identity,
    /// currentTerm.
    pub term: u64,
    /// votedFor.
    pub vote: Option<Identity>,
    /// What it is.
    pub role: Role,
    /// Who leads this term, as far as it knows.
    pub leader: Option<quorum::NodeId>,
    /// log\[\].
    pub log: Log,
    /// commitIndex.
    pub commit: u64,
    /// lastApplied.
    pub delivered: u64,
    /// The configuration in force.
    pub configuration: Configuration,
    /// Where its entry stands.
    pub configuration_index: u64,
    /// On a candidate: who gave it a vote, or a pre-vote.
    pub grants: BTreeSet<Identity>,
    /// On a leader: matchIndex\[\].
    pub matched: BTreeMap<Identity, u64>,
    /// On a follower: up to where its log is the leader's.
    pub verified: Option<u64>,
    /// It is silent by agreement.
    pub is_quiet: bool,
    /// What survives a crash.
    pub durable: Durable,
}

impl Abstract {
    /// What a machine's state means. From `previous`, the state before, the entries are taken over
    /// that index and term identify; without it everything is read.
    pub fn of<B, const N: usize>(raft: &Raft<B, N>, previous: Option<&Abstract>) -> Self
    where
        B: AsRef<[u8]> + AsMut<[u8]>,
    {
        let hard = raft.hard_state();
        let durable = raft.durable_hard_state();
        let configuration = match previous {
            Some(state) => Configuration::of_like(|| raft.members(), &state.configuration),
            None => Configuration::of(raft.members()),
        };
        let configuration_index = raft.configuration_index().value();
        let mut log = read_log(raft, previous.map(|state| &state.log));
        if configuration_index <= log.base.index {
            log.base_configuration = Some(configuration.clone());
        }
        let matched = configuration.members().filter_map(|identity| {
            let matched = raft.matched(identity.node)?;
            Some((identity, matched.value()))
        });
        Abstract {
            me: raft.identity(),
            term: u64::from(hard.term.value()),
            vote: hard.vote,
            role: raft.role(),
            leader: raft.leader(),
            commit: raft.commit().value(),
            delivered: raft.delivered().value(),
            grants: raft.grants().collect(),
            matched: matched.collect(),
            is_quiet: raft.is_quiet(),
            verified: raft.verified().map(|index| index.value()),
            durable: Durable {
                term: u64::from(durable.term.value()),
                vote: durable.vote,
                index: raft.durable().value(),
            },
            configuration,
            configuration_index,
            log,
        }
    }

    /// The end of its log.
    pub fn last(&self) -> Id {
        self.log.last()
    }

    /// Whether it is a witness: by its log, or by its place in the configuration.
    pub(super) fn is_witness(&self) -> bool {
        let mut entries = self.log.entries.iter();
        self.configuration.is_witness(self.me)
            || entries.any(|entry| entry.kind == EntryKind::Hollow)
    }

    /// Whether it may stand for election: a voter of the latest configuration, or of the one before
    /// while the latest is not committed; no witness.
    pub(super) fn may_stand(&self) -> bool {
        let before = self.configuration_index.saturating_sub(1);
        let was_voter = || match self.log.configuration_at(before) {
            Some((_, configuration)) => configuration.votes(self.me),
            None => true,
        };
        let votes = self.configuration.votes(self.me)
            || self.configuration_index > self.commit && was_voter();
        votes && !self.is_witness()
    }
}

fn read_log<B, const N: usize>(raft: &Raft<B, N>, previous: Option<&Log>) -> Log
where
    B: AsRef<[u8]> + AsMut<[u8]>,
{
    let (base, last) = (Id::from(raft.base()), Id::from(raft.last()));
    if let Some(log) = previous.filter(|log| log.base == base && log.last() == last) {
        return log.clone();
    }
    let mut log = Log {
        base,
        ..Log::default()
    };
    let mut entries = Vec::new();
    // What was here before: up to the last entry that both have, and not before the base.
    if let Some(old) = previous.filter(|old| old.term(base.index) == Some(base.term)) {
        let known = old.configuration_at(base.index);
        log.base_configuration = known.map(|(_, configuration)| configuration.clone());
        let term_here = |index| {
            let entry = raft.entry(raft_core::LogIndex::new(index))?;
            Some(u64::from(entry.id.term.value()))
        };
        let mut common = old.last().index.min(last.index);
        while common > base.index && term_here(common) != old.term(common) {
            common -= 1;
        }
        let count = (common - base.index) as usize;
        entries.extend_from_slice(&old.after(base.index)[..count]);
        log.configurations = old.configurations.clone();
        let is_here = |index: &u64| (base.index + 1..=common).contains(index);
        if !log.configurations.keys().all(is_here) {
            Arc::make_mut(&mut log.configurations).retain(|index, _| is_here(index));
        }
    }
    let first = base.index + entries.len() as u64 + 1;
    for index in first..=last.index {
        let Some(entry) = raft.entry(raft_core::LogIndex::new(index)) else {
            break;
        };
        entries.push(Entry::of(&entry));
        if entry.kind == EntryKind::Configuration {
            let configuration = Configuration::decode(entry.payload).unwrap_or_default();
            Arc::make_mut(&mut log.configurations).insert(index, configuration);
        }
    }
    log.entries = Arc::new(entries);
    log
}

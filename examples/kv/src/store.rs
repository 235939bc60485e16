//! The map that every replica holds, and what each operation does to it.
//!
//! Replicas apply the same operations in the same order, so they hold the same map as long as
//! [`Store::apply`] depends on nothing else. Expiry is where that usually breaks: a replica that drops a
//! key by its own clock answers the next `INCR` differently from one whose clock is behind.
//!
//! Here time is part of the input. The store keeps the highest stamp it has applied, and a key is gone for
//! `apply` if that stamp has reached its expiry. A leader whose clock is behind its predecessor's cannot
//! bring keys back. Reads bring their own `now`, hide what has expired by then, and change nothing, so
//! that a read served here and not elsewhere leaves no trace.
//!
//! # Bounds
//! Each call of `apply` removes at most [`SWEEP_MAX`] expired keys besides what it is asked to do. A key
//! costs its bytes, its value's, and one table slot; with an expiry, its bytes once more in the index.
//! The table hashes with SipHash under a random key: clients choose the keys, and must not be able to
//! choose collisions.

mod snapshot;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use crate::operation::{Answer, Change, Condition, ExpireCondition, Expiry, Operation, Strings};
use crate::timestamp::Timestamp;

pub use snapshot::{Frozen, LoadError};
use table::Table;

/// How many expired keys one operation removes from memory.
pub const SWEEP_MAX: usize = 16;

/// What applying an operation came to; it says what the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The condition of a `Set` did not hold; nothing changed.
    Refused,
    /// How many keys changed, or the number a key now holds.
    Integer(i64),
    /// The value a key held before.
    Value(Option<Box<[u8]>>),
    /// The key holds no whole number; nothing changed.
    NotAnInteger,
    /// The sum does not fit 64 bits; nothing changed.
    Overflow,
}

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// For other nodes.
    pub peer: Box<str>,
    /// For clients; what `MOVED` and `CLUSTER SLOTS` say.
    pub client: Box<str>,
    /// It is to stay without a vote.
    pub is_learner: bool,
}

impl Address {
    /// The client address cut at its last colon, as `CLUSTER SLOTS` wants it.
    pub fn client_host_and_port(&self) -> (&str, u16) {
        split_host(&self.client)
    }
}

fn split_host(address: &str) -> (&str, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port.parse().unwrap_or(0))
}

/// How long a key stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// There is no such key.
    Absent,
    /// For ever.
    Persistent,
    /// For so many milliseconds from the `now` that was asked about.
    Millis(u64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    value: Box<[u8]>,
    expiry: Option<Timestamp>,
}

impl Entry {
    fn is_live(&self, now: Timestamp) -> bool {
        self.expiry.is_none_or(|expiry| expiry > now)
    }
}

/// The replicated map and the list of where nodes listen.
///
/// ```
/// use kv::operation::{Change, Operation};
/// use kv::store::{Outcome, Store};
/// use kv::timestamp::Timestamp;
///
/// let mut store = Store::default();
/// let stamp = Timestamp(1_000);
/// let change = Change::Add { key: b"visits", by: 2 };
/// assert_eq!(store.apply(&Operation { stamp, change }), Outcome::Integer(2));
/// assert_eq!(store.value(b"visits", stamp), Some(&b"2"[..]));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Store {
    entries: Table,
    /// The keys that go away some time, soonest first: exactly the entries with an expiry.
    expiring: BTreeSet<(Timestamp, Box<[u8]>)>,
    /// The highest stamp applied.
    clock: Timestamp,
    addresses: BTreeMap<u64, Address>,
}

impl Store {
    /// Applies a committed operation. The result depends on nothing but the operations applied so far.
    pub fn apply(&mut self, operation: &Operation<'_>) -> Outcome {
        self.clock = self.clock.max(operation.stamp);
        self.sweep();
        match operation.change {
            Change::Set {
                key,
                value,
                condition,
                expiry,
                answer,
            } => self.set(key, value, condition, expiry, answer),
            Change::SetMany(strings) => {
                for (key, value) in strings.pairs() {
                    self.put(key, value, None);
                }
                Outcome::Done
            }
            Change::Delete(keys) => self.delete(keys),
            Change::Add { key, by } => self.add(key, by),
            Change::Expire { key, at, condition } => self.expire(key, at, condition),
            Change::Persist { key } => self.persist(key),
            Change::Clear => {
                self.entries.clear();
                self.expiring.clear();
                Outcome::Done
            }
            Change::Address { node, peer, client } => {
                let known = self.addresses.get(&node);
                let address = Address {
                    peer: peer.into(),
                    client: client.into(),
                    is_learner: known.is_some_and(|known| known.is_learner),
                };
                self.addresses.insert(node, address);
                Outcome::Done
            }
            Change::Vote { node, is_wanted } => match self.addresses.get_mut(&node) {
                Some(address) => {
                    address.is_learner = !is_wanted;
                    Outcome::Done
                }
                None => Outcome::Refused,
            },
            Change::Forget { node } => {
                self.addresses.remove(&node);
                Outcome::Done
            }
        }
    }

    /// What a key holds at `now`, or at the latest stamp applied if that is later.
    pub fn value(&self, key: &[u8], now: Timestamp) -> Option<&[u8]> {
        self.live(key, now).map(|entry| &*entry.value)
    }

    /// Whether a key holds anything at `now`.
    pub fn contains(&self, key: &[u8], now: Timestamp) -> bool {
        self.live(key, now).is_some()
    }

    /// How long from `now` a key stays.
    pub fn lifetime(&self, key: &[u8], now: Timestamp) -> Lifetime {
        match self.live(key, now).map(|entry| entry.expiry) {
            None => Lifetime::Absent,
            Some(None) => Lifetime::Persistent,
            Some(Some(expiry)) => Lifetime::Millis(expiry.millis_since(now.max(self.clock))),
        }
    }

    /// How many keys are in memory, those included that expired and were not removed yet.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys go away some time.
    pub fn expiring_len(&self) -> usize {
        self.expiring.len()
    }

    /// The highest stamp applied. A leader stamps no lower, even if its clock says so.
    pub fn clock(&self) -> Timestamp {
        self.clock
    }

    /// Where every node listens, by id.
    pub fn addresses(&self) -> impl Iterator<Item = (u64, &Address)> {
        self.addresses
            .iter()
            .map(|(node, address)| (*node, address))
    }

    /// Where a node listens.
    pub fn address(&self, node: u64) -> Option<&Address> {
        self.addresses.get(&node)
    }

    fn live(&self, key: &[u8], now: Timestamp) -> Option<&Entry> {
        let now = now.max(self.clock);
        self.entries.find(key).filter(|entry| entry.is_live(now))
    }

    fn set(
        &mut self,
        key: &[u8],
        value: &[u8],
        condition: Condition,
        expiry: Expiry,
        answer: Answer,
    ) -> Outcome {
        let plain = (Condition::Always, Expiry::Never, Answer::Status);
        if (condition, expiry, answer) == plain {
            self.put(key, value, None);
            return Outcome::Done;
        }
        let previous = self.live(key, self.clock);
        let met = match condition {
            Condition::Always => true,
            Condition::IfAbsent => previous.is_none(),
            Condition::IfPresent => previous.is_some(),
        };
        let outcome = match answer {
            Answer::Status if met => Outcome::Done,
            Answer::Status => Outcome::Refused,
            Answer::Previous => Outcome::Value(previous.map(|entry| entry.value.clone())),
            Answer::Count => Outcome::Integer(i64::from(met)),
        };
        let expiry = match expiry {
            Expiry::Never => None,
            Expiry::Keep => previous.and_then(|entry| entry.expiry),
            Expiry::At(at) => Some(at),
        };
        if met {
            self.put(key, value, expiry);
        }
        outcome
    }

    fn delete(&mut self, keys: Strings<'_>) -> Outcome {
        let deleted = keys.iter().filter(|key| self.remove(key)).count();
        integer(deleted)
    }

    fn add(&mut self, key: &[u8], by: i64) -> Outcome {
        let (value, expiry) = match self.live(key, self.clock) {
            None => (Some(0), None),
            Some(entry) => (crate::command::integer(&entry.value), entry.expiry),
        };
        let Some(value) = value else {
            return Outcome::NotAnInteger;
        };
        let Some(sum) = value.checked_add(by) else {
            return Outcome::Overflow;
        };
        self.put(key, sum.to_string().as_bytes(), expiry);
        Outcome::Integer(sum)
    }

    fn expire(&mut self, key: &[u8], at: Timestamp, condition: ExpireCondition) -> Outcome {
        let Some(entry) = self.live(key, self.clock) else {
            return Outcome::Integer(0);
        };
        // A key that stays for ever counts as one that goes away at the end of time.
        let met = match condition {
            ExpireCondition::Always => true,
            ExpireCondition::IfPersistent => entry.expiry.is_none(),
            ExpireCondition::IfExpiring => entry.expiry.is_some(),
            ExpireCondition::IfLater => entry.expiry.is_some_and(|expiry| at > expiry),
            ExpireCondition::IfEarlier => entry.expiry.is_none_or(|expiry| at < expiry),
        };
        if met && at <= self.clock {
            self.remove(key);
        } else if met {
            self.change_expiry(key, Some(at));
        }
        Outcome::Integer(i64::from(met))
    }

    fn persist(&mut self, key: &[u8]) -> Outcome {
        let expiring = self.live(key, self.clock);
        let met = expiring.is_some_and(|entry| entry.expiry.is_some());
        if met {
            self.change_expiry(key, None);
        }
        Outcome::Integer(i64::from(met))
    }

    /// Gives a key a value and an expiry, whatever it had before.
    fn put(&mut self, key: &[u8], value: &[u8], expiry: Option<Timestamp>) {
        let mut before = None;
        let is_there = self.entries.change(key, |entry| {
            // Values of one size are the usual case, and then the allocation is kept.
            if entry.value.len() == value.len() {
                entry.value.copy_from_slice(value);
            } else {
                entry.value = value.into();
            }
            before = core::mem::replace(&mut entry.expiry, expiry);
        });
        if !is_there {
            let value = value.into();
            self.entries.insert(key, Entry { value, expiry });
        }
        self.index(key, before, expiry);
    }

    fn change_expiry(&mut self, key: &[u8], expiry: Option<Timestamp>) {
        let mut before = expiry;
        self.entries.change(key, |entry| {
            before = core::mem::replace(&mut entry.expiry, expiry);
        });
        self.index(key, before, expiry);
    }

    /// Removes a key and says whether it was still alive.
    fn remove(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        self.index(key, entry.expiry, None);
        entry.is_live(self.clock)
    }

    /// Keeps the index of expiring keys equal to the entries.
    fn index(&mut self, key: &[u8], before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.expiring.remove(&(before, key.into()));
        }
        if let Some(after) = after {
            self.expiring.insert((after, key.into()));
        }
    }

    /// Frees some of what has expired. Nobody can see a difference except in memory.
    fn sweep(&mut self) {
        for _ in 0..SWEEP_MAX {
            match self.expiring.first() {
                Some((expiry, _)) if *expiry <= self.clock => {}
                _ => return,
            }
            if let Some((_, key)) = self.expiring.pop_first() {
                self.entries.remove(&key);
            }
        }
    }
}

fn integer(count: usize) -> Outcome {
    Outcome::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;

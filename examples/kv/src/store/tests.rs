use super::*;
use proptest::prelude::*;

const KEY: &[u8] = b"k";

fn at(stamp: u64, change: Change<'_>) -> Operation<'_> {
    let stamp = Timestamp(stamp);
    Operation { stamp, change }
}

fn set<'a>(key: &'a [u8], value: &'a [u8], expiry: Expiry) -> Change<'a> {
    Change::Set {
        key,
        value,
        condition: Condition::Always,
        expiry,
        answer: Answer::Status,
    }
}

fn set_if(condition: Condition, answer: Answer) -> Change<'static> {
    Change::Set {
        key: KEY,
        value: b"new",
        condition,
        expiry: Expiry::Never,
        answer,
    }
}

fn expire(when: u64, condition: ExpireCondition) -> Change<'static> {
    Change::Expire {
        key: KEY,
        at: Timestamp(when),
        condition,
    }
}

fn saved(store: &Store) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.save(&mut bytes).unwrap();
    bytes
}

fn store_with(expiry: Expiry) -> Store {
    let mut store = Store::default();
    assert_eq!(
        store.apply(&at(10, set(KEY, b"old", expiry))),
        Outcome::Done
    );
    store
}

#[test]
fn set_obeys_its_condition() {
    let mut store = Store::default();
    let status = |condition| at(1, set_if(condition, Answer::Status));
    assert_eq!(store.apply(&status(Condition::IfPresent)), Outcome::Refused);
    assert_eq!(store.value(KEY, Timestamp(1)), None);
    assert_eq!(store.apply(&status(Condition::IfAbsent)), Outcome::Done);
    assert_eq!(store.apply(&status(Condition::IfAbsent)), Outcome::Refused);
    assert_eq!(store.apply(&status(Condition::IfPresent)), Outcome::Done);
    let count = at(1, set_if(Condition::IfAbsent, Answer::Count));
    assert_eq!(store.apply(&count), Outcome::Integer(0));
}

#[test]
fn set_answers_the_previous_value_met_or_not() {
    let mut store = store_with(Expiry::Never);
    let refused = at(11, set_if(Condition::IfAbsent, Answer::Previous));
    let old = Outcome::Value(Some(b"old"[..].into()));
    assert_eq!(store.apply(&refused), old);
    assert_eq!(store.value(KEY, Timestamp(0)), Some(&b"old"[..]));
    let done = at(11, set_if(Condition::Always, Answer::Previous));
    assert_eq!(store.apply(&done), old);
    assert_eq!(store.value(KEY, Timestamp(0)), Some(&b"new"[..]));
}

#[test]
fn set_drops_or_keeps_the_expiry() {
    let mut store = store_with(Expiry::At(Timestamp(50)));
    store.apply(&at(11, set(KEY, b"kept", Expiry::Keep)));
    assert_eq!(store.lifetime(KEY, Timestamp(20)), Lifetime::Millis(30));
    store.apply(&at(12, set(KEY, b"dropped", Expiry::Never)));
    assert_eq!(store.lifetime(KEY, Timestamp(20)), Lifetime::Persistent);
    assert_eq!(store.expiring_len(), 0);
}

#[test]
fn reads_hide_what_expired_and_change_nothing() {
    let store = store_with(Expiry::At(Timestamp(50)));
    let before = store.clone();
    assert_eq!(store.value(KEY, Timestamp(49)), Some(&b"old"[..]));
    assert_eq!(store.value(KEY, Timestamp(50)), None);
    assert!(!store.contains(KEY, Timestamp(51)));
    assert_eq!(store.lifetime(KEY, Timestamp(51)), Lifetime::Absent);
    assert_eq!(store, before);
}

#[test]
fn a_clock_that_runs_back_brings_nothing_back() {
    let mut store = store_with(Expiry::At(Timestamp(50)));
    store.apply(&at(60, Change::Persist { key: b"other" }));
    assert_eq!(store.value(KEY, Timestamp(20)), None);
    let add = Change::Add { key: KEY, by: 1 };
    assert_eq!(store.apply(&at(20, add)), Outcome::Integer(1));
    assert_eq!(store.clock(), Timestamp(60));
}

#[test]
fn expired_keys_count_as_absent_even_before_they_are_swept() {
    let mut store = Store::default();
    for number in 0..100u8 {
        store.apply(&at(10, set(&[number], b"v", Expiry::At(Timestamp(50)))));
    }
    let keys: Vec<[u8; 1]> = (0..100).map(|number| [number]).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let delete = Change::Delete(keys.as_slice().into());
    assert_eq!(store.apply(&at(50, delete)), Outcome::Integer(0));
    assert!(store.is_empty());
    assert_eq!(store.expiring_len(), 0);
}

#[test]
fn each_operation_sweeps_a_bounded_number() {
    let mut store = Store::default();
    for number in 0..100u8 {
        store.apply(&at(10, set(&[number], b"v", Expiry::At(Timestamp(50)))));
    }
    store.apply(&at(50, Change::Persist { key: KEY }));
    assert_eq!(store.len(), 100 - SWEEP_MAX);
}

#[test]
fn add_counts_and_keeps_the_expiry() {
    let mut store = Store::default();
    store.apply(&at(1, set(KEY, b"-5", Expiry::At(Timestamp(50)))));
    let add = |by| at(2, Change::Add { key: KEY, by });
    assert_eq!(store.apply(&add(3)), Outcome::Integer(-2));
    assert_eq!(store.lifetime(KEY, Timestamp(10)), Lifetime::Millis(40));
    assert_eq!(store.apply(&add(i64::MIN)), Outcome::Overflow);
    assert_eq!(store.value(KEY, Timestamp(2)), Some(&b"-2"[..]));
    store.apply(&at(3, set(KEY, b"12a", Expiry::Never)));
    assert_eq!(store.apply(&add(1)), Outcome::NotAnInteger);
}

#[test]
fn expire_obeys_its_condition() {
    let mut store = store_with(Expiry::Never);
    let mut try_expire = |when, condition| store.apply(&at(10, expire(when, condition)));
    let [no, yes] = [Outcome::Integer(0), Outcome::Integer(1)];
    assert_eq!(try_expire(50, ExpireCondition::IfExpiring), no);
    assert_eq!(try_expire(50, ExpireCondition::IfLater), no);
    assert_eq!(try_expire(50, ExpireCondition::IfEarlier), yes);
    assert_eq!(try_expire(60, ExpireCondition::IfEarlier), no);
    assert_eq!(try_expire(60, ExpireCondition::IfPersistent), no);
    assert_eq!(try_expire(60, ExpireCondition::IfLater), yes);
    assert_eq!(try_expire(70, ExpireCondition::IfExpiring), yes);
    assert_eq!(try_expire(10, ExpireCondition::Always), yes);
    assert_eq!(try_expire(90, ExpireCondition::Always), no);
    assert!(store.is_empty());
}

#[test]
fn persist_makes_a_key_stay() {
    let mut store = store_with(Expiry::At(Timestamp(50)));
    let persist = Change::Persist { key: KEY };
    assert_eq!(store.apply(&at(11, persist)), Outcome::Integer(1));
    assert_eq!(store.apply(&at(12, persist)), Outcome::Integer(0));
    assert_eq!(store.lifetime(KEY, Timestamp(99)), Lifetime::Persistent);
}

#[test]
fn addresses_are_kept_forgotten_and_split() {
    let mut store = Store::default();
    let (peer, client) = ("127.0.0.1:7", "[::1]:8");
    store.apply(&at(
        1,
        Change::Address {
            node: 9,
            peer,
            client,
        },
    ));
    assert_eq!(store.address(9).unwrap().client_host_and_port(), ("::1", 8));
    assert_eq!(Store::load(&saved(&store)), Ok(store.clone()));
    let vote = |node, is_wanted| at(1, Change::Vote { node, is_wanted });
    assert_eq!(store.apply(&vote(8, false)), Outcome::Refused);
    assert_eq!(store.apply(&vote(9, false)), Outcome::Done);
    assert_eq!(Store::load(&saved(&store)), Ok(store.clone()));
    // Said again where it listens, it stays a learner.
    let again = Change::Address {
        node: 9,
        peer,
        client,
    };
    store.apply(&at(1, again));
    assert!(store.address(9).unwrap().is_learner);
    store.apply(&vote(9, true));
    assert!(!store.address(9).unwrap().is_learner);
    store.apply(&at(1, Change::Clear));
    assert_eq!(store.addresses().count(), 1);
    store.apply(&at(1, Change::Forget { node: 9 }));
    assert_eq!(store.addresses().count(), 0);
}

#[test]
fn golden_snapshot() {
    let mut store = Store::default();
    store.apply(&at(2, set(b"b", b"xyz", Expiry::Never)));
    store.apply(&at(1, set(b"a", b"", Expiry::At(Timestamp(3)))));
    let (peer, client) = ("p", "cl");
    store.apply(&at(
        1,
        Change::Address {
            node: 7,
            peer,
            client,
        },
    ));
    let expected = b"kv-map\n\x02\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\
        \x01\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0a\
        \x01\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0bxyz\
        \x07\0\0\0\0\0\0\0\x01\0\x02\0\0pcl";
    let bytes = saved(&store);
    let (body, sum) = bytes.split_at(bytes.len() - 4);
    assert_eq!(
        body.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    assert_eq!(sum, crc32fast::hash(expected).to_le_bytes());
    assert_eq!(Store::load(&bytes), Ok(store));
}

#[test]
fn damaged_snapshots_are_refused() {
    let bytes = saved(&store_with(Expiry::At(Timestamp(50))));
    for len in 0..bytes.len() {
        assert!(Store::load(&bytes[..len]).is_err(), "cut to {len} bytes");
    }
    for index in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[index] ^= 1;
        assert!(Store::load(&damaged).is_err(), "flip in byte {index}");
    }
    assert_eq!(Store::load(b"something else"), Err(LoadError::Foreign));
    // Whole maps of other versions.
    for version in [1, 3] {
        let mut other = bytes.clone();
        other[7] = version;
        let refused = Store::load(&other);
        assert_eq!(refused, Err(LoadError::Version(version)));
        let expected = format!("saved map of version {version}; this program reads version 2");
        assert_eq!(LoadError::Version(version).to_string(), expected);
    }
    assert_eq!(
        Store::load(&[&bytes[..], b"x"].concat()),
        Err(LoadError::Checksum)
    );
}

#[test]
fn forged_snapshots_are_refused_without_believing_their_lengths() {
    let forge = |body: &[u8]| {
        let body = [b"kv-map\n\x02", body].concat();
        let sum = crc32fast::hash(&body).to_le_bytes();
        Store::load(&[&body[..], &sum].concat())
    };
    let header = |keys: u64| [&[0u8; 8], &keys.to_le_bytes()[..], &[0; 4]].concat();
    let entry = b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0k";
    assert!(forge(&[&header(1)[..], entry].concat()).is_ok());
    assert_eq!(forge(&header(u64::MAX)), Err(LoadError::Malformed));
    assert_eq!(
        forge(&[&header(1)[..], &[0xff; 16]].concat()),
        Err(LoadError::Malformed)
    );
    let twice = [&header(2)[..], entry, entry].concat();
    assert_eq!(forge(&twice), Err(LoadError::Malformed));
    let trailing = [&header(1)[..], entry, b"x"].concat();
    assert_eq!(forge(&trailing), Err(LoadError::Malformed));
}

/// The same rules, written down the slow way.
#[derive(Default)]
struct Naive {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>,
    clock: u64,
}

impl Naive {
    fn apply(&mut self, operation: &Operation<'_>) -> Outcome {
        self.clock = self.clock.max(operation.stamp.0);
        let clock = self.clock;
        self.entries
            .retain(|_, (_, expiry)| expiry.is_none_or(|expiry| expiry > clock));
        match operation.change {
            Change::Set {
                key,
                value,
                condition,
                expiry,
                ..
            } => {
                let previous = self.entries.get(key);
                if (condition == Condition::IfAbsent && previous.is_some())
                    || (condition == Condition::IfPresent && previous.is_none())
                {
                    return Outcome::Refused;
                }
                let expiry = match expiry {
                    Expiry::Never => None,
                    Expiry::Keep => previous.and_then(|previous| previous.1),
                    Expiry::At(at) => Some(at.0),
                };
                self.entries.insert(key.to_vec(), (value.to_vec(), expiry));
                Outcome::Done
            }
            Change::Delete(keys) => {
                let removed = keys
                    .iter()
                    .filter(|key| self.entries.remove(*key).is_some());
                Outcome::Integer(i64::try_from(removed.count()).unwrap())
            }
            Change::Expire { key, at, .. } => {
                let Some(entry) = self.entries.get_mut(key) else {
                    return Outcome::Integer(0);
                };
                entry.1 = Some(at.0);
                Outcome::Integer(1)
            }
            _ => unreachable!("not generated"),
        }
    }
}

proptest! {
    #[test]
    fn store_agrees_with_a_naive_map_and_with_its_own_snapshot(
        steps in proptest::collection::vec((0u64..40, 0usize..6, 0u8..5, 0u8..3, 0u64..60), 1..80),
        checkpoint in 0usize..80,
    ) {
        let (mut store, mut naive) = (Store::default(), Naive::default());
        for (index, (stamp, kind, key, condition, when)) in steps.into_iter().enumerate() {
            let key = &[key][..];
            let keys = [key];
            let condition = match condition {
                0 => Condition::Always,
                1 => Condition::IfAbsent,
                _ => Condition::IfPresent,
            };
            let expiry = [Expiry::Never, Expiry::Keep, Expiry::At(Timestamp(when))];
            let change = match kind {
                0..=2 => Change::Set {
                    key, value: &[1], condition, expiry: expiry[kind], answer: Answer::Status,
                },
                3 => Change::Delete(keys.as_slice().into()),
                _ => Change::Expire {
                    key, at: Timestamp(when), condition: ExpireCondition::Always,
                },
            };
            let operation = at(stamp, change);
            prop_assert_eq!(store.apply(&operation), naive.apply(&operation));
            if index == checkpoint {
                let loaded = Store::load(&saved(&store)).unwrap();
                prop_assert_eq!(saved(&loaded), saved(&store));
                store = loaded;
            }
            for key in 0..5u8 {
                let expected = naive.entries.get(&[key][..]).filter(|(_, expiry)| {
                    expiry.is_none_or(|expiry| expiry > naive.clock)
                });
                let value = store.value(&[key], Timestamp(0));
                prop_assert_eq!(value, expected.map(|(value, _)| &value[..]));
            }
        }
    }
}

#[test]
fn a_frozen_map_is_saved_as_it_was_while_the_map_goes_on() {
    let saved = |store: &Store| {
        let mut bytes = Vec::new();
        store.save(&mut bytes).unwrap();
        bytes
    };
    let key = |number: u64| number.to_string().into_bytes();
    let apply = |store: &mut Store, number: u64, kind: u64| {
        let key = key(number);
        let keys = [&key[..]];
        let change = match kind {
            0 => Change::Delete(Strings::from(&keys[..])),
            1 => Change::Add { key: &key, by: 1 },
            2 => Change::Clear,
            _ => Change::Expire {
                key: &key,
                at: Timestamp(1_000_000),
                condition: ExpireCondition::Always,
            },
        };
        store.apply(&Operation {
            stamp: Timestamp(number),
            change,
        })
    };
    // The same operations on a map that is frozen on the way and on one that is not.
    for clear_at in [None, Some(150)] {
        let (mut plain, mut split) = (Store::default(), Store::default());
        for number in 0..100 {
            apply(&mut plain, number, 1);
            apply(&mut split, number, 1);
        }
        let before = saved(&plain);
        let frozen = split.freeze();
        for number in 0..300 {
            let kind = match Some(number) == clear_at {
                true => 2,
                false => [0, 1, 3, 1][usize::try_from(number % 4).unwrap()],
            };
            let outcome = apply(&mut plain, number % 130, kind);
            assert_eq!(apply(&mut split, number % 130, kind), outcome);
            assert_eq!(split.len(), plain.len());
        }
        let mut bytes = Vec::new();
        frozen.save(&mut bytes).unwrap();
        assert_eq!(bytes, before);
        assert_eq!(saved(&split), saved(&plain));
        assert_eq!(split, plain);
        drop(frozen);
        split.thaw();
        assert_eq!(split, plain);
        assert_eq!(saved(&split), saved(&plain));
    }
}

//! `TimerTable` against a map that is searched every time.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use clocks::{Instant, TimerKey, TimerTable};
use proptest::prelude::*;

const COUNT: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Timer(usize);

impl TimerKey for Timer {
    const COUNT: usize = COUNT;

    fn index(self) -> usize {
        self.0
    }

    fn from_index(index: usize) -> Option<Self> {
        (index < COUNT).then_some(Self(index))
    }
}

type Table = TimerTable<Timer, COUNT>;
type Model = BTreeMap<Timer, Instant>;

#[derive(Clone, Debug)]
enum Step {
    Set(usize, u64),
    Clear(usize),
    Pop(u64),
}

/// Few distinct times, so that ties are common.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..COUNT, 0..10u64).prop_map(|(index, at)| Step::Set(index, at)),
        1 => (0..COUNT).prop_map(Step::Clear),
        2 => (0..10u64).prop_map(Step::Pop),
    ];
    prop::collection::vec(step, 0..60)
}

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

fn model_pop(model: &mut Model, now: Instant) -> Option<Timer> {
    let (deadline, key) = model
        .iter()
        .map(|(key, deadline)| (*deadline, *key))
        .min()?;
    (deadline <= now).then(|| {
        model.remove(&key);
        key
    })
}

fn run(table: &mut Table, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    match *step {
        Step::Set(index, micros) => {
            table.set(Timer(index), at(micros));
            model.insert(Timer(index), at(micros));
        }
        Step::Clear(index) => {
            table.clear(Timer(index));
            model.remove(&Timer(index));
        }
        Step::Pop(now) => prop_assert_eq!(table.pop_expired(at(now)), model_pop(model, at(now))),
    }
    Ok(())
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn new_table_has_nothing_set() {
    let mut table = Table::new();
    assert_eq!(table, Table::default());
    assert_eq!(table.next(), None);
    assert_eq!(table.pop_expired(Instant::MAX), None);
    assert!((0..COUNT).all(|index| !table.is_set(Timer(index))));
}

#[cfg(target_pointer_width = "64")]
#[test]
fn table_is_as_large_as_documented() {
    assert_eq!(size_of::<Table>(), 8 * COUNT + 16);
}

#[test]
fn timer_is_due_at_its_deadline_and_not_before() {
    let mut table = Table::new();
    table.set(Timer(3), at(10));
    assert_eq!(table.pop_expired(at(9)), None);
    assert_eq!(table.pop_expired(at(10)), Some(Timer(3)));
    assert_eq!(table, Table::new());
}

#[test]
fn earliest_timer_goes_first_and_ties_go_by_index() {
    let mut table = Table::new();
    for (index, micros) in [(4, 5), (1, 7), (3, 5), (0, 9)] {
        table.set(Timer(index), at(micros));
    }
    let order: Vec<_> = std::iter::from_fn(|| table.pop_expired(at(8))).collect();
    assert_eq!(order, [Timer(3), Timer(4), Timer(1)]);
    assert_eq!(table.next(), Some(at(9)));
}

#[test]
fn last_instant_is_a_deadline_like_any_other() {
    let mut table = Table::new();
    table.set(Timer(0), Instant::MAX);
    assert_eq!(table.next(), Some(Instant::MAX));
    assert_eq!(table.pop_expired(at(u64::MAX - 1)), None);
    assert_eq!(table.pop_expired(Instant::MAX), Some(Timer(0)));
}

#[test]
fn table_prints_the_timers_that_are_set() {
    let mut table = Table::new();
    table.set(Timer(2), at(7));
    assert_eq!(format!("{table:?}"), "{Timer(2): Instant { micros: 7 }}");
}

#[test]
fn tables_with_other_deadlines_have_other_hashes() {
    let (mut one, mut other) = (Table::new(), Table::new());
    one.set(Timer(2), at(7));
    assert_ne!(hash_of(&one), hash_of(&other));
    other.set(Timer(2), at(7));
    assert_eq!(hash_of(&one), hash_of(&other));
}

/// Keys that claim indexes outside the table and do not know any of their own.
#[derive(Clone, Copy)]
struct Liar(usize);

impl TimerKey for Liar {
    const COUNT: usize = 3;

    fn index(self) -> usize {
        self.0
    }

    fn from_index(index: usize) -> Option<Self> {
        (index == 2).then_some(Self(index))
    }
}

#[test]
fn broken_key_loses_timers_but_neither_panics_nor_spins() {
    let mut table = TimerTable::<Liar, 3>::new();
    for index in [3, usize::MAX] {
        table.set(Liar(index), at(0));
        table.clear(Liar(index));
        assert!(!table.is_set(Liar(index)));
    }
    assert_eq!(table.next(), None);
    for index in 0..3 {
        table.set(Liar(index), at(0));
    }
    assert_eq!(table.pop_expired(at(0)).map(|key| key.0), Some(2));
    assert_eq!(table.next(), None);
}

proptest! {
    #[test]
    fn table_agrees_with_the_model(steps in steps()) {
        let (mut table, mut model) = (Table::new(), Model::new());
        for step in &steps {
            run(&mut table, &mut model, step)?;
            prop_assert_eq!(table.next(), model.values().min().copied());
            for key in (0..COUNT).map(Timer) {
                prop_assert_eq!(table.deadline(key), model.get(&key).copied());
                prop_assert_eq!(table.is_set(key), model.contains_key(&key));
            }
        }
    }

    /// However a table came to its content, it is equal to one that was set to it in order.
    #[test]
    fn tables_are_equal_by_content(steps in steps(), others in steps()) {
        let (mut table, mut model) = (Table::new(), Model::new());
        for step in &steps {
            run(&mut table, &mut model, step)?;
        }
        let mut rebuilt = Table::new();
        for (key, deadline) in &model {
            rebuilt.set(*key, *deadline);
        }
        prop_assert_eq!(&table, &rebuilt);
        prop_assert_eq!(hash_of(&table), hash_of(&rebuilt));
        prop_assert_eq!(&table, &table.clone());

        let mut other_model = Model::new();
        let mut other = Table::new();
        for step in &others {
            run(&mut other, &mut other_model, step)?;
        }
        prop_assert_eq!(table == other, model == other_model);
    }
}

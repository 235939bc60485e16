//! The ring against a list: whatever is done to both, they hold the same log.

extern crate std;

mod promises;

use core::cell::Cell;
use std::vec;
use std::vec::Vec;

use proptest::collection;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::*;

const MEMBERS: usize = 1;

/// A log as anyone would write it who had memory to waste.
#[derive(Clone, Debug)]
struct Model {
    base: EntryId,
    entries: Vec<(Term, EntryKind, Vec<u8>)>,
}

impl Model {
    fn id(&self, index: u64) -> Option<EntryId> {
        if index == self.base.index.value() {
            return Some(self.base);
        }
        let (term, _, _) = self.entry(index)?;
        Some(EntryId::new(LogIndex::new(index), *term))
    }

    fn entry(&self, index: u64) -> Option<&(Term, EntryKind, Vec<u8>)> {
        let place = index.checked_sub(self.first())?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    fn first(&self) -> u64 {
        self.base.index.value() + 1
    }

    fn last(&self) -> u64 {
        self.base.index.value() + self.entries.len() as u64
    }

    fn encoded(&self, after: u64, last: u64) -> Vec<u8> {
        let entries = (after + 1..=last).map(|index| self.entry(index).expect("in the log"));
        entries.flat_map(encode).collect()
    }
}

fn encode((term, kind, payload): &(Term, EntryKind, Vec<u8>)) -> Vec<u8> {
    let kind: u32 = match kind {
        EntryKind::Command => 0,
        EntryKind::NoOp => 1,
        EntryKind::Configuration => 2,
        EntryKind::Hollow => 3,
    };
    let word = u32::try_from(payload.len()).expect("short") | (kind << 28);
    let mut bytes = term.value().to_le_bytes().to_vec();
    bytes.extend_from_slice(&word.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[derive(Clone, Debug)]
enum Operation {
    /// Adds an entry, as a leader (from its parts) or as a follower (as it came).
    Append {
        entry: (u32, EntryKind, Vec<u8>),
        is_encoded: bool,
    },
    /// Adds so many entries without payload, or as many as fit.
    Burst(u8),
    /// Adds the largest entry that fits, less so many bytes.
    Fill(u32),
    /// Adds a command if that leaves the reserve.
    Propose(usize),
    /// Drops this part of the log at its back, in 256ths.
    Truncate(u8),
    /// Drops this part of the log at its front, in 256ths.
    Compact(u8),
    /// Begins elsewhere.
    Reset { further: u64, term: u32 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![
        6 => Just(EntryKind::Command),
        1 => Just(EntryKind::NoOp),
        1 => Just(EntryKind::Configuration),
    ];
    let payload = prop_oneof![
        8 => collection::vec(any::<u8>(), 0..50),
        1 => collection::vec(any::<u8>(), 0..400),
    ];
    let term_step = prop_oneof![4 => Just(0_u32), 1 => 1..4_u32];
    prop_oneof![
        12 => (term_step, kind, payload, any::<bool>()).prop_map(|(term, kind, payload, is_encoded)| {
            Operation::Append { entry: (term, kind, payload), is_encoded }
        }),
        1 => (0..40_u8).prop_map(Operation::Burst),
        1 => (0..40_u32).prop_map(Operation::Fill),
        4 => (0..300_usize).prop_map(Operation::Propose),
        2 => any::<u8>().prop_map(Operation::Truncate),
        4 => any::<u8>().prop_map(Operation::Compact),
        1 => (0..100_u64, 0..3_u32).prop_map(|(further, term)| Operation::Reset { further, term }),
    ]
}

/// How often the cases of interest came up.
#[derive(Default)]
struct Reached {
    came_round: Cell<u32>,
    two_slices: Cell<u32>,
    full: Cell<u32>,
    no_offsets: Cell<u32>,
    cut_over_the_end: Cell<u32>,
    reserve_at_the_limit: Cell<u32>,
}

fn count(cell: &Cell<u32>, is_reached: bool) {
    cell.set(cell.get() + u32::from(is_reached));
}

struct Pair {
    window: Window,
    memory: Vec<u8>,
    model: Model,
}

impl Pair {
    fn new(memory_len: usize) -> Self {
        Pair {
            window: Window::new(memory_len, MEMBERS).expect("large enough"),
            memory: vec![0xee; memory_len],
            model: Model {
                base: EntryId::ZERO,
                entries: Vec::new(),
            },
        }
    }

    fn append(
        &mut self,
        entry: (Term, EntryKind, Vec<u8>),
        is_encoded: bool,
    ) -> Result<(), NoRoom> {
        let (term, kind, payload) = &entry;
        let (window, memory) = (&mut self.window, &mut self.memory);
        match is_encoded {
            true => window.append_one(memory, *term, &encode(&entry))?,
            false => window.append(memory, *term, *kind, payload)?,
        }
        self.model.entries.push(entry);
        Ok(())
    }

    fn operate(&mut self, operation: &Operation, reached: &Reached) {
        let (window, model) = (&mut self.window, &mut self.model);
        let was_round = window.high != 0;
        let room = window.room();
        let len = model.entries.len() as u64;
        let last_term = model.id(model.last()).expect("the last").term;
        match operation {
            Operation::Append {
                entry: (term, kind, payload),
                is_encoded,
            } => {
                let term = Term::new(last_term.value() + term);
                let fits = room as usize >= ENTRY_HEADER_BYTES + payload.len();
                let done = self.append((term, *kind, payload.clone()), *is_encoded);
                assert_eq!(done.is_ok(), fits, "room is {room}");
            }
            Operation::Burst(count) => {
                for _ in 0..*count {
                    let fits = self.window.room() as usize >= ENTRY_HEADER_BYTES;
                    let entry = (last_term, EntryKind::NoOp, Vec::new());
                    assert_eq!(self.append(entry, true).is_ok(), fits);
                }
            }
            Operation::Fill(less) => {
                let size = room.saturating_sub(*less) as usize;
                if let Some(payload_len) = size.checked_sub(ENTRY_HEADER_BYTES) {
                    let entry = (last_term, EntryKind::Command, vec![7; payload_len]);
                    self.append(entry, true).expect("room said so");
                }
            }
            Operation::Propose(payload_len) => {
                if window.has_room_for_proposal(ENTRY_HEADER_BYTES + payload_len) {
                    let entry = (last_term, EntryKind::Command, vec![9; *payload_len]);
                    self.append(entry, false).expect("there was room and more");
                    self.check_reserve(reached);
                }
            }
            Operation::Truncate(part) => {
                let last = model.last() - len * u64::from(*part) / 256;
                model
                    .entries
                    .truncate((last - model.base.index.value()) as usize);
                window
                    .truncate(&self.memory, LogIndex::new(last))
                    .expect("in the log");
                assert!(window.room() >= room, "less room after cutting at the back");
                count(
                    &reached.cut_over_the_end,
                    was_round && window.high == 0 && window.len() > 0,
                );
            }
            Operation::Compact(part) => {
                let index = model.base.index.value() + len * u64::from(*part) / 256;
                let base = model.id(index).expect("in the log");
                model
                    .entries
                    .drain(..(index - model.base.index.value()) as usize);
                model.base = base;
                window
                    .compact(&self.memory, LogIndex::new(index))
                    .expect("in the log");
                assert!(
                    window.room() >= room,
                    "less room after cutting at the front"
                );
            }
            Operation::Reset { further, term } => {
                let index = LogIndex::new(model.last() + further);
                model.base = EntryId::new(index, Term::new(last_term.value() + term));
                model.entries.clear();
                window.reset(model.base);
            }
        }
        count(&reached.came_round, !was_round && self.window.high != 0);
    }

    /// What a proposal leaves free holds 16 entries of leaders and two configurations, in any order.
    fn check_reserve(&self, reached: &Reached) {
        let configuration = vec![3; configuration_bytes_max(MEMBERS)];
        for place in 0..=RESERVED_ENTRIES {
            let (mut window, mut memory) = (self.window.clone(), self.memory.clone());
            let term = window.last().term;
            for number in 0..=RESERVED_ENTRIES {
                if number == place {
                    for _ in 0..RESERVED_CONFIGURATIONS {
                        let kind = EntryKind::Configuration;
                        let done = window.append(&mut memory, term, kind, &configuration);
                        assert_eq!(done, Ok(()), "configurations after {number} entries");
                    }
                }
                if number < RESERVED_ENTRIES {
                    let done = window.append(&mut memory, term, EntryKind::NoOp, &[]);
                    assert_eq!(done, Ok(()), "entry {number}, configurations at {place}");
                }
            }
            count(&reached.reserve_at_the_limit, window.room() < 16);
        }
    }

    /// `room` is exact: so much fits, and not a byte more.
    fn check_room(&self, reached: &Reached) {
        let room = self.window.room() as usize;
        let fits = |size: usize| {
            let (mut window, mut memory) = (self.window.clone(), self.memory.clone());
            let bytes = vec![0; size];
            window.append_one(&mut memory, Term::ZERO, &bytes).is_ok()
        };
        if room >= ENTRY_HEADER_BYTES {
            assert!(fits(room), "{room} bytes do not fit");
        }
        assert!(
            !fits((room + 1).max(ENTRY_HEADER_BYTES)),
            "more than {room} bytes fit"
        );
        count(&reached.full, room < ENTRY_HEADER_BYTES);
        count(
            &reached.no_offsets,
            self.window.len() == u64::from(self.window.offsets),
        );
    }

    /// Compares all that can be asked; `seed` says where.
    fn check(&self, seed: u64, reached: &Reached) {
        let (window, memory, model) = (&self.window, &self.memory[..], &self.model);
        let at = LogIndex::new;
        let (base, last) = (model.base.index.value(), model.last());
        assert_eq!(window.base(), model.base);
        assert_eq!(Some(window.last()), model.id(last));
        assert_eq!(window.len(), model.entries.len() as u64);
        for index in base.saturating_sub(1)..=last + 1 {
            let expected = model.entry(index).map(|(term, kind, payload)| Entry {
                id: EntryId::new(at(index), *term),
                kind: *kind,
                payload,
            });
            assert_eq!(window.entry(memory, at(index)), expected);
            assert_eq!(
                window.term(memory, at(index)),
                model.id(index).map(|id| id.term)
            );
        }
        let logical = window.logical(memory).3;
        assert!(
            logical
                .map(|entry| entry.id)
                .eq((base + 1..=last).filter_map(|index| model.id(index)))
        );

        let after = base + seed % (last - base + 1);
        for end in after..=last {
            let entries = window
                .entries(memory, at(after), at(end))
                .expect("in the log");
            assert_eq!(
                entries.slices().concat(),
                model.encoded(after, end),
                "({after}, {end}]"
            );
            count(&reached.two_slices, !entries.slices()[1].is_empty());
        }
        assert_eq!(window.entries(memory, at(after), at(last + 1)), None);
        if base > 0 && last > base {
            assert_eq!(window.entries(memory, at(base - 1), at(last)), None);
        }
        self.check_fit(after, (seed >> 16) as usize % 700);
        self.check_searches(after);
    }

    fn check_fit(&self, after: u64, bytes_max: usize) {
        let (window, model) = (&self.window, &self.model);
        let fits = |end: &u64| model.encoded(after, *end).len() <= bytes_max;
        let expected = (after..=model.last())
            .take_while(fits)
            .last()
            .expect("nothing fits anywhere");
        let (end, entries) = window
            .fit(&self.memory, LogIndex::new(after), bytes_max)
            .expect("in the log");
        assert_eq!(end.value(), expected, "{bytes_max} bytes after {after}");
        assert_eq!(entries.slices().concat(), model.encoded(after, expected));
    }

    fn check_searches(&self, index: u64) {
        let (window, memory, model) = (&self.window, &self.memory[..], &self.model);
        let places = || (model.base.index.value()..=index).rev();
        let last_term = window.last().term.value();
        for term in model.base.term.value().saturating_sub(1)..=last_term + 1 {
            let ids = places().filter_map(|index| model.id(index));
            let expected = ids
                .into_iter()
                .find(|id| id.term.value() <= term)
                .unwrap_or(model.base);
            let found =
                window.last_with_term_at_most(memory, LogIndex::new(index), Term::new(term));
            assert_eq!(found, Some(expected), "term {term} up to {index}");
        }
        let is_configuration = |index: &u64| {
            let entry = model.entry(*index);
            entry.is_some_and(|(_, kind, _)| *kind == EntryKind::Configuration)
        };
        let found = window.last_configuration(memory, LogIndex::new(index));
        assert_eq!(found.map(LogIndex::value), places().find(is_configuration));
    }
}

#[test]
fn the_ring_holds_what_a_list_holds() {
    let reached = Reached::default();
    let smallest = Window::bytes_min(MEMBERS);
    let history = (
        smallest..smallest + 700,
        collection::vec((operation(), any::<u64>()), 1..120),
    );
    let config = Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    };
    // The same histories each time: what they reach is counted below.
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, chance);
    let done = runner.run(&history, |(memory_len, operations)| {
        let mut pair = Pair::new(memory_len);
        for (operation, seed) in &operations {
            pair.operate(operation, &reached);
            pair.check(*seed, &reached);
            pair.check_room(&reached);
        }
        Ok(())
    });
    if let Err(error) = done {
        panic!("{error}");
    }
    let Reached {
        came_round,
        two_slices,
        full,
        no_offsets,
        cut_over_the_end,
        reserve_at_the_limit,
    } = reached;
    assert!(
        came_round.get() > 100,
        "the ring came round {} times",
        came_round.get()
    );
    assert!(
        two_slices.get() > 100,
        "{} runs in two slices",
        two_slices.get()
    );
    assert!(full.get() > 10, "{} full windows", full.get());
    assert!(
        no_offsets.get() > 10,
        "{} windows out of offsets",
        no_offsets.get()
    );
    assert!(
        cut_over_the_end.get() > 10,
        "{} cuts over the end",
        cut_over_the_end.get()
    );
    assert!(
        reserve_at_the_limit.get() > 0,
        "the reserve was never used up"
    );
}

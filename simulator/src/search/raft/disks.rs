//! What a disk holds, as a number: two contents from which a machine comes back the same are one.

use std::collections::HashMap;

use clocks::Instant;
use raft_core::{EntryId, HardState, LogIndex, Raft, Recovered};

use super::names::{Lens, Renaming, Without, key_of, place_of, print_of};
use super::node::{Log, Machine};
use super::pace::Pace;
use super::prefix::Prefixes;

/// What a journal holds, replayed: what `restore` begins with.
pub(super) type Content = Recovered<Vec<u8>, { super::names::NODES_MAX }>;

/// What is known of a content once and for all.
pub(super) struct Disk {
    pub(super) content: Content,
    pub(super) term: u32,
    /// The place of the candidate that has the vote of that term, and one, or zero.
    pub(super) vote: u8,
    pub(super) log: Log,
    /// Term and vote.
    pub(super) hard: HardState,
    /// Where the log begins and ends.
    pub(super) base: EntryId,
    pub(super) last: EntryId,
}

/// All contents met so far.
pub(super) struct Disks {
    known: HashMap<(u64, u64), u32>,
    stored: HashMap<(u32, Vec<u8>, bool), Option<u32>>,
    all: Vec<Disk>,
    prints: Vec<u64>,
    renamings: Vec<Renaming>,
    seed: u64,
    pace: Pace,
}

/// Drawn at the first start of each node.
const FIRST_SEED: u64 = 9;

impl Disks {
    pub(super) fn new(renamings: &[Renaming], seed: u64, pace: Pace) -> Self {
        Disks {
            known: HashMap::new(),
            stored: HashMap::new(),
            all: Vec::new(),
            prints: Vec::new(),
            renamings: renamings.to_vec(),
            seed,
            pace,
        }
    }

    /// The machine that comes back from a content, if it can; for the first time, or after so many
    /// lives.
    pub(super) fn restore(&self, place: usize, content: &Content, life: u64) -> Option<Machine> {
        let (config, seed) = (self.pace.config(place), FIRST_SEED + life);
        let zero = LogIndex::ZERO;
        Raft::restore(config, content.clone(), zero, seed, Instant::ZERO).ok()
    }

    pub(super) fn get(&self, id: u32) -> &Disk {
        &self.all[id as usize]
    }

    /// The fingerprint under a renaming, with or without the vote.
    pub(super) fn print(&self, id: u32, renaming: usize, has_vote: bool) -> u64 {
        let row = id as usize * 2 + usize::from(!has_vote);
        self.prints[row * self.renamings.len() + renaming]
    }

    /// The number of a content, if a machine can come back from it.
    pub(super) fn intern(
        &mut self,
        place: usize,
        content: &Content,
        prefixes: &mut Prefixes,
    ) -> Option<u32> {
        let machine = self.restore(place, content, 0)?;
        let plain = Lens::new(&self.renamings[0]);
        let next = self.all.len() as u32;
        let key = key_of(|word| machine.canonical(&plain, word));
        let id = *self.known.entry(key).or_insert(next);
        if id == next {
            for without in &Without::ALL[..2] {
                for renaming in &self.renamings {
                    let lens = Lens::without(renaming, *without);
                    let print = print_of(self.seed ^ 0xd, |word| machine.canonical(&lens, word));
                    self.prints.push(print);
                }
            }
            let hard = machine.hard_state();
            self.all.push(Disk {
                content: content.clone(),
                term: hard.term.value(),
                vote: hard.vote.map_or(0, |vote| place_of(vote.node) as u8 + 1),
                log: Log::of(&machine, prefixes),
                hard,
                base: machine.base(),
                last: machine.last(),
            });
        }
        Some(id)
    }

    /// The content after a record, or a part of it, was written; `None` if what is left of it
    /// counts for nothing.
    pub(super) fn store(
        &mut self,
        place: usize,
        disk: u32,
        record: &[u8],
        is_whole: bool,
        prefixes: &mut Prefixes,
    ) -> Option<u32> {
        let key = (disk, record.to_vec(), is_whole);
        if let Some(after) = self.stored.get(&key) {
            return *after;
        }
        let mut content = self.get(disk).content.clone();
        let replayed = if is_whole {
            content.replay(record)
        } else {
            content.replay_prefix(record)
        };
        let after = match replayed {
            Ok(()) => self.intern(place, &content, prefixes),
            Err(_) => None,
        };
        self.stored.insert(key, after);
        after
    }
}

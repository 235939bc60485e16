//! One node: its machine, its disk, its write under way. Equal situations are one number.

use std::collections::HashMap;

use clocks::Instant;
use raft_core::{LogIndex, Raft, ReadTicket, Role, Ticket};

use super::disks::{Disk, Disks};
use super::names::{Lens, NODES_MAX, Renaming, Without, key_of, place_of, print_of};
use super::prefix::{Prefixes, ROOT};
use crate::search::space::fold;

/// The machine as it ships.
pub(super) type Machine = Raft<Vec<u8>, NODES_MAX>;

/// Bytes of a log window.
pub(super) const WINDOW: usize = 1024;

/// A log as prefixes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Log {
    /// The last index before the entries.
    pub(super) base: u32,
    /// The prefix at `base`, and at each index after it.
    pub(super) prefixes: Vec<u32>,
}

impl Log {
    pub(super) fn of(machine: &Machine, prefixes: &mut Prefixes) -> Log {
        let (base, last) = (machine.base().index, machine.last().index);
        let sum = machine.snapshot().checksum;
        let mut prefix = prefixes.with_sum(sum).unwrap_or(ROOT);
        let mut all = vec![prefix];
        for index in base.value() + 1..=last.value() {
            let entry = machine.entry(LogIndex::new(index));
            prefix = prefixes.extend(prefix, &entry.expect("it is in the window"));
            all.push(prefix);
        }
        Log {
            base: base.value() as u32,
            prefixes: all,
        }
    }

    pub(super) fn last(&self) -> u32 {
        self.base + self.prefixes.len() as u32 - 1
    }

    /// The prefix that ends at an index, unless it lies before the base or behind the end.
    pub(super) fn at(&self, index: u32) -> Option<u32> {
        let place = index.checked_sub(self.base)?;
        self.prefixes.get(place as usize).copied()
    }
}

/// A record that the disk is writing.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) record: Vec<u8>,
    pub(super) ticket: Ticket,
    /// Lengths at which the record can be cut: before its first entry, and after each.
    pub(super) cuts: Vec<usize>,
    /// What the disk holds when it is done.
    pub(super) after: u32,
}

/// One node.
#[derive(Clone)]
pub(super) struct Local {
    pub(super) place: usize,
    pub(super) machine: Machine,
    pub(super) now: Instant,
    pub(super) disk: u32,
    pub(super) writing: Option<Writing>,
    /// Of reads that have not ended, as they came.
    pub(super) tickets: Vec<ReadTicket>,
    /// How often it came back, where that names its questions.
    pub(super) life: u64,
}

/// What is known of a node's state once and for all.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) term: u32,
    pub(super) is_leader: bool,
    /// It leads and has committed an entry of its term.
    pub(super) is_established: bool,
    /// Whom it follows.
    pub(super) leader: Option<u8>,
    pub(super) is_asking: bool,
    pub(super) is_candidate: bool,
    /// The term on its disk.
    pub(super) durable_term: u32,
    /// Its term and vote are on its disk, and nothing is being written.
    pub(super) is_settled: bool,
    pub(super) commit: u32,
    pub(super) log: Log,
    pub(super) disk: u32,
    /// The voters of the configuration in force, as bits.
    pub(super) incoming: u8,
    pub(super) outgoing: u8,
    /// Its latest pre-vote attempt, and whether answers to it count.
    pub(super) attempt: (u32, bool),
    /// Attempts of others that it holds answers for.
    pub(super) attempts: Vec<(u8, u32)>,
    /// A deadline has passed.
    pub(super) is_due: bool,
    /// How many reads have not ended.
    pub(super) reads: usize,
    /// How many cuts the record that is being written has.
    pub(super) cuts: Option<usize>,
}

/// All states of nodes met so far.
pub(super) struct Locals {
    known: HashMap<(u64, u64), u32>,
    all: Vec<Local>,
    views: Vec<View>,
    prints: Vec<u64>,
    renamings: Vec<Renaming>,
    seed: u64,
    /// Whether times are told apart.
    is_timed: bool,
}

impl Locals {
    pub(super) fn new(renamings: &[Renaming], seed: u64, is_timed: bool) -> Self {
        Locals {
            known: HashMap::new(),
            all: Vec::new(),
            views: Vec::new(),
            prints: Vec::new(),
            renamings: renamings.to_vec(),
            seed,
            is_timed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, id: u32) -> &Local {
        &self.all[id as usize]
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &View> {
        self.views.iter()
    }

    #[inline]
    pub(super) fn view(&self, id: u32) -> &View {
        &self.views[id as usize]
    }

    #[inline]
    pub(super) fn renaming(&self, which: usize) -> &Renaming {
        &self.renamings[which]
    }

    /// The fingerprints under each renaming, without what nobody can notice.
    #[inline]
    pub(super) fn prints(&self, id: u32, without: Without) -> &[u64] {
        let width = self.renamings.len();
        let row = id as usize * Without::ALL.len() + without.number();
        &self.prints[row * width..][..width]
    }

    /// The number of a node's state. Attempts are counted in the frames under way too, so
    /// states that differ in them stay apart here.
    pub(super) fn intern(&mut self, local: Local, disks: &Disks, prefixes: &mut Prefixes) -> u32 {
        let plain = Lens::new(&self.renamings[0]).timed(self.is_timed);
        let key = key_of(|word| {
            plain.attempts.borrow_mut().clear();
            local.machine.canonical(&plain, word);
            word(u64::from(plain.own_attempt.get().0));
            for (node, attempt) in plain.attempts.borrow().iter() {
                word(u64::from(*node) << 32 | u64::from(*attempt));
            }
            word(u64::from(local.disk));
            word(local.writing.is_some().into());
            if let Some(writing) = &local.writing {
                word(u64::from(writing.after) << 32 | writing.cuts.len() as u64);
            }
        });
        let next = self.all.len() as u32;
        let id = *self.known.entry(key).or_insert(next);
        if id == next {
            for without in Without::ALL {
                for (which, renaming) in self.renamings.iter().enumerate() {
                    let lens = Lens::without(renaming, without).timed(self.is_timed);
                    let print = print_of(self.seed, |word| {
                        local.machine.canonical(&lens, word);
                        word(disks.print(local.disk, which, !without.vote));
                        if let Some(writing) = &local.writing {
                            word(disks.print(writing.after, which, !without.vote));
                            word(writing.cuts.len() as u64);
                        }
                    });
                    self.prints.push(print);
                }
            }
            let attempts = plain.attempts.borrow().clone();
            let disk = disks.get(local.disk);
            let view = view_of(&local, disk, plain.own_attempt.get(), attempts, prefixes);
            self.views.push(view);
            self.all.push(local);
        }
        id
    }
}

fn view_of(
    local: &Local,
    disk: &Disk,
    attempt: (u32, bool),
    attempts: Vec<(u8, u32)>,
    prefixes: &mut Prefixes,
) -> View {
    let machine = &local.machine;
    let (mut incoming, mut outgoing) = (0, 0);
    for seat in machine.members() {
        let bit = 1 << place_of(seat.identity.node);
        incoming |= bit * u8::from(seat.standing.is_in_incoming());
        outgoing |= bit * u8::from(seat.standing.is_in_outgoing());
    }
    if !machine.is_joint() {
        outgoing = incoming;
    }
    View {
        term: machine.term().value(),
        is_leader: machine.is_leader(),
        is_established: machine.is_established(),
        leader: machine.leader().map(|leader| place_of(leader) as u8),
        is_asking: matches!(machine.role(), Role::PreCandidate | Role::Candidate),
        is_candidate: machine.role() == Role::Candidate,
        durable_term: disk.term,
        is_settled: local.writing.is_none()
            && machine.durable_hard_state() == machine.hard_state()
            && disk.hard == machine.hard_state(),
        commit: machine.commit().value() as u32,
        log: Log::of(machine, prefixes),
        disk: local.disk,
        incoming,
        outgoing,
        attempt,
        attempts,
        is_due: machine.poll_timeout().is_some_and(|next| next <= local.now),
        reads: local.tickets.len(),
        cuts: local.writing.as_ref().map(|writing| writing.cuts.len()),
    }
}

/// How an attempt of a node relates to the one it is at: what an answer to it still means.
#[inline]
pub(super) fn standing_of(attempt: u32, of: &View) -> u64 {
    let (latest, is_open) = of.attempt;
    if attempt > latest {
        // From before a restart: the attempt that will have this number is still to come.
        return 1 + u64::from(attempt - latest);
    }
    u64::from(attempt == latest && is_open)
}

/// The place of a node in a state under a renaming does not matter to a sum, its part does.
#[inline]
pub(super) fn weigh(print: u64, standing: u64) -> u64 {
    if standing == 0 {
        print
    } else {
        fold(print, standing)
    }
}

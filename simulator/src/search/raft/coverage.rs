//! How much of what the search enumerates the random worlds visit.
//!
//! # The problem
//!
//! A random world counts what it did, never what it missed. A fault that it cannot inject, a delay
//! that it never draws, and whole regions stay dark without anybody noticing.
//!
//! # The idea
//!
//! A closed profile is a denominator: all its states, as situations ([`super::situation`]), or the
//! coarser shapes ([`super::shape`]) of larger profiles. Random worlds, held to the same kind of group
//! (three members, no changes, no compaction, writes that take no time), begin where the profile begins,
//! and after each step what they are in is marked. They draw their faults as all random worlds do. A run
//! ends when it leaves the bounds for good, because its terms grew beyond them. Worlds are looked at
//! when all hosts are up, no write is under way and no more frames are than the profile allows.
//!
//! # What it cannot see
//!
//! A world may crash more often and have more frames under way than the profile, so that it meets what
//! the profile does not have; of that what lies within its terms and entries is counted too. Frames and
//! timers are no part of a shape.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use raft_core::wire;

use super::group::{NONE, RaftSpace};
use super::names::{Renaming, name, renamings};
use super::profile::{Profile, Reduction};
use super::sabotage::Sabotage;
use super::shape::{self, Class, Prints};
use super::situation::{FrameForm, Grain, NodeForm, Viewpoint};
use super::wanderer::{MEMBERS, Wanderer};
use crate::oracle::Violation;
use crate::search::explore::{Limits, Report, explore_with};
use crate::world::host::{Machine, node};
use crate::world::random::{Random, Stream};
use crate::world::{Progress, World};

/// A run that has not left the bounds after so many steps ends.
const STEPS_MAX: u32 = 3000;

type Kind = [Class; MEMBERS];

/// All forms of a closed profile, and which of them were visited.
pub struct Coverage {
    profile: Profile,
    grain: Grain,
    renamings: Vec<Renaming>,
    known: RefCell<HashMap<u64, Prints>>,
    forms: HashMap<u64, Kind>,
    visited: HashSet<u64>,
    others: HashSet<u64>,
}

impl Coverage {
    /// Explores a profile for its forms. `None` if it is of a kind that random worlds are not held
    /// to: with joiners, changes, compactions, an ending or slow disks.
    pub fn of(profile: Profile, grain: Grain, limits: &Limits) -> Option<(Coverage, Report)> {
        let is_plain = profile.members == MEMBERS
            && profile.joiners == 0
            && profile.changes == 0
            && profile.compactions == 0
            && profile.ending == super::Ending::None
            && !profile.slow_disks;
        if !is_plain {
            return None;
        }
        let mut coverage = Coverage {
            profile,
            grain,
            renamings: renamings(MEMBERS),
            known: RefCell::default(),
            forms: HashMap::new(),
            visited: HashSet::new(),
            others: HashSet::new(),
        };
        let report = coverage.explore(limits);
        Some((coverage, report))
    }

    fn explore(&mut self, limits: &Limits) -> Report {
        // All forms count, also of states that become one because nobody can tell them apart.
        let whole = Profile {
            reduction: Reduction::None,
            ..self.profile
        };
        let mut space = RaftSpace::new(whole, Sabotage::None, 0);
        let beginning = space.beginning();
        let (grain, renamings, forms) = (self.grain, &self.renamings, &mut self.forms);
        let frames_max = whole.frames;
        let viewpoint = Viewpoint {
            grain,
            beginning,
            renamings,
            known: &self.known,
        };
        let mut known: Vec<Option<(NodeForm, Class)>> = Vec::new();
        let mut frames: Vec<Option<FrameForm>> = Vec::new();
        explore_with(&mut space, limits, &mut |space: &RaftSpace, state, _, _| {
            let places = [0, 1, 2].map(|place: usize| state.nodes[place] as usize);
            for id in places {
                known.resize_with(known.len().max(id + 1), || None);
                known[id].get_or_insert_with(|| {
                    let machine = &space.nodes.locals.get(id as u32).machine;
                    (viewpoint.node(machine), shape::class(machine, &beginning))
                });
            }
            let nodes = places.map(|id| known[id].as_ref().expect("it was looked at"));
            let under_way = state.frames.iter().take_while(|frame| **frame != NONE);
            let under_way = under_way.filter(|_| grain == Grain::Situations);
            let mut under_way: Vec<_> = under_way
                .map(|id| {
                    let place = *id as usize;
                    frames.resize_with(frames.len().max(place + 1), || None);
                    let form = frames[place].get_or_insert_with(|| {
                        let frame = space.nodes.frames.get(*id);
                        let (from, to) = (name(frame.from.into()), name(frame.to.into()));
                        let message = wire::decode(&frame.bytes).expect("what was encoded decodes");
                        viewpoint.frame((from, to), &message)
                    });
                    form.clone()
                })
                .collect();
            let print = viewpoint.print(&nodes.map(|node| &node.0), &mut under_way, frames_max);
            forms
                .entry(print.expect("the profile allows no more"))
                .or_insert_with(|| kind(nodes.map(|node| node.1)));
        })
    }

    /// How many forms there are.
    pub fn forms(&self) -> u64 {
        self.forms.len() as u64
    }

    /// How many of them were visited.
    pub fn visited(&self) -> u64 {
        self.visited.len() as u64
    }

    /// Forgets what was visited.
    pub fn forget(&mut self) {
        self.visited.clear();
        self.others.clear();
    }

    /// Forms that were visited and that the profile does not have, though its terms and entries
    /// would allow them: more frames were under way, or more crashes happened.
    pub fn others(&self) -> u64 {
        self.others.len() as u64
    }

    /// Visited forms in ten thousand.
    pub fn per_myriad(&self) -> u64 {
        self.visited() * 10_000 / self.forms().max(1)
    }

    /// The kinds of forms that were missed, each with the number of all and of missed forms, most
    /// missed ones first.
    pub fn missed(&self) -> Vec<(String, u64, u64)> {
        let mut kinds: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
        for (print, kind) in &self.forms {
            let (all, missed) = kinds.entry(*kind).or_default();
            *all += 1;
            *missed += u64::from(!self.visited.contains(print));
        }
        let mut kinds: Vec<_> = kinds.into_iter().filter(|(_, n)| n.1 > 0).collect();
        kinds.sort_by_key(|(kind, (_, missed))| (core::cmp::Reverse(*missed), *kind));
        let words = |(kind, (all, missed)): (Kind, _)| {
            (kind.map(|class| class.to_string()).join(", "), all, missed)
        };
        kinds.into_iter().map(words).collect()
    }

    /// Lets the world of a seed run until it leaves the bounds, and marks what it visits. Says how
    /// many steps it took.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn visit(&mut self, wanderer: &mut Wanderer, seed: u64) -> Result<u64, Violation> {
        let mut random = Random::new(seed, Stream::Workload);
        wanderer.begin(&self.profile, seed, &mut random);
        let mut left = self.profile.proposals;
        let (mut latest, mut since) = (0, 0);
        let stale = wanderer.patience();
        for step in 0..STEPS_MAX {
            let world = &mut wanderer.world;
            if self.grain == Grain::Situations && random.chance(100) {
                // A driver may look at its clock whenever it wants; a machine notices then that it need
                // not stick to its leader any more.
                let host = random.index(MEMBERS);
                if world.hosts[host].paused_until <= world.now {
                    world.wake_now(host)?;
                }
            }
            if world.step()? == Progress::Ends {
                return Ok(u64::from(step) + 1);
            }
            if left > 0 && random.chance(30) {
                let leaders = world.leaders().collect::<Vec<_>>();
                if !leaders.is_empty() {
                    let leader = random.pick(&leaders);
                    world.propose_to(leader, 1, 8)?;
                    left -= 1;
                }
            }
            let Some((print, is_new)) = self.look(wanderer) else {
                return Ok(u64::from(step) + 1);
            };
            if is_new {
                wanderer.keep(&mut random);
            }
            if is_new || (print != latest && !wanderer.is_fork) {
                (latest, since) = (print, step);
            }
            if step - since > stale {
                return Ok(u64::from(step) + 1);
            }
        }
        Ok(u64::from(STEPS_MAX))
    }

    /// Marks the form of the world, and says which it is and whether it is a new one of the
    /// profile's; nothing if it is beyond the bounds.
    fn look(&mut self, wanderer: &Wanderer) -> Option<(u64, bool)> {
        let beginning = &wanderer.beginning;
        let world = &wanderer.world;
        let machines = || world.hosts.iter().filter_map(|host| host.raft.as_ref());
        let term_max = beginning.term + self.profile.terms;
        if machines().any(|machine| machine.term().value() > term_max) {
            return None;
        }
        let is_stored = |machine: &Machine| {
            machine.durable_hard_state() == machine.hard_state()
                && machine.durable() == machine.last().index
        };
        if machines().count() < MEMBERS || !machines().all(is_stored) {
            return Some((0, false));
        }
        let viewpoint = Viewpoint {
            grain: self.grain,
            beginning: *beginning,
            renamings: &self.renamings,
            known: &self.known,
        };
        let mut nodes = machines().map(|machine| viewpoint.node(machine));
        let nodes = [(); MEMBERS].map(|()| nodes.next().expect("all are up"));
        let mut frames = match self.grain {
            Grain::Situations => under_way(world, &viewpoint),
            Grain::Shapes => Vec::new(),
        };
        let print = viewpoint.print(&nodes.each_ref(), &mut frames, self.profile.frames);
        let Some(print) = print else {
            return Some((0, false));
        };
        if self.forms.contains_key(&print) {
            let is_new = self.visited.insert(print);
            return Some((print, is_new));
        }
        let entries_max = u64::from(self.profile.terms) + u64::from(self.profile.proposals);
        let is_within = |machine| shape::class(machine, beginning).entries <= entries_max;
        if machines().all(is_within) {
            self.others.insert(print);
        }
        Some((print, false))
    }
}

/// The frames under way in a world.
fn under_way(world: &World, viewpoint: &Viewpoint<'_>) -> Vec<FrameForm> {
    let frames = world.queue.frames().filter_map(|frame| {
        let frame = world.network.get(frame)?;
        let message = wire::decode(&frame.bytes).ok()?;
        Some(viewpoint.frame((node(frame.from), node(frame.to)), &message))
    });
    frames.collect()
}

/// A kind does not depend on the names of the nodes.
fn kind(mut classes: Kind) -> Kind {
    classes.sort_unstable();
    classes
}

//! How much of what the search enumerates the random worlds visit.
//!
//! # The problem
//!
//! A random world counts what it did, never what it missed. A fault that it cannot inject, a delay
//! that it never draws, and whole regions stay dark without anybody noticing.
//!
//! # The idea
//!
//! A closed profile is a denominator: all shapes ([`super::shape`]) of all its states. Random worlds,
//! held to the same kind of group (three members, no changes, no compaction, writes that take no
//! time), begin where the profile begins, and after each step their shape is marked. They draw their
//! faults as all random worlds do. A run ends when it leaves the bounds for good, because its terms
//! grew beyond them. Shapes are looked at when all hosts are up and no write is under way.
//!
//! # What it cannot see
//!
//! Frames under way and timers are no part of a shape. A world may crash more often and have more
//! frames under way than the profile, so that it meets shapes that the profile does not have; those
//! within its terms and entries are counted too.

use std::collections::{BTreeMap, HashMap, HashSet};

use clocks::Duration;

use super::group::RaftSpace;
use super::names::{Renaming, renamings};
use super::node::{ELECTION_MAX, ELECTION_MIN};
use super::profile::{Profile, Reduction};
use super::sabotage::Sabotage;
use super::shape::{self, Beginning, Class, Prints};
use crate::oracle::Violation;
use crate::search::explore::{Limits, Report, explore_with};
use crate::stage::{Setting, Stage};
use crate::world::decision::Left;
use crate::world::queue::Due;
use crate::world::random::{Random, Stream};
use crate::world::swarm::{NEVER, Swarm, Weights};
use crate::world::{Progress, World};

/// Members of the groups that are compared.
const MEMBERS: usize = 3;
/// A run that has not left the bounds after so many steps ends.
const STEPS_MAX: u32 = 3000;
/// So does one whose shape is the same for so many steps.
const STALE: u32 = 150;
/// Worlds that are kept to go on from.
const KEPT: usize = 256;

type Kind = [Class; MEMBERS];

/// All shapes of a closed profile, and which of them were visited.
pub struct Coverage {
    profile: Profile,
    renamings: Vec<Renaming>,
    shapes: HashMap<u64, Kind>,
    visited: HashSet<u64>,
    others: HashSet<u64>,
}

/// A world that begins where the profile begins.
pub struct Wanderer {
    settled: World,
    world: World,
    beginning: Beginning,
    kept: Vec<World>,
    habit: Habit,
}

/// What a wanderer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Each run begins where the profile begins.
    Plain,
    /// Half of the runs go on from where an earlier one met a new shape, with new chance.
    Forks,
    /// A seeded fault: nothing is delayed or lost, and nobody crashes.
    Tame,
}

impl Coverage {
    /// Explores a profile for its shapes. `None` if it is of a kind that random worlds are not held
    /// to: with joiners, changes, compactions, an ending or slow disks.
    pub fn of(profile: Profile, limits: &Limits) -> Option<(Coverage, Report)> {
        let is_plain = profile.members == MEMBERS
            && profile.joiners == 0
            && profile.changes == 0
            && profile.compactions == 0
            && profile.ending == super::Ending::None
            && !profile.slow_disks;
        if !is_plain {
            return None;
        }
        let renamings = renamings(MEMBERS);
        // All shapes count, also of states that become one because nobody can tell them apart.
        let whole = Profile {
            reduction: Reduction::None,
            ..profile
        };
        let mut space = RaftSpace::new(whole, Sabotage::None, 0);
        let beginning = space.beginning();
        let mut shapes = HashMap::new();
        let mut known: Vec<Option<(Prints, Class)>> = Vec::new();
        let report = explore_with(&mut space, limits, &mut |space: &RaftSpace, state, _, _| {
            let nodes = [0, 1, 2].map(|place: usize| {
                let id = state.nodes[place];
                if known.len() <= id as usize {
                    known.resize(id as usize + 1, None);
                }
                *known[id as usize].get_or_insert_with(|| {
                    let machine = &space.nodes.locals.get(id).machine;
                    (
                        shape::prints(machine, &beginning, &renamings),
                        shape::class(machine, &beginning),
                    )
                })
            });
            let print = shape::print(nodes.iter().map(|node| node.0), renamings.len());
            shapes
                .entry(print)
                .or_insert_with(|| kind(nodes.map(|node| node.1)));
        });
        let coverage = Coverage {
            profile,
            renamings,
            shapes,
            visited: HashSet::new(),
            others: HashSet::new(),
        };
        Some((coverage, report))
    }

    /// How many shapes there are.
    pub fn shapes(&self) -> u64 {
        self.shapes.len() as u64
    }

    /// How many of them were visited.
    pub fn visited(&self) -> u64 {
        self.visited.len() as u64
    }

    /// Shapes that were visited and that the profile does not have, though its terms and entries
    /// would allow them: more frames were under way, or more crashes happened.
    pub fn others(&self) -> u64 {
        self.others.len() as u64
    }

    /// Visited shapes in ten thousand.
    pub fn per_myriad(&self) -> u64 {
        self.visited() * 10_000 / self.shapes().max(1)
    }

    /// The kinds of shapes that were missed, each with the number of all and of missed shapes, most
    /// missed ones first.
    pub fn missed(&self) -> Vec<(String, u64, u64)> {
        let mut kinds: BTreeMap<Kind, (u64, u64)> = BTreeMap::new();
        for (print, kind) in &self.shapes {
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
        for step in 0..STEPS_MAX {
            let world = &mut wanderer.world;
            if world.step()? == Progress::Ends {
                return Ok(u64::from(step));
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
                return Ok(u64::from(step));
            };
            if is_new {
                wanderer.keep(&mut random);
            }
            if print != latest {
                (latest, since) = (print, step);
            }
            if step - since > STALE {
                return Ok(u64::from(step));
            }
        }
        Ok(u64::from(STEPS_MAX))
    }

    /// Marks the shape of the world, and says which it is and whether it is a new one of the
    /// profile's; nothing if it is beyond the bounds.
    fn look(&mut self, wanderer: &Wanderer) -> Option<(u64, bool)> {
        let beginning = &wanderer.beginning;
        let hosts = &wanderer.world.hosts;
        let machines = || hosts.iter().filter_map(|host| host.raft.as_ref());
        let term_max = beginning.term + self.profile.terms;
        if machines().any(|machine| machine.term().value() > term_max) {
            return None;
        }
        let is_stored = |machine: &crate::world::host::Machine| {
            machine.durable_hard_state() == machine.hard_state()
                && machine.durable() == machine.last().index
        };
        if machines().count() < MEMBERS || !machines().all(is_stored) {
            return Some((0, false));
        }
        let prints = |machine| shape::prints(machine, beginning, &self.renamings);
        let print = shape::print(machines().map(prints), self.renamings.len());
        if self.shapes.contains_key(&print) {
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

/// A kind does not depend on the names of the nodes.
fn kind(mut classes: Kind) -> Kind {
    classes.sort_unstable();
    classes
}

impl Wanderer {
    /// A group that was formed just now.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn new(habit: Habit) -> Result<Self, Violation> {
        let setting = Setting {
            hosts: MEMBERS,
            latency: (Duration::from_millis(1), Duration::from_millis(2)),
            election_timeout: (ELECTION_MIN, ELECTION_MAX),
            heartbeat: Duration::from_millis(500),
            write: (Duration::ZERO, Duration::ZERO),
        };
        let settled = Stage::settled(setting, 1)?.into_world();
        let leader = settled.leaders().next_back();
        let leader = leader.and_then(|leader| settled.hosts[leader].raft.as_ref());
        let beginning = leader.map_or(Beginning { term: 1, index: 0 }, |machine| Beginning {
            term: machine.term().value(),
            index: machine.last().index.value(),
        });
        Ok(Wanderer {
            settled,
            world: World::blank(),
            beginning,
            kept: Vec::new(),
            habit,
        })
    }

    /// Keeps the world as it is now, in the place of another if there are many.
    fn keep(&mut self, random: &mut Random) {
        if self.habit != Habit::Forks {
            return;
        }
        if self.kept.len() < KEPT {
            self.kept.push(World::blank());
            let last = self.kept.len() - 1;
            return self.kept[last].copy_from(&self.world);
        }
        self.kept[random.index(KEPT)].copy_from(&self.world);
    }

    /// The settled group, restarted as in the profile, with the chance of another seed.
    fn begin(&mut self, profile: &Profile, seed: u64, random: &mut Random) {
        let swarm = self.swarm(profile, seed);
        let world = &mut self.world;
        if !self.kept.is_empty() && random.chance(500) {
            world.copy_from(&self.kept[random.index(self.kept.len())]);
            world.reseed(seed);
            world.swarm = swarm;
            return;
        }
        world.copy_from(&self.settled);
        world.reseed(seed);
        world.swarm = swarm;
        for host in 0..MEMBERS {
            let left = Left::default();
            world.crash_leaving(host, left);
            let soon = random.duration(Duration::from_millis(20), Duration::from_millis(25));
            world.queue.push(world.now.plus(soon), Due::Restart(host));
        }
        if self.habit != Habit::Tame {
            let soon = random.duration(Duration::ZERO, world.swarm.fault_interval);
            world.queue.push(world.now.plus(soon), Due::Fault);
        }
    }

    /// The options of a random world, held to the profile: times are those of this group.
    fn swarm(&self, profile: &Profile, seed: u64) -> Swarm {
        let fits = |swarm: &Swarm| swarm.election_timeout.0 == ELECTION_MIN;
        let mut seeds = Random::new(seed, Stream::Swarm);
        let mut drawn = Swarm::draw(seeds.next_u64());
        while !fits(&drawn) {
            drawn = Swarm::draw(seeds.next_u64());
        }
        let own = &self.settled.swarm;
        let crashes = |weight: u64| if profile.crashes > 0 { weight } else { 0 };
        let weights = Weights {
            crash: crashes(drawn.weights.crash),
            crash_leader: crashes(drawn.weights.crash_leader),
            crash_acker: crashes(drawn.weights.crash_acker),
            crash_all: crashes(drawn.weights.crash_all),
            crash_writing: 0,
            disk_stall: 0,
            rot: 0,
            ..drawn.weights
        };
        let swarm = Swarm {
            hosts: own.hosts,
            founders: own.founders,
            heartbeat: own.heartbeat,
            persist_timeout: own.persist_timeout,
            window_bytes: own.window_bytes,
            frame_bytes: own.frame_bytes,
            compact_after: u64::MAX,
            write: own.write,
            slow_disk: None,
            write_failure: 0,
            has_torn_writes: false,
            has_kept_writes: false,
            corruption: 0,
            reconfigure_interval: None,
            has_wipes: false,
            storm: NEVER,
            propose_interval: NEVER,
            weights,
            ..drawn
        };
        if self.habit != Habit::Tame {
            return swarm;
        }
        Swarm {
            loss: 0,
            duplication: 0,
            tail: 0,
            busy: 0,
            delay: (Duration::ZERO, Duration::ZERO),
            weights: Weights::default(),
            ..swarm
        }
    }
}

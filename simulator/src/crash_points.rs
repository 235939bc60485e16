//! Scripted histories, crashed wherever something is being written.
//!
//! A storm of random faults crashes nodes at moments that it finds by chance. What a crash can
//! break is broken between the moment at which a write begins and the moment at which its outcome
//! is known, and by what of it is on the medium then: so those points can be listed. Each
//! [`Script`] shows one thing that a group does. At every step of it at which a node's disk has
//! something else to do than before, the world is copied for each thing that a power cut may leave
//! (nothing, some of the operations, all of them, the next record torn at any byte), the node is
//! crashed, alone and together with each other node, and the copy goes on until the group is well
//! again, under the eyes of all oracles. Two more copies crash all nodes at once.
//!
//! At the end of a history stored records decay, see `decay`.
//!
//! # What is guaranteed, and what is not
//!
//! A power cut, whatever it leaves of what was not synced, loses nothing that left a node. A
//! damaged record is refused when its driver keeps a checksum of each, and as long as a minority
//! is damaged nothing that was acknowledged is lost.
//!
//! Not guaranteed: anything after damage that a checksum misses, after a majority was wiped, or on
//! a medium that lies about syncs. The *latest* record, damaged after its sync, looks like a torn
//! one unless its format tells them apart, as that of [`contract::Journal`](crate::contract::Journal)
//! does for a flipped bit; where a medium loses a page in the middle of an unsynced record such a
//! format refuses, which is safe, and the node has to join anew.
//!
//! # Bounds
//!
//! One power cut in each copy (of one node, two, or all). Records of up to
//! [`Settings::exact_bytes_max`] bytes are torn at every byte, longer ones at their borders and at
//! some places between; of two nodes that crash together each is torn in the middle. The disk
//! keeps the order of its operations: subsets that are no prefix are for
//! [`contract`](crate::contract).

mod decay;
mod script;

use core::fmt;

use crate::Sabotage;
use crate::contract::cuts;
use crate::oracle::Violation;
use crate::world::disk::Remains;
use crate::world::queue::Due;
use crate::world::trace::Verbosity;
use crate::world::{Options, World};

pub use decay::Decay;
pub use script::{SCRIPTS, Script};

use script::Act;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Records of at most so many bytes are torn at every byte.
    pub exact_bytes_max: usize,
    /// Run this point alone, and say what happens.
    pub only: Option<u64>,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// Whether the driver takes a damaged record at the end for a torn one: a seeded fault.
    pub ignores_damage: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            exact_bytes_max: 64,
            only: None,
            sabotage: Sabotage::None,
            ignores_damage: false,
        }
    }
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Histories that ended.
    pub histories: u64,
    /// Moments at which a disk had something else to do than before.
    pub boundaries: u64,
    /// Crash points: such a moment, who crashes, and what remains.
    pub points: u64,
    /// Of these, with a record torn.
    pub torn: u64,
    /// Of these, with two nodes.
    pub pairs: u64,
    /// Of these, with all nodes.
    pub blackouts: u64,
    /// Stored records that were damaged.
    pub decays: u64,
    /// Damaged nodes that were refused, removed, wiped, and let in again.
    pub rejoined: u64,
    /// Groups that stood still because every replica was damaged.
    pub halts: u64,
    /// Steps of the worlds.
    pub steps: u64,
}

/// What went wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which script.
    pub script: &'static str,
    /// The seed that it ran with.
    pub seed: u64,
    /// Which point of it.
    pub point: u64,
    /// What happened there.
    pub what: String,
    /// Who noticed what.
    pub violation: Violation,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "script {}, seed {}, point {}: {}\n  {}",
            self.script, self.seed, self.point, self.what, self.violation
        )
    }
}

impl std::error::Error for Finding {}

/// Two worlds whose buffers are used again: the history, and a copy that is crashed.
#[derive(Debug)]
pub struct Room {
    world: World,
    fork: World,
    /// What each disk had to do when last looked at.
    seen: Vec<Vec<Option<usize>>>,
    stored: Vec<(usize, usize)>,
    settings: Settings,
    place: (&'static str, u64),
    point: u64,
    tally: Tally,
}

/// Hundredths of an election timeout in which a group must come together.
const PATIENCE: u64 = 6_000;

impl Room {
    /// An empty one.
    pub fn new(settings: Settings) -> Self {
        Room {
            world: World::blank(),
            fork: World::blank(),
            seen: Vec::new(),
            stored: Vec::new(),
            settings,
            place: ("", 0),
            point: 0,
            tally: Tally::default(),
        }
    }

    /// What was done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Runs a script with a seed, and crashes it everywhere.
    ///
    /// # Errors
    ///
    /// [`Finding`]: the first point at which an oracle noticed something.
    pub fn run(&mut self, script: Script, seed: u64) -> Result<(), Box<Finding>> {
        self.place = (script.name, seed);
        self.point = 0;
        let options = Options {
            sabotage: self.settings.sabotage,
            ..Options::default()
        };
        let begun = self.world.reset_as(script.swarm(seed), seed, options);
        self.check(begun, || "the history begins".into())?;
        self.look();
        self.come_together(script.is_crashed_early)?;
        for act in script.acts {
            self.act(*act)?;
        }
        self.decay_all()?;
        self.tally.histories += 1;
        Ok(())
    }

    fn check(
        &self,
        result: Result<(), Violation>,
        what: impl FnOnce() -> String,
    ) -> Result<(), Box<Finding>> {
        result.map_err(|violation| {
            Box::new(Finding {
                script: self.place.0,
                seed: self.place.1,
                point: self.point,
                what: what(),
                violation,
            })
        })
    }

    /// Lets time pass until the founders are all in.
    fn come_together(&mut self, is_crashed: bool) -> Result<(), Box<Finding>> {
        let end = self.world.now.plus(self.world.swarm.part(PATIENCE));
        while self.world.now < end && !self.is_together() {
            self.step(is_crashed)?;
        }
        Ok(())
    }

    fn is_together(&self) -> bool {
        let founders = self.world.swarm.founders;
        let leader = self.world.leader().map(|leader| &self.world.hosts[leader]);
        leader
            .and_then(|host| host.raft.as_ref())
            .is_some_and(|raft| {
                let is_settled = !raft.is_joint() && raft.configuration_index() <= raft.commit();
                raft.is_established() && is_settled && raft.members().count() >= founders
            })
    }

    fn step(&mut self, is_crashed: bool) -> Result<(), Box<Finding>> {
        let stepped = self.world.step().map(drop);
        self.tally.steps += 1;
        self.check(stepped, || "the history itself".into())?;
        if is_crashed {
            self.crash_changed()?;
        }
        Ok(())
    }

    fn act(&mut self, act: Act) -> Result<(), Box<Finding>> {
        let world = &mut self.world;
        let leader = world.leader();
        let follower = (0..world.swarm.founders).find(|host| Some(*host) != leader);
        let done = match (act, leader, follower) {
            (Act::Pass(parts), ..) => {
                let end = world.now.plus(world.swarm.part(parts));
                while self.world.now < end {
                    self.step(true)?;
                }
                Ok(())
            }
            (Act::Propose(count, len), ..) => {
                let leaders: Vec<_> = world.leaders().collect();
                let mut leaders = leaders.into_iter();
                leaders.try_for_each(|leader| world.propose_to(leader, count, len.max(8)))
            }
            (Act::CutLeader, Some(host), _) | (Act::CutFollower, _, Some(host)) => {
                for other in (0..world.hosts.len()).filter(|other| *other != host) {
                    world.network.cut(host, other);
                    world.network.cut(other, host);
                }
                Ok(())
            }
            (Act::Heal, ..) => {
                world.network.heal();
                Ok(())
            }
            (Act::Campaign(host), ..) => world.campaign(host),
            (Act::Admit, Some(leader), _) => decay::admit_last(world, leader),
            (Act::Replace, Some(leader), Some(follower)) => decay::replace(world, leader, follower),
            (Act::CutLeader | Act::CutFollower | Act::Admit | Act::Replace, ..) => Ok(()),
        };
        self.check(done, || format!("{act:?}"))?;
        self.crash_changed()
    }

    /// Notes what the disks have to do; says for whom that has changed.
    fn look(&mut self) -> u64 {
        let count = self.world.hosts.len();
        self.seen.resize_with(count, Vec::new);
        self.stored.resize(count, (0, 0));
        let mut changed = 0;
        for (number, host) in self.world.hosts.iter().enumerate() {
            let seen = &mut self.seen[number];
            let stored = host.disk.stored();
            let is_same = host.disk.under_way().eq(seen.iter().copied());
            if !is_same || stored != self.stored[number] {
                changed |= 1 << number;
                self.stored[number] = stored;
                seen.clear();
                seen.extend(host.disk.under_way());
            }
        }
        changed
    }

    fn crash_changed(&mut self) -> Result<(), Box<Finding>> {
        let changed = self.look();
        if self.world.is_installing() {
            return Ok(());
        }
        for host in 0..self.world.hosts.len() {
            if changed & (1 << host) != 0 && self.world.hosts[host].raft.is_some() {
                self.tally.boundaries += 1;
                self.crash_one(host)?;
                self.crash_with_others(host)?;
            }
        }
        Ok(())
    }

    fn crash_one(&mut self, host: usize) -> Result<(), Box<Finding>> {
        let count = self.seen[host].len();
        for whole in 0..=count {
            self.crash(&[(host, Remains { whole, torn: None })])?;
            let Some(Some(len)) = self.seen[host].get(whole).copied() else {
                continue;
            };
            for bytes in cuts(len, self.settings.exact_bytes_max) {
                let torn = Some(bytes);
                self.tally.torn += 1;
                self.crash(&[(host, Remains { whole, torn })])?;
            }
        }
        Ok(())
    }

    /// Nothing, everything, and the first record torn in the middle.
    fn some_remains(&self, host: usize) -> Vec<Remains> {
        let seen = &self.seen[host];
        let mut some = vec![Remains::default()];
        if let Some(first) = seen.first() {
            let whole = seen.len();
            some.push(Remains { whole, torn: None });
            let torn = first.map(|len| len / 2);
            some.extend(torn.map(|bytes| Remains {
                whole: 0,
                torn: Some(bytes),
            }));
        }
        some
    }

    fn crash_with_others(&mut self, host: usize) -> Result<(), Box<Finding>> {
        let mine = self.some_remains(host);
        for other in (0..self.world.hosts.len()).filter(|other| *other != host) {
            if self.world.hosts[other].raft.is_none() {
                continue;
            }
            for theirs in self.some_remains(other) {
                for mine in &mine {
                    self.tally.pairs += 1;
                    self.crash(&[(host, *mine), (other, theirs)])?;
                }
            }
        }
        for is_kept in [false, true] {
            let remains = |host: usize| Remains {
                whole: if is_kept { self.seen[host].len() } else { 0 },
                torn: None,
            };
            let all: Vec<_> = (0..self.world.hosts.len())
                .map(|host| (host, remains(host)))
                .collect();
            self.tally.blackouts += 1;
            self.crash(&all)?;
        }
        Ok(())
    }

    /// One point: these nodes crash, this remains, and the group must get well again.
    fn crash(&mut self, crashed: &[(usize, Remains)]) -> Result<(), Box<Finding>> {
        self.point += 1;
        if self.settings.only.is_some_and(|only| only != self.point) {
            return Ok(());
        }
        self.tally.points += 1;
        self.fork.copy_from(&self.world);
        if self.settings.only.is_some() {
            self.fork.trace.reset(Verbosity::Print);
        }
        let fork = &mut self.fork;
        for (host, remains) in crashed {
            fork.trace
                .say(fork.now, *host, || format!("CRASHES, {remains:?}"));
            fork.hosts[*host].cut(fork.now, *remains);
        }
        // Mostly they come back at once; sometimes only when others have taken over.
        let recovered = match self.point % 4 {
            0 => pass(fork, 300).and_then(|()| recover(fork)),
            _ => recover(fork),
        };
        self.check(recovered, || format!("crash of {}", names(crashed)))
    }
}

fn names(crashed: &[(usize, Remains)]) -> String {
    let names = crashed.iter().map(|(host, remains)| {
        let torn = remains.torn.map_or(String::new(), |bytes| {
            format!(" and {bytes} bytes of the next")
        });
        format!(
            "node {} with {} operations{torn} done",
            host + 1,
            remains.whole
        )
    });
    names.collect::<Vec<_>>().join(", ")
}

/// Lets so many hundredths of an election timeout pass.
pub(crate) fn pass(world: &mut World, parts: u64) -> Result<(), Violation> {
    let end = world.now.plus(world.swarm.part(parts));
    // When all are down nothing is due for a long time: time passes all the same.
    while world.queue.next().is_some_and(|at| at <= end) {
        world.step()?;
    }
    world.now = end;
    Ok(())
}

/// Everybody comes back, and the group must commit and catch up.
pub(crate) fn recover(world: &mut World) -> Result<(), Violation> {
    world.calm();
    let soon = world.now.plus(world.swarm.part(20));
    world.queue.push(soon, Due::Propose);
    world.run_to_end()
}

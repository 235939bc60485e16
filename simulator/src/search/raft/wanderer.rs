//! Random worlds that begin where a profile of the search begins, to see what they visit of it.

use clocks::Duration;

use super::pace::{ELECTION_MAX, ELECTION_MIN};
use super::profile::Profile;
use super::shape::Beginning;
use crate::oracle::Violation;
use crate::stage::{Setting, Stage};
use crate::world::World;
use crate::world::decision::Left;
use crate::world::host::Host;
use crate::world::queue::Due;
use crate::world::random::{Random, Stream};
use crate::world::swarm::{NEVER, Swarm, Weights};

/// Members of the groups that are compared.
pub(super) const MEMBERS: usize = 3;
/// Worlds that are kept to go on from, 4 MiB each.
const KEPT: usize = 256;
/// A run ends whose form is the same for so many steps,
const STALE: u32 = 150;
/// or one that goes on from another if it met nothing new for so many.
const FORK_STALE: u32 = 20;

/// A world that begins where the profile begins.
pub struct Wanderer {
    settled: World,
    pub(super) world: World,
    pub(super) beginning: Beginning,
    /// Each with how often a run went on from it.
    kept: Vec<(u32, World)>,
    pub(super) is_fork: bool,
    habit: Habit,
}

/// What a wanderer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// Each run begins where the profile begins.
    Plain,
    /// Nearly all runs go on from where an earlier one met something new, with new chance.
    Forks,
    /// A seeded fault: nothing is delayed or lost, and nobody crashes.
    Tame,
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
        let mut settled = Stage::settled(setting, 1)?.into_world();
        // As in the profile, nothing stands in the logs.
        settled.swarm.compact_after = 1;
        let is_compacted = |host: &Host| {
            let raft = host.raft.as_ref();
            raft.is_some_and(|raft| raft.base().index == raft.last().index)
                && !host.disk.is_writing()
        };
        while !settled.hosts.iter().all(is_compacted) {
            settled.step()?;
        }
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
            is_fork: false,
            habit,
        })
    }

    /// After how many steps without anything new a run ends.
    pub(super) fn patience(&self) -> u32 {
        if self.is_fork { FORK_STALE } else { STALE }
    }

    /// Keeps the world as it is now, in the place of another if there are many.
    pub(super) fn keep(&mut self, random: &mut Random) {
        if self.habit != Habit::Forks {
            return;
        }
        if self.kept.len() < KEPT {
            self.kept.push((0, World::blank()));
            let last = self.kept.len() - 1;
            return self.kept[last].1.copy_from(&self.world);
        }
        // In the place of one that was used often.
        let places = [(); 4].map(|()| random.index(KEPT));
        let place = places.into_iter().max_by_key(|place| self.kept[*place].0);
        let (uses, world) = &mut self.kept[place.unwrap_or(0)];
        *uses = 0;
        world.copy_from(&self.world);
    }

    /// The settled group, restarted as in the profile, with the chance of another seed.
    pub(super) fn begin(&mut self, profile: &Profile, seed: u64, random: &mut Random) {
        let swarm = self.swarm(profile, seed);
        let world = &mut self.world;
        self.is_fork = !self.kept.is_empty() && random.chance(990);
        if self.is_fork {
            let places = [(); 4].map(|()| random.index(self.kept.len()));
            let place = places.into_iter().min_by_key(|place| self.kept[*place].0);
            let (uses, kept) = &mut self.kept[place.unwrap_or(0)];
            *uses += 1;
            world.copy_from(kept);
            world.reseed(seed);
            world.swarm = swarm;
            return shuffle(world, random);
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
            // The profile has so few frames under way that many get lost.
            loss: seeds.pick(&[drawn.loss, 300, 700]),
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

/// What is under way and ahead is drawn anew: of the frames a third is lost and a third is late, and a
/// third of the hosts stands still for a while. Some fault strikes soon.
fn shuffle(world: &mut World, random: &mut Random) {
    let late = ELECTION_MAX.saturating_mul(3);
    for frame in world.queue.take_frames() {
        let delay = match random.below(3) {
            0 => {
                world.network.lose(frame);
                continue;
            }
            1 => random.duration(Duration::ZERO, late),
            _ => random.duration(world.swarm.delay.0, world.swarm.delay.1),
        };
        world.queue.push(world.now.plus(delay), Due::Deliver(frame));
    }
    for host in &mut world.hosts[..] {
        if random.chance(333) {
            let time = random.duration(Duration::ZERO, late);
            host.paused_until = world.now.plus(time);
        }
    }
    let soon = random.duration(Duration::ZERO, ELECTION_MIN);
    world.queue.push(world.now.plus(soon), Due::Fault);
}

#[cfg(test)]
mod tests {
    use super::super::{Grain, RaftSpace, Sabotage, names::renamings, situation::Viewpoint};
    use super::*;
    use crate::search::space::Space;

    #[test]
    fn a_random_world_begins_where_the_search_begins() {
        let renamings = renamings(MEMBERS);
        let known = Default::default();
        let viewpoint = |beginning| Viewpoint {
            grain: Grain::Situations,
            beginning,
            renamings: &renamings,
            known: &known,
        };
        let profile = super::super::profile("elections", 1).expect("there is such a profile");
        let mut space = RaftSpace::new(profile, Sabotage::None, 0);
        let state = space.initial();
        let seen = viewpoint(space.beginning());
        let ours = [0, 1, 2].map(|place: usize| {
            let local = space.nodes.locals.get(state.nodes[place]);
            seen.words(&local.machine)
        });
        let mut wanderer = Wanderer::new(Habit::Tame).expect("a sound beginning");
        wanderer.begin(&profile, 1, &mut Random::new(1, Stream::Workload));
        let world = &mut wanderer.world;
        let is_down = |host: &Host| host.raft.is_none() || host.disk.is_writing();
        while world.hosts.iter().any(is_down) {
            world.step().expect("they come up");
        }
        let seen = viewpoint(wanderer.beginning);
        for (host, ours) in world.hosts.iter().zip(ours) {
            assert_eq!(seen.words(host.raft.as_ref().expect("it is up")), ours);
        }
    }
}

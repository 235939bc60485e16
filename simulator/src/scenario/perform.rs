//! Telling a story: each line is carried out by the functions with which a seed's world carries
//! out what it has drawn.

use clocks::Duration;
use raft_core::Change;

use crate::oracle::{Bench, Violation};
use crate::scenario::pool::Pool;
use crate::scenario::{Knobs, Scenario, Step};
use crate::world::clock::Moment;
use crate::world::decision::{Alteration, Decision, Illness, Pattern};
use crate::world::happening::What;
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::swarm::HOSTS_MAX;
use crate::world::trace::Verbosity;
use crate::world::{Options, World};

/// What happens by itself between two lines, at most: more is a storm that feeds itself.
const SETTLE_MAX: usize = 20_000;

/// What came of a story.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which lines meant something; those after a violation do not.
    pub happened: Vec<bool>,
    /// Which line was the last.
    pub last: usize,
    /// What went wrong.
    pub violation: Option<Violation>,
    /// The world at the end, with its trace.
    pub world: World,
    /// How much of what was kept happened before the first line.
    pub begins: usize,
    /// For each line the earlier ones on which it rests directly.
    pub causes: Vec<Vec<usize>>,
}

impl Scenario {
    /// Runs it, every oracle on the bench, and keeps all that happens.
    pub fn play(&self) -> Played {
        self.play_with(Bench::ALL, Verbosity::Keep)
    }

    /// Runs it with these oracles.
    pub fn play_with(&self, bench: Bench, verbosity: Verbosity) -> Played {
        self.play_in(World::blank(), bench, verbosity)
    }

    /// Runs it in the buffers of a world that is not needed any more.
    pub(super) fn play_in(&self, world: World, bench: Bench, verbosity: Verbosity) -> Played {
        let mut teller = Teller {
            world,
            causes: vec![Vec::new(); self.steps.len()],
            latest: [None; HOSTS_MAX],
            frozen: Vec::new(),
        };
        let mut violation = teller.prepare(&self.knobs, bench, verbosity).err();
        let begins = teller.world.trace().happenings().len();
        let mut happened = vec![false; self.steps.len()];
        let mut last = 0;
        for (place, step) in self.steps.iter().enumerate() {
            if violation.is_some() {
                break;
            }
            last = place;
            match teller.tell(place, step) {
                Ok(did) => happened[place] = did,
                Err(found) => {
                    happened[place] = true;
                    violation = Some(found);
                }
            }
        }
        Played {
            happened,
            last,
            violation,
            begins,
            world: teller.world,
            causes: teller.causes,
        }
    }
}

/// A world that is told what to do.
struct Teller {
    world: World,
    causes: Vec<Vec<usize>>,
    /// Per host the latest line that concerned it.
    latest: [Option<usize>; HOSTS_MAX],
    frozen: Vec<(usize, Illness)>,
}

impl Teller {
    /// What comes before the first line: machines are set up, and members gather.
    fn prepare(
        &mut self,
        knobs: &Knobs,
        bench: Bench,
        verbosity: Verbosity,
    ) -> Result<(), Violation> {
        let options = Options {
            bench,
            sabotage: knobs.sabotage,
            verbosity,
            ..Options::default()
        };
        let world = &mut self.world;
        world.rots_after = knobs.rot;
        world.reset_as(knobs.swarm(), knobs.seed, options)?;
        world.trace.name_frames();
        // What is written while machines are set up is stored before anything else happens.
        while world.queue.next() == Some(Moment::default()) {
            world.step()?;
        }
        let mut pool = Box::<Pool>::default();
        (pool.links, pool.disks) = ([u64::MAX; HOSTS_MAX], u64::MAX);
        pool.step = usize::MAX;
        world.pool = Some(pool);
        if knobs.members != 0 {
            self.gather(knobs.members)?;
        }
        if let Some(pool) = &mut self.world.pool {
            (pool.links, pool.disks) = (knobs.links, knobs.disks);
        }
        Ok(())
    }

    /// The founder lets the members in before the story begins.
    fn gather(&mut self, members: u64) -> Result<(), Violation> {
        let others = (1..self.world.hosts.len()).filter(|host| members >> host & 1 == 1);
        let voters: Vec<_> = others.map(|host| Alteration::Voter(host as u8)).collect();
        let changes = self.changes(&voters);
        if !changes.is_empty() {
            self.world.reconfigure_at(0, &changes)?;
            self.settle()?;
        }
        // Everybody hears that it is settled.
        for _ in 0..2 {
            self.wake(0, false)?;
            self.settle()?;
        }
        Ok(())
    }

    /// Carries out one line; says whether it meant anything.
    fn tell(&mut self, place: usize, step: &Step) -> Result<bool, Violation> {
        if let Some(pool) = &mut self.world.pool {
            pool.step = place;
        }
        let before = self.world.now;
        if let Some(at) = step.at {
            self.world.now = before.max(at);
        }
        let did = self.perform(place, step)?;
        self.settle()?;
        if !did {
            // As if the line were not there.
            self.world.now = before;
        }
        Ok(did)
    }

    /// Remembers on which lines this one rests.
    fn concern(&mut self, place: usize, host: usize) {
        let before = self.latest[host].replace(place);
        if let (Some(before), Some(causes)) = (before, self.causes.get_mut(place)) {
            causes.push(before);
        }
    }

    fn perform(&mut self, place: usize, step: &Step) -> Result<bool, Violation> {
        let count = self.world.hosts.len();
        if step.decision.hosts().any(|host| host >= count) {
            return Ok(false);
        }
        if let Some(host) = step.decision.host() {
            self.concern(place, host);
        }
        let world = &mut self.world;
        match step.decision {
            Decision::Deliver(ref pattern) => return self.deliver(place, pattern),
            Decision::Wake(host) => return self.wake(host.into(), step.at.is_some()),
            Decision::Store(host) | Decision::Fail(host, _) => {
                let number = usize::from(host);
                if world.hosts[number].disk.operations() == 0 {
                    return Ok(false);
                }
                let left = match step.decision {
                    Decision::Fail(_, left) => Some(left),
                    _ => None,
                };
                world.end_write(number, left)?;
            }
            Decision::Crash(host, left) => {
                if world.hosts[usize::from(host)].raft.is_none() {
                    return Ok(false);
                }
                world.crash_leaving(host.into(), left);
            }
            Decision::Restart(host) => {
                let number = usize::from(host);
                if world.hosts[number].raft.is_some() || world.hosts[number].is_frozen {
                    return Ok(false);
                }
                world.restart(number)?;
            }
            Decision::Wipe(host) => {
                let Some(group) = world.group() else {
                    return Ok(false);
                };
                world.wipe_host(host.into(), group)?;
            }
            Decision::Propose(host, count, bytes) => {
                let raft = world.hosts[usize::from(host)].raft.as_ref();
                if !raft.is_some_and(|raft| raft.is_leader()) {
                    return Ok(false);
                }
                world.propose_to(host.into(), count.into(), bytes as usize)?;
            }
            Decision::Read(host, count) => world.read_at(host.into(), count.into())?,
            Decision::Campaign(host) => world.campaign(host.into())?,
            Decision::Rouse(host) => world.rouse(host.into())?,
            Decision::Transfer(host, to) => {
                let raft = world.hosts[usize::from(host)].raft.as_ref();
                if !raft.is_some_and(|raft| raft.is_leader()) {
                    return Ok(false);
                }
                world.transfer_at(host.into(), to.into())?;
            }
            Decision::Reconfigure(host, ref all) => {
                let changes = self.changes(all);
                let raft = self.world.hosts[usize::from(host)].raft.as_ref();
                if changes.is_empty() || !raft.is_some_and(|raft| raft.is_leader()) {
                    return Ok(false);
                }
                self.world.reconfigure_at(host.into(), &changes)?;
            }
            Decision::Unreachable(host, peer) => {
                world.notice_unreachable(host.into(), peer.into())?;
            }
            Decision::Clock(host, micros) => world.step_clock(host.into(), micros),
            Decision::StopClock(host) => world.stop_clock_of(host.into()),
            Decision::StartClock(host, catches_up) => {
                world.start_clock_of(host.into(), catches_up);
            }
            Decision::Rate(host, ppm) => world.set_clock_rate(host.into(), ppm),
            Decision::Rot(host) => {
                if world.hosts[usize::from(host)].raft.is_some() {
                    return Ok(false);
                }
                world.rot_host(host.into())?;
            }
            Decision::Freeze(host, illness) => {
                self.frozen.push((host.into(), illness));
                world.freeze_host(host.into(), illness);
            }
            Decision::Image(_) | Decision::Rewind if world.sabotage != Sabotage::Rewinds => {
                // Only a world that is broken in this way can do that.
                return Ok(false);
            }
            Decision::Image(host) => world.keep_image(host.into()),
            Decision::Rewind => world.take_image_back()?,
            Decision::Partition(ref sides) => self.partition(sides),
            Decision::Cut(from, to) => {
                world.network.cut(from.into(), to.into());
                world.announce(from.into(), &step.decision);
            }
            Decision::Heal => {
                world.network.heal();
                world.announce(0, &step.decision);
            }
            Decision::Busy(host, peers) => {
                world.network.block_links(host.into(), peers);
                world.announce(host.into(), &step.decision);
            }
            Decision::Free(host) => world.links_free(host.into())?,
            Decision::Lose(_) | Decision::Hold(_) | Decision::Stall(_) | Decision::Flow(_) => {
                self.arrange(&step.decision)
            }
            Decision::Run(micros) => self.run(Duration::from_micros(micros))?,
            Decision::Calm => self.calm(place)?,
        }
        Ok(true)
    }

    /// What only changes how the pool goes on.
    fn arrange(&mut self, decision: &Decision) {
        let Some(pool) = &mut self.world.pool else {
            return;
        };
        match *decision {
            Decision::Lose(pattern) => pool.add_rule(pattern, true),
            Decision::Hold(pattern) => pool.add_rule(pattern, false),
            Decision::Stall(host) => pool.stalled |= 1 << host,
            Decision::Flow(host) => pool.stalled &= !(1 << host),
            _ => {}
        }
    }

    fn changes(&self, all: &[Alteration]) -> Vec<Change> {
        let hosts = &self.world.hosts;
        let identity = |host: u8| hosts.get(usize::from(host))?.identity;
        let change = |alteration: &Alteration| {
            Some(match *alteration {
                Alteration::Voter(host) => Change::AddVoter(identity(host)?),
                Alteration::Learner(host) => Change::AddLearner(identity(host)?),
                Alteration::Witness(host) => Change::AddWitness(identity(host)?),
                Alteration::Promote(host) => Change::Promote(identity(host)?.node),
                Alteration::Demote(host) => Change::Demote(identity(host)?.node),
                Alteration::Remove(host) => Change::Remove(identity(host)?.node),
            })
        };
        all.iter().filter_map(change).collect()
    }

    fn deliver(&mut self, place: usize, pattern: &Pattern) -> Result<bool, Violation> {
        let world = &mut self.world;
        let (Some(pool), Some(names)) = (&world.pool, world.trace.names()) else {
            return Ok(false);
        };
        let Some(frame) = pool.find(pattern, names) else {
            return Ok(false);
        };
        if let (Some(causes), Some(origin)) = (self.causes.get_mut(place), pool.origin(frame)) {
            causes.push(origin);
        }
        self.arrive(frame)
    }

    /// A frame arrives; says whether anybody was there.
    fn arrive(&mut self, place: u32) -> Result<bool, Violation> {
        let world = &mut self.world;
        let Some(mut frame) = world.pool.as_mut().and_then(|pool| pool.take(place)) else {
            return Ok(false);
        };
        if world.hosts[frame.to].raft.is_none() {
            return Ok(false);
        }
        // Oracles judge by what was sent, whatever a seeded fault makes of it.
        let sent = (world.sabotage != Sabotage::None).then(|| frame.bytes.clone());
        if !world.sabotage.tamper(&mut frame.bytes) {
            return Ok(false);
        }
        let link = (frame.from, frame.to);
        world.receive(link, place, &frame.bytes, sent.as_deref())?;
        Ok(true)
    }

    /// A host wakes: now, or when it wants to.
    fn wake(&mut self, host: usize, is_timed: bool) -> Result<bool, Violation> {
        let world = &mut self.world;
        if world.hosts[host].raft.is_none() {
            return Ok(false);
        }
        if !is_timed && let Some(at) = world.wants_to_wake(host) {
            world.now = world.now.max(at);
        }
        world.wake_now(host)?;
        Ok(true)
    }

    /// Lets happen what happens by itself: frames arrive, then writes end, until nothing is left.
    fn settle(&mut self) -> Result<(), Violation> {
        self.world.queue.reset();
        for _ in 0..SETTLE_MAX {
            let Some(pool) = &mut self.world.pool else {
                return Ok(());
            };
            let place = pool.step;
            if let Some(frame) = pool.next_fresh() {
                let to = self.receiver(frame);
                self.arrive(frame)?;
                if let Some(to) = to {
                    self.concern(place, to);
                }
                continue;
            }
            let flowing = pool.disks & !pool.stalled;
            let hosts = &self.world.hosts;
            let is_due =
                |host: &usize| flowing >> host & 1 == 1 && hosts[*host].disk.operations() > 0;
            let Some(host) = (0..hosts.len()).find(is_due) else {
                return Ok(());
            };
            self.world.end_write(host, None)?;
            self.concern(place, host);
        }
        Ok(())
    }

    fn receiver(&self, frame: u32) -> Option<usize> {
        let name = self.world.trace.names()?.name(frame)?;
        Some(name.to.into())
    }

    fn partition(&mut self, sides: &[u64]) {
        let world = &mut self.world;
        world.network.heal();
        let side = |host: usize| sides.iter().position(|side| side >> host & 1 == 1);
        for from in 0..world.hosts.len() {
            for to in 0..world.hosts.len() {
                if let (Some(one), Some(other)) = (side(from), side(to))
                    && one != other
                {
                    world.network.cut(from, to);
                }
            }
        }
        world.announce(0, &Decision::Partition(sides.to_vec()));
    }

    /// Time goes by, and every host wakes when it wants to.
    fn run(&mut self, time: Duration) -> Result<(), Violation> {
        let end = self.world.now.plus(time);
        for _ in 0..SETTLE_MAX {
            let world = &self.world;
            let hosts = 0..world.hosts.len();
            let due = hosts.filter_map(|host| Some((world.wants_to_wake(host)?, host)));
            let Some((_, host)) = due.min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.wake(host, false)?;
            self.settle()?;
        }
        self.world.now = end;
        Ok(())
    }

    /// The storm is over: from here on the world goes on as that of a seed does.
    fn calm(&mut self, place: usize) -> Result<(), Violation> {
        for host in 0..self.world.hosts.len() {
            self.concern(place, host);
        }
        let world = &mut self.world;
        world.pool = None;
        world.queue.reset();
        world.has_grown = true;
        let now = world.now.plus(Duration::from_micros(1));
        for host in 0..world.hosts.len() {
            // When it would wake was in the queue, which nobody read.
            world.hosts[host].forget_wake();
            world.network.free_links(host);
            world.arm(host);
            let start = world.hosts[host].start;
            for _ in 0..world.hosts[host].disk.operations() {
                world.queue.push(now, Due::DiskDone(host, start));
            }
        }
        world.queue.push(now, Due::Propose);
        world.calm();
        for (host, illness) in std::mem::take(&mut self.frozen) {
            world.freeze_host(host, illness);
        }
        world.run_to_end()
    }
}

impl World {
    /// When a host wants to be woken.
    fn wants_to_wake(&self, host: usize) -> Option<Moment> {
        let host = &self.hosts[host];
        let deadline = host.raft.as_ref()?.poll_timeout()?;
        Some(host.clock.when(deadline).max(self.now))
    }

    /// A choice that is not about one host.
    fn announce(&mut self, host: usize, decision: &Decision) {
        let (now, decision) = (self.now, decision.clone());
        self.trace.note(now, host, || What::Decided(decision));
    }
}

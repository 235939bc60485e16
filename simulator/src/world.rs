//! The world: true time, what is due, the network, the hosts, the oracles.
//!
//! One call of [`World::step`] takes what is due next and lets it happen. Everything that looks
//! like chance comes from the seed, so a seed is a history.

pub mod app;
mod calm;
pub mod chain;
pub mod clients;
pub mod clock;
pub mod decision;
pub mod disk;
mod driver;
mod event;
pub mod faults;
pub mod happening;
pub mod host;
pub mod memory;
pub mod network;
pub mod queue;
pub mod quiet;
pub mod random;
mod reads;
pub mod reuse;
pub mod sabotage;
mod send;
pub mod stats;
pub mod swarm;
pub mod tamper;
pub mod trace;
mod witness;
mod workload;

use raft_core::{EntryId, GroupId};

use crate::hostile::traitor::Traitor;
use crate::linear::Operation;
use crate::oracle::{Bench, Judged, Liveness, NoMajority, Oracle, Oracles, Violation};
use crate::scenario::pool::Pool;
use crate::world::clock::{HostClock, Moment};
use crate::world::happening::Facts;
use crate::world::host::Host;
use crate::world::network::Network;
use crate::world::queue::{Due, Queue};
use crate::world::random::{Random, Stream};
use crate::world::reuse::{Shelf, copies_in_place};
use crate::world::sabotage::Sabotage;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::{FRAME_BYTES_MAX, HOSTS_MAX, Swarm};
use crate::world::trace::{Trace, Verbosity};

/// A history has some thousand steps; one with so many is a storm that feeds itself.
const STEPS_MAX: u64 = 1_000_000;

/// After how many borrows memory rots, if that is what is broken.
pub(crate) const ROT_AFTER: u32 = 400;

/// How a history is run, beside its seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The oracles that judge.
    pub bench: Bench,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// How much is put into words.
    pub verbosity: Verbosity,
    /// How many seeds are held against the reference model.
    pub reference: Share,
}

/// Of what is too slow for every seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Share {
    /// One seed in 32.
    #[default]
    Few,
    /// Every seed.
    Every,
    /// No seed.
    None,
}

impl Share {
    const fn has(self, seed: u64) -> bool {
        match self {
            Share::Few => seed.is_multiple_of(32),
            Share::Every => true,
            Share::None => false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            bench: Bench::ALL,
            sabotage: Sabotage::None,
            verbosity: Verbosity::Silent,
            reference: Share::default(),
        }
    }
}

/// Everything: plain data in buffers that stay. [`reset`](World::reset) makes it the world of
/// another seed, [`copy_from`](World::copy_from) a copy of another world, and neither asks for
/// memory once the buffers have grown.
#[derive(Debug)]
pub struct World {
    pub(crate) now: Moment,
    pub(crate) swarm: Swarm,
    pub(crate) sabotage: Sabotage,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) hosts: Shelf<Host>,
    pub(crate) oracles: Oracles,
    pub(crate) stats: Stats,
    pub(crate) trace: Trace,
    pub(crate) fault_random: Random,
    pub(crate) disk_random: Random,
    pub(crate) work_random: Random,
    group: Option<GroupId>,
    /// Set once the faults are over.
    pub(crate) liveness: Option<Liveness>,
    /// Set once every link is cut for good.
    pub(crate) apart: Option<NoMajority>,
    pub(crate) is_calm: bool,
    pub(crate) has_grown: bool,
    /// The frame that is being sent.
    pub(crate) frame: Vec<u8>,
    /// The frame that has arrived.
    arrived: Vec<u8>,
    /// The snapshot that is being made.
    pub(crate) snapshot: Vec<u8>,
    /// Which host sent the latest acknowledgement.
    pub(crate) acker: Option<usize>,
    /// An earlier image of a host, for the seeded fault that goes back to it.
    pub(crate) image: Option<(usize, Box<Host>)>,
    /// After how many borrows memory rots, if that is what is broken.
    pub(crate) rots_after: u32,
    /// Where frames wait for their delivery by name, if a story is told.
    pub(crate) pool: Option<Box<Pool>>,
    /// The commands that were applied and by whom, if somebody collects them.
    pub(crate) applied: Option<Vec<(usize, EntryId)>>,
    /// The host that lies, if one does.
    pub(crate) traitor: Option<Traitor>,
    steps: u64,
    is_over: bool,
}

copies_in_place!(World {
    now,
    swarm,
    sabotage,
    queue,
    network,
    hosts,
    oracles,
    stats,
    trace,
    fault_random,
    disk_random,
    work_random,
    group,
    liveness,
    apart,
    is_calm,
    has_grown,
    frame,
    arrived,
    snapshot,
    acker,
    image,
    rots_after,
    pool,
    applied,
    traitor,
    steps,
    is_over
});

/// What came of one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is more to come.
    Goes,
    /// The history ended well.
    Ends,
}

impl World {
    /// The world of a seed at its beginning.
    ///
    /// # Errors
    ///
    /// As [`reset`](World::reset).
    pub fn new(seed: u64, options: Options) -> Result<Self, Violation> {
        let mut world = World::blank();
        world.reset(seed, options)?;
        Ok(world)
    }

    /// A world without hosts, to be [`reset`](World::reset) or to become a copy. It has room for
    /// what worlds need, so that hardly any asks for more.
    pub fn blank() -> Self {
        let mut world = World::hollow();
        world.swarm.hosts = HOSTS_MAX;
        world.queue.reset();
        world.network.reset(Random::new(0, Stream::Network));
        world.oracles.reset(Bench::ALL);
        world.reset_hosts(0);
        world.hosts.clear();
        world
    }

    /// A world without room for anything.
    pub(crate) fn hollow() -> Self {
        let random = |stream| Random::new(0, stream);
        World {
            now: Moment::default(),
            swarm: Swarm::draw(0),
            sabotage: Sabotage::None,
            queue: Queue::default(),
            network: Network::new(random(Stream::Network)),
            hosts: Shelf::default(),
            oracles: Oracles::new(Bench::ALL),
            stats: Stats::default(),
            trace: Trace::new(Verbosity::Silent),
            fault_random: random(Stream::Faults),
            disk_random: random(Stream::Disk),
            work_random: random(Stream::Workload),
            group: None,
            liveness: None,
            apart: None,
            is_calm: false,
            has_grown: false,
            frame: Vec::with_capacity(FRAME_BYTES_MAX),
            arrived: Vec::with_capacity(FRAME_BYTES_MAX),
            snapshot: Vec::with_capacity(FRAME_BYTES_MAX),
            acker: None,
            image: None,
            rots_after: ROT_AFTER,
            pool: None,
            applied: None,
            traitor: None,
            steps: 0,
            is_over: true,
        }
    }

    /// Becomes the world of a seed at its beginning, whatever it was before.
    ///
    /// # Errors
    ///
    /// What an oracle noticed already while the machines were set up.
    pub fn reset(&mut self, seed: u64, options: Options) -> Result<(), Violation> {
        self.reset_as(Swarm::draw(seed), seed, options)
    }

    /// Becomes a world of this kind at its beginning; the seed chooses what else is left to chance.
    ///
    /// # Errors
    ///
    /// As [`reset`](World::reset).
    pub fn reset_as(&mut self, swarm: Swarm, seed: u64, options: Options) -> Result<(), Violation> {
        self.swarm = swarm;
        self.now = Moment::default();
        self.sabotage = options.sabotage;
        self.queue.reset();
        self.network.reset(Random::new(seed, Stream::Network));
        self.oracles.reset(options.bench);
        if options.reference.has(seed) {
            self.oracles.hold_against_reference();
        }
        self.stats = Stats::default();
        self.trace.reset(options.verbosity);
        self.fault_random = Random::new(seed, Stream::Faults);
        self.disk_random = Random::new(seed, Stream::Disk);
        self.work_random = Random::new(seed, Stream::Workload);
        (self.group, self.liveness, self.image) = (None, None, None);
        (self.acker, self.applied, self.apart, self.pool) = (None, None, None, None);
        (self.is_calm, self.has_grown, self.is_over) = (false, false, false);
        (self.steps, self.traitor) = (0, None);
        self.frame.resize(self.swarm.frame_bytes, 0);
        self.reset_hosts(seed);
        self.found()
    }

    fn reset_hosts(&mut self, seed: u64) {
        let mut random = Random::new(seed, Stream::Hosts);
        self.hosts.set_len(self.swarm.hosts);
        for number in 0..self.swarm.hosts {
            let most = self.swarm.clock_rate_ppm;
            let rate = random.between(0, 2 * most.unsigned_abs()) as i64 - most;
            let offset = clocks::Duration::from_micros(random.between(1, 1 << 40));
            let clock = HostClock::new(offset, rate);
            let own = Random::new(random.next_u64(), Stream::Hosts);
            self.hosts[number].reset(number, &self.swarm, clock, own);
        }
    }

    /// Goes on with other chance, as if everything that is random had been drawn from this seed.
    pub fn reseed(&mut self, seed: u64) {
        self.network.reseed(Random::new(seed, Stream::Network));
        self.fault_random = Random::new(seed, Stream::Faults);
        self.disk_random = Random::new(seed, Stream::Disk);
        self.work_random = Random::new(seed, Stream::Workload);
        let mut random = Random::new(seed, Stream::Hosts);
        for host in &mut self.hosts[..] {
            host.random = Random::new(random.next_u64(), Stream::Hosts);
        }
    }

    /// Whether the faults have stopped.
    pub fn is_over_the_storm(&self) -> bool {
        self.is_calm
    }

    /// Becomes a copy of another world.
    pub fn copy_from(&mut self, other: &World) {
        self.clone_from(other);
    }

    /// Bytes that a copy copies.
    pub fn bytes(&self) -> usize {
        let hosts: usize = self.hosts.iter().map(Host::bytes).sum();
        size_of::<Self>() + self.network.bytes() + hosts + self.oracles.bytes()
    }

    fn found(&mut self) -> Result<(), Violation> {
        let now = self.now;
        if self.sabotage == Sabotage::RotsMemory {
            self.hosts[0].rot(self.rots_after);
        }
        let founded = self.hosts[0].found(now);
        self.came_up(0, founded.map_err(|error| error.to_string()))?;
        self.group = self.hosts[0].raft.as_ref().map(|raft| raft.group());
        for host in 1..self.hosts.len() {
            let Some(group) = self.group else { break };
            let joined = self.hosts[host].join(group, now);
            self.came_up(host, joined.map_err(|error| error.to_string()))?;
        }
        let interval = self.swarm.fault_interval;
        self.queue.push(now.plus(interval), Due::Fault);
        let soon = self.swarm.part(10);
        self.queue.push(now.plus(soon), Due::Propose);
        self.queue.push(now.plus(soon), Due::Reconfigure);
        self.queue.push(now.plus(self.swarm.storm), Due::Calm);
        Ok(())
    }

    /// From now on one host lies. Drop the oracles that rest on agreement.
    pub fn betray(&mut self, traitor: Traitor) {
        self.traitor = Some(traitor);
    }

    /// The host that lies.
    pub fn traitor(&self) -> Option<&Traitor> {
        self.traitor.as_ref()
    }

    /// The current true time.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The options of this world.
    pub fn swarm(&self) -> &Swarm {
        &self.swarm
    }

    /// What was counted so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What happened so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Lets the next thing happen.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn step(&mut self) -> Result<Progress, Violation> {
        let Some((now, due)) = self.queue.pop() else {
            return Ok(Progress::Ends);
        };
        self.now = now;
        if let Some(host) = self.concerns(due)
            && self.hosts[host].paused_until > now
        {
            let later = self.hosts[host].paused_until;
            self.queue.push(later, due);
            return Ok(Progress::Goes);
        }
        self.steps += 1;
        if self.steps > STEPS_MAX {
            self.end();
            let what = format!("more than {STEPS_MAX} steps, and no end: {now}, {due:?}");
            self.judge(Oracle::Liveness, Err(what))?;
        }
        match due {
            Due::Deliver(frame) => self.deliver(frame)?,
            Due::Wake(host) => self.wake(host)?,
            Due::DiskDone(host, start) => self.disk_done(host, start)?,
            Due::Restart(host) => self.restart(host)?,
            Due::Unreachable(host, peer) => self.notice_unreachable(host, peer)?,
            Due::Fault => self.strike()?,
            Due::LinksFree(host) => self.links_free(host)?,
            Due::Heal => self.heal(),
            Due::Relieve(host) => self.relieve(host),
            Due::Propose => self.propose()?,
            Due::Reconfigure => self.reconfigure()?,
            Due::Calm => self.calm(),
            Due::Look => self.look()?,
        }
        Ok(if self.is_over {
            Progress::Ends
        } else {
            Progress::Goes
        })
    }

    /// Lets everything happen until the history ends.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn run_to_end(&mut self) -> Result<(), Violation> {
        while self.step()? == Progress::Goes {}
        Ok(())
    }

    /// After the end: gives what the clients saw in one of eight histories to the checker of
    /// [`crate::linear`].
    pub fn look_back(&mut self, seed: u64) -> Result<(), Violation> {
        if seed.is_multiple_of(8) && self.oracles.on_end()? {
            self.stats.add(Count::HistorySearched);
        }
        Ok(())
    }

    /// What the clients saw so far.
    pub fn client_history(&self) -> Vec<Operation> {
        self.oracles.clients.history().collect()
    }

    /// Whether machines are being set up: what they write then is stored before anything else
    /// happens, because whoever lets a node in must know that it remembers its name.
    pub(crate) fn is_installing(&self) -> bool {
        self.now == Moment::default()
    }

    /// The name of the group.
    pub(crate) fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// Judges something that only the world can see.
    pub(crate) fn judge(
        &mut self,
        oracle: Oracle,
        found: Result<(), String>,
    ) -> Result<(), Violation> {
        self.oracles.judge(oracle, found)
    }

    /// How often each oracle judged so far.
    pub fn judged(&self) -> &Judged {
        self.oracles.court().judged()
    }

    /// Lets the oracles look at a host.
    pub(crate) fn observe(&mut self, host: usize) -> Result<(), Violation> {
        let facts = || Facts::of(&self.hosts[host]);
        self.trace.look(self.now, host, facts);
        self.oracles.observe(host, &self.hosts, &mut self.stats)
    }

    /// The hosts on which a machine believes to lead.
    pub(crate) fn leaders(&self) -> impl DoubleEndedIterator<Item = usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts
            .filter(|(_, host)| host.raft.as_ref().is_some_and(|raft| raft.is_leader()))
            .map(|(number, _)| number)
    }

    /// The leader of the latest term.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.leaders()
            .max_by_key(|host| self.hosts[*host].raft.as_ref().map(|raft| raft.term()))
    }

    pub(crate) fn end(&mut self) {
        self.is_over = true;
    }
}

//! The world: true time, what is due, the network, the hosts, the oracles.
//!
//! One call of [`World::step`] takes what is due next and lets it happen. Everything that looks
//! like chance comes from the seed, so a seed is a history.

pub mod app;
pub mod chain;
pub mod clock;
pub mod decision;
pub mod disk;
mod driver;
mod faults;
pub mod happening;
pub mod host;
pub mod memory;
pub mod network;
pub mod queue;
pub mod random;
pub mod sabotage;
pub mod stats;
pub mod swarm;
pub mod trace;
mod workload;

use raft_core::{GroupId, wire};

use crate::oracle::{Bench, Judged, Liveness, Oracle, Oracles, Violation};
use crate::scenario::pool::Pool;
use crate::world::clock::{HostClock, Moment};
use crate::world::decision::Decision;
use crate::world::disk::Outcome;
use crate::world::happening::{Facts, What};
use crate::world::host::{Host, node};
use crate::world::network::{FrameId, Network};
use crate::world::queue::{Due, Queue};
use crate::world::random::{Random, Stream};
use crate::world::sabotage::Sabotage;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::Swarm;
use crate::world::trace::{Trace, Verbosity, describe};

/// A history has some thousand events; one with so many is a storm that feeds itself.
const EVENTS_MAX: u64 = 1_000_000;

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
}

impl Default for Options {
    fn default() -> Self {
        Options {
            bench: Bench::ALL,
            sabotage: Sabotage::None,
            verbosity: Verbosity::Silent,
        }
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) now: Moment,
    pub(crate) swarm: Swarm,
    pub(crate) sabotage: Sabotage,
    pub(crate) queue: Queue,
    pub(crate) network: Network,
    pub(crate) hosts: Vec<Host>,
    pub(crate) oracles: Oracles,
    pub(crate) stats: Stats,
    pub(crate) trace: Trace,
    pub(crate) fault_random: Random,
    pub(crate) disk_random: Random,
    pub(crate) work_random: Random,
    group: Option<GroupId>,
    /// Set once the faults are over.
    pub(crate) liveness: Option<Liveness>,
    pub(crate) is_calm: bool,
    pub(crate) has_grown: bool,
    pub(crate) commands: u64,
    pub(crate) frame: Vec<u8>,
    /// An earlier image of a host, for the seeded fault that goes back to it.
    pub(crate) image: Option<(usize, Host)>,
    /// Where frames wait for their delivery by name, if a story is told.
    pub(crate) pool: Option<Box<Pool>>,
    is_over: bool,
}

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
    pub fn new(seed: u64, options: Options) -> Result<Self, Violation> {
        World::with_swarm(seed, Swarm::draw(seed), options, ROT_AFTER)
    }

    /// A world with these options, at its beginning; `rot` is after how many borrows memory rots,
    /// if that is what is broken.
    pub(crate) fn with_swarm(
        seed: u64,
        swarm: Swarm,
        options: Options,
        rot: u32,
    ) -> Result<Self, Violation> {
        let mut random = Random::new(seed, Stream::Hosts);
        let hosts = (0..swarm.hosts)
            .map(|number| {
                let most = swarm.clock_rate_ppm;
                let rate = random.between(0, 2 * most.unsigned_abs()) as i64 - most;
                let offset = clocks::Duration::from_micros(random.between(1, 1 << 40));
                let own = Random::new(random.next_u64(), Stream::Hosts);
                Host::new(number, &swarm, HostClock::new(offset, rate), own)
            })
            .collect();
        let mut world = World {
            now: Moment::default(),
            sabotage: options.sabotage,
            queue: Queue::default(),
            network: Network::new(Random::new(seed, Stream::Network)),
            hosts,
            oracles: Oracles::new(options.bench),
            stats: Stats::default(),
            trace: Trace::new(options.verbosity),
            fault_random: Random::new(seed, Stream::Faults),
            disk_random: Random::new(seed, Stream::Disk),
            work_random: Random::new(seed, Stream::Workload),
            group: None,
            liveness: None,
            is_calm: false,
            has_grown: false,
            commands: 0,
            frame: vec![0; swarm.frame_bytes],
            image: None,
            pool: None,
            is_over: false,
            swarm,
        };
        world.found(rot)?;
        Ok(world)
    }

    fn found(&mut self, rot: u32) -> Result<(), Violation> {
        let now = self.now;
        if self.sabotage == Sabotage::RotsMemory {
            self.hosts[0].rot(rot);
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
        let soon = clocks::Duration::from_millis(10);
        self.queue.push(now.plus(soon), Due::Propose);
        self.queue.push(now.plus(soon), Due::Reconfigure);
        self.queue.push(now.plus(self.swarm.storm), Due::Calm);
        Ok(())
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
        self.stats.add(Count::Event);
        if self.stats.count(Count::Event) > EVENTS_MAX {
            self.end();
            let what = format!("more than {EVENTS_MAX} events, and no end");
            self.judge(Oracle::Liveness, Err(what))?;
        }
        match due {
            Due::Deliver(frame) => self.deliver(frame)?,
            Due::Wake(host) => self.wake(host)?,
            Due::DiskDone(host, start) => self.disk_done(host, start)?,
            Due::Restart(host) => self.restart(host)?,
            Due::Unreachable(host, peer) => self.notice_unreachable(host, peer)?,
            Due::Fault => self.strike()?,
            // When the storm is over all is healed but those who stay unwell.
            Due::Heal if self.is_calm => {}
            Due::Heal => self.network.heal(),
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

    /// Whether machines are being set up: what they write then is stored before anything else
    /// happens, because whoever lets a node in must know that it remembers its name.
    pub(crate) fn is_installing(&self) -> bool {
        self.now == Moment::default()
    }

    /// Which host something happens to, if it can be paused.
    fn concerns(&self, due: Due) -> Option<usize> {
        match due {
            Due::Deliver(frame) => Some(self.network.receiver(frame)),
            Due::Wake(host) | Due::DiskDone(host, _) | Due::Unreachable(host, _) => Some(host),
            Due::Restart(_)
            | Due::Fault
            | Due::Heal
            | Due::Propose
            | Due::Reconfigure
            | Due::Calm
            | Due::Look => None,
        }
    }

    fn deliver(&mut self, id: FrameId) -> Result<(), Violation> {
        let frame = self.network.take(id);
        if !self.network.delivers(&frame) {
            self.network.recycle(frame.bytes);
            return Ok(());
        }
        let (from, to) = (frame.from, frame.to);
        let Some(bytes) = self.sabotage.tamper(frame.bytes) else {
            return Ok(());
        };
        let result = self.receive(from, to, frame.name, &bytes);
        self.network.recycle(bytes);
        result?;
        self.drain(to)
    }

    pub(crate) fn receive(
        &mut self,
        from: usize,
        to: usize,
        name: u32,
        bytes: &[u8],
    ) -> Result<(), Violation> {
        let host = &mut self.hosts[to];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        let message = match wire::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                let what = format!("a frame of host {} does not decode: {error}", from + 1);
                return self.judge(Oracle::Invariants, Err(what));
            }
        };
        let now = self.now;
        self.trace.deliver(now, to, name);
        self.trace
            .say(now, to, || What::Arrived(from, name, describe(&message)));
        self.trace.record(
            now.as_micros(),
            (to as u64) << 32 | (from as u64) << 24 | bytes.len() as u64,
        );
        let local = host.clock.show(now);
        // A machine that has stopped says so to the oracle of invariants.
        let piece = raft.handle_message(local, node(from), message);
        if let Ok(Some(piece)) = piece {
            self.store_piece(to, piece);
        }
        self.observe(to)
    }

    pub(crate) fn wake(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        let woken = &mut self.hosts[host];
        woken.retries = false;
        if woken.wake_at.is_some_and(|at| at <= now) {
            woken.wake_at = None;
        }
        let local = woken.clock.show(now);
        let Some(raft) = woken.raft.as_mut() else {
            return Ok(());
        };
        let decision = || Decision::Wake(host as u8);
        self.trace.decide(now, host, decision);
        self.trace.record(now.as_micros(), 1 << 40 | host as u64);
        let _ = raft.handle_timeout(local);
        self.observe(host)?;
        self.drain(host)?;
        let raft = self.hosts[host].raft.as_ref();
        let again = raft.and_then(|raft| raft.poll_timeout());
        match again.filter(|deadline| *deadline <= local) {
            Some(_) => self.judge(
                Oracle::Invariants,
                Err(format!("host {} wants to be woken without end", host + 1)),
            ),
            None => Ok(()),
        }
    }

    fn disk_done(&mut self, host: usize, start: u32) -> Result<(), Violation> {
        if self.hosts[host].start != start {
            return Ok(());
        }
        let is_safe = self.is_calm || self.is_installing();
        let fails = !is_safe && self.disk_random.chance(self.swarm.write_failure);
        let disk = &self.hosts[host].disk;
        let failed = if fails {
            disk.draw_failure(&mut self.disk_random)
        } else {
            None
        };
        self.end_write(host, failed)
    }

    /// The oldest operation of a disk is done, or it failed and left so many bytes.
    pub(crate) fn end_write(&mut self, host: usize, failed: Option<u32>) -> Result<(), Violation> {
        let now = self.now;
        let number = host as u8;
        self.trace.decide(now, host, || match failed {
            Some(left) => Decision::Fail(number, left),
            None => Decision::Store(number),
        });
        let disk = &mut self.hosts[host].disk;
        let outcome = disk.finish(failed, &mut self.stats);
        self.trace
            .say(now, host, || What::Disk(disk_words(&outcome)));
        self.trace.record(now.as_micros(), 2 << 40 | host as u64);
        let owner = &mut self.hosts[host];
        let local = owner.clock.show(now);
        let Some(raft) = owner.raft.as_mut() else {
            return Ok(());
        };
        let reported = match outcome {
            Outcome::Stored(Some(ticket)) => raft.handle_persisted(local, ticket),
            Outcome::Failed(Some(ticket)) => raft.handle_persist_failed(local, ticket),
            Outcome::Piece(receipt) => {
                self.stats.add(Count::PieceStored);
                raft.handle_stored(local, receipt)
            }
            Outcome::Damaged(name) => {
                let what = format!("host {} received a damaged {name:?}", host + 1);
                return self.judge(Oracle::StateMachineSafety, Err(what));
            }
            Outcome::Stored(None) | Outcome::Failed(None) | Outcome::Silent => Ok(()),
        };
        if let Err(raft_core::error::HandleError::ForeignTicket) = reported {
            let what = format!("host {} refuses its own ticket", host + 1);
            self.judge(Oracle::Invariants, Err(what))?;
        }
        self.observe(host)?;
        self.drain(host)
    }

    pub(crate) fn restart(&mut self, host: usize) -> Result<(), Violation> {
        if self.hosts[host].raft.is_some() || self.hosts[host].is_frozen {
            return Ok(());
        }
        let decision = || Decision::Restart(host as u8);
        self.trace.decide(self.now, host, decision);
        if self.sabotage == Sabotage::ForgetsRecord {
            self.hosts[host].disk.forget_latest();
        }
        let now = self.now;
        if !self.hosts[host].has_past() {
            // Nothing it ever said rests on anything: it starts over.
            return self.begin_anew(host);
        }
        let restored = self.hosts[host].restore(now, &mut self.stats);
        self.stats.add(Count::Restart);
        self.came_up(host, restored.map_err(|error| error.to_string()))
    }

    /// A host that lost even its name asks to be let in under a new one.
    fn begin_anew(&mut self, host: usize) -> Result<(), Violation> {
        let now = self.now;
        self.oracles.on_wipe(host);
        let begun = match self.group {
            Some(group) => self.hosts[host].join(group, now),
            None => return Ok(()),
        };
        self.came_up(host, begun.map_err(|error| error.to_string()))
    }

    pub(crate) fn came_up(
        &mut self,
        host: usize,
        begun: Result<(), String>,
    ) -> Result<(), Violation> {
        let now = self.now;
        if let Err(error) = begun {
            let what = format!("host {} does not come up: {error}", host + 1);
            return self.judge(Oracle::Recovery, Err(what));
        }
        if let Some(raft) = &self.hosts[host].raft {
            let (term, last, base) = (raft.term(), raft.last(), raft.base());
            let what = || What::Started(term, base, last);
            self.trace.say(now, host, what);
        }
        self.oracles.on_start(host, &self.hosts)?;
        self.observe(host)?;
        self.drain(host)
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

fn disk_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Stored(_) => "record stored".into(),
        Outcome::Failed(_) => "write failed".into(),
        Outcome::Piece(receipt) => format!("piece stored, {receipt:?}"),
        Outcome::Damaged(name) => format!("damaged snapshot {name:?}"),
        Outcome::Silent => "done".into(),
    }
}

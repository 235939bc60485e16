//! A host: a machine, its disk, its clock, its application.

pub mod archive;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Config, GroupId, Identity, LogIndex, PRIORITY_MAX, Raft, Recovered, error::RestoreError,
};

use crate::world::app::App;
use crate::world::clock::{HostClock, Moment};
use crate::world::decision::Left;
use crate::world::disk::{Disk, Remains};
use crate::world::memory::Memory;
use crate::world::random::{Random, Stream};
use crate::world::reuse::copies_in_place;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::{HOSTS_MAX, Swarm};

use archive::Archive;

/// The machine under test.
pub type Machine = Raft<Memory, HOSTS_MAX>;

/// One host.
#[derive(Debug)]
pub struct Host {
    /// The machine, while the host is up.
    pub raft: Option<Machine>,
    /// Its disk.
    pub disk: Disk,
    /// Its clock.
    pub clock: HostClock,
    /// The latest time that its machine was told in this life.
    pub told: Instant,
    /// How long its machine waits for what.
    pub waits: Waits,
    /// Its application.
    pub app: App,
    /// Which life of a node it is; another one after a wipe.
    pub identity: Option<Identity>,
    /// Tells its starts apart.
    pub start: u32,
    /// It stands still until then.
    pub paused_until: Moment,
    /// When it is going to look at its clock.
    pub wake_at: Option<Moment>,
    /// The deadline of the machine for which that is.
    pub armed_for: Option<Instant>,
    /// It stays in its bad state whatever happens.
    pub is_frozen: bool,
    /// Its disk lost something for good; it may come back as another node, once it is out.
    pub is_rotten: bool,
    /// Its window is short of room.
    pub needs_room: bool,
    /// When its driver last sent a piece of its snapshot.
    pub sent_piece: Moment,
    /// When its driver last compacted.
    pub compacted: Moment,
    /// What its driver keeps of the log, to lend it.
    pub archive: Archive,
    /// Its own randomness, from which each start is seeded.
    pub random: Random,
    config: Config,
    window_bytes: usize,
    rots_after: Option<u32>,
    /// Places of torn records, while a restart looks for them.
    useless: Vec<usize>,
}

copies_in_place!(Host {
    raft,
    disk,
    clock,
    told,
    waits,
    app,
    identity,
    start,
    paused_until,
    wake_at,
    armed_for,
    is_frozen,
    is_rotten,
    needs_room,
    sent_piece,
    compacted,
    archive,
    random,
    config,
    window_bytes,
    rots_after,
    useless
});

/// How long a machine waits for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Waits {
    /// Its shortest election timeout, which is that of all in its group.
    pub election_min: Duration,
    /// Its longest election timeout.
    pub election_max: Duration,
    /// How long a write may take.
    pub persist: Duration,
}

impl Waits {
    const fn of(swarm: &Swarm) -> Self {
        Waits {
            election_min: swarm.election_timeout.0,
            election_max: swarm.election_timeout.1,
            persist: swarm.persist_timeout,
        }
    }
}

/// The name of the machine on the host with this number.
#[inline]
pub fn node(host: usize) -> NodeId {
    NodeId::new(host as u64 + 1)
}

/// The number of the host of this machine.
#[inline]
pub fn host_of(node: NodeId) -> Option<usize> {
    let place = usize::try_from(node.value()).ok()?.checked_sub(1)?;
    (place < HOSTS_MAX).then_some(place)
}

/// A host of no world, with buffers.
impl Default for Host {
    fn default() -> Self {
        let clock = HostClock::new(clocks::Duration::ZERO, 0);
        Host::new(0, &Swarm::draw(0), clock, Random::new(0, Stream::Hosts))
    }
}

fn config(number: usize, swarm: &Swarm) -> Config {
    let (min, max) = swarm.election_timeout;
    let builder = Config::builder(node(number))
        .election_timeout(min, max)
        .heartbeat_interval(swarm.heartbeat)
        .persist_timeout(swarm.persist_timeout)
        .frame_bytes_max(swarm.frame_bytes);
    let builder = match swarm.lease_drift_ppm {
        Some(drift_ppm) => builder.lease(drift_ppm),
        None => builder,
    };
    let builder = match swarm.flow.in_flight {
        Some((messages, frames)) => {
            let bytes = frames.saturating_mul(swarm.frame_bytes as u32);
            builder.in_flight(messages, bytes)
        }
        None => builder,
    };
    let builder = match swarm.flow.uncommitted_bytes_max {
        Some(bytes) => builder.uncommitted_bytes_max(bytes),
        None => builder,
    };
    let builder = match swarm.flow.hold_percent {
        Some(percent) => builder.hold_compaction(swarm.part(3000), percent),
        None => builder,
    };
    let builder = match swarm.flow.archive_bytes {
        0 => builder,
        _ => builder.lending(),
    };
    let builder = match swarm.quiet_after {
        Some(idle) if swarm.never_quiet >> number & 1 == 0 => builder.quiet_after(idle),
        Some(_) | None => builder,
    };
    builder
        .priority(PRIORITY_MAX - swarm.lags[number])
        .build()
        .expect("every option of a swarm is a sound setting")
}

impl Host {
    /// A host that is down and has nothing stored.
    pub fn new(number: usize, swarm: &Swarm, clock: HostClock, random: Random) -> Self {
        Host {
            raft: None,
            disk: Disk::new(),
            clock,
            told: Instant::default(),
            waits: Waits::of(swarm),
            app: App::default(),
            identity: None,
            start: 0,
            paused_until: Moment::default(),
            wake_at: None,
            armed_for: None,
            is_frozen: false,
            is_rotten: false,
            needs_room: false,
            sent_piece: Moment::default(),
            compacted: Moment::default(),
            archive: Archive::new(swarm.flow.archive_bytes),
            random,
            config: config(number, swarm),
            window_bytes: swarm.window_bytes,
            rots_after: None,
            useless: Vec::with_capacity(256),
        }
    }

    /// Becomes what [`new`](Host::new) makes; buffers stay.
    pub fn reset(&mut self, number: usize, swarm: &Swarm, clock: HostClock, random: Random) {
        // Every field by name, so that none is forgotten.
        let Host {
            raft,
            disk,
            clock: own_clock,
            told,
            waits,
            app,
            identity,
            start,
            paused_until,
            wake_at,
            armed_for,
            is_frozen,
            is_rotten,
            needs_room,
            sent_piece,
            compacted,
            archive,
            random: own_random,
            config: own_config,
            window_bytes,
            rots_after,
            useless,
        } = self;
        disk.reset();
        archive.reset(swarm.flow.archive_bytes);
        useless.clear();
        let begin = Moment::default();
        (*raft, *identity, *start) = (None, None, 0);
        (*own_clock, *own_random) = (clock, random);
        (*told, *waits) = (Instant::default(), Waits::of(swarm));
        (*own_config, *window_bytes) = (config(number, swarm), swarm.window_bytes);
        *app = App::default();
        (*paused_until, *sent_piece, *compacted) = (begin, begin, begin);
        (*wake_at, *armed_for, *rots_after) = (None, None, None);
        (*is_frozen, *is_rotten, *needs_room) = (false, false, false);
    }

    fn memory(&self) -> Memory {
        match self.rots_after {
            Some(borrows) => Memory::rotting(self.window_bytes, borrows),
            None => Memory::new(self.window_bytes),
        }
    }

    /// From its next start on its memory is damaged after so many borrows: a seeded fault.
    pub fn rot(&mut self, borrows: u32) {
        self.rots_after = Some(borrows);
    }

    /// Founds the group.
    pub fn found(&mut self, now: Moment) -> Result<(), RestoreError> {
        let (seed, now) = (self.random.next_u64(), self.clock.show(now));
        let raft = Machine::found(self.config.clone(), self.memory(), seed, now)?;
        self.begin(raft, App::default(), now);
        Ok(())
    }

    /// Comes into being as a machine that waits to be let in.
    pub fn join(&mut self, group: GroupId, now: Moment) -> Result<(), RestoreError> {
        let (seed, now) = (self.random.next_u64(), self.clock.show(now));
        let raft = Machine::join(self.config.clone(), group, self.memory(), seed, now)?;
        self.begin(raft, App::default(), now);
        Ok(())
    }

    fn begin(&mut self, raft: Machine, app: App, now: Instant) {
        self.told = now;
        self.identity = Some(raft.identity());
        self.raft = Some(raft);
        self.app = app;
        self.start += 1;
        self.forget_wake();
    }

    /// What its clock shows, for its machine to be told.
    #[inline]
    pub fn tell(&mut self, now: Moment) -> Instant {
        let local = self.clock.show(now);
        self.told = self.told.max(local);
        local
    }

    /// Will look at its deadline anew.
    pub fn forget_wake(&mut self) {
        (self.wake_at, self.armed_for) = (None, None);
    }

    /// Loses what was not stored.
    pub fn crash(&mut self, now: Moment, left: Left, stats: &mut Stats) {
        self.raft = None;
        self.forget_wake();
        self.paused_until = now;
        self.start += 1;
        self.disk.crash(now, left, stats);
    }

    /// Loses what was not stored, but for what remains.
    pub fn cut(&mut self, now: Moment, remains: Remains) {
        self.raft = None;
        self.forget_wake();
        self.paused_until = now;
        self.start += 1;
        self.disk.cut(now, remains);
    }

    /// Loses everything, and the machine with it.
    pub fn wipe(&mut self) {
        self.raft = None;
        self.forget_wake();
        self.disk.reset();
        self.archive.lose();
        self.start += 1;
        if core::mem::take(&mut self.is_rotten) {
            self.is_frozen = false;
        }
    }

    /// Comes back with what was stored.
    pub fn restore(&mut self, now: Moment, stats: &mut Stats) -> Result<(), RestoreError> {
        let mut recovered = Recovered::<_, HOSTS_MAX>::new(self.memory())?;
        self.useless.clear();
        for (place, (record, is_torn)) in self.disk.journal().enumerate() {
            if !is_torn {
                recovered.replay(record)?;
                continue;
            }
            match recovered.replay_prefix(record) {
                Ok(()) => stats.add(Count::TornReplayed),
                Err(RestoreError::DamagedRecord | RestoreError::NoBeginning) => {
                    stats.add(Count::TornRefused);
                    self.useless.push(place);
                }
                Err(error) => return Err(error),
            }
        }
        self.disk.drop_records(&self.useless);
        let app = self.recovered_app(recovered.snapshot().last.index);
        let (seed, now) = (self.random.next_u64(), self.clock.show(now));
        let raft = Machine::restore(self.config.clone(), recovered, app.applied, seed, now)?;
        self.begin(raft, app, now);
        Ok(())
    }

    /// The application starts empty, from the snapshot, or from what it stored itself.
    fn recovered_app(&mut self, snapshot: LogIndex) -> App {
        let stored = self.disk.snapshot_at(snapshot);
        let stored = stored.and_then(|bytes| App::load_at(bytes, snapshot));
        match self.random.below(3) {
            0 => App::default(),
            1 => self.disk.checkpoint().or(stored).unwrap_or_default(),
            _ => stored.unwrap_or_default(),
        }
    }

    /// Bytes that a copy of it copies.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.disk.bytes() + self.archive.bytes()
    }

    /// Whether something of a life is left on the disk to come back with.
    pub fn has_past(&self) -> bool {
        !self.disk.is_empty()
    }
}

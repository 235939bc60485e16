//! The network: delay, loss, duplication, reordering, partitions.
//!
//! Frames stand in a slab and are named by [`FrameId`], so that a scheduled arrival is a small
//! plain value and buffers are used again.

use clocks::Duration;

use crate::world::chain::hash_bytes;
use crate::world::clock::Moment;
use crate::world::queue::{Due, Queue};
use crate::world::random::Random;
use crate::world::reuse::{Shelf, copies_in_place};
use crate::world::stats::{Count, Stats};
use crate::world::swarm::{FRAME_BYTES_MAX, HOSTS_MAX, Swarm};

/// Frames for which a world has room before it runs: more than are ever on their way at once.
const FRAMES: usize = 1024;

/// A frame on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameId(u32);

impl FrameId {
    /// The frame in this place.
    pub(crate) const fn from_number(number: u32) -> Self {
        FrameId(number)
    }

    /// Its place.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// What the network carries.
#[derive(Debug)]
pub struct Frame {
    /// The host that sent it.
    pub from: usize,
    /// The host that it goes to.
    pub to: usize,
    /// A message, encoded.
    pub bytes: Vec<u8>,
    /// What the driver of the sender computed of the bytes, if they were damaged since.
    sum: Option<u64>,
    /// Which generation of the network carries it; the network says.
    generation: u32,
    /// Its place among all frames, if they have names.
    name: u32,
}

copies_in_place!(Frame {
    from,
    to,
    bytes,
    sum,
    generation,
    name
});

/// A frame that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// The host that sent it.
    pub from: usize,
    /// The host that it goes to.
    pub to: usize,
    /// Its place among all frames, if they have names.
    pub name: u32,
    /// Whether its checksum says that these are the bytes that were sent.
    pub is_whole: bool,
}

/// Old frames that are kept to be replayed.
const RECORDED: usize = 8;

/// With room for any.
impl Default for Frame {
    fn default() -> Self {
        Frame {
            from: 0,
            to: 0,
            bytes: Vec::with_capacity(FRAME_BYTES_MAX),
            sum: None,
            generation: 0,
            name: 0,
        }
    }
}

/// The network between the hosts.
#[derive(Debug)]
pub struct Network {
    random: Random,
    slab: Shelf<Frame>,
    free: Vec<u32>,
    /// Frames of some time ago.
    recorded: Shelf<Frame>,
    /// Per sender, the receivers that its frames do not reach.
    cut: [u64; HOSTS_MAX],
    /// Per sender, the receivers to whom the transport is busy.
    busy: [u64; HOSTS_MAX],
    /// Per link, when its latest frame arrives.
    latest: [[Moment; HOSTS_MAX]; HOSTS_MAX],
    is_calm: bool,
    /// Frames of an earlier generation are lost.
    generation: u32,
}

copies_in_place!(Network {
    random,
    slab,
    free,
    recorded,
    cut,
    busy,
    latest,
    is_calm,
    generation
});

impl Frame {
    fn fill(&mut self, from: usize, to: usize, bytes: &[u8], generation: u32) {
        (self.from, self.to, self.generation, self.sum) = (from, to, generation, None);
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
    }
}

impl Network {
    /// A network without partitions.
    pub fn new(random: Random) -> Self {
        Network {
            random,
            slab: Shelf::default(),
            free: Vec::new(),
            recorded: Shelf::default(),
            cut: [0; HOSTS_MAX],
            busy: [0; HOSTS_MAX],
            latest: [[Moment::default(); HOSTS_MAX]; HOSTS_MAX],
            is_calm: false,
            generation: 0,
        }
    }

    /// The same without anything on its way; buffers stay.
    pub fn reset(&mut self, random: Random) {
        self.slab.clear();
        self.free.clear();
        self.recorded.clear();
        let (slab, free) = (
            core::mem::take(&mut self.slab),
            core::mem::take(&mut self.free),
        );
        let recorded = core::mem::take(&mut self.recorded);
        *self = Network {
            slab,
            free,
            recorded,
            ..Network::new(random)
        };
        self.free.reserve(FRAMES);
        self.slab.reserve_with(FRAMES, Frame::default);
        self.recorded.reserve_with(RECORDED, Frame::default);
    }

    /// From now on its chance is this.
    pub fn reseed(&mut self, random: Random) {
        self.random = random;
    }

    /// Loses everything that is on its way.
    pub fn lose_all(&mut self) {
        self.generation += 1;
    }

    /// From now on nothing is lost and nothing takes too long.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.heal();
    }

    /// Every link works again.
    pub fn heal(&mut self) {
        self.cut = [0; HOSTS_MAX];
    }

    /// All links of a host fail.
    pub fn cut_off(&mut self, host: usize) {
        self.cut[host] = u64::MAX;
        for cut in &mut self.cut {
            *cut |= 1 << host;
        }
    }

    /// All links of a host work again.
    pub fn join(&mut self, host: usize) {
        self.cut[host] = 0;
        for cut in &mut self.cut {
            *cut &= !(1 << host);
        }
    }

    /// What `from` sends does not reach `to` any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut[from] |= 1 << to;
    }

    /// Whether frames from `from` reach `to`.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.cut[from] & (1 << to) == 0
    }

    /// The hosts to which the links of `from` take nothing at the moment.
    pub fn busy(&self, from: usize) -> u64 {
        self.busy[from]
    }

    /// The links of `from` take frames again.
    pub fn free_links(&mut self, from: usize) {
        self.busy[from] = 0;
    }

    /// The links of `from` to these hosts take nothing for now.
    pub fn block_links(&mut self, from: usize, peers: u64) {
        self.busy[from] |= peers;
    }

    fn store(&mut self, (from, to): (usize, usize), name: u32, bytes: &[u8]) -> FrameId {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                self.slab.add();
                // A world holds far fewer frames than that.
                (self.slab.len() - 1) as u32
            }
        };
        self.slab[id as usize].fill(from, to, bytes, self.generation);
        self.slab[id as usize].name = name;
        FrameId(id)
    }

    /// Damages a frame that is on its way, now and then.
    #[inline]
    fn wear(&mut self, id: FrameId, swarm: &Swarm, stats: &mut Stats) {
        if !self.is_calm && self.random.chance(swarm.corruption) {
            self.damage(id, stats);
        }
    }

    #[cold]
    fn damage(&mut self, id: FrameId, stats: &mut Stats) {
        let frame = &mut self.slab[id.0 as usize];
        frame.sum = Some(hash_bytes(&frame.bytes));
        stats.add(Count::FrameDamaged);
        if self.random.chance(250) {
            let len = self.random.index(frame.bytes.len());
            frame.bytes.truncate(len);
        }
        for _ in 0..self.random.between(1, 3) {
            let place = self.random.index(frame.bytes.len());
            if let Some(byte) = frame.bytes.get_mut(place) {
                *byte ^= 1 << self.random.below(8);
            }
        }
    }

    /// Keeps a frame now and then, to send it once more much later.
    fn record(&mut self, (from, to): (usize, usize), name: u32, bytes: &[u8], swarm: &Swarm) {
        if swarm.weights.replay == 0 || !self.random.chance(20) {
            return;
        }
        let place = if self.recorded.len() < RECORDED {
            self.recorded.add();
            self.recorded.len() - 1
        } else {
            self.random.index(RECORDED)
        };
        self.recorded[place].fill(from, to, bytes, 0);
        self.recorded[place].name = name;
    }

    /// Sends a frame of some time ago once more, if there is one.
    pub fn replay(&mut self, now: Moment, swarm: &Swarm, queue: &mut Queue, stats: &mut Stats) {
        if self.recorded.is_empty() {
            return;
        }
        stats.add(Count::Replay);
        let place = self.random.index(self.recorded.len());
        let recorded = core::mem::take(&mut self.recorded);
        let old = &recorded[place];
        let id = self.store((old.from, old.to), old.name, &old.bytes);
        self.recorded = recorded;
        self.wear(id, swarm, stats);
        queue.push(now, Due::Deliver(id));
    }

    fn delay(&mut self, swarm: &Swarm, stats: &mut Stats) -> Duration {
        if self.is_calm {
            let (min, max) = swarm.calm_delay;
            // Timely, and no more than that.
            if self.random.chance(500) {
                return max;
            }
            return self.random.duration(min, max);
        }
        let (min, max) = swarm.delay;
        if self.random.chance(swarm.tail) {
            let delay = self.random.duration(max, swarm.tail_delay.max(max));
            if delay > swarm.election_timeout.0 {
                stats.add(Count::FrameDelayedLong);
            }
            return delay;
        }
        self.random.duration(min, max)
    }

    /// Sends a frame; says whether it will arrive.
    pub fn send(
        &mut self,
        now: Moment,
        (from, to): (usize, usize),
        (name, bytes): (u32, &[u8]),
        swarm: &Swarm,
        queue: &mut Queue,
        stats: &mut Stats,
    ) -> bool {
        stats.add(Count::FrameSent);
        if !self.is_calm && self.random.chance(swarm.busy) {
            stats.add(Count::LinkBusy);
            if self.busy[from] == 0 {
                let time = self.random.duration(Duration::ZERO, swarm.busy_time);
                queue.push(now.plus(time), Due::LinksFree(from));
            }
            self.busy[from] |= 1 << to;
        }
        if !self.reaches(from, to) {
            stats.add(Count::FrameCut);
            return false;
        }
        if !self.is_calm && self.random.chance(swarm.loss) {
            stats.add(Count::FrameLost);
            return false;
        }
        let mut at = now.plus(self.delay(swarm, stats));
        let latest = &mut self.latest[from][to];
        if swarm.is_ordered {
            at = at.max(*latest);
        } else if at < *latest {
            stats.add(Count::FrameReordered);
        }
        *latest = at.max(*latest);
        if !self.is_calm && self.random.chance(swarm.duplication) {
            stats.add(Count::FrameDuplicated);
            let later = self.random.duration(Duration::ZERO, swarm.duplicate_delay);
            let copy = self.store((from, to), name, bytes);
            self.wear(copy, swarm, stats);
            queue.push(at.plus(later), Due::Deliver(copy));
        }
        let id = self.store((from, to), name, bytes);
        self.wear(id, swarm, stats);
        self.record((from, to), name, bytes, swarm);
        queue.push(at, Due::Deliver(id));
        true
    }

    /// Loses a frame that nothing will deliver any more.
    pub(crate) fn lose(&mut self, id: FrameId) {
        self.free.push(id.0);
        self.slab[id.0 as usize].bytes.clear();
    }

    /// Takes a frame that arrives. Its bytes change places with `bytes`. Nothing if it was lost
    /// with everything that was on its way.
    pub fn take(&mut self, id: FrameId, bytes: &mut Vec<u8>) -> Option<Arrival> {
        self.free.push(id.0);
        let frame = &mut self.slab[id.0 as usize];
        core::mem::swap(&mut frame.bytes, bytes);
        // What is not on its way any more need not be copied with the world.
        frame.bytes.clear();
        (frame.generation == self.generation).then(|| Arrival {
            from: frame.from,
            to: frame.to,
            name: frame.name,
            is_whole: frame.sum.is_none_or(|sum| sum == hash_bytes(bytes)),
        })
    }

    /// A frame that is under way and whole.
    pub(crate) fn get(&self, id: FrameId) -> Option<&Frame> {
        let frame = self.slab.get(id.0 as usize)?;
        (frame.generation == self.generation && frame.sum.is_none()).then_some(frame)
    }

    /// Where a frame goes.
    pub fn receiver(&self, id: FrameId) -> usize {
        self.slab[id.0 as usize].to
    }

    /// Bytes that a copy of it copies.
    pub fn bytes(&self) -> usize {
        let frames: usize = self.slab.iter().map(|frame| frame.bytes.len()).sum();
        size_of::<Self>() + frames + size_of_val(&self.slab[..]) + size_of_val(&self.free[..])
    }
}

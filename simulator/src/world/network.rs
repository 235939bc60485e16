//! The network: delay, loss, duplication, reordering, partitions.
//!
//! Frames stand in a slab and are named by [`FrameId`], so that a scheduled arrival is a small
//! plain value and buffers are used again.

use clocks::Duration;

use crate::world::clock::Moment;
use crate::world::queue::{Due, Queue};
use crate::world::random::Random;
use crate::world::stats::{Count, Stats};
use crate::world::swarm::{ELECTION_TIMEOUT_MIN, HOSTS_MAX, Swarm};

/// A frame on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameId(u32);

/// What the network carries.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The host that sent it.
    pub from: usize,
    /// The host that it goes to.
    pub to: usize,
    /// A message, encoded.
    pub bytes: Vec<u8>,
    /// Which generation of the network carries it; the network says.
    pub generation: u32,
    /// Its place among all frames, if they have names.
    pub name: u32,
}

/// The network between the hosts.
#[derive(Clone, Debug)]
pub struct Network {
    random: Random,
    slab: Vec<Frame>,
    free: Vec<u32>,
    /// Per sender, the receivers that its frames do not reach.
    cut: [u64; HOSTS_MAX],
    /// Per link, when its latest frame arrives.
    latest: [[Moment; HOSTS_MAX]; HOSTS_MAX],
    is_calm: bool,
    /// Frames of an earlier generation are lost.
    generation: u32,
}

impl Network {
    /// A network without partitions.
    pub fn new(random: Random) -> Self {
        Network {
            random,
            slab: Vec::new(),
            free: Vec::new(),
            cut: [0; HOSTS_MAX],
            latest: [[Moment::default(); HOSTS_MAX]; HOSTS_MAX],
            is_calm: false,
            generation: 0,
        }
    }

    /// Loses everything that is on its way.
    pub fn lose_all(&mut self) {
        self.generation += 1;
    }

    /// Whether a frame that was taken really arrives.
    pub fn delivers(&self, frame: &Frame) -> bool {
        frame.generation == self.generation
    }

    /// From now on nothing is lost and nothing takes long.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.heal();
    }

    /// Every link works again.
    pub fn heal(&mut self) {
        self.cut = [0; HOSTS_MAX];
    }

    /// What `from` sends does not reach `to` any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut[from] |= 1 << to;
    }

    /// Whether frames from `from` reach `to`.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.cut[from] & (1 << to) == 0
    }

    /// Whether the link is busy at the moment, so that nothing can be handed to it.
    pub fn is_busy(&mut self, swarm: &Swarm) -> bool {
        !self.is_calm && self.random.chance(swarm.busy)
    }

    /// A buffer for the next frame.
    pub fn buffer(&mut self) -> Vec<u8> {
        match self.free.last() {
            Some(id) => std::mem::take(&mut self.slab[*id as usize].bytes),
            None => Vec::new(),
        }
    }

    fn store(&mut self, frame: Frame) -> FrameId {
        match self.free.pop() {
            Some(id) => {
                self.slab[id as usize] = frame;
                FrameId(id)
            }
            None => {
                self.slab.push(frame);
                // A world holds far fewer frames than that.
                FrameId((self.slab.len() - 1) as u32)
            }
        }
    }

    fn delay(&mut self, swarm: &Swarm, stats: &mut Stats) -> Duration {
        let (min, max) = swarm.delay;
        if self.is_calm {
            let max = max.min(Duration::from_millis(10));
            return self.random.duration(min.min(max), max);
        }
        if self.random.chance(swarm.tail) {
            let delay = self.random.duration(max, swarm.tail_delay.max(max));
            if delay > ELECTION_TIMEOUT_MIN {
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
        mut frame: Frame,
        swarm: &Swarm,
        queue: &mut Queue,
        stats: &mut Stats,
    ) -> bool {
        stats.add(Count::FrameSent);
        frame.generation = self.generation;
        if !self.reaches(frame.from, frame.to) {
            stats.add(Count::FrameCut);
            self.recycle(frame.bytes);
            return false;
        }
        if !self.is_calm && self.random.chance(swarm.loss) {
            stats.add(Count::FrameLost);
            self.recycle(frame.bytes);
            return false;
        }
        let mut at = now.plus(self.delay(swarm, stats));
        let latest = &mut self.latest[frame.from][frame.to];
        if swarm.is_ordered {
            at = at.max(*latest);
        } else if at < *latest {
            stats.add(Count::FrameReordered);
        }
        *latest = at.max(*latest);
        if !self.is_calm && self.random.chance(swarm.duplication) {
            stats.add(Count::FrameDuplicated);
            let later = self.random.duration(Duration::ZERO, swarm.duplicate_delay);
            let copy = self.store(frame.clone());
            queue.push(at.plus(later), Due::Deliver(copy));
        }
        let id = self.store(frame);
        queue.push(at, Due::Deliver(id));
        true
    }

    /// Takes a frame that arrives. Give its buffer back with [`Network::recycle`].
    pub fn take(&mut self, id: FrameId) -> Frame {
        let frame = std::mem::take(&mut self.slab[id.0 as usize]);
        self.free.push(id.0);
        frame
    }

    /// Where a frame goes.
    pub fn receiver(&self, id: FrameId) -> usize {
        self.slab[id.0 as usize].to
    }

    /// Takes a buffer back.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        if let Some(id) = self.free.last() {
            self.slab[*id as usize].bytes = bytes;
        }
    }
}

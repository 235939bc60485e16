//! How likely each kind of fault is in the world of a seed.

use crate::world::random::Random;
use crate::world::swarm::{FAULTS, Weights};

impl Weights {
    pub(super) fn draw(random: &mut Random) -> Self {
        let mut weight = |most: u64| {
            if random.chance(333) {
                0
            } else {
                random.between(1, most)
            }
        };
        Weights {
            crash: weight(16),
            crash_leader: weight(8),
            crash_writing: weight(14),
            crash_all: weight(1),
            pause: weight(5),
            isolate: weight(4),
            isolate_leader: weight(4),
            split: weight(4),
            bridge: weight(3),
            one_way: weight(4),
            clock_step: weight(3),
            disk_stall: weight(3),
            clock_stop: weight(3),
            crash_acker: weight(5),
            ring: weight(2),
            any_links: weight(3),
            clog: weight(4),
            replay: weight(5),
            rot: weight(1),
            clock_drift: 0,
        }
    }

    /// The same weights in the order in which a fault is drawn.
    pub fn all(&self) -> [u64; FAULTS] {
        [
            self.crash,
            self.crash_leader,
            self.crash_writing,
            self.crash_all,
            self.pause,
            self.isolate,
            self.isolate_leader,
            self.split,
            self.bridge,
            self.one_way,
            self.clock_step,
            self.disk_stall,
            self.clock_stop,
            self.crash_acker,
            self.ring,
            self.any_links,
            self.clog,
            self.replay,
            self.rot,
            self.clock_drift,
        ]
    }
}

//! Worlds in which leases are put to the test.
//!
//! A lease that is too long by the drift of two clocks gives a wrong answer only if a leader with a
//! slow clock is cut off, voters with fast ones elect another within the little that remains, that
//! one answers a client, and the old leader is then asked for a read. Among all faults at once that
//! happens once in a hundred thousand histories. So some seeds make a world of few faults: links to
//! and from leaders fail, clocks change their rates from one end of what is declared to the other,
//! everything else is quick, and whoever believes to lead is asked again and again.

use crate::world::random::Random;
use crate::world::swarm::{Swarm, Weights, scale};

/// In how many of a thousand seeds.
pub(super) const PERMILLE: u64 = 40;

impl Swarm {
    /// The same group in a world that is about leases.
    pub(super) fn lease_trial(self, random: &mut Random) -> Self {
        let shortest = self.election_timeout.0;
        let part = |hundredths: u64| scale(shortest, hundredths * 1000);
        let fine = |parts: u64| scale(shortest, parts);
        let hosts = random.pick(&[3, 3, 4, 5]);
        let delay = random.pick(&[(fine(50), fine(100)), (fine(100), part(2))]);
        Swarm {
            hosts,
            founders: random.between(3, hosts as u64) as usize,
            storm: part(6000),
            loss: random.pick(&[0, 0, 10]),
            duplication: 0,
            delay,
            tail: random.pick(&[0, 0, 20]),
            tail_delay: part(150),
            busy: random.pick(&[0, 0, 100]),
            busy_time: part(10),
            calm_delay: delay,
            fault_interval: random.pick(&[part(36), part(72)]),
            weights: Weights {
                isolate_leader: 6,
                one_way: random.pick(&[0, 2]),
                any_links: random.pick(&[0, 2]),
                clog: random.pick(&[0, 2]),
                crash_leader: random.pick(&[0, 0, 1]),
                disk_stall: random.pick(&[0, 0, 2]),
                ..Weights::default()
            },
            write: random.pick(&[(fine(0), fine(0)), (fine(100), fine(300))]),
            slow_disk: None,
            write_failure: 0,
            clock_rate_ppm: random.pick(&[10_000, 100_000, 100_000]),
            propose_interval: random.pick(&[part(2), part(4)]),
            burst: 1,
            corruption: 0,
            reads_at_leaders: true,
            ..self
        }
    }
}

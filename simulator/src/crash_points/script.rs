//! The histories that are crashed: each shows one thing that a group does, in a calm network.

use clocks::Duration;

use crate::world::random::{Random, Stream};
use crate::world::swarm::Swarm;

/// What happens next; times are hundredths of the shortest election timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Act {
    /// Time passes.
    Pass(u64),
    /// Whoever believes to lead is given so many commands of so many bytes.
    Propose(u64, usize),
    /// The leader is cut off.
    CutLeader,
    /// The first follower is cut off.
    CutFollower,
    /// Everybody reaches everybody.
    Heal,
    /// This host starts an election, if it can.
    Campaign(usize),
    /// The last host is let in as a learner.
    Admit,
    /// The last host gets a vote, and the first follower has to go.
    Replace,
}

use Act::{Admit, Campaign, CutFollower, CutLeader, Heal, Pass, Propose, Replace};

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its name on the command line.
    pub name: &'static str,
    hosts: usize,
    founders: usize,
    compact_after: u64,
    snapshot_padding: u64,
    /// Whether it is crashed from the founding on, or once the group stands.
    pub(super) is_crashed_early: bool,
    pub(super) acts: &'static [Act],
}

const NEVER: u64 = 1_000_000;

const PLAIN: Script = Script {
    name: "",
    hosts: 3,
    founders: 3,
    compact_after: NEVER,
    snapshot_padding: 0,
    is_crashed_early: false,
    acts: &[],
};

/// All of them.
pub const SCRIPTS: [Script; 9] = [
    Script {
        name: "founding",
        is_crashed_early: true,
        acts: &[Propose(1, 8), Pass(20)],
        ..PLAIN
    },
    Script {
        name: "election",
        acts: &[CutLeader, Pass(500), Heal, Pass(100)],
        ..PLAIN
    },
    Script {
        name: "replication",
        acts: &[
            Propose(1, 8),
            Pass(10),
            Propose(3, 60),
            Pass(4),
            Propose(2, 20),
            Pass(40),
            Propose(8, 30),
            Pass(60),
        ],
        ..PLAIN
    },
    Script {
        name: "truncation",
        acts: &[
            Propose(1, 10),
            Pass(20),
            CutLeader,
            Propose(3, 12),
            Pass(500),
            Propose(1, 14),
            Pass(20),
            Heal,
            Pass(200),
        ],
        ..PLAIN
    },
    Script {
        name: "compaction",
        compact_after: 3,
        snapshot_padding: 40,
        acts: &[
            Propose(2, 20),
            Pass(20),
            Propose(2, 20),
            Pass(20),
            Propose(4, 20),
            Pass(40),
            Propose(1, 8),
            Pass(40),
        ],
        ..PLAIN
    },
    Script {
        name: "snapshot",
        compact_after: 4,
        snapshot_padding: 600,
        acts: &[
            CutFollower,
            Propose(3, 20),
            Pass(20),
            Propose(3, 20),
            Pass(40),
            Heal,
            Pass(150),
            Propose(1, 8),
            Pass(60),
        ],
        ..PLAIN
    },
    Script {
        name: "membership",
        hosts: 4,
        acts: &[
            Propose(2, 16),
            Pass(20),
            Admit,
            Pass(80),
            Propose(1, 8),
            Replace,
            Pass(100),
            Propose(1, 8),
            Pass(40),
        ],
        ..PLAIN
    },
    Script {
        name: "leader-change",
        hosts: 5,
        founders: 5,
        acts: &[
            Propose(1, 8),
            Pass(20),
            CutLeader,
            CutFollower,
            Propose(2, 9),
            Pass(500),
            Propose(1, 8),
            Heal,
            Pass(150),
            Campaign(0),
            Pass(150),
        ],
        ..PLAIN
    },
    Script {
        name: "everything",
        hosts: 4,
        compact_after: 5,
        snapshot_padding: 300,
        acts: &[
            CutFollower,
            Propose(4, 16),
            Pass(40),
            Admit,
            Pass(100),
            Heal,
            CutLeader,
            Propose(2, 9),
            Pass(500),
            Propose(3, 8),
            Heal,
            Replace,
            Pass(250),
        ],
        ..PLAIN
    },
];

impl Script {
    /// The script with this name.
    pub fn by_name(name: &str) -> Option<Script> {
        SCRIPTS.into_iter().find(|script| script.name == name)
    }

    /// A calm world for it; the seed says how long frames and writes take.
    pub(super) fn swarm(&self, seed: u64) -> Swarm {
        let random = &mut Random::new(seed, Stream::Swarm);
        let shortest = Duration::from_millis(150);
        let part = |hundredths: u64| Duration::from_micros(shortest.as_micros() * hundredths / 100);
        let delay = random.pick(&[(part(1), part(1)), (part(1), part(3)), (part(1), part(10))]);
        let write = random.pick(&[(part(1), part(1)), (part(1), part(4)), (part(2), part(12))]);
        let election_timeout = (shortest, shortest.saturating_mul(2));
        Swarm {
            founders: self.founders,
            delay,
            is_ordered: random.chance(500),
            calm_delay: delay,
            write,
            has_torn_writes: true,
            has_kept_writes: true,
            clock_rate_ppm: random.pick(&[0, 100]),
            payload_bytes_max: 8,
            compact_after: self.compact_after,
            snapshot_padding: self.snapshot_padding,
            window_bytes: 2000,
            frame_bytes: 256,
            heartbeat: part(25),
            persist_timeout: part(400),
            ..Swarm::still(election_timeout, self.hosts)
        }
    }
}

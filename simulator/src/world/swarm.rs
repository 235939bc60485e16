//! The options of a world, drawn per seed.
//!
//! A world in which every fault is possible at every moment sees mostly chaos: rare chains need
//! quiet stretches in which only few things go wrong. So each seed draws which classes of fault it
//! has at all, and how hard each strikes (swarm testing, `[Groce12]`).

use core::fmt;

use clocks::Duration;

use crate::world::random::{Random, Stream};

/// The most hosts of a world, and the most members of a configuration.
pub const HOSTS_MAX: usize = 7;

/// The shortest election timeout in every world.
pub const ELECTION_TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The longest.
pub const ELECTION_TIMEOUT_MAX: Duration = Duration::from_millis(200);

/// What kind of world a seed makes. Rates are in thousandths unless they say otherwise.
///
/// The default is a world in which nothing ever happens by itself.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    /// Machines, members or not.
    pub hosts: usize,
    /// How many of them the founder lets in at the beginning, itself counted.
    pub founders: usize,
    /// How long the faults last.
    pub storm: Duration,
    /// Frames lost.
    pub loss: u64,
    /// Frames delivered twice.
    pub duplication: u64,
    /// How long after the first a second copy may arrive.
    pub duplicate_delay: Duration,
    /// The usual delay of a frame.
    pub delay: (Duration, Duration),
    /// Frames that take much longer.
    pub tail: u64,
    /// The longest delay.
    pub tail_delay: Duration,
    /// Whether each link keeps the order of its frames.
    pub is_ordered: bool,
    /// How often the transport of a peer is busy when a host wants to send.
    pub busy: u64,
    /// The mean time between two faults.
    pub fault_interval: Duration,
    /// How likely each kind of fault is, relative to the others.
    pub weights: Weights,
    /// The usual time of a write.
    pub write: (Duration, Duration),
    /// The host whose disk is slower by this factor.
    pub slow_disk: Option<(usize, u64)>,
    /// Writes that fail.
    pub write_failure: u64,
    /// Whether a crash may leave a prefix of the record that was being written.
    pub has_torn_writes: bool,
    /// Whether a crash may leave the whole record that was being written, unreported.
    pub has_kept_writes: bool,
    /// How fast or slow a clock may run, in millionths.
    pub clock_rate_ppm: i64,
    /// The mean time between proposals.
    pub propose_interval: Duration,
    /// Commands proposed at once, at most.
    pub burst: u64,
    /// Bytes of a command, at most.
    pub payload_bytes_max: u64,
    /// The mean time between changes of the membership, if there are any.
    pub reconfigure_interval: Option<Duration>,
    /// Whether a removed host may lose its disk and come back as a new member.
    pub has_wipes: bool,
    /// Applied entries after which a host compacts its log.
    pub compact_after: u64,
    /// Bytes of a snapshot beside what it must hold.
    pub snapshot_padding: u64,
    /// Bytes of each host's log window.
    pub window_bytes: usize,
    /// Bytes of a frame, at most.
    pub frame_bytes: usize,
    /// A leader's heartbeat.
    pub heartbeat: Duration,
    /// When a host gives its disk up.
    pub persist_timeout: Duration,
    /// Whether the group must recover with a minority in its worst state.
    pub has_frozen_minority: bool,
}

/// Relative rates of the faults that strike at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weights {
    /// Any host crashes.
    pub crash: u64,
    /// The leader crashes.
    pub crash_leader: u64,
    /// A host in the middle of a write crashes.
    pub crash_writing: u64,
    /// Every host crashes.
    pub crash_all: u64,
    /// A host stands still for a while.
    pub pause: u64,
    /// One host is cut off.
    pub isolate: u64,
    /// The leader is cut off.
    pub isolate_leader: u64,
    /// The hosts fall into two parts.
    pub split: u64,
    /// Two parts that one host connects.
    pub bridge: u64,
    /// Some links work in one direction only.
    pub one_way: u64,
    /// A clock is set.
    pub clock_step: u64,
    /// A disk stalls.
    pub disk_stall: u64,
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

impl Swarm {
    /// The options of a seed.
    pub fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, Stream::Swarm);
        let hosts = random.pick(&[1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 7]);
        let founders = match random.below(3) {
            0 => 1,
            1 => hosts,
            _ => random.between(1, hosts as u64) as usize,
        };
        let tail = random.pick(&[0, 0, 5, 20, 100]);
        Swarm {
            hosts,
            founders,
            storm: random.duration(millis(1500), millis(4000)),
            loss: random.pick(&[0, 0, 10, 50, 150, 300]),
            duplication: random.pick(&[0, 0, 20, 100, 300]),
            duplicate_delay: random.pick(&[millis(5), millis(100), millis(2000)]),
            delay: random.pick(&[
                (micros(50), micros(100)),
                (micros(100), millis(2)),
                (micros(100), millis(10)),
                (millis(1), millis(40)),
            ]),
            tail,
            tail_delay: random.pick(&[millis(60), millis(300), millis(1500)]),
            is_ordered: random.chance(400),
            busy: random.pick(&[0, 0, 100, 400]),
            fault_interval: random.pick(&[millis(80), millis(200), millis(500)]),
            weights: Weights::draw(random),
            write: random.pick(&[
                (micros(0), micros(0)),
                (micros(100), micros(300)),
                (micros(100), millis(5)),
                (millis(5), millis(30)),
            ]),
            slow_disk: random
                .chance(250)
                .then(|| (random.index(hosts), random.between(3, 20))),
            write_failure: random.pick(&[0, 0, 0, 10, 100]),
            has_torn_writes: random.chance(500),
            has_kept_writes: random.chance(500),
            clock_rate_ppm: random.pick(&[0, 0, 100, 10_000, 100_000]),
            propose_interval: random.pick(&[millis(3), millis(10), millis(50)]),
            burst: random.pick(&[1, 1, 4, 20]),
            payload_bytes_max: random.pick(&[8, 24, 60]),
            reconfigure_interval: random.pick(&[None, Some(millis(60)), Some(millis(250))]),
            has_wipes: random.chance(500),
            compact_after: random.pick(&[3, 10, 40, 1_000_000]),
            snapshot_padding: random.pick(&[0, 40, 300, 1200]),
            window_bytes: random.pick(&[1400, 2000, 4096, 16_384]),
            frame_bytes: random.pick(&[200, 256, 512, 2048]),
            heartbeat: random.pick(&[millis(15), millis(25), millis(50)]),
            persist_timeout: random.pick(&[millis(100), millis(400), millis(2000)]),
            has_frozen_minority: random.chance(500),
        }
    }
}

impl Weights {
    fn draw(random: &mut Random) -> Self {
        let mut weight = |most: u64| {
            if random.chance(333) {
                0
            } else {
                random.between(1, most)
            }
        };
        Weights {
            crash: weight(10),
            crash_leader: weight(6),
            crash_writing: weight(10),
            crash_all: weight(1),
            pause: weight(5),
            isolate: weight(4),
            isolate_leader: weight(4),
            split: weight(4),
            bridge: weight(3),
            one_way: weight(4),
            clock_step: weight(3),
            disk_stall: weight(3),
        }
    }

    /// The same weights in the order in which a fault is drawn.
    pub fn all(&self) -> [u64; 12] {
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
        ]
    }
}

fn ms(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros.is_multiple_of(1000) {
        format!("{}ms", micros / 1000)
    } else {
        format!("{micros}us")
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  group    hosts={} founders={} storm={} frozen_minority={} reconfigure={} wipes={}",
            self.hosts,
            self.founders,
            ms(self.storm),
            self.has_frozen_minority,
            self.reconfigure_interval.map_or("never".into(), ms),
            self.has_wipes,
        )?;
        writeln!(
            f,
            "  network  loss={} duplication={} up to {} delay={}..{} tail={} up to {} ordered={} busy={}",
            self.loss,
            self.duplication,
            ms(self.duplicate_delay),
            ms(self.delay.0),
            ms(self.delay.1),
            self.tail,
            ms(self.tail_delay),
            self.is_ordered,
            self.busy,
        )?;
        writeln!(
            f,
            "  disk     write={}..{} slow={:?} failure={} torn={} kept={} persist_timeout={}",
            ms(self.write.0),
            ms(self.write.1),
            self.slow_disk,
            self.write_failure,
            self.has_torn_writes,
            self.has_kept_writes,
            ms(self.persist_timeout),
        )?;
        writeln!(
            f,
            "  work     propose={} burst={} payload={} compact_after={} snapshot_padding={} window={} frame={} heartbeat={}",
            ms(self.propose_interval),
            self.burst,
            self.payload_bytes_max,
            self.compact_after,
            self.snapshot_padding,
            self.window_bytes,
            self.frame_bytes,
            ms(self.heartbeat),
        )?;
        write!(
            f,
            "  faults   every {} clock_rate={}ppm {:?}",
            ms(self.fault_interval),
            self.clock_rate_ppm,
            self.weights,
        )
    }
}

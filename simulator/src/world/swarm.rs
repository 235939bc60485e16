//! The options of a world, drawn per seed.
//!
//! A world in which every fault is possible at every moment sees mostly chaos: rare chains need
//! quiet stretches in which only few things go wrong. So each seed draws which classes of fault it
//! has at all, and how hard each strikes (swarm testing, `[Groce12]`).

mod flow;
mod lease_trial;
mod weights;

use core::fmt;

use clocks::Duration;

use crate::world::memory::WINDOW_BYTES_MAX;
use crate::world::quiet::Quiet;
use crate::world::random::{Random, Stream};
use crate::world::witness::draw_witnesses;

pub use flow::Flow;

/// The most hosts of a world, and the most members of a configuration.
pub const HOSTS_MAX: usize = 7;

/// The longest frame of any world, in bytes.
pub const FRAME_BYTES_MAX: usize = 2048;

/// What kind of world a seed makes. Rates are in thousandths unless they say otherwise.
///
/// Every time is drawn relative to the shortest election timeout, which is drawn first: groups
/// with timeouts of seconds meet as many faults in one timeout as the fast ones, and all bounds
/// stretch with it.
///
/// The default is a world in which nothing ever happens by itself.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    /// From when to when a follower waits for a leader.
    pub election_timeout: (Duration, Duration),
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
    /// How often sending a frame makes the transport to that peer busy.
    pub busy: u64,
    /// How long it then is, at most.
    pub busy_time: Duration,
    /// The delay of a frame once the storm is over: no gentle one, because timers that are set
    /// wrongly show only under pressure.
    pub calm_delay: (Duration, Duration),
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
    /// Leases are on, for clocks that are wrong by so many millionths.
    pub lease_drift_ppm: Option<u32>,
    /// All hosts hear what one sends: a leader speaks to all who are level at once.
    pub is_shared: bool,
    /// Whether the group may be quiet.
    pub quiet: Quiet,
    /// How many steps of priority each host is below the highest.
    pub lags: [u8; HOSTS_MAX],
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
    /// Whether every link is cut at the very end.
    pub falls_apart: bool,
    /// Frames damaged on their way.
    pub corruption: u64,
    /// What may be under way, and what is kept for who lags behind.
    pub flow: Flow,
    /// Hosts that are let in as witnesses, a bit each: the same in all lives of a host.
    pub witnesses: u64,
    /// Whoever reads asks a host that believes to lead.
    pub reads_at_leaders: bool,
}

/// How many kinds of fault there are.
pub const FAULTS: usize = 20;

/// Their names, in the order of [`Weights::all`].
pub const FAULT_NAMES: [&str; FAULTS] = [
    "crash",
    "crash of the leader",
    "crash while writing",
    "crash of all",
    "pause",
    "one cut off",
    "leader cut off",
    "split",
    "bridge",
    "one way",
    "clock set",
    "disk stall",
    "clock stopped",
    "crash of the acker",
    "ring",
    "links at random",
    "clog",
    "old frame",
    "rotten record",
    "clock drift",
];

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
    /// A clock stands still for a while, then goes on from there or catches up.
    pub clock_stop: u64,
    /// The host that acknowledged last crashes.
    pub crash_acker: u64,
    /// Every host reaches only its two neighbours.
    pub ring: u64,
    /// Any set of links fails.
    pub any_links: u64,
    /// The links of one host fail, for a time of their own.
    pub clog: u64,
    /// A frame of long ago arrives once more.
    pub replay: u64,
    /// A stored record rots.
    pub rot: u64,
    /// A clock runs faster or slower than before.
    pub clock_drift: u64,
}

/// Shortest election timeouts, in milliseconds; the longest are twice as long. Some groups are
/// fast; most wait for seconds, as deployments do.
const ELECTION_TIMEOUTS: [u64; 6] = [150, 500, 1000, 1000, 1000, 1200];

/// Longer than any history.
pub const NEVER: Duration = Duration::from_micros(1 << 50);

impl Swarm {
    /// A world in which nothing goes wrong by itself: one founder and as many members as there
    /// are hosts, frames and writes that take no time.
    pub fn still(election_timeout: (Duration, Duration), hosts: usize) -> Self {
        let at_once = (Duration::ZERO, Duration::ZERO);
        Swarm {
            election_timeout,
            hosts,
            founders: hosts,
            storm: NEVER,
            duplicate_delay: Duration::ZERO,
            delay: at_once,
            tail: 0,
            tail_delay: Duration::ZERO,
            is_ordered: false,
            busy: 0,
            busy_time: Duration::ZERO,
            calm_delay: at_once,
            fault_interval: NEVER,
            weights: Weights::default(),
            write: at_once,
            slow_disk: None,
            write_failure: 0,
            has_torn_writes: false,
            has_kept_writes: false,
            clock_rate_ppm: 0,
            lease_drift_ppm: None,
            propose_interval: NEVER,
            burst: 1,
            payload_bytes_max: 0,
            reconfigure_interval: None,
            has_wipes: false,
            compact_after: 64,
            snapshot_padding: 0,
            window_bytes: WINDOW_BYTES_MAX,
            frame_bytes: FRAME_BYTES_MAX,
            heartbeat: scale(election_timeout.0, 25_000),
            persist_timeout: election_timeout.1.saturating_mul(2),
            corruption: 0,
            flow: Flow::default(),
            witnesses: 0,
            reads_at_leaders: false,
            ..Swarm::default()
        }
    }

    /// The options of a seed.
    pub fn draw(seed: u64) -> Self {
        let random = &mut Random::new(seed, Stream::Swarm);
        let shortest = Duration::from_millis(random.pick(&ELECTION_TIMEOUTS));
        // Times are in hundredths and in hundred-thousandths of that.
        let part = |hundredths: u64| scale(shortest, hundredths * 1000);
        let fine = |parts: u64| scale(shortest, parts);
        let hosts = random.pick(&[1, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7, 7]);
        let founders = match random.below(3) {
            0 => 1,
            1 => hosts,
            _ => random.between(1, hosts as u64) as usize,
        };
        let delay = random.pick(&[
            (fine(50), fine(100)),
            (fine(100), part(2)),
            (fine(100), part(10)),
            (part(1), part(40)),
        ]);
        let heartbeat = random.pick(&[part(15), part(25), part(50)]);
        let swarm = Swarm {
            election_timeout: (shortest, shortest.saturating_mul(2)),
            hosts,
            founders,
            storm: random.duration(part(2000), part(6000)),
            loss: random.pick(&[0, 0, 10, 50, 150, 300]),
            duplication: random.pick(&[0, 0, 20, 100, 300]),
            duplicate_delay: random.pick(&[part(5), part(100), part(2000)]),
            delay,
            tail: random.pick(&[0, 0, 5, 20, 100]),
            tail_delay: random.pick(&[part(60), part(300), part(1500)]),
            is_ordered: random.chance(400),
            busy: random.pick(&[0, 0, 100, 400]),
            busy_time: random.pick(&[part(2), part(10)]),
            calm_delay: calm_delay(random, shortest, delay, heartbeat),
            fault_interval: random.pick(&[part(36), part(72), part(144)]),
            weights: Weights::draw(random),
            write: random.pick(&[
                (fine(0), fine(0)),
                (fine(100), fine(300)),
                (fine(100), part(5)),
                (part(5), part(30)),
            ]),
            slow_disk: random
                .chance(250)
                .then(|| (random.index(hosts), random.between(3, 20))),
            write_failure: random.pick(&[0, 0, 0, 10, 100]),
            has_torn_writes: random.chance(500),
            has_kept_writes: random.chance(500),
            clock_rate_ppm: random.pick(&[0, 0, 100, 10_000, 100_000]),
            propose_interval: random.pick(&[part(3), part(10), part(50)]),
            burst: random.pick(&[1, 1, 1, 2, 4, 20]),
            payload_bytes_max: random.pick(&[8, 24, 60]),
            reconfigure_interval: random.pick(&[None, Some(part(60)), Some(part(250))]),
            has_wipes: random.chance(500),
            compact_after: random.pick(&[3, 10, 40, 1_000_000]),
            snapshot_padding: random.pick(&[0, 40, 300, 1200]),
            window_bytes: random.pick(&[1400, 2000, 3000, WINDOW_BYTES_MAX]),
            frame_bytes: random.pick(&[200, 256, 512, FRAME_BYTES_MAX]),
            heartbeat,
            persist_timeout: random.pick(&[part(100), part(400), part(2000)]),
            has_frozen_minority: random.chance(500),
            falls_apart: random.chance(250),
            corruption: random.pick(&[0, 0, 5, 50]),
            flow: Flow::default(),
            lease_drift_ppm: None,
            is_shared: random.chance(250),
            reads_at_leaders: false,
            quiet: Quiet::default(),
            lags: [0; HOSTS_MAX],
            witnesses: 0,
        };
        let mut swarm = match random.chance(lease_trial::PERMILLE) {
            true => swarm.lease_trial(random),
            false => swarm,
        };
        if swarm.clock_rate_ppm > 0 {
            swarm.weights.clock_drift = random.pick(&[0, 2, 6]);
        }
        swarm.lease_drift_ppm = swarm.lease_allowed();
        swarm.flow = Flow::draw(random);
        let mut swarm = swarm.with_quiet_and_lags(random);
        swarm.witnesses = draw_witnesses(random);
        // What a witness knows may be with those alone who are frozen: then the group rightly stands
        // still until they are back.
        swarm.has_frozen_minority &= swarm.witnesses == 0;
        swarm
    }

    /// The drift that covers all clocks, if none is set or stands still. A little more, because
    /// clocks show whole microseconds.
    fn lease_allowed(&self) -> Option<u32> {
        let is_steady = self.weights.clock_step == 0 && self.weights.clock_stop == 0;
        let drift = u32::try_from(self.clock_rate_ppm.saturating_add(20)).ok()?;
        is_steady.then_some(drift)
    }

    /// So many hundredths of the shortest election timeout.
    pub fn part(&self, hundredths: u64) -> Duration {
        scale(self.election_timeout.0, hundredths * 1000)
    }
}

/// So many hundred-thousandths of a time.
const fn scale(time: Duration, parts: u64) -> Duration {
    Duration::from_micros(time.as_micros() * parts / 100_000)
}

/// Delays as in the storm, or up to what the timeouts allow: a heartbeat of a slow clock, one way
/// and back, within the shortest timeout of a fast one.
fn calm_delay(
    random: &mut Random,
    shortest: Duration,
    delay: (Duration, Duration),
    heartbeat: Duration,
) -> (Duration, Duration) {
    let room =
        scale(shortest, 90_000).saturating_sub(heartbeat.saturating_mul(5).saturating_div(4));
    let most = room.saturating_div(2);
    let max = random.pick(&[delay.1.min(most), most.saturating_div(2), most]);
    (delay.0.min(max), max)
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
            "  time     election_timeout={}..{} heartbeat={} persist_timeout={} calm_delay={}..{}",
            ms(self.election_timeout.0),
            ms(self.election_timeout.1),
            ms(self.heartbeat),
            ms(self.persist_timeout),
            ms(self.calm_delay.0),
            ms(self.calm_delay.1),
        )?;
        writeln!(
            f,
            "  group    hosts={} founders={} witnesses={:#b} storm={} frozen_minority={} falls_apart={} reconfigure={} wipes={}",
            self.hosts,
            self.founders,
            self.witnesses,
            ms(self.storm),
            self.has_frozen_minority,
            self.falls_apart,
            self.reconfigure_interval.map_or("never".into(), ms),
            self.has_wipes,
        )?;
        writeln!(
            f,
            "  network  loss={} duplication={} up to {} delay={}..{} tail={} up to {} ordered={} busy={} for {} damaged={} shared={}",
            self.loss,
            self.duplication,
            ms(self.duplicate_delay),
            ms(self.delay.0),
            ms(self.delay.1),
            self.tail,
            ms(self.tail_delay),
            self.is_ordered,
            self.busy,
            ms(self.busy_time),
            self.corruption,
            self.is_shared,
        )?;
        writeln!(
            f,
            "  disk     write={}..{} slow={:?} failure={} torn={} kept={}",
            ms(self.write.0),
            ms(self.write.1),
            self.slow_disk,
            self.write_failure,
            self.has_torn_writes,
            self.has_kept_writes,
        )?;
        writeln!(
            f,
            "  work     propose={} quiet={} lags={:?} burst={} payload={} compact_after={} snapshot_padding={} window={} frame={}",
            ms(self.propose_interval),
            self.quiet,
            self.lags,
            self.burst,
            self.payload_bytes_max,
            self.compact_after,
            self.snapshot_padding,
            self.window_bytes,
            self.frame_bytes,
        )?;
        writeln!(f, "{}", self.flow)?;
        write!(
            f,
            "  faults   every {} clock_rate={}ppm {:?}",
            ms(self.fault_interval),
            self.clock_rate_ppm,
            self.weights,
        )
    }
}

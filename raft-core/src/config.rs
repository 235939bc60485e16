//! What one node is told when it is built: its name, its times, its frame size.
//!
//! Every relation between the fields is checked by [`ConfigBuilder::build`], so a [`Config`] is
//! valid once it exists. What must be the same on all members (the stickiness period) is not
//! here: it is drawn from the founder's `Config` and travels in the replicated configuration.

use core::fmt;
use core::num::NonZeroU8;

use clocks::Duration;
use quorum::NodeId;

use crate::flight::InFlight;
use crate::wire;

/// The validated settings of one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    pub(crate) id: NodeId,
    pub(crate) election_timeout_min: Duration,
    pub(crate) election_timeout_max: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) persist_timeout: Duration,
    pub(crate) frame_bytes_max: usize,
    pub(crate) lease_drift_ppm: Option<u32>,
    pub(crate) in_flight: InFlight,
    pub(crate) uncommitted_bytes_max: u32,
    pub(crate) lends: bool,
    pub(crate) hold_longest: Duration,
    pub(crate) hold_percent: u8,
    /// In heartbeats.
    pub(crate) quiet_after: Option<NonZeroU8>,
    pub(crate) priority: u8,
}

/// The highest priority in elections, and the usual one.
pub const PRIORITY_MAX: u8 = 3;

impl Config {
    /// Starts from defaults that suit servers on one network: elections after 500 to 1,000 ms,
    /// heartbeats every 100 ms, a disk given up after 10 s, frames of at most 1 MiB, 4,096 of
    /// them on their way to one member.
    pub const fn builder(id: NodeId) -> ConfigBuilder {
        ConfigBuilder {
            config: Config {
                id,
                election_timeout_min: Duration::from_millis(500),
                election_timeout_max: Duration::from_millis(1000),
                heartbeat_interval: Duration::from_millis(100),
                persist_timeout: Duration::from_millis(10_000),
                frame_bytes_max: 1 << 20,
                lease_drift_ppm: None,
                in_flight: InFlight {
                    messages: 4096,
                    bytes: u32::MAX,
                },
                uncommitted_bytes_max: u32::MAX,
                lends: false,
                hold_longest: Duration::ZERO,
                hold_percent: 0,
                quiet_after: None,
                priority: PRIORITY_MAX,
            },
            quiet_after: None,
        }
    }

    /// By how much its election timeouts are longer than those of the highest priority: each step
    /// has a range of its own.
    pub(crate) fn lag(&self) -> Duration {
        let steps = PRIORITY_MAX.saturating_sub(self.priority);
        let range = self
            .election_timeout_max
            .saturating_sub(self.election_timeout_min);
        range.saturating_mul(u64::from(steps))
    }

    /// The node's name.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// The longest frame that [`wire::encode`] makes of this node's messages, in bytes.
    pub const fn frame_bytes_max(&self) -> usize {
        self.frame_bytes_max
    }
}

/// Collects the settings of a [`Config`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfigBuilder {
    config: Config,
    quiet_after: Option<Duration>,
}

impl ConfigBuilder {
    /// How long a follower hears nothing before it campaigns: drawn anew each time, evenly, from
    /// `[min, max)`. Choose `min` at least ten times a round trip with its two writes, and the
    /// range several times the spread of delays and several ticks of a driver that looks at its
    /// clock only so often. The founder's `min` becomes the stickiness
    /// period of the group.
    pub const fn election_timeout(mut self, min: Duration, max: Duration) -> Self {
        self.config.election_timeout_min = min;
        self.config.election_timeout_max = max;
        self
    }

    /// How often an idle leader makes contact: at most half of the shortest election timeout, and
    /// at least an eighth of a round trip, because a leader remembers of its latest eight contacts
    /// when they began; an answer that comes later does not keep it in office.
    pub const fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.config.heartbeat_interval = interval;
        self
    }

    /// How long the slowest honest write takes on this node's medium, erase cycles included. A
    /// leader whose write takes longer gives way, and a node does not campaign meanwhile.
    pub const fn persist_timeout(mut self, timeout: Duration) -> Self {
        self.config.persist_timeout = timeout;
        self
    }

    /// The longest frame of the transport, in bytes. An entry that cannot travel in one frame is
    /// refused when it is proposed.
    pub const fn frame_bytes_max(mut self, bytes: usize) -> Self {
        self.config.frame_bytes_max = bytes;
        self
    }

    /// Lets a leader answer reads without asking anybody, for as long as nobody else can lead.
    /// `drift_ppm` is by how many millionths the clock of any member may run too fast or too slow,
    /// as measured over an election timeout: below 1,000,000. Without this call there are no leases.
    ///
    /// A promise about every clock of the group: it must count the time for which a machine is
    /// suspended, and must not be set back; and it is read *after* a frame was received and before
    /// it is given to [`handle_message`](crate::Raft::handle_message), on followers too: an earlier
    /// time ends their promise early. If that does not hold a read can return what was overwritten
    /// before it began; nothing else depends on it.
    pub const fn lease(mut self, drift_ppm: u32) -> Self {
        self.config.lease_drift_ppm = Some(drift_ppm);
        self
    }

    /// How much may be on its way from this node, as leader, to one member: appends with entries,
    /// at least 1, and bytes of these entries, at least `frame_bytes_max`. Both bind, and beside
    /// them the room that the member reports. Without this call there may be 4,096 appends, and
    /// bytes as the windows allow.
    ///
    /// Something is on its way until it is acknowledged, refused (then everything after it is
    /// useless too), or the driver says that the member is
    /// [unreachable](crate::Raft::handle_unreachable). Appends are counted in two halves: never
    /// more than `messages` are under way, and at times up to half of them are freed one round
    /// trip late. Heartbeats and commits pass freely; they carry no entries then. Not counted is
    /// the one entry that tries, with each heartbeat, whether a follower short of room takes it.
    /// What waits gathers, and leaves in frames that are fuller.
    pub const fn in_flight(mut self, messages: u16, bytes: u32) -> Self {
        self.config.in_flight = InFlight { messages, bytes };
        self
    }

    /// How many bytes of entries, their headers included, a leader lets wait for their commit
    /// before it refuses proposals ([`ProposeError::Uncommitted`](crate::error::ProposeError)). A
    /// proposal is always taken when nothing is uncommitted, whatever its size. Without this call
    /// the log window is the bound.
    ///
    /// Nothing is counted beside the log: uncommitted is what stands in it after the commit as the
    /// leader knows it. So whatever a new leader inherits counts, with the entry by which it learns
    /// what of that is committed, and configurations count; they are never refused for it.
    pub const fn uncommitted_bytes_max(mut self, bytes: u32) -> Self {
        self.config.uncommitted_bytes_max = bytes;
        self
    }

    /// This node's driver keeps older entries than the log window holds, and answers every
    /// [`poll_fetch`](crate::Raft::poll_fetch) with [`lend`](crate::Raft::lend) or
    /// [`decline`](crate::Raft::decline): as leader it then brings members that lag behind up to
    /// date with entries, and with the snapshot only when the driver declines. A driver that does
    /// not answer leaves them behind.
    pub const fn lending(mut self) -> Self {
        self.config.lends = true;
        self
    }

    /// Makes a leader refuse to [`compact`](crate::Raft::compact) what would outrun a member to
    /// which it is sending the snapshot, or which got that and has not caught up: for at most
    /// `longest` after the first piece of that snapshot was sent, to whomever, and only while less
    /// than `percent` (0 to 100) of the log window is used. Then it is allowed, and the next
    /// snapshot is held as long.
    ///
    /// Choose for `longest` what the snapshot takes over the slowest link, twice. Proposals need
    /// some room in the window, so half of it is a good `percent`. Without this call nothing is
    /// held: a driver has made a snapshot when it compacts, and one that does not ask
    /// [`held`](crate::Raft::held) first would have made it in vain.
    pub const fn hold_compaction(mut self, longest: Duration, percent: u8) -> Self {
        self.config.hold_longest = longest;
        self.config.hold_percent = percent;
        self
    }

    /// Lets a group that has been idle for so long stop its heartbeats by agreement: at least the
    /// longest election timeout, at most 255 heartbeats, and rounded up to whole ones. While it is quiet nobody has a timer
    /// ([`poll_timeout`](crate::Raft::poll_timeout) is `None`), and nobody notices if the leader
    /// dies: whoever uses the group calls [`wake`](crate::Raft::wake) when it gets no answer.
    /// Proposals, reads, transfers and changes of the membership wake the group by themselves.
    ///
    /// Every member decides for itself whether it may be quiet, its leader when. A member without
    /// this setting keeps its group awake, as long as the leader hears it. Without this call a node is
    /// never quiet.
    pub const fn quiet_after(mut self, idle: Duration) -> Self {
        self.quiet_after = Some(idle);
        self
    }

    /// How much this node is preferred as leader: from 0 to [`PRIORITY_MAX`], which is what a node
    /// has without this call. For each step below that its election timeout is longer by the whole
    /// range of [`election_timeout`](ConfigBuilder::election_timeout), so at most
    /// `min + 4 * (max - min)`.
    ///
    /// Of members that heard the last leader at the same time, those of the highest priority among
    /// the living campaign first, and win if their logs allow it. More is not promised: a member
    /// with a shorter log, or one that is cut off, does not lead for its priority, a node of
    /// priority 0 leads if no other can, and no leader gives way to a higher priority by itself: the
    /// application may [`transfer`](crate::Raft::transfer). Safety, leases and the time after which
    /// a leader without a quorum gives way do not depend on it.
    pub const fn priority(mut self, priority: u8) -> Self {
        self.config.priority = priority;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// Each [`ConfigError`] names the setting and the rule it breaks; it is the caller's mistake.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        let c = &self.config;
        if c.heartbeat_interval == Duration::ZERO {
            return Err(ConfigError::HeartbeatIntervalZero);
        }
        if c.heartbeat_interval.saturating_mul(2) > c.election_timeout_min {
            return Err(ConfigError::HeartbeatTooSlow);
        }
        // Nodes that draw the same timeout split the vote again and again: the range must hold
        // enough values to tell them apart even where time is coarse.
        let range = c
            .election_timeout_max
            .saturating_sub(c.election_timeout_min);
        if range.saturating_mul(8) < c.election_timeout_min || range == Duration::ZERO {
            return Err(ConfigError::ElectionRangeTooNarrow);
        }
        if c.election_timeout_max.as_micros() > u64::MAX / 16 {
            return Err(ConfigError::ElectionTimeoutTooLong);
        }
        if c.persist_timeout == Duration::ZERO {
            return Err(ConfigError::PersistTimeoutZero);
        }
        if c.frame_bytes_max < wire::FRAME_BYTES_MIN {
            return Err(ConfigError::FrameTooSmall {
                needed: wire::FRAME_BYTES_MIN,
            });
        }
        if c.lease_drift_ppm.is_some_and(|drift| drift >= 1_000_000) {
            return Err(ConfigError::DriftTooLarge);
        }
        if self
            .quiet_after
            .is_some_and(|idle| idle < c.election_timeout_max)
        {
            return Err(ConfigError::QuietTooSoon);
        }
        if c.priority > PRIORITY_MAX {
            return Err(ConfigError::PriorityTooHigh);
        }
        let needed = u32::try_from(c.frame_bytes_max).unwrap_or(u32::MAX);
        if c.in_flight.messages == 0 || c.in_flight.bytes < needed {
            return Err(ConfigError::InFlightTooSmall { needed });
        }
        if c.hold_percent > 100 {
            return Err(ConfigError::HoldPercentTooLarge);
        }
        if let Some(idle) = self.quiet_after {
            let beats = heartbeats(idle, self.config.heartbeat_interval);
            self.config.quiet_after = Some(beats.ok_or(ConfigError::QuietTooLate)?);
        }
        Ok(self.config)
    }
}

/// How many intervals pass in `time`, the last of them whole: from 1 to 255.
fn heartbeats(time: Duration, interval: Duration) -> Option<NonZeroU8> {
    let beats = time.as_micros().div_ceil(interval.as_micros().max(1));
    NonZeroU8::new(u8::try_from(beats).ok()?)
}

/// Why settings were refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConfigError {
    /// The heartbeat interval is zero: a leader would do nothing else.
    HeartbeatIntervalZero,
    /// Two heartbeats do not fit into the shortest election timeout, so that one lost frame
    /// would start an election.
    HeartbeatTooSlow,
    /// The election timeout's maximum is less than an eighth above its minimum: members would
    /// campaign at the same time again and again.
    ElectionRangeTooNarrow,
    /// The election timeout is beyond any clock's horizon.
    ElectionTimeoutTooLong,
    /// The persist timeout is zero: a leader would give way before its first write.
    PersistTimeoutZero,
    /// Not even an empty frame of every kind would fit.
    FrameTooSmall {
        /// The smallest frame size that works, in bytes.
        needed: usize,
    },
    /// A clock that may stand still measures no lease.
    DriftTooLarge,
    /// Not even one full frame may be on its way to a member.
    InFlightTooSmall {
        /// The fewest bytes that work: the longest frame. The fewest messages are one.
        needed: u32,
    },
    /// Compaction is to be held until more than the whole window is used.
    HoldPercentTooLarge,
    /// The idle time before a group goes quiet is below the longest election timeout: it would
    /// sleep before it knows who is there.
    QuietTooSoon,
    /// The idle time before a group goes quiet is longer than 255 heartbeats.
    QuietTooLate,
    /// The priority is above [`PRIORITY_MAX`].
    PriorityTooHigh,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::HeartbeatIntervalZero => f.write_str("the heartbeat interval is zero"),
            ConfigError::HeartbeatTooSlow => {
                f.write_str("two heartbeat intervals must fit into the shortest election timeout")
            }
            ConfigError::ElectionRangeTooNarrow => f.write_str(
                "the longest election timeout must exceed the shortest by at least an eighth",
            ),
            ConfigError::ElectionTimeoutTooLong => f.write_str("the election timeout is too long"),
            ConfigError::PersistTimeoutZero => f.write_str("the persist timeout is zero"),
            ConfigError::FrameTooSmall { needed } => {
                write!(f, "frames must have at least {needed} bytes")
            }
            ConfigError::DriftTooLarge => {
                f.write_str("the drift for leases must be below 1,000,000 millionths")
            }
            ConfigError::QuietTooSoon => {
                f.write_str("a group may go quiet after the longest election timeout, not before")
            }
            ConfigError::QuietTooLate => {
                f.write_str("a group goes quiet after at most 255 heartbeats")
            }
            ConfigError::PriorityTooHigh => {
                write!(f, "the priority must be at most {PRIORITY_MAX}")
            }
            ConfigError::HoldPercentTooLarge => {
                f.write_str("a window is never used to more than 100 percent")
            }
            ConfigError::InFlightTooSmall { needed } => {
                write!(
                    f,
                    "at least one message of {needed} bytes must be allowed in flight"
                )
            }
        }
    }
}

impl core::error::Error for ConfigError {}

//! What happened how often: a check that never meets its case proves nothing.

use core::fmt;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $rarely:expr;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Count { $($(#[$doc])* $name,)* }

        /// Every counter: name, and whether it may stay zero in a long run.
        pub const COUNTS: &[(&str, bool)] = &[$(($text, $rarely),)*];
    };
}

counts! {
    /// A step of the world.
    Event = "events", false;
    /// A node came into office.
    Election = "leaders elected", false;
    /// A leader gave way although it had seen no higher term.
    GaveWay = "leaders that gave way by themselves", false;
    /// A node campaigned in vain.
    CampaignLost = "campaigns without success", false;
    /// An entry was committed for the first time.
    Commit = "entries committed", false;
    /// A command was applied.
    Applied = "commands applied", false;
    /// A command was proposed.
    Proposed = "commands proposed", false;
    /// A proposal found no room.
    ProposalRefused = "proposals refused for lack of room", false;
    /// Uncommitted entries gave way.
    Truncation = "logs cut back", false;
    /// A snapshot from a leader took the place of a log.
    SnapshotInstalled = "snapshots installed", false;
    /// A piece of a snapshot was stored.
    PieceStored = "snapshot pieces stored", false;
    /// A host compacted its log.
    Compaction = "compactions", false;
    /// A configuration with two majorities came into force.
    Joint = "joint configurations entered", false;
    /// A configuration was taken back with its entry.
    ConfigurationUndone = "configurations taken back", false;
    /// A leader left because it was removed.
    LeaderRemoved = "leaders removed", false;
    /// A host lost its disk and joined anew.
    Wipe = "hosts that joined anew after a wipe", false;
    /// A frame left a host.
    FrameSent = "frames sent", false;
    /// A frame was lost.
    FrameLost = "frames lost", false;
    /// A frame met a partition.
    FrameCut = "frames cut off", false;
    /// A frame arrived twice.
    FrameDuplicated = "frames duplicated", false;
    /// A frame overtook another.
    FrameReordered = "frames reordered", false;
    /// A frame took longer than an election timeout.
    FrameDelayedLong = "frames late by an election timeout", false;
    /// A link was busy.
    LinkBusy = "busy links met", false;
    /// A host crashed.
    Crash = "crashes", false;
    /// A leader crashed.
    CrashLeader = "crashes of a leader", false;
    /// A host crashed in the middle of a write.
    CrashWriting = "crashes in the middle of a write", false;
    /// All hosts crashed.
    CrashAll = "crashes of all hosts", false;
    /// A host came back.
    Restart = "restarts", false;
    /// A record was lost in a crash.
    RecordLost = "records lost in a crash", false;
    /// A record survived a crash unreported.
    RecordKept = "records kept unreported", false;
    /// A prefix of a record survived.
    RecordTorn = "records torn", false;
    /// A restart read a torn record.
    TornReplayed = "torn records read back", false;
    /// A torn record was refused, as a whole.
    TornRefused = "torn records refused", false;
    /// A write failed.
    WriteFailed = "writes failed", false;
    /// A write was stored.
    Write = "writes", false;
    /// A disk stalled.
    DiskStall = "disks stalled", false;
    /// A host paused.
    Pause = "pauses", false;
    /// One host was isolated.
    Isolate = "hosts isolated", false;
    /// The network was split.
    Split = "splits", false;
    /// The network was split but for one host.
    Bridge = "bridges", false;
    /// Links worked in one direction.
    OneWay = "one-way partitions", false;
    /// A clock was set.
    ClockStep = "clocks set", false;
    /// The group recovered with a minority down or cut off.
    FrozenMinority = "recoveries without a minority", false;
    /// A machine dropped a message as wrong.
    MessageDropped = "messages dropped by machines", false;
}

/// The counters of one history, or of many.
#[derive(Clone, Debug)]
pub struct Stats {
    counts: [u64; COUNTS.len()],
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            counts: [0; COUNTS.len()],
        }
    }
}

impl Stats {
    /// Counts one.
    pub fn add(&mut self, count: Count) {
        self.counts[count as usize] += 1;
    }

    /// Counts several.
    pub fn add_many(&mut self, count: Count, more: u64) {
        self.counts[count as usize] += more;
    }

    /// How many.
    pub fn count(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// Adds the counters of another history.
    pub fn merge(&mut self, other: &Stats) {
        for (sum, more) in self.counts.iter_mut().zip(other.counts) {
            *sum += more;
        }
    }

    /// What never happened although it should in a long run.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> + '_ {
        let all = COUNTS.iter().zip(self.counts);
        all.filter(|((_, may_be_zero), count)| *count == 0 && !may_be_zero)
            .map(|((name, _), _)| *name)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((name, _), count) in COUNTS.iter().zip(self.counts) {
            writeln!(f, "  {count:>12}  {name}")?;
        }
        Ok(())
    }
}

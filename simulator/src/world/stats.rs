//! What happened how often: a check that never meets its case proves nothing, so a long run in
//! which one of these counters stays zero fails.

use core::fmt;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Count { $($(#[$doc])* $name,)* }

        /// The names of all counters.
        pub const COUNTS: &[&str] = &[$($text,)*];
    };
}

counts! {
    /// A step of the world.
    Event = "events";
    /// A node came into office.
    Election = "leaders elected";
    /// A leader gave way although it had seen no higher term.
    GaveWay = "leaders that gave way by themselves";
    /// A node campaigned in vain.
    CampaignLost = "campaigns without success";
    /// An entry was committed for the first time.
    Commit = "entries committed";
    /// A command was applied.
    Applied = "commands applied";
    /// A command was proposed.
    Proposed = "commands proposed";
    /// A proposal found no room.
    ProposalRefused = "proposals refused for lack of room";
    /// Uncommitted entries gave way.
    Truncation = "logs cut back";
    /// A snapshot from a leader took the place of a log.
    SnapshotInstalled = "snapshots installed";
    /// A piece of a snapshot was stored.
    PieceStored = "snapshot pieces stored";
    /// A host compacted its log.
    Compaction = "compactions";
    /// A configuration with two majorities came into force.
    Joint = "joint configurations entered";
    /// A configuration was taken back with its entry.
    ConfigurationUndone = "configurations taken back";
    /// A leader left office because it is no voter any more.
    LeaderRemoved = "leaders removed";
    /// A host lost its disk and joined anew.
    Wipe = "hosts that joined anew after a wipe";
    /// A frame left a host.
    FrameSent = "frames sent";
    /// A frame was lost.
    FrameLost = "frames lost";
    /// A frame met a partition.
    FrameCut = "frames cut off";
    /// A frame arrived twice.
    FrameDuplicated = "frames duplicated";
    /// A frame overtook another.
    FrameReordered = "frames reordered";
    /// A frame took longer than an election timeout.
    FrameDelayedLong = "frames late by an election timeout";
    /// A link was busy.
    LinkBusy = "busy links met";
    /// A host crashed.
    Crash = "crashes";
    /// A leader crashed.
    CrashLeader = "crashes of a leader";
    /// A host crashed in the middle of a write.
    CrashWriting = "crashes in the middle of a write";
    /// All hosts crashed.
    CrashAll = "crashes of all hosts";
    /// A host came back.
    Restart = "restarts";
    /// A record was lost in a crash.
    RecordLost = "records lost in a crash";
    /// A record survived a crash unreported.
    RecordKept = "records kept unreported";
    /// A prefix of a record survived.
    RecordTorn = "records torn";
    /// A restart read a torn record.
    TornReplayed = "torn records read back";
    /// A torn record was refused, as a whole.
    TornRefused = "torn records refused";
    /// A write failed.
    WriteFailed = "writes failed";
    /// A write was stored.
    Write = "writes";
    /// A disk stalled.
    DiskStall = "disks stalled";
    /// A host paused.
    Pause = "pauses";
    /// One host was isolated.
    Isolate = "hosts isolated";
    /// The network was split.
    Split = "splits";
    /// The network was split but for one host.
    Bridge = "bridges";
    /// Links worked in one direction.
    OneWay = "one-way partitions";
    /// A clock was set.
    ClockStep = "clocks set";
    /// The group recovered with a minority down or cut off.
    FrozenMinority = "recoveries without a minority";
    /// Every link was cut at the end.
    FallenApart = "groups without any majority at the end";
    /// What clients saw was looked at without the log, and the search came to an end.
    HistorySearched = "client histories searched for an order";
    /// A machine dropped a message as wrong.
    MessageDropped = "messages dropped by machines";
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

    /// What never happened.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> + '_ {
        let all = COUNTS.iter().zip(self.counts);
        all.filter(|(_, count)| *count == 0).map(|(name, _)| *name)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in COUNTS.iter().zip(self.counts) {
            writeln!(f, "  {count:>12}  {name}")?;
        }
        Ok(())
    }
}

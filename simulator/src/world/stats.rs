//! What happened how often: a check that never meets its case proves nothing, so a long run in
//! which one of these counters stays zero fails.

use core::fmt;

use crate::world::faults::phase::{PHASES, Phase};
use crate::world::swarm::{FAULT_NAMES, FAULTS};

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
    /// A leader answered a read after a round of contacts.
    ReadByRound = "reads answered by a round";
    /// A leader said something to several at once.
    Broadcast = "broadcasts";
    /// A host took what was said to it and others at once.
    BroadcastTaken = "broadcasts taken";
    /// A leader answered a read by its lease.
    ReadByLease = "reads answered by a lease";
    /// A host that does not lead answered a read.
    ReadElsewhere = "reads answered by others than the leader";
    /// A read ended without an answer.
    ReadFailed = "reads that failed";
    /// A leader began to hand over its office.
    Transfer = "transfers begun";
    /// A leader went quiet with its group.
    Quiet = "groups gone quiet";
    /// A quiet host was told to wake its group.
    Rouse = "quiet hosts told to wake";
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
    /// A leader did not compact, because a member would have been outrun.
    CompactionHeld = "compactions held back";
    /// A driver lent older entries.
    Loan = "older entries lent";
    /// A driver did not have the older entries that a member needs.
    LoanDeclined = "older entries not there to be lent";
    /// Too much waited for its commit.
    ProposalHeld = "proposals refused for what is uncommitted";
    /// A configuration with two majorities came into force.
    Joint = "joint configurations entered";
    /// A configuration was taken back with its entry.
    ConfigurationUndone = "configurations taken back";
    /// A leader left office because it is no voter any more.
    LeaderRemoved = "leaders removed";
    /// A host lost its disk and joined anew.
    Wipe = "hosts that joined anew after a wipe";
    /// A leader let a witness in.
    WitnessAdded = "witnesses let in";
    /// A witness dropped the beginning of its log.
    WitnessCompaction = "logs dropped by witnesses";
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
    /// A host came back while faults still struck.
    Restart = "restarts in the storm";
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
    /// A clock stood still.
    ClockStop = "clocks stopped";
    /// A clock ran faster or slower than before.
    ClockDrift = "clocks that changed their rate";
    /// The host whose acknowledgement was the latest crashed.
    CrashAcker = "crashes of the latest to acknowledge";
    /// Every host reached its two neighbours only.
    Ring = "rings";
    /// Any links were cut.
    AnyLinks = "links cut at random";
    /// All links of a host were cut for a while of their own.
    Clog = "links clogged one host after the other";
    /// A frame of long ago arrived once more.
    Replay = "old frames replayed";
    /// A frame was damaged on its way.
    FrameDamaged = "frames damaged on their way";
    /// A stored record rotted, and the host could not come back as itself.
    Rot = "hosts lost to a rotten record";
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
    /// How often each kind of fault met each phase of the group.
    cells: [[u64; PHASES]; FAULTS],
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            counts: [0; COUNTS.len()],
            cells: [[0; PHASES]; FAULTS],
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
        let cells = self.cells.iter_mut().flatten();
        for (sum, more) in cells.zip(other.cells.iter().flatten()) {
            *sum += more;
        }
    }

    /// A fault of this kind (by its place in the weights) strikes.
    pub(crate) fn strike(&mut self, fault: usize, phase: Phase) {
        self.cells[fault][phase as usize] += 1;
    }

    /// The kinds of fault that have not met some phase, as `fault in phase`.
    pub fn missing_cells(&self) -> impl Iterator<Item = String> + '_ {
        let rows = self.cells.iter().zip(FAULT_NAMES);
        rows.flat_map(|(row, fault)| {
            let cells = row.iter().zip(Phase::ALL);
            let missing = cells.filter(|(count, _)| **count == 0);
            missing.map(move |(_, phase)| format!("{fault} in {}", phase.name()))
        })
    }

    /// The least often that a kind of fault met a phase.
    pub fn rarest_cell(&self) -> u64 {
        self.cells.iter().flatten().copied().min().unwrap_or(0)
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
        write!(f, "  {:<24}", "fault by phase")?;
        for phase in Phase::ALL {
            write!(f, " {:>11}", phase.name())?;
        }
        writeln!(f)?;
        for (row, fault) in self.cells.iter().zip(FAULT_NAMES) {
            write!(f, "  {fault:<24}")?;
            for count in row {
                write!(f, " {count:>11}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

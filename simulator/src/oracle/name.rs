//! The names of the oracles.

use core::fmt;

macro_rules! oracles {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The oracles.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Oracle { $($(#[$doc])* $variant,)* }

        impl Oracle {
            /// All of them.
            pub const ALL: [Oracle; [$($name),*].len()] = [$(Oracle::$variant,)*];

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Oracle::$variant => $name,)* }
            }
        }
    };
}

oracles! {
    /// At most one leader in a term, `[Ongaro14 fig 3.2]`.
    ElectionSafety = "election-safety";
    /// At most one vote of a node in a term, across its restarts, judged by what it sent.
    OneVote = "one-vote";
    /// Whoever leads was given the votes of every majority that its configuration asks for.
    VoteQuorum = "vote-quorum";
    /// A vote goes only to a candidate whose log is at least as up to date.
    UpToDateVote = "up-to-date-vote";
    /// Being asked for a pre-vote changes nothing that lasts, and no term.
    PreVoteInert = "pre-vote-inert";
    /// In its term of office a leader only adds to its log.
    LeaderAppendOnly = "leader-append-only";
    /// Index and term identify an entry and everything before it, on all nodes and for ever.
    LogMatching = "log-matching";
    /// Who leads a term has all that was committed in earlier terms.
    LeaderCompleteness = "leader-completeness";
    /// All nodes commit and apply the same commands in the same order, none twice.
    StateMachineSafety = "state-machine-safety";
    /// What is committed is on the disks of every majority that the configuration asks for.
    QuorumDurability = "quorum-durability";
    /// No majority could elect a leader without one that has all that is committed on disk.
    QuorumLog = "quorum-log";
    /// What a leader counts as stored by a member is stored there, and never becomes less.
    MatchIndex = "match-index";
    /// Leaders commit by entries of their own term, followers what the leader's message covers.
    CommitRule = "commit-rule";
    /// No frame promises what is not on the sender's disk.
    PersistBeforeSend = "persist-before-send";
    /// In one life, term, vote, commit, base and delivery only grow.
    Monotonic = "monotonic";
    /// Base, delivery, commit and end of a log stand in this order, and terms along it.
    Order = "order";
    /// Configurations follow each other one at a time, and all who could be elected overlap.
    Reconfiguration = "reconfiguration";
    /// A snapshot is the state after its last entry, and installing one loses nothing committed.
    Snapshot = "snapshot";
    /// A restart comes back with exactly what its disk holds.
    Recovery = "recovery";
    /// The machine's own invariants hold and it has not stopped.
    Invariants = "invariants";
    /// Every step is one that the papers allow: the naive model in lock step.
    Reference = "reference";
    /// The same state and input make the same state and outputs.
    Purity = "purity";
    /// An input makes no more frames than the log and the members account for.
    BoundedOutput = "bounded-output";
    /// What a client was told is done is in the log, once; and nothing that nobody asked for.
    ExactlyOnce = "exactly-once";
    /// What clients were told agrees with one order of all commands, in real time.
    Linearizability = "linearizability";
    /// A witness keeps no payload and leads nobody, and nobody else lacks a payload.
    Witness = "witness";
    /// When the faults are over somebody comes into office.
    Liveness = "liveness";
    /// Then what a leader takes is committed.
    Progress = "progress";
    /// Then every live member catches up.
    CatchUp = "catch-up";
    /// Then a change of members comes to its end.
    JointLeft = "joint-left";
    /// A leader whose majority is well is not disturbed by anybody else.
    StableLeader = "stable-leader";
    /// A leader that no majority reaches gives way.
    DeafLeader = "deaf-leader";
    /// A leader whose disk does not finish a write gives way.
    HungDisk = "hung-disk";
    /// Nobody helps to replace a leader just heard, or stands before its time.
    Patience = "patience";
    /// Without a majority nothing new is committed, and terms do not grow.
    NoMajority = "no-majority";
}

impl Oracle {
    /// The oracle with this name.
    pub fn by_name(name: &str) -> Option<Oracle> {
        Oracle::ALL.into_iter().find(|oracle| oracle.name() == name)
    }
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

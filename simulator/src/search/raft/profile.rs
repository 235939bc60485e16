//! Profiles: small worlds, each with its bounds, chosen for what can be seen in it.

/// How a world ends, if it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It does not.
    None,
    /// At any moment the storm may stop: from then on nobody crashes, every frame arrives before
    /// anything else happens, and time passes for everybody. Then there must be a leader at last.
    Calm,
    /// At any moment at which a leader and a follower of it make a majority they may stay in
    /// touch: time stands still for them, because they always hear from each other in time,
    /// while it goes on for the other node, whose frames come and go. The leader must stay.
    Majority,
}

/// Which changes of the membership are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Menu {
    /// A newcomer for the last member, in one.
    Exchange,
    /// Each alone: a newcomer, with a vote or without, a vote for it, somebody goes.
    Each,
}

/// How time passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// For each node alone, to its next deadline or past all: nothing is said of how long.
    Abstract,
    /// On clocks that run step by step, a fifth too slow or too fast, with leases. Whoever has a
    /// deadline and does not lead looks at the clock then.
    Clocks,
    /// The same, but anybody may look late.
    LateClocks,
}

/// A world to explore. Terms and entries are counted from the beginning, where a formed group
/// has just been restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it is there to see.
    pub purpose: &'static str,
    /// Members at the beginning.
    pub members: usize,
    /// Nodes that wait to be let in.
    pub joiners: usize,
    /// Elections: no step goes beyond this many terms.
    pub terms: u32,
    /// Proposals.
    pub proposals: u8,
    /// Changes of the membership.
    pub changes: u8,
    /// Which changes are tried.
    pub menu: Menu,
    /// Compactions.
    pub compactions: u8,
    /// In how many pieces a snapshot travels.
    pub pieces: u8,
    /// Crashes, each followed by a restart.
    pub crashes: u8,
    /// Rounds of contact that a leader opens in a term; the first is its election.
    pub rounds: u8,
    /// Frames under way at once. When more would be, the network loses some: any of them.
    pub frames: usize,
    /// Whether a delivered frame may arrive again.
    pub repeats: bool,
    /// Whether a frame carries at most one entry.
    pub single_entries: bool,
    /// Whether questions and answers of elections arrive before anything else happens, or never,
    /// and do not count as frames under way. Fewer orders, so that more terms can be reached.
    pub swift_elections: bool,
    /// Whether the time in which nodes stick to a leader is over as soon as it begins.
    pub impatient: bool,
    /// Whether writes take time: what is not stored yet can be lost in any part.
    pub slow_disks: bool,
    /// Reads, of whoever knows a leader.
    pub reads: u8,
    /// Times that a leader is told to hand over.
    pub transfers: u8,
    /// Times that a voter is told to stand.
    pub campaigns: u8,
    /// Whether a leader makes contact again, and who asks for votes asks again. Otherwise rounds are
    /// opened for reads alone.
    pub heartbeats: bool,
    /// How time passes.
    pub time: Time,
    /// How it ends.
    pub ending: Ending,
    /// Writes that fail, of those that take time.
    pub failures: u8,
    /// What is left out of the states because nobody can notice it.
    pub reduction: Reduction,
    /// Whether groups that are renamings of each other count once. Fairness speaks of nodes by name,
    /// so that no promise about it can be checked then.
    pub is_symmetric: bool,
}

/// What is left out of the states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reduction {
    /// Nothing.
    None,
    /// What nobody can notice any more.
    Sound,
    /// A seeded fault: votes, always.
    Rash,
}

const BASE: Profile = Profile {
    name: "",
    purpose: "",
    members: 3,
    joiners: 0,
    terms: 2,
    proposals: 0,
    changes: 0,
    menu: Menu::Exchange,
    compactions: 0,
    pieces: 1,
    crashes: 0,
    rounds: 1,
    frames: 2,
    repeats: false,
    single_entries: false,
    swift_elections: false,
    impatient: false,
    slow_disks: false,
    reads: 0,
    transfers: 0,
    campaigns: 0,
    heartbeats: true,
    time: Time::Abstract,
    ending: Ending::None,
    failures: 0,
    reduction: Reduction::Sound,
    is_symmetric: true,
};

/// The profiles, for a scale: 1 closes in seconds to minutes, 2 and above are for campaigns.
pub fn profiles(scale: u8) -> Vec<Profile> {
    let is_large = scale >= 2;
    let pick = |small, large| if is_large { large } else { small };
    vec![
        Profile {
            name: "elections",
            purpose: "votes and terms over restarts: who may lead",
            terms: pick(1, 3),
            frames: 1,
            crashes: 1,
            ..BASE
        },
        Profile {
            name: "replication",
            purpose: "entries, refusals and repeated frames under changing leaders",
            terms: pick(2, 3),
            proposals: pick(1, 2) as u8,
            crashes: pick(0, 1) as u8,
            frames: 1,
            repeats: is_large,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "figure-8",
            purpose: "old entries on a majority that are not committed, [Ongaro14 §3.6.2]",
            terms: pick(4, 6),
            frames: 1,
            single_entries: true,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "joining-and-leaving",
            purpose: "one joint change of the voters, the newcomer fed with a snapshot",
            joiners: 1,
            terms: pick(1, 3),
            changes: 1,
            frames: 1,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "snapshots",
            purpose: "logs that are compacted under the feet of who lags",
            terms: pick(1, 2),
            compactions: 1,
            frames: 1,
            rounds: 2,
            ..BASE
        },
        Profile {
            name: "reads",
            purpose: "a read is answered as of a commit at least as late as any before it",
            terms: 2,
            reads: pick(1, 2) as u8,
            rounds: 2,
            frames: 2,
            swift_elections: true,
            impatient: true,
            heartbeats: false,
            ..BASE
        },
        Profile {
            name: "earlier-lives",
            purpose: "answers to what a node asked before it crashed",
            terms: 1,
            proposals: 1,
            reads: 2,
            crashes: 1,
            rounds: 2,
            frames: pick(1, 2) as usize,
            heartbeats: false,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "transfer",
            purpose: "a successor that is level is told to stand, and nobody else is",
            terms: 2,
            transfers: 1,
            proposals: 1,
            frames: 1,
            swift_elections: true,
            impatient: !is_large,
            ..BASE
        },
        Profile {
            name: "membership",
            purpose: "learners, newcomers and leavers, one change after the other",
            joiners: 1,
            terms: 2,
            changes: 2,
            proposals: pick(0, 1) as u8,
            menu: Menu::Each,
            frames: 1,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "compacted-changes",
            purpose: "snapshots that stand for configurations, one change of the membership",
            joiners: 1,
            terms: pick(1, 2),
            changes: 1,
            compactions: 1,
            menu: Menu::Each,
            frames: 1,
            swift_elections: true,
            impatient: true,
            is_symmetric: false,
            ..BASE
        },
        Profile {
            name: "pieces",
            purpose: "snapshots in two pieces, and a later one under way with an earlier",
            terms: 1,
            proposals: pick(0, 1) as u8,
            compactions: pick(1, 2) as u8,
            pieces: 2,
            rounds: 2,
            frames: pick(1, 2) as usize,
            swift_elections: true,
            impatient: true,
            ..BASE
        },
        Profile {
            name: "leases",
            purpose: "no answer by lease while somebody else leads, on clocks that drift",
            terms: 2,
            reads: 1,
            transfers: pick(0, 1) as u8,
            campaigns: pick(0, 1) as u8,
            frames: 1,
            swift_elections: true,
            time: Time::Clocks,
            ..BASE
        },
        Profile {
            name: "calm",
            purpose: "pre-votes, votes and check-quorum lead to a leader, no lasso without one",
            terms: pick(2, 3),
            frames: 1,
            swift_elections: true,
            ending: Ending::Calm,
            is_symmetric: false,
            ..BASE
        },
        Profile {
            name: "undisturbed",
            purpose: "pre-votes protect a majority that is well from a node that is not",
            terms: pick(2, 3),
            frames: 2,
            swift_elections: true,
            ending: Ending::Majority,
            ..BASE
        },
        Profile {
            name: "unsynced",
            purpose: "writes under way that a crash cuts anywhere, messages that wait for them",
            terms: 1,
            crashes: 1,
            frames: 1,
            slow_disks: true,
            failures: pick(0, 1) as u8,
            ..BASE
        },
    ]
}

/// The profile of this name.
pub fn profile(name: &str, scale: u8) -> Option<Profile> {
    let mut all = profiles(scale).into_iter();
    all.find(|profile| profile.name == name)
}

impl Profile {
    /// Whether anything is left out.
    #[inline]
    pub(super) fn is_reduced(&self) -> bool {
        self.reduction != Reduction::None
    }

    /// Whether clocks run step by step.
    pub(super) fn has_clocks(&self) -> bool {
        matches!(self.time, Time::Clocks | Time::LateClocks)
    }

    /// Whether a leader makes contact again, and who asks for votes asks again.
    pub(super) fn asks_again(&self) -> bool {
        self.rounds > 1 && self.heartbeats
    }

    /// The same world with one bound changed: its name as [`bounds`](Profile::bounds) writes it.
    pub fn with(mut self, bound: &str, value: u8) -> Option<Profile> {
        match bound {
            "members" => self.members = usize::from(value),
            "joiners" => self.joiners = usize::from(value),
            "terms" => self.terms = u32::from(value),
            "proposals" => self.proposals = value,
            "changes" => self.changes = value,
            "compactions" => self.compactions = value,
            "pieces" => self.pieces = value,
            "repeats" => self.repeats = value > 0,
            "impatient" => self.impatient = value > 0,
            "crashes" => self.crashes = value,
            "rounds" => self.rounds = value,
            "frames" => self.frames = usize::from(value),
            "failures" => self.failures = value,
            "reads" => self.reads = value,
            "transfers" => self.transfers = value,
            "campaigns" => self.campaigns = value,
            "time" => {
                let all = [Time::Abstract, Time::Clocks, Time::LateClocks];
                self.time = *all.get(usize::from(value))?;
            }
            "reduced" => {
                let all = [Reduction::None, Reduction::Sound, Reduction::Rash];
                self.reduction = *all.get(usize::from(value))?;
            }
            "symmetric" => self.is_symmetric = value > 0,
            _ => return None,
        }
        Some(self)
    }

    /// The bounds in words.
    pub fn bounds(&self) -> String {
        let mut words = format!(
            "{} members, {} joiners, terms +{}, proposals {}, changes {}, compactions {}, \
             crashes {}, rounds {}, frames {}",
            self.members,
            self.joiners,
            self.terms,
            self.proposals,
            self.changes,
            self.compactions,
            self.crashes,
            self.rounds,
            self.frames,
        );
        let wishes = [
            ("reads", self.reads),
            ("transfers", self.transfers),
            ("campaigns", self.campaigns),
        ];
        for (what, count) in wishes {
            if count > 0 {
                words.push_str(&format!(", {what} {count}"));
            }
        }
        match self.time {
            Time::Abstract => {}
            Time::Clocks => words.push_str(", clocks 20 % slow or fast"),
            Time::LateClocks => words.push_str(", clocks 20 % slow or fast, looked at late"),
        }
        if self.menu == Menu::Each {
            words.push_str(", one change at a time");
        }
        if self.pieces > 1 {
            words.push_str(&format!(", snapshots in {} pieces", self.pieces));
        }
        if self.rounds > 1 && !self.heartbeats {
            words.push_str(", no heartbeats");
        }
        if self.repeats {
            words.push_str(", frames repeat");
        }
        if self.single_entries {
            words.push_str(", one entry in a frame");
        }
        if self.swift_elections {
            words.push_str(", swift elections");
        }
        if self.impatient {
            words.push_str(", impatient");
        }
        match self.ending {
            Ending::None => {}
            Ending::Calm => words.push_str(", then calm"),
            Ending::Majority => words.push_str(", then a majority that is well"),
        }
        if self.slow_disks {
            words.push_str(&format!(", writes take time, failures {}", self.failures));
        }
        if self.reduction != Reduction::Sound {
            words.push_str(&format!(", reduced: {:?}", self.reduction));
        }
        if !self.is_symmetric {
            words.push_str(", names count");
        }
        words
    }
}

//! Profiles: small worlds, each with its bounds, chosen for what can be seen in it.

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
    /// Compactions.
    pub compactions: u8,
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
    /// Whether writes take time: what is not stored yet can be lost in any part.
    pub slow_disks: bool,
    /// Writes that fail, of those that take time.
    pub failures: u8,
}

const BASE: Profile = Profile {
    name: "",
    purpose: "",
    members: 3,
    joiners: 0,
    terms: 2,
    proposals: 0,
    changes: 0,
    compactions: 0,
    crashes: 0,
    rounds: 1,
    frames: 2,
    repeats: false,
    single_entries: false,
    slow_disks: false,
    failures: 0,
};

/// The profiles, for a scale: 1 closes in seconds to minutes, 2 and above are for campaigns.
pub fn profiles(scale: u8) -> Vec<Profile> {
    let is_large = scale >= 2;
    let pick = |small, large| if is_large { large } else { small };
    vec![Profile {
        name: "elections",
        purpose: "votes and terms: who may lead",
        terms: pick(2, 4),
        frames: pick(2, 3) as usize,
        crashes: 1,
        ..BASE
    }]
}

/// The profile of this name.
pub fn profile(name: &str, scale: u8) -> Option<Profile> {
    let mut all = profiles(scale).into_iter();
    all.find(|profile| profile.name == name)
}

impl Profile {
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
        if self.repeats {
            words.push_str(", frames repeat");
        }
        if self.single_entries {
            words.push_str(", one entry in a frame");
        }
        if self.slow_disks {
            words.push_str(&format!(", writes take time, failures {}", self.failures));
        }
        words
    }
}

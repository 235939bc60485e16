//! What happened, as plain values: the record from which words and diagrams are made.

use core::fmt;
use std::collections::BTreeMap;

use raft_core::{EntryId, LogIndex, Role, Term};

use crate::world::clock::Moment;
use crate::world::decision::{Decision, FrameName};
use crate::world::host::Host;

/// Something that happened at a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Happening {
    /// When, in true time.
    pub at: Moment,
    /// Where.
    pub host: usize,
    /// What.
    pub what: What,
}

/// What can happen. Frames are named by their place in the order in which they were sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A choice of the world, with what follows from it behind it.
    Decided(Decision),
    /// A frame left for another host.
    Sent(usize, u32, String),
    /// A frame of another host arrived.
    Arrived(usize, u32, String),
    /// A frame that just left will not arrive.
    Lost(u32),
    /// A record up to this entry is being written.
    Writes(LogIndex),
    /// A disk did something.
    Disk(String),
    /// A machine came up in this term, with a log from here to there.
    Started(Term, EntryId, EntryId),
    /// A machine has another role.
    Role(Role, Term),
    /// What can be seen of a machine and its disk has changed.
    Facts(Facts),
    /// Anything else, in words.
    Words(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Decided(decision) => match decision {
                Decision::Wake(_) => f.write_str("wakes"),
                Decision::Crash(..) => f.write_str("CRASHES"),
                other => write!(f, "({other})"),
            },
            What::Sent(to, _, words) => write!(f, "-> n{}  {words}", to + 1),
            What::Arrived(from, _, words) => write!(f, "<- n{}  {words}", from + 1),
            What::Lost(_) => f.write_str("   which is lost"),
            What::Writes(last) => write!(f, "writes up to {last}"),
            What::Disk(words) => write!(f, "disk: {words}"),
            What::Started(term, base, last) => {
                use crate::world::trace::id;
                write!(
                    f,
                    "starts: term {term}, log ({} .. {}]",
                    id(*base),
                    id(*last)
                )
            }
            What::Role(role, term) => write!(f, "{role:?} in term {term}"),
            What::Facts(facts) => facts.fmt(f),
            What::Words(words) => f.write_str(words),
        }
    }
}

/// What can be seen of a host at a glance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Its role; none while it is down.
    pub role: Option<Role>,
    /// Its term.
    pub term: Term,
    /// The last entry in its memory.
    pub last: EntryId,
    /// The last entry on its disk.
    pub durable: EntryId,
    /// What it knows to be committed.
    pub commit: LogIndex,
    /// The last entry that its snapshot covers.
    pub base: EntryId,
    /// The terms of the entries after that.
    pub terms: Vec<Term>,
    /// The voters of its configuration, by host, one bit each.
    pub voters: u64,
    /// Whether two sets of voters are in force.
    pub is_joint: bool,
}

impl Facts {
    /// What can be seen of this host; nothing while it is down.
    pub fn of(host: &Host) -> Option<Facts> {
        let raft = host.raft.as_ref()?;
        let mut voters = 0;
        for seat in raft.members() {
            let number = crate::world::host::host_of(seat.identity.node);
            let is_voter = seat.standing.is_in_incoming();
            voters |= number.map_or(0, |number| u64::from(is_voter) << number);
        }
        Some(Facts {
            role: Some(raft.role()),
            term: raft.term(),
            last: raft.last(),
            durable: host.disk.last(),
            commit: raft.commit(),
            base: raft.base(),
            terms: {
                let first = raft.base().index.value() + 1;
                let places = first..=raft.last().index.value();
                let entries = places.filter_map(|place| raft.entry(LogIndex::new(place)));
                entries.map(|entry| entry.id.term).collect()
            },
            voters,
            is_joint: raft.is_joint(),
        })
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::world::trace::id;
        write!(
            f,
            "term {}, log {} of which {} on disk, commit {}",
            self.term,
            id(self.last),
            id(self.durable),
            self.commit
        )
    }
}

/// The names of all frames that were sent.
#[derive(Clone, Debug, Default)]
pub struct Names {
    all: Vec<FrameName>,
    known: BTreeMap<FrameName, u32>,
}

impl Names {
    /// Gives a frame its number among those that are called the same; returns its place.
    pub fn add(&mut self, mut name: FrameName) -> u32 {
        name.number = 0;
        let count = self.known.entry(name).or_insert(0);
        *count += 1;
        name.number = *count;
        let place = self.all.len() as u32;
        // Numbers start at one, so the counters and the names do not meet.
        self.known.insert(name, place);
        self.all.push(name);
        place
    }

    /// The name of the frame with this place.
    pub fn name(&self, place: u32) -> Option<&FrameName> {
        self.all.get(place as usize)
    }

    /// The place of the frame with this name.
    pub fn find(&self, name: &FrameName) -> Option<u32> {
        self.known.get(name).copied().filter(|_| name.number > 0)
    }

    /// All names, oldest first.
    pub fn all(&self) -> &[FrameName] {
        &self.all
    }
}

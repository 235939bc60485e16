//! What the world decides: the choices that make a history, each under a name that stays when
//! other choices are taken out.
//!
//! A seed draws these choices; a scenario lists them. Either way the same functions of [`World`]
//! carry them out, so a list of the choices that a seed drew is the same history.
//!
//! [`World`]: crate::world::World

use core::fmt;

use raft_core::{Body, LogIndex, Message};

/// What a frame carries, by the word that stands for it in a story.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FrameKind {
    /// Asks whether an election could be won.
    PreVote,
    /// The answer.
    PreVoteReply,
    /// Asks for a vote.
    Vote,
    /// The answer.
    VoteReply,
    /// Entries, or a heartbeat.
    Append,
    /// The answer.
    Ack,
    /// A piece of a snapshot.
    Chunk,
    /// Asks for an index to read at.
    ReadRequest,
    /// The answer.
    ReadReply,
    /// Tells another to stand for election.
    TimeoutNow,
    /// Asks a follower to be silent.
    Quiet,
    /// The answer, or that somebody is awake.
    QuietReply,
    /// Entries without payload, or a heartbeat, to a witness.
    Hollow,
}

impl FrameKind {
    /// All of them, with their words.
    pub const ALL: [(&'static str, FrameKind); 13] = [
        ("pre-vote", FrameKind::PreVote),
        ("pre-vote-reply", FrameKind::PreVoteReply),
        ("vote", FrameKind::Vote),
        ("vote-reply", FrameKind::VoteReply),
        ("append", FrameKind::Append),
        ("ack", FrameKind::Ack),
        ("chunk", FrameKind::Chunk),
        ("read-request", FrameKind::ReadRequest),
        ("read-reply", FrameKind::ReadReply),
        ("timeout-now", FrameKind::TimeoutNow),
        ("quiet", FrameKind::Quiet),
        ("quiet-reply", FrameKind::QuietReply),
        ("hollow", FrameKind::Hollow),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        let mut all = FrameKind::ALL.into_iter();
        all.find(|(_, kind)| *kind == self)
            .map_or("frame", |(word, _)| word)
    }

    /// The kind with this word.
    pub fn by_word(word: &str) -> Option<FrameKind> {
        let mut all = FrameKind::ALL.into_iter();
        all.find(|(other, _)| *other == word).map(|(_, kind)| kind)
    }
}

/// What tells a frame from others, whatever else was sent: who says what to whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FrameName {
    /// What it carries.
    pub kind: FrameKind,
    /// The host that sent it.
    pub from: u8,
    /// The host that it goes to.
    pub to: u8,
    /// Its term.
    pub term: u32,
    /// Append: the index before its entries, and their number. Acknowledgement: up to where.
    /// Piece: the index of the snapshot, and where the piece starts. Others: nothing.
    pub detail: (u64, u64),
    /// One more for each frame of which all the rest is the same, from 1.
    pub number: u32,
}

impl FrameName {
    /// The name of a message, as if it were the first one.
    pub fn of(from: usize, to: usize, message: &Message<'_>) -> Self {
        let (kind, detail) = match &message.body {
            Body::PreVote(_) => (FrameKind::PreVote, (0, 0)),
            Body::PreVoteReply(_) => (FrameKind::PreVoteReply, (0, 0)),
            Body::Vote(_) => (FrameKind::Vote, (0, 0)),
            Body::VoteReply(_) => (FrameKind::VoteReply, (0, 0)),
            Body::Append(m) => {
                let prev: LogIndex = m.prev.index;
                let count = m.entries.iter(prev).count();
                (FrameKind::Append, (prev.value(), count as u64))
            }
            Body::Hollow(m) => (FrameKind::Hollow, (m.prev.index.value(), m.entries.count())),
            Body::Ack(m) => (FrameKind::Ack, (m.verified.value(), 0)),
            Body::Chunk(m) => (FrameKind::Chunk, (m.snapshot.last.index.value(), m.offset)),
            Body::ReadRequest(_) => (FrameKind::ReadRequest, (0, 0)),
            Body::ReadReply(_) => (FrameKind::ReadReply, (0, 0)),
            Body::TimeoutNow => (FrameKind::TimeoutNow, (0, 0)),
            Body::Quiet(_) => (FrameKind::Quiet, (0, 0)),
            Body::QuietReply(_) => (FrameKind::QuietReply, (0, 0)),
        };
        FrameName {
            kind,
            // A world has a handful of hosts.
            from: from as u8,
            to: to as u8,
            term: message.term.value(),
            detail,
            number: 1,
        }
    }
}

impl fmt::Display for FrameName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Pattern::from(*self).fmt(f)
    }
}

/// A frame as a story names it: what is left open fits every frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// What it carries.
    pub kind: FrameKind,
    /// The host that sent it.
    pub from: u8,
    /// The host that it goes to.
    pub to: u8,
    /// Its term.
    pub term: Option<u32>,
    /// As in [`FrameName::detail`].
    pub detail: Option<(u64, u64)>,
    /// As in [`FrameName::number`]; left open it is one that has not arrived yet.
    pub number: Option<u32>,
    /// Left open it is the newest of these, else the oldest.
    pub is_newest: bool,
}

impl From<FrameName> for Pattern {
    fn from(name: FrameName) -> Self {
        Pattern {
            kind: name.kind,
            from: name.from,
            to: name.to,
            term: Some(name.term),
            detail: Some(name.detail),
            number: Some(name.number),
            is_newest: false,
        }
    }
}

impl Pattern {
    /// Whether a frame with this name is meant.
    pub fn fits(&self, name: &FrameName) -> bool {
        self.kind == name.kind
            && self.from == name.from
            && self.to == name.to
            && self.term.is_none_or(|term| term == name.term)
            && self.detail.is_none_or(|detail| detail == name.detail)
            && self.number.is_none_or(|number| number == name.number)
    }

    /// Whether nothing but the term tells frames of this kind apart.
    pub fn is_bare(&self) -> bool {
        !matches!(
            self.kind,
            FrameKind::Append | FrameKind::Hollow | FrameKind::Ack | FrameKind::Chunk
        )
    }

    /// The one name that fits, if nothing is left open.
    pub fn name(&self) -> Option<FrameName> {
        Some(FrameName {
            kind: self.kind,
            from: self.from,
            to: self.to,
            term: self.term?,
            detail: self.detail?,
            number: self.number?,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.kind.word();
        write!(f, "{word} {}->{}", self.from + 1, self.to + 1)?;
        if let Some(term) = self.term {
            write!(f, " term {term}")?;
        }
        match (self.kind, self.detail) {
            (FrameKind::Append | FrameKind::Hollow, Some((prev, count))) => {
                write!(f, " prev {prev} +{count}")?
            }
            (FrameKind::Ack, Some((index, _))) => write!(f, " upto {index}")?,
            (FrameKind::Chunk, Some((index, at))) => write!(f, " of {index} at {at}")?,
            _ => {}
        }
        match self.number {
            Some(number) => write!(f, " #{number}"),
            None if self.is_newest => f.write_str(" last"),
            None => Ok(()),
        }
    }
}

/// What a crash leaves of what the disk was doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// So many operations are done although nobody was told.
    pub kept: u32,
    /// So many bytes of the next one are there.
    pub torn: Option<u32>,
}

/// A change of the membership, by host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alteration {
    /// Lets a host in as a voter.
    Voter(u8),
    /// Lets a host in as a learner.
    Learner(u8),
    /// Lets a host in as a witness.
    Witness(u8),
    /// Makes a learner a voter.
    Promote(u8),
    /// Makes a voter a learner.
    Demote(u8),
    /// Removes a host.
    Remove(u8),
}

/// How a host stays unwell when the storm is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Illness {
    /// It hears nobody.
    Deaf,
    /// It hears nobody and is not heard.
    Cut,
    /// It is down.
    Down,
}

impl Illness {
    /// All of them, with their words.
    pub const ALL: [(&'static str, Illness); 3] = [
        ("deaf", Illness::Deaf),
        ("cut", Illness::Cut),
        ("down", Illness::Down),
    ];
}

/// One choice. Hosts are counted from zero here, and from one in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// A frame arrives, for the first time or again.
    Deliver(Pattern),
    /// A host looks at its clock; without a time of its own, when it wants to.
    Wake(u8),
    /// A disk is done with its oldest operation.
    Store(u8),
    /// A disk fails to write, and leaves so many bytes.
    Fail(u8, u32),
    /// A host crashes.
    Crash(u8, Left),
    /// A host that was down comes back.
    Restart(u8),
    /// A host loses its disk and comes back as another node.
    Wipe(u8),
    /// A host is given so many commands of so many bytes.
    Propose(u8, u32, u32),
    /// A host is asked to answer so many reads.
    Read(u8, u32),
    /// A host is told to start an election.
    Campaign(u8),
    /// A host is told to wake its group.
    Rouse(u8),
    /// A host is told to hand its office to another.
    Transfer(u8, u8),
    /// A host is told to change the membership.
    Reconfigure(u8, Vec<Alteration>),
    /// A transport tells a host that it does not reach another.
    Unreachable(u8, u8),
    /// The links of a host to these hosts take nothing for now, one bit each.
    Busy(u8, u64),
    /// The links of a host take frames again.
    Free(u8),
    /// A clock is set forward or back by so many microseconds.
    Clock(u8, i64),
    /// A clock stands still.
    StopClock(u8),
    /// It goes on, from there or as if it had not stood still.
    StartClock(u8, bool),
    /// A clock gains so many microseconds in a second from now on.
    Rate(u8, i64),
    /// A bit of a stored record flips on the disk of a host that is down.
    Rot(u8),
    /// A host stays unwell from now on.
    Freeze(u8, Illness),
    /// A seeded fault: the memory of a host is kept for later.
    Image(u8),
    /// A seeded fault: that host goes back to the memory that was kept.
    Rewind,
    /// Hosts of different sets, given as bits, do not reach each other. Whoever is in none of
    /// them reaches everybody.
    Partition(Vec<u64>),
    /// Frames from one host do not reach another.
    Cut(u8, u8),
    /// Every link works again.
    Heal,
    /// The next frame that fits is lost.
    Lose(Pattern),
    /// The next frame that fits waits until it is delivered by name.
    Hold(Pattern),
    /// What a host writes waits, even if its disk does everything at once otherwise.
    Stall(u8),
    /// That is over.
    Flow(u8),
    /// So many microseconds go by, in which every host wakes when it wants to.
    Run(u64),
    /// The storm is over, and the group must become well again by itself.
    Calm,
}

impl Decision {
    /// The host that it happens to, if it is about one.
    pub fn host(&self) -> Option<usize> {
        match self {
            Decision::Deliver(pattern) => Some(pattern.to.into()),
            Decision::Wake(host)
            | Decision::Store(host)
            | Decision::Fail(host, _)
            | Decision::Crash(host, _)
            | Decision::Restart(host)
            | Decision::Wipe(host)
            | Decision::Propose(host, ..)
            | Decision::Read(host, _)
            | Decision::Campaign(host)
            | Decision::Rouse(host)
            | Decision::Transfer(host, _)
            | Decision::Reconfigure(host, _)
            | Decision::Unreachable(host, _)
            | Decision::Busy(host, _)
            | Decision::Free(host)
            | Decision::Clock(host, _)
            | Decision::StopClock(host)
            | Decision::StartClock(host, _)
            | Decision::Rate(host, _)
            | Decision::Rot(host)
            | Decision::Freeze(host, _)
            | Decision::Image(host)
            | Decision::Stall(host)
            | Decision::Flow(host) => Some((*host).into()),
            Decision::Lose(pattern) | Decision::Hold(pattern) => Some(pattern.from.into()),
            Decision::Cut(from, _) => Some((*from).into()),
            Decision::Rewind
            | Decision::Partition(_)
            | Decision::Heal
            | Decision::Run(_)
            | Decision::Calm => None,
        }
    }

    /// Every host that it names.
    pub fn hosts(&self) -> impl Iterator<Item = usize> {
        let other = match self {
            Decision::Deliver(pattern) => Some(pattern.from),
            Decision::Lose(pattern) | Decision::Hold(pattern) => Some(pattern.to),
            Decision::Unreachable(_, peer)
            | Decision::Cut(_, peer)
            | Decision::Transfer(_, peer) => Some(*peer),
            _ => None,
        };
        self.host().into_iter().chain(other.map(usize::from))
    }
}

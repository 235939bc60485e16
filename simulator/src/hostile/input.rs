//! One thing that happens to the subject, and how it is invented.

use std::fmt;

use quorum::NodeId;
use raft_core::{
    Ack, Append, Body, Chunk, ChunkAck, ChunkData, Entries, EntryId, GroupId, Incarnation,
    LogIndex, Message, PreVote, PreVoteReply, Quiet, QuietReply, ReadReply, ReadRequest, Reject,
    Round, Snapshot, Term, Vote, VoteReply,
};

use super::draw::Draw;
use super::past::{any_configuration, configuration, entry, identity};
use super::subject::Subject;
use raft_core::Standing;

/// The kinds of message, in the order of [`Temper::kinds`].
const KINDS: usize = 7;

/// What an episode is like: drawn once for each.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Of 256 fields so many are what an honest peer would say.
    pub tame: u8,
    /// Of 256 messages so many are of the receiver's term.
    pub term: u8,
    /// How often each kind of message comes, by place.
    pub kinds: [u8; 16],
    /// One step in so many is no message.
    pub others: u32,
    /// One message in so many comes from nobody in particular.
    pub strangers: u32,
}

impl Temper {
    /// The temper of a seed.
    pub fn draw(draw: &mut Draw) -> Self {
        let favourite = draw.below(KINDS as u32 + 2) as u8;
        let mut kinds = [0; 16];
        for (place, kind) in kinds.iter_mut().enumerate() {
            *kind = match draw.below(4) {
                0 if usize::from(favourite) < KINDS => favourite,
                _ => (place % KINDS) as u8,
            };
        }
        Temper {
            tame: draw.pick(&[0, 96, 160, 200, 224, 240, 250]),
            term: draw.pick(&[0, 160, 224, 248, 252, 254, 255]),
            kinds,
            others: draw.pick(&[4, 8, 8, 16, 64]),
            strangers: draw.pick(&[2, 8, 32, 128]),
        }
    }
}

/// The bytes that an invented message borrows.
#[derive(Clone)]
pub struct Parts {
    entries: Vec<u8>,
    configuration: Vec<u8>,
    /// The three voters of most openings.
    voters: Vec<u8>,
}

impl Default for Parts {
    fn default() -> Self {
        let seats = [1, 2, 3].map(|id| (id, Standing::Voter));
        let mut voters = Vec::new();
        configuration(&mut voters, 100_000, &seats);
        Parts {
            entries: Vec::new(),
            configuration: Vec::new(),
            voters,
        }
    }
}

/// The data of any piece.
static DATA: [u8; 256] = [0x5a; 256];

/// A message, and who is said to send it.
#[derive(Clone, Copy)]
pub struct Sent<'p> {
    /// The transport's word for the sender.
    pub from: NodeId,
    /// The message.
    pub message: Message<'p>,
}

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}: {:?}", self.from, self.message)
    }
}

/// Any message at all, preferably about what concerns the receiver.
#[inline]
pub fn message<'p>(
    draw: &mut Draw,
    temper: &Temper,
    subject: &Subject,
    parts: &'p mut Parts,
) -> Sent<'p> {
    let kind = temper.kinds[draw.place(16)];
    let from = sender(draw, temper, subject, kind);
    let own = subject.view.hard.term;
    let term = if draw.byte() <= u32::from(temper.term) {
        own
    } else {
        Term::new((draw.wild(u64::from(own.value())) & 0xffff_ffff) as u32)
    };
    let body = match kind {
        0 => Body::PreVote(PreVote {
            last: id(draw, subject),
            attempt: draw.number_u32(1),
        }),
        1 => {
            let is_granted = !draw.one_in(3);
            let attempt = draw.number_u32(subject.heard.attempt);
            let is_out = !is_granted && draw.one_in(3);
            Body::PreVoteReply(PreVoteReply {
                attempt,
                is_granted,
                removed_at: is_out.then(|| id(draw, subject)),
            })
        }
        2 if draw.one_in(16) => Body::TimeoutNow,
        2 => Body::Vote(Vote {
            last: id(draw, subject),
            is_transfer: draw.one_in(4),
        }),
        3 => Body::VoteReply(VoteReply {
            is_granted: !draw.one_in(3),
        }),
        4 if draw.one_in(8) => Body::ReadRequest(ReadRequest {
            nonce: u64::from(draw.below(3)),
            number: draw.wild(1),
        }),
        4 if draw.one_in(8) => Body::ReadReply(ReadReply {
            nonce: u64::from(draw.below(3)),
            number: draw.wild(1),
            index: index(draw, subject),
        }),
        4 if draw.one_in(8) => Body::Quiet(Quiet {
            commit: index(draw, subject),
            round: Round::new(draw.wild(subject.heard.round.value())),
        }),
        4 if draw.one_in(8) => Body::QuietReply(QuietReply {
            round: Round::new(draw.wild(subject.heard.round.value())),
            is_quiet: !draw.one_in(3),
        }),
        4 => Body::Ack(ack(draw, subject)),
        5 => Body::Chunk(chunk(draw, subject, term, parts)),
        _ => Body::Append(append(draw, subject, term, parts)),
    };
    let group = if draw.one_in(128) {
        GroupId::new(draw.wild(subject.raft.group().value()))
    } else {
        subject.raft.group()
    };
    Sent {
        from: from.0,
        message: Message {
            group,
            incarnation: from.1,
            term,
            body,
        },
    }
}

#[inline]
fn sender(draw: &mut Draw, temper: &Temper, subject: &Subject, kind: u8) -> (NodeId, Incarnation) {
    let me = subject.identity().node;
    if draw.one_in(temper.strangers) {
        let near = 1 + u64::from(draw.below(8));
        let node = draw.wild(near);
        let incarnation = match draw.one_in(2) {
            true => (node & 0xffff_ffff) as u32,
            false => (draw.wild(node) & 0xffff_ffff) as u32,
        };
        return (NodeId::new(node), Incarnation::new(incarnation));
    }
    // Who leads a term goes on to lead it: others are dropped at the door.
    let node = match subject.raft.leader() {
        Some(leader) if kind >= 5 && leader != me && !draw.one_in(8) => leader.value(),
        _ => 1 + u64::from(draw.below(5)),
    };
    let node = if node == me.value() {
        1 + node % 5
    } else {
        node
    };
    let known = identity(node);
    (known.node, known.incarnation)
}

/// An index of the receiver's neighbourhood.
#[inline]
fn index(draw: &mut Draw, subject: &Subject) -> LogIndex {
    let view = &subject.view;
    let anchors = [
        view.last,
        view.last,
        view.commit,
        view.base,
        view.durable,
        view.delivered,
        subject.heard.prev,
        view.base.next(),
    ];
    let anchor = anchors[draw.place(8)];
    LogIndex::new(draw.number(anchor.value()))
}

/// An entry, preferably one that is there.
#[inline]
fn id(draw: &mut Draw, subject: &Subject) -> EntryId {
    if draw.is_tame() {
        return subject.raft.last();
    }
    let index = index(draw, subject);
    let known = subject.raft.entry(index).map(|entry| entry.id);
    match known {
        Some(known) if !draw.one_in(4) => known,
        _ if index == subject.view.base && !draw.one_in(4) => subject.raft.base(),
        _ => {
            let near = subject.raft.last().term.value();
            EntryId::new(index, Term::new(draw.number_u32(near)))
        }
    }
}

#[inline]
fn round(draw: &mut Draw, subject: &Subject) -> Round {
    Round::new(draw.number(subject.heard.round.value()))
}

fn ack(draw: &mut Draw, subject: &Subject) -> Ack {
    let verified = index(draw, subject);
    let reject = draw.one_in(3).then(|| Reject {
        prev: LogIndex::new(draw.number(subject.heard.prev.value())),
        hint: id(draw, subject),
    });
    let chunk = draw.one_in(4).then(|| ChunkAck {
        index: LogIndex::new(draw.number(subject.heard.snapshot.last.index.value())),
        stored: draw.number(subject.heard.stored.wrapping_add(100)),
    });
    let room = if draw.one_in(4) { 8 } else { 1000 };
    Ack {
        verified,
        round: round(draw, subject),
        room: draw.number_u32(room),
        reject,
        chunk,
    }
}

fn append<'p>(draw: &mut Draw, subject: &Subject, term: Term, parts: &'p mut Parts) -> Append<'p> {
    let prev = id(draw, subject);
    parts.entries.clear();
    let count = match draw.below(8) {
        0..=2 => 0,
        3..=5 => 1,
        6 => draw.below(4),
        _ => draw.below(24),
    };
    for _ in 0..count {
        any_entry(draw, term, parts);
    }
    if draw.one_in(64) {
        let cut = draw.place(16).min(parts.entries.len());
        parts.entries.truncate(parts.entries.len() - cut);
    }
    Append {
        prev,
        commit: index(draw, subject),
        round: round(draw, subject),
        entries: Entries::from_bytes(&parts.entries),
    }
}

fn any_entry(draw: &mut Draw, term: Term, parts: &mut Parts) {
    let term = draw.number_u32(term.value());
    match draw.below(32) {
        0 => {
            parts.configuration.clear();
            any_configuration(&mut parts.configuration, draw);
            entry(&mut parts.entries, term, 2, &parts.configuration);
        }
        1 => entry(&mut parts.entries, term, 1, &[]),
        2 => entry(&mut parts.entries, term, draw.below(16), &DATA[..4]),
        3 => {
            let size = draw.place(256);
            entry(&mut parts.entries, term, 0, &DATA[..size]);
        }
        4 if draw.one_in(8) => {
            // An entry that claims to be of any length.
            let word = draw.number_u32(20);
            parts.entries.extend_from_slice(&term.to_le_bytes());
            parts.entries.extend_from_slice(&word.to_le_bytes());
        }
        _ => {
            let content = draw.byte() as u8;
            entry(&mut parts.entries, term, 0, &[content; 5]);
        }
    }
}

/// A piece: of the snapshot spoken of, or of another one.
fn chunk<'p>(draw: &mut Draw, subject: &Subject, term: Term, parts: &'p mut Parts) -> Chunk<'p> {
    let configuration = if draw.is_tame() {
        &parts.voters
    } else {
        parts.configuration.clear();
        any_configuration(&mut parts.configuration, draw);
        &parts.configuration
    };
    let known = subject.heard.snapshot;
    let snapshot = if known.size > 0 && draw.is_tame() {
        known
    } else {
        let near = match draw.below(4) {
            0 => subject.view.commit,
            1 => subject.view.last,
            2 => LogIndex::new(u64::MAX / 2),
            _ => subject.view.last.plus(u64::from(draw.below(40))),
        };
        let index = LogIndex::new(draw.number(near.value()));
        let size = u64::from(draw.below(100));
        Snapshot {
            last: EntryId::new(index, Term::new(draw.number_u32(term.value()))),
            size: draw.number(size),
            checksum: draw.below(3),
        }
    };
    let same = snapshot == known;
    let offset = draw.number(if same { subject.heard.stored } else { 0 });
    let left = snapshot.size.saturating_sub(offset).min(100) as usize;
    let len = if draw.is_tame() {
        left
    } else {
        draw.place(200)
    };
    let data = match draw.one_in(128) {
        true => ChunkData::Wanted(draw.byte()),
        false => ChunkData::Received(&DATA[..len]),
    };
    Chunk {
        snapshot,
        configuration,
        round: round(draw, subject),
        offset,
        data,
    }
}

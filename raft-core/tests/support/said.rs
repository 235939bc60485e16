//! What messages say, in a form that owns its parts and is easy to write down.

use raft_core::{
    Ack, Append, Body, Chunk, ChunkAck, ChunkData, Entries, Entry, EntryId, EntryKind, GroupId,
    Hollow, HollowEntries, HollowRun, Incarnation, LogIndex, Message, PreVote, PreVoteReply, Quiet,
    QuietReply, ReadReply, ReadRequest, Reject, Round, Seat, Snapshot, Term, Vote, VoteReply,
};

use super::past::{
    GROUP, Item, STICKINESS_MICROS, encode_entries, encode_entry, encode_seats, voters,
};

/// What a message says, in a form that owns its parts and is easy to write down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    PreVote {
        last: (u64, u32),
        attempt: u32,
    },
    PreVoteReply {
        attempt: u32,
        granted: bool,
    },
    /// A refusal that says that the asker is out of the group.
    Removed {
        attempt: u32,
        at: (u64, u32),
    },
    Vote {
        last: (u64, u32),
    },
    /// A vote for whom the leader told to stand.
    SuccessorVote {
        last: (u64, u32),
    },
    VoteReply(bool),
    Append {
        prev: (u64, u32),
        commit: u64,
        round: u64,
        entries: Vec<(u32, Item)>,
    },
    Ack {
        verified: u64,
        round: u64,
        reject: Option<(u64, (u64, u32))>,
        chunk: Option<(u64, u64)>,
    },
    Chunk {
        last: (u64, u32),
        size: u64,
        offset: u64,
        round: u64,
        data: Vec<u8>,
        configuration: Vec<u8>,
    },
    ReadRequest {
        nonce: u64,
        number: u64,
    },
    ReadReply {
        nonce: u64,
        number: u64,
        index: u64,
    },
    TimeoutNow,
    Quiet {
        commit: u64,
        round: u64,
    },
    /// The sender agreed and is quiet.
    Agree {
        round: u64,
    },
    /// The sender is awake.
    Awake {
        round: u64,
    },
    Hollow {
        prev: (u64, u32),
        commit: u64,
        round: u64,
        runs: Vec<(u32, Run)>,
    },
    HollowChunk {
        last: (u64, u32),
        round: u64,
        configuration: Vec<u8>,
    },
}

/// What a witness is told of consecutive entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    Entries(u32),
    Seats(Vec<Seat>),
}

pub fn hollow(prev: (u64, u32), commit: u64, round: u64, runs: &[(u32, Run)]) -> Said {
    Said::Hollow {
        prev,
        commit,
        round,
        runs: runs.to_vec(),
    }
}

fn encode_runs(runs: &[(u32, Run)]) -> Vec<u8> {
    let encoded = runs.iter().map(|(term, run)| match run {
        Run::Entries(count) => [term.to_le_bytes(), (count | (3 << 28)).to_le_bytes()].concat(),
        Run::Seats(seats) => encode_entry(*term, &Item::Seats(seats.clone())),
    });
    encoded.collect::<Vec<_>>().concat()
}

pub fn ack(verified: u64, round: u64) -> Said {
    Said::Ack {
        verified,
        round,
        reject: None,
        chunk: None,
    }
}

pub fn reject(verified: u64, round: u64, prev: u64, hint: (u64, u32)) -> Said {
    Said::Ack {
        verified,
        round,
        reject: Some((prev, hint)),
        chunk: None,
    }
}

pub fn append(prev: (u64, u32), commit: u64, round: u64, entries: &[(u32, Item)]) -> Said {
    Said::Append {
        prev,
        commit,
        round,
        entries: entries.to_vec(),
    }
}

/// A whole snapshot in one piece, the configuration {1, 2, 3}.
pub fn chunk(last: (u64, u32), data: &[u8], round: u64) -> Said {
    Said::Chunk {
        last,
        size: data.len() as u64,
        offset: 0,
        round,
        data: data.to_vec(),
        configuration: encode_seats(&voters(&[1, 2, 3]), STICKINESS_MICROS),
    }
}

pub fn entry_id((index, term): (u64, u32)) -> EntryId {
    EntryId::new(LogIndex::new(index), Term::new(term))
}

pub fn pair(id: EntryId) -> (u64, u32) {
    (id.index.value(), id.term.value())
}

impl Said {
    /// Calls `then` with the message of `from`'s first life in `term`.
    pub fn with<R>(
        &self,
        from: u64,
        term: u32,
        room: u32,
        then: impl FnOnce(Message<'_>) -> R,
    ) -> R {
        let bytes;
        let body = match self {
            Said::PreVote { last, attempt } => Body::PreVote(PreVote {
                last: entry_id(*last),
                attempt: *attempt,
            }),
            Said::PreVoteReply { attempt, granted } => Body::PreVoteReply(PreVoteReply {
                attempt: *attempt,
                is_granted: *granted,
                removed_at: None,
            }),
            Said::Removed { attempt, at } => Body::PreVoteReply(PreVoteReply {
                attempt: *attempt,
                is_granted: false,
                removed_at: Some(entry_id(*at)),
            }),
            Said::Vote { last } => Body::Vote(Vote {
                last: entry_id(*last),
                is_transfer: false,
            }),
            Said::SuccessorVote { last } => Body::Vote(Vote {
                last: entry_id(*last),
                is_transfer: true,
            }),
            Said::VoteReply(granted) => Body::VoteReply(VoteReply {
                is_granted: *granted,
            }),
            Said::Append {
                prev,
                commit,
                round,
                entries,
            } => {
                bytes = encode_entries(entries);
                Body::Append(Append {
                    prev: entry_id(*prev),
                    commit: LogIndex::new(*commit),
                    round: Round::new(*round),
                    entries: Entries::from_bytes(&bytes),
                })
            }
            Said::Ack {
                verified,
                round,
                reject,
                chunk,
            } => Body::Ack(Ack {
                verified: LogIndex::new(*verified),
                round: Round::new(*round),
                room,
                reject: reject.map(|(prev, hint)| Reject {
                    prev: LogIndex::new(prev),
                    hint: entry_id(hint),
                }),
                chunk: chunk.map(|(index, stored)| ChunkAck {
                    index: LogIndex::new(index),
                    stored,
                }),
            }),
            Said::Chunk {
                last,
                size,
                offset,
                round,
                data,
                configuration,
            } => Body::Chunk(Chunk {
                snapshot: Snapshot {
                    last: entry_id(*last),
                    size: *size,
                    checksum: 0,
                },
                configuration,
                round: Round::new(*round),
                offset: *offset,
                data: ChunkData::Received(data),
            }),
            Said::ReadRequest { nonce, number } => Body::ReadRequest(ReadRequest {
                nonce: *nonce,
                number: *number,
            }),
            Said::ReadReply {
                nonce,
                number,
                index,
            } => Body::ReadReply(ReadReply {
                nonce: *nonce,
                number: *number,
                index: LogIndex::new(*index),
            }),
            Said::TimeoutNow => Body::TimeoutNow,
            Said::Quiet { commit, round } => Body::Quiet(Quiet {
                commit: LogIndex::new(*commit),
                round: Round::new(*round),
            }),
            Said::Agree { round } => Body::QuietReply(QuietReply {
                round: Round::new(*round),
                is_quiet: true,
            }),
            Said::Awake { round } => Body::QuietReply(QuietReply {
                round: Round::new(*round),
                is_quiet: false,
            }),
            Said::Hollow {
                prev,
                commit,
                round,
                runs,
            } => {
                bytes = encode_runs(runs);
                Body::Hollow(Hollow {
                    prev: entry_id(*prev),
                    commit: LogIndex::new(*commit),
                    round: Round::new(*round),
                    entries: HollowEntries::from_bytes(&bytes),
                })
            }
            Said::HollowChunk {
                last,
                round,
                configuration,
            } => Body::Chunk(Chunk {
                snapshot: Snapshot {
                    last: entry_id(*last),
                    size: 0,
                    checksum: 0,
                },
                configuration,
                round: Round::new(*round),
                offset: 0,
                data: ChunkData::Hollow,
            }),
        };
        then(Message {
            group: GroupId::new(GROUP),
            incarnation: Incarnation::new(from as u32),
            term: Term::new(term),
            body,
        })
    }

    /// What a message says. The data of a chunk to be sent is a zero for every byte it wants.
    pub fn of(message: &Message<'_>) -> Said {
        match &message.body {
            Body::PreVote(request) => Said::PreVote {
                last: pair(request.last),
                attempt: request.attempt,
            },
            Body::PreVoteReply(reply) => match reply.removed_at {
                Some(at) => Said::Removed {
                    attempt: reply.attempt,
                    at: pair(at),
                },
                None => Said::PreVoteReply {
                    attempt: reply.attempt,
                    granted: reply.is_granted,
                },
            },
            Body::Vote(request) if request.is_transfer => Said::SuccessorVote {
                last: pair(request.last),
            },
            Body::Vote(request) => Said::Vote {
                last: pair(request.last),
            },
            Body::VoteReply(reply) => Said::VoteReply(reply.is_granted),
            Body::Append(append) => Said::Append {
                prev: pair(append.prev),
                commit: append.commit.value(),
                round: append.round.value(),
                entries: append
                    .entries
                    .iter(append.prev.index.next())
                    .map(|entry| (entry.id.term.value(), item(entry)))
                    .collect(),
            },
            Body::Ack(ack) => Said::Ack {
                verified: ack.verified.value(),
                round: ack.round.value(),
                reject: ack.reject.map(|r| (r.prev.value(), pair(r.hint))),
                chunk: ack.chunk.map(|c| (c.index.value(), c.stored)),
            },
            Body::Hollow(hollow) => Said::Hollow {
                prev: pair(hollow.prev),
                commit: hollow.commit.value(),
                round: hollow.round.value(),
                runs: hollow.entries.iter().map(run).collect(),
            },
            Body::Chunk(chunk) if chunk.data == ChunkData::Hollow => Said::HollowChunk {
                last: pair(chunk.snapshot.last),
                round: chunk.round.value(),
                configuration: chunk.configuration.to_vec(),
            },
            Body::Chunk(chunk) => Said::Chunk {
                last: pair(chunk.snapshot.last),
                size: chunk.snapshot.size,
                offset: chunk.offset,
                round: chunk.round.value(),
                data: match chunk.data {
                    ChunkData::Received(data) => data.to_vec(),
                    ChunkData::Wanted(len) => vec![0; len as usize],
                    ChunkData::Hollow => Vec::new(),
                },
                configuration: chunk.configuration.to_vec(),
            },
            Body::ReadRequest(request) => Said::ReadRequest {
                nonce: request.nonce,
                number: request.number,
            },
            Body::ReadReply(reply) => Said::ReadReply {
                nonce: reply.nonce,
                number: reply.number,
                index: reply.index.value(),
            },
            Body::TimeoutNow => Said::TimeoutNow,
            Body::Quiet(quiet) => Said::Quiet {
                commit: quiet.commit.value(),
                round: quiet.round.value(),
            },
            Body::QuietReply(reply) if reply.is_quiet => Said::Agree {
                round: reply.round.value(),
            },
            Body::QuietReply(reply) => Said::Awake {
                round: reply.round.value(),
            },
        }
    }
}

/// The seats of an encoded configuration.
pub fn decode_seats(bytes: &[u8]) -> Vec<Seat> {
    let ((_, _, count), mut rest): ((u8, u64, u16), _) = postcard::take_from_bytes(bytes).unwrap();
    let mut seats = Vec::new();
    for _ in 0..count {
        let (seat, after) = postcard::take_from_bytes(rest).unwrap();
        seats.push(seat);
        rest = after;
    }
    seats
}

pub fn item(entry: Entry<'_>) -> Item {
    match entry.kind {
        EntryKind::Command => Item::Command(entry.payload.to_vec()),
        EntryKind::NoOp => Item::NoOp,
        EntryKind::Configuration => Item::Seats(decode_seats(entry.payload)),
        EntryKind::Hollow => Item::Hollow,
    }
}

fn run(run: HollowRun<'_>) -> (u32, Run) {
    let what = match run {
        HollowRun::Entries { count, .. } => Run::Entries(count),
        HollowRun::Configuration { payload, .. } => Run::Seats(decode_seats(payload)),
    };
    (run.term().value(), what)
}

//! One traitor in a large world: a host whose frames are bent on their way out.
//!
//! Its machine is honest and so keeps up with the group; what it says is changed in the small
//! ways that reach furthest `[Winter23]`: a value one higher or lower, a stale one, two swapped, one
//! from the borders of its type, an old frame said again, and the same frame said to another. The
//! other hosts must not panic, stop, or break a rule that a node can keep alone: [`bench()`] says
//! which. Agreement among them may be gone, as in every protocol for crash faults, and nobody
//! looks after it here.

use raft_core::{
    Ack, Append, Body, Chunk, ChunkData, Entries, EntryId, LogIndex, Message, Round, Snapshot,
    Term, wire,
};

use super::draw::Draw;
use crate::oracle::{Bench, Oracle};

/// Frames that the traitor remembers.
const REMEMBERED: usize = 16;

/// The oracles that look at one node alone: what holds whatever a member says.
const LOCAL: [Oracle; 10] = [
    Oracle::OneVote,
    Oracle::PreVoteInert,
    Oracle::LeaderAppendOnly,
    Oracle::PersistBeforeSend,
    Oracle::Monotonic,
    Oracle::Order,
    Oracle::Recovery,
    Oracle::Invariants,
    Oracle::Purity,
    Oracle::BoundedOutput,
];

/// These alone.
pub fn bench() -> Bench {
    let others = Oracle::ALL.into_iter().filter(|it| !LOCAL.contains(it));
    others.fold(Bench::ALL, Bench::without)
}

/// The host that lies, and what it remembers.
#[derive(Clone, Debug)]
pub struct Traitor {
    host: usize,
    seed: u64,
    /// Of 256 fields so many are true.
    tame: u8,
    /// One frame in so many is bent.
    every: u32,
    said: u64,
    bent: u64,
    past: [Vec<u8>; REMEMBERED],
    entries: Vec<u8>,
    /// The frame that is said instead.
    frame: Vec<u8>,
}

impl Traitor {
    /// The traitor of a world of `hosts` hosts.
    pub fn new(seed: u64, hosts: usize) -> Self {
        let mut draw = Draw::new(seed, u64::MAX, 0);
        Traitor {
            host: draw.place(hosts.max(1)),
            seed,
            tame: draw.pick(&[128, 192, 224, 240, 250]),
            every: draw.pick(&[1, 2, 4, 16]),
            said: 0,
            bent: 0,
            past: Default::default(),
            entries: Vec::new(),
            frame: Vec::new(),
        }
    }

    /// Which host it is.
    pub fn host(&self) -> usize {
        self.host
    }

    /// How many frames it has bent.
    pub fn bent(&self) -> u64 {
        self.bent
    }

    /// A frame of `from` leaves: what is said instead, if the traitor says it.
    pub fn bend<'f>(&'f mut self, from: usize, frame: &'f [u8]) -> &'f [u8] {
        if from != self.host {
            return frame;
        }
        self.said += 1;
        let mut draw = Draw::new(self.seed, self.said, self.tame);
        let place = draw.place(REMEMBERED);
        if !draw.one_in(self.every) {
            self.past[place].clear();
            self.past[place].extend_from_slice(frame);
            return frame;
        }
        self.bent += 1;
        let stale = &self.past[place];
        if draw.one_in(8) && !stale.is_empty() {
            return stale;
        }
        let Ok(message) = wire::decode(frame) else {
            return frame;
        };
        let data = match &message.body {
            Body::Chunk(Chunk {
                data: ChunkData::Received(data),
                ..
            }) => data,
            _ => &[][..],
        };
        let stale = wire::decode(stale).ok();
        let bent = other(&mut draw, message, stale.as_ref(), &mut self.entries);
        self.frame.resize(wire::encoded_len(&bent), 0);
        wire::encode_chunk(&bent, data, &mut self.frame).unwrap_or(frame)
    }
}

/// The message with some of its fields changed.
fn other<'m>(
    draw: &mut Draw,
    message: Message<'m>,
    stale: Option<&Message<'m>>,
    scratch: &'m mut Vec<u8>,
) -> Message<'m> {
    let term = Term::new(draw.number_u32(message.term.value()));
    let body = match message.body {
        Body::PreVote(mut request) => {
            request.last = id(draw, request.last);
            request.attempt = draw.number_u32(request.attempt);
            Body::PreVote(request)
        }
        Body::PreVoteReply(mut reply) => {
            reply.is_granted ^= !draw.is_tame();
            reply.attempt = draw.number_u32(reply.attempt);
            // There are no bytes for both.
            let place = reply.removed_at.filter(|_| !reply.is_granted);
            reply.removed_at = place.map(|place| id(draw, place));
            Body::PreVoteReply(reply)
        }
        Body::Vote(mut request) => {
            request.last = id(draw, request.last);
            request.is_transfer ^= !draw.is_tame();
            Body::Vote(request)
        }
        Body::VoteReply(mut reply) => {
            reply.is_granted ^= !draw.is_tame();
            Body::VoteReply(reply)
        }
        Body::Ack(said) => Body::Ack(ack(draw, said, stale)),
        Body::Append(said) => Body::Append(append(draw, said, stale, scratch)),
        Body::Hollow(mut said) => {
            said.prev = id(draw, said.prev);
            said.commit = index(draw, said.commit);
            said.round = Round::new(draw.number(said.round.value()));
            Body::Hollow(said)
        }
        Body::Chunk(said) => Body::Chunk(chunk(draw, said)),
        Body::ReadRequest(mut request) => {
            request.nonce = draw.number(request.nonce);
            request.number = draw.number(request.number);
            Body::ReadRequest(request)
        }
        Body::ReadReply(mut reply) => {
            reply.nonce = draw.number(reply.nonce);
            reply.number = draw.number(reply.number);
            reply.index = index(draw, reply.index);
            Body::ReadReply(reply)
        }
        Body::TimeoutNow => Body::TimeoutNow,
        Body::Quiet(mut quiet) => {
            quiet.commit = index(draw, quiet.commit);
            quiet.round = Round::new(draw.number(quiet.round.value()));
            Body::Quiet(quiet)
        }
        Body::QuietReply(mut reply) => {
            reply.is_quiet ^= !draw.is_tame();
            reply.round = Round::new(draw.number(reply.round.value()));
            Body::QuietReply(reply)
        }
    };
    Message {
        term,
        body,
        ..message
    }
}

fn index(draw: &mut Draw, index: LogIndex) -> LogIndex {
    LogIndex::new(draw.number(index.value()))
}

fn id(draw: &mut Draw, id: EntryId) -> EntryId {
    let term = Term::new(draw.number_u32(id.term.value()));
    EntryId::new(index(draw, id.index), term)
}

fn ack(draw: &mut Draw, mut ack: Ack, stale: Option<&Message<'_>>) -> Ack {
    if let Some(Message {
        body: Body::Ack(old),
        ..
    }) = stale
        && draw.one_in(4)
    {
        // What was true once, under a new name.
        (ack.verified, ack.reject, ack.chunk) = (old.verified, old.reject, old.chunk);
    }
    ack.verified = index(draw, ack.verified);
    ack.round = Round::new(draw.number(ack.round.value()));
    ack.room = draw.number_u32(ack.room);
    if let Some(reject) = &mut ack.reject {
        reject.prev = index(draw, reject.prev);
        reject.hint = id(draw, reject.hint);
    }
    if let Some(chunk) = &mut ack.chunk {
        chunk.index = index(draw, chunk.index);
        chunk.stored = draw.number(chunk.stored);
    }
    if draw.one_in(16) {
        ack.reject = None;
    }
    ack
}

fn append<'m>(
    draw: &mut Draw,
    mut append: Append<'m>,
    stale: Option<&Message<'m>>,
    scratch: &'m mut Vec<u8>,
) -> Append<'m> {
    if let Some(Message {
        body: Body::Append(old),
        ..
    }) = stale
        && draw.one_in(4)
    {
        if draw.one_in(2) {
            append.prev = old.prev;
        } else {
            append.entries = old.entries;
        }
    }
    append.prev = id(draw, append.prev);
    append.commit = index(draw, append.commit);
    append.round = Round::new(draw.number(append.round.value()));
    if !append.entries.is_empty() && !draw.is_tame() {
        scratch.clear();
        for slice in append.entries.slices() {
            scratch.extend_from_slice(slice);
        }
        let at = draw.next_u64() as usize % scratch.len();
        match draw.below(4) {
            // The first entry's term, so that the run stays well formed.
            0 => scratch[0] = draw.wild(u64::from(scratch[0])) as u8,
            1 => scratch[at] = draw.byte() as u8,
            2 => scratch.truncate(at),
            _ => scratch[7] = draw.byte() as u8,
        }
        append.entries = Entries::from_bytes(scratch);
    }
    append
}

fn chunk<'m>(draw: &mut Draw, said: Chunk<'m>) -> Chunk<'m> {
    let data = match said.data {
        ChunkData::Received(data) => ChunkData::Wanted(data.len() as u32),
        ChunkData::Wanted(_) | ChunkData::Hollow => said.data,
    };
    Chunk {
        snapshot: Snapshot {
            last: id(draw, said.snapshot.last),
            size: draw.number(said.snapshot.size),
            checksum: draw.number_u32(said.snapshot.checksum),
        },
        round: Round::new(draw.number(said.round.value())),
        offset: draw.number(said.offset),
        data,
        ..said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{GroupId, Incarnation, VoteReply};

    #[test]
    fn only_the_traitor_lies() {
        let mut traitor = Traitor::new(1, 3);
        let message = Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(1),
            term: Term::new(3),
            body: Body::VoteReply(VoteReply { is_granted: false }),
        };
        let mut bytes = [0; 64];
        let frame = wire::encode(&message, &mut bytes).unwrap().to_vec();
        let honest = (traitor.host() + 1) % 3;
        for _ in 0..1000 {
            assert_eq!(traitor.bend(honest, &frame), frame);
        }
        let mut lies = 0;
        for _ in 0..1000 {
            let bent = traitor.bend(traitor.host(), &frame);
            assert!(wire::decode(bent).is_ok());
            lies += u64::from(bent != frame);
        }
        assert!(lies > 20 && lies <= traitor.bent());
    }
}

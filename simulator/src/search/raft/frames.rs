//! Frames as numbers.

use std::collections::HashMap;

use raft_core::{Body, wire};

use super::names::{Lens, Renaming, name, print_of};

/// What is known of a frame once and for all.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) from: u8,
    pub(super) to: u8,
    pub(super) term: u32,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// What a frame is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    PreVote,
    PreVoteReply,
    Vote,
    VoteReply,
    TimeoutNow,
    /// Entries, or a piece of a snapshot.
    Entries,
    Ack,
    ReadRequest,
    ReadReply,
}

impl Kind {
    pub(super) fn of(body: &Body<'_>) -> Self {
        match body {
            Body::PreVote(_) => Kind::PreVote,
            Body::PreVoteReply(_) => Kind::PreVoteReply,
            Body::Vote(_) => Kind::Vote,
            Body::VoteReply(_) => Kind::VoteReply,
            Body::TimeoutNow => Kind::TimeoutNow,
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_) | Body::Quiet(_) => Kind::Entries,
            Body::Ack(_) | Body::QuietReply(_) => Kind::Ack,
            Body::ReadRequest(_) => Kind::ReadRequest,
            Body::ReadReply(_) => Kind::ReadReply,
        }
    }
}

/// All frames met so far.
pub(super) struct Frames {
    known: HashMap<(u8, u8, Vec<u8>), u32>,
    all: Vec<Frame>,
    attempts: Vec<Option<(u8, u32)>>,
    electoral: Vec<bool>,
    prints: Vec<u64>,
    renamings: Vec<Renaming>,
    seed: u64,
}

impl Frames {
    pub(super) fn new(renamings: &[Renaming], seed: u64) -> Self {
        Frames {
            known: HashMap::new(),
            all: Vec::new(),
            attempts: Vec::new(),
            electoral: Vec::new(),
            prints: Vec::new(),
            renamings: renamings.to_vec(),
            seed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of a frame.
    pub(super) fn intern(&mut self, from: usize, to: usize, bytes: &[u8]) -> u32 {
        let key = (from as u8, to as u8, bytes.to_vec());
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let message = wire::decode(bytes).expect("what was encoded decodes");
        let mut attempt = None;
        for renaming in &self.renamings {
            let lens = Lens::new(renaming);
            let print = print_of(self.seed ^ 0xf, |word| {
                message.canonical(name(from), name(to), &lens, word);
            });
            self.prints.push(print);
            attempt = lens.attempts.borrow().first().copied();
        }
        let id = self.all.len() as u32;
        self.all.push(Frame {
            from: key.0,
            to: key.1,
            term: message.term.value(),
            kind: Kind::of(&message.body),
            bytes: key.2.clone(),
        });
        self.attempts.push(attempt);
        let is_other = matches!(
            message.body,
            Body::Append(_)
                | Body::Ack(_)
                | Body::Chunk(_)
                | Body::ReadRequest(_)
                | Body::ReadReply(_)
                | Body::Quiet(_)
                | Body::QuietReply(_)
                | Body::TimeoutNow
        );
        self.electoral.push(!is_other);
        self.known.insert(key, id);
        id
    }

    pub(super) fn get(&self, id: u32) -> &Frame {
        &self.all[id as usize]
    }

    /// Whose pre-vote attempt a frame speaks of, and which.
    #[inline]
    pub(super) fn attempt(&self, id: u32) -> Option<(u8, u32)> {
        self.attempts[id as usize]
    }

    /// Whether it asks for a vote or a pre-vote, or answers.
    #[inline]
    pub(super) fn is_electoral(&self, id: u32) -> bool {
        self.electoral[id as usize]
    }

    /// The fingerprints under each renaming.
    pub(super) fn prints(&self, id: u32) -> &[u64] {
        let width = self.renamings.len();
        &self.prints[id as usize * width..][..width]
    }
}

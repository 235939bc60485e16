//! What clients want: writes become proposals, reads wait for proof, and neither is served by a follower.

use std::rc::Rc;

use raft_core::error::ProposeError;

use super::Engine;
use crate::answer;
use crate::command::{Read, Write};
use crate::outbox::{Outbox, Place};
use crate::resp::Protocol;
use crate::resp::decode::Args;
use crate::resp::encode::Encoder;
use crate::timestamp::Timestamp;

/// Where an answer goes.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The replies of its connection.
    pub outbox: Rc<Outbox>,
    /// Its place among them.
    pub place: Place,
    /// How to spell it.
    pub protocol: Protocol,
}

/// What became of a request that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is answered, or will be.
    Yes,
    /// There is no room for it now: hand it over again later.
    NoRoom,
}

impl Asker {
    /// Answers with an error.
    pub fn refuse(&self, text: &str) {
        self.outbox
            .fill(self.place, self.protocol, |encoder| encoder.error(text));
    }
}

impl Engine {
    /// Takes a write.
    pub fn write(&mut self, write: &Write<'_>, outbox: &Rc<Outbox>, protocol: Protocol) -> Taken {
        let refuse = |text: &str| {
            outbox.reply(|out| Encoder::new(out, protocol).error(text));
        };
        if let (Some((trouble, _)), true) = (&self.trouble, self.raft.is_leader()) {
            refuse(&format!("MISCONF this node cannot store writes: {trouble}"));
            return Taken::Yes;
        }
        let stamp = Timestamp::now().max(self.store.clock());
        self.payload.clear();
        write.operation(stamp).encode(&mut self.payload);
        match self.raft.propose(&self.payload) {
            Ok(id) => {
                let asker = Asker {
                    place: outbox.reserve(0),
                    outbox: Rc::clone(outbox),
                    protocol,
                };
                self.pending.push(id, asker);
            }
            // It is about to be known where it has to go.
            Err(ProposeError::NotLeader { .. }) if self.office.is_vacant(&self.raft) => {
                return Taken::NoRoom;
            }
            Err(ProposeError::NotLeader { .. }) => {
                outbox.reply(|out| self.redirect(write.first_key(), out, protocol));
            }
            Err(ProposeError::Full) => {
                self.checkpoint.run_short();
                return Taken::NoRoom;
            }
            // It goes to the successor, or is taken here if there is none.
            Err(ProposeError::Uncommitted { .. } | ProposeError::Transferring { .. }) => {
                return Taken::NoRoom;
            }
            Err(refused @ (ProposeError::TooLarge { .. } | ProposeError::Faulted(_))) => {
                refuse(&format!("ERR {refused}"));
            }
        }
        Taken::Yes
    }

    /// Takes a read that has to see everything acknowledged before.
    pub fn read(
        &mut self,
        read: &Read<'_>,
        args: Args<'_>,
        outbox: &Rc<Outbox>,
        protocol: Protocol,
    ) -> Taken {
        if self.office.is_vacant(&self.raft) {
            return Taken::NoRoom;
        }
        if !self.raft.is_leader() {
            outbox.reply(|out| self.redirect(read.first_key(), out, protocol));
            return Taken::Yes;
        }
        let args = args.to_owned();
        let asker = Asker {
            place: outbox.reserve(args.size()),
            outbox: Rc::clone(outbox),
            protocol,
        };
        self.reads
            .park(self.raft.last().index, self.raft.term(), args, asker);
        Taken::Yes
    }

    /// Answers a read from what this node has applied.
    pub fn read_here(&self, read: &Read<'_>, out: &mut Vec<u8>, protocol: Protocol) {
        let mut encoder = Encoder::new(out, protocol);
        answer::read(&self.store, read, Timestamp::now(), &mut encoder);
    }

    /// What this node says to a request that only the leader can serve.
    pub(super) fn redirect(&self, key: Option<&[u8]>, out: &mut Vec<u8>, protocol: Protocol) {
        let mut encoder = Encoder::new(out, protocol);
        self.topology().redirect(key, &mut encoder);
    }

    /// The same for requests whose key is not at hand any more.
    pub(super) fn redirection(&self) -> String {
        let mut out = Vec::new();
        self.redirect(None, &mut out, Protocol::Resp2);
        let text = String::from_utf8_lossy(&out);
        text.trim_start_matches('-').trim_end().to_owned()
    }
}

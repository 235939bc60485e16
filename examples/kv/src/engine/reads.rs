//! Reads that wait for proof that this node still leads.
//!
//! A leader that was replaced does not know it at once, and would answer with old values. A read is safe once
//! an entry is committed that this leader proposed after the read came: a newer leader that had
//! committed anything before would have kept it from that. The next write is such an entry; where none
//! follows, the engine proposes one for all reads that wait.
//!
//! A read is answered before the first entry is applied that came after it. So it sees exactly what was in the
//! log when it came: a `GET` behind a `SET` on a connection sees it, one before it does not.

use std::collections::VecDeque;

use raft_core::{EntryId, LogIndex, Term};

use super::Asker;
use crate::answer;
use crate::command::{self, Command};
use crate::resp::decode::OwnedArgs;
use crate::store::Store;
use crate::timestamp::Timestamp;

/// The reads in the order in which they came, all in one term.
#[derive(Debug, Default)]
pub(super) struct Reads {
    waiting: VecDeque<Waiting>,
    term: Term,
}

#[derive(Debug)]
struct Waiting {
    /// The last entry of the log when it came.
    position: LogIndex,
    args: OwnedArgs,
    asker: Asker,
}

impl Reads {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The term in which they came.
    pub(super) fn term(&self) -> Term {
        self.term
    }

    /// The position of the latest.
    pub(super) fn last_position(&self) -> Option<LogIndex> {
        self.waiting.back().map(|read| read.position)
    }

    /// Keeps a read that came when the log ended at `position`.
    pub(super) fn park(&mut self, position: LogIndex, term: Term, args: OwnedArgs, asker: Asker) {
        self.term = term;
        self.waiting.push_back(Waiting {
            position,
            args,
            asker,
        });
    }

    /// The entry `next` is about to be applied.
    pub(super) fn answer_before(&mut self, next: EntryId, store: &Store) {
        if next.term != self.term {
            return;
        }
        let mut now = None;
        while self
            .waiting
            .front()
            .is_some_and(|read| read.position < next.index)
        {
            let Some(Waiting { args, asker, .. }) = self.waiting.pop_front() else {
                return;
            };
            // It was understood before; only its words were kept.
            let Ok(Command::Read(read)) = command::parse(args.args()) else {
                asker.refuse("ERR not a read");
                continue;
            };
            let now = *now.get_or_insert_with(Timestamp::now);
            asker.outbox.fill(asker.place, asker.protocol, |encoder| {
                answer::read(store, &read, now, encoder);
            });
        }
    }

    /// Sends all of them away.
    pub(super) fn refuse(&mut self, text: &str) {
        for Waiting { asker, .. } in self.waiting.drain(..) {
            asker.refuse(text);
        }
    }
}

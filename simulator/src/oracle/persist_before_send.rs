//! No frame promises what is not on the sender's disk.

use raft_core::{Body, LogIndex, Message};

use super::words::words;
use crate::world::chain::Chain;
use crate::world::host::{Host, node};

/// A frame leaves: its term, vote and claims are on the disk.
pub(super) fn check(
    from: usize,
    to: usize,
    message: &Message<'_>,
    sender: &Host,
) -> Result<(), String> {
    let durable = sender.disk.durable();
    let (hard, term) = (durable.hard, message.term);
    let host = from + 1;
    if term > hard.term {
        return Err(words!(
            "host {host} speaks in term {term}, its disk knows term {}",
            hard.term
        ));
    }
    let voted_for = |candidate: usize| {
        hard.term == term && hard.vote.is_some_and(|vote| vote.node == node(candidate))
    };
    match &message.body {
        Body::VoteReply(reply) if reply.is_granted && !voted_for(to) => Err(words!(
            "host {host} gives its vote of term {term} to host {}, its disk says {hard:?}",
            to + 1
        )),
        Body::Vote(_) if !voted_for(from) => Err(words!(
            "host {host} asks for votes in term {term}, its disk says {hard:?}"
        )),
        Body::Vote(vote) if durable.log.last() != vote.last => Err(words!(
            "host {host} asks for votes with a log up to {:?}, its disk ends with {:?}",
            vote.last,
            durable.log.last()
        )),
        Body::Hollow(hollow) => {
            let end = hollow.prev.index.plus(hollow.entries.count());
            if end <= durable.log.last().index {
                return Ok(());
            }
            Err(words!(
                "host {host} tells a witness of entry {end}, its own disk ends with {:?}",
                durable.log.last()
            ))
        }
        Body::Ack(ack) => match ack.chunk {
            Some(chunk) if sender.disk.stored_bytes(chunk.index) < chunk.stored => Err(words!(
                "host {host} acknowledges {} bytes of the snapshot at {}, its disk has fewer",
                chunk.stored,
                chunk.index
            )),
            _ => Ok(()),
        },
        Body::Vote(_)
        | Body::VoteReply(_)
        | Body::PreVote(_)
        | Body::PreVoteReply(_)
        | Body::Append(_)
        | Body::Chunk(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_)
        | Body::QuietReply(_) => Ok(()),
    }
}

/// An acknowledgement leaves: what it covers is on the disk, and the same as the leader has.
pub(super) fn check_ack(
    from: usize,
    to: usize,
    verified: LogIndex,
    stored: &Chain,
    leader: Option<&Chain>,
) -> Result<(), String> {
    let (host, last) = (from + 1, stored.last().index);
    if verified > last {
        return Err(words!(
            "host {host} acknowledges entry {verified}, its disk ends with entry {last}"
        ));
    }
    let Some(leader) = leader else { return Ok(()) };
    // What either has compacted is committed, and other oracles look after that.
    let (Some(mine), Some(theirs)) = (stored.link(verified), leader.link(verified)) else {
        return Ok(());
    };
    if mine.hash == theirs.hash {
        return Ok(());
    }
    Err(words!(
        "host {host} acknowledges entry {verified} to host {}, its disk holds another log: term {} \
         there, the leader's {}",
        to + 1,
        mine.term,
        theirs.term
    ))
}

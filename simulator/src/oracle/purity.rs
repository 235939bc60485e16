//! The same state and input make the same state and outputs.
//!
//! Now and then a machine is copied before it is given a message; the copy is given the same, as a
//! frame, and then both must be equal and want the same: to write, to send, to hand over, and to be
//! woken. What the copy sends it sends as frames. It is told the latest time that the machine ever
//! was: time never runs back.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{Body, ChunkData, Message, Ready, wire};

use super::words::words;
use crate::world::host::Machine;
use crate::world::swarm::FRAME_BYTES_MAX;

/// One of so many messages is looked at.
const EVERY: u32 = 256;
/// The same while the clock is behind what it has shown: a machine takes it to stand still.
const EVERY_BACK: u32 = 16;

/// Says when it is time.
#[derive(Clone, Debug, Default)]
pub(super) struct Purity {
    count: u32,
}

impl Purity {
    /// Whether the next message is one of those that are looked at.
    pub(super) fn is_time(&mut self, is_back: bool) -> bool {
        self.count = (self.count + 1) % EVERY;
        let every = if is_back { EVERY_BACK } else { EVERY };
        self.count.is_multiple_of(every)
    }
}

/// `raft` was given `message` at `now`, and became what it is; `twin` was equal to it before.
pub(super) fn check(
    mut twin: Machine,
    raft: &Machine,
    now: Instant,
    from: NodeId,
    message: Message<'_>,
) -> Result<(), String> {
    let name = raft.identity().node;
    let mut frame = [0; FRAME_BYTES_MAX];
    let frame = wire::encode(&message, &mut frame).map_err(|refused| words!("{refused}"))?;
    // Whether there is a piece to store is part of the state too: it is offered again.
    let _ = twin.handle_frame(now, from, frame);
    if twin != *raft {
        return Err(words!(
            "node {name} does two things at one and the same {message:?}: {raft:?} and {twin:?}"
        ));
    }
    let mut raft = raft.clone();
    let differs = |what: &str| Err(words!("node {name} {what} two things in one state"));
    if raft.poll_timeout() != twin.poll_timeout() {
        return differs("waits for");
    }
    let write = |machine: &mut Machine| {
        let write = machine.poll_persist()?;
        let span = (
            write.hard_state(),
            write.after(),
            write.last(),
            write.commit(),
        );
        Some((span, write.begins_anew(), write.snapshot()))
    };
    if write(&mut raft) != write(&mut twin) {
        return differs("writes");
    }
    if !sends_the_same(&mut raft, &mut twin, now) {
        return differs("sends");
    }
    loop {
        match (raft.poll_committed(), twin.poll_committed()) {
            (None, None) => return Ok(()),
            (one, other) if one == other => {}
            _ => return differs("hands over"),
        }
    }
}

/// Drains both, the one as messages, the other as frames.
fn sends_the_same(raft: &mut Machine, twin: &mut Machine, now: Instant) -> bool {
    let mut frame = [0; FRAME_BYTES_MAX];
    loop {
        let transmit = raft.poll_transmit(now, Ready::All);
        let framed = twin.poll_frame(now, Ready::All, &mut frame);
        let (transmit, framed) = match (transmit, framed) {
            (None, Ok(None)) => return true,
            (Some(transmit), Ok(Some(framed))) => (transmit, framed),
            _ => return false,
        };
        let message = &transmit.message;
        let wanted = match message.body {
            Body::Chunk(chunk) => match chunk.data {
                ChunkData::Wanted(len) => Some((chunk.offset, len)),
                ChunkData::Received(_) | ChunkData::Hollow => None,
            },
            _ => None,
        };
        // The copy leaves a gap for the piece of the snapshot: so much of it is left out here.
        let gap = wanted.map_or(0, |(_, len)| len as usize);
        let (mut bytes, blank) = ([0; FRAME_BYTES_MAX], [0; FRAME_BYTES_MAX]);
        let data = blank.get(..gap).unwrap_or_default();
        let encoded = wire::encode_chunk(message, data, &mut bytes);
        let Some(said) = framed.bytes.len().checked_sub(gap) else {
            return false;
        };
        let is_same = transmit.to == framed.to
            && wanted == framed.wanted.map(|wanted| (wanted.offset, wanted.len))
            && encoded.map(<[u8]>::len) == Ok(framed.bytes.len())
            && bytes[..said] == framed.bytes[..said];
        if !is_same {
            return false;
        }
    }
}

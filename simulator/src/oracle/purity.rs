//! The same state and input make the same state and outputs.
//!
//! Now and then a machine is copied before it is given a message; the copy is given the same, and
//! then both must be equal and want the same: to write, to send, to hand over, and to be woken. The
//! copy is told the latest time that the machine ever was: time never runs back.

use clocks::Instant;
use quorum::NodeId;
use raft_core::{Message, Ready};

use super::words::words;
use crate::world::host::Machine;

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
    // Whether there is a piece to store is part of the state too: it is offered again.
    let _ = twin.handle_message(now, from, message);
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
    loop {
        match (
            raft.poll_transmit(now, Ready::All),
            twin.poll_transmit(now, Ready::All),
        ) {
            (None, None) => break,
            (one, other) if one == other => {}
            _ => return differs("sends"),
        }
    }
    loop {
        match (raft.poll_committed(), twin.poll_committed()) {
            (None, None) => return Ok(()),
            (one, other) if one == other => {}
            _ => return differs("hands over"),
        }
    }
}

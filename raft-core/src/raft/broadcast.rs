//! The public calls for a medium on which one frame reaches everybody.

use clocks::Instant;
use quorum::NodeId;

use super::Raft;
use crate::error::HandleError;
use crate::message::Broadcast;
use crate::node::outlet::Ready;

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Raft<B, N> {
    /// The next append for several members at once, or `None` when there is none that serves two or
    /// more of them. For a medium on which one frame reaches everybody; call it before
    /// [`poll_transmit`](Raft::poll_transmit), again and again, and encode it with
    /// [`wire::encode_broadcast`](crate::wire::encode_broadcast). It counts as sent to each that it
    /// names. A driver that never calls it sends everything one to one.
    ///
    /// `ready` says who would hear it: a member that sleeps, or hears another channel, is left out.
    ///
    /// Those are named that are level: they wait for the same entry, and have acknowledged the
    /// contact before the latest. The others are served one to one, until they are.
    ///
    /// Work: O(members + bytes in the message).
    pub fn poll_broadcast(&mut self, now: Instant, ready: Ready<'_>) -> Option<Broadcast<'_>> {
        let (node, memory) = self.parts();
        node.poll_broadcast(memory, now, ready)
    }

    /// A broadcast arrived from `from`, whom the transport vouches for. Whoever is not named in it,
    /// or lacks the entry before its first, passes over it in silence; else it is an append like any
    /// other, and is answered one to one.
    ///
    /// Work: as [`handle_message`](Raft::handle_message).
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only.
    pub fn handle_broadcast(
        &mut self,
        now: Instant,
        from: NodeId,
        broadcast: Broadcast<'_>,
    ) -> Result<(), HandleError> {
        let (node, memory) = self.parts();
        let done = node.handle_broadcast(memory, now, from, &broadcast);
        done.map_err(|fault| node.fail(fault).into())
    }
}

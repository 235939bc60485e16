//! The public machine: owns the memory, and hands everything to the protocol code beneath.

mod broadcast;
mod canonical;
mod questions;
mod recover;

use clocks::Instant;
use heapless::Vec;
use quorum::NodeId;

use crate::config::Config;
use crate::configuration::Change;
use crate::durable::{Ticket, Write};
use crate::error::{
    CampaignError, CompactError, FrameError, HandleError, LendError, ProposeError, ReadError,
    ReconfigureError, RestoreError, TransferError,
};
use crate::event::Event;
use crate::lend::Fetch;
use crate::message::{Message, Transmit};
use crate::node::Node;
use crate::node::outlet::{Outgoing, Ready};
use crate::node::poll::Committed;
use crate::node::restore::{self, Recovered};
use crate::read::{ReadOutcome, ReadTicket};
use crate::slot::Slot;
use crate::snapshot::{Piece, Receipt};
use crate::types::{EntryId, GroupId, LogIndex};
use crate::wire::EncodeError;

pub use questions::Status;

/// One member of a Raft group.
///
/// `B` is the memory of the log window (`&'static mut [u8]`, `[u8; 4096]`, `Vec<u8>`, …), `N` the
/// most members that a configuration may have, those that join and those that leave in one
/// change counted together: 1 to 64.
///
/// The machine never reads a clock, never sends, never blocks: it is driven.
///
/// - *Something happened*: [`handle_message`](Raft::handle_message) or
///   [`handle_frame`](Raft::handle_frame), [`handle_timeout`](Raft::handle_timeout), [`handle_persisted`](Raft::handle_persisted),
///   [`handle_persist_failed`](Raft::handle_persist_failed),
///   [`handle_broadcast`](Raft::handle_broadcast), [`handle_stored`](Raft::handle_stored),
///   [`handle_unreachable`](Raft::handle_unreachable).
/// - *The application wants*: [`propose`](Raft::propose), [`reconfigure`](Raft::reconfigure),
///   [`compact`](Raft::compact), [`campaign`](Raft::campaign), [`wake`](Raft::wake),
///   [`read`](Raft::read), [`transfer`](Raft::transfer), [`lend`](Raft::lend),
///   [`decline`](Raft::decline).
/// - *The machine wants, once* (drive with `while let`): [`poll_transmit`](Raft::poll_transmit) or
///   [`poll_frame`](Raft::poll_frame), [`poll_broadcast`](Raft::poll_broadcast),
///   [`poll_committed`](Raft::poll_committed), [`poll_read`](Raft::poll_read),
///   [`poll_fetch`](Raft::poll_fetch), [`poll_event`](Raft::poll_event).
/// - *The machine needs, until met* (drive with `if let`): [`poll_persist`](Raft::poll_persist),
///   [`poll_timeout`](Raft::poll_timeout).
///
/// After any input, drain the polls: persist, transmit, committed, read, event. Another order is as
/// safe, only slower. The crate's documentation shows the loop.
///
/// With owned memory a machine is `Clone`; two are equal when they mean the same, wherever in
/// the ring their entries stand.
pub struct Raft<B, const N: usize> {
    node: Node<Vec<Slot, N>>,
    memory: B,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Raft<B, N> {
    /// Founds a new group of one: once in the life of the group. The others
    /// [`join`](Raft::join), and are let in by [`reconfigure`](Raft::reconfigure).
    ///
    /// `seed` must differ at every start of every node (from an entropy source): the group's
    /// name, this node's incarnation and the election timeouts are drawn from it.
    ///
    /// # Errors
    ///
    /// [`RestoreError::WindowTooSmall`], [`RestoreError::MembersOutOfRange`].
    pub fn found(
        config: Config,
        mut memory: B,
        seed: u64,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let node = restore::found::<N>(config, memory.as_mut(), seed, now)?;
        Ok(Raft { node, memory })
    }

    /// A new member of `group` without a vote, which waits for a leader to find it: tell the
    /// leader its [`identity`](Raft::identity) to be added.
    ///
    /// # Errors
    ///
    /// As [`found`](Raft::found).
    pub fn join(
        config: Config,
        group: GroupId,
        memory: B,
        seed: u64,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let node = restore::join::<N>(config, group, memory.as_ref().len(), seed, now)?;
        Ok(Raft { node, memory })
    }

    /// Comes back from what was stored. `applied` is the last entry whose effect the
    /// application's state is known to contain (zero if it starts empty); entries after it are
    /// delivered again, and the snapshot before them if `applied` lies before that.
    ///
    /// # Errors
    ///
    /// [`RestoreError`] says what does not fit together; nothing that was acknowledged is
    /// dropped silently.
    pub fn restore(
        config: Config,
        recovered: Recovered<B, N>,
        applied: LogIndex,
        seed: u64,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let (memory, node) = recovered.into_node(config, applied, seed, now)?;
        Ok(Raft { node, memory })
    }

    fn parts(&mut self) -> (&mut Node, &mut [u8]) {
        (&mut self.node, self.memory.as_mut())
    }

    fn view(&self) -> &Node {
        &self.node
    }

    // ----- something happened -----

    /// A message arrived from `from`, whom the transport vouches for. Whatever is stale,
    /// duplicated or out of order is `Ok`; what is wrong is dropped with
    /// [`Event::Dropped`]. Returns a piece of a snapshot if the driver is to store one.
    ///
    /// `now` is read after the frame was received: leases rest on it, see
    /// [`ConfigBuilder::lease`](crate::ConfigBuilder::lease).
    ///
    /// Work: O(members + bytes in the message); where logs disagree also O(log window), and
    /// O(window) when a configuration is overwritten.
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only.
    #[inline]
    pub fn handle_message<'m>(
        &mut self,
        now: Instant,
        from: NodeId,
        message: Message<'m>,
    ) -> Result<Option<Piece<'m>>, HandleError> {
        let (node, memory) = self.parts();
        let done = node.handle_message(memory, now, from, &message);
        done.map_err(|fault| node.fail(fault).into())
    }

    /// The same from a frame as it was received; the shorter way for drivers that do not look into
    /// messages, and the faster one, because the frequent kinds are read where they stand.
    ///
    /// # Errors
    ///
    /// [`FrameError::Malformed`]: nothing changed, count the frame and drop it.
    /// [`FrameError::Faulted`].
    #[inline]
    pub fn handle_frame<'f>(
        &mut self,
        now: Instant,
        from: NodeId,
        frame: &'f [u8],
    ) -> Result<Option<Piece<'f>>, FrameError> {
        let (node, memory) = self.parts();
        let done = node.handle_frame(memory, now, from, frame);
        done.map_err(|error| match error {
            FrameError::Faulted(fault) => node.fail(fault).into(),
            FrameError::Malformed(_) => error,
        })
    }

    /// Time has passed. Early calls change nothing; late ones are safe. Work: O(members).
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only.
    #[inline]
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), HandleError> {
        let node = self.parts().0;
        node.handle_timeout(now)
            .map_err(|fault| node.fail(fault).into())
    }

    /// The write of this ticket is on the medium. A second use of a ticket changes nothing.
    ///
    /// # Errors
    ///
    /// [`HandleError::ForeignTicket`]: nothing changed.
    #[inline]
    pub fn handle_persisted(&mut self, now: Instant, ticket: Ticket) -> Result<(), HandleError> {
        let (node, memory) = self.parts();
        let done = node.handle_persisted(memory, now, &ticket);
        done.map_err(|error| match error {
            HandleError::Faulted(fault) => node.fail(fault).into(),
            HandleError::ForeignTicket => error,
        })
    }

    /// The write of this ticket failed, and what the medium holds of it is unknown. Everything
    /// since the last success is offered again; nothing is acknowledged meanwhile.
    ///
    /// # Errors
    ///
    /// [`HandleError::ForeignTicket`]: nothing changed.
    pub fn handle_persist_failed(
        &mut self,
        now: Instant,
        ticket: Ticket,
    ) -> Result<(), HandleError> {
        self.parts().0.handle_persist_failed(now, &ticket)
    }

    /// The piece of this receipt is stored durably. When it was the last one the snapshot
    /// replaces the log, and the next write says so.
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only; a receipt that is out of date changes nothing.
    pub fn handle_stored(&mut self, now: Instant, receipt: Receipt) -> Result<(), HandleError> {
        let (node, memory) = self.parts();
        let done = node.handle_stored(memory, now, &receipt);
        done.map_err(|fault| node.fail(fault).into())
    }

    /// The transport could not reach `peer`: what was sent since its last answer may be lost.
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only.
    pub fn handle_unreachable(&mut self, now: Instant, peer: NodeId) -> Result<(), HandleError> {
        Ok(self.parts().0.handle_unreachable(now, peer)?)
    }

    // ----- the application wants -----

    /// Adds a command to the log, if this node leads. The answer names its place: it is decided
    /// when an entry with this index *and term* is delivered. Work: O(bytes).
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; nothing changed.
    #[inline]
    pub fn propose(&mut self, payload: &[u8]) -> Result<EntryId, ProposeError> {
        let (node, memory) = self.parts();
        node.propose(memory, payload)
    }

    /// Changes the membership, if this node leads: all `changes` in one step. A change of voters
    /// passes through a joint configuration, which the leader ends by itself.
    ///
    /// # Errors
    ///
    /// [`ReconfigureError`]; nothing changed.
    pub fn reconfigure(&mut self, changes: &[Change]) -> Result<EntryId, ReconfigureError> {
        let (node, memory) = self.parts();
        node.reconfigure(memory, changes)
    }

    /// Drops the log up to `index`, whose effect the driver's snapshot contains: of `size` bytes
    /// and with this checksum. The driver keeps the snapshot's bytes until a later one has been
    /// persisted, because they may be asked for. On a witness there is no snapshot, and `size` and
    /// `checksum` are ignored: it compacts to get room.
    ///
    /// # Errors
    ///
    /// [`CompactError`]; nothing changed.
    pub fn compact(
        &mut self,
        index: LogIndex,
        size: u64,
        checksum: u32,
    ) -> Result<(), CompactError> {
        let (node, memory) = self.parts();
        node.compact(memory, index, size, checksum)
    }

    /// Starts an election now instead of at the timeout. Asks for pre-votes like any other, so
    /// it does not disturb a leader that works.
    ///
    /// # Errors
    ///
    /// [`CampaignError`]; nothing changed. Without a vote in the group, in office, or within the
    /// stickiness period after hearing from a leader it is a no-op.
    pub fn campaign(&mut self, now: Instant) -> Result<(), CampaignError> {
        self.parts().0.campaign(now)
    }

    /// Wakes a group that may be quiet, from any member: after a long silence, when it gives no
    /// answer, or when this node was away. A leader makes contact with everyone; whoever follows
    /// tells the leader, and campaigns if nothing comes of it within its election timeout. Whoever
    /// could not lead, as a learner or a voter without room for office, tells everyone who votes;
    /// call again if that frame may be lost.
    ///
    /// # Errors
    ///
    /// [`HandleError::Faulted`] only. Where nobody is quiet it costs a message and changes nothing.
    pub fn wake(&mut self, now: Instant) -> Result<(), HandleError> {
        let node = self.parts().0;
        node.wake(now).map_err(|fault| node.fail(fault).into())
    }

    /// Begins a read that sees everything acknowledged before this call (it is linearizable),
    /// without a log entry. Every ticket ends in exactly one outcome of
    /// [`poll_read`](Raft::poll_read): of this machine, in this life of it.
    ///
    /// On a leader it takes one contact with a quorum, shared by all reads that come meanwhile,
    /// or none under a [`lease`](crate::ConfigBuilder::lease); on any other node a question to the
    /// leader besides. No outcome takes longer than the longest election timeout, as long as
    /// [`handle_timeout`](Raft::handle_timeout) is called and outcomes are fetched. Work: O(members).
    ///
    /// # Errors
    ///
    /// [`ReadError`]; nothing changed.
    pub fn read(&mut self, now: Instant) -> Result<ReadTicket, ReadError> {
        self.parts().0.read(now)
    }

    /// Hands the leadership to `to`, if this node leads: brings it level, then tells it to stand
    /// at once. Proposals are refused meanwhile. If it does not lead within the longest election
    /// timeout this node goes on, with [`Event::TransferFailed`].
    ///
    /// # Errors
    ///
    /// [`TransferError`]; nothing changed.
    pub fn transfer(&mut self, now: Instant, to: NodeId) -> Result<(), TransferError> {
        self.parts().0.transfer(now, to)
    }

    /// Lends `entries`, encoded one after the other as a [`Write`] holds them, that
    /// follow the entry `prev`; the first stands right after it. The answer is the message to
    /// send: nothing is copied, and a loan that is not sent is lost like any frame.
    ///
    /// What is lent must be this group's committed log. It is checked as far as this node can:
    /// see [`LendError`]. It may reach into the window, where it is compared with that. Work:
    /// O(members + bytes).
    ///
    /// # Errors
    ///
    /// [`LendError`]; nothing changed.
    pub fn lend<'m>(
        &mut self,
        now: Instant,
        fetch: &Fetch,
        prev: EntryId,
        entries: &'m [u8],
    ) -> Result<Transmit<'m>, LendError> {
        let (node, memory) = self.parts();
        node.lend(memory, now, fetch, prev, entries)
    }

    /// The driver does not have what was asked for, or thinks that the snapshot is shorter: the
    /// member gets that. Changes nothing if the member has moved on. Work: O(members).
    pub fn decline(&mut self, fetch: &Fetch) {
        self.parts().0.decline(fetch);
    }

    // ----- the machine wants -----

    /// The next message, built from the state as it is now. What rests on a write is not
    /// offered before that write is acknowledged. Work: O(members + log window).
    #[inline]
    pub fn poll_transmit(&mut self, now: Instant, ready: Ready<'_>) -> Option<Transmit<'_>> {
        let (node, memory) = (&mut self.node as &mut Node, self.memory.as_ref());
        node.poll_transmit(memory, now, ready)
    }

    /// The next message as a frame, written into `buffer`: what
    /// [`poll_transmit`](Raft::poll_transmit) followed by [`encode`](crate::wire::encode()) gives,
    /// in one step. A piece of a snapshot has a gap to be filled first, see [`Outgoing`].
    ///
    /// # Errors
    ///
    /// [`EncodeError::BufferTooSmall`] if `buffer` is shorter than the configured
    /// [`frame_bytes_max`](Config::frame_bytes_max), a mistake of the driver; nothing changed.
    #[inline]
    pub fn poll_frame<'f>(
        &mut self,
        now: Instant,
        ready: Ready<'_>,
        buffer: &'f mut [u8],
    ) -> Result<Option<Outgoing<'f>>, EncodeError> {
        let (node, memory) = (&mut self.node as &mut Node, self.memory.as_ref());
        node.poll_frame(memory, now, ready, buffer)
    }

    /// The next command for the state machine, or the snapshot that replaces its state; only
    /// what is committed and durable here. Work: O(1) per command.
    #[inline]
    pub fn poll_committed(&mut self) -> Option<Committed<'_>> {
        let (node, memory) = (&mut self.node as &mut Node, self.memory.as_ref());
        node.poll_committed(memory)
    }

    /// The next read that ended. Fetch them after [`poll_committed`](Raft::poll_committed),
    /// because a read can wait for what that hands over. When one ended, others may have something
    /// to send: transmit once more, or it waits for the next heartbeat. Work: O(members).
    #[inline]
    pub fn poll_read(&mut self) -> Option<ReadOutcome> {
        self.parts().0.poll_read()
    }

    /// What a member needs of the entries that are not in the window any more: on a leader whose
    /// driver [lends](crate::ConfigBuilder::lending). Ask after
    /// [`poll_transmit`](Raft::poll_transmit). The answer may take its time; each need is offered
    /// again with the next heartbeat until it is met, and one answer is enough. A member without
    /// room in its window has no need. Work: O(members).
    ///
    /// ```
    /// # use raft_core::{EntryId, LogIndex, Raft, Transmit};
    /// # struct Archive;
    /// # impl Archive {
    /// #     fn after(&self, _: LogIndex, _: u32) -> Option<(EntryId, &[u8])> { None }
    /// # }
    /// # fn send(_: Transmit<'_>) {}
    /// fn lend(raft: &mut Raft<Vec<u8>, 3>, now: clocks::Instant, archive: &Archive) {
    ///     while let Some(fetch) = raft.poll_fetch() {
    ///         // Whole entries as they were written, and which entry they follow.
    ///         let Some((prev, entries)) = archive.after(fetch.after(), fetch.bytes_max()) else {
    ///             raft.decline(&fetch);
    ///             continue;
    ///         };
    ///         match raft.lend(now, &fetch, prev, entries) {
    ///             Ok(transmit) => send(transmit),
    ///             Err(_damage) => raft.decline(&fetch),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn poll_fetch(&mut self) -> Option<Fetch> {
        self.parts().0.poll_fetch()
    }

    /// The next event, if the application cares.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.node.events.pop()
    }

    /// Everything that is not durable yet, as one write. Offered until its ticket is taken;
    /// the next one when that ticket came back.
    ///
    /// A node does not change while a write is alive:
    ///
    /// ```compile_fail
    /// # fn f(raft: &mut raft_core::Raft<Vec<u8>, 3>, now: clocks::Instant) {
    /// let write = raft.poll_persist().unwrap();
    /// raft.handle_timeout(now);
    /// write.into_ticket();
    /// # }
    /// ```
    #[inline]
    pub fn poll_persist(&mut self) -> Option<Write<'_>> {
        let (node, memory) = (&mut self.node as &mut Node, self.memory.as_ref());
        node.poll_persist(memory)
    }

    /// When [`handle_timeout`](Raft::handle_timeout) wants to be called next.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.node.timers.next()
    }
}

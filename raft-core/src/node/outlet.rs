//! Where a message goes that is due: to a driver that wants to see it, or into a frame.
//!
//! A message that is made as a value, handed out and then encoded is moved several times on its
//! way, and looked at once more to see what it is; for a heartbeat that costs more than the
//! decision to send it. So whoever decides what to say hands it to an outlet, which is known when
//! the code is compiled: a [`Framed`] one writes the frequent kinds into the driver's buffer
//! without the value ever existing, a [`Typed`] one gives the value. Both are the same code above.

use quorum::NodeId;

use super::Node;
use crate::message::{Body, Chunk, ChunkData, Message, Transmit};
use crate::wire::{EncodeError, encode_open};

/// Who can be sent to now. A driver whose connection to a member is busy leaves it out, and what
/// is due to it waits and gathers, while the others are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ready<'a> {
    /// Everyone.
    All,
    /// Only these.
    Only(&'a [NodeId]),
    /// All but these.
    Except(&'a [NodeId]),
}

impl Ready<'_> {
    #[inline]
    pub(super) fn has(&self, node: NodeId) -> bool {
        match self {
            Ready::All => true,
            Ready::Only(nodes) => nodes.contains(&node),
            Ready::Except(nodes) => !nodes.contains(&node),
        }
    }
}

/// A frame that is ready to be sent.
#[derive(PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "a frame that is not sent is lost, as in the network"]
pub struct Outgoing<'f> {
    /// The receiver.
    pub to: NodeId,
    /// What to send: the beginning of the buffer that was given.
    pub bytes: &'f mut [u8],
    /// What the last of these bytes are to be filled with first, if the frame carries a piece of
    /// the snapshot.
    pub wanted: Option<Wanted>,
}

/// The piece of the node's latest [`snapshot`](crate::Raft::snapshot) that a frame is to carry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wanted {
    /// Where in the snapshot it starts, in bytes.
    pub offset: u64,
    /// How many bytes of the snapshot it is; as many of the frame, at its end.
    pub len: u32,
}

impl Outgoing<'_> {
    /// The place for the wanted piece of the snapshot; empty if none is wanted.
    pub fn data(&mut self) -> &mut [u8] {
        let len = self.wanted.map_or(0, |wanted| wanted.len as usize);
        let start = self.bytes.len().saturating_sub(len);
        self.bytes.get_mut(start..).unwrap_or_default()
    }
}

/// Takes the one message that a poll found.
pub(super) trait Outlet<'m> {
    type Sent;

    /// Takes a message of a kind that the caller knows, so that nothing need be looked at.
    fn send(&mut self, to: NodeId, message: Message<'m>) -> Option<Self::Sent>;

    /// Takes any message.
    fn send_rare(&mut self, to: NodeId, message: Message<'m>) -> Option<Self::Sent>;
}

/// Gives the message as it is.
pub(super) struct Typed;

impl<'m> Outlet<'m> for Typed {
    type Sent = Transmit<'m>;

    #[inline]
    fn send(&mut self, to: NodeId, message: Message<'m>) -> Option<Transmit<'m>> {
        Some(Transmit { to, message })
    }

    #[inline]
    fn send_rare(&mut self, to: NodeId, message: Message<'m>) -> Option<Transmit<'m>> {
        Some(Transmit { to, message })
    }
}

/// Writes it into a buffer, which holds the longest frame.
pub(super) struct Framed<'f> {
    buffer: &'f mut [u8],
    wanted: Option<Wanted>,
}

pub(super) struct Written {
    to: NodeId,
    len: usize,
}

impl<'m> Outlet<'m> for Framed<'_> {
    type Sent = Written;

    #[inline(always)]
    fn send(&mut self, to: NodeId, message: Message<'m>) -> Option<Written> {
        // No frame is longer than the configured length, which the buffer has.
        let len = encode_open(&message, self.buffer).ok()?.len();
        Some(Written { to, len })
    }

    #[inline(never)]
    fn send_rare(&mut self, to: NodeId, message: Message<'m>) -> Option<Written> {
        if let Body::Chunk(Chunk {
            offset,
            data: ChunkData::Wanted(len),
            ..
        }) = message.body
        {
            self.wanted = Some(Wanted { offset, len });
        }
        self.send(to, message)
    }
}

impl Node {
    #[inline]
    pub(crate) fn poll_transmit<'m>(
        &mut self,
        memory: &'m [u8],
        now: clocks::Instant,
        ready: Ready<'_>,
    ) -> Option<Transmit<'m>> {
        self.poll_out(memory, now, ready, &mut Typed)
    }

    #[inline]
    pub(crate) fn poll_frame<'f>(
        &mut self,
        memory: &[u8],
        now: clocks::Instant,
        ready: Ready<'_>,
        buffer: &'f mut [u8],
    ) -> Result<Option<Outgoing<'f>>, EncodeError> {
        let needed = self.config.frame_bytes_max;
        if buffer.len() < needed {
            return Err(EncodeError::BufferTooSmall { needed });
        }
        let mut out = Framed {
            buffer,
            wanted: None,
        };
        let Some(Written { to, len }) = self.poll_out(memory, now, ready, &mut out) else {
            return Ok(None);
        };
        let Framed { buffer, wanted } = out;
        let bytes = buffer.get_mut(..len).unwrap_or_default();
        Ok(Some(Outgoing { to, bytes, wanted }))
    }
}

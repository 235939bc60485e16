//! Connections between the nodes: one in each direction that somebody has something to say.
//!
//! A node dials every member and keeps the connection; what the other has to say comes over the
//! connection that the other dials. So each connection carries frames one way, each node decides alone
//! where it sends, and no two nodes ever argue over which of two connections to keep.
//!
//! A connection begins with a [`handshake`], then frames follow, each behind its length (4 bytes, little
//! endian). A length above the limit is refused before anything is read for it. Whoever is not connected, or
//! has not taken what was sent, is not [ready](Links::ready), so that messages are not made for it at all:
//! what is due to it gathers in the Raft node and is newest when it leaves.

pub mod handshake;
pub mod incoming;
pub mod outgoing;
pub mod speaking;

use core::cell::{Cell, RefCell};
use core::task::Waker;
use core::time::Duration;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant as Clock;

use quorum::NodeId;
use raft_core::{Message, wire};

/// The longest frame, without its length.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of the length in front of each frame.
pub const LENGTH_BYTES: usize = 4;
/// With more than this unsent, a peer gets no more for now.
const QUEUED_BYTES_MAX: usize = 1024 * 1024;

/// What is queued for one peer.
#[derive(Debug, Default)]
pub struct Link {
    queued: RefCell<Vec<u8>>,
    is_connected: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// Where the peer itself said that it listens.
    hint: RefCell<Option<Box<str>>>,
    is_wanted: Cell<bool>,
    connections: Cell<u64>,
    connected: Cell<Option<Clock>>,
    failures: Cell<u64>,
    heard: Cell<Option<Clock>>,
}

impl Link {
    /// Whether the peer can be sent to.
    pub fn is_connected(&self) -> bool {
        self.is_connected.get()
    }

    /// How long ago the latest connection to it was made.
    pub fn connected(&self) -> Option<Duration> {
        self.connected.get().map(|at| at.elapsed())
    }

    /// How many connections to it were made.
    pub fn connections(&self) -> u64 {
        self.connections.get()
    }

    /// How many attempts to connect to it failed.
    pub fn failures(&self) -> u64 {
        self.failures.get()
    }

    /// How many bytes wait to be sent.
    pub fn queued(&self) -> usize {
        self.queued.borrow().len()
    }

    /// How long ago the peer was heard.
    pub fn contact(&self) -> Option<Duration> {
        self.heard.get().map(|at| at.elapsed())
    }

    /// A connection to the peer was made.
    pub fn connect(&self) {
        self.connections.set(self.connections.get() + 1);
        self.connected.set(Some(Clock::now()));
        self.is_connected.set(true);
    }

    /// An attempt to connect to the peer failed.
    pub fn fail(&self) {
        self.failures.set(self.failures.get() + 1);
    }

    /// The peer has just been heard.
    pub fn hear(&self) {
        self.heard.set(Some(Clock::now()));
    }

    fn is_ready(&self) -> bool {
        self.is_connected.get() && !self.is_full()
    }

    /// Whether the peer has to take something before it gets more.
    pub fn is_full(&self) -> bool {
        self.queued.borrow().len() >= QUEUED_BYTES_MAX
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Queues a message; a chunk comes with its data.
    ///
    /// # Errors
    /// It cannot be encoded, which is a mistake of this program.
    pub fn push(&self, message: &Message<'_>, data: &[u8]) -> Result<(), wire::EncodeError> {
        let mut queued = self.queued.borrow_mut();
        let start = queued.len();
        let len = wire::encoded_len(message);
        queued.resize(start + LENGTH_BYTES + len, 0);
        let encoded = match queued
            .get_mut(start..)
            .and_then(<[u8]>::split_first_chunk_mut)
        {
            Some((length, frame)) => {
                *length = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
                wire::encode_chunk(message, data, frame).map(drop)
            }
            None => Ok(()),
        };
        if encoded.is_err() {
            queued.truncate(start);
        }
        drop(queued);
        self.wake();
        encoded
    }
}

/// The links to all peers.
#[derive(Debug, Default)]
pub struct Links {
    links: BTreeMap<NodeId, Rc<Link>>,
}

/// Links to nodes that are no members: those who wait to be let in, or think that they are members.
pub const STRANGERS_MAX: usize = 16;

impl Links {
    /// The link to a peer, if there is one.
    pub fn find(&self, peer: NodeId) -> Option<&Rc<Link>> {
        self.links.get(&peer)
    }

    /// Makes a link to a peer that has none; the caller starts its task.
    pub fn add(&mut self, peer: NodeId) -> Option<Rc<Link>> {
        if self.links.contains_key(&peer) {
            return None;
        }
        let link = Rc::new(Link::default());
        link.is_wanted.set(true);
        self.links.insert(peer, Rc::clone(&link));
        Some(link)
    }

    /// As [`Links::add`] for a node that nobody here has heard of, unless there are too many of them.
    pub fn add_stranger(&mut self, peer: NodeId, members: usize) -> Option<Rc<Link>> {
        match self.links.len() < members + STRANGERS_MAX {
            true => self.add(peer),
            false => None,
        }
    }

    /// Notes where a peer says that it listens.
    pub fn hint(&self, peer: NodeId, address: &str) {
        if let Some(link) = self.links.get(&peer) {
            *link.hint.borrow_mut() = Some(address.into());
        }
    }

    /// Where a peer said that it listens.
    pub fn hinted(&self, peer: NodeId) -> Option<Box<str>> {
        self.links.get(&peer)?.hint.borrow().clone()
    }

    /// Gives up the link to a peer that was removed.
    pub fn remove(&mut self, peer: NodeId) {
        if let Some(link) = self.links.remove(&peer) {
            link.is_wanted.set(false);
            link.wake();
        }
    }

    /// Collects who can be sent to now.
    pub fn ready(&self, out: &mut Vec<NodeId>) {
        out.clear();
        let ready = self.links.iter().filter(|(_, link)| link.is_ready());
        out.extend(ready.map(|(peer, _)| *peer));
    }
}

//! The replies on their way to one client, in the order of its requests.
//!
//! A client may send many requests before it reads an answer, and the answers must come in the same
//! order although some are known at once and others only when a majority has the write. Each request
//! that has to wait reserves a slot; what is answered behind it waits in its own buffer. Nearly always
//! the slot at the front is the next to be answered, and then the reply is encoded where it is sent from.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io;

use crate::resp::Protocol;
use crate::resp::encode::Encoder;

/// Room that a buffer keeps when it is empty.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// The replies of one connection, shared by it and whoever answers.
#[derive(Debug, Default)]
pub struct Outbox(RefCell<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Replies that are next; sent up to `sent`.
    out: Vec<u8>,
    sent: usize,
    /// Replies behind one that is not known yet.
    slots: VecDeque<Slot>,
    /// The ticket of the first slot.
    first: u64,
    /// What the slots, and those they wait for, keep in memory.
    held: usize,
    waker: Option<Waker>,
    is_closed: bool,
}

#[derive(Debug)]
enum Slot {
    /// Its request keeps so many bytes.
    Waiting(usize),
    Known(Vec<u8>),
}

/// The place of one reply among those of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u64);

impl Outbox {
    /// Keeps the place of a reply that is not known yet, and whose request keeps so many bytes till then.
    pub fn reserve(&self, held: usize) -> Place {
        let mut inner = self.0.borrow_mut();
        inner.held += held;
        inner.slots.push_back(Slot::Waiting(held));
        Place(inner.first + inner.slots.len() as u64 - 1)
    }

    /// Writes a reply that is known at once.
    pub fn reply<T>(&self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut inner = self.0.borrow_mut();
        if inner.slots.is_empty() {
            return write(&mut inner.out);
        }
        let mut bytes = Vec::new();
        let written = write(&mut bytes);
        inner.held += bytes.len();
        inner.slots.push_back(Slot::Known(bytes));
        written
    }

    /// Writes the reply of a reserved place.
    pub fn fill(&self, place: Place, protocol: Protocol, write: impl FnOnce(&mut Encoder<'_>)) {
        let mut inner = self.0.borrow_mut();
        if inner.is_closed {
            return;
        }
        let index = place.0.wrapping_sub(inner.first);
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(Slot::Waiting(held)) = inner.slots.get(index) else {
            return;
        };
        inner.held -= *held;
        if index > 0 {
            let mut bytes = Vec::new();
            write(&mut Encoder::new(&mut bytes, protocol));
            inner.held += bytes.len();
            inner.slots[index] = Slot::Known(bytes);
            return;
        }
        write(&mut Encoder::new(&mut inner.out, protocol));
        inner.slots.pop_front();
        inner.first += 1;
        while let Some(slot) = inner.slots.pop_front() {
            let Slot::Known(bytes) = slot else {
                inner.slots.push_front(slot);
                break;
            };
            inner.held -= bytes.len();
            inner.out.extend_from_slice(&bytes);
            inner.first += 1;
        }
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// How many replies wait for one that is not known yet, that one included.
    pub fn waiting(&self) -> usize {
        self.0.borrow().slots.len()
    }

    /// How many bytes are kept: replies that are ready to be sent or wait for others, and requests that
    /// wait.
    pub fn kept(&self) -> usize {
        let inner = self.0.borrow();
        inner.out.len() - inner.sent + inner.held
    }

    /// Lets the task be woken when a reply becomes known.
    pub fn register(&self, waker: &Waker) {
        let mut inner = self.0.borrow_mut();
        match &inner.waker {
            Some(known) if known.will_wake(waker) => {}
            _ => inner.waker = Some(waker.clone()),
        }
    }

    /// Sends what is known; `Ready` when all of it is sent.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn poll_send(
        &self,
        context: &mut Context<'_>,
        mut send: impl FnMut(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        let Inner { out, sent, .. } = &mut *inner;
        while let Some(bytes) = out.get(*sent..).filter(|bytes| !bytes.is_empty()) {
            match send(context, bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(len)) => *sent += len,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        *sent = 0;
        out.clear();
        out.shrink_to(KEPT_BYTES_MAX);
        Poll::Ready(Ok(()))
    }

    /// Takes no more replies: the client is gone.
    pub fn close(&self) {
        let mut inner = self.0.borrow_mut();
        inner.is_closed = true;
        inner.slots.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outbox: &Outbox) -> String {
        let mut all = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let done = outbox.poll_send(&mut context, |_, bytes| {
            // One byte at a time, as slow as a socket can be.
            all.push(bytes[0]);
            Poll::Ready(Ok(1))
        });
        assert!(matches!(done, Poll::Ready(Ok(()))));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn replies_leave_in_the_order_of_the_requests_whenever_they_become_known() {
        let outbox = Outbox::default();
        let known = |text: &str| outbox.reply(|out| out.extend_from_slice(text.as_bytes()));
        let fill = |place, text: &str| {
            outbox.fill(place, Protocol::Resp2, |encoder| encoder.simple(text));
        };
        known("a");
        let b = outbox.reserve(100);
        known("c");
        let d = outbox.reserve(0);
        let e = outbox.reserve(0);
        assert_eq!(sent(&outbox), "a");
        assert_eq!(outbox.kept(), 101);
        fill(e, "e");
        assert_eq!(outbox.kept(), 105);
        assert_eq!((sent(&outbox).as_str(), outbox.waiting()), ("", 4));
        fill(b, "b");
        assert_eq!(sent(&outbox), "+b\r\nc");
        fill(d, "d");
        assert_eq!(sent(&outbox), "+d\r\n+e\r\n");
        known("f");
        assert_eq!((sent(&outbox).as_str(), outbox.waiting()), ("f", 0));
        assert_eq!(outbox.kept(), 0);
    }

    #[test]
    fn a_closed_outbox_ignores_late_replies() {
        let outbox = Outbox::default();
        let place = outbox.reserve(0);
        outbox.close();
        outbox.fill(place, Protocol::Resp2, |encoder| encoder.ok());
        assert_eq!(outbox.kept(), 0);
    }
}

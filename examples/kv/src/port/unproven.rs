//! Connections of which nobody knows yet whose they are, oldest first.
//!
//! Whoever reaches a port can take all its places without saying a word. If a newcomer were refused then, a few
//! connections a second would keep everybody out. So it is the oldest unproven connection that has to go: who
//! belongs here proves it at once, and keeps its place from then on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::oneshot;

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The unproven connections of one port.
#[derive(Clone, Debug, Default)]
pub(super) struct Unproven(Rc<RefCell<Inner>>);

impl Unproven {
    /// A new connection: its ticket, and what says that it has to go.
    pub(super) fn add(&self) -> (Ticket, oneshot::Receiver<()>) {
        let mut inner = self.0.borrow_mut();
        let (evict, evicted) = oneshot::channel();
        let number = inner.next;
        inner.next += 1;
        inner.waiting.insert(number, evict);
        let of = self.clone();
        (Ticket { of, number }, evicted)
    }

    /// Lets the oldest go; says whether there was one.
    pub(super) fn evict(&self) -> bool {
        let oldest = self.0.borrow_mut().waiting.pop_first();
        oldest.is_some_and(|(_, evict)| evict.send(()).is_ok())
    }
}

/// The place of a connection among the unproven ones, until it is dropped.
#[derive(Debug)]
pub struct Ticket {
    of: Unproven,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.of.0.borrow_mut().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    #[test]
    fn the_oldest_has_to_go_and_who_has_proved_itself_stays() {
        let unproven = Unproven::default();
        assert!(!unproven.evict());
        let [(first, mut proven), (second, mut old), (third, mut young)] =
            [(); 3].map(|()| unproven.add());
        drop(first);
        assert!(unproven.evict());
        assert_eq!(proven.try_recv(), Err(TryRecvError::Closed));
        assert_eq!(old.try_recv(), Ok(()));
        assert_eq!(young.try_recv(), Err(TryRecvError::Empty));
        drop((second, third));
        assert!(!unproven.evict());
    }
}

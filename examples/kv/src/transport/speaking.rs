//! Which connection each peer speaks over: a newer one ends the older.
//!
//! The end of a machine that just vanished is never heard of, so its old connection would stay until the kernel
//! gives it up. What is remembered goes with the connection: whoever connects under many names leaves nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use quorum::NodeId;
use tokio::sync::oneshot;

/// The connections over which peers speak.
#[derive(Debug, Default)]
pub struct Speaking(RefCell<BTreeMap<NodeId, oneshot::Sender<()>>>);

impl Speaking {
    /// A peer has connected. The receiver says when it has connected again.
    pub fn begin(&self, peer: NodeId) -> oneshot::Receiver<()> {
        let (speaking, replaced) = oneshot::channel();
        self.0.borrow_mut().insert(peer, speaking);
        replaced
    }

    /// The connection of a peer has ended, and with it its receiver.
    pub fn end(&self, peer: NodeId) {
        let mut speaking = self.0.borrow_mut();
        // A newer connection still listens to its own.
        if speaking.get(&peer).is_some_and(oneshot::Sender::is_closed) {
            speaking.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    #[test]
    fn a_newer_connection_ends_the_older_and_nothing_is_left_of_either() {
        let (speaking, peer) = (Speaking::default(), NodeId::new(2));
        let mut older = speaking.begin(peer);
        assert_eq!(older.try_recv(), Err(TryRecvError::Empty));
        let mut newer = speaking.begin(peer);
        assert_eq!(older.try_recv(), Err(TryRecvError::Closed));
        drop(older);
        speaking.end(peer);
        assert_eq!(newer.try_recv(), Err(TryRecvError::Empty));
        drop(newer);
        speaking.end(peer);
        assert!(speaking.0.borrow().is_empty());
    }
}

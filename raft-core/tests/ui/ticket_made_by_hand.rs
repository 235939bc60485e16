//! A ticket is made by taking a write, never by hand.

use quorum::NodeId;
use raft_core::{GroupId, Ticket};

fn main() {
    let _ = Ticket {
        node: NodeId::new(1),
        group: GroupId::new(1),
        nonce: 1,
        version: 1,
    };
}

//! Groups with a witness: nodes 1 and 2 keep everything, node 3 keeps no payloads.

use quorum::NodeId;
use raft_core::{Change, EntryKind, LogIndex, Seat, Standing};

use super::past::{Past, identity, seats};
use super::solo::Solo;
use super::{WINDOW, World, config};

pub const W: Standing = Standing::Witness;
pub const V: Standing = Standing::Voter;

pub fn node(id: u64) -> NodeId {
    NodeId::new(id)
}

/// Nodes 1 and 2 keep everything, node 3 is a witness.
pub fn two_and_one() -> Vec<Seat> {
    seats(&[(1, V), (2, V), (3, W)])
}

/// Node 1 founds, node 2 joins in full, node 3 as a witness.
pub fn group() -> World {
    let mut world = World::group(2);
    world.join(3, config(3), WINDOW);
    world.settle();
    let identity = world.identity(3);
    world
        .raft(1)
        .reconfigure(&[Change::AddWitness(identity)])
        .expect("added");
    world.settle();
    assert!(world.raft(3).is_witness() && world.raft(3).is_voter());
    assert!(!world.raft(1).is_joint(), "the change is over");
    world
}

pub fn applied(world: &mut World, id: u64) -> Vec<Vec<u8>> {
    let applied = world.host(id).applied.iter();
    applied.map(|(_, payload)| payload.clone()).collect()
}

pub fn kinds(world: &mut World, id: u64) -> Vec<EntryKind> {
    let raft = world.raft(id);
    let indexes = raft.base().index.value() + 1..=raft.last().index.value();
    let kind = |index| {
        raft.entry(LogIndex::new(index))
            .expect("in the window")
            .kind
    };
    indexes.map(kind).collect()
}

/// Node 3 as it comes back: a witness with entries of these terms.
pub fn witness(terms: &[u32]) -> Past {
    Past::new(3).members(two_and_one()).witness(terms)
}

/// Node 1, leading node 2 and the witness 3.
pub fn leader() -> Solo {
    Past::new(1).members(two_and_one()).log(&[1]).establish()
}

use std::rc::Rc;

use clocks::Instant;
use raft_core::{Committed, Config, Incarnation, Raft};

use super::*;
use crate::outbox::Outbox;
use crate::resp::Protocol;

/// A group of one, with a map that has applied what was delivered.
struct Rig {
    raft: Machine,
    store: Store,
    links: Links,
}

impl Rig {
    fn new() -> Self {
        let config = Config::builder(NodeId::new(1)).build().unwrap();
        let raft = Raft::found(config, vec![0; 1 << 16], 7, Instant::ZERO).unwrap();
        let (store, links) = (Store::default(), Links::default());
        let mut rig = Rig { raft, store, links };
        rig.raft.campaign(Instant::ZERO).unwrap();
        rig.persist();
        rig.apply();
        assert!(rig.raft.is_established());
        rig
    }

    fn persist(&mut self) {
        while let Some(write) = self.raft.poll_persist() {
            let ticket = write.into_ticket();
            self.raft.handle_persisted(Instant::ZERO, ticket).unwrap();
        }
    }

    fn apply(&mut self) {
        while let Some(committed) = self.raft.poll_committed() {
            match committed {
                Committed::Command(entry) if entry.payload.is_empty() => {}
                Committed::Command(entry) => {
                    self.store.apply(&Operation::decode(entry.payload).unwrap());
                }
                Committed::Snapshot(_) => unreachable!("none was made"),
            }
        }
    }

    fn step(&mut self, task: &mut Task) -> Step {
        task.step(&mut self.raft, &self.store, &mut self.links)
    }

    fn is_known(&self) -> bool {
        is_known(&self.store, 2, "here:1", "here:2")
    }
}

fn add() -> Task {
    let identity = Identity {
        node: NodeId::new(2),
        incarnation: Incarnation::new(5),
    };
    let outbox = Rc::<Outbox>::default();
    Task {
        wish: Wish::Add {
            identity,
            peer: "here:1".into(),
            client: "here:2".into(),
        },
        asker: Asker {
            place: outbox.reserve(0),
            outbox,
            protocol: Protocol::Resp2,
        },
        end: Clock::now() + PATIENCE,
        is_announced: false,
        accepted: None,
    }
}

/// Steps until the wish is fulfilled; never may that be while the address is not known.
#[track_caller]
fn fulfil(rig: &mut Rig, task: &mut Task) {
    for _ in 0..10 {
        match rig.step(task) {
            Step::Done => {
                assert!(rig.is_known(), "done, and nobody can reach it");
                return;
            }
            Step::Wait => {}
            Step::Refused(text) => panic!("{text}"),
        }
        rig.persist();
        // Committed is not applied.
        assert!(matches!(rig.step(task), Step::Wait));
        rig.apply();
    }
    panic!("never done");
}

#[test]
fn a_newcomer_is_in_when_its_address_outlives_what_was_to_be_forgotten() {
    let mut rig = Rig::new();
    // Its predecessor listened there too, was removed, and is forgotten by an entry that is on its way.
    assert!(announce(&mut rig.raft, &rig.store, 2, "here:1", "here:2"));
    rig.persist();
    rig.apply();
    forget(&mut rig.raft, &rig.store, 2);
    assert!(rig.is_known());
    fulfil(&mut rig, &mut add());
    assert_eq!(rig.raft.members().count(), 2);
}

#[test]
fn a_member_that_is_added_again_is_in_when_its_address_is_applied() {
    let mut rig = Rig::new();
    fulfil(&mut rig, &mut add());
    forget(&mut rig.raft, &rig.store, 2);
    fulfil(&mut rig, &mut add());
    rig.persist();
    rig.apply();
    assert!(rig.is_known());
}

//! The `omnipaxos` crate (0.2): sequence paxos with a memory storage.
//!
//! Its leader sends explicit decides. *by value* shares one payload buffer between all nodes, which no network
//! can do; *wire* encodes each message with bincode and decodes it again. `batch_size` is the number of proposals
//! that it collects before it sends: 1 is its default, *batch = w* fills exactly one message a batch.

use core::mem;

use bytes::Bytes;
use omnipaxos::macros::Entry;
use omnipaxos::messages::Message;
use omnipaxos::util::LogEntry;
use omnipaxos::{ClusterConfig, OmniPaxos, ServerConfig};
use omnipaxos_storage::memory_storage::MemoryStorage;
use serde::{Deserialize, Serialize};

use crate::contender::{
    Applied, Carrier, CommitStyle, Contender, LOG_ENTRIES_KEPT, Load, Registered, Side, Source,
    assert_applied,
};

/// Replication, in all four combinations.
pub(crate) const CONTENDERS: &[Registered] = &[
    Registered {
        name: "omnipaxos batch = 1, by value",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, 1, Carrier::Value)),
    },
    Registered {
        name: "omnipaxos batch = w, by value",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, load.window, Carrier::Value)),
    },
    Registered {
        name: "omnipaxos batch = 1, wire",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, 1, Carrier::Wire)),
    },
    Registered {
        name: "omnipaxos batch = w, wire",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, load.window, Carrier::Wire)),
    },
];

/// One tick of every node: each asks each other for a ballot.
pub(crate) const HEARTBEAT: Registered = Registered {
    name: "omnipaxos (full mesh), by value",
    side: Side::Peer,
    style: CommitStyle::Explicit,
    build: |load| Box::new(Heartbeats(Cluster::elected(load, 1, Carrier::Value))),
};

/// From `try_become_leader()` until the followers have accepted; no entry is written.
pub(crate) const ELECTION: Registered = Registered {
    name: "omnipaxos (leader change), by value",
    side: Side::Peer,
    style: CommitStyle::Explicit,
    build: |load| {
        Box::new(Elections {
            cluster: Cluster::elected(load, 1, Carrier::Value),
            elected: 1,
        })
    },
};

#[derive(Clone, Debug, Entry, Serialize, Deserialize)]
struct Command(Bytes);

struct Node {
    paxos: OmniPaxos<Command, MemoryStorage<Command>>,
    inbox: Vec<Message<Command>>,
    /// Something happened to it since it was last asked for messages: asking costs an allocation.
    awake: bool,
    read: usize,
    applied: Applied,
}

impl Node {
    fn new(pid: u64, load: Load, batch_size: usize) -> Self {
        let cluster = ClusterConfig {
            configuration_id: 1,
            nodes: (1..=load.members as u64).collect(),
            ..ClusterConfig::default()
        };
        let server = ServerConfig {
            pid,
            batch_size,
            // The default reserves 20 MB a node.
            buffer_size: 1024,
            ..ServerConfig::default()
        };
        Self {
            paxos: cluster
                .build_for_server(server, MemoryStorage::default())
                .expect("a valid configuration"),
            inbox: Vec::new(),
            awake: true,
            read: 0,
            applied: Applied::default(),
        }
    }

    fn apply_decided(&mut self) {
        let decided = self.paxos.get_decided_idx();
        if decided == self.read {
            return;
        }
        for entry in self
            .paxos
            .read_decided_suffix(self.read)
            .into_iter()
            .flatten()
        {
            if let LogEntry::Decided(command) = entry {
                self.applied.apply(&command.0);
            }
        }
        self.read = decided;
    }
}

struct Cluster {
    nodes: Vec<Node>,
    carrier: Carrier,
    log_entries_max: usize,
    out: Vec<Message<Command>>,
}

impl Cluster {
    /// A cluster that follows its first node.
    fn elected(load: Load, batch_size: usize, carrier: Carrier) -> Self {
        let mut cluster = Self {
            nodes: (1..=load.members as u64)
                .map(|pid| Node::new(pid, load, batch_size))
                .collect(),
            carrier,
            log_entries_max: load.log_entries_max(),
            out: Vec::new(),
        };
        cluster.elect(0);
        cluster
    }

    fn elect(&mut self, at: usize) {
        self.wake(at).try_become_leader();
        self.settle();
        assert!(self.is_leader(at), "nobody competed");
    }

    /// The node at `at`, which will be asked for messages.
    fn wake(&mut self, at: usize) -> &mut OmniPaxos<Command, MemoryStorage<Command>> {
        let node = &mut self.nodes[at];
        node.awake = true;
        &mut node.paxos
    }

    fn is_leader(&self, at: usize) -> bool {
        let paxos = &self.nodes[at].paxos;
        paxos.get_current_leader() == Some((paxos.get_pid(), true))
    }

    /// Carries messages until no node has anything left to say, applying what is decided.
    fn settle(&mut self) {
        while self.nodes.iter().any(|node| node.awake) {
            for at in 0..self.nodes.len() {
                let node = &mut self.nodes[at];
                if !mem::take(&mut node.awake) {
                    continue;
                }
                for message in node.inbox.drain(..) {
                    node.paxos.handle_incoming(message);
                }
                node.apply_decided();
                node.paxos.take_outgoing_messages(&mut self.out);
                self.carry();
            }
        }
    }

    fn carry(&mut self) {
        let mut out = mem::take(&mut self.out);
        for message in out.drain(..) {
            let message = match self.carrier {
                Carrier::Value => message,
                Carrier::Wire => through_wire(&message),
            };
            let to = &mut self.nodes[message.get_receiver() as usize - 1];
            to.inbox.push(message);
            to.awake = true;
        }
        self.out = out;
    }

    /// Cuts every log back, by a message of the leader.
    fn compact(&mut self) {
        let leader = &self.nodes[0].paxos;
        let decided = leader.get_decided_idx();
        if decided - leader.get_compacted_idx() >= self.log_entries_max {
            self.wake(0)
                .trim(Some(decided - LOG_ENTRIES_KEPT))
                .expect("all have accepted it");
            self.settle();
        }
    }
}

fn through_wire(message: &Message<Command>) -> Message<Command> {
    let frame = bincode::serialize(message).expect("memory to write to");
    bincode::deserialize(&frame).expect("what was just written")
}

struct Replication {
    load: Load,
    source: Source,
    cluster: Cluster,
}

impl Replication {
    fn new(load: Load, batch_size: usize, carrier: Carrier) -> Self {
        Self {
            load,
            source: Source::new(load),
            cluster: Cluster::elected(load, batch_size, carrier),
        }
    }
}

impl Contender for Replication {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            let leader = self.cluster.wake(0);
            for _ in 0..self.load.window {
                let command = Command(Bytes::from(self.source.next().to_vec()));
                leader
                    .append(command)
                    .expect("no reconfiguration is pending");
            }
            self.cluster.settle();
            self.cluster.compact();
        }
    }

    fn verify(&self, batches: usize) {
        let applied = self.cluster.nodes.iter().map(|node| node.applied);
        assert_applied(applied, self.load, CommitStyle::Explicit, batches);
    }
}

struct Heartbeats(Cluster);

impl Contender for Heartbeats {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            for at in 0..self.0.nodes.len() {
                self.0.wake(at).tick();
            }
            self.0.settle();
        }
    }

    fn verify(&self, _: usize) {
        // The first ticks hand the leadership to the highest ballot, whoever led before.
        assert!((0..self.0.nodes.len()).any(|at| self.0.is_leader(at)));
    }
}

struct Elections {
    cluster: Cluster,
    elected: usize,
}

impl Contender for Elections {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.cluster.elect(self.elected % self.cluster.nodes.len());
            self.elected += 1;
        }
    }

    fn verify(&self, batches: usize) {
        assert_eq!(self.elected, batches + 1);
    }
}

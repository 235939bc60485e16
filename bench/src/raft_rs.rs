//! The `raft` crate (raft-rs 0.7), driven by the ready loop that its documentation describes.
//!
//! *plain* has the batching flags at their defaults, off: every proposal makes its own append to each follower and
//! every commit is told at once. *tuned* turns on `batch_append` and `skip_bcast_commit`. By value, messages move
//! between nodes as structs and share their payloads, which no network can do; *wire* encodes each with protobuf
//! and decodes it without copying the payload out of the frame.

use core::mem;

use bytes::Bytes;
use protobuf::Message as _;
use raft::eraftpb::{Entry, EntryType, Message};
use raft::storage::MemStorage;
use raft::{Config, LightReady, RawNode, StateRole};

use crate::contender::{
    Applied, Carrier, CommitStyle, Contender, LOG_ENTRIES_KEPT, Load, Registered, Side, Source,
    assert_applied,
};

/// Replication, in all four combinations.
pub(crate) const CONTENDERS: &[Registered] = &[
    Registered {
        name: "raft-rs plain, by value",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| {
            Box::new(Replication::new(
                load,
                CommitStyle::Explicit,
                Carrier::Value,
            ))
        },
    },
    Registered {
        name: "raft-rs plain, wire",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, CommitStyle::Explicit, Carrier::Wire)),
    },
    Registered {
        name: "raft-rs tuned, by value",
        side: Side::Peer,
        style: CommitStyle::Piggybacked,
        build: |load| {
            Box::new(Replication::new(
                load,
                CommitStyle::Piggybacked,
                Carrier::Value,
            ))
        },
    },
    Registered {
        name: "raft-rs tuned, wire",
        side: Side::Peer,
        style: CommitStyle::Piggybacked,
        build: |load| {
            Box::new(Replication::new(
                load,
                CommitStyle::Piggybacked,
                Carrier::Wire,
            ))
        },
    },
];

/// One tick of the leader, which beats at every tick, and the answers.
pub(crate) const HEARTBEATS: &[Registered] = &[
    Registered {
        name: "raft-rs, by value",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| {
            Box::new(Heartbeats(Cluster::elected(
                load,
                CommitStyle::Explicit,
                Carrier::Value,
            )))
        },
    },
    Registered {
        name: "raft-rs, wire",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| {
            Box::new(Heartbeats(Cluster::elected(
                load,
                CommitStyle::Explicit,
                Carrier::Wire,
            )))
        },
    },
];

/// From `campaign()` with pre-vote until the new leader's empty entry is committed everywhere.
pub(crate) const ELECTIONS: &[Registered] = &[
    Registered {
        name: "raft-rs, by value",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Elections::new(load, Carrier::Value)),
    },
    Registered {
        name: "raft-rs, wire",
        side: Side::Peer,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Elections::new(load, Carrier::Wire)),
    },
];

struct Node {
    raft: RawNode<MemStorage>,
    inbox: Vec<Message>,
    applied: Applied,
}

impl Node {
    fn new(id: u64, load: Load, style: CommitStyle) -> Self {
        let voters: Vec<u64> = (1..=load.members as u64).collect();
        let tuned = style == CommitStyle::Piggybacked;
        let config = Config {
            id,
            election_tick: 1_000_000,
            heartbeat_tick: 1,
            // The default, 0, allows one entry a message; the default window, 256, is below ours.
            max_size_per_msg: 1 << 20,
            max_inflight_msgs: 4096,
            pre_vote: true,
            skip_bcast_commit: tuned,
            batch_append: tuned,
            ..Config::default()
        };
        let storage = MemStorage::new_with_conf_state((voters, Vec::new()));
        let silent = slog::Logger::root(slog::Discard, slog::o!());
        Self {
            raft: RawNode::new(&config, storage, &silent).expect("a valid configuration"),
            inbox: Vec::new(),
            applied: Applied::default(),
        }
    }

    fn apply(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            // A new leader's entry is empty.
            if entry.get_entry_type() == EntryType::EntryNormal && !entry.data.is_empty() {
                self.applied.apply(&entry.data);
            }
        }
    }

    /// Does what one `Ready` asks for; the messages go to `out`.
    fn drive(&mut self, out: &mut Vec<Message>) {
        let mut ready = self.raft.ready();
        out.append(&mut ready.take_messages());
        assert!(ready.snapshot().is_empty(), "nobody falls behind here");
        self.apply(ready.take_committed_entries());
        {
            let mut store = self.raft.store().wl();
            store
                .append(ready.entries())
                .expect("entries follow the log");
            if let Some(hard_state) = ready.hs() {
                store.set_hardstate(hard_state.clone());
            }
        }
        out.append(&mut ready.take_persisted_messages());
        let mut light: LightReady = self.raft.advance(ready);
        if let Some(commit) = light.commit_index() {
            self.raft.store().wl().mut_hard_state().set_commit(commit);
        }
        out.append(&mut light.take_messages());
        self.apply(light.take_committed_entries());
        self.raft.advance_apply();
    }

    /// Cuts the log back, never beyond what is applied.
    fn compact(&mut self, log_entries_max: usize) {
        let log = &self.raft.raft.raft_log;
        let held = log.last_index() + 1 - log.first_index();
        if held < log_entries_max as u64 {
            return;
        }
        let keep_from = log.applied.min(log.last_index() - LOG_ENTRIES_KEPT as u64);
        self.raft
            .store()
            .wl()
            .compact(keep_from)
            .expect("a compact index inside the log");
    }
}

struct Cluster {
    nodes: Vec<Node>,
    carrier: Carrier,
    log_entries_max: usize,
    out: Vec<Message>,
}

impl Cluster {
    /// A cluster that follows its first node.
    fn elected(load: Load, style: CommitStyle, carrier: Carrier) -> Self {
        let mut cluster = Self {
            nodes: (1..=load.members as u64)
                .map(|id| Node::new(id, load, style))
                .collect(),
            carrier,
            log_entries_max: load.log_entries_max(),
            out: Vec::new(),
        };
        cluster.elect(0);
        cluster
    }

    fn elect(&mut self, at: usize) {
        self.nodes[at]
            .raft
            .campaign()
            .expect("a voter may campaign");
        self.settle();
        assert!(self.is_leader(at), "nobody competed");
    }

    fn is_leader(&self, at: usize) -> bool {
        self.nodes[at].raft.raft.state == StateRole::Leader
    }

    /// Carries messages until no node has anything left to do.
    fn settle(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for at in 0..self.nodes.len() {
                let node = &mut self.nodes[at];
                for message in node.inbox.drain(..) {
                    node.raft.step(message).expect("a message of this cluster");
                }
                if node.raft.has_ready() {
                    quiet = false;
                    node.drive(&mut self.out);
                }
                self.carry();
            }
        }
    }

    fn carry(&mut self) {
        let mut out = mem::take(&mut self.out);
        for message in out.drain(..) {
            let message = match self.carrier {
                Carrier::Value => message,
                Carrier::Wire => through_wire(message),
            };
            self.nodes[message.to as usize - 1].inbox.push(message);
        }
        self.out = out;
    }

    fn compact(&mut self) {
        for node in &mut self.nodes {
            node.compact(self.log_entries_max);
        }
    }
}

fn through_wire(message: Message) -> Message {
    let frame = message.write_to_bytes().expect("memory to write to");
    Message::parse_from_carllerche_bytes(&Bytes::from(frame)).expect("what was just written")
}

struct Replication {
    load: Load,
    style: CommitStyle,
    source: Source,
    cluster: Cluster,
}

impl Replication {
    fn new(load: Load, style: CommitStyle, carrier: Carrier) -> Self {
        Self {
            load,
            style,
            source: Source::new(load),
            cluster: Cluster::elected(load, style, carrier),
        }
    }
}

impl Contender for Replication {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            let leader = &mut self.cluster.nodes[0].raft;
            for _ in 0..self.load.window {
                leader
                    .propose(Vec::new(), self.source.next().to_vec())
                    .expect("a leader takes proposals");
            }
            self.cluster.settle();
            self.cluster.compact();
        }
    }

    fn verify(&self, batches: usize) {
        let applied = self.cluster.nodes.iter().map(|node| node.applied);
        assert_applied(applied, self.load, self.style, batches);
    }
}

struct Heartbeats(Cluster);

impl Contender for Heartbeats {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.0.nodes[0].raft.tick();
            self.0.settle();
        }
    }

    fn verify(&self, _: usize) {
        assert!(self.0.is_leader(0));
    }
}

struct Elections {
    cluster: Cluster,
    elected: usize,
}

impl Elections {
    fn new(load: Load, carrier: Carrier) -> Self {
        Self {
            cluster: Cluster::elected(load, CommitStyle::Explicit, carrier),
            elected: 1,
        }
    }
}

impl Contender for Elections {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.cluster.elect(self.elected % self.cluster.nodes.len());
            self.cluster.compact();
            self.elected += 1;
        }
    }

    fn verify(&self, batches: usize) {
        assert_eq!(self.elected, batches + 1);
        let log = &self.cluster.nodes[0].raft.raft.raft_log;
        assert_eq!(
            log.committed, self.elected as u64,
            "one empty entry for each leader"
        );
    }
}

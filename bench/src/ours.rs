//! `raft-core` of this workspace, driven as its README shows.
//!
//! Every message goes through its wire format and a byte queue. A write is acknowledged as soon as it is offered:
//! the window is the storage in memory that the others have, and nobody here waits for a disk. *explicit commit*
//! asks the leader for messages after every acknowledgement; *piggy-backed commit* does so only while somebody lacks
//! entries, and what is committed leaves with the next append.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Change, Committed, Config, LogIndex, Message, Raft, Ready, wire};

use crate::contender::{
    Applied, CommitStyle, Contender, LOG_ENTRIES_KEPT, Load, Registered, Side, Source,
    assert_applied,
};

/// Replication, in both commit styles.
pub(crate) const CONTENDERS: &[Registered] = &[
    Registered {
        name: "raft-core, explicit commit",
        side: Side::Ours,
        style: CommitStyle::Explicit,
        build: |load| Box::new(Replication::new(load, CommitStyle::Explicit)),
    },
    Registered {
        name: "raft-core, piggy-backed commit",
        side: Side::Ours,
        style: CommitStyle::Piggybacked,
        build: |load| Box::new(Replication::new(load, CommitStyle::Piggybacked)),
    },
];

/// The leader's timer, a round to everyone and the answers.
pub(crate) const HEARTBEATS: &[Registered] = &[Registered {
    name: "raft-core",
    side: Side::Ours,
    style: CommitStyle::Explicit,
    build: |load| Box::new(Heartbeats(Cluster::new(load, CommitStyle::Explicit))),
}];

/// From `campaign` with pre-vote until the new leader's entry is committed everywhere.
pub(crate) const ELECTIONS: &[Registered] = &[Registered {
    name: "raft-core",
    side: Side::Ours,
    style: CommitStyle::Explicit,
    build: |load| {
        Box::new(Elections {
            cluster: Cluster::new(load, CommitStyle::Explicit),
            leader: 0,
            elected: 0,
        })
    },
}];

const MEMBERS_MAX: usize = 5;
const FRAME_BYTES_MAX: usize = 1 << 20;
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(100);
/// Beyond the stickiness period, so that the others help a new leader into office.
const LONG_SILENCE: Duration = Duration::from_millis(2_000);

type Machine = Raft<Vec<u8>, MEMBERS_MAX>;

struct Node {
    raft: Machine,
    inbox: Inbox,
    applied: Applied,
}

impl Node {
    fn new(raft: Machine, load: Load) -> Self {
        Self {
            raft,
            inbox: Inbox::new(load),
            applied: Applied::default(),
        }
    }

    /// Takes in what has arrived, and makes durable what is to be.
    fn receive(&mut self, now: Instant) {
        let mut rest = self.inbox.bytes.get(..self.inbox.len).unwrap_or_default();
        while let Some((prefix, after)) = rest.split_first_chunk() {
            let [from, frame_bytes] = prefix_decoded(prefix);
            let (frame, after) = after.split_at(frame_bytes as usize);
            rest = after;
            let message = wire::decode(frame).expect("a frame of this cluster");
            let from = NodeId::new(u64::from(from));
            self.raft
                .handle_message(now, from, message)
                .expect("a live node");
        }
        self.inbox.len = 0;
        self.persist(now);
    }

    /// One acknowledged write may be the reason of another: a vote, then an office, then its first entry.
    fn persist(&mut self, now: Instant) {
        while let Some(write) = self.raft.poll_persist() {
            let ticket = write.into_ticket();
            self.raft
                .handle_persisted(now, ticket)
                .expect("its own ticket");
        }
    }

    /// Applies what is committed, and looks at the events as a driver would.
    fn apply(&mut self) {
        while let Some(committed) = self.raft.poll_committed() {
            if let Committed::Command(entry) = committed {
                self.applied.apply(entry.payload);
            }
        }
        while self.raft.poll_event().is_some() {}
    }

    /// Cuts the log back, never beyond what is applied.
    fn compact(&mut self, now: Instant, log_entries_max: usize) {
        let last = self.raft.last().index;
        if last.since(self.raft.base().index) < log_entries_max as u64 {
            return;
        }
        let keep_from = LogIndex::new(last.value() - LOG_ENTRIES_KEPT as u64);
        let index = keep_from.min(self.raft.delivered());
        self.raft.compact(index, 0, 0).expect("an applied index");
        self.persist(now);
    }
}

const PREFIX_BYTES: usize = 8;

/// Sender and length of the frame that follows.
fn prefix_decoded(prefix: &[u8; PREFIX_BYTES]) -> [u32; 2] {
    let both = u64::from_le_bytes(*prefix);
    [both as u32, (both >> 32) as u32]
}

/// Frames on their way to one node, each behind its prefix.
struct Inbox {
    bytes: Box<[u8]>,
    len: usize,
}

impl Inbox {
    fn new(load: Load) -> Self {
        // A window of entries with their headers, and acknowledgements of all members.
        let bytes = load.window * (load.payload_bytes + 64) + (64 << 10);
        Self {
            bytes: vec![0; bytes].into_boxed_slice(),
            len: 0,
        }
    }

    fn push(&mut self, from: u32, message: &Message<'_>) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let (prefix, room) = room.split_first_chunk_mut().expect("room for a window");
        let frame = wire::encode(message, room).expect("room for a window");
        let both = u64::from(from) | (frame.len() as u64) << 32;
        *prefix = both.to_le_bytes();
        self.len += PREFIX_BYTES + frame.len();
    }
}

struct Cluster {
    nodes: Vec<Node>,
    now: Instant,
    style: CommitStyle,
    log_entries_max: usize,
}

impl Cluster {
    /// A cluster that follows its first node, everyone a voter.
    fn new(load: Load, style: CommitStyle) -> Self {
        let now = Instant::from_micros(1);
        let window = vec![0; window_bytes(load, style)];
        let founder = Machine::found(config(1), window, 1, now).expect("a sound configuration");
        let mut cluster = Self {
            nodes: vec![Node::new(founder, load)],
            now,
            style: CommitStyle::Explicit,
            log_entries_max: load.log_entries_max(),
        };
        cluster.nodes[0]
            .raft
            .handle_timeout(now)
            .expect("a live node");
        cluster.settle(0);
        let group = cluster.nodes[0].raft.group();
        for id in 2..=load.members as u64 {
            let window = vec![0; window_bytes(load, style)];
            let joiner =
                Machine::join(config(id), group, window, id, now).expect("a sound configuration");
            let identity = joiner.identity();
            cluster.nodes.push(Node::new(joiner, load));
            cluster.settle(id as usize - 1);
            for change in [Change::AddLearner(identity), Change::Promote(identity.node)] {
                let leader = &mut cluster.nodes[0].raft;
                leader.reconfigure(&[change]).expect("one change at a time");
                cluster.settle(0);
            }
        }
        assert!(cluster.nodes.iter().all(|node| node.raft.is_voter()));
        assert!(cluster.nodes[0].raft.is_established());
        cluster.style = style;
        cluster
    }

    /// One turn of a node: what arrived, what is to be durable, what it says, what it applies.
    fn turn(&mut self, at: usize) {
        self.nodes[at].receive(self.now);
        if self.style == CommitStyle::Explicit || !self.has_only_news_of_commit(at) {
            self.carry(at);
        }
        self.nodes[at].apply();
    }

    /// Whether the node at `at` leads and everyone has all its entries.
    fn has_only_news_of_commit(&self, at: usize) -> bool {
        let raft = &self.nodes[at].raft;
        let last = Some(raft.last().index);
        let mut members = 1..=self.nodes.len() as u64;
        raft.is_leader() && members.all(|id| raft.matched(NodeId::new(id)) == last)
    }

    /// Moves all that the node at `at` has to say into the inboxes.
    fn carry(&mut self, at: usize) {
        let (before, rest) = self.nodes.split_at_mut(at);
        let Some((node, after)) = rest.split_first_mut() else {
            return;
        };
        let from = at as u32 + 1;
        while let Some(transmit) = node.raft.poll_transmit(self.now, Ready::All) {
            let to = transmit.to.value() as usize - 1;
            let receiver = if to < at {
                before.get_mut(to)
            } else {
                after.get_mut(to - at - 1)
            };
            receiver
                .expect("a member")
                .inbox
                .push(from, &transmit.message);
        }
    }

    /// Gives turns, beginning with the node at `at`, until nothing is on its way.
    fn settle(&mut self, at: usize) {
        self.turn(at);
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for at in 0..self.nodes.len() {
                if self.nodes[at].inbox.len > 0 {
                    quiet = false;
                    self.turn(at);
                }
            }
        }
    }

    fn compact(&mut self) {
        for node in &mut self.nodes {
            node.compact(self.now, self.log_entries_max);
        }
    }
}

fn config(id: u64) -> Config {
    Config::builder(NodeId::new(id))
        .heartbeat_interval(HEARTBEAT_INTERVAL)
        .frame_bytes_max(FRAME_BYTES_MAX)
        .build()
        .expect("the settings are sound")
}

/// Memory for the entries that stand in the log just before it is cut, and not much more: the ring goes through all
/// of it.
fn window_bytes(load: Load, style: CommitStyle) -> usize {
    let entries = match style {
        CommitStyle::Explicit => LOG_ENTRIES_KEPT + load.cycle_batches() * load.window,
        // A follower that does not know of the last commits cuts less, or a window later.
        CommitStyle::Piggybacked => load.log_entries_max() + load.window,
    };
    let entries = entries + 32;
    // The window finds an entry by its offset, and has one offset for every 32 bytes.
    let for_offsets = 32 * entries.next_power_of_two();
    let for_entries = entries * (load.payload_bytes + raft_core::ENTRY_HEADER_BYTES);
    for_offsets.max(for_entries + for_entries / 7) + 4096
}

struct Replication {
    load: Load,
    source: Source,
    cluster: Cluster,
}

impl Replication {
    fn new(load: Load, style: CommitStyle) -> Self {
        Self {
            load,
            source: Source::new(load),
            cluster: Cluster::new(load, style),
        }
    }
}

impl Contender for Replication {
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            let leader = &mut self.cluster.nodes[0].raft;
            for _ in 0..self.load.window {
                leader
                    .propose(self.source.next())
                    .expect("a leader with room");
            }
            self.cluster.settle(0);
            self.cluster.compact();
        }
    }

    fn verify(&self, batches: usize) {
        let applied = self.cluster.nodes.iter().map(|node| node.applied);
        assert_applied(applied, self.load, self.cluster.style, batches);
    }
}

struct Heartbeats(Cluster);

impl Contender for Heartbeats {
    fn run(&mut self, batches: usize) {
        let cluster = &mut self.0;
        for _ in 0..batches {
            cluster.now = cluster.now.saturating_add(HEARTBEAT_INTERVAL);
            cluster.nodes[0]
                .raft
                .handle_timeout(cluster.now)
                .expect("a live node");
            cluster.settle(0);
        }
    }

    fn verify(&self, _: usize) {
        assert!(self.0.nodes[0].raft.is_established());
    }
}

struct Elections {
    cluster: Cluster,
    leader: usize,
    elected: usize,
}

impl Contender for Elections {
    fn run(&mut self, batches: usize) {
        let cluster = &mut self.cluster;
        for _ in 0..batches {
            self.leader = (self.leader + 1) % cluster.nodes.len();
            cluster.now = cluster.now.saturating_add(LONG_SILENCE);
            cluster.nodes[self.leader]
                .raft
                .campaign(cluster.now)
                .expect("a live node");
            cluster.settle(self.leader);
            assert!(
                cluster.nodes[self.leader].raft.is_established(),
                "nobody competed"
            );
            cluster.compact();
            self.elected += 1;
        }
    }

    fn verify(&self, batches: usize) {
        assert_eq!(self.elected, batches);
        let last = self.cluster.nodes[self.leader].raft.last().index;
        assert!(
            self.cluster
                .nodes
                .iter()
                .all(|node| node.raft.commit() == last)
        );
    }
}

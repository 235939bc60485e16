//! `raft-core` of this workspace, driven as its README shows.
//!
//! Every message goes as a frame through a byte queue: [`Raft::poll_frame`] writes it there and [`Raft::handle_frame`]
//! reads it there. A write is acknowledged as soon as it is offered:
//! the window is the storage in memory that the others have, and nobody here waits for a disk. *explicit commit*
//! asks the leader for messages after every acknowledgement; *piggy-backed commit* does so only while somebody lacks
//! entries, and what is committed leaves with the next append.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Change, Committed, Config, LogIndex, Raft, Ready};

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
    applied: Applied,
}

impl Node {
    fn new(raft: Machine) -> Self {
        Self {
            raft,
            applied: Applied::default(),
        }
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

/// Receiver and length of the frame that follows.
fn prefix_decoded(prefix: &[u8; PREFIX_BYTES]) -> [u32; 2] {
    let both = u64::from_le_bytes(*prefix);
    [both as u32, (both >> 32) as u32]
}

/// Frames on their way from one node, each behind its prefix.
struct Outbox {
    bytes: Box<[u8]>,
    len: usize,
}

impl Outbox {
    fn new(load: Load) -> Self {
        // A window of entries with their headers for each member, and room for the longest frame behind them.
        let bytes = load.members * (load.window * (load.payload_bytes + 64) + (64 << 10));
        Self {
            bytes: vec![0; bytes + FRAME_BYTES_MAX].into_boxed_slice(),
            len: 0,
        }
    }

    /// Takes in all that the node has to say.
    fn fill(&mut self, raft: &mut Machine, now: Instant) {
        loop {
            let room = self.bytes.get_mut(self.len..).unwrap_or_default();
            let (prefix, room) = room.split_first_chunk_mut().expect("room for a window");
            let frame = raft.poll_frame(now, Ready::All, room);
            let Some(frame) = frame.expect("room for a frame") else {
                return;
            };
            let both = frame.to.value() | (frame.bytes.len() as u64) << 32;
            *prefix = both.to_le_bytes();
            self.len += PREFIX_BYTES + frame.bytes.len();
        }
    }
}

struct Cluster {
    nodes: Vec<Node>,
    /// One for each node.
    outboxes: Vec<Outbox>,
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
            nodes: vec![Node::new(founder)],
            outboxes: vec![Outbox::new(load)],
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
            cluster.nodes.push(Node::new(joiner));
            cluster.outboxes.push(Outbox::new(load));
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

    /// One turn of a node: what is to be durable, what it says, what it applies.
    fn turn(&mut self, at: usize) {
        self.nodes[at].persist(self.now);
        if self.style == CommitStyle::Explicit || !self.has_only_news_of_commit(at) {
            self.outboxes[at].fill(&mut self.nodes[at].raft, self.now);
        }
        self.nodes[at].apply();
    }

    /// Hands over all frames that are on their way; says who got any, one bit for each node.
    fn deliver(&mut self) -> u64 {
        let mut receivers = 0;
        for (at, outbox) in self.outboxes.iter_mut().enumerate() {
            let from = NodeId::new(at as u64 + 1);
            let mut rest = outbox.bytes.get(..outbox.len).unwrap_or_default();
            while let Some((prefix, after)) = rest.split_first_chunk() {
                let [to, frame_bytes] = prefix_decoded(prefix);
                let (frame, after) = after.split_at(frame_bytes as usize);
                rest = after;
                let at = to as usize - 1;
                receivers |= 1 << at;
                let raft = &mut self.nodes[at].raft;
                raft.handle_frame(self.now, from, frame)
                    .expect("a frame of this cluster for a live node");
            }
            outbox.len = 0;
        }
        receivers
    }

    /// Whether the node at `at` leads and everyone has all its entries.
    fn has_only_news_of_commit(&self, at: usize) -> bool {
        let raft = &self.nodes[at].raft;
        let last = Some(raft.last().index);
        let mut members = 1..=self.nodes.len() as u64;
        raft.is_leader() && members.all(|id| raft.matched(NodeId::new(id)) == last)
    }

    /// Gives turns, beginning with the node at `at`, until nothing is on its way.
    fn settle(&mut self, at: usize) {
        self.turn(at);
        loop {
            let mut receivers = self.deliver();
            if receivers == 0 {
                return;
            }
            while receivers != 0 {
                self.turn(receivers.trailing_zeros() as usize);
                receivers &= receivers - 1;
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

//! A small group of machines on a link graph: fixed delays, instant disks, no loss but by the
//! graph. Lean on purpose, because millions of runs start from a copy of the same settled group.

use std::collections::VecDeque;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Body, Change, Committed, Config, EntryId, Identity, Ready, Role, wire};

use crate::topology::graph::{Graph, NODES_MAX};
use crate::topology::sabotage::Fault;
use crate::world::chain::hash_bytes;

/// The longest election timeout: what patience is measured in.
pub const ELECTION_TIMEOUT: Duration = Duration::from_millis(200);
const ELECTION_TIMEOUT_MIN: Duration = Duration::from_millis(100);
const HEARTBEAT: Duration = Duration::from_millis(50);
const DELAY: Duration = Duration::from_millis(1);
/// Nobody compacts: the window holds every entry of a run.
const WINDOW_BYTES: usize = 8192;
const FRAME_BYTES: usize = 256;

type Machine = raft_core::Raft<[u8; WINDOW_BYTES], NODES_MAX>;

#[derive(Clone, Debug)]
struct Frame {
    at: Instant,
    from: usize,
    to: usize,
    len: usize,
    bytes: [u8; FRAME_BYTES],
}

/// What a group has done beyond what its nodes say of themselves.
#[derive(Clone, Debug)]
pub struct Group {
    now: Instant,
    graph: Graph,
    nodes: Vec<Machine>,
    identities: Vec<Identity>,
    /// In the order of arrival, because every delay is the same.
    frames: VecDeque<Frame>,
    fault: Fault,
    commands: u64,
    /// The commands that some node handed over as committed, by index.
    committed: Vec<(u64, u64)>,
    /// What must never happen.
    pub(super) broken: Option<String>,
}

fn name(node: usize) -> NodeId {
    NodeId::new(node as u64 + 1)
}

fn place(node: NodeId) -> usize {
    // Names are small numbers, given above.
    node.value() as usize - 1
}

impl Group {
    /// A settled group on the full graph. Panics if it does not settle: the harness is broken.
    pub fn settled(nodes: usize, seed: u64) -> Self {
        let config = |node: usize| {
            Config::builder(name(node))
                .election_timeout(ELECTION_TIMEOUT_MIN, ELECTION_TIMEOUT)
                .heartbeat_interval(HEARTBEAT)
                .frame_bytes_max(FRAME_BYTES)
                .build()
                .expect("the settings are sound")
        };
        let mut jitter = clocks::Jitter::new(seed);
        let now = Instant::from_micros(1_000_000);
        let memory = [0; WINDOW_BYTES];
        let founder = Machine::found(config(0), memory, jitter.next_u64(), now);
        let founder = founder.expect("the window is large enough");
        let group = founder.group();
        let mut machines = vec![founder];
        for node in 1..nodes {
            let joined = Machine::join(config(node), group, memory, jitter.next_u64(), now);
            machines.push(joined.expect("the window is large enough"));
        }
        let mut group = Group {
            now,
            graph: Graph::full(nodes),
            identities: machines.iter().map(Machine::identity).collect(),
            nodes: machines,
            frames: VecDeque::new(),
            fault: Fault::None,
            commands: 0,
            committed: Vec::new(),
            broken: None,
        };
        for node in 0..nodes {
            group.drain(node);
        }
        group.run(ELECTION_TIMEOUT);
        let others = group.nodes[1..].iter();
        let changes: Vec<_> = others
            .map(|machine| Change::AddVoter(machine.identity()))
            .collect();
        if !changes.is_empty() {
            let grown = group.nodes[0].reconfigure(&changes);
            grown.expect("the founder leads");
            group.drain(0);
        }
        group.run(ELECTION_TIMEOUT.saturating_mul(5));
        assert!(group.is_level(), "a group on whole links settles");
        group
    }

    /// The same group with `leader` in office, settled; `None`: with nobody in office, everybody
    /// having been alone for a while.
    pub fn led_by(&self, leader: Option<usize>) -> Self {
        let mut group = self.clone();
        let count = group.nodes.len();
        group.set_graph(Graph::empty(count));
        group.run(ELECTION_TIMEOUT.saturating_mul(3));
        let Some(leader) = leader else {
            return group;
        };
        // On four nodes and more only the centre of a star can win; on fewer it has to try its luck.
        for _ in 0..64 {
            group.set_graph(Graph::star(count, leader));
            group.run(ELECTION_TIMEOUT.saturating_mul(5));
            if group.leaders().eq([leader]) {
                break;
            }
            group.set_graph(Graph::empty(count));
            group.run(ELECTION_TIMEOUT.saturating_mul(3));
        }
        group.set_graph(Graph::full(count));
        group.run(ELECTION_TIMEOUT.saturating_mul(2));
        assert!(group.leaders().eq([leader]), "every node can be elected");
        assert!(group.is_level(), "a group on whole links settles");
        group
    }

    fn is_level(&self) -> bool {
        let leader = self.nodes.iter().find(|machine| machine.is_established());
        leader.is_some_and(|leader| {
            let same = |machine: &Machine| {
                machine.last() == leader.last() && machine.commit() == leader.last().index
            };
            self.nodes.iter().all(same) && leader.members().count() == self.nodes.len()
        })
    }

    /// From now on the links are these; what is under way on others is lost.
    pub fn set_graph(&mut self, graph: Graph) {
        self.graph = graph;
        self.frames
            .retain(|frame| graph.reaches(frame.from, frame.to));
    }

    /// Breaks the harness on purpose.
    pub fn set_fault(&mut self, fault: Fault) {
        self.fault = fault;
    }

    /// The nodes that believe to lead.
    pub fn leaders(&self) -> impl Iterator<Item = usize> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, machine)| machine.is_leader())
            .map(|(node, _)| node)
    }

    /// The node that leads and has committed in its term, with that term: of the latest term.
    pub fn established(&self) -> Option<(u32, usize)> {
        let all = self.nodes.iter().enumerate();
        all.filter(|(_, machine)| machine.is_established())
            .map(|(node, machine)| (machine.term().value(), node))
            .max()
    }

    /// What a node knows to be committed.
    pub fn commit(&self, node: usize) -> u64 {
        self.nodes[node].commit().value()
    }

    /// The end of a node's log.
    pub fn last(&self, node: usize) -> EntryId {
        self.nodes[node].last()
    }

    /// The latest term of any node.
    pub fn term(&self) -> u32 {
        let terms = self.nodes.iter().map(|machine| machine.term().value());
        terms.max().unwrap_or(0)
    }

    /// The index of the last command that some node handed over as committed.
    pub fn progress(&self) -> u64 {
        self.committed.last().map_or(0, |(index, _)| *index)
    }

    /// Gives a command to everybody who leads and has nothing under way.
    pub fn propose(&mut self) {
        for node in 0..self.nodes.len() {
            let machine = &mut self.nodes[node];
            if !machine.is_leader() || machine.commit() < machine.last().index {
                continue;
            }
            self.commands += 1;
            if machine.propose(&self.commands.to_le_bytes()).is_err() {
                self.fail(node, "has no room for a command: the window is too small");
            }
            self.drain(node);
        }
    }

    /// Lets time pass; returns how many inputs the machines had.
    pub fn run(&mut self, time: Duration) -> u64 {
        let end = self.now.saturating_add(time);
        let mut inputs = 0;
        loop {
            let deadlines = self.nodes.iter().enumerate();
            let wake = deadlines
                .filter_map(|(node, machine)| Some((machine.poll_timeout()?, node)))
                .min();
            let arrival = self.frames.front().map(|frame| frame.at);
            match (arrival, wake) {
                (Some(at), wake) if at <= end && wake.is_none_or(|(due, _)| at <= due) => {
                    self.now = at;
                    self.deliver();
                }
                (_, Some((due, node))) if due <= end => {
                    self.now = self.now.max(due);
                    let _ = self.nodes[node].handle_timeout(self.now);
                    self.drain(node);
                }
                _ => break,
            }
            inputs += 1;
        }
        self.now = end;
        inputs
    }

    fn deliver(&mut self) {
        let Some(frame) = self.frames.pop_front() else {
            return;
        };
        let Ok(message) = wire::decode(&frame.bytes[..frame.len]) else {
            return self.fail(frame.from, "sent a frame that does not decode");
        };
        let Some(message) = self.fault.arriving(message) else {
            return;
        };
        let machine = &mut self.nodes[frame.to];
        let _ = machine.handle_message(self.now, name(frame.from), message);
        self.drain(frame.to);
    }

    fn drain(&mut self, node: usize) {
        let machine = &mut self.nodes[node];
        while let Some(write) = machine.poll_persist() {
            let ticket = write.into_ticket();
            let _ = machine.handle_persisted(self.now, ticket);
        }
        self.transmit(node);
        let machine = &mut self.nodes[node];
        let mut different = None;
        while let Some(committed) = machine.poll_committed() {
            let Committed::Command(entry) = committed else {
                continue;
            };
            let (index, hash) = (entry.id.index.value(), hash_bytes(entry.payload));
            match self.committed.binary_search_by_key(&index, |(at, _)| *at) {
                Ok(at) if self.committed[at].1 == hash => {}
                Err(at) if at == self.committed.len() => self.committed.push((index, hash)),
                Ok(_) | Err(_) => different = Some(index),
            }
        }
        while machine.poll_event().is_some() {}
        let is_faulted = machine.fault().is_some();
        if let Some(index) = different {
            self.fail(node, &format!("commits another command at {index}"));
        }
        if is_faulted {
            self.fail(node, "has stopped");
        }
    }

    fn transmit(&mut self, node: usize) {
        let at = self.now.saturating_add(DELAY);
        while let Some(transmit) = self.nodes[node].poll_transmit(self.now, Ready::All) {
            let to = place(transmit.to);
            let message = transmit.message;
            let is_lost = !self.graph.reaches(node, to);
            if let (Fault::ForgesAcks, Body::Append(append)) = (self.fault, message.body) {
                let forged = Fault::forged_ack(&message, append.round, self.identities[to]);
                self.frames.push_back(frame(at, to, node, &forged));
            }
            if !is_lost {
                self.frames.push_back(frame(at, node, to, &message));
            }
        }
    }

    fn fail(&mut self, node: usize, what: &str) {
        let what = format!("node {} {what}", node + 1);
        self.broken.get_or_insert(what);
    }

    /// What each node is, in words.
    pub fn describe(&self) -> String {
        let one = |machine: &Machine| {
            let role = match machine.role() {
                Role::Follower => "follows",
                Role::PreCandidate => "would stand",
                Role::Candidate => "stands",
                Role::Leader => "leads",
            };
            let (last, commit) = (machine.last(), machine.commit());
            format!(
                "n{} {role} in term {}, log ends with {} of term {}, commit {commit}",
                machine.identity().node,
                machine.term(),
                last.index,
                last.term,
            )
        };
        let all: Vec<_> = self.nodes.iter().map(one).collect();
        all.join("; ")
    }
}

fn frame(at: Instant, from: usize, to: usize, message: &raft_core::Message<'_>) -> Frame {
    let mut bytes = [0; FRAME_BYTES];
    let len = wire::encode(message, &mut bytes).map_or(0, <[u8]>::len);
    Frame {
        at,
        from,
        to,
        len,
        bytes,
    }
}

//! A group of three nodes in one program, with every message through the wire format.
//!
//! Time is a number that this loop moves: when no node has anything to say, it goes to the next moment at which one
//! wants to be woken. There is no flash here, so a write counts as done when it is taken: this shows that the machines
//! fit and work on the processor, not that they survive a power cut.

use clocks::{Duration, Instant};
use heapless::Vec;
use quorum::NodeId;
use raft_core::{Change, Committed, Config, EntryId, GroupId, Raft, Ready, Standing};

/// Members of the group.
pub const NODES: usize = 3;
/// Bytes of the log window of each node.
pub const WINDOW_BYTES: usize = 1024;
/// Bytes that one node takes in RAM, log window included.
pub const NODE_BYTES: usize = size_of::<Node>() + WINDOW_BYTES;

/// As long as a frame of a small radio.
const FRAME_BYTES: usize = 127;
/// Many times what the run takes: reached only if the group makes no progress.
const STEPS_MAX: usize = 10_000;
const TOO_SMALL: &str = "a window is too small";
const COMMAND: &[u8] = b"valve 3 open";

/// The memory of the log windows.
pub type Windows = [[u8; WINDOW_BYTES]; NODES];
/// The members, empty until they are made where they stay: moved around, they would need the stack several times.
pub type Nodes = Vec<Node, NODES>;
type Node = Raft<&'static mut [u8], NODES>;

struct Group {
    nodes: &'static mut Nodes,
    now: Instant,
    /// The node that nobody hears and that hears nobody.
    cut_off: Option<NodeId>,
    /// Where each node found the command among what it applied.
    applied: [Option<EntryId>; NODES],
}

/// Runs the whole story; returns where the command stands in every log.
///
/// # Errors
///
/// What did not happen.
pub fn run(
    nodes: &'static mut Nodes,
    windows: &'static mut Windows,
) -> Result<EntryId, &'static str> {
    make(nodes, windows)?;
    let mut group = Group {
        nodes,
        now: Instant::ZERO,
        cut_off: None,
        applied: [None; NODES],
    };
    let founder = group.nodes[0].identity().node;
    group.drive("the founder was not elected", |group| {
        group.nodes[0].is_established()
    })?;

    let others = [1, 2].map(|index| Change::AddVoter(group.nodes[index].identity()));
    group.nodes[0]
        .reconfigure(&others)
        .map_err(|_| "the others were refused")?;
    group.drive("the others were not let in", |group| {
        group.nodes.iter().all(Group::is_complete)
    })?;

    group.cut_off = Some(founder);
    group.drive("no new leader was elected", |group| {
        group.leader_but(founder).is_some()
    })?;
    group.cut_off = None;

    let leader = group.leader_but(founder).ok_or("the new leader is gone")?;
    let id = leader
        .propose(COMMAND)
        .map_err(|_| "the command was refused")?;
    group.drive("not all applied the command", |group| {
        group.applied == [Some(id); NODES]
    })?;
    Ok(id)
}

/// Makes one founder and two that wait to be let in. Each is made in a call of its own: a node on its way to its place
/// stands on the stack several times, and two kinds of it in one call twice as often.
fn make(nodes: &mut Nodes, windows: &'static mut Windows) -> Result<(), &'static str> {
    for (id, window) in (1..).zip(windows) {
        match nodes.first().map(Node::group) {
            None => found(nodes, id, window)?,
            Some(group) => join(nodes, id, window, group)?,
        }
    }
    Ok(())
}

#[inline(never)]
fn found(nodes: &mut Nodes, id: u64, window: &'static mut [u8]) -> Result<(), &'static str> {
    let made = Raft::found(config(id)?, window, id, Instant::ZERO);
    place(nodes, made.map_err(|_| TOO_SMALL)?)
}

#[inline(never)]
fn join(
    nodes: &mut Nodes,
    id: u64,
    window: &'static mut [u8],
    group: GroupId,
) -> Result<(), &'static str> {
    let made = Raft::join(config(id)?, group, window, id, Instant::ZERO);
    place(nodes, made.map_err(|_| TOO_SMALL)?)
}

#[inline(always)]
fn place(nodes: &mut Nodes, node: Node) -> Result<(), &'static str> {
    nodes.push(node).map_err(|_| "too many nodes")
}

impl Group {
    /// Whether a node knows all members as voters for good.
    fn is_complete(node: &Node) -> bool {
        node.members()
            .filter(|seat| seat.standing == Standing::Voter)
            .count()
            == NODES
    }

    /// The established leader, unless it is this node.
    fn leader_but(&mut self, other: NodeId) -> Option<&mut Node> {
        self.nodes
            .iter_mut()
            .find(|node| node.is_established() && node.identity().node != other)
    }

    /// Lets messages flow and time pass until `done`.
    fn drive(
        &mut self,
        otherwise: &'static str,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), &'static str> {
        for _ in 0..STEPS_MAX {
            if done(self) {
                return Ok(());
            }
            let mut is_quiet = true;
            for index in 0..NODES {
                is_quiet &= !self.serve(index)?;
            }
            if is_quiet {
                self.pass_time()?;
            }
        }
        Err(otherwise)
    }

    /// Does all that one node wants; says whether it wanted anything.
    fn serve(&mut self, index: usize) -> Result<bool, &'static str> {
        let mut wanted = false;
        let node = &mut self.nodes[index];
        if let Some(write) = node.poll_persist() {
            let ticket = write.into_ticket();
            node.handle_persisted(self.now, ticket)
                .map_err(|_| "a ticket was refused")?;
            wanted = true;
        }
        while self.transmit(index)? {
            wanted = true;
        }
        while let Some(committed) = self.nodes[index].poll_committed() {
            if let Committed::Command(entry) = committed
                && entry.payload == COMMAND
            {
                self.applied[index] = Some(entry.id);
            }
            wanted = true;
        }
        while self.nodes[index].poll_event().is_some() {}
        Ok(wanted)
    }

    /// Carries one message of a node to its receiver, through bytes; says whether there was one.
    fn transmit(&mut self, index: usize) -> Result<bool, &'static str> {
        let mut frame = [0; FRAME_BYTES];
        let sender = &mut self.nodes[index];
        let from = sender.identity().node;
        let sent = sender.poll_frame(self.now, Ready::All, &mut frame);
        let Some(sent) = sent.map_err(|_| "a frame was too small")? else {
            return Ok(false);
        };
        let (to, frame) = (sent.to, sent.bytes);
        if self.cut_off == Some(from) || self.cut_off == Some(to) {
            return Ok(true);
        }
        let receiver = self
            .nodes
            .iter_mut()
            .find(|node| node.identity().node == to);
        let receiver = receiver.ok_or("a message went to a stranger")?;
        receiver
            .handle_frame(self.now, from, frame)
            .map_err(|_| "a frame was not understood, or a node is faulted")?;
        Ok(true)
    }

    /// Moves time to the next moment at which a node wants to be woken.
    fn pass_time(&mut self) -> Result<(), &'static str> {
        let wanted = self.nodes.iter().filter_map(Raft::poll_timeout).min();
        self.now = self.now.max(wanted.ok_or("no node wants to be woken")?);
        for node in self.nodes.iter_mut() {
            node.handle_timeout(self.now)
                .map_err(|_| "a node is faulted")?;
        }
        Ok(())
    }
}

fn config(id: u64) -> Result<Config, &'static str> {
    let config = Config::builder(NodeId::new(id))
        .election_timeout(Duration::from_millis(1_000), Duration::from_millis(2_000))
        .heartbeat_interval(Duration::from_millis(250))
        .frame_bytes_max(FRAME_BYTES);
    config
        .build()
        .map_err(|_| "the settings contradict each other")
}

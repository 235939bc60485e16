//! One run on one graph, and what it must show.

use clocks::Duration;

use crate::topology::graph::{Class, Graph, Kind};
use crate::topology::group::{ELECTION_TIMEOUT, Group};
use crate::topology::sabotage::Fault;

/// Election timeouts until a command must be committed, and again how long a leader is watched.
const PATIENCE: u64 = 10;
/// How often the group is looked at and given a command, within an election timeout.
const LOOKS: u64 = 4;

/// How a group does once it had its ten election timeouts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// One leader stays in office, and commands are committed in every election timeout.
    Stable,
    /// Commands are committed, with pauses or under changing leaders.
    Flapping,
    /// Nothing is committed.
    Dead,
}

/// What a run showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// How the group did.
    pub outcome: Outcome,
    /// When the first command was committed after the links were cut, in milliseconds.
    pub first_commit: Option<u64>,
    /// By how much the latest term grew while the group was watched.
    pub terms: u32,
    /// Inputs of machines.
    pub inputs: u64,
    /// What should not be so.
    pub finding: Option<String>,
}

/// The settled groups that every run starts from.
#[derive(Clone, Debug)]
pub struct Starts {
    /// Under each node as leader, and at last with nobody in office.
    groups: Vec<Group>,
}

impl Starts {
    /// The starts of groups of so many nodes.
    pub fn new(nodes: usize, seed: u64, fault: Fault) -> Self {
        let settled = Group::settled(nodes, seed);
        let leaders = (0..nodes).map(Some).chain([None]);
        let mut groups: Vec<_> = leaders.map(|leader| settled.led_by(leader)).collect();
        for group in &mut groups {
            group.set_fault(fault);
        }
        Starts { groups }
    }

    /// Runs the group on `graph` from each start: under each leader, and under none.
    pub fn run_all(&self, graph: Graph) -> Vec<Run> {
        let groups = self.groups.iter();
        groups.map(|group| run(group.clone(), graph)).collect()
    }

    /// Runs the group on `graph` after a while on some other graph, drawn from the number of this
    /// one, which leaves logs and terms uneven.
    fn run_after(&self, graph: Graph) -> Run {
        let mut draw = clocks::Jitter::new(u64::from(graph.number()));
        let nodes = graph.nodes();
        let all = u64::from(Graph::full(nodes).number());
        // Below the number of a graph, and of a start.
        let other = Graph::new(nodes, draw.below(all + 1) as u32);
        let mut group = self.groups[draw.below(nodes as u64) as usize].clone();
        group.set_graph(other);
        for _ in 0..draw.below(PATIENCE * LOOKS) {
            group.propose();
            group.run(Duration::from_micros(ELECTION_TIMEOUT.as_micros() / LOOKS));
        }
        run(group, graph)
    }

    /// The verdict on a class of graphs.
    pub fn judge(&self, class: Class) -> Verdict {
        Verdict {
            class,
            kind: class.graph.kind(),
            runs: self.run_all(class.graph),
            after: self.run_after(class.graph),
        }
    }
}

/// All runs on one graph.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The graph, and how many are the same but for names.
    pub class: Class,
    /// What it promises.
    pub kind: Kind,
    /// Under each node as the first leader, and at last under none.
    pub runs: Vec<Run>,
    /// After some time on another graph: counts for what must hold, not for the summary.
    pub after: Run,
}

/// What a graph did from all its starts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Summary {
    /// Stable from every start.
    Stable,
    /// Live from every start, not always stable.
    Flapping,
    /// Live from some starts.
    Depends,
    /// Live from none.
    Dead,
}

impl Summary {
    /// All of them.
    pub const ALL: [Summary; 4] = [
        Summary::Stable,
        Summary::Flapping,
        Summary::Depends,
        Summary::Dead,
    ];
}

impl Verdict {
    /// All starts together.
    pub fn summary(&self) -> Summary {
        let count = |outcome| {
            let all = self.runs.iter();
            all.filter(|run| run.outcome == outcome).count()
        };
        let (stable, dead) = (count(Outcome::Stable), count(Outcome::Dead));
        match self.runs.len() {
            runs if stable == runs => Summary::Stable,
            runs if dead == runs => Summary::Dead,
            _ if dead > 0 => Summary::Depends,
            _ => Summary::Flapping,
        }
    }

    /// What should not be so, from which start.
    pub fn findings(&self) -> impl Iterator<Item = String> {
        let nodes = self.class.graph.nodes();
        let all = self.runs.iter().chain([&self.after]).enumerate();
        all.filter_map(move |(start, run)| {
            let what = run.finding.as_ref()?;
            let start = match start {
                start if start < nodes => format!("led by node {}", start + 1),
                start if start == nodes => "without a leader".into(),
                _ => "after another graph".into(),
            };
            let graph = self.class.graph;
            let number = graph.number();
            Some(format!(
                "graph {number} on {nodes} nodes ({graph}), {start}: {what}"
            ))
        })
    }
}

/// What was seen while a group was watched for one election timeout.
struct Look {
    leader: Option<(u32, usize)>,
    is_same: bool,
    advanced: bool,
}

fn look_on(group: &mut Group, inputs: &mut u64) -> Look {
    let before = group.progress();
    let leader = group.established();
    let mut is_same = true;
    for _ in 0..LOOKS {
        group.propose();
        *inputs += group.run(Duration::from_micros(ELECTION_TIMEOUT.as_micros() / LOOKS));
        is_same &= group.established() == leader;
    }
    Look {
        leader,
        is_same,
        advanced: group.progress() > before,
    }
}

/// Cuts the links of a group and watches it.
pub fn run(mut group: Group, graph: Graph) -> Run {
    group.set_graph(graph);
    let (mut inputs, mut first_commit, mut finding) = (0, None, None);
    let mut note = |found: Result<(), String>| {
        if let Err(what) = found {
            finding.get_or_insert(what);
        }
    };
    let start = group.progress();
    for turn in 1..=PATIENCE * LOOKS {
        group.propose();
        inputs += group.run(Duration::from_micros(ELECTION_TIMEOUT.as_micros() / LOOKS));
        if group.progress() > start && first_commit.is_none() {
            first_commit = Some(turn * ELECTION_TIMEOUT.as_millis() / LOOKS);
        }
    }
    note(only_centres_lead(&group, graph));
    let (term, middle) = (group.term(), group.progress());
    let leader = group.established();
    let known = leader.map_or(0, |(_, node)| group.commit(node));
    let mut is_stable = leader.is_some();
    for _ in 0..PATIENCE {
        let look = look_on(&mut group, &mut inputs);
        is_stable &= look.leader == leader && look.is_same && look.advanced;
    }
    note(only_centres_lead(&group, graph));
    let outcome = if is_stable {
        Outcome::Stable
    } else if group.progress() > middle {
        Outcome::Flapping
    } else {
        Outcome::Dead
    };
    if let (Outcome::Stable, Some((_, leader))) = (outcome, leader) {
        note(partners_follow(&group, graph, leader, known));
    }
    let terms = group.term() - term;
    note(promise_kept(graph, outcome, first_commit, terms));
    if outcome == Outcome::Dead {
        note(no_centre_could_win(&group, graph));
    }
    note(group.broken.take().map_or(Ok(()), Err));
    let finding = finding.map(|what| format!("{what}; {}", group.describe()));
    Run {
        outcome,
        first_commit,
        terms,
        inputs,
        finding,
    }
}

/// Whoever cannot hear a majority has left office.
fn only_centres_lead(group: &Group, graph: Graph) -> Result<(), String> {
    match group.leaders().find(|leader| !graph.is_centre(*leader)) {
        Some(leader) => Err(format!(
            "node {} leads and does not hear and reach a majority",
            leader + 1
        )),
        None => Ok(()),
    }
}

/// Whoever hears and reaches the leader has what it committed long ago.
fn partners_follow(group: &Group, graph: Graph, leader: usize, known: u64) -> Result<(), String> {
    let partners = graph.partners(leader);
    let behind =
        (0..graph.nodes()).find(|node| partners >> node & 1 == 1 && group.commit(*node) < known);
    match behind {
        Some(node) => Err(format!(
            "node {} does not learn what node {} commits",
            node + 1,
            leader + 1
        )),
        None => Ok(()),
    }
}

/// A group is dead for one reason only: each centre needs the vote of a partner with a newer log.
fn no_centre_could_win(group: &Group, graph: Graph) -> Result<(), String> {
    let could_win = |centre: &usize| {
        let would_vote = |node: &usize| {
            graph.partners(*centre) >> node & 1 == 1
                && group.last(*centre).is_up_to_date_with(group.last(*node))
        };
        (0..graph.nodes()).filter(would_vote).count() >= graph.majority()
    };
    match (0..graph.nodes()).find(could_win) {
        Some(node) => Err(format!(
            "node {} could win an election, and nothing is committed",
            node + 1
        )),
        None => Ok(()),
    }
}

/// What each kind of graph promises.
fn promise_kept(
    graph: Graph,
    outcome: Outcome,
    first_commit: Option<u64>,
    terms: u32,
) -> Result<(), String> {
    match graph.kind() {
        Kind::FullMajority if first_commit.is_none() => {
            Err("a majority is fully connected, and nothing is committed".into())
        }
        Kind::FullMajority if outcome != Outcome::Stable => Err(format!(
            "a majority is fully connected, and the group is {outcome:?}"
        )),
        Kind::FullMajority if terms > 0 => Err(format!(
            "a majority is fully connected under a stable leader, and the term grows by {terms}"
        )),
        // What a leader sent over links of before may still be acknowledged over those of now.
        Kind::NoCentre
            if outcome != Outcome::Dead
                || first_commit.is_some_and(|at| at > 2 * ELECTION_TIMEOUT.as_millis()) =>
        {
            Err("nobody hears and reaches a majority, and something is committed".into())
        }
        Kind::NoCentre if terms > 0 => Err(format!(
            "nobody can win an election, and the term grows by {terms}"
        )),
        Kind::FullMajority | Kind::Centre | Kind::NoCentre => Ok(()),
    }
}

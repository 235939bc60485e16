//! What all graphs did, as a table and in words.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use crate::topology::graph::{Graph, Kind};
use crate::topology::judge::{Outcome, Run, Starts, Summary, Verdict};

/// What was seen on many graphs.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Classes and graphs for each size, kind and summary.
    counts: BTreeMap<(usize, Kind, Summary), (u64, u64)>,
    /// Runs.
    pub runs: u64,
    /// Inputs of machines.
    pub inputs: u64,
    /// Classes that were run.
    pub classes: u64,
    /// Graphs that they stand for.
    pub graphs: u64,
    /// The slowest first commit where one was owed, in milliseconds.
    pub slowest: u64,
    /// The most terms that passed while a group was watched.
    pub terms: u32,
    /// What should not be so.
    pub findings: Vec<String>,
}

/// Findings that are kept in words; more of them say nothing new.
const FINDINGS_KEPT: usize = 20;

impl Table {
    /// Adds what one graph did.
    pub fn add(&mut self, verdict: &Verdict) {
        let (nodes, size) = (verdict.class.graph.nodes(), verdict.class.size);
        let key = (nodes, verdict.kind, verdict.summary());
        let count = self.counts.entry(key).or_default();
        count.0 += 1;
        count.1 += size;
        self.classes += 1;
        self.graphs += size;
        for run in verdict.runs.iter().chain([&verdict.after]) {
            self.runs += 1;
            self.inputs += run.inputs;
            self.terms = self.terms.max(run.terms);
            if verdict.kind == Kind::FullMajority {
                self.slowest = self.slowest.max(run.first_commit.unwrap_or(u64::MAX));
            }
        }
        for finding in verdict.findings() {
            if self.findings.len() < FINDINGS_KEPT {
                self.findings.push(finding);
            }
        }
    }

    /// Classes and graphs of this size, kind and summary.
    pub fn count(&self, nodes: usize, kind: Kind, summary: Summary) -> (u64, u64) {
        let count = self.counts.get(&(nodes, kind, summary));
        count.copied().unwrap_or_default()
    }

    /// A table in Markdown: classes, and in brackets the graphs that they stand for.
    pub fn markdown(&self, nodes: impl Iterator<Item = usize>) -> String {
        let mut text = String::from(
            "| nodes | the graph has | stable | flapping | depends on the start | dead |\n\
             |---|---|---|---|---|---|\n",
        );
        for nodes in nodes {
            for kind in Kind::ALL {
                let name = match kind {
                    Kind::FullMajority => "a fully connected majority",
                    Kind::Centre => "only a centre",
                    Kind::NoCentre => "no centre",
                };
                let _ = write!(text, "| {nodes} | {name} |");
                for summary in Summary::ALL {
                    let (classes, graphs) = self.count(nodes, kind, summary);
                    let _ = match classes {
                        0 => write!(text, " 0 |"),
                        _ => write!(text, " {classes} ({graphs}) |"),
                    };
                }
                text.push('\n');
            }
        }
        text
    }
}

/// A graph that has a name.
pub struct Example {
    /// What it is called.
    pub name: &'static str,
    /// The graph.
    pub graph: Graph,
}

/// Graphs that were seen in the field, or that one would think of.
pub fn examples() -> Vec<Example> {
    let example = |name, graph| Example { name, graph };
    let all_but = |nodes: usize, cut: &[(usize, usize)]| {
        let mut links = Vec::new();
        for from in 0..nodes {
            for to in (0..nodes).filter(|to| *to != from) {
                if !cut.contains(&(from, to)) {
                    links.push((from, to));
                }
            }
        }
        Graph::of(nodes, &links)
    };
    vec![
        example(
            "Cloudflare 2020: of three nodes, 1 and 3 do not hear each other",
            Graph::mutual(3, &[(0, 1), (1, 2)]),
        ),
        example(
            "the same, and only 3 does not hear 1",
            all_but(3, &[(0, 2)]),
        ),
        example(
            "bridge: two pairs that only node 3 connects",
            Graph::mutual(5, &[(0, 1), (3, 4), (2, 0), (2, 1), (2, 3), (2, 4)]),
        ),
        example(
            "the same without links inside the pairs: a star around node 3",
            Graph::star(5, 2),
        ),
        example(
            "ring in both directions",
            Graph::mutual(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]),
        ),
        example(
            "ring in one direction",
            Graph::of(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]),
        ),
        example("chain", Graph::mutual(5, &[(0, 1), (1, 2), (2, 3), (3, 4)])),
        example(
            "node 1 sends and hears nothing, the others are whole",
            all_but(5, &[(1, 0), (2, 0), (3, 0), (4, 0)]),
        ),
        example(
            "node 1 hears and sends nothing, the others are whole",
            all_but(5, &[(0, 1), (0, 2), (0, 3), (0, 4)]),
        ),
        example(
            "one-way leader: node 1 reaches all, hears only node 2; the others hear nobody else",
            Graph::of(5, &[(0, 1), (0, 2), (0, 3), (0, 4), (1, 0)]),
        ),
        example(
            "dead end: only node 3 hears and reaches a majority (2, 3, 4), and 1 reaches 2",
            Graph::mutual(4, &[(1, 2), (2, 3)]).with(Graph::of(4, &[(0, 1)])),
        ),
        example(
            "chained: only node 4 hears and reaches a majority (1, 4, 5), node 1 is heard by all",
            Graph::mutual(5, &[(3, 0), (3, 4)]).with(Graph::of(5, &[(0, 1), (0, 2), (0, 4)])),
        ),
    ]
}

/// The examples with what each of them did.
pub fn examples_markdown(starts: impl Fn(usize) -> Starts) -> String {
    let mut text = String::from(
        "| graph | each node reaches | under each first leader, and under none |\n|---|---|---|\n",
    );
    for example in examples() {
        let graph = example.graph;
        let runs = starts(graph.nodes()).run_all(graph);
        let outcomes: Vec<_> = runs.iter().map(word).collect();
        let _ = writeln!(
            text,
            "| {} | `{graph}` | {} |",
            example.name,
            outcomes.join(", ")
        );
    }
    text
}

fn word(run: &Run) -> &'static str {
    match run.outcome {
        Outcome::Stable => "stable",
        Outcome::Flapping => "flapping",
        Outcome::Dead => "dead",
    }
}

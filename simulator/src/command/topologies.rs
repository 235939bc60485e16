//! Every link graph on three, four and five nodes.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::topology::graph::{Class, NODES_MAX, classes, labelled};
use simulator::topology::judge::Starts;
use simulator::topology::report::{Table, examples_markdown};
use simulator::topology::sabotage::Fault;

/// Options of `topologies`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Groups of this size only, 2 to 5.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=NODES_MAX as u64))]
    nodes: Option<u64>,
    /// Run every graph, not one of each class.
    #[arg(long)]
    labelled: bool,
    /// Run this part of the graphs: `i/n`, i from 0.
    #[arg(long, value_name = "I/N", default_value = "0/1", value_parser = super::shard)]
    shard: (u64, u64),
    /// Run no graph after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Run this graph alone; needs `--nodes`.
    #[arg(long, requires = "nodes")]
    graph: Option<u32>,
    /// From which the election timeouts are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table and the named examples to this file.
    #[arg(long, value_name = "FILE")]
    write: Option<std::path::PathBuf>,
    /// Break the harness on purpose, to see whether the judge notices.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Fault,
}

fn sabotage(name: &str) -> Result<Fault, String> {
    Fault::by_name(name).ok_or_else(|| {
        let names: Vec<_> = Fault::ALL.iter().map(|(name, _)| *name).collect();
        format!("the seeded faults are {}", names.join(", "))
    })
}

/// Runs them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let starts = |nodes| Starts::new(nodes, arguments.seed, arguments.sabotage);
    let sizes = match arguments.nodes {
        Some(nodes) => nodes as usize..=nodes as usize,
        None => 3..=NODES_MAX,
    };
    let mut table = Table::default();
    let (place, count) = arguments.shard;
    for nodes in sizes.clone() {
        let starts = starts(nodes);
        let mine = (0..).zip(graphs(arguments, nodes));
        for (_, class) in mine.filter(|(number, _)| number % count == place) {
            let is_over = |seconds| began.elapsed().as_secs() >= seconds;
            if arguments.seconds.is_some_and(is_over) {
                break;
            }
            table.add(&starts.judge(class));
        }
    }
    let markdown = table.markdown(sizes);
    print!("{markdown}");
    if let Some(path) = &arguments.write {
        let text = document(&markdown, &examples_markdown(starts));
        if let Err(error) = std::fs::write(path, text) {
            println!("FAILED: {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    print!("{}", figures(&table, began));
    for finding in &table.findings {
        println!("FAILED: {finding}");
    }
    if table.findings.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn graphs(arguments: &Arguments, nodes: usize) -> Box<dyn Iterator<Item = Class>> {
    match arguments.graph {
        Some(number) => Box::new(labelled(nodes).filter(move |one| one.graph.number() == number)),
        None if arguments.labelled => Box::new(labelled(nodes)),
        None => Box::new(classes(nodes).into_iter()),
    }
}

fn figures(table: &Table, began: Instant) -> Figures {
    let mut figures = Figures::new("topologies");
    figures.add("classes", table.classes, Merge::Sum);
    figures.add("graphs", table.graphs, Merge::Sum);
    figures.add("runs", table.runs, Merge::Sum);
    figures.add("inputs", table.inputs, Merge::Sum);
    figures.add("slowest-first-commit-millis", table.slowest, Merge::Max);
    figures.add("terms-in-watch", u64::from(table.terms), Merge::Max);
    let elapsed = began.elapsed().as_millis() as u64;
    figures.add("milliseconds", elapsed, Merge::Sum);
    figures.add("findings", table.findings.len() as u64, Merge::Sum);
    figures
}

fn document(table: &str, examples: &str) -> String {
    format!("{}\n{table}\n{}\n{examples}", HEAD, EXAMPLES)
}

const HEAD: &str = "# Topologies

Every directed link graph on three, four and five nodes, as a group sees it whose links break and
stay broken. Written by

```console
$ cargo run --release -p simulator -- topologies --write docs/topologies.md
```

Each graph is one of its class: the others differ only in the names of the nodes. In brackets: how
many graphs the classes stand for. Each is run from a settled group under each node as the first
leader, and from one without a leader; once more, for what must hold, after some time on another graph
that leaves logs and terms uneven. *Centre*: a node that hears and reaches a majority, itself
counted; only a centre can win an election or commit. *Fully connected majority*: one whose members
all hear and reach each other.

- **Stable**: from every start one leader stays in office and commits in every election timeout.
- **Flapping**: from every start commands are committed, with pauses or under changing leaders.
- **Depends on the start**: live from some starts, dead from others.
- **Dead**: nothing is committed once ten election timeouts have passed.

Checked, not only counted: with a fully connected majority the first command is committed within
ten election timeouts and the group is stable, whatever the other nodes send; without a centre
nothing is committed and the term stands still; no node stays in office that is no centre; whoever
hears and reaches a stable leader has what it committed.
";

const EXAMPLES: &str = "With only a centre no promise is possible. The dead end is always the same, and checked in every dead
run: a leader that has just lost its links still reaches some node, which so gets an entry that the
centres lack. That node is no centre and cannot win; the centre needs its vote and cannot get it,
because its log is older. No rule of voting that is safe helps against that, only a link `[Howard20]`.

Some graphs by name, nodes counted from 1:
";

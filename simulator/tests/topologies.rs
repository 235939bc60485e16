//! Every link graph on three and four nodes and a sample on five; and that the judge would notice.

use simulator::topology::graph::{Class, Graph, Kind, classes, labelled};
use simulator::topology::judge::{Outcome, Starts, Summary};
use simulator::topology::report::Table;
use simulator::topology::sabotage::Fault;

fn table(nodes: usize, fault: Fault, graphs: impl Iterator<Item = Class>) -> Table {
    let starts = Starts::new(nodes, 1, fault);
    let mut table = Table::default();
    for class in graphs {
        table.add(&starts.judge(class));
    }
    table
}

#[test]
fn every_graph_on_three_and_four_nodes() {
    for (nodes, seeds) in [(3, 1..=20), (4, 1..=1)] {
        for seed in seeds {
            let starts = Starts::new(nodes, seed, Fault::None);
            let mut table = Table::default();
            for class in labelled(nodes) {
                table.add(&starts.judge(class));
            }
            assert_eq!(table.findings, Vec::<String>::new(), "seed {seed}");
        }
    }
}

#[test]
fn some_graphs_on_five_nodes() {
    let sample = classes(5).into_iter().step_by(16);
    let table = table(5, Fault::None, sample);
    assert_eq!(table.findings, Vec::<String>::new());
    // The sample has graphs of every kind.
    assert!(table.count(5, Kind::FullMajority, Summary::Stable).0 > 0);
    assert!(table.count(5, Kind::Centre, Summary::Stable).0 > 0);
    assert!(table.count(5, Kind::Centre, Summary::Depends).0 > 0);
    assert!(table.count(5, Kind::NoCentre, Summary::Dead).0 > 0);
}

/// The words of what the judge finds when the harness is broken.
fn found(fault: Fault) -> Vec<String> {
    table(4, fault, classes(4).into_iter()).findings
}

fn assert_found(fault: Fault, what: &str) {
    let found = found(fault);
    let hit = found.iter().find(|finding| finding.contains(what));
    assert!(hit.is_some(), "{fault:?} is not noticed: {found:#?}");
}

#[test]
fn a_leader_that_never_gives_way_is_noticed() {
    assert_found(Fault::ForgesAcks, "does not hear and reach a majority");
}

#[test]
fn a_group_that_elects_nobody_is_noticed() {
    assert_found(Fault::LosesPreVotes, "nothing is committed");
}

#[test]
fn a_node_that_raises_terms_without_a_chance_is_noticed() {
    assert_found(Fault::ForgesPreVotes, "the term grows");
}

#[test]
fn a_log_that_the_centre_lacks_is_a_dead_end() {
    // Node 1 has just lost its office and still reaches node 2; the centre is node 3.
    let graph = Graph::mutual(4, &[(1, 2), (2, 3)]).with(Graph::of(4, &[(0, 1)]));
    let runs = Starts::new(4, 1, Fault::None).run_all(graph);
    let outcomes: Vec<_> = runs.iter().map(|run| run.outcome).collect();
    assert_eq!(outcomes[0], Outcome::Dead);
    assert_eq!(outcomes[2], Outcome::Stable);
    assert_eq!(outcomes[4], Outcome::Stable);
}

//! Link graphs on three and four nodes, each of a class, and a spread of those on five.

use super::{Caught, Checker, Hunt, Trial, try_each};
use crate::topology::graph::{Class, NODES_MAX, classes};
use crate::topology::judge::Starts;
use crate::topology::sabotage::Fault;

/// Runs groups on graphs.
pub(super) struct Topologies;

/// The next graph is so many further in the list: prime to the number of classes on five nodes,
/// so that all of them come, and a few of each kind soon.
const STRIDE: usize = 1009;

impl Checker for Topologies {
    fn name(&self) -> &'static str {
        "topologies"
    }

    fn unit(&self) -> &'static str {
        "graphs"
    }

    fn hunt(&self, trial: &Trial) -> Hunt {
        let seed = trial.first_seed();
        let mut starts: Vec<Option<Starts>> = vec![None; NODES_MAX + 1];
        let graphs = (3..=NODES_MAX).flat_map(spread);
        try_each(trial.budget, graphs, |class: Class| {
            let nodes = class.graph.nodes();
            let known = starts.get_mut(nodes)?;
            let starts = known.get_or_insert_with(|| Starts::new(nodes, seed, Fault::None));
            let what = starts.judge(class).findings().next()?;
            Some(Caught {
                by: "link-graph".into(),
                what,
            })
        })
    }
}

fn spread(nodes: usize) -> impl Iterator<Item = Class> {
    let all = classes(nodes);
    (0..all.len()).map(move |step| all[step * STRIDE % all.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_comes() {
        for nodes in 2..=4 {
            let mut numbers: Vec<_> = spread(nodes).map(|class| class.graph.number()).collect();
            numbers.sort_unstable();
            let all: Vec<_> = classes(nodes)
                .iter()
                .map(|class| class.graph.number())
                .collect();
            assert_eq!(numbers, all);
        }
        assert_eq!(
            9608 % STRIDE,
            527,
            "1009 is prime and does not divide 9,608"
        );
    }
}

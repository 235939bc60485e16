//! Directed link graphs on a few nodes, all of them, and which are the same but for names.

use core::fmt;

/// The most nodes of a graph: 20 directed links, 1,048,576 graphs.
pub const NODES_MAX: usize = 5;

/// Which node's messages reach which other: one bit for each ordered pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Graph {
    nodes: usize,
    links: u32,
}

impl Graph {
    /// The graph on `nodes` nodes (1 to [`NODES_MAX`]) that `links` counts: bit
    /// `from * (nodes - 1) + place`, where `place` passes over `from` itself.
    pub const fn new(nodes: usize, links: u32) -> Self {
        Graph { nodes, links }
    }

    /// No link at all.
    pub const fn empty(nodes: usize) -> Self {
        Graph::new(nodes, 0)
    }

    /// Every link.
    pub const fn full(nodes: usize) -> Self {
        Graph::new(nodes, (1 << links(nodes)) - 1)
    }

    /// These links, each from its first node to its second, counted from 0.
    pub fn of(nodes: usize, links: &[(usize, usize)]) -> Self {
        let bits = links.iter().map(|(from, to)| bit(nodes, *from, *to));
        Graph::new(nodes, bits.fold(0, |all, bit| all | bit))
    }

    /// These links in both directions.
    pub fn mutual(nodes: usize, links: &[(usize, usize)]) -> Self {
        let back: Vec<_> = links.iter().map(|(from, to)| (*to, *from)).collect();
        Graph::of(nodes, links).with(Graph::of(nodes, &back))
    }

    /// The links of both.
    #[must_use]
    pub const fn with(self, other: Graph) -> Self {
        Graph::new(self.nodes, self.links | other.links)
    }

    /// `centre` hears and reaches everybody; nobody else does.
    pub fn star(nodes: usize, centre: usize) -> Self {
        let others = (0..nodes).filter(|other| *other != centre);
        Graph::mutual(
            nodes,
            &others.map(|other| (centre, other)).collect::<Vec<_>>(),
        )
    }

    /// How many nodes it has.
    pub const fn nodes(self) -> usize {
        self.nodes
    }

    /// Its number among the graphs on as many nodes.
    pub const fn number(self) -> u32 {
        self.links
    }

    /// Whether messages of `from` reach `to`.
    pub const fn reaches(self, from: usize, to: usize) -> bool {
        from != to && self.links & bit(self.nodes, from, to) != 0
    }

    /// The nodes that `node` both hears and reaches, itself counted, as bits.
    pub fn partners(self, node: usize) -> u32 {
        let mutual = |other: &usize| {
            *other == node || self.reaches(node, *other) && self.reaches(*other, node)
        };
        (0..self.nodes)
            .filter(mutual)
            .fold(0, |all, other| all | 1 << other)
    }

    /// How many nodes are more than half of them.
    pub const fn majority(self) -> usize {
        self.nodes / 2 + 1
    }

    /// Whether `node` hears and reaches a majority, itself counted: only such a node can win an
    /// election, and only such a node can commit.
    pub fn is_centre(self, node: usize) -> bool {
        self.partners(node).count_ones() as usize >= self.majority()
    }

    /// What the graph promises.
    pub fn kind(self) -> Kind {
        let everyone = 1_u32 << self.nodes;
        let is_full = |set: u32| {
            set.count_ones() as usize >= self.majority()
                && (0..self.nodes)
                    .all(|node| set >> node & 1 == 0 || self.partners(node) & set == set)
        };
        if (0..everyone).any(is_full) {
            Kind::FullMajority
        } else if (0..self.nodes).any(|node| self.is_centre(node)) {
            Kind::Centre
        } else {
            Kind::NoCentre
        }
    }

    /// The same graph with other names: node `n` becomes `names[n]`.
    #[must_use]
    fn renamed(self, names: &[usize]) -> Self {
        let mut links = 0;
        for from in 0..self.nodes {
            for to in 0..self.nodes {
                if self.reaches(from, to) {
                    links |= bit(self.nodes, names[from], names[to]);
                }
            }
        }
        Graph::new(self.nodes, links)
    }
}

impl fmt::Display for Graph {
    /// What each node reaches: `1>23 2>13 3>12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for from in 0..self.nodes {
            let space = if from == 0 { "" } else { " " };
            write!(f, "{space}{}>", from + 1)?;
            for to in (0..self.nodes).filter(|to| self.reaches(from, *to)) {
                write!(f, "{}", to + 1)?;
            }
        }
        Ok(())
    }
}

const fn links(nodes: usize) -> usize {
    nodes * (nodes - 1)
}

const fn bit(nodes: usize, from: usize, to: usize) -> u32 {
    let place = if to > from { to - 1 } else { to };
    1 << (from * (nodes - 1) + place)
}

/// What a graph promises about a group that runs on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Some majority is connected among itself in both directions: the group must be live.
    FullMajority,
    /// No such majority, but some node hears and reaches one: it may be live.
    Centre,
    /// No node hears and reaches a majority: it cannot be live.
    NoCentre,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::FullMajority, Kind::Centre, Kind::NoCentre];
}

/// Graphs that are the same but for the names of the nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// The one of them with the lowest number.
    pub graph: Graph,
    /// How many there are.
    pub size: u64,
}

/// Every graph on `nodes` nodes, each a class of its own.
pub fn labelled(nodes: usize) -> impl Iterator<Item = Class> {
    (0..=Graph::full(nodes).number()).map(move |number| Class {
        graph: Graph::new(nodes, number),
        size: 1,
    })
}

/// The classes of graphs on `nodes` nodes: 3, 16, 218 and 9,608 for 2 to 5.
pub fn classes(nodes: usize) -> Vec<Class> {
    let names = permutations(nodes);
    let mut seen = vec![false; 1 << links(nodes)];
    let mut all = Vec::new();
    for Class { graph, .. } in labelled(nodes) {
        if seen[graph.number() as usize] {
            continue;
        }
        let mut size = 0;
        for names in &names {
            let place = &mut seen[graph.renamed(names).number() as usize];
            size += u64::from(!*place);
            *place = true;
        }
        all.push(Class { graph, size });
    }
    all
}

fn permutations(nodes: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..nodes {
        all = all
            .iter()
            .flat_map(|names: &Vec<usize>| {
                let free = (0..nodes).filter(|name| !names.contains(name));
                free.map(|name| [&names[..], &[name]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_as_many_as_the_literature_counts() {
        // The number of digraphs on n unlabelled nodes.
        for (nodes, count) in [(2, 3), (3, 16), (4, 218), (5, 9608)] {
            let classes = classes(nodes);
            assert_eq!(classes.len(), count);
            let graphs: u64 = classes.iter().map(|class| class.size).sum();
            assert_eq!(graphs, 1 << (nodes * (nodes - 1)));
        }
    }

    #[test]
    fn kinds_of_some_graphs() {
        let chain = Graph::mutual(5, &[(0, 1), (1, 2), (2, 3), (3, 4)]);
        assert_eq!(chain.kind(), Kind::Centre);
        assert!(chain.is_centre(2) && !chain.is_centre(0));
        assert_eq!(Graph::mutual(3, &[(0, 1)]).kind(), Kind::FullMajority);
        let one_way = Graph::of(3, &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!(one_way.kind(), Kind::NoCentre);
        assert_eq!(one_way.to_string(), "1>2 2>3 3>1");
        assert_eq!(Graph::full(5).kind(), Kind::FullMajority);
        assert_eq!(Graph::star(4, 3).partners(3), 0b1111);
    }
}

//! Lassos: ways that go round for ever, fairly, while nothing good happens.
//!
//! The states are explored as usual, and the steps between those in which the good thing has not
//! happened yet are kept as a graph. A way that never leaves this graph ends in one of its strongly
//! connected components (found with the algorithm of `[Tarjan72]`). It is a fault if that way can be
//! fair: if each kind of step that must not be put off for ever is taken there, or is impossible
//! somewhere there. A state that is not good and has no step at all is a fault too.

use super::explore::{Caught, End, Limits, Report, explore_with};
use super::space::{Space, Step};
use super::table::Table;

/// A space in which something good is to happen at last.
pub trait Liveness: Space {
    /// Whether this state is one in which the promise counts, and not yet kept.
    fn is_waiting(&self, state: &Self::State) -> bool;

    /// The kind of a step that must not be put off for ever, below 64.
    fn kind(&self, action: Self::Action) -> Option<u8>;

    /// Whether no time passes in this state, so that it puts off nothing.
    fn is_instant(&self, state: &Self::State) -> bool {
        let _ = state;
        false
    }

    /// Whether a bound of the space left out a step from this state: ways through it are cut off,
    /// and nothing is said of them.
    fn is_cut(&self, state: &Self::State) -> bool;
}

/// What is kept of a waiting state.
struct Node {
    /// Where its steps begin in the list of all.
    first: u32,
    /// Kinds of step that are possible.
    possible: u64,
    is_instant: bool,
    is_cut: bool,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    /// Fingerprint of the state after a step, and the kind of the step as a bit.
    steps: Vec<(u64, u64)>,
}

/// How many states wait, and how many fair ways go round for ever or end among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Waiting states.
    pub states: u64,
    /// Components in which one can stay for ever, fairly.
    pub traps: u64,
}

/// Explores a space, then looks for lassos.
pub fn lasso<S: Liveness>(space: &mut S, limits: &Limits) -> (Report, Waiting) {
    let (mut graph, mut numbers) = (Graph::default(), Table::new());
    let mut report = explore_with(space, limits, &mut |space: &S, state, print, steps| {
        if space.is_waiting(state) {
            numbers.insert(print, graph.nodes.len() as u32);
            graph.add(space, state, steps);
        }
    });
    let traps = graph.traps(&numbers);
    if traps > 0 && report.is_closed() {
        report.end = End::Caught(Caught {
            invariant: "liveness",
            depth: report.depth,
            history: Vec::new(),
        });
    }
    let states = graph.nodes.len() as u64;
    (report, Waiting { states, traps })
}

impl Graph {
    fn add<S: Liveness>(
        &mut self,
        space: &S,
        state: &S::State,
        steps: &[Step<S::State, S::Action>],
    ) {
        let first = self.steps.len() as u32;
        let mut possible = 0;
        for step in steps {
            let kind = space.kind(step.action).map_or(0, |kind| 1 << kind);
            possible |= kind;
            self.steps.push((step.print, kind));
        }
        self.nodes.push(Node {
            first,
            possible,
            is_instant: space.is_instant(state),
            is_cut: space.is_cut(state),
        });
    }

    fn steps_of(&self, node: u32) -> &[(u64, u64)] {
        let end = self.nodes.get(node as usize + 1);
        let end = end.map_or(self.steps.len(), |next| next.first as usize);
        &self.steps[self.nodes[node as usize].first as usize..end]
    }

    /// How many strongly connected components one can stay in for ever, fairly.
    fn traps(&self, numbers: &Table) -> u64 {
        let mut walk = Walk {
            order: vec![0; self.nodes.len()],
            lowest: vec![0; self.nodes.len()],
            component: vec![0; self.nodes.len()],
            stack: Vec::new(),
            calls: Vec::new(),
            clock: 0,
        };
        let (mut components, mut traps) = (0, 0);
        for root in 0..self.nodes.len() as u32 {
            if walk.order[root as usize] == 0 {
                walk.enter(root);
            }
            while let Some((node, at)) = walk.calls.pop() {
                if let Some((print, _)) = self.steps_of(node).get(at) {
                    walk.calls.push((node, at + 1));
                    match numbers.get(*print) {
                        Some(to) if walk.order[to as usize] == 0 => walk.enter(to),
                        Some(to) => walk.look(node, to),
                        None => {}
                    }
                } else if let Some(members) = walk.leave(node) {
                    components += 1;
                    for member in &members {
                        walk.component[*member as usize] = components;
                    }
                    traps += u64::from(self.is_trap(&members, &walk.component, numbers));
                }
            }
        }
        traps
    }

    fn is_trap(&self, members: &[u32], component: &[u32], numbers: &Table) -> bool {
        let me = component[members[0] as usize];
        let (mut taken, mut always) = (0, u64::MAX);
        let (mut stays, mut has_way, mut lasts) = (false, false, false);
        for member in members {
            let node = &self.nodes[*member as usize];
            if !node.is_instant {
                (always, lasts) = (always & node.possible, true);
            }
            has_way |= node.is_cut;
            for (print, kind) in self.steps_of(*member) {
                has_way = true;
                let to = numbers.get(*print);
                if to.is_some_and(|to| component[to as usize] == me) {
                    (taken, stays) = (taken | kind, true);
                }
            }
        }
        // Steps for ever in no time at all are no way to live either.
        if stays {
            !lasts || always & !taken == 0
        } else {
            !has_way
        }
    }
}

/// A walk through the graph, depth first.
struct Walk {
    /// When each node was entered; zero is never.
    order: Vec<u32>,
    /// The earliest entered node of its component that is known to be reached from it.
    lowest: Vec<u32>,
    /// The component, once it is known.
    component: Vec<u32>,
    stack: Vec<u32>,
    /// Nodes on the way, and which of their steps is next.
    calls: Vec<(u32, usize)>,
    clock: u32,
}

impl Walk {
    fn enter(&mut self, node: u32) {
        self.clock += 1;
        self.order[node as usize] = self.clock;
        self.lowest[node as usize] = self.clock;
        self.stack.push(node);
        self.calls.push((node, 0));
    }

    /// A step leads to a node that was entered before.
    fn look(&mut self, from: u32, to: u32) {
        if self.component[to as usize] == 0 {
            let lowest = &mut self.lowest[from as usize];
            *lowest = (*lowest).min(self.order[to as usize]);
        }
    }

    /// All steps of a node were looked at: its component, if it was the first of one.
    fn leave(&mut self, node: u32) -> Option<Vec<u32>> {
        let me = node as usize;
        let lowest = self.lowest[me];
        if lowest == self.order[me] {
            let from = self.stack.iter().rposition(|other| *other == node)?;
            return Some(self.stack.split_off(from));
        }
        if let Some((parent, _)) = self.calls.last() {
            let parent = &mut self.lowest[*parent as usize];
            *parent = (*parent).min(lowest);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers with steps between them; the good thing happens at 9.
    struct Numbers {
        steps: Vec<(u64, u64, u8)>,
    }

    impl Space for Numbers {
        type State = u64;
        type Action = u8;

        fn initial(&mut self) -> u64 {
            1
        }

        fn expand(&mut self, state: &u64, steps: &mut Vec<Step<u64, u8>>) {
            let from = self.steps.iter().filter(|(from, _, _)| from == state);
            steps.extend(from.map(|(_, to, kind)| Step {
                action: *kind,
                state: *to,
                print: *to,
                broken: None,
            }));
        }

        fn fingerprint(&self, state: &u64) -> u64 {
            *state
        }

        fn describe(&self, _: &u64, _: u8) -> String {
            String::new()
        }
    }

    impl Liveness for Numbers {
        fn is_waiting(&self, state: &u64) -> bool {
            *state != 9
        }

        fn kind(&self, action: u8) -> Option<u8> {
            Some(action)
        }

        fn is_cut(&self, _: &u64) -> bool {
            false
        }
    }

    fn traps(steps: &[(u64, u64, u8)]) -> u64 {
        let steps = steps.to_vec();
        lasso(&mut Numbers { steps }, &Limits::default()).1.traps
    }

    #[test]
    fn a_ring_without_a_way_out_is_a_trap() {
        assert_eq!(traps(&[(1, 2, 0), (2, 3, 0), (3, 2, 0)]), 1);
    }

    #[test]
    fn a_ring_is_none_where_another_kind_of_step_is_always_possible() {
        assert_eq!(traps(&[(1, 2, 0), (2, 1, 0), (1, 9, 1), (2, 9, 1)]), 0);
    }

    #[test]
    fn a_ring_is_one_where_that_step_is_possible_only_sometimes() {
        assert_eq!(traps(&[(1, 2, 0), (2, 1, 0), (1, 9, 1)]), 1);
    }

    #[test]
    fn a_dead_end_is_a_trap() {
        assert_eq!(traps(&[(1, 2, 0), (1, 9, 1)]), 1);
        assert_eq!(traps(&[(1, 2, 0), (2, 9, 1)]), 0);
    }
}

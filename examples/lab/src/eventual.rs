//! A register service that always answers: every node takes writes and reads alone, and they tell each other later.
//!
//! Writes carry a stamp (a Lamport clock and the node's number, `[Lamport78]`), the largest stamp wins, and nodes
//! send their whole state to each other now and then, so all of them end with the same state. What they said until
//! then may be old, and of two writes that did not know of each other one is gone.

use std::collections::BTreeMap;

use clocks::Duration;
use simulator::world::clock::Moment;
use simulator::world::random::{Random, Stream};

/// How often a node tells another one what it has.
const GOSSIP: Duration = Duration::from_millis(20);

/// What orders writes: the clock, then the node.
type Stamp = (u64, usize);

/// The registers of one node.
#[derive(Clone, Debug, Default)]
struct Replica {
    clock: u64,
    registers: BTreeMap<u64, (Stamp, u64)>,
}

impl Replica {
    fn write(&mut self, node: usize, key: u64, value: u64) {
        self.clock += 1;
        self.registers.insert(key, ((self.clock, node), value));
    }

    fn merge(&mut self, other: &Replica) {
        self.clock = self.clock.max(other.clock);
        for (key, theirs) in &other.registers {
            let ours = self.registers.entry(*key).or_insert(*theirs);
            *ours = (*ours).max(*theirs);
        }
    }
}

/// A group of such nodes.
pub(crate) struct Eventual {
    now: Moment,
    replicas: Vec<Replica>,
    /// States on their way: when they arrive, from where, where.
    letters: Vec<(Moment, usize, usize, Replica)>,
    /// When each node writes its next letter.
    next: Vec<Moment>,
    side: Vec<bool>,
    latency: (Duration, Duration),
    random: Random,
}

impl Eventual {
    pub(crate) fn new(nodes: usize, latency: (Duration, Duration), seed: u64) -> Self {
        let mut random = Random::new(seed, Stream::Network);
        let next =
            (0..nodes).map(|_| Moment::default().plus(random.duration(Duration::ZERO, GOSSIP)));
        let next = next.collect();
        Eventual {
            now: Moment::default(),
            replicas: vec![Replica::default(); nodes],
            letters: Vec::new(),
            next,
            side: vec![false; nodes],
            latency,
            random,
        }
    }

    /// Cuts these nodes off from the others; nobody heals it.
    pub(crate) fn split(&mut self, side: &[usize]) {
        for (node, is_in) in self.side.iter_mut().enumerate() {
            *is_in = side.contains(&node);
        }
    }

    pub(crate) fn write(&mut self, node: usize, key: u64, value: u64) {
        self.replicas[node].write(node, key, value);
    }

    pub(crate) fn read(&self, node: usize, key: u64) -> Option<u64> {
        let found = self.replicas[node].registers.get(&key);
        found.map(|(_, value)| *value)
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        for node in 0..self.replicas.len() {
            if self.next[node] > self.now {
                continue;
            }
            self.next[node] = self.now.plus(GOSSIP);
            let step = 1 + self.random.index(self.replicas.len() - 1);
            let to = (node + step) % self.replicas.len();
            if self.side[node] == self.side[to] {
                let at = self
                    .now
                    .plus(self.random.duration(self.latency.0, self.latency.1));
                self.letters
                    .push((at, node, to, self.replicas[node].clone()));
            }
        }
        let now = self.now;
        let (arrived, coming) = std::mem::take(&mut self.letters)
            .into_iter()
            .partition(|letter| letter.0 <= now);
        self.letters = coming;
        let arrived: Vec<(Moment, usize, usize, Replica)> = arrived;
        for (_, from, to, state) in arrived {
            if self.side[from] == self.side[to] {
                self.replicas[to].merge(&state);
            }
        }
    }

    /// Whether all nodes say the same.
    pub(crate) fn is_level(&self) -> bool {
        let registers = |replica: &Replica| replica.registers.clone();
        self.replicas
            .windows(2)
            .all(|pair| registers(&pair[0]) == registers(&pair[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(2));

    fn settle(group: &mut Eventual) {
        for _ in 0..1000 {
            group.advance(Duration::from_millis(1));
        }
    }

    #[test]
    fn everybody_ends_with_the_same_and_the_later_write_wins() {
        let mut group = Eventual::new(3, LATENCY, 1);
        group.write(0, 7, 100);
        settle(&mut group);
        assert_eq!(group.read(2, 7), Some(100));
        group.write(2, 7, 200);
        settle(&mut group);
        assert!(group.is_level());
        assert_eq!(group.read(0, 7), Some(200));
    }

    #[test]
    fn of_two_writes_on_two_sides_one_is_lost() {
        let mut group = Eventual::new(3, LATENCY, 1);
        group.split(&[0]);
        group.write(0, 7, 100);
        group.write(1, 7, 200);
        settle(&mut group);
        assert_eq!((group.read(0, 7), group.read(2, 7)), (Some(100), Some(200)));
        group.split(&[]);
        settle(&mut group);
        assert!(group.is_level());
        assert_eq!(group.read(0, 7), Some(200));
    }
}

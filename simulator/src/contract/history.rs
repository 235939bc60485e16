//! The histories in which a node is crashed: written by hand for what matters, and drawn.

use core::fmt;

use crate::world::random::{Random, Stream};

/// Who does something: 0 is the node under test, the others are its honest peers.
pub(super) type Who = usize;

/// How many nodes the tester's group has.
pub(super) const NODES: usize = 3;

/// One step of a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Only this node looks at its clock until it leads.
    Lead(Who),
    /// Whoever believes to lead of these gets a command of so many bytes.
    Propose(Who, usize),
    /// This node is cut off.
    Cut(Who),
    /// Everybody reaches everybody.
    Heal,
    /// So many milliseconds pass.
    Wait(u64),
    /// This node compacts its log.
    Compact(Who),
}

use Step::{Compact, Cut, Heal, Lead, Propose, Wait};

/// A history: written by hand, or drawn from a seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    /// The one with this number, below [`History::SCRIPTS`].
    Script(usize),
    /// The one that this seed draws.
    Seed(u64),
}

const SCRIPTS: [(&str, bool, &[Step]); 8] = [
    (
        "two elections: the vote goes to one, then to the other",
        false,
        &[
            Lead(1),
            Wait(60),
            Cut(1),
            Lead(2),
            Heal,
            Wait(60),
            Cut(2),
            Lead(1),
            Heal,
            Wait(60),
        ],
    ),
    (
        "the node follows and acknowledges",
        false,
        &[
            Lead(1),
            Propose(1, 8),
            Wait(30),
            Propose(1, 100),
            Propose(1, 0),
            Wait(30),
            Cut(2),
            Propose(1, 20),
            Wait(40),
            Heal,
            Wait(60),
        ],
    ),
    (
        "the node leads alone, and its entries are overwritten",
        false,
        &[
            Lead(0),
            Propose(0, 8),
            Wait(40),
            Cut(0),
            Propose(0, 9),
            Propose(0, 10),
            Propose(0, 11),
            Wait(5),
            Lead(1),
            Propose(1, 12),
            Wait(30),
            Heal,
            Wait(100),
            Propose(1, 13),
            Wait(60),
        ],
    ),
    (
        "entries of a leader that is gone are overwritten by one who has fewer",
        false,
        &[
            Lead(0),
            Propose(0, 8),
            Wait(40),
            Cut(0),
            Propose(0, 9),
            Propose(0, 10),
            Propose(0, 30),
            Propose(0, 30),
            Wait(5),
            Lead(2),
            Heal,
            Wait(150),
        ],
    ),
    (
        "the node compacts its log",
        false,
        &[
            Lead(1),
            Propose(1, 30),
            Wait(30),
            Compact(0),
            Wait(20),
            Propose(1, 31),
            Wait(30),
            Compact(0),
            Propose(1, 32),
            Wait(60),
        ],
    ),
    (
        "the node is far behind and takes over a snapshot",
        false,
        &[
            Lead(1),
            Propose(1, 20),
            Wait(40),
            Cut(0),
            Propose(1, 60),
            Propose(1, 61),
            Wait(30),
            Compact(1),
            Compact(2),
            Propose(1, 10),
            Wait(30),
            Heal,
            Wait(150),
            Propose(1, 11),
            Wait(60),
        ],
    ),
    (
        "the node leads, compacts, and hands its snapshot on",
        false,
        &[
            Lead(0),
            Propose(0, 20),
            Wait(40),
            Cut(2),
            Propose(0, 50),
            Propose(0, 51),
            Wait(30),
            Compact(0),
            Propose(0, 12),
            Wait(30),
            Heal,
            Wait(200),
            Lead(2),
            Propose(2, 5),
            Wait(60),
        ],
    ),
    (
        "the node founds the group and leads",
        true,
        &[
            Propose(0, 8),
            Wait(30),
            Propose(0, 40),
            Propose(0, 5),
            Wait(60),
        ],
    ),
];

impl History {
    /// How many are written by hand.
    pub const SCRIPTS: usize = SCRIPTS.len();

    /// Whether the node under test founds the group; otherwise it is let in.
    pub(super) fn is_founder(self) -> bool {
        match self {
            History::Script(number) => SCRIPTS[number % SCRIPTS.len()].1,
            History::Seed(seed) => seed.is_multiple_of(4),
        }
    }

    /// Its steps.
    pub(super) fn steps(self) -> Vec<Step> {
        let seed = match self {
            History::Script(number) => return SCRIPTS[number % SCRIPTS.len()].2.to_vec(),
            History::Seed(seed) => seed,
        };
        let random = &mut Random::new(seed, Stream::Workload);
        let mut steps = vec![Lead(random.index(NODES))];
        for _ in 0..random.between(6, 18) {
            let who = random.index(NODES);
            steps.push(match random.below(12) {
                0..=3 => Propose(who, random.index(120)),
                4..=6 => Wait(random.between(1, 80)),
                7 => Cut(who),
                8 => Heal,
                9 => Lead(who),
                _ => Compact(who),
            });
        }
        steps.extend([Heal, Wait(100)]);
        steps
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            History::Script(number) => {
                write!(f, "script {number}: {}", SCRIPTS[*number % SCRIPTS.len()].0)
            }
            History::Seed(seed) => write!(f, "history of seed {seed}"),
        }
    }
}

//! Search that follows what is new.
//!
//! Uniform chance spends nearly all its time in states that it knows. Here a world that reaches a
//! situation nobody has seen is copied, and half of the runs start from such copies, with fresh
//! chance: rare chains are found one link at a time (splitting). What counts as a situation is a
//! few bits for each host, see [`abstraction`]; a copy of a world is one copy of plain data.
//!
//! A run is named by its path: the seed of its world, then for each fork after how many steps
//! which seed went on. So every finding replays, as with a plain seed.

pub mod abstraction;

use core::fmt;
use core::str::FromStr;

use crate::oracle::Violation;
use crate::world::random::{Random, Stream};
use crate::world::stats::{Count, Stats};
use crate::world::{Options, Progress, World};

use abstraction::{Novelty, situation};

/// Copies that are kept.
const POOL: usize = 48;

/// A run makes at most one copy in so many steps.
const COPY_EVERY: u64 = 200;

/// A run that started from a copy ends when so many steps brought nothing new.
const STALE: u64 = 150;

/// Forks on a path; a longer one begins anew.
const FORKS_MAX: usize = 24;

/// How a world came to be.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Path {
    /// The seed of the world.
    pub seed: u64,
    /// After how many steps which seed went on.
    pub forks: Vec<(u64, u64)>,
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for (steps, seed) in &self.forks {
            write!(f, ",{steps}:{seed}")?;
        }
        Ok(())
    }
}

/// A path is a seed, then `steps:seed` for each fork, apart by commas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoPath;

impl fmt::Display for NoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path is SEED, then STEPS:SEED for each fork, apart by commas")
    }
}

impl core::error::Error for NoPath {}

impl FromStr for Path {
    type Err = NoPath;

    fn from_str(text: &str) -> Result<Self, NoPath> {
        let number = |text: &str| text.parse().map_err(|_| NoPath);
        let mut parts = text.split(',');
        let seed = number(parts.next().unwrap_or_default())?;
        let forks = parts.map(|part| {
            let (steps, seed) = part.split_once(':').ok_or(NoPath)?;
            Ok((number(steps)?, number(seed)?))
        });
        Ok(Path {
            seed,
            forks: forks.collect::<Result<_, _>>()?,
        })
    }
}

/// A world that was kept, and how to make it again.
struct Copied {
    world: World,
    path: Path,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// What was counted.
    pub stats: Stats,
    /// Runs.
    pub runs: u64,
    /// Situations seen, and pairs of one and the next.
    pub novelty: (u64, u64),
    /// What went wrong, and on which path.
    pub finding: Option<(Path, Violation)>,
}

/// A search.
pub struct Explorer {
    options: Options,
    /// Whether it forks; without, it is the uniform search that one compares with.
    forks: bool,
    random: Random,
    next_seed: u64,
    world: World,
    novelty: Novelty,
    pool: Vec<Copied>,
    /// The copy that gives way next.
    oldest: usize,
    explored: Explored,
}

impl Explorer {
    /// A search that has seen nothing; worlds take their seeds from `first` on.
    pub fn new(first: u64, options: Options, forks: bool) -> Self {
        Explorer {
            options,
            forks,
            random: Random::new(first, Stream::Swarm),
            next_seed: first,
            world: World::blank(),
            novelty: Novelty::default(),
            pool: Vec::new(),
            oldest: 0,
            explored: Explored::default(),
        }
    }

    /// What was found so far.
    pub fn explored(&self) -> &Explored {
        &self.explored
    }

    /// One more run; says whether all was well.
    pub fn run(&mut self) -> bool {
        let is_fork = self.forks && !self.pool.is_empty() && self.random.chance(500);
        let mut path = if is_fork {
            self.fork()
        } else {
            Path::default()
        };
        let begun = if is_fork {
            Ok(())
        } else {
            path.seed = self.next_seed;
            self.next_seed += 1;
            self.world.reset(path.seed, self.options)
        };
        self.explored.runs += 1;
        let before = self.world.stats().count(Count::Event);
        let ended = begun.and_then(|()| self.go(&mut path, is_fork));
        let events = self.world.stats().count(Count::Event) - if is_fork { before } else { 0 };
        // A copy brings the counters of its past along: only events are counted.
        self.explored.stats.add_many(Count::Event, events);
        self.explored.novelty = self.novelty.seen();
        match ended {
            Ok(()) => true,
            Err(violation) => {
                self.explored.finding = Some((path, violation));
                false
            }
        }
    }

    /// Becomes a copy of some kept world, with other chance.
    fn fork(&mut self) -> Path {
        let place = self.random.index(self.pool.len());
        let copied = &self.pool[place];
        self.world.copy_from(&copied.world);
        let mut path = copied.path.clone();
        let seed = self.random.next_u64() >> 32;
        // The steps since the latest fork stand in the path already.
        if let Some(last) = path.forks.last_mut() {
            last.1 = seed;
        }
        self.world.reseed(seed);
        path
    }

    fn go(&mut self, path: &mut Path, is_fork: bool) -> Result<(), Violation> {
        let (mut steps, mut copied_at, mut new_at) = (0, 0, 0);
        while !is_fork || steps < new_at + STALE {
            if self.world.step()? == Progress::Ends {
                return Ok(());
            }
            steps += 1;
            let is_new = self.novelty.visit(situation(&self.world));
            if is_new {
                new_at = steps;
            }
            let may_copy = self.forks && !self.world.is_over_the_storm();
            if is_new && may_copy && steps >= copied_at + COPY_EVERY && path.forks.len() < FORKS_MAX
            {
                copied_at = steps;
                self.keep(path, steps);
            }
        }
        Ok(())
    }

    /// Keeps a copy of the world, in place of the oldest one.
    fn keep(&mut self, path: &Path, steps: u64) {
        let place = if self.pool.len() < POOL {
            self.pool.push(Copied {
                world: World::blank(),
                path: Path::default(),
            });
            self.pool.len() - 1
        } else {
            self.oldest = (self.oldest + 1) % POOL;
            self.oldest
        };
        let copied = &mut self.pool[place];
        copied.world.copy_from(&self.world);
        copied.path.seed = path.seed;
        copied.path.forks.clear();
        copied.path.forks.extend_from_slice(&path.forks);
        // The seed is drawn when somebody goes on from here.
        copied.path.forks.push((steps, 0));
    }
}

/// Runs a path again: what it ends with.
///
/// # Errors
///
/// What an oracle noticed.
pub fn replay(path: &Path, options: Options) -> Result<(), Violation> {
    let mut world = World::new(path.seed, options)?;
    for (steps, seed) in &path.forks {
        for _ in 0..*steps {
            if world.step()? == Progress::Ends {
                return Ok(());
            }
        }
        world.reseed(*seed);
    }
    world.run_to_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bench, Oracle, Sabotage};

    #[test]
    fn a_path_is_read_as_it_is_written() {
        let path = Path {
            seed: 7,
            forks: vec![(1200, 3), (17, u64::MAX)],
        };
        assert_eq!(path.to_string().parse(), Ok(path));
        for wrong in ["", "x", "1,2", "1,2:x", "1,"] {
            assert_eq!(wrong.parse::<Path>(), Err(NoPath), "{wrong}");
        }
    }

    #[test]
    fn forks_see_more_situations_than_chance_alone() {
        let explore = |forks| {
            let seen = [1, 2, 3, 4].map(|first| {
                let mut explorer = Explorer::new(first * 1000, Options::default(), forks);
                while explorer.explored().stats.count(Count::Event) < 300_000 {
                    assert!(explorer.run(), "{:?}", explorer.explored().finding);
                }
                explorer.explored().novelty.1
            });
            println!("{forks}: {seen:?}");
            seen.iter().sum::<u64>()
        };
        assert!(explore(true) > explore(false));
    }

    #[test]
    fn what_a_fork_finds_is_found_again_on_its_path() {
        let options = Options {
            bench: Bench::only(Oracle::LeaderCompleteness),
            sabotage: Sabotage::ForgetsRecord,
            ..Options::default()
        };
        let is_forked = (1..60).any(|first| {
            let mut explorer = Explorer::new(first * 1000, options, true);
            while explorer.run() {}
            let (path, violation) = explorer.explored().finding.clone().expect("a run failed");
            assert_eq!(replay(&path, options), Err(violation));
            !path.forks.is_empty()
        });
        assert!(is_forked, "no finding was on a fork");
    }
}

//! A world in which nothing happens by chance but delays, and the caller decides what goes wrong: for experiments.
//!
//! It is the world of the histories with every fault switched off: the same hosts, drivers and disks, and all oracles
//! look on. See `examples/lab` for what one can do with it.

use clocks::Duration;
use raft_core::{EntryId, error::ProposeError};

use crate::model::Input;
use crate::oracle::{Bench, Oracle, Violation};
use crate::world::app::App;
use crate::world::clock::Moment;
use crate::world::host::Machine;
use crate::world::queue::Due;
use crate::world::swarm::{HOSTS_MAX, Swarm};
use crate::world::{Options, Progress, World};

/// What kind of group it is.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Nodes, all of them voters: 1 to [`HOSTS_MAX`].
    pub hosts: usize,
    /// Least and greatest delay of a frame, one way.
    pub latency: (Duration, Duration),
    /// Least and greatest time a follower waits for a leader.
    pub election_timeout: (Duration, Duration),
    /// A leader's heartbeat.
    pub heartbeat: Duration,
    /// Least and greatest time of a write to the disk.
    pub write: (Duration, Duration),
}

impl Setting {
    fn swarm(&self) -> Swarm {
        Swarm {
            delay: self.latency,
            calm_delay: self.latency,
            write: self.write,
            heartbeat: self.heartbeat,
            ..Swarm::still(self.election_timeout, self.hosts.clamp(1, HOSTS_MAX))
        }
    }
}

/// A group and its network, driven by hand.
#[derive(Debug)]
pub struct Stage {
    world: World,
    applied: Vec<Vec<EntryId>>,
}

impl Stage {
    /// A group that was founded just now; the seed chooses delays and timeouts.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn new(setting: Setting, seed: u64) -> Result<Self, Violation> {
        let mut world = World::blank();
        // The commands are the caller's: nobody asked the clients of the harness for them.
        let bench = Bench::ALL
            .without(Oracle::ExactlyOnce)
            .without(Oracle::Linearizability);
        let options = Options {
            bench,
            ..Options::default()
        };
        world.reset_as(setting.swarm(), seed, options)?;
        world.applied = Some(Vec::new());
        Ok(Stage {
            world,
            applied: vec![Vec::new(); setting.hosts],
        })
    }

    /// A group of which all nodes are voters and follow one leader.
    ///
    /// # Errors
    ///
    /// What an oracle noticed, that nothing comes of it among others.
    pub fn settled(setting: Setting, seed: u64) -> Result<Self, Violation> {
        let mut stage = Stage::new(setting, seed)?;
        while !stage.is_settled() {
            stage.step()?;
        }
        Ok(stage)
    }

    /// The world of it.
    pub(crate) fn into_world(mut self) -> World {
        self.world.applied = None;
        self.world
    }

    fn is_settled(&self) -> bool {
        let Some(leader) = self.leader() else {
            return false;
        };
        let app = self.app(leader);
        let mut hosts =
            (0..self.world.hosts.len()).map(|host| (self.app(host), self.machine(host)));
        hosts.all(|(state, machine)| {
            state == app
                && machine.is_some_and(|raft| {
                    raft.is_voter()
                        && !raft.is_joint()
                        && raft.members().count() == self.world.hosts.len()
                        && raft.commit() == raft.last().index
                        && raft.leader() == Some(crate::world::host::node(leader))
                })
        })
    }

    /// The true time.
    pub fn now(&self) -> Moment {
        self.world.now()
    }

    /// Lets the next thing happen.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn step(&mut self) -> Result<Progress, Violation> {
        let progress = self.world.step();
        for (host, id) in self
            .world
            .applied
            .iter_mut()
            .flat_map(|applied| applied.drain(..))
        {
            self.applied[host].push(id);
        }
        progress
    }

    /// Lets time pass, and what happens meanwhile happen.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn advance(&mut self, time: Duration) -> Result<(), Violation> {
        let end = self.now().plus(time);
        while self.world.queue.next().is_some_and(|at| at <= end) {
            self.step()?;
        }
        self.world.now = end;
        Ok(())
    }

    /// The leader of the latest term, if there is one.
    pub fn leader(&self) -> Option<usize> {
        self.world.leader()
    }

    /// The machine of a host that is up.
    pub fn machine(&self, host: usize) -> Option<&Machine> {
        self.world.hosts[host].raft.as_ref()
    }

    /// The application of a host.
    pub fn app(&self, host: usize) -> App {
        self.world.hosts[host].app
    }

    /// The commands that a host has applied since the beginning; what came to it in a snapshot is not among them.
    pub fn applied(&self, host: usize) -> &[EntryId] {
        &self.applied[host]
    }

    /// A client hands a command to a host. `None`: the host is down, leads nobody, or has no room.
    ///
    /// # Errors
    ///
    /// What an oracle noticed.
    pub fn propose(&mut self, host: usize, payload: &[u8]) -> Result<Option<EntryId>, Violation> {
        let raft = self.world.hosts[host].raft.as_mut();
        let proposed = raft.map(|raft| raft.propose(payload));
        if let Some(Err(ProposeError::Full)) = proposed {
            self.world.hosts[host].needs_room = true;
        }
        let world = &mut self.world;
        world
            .oracles
            .on_step(host, || Input::Propose, &world.hosts)?;
        world.observe(host)?;
        world.drain(host)?;
        Ok(proposed.and_then(Result::ok))
    }

    /// A host loses its memory and stays down.
    pub fn crash(&mut self, host: usize) {
        self.world.hosts[host].is_frozen = true;
        self.world.crash(host);
    }

    /// A host that is down comes back with what its disk has.
    pub fn restart(&mut self, host: usize) {
        self.world.hosts[host].is_frozen = false;
        self.world.queue.push(self.world.now, Due::Restart(host));
    }

    /// What `from` sends does not reach `to` any more.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.world.network.cut(from, to);
    }

    /// These hosts and the others do not reach each other any more.
    pub fn split(&mut self, side: &[usize]) {
        let hosts = self.world.hosts.len();
        for from in 0..hosts {
            for to in 0..hosts {
                if side.contains(&from) != side.contains(&to) {
                    self.cut(from, to);
                }
            }
        }
    }

    /// Every link works again.
    pub fn heal(&mut self) {
        self.world.network.heal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const SETTING: Setting = Setting {
        hosts: 3,
        latency: (millis(1), millis(2)),
        election_timeout: (millis(150), millis(300)),
        heartbeat: millis(40),
        write: (millis(0), millis(1)),
    };

    #[test]
    fn a_command_is_applied_everywhere() {
        let mut stage = Stage::settled(SETTING, 1).unwrap();
        let leader = stage.leader().unwrap();
        let id = stage.propose(leader, b"command").unwrap().unwrap();
        stage.advance(millis(100)).unwrap();
        for host in 0..3 {
            assert_eq!(stage.applied(host).last(), Some(&id));
        }
    }

    #[test]
    fn a_crashed_host_stays_down_until_it_is_restarted() {
        let mut stage = Stage::settled(SETTING, 2).unwrap();
        let old = stage.leader().unwrap();
        stage.crash(old);
        stage.advance(millis(2000)).unwrap();
        assert!(stage.machine(old).is_none());
        assert!(stage.leader().is_some_and(|new| new != old));
        stage.restart(old);
        stage.advance(millis(500)).unwrap();
        assert!(stage.machine(old).is_some_and(|raft| !raft.is_leader()));
    }

    #[test]
    fn a_minority_commits_nothing() {
        let mut stage = Stage::settled(SETTING, 3).unwrap();
        let old = stage.leader().unwrap();
        let commit = stage.machine(old).unwrap().commit();
        stage.split(&[old]);
        assert!(stage.propose(old, b"lost").unwrap().is_some());
        stage.advance(millis(1000)).unwrap();
        assert_eq!(stage.machine(old).unwrap().commit(), commit);
        assert!(stage.leader().is_some_and(|new| new != old));
        stage.heal();
        stage.advance(millis(1000)).unwrap();
        assert!(stage.machine(old).unwrap().commit() > commit);
    }
}

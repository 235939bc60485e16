//! Records that were stored and are damaged later, and how a group goes on after that.
//!
//! What is guaranteed rests on the driver, which keeps a checksum of each record. A node with a
//! damaged record does not start: it lost something that it promised, and nobody can say what. As
//! long as such nodes are a minority, the others go on and lose nothing. The node is let in again
//! as another one: the leader removes the life that lost something, that is committed, the disk is
//! wiped, the node joins with a new name and is admitted when its first write is stored. If every
//! replica is damaged nobody starts: the group halts, and forgets nothing silently.

use raft_core::{Change, Identity};

use super::{Finding, Room, recover};
use crate::contract::checksum;
use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::disk::{Disk, Remains};
use crate::world::host::node;
use crate::world::queue::Due;
use crate::world::trace::Verbosity;

/// A bit that flips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decay {
    host: usize,
    record: usize,
    bit: usize,
}

/// Steps in which a group must do what it is asked: far more than it needs.
const STEPS_MAX: u64 = 200_000;

impl Room {
    /// Damages each record of each node, and of two nodes where that is a minority.
    pub(super) fn decay_all(&mut self) -> Result<(), Box<Finding>> {
        let count = self.world.swarm.founders;
        let members = self.world.leader().and_then(|leader| {
            let raft = self.world.hosts[leader].raft.as_ref()?;
            Some(raft.members().map(|seat| seat.identity).collect::<Vec<_>>())
        });
        let members = members.unwrap_or_default();
        let is_member = |host: &usize| {
            let name = self.world.hosts[*host].identity;
            name.is_some_and(|name| members.contains(&name))
        };
        let hosts: Vec<usize> = (0..self.world.hosts.len()).filter(is_member).collect();
        for host in &hosts {
            for decay in self.places(*host) {
                self.decay(&[decay])?;
            }
        }
        if count >= 5
            && let [one, other, ..] = hosts[..]
        {
            let pairs = self.places(one).into_iter().zip(self.places(other));
            for (one, other) in pairs {
                self.decay(&[one, other])?;
            }
        }
        self.halt(&hosts)
    }

    /// Three bits of each record on a host.
    fn places(&self, host: usize) -> Vec<Decay> {
        let journal = self.world.hosts[host].disk.journal();
        let records = journal.enumerate().flat_map(|(record, (bytes, _))| {
            let bits = bytes.len() * 8;
            [0, bits / 2, bits.saturating_sub(1)].map(|bit| Decay { host, record, bit })
        });
        records.collect()
    }

    /// Damages nodes and brings the group through it.
    pub(super) fn decay(&mut self, decays: &[Decay]) -> Result<(), Box<Finding>> {
        self.point += 1;
        if self.settings.only.is_some_and(|only| only != self.point) {
            return Ok(());
        }
        self.fork.copy_from(&self.world);
        if self.settings.only.is_some() {
            self.fork.trace.reset(Verbosity::Print);
        }
        let went = self.decay_here(decays);
        self.check(went, || format!("{decays:?}"))
    }

    fn decay_here(&mut self, decays: &[Decay]) -> Result<(), Violation> {
        let (fork, tally) = (&mut self.fork, &mut self.tally);
        for decay in decays {
            tally.decays += 1;
            let host = &mut fork.hosts[decay.host];
            host.cut(fork.now, Remains::default());
            let sums = sums(&host.disk);
            host.disk.flip(decay.record, decay.bit);
            let Err(Damaged { record }) = verify(&host.disk, &sums) else {
                let what = format!("the driver does not see {decay:?}");
                return fork.judge(Oracle::Recovery, Err(what));
            };
            if self.settings.ignores_damage && record + 1 == sums.len() {
                // The seeded fault: taken for a record that was torn.
                host.disk.forget_latest();
            } else {
                host.is_frozen = true;
            }
        }
        fork.is_calm = true;
        fork.network.calm();
        fork.queue.push(fork.now, Due::Propose);
        for decay in decays {
            if fork.hosts[decay.host].is_frozen {
                rejoin(fork, decay.host)?;
                tally.rejoined += 1;
            }
        }
        recover(fork)
    }

    /// Damages every replica: nobody may start.
    fn halt(&mut self, hosts: &[usize]) -> Result<(), Box<Finding>> {
        self.fork.copy_from(&self.world);
        let mut starts = Ok(());
        for host in hosts {
            let now = self.fork.now;
            let host = &mut self.fork.hosts[*host];
            host.cut(now, Remains::default());
            let sums = sums(&host.disk);
            host.disk.flip(0, 3);
            if verify(&host.disk, &sums).is_ok() {
                let what = "a node starts from a damaged disk".to_owned();
                starts = self.fork.judge(Oracle::Recovery, Err(what));
            }
        }
        self.tally.halts += 1;
        self.check(starts, || "all replicas damaged".into())
    }
}

/// What the driver says when a checksum is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Damaged {
    record: usize,
}

/// The checksums that the driver keeps beside the records.
fn sums(disk: &Disk) -> Vec<u64> {
    disk.journal().map(|(bytes, _)| checksum(bytes)).collect()
}

fn verify(disk: &Disk, sums: &[u64]) -> Result<(), Damaged> {
    let records = disk.journal().map(|(bytes, _)| checksum(bytes));
    let mut pairs = records.zip(sums).enumerate();
    let damaged = pairs.find(|(_, (now, then))| now != *then);
    damaged.map_or(Ok(()), |(record, _)| Err(Damaged { record }))
}

/// The documented procedure: remove the old life, wipe, add.
fn rejoin(world: &mut World, number: usize) -> Result<(), Violation> {
    let name = node(number);
    until(world, "remove a damaged node", |world, leader| {
        let is_in = members(world, leader).any(|other| other.node == name);
        is_in.then_some(Change::Remove(name))
    })?;
    let Some(group) = world.leader().and_then(|leader| {
        let raft = world.hosts[leader].raft.as_ref()?;
        Some(raft.group())
    }) else {
        return Ok(());
    };
    world.oracles.on_wipe(number);
    world.hosts[number].wipe();
    world.hosts[number].is_frozen = false;
    let joined = world.hosts[number].join(group, world.now);
    world.came_up(number, joined.map_err(|error| error.to_string()))?;
    until(world, "let a node in that was wiped", |world, leader| {
        let host = &world.hosts[number];
        let name = host.identity?;
        let is_in = members(world, leader).any(|other| other == name);
        (!is_in).then_some(Change::AddVoter(name))
    })
}

fn members(world: &World, leader: usize) -> impl Iterator<Item = Identity> {
    let raft = world.hosts[leader].raft.as_ref();
    let seats = raft.into_iter().flat_map(|raft| raft.members());
    seats.map(|seat| seat.identity)
}

/// Asks whoever leads for a change until it is committed and no more change is wanted.
fn until(
    world: &mut World,
    what: &str,
    wanted: impl Fn(&World, usize) -> Option<Change>,
) -> Result<(), Violation> {
    for _ in 0..STEPS_MAX {
        world.step()?;
        let Some(leader) = world.leader() else {
            continue;
        };
        let Some(raft) = world.hosts[leader].raft.as_ref() else {
            continue;
        };
        let is_settled = raft.is_established()
            && !raft.is_joint()
            && raft.configuration_index() <= raft.commit();
        if !is_settled {
            continue;
        }
        let Some(change) = wanted(world, leader) else {
            return Ok(());
        };
        let is_known = match change {
            Change::AddVoter(name) | Change::AddLearner(name) => {
                let mut hosts = world.hosts.iter();
                hosts.any(|host| host.identity == Some(name) && host.has_past())
            }
            _ => true,
        };
        if is_known {
            // Refused while another change is under way: asked again then.
            world.reconfigure_at(leader, &[change])?;
        }
    }
    world.judge(Oracle::Liveness, Err(format!("the group does not {what}")))
}

/// Lets the last host in as a learner.
pub(super) fn admit_last(world: &mut World, leader: usize) -> Result<(), Violation> {
    let last = world.hosts.len() - 1;
    match world.hosts[last].identity {
        Some(name) if world.hosts[last].has_past() => {
            world.reconfigure_at(leader, &[Change::AddLearner(name)])
        }
        Some(_) | None => Ok(()),
    }
}

/// Gives the last host a vote, and removes a follower, in one step.
pub(super) fn replace(world: &mut World, leader: usize, gone: usize) -> Result<(), Violation> {
    let last = world.hosts.len() - 1;
    let changes = [Change::Promote(node(last)), Change::Remove(node(gone))];
    world.reconfigure_at(leader, &changes)
}

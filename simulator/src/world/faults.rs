//! Faults: what strikes when, and where.

use clocks::Duration;

use crate::oracle::Violation;
use crate::world::World;
use crate::world::decision::{Decision, Left};
use crate::world::host::Host;
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;

#[derive(Clone, Copy)]
enum Fault {
    Crash,
    CrashLeader,
    CrashWriting,
    CrashAll,
    Pause,
    Isolate,
    IsolateLeader,
    Split,
    Bridge,
    OneWay,
    ClockStep,
    DiskStall,
}

/// In the order of [`Weights::all`](crate::world::swarm::Weights::all).
const FAULTS: [Fault; 12] = [
    Fault::Crash,
    Fault::CrashLeader,
    Fault::CrashWriting,
    Fault::CrashAll,
    Fault::Pause,
    Fault::Isolate,
    Fault::IsolateLeader,
    Fault::Split,
    Fault::Bridge,
    Fault::OneWay,
    Fault::ClockStep,
    Fault::DiskStall,
];

impl World {
    /// A fault strikes, and the next one is scheduled.
    pub(crate) fn strike(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        self.stats.add(Count::Event);
        let interval = self.swarm.fault_interval;
        let wait = self
            .fault_random
            .duration(Duration::ZERO, interval.saturating_mul(2));
        self.queue.push(self.now.plus(wait), Due::Fault);
        self.rewind()?;
        let weights = self.swarm.weights.all();
        let mut drawn = self.fault_random.below(weights.iter().sum());
        for (fault, weight) in FAULTS.into_iter().zip(weights) {
            if drawn < weight {
                self.apply_fault(fault);
                return Ok(());
            }
            drawn -= weight;
        }
        Ok(())
    }

    fn apply_fault(&mut self, fault: Fault) {
        match fault {
            Fault::Crash => {
                let host = self.any_host();
                self.crash(host);
            }
            Fault::CrashLeader => {
                if let Some(host) = self.leader() {
                    self.crash(host);
                }
            }
            Fault::CrashWriting => {
                let first = self.any_host();
                let count = self.hosts.len();
                let mut hosts = (0..count).map(|step| (first + step) % count);
                if let Some(host) = hosts.find(|host| self.hosts[*host].disk.is_writing()) {
                    self.crash(host);
                }
            }
            Fault::CrashAll => {
                self.stats.add(Count::CrashAll);
                for host in 0..self.hosts.len() {
                    self.crash(host);
                }
            }
            Fault::Pause => {
                let host = self.any_host();
                self.stats.add(Count::Pause);
                let time = self.fault_time(20, 700);
                self.hosts[host].paused_until = self.now.plus(time);
                self.trace.say(self.now, host, || "PAUSES".into());
            }
            Fault::Isolate => {
                let host = self.any_host();
                self.isolate(host);
            }
            Fault::IsolateLeader => {
                if let Some(host) = self.leader() {
                    self.isolate(host);
                }
            }
            Fault::Split => self.split(None),
            Fault::Bridge => {
                let host = self.any_host();
                self.split(Some(host));
            }
            Fault::OneWay => self.one_way(),
            Fault::ClockStep => self.set_clock(),
            Fault::DiskStall => {
                let host = self.any_host();
                self.stats.add(Count::DiskStall);
                let time = self.fault_time(50, 1500);
                self.hosts[host].disk.stall(self.now, time);
                self.trace.say(self.now, host, || "DISK STALLS".into());
            }
        }
    }

    /// From so many hundredths of the shortest election timeout to so many.
    fn fault_time(&mut self, min: u64, max: u64) -> Duration {
        let (min, max) = (self.swarm.part(min), self.swarm.part(max));
        self.fault_random.duration(min, max)
    }

    fn any_host(&mut self) -> usize {
        self.fault_random.index(self.hosts.len())
    }

    /// Takes a host down; it comes back after a while.
    pub(crate) fn crash(&mut self, number: usize) {
        let host = &self.hosts[number];
        if host.raft.is_none() {
            return;
        }
        let left = host.disk.draw_crash(&self.swarm, &mut self.disk_random);
        self.crash_leaving(number, left);
        let down = self.fault_time(5, 600);
        self.queue.push(self.now.plus(down), Due::Restart(number));
    }

    /// Takes a host down.
    pub(crate) fn crash_leaving(&mut self, number: usize, left: Left) {
        let host = &mut self.hosts[number];
        let Some(raft) = &host.raft else { return };
        self.stats.add(Count::Crash);
        if raft.is_leader() {
            self.stats.add(Count::CrashLeader);
        }
        if host.disk.is_writing() {
            self.stats.add(Count::CrashWriting);
        }
        let now = self.now;
        let decision = || Decision::Crash(number as u8, left);
        self.trace.decide(now, number, decision);
        host.crash(now, left, &mut self.stats);
    }

    fn heal_later(&mut self) {
        let time = self.fault_time(50, 900);
        self.queue.push(self.now.plus(time), Due::Heal);
    }

    fn isolate(&mut self, host: usize) {
        self.stats.add(Count::Isolate);
        self.trace.say(self.now, host, || "IS CUT OFF".into());
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            self.network.cut(host, other);
            self.network.cut(other, host);
        }
        self.heal_later();
    }

    /// Two parts; `bridge` reaches both.
    fn split(&mut self, bridge: Option<usize>) {
        self.stats.add(if bridge.is_some() {
            Count::Bridge
        } else {
            Count::Split
        });
        let sides = self.fault_random.next_u64();
        self.trace.say(self.now, bridge.unwrap_or(0), || {
            format!("SPLIT {sides:07b}", sides = sides & 127)
        });
        for from in 0..self.hosts.len() {
            for to in 0..self.hosts.len() {
                let apart = (sides >> from ^ sides >> to) & 1 == 1;
                if apart && bridge != Some(from) && bridge != Some(to) {
                    self.network.cut(from, to);
                }
            }
        }
        self.heal_later();
    }

    fn one_way(&mut self) {
        self.stats.add(Count::OneWay);
        let host = self.any_host();
        let hears = self.fault_random.chance(500);
        self.trace.say(self.now, host, || {
            if hears {
                "IS NOT HEARD"
            } else {
                "HEARS NOTHING"
            }
            .into()
        });
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            if hears {
                self.network.cut(host, other);
            } else {
                self.network.cut(other, host);
            }
        }
        self.heal_later();
    }

    fn set_clock(&mut self) {
        self.stats.add(Count::ClockStep);
        let host = self.any_host();
        let most = self.swarm.part(300).as_micros();
        let step = self.fault_random.between(0, 2 * most) as i64 - most as i64;
        self.step_clock(host, step);
    }

    /// Sets a clock forward or back by so many microseconds.
    pub(crate) fn step_clock(&mut self, host: usize, step: i64) {
        let decision = || Decision::Clock(host as u8, step);
        self.trace.decide(self.now, host, decision);
        self.hosts[host].clock.step(step);
        self.hosts[host].forget_wake();
        self.arm(host);
    }

    /// A seeded fault: a host goes back to an earlier image of its memory.
    fn rewind(&mut self) -> Result<(), Violation> {
        if self.sabotage != Sabotage::Rewinds {
            return Ok(());
        }
        let fits = |(number, image): &(usize, Box<Host>)| {
            let host = &self.hosts[*number];
            host.raft.is_some() && host.start == image.start
        };
        if self.image.as_ref().is_some_and(fits) {
            return self.take_image_back();
        }
        let number = self.any_host();
        self.keep_image(number);
        Ok(())
    }

    /// Keeps the memory of a host for later.
    pub(crate) fn keep_image(&mut self, number: usize) {
        let decision = || Decision::Image(number as u8);
        self.trace.decide(self.now, number, decision);
        self.image = Some((number, Box::new(self.hosts[number].clone())));
    }

    /// Makes a host go back to the memory that was kept, if it is still the same life of it.
    pub(crate) fn take_image_back(&mut self) -> Result<(), Violation> {
        let Some((number, image)) = self.image.take() else {
            return Ok(());
        };
        let host = &mut self.hosts[number];
        if host.raft.is_none() || host.start != image.start {
            return Ok(());
        }
        self.trace.decide(self.now, number, || Decision::Rewind);
        host.raft.clone_from(&image.raft);
        self.observe(number)
    }
}

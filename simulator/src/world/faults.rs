//! Faults: what strikes when, and where.

mod links;
pub mod phase;

use clocks::Duration;

use crate::model::Input;
use crate::oracle::Violation;
use crate::world::World;
use crate::world::decision::{Decision, Left};
use crate::world::host::Host;
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm;

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
    ClockStop,
    CrashAcker,
    Ring,
    AnyLinks,
    Clog,
    Replay,
    Rot,
    ClockDrift,
}

/// In the order of [`Weights::all`](crate::world::swarm::Weights::all).
const FAULTS: [Fault; swarm::FAULTS] = [
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
    Fault::ClockStop,
    Fault::CrashAcker,
    Fault::Ring,
    Fault::AnyLinks,
    Fault::Clog,
    Fault::Replay,
    Fault::Rot,
    Fault::ClockDrift,
];

impl World {
    /// A fault strikes, and the next one is scheduled.
    #[inline(never)]
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
                self.stats.strike(fault as usize, self.phase());
                return self.apply_fault(fault);
            }
            drawn -= weight;
        }
        Ok(())
    }

    fn apply_fault(&mut self, fault: Fault) -> Result<(), Violation> {
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
            Fault::ClockStop => self.stop_clock(),
            Fault::CrashAcker => {
                if let Some(host) = self.acker {
                    self.stats.add(Count::CrashAcker);
                    self.crash(host);
                }
            }
            Fault::Ring => self.ring(),
            Fault::AnyLinks => self.any_links(),
            Fault::Clog => self.clog(),
            Fault::Replay => {
                let (network, queue) = (&mut self.network, &mut self.queue);
                network.replay(self.now, &self.swarm, queue, &mut self.stats);
            }
            Fault::Rot => return self.rot(),
            Fault::ClockDrift => self.drift(),
        }
        Ok(())
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
        self.oracles.clients.on_crash(number);
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

    fn stop_clock(&mut self) {
        self.stats.add(Count::ClockStop);
        let host = self.any_host();
        self.stop_clock_of(host);
        let time = self.fault_time(50, 700);
        self.queue.push(self.now.plus(time), Due::Relieve(host));
    }

    /// A clock runs at another rate than before, within what all clocks keep to; mostly as fast or
    /// as slow as they may, because two such clocks are what a lease must allow for.
    fn drift(&mut self) {
        self.stats.add(Count::ClockDrift);
        let host = self.any_host();
        let most = self.swarm.clock_rate_ppm;
        let rate = match self.fault_random.below(3) {
            0 => most,
            1 => -most,
            _ => self.fault_random.between(0, 2 * most.unsigned_abs()) as i64 - most,
        };
        self.set_clock_rate(host, rate);
    }

    /// A clock gains so many microseconds in a second from now on.
    pub(crate) fn set_clock_rate(&mut self, host: usize, rate_ppm: i64) {
        let decision = || Decision::Rate(host as u8, rate_ppm);
        self.trace.decide(self.now, host, decision);
        self.hosts[host].clock.set_rate(self.now, rate_ppm);
        self.hosts[host].forget_wake();
        self.arm(host);
    }

    /// A host's clock goes on, and its links work again.
    pub(crate) fn relieve(&mut self, host: usize) {
        self.stats.add(Count::Event);
        if self.is_calm {
            // All that could be mended is.
            return;
        }
        self.network.join(host);
        let catches_up = self.fault_random.chance(500);
        self.start_clock_of(host, catches_up);
    }

    /// A clock stands still.
    pub(crate) fn stop_clock_of(&mut self, host: usize) {
        let decision = || Decision::StopClock(host as u8);
        self.trace.decide(self.now, host, decision);
        self.hosts[host].clock.stop(self.now);
    }

    /// A clock that stood still goes on, from there or as if it had not.
    pub(crate) fn start_clock_of(&mut self, host: usize, catches_up: bool) {
        let decision = || Decision::StartClock(host as u8, catches_up);
        self.trace.decide(self.now, host, decision);
        self.hosts[host].clock.go_on(self.now, catches_up);
        self.hosts[host].forget_wake();
        self.arm(host);
    }

    /// A bit of a stored record flips while its host is down. The others must be able to do
    /// without it, now and after every change to come.
    fn rot(&mut self) -> Result<(), Violation> {
        let number = self.any_host();
        let is_settled = self.leader().is_some_and(|leader| {
            let raft = self.hosts[leader].raft.as_ref();
            raft.is_some_and(|raft| {
                raft.is_established()
                    && !raft.is_joint()
                    && raft.configuration_index() <= raft.commit()
            })
        });
        let is_alone = self.hosts.iter().all(|host| !host.is_frozen);
        if !is_settled || !is_alone || self.hosts[number].raft.is_none() {
            return Ok(());
        }
        self.hosts[number].is_frozen = true;
        let can_do_without = self.live_quorums();
        self.hosts[number].is_frozen = false;
        if !can_do_without {
            return Ok(());
        }
        if self.swarm.witnesses != 0 {
            // What is under way could make a witness know more than anyone who is left, and then
            // nobody can win.
            self.network.lose_all();
        }
        self.crash(number);
        self.rot_host(number)
    }

    /// A bit of a stored record flips on the disk of a host that is down.
    pub(crate) fn rot_host(&mut self, number: usize) -> Result<(), Violation> {
        let decision = || Decision::Rot(number as u8);
        self.trace.decide(self.now, number, decision);
        if !self.hosts[number].disk.rot(&mut self.disk_random) {
            return Ok(());
        }
        self.trace.say(self.now, number, || "A RECORD ROTS".into());
        self.refuse_rotten(number)
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
        self.oracles
            .on_step(number, || Input::Nothing, &self.hosts)?;
        self.observe(number)
    }
}

//! Groups that may be quiet: idle times, and hosts that are told to wake their group when they are over.

use clocks::Duration;
use raft_core::PRIORITY_MAX;

use crate::model::Input;
use crate::oracle::Violation;
use crate::world::World;
use crate::world::decision::Decision;
use crate::world::random::Random;
use crate::world::stats::Count;
use crate::world::swarm::Swarm;

impl Swarm {
    /// Some groups may be quiet, in a few of them not everybody; in some not everybody stands as
    /// soon as the others.
    pub(super) fn with_quiet_and_lags(mut self, random: &mut Random) -> Self {
        if random.chance(300) {
            self.quiet_after = Some(random.duration(self.part(220), self.part(500)));
            // Where something breaks in every timeout nobody comes to rest.
            let rarer = random.pick(&[1, 3, 8]);
            self.fault_interval = self.fault_interval.saturating_mul(rarer);
            if random.chance(200) {
                self.never_quiet = 1 << random.index(self.hosts);
            }
        }
        if random.chance(250) {
            for lag in &mut self.lags {
                *lag = random.index(1 + usize::from(PRIORITY_MAX)) as u8;
            }
        }
        self
    }

    /// How long somebody waits at most before it stands for election.
    pub fn longest_wait(&self) -> Duration {
        let (min, max) = self.election_timeout;
        let lag = self.lags.iter().max().copied().unwrap_or_default();
        max.saturating_add(max.saturating_sub(min).saturating_mul(lag.into()))
    }
}

impl World {
    /// How long nobody wants anything now: where groups may be quiet, long enough now and then.
    pub(crate) fn lull(&mut self) -> Duration {
        let Some(after) = self.swarm.quiet_after else {
            return Duration::ZERO;
        };
        if self.is_calm || !self.work_random.chance(120) {
            return Duration::ZERO;
        }
        self.work_random.duration(after, after.saturating_mul(5))
    }

    /// Somebody who waited in vain tells a host to wake its group.
    pub(crate) fn rouse_somewhere(&mut self) -> Result<(), Violation> {
        if self.swarm.quiet_after.is_none() || !self.work_random.chance(150) {
            return Ok(());
        }
        let number = self.work_random.index(self.hosts.len());
        if self.hosts[number].paused_until <= self.now {
            self.rouse(number)?;
        }
        Ok(())
    }

    /// The storm is over: whoever uses the group looks whether it is there, at every host.
    pub(crate) fn rouse_all(&mut self) -> Result<(), Violation> {
        if self.swarm.quiet_after.is_some() {
            for number in 0..self.hosts.len() {
                self.rouse(number)?;
            }
        }
        Ok(())
    }

    /// A machine fell silent, or woke.
    pub(crate) fn hear_quiet(&mut self, number: usize, is_quiet: bool) {
        let raft = self.hosts[number].raft.as_ref();
        if is_quiet && raft.is_some_and(|raft| raft.is_leader()) {
            self.stats.add(Count::Quiet);
        }
        let words = || if is_quiet { "is quiet" } else { "is awake" }.into();
        self.trace.say(self.now, number, words);
    }

    /// Tells a host to wake its group.
    pub(crate) fn rouse(&mut self, number: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let local = host.tell(self.now);
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        let decision = || Decision::Rouse(number as u8);
        self.trace.decide(self.now, number, decision);
        if raft.is_quiet() {
            self.stats.add(Count::Rouse);
        }
        let _ = raft.wake(local);
        self.oracles
            .on_step(number, || Input::Nothing, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }
}

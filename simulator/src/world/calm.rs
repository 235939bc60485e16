//! The end of a history: the storm is over, and the group must become well; then, in some
//! histories, it falls apart altogether, and must do nothing.

use raft_core::{LogIndex, Standing, Term};

use crate::oracle::{Liveness, NoMajority, Oracle, Recovery, Violation};
use crate::world::World;
use crate::world::decision::{Decision, Illness};
use crate::world::host::{Host, Machine, host_of};
use crate::world::queue::Due;
use crate::world::stats::Count;

impl World {
    /// The storm is over: links work, hosts come back.
    pub(crate) fn calm(&mut self) {
        self.stats.add(Count::Event);
        self.trace.decide(self.now, 0, || Decision::Calm);
        self.is_calm = true;
        self.network.calm();
        self.trace
            .say(self.now, 0, || "---- THE STORM IS OVER ----".into());
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            host.paused_until = self.now;
            if host.raft.is_none() {
                self.queue.push(self.now, Due::Restart(number));
            }
            self.start_clock_of(number, false);
        }
        self.queue
            .push(self.now.plus(self.swarm.part(1)), Due::Look);
    }

    /// Looks whether the group is well, or does nothing where it can do nothing.
    pub(crate) fn look(&mut self) -> Result<(), Violation> {
        let soon = self.swarm.part(10);
        self.queue.push(self.now.plus(soon), Due::Look);
        if let Some(apart) = &mut self.apart {
            let (grace, committed) = (self.swarm.part(300), self.oracles.committed());
            if let Some(found) = apart.look(self.now, grace, &self.hosts, committed) {
                self.judge(Oracle::NoMajority, found)?;
                self.end();
            }
            return Ok(());
        }
        let Some(liveness) = &mut self.liveness else {
            self.liveness = Some(Liveness::new(self.now, self.swarm.longest_wait()));
            self.freeze();
            return self.rouse_all();
        };
        match liveness.look(self.now, &self.hosts) {
            Recovery::Open => {}
            Recovery::Well => {
                for part in crate::oracle::WELL {
                    self.judge(part, Ok(()))?;
                }
                self.fall_apart();
            }
            Recovery::Failed(oracle, what) => {
                self.judge(oracle, Err(what))?;
                self.end();
            }
        }
        Ok(())
    }

    /// Cuts every link, if this history ends so; else it ends now.
    fn fall_apart(&mut self) {
        if !self.swarm.falls_apart || !NoMajority::applies(&self.hosts) {
            return self.end();
        }
        self.stats.add(Count::FallenApart);
        self.trace
            .say(self.now, 0, || "---- EVERY LINK IS CUT ----".into());
        self.network.lose_all();
        for from in 0..self.hosts.len() {
            for to in (0..self.hosts.len()).filter(|to| *to != from) {
                self.network.cut(from, to);
            }
        }
        self.apart = Some(NoMajority::new(self.now, &self.hosts));
    }

    /// Leaves a minority in a bad state: down, cut off, or deaf but not mute.
    fn freeze(&mut self) {
        if !self.swarm.has_frozen_minority {
            return;
        }
        // A configuration that only a frame remembers could need other hosts than these.
        self.network.lose_all();
        let first = self.fault_random.index(self.hosts.len());
        for step in 0..self.hosts.len() {
            let number = (first + step) % self.hosts.len();
            if self.hosts[number].is_frozen {
                continue;
            }
            self.hosts[number].is_frozen = true;
            if !self.live_quorums() {
                self.hosts[number].is_frozen = false;
                continue;
            }
            let illness = match self.fault_random.below(3) {
                0 => Illness::Deaf,
                1 => Illness::Cut,
                _ => Illness::Down,
            };
            self.freeze_host(number, illness);
        }
    }

    /// From now on a host stays unwell.
    pub(crate) fn freeze_host(&mut self, number: usize, illness: Illness) {
        self.stats.add(Count::FrozenMinority);
        let decision = || Decision::Freeze(number as u8, illness);
        self.trace.decide(self.now, number, decision);
        self.hosts[number].is_frozen = true;
        for other in (0..self.hosts.len()).filter(|other| *other != number) {
            self.network.cut(other, number);
            if illness == Illness::Cut {
                self.network.cut(number, other);
            }
        }
        if illness == Illness::Down {
            self.hosts[number].raft = None;
        }
    }

    /// Whether the hosts that are not frozen can be asked to become well: every configuration in
    /// force has its majorities among them, and one of them can win an election.
    ///
    /// The second does not follow from the first. A learner that got entries of the latest leader
    /// refuses its vote to whoever lacks them, and does not stand itself; and somebody may need its
    /// vote, whose log makes it a voter. Where the latest leader does not come back that is the end.
    pub(crate) fn live_quorums(&self) -> bool {
        let mut rafts = self.hosts.iter().filter_map(|host| host.raft.as_ref());
        let is_well = |host: &Host| !host.is_frozen;
        rafts.all(|raft| self.has_majorities(raft, is_well))
            && self.hosts.iter().filter(|host| is_well(host)).any(|host| {
                let raft = host.raft.as_ref();
                let raft = raft.filter(|raft| raft.is_voter() && !raft.is_witness());
                raft.is_some_and(|raft| {
                    let votes = |other: &Host| is_well(other) && end(other) <= end(host);
                    self.has_majorities(raft, votes)
                })
            })
    }

    /// Whether those hosts are majorities of the configuration that is in force in this machine.
    fn has_majorities(&self, raft: &Machine, is_one: impl Fn(&Host) -> bool) -> bool {
        let has_majority = |is_in: fn(Standing) -> bool| {
            let voters = raft.members().filter(|seat| is_in(seat.standing));
            let (mut all, mut ours) = (0, 0);
            for seat in voters {
                let host = host_of(seat.identity.node).and_then(|at| self.hosts.get(at));
                all += 1;
                ours += usize::from(
                    host.is_some_and(|host| host.identity == Some(seat.identity) && is_one(host)),
                );
            }
            all == 0 || ours > all / 2
        };
        has_majority(Standing::is_in_incoming)
            && (!raft.is_joint() || has_majority(Standing::is_in_outgoing))
    }
}

/// Where the log of a host ends: logs are compared by term, then by index.
fn end(host: &Host) -> (Term, LogIndex) {
    let raft = host.raft.as_ref();
    let last = raft.map_or_else(|| host.disk.last(), |raft| raft.last());
    (last.term, last.index)
}

//! What the application wants: commands, other members, and to be well when the storm is over.

use clocks::Duration;
use raft_core::{Change, GroupId, Identity, Standing, error::ProposeError};

use crate::model::Input;
use crate::oracle::Violation;
use crate::world::World;
use crate::world::app::Command;
use crate::world::decision::{Alteration, Decision};
use crate::world::host::host_of;
use crate::world::queue::Due;
use crate::world::sabotage::Sabotage;
use crate::world::stats::Count;
use crate::world::swarm::HOSTS_MAX;

/// As many as there are hosts, at most.
type Few<T> = heapless::Vec<T, HOSTS_MAX>;

impl World {
    /// Every node that believes to lead is given commands.
    #[inline(never)]
    pub(crate) fn propose(&mut self) -> Result<(), Violation> {
        let interval = if self.is_calm {
            self.swarm.part(100)
        } else {
            self.swarm.propose_interval
        };
        let wait = self
            .work_random
            .duration(Duration::ZERO, interval.saturating_mul(2));
        let wait = wait.saturating_add(self.lull());
        self.queue.push(self.now.plus(wait), Due::Propose);
        let most = if self.is_calm { 1 } else { self.swarm.burst };
        let burst = self.work_random.between(1, most);
        let len = self.work_random.between(0, self.swarm.payload_bytes_max);
        // Now and then an operator is impatient.
        if !self.is_calm && self.work_random.chance(8) {
            self.campaign_somewhere()?;
        }
        if !self.is_calm && self.work_random.chance(15) {
            self.transfer_somewhere()?;
        }
        self.rouse_somewhere()?;
        if self.work_random.chance(500) {
            self.read_somewhere()?;
        }
        let mut leaders = 0_u64;
        for (number, host) in self.hosts.iter().enumerate() {
            let is_leader = host.raft.as_ref().is_some_and(|raft| raft.is_leader());
            leaders |= u64::from(is_leader && host.paused_until <= self.now) << number;
        }
        // What one is given makes no other lead.
        while leaders != 0 {
            self.propose_to(leaders.trailing_zeros() as usize, burst, 8 + len as usize)?;
            leaders &= leaders - 1;
        }
        Ok(())
    }

    fn campaign_somewhere(&mut self) -> Result<(), Violation> {
        let number = self.work_random.index(self.hosts.len());
        if self.hosts[number].paused_until <= self.now {
            self.campaign(number)?;
        }
        Ok(())
    }

    /// Tells a host that does not lead to start an election.
    pub(crate) fn campaign(&mut self, number: usize) -> Result<(), Violation> {
        let host = &mut self.hosts[number];
        let local = host.tell(self.now);
        if let Some(raft) = host.raft.as_mut().filter(|raft| !raft.is_leader()) {
            let decision = || Decision::Campaign(number as u8);
            self.trace.decide(self.now, number, decision);
            let _ = raft.campaign(local);
            self.oracles.on_campaign(number);
            self.stats.add(Count::Event);
            self.oracles
                .on_step(number, || Input::Campaign, &self.hosts)?;
            self.observe(number)?;
            self.drain(number)?;
        }
        Ok(())
    }

    /// Gives a host so many commands of so many bytes.
    pub(crate) fn propose_to(
        &mut self,
        number: usize,
        burst: u64,
        len: usize,
    ) -> Result<(), Violation> {
        self.stats.add(Count::Event);
        let decision = || Decision::Propose(number as u8, burst as u32, len as u32);
        self.trace.decide(self.now, number, decision);
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(());
        };
        for _ in 0..burst {
            let (clients, now) = (&mut self.oracles.clients, self.now);
            let asked = clients.ask(now);
            let mut payload = [0xa5; 80];
            payload[..8].copy_from_slice(&asked.to_le_bytes());
            let command = Command::new(asked);
            if self.sabotage == Sabotage::ReadsLocally && command.is_read {
                let (at, value) = (host.app.applied, host.app.registers[command.register]);
                clients.answer(asked, at, false, value, now);
                self.oracles.on_answered(asked)?;
                continue;
            }
            let payload = &payload[..len.min(80)];
            match raft.propose(payload) {
                Ok(id) => {
                    clients.on_proposed(number, asked, id);
                    self.stats.add(Count::Proposed);
                    if self.sabotage == Sabotage::ProposesTwice {
                        let _ = raft.propose(payload);
                    }
                    if self.sabotage == Sabotage::AnswersEarly {
                        clients.answer(asked, id.index, true, asked, now);
                        self.oracles.on_answered(asked)?;
                    }
                    if let Some(liveness) = &mut self.liveness {
                        liveness.on_proposed(now, id);
                    }
                }
                Err(ProposeError::Full) => {
                    clients.on_refused(asked);
                    self.stats.add(Count::ProposalRefused);
                    host.needs_room = true;
                    break;
                }
                Err(error) => {
                    clients.on_refused(asked);
                    if matches!(error, ProposeError::Uncommitted { .. }) {
                        self.stats.add(Count::ProposalHeld);
                    }
                    self.trace.say(now, number, || format!("refused: {error}"));
                    break;
                }
            }
        }
        self.oracles
            .on_step(number, || Input::Propose, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }

    /// The leader is asked to change the membership.
    #[inline(never)]
    pub(crate) fn reconfigure(&mut self) -> Result<(), Violation> {
        if self.is_calm {
            return Ok(());
        }
        let interval = match self.swarm.reconfigure_interval {
            _ if !self.has_grown => self.swarm.part(20),
            Some(interval) => interval,
            None => return Ok(()),
        };
        let wait = self
            .work_random
            .duration(Duration::ZERO, interval.saturating_mul(2));
        self.queue.push(self.now.plus(wait), Due::Reconfigure);
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        if self.hosts[leader].paused_until > self.now {
            return Ok(());
        }
        if self.has_grown && self.swarm.has_wipes && self.work_random.chance(200) {
            self.wipe(leader)?;
        }
        let changes = if self.has_grown {
            self.draw_changes(leader)
        } else {
            self.first_members()
        };
        if changes.is_empty() {
            self.has_grown = true;
            return Ok(());
        }
        self.reconfigure_at(leader, &changes)
    }

    /// Tells a host to change the membership.
    pub(crate) fn reconfigure_at(
        &mut self,
        number: usize,
        changes: &[Change],
    ) -> Result<(), Violation> {
        let Some(raft) = self.hosts[number].raft.as_mut() else {
            return Ok(());
        };
        self.stats.add(Count::Event);
        self.trace.decide(self.now, number, || {
            Decision::Reconfigure(number as u8, changes.iter().map(alteration).collect())
        });
        if raft.reconfigure(changes).is_ok() {
            self.has_grown = true;
            self.note_witnesses(changes);
            self.trace
                .say(self.now, number, || format!("reconfigures: {changes:?}"));
        }
        self.oracles
            .on_step(number, || Input::Reconfigure, &self.hosts)?;
        self.observe(number)?;
        self.drain(number)
    }

    fn first_members(&self) -> Few<Change> {
        let others = self.hosts.iter().take(self.swarm.founders).skip(1);
        let up = others.filter(|host| host.raft.is_some());
        let known = up.filter(|host| host.has_past());
        known
            .filter_map(|host| host.identity.map(|identity| self.swarm.let_in(identity)))
            .collect()
    }

    fn draw_changes(&mut self, leader: usize) -> Few<Change> {
        let Some(raft) = self.hosts[leader].raft.as_ref() else {
            return Few::new();
        };
        let seats: Few<_> = raft.members().collect();
        let is_member = |identity: &Identity| {
            let mut names = seats.iter().map(|seat| seat.identity.node);
            names.any(|name| name == identity.node)
        };
        let with = |standing: Standing| {
            let seats = seats.iter().filter(move |seat| seat.standing == standing);
            seats.map(|seat| seat.identity.node).collect::<Few<_>>()
        };
        let (voters, learners) = (with(Standing::Voter), with(Standing::Learner));
        let rotten = self.hosts.iter().filter(|host| host.is_rotten);
        let mut rotten = rotten.filter_map(|host| host.identity);
        if let Some(lost) = rotten.find(|identity| is_member(identity)) {
            // No other change until a host that can never come back is out.
            let mut changes: Few<_> = core::iter::once(Change::Remove(lost.node)).collect();
            let witness = with(Standing::Witness)
                .into_iter()
                .find(|node| *node != lost.node);
            if let Some(node) = witness.filter(|_| self.work_random.chance(500)) {
                // Without it too many of those who stay might be witnesses.
                changes.extend([Change::Remove(node)]);
            }
            return changes;
        }
        let up = self.hosts.iter().filter(|host| host.raft.is_some());
        // Whoever does not remember its name yet must not be let in under it.
        let known = up.filter(|host| host.has_past());
        let identities = known.filter_map(|host| host.identity);
        let strangers: Few<_> = identities.filter(|identity| !is_member(identity)).collect();
        if self.swarm.witnesses != 0
            && let Some(change) = self.draw_witness(&strangers, &with(Standing::Witness))
        {
            return core::iter::once(change).collect();
        }
        let strangers: Few<_> = strangers
            .into_iter()
            .filter(|identity| !self.swarm.is_witness(identity.node))
            .collect();
        let random = &mut self.work_random;
        let mut changes = Few::new();
        for _ in 0..random.between(1, 2) {
            changes.extend(match random.below(6) {
                0 if !strangers.is_empty() => Some(Change::AddLearner(random.pick(&strangers))),
                1 if !strangers.is_empty() => Some(Change::AddVoter(random.pick(&strangers))),
                2 if !learners.is_empty() => Some(Change::Promote(random.pick(&learners))),
                3 if voters.len() > 2 => Some(Change::Remove(random.pick(&voters))),
                4 if !learners.is_empty() => Some(Change::Remove(random.pick(&learners))),
                5 if voters.len() > 2 => Some(Change::Demote(random.pick(&voters))),
                _ => None,
            });
        }
        if changes.is_empty() && !strangers.is_empty() {
            changes.extend([Change::AddVoter(random.pick(&strangers))]);
        }
        changes
    }

    /// A host that is surely out of the group loses its disk and comes back as another node.
    fn wipe(&mut self, leader: usize) -> Result<(), Violation> {
        let Some(raft) = self.hosts[leader].raft.as_ref() else {
            return Ok(());
        };
        let is_settled = raft.is_established()
            && !raft.is_joint()
            && raft.configuration_index() <= raft.commit();
        let members: Few<_> = raft.members().map(|seat| seat.identity.node).collect();
        let group = raft.group();
        let outside = (0..self.hosts.len()).find(|number| {
            let host = &self.hosts[*number];
            let name = host.identity.map(|identity| identity.node);
            (host.raft.is_some() || host.is_rotten)
                && name.is_some_and(|name| !members.contains(&name))
        });
        let (Some(number), true) = (outside, is_settled) else {
            return Ok(());
        };
        self.wipe_host(number, group)
    }

    /// A host loses its disk and comes back as another node.
    pub(crate) fn wipe_host(&mut self, number: usize, group: GroupId) -> Result<(), Violation> {
        self.stats.add(Count::Wipe);
        let decision = || Decision::Wipe(number as u8);
        self.trace.decide(self.now, number, decision);
        self.oracles.on_wipe(number);
        self.oracles.clients.on_crash(number);
        self.hosts[number].wipe();
        let now = self.now;
        let joined = self.hosts[number].join(group, now);
        self.came_up(number, joined.map_err(|error| error.to_string()))
    }
}

/// A change of the membership, as a choice names it.
fn alteration(change: &Change) -> Alteration {
    let host = |node| host_of(node).unwrap_or_default() as u8;
    match change {
        Change::AddVoter(identity) => Alteration::Voter(host(identity.node)),
        Change::AddLearner(identity) => Alteration::Learner(host(identity.node)),
        Change::AddWitness(identity) => Alteration::Witness(host(identity.node)),
        Change::Promote(node) => Alteration::Promote(host(*node)),
        Change::Demote(node) => Alteration::Demote(host(*node)),
        Change::Remove(node) => Alteration::Remove(host(*node)),
    }
}

//! When the faults are over the group becomes well, and stays so.
//!
//! The network still takes as long as the timeouts just allow and clocks still run apart, but
//! nothing is lost and nobody fails, but for a minority that is left in a bad state. Then within
//! a bound there must be a moment at which, each part with those before it,
//!
//! 1. somebody leads and has committed something ([`Oracle::Liveness`]),
//! 2. its configuration is committed, not joint, and its own ([`Oracle::JointLeft`]),
//! 3. it has committed a command of its term since the storm ([`Oracle::Progress`]),
//! 4. every live member has applied that too ([`Oracle::CatchUp`]),
//!
//! and behind such a moment a stretch of some election timeouts in which the same node leads the
//! same term, whatever the others send ([`Oracle::StableLeader`]), and in which what it takes is
//! applied by all live members within a few round trips ([`Oracle::Progress`] again). It is never
//! asked whether all is well *now*: a moment in the window is enough.

use core::fmt;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{EntryId, LogIndex, Term};

use super::name::Oracle;
use super::words::words;
use crate::world::clock::Moment;
use crate::world::host::{Host, Machine};

/// How long after the storm the group must be well, in its longest election timeouts.
const PATIENCE: u64 = 50;
/// How long it must stay well, in the same; what is taken in the first third is applied in it.
const STRETCH: u64 = 3;
/// Terms since the storm of which is remembered what was proposed first.
const TERMS: usize = 64;

/// The parts of being well, in their order, and who judges each.
pub(super) const PARTS: [Oracle; 4] = [
    Oracle::Liveness,
    Oracle::JointLeft,
    Oracle::Progress,
    Oracle::CatchUp,
];

/// What a group lacks to be well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unwell {
    /// Nobody leads who has committed anything in its term.
    NoLeader,
    /// The leader does not finish its change of members.
    Joint(NodeId),
    /// The leader is out of its own configuration, and does not leave.
    Out(NodeId),
    /// The leader was given no command since the storm.
    NoCommand(NodeId),
    /// The leader does not commit this.
    NoCommit(NodeId, LogIndex),
    /// A member is behind.
    Behind {
        /// Who.
        member: NodeId,
        /// What it has delivered, and its term.
        delivered: EntryId,
        /// Who leads.
        leader: NodeId,
        /// What it should have delivered.
        wanted: LogIndex,
    },
    /// This host led this term when all was well, and does no more.
    Deposed(usize, Term),
}

impl Unwell {
    /// How many parts held.
    const fn part(self) -> usize {
        match self {
            Unwell::NoLeader => 0,
            Unwell::Joint(_) | Unwell::Out(_) => 1,
            Unwell::NoCommand(_) | Unwell::NoCommit(..) => 2,
            Unwell::Behind { .. } => 3,
            Unwell::Deposed(..) => PARTS.len(),
        }
    }
}

/// A stretch in which the group should stay well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stretch {
    since: Moment,
    leader: usize,
    term: Term,
    /// The last command that was taken early in it.
    goal: LogIndex,
}

/// Watches the recovery.
#[derive(Clone, Copy, Debug)]
pub struct Liveness {
    since: Moment,
    timeout: Duration,
    /// The first commands that leaders took since, by term.
    proposed: [EntryId; TERMS],
    /// How many parts held together at some moment.
    held: usize,
    stretch: Option<Stretch>,
    /// A stretch went by with its leader, but not all was applied.
    was_stable: bool,
}

/// What the recovery has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recovery {
    /// It goes on.
    Open,
    /// All is well, and was for long enough.
    Well,
    /// It took too long; what was missing, and who says so.
    Failed(Oracle, String),
}

impl Liveness {
    /// The storm is over now, in a group with this longest election timeout.
    pub fn new(now: Moment, election_timeout_max: Duration) -> Self {
        Liveness {
            since: now,
            timeout: election_timeout_max,
            proposed: [EntryId::ZERO; TERMS],
            held: 0,
            stretch: None,
            was_stable: false,
        }
    }

    /// A leader took a command.
    pub fn on_proposed(&mut self, now: Moment, id: EntryId) {
        let first = &mut self.proposed[id.term.value() as usize % TERMS];
        if first.term != id.term {
            *first = id;
        }
        if let Some(stretch) = &mut self.stretch
            && stretch.term == id.term
            && elapsed(stretch.since, now) <= self.timeout
        {
            stretch.goal = id.index;
        }
    }

    /// Looks how far the group is.
    pub fn look(&mut self, now: Moment, hosts: &[Host]) -> Recovery {
        let lack = match self.stretch {
            None => self.look_for_well(now, hosts),
            Some(stretch) => match self.look_for_stable(now, stretch, hosts) {
                Some(Ok(())) => return Recovery::Well,
                Some(Err(lack)) => {
                    self.stretch = None;
                    Err(lack)
                }
                None => Ok(()),
            },
        };
        let waited = elapsed(self.since, now);
        if waited <= self.timeout.saturating_mul(PATIENCE) {
            return Recovery::Open;
        }
        let waited = waited.as_millis();
        let oracle = match PARTS.get(self.held) {
            Some(part) => *part,
            None if self.was_stable => Oracle::Progress,
            None => Oracle::StableLeader,
        };
        let what = match lack {
            Ok(()) => "no stretch was long enough".into(),
            Err(lack) => lack.to_string(),
        };
        Recovery::Failed(oracle, words!("{waited} ms after the storm: {what}"))
    }

    fn look_for_well(&mut self, now: Moment, hosts: &[Host]) -> Result<(), Unwell> {
        match self.parts(hosts) {
            Ok((leader, term)) => {
                self.held = PARTS.len();
                self.stretch = Some(Stretch {
                    since: now,
                    leader,
                    term,
                    goal: LogIndex::ZERO,
                });
                Ok(())
            }
            Err(lack) => {
                self.held = self.held.max(lack.part());
                Err(lack)
            }
        }
    }

    /// Whether a stretch has ended, well or not.
    fn look_for_stable(
        &mut self,
        now: Moment,
        stretch: Stretch,
        hosts: &[Host],
    ) -> Option<Result<(), Unwell>> {
        let leader = hosts[stretch.leader].raft.as_ref();
        let Some(leader) = leader.filter(|raft| raft.is_leader() && raft.term() == stretch.term)
        else {
            return Some(Err(Unwell::Deposed(stretch.leader, stretch.term)));
        };
        if elapsed(stretch.since, now) < self.timeout.saturating_mul(STRETCH) {
            return None;
        }
        self.was_stable = true;
        match behind(leader, stretch.goal, hosts) {
            None => Some(Ok(())),
            Some(lack) => Some(Err(lack)),
        }
    }

    /// The leader and its term, or the first part that does not hold.
    fn parts(&self, hosts: &[Host]) -> Result<(usize, Term), Unwell> {
        let established = |(number, host): (usize, &Host)| {
            let raft = host.raft.as_ref().filter(|raft| raft.is_established())?;
            Some((raft.term(), number))
        };
        let latest = hosts.iter().enumerate().filter_map(established).max();
        let (term, number) = latest.ok_or(Unwell::NoLeader)?;
        let leader = hosts[number].raft.as_ref().ok_or(Unwell::NoLeader)?;
        let name = leader.identity().node;
        if leader.is_joint() || leader.configuration_index() > leader.commit() {
            return Err(Unwell::Joint(name));
        }
        if !leader.is_voter() {
            return Err(Unwell::Out(name));
        }
        let wanted = self.proposed[term.value() as usize % TERMS];
        if wanted.term != term {
            return Err(Unwell::NoCommand(name));
        }
        if leader.commit() < wanted.index {
            return Err(Unwell::NoCommit(name, wanted.index));
        }
        match behind(leader, wanted.index, hosts) {
            None => Ok((number, term)),
            Some(lack) => Err(lack),
        }
    }
}

fn elapsed(since: Moment, now: Moment) -> Duration {
    Duration::from_micros(now.as_micros() - since.as_micros())
}

/// A live member of the leader's configuration that has not applied this entry.
fn behind(leader: &Machine, wanted: LogIndex, hosts: &[Host]) -> Option<Unwell> {
    leader.members().find_map(|seat| {
        let mut all = hosts.iter();
        let host = all.find(|host| host.identity == Some(seat.identity))?;
        let raft = host.raft.as_ref().filter(|_| !host.is_frozen)?;
        let is_level = raft.delivered() >= wanted && raft.term() == leader.term();
        (!is_level).then(|| Unwell::Behind {
            member: seat.identity.node,
            delivered: EntryId::new(raft.delivered(), raft.term()),
            leader: leader.identity().node,
            wanted,
        })
    })
}

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwell::NoLeader => f.write_str("there is no leader that has committed anything"),
            Unwell::Joint(node) => write!(f, "node {node} does not finish its change of members"),
            Unwell::Out(node) => write!(f, "node {node} leads and is no member any more"),
            Unwell::NoCommand(node) => write!(f, "node {node} leads and takes no command"),
            Unwell::NoCommit(node, index) => write!(f, "node {node} does not commit entry {index}"),
            Unwell::Behind {
                member,
                delivered,
                leader,
                wanted,
            } => write!(
                f,
                "node {member} has delivered {} in term {}, and not entry {wanted} of node {leader}",
                delivered.index, delivered.term
            ),
            Unwell::Deposed(host, term) => {
                write!(
                    f,
                    "host {} led term {term} in peace, and does no more",
                    host + 1
                )
            }
        }
    }
}

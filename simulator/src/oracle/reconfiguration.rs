//! Configurations follow each other one at a time, and all who could be elected overlap,
//! `[Ongaro14 §4.1]`, `[Ongaro14 §4.3]`, `[Ongaro15]`.
//!
//! Looked at whenever the configuration of a host may have changed:
//!
//! - in its log all configurations but the last are committed, by somebody;
//! - in force is the last one of log and snapshot, also after a truncation took one back, and it
//!   means what the same entry means to everybody else;
//! - a leader adds one only once an entry of its own term is committed;
//! - any two hosts that could win an election now ask for quorums that intersect. A host could win
//!   if the logs that are not more up to date than its own are a quorum of its configuration.

use raft_core::{EntryId, LogIndex, Role};

use super::Shadow;
use super::configurations::Configurations;
use super::ledger::Ledger;
use super::view::{Members, View};
use super::words::words;
use crate::world::chain::Chain;
use crate::world::host::Host;
use crate::world::swarm::HOSTS_MAX;

/// The entry that holds the configuration in force, as far as the harness can know.
pub(super) fn in_force(
    host: usize,
    view: &View,
    known: &Configurations,
    ledger: &Ledger,
) -> Option<EntryId> {
    match known.held(host).last() {
        Some(id) => Some(*id),
        None => ledger.configuration_at(view.base.index),
    }
}

/// The host has this configuration in force.
pub(super) fn check_force(
    host: usize,
    view: &View,
    mine: &Members,
    known: &Configurations,
    ledger: &Ledger,
) -> Result<(), String> {
    let held = known.held(host);
    let is_last = match held.last() {
        Some(id) => view.configuration_index == id.index,
        None => view.configuration_index <= view.base.index,
    };
    if !is_last {
        return Err(words!(
            "host {} has the configuration of entry {} in force; in its log the last is {:?}",
            host + 1,
            view.configuration_index,
            held.last()
        ));
    }
    let Some(id) = in_force(host, view, known, ledger) else {
        return Ok(());
    };
    match known.members(id) {
        Some(members) if members != mine => Err(words!(
            "host {} takes the configuration {id:?} for {mine:?}, and it was {members:?} elsewhere",
            host + 1
        )),
        Some(_) | None => Ok(()),
    }
}

/// All configurations of the log but the last are committed.
pub(super) fn check_one(
    host: usize,
    held: &[EntryId],
    log: &Chain,
    ledger: &Ledger,
) -> Result<(), String> {
    let Some((last, before)) = held.split_last() else {
        return Ok(());
    };
    let Some(previous) = before.last() else {
        return Ok(());
    };
    let mine = log.link(previous.index).map(|link| link.hash);
    if ledger.is_forgotten(previous.index)
        || mine.is_some() && mine == ledger.at(previous.index).map(|entry| entry.hash)
    {
        return Ok(());
    }
    Err(words!(
        "host {} holds the configuration {last:?}, and the one before it, {previous:?}, is not \
         committed",
        host + 1
    ))
}

/// A leader has just added the configuration `id` to its log.
pub(super) fn check_added(
    host: usize,
    view: &View,
    id: EntryId,
    log: &Chain,
) -> Result<(), String> {
    let is_own = view.role == Role::Leader && id.term == view.hard.term;
    let is_first = id.index == LogIndex::new(1);
    let committed = log.link(view.commit).map(|link| link.term);
    if !is_own || is_first || committed == Some(id.term) {
        return Ok(());
    }
    Err(words!(
        "host {} adds the configuration {id:?} and has committed nothing in that term yet",
        host + 1
    ))
}

/// Any two hosts that could be elected now have quorums that intersect.
pub(super) fn check_overlap(hosts: &[Host], shadows: &[Shadow]) -> Result<(), String> {
    let mut lasts = [EntryId::ZERO; HOSTS_MAX];
    for (number, host) in hosts.iter().enumerate() {
        lasts[number] = match &host.raft {
            Some(_) => shadows[number].view.last,
            None => host.disk.durable().log.last(),
        };
    }
    let could_win = |number: usize| {
        let members = &shadows[number].members;
        let mut votes = 0_u64;
        for (voter, host) in hosts.iter().enumerate() {
            let is_meant = members.identities[voter].is_some_and(|id| host.identity == Some(id));
            let grants = is_meant && lasts[number].is_up_to_date_with(lasts[voter]);
            votes |= u64::from(grants) << voter;
        }
        hosts[number].raft.is_some() && votes >> number & 1 == 1 && members.has_quorum(votes)
    };
    let mut able = [false; HOSTS_MAX];
    for (number, able) in able.iter_mut().enumerate().take(hosts.len()) {
        *able = could_win(number);
    }
    for one in (0..hosts.len()).filter(|one| able[*one]) {
        for other in (one + 1..hosts.len()).filter(|other| able[*other]) {
            let (mine, theirs) = (&shadows[one].members, &shadows[other].members);
            if mine != theirs && !overlap(mine, theirs, hosts.len()) {
                return Err(words!(
                    "hosts {} and {} could both be elected, by quorums that do not meet: {mine:?} \
                     and {theirs:?}",
                    one + 1,
                    other + 1
                ));
            }
        }
    }
    Ok(())
}

/// Whether every quorum of one configuration meets every quorum of the other: no set and the rest
/// are quorums of both.
fn overlap(one: &Members, other: &Members, hosts: usize) -> bool {
    let mut sets = 0..1_u64 << hosts;
    !sets.any(|set| one.has_quorum(set) && other.has_quorum(!set))
}

#[cfg(test)]
mod tests {
    use raft_core::{HardState, Term};

    use super::*;
    use crate::world::chain::Link;

    fn members(incoming: u64, outgoing: Option<u64>) -> Members {
        Members {
            incoming,
            outgoing,
            ..Members::default()
        }
    }

    fn id(index: u64, term: u32) -> EntryId {
        EntryId::new(LogIndex::new(index), Term::new(term))
    }

    #[test]
    fn a_joint_configuration_overlaps_with_both_and_they_not_with_each_other() {
        let (old, new) = (members(0b00111, None), members(0b11100, None));
        let joint = members(0b11100, Some(0b00111));
        assert!(overlap(&old, &joint, 5) && overlap(&joint, &new, 5));
        assert!(overlap(&joint, &joint, 5));
        assert!(!overlap(
            &members(0b00111, None),
            &members(0b11000, None),
            5
        ));
        // Two voters more at once: three of the five meet no two of the three.
        assert!(!overlap(
            &members(0b11111, None),
            &members(0b00111, None),
            5
        ));
    }

    #[test]
    fn one_change_waits_for_the_other() {
        let mut log = Chain::default();
        let mut ledger = Ledger::default();
        for hash in 1..=5 {
            let term = Term::new(1);
            log.push(Link { term, hash });
        }
        ledger.push_for_test(1, Term::new(1));
        ledger.push_for_test(2, Term::new(1));
        let check = |held: &[EntryId]| check_one(0, held, &log, &ledger).is_ok();
        assert!(check(&[]) && check(&[id(5, 1)]) && check(&[id(2, 1), id(5, 1)]));
        assert!(!check(&[id(3, 1), id(5, 1)]));
    }

    #[test]
    fn a_new_leader_waits_for_an_entry_of_its_own() {
        let mut log = Chain::default();
        for term in [1, 1, 2, 2] {
            let term = Term::new(term);
            log.push(Link { term, hash: 0 });
        }
        let mut view = View {
            role: Role::Leader,
            hard: HardState {
                term: Term::new(2),
                vote: None,
            },
            commit: LogIndex::new(2),
            ..View::default()
        };
        assert!(check_added(0, &view, id(4, 2), &log).is_err());
        view.commit = LogIndex::new(3);
        assert!(check_added(0, &view, id(4, 2), &log).is_ok());
        assert!(check_added(0, &View::default(), id(1, 1), &log).is_ok());
    }

    #[test]
    fn in_force_is_the_last_of_the_log_and_means_the_same_everywhere() {
        let (mut known, ledger) = (Configurations::default(), Ledger::default());
        known.push(0, id(2, 1));
        known.push(0, id(4, 1));
        known.learn(id(4, 1), members(0b11, None));
        let mut view = View {
            configuration_index: LogIndex::new(4),
            ..View::default()
        };
        let (two, three) = (members(0b11, None), members(0b111, None));
        assert!(check_force(0, &view, &two, &known, &ledger).is_ok());
        assert!(check_force(0, &view, &three, &known, &ledger).is_err());
        view.configuration_index = LogIndex::new(2);
        assert!(check_force(0, &view, &two, &known, &ledger).is_err());
        known.keep(0, LogIndex::ZERO, LogIndex::new(3));
        assert!(check_force(0, &view, &three, &known, &ledger).is_ok());
    }
}

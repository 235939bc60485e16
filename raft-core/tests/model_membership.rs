//! Which configuration is in force: changes, truncations, compactions and crashes in any order,
//! against a list of entries and plain sets.

mod support;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorum::NodeId;
use raft_core::error::ReconfigureError;
use raft_core::{Change, LogIndex, Role, Seat, Standing};
use support::MEMBERS;
use support::cases::check;
use support::past::{
    Item, Past, STICKINESS_MICROS, command, encode_seats, identity, seats, voters,
};
use support::solo::{Said, Solo, ack, append};

fn members(solo: &Solo) -> Vec<(u64, Standing)> {
    let seats = solo.raft.members();
    seats
        .map(|seat| (seat.identity.node.value(), seat.standing))
        .collect()
}

/// A settled configuration: who is in, and whether with a vote.
type Group = BTreeMap<u64, bool>;

fn settled(group: &Group) -> Vec<(u64, Standing)> {
    let standing = |votes| {
        if votes {
            Standing::Voter
        } else {
            Standing::Learner
        }
    };
    group
        .iter()
        .map(|(id, votes)| (*id, standing(*votes)))
        .collect()
}

/// The two groups at once, if the voters differ: [Ongaro14 §4.3].
fn joint(old: &Group, new: &Group) -> Vec<(u64, Standing)> {
    let votes = |group: &Group, id| group.get(&id) == Some(&true);
    let voters = |group: &Group| -> BTreeSet<u64> {
        group
            .keys()
            .copied()
            .filter(|id| votes(group, *id))
            .collect()
    };
    if voters(old) == voters(new) {
        return settled(new);
    }
    let ids = voters(old).into_iter().chain(new.keys().copied());
    let standing = |id| match (votes(old, id), votes(new, id)) {
        (true, true) => Standing::Voter,
        (false, true) => Standing::Incoming,
        (true, false) if new.contains_key(&id) => Standing::Demoted,
        (true, false) => Standing::Outgoing,
        (false, false) => Standing::Learner,
    };
    let ids: BTreeSet<u64> = ids.collect();
    ids.into_iter().map(|id| (id, standing(id))).collect()
}

/// What the changes make of the group, or every reason why they cannot be.
fn changed(group: &Group, changes: &[Change]) -> Result<Group, Vec<ReconfigureError>> {
    let (mut new, mut seen, mut errors) = (group.clone(), BTreeSet::new(), Vec::new());
    if changes.is_empty() {
        errors.push(ReconfigureError::Malformed);
    }
    for change in changes {
        let node = match change {
            Change::AddLearner(identity)
            | Change::AddVoter(identity)
            | Change::AddWitness(identity) => identity.node,
            Change::Promote(node) | Change::Demote(node) | Change::Remove(node) => *node,
        };
        if !seen.insert(node) {
            errors.push(ReconfigureError::Malformed);
        }
        let was = group.get(&node.value());
        match change {
            Change::AddWitness(_) => panic!("witnesses are not drawn here"),
            Change::AddLearner(_) | Change::AddVoter(_) if was.is_some() => {
                errors.push(ReconfigureError::AlreadyMember(node));
            }
            Change::Promote(_) | Change::Demote(_) | Change::Remove(_) if was.is_none() => {
                errors.push(ReconfigureError::NotAMember(node));
            }
            Change::Promote(_) if was == Some(&true) => {
                errors.push(ReconfigureError::AlreadyVoter(node));
            }
            Change::Demote(_) if was == Some(&false) => {
                errors.push(ReconfigureError::AlreadyLearner(node));
            }
            Change::AddLearner(_) | Change::Demote(_) => drop(new.insert(node.value(), false)),
            Change::AddVoter(_) | Change::Promote(_) => drop(new.insert(node.value(), true)),
            Change::Remove(_) => drop(new.remove(&node.value())),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if joint(group, &new).len() > MEMBERS {
        let members_max = MEMBERS;
        errors.push(ReconfigureError::TooManyMembers { members_max });
    }
    if !new.values().any(|votes| *votes) {
        errors.push(ReconfigureError::NoVoters);
    }
    if errors.is_empty() {
        Ok(new)
    } else {
        Err(errors)
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (1..8_u64).prop_map(|id| Change::AddLearner(identity(id))),
        (1..8_u64).prop_map(|id| Change::AddVoter(identity(id))),
        (1..8_u64).prop_map(|id| Change::Promote(NodeId::new(id))),
        (1..8_u64).prop_map(|id| Change::Demote(NodeId::new(id))),
        (1..8_u64).prop_map(|id| Change::Remove(NodeId::new(id))),
    ]
}

/// Everybody has everything, until nothing moves: a joint configuration is left by then.
fn level(solo: &mut Solo) {
    for _ in 0..3 {
        for peer in solo.peers() {
            if solo.raft.is_leader() {
                solo.say(peer, solo.term(), ack(solo.last().0, 1));
            }
        }
    }
}

/// Node 1 leading again after a crash in the middle of a change: D-57.
fn come_back(solo: &mut Solo) {
    solo.crash();
    solo.drain();
    solo.pass(100);
    if solo.peers().is_empty() {
        solo.raft.campaign(solo.now).unwrap();
        solo.drain();
    } else {
        solo.win();
    }
}

#[test]
fn changes_do_what_maps_do() {
    let saw = RefCell::new(BTreeMap::<_, u32>::new());
    let wishes =
        prop::collection::vec((prop::collection::vec(change(), 0..5), any::<bool>()), 1..8);
    check(800, wishes, |wishes| {
        let mut group: Group = [(1, true), (2, true), (3, true)].into();
        let mut solo = Past::new(1).establish();
        let note = |what: &'static str| *saw.borrow_mut().entry(what).or_default() += 1;
        for (changes, crashes) in wishes {
            let before = solo.raft.clone();
            let outcome = solo.raft.reconfigure(&changes);
            let new = match (outcome, changed(&group, &changes)) {
                (Ok(_), Ok(new)) => new,
                (Err(error), Err(reasons)) => {
                    assert!(reasons.contains(&error), "{error:?} {reasons:?}");
                    assert_eq!(solo.raft, before);
                    note("refused");
                    continue;
                }
                (outcome, expected) => panic!("{outcome:?}, not {expected:?}"),
            };
            let between = joint(&group, &new);
            assert_eq!(members(&solo), between, "{group:?} {changes:?}");
            let is_joint = between != settled(&new);
            assert_eq!(solo.raft.is_joint(), is_joint);
            note(if is_joint { "joint" } else { "simple" });
            if is_joint {
                let second = solo.raft.reconfigure(&[Change::Remove(NodeId::new(2))]);
                assert_eq!(second, Err(ReconfigureError::Pending));
            }
            solo.drain();
            // Alone it has ended the change by itself. Out of the group it does not stand again.
            if crashes && solo.raft.is_joint() && new.contains_key(&1) {
                come_back(&mut solo);
                assert_eq!(members(&solo), between, "after a crash");
                note("crashed");
            }
            level(&mut solo);
            group = new;
            assert_eq!(members(&solo), settled(&group));
            assert!(!solo.raft.is_joint());
            if group.get(&1) != Some(&true) {
                break;
            }
            assert_eq!(solo.commit(), solo.last().0);
        }
    });
    let saw = saw.borrow();
    assert!(
        saw.len() == 4 && saw.values().all(|count| *count > 50),
        "{saw:?}"
    );
}

#[derive(Clone, Debug)]
enum Step {
    /// A new leader keeps this part of the log above the commit, and appends.
    Append {
        keep: usize,
        configurations: Vec<Option<usize>>,
    },
    /// It commits this part of what is not committed.
    Commit {
        part: usize,
    },
    Compact,
    /// A new leader's snapshot that ends beyond the log.
    Install {
        beyond: usize,
        number: usize,
    },
    Crash {
        is_unstored: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = prop::option::weighted(0.6, 0..CONFIGURATIONS);
    prop_oneof![
        5 => (0..4_usize, prop::collection::vec(kinds, 1..4))
            .prop_map(|(keep, configurations)| Step::Append { keep, configurations }),
        3 => (0..5_usize).prop_map(|part| Step::Commit { part }),
        1 => Just(Step::Compact),
        1 => (1..4_usize, 0..CONFIGURATIONS).prop_map(|(beyond, number)| Step::Install { beyond, number }),
        2 => any::<bool>().prop_map(|is_unstored| Step::Crash { is_unstored }),
    ]
}

const CONFIGURATIONS: usize = 4;

/// Configurations that a leader may send to node 3.
fn configuration(number: usize) -> Vec<Seat> {
    match number {
        0 => voters(&[1, 2, 3]),
        1 => voters(&[1, 2]),
        2 => seats(&[
            (1, Standing::Voter),
            (2, Standing::Voter),
            (3, Standing::Learner),
        ]),
        _ => seats(&[
            (1, Standing::Voter),
            (2, Standing::Incoming),
            (3, Standing::Outgoing),
        ]),
    }
}

/// The log as a list that forgets nothing: each entry's term and configuration.
#[derive(Clone)]
struct Naive {
    log: Vec<(u32, Option<usize>)>,
    commit: usize,
}

impl Naive {
    /// Index and seats of the latest configuration up to `last`; before all there is {1, 2, 3}.
    fn latest(&self, last: usize) -> (usize, Vec<Seat>) {
        let entries = (1..).zip(&self.log).take(last);
        let found = entries.filter_map(|(index, (_, number))| Some((index, (*number)?)));
        match found.last() {
            Some((index, number)) => (index, configuration(number)),
            None => (0, voters(&[1, 2, 3])),
        }
    }

    /// Votes in the latest, or, while that is not committed, in the one before it: D-53.
    fn may_stand(&self) -> bool {
        let votes = |seats: &[Seat]| {
            let mine = seats.iter().find(|seat| seat.identity == identity(3));
            mine.is_some_and(|seat| seat.standing != Standing::Learner)
        };
        let (index, latest) = self.latest(self.log.len());
        let (_, before) = self.latest(index.saturating_sub(1));
        votes(&latest) || index > self.commit && votes(&before)
    }
}

/// D-53, D-57, D-58, D-59: what is in force is the latest of snapshot and log, whatever was
/// appended, cut off, compacted, installed or forgotten in a crash; and who may stand follows from it.
#[test]
fn configuration_in_force_is_the_latest_of_snapshot_and_log() {
    let saw = RefCell::new(BTreeMap::<_, u32>::new());
    check(1_500, prop::collection::vec(step(), 0..25), |steps| {
        let mut solo = Past::new(3).term(1).start();
        let mut naive = Naive {
            log: Vec::new(),
            commit: 0,
        };
        let note = |what: &'static str| *saw.borrow_mut().entry(what).or_default() += 1;
        let (mut term, mut round) = (1, 1);
        for step in steps {
            let last = naive.log.len();
            round += 1;
            match step {
                Step::Append {
                    keep,
                    configurations,
                } => {
                    let kept = last.min(naive.commit + keep);
                    note(if kept < last { "cut off" } else { "appended" });
                    term += 1;
                    let prev = (
                        kept as u64,
                        kept.checked_sub(1).map_or(0, |at| naive.log[at].0),
                    );
                    naive.log.truncate(kept);
                    naive
                        .log
                        .extend(configurations.iter().map(|number| (term, *number)));
                    let item = |(index, number): (u64, &Option<usize>)| match number {
                        Some(number) => (term, Item::Seats(configuration(*number))),
                        None => (term, command(index, term)),
                    };
                    let items: Vec<_> = (prev.0 + 1..).zip(&configurations).map(item).collect();
                    solo.hear(
                        u64::from(term % 2 + 1),
                        term,
                        &append(prev, 0, round, &items),
                    );
                }
                Step::Commit { part } => {
                    naive.commit = last.min(naive.commit + part);
                    let prev = (last as u64, naive.log.last().map_or(0, |entry| entry.0));
                    let said = append(prev, naive.commit as u64, round, &[]);
                    solo.hear(u64::from(term % 2 + 1), term, &said);
                }
                Step::Compact => {
                    if solo.raft.compact(solo.raft.delivered(), 0, 0).is_ok() {
                        note("compacted");
                    }
                }
                Step::Install { beyond, number } => {
                    term += 1;
                    // Whatever stood there: the snapshot says what holds at its end, and is committed.
                    naive.log = vec![(0, None); last + beyond - 1];
                    naive.log.push((term, Some(number)));
                    naive.commit = naive.log.len();
                    let piece = Said::Chunk {
                        last: (naive.commit as u64, term),
                        size: 4,
                        offset: 0,
                        round,
                        data: b"what".to_vec(),
                        configuration: encode_seats(&configuration(number), STICKINESS_MICROS),
                    };
                    solo.hear(u64::from(term % 2 + 1), term, &piece);
                    note("installed");
                }
                Step::Crash { is_unstored } => {
                    // What was appended and not stored is forgotten, and what it cut off is back.
                    if is_unstored {
                        let (at, change) = (naive.commit, Item::Seats(configuration(1)));
                        let prev = (at as u64, at.checked_sub(1).map_or(0, |at| naive.log[at].0));
                        term += 1;
                        let leader = u64::from(term % 2 + 1);
                        solo.hear(leader, term, &append(prev, 0, round, &[(term, change)]));
                        assert_eq!(solo.raft.members().count(), 2);
                        note("forgotten");
                    }
                    solo.crash();
                    naive.commit = solo.commit() as usize;
                    assert!(naive.commit >= solo.raft.base().index.value() as usize);
                    note("crashed");
                }
            }
            solo.drain();
            assert_eq!(solo.last().0 as usize, naive.log.len());
            assert_eq!(solo.commit() as usize, naive.commit);
            let (index, seats) = naive.latest(naive.log.len());
            assert_eq!(solo.raft.members().collect::<Vec<_>>(), seats);
            // A snapshot that covers it stands for it.
            let (index, base) = (LogIndex::new(index as u64), solo.raft.base().index);
            let in_force = solo.raft.configuration_index();
            assert!(in_force == index || in_force <= base && index <= base);
            let mut other = solo.clone();
            other.pass(100);
            other.raft.campaign(other.now).unwrap();
            let stands = other.raft.role() != Role::Follower;
            assert_eq!(
                stands,
                naive.may_stand(),
                "{:?}",
                naive.latest(naive.log.len())
            );
            note(if stands { "stands" } else { "does not" });
        }
    });
    let saw = saw.borrow();
    assert!(
        saw.len() == 8 && saw.values().all(|count| *count > 50),
        "{saw:?}"
    );
}

//! Recovery by force: a majority is lost, and one survivor goes on in a new group.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::{RecoverError, RestoreError};
use raft_core::{
    Change, DropReason, EntryId, Event, LogIndex, Ready, Recovered, Role, Standing, Survivor, Term,
};
use support::past::{Item, Past, command, seats, voters};
use support::{Host, MEMBERS, Machine, WINDOW, World, config, decode_snapshot};

type Stored = Recovered<Vec<u8>, MEMBERS>;

fn replayed(journal: &[Vec<u8>]) -> Stored {
    let mut recovered = Recovered::new(vec![0; WINDOW]).unwrap();
    for record in journal {
        recovered.replay(record).unwrap();
    }
    recovered
}

/// The machine of a new group, of which nothing is stored yet.
fn forced(id: u64, journal: &[Vec<u8>], now: Instant) -> Machine {
    let recovered = replayed(journal);
    let applied = recovered.snapshot().last.index;
    Machine::recover(config(id), recovered, applied, 4711, now).unwrap()
}

fn recover(world: &mut World, id: u64) {
    let now = world.now;
    let host: &mut Host = world.host(id);
    let machine = forced(id, &host.journal, now);
    host.applied = decode_snapshot(&host.snapshot);
    host.raft = Some(machine);
    world.settle();
    world.run(Duration::from_millis(10));
}

fn applied(world: &mut World, id: u64) -> Vec<String> {
    let applied = &world.host(id).applied;
    let text = |(_, bytes): &(u64, Vec<u8>)| String::from_utf8_lossy(bytes).into_owned();
    applied.iter().map(text).collect()
}

fn let_in(world: &mut World, id: u64) {
    world.join(id, config(id), WINDOW);
    let identity = world.identity(id);
    let add = [Change::AddVoter(identity)];
    world.raft(1).reconfigure(&add).unwrap();
    world.run(Duration::from_millis(200));
}

#[test]
fn survivor_goes_on_and_others_join_anew() {
    let mut world = World::group(3);
    world.propose(b"a");
    world.settle();
    let old = world.group_id();
    world.crash(2);
    world.crash(3);
    world.run(Duration::from_millis(1000));
    assert!(!world.raft(1).is_leader(), "no majority is left");
    world.crash(1);
    recover(&mut world, 1);
    assert_ne!(world.group_id(), old);
    assert!(world.raft(1).is_leader());
    assert_eq!(world.raft(1).members().count(), 1);
    assert_eq!(world.raft(1).commit(), world.raft(1).last().index);
    let_in(&mut world, 4);
    let_in(&mut world, 5);
    world.propose(b"b");
    world.run(Duration::from_millis(200));
    for id in [1, 4, 5] {
        assert_eq!(applied(&mut world, id), ["a", "b"], "node {id}");
    }
    // It is a group like any other: the survivor may go.
    world.crash(1);
    world.run(Duration::from_millis(1000));
    assert!(world.leader().is_some());
}

#[test]
fn survivor_with_a_snapshot_goes_on_from_it() {
    let mut world = World::group(3);
    world.propose(b"a");
    world.settle();
    world.compact(1);
    world.propose(b"b");
    world.run(Duration::from_millis(100));
    for id in [1, 2, 3] {
        world.crash(id);
    }
    recover(&mut world, 1);
    assert_eq!(applied(&mut world, 1), ["a", "b"]);
    let_in(&mut world, 4);
    assert_eq!(applied(&mut world, 4), ["a", "b"]);
}

/// The majority was only switched off. It goes on in the old group, and nothing of it reaches the
/// new one, nor the other way round.
#[test]
fn majority_that_comes_back_is_a_stranger() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(2);
    world.propose(b"of all");
    world.run(Duration::from_millis(100));
    world.isolate(1);
    world.crash(1);
    recover(&mut world, 1);
    world.raft(1).propose(b"of the new group").unwrap();
    world.settle();
    world.raft(2).propose(b"of the old group").unwrap();
    world.settle();
    let terms = [1, 2].map(|id| world.raft(id).term());
    world.heal();
    world.run(Duration::from_millis(1000));
    assert_eq!(applied(&mut world, 1), ["of all", "of the new group"]);
    for id in [2, 3] {
        assert_eq!(applied(&mut world, id), ["of all", "of the old group"]);
    }
    assert_eq!([1, 2].map(|id| world.raft(id).term()), terms);
    let is_stranger = |event: &Event| {
        let reason = DropReason::WrongGroup;
        matches!(event, Event::Dropped { reason: why, .. } if *why == reason)
    };
    assert!(world.host(1).events.iter().any(is_stranger));
}

/// What was not committed is committed, and what this survivor lacks is gone.
#[test]
fn survivor_keeps_all_that_it_holds_and_nothing_else() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.elect(2);
    world.propose(b"of all");
    world.run(Duration::from_millis(100));
    world.isolate(1);
    world.propose(b"of a majority");
    world.settle();
    assert_eq!(applied(&mut world, 3), ["of all", "of a majority"]);
    world.crash(2);
    world.crash(3);
    world.crash(1);
    recover(&mut world, 1);
    assert_eq!(applied(&mut world, 1), ["of all"], "documented loss");
    // An entry that reached nobody else.
    let log = [(1, Item::NoOp), (1, command(2, 1))];
    let past = Past::new(1).items(&log).commit(1);
    let mut raft = forced(1, &[past.record()], Instant::ZERO);
    let mut world = World::of(&[past]);
    assert!(raft.commit() < raft.last().index);
    core::mem::swap(world.raft(1), &mut raft);
    world.run(Duration::from_millis(10));
    assert_eq!(world.host(1).applied.len(), 1);
}

/// Whatever rests on the new group waits until the new group is on the medium.
#[test]
fn nothing_happens_before_the_first_write_is_stored() {
    let past = Past::new(1).log(&[1, 1]).commit(2);
    let now = Instant::from_micros(5_000_000);
    let mut raft = forced(1, &[past.record()], now);
    raft.handle_timeout(now).unwrap();
    raft.campaign(now).unwrap();
    assert!(raft.poll_transmit(now, Ready::All).is_none());
    assert!(raft.poll_committed().is_none());
    assert_ne!(raft.role(), Role::Leader);
    assert!(raft.propose(b"too early").is_err());
    raft.check_invariants().unwrap();
    let write = raft.poll_persist().expect("everything");
    assert!(write.begins_anew());
    let ticket = write.into_ticket();
    raft.handle_persisted(now, ticket).unwrap();
    assert!(raft.poll_committed().is_some());
}

/// A crash between any two steps leaves the old group or the new one, each whole.
#[test]
fn crash_leaves_the_old_group_or_the_new_one() {
    let past = Past::new(1).term(3).log(&[1, 2]).commit(1);
    let old = vec![past.record()];
    let now = Instant::from_micros(5_000_000);
    let mut raft = forced(1, &old, now);
    let group = raft.group();
    let mut scratch = [0; raft_core::RECORD_HEADER_BYTES_MAX];
    let write = raft.poll_persist().unwrap();
    let record = write.record(&mut scratch).concat();
    let restored = |recovered: Stored| {
        let applied = LogIndex::ZERO;
        Machine::restore(config(1), recovered, applied, 5, now).unwrap()
    };
    // Not stored, or torn anywhere: as if nobody had wished it.
    for len in 0..record.len() {
        let mut recovered = replayed(&old);
        let torn = recovered.replay_prefix(&record[..len]);
        assert_eq!(torn, Err(RestoreError::DamagedRecord), "{len} bytes");
        let raft = restored(recovered);
        assert_ne!(raft.group(), group);
        assert_eq!(raft.members().count(), 3);
        assert_eq!(raft.term(), Term::new(3));
    }
    // Stored, the older records still there or not.
    let both = [old[0].clone(), record.clone()];
    for journal in [&both[..], &both[1..]] {
        let mut raft = restored(replayed(journal));
        assert_eq!(raft.group(), group);
        assert_eq!(raft.members().count(), 1);
        assert_eq!(raft.last().index, LogIndex::new(3));
        assert!(raft.term() > Term::new(3));
        assert_eq!(raft.commit(), LogIndex::new(1));
        raft.campaign(now.saturating_add(Duration::from_secs(1)))
            .unwrap();
        assert_eq!(raft.role(), Role::Candidate, "alone it needs nobody");
    }
    // The record of another life, or one that does not begin anew, is foreign as before.
    let mut recovered = replayed(&[Past::new(2).record()]);
    let foreign = Err(RestoreError::ForeignRecord);
    assert_eq!(recovered.replay(&record), foreign);
    let mut world = World::of(&[Past::new(1).voters(&[1])]);
    world.elect(1);
    let appended = world.host(1).journal.last().unwrap().clone();
    assert_eq!(replayed(&[record]).replay(&appended), foreign);
}

/// A record of the old group states a commit beyond what the medium kept of it. In the new group
/// other entries stand there, and the node delivered them before anybody else had them.
#[test]
fn commit_of_the_old_group_counted_in_the_new_one() {
    let past = Past::new(1).term(3).log(&[1, 2]).commit(1);
    let torn = Past::new(1)
        .term(3)
        .log(&[1, 2, 2, 2, 2])
        .commit(5)
        .record();
    let now = Instant::from_micros(5_000_000);
    let mut raft = forced(1, &[past.record()], now);
    let mut scratch = [0; raft_core::RECORD_HEADER_BYTES_MAX];
    let record = raft.poll_persist().unwrap().record(&mut scratch).concat();
    let recovered = replayed(&[torn, record.clone()]);
    let machine = Machine::restore(config(1), recovered, LogIndex::ZERO, 5, now).unwrap();
    assert_eq!(machine.group(), raft.group());
    assert_eq!(machine.commit(), LogIndex::new(1));
    // A record of the old group does not lead back into it.
    let mut recovered = replayed(&[record]);
    let back = recovered.replay(&past.record());
    assert_eq!(back, Err(RestoreError::ForeignRecord));
}

/// A second recovery leaves the group of the first.
#[test]
fn recovery_of_a_recovered_node() {
    let past = Past::new(1).log(&[1]).commit(1);
    let mut world = World::of(&[past]);
    world.crash(1);
    recover(&mut world, 1);
    let first = world.group_id();
    world.propose(b"b");
    world.settle();
    world.crash(1);
    let host = world.host(1);
    let machine = Machine::recover(
        config(1),
        replayed(&host.journal),
        LogIndex::ZERO,
        4712,
        Instant::ZERO,
    );
    host.raft = Some(machine.unwrap());
    host.applied.clear();
    world.settle();
    world.run(Duration::from_millis(10));
    assert_ne!(world.group_id(), first);
    assert_eq!(world.host(1).applied.len(), 2);
    world.restart(1);
    assert_eq!(world.raft(1).members().count(), 1);
}

fn survivor(past: &Past) -> Result<Survivor, RecoverError> {
    replayed(&[past.record()]).survivor()
}

#[test]
fn report_says_what_the_survivor_holds() {
    let past = Past::new(2).term(7).log(&[1, 1, 4]).commit(2);
    let report = survivor(&past).unwrap();
    assert_eq!(report.identity.node, NodeId::new(2));
    assert_eq!(report.standing, Some(Standing::Voter));
    assert_eq!(report.last, EntryId::new(LogIndex::new(3), Term::new(4)));
    assert_eq!(report.commit, LogIndex::new(2));
    assert_eq!(report.term, Term::new(7));
}

/// The later last term wins, the longer log among equals; what was known to be committed does not count.
#[test]
fn best_survivor_has_the_most_up_to_date_log() {
    let report = |terms: &[u32], commit| survivor(&Past::new(1).log(terms).commit(commit)).unwrap();
    let (long, late) = (report(&[1, 1, 1, 1], 4), report(&[1, 2], 1));
    assert!(late.is_better_than(&long) && !long.is_better_than(&late));
    let longer = report(&[1, 2, 2], 0);
    assert!(longer.is_better_than(&late) && !late.is_better_than(&longer));
    let same = report(&[1, 2], 2);
    assert!(!same.is_better_than(&late) && !late.is_better_than(&same));
}

#[test]
fn only_a_member_that_holds_something_can_be_recovered() {
    let now = Instant::ZERO;
    let past = Past::new(1);
    assert_eq!(survivor(&past), Err(RecoverError::NothingToKeep));
    let empty = Stored::new(vec![0; WINDOW]).unwrap();
    let nothing = RecoverError::Restore(RestoreError::NoBeginning);
    assert_eq!(empty.survivor(), Err(nothing));
    // Its own log removes it.
    let gone = [(1, Item::NoOp), (1, Item::Seats(voters(&[2, 3])))];
    let past = Past::new(1).items(&gone);
    let removed = past.clone().commit(2);
    assert_eq!(survivor(&removed), Err(RecoverError::NotAMember));
    // Not committed, the removal may never have been.
    let report = survivor(&past.commit(1)).unwrap();
    assert_eq!(report.standing, None);
    // A learner holds as much as a voter.
    let group = seats(&[(1, Standing::Learner), (2, Standing::Voter)]);
    let learner = Past::new(1).members(group).log(&[1]).commit(1);
    assert_eq!(
        survivor(&learner).unwrap().standing,
        Some(Standing::Learner)
    );
    let raft = forced(1, &[learner.record()], now);
    assert!(raft.is_voter());
    // In the middle of a change, too.
    let group = seats(&[(1, Standing::Outgoing), (2, Standing::Voter)]);
    let raft = forced(1, &[Past::new(1).members(group).log(&[1]).record()], now);
    assert!(raft.is_voter() && !raft.is_joint());
}

#[test]
fn what_does_not_fit_is_refused() {
    let recover = |past: &Past, window, applied| {
        let mut recovered = Recovered::<_, MEMBERS>::new(vec![0; window]).unwrap();
        recovered.replay(&past.record()).unwrap();
        let applied = LogIndex::new(applied);
        Machine::recover(config(1), recovered, applied, 1, Instant::ZERO).map(drop)
    };
    let past = Past::new(1).log(&[1, 1]).commit(1);
    assert_eq!(recover(&past, WINDOW, 2), Ok(()));
    let last = LogIndex::new(2);
    let beyond = RestoreError::AppliedBeyondLog { last };
    assert_eq!(recover(&past, WINDOW, 3), Err(beyond.into()));
    let late = Past::new(1).term(u32::MAX - 2).log(&[1]);
    assert_eq!(recover(&late, WINDOW, 0), Err(RecoverError::TermsExhausted));
    let earlier = Past::new(1).term(u32::MAX - 3).log(&[1]);
    assert_eq!(recover(&earlier, WINDOW, 0), Ok(()));
    // A window that holds the log and no configuration more.
    let large = vec![(1, Item::Command(vec![0; 600])); 12];
    let full = Past::new(1).items(&large);
    let windows = (0..=WINDOW).step_by(8).filter(|window| {
        let recovered = Recovered::<_, MEMBERS>::new(vec![0; *window]);
        recovered.is_ok_and(|mut recovered| recovered.replay(&full.record()).is_ok())
    });
    let outcomes: Vec<_> = windows.map(|window| recover(&full, window, 0)).collect();
    let refused = |outcome: &&Result<(), RecoverError>| {
        let Err(RecoverError::Restore(error)) = outcome else {
            return false;
        };
        matches!(error, RestoreError::WindowTooSmall { .. })
    };
    let count = outcomes.iter().filter(refused).count();
    assert!(count > 0, "of {}", outcomes.len());
    // A window that is a little longer may have more places and less room; a long one has both.
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(count + accepted, outcomes.len());
    assert_eq!(outcomes.last(), Some(&Ok(())));
}

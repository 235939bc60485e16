//! Entries from before the window, lent by the driver to members that lag behind.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::LendError;
use raft_core::{Body, Change, ConfigBuilder, EntryId, EntryKind, Fetch, LogIndex, wire};
use support::past::{Item, Past, commands, encode_entries, encode_entry, voters};
use support::said::{entry_id, item};
use support::solo::{Said, Solo, ack, append, reject};
use support::{FRAME, Frame, World};

fn lending(builder: ConfigBuilder) -> ConfigBuilder {
    builder.lending()
}

/// The log of the tests: ten entries of term 1, and the leader's first in term 2.
fn log() -> Vec<(u32, Item)> {
    let mut log = commands(1, &[1; 10]);
    log.push((2, Item::NoOp));
    log
}

/// Entries of that log, after the first and up to the second index, as they are stored.
fn stored(after: usize, last: usize) -> Vec<u8> {
    encode_entries(&log()[after..last])
}

/// A leader of term 2 that compacted everything up to its first entry, 11. Node 3 has all of it;
/// node 2 has not answered.
fn leader(past: Past) -> Solo {
    let mut solo = past.log(&[1; 10]).commit(10).applied(10).lead();
    solo.say(3, 2, ack(11, 1));
    solo.raft.compact(LogIndex::new(11), 5, 0).unwrap();
    solo.drain();
    solo
}

/// The same, and node 2 said that it may agree up to this entry.
fn behind(past: Past, index: u64) -> Solo {
    let mut solo = leader(past);
    solo.say(2, 2, reject(0, 1, 10, (index, 1)));
    solo
}

fn fetch(solo: &mut Solo) -> Option<Fetch> {
    let fetch = solo.raft.poll_fetch();
    assert_eq!(solo.raft.poll_fetch(), None, "each need is offered once");
    solo.check();
    fetch
}

fn lend(solo: &mut Solo, fetch: &Fetch, prev: (u64, u32), bytes: &[u8]) -> Result<Said, LendError> {
    let transmit = solo.raft.lend(solo.now, fetch, entry_id(prev), bytes)?;
    assert_eq!(transmit.to, fetch.to());
    let said = Said::of(&transmit.message);
    solo.check();
    Ok(said)
}

#[test]
fn member_that_lags_behind_is_lent_what_it_needs() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    let wanted = fetch(&mut solo).expect("node 2 lags behind");
    assert_eq!(wanted.to(), NodeId::new(2));
    assert_eq!((wanted.after().value(), wanted.last().value()), (3, 11));
    let said = lend(&mut solo, &wanted, (3, 1), &stored(3, 6));
    assert_eq!(said, Ok(append((3, 1), 6, 1, &log()[3..6])));
    assert_eq!(fetch(&mut solo), None, "one loan at a time");
    assert!(solo.drain().is_silent());
    // Some of it was taken.
    solo.say(2, 2, ack(5, 1));
    let wanted = fetch(&mut solo).expect("it lags behind still");
    assert_eq!(wanted.after().value(), 5);
    let said = lend(&mut solo, &wanted, (5, 1), &stored(5, 11));
    assert_eq!(said, Ok(append((5, 1), 11, 1, &log()[5..11])));
    // From here on it is a member like others.
    solo.say(2, 2, ack(11, 1));
    assert_eq!(fetch(&mut solo), None);
    solo.raft.propose(b"x").unwrap();
    let item = Item::Command(b"x".to_vec());
    let expected = append((11, 2), 11, 1, &[(2, item)]);
    assert_eq!(solo.drain().to(2), [expected]);
}

#[test]
fn nothing_is_asked_of_a_driver_that_does_not_lend() {
    let mut solo = leader(Past::new(1));
    let outcome = solo.say(2, 2, reject(0, 1, 10, (3, 1)));
    assert!(matches!(outcome.to(2)[..], [Said::Chunk { .. }]));
    assert_eq!(fetch(&mut solo), None);
}

#[test]
fn driver_that_declines_sends_the_snapshot() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    let wanted = fetch(&mut solo).unwrap();
    solo.raft.decline(&wanted);
    let outcome = solo.drain();
    assert!(matches!(outcome.to(2)[..], [Said::Chunk { .. }]));
    // Nobody asks again while it is under way, and an old answer comes too late.
    solo.tick(20);
    solo.drain();
    assert_eq!(fetch(&mut solo), None);
    let late = lend(&mut solo, &wanted, (3, 1), &stored(3, 6));
    assert_eq!(late, Err(LendError::NotWanted));
}

/// The driver forgot the question, or the loan was lost on its way.
#[test]
fn unanswered_need_is_offered_with_the_next_heartbeat() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    let first = fetch(&mut solo).unwrap();
    solo.tick(20);
    assert_eq!(fetch(&mut solo), Some(first));
    lend(&mut solo, &first, (3, 1), &stored(3, 6)).unwrap();
    solo.tick(20);
    assert_eq!(fetch(&mut solo), Some(first));
    assert!(lend(&mut solo, &first, (3, 1), &stored(3, 6)).is_ok());
}

/// A heartbeat to a member that waits names the base. It is refused, and that says nothing new.
#[test]
fn heartbeats_reach_a_member_that_waits() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    let wanted = fetch(&mut solo).unwrap();
    solo.tick(20);
    let outcome = solo.drain();
    assert_eq!(outcome.to(2), [append((11, 2), 11, 2, &[])]);
    let outcome = solo.say(2, 2, reject(0, 2, 11, (3, 1)));
    assert_eq!(outcome.to(2), []);
    assert_eq!(fetch(&mut solo), Some(wanted));
    assert_eq!(fetch(&mut solo), None);
}

/// Its answers count as contact: a leader that lends stays in office.
#[test]
fn leader_of_members_that_wait_stays_in_office() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    for round in 2..40 {
        solo.tick(20);
        solo.drain();
        solo.say(2, 2, reject(0, round, 11, (3, 1)));
    }
    assert!(solo.raft.is_leader());
}

/// The member's entry is another: the search goes on in what the driver keeps.
#[test]
fn member_that_differs_before_the_window_is_lent_earlier_entries() {
    let mut solo = behind(Past::new(1).set(lending), 6);
    let wanted = fetch(&mut solo).unwrap();
    lend(&mut solo, &wanted, (6, 1), &stored(6, 8)).unwrap();
    solo.say(2, 2, reject(0, 1, 6, (4, 1)));
    let wanted = fetch(&mut solo).unwrap();
    assert_eq!(wanted.after().value(), 4);
    // A late refusal of the same takes it nowhere.
    lend(&mut solo, &wanted, (4, 1), &stored(4, 8)).unwrap();
    solo.say(2, 2, reject(0, 1, 6, (4, 1)));
    assert_eq!(fetch(&mut solo), None);
    solo.say(2, 2, ack(8, 1));
    assert_eq!(fetch(&mut solo).unwrap().after().value(), 8);
}

#[test]
fn member_without_room_is_lent_nothing() {
    let mut solo = leader(Past::new(1).set(lending));
    solo.room = 0;
    solo.say(2, 2, reject(0, 1, 10, (3, 1)));
    assert_eq!(fetch(&mut solo), None);
    solo.tick(20);
    solo.drain();
    assert_eq!(fetch(&mut solo), None);
    solo.room = 100;
    solo.say(2, 2, reject(0, 2, 11, (3, 1)));
    assert_eq!(fetch(&mut solo).unwrap().bytes_max(), 100);
}

/// Of a member with too little room nobody would learn that it must compact.
#[test]
fn one_entry_longer_than_the_room_is_tried() {
    let mut solo = leader(Past::new(1).set(lending));
    solo.room = 5;
    solo.say(2, 2, reject(0, 1, 10, (3, 1)));
    let wanted = fetch(&mut solo).unwrap();
    assert_eq!(wanted.bytes_max(), 5);
    let two = lend(&mut solo, &wanted, (3, 1), &stored(3, 5));
    assert_eq!(two, Err(LendError::TooLong { bytes_max: 5 }));
    assert!(lend(&mut solo, &wanted, (3, 1), &stored(3, 4)).is_ok());
    // It was not taken: with the next heartbeat, not at once.
    solo.say(2, 2, ack(3, 1));
    assert_eq!(fetch(&mut solo), None);
    solo.tick(20);
    assert!(fetch(&mut solo).is_some());
}

/// A loan is no longer than a frame, nor than what may be in flight.
#[test]
fn loans_keep_to_the_window_in_flight() {
    type Setting = fn(ConfigBuilder) -> ConfigBuilder;
    let cases: [(Setting, usize); 2] = [
        (lending, FRAME - wire::APPEND_HEADER_BYTES),
        (
            |builder| builder.lending().frame_bytes_max(400).in_flight(1, 400),
            400 - wire::APPEND_HEADER_BYTES,
        ),
    ];
    for (settings, expected) in cases {
        let mut solo = behind(Past::new(1).set(settings), 3);
        assert_eq!(fetch(&mut solo).unwrap().bytes_max() as usize, expected);
    }
}

/// What the window holds, and more was compacted since, or less.
#[test]
fn loan_may_reach_into_the_window() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    solo.raft.propose(b"x").unwrap();
    solo.raft.propose(b"y").unwrap();
    let wanted = fetch(&mut solo).unwrap();
    let x = encode_entry(2, &Item::Command(b"x".to_vec()));
    let y = encode_entry(2, &Item::Command(b"y".to_vec()));
    let loan = [stored(3, 11), x, y].concat();
    let Ok(Said::Append {
        commit, entries, ..
    }) = lend(&mut solo, &wanted, (3, 1), &loan)
    else {
        panic!("refused");
    };
    assert_eq!((commit, entries.len()), (11, 10), "12 and 13 wait");
    solo.drain();
    solo.say(3, 2, ack(13, 1));
    solo.raft.compact(LogIndex::new(13), 5, 0).unwrap();
    assert!(lend(&mut solo, &wanted, (3, 1), &loan).is_ok());
}

#[test]
fn wrong_loan_is_refused_and_changes_nothing() {
    let mut solo = behind(Past::new(1).set(lending), 3);
    let wanted = fetch(&mut solo).unwrap();
    let entry = |term, bytes: &[u8]| encode_entry(term, &Item::Command(bytes.to_vec()));
    let seats = encode_entry(1, &Item::Seats(voters(&[])));
    let crowd = encode_entry(1, &Item::Seats(voters(&[1, 2, 3, 4, 5, 6])));
    let at = LogIndex::new;
    let wrong_place = LendError::WrongPlace { after: at(3) };
    let malformed = |index| LendError::Malformed { index: at(index) };
    let contradiction = |index| LendError::Contradiction { index: at(index) };
    let mut of_no_kind = entry(1, b"x");
    of_no_kind[7] |= 0x70;
    let cut = stored(3, 6);
    let too_long = LendError::TooLong {
        bytes_max: wanted.bytes_max(),
    };
    let many: Vec<u8> = (0..8).flat_map(|_| entry(1, &[7; 600])).collect();
    let cases = [
        ((2, 1), stored(3, 6), wrong_place),
        ((4, 1), stored(3, 6), wrong_place),
        // Nothing before the base was made in a later term than its own.
        ((3, 3), stored(3, 6), wrong_place),
        ((3, 1), Vec::new(), LendError::Empty),
        ((3, 1), many, too_long),
        ((3, 1), entry(1, &[7; FRAME]), too_long),
        ((3, 1), cut[..cut.len() - 1].to_vec(), malformed(6)),
        ((3, 1), vec![1, 0, 0], malformed(4)),
        ((3, 1), of_no_kind, malformed(4)),
        ((3, 1), seats, malformed(4)),
        ((3, 1), [stored(3, 4), crowd].concat(), malformed(5)),
        ((3, 2), stored(3, 6), contradiction(4)),
        (
            (3, 1),
            [entry(2, b"a"), entry(1, b"b")].concat(),
            contradiction(5),
        ),
        ((3, 1), entry(3, b"a"), contradiction(4)),
        // The base is of term 2.
        (
            (3, 1),
            [stored(3, 10), entry(1, b"a")].concat(),
            contradiction(11),
        ),
        // There is no entry 12.
        (
            (3, 1),
            [stored(3, 11), entry(2, b"a")].concat(),
            contradiction(12),
        ),
    ];
    for (place, (prev, bytes, expected)) in cases.into_iter().enumerate() {
        let before = solo.raft.clone();
        let said = lend(&mut solo, &wanted, prev, &bytes);
        assert_eq!(said, Err(expected), "case {place}");
        assert_eq!(solo.raft, before, "case {place}");
    }
    assert!(lend(&mut solo, &wanted, (3, 1), &stored(3, 6)).is_ok());
}

#[test]
fn first_of_all_entries_follows_nothing() {
    let mut solo = behind(Past::new(1).set(lending), 0);
    let wanted = fetch(&mut solo).unwrap();
    assert_eq!(wanted.after(), LogIndex::ZERO);
    let wrong = lend(&mut solo, &wanted, (0, 1), &stored(0, 2));
    let after = LogIndex::ZERO;
    assert_eq!(wrong, Err(LendError::WrongPlace { after }));
    assert!(lend(&mut solo, &wanted, (0, 0), &stored(0, 2)).is_ok());
}

/// An answer to a need that is over.
#[test]
fn late_loan_is_not_wanted() {
    let cases: [fn(&mut Solo); 4] = [
        // The member got on without it.
        |solo| drop(solo.say(2, 2, ack(7, 1))),
        // Another leads.
        |solo| drop(solo.say(3, 3, append((11, 2), 11, 1, &[]))),
        // The same leads in another term.
        |solo| {
            solo.say(3, 3, append((11, 2), 11, 1, &[]));
            solo.pass(400);
            solo.win();
            solo.say(2, 4, reject(0, 1, 11, (3, 1)));
        },
        // The member is none any more.
        |solo| {
            let remove = [Change::Remove(NodeId::new(2))];
            solo.raft.reconfigure(&remove).unwrap();
            solo.drain();
            let last = solo.last().0;
            solo.say(3, 2, ack(last, 1));
            let last = solo.last().0;
            solo.say(3, 2, ack(last, 1));
        },
    ];
    for (place, change) in cases.into_iter().enumerate() {
        let mut solo = behind(Past::new(1).set(lending), 3);
        let wanted = fetch(&mut solo).unwrap();
        change(&mut solo);
        let before = solo.raft.clone();
        let late = lend(&mut solo, &wanted, (3, 1), &stored(3, 6));
        assert_eq!(late, Err(LendError::NotWanted), "case {place}");
        solo.raft.decline(&wanted);
        assert_eq!(solo.raft, before, "case {place}");
    }
}

/// Everything that a node delivered or passed over, as its driver keeps it.
#[derive(Default)]
struct Archive(Vec<(u32, Vec<u8>)>);

impl Archive {
    /// Takes over what is new; called before the log is compacted.
    fn keep(&mut self, world: &mut World, id: u64) {
        let raft = world.raft(id);
        while (self.0.len() as u64) < raft.delivered().value() {
            let entry = raft.entry(LogIndex::new(self.0.len() as u64 + 1)).unwrap();
            let term = entry.id.term.value();
            self.0.push((term, encode_entry(term, &item(entry))));
        }
    }

    /// Lends whatever is wanted, as much as fits; says how many entries.
    fn lend(&self, world: &mut World, id: u64) -> usize {
        let (now, mut count, mut frames) = (world.now, 0, Vec::new());
        while let Some(fetch) = world.raft(id).poll_fetch() {
            let after = fetch.after().value() as usize;
            let term = after.checked_sub(1).map_or(0, |place| self.0[place].0);
            let mut bytes = Vec::new();
            for (_, entry) in &self.0[after..fetch.last().value() as usize] {
                if bytes.len() + entry.len() > fetch.bytes_max() as usize {
                    break;
                }
                bytes.extend_from_slice(entry);
                count += 1;
            }
            let prev: EntryId = entry_id((after as u64, term));
            let transmit = world.raft(id).lend(now, &fetch, prev, &bytes).unwrap();
            let mut frame = [0; FRAME];
            let frame = wire::encode(&transmit.message, &mut frame).unwrap();
            frames.push(Frame {
                from: id,
                to: transmit.to.value(),
                bytes: frame.to_vec(),
            });
        }
        world.wire.extend(frames);
        count
    }
}

/// A new member gets the whole log, the founding configuration first, and no snapshot; the links
/// lose every third frame.
#[test]
fn new_member_is_brought_up_by_loans() {
    let mut world = World::founded();
    let past = Past::new(1).set(lending);
    world.host(1).config = past.config();
    let now = world.now;
    world.crash(1);
    world.now = now.saturating_add(Duration::from_millis(1));
    world.restart(1);
    world.run(Duration::from_millis(500));
    assert_eq!(world.leader(), Some(1));
    let mut archive = Archive::default();
    for number in 0..400_u32 {
        world.propose(&number.to_le_bytes());
        world.drain(1);
        if number % 50 == 0 {
            archive.keep(&mut world, 1);
            world.compact(1);
        }
    }
    archive.keep(&mut world, 1);
    world.compact(1);
    world.join(2, support::config(2), support::WINDOW);
    world.settle();
    let identity = world.identity(2);
    world
        .raft(1)
        .reconfigure(&[Change::AddLearner(identity)])
        .unwrap();
    let mut lent = 0;
    for tick in 0..1000_usize {
        world.now = world.now.saturating_add(Duration::from_millis(1));
        let now = world.now;
        for id in 1..=2 {
            world.raft(id).handle_timeout(now).unwrap();
            world.drain(id);
        }
        lent += archive.lend(&mut world, 1);
        for _ in 0..world.wire.len() {
            let frame = world.wire.pop_front().unwrap();
            let is_chunk = matches!(frame.message().body, Body::Chunk(_));
            assert!(!is_chunk, "nobody declined");
            if !(tick + world.wire.len()).is_multiple_of(3) {
                world.deliver(&frame);
            }
        }
        if world.host(2).applied.len() == 400 {
            break;
        }
    }
    let is_same = world.hosts[1].applied == world.hosts[0].applied;
    assert!(is_same, "{} applied", world.hosts[1].applied.len());
    assert!(lent >= 400, "{lent}");
    let first = world
        .raft(2)
        .entry(LogIndex::new(1))
        .map(|entry| entry.kind);
    assert_eq!(first, Some(EntryKind::Configuration));
}

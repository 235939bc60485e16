//! The table against maps, and as bytes: equal histories make equal tables, what is written comes
//! back, and no bytes hurt.

use core::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use raft_core::LogIndex;
use raft_core::session::{BufferTooSmall, DecodeError, Outcome, Request, SessionId, Sessions};

const SESSIONS: usize = 3;
const OUTSTANDING: u64 = 3;
const ANSWER_BYTES: usize = 4;

type Table = Sessions<3, 3, 4>;

/// What a client says that it registered with.
#[derive(Clone, Copy, Debug)]
enum Nonce {
    Own,
    Other(u64),
}

impl Nonce {
    fn or(self, own: u64) -> u64 {
        match self {
            Nonce::Own => own,
            Nonce::Other(other) => other,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Register {
        nonce: u64,
    },
    /// Sessions are picked by age, so that evicted ones are asked for too.
    Unregister {
        pick: usize,
        nonce: Nonce,
    },
    Command {
        pick: usize,
        nonce: Nonce,
        number: u64,
        first: u64,
        answer: Vec<u8>,
    },
    /// A snapshot, from which another replica goes on.
    Transfer,
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0..8u64, 1 => u64::MAX - 4..=u64::MAX, 1 => any::<u64>()]
}

fn nonce() -> impl Strategy<Value = Nonce> {
    prop_oneof![8 => Just(Nonce::Own), 1 => (0..6u64).prop_map(Nonce::Other)]
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop::collection::vec(any::<u8>(), 0..=ANSWER_BYTES + 1);
    prop_oneof![
        3 => (0..6u64).prop_map(|nonce| Step::Register { nonce }),
        1 => (0..8usize, nonce()).prop_map(|(pick, nonce)| Step::Unregister { pick, nonce }),
        12 => (0..6usize, nonce(), number(), number(), answer).prop_map(
            |(pick, nonce, number, first, answer)| {
                Step::Command { pick, nonce, number, first, answer }
            },
        ),
        1 => Just(Step::Transfer),
    ]
}

#[derive(Default)]
struct NaiveSession {
    nonce: u64,
    used: u64,
    first: u64,
    answers: BTreeMap<u64, Vec<u8>>,
}

/// What the table should be, with maps and no bounds but the stated ones.
#[derive(Default)]
struct Naive {
    sessions: BTreeMap<u64, NaiveSession>,
    /// Every number that was ever executed, also of sessions that are gone.
    executed: BTreeSet<(u64, u64)>,
}

impl Naive {
    /// Name, whether it is new, and who was evicted.
    fn register(&mut self, index: u64, nonce: u64) -> (u64, bool, Option<u64>) {
        let known = self.sessions.iter().find(|(_, held)| held.nonce == nonce);
        if let Some(id) = known.map(|(id, _)| *id) {
            self.sessions.entry(id).or_default().used = index;
            return (id, false, None);
        }
        let oldest = self.sessions.iter().min_by_key(|(_, held)| held.used);
        let evicted = oldest
            .map(|(id, _)| *id)
            .filter(|_| self.sessions.len() == SESSIONS);
        if let Some(id) = evicted {
            self.sessions.remove(&id);
        }
        let (used, session) = (index, NaiveSession::default());
        self.sessions.insert(
            index,
            NaiveSession {
                nonce,
                used,
                ..session
            },
        );
        (index, true, evicted)
    }

    fn unregister(&mut self, id: u64, nonce: u64) -> bool {
        let held = self.sessions.get(&id).map(|held| held.nonce);
        held == Some(nonce) && self.sessions.remove(&id).is_some()
    }

    fn command(&mut self, index: u64, request: Request, answer: &[u8]) -> (&'static str, Vec<u8>) {
        let id = request.session.value();
        let session = self.sessions.get_mut(&id);
        let Some(session) = session.filter(|held| held.nonce == request.nonce) else {
            return ("expired", vec![]);
        };
        session.used = index;
        if request.number < request.first_unacknowledged {
            return ("contradictory", vec![]);
        }
        session.first = session.first.max(request.first_unacknowledged);
        session.answers.retain(|number, _| *number >= session.first);
        if request.number < session.first {
            return ("forgotten", vec![]);
        }
        if request.number - session.first >= OUTSTANDING {
            return ("ahead", vec![]);
        }
        if let Some(answer) = session.answers.get(&request.number) {
            return ("repeated", answer.clone());
        }
        let fits = answer.len() <= ANSWER_BYTES;
        let kept = if fits { answer.to_vec() } else { vec![] };
        session.answers.insert(request.number, kept);
        assert!(self.executed.insert((id, request.number)), "executed twice");
        ("fresh", vec![])
    }
}

fn command(
    table: &mut Table,
    index: u64,
    request: Request,
    bytes: &[u8],
) -> (&'static str, Vec<u8>) {
    match table.begin(LogIndex::new(index), request) {
        Outcome::Fresh(mut place) => {
            let fits = bytes.len() <= ANSWER_BYTES;
            assert_eq!(place.record(bytes).is_ok(), fits);
            ("fresh", vec![])
        }
        Outcome::Repeated(answer) => ("repeated", answer.to_vec()),
        Outcome::Forgotten => ("forgotten", vec![]),
        Outcome::Ahead => ("ahead", vec![]),
        Outcome::Contradictory => ("contradictory", vec![]),
        Outcome::Expired => ("expired", vec![]),
    }
}

fn encoded(table: &Table) -> Vec<u8> {
    let mut bytes = [0xee; Table::ENCODED_BYTES_MAX];
    let bytes = table.encode(&mut bytes).expect("the longest there is");
    assert_eq!(bytes.len(), table.encoded_len());
    bytes.to_vec()
}

fn restored(bytes: &[u8]) -> Result<Table, DecodeError> {
    let mut table = Table::new();
    table.restore(bytes).map(|()| table)
}

/// Plays the steps on a table, a second replica that goes through snapshots, and the maps.
fn play(steps: &[Step], saw: &mut BTreeSet<&'static str>) -> Table {
    let (mut table, mut replica, mut naive) = (Table::new(), Table::new(), Naive::default());
    let mut ids = vec![(SessionId::new(1_000_000), 0)];
    for (index, step) in (1..).zip(steps) {
        let place = LogIndex::new(index);
        match step {
            Step::Register { nonce } => {
                let registered = table.register(place, *nonce).expect("indexes grow");
                assert_eq!(replica.register(place, *nonce), Ok(registered));
                let evicted = registered.evicted.map(SessionId::value);
                let expected = naive.register(index, *nonce);
                let id = registered.session.value();
                assert_eq!((id, registered.is_new, evicted), expected);
                saw.insert(match (registered.is_new, evicted) {
                    (false, _) => "found",
                    (true, Some(_)) => "evicted",
                    (true, None) => "registered",
                });
                ids.push((registered.session, *nonce));
            }
            Step::Unregister { pick, nonce } => {
                let (id, own) = ids[ids.len().saturating_sub(pick + 1)];
                let nonce = nonce.or(own);
                let was = naive.unregister(id.value(), nonce);
                assert_eq!(table.unregister(id, nonce), was);
                assert_eq!(replica.unregister(id, nonce), was);
            }
            Step::Command {
                pick,
                nonce,
                number,
                first,
                answer,
            } => {
                let (session, own) = ids[ids.len().saturating_sub(pick + 1)];
                let nonce = nonce.or(own);
                let (number, first_unacknowledged) = (*number, *first);
                let request = Request {
                    session,
                    nonce,
                    number,
                    first_unacknowledged,
                };
                let expected = naive.command(index, request, answer);
                assert_eq!(command(&mut table, index, request, answer), expected);
                assert_eq!(command(&mut replica, index, request, answer), expected);
                saw.insert(expected.0);
            }
            Step::Transfer => replica = restored(&encoded(&table)).expect("our own bytes"),
        }
        assert_eq!(replica, table);
        assert_eq!(table.len(), naive.sessions.len());
        assert_eq!(table.is_empty(), naive.sessions.is_empty());
        for (id, _) in &ids {
            assert_eq!(
                table.contains(*id),
                naive.sessions.contains_key(&id.value())
            );
        }
    }
    table
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    })
}

#[test]
fn the_table_does_what_maps_do() {
    let saw = RefCell::new(BTreeSet::new());
    let steps = prop::collection::vec(step(), 0..80);
    let result = runner(2_000).run(&steps, |steps| {
        play(&steps, &mut saw.borrow_mut());
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    let all = [
        "ahead",
        "contradictory",
        "evicted",
        "expired",
        "forgotten",
        "found",
        "fresh",
        "registered",
        "repeated",
    ];
    assert!(saw.borrow().iter().eq(&all), "only {saw:?} were reached");
}

#[test]
fn bytes_have_one_meaning_and_tables_one_encoding() {
    let steps = prop::collection::vec(step(), 0..60);
    let result = runner(500).run(
        &(steps, any::<prop::sample::Index>(), any::<u8>()),
        |input| {
            let (steps, place, byte) = input;
            let table = play(&steps, &mut BTreeSet::new());
            let bytes = encoded(&table);
            assert_eq!(restored(&bytes).as_ref(), Ok(&table));
            for cut in 0..bytes.len() {
                assert_eq!(restored(&bytes[..cut]), Err(DecodeError::Truncated));
                let short = table.encode(&mut [0; 512][..cut]).map(<[u8]>::len);
                assert_eq!(
                    short,
                    Err(BufferTooSmall {
                        needed: bytes.len()
                    })
                );
            }
            let longer = [&bytes[..], &[byte]].concat();
            assert_eq!(restored(&longer), Err(DecodeError::TrailingBytes));
            // A damaged one is refused, and changes nothing, or is the encoding of what it made.
            let mut damaged = bytes.clone();
            damaged[place.index(bytes.len())] = byte;
            let mut other = table.clone();
            match other.restore(&damaged) {
                Ok(()) => assert_eq!(encoded(&other), damaged),
                Err(_) => assert_eq!(other, table),
            }
            Ok(())
        },
    );
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Whatever is taken in works, and is written as it was read.
#[test]
fn any_bytes_are_refused_or_taken() {
    let taken = RefCell::new(0);
    let tail = prop::collection::vec(
        prop_oneof![3 => Just(0), 1 => Just(255), 1 => any::<u8>()],
        0..160,
    );
    let steps = prop::collection::vec(step(), 0..20);
    let result = runner(4_000).run(&(0..4u8, tail, steps), |(count, tail, steps)| {
        let bytes = [&[1, 3, 0, 3, 0, 4, 0, count, 0][..], &tail].concat();
        for bytes in [&bytes[..], &tail] {
            let Ok(mut table) = restored(bytes) else {
                continue;
            };
            *taken.borrow_mut() += 1;
            assert_eq!(encoded(&table), bytes);
            for (index, step) in (0..).zip(steps.clone()) {
                if let Step::Register { nonce } = step {
                    let _ = table.register(LogIndex::new(index), nonce);
                } else if let Step::Command {
                    pick,
                    nonce,
                    number,
                    first,
                    answer,
                } = step
                {
                    let session = SessionId::new(pick as u64);
                    let (nonce, first_unacknowledged) = (nonce.or(0), first);
                    let request = Request {
                        session,
                        nonce,
                        number,
                        first_unacknowledged,
                    };
                    command(&mut table, index, request, &answer);
                }
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(*taken.borrow() > 0, "nothing was taken: nothing was tried");
}

#[test]
fn tables_that_cannot_be_are_refused_with_the_reason() {
    let mut table = Table::new();
    for (index, nonce) in [(5, 1), (9, 2)] {
        table
            .register(LogIndex::new(index), nonce)
            .expect("in order");
    }
    let bytes = encoded(&table);
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        restored(&bytes)
    };
    assert_eq!(with(0, 2), Err(DecodeError::UnknownVersion(2)));
    for capacity in [1, 3, 5] {
        assert_eq!(with(capacity, 9), Err(DecodeError::OtherCapacities));
    }
    assert_eq!(with(7, 4), Err(DecodeError::Malformed)); // four sessions
    for name in [5, 4] {
        // The second session is not named after the first.
        assert_eq!(with(9 + 32 + 3 * 2, name), Err(DecodeError::Malformed));
    }
    assert_eq!(with(9 + 16, 4), Err(DecodeError::Malformed)); // used before it was registered
    let session = 32 + 3 * 2; // without answers
    assert_eq!(with(9 + session + 8, 1), Err(DecodeError::NonceTwice(1)));
    let mut long = bytes.clone();
    long[9 + 32..][..2].copy_from_slice(&[5, 0]); // an answer of five bytes
    assert_eq!(restored(&long), Err(DecodeError::Malformed));
    // The last number but one is the first unacknowledged: it stands at 2, and the last at 0.
    for (place, expected) in [(0, true), (1, false), (2, true)] {
        let mut last = bytes.clone();
        last[9 + 24..][..8].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
        last[9 + 32 + 2 * place..][..2].copy_from_slice(&[0, 0]);
        let refused = restored(&last) == Err(DecodeError::Malformed);
        assert_eq!(refused, !expected, "an answer at {place}");
    }
    assert_eq!(restored(&bytes), Ok(table));
}

/// The layout, byte by byte: what is stored outlives the release that stored it.
#[test]
fn the_layout_is_the_documented_one() {
    let mut table = Table::new();
    table
        .register(LogIndex::new(0x0102), 0x0304)
        .expect("empty");
    let request = Request {
        session: SessionId::new(0x0102),
        nonce: 0x0304,
        number: 7,
        first_unacknowledged: 6,
    };
    command(&mut table, 0x0506, request, &[0xaa, 0xbb]);
    let number = |number: u64| number.to_le_bytes().to_vec();
    let expected = [
        vec![1, 3, 0, 3, 0, 4, 0, 1, 0],
        number(0x0102),
        number(0x0304),
        number(0x0506),
        number(6),
        vec![0xff, 0xff],       // 6: not executed
        vec![2, 0, 0xaa, 0xbb], // 7
        vec![0xff, 0xff],       // 8
    ];
    assert_eq!(encoded(&table), expected.concat());
    assert_eq!(Table::ENCODED_BYTES_MAX, 9 + 3 * (32 + 3 * 6));
}

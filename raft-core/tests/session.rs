//! Sessions by example: what repeats, what is forgotten, who is evicted, and the mistakes that are
//! made with such tables.

use std::collections::BTreeMap;

use raft_core::LogIndex;
use raft_core::session::{AnswerTooLong, OutOfOrder, Outcome, Registered};
use raft_core::session::{Request, SessionId, Sessions};

type Table = Sessions<3, 4, 8>;

/// A log of commands, each of which appends its byte to `executed` and is answered by it.
#[derive(Default)]
struct Machine {
    index: u64,
    table: Table,
    /// What each client registered with.
    nonces: BTreeMap<SessionId, u64>,
    executed: Vec<u8>,
}

#[derive(PartialEq, Debug)]
enum Told {
    Answer(Vec<u8>),
    Again(Vec<u8>),
    Forgotten,
    Ahead,
    Contradictory,
    Expired,
}

impl Machine {
    fn next(&mut self) -> LogIndex {
        self.index += 1;
        LogIndex::new(self.index)
    }

    fn register(&mut self, nonce: u64) -> Registered {
        let index = self.next();
        let registered = self.table.register(index, nonce).expect("in order");
        self.nonces.insert(registered.session, nonce);
        registered
    }

    fn session(&mut self, nonce: u64) -> SessionId {
        self.register(nonce).session
    }

    fn command(&mut self, session: SessionId, number: u64, first: u64, byte: u8) -> Told {
        let nonce = self.nonces[&session];
        self.request(session, nonce, number, first, byte)
    }

    fn request(
        &mut self,
        session: SessionId,
        nonce: u64,
        number: u64,
        first_unacknowledged: u64,
        byte: u8,
    ) -> Told {
        let request = Request {
            session,
            nonce,
            number,
            first_unacknowledged,
        };
        let index = self.next();
        match self.table.begin(index, request) {
            Outcome::Fresh(mut place) => {
                self.executed.push(byte);
                place.record(&[byte]).expect("one byte fits");
                Told::Answer(vec![byte])
            }
            Outcome::Repeated(answer) => Told::Again(answer.to_vec()),
            Outcome::Forgotten => Told::Forgotten,
            Outcome::Ahead => Told::Ahead,
            Outcome::Contradictory => Told::Contradictory,
            Outcome::Expired => Told::Expired,
        }
    }
}

fn answer(byte: u8) -> Told {
    Told::Answer(vec![byte])
}

fn again(byte: u8) -> Told {
    Told::Again(vec![byte])
}

#[test]
fn a_session_is_named_by_the_index_of_its_registration() {
    let mut machine = Machine {
        index: 40,
        ..Machine::default()
    };
    let registered = machine.register(7);
    assert_eq!(registered.session, SessionId::new(41));
    assert!(registered.is_new);
    assert_eq!(registered.evicted, None);
    assert!(machine.table.contains(SessionId::new(41)));
    assert_eq!(machine.table.len(), 1);
}

#[test]
fn a_command_committed_twice_is_executed_once() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 0, 0, 1), answer(1));
    assert_eq!(machine.command(session, 0, 0, 1), again(1));
    assert_eq!(machine.command(session, 1, 1, 2), answer(2));
    assert_eq!(machine.executed, [1, 2]);
}

/// The classic mistake of a table with one answer per session: the retry of an older command of
/// the pipeline finds the answer of a newer one, or is executed again.
#[test]
fn answers_of_a_pipeline_return_in_any_order_of_retries() {
    let numbers = [0, 1, 2, 3];
    for first in numbers {
        for second in numbers {
            let mut machine = Machine::default();
            let session = machine.session(7);
            // The log has them in another order than the client sent them.
            for number in [2, 0, 3, 1] {
                let byte = 10 + number as u8;
                assert_eq!(machine.command(session, number, 0, byte), answer(byte));
            }
            for number in [first, second, first] {
                let byte = 10 + number as u8;
                assert_eq!(machine.command(session, number, 0, byte), again(byte));
            }
            assert_eq!(machine.executed, [12, 10, 13, 11]);
        }
    }
}

/// The other classic mistake: an evicted session is opened again by the retry itself, which is
/// then executed a second time.
#[test]
fn a_retry_after_eviction_is_not_executed() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 0, 0, 1), answer(1));
    for nonce in 100..103 {
        machine.register(nonce);
    }
    assert_eq!(machine.command(session, 0, 0, 1), Told::Expired);
    // Nor when the client has a new session: the request names the old one.
    let renewed = machine.session(7);
    assert_ne!(renewed, session);
    assert_eq!(machine.command(session, 0, 0, 1), Told::Expired);
    assert_eq!(machine.executed, [1]);
    assert_eq!(machine.command(renewed, 0, 0, 2), answer(2));
}

#[test]
fn the_session_whose_last_use_has_the_lowest_index_is_evicted() {
    let mut machine = Machine::default();
    let [one, two, three] = [1, 2, 3].map(|nonce| machine.session(nonce));
    // Every request is a use, a repetition and a refused one too.
    assert_eq!(machine.command(two, 0, 0, 1), answer(1));
    assert_eq!(machine.command(one, 9, 0, 1), Told::Ahead);
    assert_eq!(machine.register(4).evicted, Some(three));
    assert_eq!(machine.command(two, 0, 0, 1), again(1));
    assert_eq!(machine.register(5).evicted, Some(one));
    assert!(machine.table.contains(two));
    assert_eq!(machine.table.len(), 3);
}

#[test]
fn an_acknowledged_answer_is_forgotten_and_not_computed_again() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 0, 0, 1), answer(1));
    assert_eq!(machine.command(session, 1, 0, 2), answer(2));
    assert_eq!(machine.command(session, 2, 1, 3), answer(3));
    assert_eq!(machine.command(session, 0, 0, 1), Told::Forgotten);
    assert_eq!(machine.command(session, 1, 0, 2), again(2));
    assert_eq!(machine.executed, [1, 2, 3]);
}

/// A late copy carries an old acknowledgement; taking it back would open used places again.
#[test]
fn an_acknowledgement_is_not_taken_back() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    for number in 0..6 {
        let byte = number as u8;
        assert_eq!(machine.command(session, number, number, byte), answer(byte));
    }
    assert_eq!(machine.command(session, 4, 0, 4), Told::Forgotten);
    assert_eq!(machine.command(session, 5, 2, 5), again(5));
    assert_eq!(machine.command(session, 8, 0, 8), answer(8));
    assert_eq!(machine.executed, [0, 1, 2, 3, 4, 5, 8]);
}

#[test]
fn a_command_beyond_the_window_is_not_executed_until_there_is_room() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 4, 0, 4), Told::Ahead);
    assert_eq!(machine.command(session, 3, 0, 3), answer(3));
    assert_eq!(machine.command(session, 4, 1, 4), answer(4));
    assert_eq!(machine.command(session, 4, 1, 4), again(4));
    assert_eq!(machine.executed, [3, 4]);
}

/// The acknowledgement of another copy made the room.
#[test]
fn a_late_copy_of_a_command_that_was_ahead_is_executed() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 4, 0, 4), Told::Ahead);
    assert_eq!(machine.command(session, 1, 1, 1), answer(1));
    assert_eq!(machine.command(session, 4, 0, 4), answer(4));
    assert_eq!(machine.executed, [1, 4]);
}

/// The client would be told of its own answer that it is gone, and lose those of others.
#[test]
fn a_command_that_acknowledges_itself_drops_no_answer() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 0, 0, 1), answer(1));
    for (number, first) in [(1, 2), (0, 1), (1, u64::MAX)] {
        let told = machine.command(session, number, first, 9);
        assert_eq!(told, Told::Contradictory);
    }
    assert_eq!(machine.command(session, 0, 0, 1), again(1));
    assert_eq!(machine.command(session, 1, 0, 2), answer(2));
    assert_eq!(machine.executed, [1, 2]);
}

/// Two groups name their sessions alike. A client of the one, or of the time before the group was
/// set up anew, is told nothing of what a client of the other did, and changes nothing.
#[test]
fn a_session_of_another_group_is_expired() {
    let mut machine = Machine::default();
    let [one, two, three] = [1, 2, 3].map(|nonce| machine.session(nonce));
    assert_eq!(machine.command(one, 0, 0, 1), answer(1));
    assert_eq!(machine.command(two, 0, 0, 2), answer(2));
    let before = machine.table.clone();
    for (number, first) in [(0, 0), (1, 1), (9, 0), (0, 1)] {
        let told = machine.request(three, 4, number, first, 9);
        assert_eq!(told, Told::Expired);
    }
    assert!(!machine.table.unregister(three, 4));
    assert_eq!(machine.table, before);
    // Nor was the session used: it is the first to go.
    assert_eq!(machine.register(5).evicted, Some(three));
    assert_eq!(machine.executed, [1, 2]);
}

/// A client that drew a nonce which another has hears of it, and gets a session of its own.
#[test]
fn a_nonce_that_is_taken_is_told_from_a_new_session() {
    let mut machine = Machine::default();
    let first = machine.register(7);
    assert_eq!(machine.command(first.session, 0, 0, 1), answer(1));
    let found = machine.register(7);
    let expected = Registered {
        session: first.session,
        is_new: false,
        evicted: None,
    };
    assert_eq!(found, expected);
    let own = machine.register(8);
    assert!(own.is_new);
    assert_ne!(own.session, first.session);
    assert_eq!(machine.command(own.session, 0, 0, 2), answer(2));
}

/// What was sent under the first session of a nonce is no command of the second.
#[test]
fn a_second_session_for_a_nonce_knows_nothing_of_the_first() {
    let mut machine = Machine::default();
    let first = machine.session(7);
    assert_eq!(machine.command(first, 0, 0, 1), answer(1));
    for nonce in 100..103 {
        machine.register(nonce);
    }
    let second = machine.register(7);
    assert!(second.is_new);
    assert_eq!(machine.command(first, 0, 0, 1), Told::Expired);
    assert_eq!(machine.command(first, 1, 0, 2), Told::Expired);
    assert_eq!(machine.command(second.session, 0, 0, 3), answer(3));
    assert_eq!(machine.executed, [1, 3]);
}

#[test]
fn a_registration_committed_twice_gives_one_session() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    assert_eq!(machine.command(session, 0, 0, 1), answer(1));
    let repeated = machine.register(7);
    assert_eq!(repeated.session, session);
    assert!(!repeated.is_new);
    assert_eq!(machine.table.len(), 1);
    assert_eq!(machine.command(session, 0, 0, 1), again(1));
    // It is a use: the others go first.
    let other = machine.session(8);
    machine.register(9);
    machine.register(7);
    assert_eq!(machine.register(10).evicted, Some(other));
}

#[test]
fn entries_out_of_order_register_nobody() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    let before = machine.table.clone();
    for index in [0, session.value()] {
        let refused = machine.table.register(LogIndex::new(index), 8);
        assert_eq!(refused, Err(OutOfOrder { newest: session }));
        assert_eq!(machine.table, before);
    }
}

/// Entries applied again on a state that has them already: what is caught, and what is not.
#[test]
fn a_registration_applied_again_is_caught_if_its_session_was_evicted() {
    let mut machine = Machine::default();
    for nonce in 1..5 {
        machine.register(nonce); // the fourth evicts the first
    }
    let newest = SessionId::new(4);
    let again = machine.table.register(LogIndex::new(1), 1);
    assert_eq!(again, Err(OutOfOrder { newest }));
    let found = machine.table.register(LogIndex::new(2), 2);
    assert_eq!(found.map(|found| found.is_new), Ok(false));
    for nonce in 2..5 {
        assert!(machine.table.unregister(SessionId::new(nonce), nonce));
    }
    let opened = machine.table.register(LogIndex::new(2), 2);
    assert_eq!(opened.map(|opened| opened.is_new), Ok(true));
}

#[test]
fn a_client_that_leaves_gives_its_place_back() {
    let mut machine = Machine::default();
    let [one, two, three] = [1, 2, 3].map(|nonce| machine.session(nonce));
    assert!(machine.table.unregister(two, 2));
    assert!(!machine.table.unregister(two, 2));
    assert_eq!(machine.command(two, 0, 0, 1), Told::Expired);
    assert_eq!(machine.register(4).evicted, None);
    assert!(machine.table.contains(one) && machine.table.contains(three));
}

#[test]
fn an_answer_too_long_is_refused_and_the_command_counts_as_executed() {
    let mut table = Table::new();
    let session = table.register(LogIndex::new(1), 7).expect("empty").session;
    let request = Request {
        session,
        nonce: 7,
        number: 0,
        first_unacknowledged: 0,
    };
    let Outcome::Fresh(mut place) = table.begin(LogIndex::new(2), request) else {
        panic!("the first command is fresh");
    };
    let too_long = AnswerTooLong { len: 9, len_max: 8 };
    assert_eq!(place.record(&[1; 9]), Err(too_long));
    let outcome = table.begin(LogIndex::new(3), request);
    assert_eq!(outcome, Outcome::Repeated(&[]));
}

#[test]
fn numbers_at_the_end_of_their_range_do_not_wrap() {
    let mut machine = Machine::default();
    let session = machine.session(7);
    let last = u64::MAX;
    assert_eq!(machine.command(session, last, last - 1, 1), answer(1));
    assert_eq!(machine.command(session, last - 1, 0, 2), answer(2));
    assert_eq!(machine.command(session, last, last, 1), again(1));
    assert_eq!(machine.command(session, 0, 0, 3), Told::Forgotten);
    assert_eq!(machine.executed, [1, 2]);
}

fn ledger<const S: usize, const K: usize, const A: usize>() -> usize {
    let bytes = size_of::<Sessions<S, K, A>>();
    println!("{S} sessions, {K} outstanding, answers of {A}: {bytes} bytes");
    let session = (32 + K * (4 + A).next_multiple_of(2)).next_multiple_of(8);
    assert!(bytes <= S * session + 8, "{bytes} bytes");
    bytes
}

/// What the module promises: `cargo test -p raft-core --test session -- --nocapture`.
#[test]
fn tables_fit_their_budget() {
    assert!(ledger::<4, 1, 8>() <= 200);
    assert!(ledger::<8, 4, 8>() <= 648);
    assert!(ledger::<8, 4, 7>() <= 648);
    assert!(ledger::<5, 3, 1>() <= 288);
    assert!(ledger::<16, 8, 16>() <= 3_080);
    assert!(ledger::<256, 16, 64>() <= 286_728);
}

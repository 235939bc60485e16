//! A table of client sessions under committed commands, beside a replica that lives on snapshots.

use std::collections::BTreeSet;

use raft_core::LogIndex;
use raft_core::session::{Outcome, Request, SessionId, Sessions};

use crate::bytes::Bytes;

type Table = Sessions<3, 4, 8>;
type Larger = Sessions<4, 7, 9>;

/// Reads `data` as a table that a snapshot may hold, then as commands.
///
/// # Panics
///
/// When a command is executed twice, a snapshot changes anything, a table has two encodings, or an
/// enlarged one gives other answers.
pub fn session_table(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut table = Table::new();
    if bytes.one_in(4) {
        let held = data.get(1..).unwrap_or_default();
        match table.restore(held) {
            Ok(()) => assert_eq!(encoded(&table), held),
            Err(_) => assert_eq!(table, Table::new()),
        }
        let mut larger = Larger::new();
        let is_enlarged = larger.restore_enlarged(held).is_ok();
        assert!(is_enlarged || table.is_empty());
        // What was executed before is not known, but the names are those at their places, and the
        // nonces behind them.
        let numbers = held.get(9..).unwrap_or_default().chunks(8);
        let numbers = numbers.map(|number| number.try_into().map_or(0, u64::from_le_bytes));
        for (session, nonce) in numbers.clone().zip(numbers.skip(1)) {
            let request = request(&mut bytes, (SessionId::new(session), nonce));
            command(&mut table, u64::MAX, request);
            let _ = larger.begin(LogIndex::new(u64::MAX), request);
        }
        return;
    }
    let (mut replica, mut executed) = (Table::new(), BTreeSet::new());
    let mut names = vec![(SessionId::new(0), 0)];
    for index in 1..400 {
        let Some(operation) = bytes.first() else {
            break;
        };
        let (session, nonce) = names[names.len() - 1 - bytes.below(names.len().min(6))];
        // A client that says another nonce, now and then.
        let client = (session, nonce ^ u64::from(operation >> 6));
        match operation % 8 {
            0 => {
                let (place, nonce) = (LogIndex::new(index), bytes.u8().into());
                let registered = table.register(place, nonce).expect("indexes grow");
                assert_eq!(replica.register(place, nonce), Ok(registered));
                let is_known = names.contains(&(registered.session, nonce));
                assert_eq!(registered.is_new, !is_known);
                names.push((registered.session, nonce));
            }
            1 => {
                let is_closed = table.unregister(session, client.1);
                assert_eq!(replica.unregister(session, client.1), is_closed);
                assert!(!is_closed || client.1 == nonce);
            }
            2 => {
                replica = Table::new();
                replica.restore(&encoded(&table)).expect("our own bytes");
                compare(&table, (session, nonce));
            }
            _ => {
                let request = request(&mut bytes, client);
                let is_fresh = command(&mut table, index, request);
                assert_eq!(command(&mut replica, index, request), is_fresh);
                assert!(!is_fresh || executed.insert((session, request.number)));
                assert!(!is_fresh || client.1 == nonce);
            }
        }
        assert_eq!(table, replica);
    }
}

/// An enlarged table tells a client what the smaller one does, unless that has no room.
fn compare(table: &Table, client: (SessionId, u64)) {
    let mut larger = Larger::new();
    let enlarged = larger.restore_enlarged(&encoded(table));
    enlarged.expect("our own bytes");
    assert_eq!(larger.len(), table.len());
    let (session, nonce) = client;
    for number in (0..12).chain(u64::MAX - 8..=u64::MAX) {
        let request = Request {
            session,
            nonce,
            number,
            first_unacknowledged: 0,
        };
        let (mut table, mut larger) = (table.clone(), larger.clone());
        let index = LogIndex::new(u64::MAX);
        match (table.begin(index, request), larger.begin(index, request)) {
            (Outcome::Fresh(_) | Outcome::Ahead, Outcome::Fresh(_)) => {}
            (Outcome::Repeated(one), Outcome::Repeated(other)) => assert_eq!(one, other),
            (Outcome::Forgotten, Outcome::Forgotten) => {}
            (Outcome::Ahead, Outcome::Ahead) | (Outcome::Expired, Outcome::Expired) => {}
            other => panic!("{number}: {other:?}"),
        }
    }
}

fn request(bytes: &mut Bytes<'_>, (session, nonce): (SessionId, u64)) -> Request {
    let (number, first_unacknowledged) = (bytes.number(3), bytes.number(2));
    Request {
        session,
        nonce,
        number,
        first_unacknowledged,
    }
}

/// Whether the command was fresh; what it is answered says which one it was.
fn command(table: &mut Table, index: u64, request: Request) -> bool {
    let answer = request.number.to_le_bytes();
    match table.begin(LogIndex::new(index), request) {
        Outcome::Fresh(mut place) => {
            place.record(&answer).expect("eight bytes fit");
            return true;
        }
        Outcome::Repeated(recorded) if index < u64::MAX => assert_eq!(recorded, answer),
        Outcome::Contradictory => assert!(request.first_unacknowledged > request.number),
        Outcome::Repeated(_) | Outcome::Forgotten | Outcome::Ahead | Outcome::Expired => {}
    }
    false
}

fn encoded(table: &Table) -> Vec<u8> {
    let mut bytes = [0; Table::ENCODED_BYTES_MAX];
    table.encode(&mut bytes).expect("the longest").to_vec()
}

//! A table of client sessions under committed commands, beside a replica that lives on snapshots.

use std::collections::BTreeSet;

use raft_core::LogIndex;
use raft_core::session::{Outcome, Request, SessionId, Sessions};

use crate::bytes::Bytes;

type Table = Sessions<3, 4, 8>;

/// Reads `data` as a table that a snapshot may hold, then as commands.
///
/// # Panics
///
/// When a command is executed twice, a snapshot changes anything, or a table has two encodings.
pub fn session_table(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut table = Table::new();
    if bytes.one_in(4) {
        let held = data.get(1..).unwrap_or_default();
        match table.restore(held) {
            Ok(()) => assert_eq!(encoded(&table), held),
            Err(_) => assert_eq!(table, Table::new()),
        }
        // What was executed before is not known, but the names are those at their places.
        for session in held.get(9..).unwrap_or_default().chunks(8) {
            let session = session.try_into().map_or(0, u64::from_le_bytes);
            command(
                &mut table,
                u64::MAX,
                request(&mut bytes, SessionId::new(session)),
            );
        }
        return;
    }
    let (mut replica, mut executed) = (Table::new(), BTreeSet::new());
    let mut names = vec![SessionId::new(0)];
    for index in 1..400 {
        let Some(operation) = bytes.first() else {
            break;
        };
        let session = names[names.len() - 1 - bytes.below(names.len().min(6))];
        match operation % 8 {
            0 => {
                let (place, nonce) = (LogIndex::new(index), bytes.u8().into());
                let registered = table.register(place, nonce).expect("indexes grow");
                assert_eq!(replica.register(place, nonce), Ok(registered));
                names.push(registered.session);
            }
            1 => assert_eq!(table.unregister(session), replica.unregister(session)),
            2 => {
                replica = Table::new();
                replica.restore(&encoded(&table)).expect("our own bytes");
            }
            _ => {
                let request = request(&mut bytes, session);
                let is_fresh = command(&mut table, index, request);
                assert_eq!(command(&mut replica, index, request), is_fresh);
                assert!(!is_fresh || executed.insert((session, request.number)));
            }
        }
        assert_eq!(table, replica);
    }
}

fn request(bytes: &mut Bytes<'_>, session: SessionId) -> Request {
    let (number, first_unacknowledged) = (bytes.number(3), bytes.number(2));
    Request {
        session,
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
        Outcome::Repeated(_) | Outcome::Forgotten | Outcome::Ahead | Outcome::Expired => {}
    }
    false
}

fn encoded(table: &Table) -> Vec<u8> {
    let mut bytes = [0; Table::ENCODED_BYTES_MAX];
    table.encode(&mut bytes).expect("the longest").to_vec()
}

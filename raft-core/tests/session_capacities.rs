//! A table that is enlarged: all members at one place of the log, or they part.

use raft_core::LogIndex;
use raft_core::session::{DecodeError, Outcome, Request, SessionId, Sessions};

type Small = Sessions<2, 3, 4>;
type Large = Sessions<3, 5, 7>;

fn request(session: SessionId, nonce: u64, number: u64, first_unacknowledged: u64) -> Request {
    Request {
        session,
        nonce,
        number,
        first_unacknowledged,
    }
}

fn encoded<const S: usize, const K: usize, const A: usize>(table: &Sessions<S, K, A>) -> Vec<u8> {
    let mut bytes = vec![0; table.encoded_len()];
    table.encode(&mut bytes).expect("long enough");
    bytes
}

fn enlarged(bytes: &[u8]) -> Result<Large, DecodeError> {
    let mut table = Large::new();
    table.restore_enlarged(bytes).map(|()| table)
}

/// One session (2, nonce 7) whose numbers below `first` are acknowledged, and which has executed
/// `first` and the one two further on.
fn small(first: u64) -> Small {
    let mut table = Small::new();
    table.register(LogIndex::new(2), 7).expect("empty");
    for (index, number) in [(3, first), (4, first + 2)] {
        let request = request(SessionId::new(2), 7, number, first);
        let Outcome::Fresh(mut place) = table.begin(LogIndex::new(index), request) else {
            panic!("{number} is fresh");
        };
        let answer = [number as u8; 4];
        place.record(&answer[..index as usize]).expect("it fits");
    }
    table
}

#[test]
fn an_enlarged_table_gives_the_answers_of_the_smaller() {
    for first in (0..20).chain([u64::MAX - 2]) {
        let mut table = small(first);
        let mut large = enlarged(&encoded(&table)).expect("larger in all");
        let index = LogIndex::new(5);
        let last = first.saturating_add(3);
        for number in first.saturating_sub(3)..=last {
            let request = request(SessionId::new(2), 7, number, 0);
            match (table.begin(index, request), large.begin(index, request)) {
                (Outcome::Repeated(one), Outcome::Repeated(other)) => assert_eq!(one, other),
                (Outcome::Fresh(_), Outcome::Fresh(_)) => assert_eq!(number, first + 1),
                (Outcome::Forgotten, Outcome::Forgotten) => assert!(number < first),
                // There is more room.
                (Outcome::Ahead, Outcome::Fresh(_)) => assert_eq!(number, first + 3),
                other => panic!("{first}, {number}: {other:?}"),
            }
        }
        // It is a table like any other of its size.
        let mut copy = Large::new();
        assert_eq!(copy.restore(&encoded(&large)), Ok(()));
        assert_eq!(copy, large);
    }
}

#[test]
fn members_that_enlarge_at_one_index_stay_alike() {
    let table = small(1);
    let mut through_a_snapshot = Small::new();
    let restored = through_a_snapshot.restore(&encoded(&table));
    assert_eq!(restored, Ok(()));
    let mut members =
        [table, through_a_snapshot].map(|table| enlarged(&encoded(&table)).expect("larger in all"));
    for member in &mut members {
        for (index, nonce) in [(5, 8), (6, 9), (7, 10)] {
            member.register(LogIndex::new(index), nonce).expect("order");
        }
        let _ = member.begin(LogIndex::new(8), request(SessionId::new(5), 8, 4, 0));
    }
    let [one, other] = &members;
    assert_eq!(encoded(one), encoded(other));
}

/// Why [`Sessions::restore`] refuses other capacities.
#[test]
fn members_that_enlarge_at_different_indexes_part() {
    let (early, mut late) = (small(1), small(1));
    let mut early = enlarged(&encoded(&early)).expect("larger in all");
    for (index, nonce) in [(5, 8), (6, 9)] {
        early.register(LogIndex::new(index), nonce).expect("order");
        late.register(LogIndex::new(index), nonce).expect("order");
    }
    let late = enlarged(&encoded(&late)).expect("larger in all");
    assert!(early.contains(SessionId::new(2)));
    assert!(!late.contains(SessionId::new(2)));
}

#[test]
fn only_the_word_for_it_enlarges_and_nothing_makes_smaller() {
    let (small, other) = (encoded(&small(1)), Err(DecodeError::OtherCapacities));
    assert_eq!(Large::new().restore(&small), other);
    let large = enlarged(&small).expect("larger in all");
    let bytes = encoded(&large);
    assert_eq!(Small::new().restore_enlarged(&bytes), other);
    assert_eq!(Small::new().restore_enlarged(&small), Ok(()));
    assert_eq!(Sessions::<1, 3, 4>::new().restore_enlarged(&small), other);
    assert_eq!(Sessions::<2, 2, 4>::new().restore_enlarged(&small), other);
    assert_eq!(Sessions::<2, 3, 3>::new().restore_enlarged(&small), other);
    assert_eq!(Sessions::<4, 3, 4>::new().restore_enlarged(&small), Ok(()));
}

#[test]
fn smaller_tables_that_cannot_be_are_refused_with_the_reason() {
    let bytes = encoded(&small(1));
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        enlarged(&bytes)
    };
    for capacity in [1, 3] {
        assert_eq!(with(capacity, 0), Err(DecodeError::Malformed));
    }
    // Three sessions fit here, but not there; nor does an answer of four bytes fit three.
    assert_eq!(with(7, 3), Err(DecodeError::Malformed));
    assert_eq!(with(5, 3), Err(DecodeError::Malformed));
    assert_eq!(enlarged(&bytes[..20]), Err(DecodeError::Truncated));
    assert!(enlarged(&bytes).is_ok());
}

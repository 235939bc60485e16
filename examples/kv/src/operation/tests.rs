use super::*;
use proptest::prelude::*;

const STAMP: Timestamp = Timestamp(0x0102_0304_0506_0708);

fn encoded(change: Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let stamp = STAMP;
    Operation { stamp, change }.encode(&mut out);
    out
}

/// Kind, stamp, then the rest; and back.
#[track_caller]
fn golden(change: Change<'_>, kind: u8, rest: &[u8]) {
    let bytes = [&[kind, 8, 7, 6, 5, 4, 3, 2, 1], rest].concat();
    assert_eq!(encoded(change), bytes);
    let stamp = STAMP;
    assert_eq!(Operation::decode(&bytes), Ok(Operation { stamp, change }));
}

fn set(condition: Condition, expiry: Expiry, answer: Answer) -> Change<'static> {
    Change::Set {
        key: b"key",
        value: b"value",
        condition,
        expiry,
        answer,
    }
}

#[test]
fn golden_encodings() {
    let plain = set(Condition::Always, Expiry::Never, Answer::Status);
    golden(plain, 1, b"\x00\x03keyvalue");
    let kept = set(Condition::IfPresent, Expiry::Keep, Answer::Previous);
    golden(kept, 1, b"\x16\x03keyvalue");
    let expiry = Expiry::At(Timestamp(258));
    let expiring = set(Condition::IfAbsent, expiry, Answer::Count);
    golden(expiring, 1, b"\x29\x02\x01\0\0\0\0\0\0\x03keyvalue");

    let strings: &[&[u8]] = &[b"a", b"", b"b\n", b"c"];
    golden(
        Change::SetMany(strings.into()),
        2,
        b"\x04\x01a\x00\x02b\n\x01c",
    );
    golden(
        Change::Delete(strings.into()),
        3,
        b"\x04\x01a\x00\x02b\n\x01c",
    );
    let add = Change::Add { key: b"n", by: -2 };
    golden(add, 4, b"\xfe\xff\xff\xff\xff\xff\xff\xffn");
    let expire = Change::Expire {
        key: b"k",
        at: Timestamp(1),
        condition: ExpireCondition::IfEarlier,
    };
    golden(expire, 5, b"\x04\x01\0\0\0\0\0\0\0k");
    golden(Change::Persist { key: b"k" }, 6, b"k");
    golden(Change::Clear, 7, b"");
    let address = Change::Address {
        node: 3,
        peer: "h:1",
        client: "h:2",
    };
    golden(address, 8, b"\x03\0\0\0\0\0\0\0\x03h:1h:2");
    let vote = |is_wanted| Change::Vote { node: 3, is_wanted };
    golden(vote(false), 10, b"\x03\0\0\0\0\0\0\0\0");
    golden(vote(true), 10, b"\x03\0\0\0\0\0\0\0\x01");
    golden(Change::Forget { node: 3 }, 9, b"\x03\0\0\0\0\0\0\0");
}

#[test]
fn lengths_take_a_second_byte_from_128_on() {
    let key = [b'k'; 128];
    let bytes = encoded(Change::Delete([&key[..]].as_slice().into()));
    assert_eq!(bytes[9..12], [1, 0x80, 1]);
}

#[test]
fn malformed_operations_are_refused() {
    let fails = |rest: &[u8]| {
        let (kind, rest) = rest.split_first().unwrap();
        Operation::decode(&[&[*kind, 0, 0, 0, 0, 0, 0, 0, 0], rest].concat()).unwrap_err()
    };
    assert_eq!(Operation::decode(b""), Err(DecodeError::Truncated));
    assert_eq!(Operation::decode(b"\x07\0"), Err(DecodeError::Truncated));
    assert_eq!(fails(b"\x00"), DecodeError::Kind(0));
    assert_eq!(fails(b"\x0a"), DecodeError::Truncated);
    assert_eq!(fails(b"\x0b"), DecodeError::Kind(11));
    assert_eq!(fails(b"\x01\x03\x00"), DecodeError::Flags(3));
    assert_eq!(fails(b"\x01\x40\x00"), DecodeError::Flags(0x40));
    assert_eq!(fails(b"\x01\x00\x02k"), DecodeError::Truncated);
    assert_eq!(fails(b"\x03\x02\x01a"), DecodeError::Truncated);
    assert_eq!(fails(b"\x03\x80\x00"), DecodeError::Length);
    assert_eq!(fails(b"\x03\xff\xff\xff\xff\x7f"), DecodeError::Length);
    assert_eq!(fails(b"\x03\x00x"), DecodeError::Trailing);
    assert_eq!(fails(b"\x07x"), DecodeError::Trailing);
    assert_eq!(fails(b"\x08\0\0\0\0\0\0\0\0\x01\xff"), DecodeError::Address);
}

proptest! {
    #[test]
    fn any_bytes_are_an_operation_with_that_very_encoding_or_an_error(
        kind in 0u8..12,
        flags in 0u8..0x30,
        rest in proptest::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..60),
    ) {
        let bytes = [&[kind, 1, 2, 3, 4, 5, 6, 7, 8, flags], &rest[..]].concat();
        if let Ok(operation) = Operation::decode(&bytes) {
            let mut again = Vec::new();
            operation.encode(&mut again);
            prop_assert_eq!(bytes, again);
        }
    }

    #[test]
    fn lists_survive_the_round_trip(
        strings in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
    ) {
        let slices: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
        let change = Change::Delete(slices.as_slice().into());
        let bytes = encoded(change);
        prop_assert_eq!(Operation::decode(&bytes).unwrap().change, change);
    }
}

//! What values look like outside, without a format: `serde` itself brings just enough.

use std::fmt;

use quorum::{Member, MemberSet, NodeId};
use serde::de::value::{Error, U8Deserializer, U64Deserializer};
use serde::de::{Deserialize, IntoDeserializer};
use serde::ser::Serialize;

struct Shown<T>(T);

impl<T: Serialize> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

#[test]
fn member_survives_the_round_trip() {
    for index in 0..64u8 {
        let read: U8Deserializer<Error> = index.into_deserializer();
        let member = Member::deserialize(read).expect("an index below 64");
        assert_eq!(member.index(), usize::from(index));
        assert_eq!(Shown(member).to_string(), index.to_string());
    }
}

#[test]
fn member_out_of_range_is_refused() {
    for index in 64..=u8::MAX {
        let read: U8Deserializer<Error> = index.into_deserializer();
        assert!(Member::deserialize(read).is_err());
    }
}

#[test]
fn names_and_sets_are_plain_numbers() {
    let read: U64Deserializer<Error> = 0b101u64.into_deserializer();
    // A transparent newtype reads what its content reads.
    assert_eq!(
        MemberSet::deserialize(read),
        Ok(MemberSet::from_bits(0b101))
    );
    assert_eq!(Shown(MemberSet::from_bits(0b101)).to_string(), "5");
    assert_eq!(NodeId::deserialize(read), Ok(NodeId::new(5)));
    assert_eq!(Shown(NodeId::new(5)).to_string(), "5");
}

//! What values look like outside, without a format: `serde` itself brings just enough.

use std::fmt;

use clocks::{Duration, Instant};
use serde::de::value::{Error, U64Deserializer};
use serde::de::{Deserialize, IntoDeserializer};
use serde::ser::Serialize;

struct Shown<T>(T);

impl<T: Serialize> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

#[test]
fn instants_and_durations_are_plain_microseconds() {
    let read: U64Deserializer<Error> = 1_500u64.into_deserializer();
    assert_eq!(Instant::deserialize(read), Ok(Instant::from_micros(1_500)));
    assert_eq!(Shown(Instant::from_micros(1_500)).to_string(), "1500");
    assert_eq!(
        Duration::deserialize(read),
        Ok(Duration::from_micros(1_500))
    );
    assert_eq!(Shown(Duration::from_micros(1_500)).to_string(), "1500");
}

//! Turns what the map says into replies.

use crate::command::Read;
use crate::resp::encode::Encoder;
use crate::store::{Lifetime, Outcome, Store};
use crate::timestamp::Timestamp;

/// Answers a write once it has been applied.
pub fn write(outcome: &Outcome, encoder: &mut Encoder<'_>) {
    match outcome {
        Outcome::Done => encoder.ok(),
        Outcome::Refused => encoder.null(),
        Outcome::Integer(value) => encoder.integer(*value),
        Outcome::Value(value) => encoder.bulk_or_null(value.as_deref()),
        Outcome::NotAnInteger => encoder.error("ERR value is not an integer or out of range"),
        Outcome::Overflow => encoder.error("ERR increment or decrement would overflow"),
    }
}

/// Answers a read from the map as it is at `now`.
pub fn read(store: &Store, read: &Read<'_>, now: Timestamp, encoder: &mut Encoder<'_>) {
    match *read {
        Read::Get(key) => encoder.bulk_or_null(store.value(key, now)),
        Read::GetMany(keys) => {
            encoder.array(keys.len());
            for key in keys.iter() {
                encoder.bulk_or_null(store.value(key, now));
            }
        }
        Read::Exists(keys) => {
            let there = keys.iter().filter(|key| store.contains(key, now));
            encoder.count(there.count());
        }
        Read::Length(key) => encoder.count(store.value(key, now).map_or(0, <[u8]>::len)),
        Read::Type(key) => encoder.simple(match store.contains(key, now) {
            true => "string",
            false => "none",
        }),
        // Redis rounds to the nearest second, so that a TTL just set is the one that was set.
        Read::LifetimeSeconds(key) => lifetime(store.lifetime(key, now), encoder, |millis| {
            millis.saturating_add(500) / 1000
        }),
        Read::LifetimeMillis(key) => lifetime(store.lifetime(key, now), encoder, |millis| millis),
    }
}

fn lifetime(lifetime: Lifetime, encoder: &mut Encoder<'_>, unit: impl Fn(u64) -> u64) {
    encoder.integer(match lifetime {
        Lifetime::Absent => -2,
        Lifetime::Persistent => -1,
        Lifetime::Millis(millis) => i64::try_from(unit(millis)).unwrap_or(i64::MAX),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Change, Expiry, Operation};
    use crate::resp::Protocol;

    fn store() -> Store {
        let mut store = Store::default();
        for (key, expiry) in [
            (&b"forever"[..], Expiry::Never),
            (b"soon", Expiry::At(Timestamp(11_600))),
        ] {
            let change = Change::Set {
                key,
                value: b"value",
                condition: Default::default(),
                expiry,
                answer: Default::default(),
            };
            let stamp = Timestamp(10_000);
            store.apply(&Operation { stamp, change });
        }
        store
    }

    fn answered(question: Read<'_>) -> String {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, Protocol::Resp2);
        read(&store(), &question, Timestamp(10_000), &mut encoder);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn reads_are_answered_as_redis_does() {
        assert_eq!(answered(Read::Get(b"forever")), "$5\r\nvalue\r\n");
        assert_eq!(answered(Read::Get(b"none")), "$-1\r\n");
        assert_eq!(answered(Read::Length(b"soon")), ":5\r\n");
        assert_eq!(answered(Read::Type(b"soon")), "+string\r\n");
        assert_eq!(answered(Read::Type(b"none")), "+none\r\n");
        assert_eq!(answered(Read::LifetimeSeconds(b"soon")), ":2\r\n");
        assert_eq!(answered(Read::LifetimeMillis(b"soon")), ":1600\r\n");
        assert_eq!(answered(Read::LifetimeMillis(b"forever")), ":-1\r\n");
        assert_eq!(answered(Read::LifetimeSeconds(b"none")), ":-2\r\n");
    }

    #[test]
    fn outcomes_are_told_as_redis_does() {
        let told = |outcome: Outcome| {
            let mut out = Vec::new();
            write(&outcome, &mut Encoder::new(&mut out, Protocol::Resp3));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(told(Outcome::Done), "+OK\r\n");
        assert_eq!(told(Outcome::Refused), "_\r\n");
        assert_eq!(told(Outcome::Integer(-1)), ":-1\r\n");
        assert_eq!(told(Outcome::Value(Some(b"v"[..].into()))), "$1\r\nv\r\n");
        assert!(told(Outcome::Overflow).starts_with("-ERR increment"));
    }
}

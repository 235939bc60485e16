//! Commands about keys: the options of `SET` and `EXPIRE`, and the older commands they replaced.

use super::{
    Answer, Command, CommandError, Condition, ExpireCondition, Read, Stay, When, Words, Write, is,
};

type Parsed<'a> = Result<Command<'a>, CommandError>;

/// How a client counts time.
#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    fn millis(self, amount: i64) -> Option<i64> {
        match self {
            Self::Seconds => amount.checked_mul(1000),
            Self::Millis => Some(amount),
        }
    }
}

/// Whether a client counts time from now or from 1970.
#[derive(Clone, Copy)]
enum Origin {
    Now,
    Epoch,
}

impl Origin {
    fn when(self, millis: i64) -> When {
        match self {
            Self::Now => When::In(millis),
            Self::Epoch => When::At(millis),
        }
    }
}

fn plain_set<'a>(key: &'a [u8], value: &'a [u8], stay: Stay) -> Command<'a> {
    Command::Write(Write::Set {
        key,
        value,
        condition: Condition::Always,
        stay,
        answer: Answer::Status,
    })
}

pub(super) fn set(mut words: Words<'_>) -> Parsed<'_> {
    let (key, value) = (words.word()?, words.word()?);
    let mut condition = None;
    let mut stay = None;
    let mut answer = Answer::Status;
    while let Some(option) = words.next() {
        let expiry = match option.to_ascii_uppercase().as_slice() {
            b"NX" => {
                once(&mut condition, Condition::IfAbsent)?;
                continue;
            }
            b"XX" => {
                once(&mut condition, Condition::IfPresent)?;
                continue;
            }
            b"GET" => {
                answer = Answer::Previous;
                continue;
            }
            b"KEEPTTL" => Stay::AsBefore,
            b"EX" => until(&mut words, Unit::Seconds, Origin::Now, "set")?,
            b"PX" => until(&mut words, Unit::Millis, Origin::Now, "set")?,
            b"EXAT" => until(&mut words, Unit::Seconds, Origin::Epoch, "set")?,
            b"PXAT" => until(&mut words, Unit::Millis, Origin::Epoch, "set")?,
            _ => return Err(CommandError::Syntax),
        };
        once(&mut stay, expiry)?;
    }
    Ok(Command::Write(Write::Set {
        key,
        value,
        condition: condition.unwrap_or_default(),
        stay: stay.unwrap_or_default(),
        answer,
    }))
}

/// Notes an option that must not be given twice, nor together with its rivals.
fn once<T>(place: &mut Option<T>, option: T) -> Result<(), CommandError> {
    match place.replace(option) {
        None => Ok(()),
        Some(_) => Err(CommandError::Syntax),
    }
}

/// The amount after `EX` and its like, which has to be positive.
fn until(
    words: &mut Words<'_>,
    unit: Unit,
    origin: Origin,
    name: &'static str,
) -> Result<Stay, CommandError> {
    let amount = words.integer()?;
    let millis = unit.millis(amount).filter(|millis| *millis > 0);
    let millis = millis.ok_or(CommandError::ExpireTime(name))?;
    Ok(Stay::Until(origin.when(millis)))
}

pub(super) fn set_if_absent(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Write(Write::Set {
        key: words.word()?,
        value: words.word()?,
        condition: Condition::IfAbsent,
        stay: Stay::Forever,
        answer: Answer::Count,
    }))
}

pub(super) fn get_and_set(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Write(Write::Set {
        key: words.word()?,
        value: words.word()?,
        condition: Condition::Always,
        stay: Stay::Forever,
        answer: Answer::Previous,
    }))
}

pub(super) fn set_seconds(mut words: Words<'_>) -> Parsed<'_> {
    let key = words.word()?;
    let stay = until(&mut words, Unit::Seconds, Origin::Now, "setex")?;
    Ok(plain_set(key, words.word()?, stay))
}

pub(super) fn set_millis(mut words: Words<'_>) -> Parsed<'_> {
    let key = words.word()?;
    let stay = until(&mut words, Unit::Millis, Origin::Now, "psetex")?;
    Ok(plain_set(key, words.word()?, stay))
}

pub(super) fn set_many(words: Words<'_>) -> Parsed<'_> {
    let pairs = words.rest();
    match pairs.len() % 2 {
        0 => Ok(Command::Write(Write::SetMany(pairs.into()))),
        _ => Err(CommandError::Arity("mset".into())),
    }
}

pub(super) fn delete(words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Write(Write::Delete(words.rest().into())))
}

pub(super) fn increment(words: Words<'_>) -> Parsed<'_> {
    add(words, 1)
}

pub(super) fn decrement(words: Words<'_>) -> Parsed<'_> {
    add(words, -1)
}

fn add(mut words: Words<'_>, by: i64) -> Parsed<'_> {
    let key = words.word()?;
    Ok(Command::Write(Write::Add { key, by }))
}

pub(super) fn increment_by(mut words: Words<'_>) -> Parsed<'_> {
    let (key, by) = (words.word()?, words.integer()?);
    Ok(Command::Write(Write::Add { key, by }))
}

pub(super) fn decrement_by(mut words: Words<'_>) -> Parsed<'_> {
    let (key, by) = (words.word()?, words.integer()?);
    let by = by.checked_neg().ok_or(CommandError::NotAnInteger)?;
    Ok(Command::Write(Write::Add { key, by }))
}

pub(super) fn expire_seconds(words: Words<'_>) -> Parsed<'_> {
    expire(words, Unit::Seconds, Origin::Now, "expire")
}

pub(super) fn expire_millis(words: Words<'_>) -> Parsed<'_> {
    expire(words, Unit::Millis, Origin::Now, "pexpire")
}

pub(super) fn expire_at_seconds(words: Words<'_>) -> Parsed<'_> {
    expire(words, Unit::Seconds, Origin::Epoch, "expireat")
}

pub(super) fn expire_at_millis(words: Words<'_>) -> Parsed<'_> {
    expire(words, Unit::Millis, Origin::Epoch, "pexpireat")
}

fn expire<'a>(mut words: Words<'a>, unit: Unit, origin: Origin, name: &'static str) -> Parsed<'a> {
    let (key, amount) = (words.word()?, words.integer()?);
    let millis = unit.millis(amount);
    let millis = millis.ok_or(CommandError::ExpireTime(name))?;
    let mut condition = None;
    while let Some(option) = words.next() {
        let chosen = match option.to_ascii_uppercase().as_slice() {
            b"NX" => ExpireCondition::IfPersistent,
            b"XX" => ExpireCondition::IfExpiring,
            b"GT" => ExpireCondition::IfLater,
            b"LT" => ExpireCondition::IfEarlier,
            _ => return Err(CommandError::expire_option(option)),
        };
        if condition
            .replace(chosen)
            .is_some_and(|other| other != chosen)
        {
            return Err(CommandError::ExpireOptions);
        }
    }
    Ok(Command::Write(Write::Expire {
        key,
        at: origin.when(millis),
        condition: condition.unwrap_or_default(),
    }))
}

pub(super) fn persist(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Write(Write::Persist(words.word()?)))
}

/// `FLUSHALL [ASYNC|SYNC]`: it is done when it is answered, either way.
pub(super) fn clear(mut words: Words<'_>) -> Parsed<'_> {
    match words.next() {
        None => {}
        Some(word) if is(word, "ASYNC") || is(word, "SYNC") => {}
        Some(_) => return Err(CommandError::Syntax),
    }
    words.end()?;
    Ok(Command::Write(Write::Clear))
}

pub(super) fn get(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::Get(words.word()?)))
}

pub(super) fn get_many(words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::GetMany(words.rest())))
}

pub(super) fn exists(words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::Exists(words.rest())))
}

pub(super) fn length(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::Length(words.word()?)))
}

pub(super) fn kind(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::Type(words.word()?)))
}

pub(super) fn lifetime_seconds(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::LifetimeSeconds(words.word()?)))
}

pub(super) fn lifetime_millis(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Read(Read::LifetimeMillis(words.word()?)))
}

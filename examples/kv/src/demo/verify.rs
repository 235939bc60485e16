//! Reads back every write from one node and compares.
//!
//! The keys are asked for in batches of `MGET`, several batches in flight. An acknowledged write whose key
//! is missing is lost; any key with another value than was written to it is wrong, whatever became of the
//! write. A write whose answer was lost may be there or not; how many are there is counted.

use core::fmt::Write as _;
use core::net::SocketAddr;
use core::ops::Range;

use super::client::{Connection, Lost};
use super::input::Input;
use super::ledger::Fate;
use crate::resp::reply::Reply;

/// Keys in one `MGET`.
const BATCH_LEN: usize = 100;

/// Batches in flight.
const BATCHES_MAX: usize = 8;

/// How many failures are described.
const EXAMPLES_MAX: usize = 5;

/// How a node is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The leader, which makes sure that it still leads before it answers.
    Linearizable,
    /// A node that answers from what it has applied.
    Local,
}

/// What a node had.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Acknowledged writes that were there.
    pub found: usize,
    /// Acknowledged writes that were missing.
    pub lost: usize,
    /// Writes in whose place there was another value.
    pub wrong: usize,
    /// Writes whose answer was lost and that did take place.
    pub unknown_found: usize,
    /// A few of the failures, for people.
    pub examples: Vec<String>,
}

impl Findings {
    fn compare(&mut self, fate: Fate, key: &[u8], expected: &[u8], found: Option<&[u8]>) {
        let failure = match (fate, found) {
            (Fate::Acknowledged, None) => {
                self.lost += 1;
                "is missing"
            }
            (_, Some(found)) if found != expected => {
                self.wrong += 1;
                "has another value"
            }
            (Fate::Refused, Some(_)) => {
                self.wrong += 1;
                "was refused and is there"
            }
            (Fate::Acknowledged, Some(_)) => {
                self.found += 1;
                return;
            }
            (Fate::Unknown, Some(_)) => {
                self.unknown_found += 1;
                return;
            }
            (Fate::Open, _) | (Fate::Unknown | Fate::Refused, None) => return,
        };
        if self.examples.len() < EXAMPLES_MAX {
            let mut example = String::new();
            // Writing into a string cannot fail.
            let _ = write!(example, "{} {failure}", key.escape_ascii());
            self.examples.push(example);
        }
    }
}

/// Reads all writes back from the node at `address`; says after each batch how many it has compared.
///
/// # Errors
/// The connection broke, or the node refused to answer, as one does that ceased to be the leader.
pub async fn read_back(
    address: SocketAddr,
    asking: Asking,
    input: &Input,
    fates: &[Fate],
    mut progress: impl FnMut(usize),
) -> Result<Findings, Lost> {
    let mut connection = Connection::open(address).await?;
    if asking == Asking::Local {
        let is_ok = |reply: &Reply<'_>| *reply == Reply::Simple(b"OK");
        if !connection.call(&[b"READONLY"], is_ok).await? {
            return Err(Lost("READONLY was refused".into()));
        }
    }
    let mut findings = Findings::default();
    let starts = || (0..fates.len()).step_by(BATCH_LEN);
    let batch = |start: usize| start..fates.len().min(start + BATCH_LEN);
    let mut unasked = starts();
    for start in unasked.by_ref().take(BATCHES_MAX) {
        ask(&mut connection, input, batch(start));
    }
    for start in starts() {
        connection.send().await?;
        let answer = |reply: &Reply<'_>| compare(input, fates, batch(start), reply, &mut findings);
        connection.receive(answer).await??;
        progress(batch(start).end);
        if let Some(start) = unasked.next() {
            ask(&mut connection, input, batch(start));
        }
    }
    Ok(findings)
}

fn ask(connection: &mut Connection, input: &Input, batch: Range<usize>) {
    let key = |number| {
        let mut key = Vec::new();
        input.key(number, &mut key);
        key
    };
    let keys: Vec<Vec<u8>> = batch.map(key).collect();
    let mut args: Vec<&[u8]> = vec![b"MGET"];
    args.extend(keys.iter().map(Vec::as_slice));
    connection.push(args.into_iter());
}

fn compare(
    input: &Input,
    fates: &[Fate],
    batch: Range<usize>,
    reply: &Reply<'_>,
    findings: &mut Findings,
) -> Result<(), Lost> {
    let values = match reply {
        Reply::Array(values) if values.len() == batch.len() => values,
        Reply::Error(text) => return Err(Lost(String::from_utf8_lossy(text).into_owned())),
        _ => return Err(Lost("MGET was not answered with as many values".into())),
    };
    let (mut key, mut expected) = (Vec::new(), Vec::new());
    for (number, value) in batch.zip(values) {
        let found = match value {
            Reply::Bulk(value) => Some(*value),
            Reply::Null => None,
            _ => {
                return Err(Lost(
                    "MGET was answered with something else than values".into(),
                ));
            }
        };
        input.key(number, &mut key);
        input.value(number, &mut expected);
        findings.compare(fates[number], &key, &expected, found);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_changes_are_told_from_what_is_unknown() {
        let mut findings = Findings::default();
        findings.compare(Fate::Acknowledged, b"k", b"v", Some(b"v"));
        findings.compare(Fate::Unknown, b"k", b"v", Some(b"v"));
        findings.compare(Fate::Unknown, b"k", b"v", None);
        findings.compare(Fate::Refused, b"k", b"v", None);
        assert!(findings.examples.is_empty());
        findings.compare(Fate::Acknowledged, b"a", b"v", None);
        findings.compare(Fate::Acknowledged, b"b", b"v", Some(b"w"));
        findings.compare(Fate::Unknown, b"c", b"v", Some(b"w"));
        findings.compare(Fate::Refused, b"d", b"v", Some(b"v"));
        let examples = [
            "a is missing",
            "b has another value",
            "c has another value",
            "d was refused and is there",
        ];
        let expected = Findings {
            found: 1,
            lost: 1,
            wrong: 3,
            unknown_found: 1,
            examples: examples.map(String::from).into(),
        };
        assert_eq!(findings, expected);
    }
}

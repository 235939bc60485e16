//! What a client asks for, once its words are understood.
//!
//! Parsing is separate from doing: [`parse`] turns the arguments of a request into a [`Command`] or into
//! the very error text Redis gives, and knows neither the map nor the cluster. The enum groups commands
//! by what has to happen, which is what the server branches on:
//!
//! - [`Command::Write`] becomes an operation and goes through the log;
//! - [`Command::Read`] needs proof that this node is up to date, unless the client said `READONLY`;
//! - everything else is answered from what this node knows.
//!
//! Arguments stay in the connection's buffer; a command borrows them.

mod admin;
mod error;
mod keys;
pub mod settings;
pub mod table;

use crate::operation::{Answer, Change, Condition, ExpireCondition, Expiry, Operation, Strings};
use crate::resp::Protocol;
use crate::resp::decode::Args;
use crate::timestamp::Timestamp;

pub use error::CommandError;

/// One understood request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Changes the map.
    Write(Write<'a>),
    /// Looks into the map.
    Read(Read<'a>),
    /// Concerns this connection only.
    Session(Session<'a>),
    /// Asks which node serves what.
    Cluster(Cluster<'a>),
    /// Asks what commands there are.
    Describe(Describe<'a>),
    /// Facts for people and monitors: all sections, or those named.
    Info(Args<'a>),
    /// How many keys this node holds.
    DbSize,
    /// `CONFIG GET names…`.
    ConfigGet(Args<'a>),
    /// For operators of the group.
    Raft(Raft<'a>),
}

/// A command that changes the map, with times as the client gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// `SET` and its older relatives.
    Set {
        /// The key.
        key: &'a [u8],
        /// Its new value.
        value: &'a [u8],
        /// `NX` or `XX`.
        condition: Condition,
        /// `EX`, `PX`, `EXAT`, `PXAT`, `KEEPTTL`.
        stay: Stay,
        /// `GET`.
        answer: Answer,
    },
    /// `MSET`: key, value, key, value.
    SetMany(Strings<'a>),
    /// `DEL`, `UNLINK`.
    Delete(Strings<'a>),
    /// `INCR`, `DECR`, `INCRBY`, `DECRBY`.
    Add {
        /// The key.
        key: &'a [u8],
        /// What to add.
        by: i64,
    },
    /// `EXPIRE` and its relatives.
    Expire {
        /// The key.
        key: &'a [u8],
        /// When the key goes away.
        at: When,
        /// `NX`, `XX`, `GT`, `LT`.
        condition: ExpireCondition,
    },
    /// `PERSIST`.
    Persist(&'a [u8]),
    /// `FLUSHALL`, `FLUSHDB`.
    Clear,
}

/// How long a key that is `SET` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// For ever.
    #[default]
    Forever,
    /// As long as it would have anyhow.
    AsBefore,
    /// Until then.
    Until(When),
}

/// A time as clients give it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after now; before now if negative.
    In(i64),
    /// Since 1970.
    At(i64),
}

impl When {
    /// The point in time that is meant if it is `now`.
    pub fn since(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(millis) => now.saturating_add(millis),
            Self::At(millis) => Timestamp::default().saturating_add(millis),
        }
    }
}

impl<'a> Write<'a> {
    /// The operation to replicate if the leader accepts the command at `stamp`.
    pub fn operation(&self, stamp: Timestamp) -> Operation<'a> {
        let change = match *self {
            Self::Set {
                key,
                value,
                condition,
                stay,
                answer,
            } => Change::Set {
                key,
                value,
                condition,
                expiry: match stay {
                    Stay::Forever => Expiry::Never,
                    Stay::AsBefore => Expiry::Keep,
                    Stay::Until(when) => Expiry::At(when.since(stamp)),
                },
                answer,
            },
            Self::SetMany(strings) => Change::SetMany(strings),
            Self::Delete(keys) => Change::Delete(keys),
            Self::Add { key, by } => Change::Add { key, by },
            Self::Expire { key, at, condition } => {
                let at = at.since(stamp);
                Change::Expire { key, at, condition }
            }
            Self::Persist(key) => Change::Persist { key },
            Self::Clear => Change::Clear,
        };
        Operation { stamp, change }
    }

    /// The first key, whose slot `MOVED` names.
    pub fn first_key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Set { key, .. } | Self::Add { key, .. } => Some(key),
            Self::Expire { key, .. } | Self::Persist(key) => Some(key),
            Self::SetMany(strings) | Self::Delete(strings) => strings.iter().next(),
            Self::Clear => None,
        }
    }
}

/// A command that looks into the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read<'a> {
    /// `GET`.
    Get(&'a [u8]),
    /// `MGET`.
    GetMany(Args<'a>),
    /// `EXISTS`: how many of the keys there are, those named twice counted twice.
    Exists(Args<'a>),
    /// `STRLEN`.
    Length(&'a [u8]),
    /// `TYPE`.
    Type(&'a [u8]),
    /// `TTL`.
    LifetimeSeconds(&'a [u8]),
    /// `PTTL`.
    LifetimeMillis(&'a [u8]),
}

impl<'a> Read<'a> {
    /// The first key, whose slot `MOVED` names.
    pub fn first_key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Get(key) | Self::Length(key) | Self::Type(key) => Some(key),
            Self::LifetimeSeconds(key) | Self::LifetimeMillis(key) => Some(key),
            Self::GetMany(keys) | Self::Exists(keys) => keys.at(0),
        }
    }
}

/// A name and a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// `default` where the client gives none.
    pub user: &'a [u8],
    /// The password.
    pub password: &'a [u8],
}

impl core::fmt::Debug for Credentials<'_> {
    /// Leaves the password out, so that it never reaches a log.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let user = self.user.escape_ascii().to_string();
        formatter
            .debug_struct("Credentials")
            .field("user", &user)
            .finish_non_exhaustive()
    }
}

/// A command that concerns one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session<'a> {
    /// `PING`, with something to send back.
    Ping(Option<&'a [u8]>),
    /// `ECHO`.
    Echo(&'a [u8]),
    /// `HELLO`.
    Hello {
        /// The version to speak from now on; `None` keeps it.
        protocol: Option<Protocol>,
        /// `AUTH`.
        credentials: Option<Credentials<'a>>,
        /// `SETNAME`.
        name: Option<&'a [u8]>,
    },
    /// `AUTH`.
    Auth(Credentials<'a>),
    /// `SELECT 0`: there is one database.
    Select,
    /// `READONLY`: reads may be answered by this node alone, possibly with old values.
    ReadOnly,
    /// `READWRITE`: the opposite, as at first.
    ReadWrite,
    /// `ASKING`: accepted and meaningless, slots do not migrate.
    Asking,
    /// `QUIT`.
    Quit,
    /// `RESET`: as if the connection were new.
    Reset,
    /// `CLIENT SETNAME`.
    SetName(&'a [u8]),
    /// `CLIENT GETNAME`.
    Name,
    /// `CLIENT ID`.
    Id,
    /// `CLIENT SETINFO`, `CLIENT NO-EVICT`, `CLIENT NO-TOUCH`: accepted, without effect.
    Ignored,
}

/// A question about the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster<'a> {
    /// `CLUSTER SLOTS`.
    Slots,
    /// `CLUSTER SHARDS`.
    Shards,
    /// `CLUSTER NODES`.
    Nodes,
    /// `CLUSTER INFO`.
    Info,
    /// `CLUSTER MYID`.
    MyId,
    /// `CLUSTER KEYSLOT key`.
    KeySlot(&'a [u8]),
}

/// A question about commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Describe<'a> {
    /// `COMMAND`: everything about all of them.
    All,
    /// `COMMAND INFO name…`: everything about some; about all if none is named.
    Some(Args<'a>),
    /// `COMMAND COUNT`.
    Count,
    /// `COMMAND LIST`.
    List,
    /// `COMMAND DOCS name…`: what people read; about all if none is named.
    Docs(Args<'a>),
}

/// A command for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raft<'a> {
    /// `RAFT.NODE ADD id incarnation peer-address client-address`.
    Add {
        /// The node's id.
        id: u64,
        /// Which life of that id: a wiped machine draws a new one.
        incarnation: u64,
        /// Where it listens for nodes.
        peer: &'a str,
        /// Where it listens for clients.
        client: &'a str,
    },
    /// `RAFT.NODE REMOVE id`.
    Remove {
        /// The node's id.
        id: u64,
    },
    /// `RAFT.TRANSFER_LEADER [id]`.
    Transfer {
        /// Who is to lead; whoever is closest if nobody is named.
        to: Option<u64>,
    },
    /// `RAFT.INFO`.
    Info,
    /// `RAFT.STATUS`.
    Status,
}

/// Understands a request of at least one argument.
///
/// # Errors
/// The client's fault; the error's text is what Redis answers. Nothing changed.
pub fn parse<'a>(args: Args<'a>) -> Result<Command<'a>, CommandError> {
    let name = args.at(0).unwrap_or_default();
    let Some(specification) = table::find(name) else {
        return Err(CommandError::unknown(args));
    };
    if !specification.accepts(args.len()) {
        return Err(CommandError::Arity(specification.name.into()));
    }
    (specification.parse)(Words { args, next: 1 })
}

/// A whole number as Redis reads it: no sign but a minus, no leading zeros, no blanks.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let text = plain.then(|| core::str::from_utf8(text).ok()).flatten()?;
    text.parse().ok()
}

/// The words of a request that are not understood yet.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> Words<'a> {
    /// The next word, if there is one.
    fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.args.at(self.next)?;
        self.next += 1;
        Some(word)
    }

    /// The next word, which has to be there.
    fn word(&mut self) -> Result<&'a [u8], CommandError> {
        self.next().ok_or(CommandError::Syntax)
    }

    /// The next word, which has to be a whole number.
    fn integer(&mut self) -> Result<i64, CommandError> {
        integer(self.word()?).ok_or(CommandError::NotAnInteger)
    }

    /// The next word, which has to be a whole number that is not negative.
    fn unsigned(&mut self) -> Result<u64, CommandError> {
        unsigned(self.word()?)
    }

    /// The next word, which has to be readable.
    fn text(&mut self) -> Result<&'a str, CommandError> {
        core::str::from_utf8(self.word()?).map_err(|_| CommandError::Syntax)
    }

    /// All words that are left.
    fn rest(self) -> Args<'a> {
        self.args.skip(self.next)
    }

    /// Makes sure that no word is left.
    fn end(self) -> Result<(), CommandError> {
        match self.rest().is_empty() {
            true => Ok(()),
            false => Err(CommandError::Syntax),
        }
    }
}

/// A whole number that is not negative.
fn unsigned(word: &[u8]) -> Result<u64, CommandError> {
    let digits = Some(word).filter(|word| word.iter().all(u8::is_ascii_digit));
    let text = digits.and_then(|digits| core::str::from_utf8(digits).ok());
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or(CommandError::NotAnInteger)
}

/// Whether a word is this keyword, in whatever case.
fn is(word: &[u8], keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword.as_bytes())
}

#[cfg(test)]
mod tests;

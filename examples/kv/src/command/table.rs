//! All commands, one row each, and what `COMMAND` says about them.
//!
//! Cluster clients read this table when they connect: the flags tell them what may go to a replica, the
//! key positions where to find the keys whose slot decides the node. So it is one table that both the
//! parser and `COMMAND` go by; they cannot disagree.

use super::{Command, CommandError, Describe, Words, admin, keys};
use crate::resp::decode::Args;
use crate::resp::encode::Encoder;

/// Whether a command changes the map, in the words `COMMAND` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Neither reads nor changes it.
    Fast,
    /// Reads it.
    ReadOnly,
    /// Changes it.
    Write,
    /// Is for operators.
    Admin,
}

impl Access {
    const fn flag(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::ReadOnly => "readonly",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Where among its arguments a command has keys; the name is argument 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Nowhere.
    None,
    /// Argument 1.
    First,
    /// From argument 1 to the last.
    All,
    /// From argument 1 to the last, every other one.
    EveryOther,
}

impl Keys {
    /// The first, the last (negative: from the end), and the step between them.
    const fn positions(self) -> (i64, i64, i64) {
        match self {
            Self::None => (0, 0, 0),
            Self::First => (1, 1, 1),
            Self::All => (1, -1, 1),
            Self::EveryOther => (1, -1, 2),
        }
    }
}

/// One command.
pub struct Specification {
    /// Its name in lower case.
    pub name: &'static str,
    /// How many arguments it takes, its name included; at least so many if negative.
    pub arity: i64,
    /// What it does to the map.
    pub access: Access,
    /// Where its keys are.
    pub keys: Keys,
    /// A sentence for people.
    pub summary: &'static str,
    pub(super) parse: for<'a> fn(Words<'a>) -> Result<Command<'a>, CommandError>,
}

impl Specification {
    /// Whether a request of so many arguments can be this command.
    pub fn accepts(&self, args_len: usize) -> bool {
        let args_len = i64::try_from(args_len).unwrap_or(i64::MAX);
        match self.arity {
            arity if arity < 0 => args_len >= -arity,
            arity => args_len == arity,
        }
    }

    /// The row as `COMMAND` shows it: the first six columns, and four that newer clients expect.
    fn describe(&self, encoder: &mut Encoder<'_>) {
        let (first, last, step) = self.keys.positions();
        encoder.array(10);
        encoder.bulk(self.name.as_bytes());
        encoder.integer(self.arity);
        encoder.set(1);
        encoder.simple(self.access.flag());
        encoder.integer(first);
        encoder.integer(last);
        encoder.integer(step);
        encoder.set(0);
        encoder.array(0);
        encoder.array(0);
        encoder.array(0);
    }

    fn document(&self, encoder: &mut Encoder<'_>) {
        encoder.bulk(self.name.as_bytes());
        encoder.map(3);
        encoder.bulk(b"summary");
        encoder.bulk(self.summary.as_bytes());
        encoder.bulk(b"since");
        encoder.bulk(b"1.0.0");
        encoder.bulk(b"group");
        encoder.bulk(match self.access {
            Access::ReadOnly | Access::Write => b"string",
            Access::Fast => b"connection",
            Access::Admin => b"server",
        });
    }
}

macro_rules! commands {
    ($($name:literal $arity:literal $access:ident $keys:ident $parse:path, $summary:literal;)*) => {
        /// Every command; the busiest first, since they are looked for in this order.
        pub static COMMANDS: &[Specification] = &[$(Specification {
            name: $name,
            arity: $arity,
            access: Access::$access,
            keys: Keys::$keys,
            summary: $summary,
            parse: $parse,
        }),*];
    };
}

commands! {
    "get" 2 ReadOnly First keys::get, "Returns the value of a key.";
    "set" -3 Write First keys::set, "Gives a key a value.";
    "incr" 2 Write First keys::increment, "Adds one to the number a key holds.";
    "del" -2 Write All keys::delete, "Removes keys.";
    "mget" -2 ReadOnly All keys::get_many, "Returns the values of keys.";
    "mset" -3 Write EveryOther keys::set_many, "Gives keys values, all at once.";
    "ping" -1 Fast None admin::ping, "Answers PONG, or the argument.";
    "exists" -2 ReadOnly All keys::exists, "Counts how many of the keys there are.";
    "expire" -3 Write First keys::expire_seconds, "Lets a key go away after seconds.";
    "pexpire" -3 Write First keys::expire_millis, "Lets a key go away after milliseconds.";
    "expireat" -3 Write First keys::expire_at_seconds, "Lets a key go away at a Unix time in seconds.";
    "pexpireat" -3 Write First keys::expire_at_millis, "Lets a key go away at a Unix time in milliseconds.";
    "persist" 2 Write First keys::persist, "Lets a key stay.";
    "ttl" 2 ReadOnly First keys::lifetime_seconds, "Returns how many seconds a key stays.";
    "pttl" 2 ReadOnly First keys::lifetime_millis, "Returns how many milliseconds a key stays.";
    "decr" 2 Write First keys::decrement, "Subtracts one from the number a key holds.";
    "incrby" 3 Write First keys::increment_by, "Adds to the number a key holds.";
    "decrby" 3 Write First keys::decrement_by, "Subtracts from the number a key holds.";
    "setnx" 3 Write First keys::set_if_absent, "Gives a key a value unless it has one.";
    "setex" 4 Write First keys::set_seconds, "Gives a key a value for seconds.";
    "psetex" 4 Write First keys::set_millis, "Gives a key a value for milliseconds.";
    "getset" 3 Write First keys::get_and_set, "Gives a key a value and returns the one before.";
    "unlink" -2 Write All keys::delete, "Removes keys.";
    "strlen" 2 ReadOnly First keys::length, "Returns how long the value of a key is.";
    "type" 2 ReadOnly First keys::kind, "Returns what a key holds: string or none.";
    "dbsize" 1 ReadOnly None admin::database_size, "Counts the keys this node holds.";
    "flushall" -1 Write None keys::clear, "Removes every key.";
    "flushdb" -1 Write None keys::clear, "Removes every key.";
    "echo" 2 Fast None admin::echo, "Answers the argument.";
    "hello" -1 Fast None admin::hello, "Chooses the protocol version, authenticates, names the connection.";
    "auth" -2 Fast None admin::auth, "Authenticates the connection.";
    "select" 2 Fast None admin::select, "Chooses database 0, the only one.";
    "readonly" 1 Fast None admin::read_only, "Lets reads be answered by this node, possibly with old values.";
    "readwrite" 1 Fast None admin::read_write, "Makes reads linearizable again.";
    "asking" 1 Fast None admin::asking, "Accepted; slots do not migrate here.";
    "quit" -1 Fast None admin::quit, "Closes the connection.";
    "reset" 1 Fast None admin::reset, "Makes the connection as new.";
    "client" -2 Fast None admin::client, "Names or identifies the connection.";
    "cluster" -2 Fast None admin::cluster, "Says which node serves what.";
    "command" -1 Fast None admin::describe, "Describes commands.";
    "config" -2 Admin None admin::config, "Reads settings.";
    "info" -1 Fast None admin::info, "Returns facts about this node.";
    "raft.node" -3 Admin None admin::raft_node, "Adds a node to the group or removes one.";
    "raft.transfer_leader" -1 Admin None admin::raft_transfer_leader, "Lets another node lead.";
    "raft.info" 1 Admin None admin::raft_info, "Returns what this node knows of the group, as RedisRaft does.";
    "raft.status" 1 Admin None admin::raft_status, "Returns what this node knows of the group.";
}

/// The command of a name in any case.
pub fn find(name: &[u8]) -> Option<&'static Specification> {
    let is_named = |row: &&Specification| row.name.as_bytes().eq_ignore_ascii_case(name);
    COMMANDS.iter().find(is_named)
}

/// Answers a question about commands.
pub fn answer(question: &Describe<'_>, encoder: &mut Encoder<'_>) {
    match *question {
        Describe::All => describe_all(encoder),
        Describe::Some(names) if names.is_empty() => describe_all(encoder),
        Describe::Some(names) => describe_some(names, encoder),
        Describe::Count => encoder.count(COMMANDS.len()),
        Describe::List => list(encoder),
        Describe::Docs(names) => document(names, encoder),
    }
}

fn describe_all(encoder: &mut Encoder<'_>) {
    encoder.array(COMMANDS.len());
    COMMANDS.iter().for_each(|row| row.describe(encoder));
}

/// Null for a name that is none.
fn describe_some(names: Args<'_>, encoder: &mut Encoder<'_>) {
    encoder.array(names.len());
    for name in names.iter() {
        match find(name) {
            Some(row) => row.describe(encoder),
            None => encoder.null(),
        }
    }
}

fn list(encoder: &mut Encoder<'_>) {
    encoder.set(COMMANDS.len());
    let names = COMMANDS.iter().map(|row| row.name.as_bytes());
    names.for_each(|name| encoder.bulk(name));
}

/// Leaves out names that are none; about all commands if none is named.
fn document(names: Args<'_>, encoder: &mut Encoder<'_>) {
    if names.is_empty() {
        encoder.map(COMMANDS.len());
        COMMANDS.iter().for_each(|row| row.document(encoder));
        return;
    }
    let found = names.iter().filter_map(find);
    encoder.map(found.clone().count());
    found.for_each(|row| row.document(encoder));
}

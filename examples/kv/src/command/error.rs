//! What is wrong with a request, in the words of Redis, which clients and their tests compare.

use core::error::Error;
use core::fmt;

use super::Args;

/// How much of an unknown request is shown back to its sender.
const SHOWN_LEN_MAX: usize = 128;

/// Why a request is no command. Always the client's fault; nothing changed, the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// There is no command of that name; holds the name and the beginnings of its arguments.
    Unknown(Box<str>, Box<str>),
    /// The command has no such subcommand.
    Subcommand(Box<str>),
    /// Too few or too many arguments; holds the command's name.
    Arity(Box<str>),
    /// Options that do not exist or contradict each other.
    Syntax,
    /// A number was expected.
    NotAnInteger,
    /// An expiry that is not positive or too far away; holds the command's name.
    ExpireTime(&'static str),
    /// `EXPIRE` with options that exclude each other.
    ExpireOptions,
    /// `EXPIRE` with an option it does not know.
    ExpireOption(Box<str>),
    /// `SELECT` of a database other than 0.
    Database,
    /// `HELLO` with a version other than 2 and 3.
    Protocol,
    /// A name with blanks or control characters.
    ClientName,
}

impl CommandError {
    pub(super) fn unknown(args: Args<'_>) -> Self {
        let mut shown = String::new();
        for arg in args.iter().skip(1) {
            if shown.len() >= SHOWN_LEN_MAX {
                break;
            }
            let room = SHOWN_LEN_MAX - shown.len();
            shown.push_str(&format!("'{}' ", printable(arg, room)));
        }
        let name = printable(args.at(0).unwrap_or_default(), SHOWN_LEN_MAX);
        Self::Unknown(name.into(), shown.into())
    }

    pub(super) fn subcommand(word: &[u8]) -> Self {
        Self::Subcommand(printable(word, SHOWN_LEN_MAX).into())
    }

    pub(super) fn expire_option(word: &[u8]) -> Self {
        Self::ExpireOption(printable(word, SHOWN_LEN_MAX).into())
    }
}

/// At most the first `len_max` bytes of a word as text.
fn printable(word: &[u8], len_max: usize) -> String {
    let word = word.get(..len_max).unwrap_or(word);
    String::from_utf8_lossy(word).into_owned()
}

impl fmt::Display for CommandError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unknown(name, args) => {
                return write!(
                    formatter,
                    "ERR unknown command '{name}', with args beginning with: {args}"
                );
            }
            Self::Subcommand(name) => {
                return write!(formatter, "ERR unknown subcommand '{name}'. Try COMMAND.");
            }
            Self::Arity(name) => {
                return write!(
                    formatter,
                    "ERR wrong number of arguments for '{name}' command"
                );
            }
            Self::ExpireTime(name) => {
                return write!(formatter, "ERR invalid expire time in '{name}' command");
            }
            Self::ExpireOption(option) => {
                return write!(formatter, "ERR Unsupported option {option}");
            }
            Self::ExpireOptions => {
                "ERR NX and XX, GT or LT options at the same time are not compatible"
            }
            Self::Syntax => "ERR syntax error",
            Self::NotAnInteger => "ERR value is not an integer or out of range",
            Self::Database => "ERR SELECT is not allowed in cluster mode",
            Self::Protocol => "NOPROTO unsupported protocol version",
            Self::ClientName => {
                "ERR Client names cannot contain spaces, newlines or special characters."
            }
        };
        formatter.write_str(text)
    }
}

impl Error for CommandError {}

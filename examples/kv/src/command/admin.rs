//! Commands about connections, the cluster, the server, and the group of nodes behind it.

use super::{
    Cluster, Command, CommandError, Credentials, Describe, Protocol, Raft, Session, Words, is,
    unsigned,
};

type Parsed<'a> = Result<Command<'a>, CommandError>;

pub(super) fn ping(mut words: Words<'_>) -> Parsed<'_> {
    let echoed = words.next();
    words
        .end()
        .map_err(|_| CommandError::Arity("ping".into()))?;
    Ok(Command::Session(Session::Ping(echoed)))
}

pub(super) fn echo(mut words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::Echo(words.word()?)))
}

pub(super) fn hello(mut words: Words<'_>) -> Parsed<'_> {
    let protocol = match words.next() {
        None => None,
        Some(b"2") => Some(Protocol::Resp2),
        Some(b"3") => Some(Protocol::Resp3),
        Some(_) => return Err(CommandError::Protocol),
    };
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = words.next() {
        if is(option, "AUTH") {
            let (user, password) = (words.word()?, words.word()?);
            credentials = Some(Credentials { user, password });
        } else if is(option, "SETNAME") {
            name = Some(client_name(words.word()?)?);
        } else {
            return Err(CommandError::Syntax);
        }
    }
    Ok(Command::Session(Session::Hello {
        protocol,
        credentials,
        name,
    }))
}

pub(super) fn auth(mut words: Words<'_>) -> Parsed<'_> {
    let first = words.word()?;
    let (user, password) = match words.next() {
        None => (&b"default"[..], first),
        Some(password) => (first, password),
    };
    words.end()?;
    let credentials = Credentials { user, password };
    Ok(Command::Session(Session::Auth(credentials)))
}

pub(super) fn select(mut words: Words<'_>) -> Parsed<'_> {
    match words.integer()? {
        0 => Ok(Command::Session(Session::Select)),
        _ => Err(CommandError::Database),
    }
}

pub(super) fn read_only(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::ReadOnly))
}

pub(super) fn read_write(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::ReadWrite))
}

pub(super) fn asking(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::Asking))
}

pub(super) fn quit(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::Quit))
}

pub(super) fn reset(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Session(Session::Reset))
}

pub(super) fn client(mut words: Words<'_>) -> Parsed<'_> {
    let word = words.word()?;
    let arity = |name: &str| CommandError::Arity(format!("client|{name}").into());
    let command = match word.to_ascii_uppercase().as_slice() {
        b"SETNAME" => {
            let name = words.next().ok_or_else(|| arity("setname"))?;
            Session::SetName(client_name(name)?)
        }
        b"GETNAME" => Session::Name,
        b"ID" => Session::Id,
        b"SETINFO" => {
            words.next().ok_or_else(|| arity("setinfo"))?;
            words.next().ok_or_else(|| arity("setinfo"))?;
            Session::Ignored
        }
        b"NO-EVICT" | b"NO-TOUCH" => {
            words.next();
            Session::Ignored
        }
        _ => return Err(CommandError::subcommand(word)),
    };
    words.end()?;
    Ok(Command::Session(command))
}

fn client_name(name: &[u8]) -> Result<&[u8], CommandError> {
    match name.iter().all(u8::is_ascii_graphic) {
        true => Ok(name),
        false => Err(CommandError::ClientName),
    }
}

pub(super) fn cluster(mut words: Words<'_>) -> Parsed<'_> {
    let word = words.word()?;
    let command = match word.to_ascii_uppercase().as_slice() {
        b"SLOTS" => Cluster::Slots,
        b"SHARDS" => Cluster::Shards,
        b"NODES" => Cluster::Nodes,
        b"INFO" => Cluster::Info,
        b"MYID" => Cluster::MyId,
        b"KEYSLOT" => {
            let key = words.next();
            Cluster::KeySlot(key.ok_or_else(|| CommandError::Arity("cluster|keyslot".into()))?)
        }
        _ => return Err(CommandError::subcommand(word)),
    };
    words.end()?;
    Ok(Command::Cluster(command))
}

pub(super) fn describe(mut words: Words<'_>) -> Parsed<'_> {
    let Some(word) = words.next() else {
        return Ok(Command::Describe(Describe::All));
    };
    Ok(Command::Describe(
        match word.to_ascii_uppercase().as_slice() {
            b"COUNT" => Describe::Count,
            b"LIST" => Describe::List,
            b"INFO" => Describe::Some(words.rest()),
            b"DOCS" => Describe::Docs(words.rest()),
            _ => return Err(CommandError::subcommand(word)),
        },
    ))
}

pub(super) fn config(mut words: Words<'_>) -> Parsed<'_> {
    let word = words.word()?;
    match is(word, "GET") {
        true => Ok(Command::ConfigGet(words.rest())),
        false => Err(CommandError::subcommand(word)),
    }
}

pub(super) fn info(words: Words<'_>) -> Parsed<'_> {
    Ok(Command::Info(words.rest()))
}

pub(super) fn database_size(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::DbSize)
}

pub(super) fn raft_node(mut words: Words<'_>) -> Parsed<'_> {
    let word = words.word()?;
    let command = if is(word, "ADD") {
        Raft::Add {
            id: words.unsigned()?,
            incarnation: words.unsigned()?,
            peer: words.text()?,
            client: words.text()?,
        }
    } else if is(word, "REMOVE") {
        Raft::Remove {
            id: words.unsigned()?,
        }
    } else {
        return Err(CommandError::subcommand(word));
    };
    words.end()?;
    Ok(Command::Raft(command))
}

pub(super) fn raft_transfer_leader(mut words: Words<'_>) -> Parsed<'_> {
    let to = match words.next() {
        None => None,
        Some(word) => Some(unsigned(word)?),
    };
    words.end()?;
    Ok(Command::Raft(Raft::Transfer { to }))
}

pub(super) fn raft_info(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Raft(Raft::Info))
}

pub(super) fn raft_status(_: Words<'_>) -> Parsed<'_> {
    Ok(Command::Raft(Raft::Status))
}

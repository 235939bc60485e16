use super::*;
use crate::resp::decode::{Decoder, Limits};
use crate::resp::encode::{self, Encoder};

/// Parses words separated by blanks and hands the result to `check`.
fn with(line: &str, check: impl FnOnce(Result<Command<'_>, CommandError>)) {
    let mut bytes = Vec::new();
    let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    encode::request(&mut bytes, words.iter().copied());
    let mut decoder = Decoder::new(Limits::TRUSTED);
    let request = decoder.decode(&bytes).unwrap().unwrap();
    check(parse(request.args));
}

#[track_caller]
fn ok(line: &str, expected: Command<'_>) {
    with(line, |parsed| assert_eq!(parsed, Ok(expected), "{line}"));
}

#[track_caller]
fn fails(line: &str, expected: &str) {
    with(line, |parsed| {
        assert_eq!(parsed.unwrap_err().to_string(), expected, "{line}")
    });
}

fn set<'a>(condition: Condition, stay: Stay, answer: Answer) -> Command<'a> {
    Command::Write(Write::Set {
        key: b"k",
        value: b"v",
        condition,
        stay,
        answer,
    })
}

#[test]
fn set_takes_its_options_in_any_order_and_case() {
    let plain = set(Condition::Always, Stay::Forever, Answer::Status);
    ok("SET k v", plain);
    ok("set k v", plain);
    let stay = Stay::Until(When::In(10_000));
    ok(
        "SET k v ex 10 nx",
        set(Condition::IfAbsent, stay, Answer::Status),
    );
    ok(
        "SET k v XX GET EX 10",
        set(Condition::IfPresent, stay, Answer::Previous),
    );
    ok("SETEX k 10 v", set(Condition::Always, stay, Answer::Status));
    let stay = Stay::Until(When::In(7));
    ok("SET k v PX 7", set(Condition::Always, stay, Answer::Status));
    ok("PSETEX k 7 v", set(Condition::Always, stay, Answer::Status));
    let stay = Stay::Until(When::At(7));
    ok(
        "SET k v PXAT 7",
        set(Condition::Always, stay, Answer::Status),
    );
    ok(
        "SET k v KEEPTTL",
        set(Condition::Always, Stay::AsBefore, Answer::Status),
    );
    ok(
        "SETNX k v",
        set(Condition::IfAbsent, Stay::Forever, Answer::Count),
    );
    ok(
        "GETSET k v",
        set(Condition::Always, Stay::Forever, Answer::Previous),
    );
}

#[test]
fn set_refuses_what_redis_refuses() {
    for line in [
        "SET k v NX XX",
        "SET k v EX",
        "SET k v EX 1 PX 1",
        "SET k v EX 1 KEEPTTL",
        "SET k v FOO",
    ] {
        fails(line, "ERR syntax error");
    }
    fails(
        "SET k v EX x",
        "ERR value is not an integer or out of range",
    );
    for line in [
        "SET k v EX 0",
        "SET k v PX -1",
        "SET k v EX 9223372036854775807",
    ] {
        fails(line, "ERR invalid expire time in 'set' command");
    }
    fails("SETEX k 0 v", "ERR invalid expire time in 'setex' command");
    fails("SET k", "ERR wrong number of arguments for 'set' command");
}

#[test]
fn unknown_commands_and_wrong_counts_are_refused_in_redis_words() {
    fails(
        "FOO a b",
        "ERR unknown command 'FOO', with args beginning with: 'a' 'b' ",
    );
    fails("get", "ERR wrong number of arguments for 'get' command");
    fails("GET a b", "ERR wrong number of arguments for 'get' command");
    fails("MSET a", "ERR wrong number of arguments for 'mset' command");
    fails(
        "MSET a b c",
        "ERR wrong number of arguments for 'mset' command",
    );
    fails(
        "PING a b",
        "ERR wrong number of arguments for 'ping' command",
    );
    fails("SELECT 1", "ERR SELECT is not allowed in cluster mode");
    fails("SELECT x", "ERR value is not an integer or out of range");
    fails("HELLO 4", "NOPROTO unsupported protocol version");
    fails(
        "CLIENT SETNAME a\nb",
        "ERR Client names cannot contain spaces, newlines or special characters.",
    );
    fails("CLUSTER FOO", "ERR unknown subcommand 'FOO'. Try COMMAND.");
    fails(
        "EXPIRE k 1 NX GT",
        "ERR NX and XX, GT or LT options at the same time are not compatible",
    );
    fails("EXPIRE k 1 FOO", "ERR Unsupported option FOO");
    let long = "x".repeat(1000);
    with(&format!("FOO {long}"), |parsed| {
        assert!(parsed.unwrap_err().to_string().len() < 200)
    });
}

#[test]
fn numbers_are_read_as_strictly_as_redis_does() {
    assert_eq!(integer(b"0"), Some(0));
    assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
    for text in [
        "",
        "-",
        "-0",
        "00",
        "01",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "9223372036854775808",
    ] {
        assert_eq!(integer(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn counters_name_their_amount() {
    let add = |by| Command::Write(Write::Add { key: b"k", by });
    ok("INCR k", add(1));
    ok("DECR k", add(-1));
    ok("INCRBY k -7", add(-7));
    ok("DECRBY k 7", add(-7));
    fails(
        "DECRBY k -9223372036854775808",
        "ERR value is not an integer or out of range",
    );
}

#[test]
fn relative_times_become_absolute_when_the_leader_stamps_them() {
    with("PEXPIRE k 5 LT", |parsed| {
        let Ok(Command::Write(write)) = parsed else {
            panic!("{parsed:?}");
        };
        let expected = Change::Expire {
            key: b"k",
            at: Timestamp(105),
            condition: ExpireCondition::IfEarlier,
        };
        assert_eq!(write.operation(Timestamp(100)).change, expected);
        assert_eq!(write.first_key(), Some(&b"k"[..]));
    });
    assert_eq!(When::At(-5).since(Timestamp(100)), Timestamp(0));
    assert_eq!(When::In(-5).since(Timestamp(100)), Timestamp(95));
    assert_eq!(
        When::In(i64::MAX).since(Timestamp(u64::MAX)),
        Timestamp(u64::MAX)
    );
}

#[test]
fn commands_of_a_connection_are_understood() {
    ok("PING", Command::Session(Session::Ping(None)));
    ok("PING x", Command::Session(Session::Ping(Some(b"x"))));
    let user = b"default".as_slice();
    let password = b"secret".as_slice();
    let credentials = Credentials { user, password };
    ok("AUTH secret", Command::Session(Session::Auth(credentials)));
    let hello = Session::Hello {
        protocol: Some(Protocol::Resp3),
        credentials: Some(credentials),
        name: Some(b"n"),
    };
    ok(
        "HELLO 3 AUTH default secret SETNAME n",
        Command::Session(hello),
    );
    assert!(!format!("{hello:?}").contains("secret"));
    ok(
        "CLIENT SETINFO lib-name x",
        Command::Session(Session::Ignored),
    );
    ok(
        "CLUSTER KEYSLOT k",
        Command::Cluster(Cluster::KeySlot(b"k")),
    );
    with("CONFIG GET save", |parsed| {
        let Ok(Command::ConfigGet(names)) = parsed else {
            panic!("{parsed:?}");
        };
        assert_eq!(names.at(0), Some(&b"save"[..]));
    });
    ok("COMMAND COUNT", Command::Describe(Describe::Count));
}

#[test]
fn commands_for_operators_are_understood() {
    let add = Raft::Add {
        id: 2,
        incarnation: 77,
        peer: "h:1",
        client: "h:2",
    };
    ok("RAFT.NODE ADD 2 77 h:1 h:2", Command::Raft(add));
    ok("raft.node remove 2", Command::Raft(Raft::Remove { id: 2 }));
    ok("raft.node demote 2", Command::Raft(Raft::Demote { id: 2 }));
    ok(
        "RAFT.NODE PROMOTE 2",
        Command::Raft(Raft::Promote { id: 2 }),
    );
    ok("RAFT.STATUS", Command::Raft(Raft::Status));
    ok("RAFT.INFO", Command::Raft(Raft::Info));
    fails(
        "RAFT.INFO all",
        "ERR wrong number of arguments for 'raft.info' command",
    );
    fails("RAFT.NODE ADD 2", "ERR syntax error");
    fails(
        "RAFT.NODE REMOVE -1",
        "ERR value is not an integer or out of range",
    );
}

#[test]
fn every_row_of_the_table_is_found_and_describes_itself() {
    for (index, row) in table::COMMANDS.iter().enumerate() {
        let found = table::find(row.name.to_ascii_uppercase().as_bytes()).unwrap();
        assert!(
            core::ptr::eq(found, row),
            "{} twice, again at {index}",
            row.name
        );
    }
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut out = Vec::new();
        table::answer(&Describe::All, &mut Encoder::new(&mut out, protocol));
        let (reply, len) = crate::resp::reply::parse(&out).unwrap().unwrap();
        assert_eq!(len, out.len());
        let crate::resp::reply::Reply::Array(rows) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(rows.len(), table::COMMANDS.len());
    }
}

proptest::proptest! {
    #[test]
    fn any_words_never_panic(
        row in 0..table::COMMANDS.len(),
        words in proptest::collection::vec("[a-z0-9]{0,3}|NX|XX|EX|PX|GET|AUTH|ADD|-?[0-9]{18,20}", 0..6),
    ) {
        let name = table::COMMANDS[row].name;
        with(&format!("{name} {}", words.join(" ")), |parsed| {
            if let Ok(Command::Write(write)) = parsed {
                let mut bytes = Vec::new();
                let operation = write.operation(Timestamp(5));
                operation.encode(&mut bytes);
                assert_eq!(Operation::decode(&bytes), Ok(operation));
            }
        });
    }
}

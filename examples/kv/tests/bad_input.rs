//! What is wrong with the outside is told in one line, and nothing is lost by it.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use kv::transport::handshake::Hello;
use quorum::NodeId;
use raft_core::{GroupId, Identity, Incarnation};
use support::{Client, Node, free_addresses, refusal, wait_for};

fn serve(node: &Node) -> String {
    refusal(&["serve", "--dir", node.directory.to_str().unwrap()])
}

#[track_caller]
fn check(said: &str, expected: &str) {
    assert!(said.contains(expected), "{said}");
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
fn directories_that_cannot_be_served_are_refused_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new(root.path(), 1);
    check(&serve(&node), "there is no directory");
    fs::create_dir(&node.directory).unwrap();
    check(&serve(&node), "is empty: make one with `kv init`");
    let notes = node.directory.join("notes.txt");
    fs::write(&notes, "mine").unwrap();
    check(&serve(&node), "is not the data directory of a node");
    let init = node.words("init", &[]);
    check(&refusal(&words(&init)), "is not empty");
    fs::remove_file(notes).unwrap();

    node.init();
    check(&refusal(&words(&init)), "has the data of a node already");
    node.start();
    wait_for("a leader", || node.leads().then_some(()));
    check(&serve(&node), "is in use by another process");
    assert_eq!(
        node.connect().call(&["SET", "a", &"1".repeat(100_000)]),
        "+OK"
    );
    node.end();

    let journal = node.directory.join("kv.redb");
    let whole = fs::read(&journal).unwrap();
    fs::write(&journal, &whole[..whole.len() / 2]).unwrap();
    check(&serve(&node), "is damaged, cut short, or no journal");
    fs::write(&journal, []).unwrap();
    check(&serve(&node), "its contents were cut off");
    let mut damaged = whole.clone();
    let ones = damaged
        .windows(1000)
        .position(|bytes| bytes == [b'1'; 1000]);
    damaged[ones.unwrap()] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    check(&serve(&node), "is damaged, cut short, or no journal");

    // Nothing of that has changed the directory for good.
    fs::write(&journal, &whole).unwrap();
    node.start();
    wait_for("a leader again", || node.leads().then_some(()));
    assert_eq!(node.connect().call(&["STRLEN", "a"]), ":100000");
}

#[test]
fn ports_in_use_and_addresses_that_expose_a_node_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::new(root.path(), 1);
    node.init();
    for (address, whom) in [(node.client, "clients"), (node.peer, "other nodes")] {
        let _taken = TcpListener::bind(address).unwrap();
        check(
            &serve(&node),
            &format!("cannot listen at {address} for {whom}"),
        );
    }

    let mut open = Node::new(root.path(), 2);
    open.client = "192.0.2.1:7000".parse().unwrap();
    check(
        &refusal(&words(&open.words("init", &[]))),
        "give --tls-cert, --tls-key and --tls-ca, or --insecure",
    );
    open.client = "0.0.0.0:7000".parse().unwrap();
    let insecure = open.words("init", &["--insecure"]);
    check(&refusal(&words(&insecure)), "name the address");
    assert!(!open.directory.exists());
}

#[test]
fn a_group_that_cannot_be_joined_leaves_no_directory_behind() {
    let root = tempfile::tempdir().unwrap();
    let node = Node::new(root.path(), 1);
    let [nobody] = free_addresses::<1>();
    let join = |member: SocketAddr| {
        refusal(&words(
            &node.words("join", &["--member", &member.to_string()]),
        ))
    };
    check(&join(nobody), &nobody.to_string());
    assert!(!node.directory.exists());

    // Something else listens there.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 100];
        let _ = stream.read(&mut request).unwrap();
        stream
            .write_all(b"-ERR unknown command 'RAFT.STATUS'\r\n")
            .unwrap();
    });
    check(
        &join(address),
        "does not tell its group: ERR unknown command",
    );
    server.join().unwrap();
    assert!(!node.directory.exists());
}

#[test]
fn input_that_cannot_be_read_is_refused_by_the_demonstration() {
    check(
        &refusal(&["demo", "--input", "/does/not/exist"]),
        "/does/not/exist: ",
    );
    check(&refusal(&["demo", "--input", "/"]), "/: ");
}

/// What the peer port answers to these bytes before it closes the connection.
fn tell_peer_port(node: &Node, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(node.peer).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset is as good an end as any.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn strangers_on_either_port_are_sent_away_and_the_node_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new(root.path(), 1);
    node.init();
    node.start();
    wait_for("a leader", || node.leads().then_some(()));

    // Lengths that nobody should believe.
    for (bytes, expected) in [
        (&b"*1000000000\r\n"[..], "invalid multibulk length"),
        (b"*2\r\n$3\r\nGET\r\n$1000000000\r\n", "invalid bulk length"),
        (b"*2\r\n$3\r\nGET\r\n$-5\r\n", "invalid bulk length"),
        (b"*1\r\n:5\r\n", "expected '$'"),
    ] {
        let mut client = node.connect();
        client.send(bytes);
        check(&client.answer(), expected);
        assert_eq!(client.answer(), "", "the connection stays open");
    }
    let mut client = node.connect();
    let refused = client.call(&[
        "MSET",
        "a",
        &"x".repeat(1_000_000),
        "b",
        &"x".repeat(1_000_000),
    ]);
    check(&refused, "a payload has at most");
    assert_eq!(client.call(&["PING"]), "+PONG");

    // Garbage, another group, another node, and a frame without end.
    assert_eq!(tell_peer_port(&node, b"GET / HTTP/1.1\r\n\r\n"), b"");
    let group = node.field("raft_group").unwrap();
    let group = GroupId::new(u64::from_str_radix(&group, 16).unwrap());
    let hello = Hello {
        group,
        from: Identity::new(NodeId::new(9), Incarnation::new(1)),
        to: NodeId::new(1),
        peer: "127.0.0.1:1".into(),
        client: "127.0.0.1:2".into(),
    };
    let told = |hello: &Hello, more: &[u8]| {
        let bytes = [&hello.encode(), more].concat();
        String::from_utf8_lossy(&tell_peer_port(&node, &bytes)).into_owned()
    };
    let foreign = Hello {
        group: GroupId::new(group.value() ^ 1),
        ..hello.clone()
    };
    check(&told(&foreign, &[]), "it belongs to another group");
    let misled = Hello {
        to: NodeId::new(2),
        ..hello.clone()
    };
    check(&told(&misled, &[]), "it wants to reach node 2");
    let twin = Hello {
        from: Identity::new(NodeId::new(1), Incarnation::new(1)),
        ..hello.clone()
    };
    check(&told(&twin, &[]), "the same id");
    assert_eq!(told(&hello, &[0xff; 64]), "\0\0");
    // A frame of the right length that is none, and then one without end.
    assert_eq!(
        told(&hello, &[&[3, 0, 0, 0, 1, 2, 3][..], &[0xff; 4]].concat()),
        "\0\0"
    );

    // Many who say nothing keep nobody out.
    let silent = |_| TcpStream::connect(node.peer).unwrap();
    let silent: Vec<TcpStream> = (0..300).map(silent).collect();
    assert_eq!(told(&hello, &[0xff; 64]), "\0\0");
    drop(silent);

    let log = wait_for("the log", || {
        let log = node.log();
        log.contains("too long").then_some(log)
    });
    for expected in ["not a kv node", "another group", "is damaged"] {
        check(&log, expected);
    }
    assert_eq!(node.connect().call(&["SET", "still", "here"]), "+OK");
}

#[test]
fn a_password_keeps_strangers_out_and_lets_nodes_join() {
    let root = tempfile::tempdir().unwrap();
    let secret = root.path().join("secret");
    let secret = secret.to_str().unwrap();
    let mut founder = Node::new(root.path(), 1);
    founder.init();
    let serve_with = |secret: &str| {
        let directory = founder.directory.to_str().unwrap().to_owned();
        refusal(&["serve", "--dir", &directory, "--password-file", secret])
    };
    check(&serve_with(secret), "cannot read the password");
    fs::write(secret, "\n").unwrap();
    check(&serve_with(secret), "there is no password");
    fs::write(secret, "open sesame\n").unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_kv"));
    founder.start_as(program, &["--password-file", secret]);

    let mut silent = founder.connect();
    let mut client = founder.connect();
    check(&client.call(&["GET", "a"]), "-NOAUTH");
    check(&client.call(&["AUTH", "guess"]), "-WRONGPASS");
    assert_eq!(client.call(&["AUTH", "open sesame"]), "+OK");
    wait_for("a leader", || {
        (client.call(&["SET", "a", "1"]) == "+OK").then_some(())
    });

    let newcomer = Node::new(root.path(), 2);
    let member = founder.client.to_string();
    let join = newcomer.words("join", &["--member", &member]);
    check(&refusal(&words(&join)), "NOAUTH");
    let join = newcomer.words("join", &["--member", &member, "--password-file", secret]);
    let output = support::run(&words(&join));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    check(&client.call(&["RAFT.STATUS"]), "2 Learner");

    // It is not said in clear to other machines.
    let words = ["status", "--password-file", secret, "--member"];
    let told = refusal(&[&words[..], &["192.0.2.1:7000"]].concat());
    check(&told, "could read the password: give --tls-ca");
    let told = support::run(&[&words[..], &[&member, "--insecure"]].concat());
    assert!(told.status.success(), "{told:?}");

    // Who never gives it is cut off; who has given it stays.
    assert_eq!(silent.answer(), "");
    assert_eq!(client.call(&["PING"]), "+PONG");
}

/// The program with at most so many open files.
fn limited(files: usize) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {files} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_kv")]);
    command
}

#[test]
fn clients_get_no_more_files_than_others_leave_them() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new(root.path(), 1);
    node.init();
    let served = limited(64)
        .args(["serve", "--dir", node.directory.to_str().unwrap()])
        .output();
    let said = String::from_utf8(served.unwrap().stderr).unwrap();
    check(&said, "at most 64 files may be open, which is too few");

    node.start_as(limited(500), &[]);
    wait_for("a leader", || node.leads().then_some(()));
    check(&node.log(), "at most 500 files may be open: room for ");
    let mut clients: Vec<Client> = (0..200)
        .map_while(|_| Client::connect(node.client))
        .collect();
    let refused = clients
        .iter_mut()
        .position(|client| client.call(&["PING"]) != "+PONG");
    assert!(refused.is_some_and(|index| index > 50), "{refused:?}");
    // There is room for nodes all the same.
    assert_eq!(tell_peer_port(&node, b"GET / HTTP/1.1\r\n\r\n"), b"");
    drop(clients);
    assert_eq!(node.connect().call(&["SET", "still", "here"]), "+OK");
}

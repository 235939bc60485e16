//! What becomes of clients and data when a node is told to end.

mod support;

use std::time::{Duration, Instant};

use support::{Client, Node, leader, signal, trio, wait_for};

/// Waits for the end of the process; says with which code it ended, and when.
fn end(node: &mut Node) -> (Option<i32>, Instant) {
    let mut process = node.process.take().unwrap();
    // Waiting would close it, which tells the node to end, too: the signal that comes then is the second.
    let stdin = process.stdin.take();
    let status = process.wait().unwrap();
    drop(stdin);
    (status.code(), Instant::now())
}

#[test]
fn what_was_taken_is_answered_and_kept() {
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new(root.path(), 1);
    node.init();
    for name in ["TERM", "INT"] {
        node.start();
        wait_for("a leader", || node.leads().then_some(()));
        let mut idle = node.connect();
        assert_eq!(idle.call(&["PING"]), "+PONG");
        let mut client = node.connect();
        assert_eq!(client.call(&["FLUSHALL"]), "+OK");
        for number in 0..2000 {
            client.push(&["SET", &format!("{name}{number}"), "x"]);
        }
        signal(&node, name);
        let mut answers = 0;
        loop {
            match client.answer().as_str() {
                "+OK" => answers += 1,
                "" => break,
                other => panic!("{other}"),
            }
        }
        assert_eq!(idle.answer(), "");
        assert_eq!(end(&mut node).0, Some(0), "{}", node.log());
        assert!(node.log().contains("all clients are answered"));
        node.start();
        wait_for("a leader", || node.leads().then_some(()));
        // Each that was taken is answered, and none but those took place.
        let mut client = node.connect();
        // Only a read waits for what was acknowledged before.
        assert_eq!(client.call(&["GET", "none"]), "null");
        let keys = client.call(&["DBSIZE"]);
        assert_eq!(keys, format!(":{answers}"));
        node.end();
    }
}

#[test]
fn a_leader_that_ends_hands_over_and_nobody_waits_for_an_election() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let first = leader(&nodes).unwrap();
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "a", "1"]), "+OK");
    signal(&nodes[first], "TERM");
    assert_eq!(end(&mut nodes[first]).0, Some(0), "{}", nodes[first].log());
    let log = nodes[first].log();
    // It knew the next leader before it ended.
    let rest = [(first + 1) % 3, (first + 2) % 3];
    let leads =
        |index: &usize| log.contains(&format!("node {} leads from now on", nodes[*index].id));
    assert!(rest.iter().any(leads), "{log}");
    let second = wait_for("a leader", || {
        rest.into_iter().find(|index| nodes[*index].leads())
    });
    let mut client = nodes[second].connect();
    assert_eq!(client.call(&["GET", "a"]), "1");
    // Not because anybody missed it.
    for index in rest {
        let log = nodes[index].log();
        let missed = log.matches("now PreCandidate").count();
        let founder = usize::from(nodes[index].id == 1);
        assert!(missed <= founder, "{log}");
    }
}

/// A leader that has lost its majority, with a write that cannot be decided.
fn stranded(nodes: &mut [Node]) -> (usize, Client) {
    let first = leader(nodes).unwrap();
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "a", "1"]), "+OK");
    nodes[(first + 1) % 3].kill();
    nodes[(first + 2) % 3].kill();
    client.push(&["SET", "a", "2"]);
    (first, client)
}

#[test]
fn who_cannot_be_answered_is_told_so_in_time() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let (first, mut client) = stranded(&mut nodes);
    let start = Instant::now();
    // A client that never reads keeps nobody from ending.
    let mut deaf = nodes[first].connect();
    let value = "v".repeat(100_000);
    (0..20).for_each(|_| deaf.push(&["ECHO", &value]));
    std::thread::sleep(Duration::from_millis(100));
    signal(&nodes[first], "TERM");
    let address = nodes[first].client;
    wait_for("no new clients", || {
        Client::connect(address).is_none().then_some(())
    });
    // Not only when there is nobody any more who could let them in.
    let log = nodes[first].log();
    assert!(!log.contains("could not be answered in time"), "{log}");
    let answer = client.answer();
    assert!(answer.starts_with("-UNCERTAIN "), "{answer}");
    assert_eq!(client.answer(), "");
    let (code, at) = end(&mut nodes[first]);
    assert_eq!(code, Some(0), "{}", nodes[first].log());
    let time = at - start;
    assert!(time < Duration::from_secs(20), "{time:?}");
    drop(deaf);
}

#[test]
fn a_second_signal_ends_at_once() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let (first, mut client) = stranded(&mut nodes);
    signal(&nodes[first], "TERM");
    wait_for("the first signal", || {
        nodes[first].log().contains("SIGTERM: ending").then_some(())
    });
    let start = Instant::now();
    signal(&nodes[first], "TERM");
    let (code, at) = end(&mut nodes[first]);
    assert_eq!(code, Some(1));
    assert!(at - start < Duration::from_secs(3));
    assert!(nodes[first].log().contains("SIGTERM again"));
    assert_eq!(client.answer(), "");
}

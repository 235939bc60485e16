//! The port for monitoring, as Prometheus and an orchestrator use it.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use support::{Node, free_addresses, leader, wait_for};

/// Sends bytes and returns everything that comes back.
fn tell(address: SocketAddr, bytes: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Some(String::from_utf8_lossy(&answer).into_owned())
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Option<String> {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: kv\r\n\r\n");
    tell(address, request.as_bytes())
}

/// The status and the text of the answer to a `GET`.
fn fetch(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let answer = ask(address, "GET", path)?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, text) = answer.split_once("\r\n\r\n")?;
    Some((status, text.to_owned()))
}

fn sample(address: SocketAddr, name: &str) -> Option<f64> {
    let (_, text) = fetch(address, "/metrics")?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn node(root: &Path, id: u64) -> (Node, SocketAddr) {
    let mut node = Node::new(root, id);
    let [metrics] = free_addresses();
    node.options = ["--metrics", &metrics.to_string()]
        .map(str::to_owned)
        .into();
    (node, metrics)
}

#[test]
fn three_nodes_are_ready_once_they_have_caught_up_and_not_without_a_leader() {
    let root = tempfile::tempdir().unwrap();
    let (mut nodes, metrics): (Vec<Node>, Vec<SocketAddr>) =
        (1..=3).map(|id| node(root.path(), id)).unzip();
    for index in 0..3 {
        match index {
            0 => nodes[index].init(),
            _ => nodes[index].join(&nodes[0]),
        }
        nodes[index].start();
        wait_for("readiness", || {
            let (status, text) = fetch(metrics[index], "/readyz")?;
            assert!(status == 200 || status == 503, "{status} {text}");
            assert_eq!(text.lines().count(), 1, "{text}");
            (status == 200).then_some(())
        });
    }
    let first = leader(&nodes).unwrap();
    let mut client = nodes[first].connect();
    for number in 0..50 {
        assert_eq!(client.call(&["SET", &format!("key{number}"), "x"]), "+OK");
    }
    let here = metrics[first];
    assert_eq!(sample(here, "raft_role{role=\"leader\"}"), Some(1.0));
    assert_eq!(sample(here, "kv_commit_seconds_count"), Some(50.0));
    assert!(sample(here, "kv_commands_total").unwrap() >= 50.0);
    assert!(sample(here, "kv_sync_seconds_count").unwrap() > 0.0);
    assert!(sample(here, "raft_window_used_bytes").unwrap() > 0.0);
    assert!(sample(here, "kv_clients").unwrap() >= 1.0);
    for node in &nodes {
        let (id, is_first) = (node.id, node.id == nodes[first].id);
        let lag = format!("raft_peer_lag_entries{{peer=\"{id}\"}}");
        wait_for(&lag, || {
            (sample(here, &lag) == (!is_first).then_some(0.0)).then_some(())
        });
        let contact = format!("raft_peer_contact_seconds{{peer=\"{id}\"}}");
        assert_eq!(sample(here, &contact).is_some(), !is_first);
    }

    // A restarted follower is ready again when it has what was written meanwhile.
    let other = (first + 1) % 3;
    nodes[other].kill();
    assert_eq!(client.call(&["SET", "meanwhile", "y"]), "+OK");
    nodes[other].start();
    wait_for("readiness again", || {
        let (status, _) = fetch(metrics[other], "/readyz")?;
        (status == 200).then_some(())
    });
    let mut reader = nodes[other].connect();
    assert_eq!(reader.call(&["READONLY"]), "+OK");
    assert_eq!(reader.call(&["GET", "meanwhile"]), "y");

    // A removed node hears no leader any more, whatever it remembers.
    let third = (first + 2) % 3;
    let id = nodes[third].id.to_string();
    assert_eq!(client.call(&["RAFT.NODE", "REMOVE", &id]), "+OK");
    wait_for("the end of a removed node's readiness", || {
        let (status, _) = fetch(metrics[third], "/readyz")?;
        (status == 503).then_some(())
    });

    // A node without a majority is alive and not ready.
    nodes[(first + 1) % 3].kill();
    nodes[(first + 2) % 3].kill();
    let text = wait_for("the end of readiness", || {
        let (status, text) = fetch(here, "/readyz")?;
        (status == 503).then_some(text)
    });
    assert_eq!(text, "no leader is known\n");
    assert_eq!(fetch(here, "/livez").unwrap(), (200, "ok\n".into()));
    assert_eq!(sample(here, "raft_has_leader"), Some(0.0));
}

#[test]
fn requests_that_make_no_sense_are_answered_and_do_no_harm() {
    let root = tempfile::tempdir().unwrap();
    let (mut node, metrics) = node(root.path(), 1);
    node.init();
    node.start();
    wait_for("the port", || fetch(metrics, "/livez"));
    let starts = |answer: Option<String>, expected: &str| {
        let answer = answer.unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        answer
    };
    starts(ask(metrics, "POST", "/metrics"), "HTTP/1.1 405 ");
    starts(ask(metrics, "GET", "/"), "HTTP/1.1 404 ");
    starts(ask(metrics, "GET", "/metrics/"), "HTTP/1.1 404 ");
    starts(tell(metrics, b"*1\r\n$4\r\nPING\r\n"), "HTTP/1.1 400 ");
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
    let answer = tell(metrics, long.as_bytes()).unwrap();
    assert!(!answer.contains(" 200 "), "{answer}");
    let head = starts(ask(metrics, "HEAD", "/metrics"), "HTTP/1.1 200 ");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let kind = "content-type: text/plain; version=0.0.4";
    assert!(head.contains(kind), "{head}");
    assert!(
        ask(metrics, "GET", "/livez?verbose")
            .unwrap()
            .ends_with("ok\n")
    );

    // Silent connections keep nobody else out for longer than they may last.
    let silent: Vec<TcpStream> = (0..70)
        .map(|_| TcpStream::connect(metrics).unwrap())
        .collect();
    wait_for("an answer", || fetch(metrics, "/livez"));
    drop(silent);
    assert_eq!(node.connect().call(&["PING"]), "+PONG");
    node.end();
}

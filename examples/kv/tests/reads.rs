//! Reads that the leader answers by its clock, with `--lease-drift`.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use support::{Client, Node, leader, signal, trio, trio_with, wait_for};

fn leased(root: &Path) -> Vec<Node> {
    trio_with(root, None, &["--lease-drift", "1000"])
}

/// Writes and reads by turns, some of it in one go; every read has to see the last write before it.
fn count(client: &mut Client, from: u64, to: u64) {
    for number in from..to {
        let (number, twice) = (number.to_string(), (2 * number).to_string());
        for words in [
            ["SET", "n", &number].as_slice(),
            &["GET", "n"],
            &["SET", "n", &twice],
            &["MGET", "n", "m"],
        ] {
            client.push(words);
        }
        let answers = [(); 4].map(|()| client.answer());
        assert_eq!(answers, ["+OK", &number, "+OK", &format!("{twice}\nnull")]);
        assert_eq!(client.call(&["GET", "n"]), twice);
    }
}

/// Whether a read is answered, right, while nobody but the leader runs.
fn answers_alone(nodes: &[Node], first: usize) -> bool {
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "alone", "yes"]), "+OK");
    let others = || (0..nodes.len()).filter(|index| *index != first);
    others().for_each(|index| signal(&nodes[index], "STOP"));
    client.push(&["GET", "alone"]);
    let is_answered = client.is_answered_within(Duration::from_secs(1));
    others().for_each(|index| signal(&nodes[index], "CONT"));
    let answer = client.answer();
    assert!(answer == "yes" || answer.starts_with('-'), "{answer}");
    is_answered && answer == "yes"
}

#[test]
fn a_leader_with_a_lease_asks_nobody_and_one_without_does() {
    let root = tempfile::tempdir().unwrap();
    let places = ["a", "b"].map(|name| root.path().join(name));
    places
        .iter()
        .for_each(|place| std::fs::create_dir(place).unwrap());
    let nodes = leased(&places[0]);
    // Not if this machine is so busy that the lease ends before the read comes.
    wait_for("a read by lease", || {
        answers_alone(&nodes, leader(&nodes)?).then_some(())
    });
    drop(nodes);
    let nodes = trio(&places[1], None);
    let first = leader(&nodes).unwrap();
    assert!(!answers_alone(&nodes, first));
}

#[test]
fn reads_by_lease_are_right_across_changes_of_leader() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = leased(root.path());
    let first = leader(&nodes).unwrap();
    let mut client = nodes[first].connect();
    count(&mut client, 1, 200);

    // The office is handed over, as fast as it can be, and the old leader still has time on its lease.
    let second = (first + 1) % 3;
    let mut next = nodes[second].connect();
    let to = nodes[second].id.to_string();
    client.push(&["RAFT.TRANSFER_LEADER", &to]);
    let write = ["SET", "n", "handed over"];
    wait_for("the successor to write", || {
        (next.call(&write) == "+OK").then_some(())
    });
    client.push(&["GET", "n"]);
    assert_eq!(client.answer(), "+OK");
    let moved = client.answer();
    let address = format!(" {}", nodes[second].client);
    assert!(
        moved.starts_with("-MOVED ") && moved.ends_with(&address),
        "{moved}"
    );
    count(&mut next, 200, 300);

    // A leader sleeps past its lease, and wakes up without having heard of another.
    assert_eq!(next.call(&["SET", "n", "old"]), "+OK");
    signal(&nodes[second], "STOP");
    let others = [first, (second + 1) % 3];
    let third = wait_for("another leader", || {
        let is_it = |index: &usize| nodes[*index].leads();
        others.into_iter().find(is_it)
    });
    let mut client = nodes[third].connect();
    wait_for("a write", || {
        (client.call(&["SET", "n", "new"]) == "+OK").then_some(())
    });
    next.push(&["GET", "n"]);
    signal(&nodes[second], "CONT");
    let answer = next.answer();
    assert!(answer.starts_with('-'), "{answer}");
    count(&mut client, 300, 400);

    // And one is killed.
    let start = Instant::now();
    nodes[third].kill();
    let fourth = wait_for("another leader", || leader(&nodes));
    let mut client = nodes[fourth].connect();
    wait_for("the last value", || {
        let value = client.call(&["GET", "n"]);
        assert!(value == "798" || value.starts_with('-'), "{value}");
        (value == "798").then_some(())
    });
    assert!(start.elapsed() < Duration::from_secs(60));
    count(&mut client, 400, 500);
}

/// Ends the others, also when a check fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// What a client that asks the wrong node, or at the wrong time, is told.
fn is_excuse(answer: &str) -> bool {
    let words = ["-MOVED ", "-CLUSTERDOWN ", "-TRYAGAIN ", "-UNCERTAIN "];
    words.iter().any(|word| answer.starts_with(word))
}

#[test]
fn no_read_is_older_than_what_was_acknowledged_before_it_while_leaders_change_all_the_time() {
    let root = tempfile::tempdir().unwrap();
    let nodes = leased(root.path());
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let write = || {
        let mut clients: Vec<Client> = nodes.iter().map(Node::connect).collect();
        while !is_over.load(SeqCst) {
            for client in &mut clients {
                let answer = client.call(&["INCR", "n"]);
                match answer.strip_prefix(':') {
                    Some(number) => acknowledged.store(number.parse().unwrap(), SeqCst),
                    None => assert!(is_excuse(&answer), "{answer}"),
                }
            }
        }
    };
    // Each asks one node for what it may not know any more, without a pause.
    let read = |node: &Node| {
        let (mut client, mut count) = (node.connect(), 0);
        while !is_over.load(SeqCst) {
            let before = acknowledged.load(SeqCst);
            let answer = client.call(&["GET", "n"]);
            if is_excuse(&answer) {
                continue;
            }
            let number: u64 = answer.replace("null", "0").parse().unwrap();
            assert!(number >= before, "{number} after {before}");
            count += 1;
        }
        count
    };
    let counts: Vec<u64> = thread::scope(|scope| {
        let writer = scope.spawn(write);
        let readers: Vec<_> = nodes
            .iter()
            .map(|node| scope.spawn(|| read(node)))
            .collect();
        let over = Over(&is_over);
        for _ in 0..30 {
            let leading = wait_for("a leader", || leader(&nodes));
            let answer = nodes[leading].connect().call(&["RAFT.TRANSFER_LEADER"]);
            let is_told = answer == "+OK" || is_excuse(&answer) || answer.starts_with("-ERR node ");
            assert!(is_told, "{answer}");
        }
        drop(over);
        writer.join().unwrap();
        readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .collect()
    });
    assert!(acknowledged.load(SeqCst) > 0);
    assert!(
        counts.iter().filter(|count| **count > 0).count() > 1,
        "{counts:?}"
    );
}

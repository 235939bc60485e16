//! Groups of real processes, through the command line and the ports that people use.

mod support;

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use support::{Client, Node, leader, run, signal, trio, wait_for};

/// Reads a key from one node alone until it has that value.
#[track_caller]
fn wait_for_value(node: &Node, key: &str, value: &str) {
    let mut client = node.connect();
    assert_eq!(client.call(&["READONLY"]), "+OK");
    wait_for(&format!("{key} on n{}", node.id), || {
        (client.call(&["GET", key]) == value).then_some(())
    });
}

/// Asks whoever leads, again and again, until the answer is this one.
#[track_caller]
fn wait_for_answer<'a>(
    nodes: impl IntoIterator<Item = &'a Node> + Clone,
    words: &[&str],
    answer: &str,
) {
    wait_for(&format!("{answer} to {words:?}"), || {
        let mut nodes = nodes.clone().into_iter();
        let leader = nodes.find(|node| node.leads())?;
        let mut client = Client::connect(leader.client)?;
        (client.call(words) == answer).then_some(())
    });
}

#[test]
fn three_processes_agree_and_survive_their_leader_and_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let first = leader(&nodes).unwrap();
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "a", "1"]), "+OK");
    assert_eq!(client.call(&["GET", "a"]), "1");
    assert_eq!(client.call(&["INCRBY", "a", "41"]), ":42");

    // Requests of one connection take effect in their order, reads among them.
    for words in [
        ["GET", "b"].as_slice(),
        &["SET", "b", "1"],
        &["GET", "b"],
        &["PING"],
        &["SET", "b", "2"],
        &["MGET", "a", "b"],
        &["NONSENSE"],
        &["DEL", "b"],
        &["GET", "b"],
    ] {
        client.push(words);
    }
    let answers: Vec<String> = (0..9).map(|_| client.answer()).collect();
    assert_eq!(answers[..6], ["null", "+OK", "1", "+PONG", "+OK", "42\n2"]);
    assert!(
        answers[6].starts_with("-ERR unknown command"),
        "{answers:?}"
    );
    assert_eq!(answers[7..], [":1", "null"]);

    // The others send clients to the leader, and read by themselves if asked to.
    let follower = (first + 1) % 3;
    let moved = format!("-MOVED 15495 {}", nodes[first].client);
    let mut client = nodes[follower].connect();
    assert_eq!(client.call(&["SET", "a", "x"]), moved);
    assert_eq!(client.call(&["GET", "a"]), moved);
    wait_for_value(&nodes[follower], "a", "42");

    nodes[first].kill();
    wait_for_answer(&nodes, &["GET", "a"], "42");
    wait_for_answer(&nodes, &["SET", "after", "kill"], "+OK");
    nodes[first].start();
    wait_for_value(&nodes[first], "after", "kill");

    for node in &mut nodes {
        node.end();
    }
    for node in &mut nodes {
        node.start();
    }
    wait_for_answer(&nodes, &["MGET", "a", "after"], "42\nkill");
    for node in &nodes {
        wait_for_value(node, "after", "kill");
    }
}

/// Writes `count` values of 1,000 bytes.
fn fill(client: &mut Client, count: usize) {
    let value = "v".repeat(1000);
    let mut number = 0;
    while number < count {
        let batch = number..count.min(number + 500);
        for number in batch.clone() {
            client.push(&["SET", &format!("key{}", number % 700), &value]);
        }
        batch
            .clone()
            .for_each(|_| assert_eq!(client.answer(), "+OK"));
        number = batch.end;
    }
}

fn has_snapshot(directory: &Path) -> bool {
    let mut entries = std::fs::read_dir(directory).unwrap().flatten();
    entries.any(|entry| entry.path().extension().is_some_and(|word| word == "map"))
}

#[test]
fn values_that_are_large_for_the_window_go_on() {
    let root = tempfile::tempdir().unwrap();
    // The id of a node that saves late.
    let mut node = Node::new(root.path(), 3);
    node.window = Some("4");
    node.init();
    node.start();
    wait_for("a leader", || node.leads().then_some(()));
    let mut client = node.connect();
    let value = "v".repeat(1_000_000);
    for number in 0..12 {
        let key = format!("key{number}");
        assert_eq!(client.call(&["SET", &key, &value]), "+OK");
    }
    assert!(has_snapshot(&node.directory));
}

#[test]
fn a_full_window_is_compacted_and_a_newcomer_is_sent_the_snapshot() {
    let root = tempfile::tempdir().unwrap();
    let mut founder = Node::new(root.path(), 1);
    founder.window = Some("4");
    founder.init();
    founder.start();
    let mut client = founder.connect();
    wait_for("a leader", || founder.leads().then_some(()));
    // Three times the window.
    fill(&mut client, 12_000);
    wait_for("a snapshot", || {
        has_snapshot(&founder.directory).then_some(())
    });

    let mut newcomer = Node::new(root.path(), 2);
    newcomer.window = Some("4");
    newcomer.join(&founder);
    newcomer.start();
    wait_for_value(&newcomer, "key699", &"v".repeat(1000));
    wait_for("the newcomer's vote", || {
        let status = client.call(&["RAFT.STATUS"]);
        (status.matches(" Voter ").count() == 2).then_some(())
    });
    assert!(
        newcomer.log().contains("receiving a snapshot"),
        "{}",
        newcomer.log()
    );
    assert_eq!(client.call(&["SET", "last", "word"]), "+OK");

    // Both come back from a snapshot and the entries after it.
    founder.kill();
    newcomer.end();
    founder.start();
    newcomer.start();
    let nodes = [founder, newcomer];
    let leading = wait_for("a leader", || leader(&nodes));
    let mut client = nodes[leading].connect();
    assert_eq!(client.call(&["GET", "last"]), "word");
    assert_eq!(client.call(&["DBSIZE"]), ":701");
    wait_for_value(&nodes[1 - leading], "last", "word");
}

#[test]
fn a_leader_that_was_asleep_does_not_answer_with_old_values() {
    let root = tempfile::tempdir().unwrap();
    let nodes = trio(root.path(), None);
    let first = leader(&nodes).unwrap();
    let mut asleep = nodes[first].connect();
    assert_eq!(asleep.call(&["SET", "a", "old"]), "+OK");
    signal(&nodes[first], "STOP");
    let others = nodes.iter().filter(|node| node.id != nodes[first].id);
    wait_for_answer(others, &["SET", "a", "new"], "+OK");

    // When it wakes up, these are there before it can hear of its successor.
    asleep.push(&["GET", "a"]);
    asleep.push(&["SET", "a", "older"]);
    signal(&nodes[first], "CONT");
    let answers = [asleep.answer(), asleep.answer()];
    let is_safe = |answer: &String| answer.starts_with('-');
    assert!(answers.iter().all(is_safe), "{answers:?}");
    wait_for_answer(&nodes, &["GET", "a"], "new");
}

#[test]
fn a_removed_node_is_forgotten_and_may_come_back_as_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let leading = leader(&nodes).unwrap();
    let gone = (leading + 1) % 3;
    let id = nodes[gone].id.to_string();
    nodes[gone].kill();

    // Its directory is lost: it is a new node now, and the group takes no two lives of one id.
    std::fs::remove_dir_all(&nodes[gone].directory).unwrap();
    let member = nodes[leading].client.to_string();
    let words = nodes[gone].words("join", &["--member", &member]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = run(&words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("in another incarnation"), "{said}");
    assert!(!nodes[gone].directory.exists());

    let mut client = nodes[leading].connect();
    assert_eq!(client.call(&["RAFT.NODE", "REMOVE", &id]), "+OK");
    wait_for("the address to be forgotten", || {
        let slots = client.call(&["CLUSTER", "SLOTS"]);
        (!slots.contains(&nodes[gone].client.port().to_string())).then_some(())
    });
    let refused = client.call(&["RAFT.NODE", "REMOVE", &id]);
    assert!(refused.contains("is no member"), "{refused}");
    assert_eq!(client.call(&["SET", "two", "agree"]), "+OK");

    nodes[gone].join(&nodes[leading]);
    nodes[gone].start();
    wait_for_value(&nodes[gone], "two", "agree");
}

#[test]
fn a_full_disk_stops_acknowledgements_until_there_is_room() {
    let is_here = |tool: &str| Command::new(tool).arg("--version").output().is_ok();
    if !is_here("prlimit") {
        eprintln!("skipped: there is no prlimit (util-linux)");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let mut node = Node::new(root.path(), 1);
    node.init();
    // A limit on the size of files stands in for the end of the disk.
    let mut limited = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -S -f 6000; exec \"$0\" \"$@\"";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_kv")]);
    node.start_as(limited, &[]);
    let mut client = node.connect();
    wait_for("a leader", || node.leads().then_some(()));
    let value = "v".repeat(100_000);
    let mut done = 0;
    let mut second = node.connect();
    // The write that meets the end of the disk is not answered: it may still take place.
    let refused = wait_for("the end of the disk", || {
        if node.field("aof_last_write_status").as_deref() == Some("err") {
            return Some(second.call(&["SET", "refused", "x"]));
        }
        client.push(&["SET", &format!("key{done}"), &value]);
        done += 1;
        None
    });
    assert!(
        refused.starts_with("-MISCONF this node cannot store writes"),
        "{refused}"
    );
    assert!(
        node.log()
            .contains("cannot store writes, nothing is acknowledged")
    );

    let process = node.process.as_ref().unwrap().id().to_string();
    let raised = Command::new("prlimit")
        .args(["--pid", &process, "--fsize=unlimited:"])
        .status();
    assert!(raised.unwrap().success());
    // What was waiting is answered in the end, and nothing is lost.
    for _ in 0..done {
        assert_eq!(client.answer(), "+OK");
    }
    assert_eq!(client.call(&["SET", "there", "is room"]), "+OK");
    assert_eq!(node.field("aof_last_write_status").as_deref(), Some("ok"));
    node.kill();
    node.start();
    wait_for("a leader again", || node.leads().then_some(()));
    let mut client = node.connect();
    assert_eq!(client.call(&["GET", "there"]), "is room");
    assert_eq!(client.call(&["GET", "refused"]), "null");
    assert_eq!(client.call(&["DBSIZE"]), format!(":{}", done + 1));
}

#[test]
fn a_node_may_join_before_the_member_it_asks_listens() {
    let root = tempfile::tempdir().unwrap();
    let [mut founder, newcomer] = [1, 2].map(|id| Node::new(root.path(), id));
    founder.init();
    let member = founder.client.to_string();
    let mut joining = Command::new(env!("CARGO_BIN_EXE_kv"))
        .args(newcomer.words("join", &["--member", &member]))
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(500));
    founder.start();
    assert!(joining.wait().unwrap().success());
}

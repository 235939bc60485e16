//! What an operator sees of a group, and how its members change.

mod support;

use support::{Node, free_addresses, leader, refusal, run, trio, wait_for};

/// The lines of `kv status`, asked of that node.
fn status(node: &Node) -> Vec<String> {
    let output = run(&["status", "--member", &node.client.to_string()]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

/// The words of the row of a node.
fn row(lines: &[String], id: u64) -> Option<Vec<&str>> {
    let mut rows = lines.iter().map(|line| line.split("  ").map(str::trim));
    let mut row = rows.find(|row| row.clone().next() == Some(&id.to_string()))?;
    Some(row.by_ref().filter(|word| !word.is_empty()).collect())
}

#[test]
fn the_table_shows_who_lags_who_is_gone_and_who_was_removed() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let first = leader(&nodes).unwrap();
    let [other, third] = [(first + 1) % 3, (first + 2) % 3];
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "a", "1"]), "+OK");
    // Any member can be asked.
    let lines = wait_for("rows without lag", || {
        let lines = status(&nodes[other]);
        let is_level = |node: &Node| match row(&lines, node.id) {
            Some(row) => row[2] == "leader" || (row[2] == "follower" && row[6] == "0"),
            None => false,
        };
        nodes.iter().all(is_level).then_some(lines)
    });
    let led = format!("led by node {} in term ", nodes[first].id);
    assert!(lines[0].contains(&led), "{lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");

    nodes[other].kill();
    for number in 0..20 {
        assert_eq!(client.call(&["INCR", &format!("n{number}")]), ":1");
    }
    let lines = wait_for("a row with lag", || {
        let lines = status(&nodes[third]);
        let lag: u64 = row(&lines, nodes[other].id)?[6].parse().ok()?;
        (lag >= 20).then_some(lines)
    });
    assert_eq!(row(&lines, nodes[other].id).unwrap()[2], "-");
    let gone = format!("node {} does not answer: ", nodes[other].id);
    assert!(lines.last().unwrap().starts_with(&gone), "{lines:?}");
    let info = client.call(&["RAFT.INFO"]);
    let expected = format!("id={},state=disconnected,voting=yes", nodes[other].id);
    assert!(info.contains(&expected), "{info}");
    assert!(info.contains("num_voting_nodes:3\r\n"), "{info}");

    let id = nodes[other].id.to_string();
    assert_eq!(client.call(&["RAFT.NODE", "REMOVE", &id]), "+OK");
    wait_for("two rows", || {
        let lines = status(&nodes[first]);
        (lines.len() == 4 && row(&lines, nodes[other].id).is_none()).then_some(())
    });
    // It comes back as a new node.
    std::fs::remove_dir_all(&nodes[other].directory).unwrap();
    nodes[other].join(&nodes[first]);
    nodes[other].start();
    wait_for("three rows", || {
        let lines = status(&nodes[first]);
        (row(&lines, nodes[other].id)?[1] == "voter").then_some(())
    });

    let [nobody] = free_addresses();
    let told = refusal(&["status", "--member", &nobody.to_string()]);
    assert!(told.contains(&nobody.to_string()), "{told}");
}

#[test]
fn the_office_is_handed_over_on_request() {
    let root = tempfile::tempdir().unwrap();
    let nodes = trio(root.path(), None);
    let first = leader(&nodes).unwrap();
    let other = (first + 1) % 3;
    let mut client = nodes[first].connect();
    assert_eq!(client.call(&["SET", "a", "1"]), "+OK");
    let own = nodes[first].id.to_string();
    let refused = client.call(&["RAFT.TRANSFER_LEADER", &own]);
    assert!(refused.contains("leads already"), "{refused}");
    let refused = client.call(&["RAFT.TRANSFER_LEADER", "9"]);
    assert!(refused.starts_with("-ERR node 9 "), "{refused}");
    let to = nodes[other].id.to_string();
    // A write behind it goes to the successor, and no client sees an error.
    client.push(&["RAFT.TRANSFER_LEADER", &to]);
    client.push(&["SET", "a", "2"]);
    assert_eq!(client.answer(), "+OK");
    let moved = client.answer();
    assert_eq!(moved, format!("-MOVED 15495 {}", nodes[other].client));
    // Time and again: while the successor is voted for nobody is known to lead.
    let mut at = other;
    for round in 0..10 {
        let to = (at + 1) % 3;
        let mut client = nodes[at].connect();
        let mut reader = nodes[at].connect();
        assert_eq!(client.call(&["GET", "a"]).len(), 1, "round {round}");
        client.push(&["RAFT.TRANSFER_LEADER", &nodes[to].id.to_string()]);
        client.push(&["SET", "a", "2"]);
        let moved = format!("-MOVED 15495 {}", nodes[to].client);
        // Nor does who reads all the time.
        wait_for("the successor", || {
            let value = reader.call(&["GET", "a"]);
            let is_right = value == "1" || value == "2" || value.starts_with("-MOVED ");
            assert!(is_right, "round {round}: {value}");
            (value == moved).then_some(())
        });
        assert_eq!([client.answer(), client.answer()], ["+OK", &moved]);
        at = to;
    }
    let (first, other, third) = ((at + 1) % 3, at, (at + 2) % 3);
    let mut client = nodes[other].connect();
    assert_eq!(client.call(&["SET", "a", "3"]), "+OK");
    // To whoever is closest.
    assert_eq!(client.call(&["RAFT.TRANSFER_LEADER"]), "+OK");
    let next = wait_for("the next leader", || {
        [first, third]
            .into_iter()
            .find(|index| nodes[*index].leads())
    });
    assert_eq!(nodes[next].connect().call(&["GET", "a"]), "3");
}

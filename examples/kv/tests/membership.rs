//! Who votes: a node is demoted and promoted again; a majority is lost, and one survivor goes on.

mod support;

use support::{Node, refusal, run, trio, wait_for};

/// The words that recover a node.
fn words<'a>(node: &'a Node, more: &[&'a str]) -> Vec<&'a str> {
    let directory = node.directory.to_str().unwrap();
    [&["recover", "--dir", directory], more].concat()
}

fn holds(node: &Node, key: &str, value: &str) {
    wait_for("the value", || {
        let mut client = node.connect();
        client.call(&["READONLY"]);
        (client.call(&["GET", key]) == value).then_some(())
    });
}

#[test]
fn a_survivor_goes_on_with_what_it_holds() {
    let root = tempfile::tempdir().unwrap();
    let mut nodes = trio(root.path(), None);
    let leading = wait_for("a leader", || support::leader(&nodes));
    let mut client = nodes[leading].connect();
    assert_eq!(client.call(&["SET", "one", "kept"]), "+OK");
    let last = (leading + 1) % 3;
    holds(&nodes[last], "one", "kept");
    let running = refusal(&words(&nodes[last], &[]));
    assert!(running.contains("in use"), "{running}");
    for node in &mut nodes {
        node.kill();
    }
    // Asked only, it changes nothing.
    for _ in 0..2 {
        let output = run(&words(&nodes[last], &[]));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && said.contains("nothing was changed"),
            "{said}"
        );
        assert!(said.contains("voter of group"), "{said}");
    }
    let output = run(&words(&nodes[last], &["--accept-data-loss"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("the only one"),
        "{said}"
    );
    // The old majority comes back, and does not meet it.
    for number in (0..3).filter(|number| *number != last) {
        nodes[number].start();
    }
    nodes[last].start();
    holds(&nodes[last], "one", "kept");
    let mut client = nodes[last].connect();
    assert_eq!(client.call(&["SET", "two", "new"]), "+OK");
    for number in (0..3).filter(|number| *number != last) {
        nodes[number].kill();
        let port = nodes[number].client.port().to_string();
        wait_for("its address to be forgotten", || {
            (!client.call(&["CLUSTER", "SLOTS"]).contains(&port)).then_some(())
        });
        std::fs::remove_dir_all(&nodes[number].directory).unwrap();
    }
    let joining = (last + 1) % 3;
    let (a, b) = nodes.split_at_mut(joining.max(last));
    let (member, newcomer) = match last < joining {
        true => (&a[last], &mut b[0]),
        false => (&b[0], &mut a[joining]),
    };
    newcomer.join(member);
    newcomer.start();
    holds(newcomer, "two", "new");
}

#[test]
fn a_demoted_node_stays_a_learner_until_it_is_promoted() {
    let root = tempfile::tempdir().unwrap();
    let nodes = trio(root.path(), None);
    let leading = wait_for("a leader", || support::leader(&nodes));
    let mut client = nodes[leading].connect();
    let node = &nodes[(leading + 1) % 3];
    let id = node.id.to_string();
    let table = || {
        let member = nodes[leading].client.to_string();
        let output = run(&["status", "--member", &member]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(!table().contains("learner"));
    for _ in 0..2 {
        assert_eq!(client.call(&["RAFT.NODE", "DEMOTE", &id]), "+OK");
    }
    wait_for("the vote to be gone", || {
        table().contains("learner").then_some(())
    });
    assert_eq!(client.call(&["SET", "still", "here"]), "+OK");
    holds(node, "still", "here");
    assert!(
        table().contains("learner"),
        "level, and still without a vote"
    );
    assert_eq!(client.call(&["RAFT.NODE", "PROMOTE", &id]), "+OK");
    wait_for("the vote to be back", || {
        (!table().contains("learner")).then_some(())
    });
    let unknown = client.call(&["RAFT.NODE", "DEMOTE", "77"]);
    assert!(unknown.contains("is no member"), "{unknown}");
}

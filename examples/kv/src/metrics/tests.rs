use clocks::Instant;
use raft_core::{CatchingUp, LogIndex, MemberProgress};

use super::*;

fn facts() -> Facts {
    let progress = |matched| MemberProgress {
        matched: LogIndex::new(matched),
        next: LogIndex::new(matched + 1),
        room: 500,
        catching_up: CatchingUp::Replicating,
        contact: Instant::ZERO,
    };
    let peer = |id, matched| PeerFacts {
        id,
        is_voter: true,
        is_connected: id == 2,
        contact: (id == 2).then_some(Duration::from_millis(1500)),
        progress: Some(progress(matched)),
        ..PeerFacts::default()
    };
    Facts {
        clients: 3,
        raft: RaftFacts {
            role: "leader",
            term: 7,
            last: 40,
            members: 3,
            peers: vec![peer(2, 38), peer(3, 0)],
            ..RaftFacts::default()
        },
        ..Facts::default()
    }
}

/// Every line is a help, a type or a sample, and each sample belongs to the family above it.
fn check_format(text: &str) {
    let mut family = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.is_empty(), "{line}");
                family = name.to_owned();
            }
            ["#", "TYPE", name, kind] => {
                assert_eq!(name, family);
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            }
            [sample, value] => {
                assert!(sample.starts_with(&family), "{line}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
            _ => panic!("{line}"),
        }
    }
}

#[test]
fn text_has_the_state_of_the_moment_and_what_was_counted() {
    let metrics = Metrics::new().unwrap();
    metrics.commands.inc_by(5);
    metrics.snapshots_saved.inc();
    metrics.commit_time.observe(0.003);
    let text = metrics.text(&facts()).unwrap();
    check_format(&text);
    for sample in [
        "kv_clients 3",
        "kv_commands_total 5",
        "raft_role{role=\"leader\"} 1",
        "raft_role{role=\"follower\"} 0",
        "raft_term 7",
        "raft_has_leader 0",
        "raft_peer_lag_entries{peer=\"2\"} 2",
        "raft_peer_lag_entries{peer=\"3\"} 40",
        "raft_peer_connected{peer=\"3\"} 0",
        "raft_peer_contact_seconds{peer=\"2\"} 1.5",
        "raft_snapshots_total{kind=\"saved\"} 1",
        "kv_commit_seconds_bucket{le=\"0.0025\"} 0",
        "kv_commit_seconds_bucket{le=\"0.005\"} 1",
        "kv_commit_seconds_bucket{le=\"+Inf\"} 1",
        "kv_sync_seconds_count 0",
    ] {
        assert!(
            text.lines().any(|line| line == sample),
            "{sample} in {text}"
        );
    }
    assert!(!text.contains("raft_peer_contact_seconds{peer=\"3\"}"));
}

#[test]
fn a_peer_that_left_and_what_is_not_known_are_left_out() {
    let metrics = Metrics::new().unwrap();
    let mut facts = facts();
    facts.raft.peers.pop();
    facts.raft.peers[0].progress = None;
    let text = metrics.text(&facts).unwrap();
    check_format(&text);
    assert!(!text.contains("peer=\"3\""));
    assert!(!text.contains("raft_peer_lag_entries"));
    facts.raft.peers.clear();
    let text = metrics.text(&facts).unwrap();
    check_format(&text);
    assert!(!text.contains("raft_peer_"));
}

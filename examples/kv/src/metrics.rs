//! What monitoring reads: counters and histograms that grow while the node runs, and gauges made when asked.
//!
//! A gauge that is kept beside the state it shows is wrong as soon as somebody forgets to set it, and one of
//! a peer that was removed stays for ever. So only what cannot be read off the state is kept here; the rest is
//! made from [`Facts`] at the moment of the question. The text is the exposition format 0.0.4 of Prometheus.
//!
//! Names are stable: `raft_*` for the node's part in the group, `kv_*` for the server around it. Times are in
//! seconds, sizes in bytes. No label takes more values than there are members, roles or kinds of snapshot.

use core::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, TextEncoder,
};

use crate::info::{Facts, PeerFacts, RaftFacts};

/// From a fast disk to a client that has given up.
const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// What a node can be, as `raft_role` names it.
const ROLES: [&str; 4] = ["follower", "pre-candidate", "candidate", "leader"];

/// What is counted while the node runs.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Clients that have connected.
    pub connections: IntCounter,
    /// Requests taken.
    pub commands: IntCounter,
    /// Frames of peers that could not be decoded.
    pub bad_frames: IntCounter,
    /// Messages that the Raft node did not want.
    pub dropped: IntCounter,
    /// Candidacies of this node.
    pub candidacies: IntCounter,
    /// Leaders that this node has heard of.
    pub leader_changes: IntCounter,
    /// Maps saved.
    pub snapshots_saved: IntCounter,
    /// Maps that could not be saved.
    pub snapshots_failed: IntCounter,
    /// Snapshots of other nodes that took the place of this node's map.
    pub snapshots_installed: IntCounter,
    /// From when a write is taken until it is applied here.
    pub commit_time: Histogram,
    /// What a sync of the journal takes.
    pub sync_time: Histogram,
    snapshots: IntCounterVec,
}

impl Metrics {
    /// Nothing has been counted yet.
    ///
    /// # Errors
    /// A name or a bucket that Prometheus does not allow: a mistake of this program.
    pub fn new() -> prometheus::Result<Self> {
        let counter = |name, help| IntCounter::new(name, help);
        let times = |name: &str, help: &str| {
            Histogram::with_opts(HistogramOpts::new(name, help).buckets(SECONDS.to_vec()))
        };
        let snapshots = IntCounterVec::new(
            Opts::new(
                "raft_snapshots_total",
                "Snapshots saved, failed, installed.",
            ),
            &["kind"],
        )?;
        let kind = |kind| snapshots.get_metric_with_label_values(&[kind]);
        Ok(Self {
            connections: counter("kv_connections_total", "Clients that have connected.")?,
            commands: counter("kv_commands_total", "Requests taken.")?,
            bad_frames: counter("raft_bad_frames_total", "Damaged frames of peers.")?,
            dropped: counter("raft_dropped_messages_total", "Messages of peers dropped.")?,
            candidacies: counter("raft_candidacies_total", "Candidacies of this node.")?,
            leader_changes: counter("raft_leader_changes_total", "New leaders heard of.")?,
            snapshots_saved: kind("saved")?,
            snapshots_failed: kind("failed")?,
            snapshots_installed: kind("installed")?,
            commit_time: times(
                "kv_commit_seconds",
                "From when a write of a client is taken until it is applied.",
            )?,
            sync_time: times("kv_sync_seconds", "What a sync of the journal takes.")?,
            snapshots,
        })
    }

    /// Everything as text, with what the node is at this moment.
    ///
    /// # Errors
    /// As for [`Metrics::new`].
    pub fn text(&self, facts: &Facts) -> prometheus::Result<String> {
        let mut families = Vec::new();
        server_gauges(facts, &mut families)?;
        raft_gauges(&facts.raft, &mut families)?;
        peer_gauges(&facts.raft, &mut families)?;
        let counters = [
            &self.connections,
            &self.commands,
            &self.bad_frames,
            &self.dropped,
            &self.candidacies,
            &self.leader_changes,
        ];
        families.extend(counters.into_iter().flat_map(Collector::collect));
        families.extend(self.snapshots.collect());
        families.extend(self.commit_time.collect());
        families.extend(self.sync_time.collect());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        TextEncoder::new().encode_to_string(&families)
    }
}

fn server_gauges(facts: &Facts, out: &mut Vec<MetricFamily>) -> prometheus::Result<()> {
    let uptime = facts.uptime.as_secs();
    let write_error = u64::from(facts.write_error.is_some());
    let version = env!("CARGO_PKG_VERSION");
    gauge(
        out,
        "kv_info",
        "Which program runs.",
        &["version"],
        [([version], 1)],
    )?;
    for (name, help, value) in [
        ("kv_uptime_seconds", "Since the start.", uptime),
        ("kv_clients", "Clients connected.", facts.clients as u64),
        ("kv_keys", "Keys in memory.", facts.keys as u64),
        (
            "kv_keys_expiring",
            "Keys that go away some time.",
            facts.keys_expiring as u64,
        ),
        (
            "kv_disk_bytes",
            "Room that the data directory takes.",
            facts.bytes_on_disk,
        ),
        (
            "kv_write_error",
            "1 while nothing can be stored.",
            write_error,
        ),
    ] {
        gauge(out, name, help, &[], [([], value)])?;
    }
    Ok(())
}

fn raft_gauges(raft: &RaftFacts, out: &mut Vec<MetricFamily>) -> prometheus::Result<()> {
    let roles = ROLES.map(|role| ([role], u64::from(role == raft.role)));
    gauge(
        out,
        "raft_role",
        "1 for what the node is.",
        &["role"],
        roles,
    )?;
    let has_leader = u64::from(raft.leader.is_some());
    for (name, help, value) in [
        ("raft_term", "The latest term seen.", raft.term),
        ("raft_has_leader", "Whether a leader is known.", has_leader),
        (
            "raft_commit_index",
            "The last entry known to be committed.",
            raft.commit,
        ),
        (
            "raft_applied_index",
            "The last entry applied.",
            raft.applied,
        ),
        ("raft_last_index", "The last entry of the log.", raft.last),
        (
            "raft_durable_index",
            "The last entry on disk.",
            raft.durable,
        ),
        ("raft_members", "Members of the group.", raft.members as u64),
        (
            "raft_window_used_bytes",
            "What the log in memory takes.",
            raft.window_used,
        ),
        (
            "raft_window_bytes",
            "What the log in memory may take.",
            raft.window_len,
        ),
        (
            "raft_snapshot_index",
            "The last entry in the snapshot.",
            raft.snapshot,
        ),
        (
            "raft_snapshot_bytes",
            "The size of the snapshot.",
            raft.snapshot_len,
        ),
    ] {
        gauge(out, name, help, &[], [([], value)])?;
    }
    Ok(())
}

/// One value per peer: of all members what concerns connections, and on the leader how far they are.
fn peer_gauges(raft: &RaftFacts, out: &mut Vec<MetricFamily>) -> prometheus::Result<()> {
    type Value = fn(&PeerFacts, &RaftFacts) -> Option<u64>;
    const GAUGES: [(&str, &str, Value); 7] = [
        (
            "raft_peer_connected",
            "Whether this node can send to it.",
            |peer, _| Some(u64::from(peer.is_connected)),
        ),
        ("raft_peer_voter", "Whether it has a vote.", |peer, _| {
            Some(u64::from(peer.is_voter))
        }),
        (
            "raft_peer_queued_bytes",
            "What waits to be sent to it.",
            |peer, _| Some(peer.queued as u64),
        ),
        (
            "raft_peer_match_index",
            "Up to where its log is the leader's.",
            |peer, _| peer.matched(),
        ),
        (
            "raft_peer_next_index",
            "The entry that is sent to it next.",
            |peer, _| Some(peer.progress?.next.value()),
        ),
        (
            "raft_peer_room_bytes",
            "What it can take before it says more.",
            |peer, _| Some(u64::from(peer.progress?.room)),
        ),
        (
            "raft_peer_lag_entries",
            "Entries that it lacks.",
            |peer, raft| peer.lag(raft),
        ),
    ];
    let names: Vec<String> = raft.peers.iter().map(|peer| peer.id.to_string()).collect();
    let peers = || raft.peers.iter().zip(&names);
    for (name, help, value) in GAUGES {
        let known = peers().filter_map(|(peer, id)| Some(([id.as_str()], value(peer, raft)?)));
        gauge(out, name, help, &["peer"], known)?;
    }
    let name = "raft_peer_contact_seconds";
    let heard = peers().filter_map(|(peer, id)| Some(([id.as_str()], peer.contact?)));
    let contact =
        prometheus::GaugeVec::new(Opts::new(name, "Since it was heard last."), &["peer"])?;
    for (labels, since) in heard {
        let value: Duration = since;
        contact
            .get_metric_with_label_values(&labels)?
            .set(value.as_secs_f64());
    }
    push(out, contact.collect());
    Ok(())
}

fn gauge<'a, const LABELS: usize>(
    out: &mut Vec<MetricFamily>,
    name: &str,
    help: &str,
    labels: &[&str; LABELS],
    values: impl IntoIterator<Item = ([&'a str; LABELS], u64)>,
) -> prometheus::Result<()> {
    let gauge = IntGaugeVec::new(Opts::new(name, help), labels)?;
    for (labels, value) in values {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        gauge.get_metric_with_label_values(&labels)?.set(value);
    }
    push(out, gauge.collect());
    Ok(())
}

/// A family without values, as those of the peers of a lone node, is left out: it may not be shown.
fn push(out: &mut Vec<MetricFamily>, families: Vec<MetricFamily>) {
    out.extend(
        families
            .into_iter()
            .filter(|family| !family.get_metric().is_empty()),
    );
}

#[cfg(test)]
mod tests;

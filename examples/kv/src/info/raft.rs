//! A node's part in its group, and the text of `RAFT.INFO`.
//!
//! The text has the sections and names of RedisRaft, so that what reads those can read these. Where RedisRaft shows
//! something that does not exist here it is left out; `RAFT.STATUS` and the metrics say more.

use core::fmt::{self, Write as _};
use core::time::Duration;

use raft_core::MemberProgress;

/// A node's part in its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RaftFacts {
    /// The group's id.
    pub group: u64,
    /// The node's id.
    pub id: u64,
    /// `leader`, `follower`, …
    pub role: &'static str,
    /// The latest term it has seen.
    pub term: u64,
    /// Who leads, if it knows.
    pub leader: Option<u64>,
    /// Up to which entry a majority is known to have them.
    pub commit: u64,
    /// Up to which entry the map has them.
    pub applied: u64,
    /// The last entry of the log.
    pub last: u64,
    /// Up to which entry the log is on disk.
    pub durable: u64,
    /// How many members there are.
    pub members: usize,
    /// Whether this node has a vote.
    pub is_voter: bool,
    /// The bytes that the log in memory takes.
    pub window_used: u64,
    /// The bytes that it may take.
    pub window_len: u64,
    /// The last entry in the snapshot; 0 without one.
    pub snapshot: u64,
    /// The bytes of the snapshot.
    pub snapshot_len: u64,
    /// The other members.
    pub peers: Vec<PeerFacts>,
}

/// Another member, as this node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerFacts {
    /// Its id.
    pub id: u64,
    /// Whether it has a vote.
    pub is_voter: bool,
    /// Where it serves clients, if that is known.
    pub client: Option<(Box<str>, u16)>,
    /// Whether it can be sent to.
    pub is_connected: bool,
    /// How long ago the latest connection to it was made.
    pub connected: Option<Duration>,
    /// Connections to it that were made.
    pub connections: u64,
    /// Attempts to connect to it that failed.
    pub failures: u64,
    /// The bytes that wait to be sent to it.
    pub queued: usize,
    /// How long ago it was heard.
    pub contact: Option<Duration>,
    /// How far it is; only a leader knows.
    pub progress: Option<MemberProgress>,
}

impl PeerFacts {
    /// Up to which entry its log is known to be this node's; only a leader knows.
    pub fn matched(&self) -> Option<u64> {
        Some(self.progress?.matched.value())
    }

    /// How many entries of the leader's log it is not known to have; only a leader knows.
    pub fn lag(&self, raft: &RaftFacts) -> Option<u64> {
        Some(raft.last.saturating_sub(self.progress?.matched.value()))
    }
}

impl RaftFacts {
    /// The text of `RAFT.INFO`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let voters = self.peers.iter().filter(|peer| peer.is_voter).count();
        let leader = self
            .leader
            .map_or(-1, |leader| i64::try_from(leader).unwrap_or(i64::MAX));
        write!(out, "# Raft\r\n")?;
        write!(out, "node_id:{}\r\n", self.id)?;
        write!(out, "state:up\r\n")?;
        write!(out, "role:{}\r\n", self.role)?;
        write!(out, "is_voting:{}\r\n", yes(self.is_voter))?;
        write!(out, "leader_id:{leader}\r\n")?;
        write!(out, "current_term:{}\r\n", self.term)?;
        write!(out, "num_nodes:{}\r\n", self.members)?;
        write!(
            out,
            "num_voting_nodes:{}\r\n",
            voters + usize::from(self.is_voter)
        )?;
        for (number, peer) in self.peers.iter().enumerate() {
            write!(out, "node{number}:{peer}\r\n")?;
        }
        write!(out, "\r\n# Log\r\n")?;
        write!(
            out,
            "log_entries:{}\r\n",
            self.last.saturating_sub(self.snapshot)
        )?;
        write!(out, "current_index:{}\r\n", self.last)?;
        write!(out, "commit_index:{}\r\n", self.commit)?;
        write!(out, "last_applied_index:{}\r\n", self.applied)?;
        write!(out, "cache_memory_size:{}\r\n", self.window_used)?;
        write!(out, "\r\n# Snapshot\r\n")?;
        write!(out, "snapshot_index:{}\r\n", self.snapshot)?;
        write!(out, "snapshot_size:{}\r\n", self.snapshot_len)
    }
}

impl fmt::Display for PeerFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.is_connected {
            true => "connected",
            false => "disconnected",
        };
        let (host, port) = match &self.client {
            Some((host, port)) => (&**host, *port),
            None => ("?", 0),
        };
        let since = self.connected.map(|since| i64::try_from(since.as_secs()));
        let since = since.map_or(-1, |since| since.unwrap_or(i64::MAX));
        let (id, voting) = (self.id, yes(self.is_voter));
        let (failures, connections) = (self.failures, self.connections);
        write!(
            formatter,
            "id={id},state={state},voting={voting},addr={host},port={port},last_conn_secs={since},\
             conn_errors={failures},conn_oks={connections}"
        )
    }
}

fn yes(is: bool) -> &'static str {
    match is {
        true => "yes",
        false => "no",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_spelled_as_by_redis_raft() {
        let peer = PeerFacts {
            id: 2,
            is_voter: true,
            client: Some(("127.0.0.1".into(), 7002)),
            is_connected: true,
            connected: Some(Duration::from_secs(5)),
            connections: 1,
            ..PeerFacts::default()
        };
        let stranger = PeerFacts {
            id: 3,
            failures: 4,
            ..PeerFacts::default()
        };
        let facts = RaftFacts {
            id: 1,
            role: "follower",
            term: 6,
            leader: Some(2),
            members: 3,
            is_voter: true,
            last: 9,
            snapshot: 4,
            peers: vec![peer, stranger],
            ..RaftFacts::default()
        };
        let text = facts.text();
        for line in [
            "# Raft",
            "is_voting:yes",
            "leader_id:2",
            "num_voting_nodes:2",
            "node0:id=2,state=connected,voting=yes,addr=127.0.0.1,port=7002,last_conn_secs=5,\
             conn_errors=0,conn_oks=1",
            "node1:id=3,state=disconnected,voting=no,addr=?,port=0,last_conn_secs=-1,conn_errors=4,\
             conn_oks=0",
            "log_entries:5",
        ] {
            assert!(
                text.split("\r\n").any(|known| known == line),
                "{line} in {text}"
            );
        }
        let lone = RaftFacts::default().text();
        assert!(lone.contains("\r\nleader_id:-1\r\n"), "{lone}");
    }
}

//! The text of `INFO`: facts about this node, for people, monitors, and the demonstration.

mod raft;

use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::resp::decode::Args;
use crate::session::REDIS_VERSION;
pub use raft::{PeerFacts, RaftFacts};

/// What the node knows about itself at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Since when it runs.
    pub uptime: Duration,
    /// The port it serves clients at.
    pub port: u16,
    /// Clients connected.
    pub clients: usize,
    /// Requests answered.
    pub commands: u64,
    /// Keys in memory.
    pub keys: usize,
    /// Keys that go away some time.
    pub keys_expiring: usize,
    /// Bytes on disk.
    pub bytes_on_disk: u64,
    /// Why nothing can be made durable at the moment, as when the disk is full.
    pub write_error: Option<String>,
    /// The node's part in the group.
    pub raft: RaftFacts,
}

impl Facts {
    /// The sections that are named, or all.
    pub fn text(&self, sections: Args<'_>) -> String {
        type Section = fn(&Facts, &mut String) -> fmt::Result;
        const SECTIONS: [(&str, Section); 7] = [
            ("Server", Facts::server),
            ("Clients", Facts::clients),
            ("Persistence", Facts::persistence),
            ("Stats", Facts::stats),
            ("Cluster", Facts::cluster),
            ("Keyspace", Facts::keyspace),
            ("Raft", Facts::raft),
        ];
        let everything = ["all", "everything", "default"];
        let is_named = |title: &str| {
            let names = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            sections.is_empty()
                || sections.iter().any(|word| {
                    names(word, title) || everything.iter().any(|name| names(word, name))
                })
        };
        let mut text = String::new();
        for (title, section) in SECTIONS {
            if !is_named(title) {
                continue;
            }
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str(&format!("# {title}\r\n"));
            // Writing into a string cannot fail.
            let _ = section(self, &mut text);
        }
        text
    }

    fn server(&self, out: &mut String) -> fmt::Result {
        write!(out, "redis_version:{REDIS_VERSION}\r\n")?;
        write!(out, "kv_version:{}\r\n", env!("CARGO_PKG_VERSION"))?;
        write!(out, "redis_mode:cluster\r\n")?;
        write!(out, "process_id:{}\r\n", std::process::id())?;
        write!(out, "tcp_port:{}\r\n", self.port)?;
        write!(out, "uptime_in_seconds:{}\r\n", self.uptime.as_secs())
    }

    fn clients(&self, out: &mut String) -> fmt::Result {
        write!(out, "connected_clients:{}\r\n", self.clients)
    }

    fn persistence(&self, out: &mut String) -> fmt::Result {
        let status = match self.write_error {
            None => "ok",
            Some(_) => "err",
        };
        write!(out, "aof_enabled:1\r\n")?;
        write!(out, "aof_last_write_status:{status}\r\n")?;
        if let Some(error) = &self.write_error {
            let line = error.replace(['\r', '\n'], " ");
            write!(out, "aof_last_write_error:{line}\r\n")?;
        }
        write!(out, "bytes_on_disk:{}\r\n", self.bytes_on_disk)
    }

    fn stats(&self, out: &mut String) -> fmt::Result {
        write!(out, "total_commands_processed:{}\r\n", self.commands)
    }

    fn cluster(&self, out: &mut String) -> fmt::Result {
        write!(out, "cluster_enabled:1\r\n")
    }

    fn keyspace(&self, out: &mut String) -> fmt::Result {
        let (keys, expires) = (self.keys, self.keys_expiring);
        match keys {
            0 => Ok(()),
            _ => write!(out, "db0:keys={keys},expires={expires},avg_ttl=0\r\n"),
        }
    }

    fn raft(&self, out: &mut String) -> fmt::Result {
        let raft = &self.raft;
        write!(out, "raft_group:{:016x}\r\n", raft.group)?;
        write!(out, "raft_id:{}\r\n", raft.id)?;
        write!(out, "raft_role:{}\r\n", raft.role)?;
        write!(out, "raft_term:{}\r\n", raft.term)?;
        match raft.leader {
            Some(leader) => write!(out, "raft_leader_id:{leader}\r\n")?,
            None => write!(out, "raft_leader_id:\r\n")?,
        }
        write!(out, "raft_commit:{}\r\n", raft.commit)?;
        write!(out, "raft_applied:{}\r\n", raft.applied)?;
        write!(out, "raft_last:{}\r\n", raft.last)?;
        write!(out, "raft_members:{}\r\n", raft.members)?;
        write!(out, "raft_reads:linearizable\r\n")?;
        write!(out, "raft_reads_readonly:from this node, possibly old\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::decode::{Decoder, Limits};

    fn facts() -> Facts {
        let raft = RaftFacts {
            role: "leader",
            term: 3,
            leader: Some(2),
            ..RaftFacts::default()
        };
        Facts {
            keys: 2,
            write_error: Some("disk\nfull".into()),
            raft,
            ..Facts::default()
        }
    }

    fn text(request: &str) -> String {
        let mut decoder = Decoder::new(Limits::TRUSTED);
        let request = decoder.decode(request.as_bytes()).unwrap().unwrap();
        facts().text(request.args.skip(1))
    }

    #[test]
    fn sections_are_chosen_by_name() {
        let raft = text("INFO raft\n");
        assert!(
            raft.starts_with("# Raft\r\nraft_group:0000000000000000\r\n"),
            "{raft}"
        );
        assert!(raft.contains("\r\nraft_role:leader\r\nraft_term:3\r\nraft_leader_id:2\r\n"));
        assert_eq!(text("INFO Cluster\n"), "# Cluster\r\ncluster_enabled:1\r\n");
        let all = text("INFO\n");
        assert_eq!(all.matches("# ").count(), 7);
        assert_eq!(all, text("INFO everything\n"));
        assert_eq!(text("INFO nothing\n"), "");
    }

    #[test]
    fn a_full_disk_is_told_in_one_line() {
        let persistence = text("INFO persistence\n");
        assert!(
            persistence.contains("aof_last_write_status:err\r\naof_last_write_error:disk full\r\n")
        );
    }
}

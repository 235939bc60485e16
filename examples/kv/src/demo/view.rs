//! What a node says about itself in the `# Raft` section of `INFO`.

use core::net::SocketAddr;

use super::client::{Connection, Lost};
use crate::resp::reply::Reply;

/// A node's own view of the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// `leader`, `follower`, …
    pub role: String,
    /// The latest term it has seen.
    pub term: u64,
    /// Up to which entry it knows that a majority has them.
    pub commit: u64,
    /// Up to which entry its map has them.
    pub applied: u64,
}

impl View {
    /// Asks a node.
    ///
    /// # Errors
    /// It does not answer, or not with what was asked.
    pub async fn of(address: SocketAddr) -> Result<Self, Lost> {
        let mut connection = Connection::open(address).await?;
        let text = |reply: &Reply<'_>| match reply {
            Reply::Bulk(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        let text = connection.call(&[b"INFO", b"raft"], text).await?;
        let view = text.as_deref().and_then(Self::parse);
        view.ok_or_else(|| Lost(format!("{address} does not tell its Raft state")))
    }

    /// Whether the node says that it leads.
    pub fn is_leader(&self) -> bool {
        self.role == "leader"
    }

    /// How many committed entries its map lacks, going by what another node knows of.
    pub fn behind(&self, commit: u64) -> u64 {
        commit.saturating_sub(self.applied)
    }

    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
            pairs
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim())
        };
        let number = |name| field(name)?.parse().ok();
        Some(Self {
            role: field("raft_role")?.to_owned(),
            term: number("raft_term")?,
            commit: number("raft_commit")?,
            applied: number("raft_applied")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_line_by_line() {
        let text = "# Raft\r\nraft_role:leader\r\nraft_term:3\r\nraft_leader_id:1\r\nraft_commit:12\r\n\
                    raft_applied:10\r\nraft_last:14\r\n";
        let view = View::parse(text).unwrap();
        assert!(view.is_leader());
        assert_eq!((view.term, view.commit, view.applied), (3, 12, 10));
        assert_eq!((view.behind(15), view.behind(5)), (5, 0));
        assert_eq!(View::parse("# Raft\r\nraft_role:leader\r\n"), None);
    }
}

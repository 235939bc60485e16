//! `kv status`: a table of all members, each row what the member itself says.
//!
//! One member is asked who the others are, then all are asked at once, and the leader's word on how far the others
//! are is added. So a row shows at the same time what a node thinks of itself and whether anybody hears it: a node
//! that is cut off still believes in its own role, and the leader shows for how long it has not been heard.

use core::fmt::Write as _;
use core::net::SocketAddr;
use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use tokio::task::JoinSet;

use crate::access::Access;
use crate::resp::reply::Reply;

/// What a node answers to `RAFT.STATUS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    fields: BTreeMap<String, String>,
    members: Vec<Member>,
}

/// A member, as another one sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Member {
    id: String,
    standing: String,
    fields: BTreeMap<String, String>,
}

impl Status {
    /// Asks a node.
    ///
    /// # Errors
    /// It does not answer, or is no kv node.
    pub async fn of(address: SocketAddr, access: &Access) -> anyhow::Result<Self> {
        let mut connection = access.open(address).await?;
        let answer = connection.call(&[b"RAFT.STATUS"], Self::parse).await?;
        answer.with_context(|| format!("{address} does not tell its status"))
    }

    fn parse(reply: &Reply<'_>) -> anyhow::Result<Self> {
        let text = |reply: &Reply<'_>| match reply {
            Reply::Bulk(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            other => Err(anyhow!("{other:?} is no text")),
        };
        let pairs = match reply {
            Reply::Array(fields) => fields.as_chunks::<2>().0,
            Reply::Error(text) => bail!("{}", String::from_utf8_lossy(text)),
            _ => bail!("it is no kv node"),
        };
        let mut status = Self::default();
        for [name, value] in pairs {
            match value {
                Reply::Array(lines) => {
                    let lines = lines.iter().map(|line| Member::parse(&text(line)?));
                    status.members = lines.collect::<anyhow::Result<_>>()?;
                }
                value => {
                    status.fields.insert(text(name)?, text(value)?);
                }
            }
        }
        Ok(status)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }
}

impl Member {
    fn parse(line: &str) -> anyhow::Result<Self> {
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(id), Some(standing)) = (words.next(), words.next()) else {
            bail!("{line:?} is no member");
        };
        let mut fields = BTreeMap::new();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            fields.insert(name, value);
        }
        Ok(Self {
            id,
            standing,
            fields,
        })
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// The table of the group that `member` belongs to.
///
/// # Errors
/// That member does not answer. Others that do not are shown as such.
pub async fn table(member: SocketAddr, access: &Access) -> anyhow::Result<String> {
    let first = Status::of(member, access).await?;
    let mut asking = JoinSet::new();
    for other in &first.members {
        let (id, access) = (other.id.clone(), access.clone());
        let address = other.field("client").map(str::to_owned);
        asking.spawn(async move {
            let status = match address.as_deref().map(str::parse) {
                Some(Ok(address)) => Status::of(address, &access).await,
                _ => Err(anyhow!("its address is not known")),
            };
            (id, status.map_err(|error| format!("{error:#}")))
        });
    }
    let answers = asking.join_all().await.into_iter().collect();
    Ok(draw(&first, &answers))
}

type Answers = BTreeMap<String, Result<Status, String>>;

fn draw(first: &Status, answers: &Answers) -> String {
    let statuses = answers.values().flatten();
    let leaders = statuses.filter(|status| status.field("role") == Some("leader"));
    // One that was replaced may not know it.
    let leader = leaders.max_by_key(|status| status.number("term"));
    let known = leader.unwrap_or(first);
    let mut out = format!("group {}", known.field("group").unwrap_or("?"));
    // Writing into a string cannot fail.
    let _ = match leader {
        Some(leader) => writeln!(
            out,
            ", led by node {} in term {}",
            leader.field("id").unwrap_or("?"),
            leader.field("term").unwrap_or("?")
        ),
        None => writeln!(out, ", and nobody who answers leads it"),
    };
    let heads = [
        "id",
        "standing",
        "role",
        "term",
        "commit",
        "applied",
        "lag",
        "mode",
        "contact",
        "window",
        "snapshot",
        "clients at",
    ];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut troubles = Vec::new();
    for member in &known.members {
        let own = match answers.get(&member.id) {
            Some(Ok(status)) => Some(status),
            Some(Err(text)) => {
                troubles.push(format!("node {} does not answer: {text}", member.id));
                None
            }
            None => None,
        };
        rows.push(row(member, own));
    }
    draw_rows(&rows, &mut out);
    troubles.iter().for_each(|text| {
        let _ = writeln!(out, "{text}");
    });
    out
}

fn row(member: &Member, own: Option<&Status>) -> [String; 12] {
    let said = |name| {
        own.and_then(|own| own.field(name))
            .unwrap_or("-")
            .to_owned()
    };
    let seen = |name| member.field(name).unwrap_or("-").to_owned();
    let window = own.and_then(|own| {
        let (used, len) = (own.number("window-used")?, own.number("window")?);
        Some(format!("{}%", used.saturating_mul(100).checked_div(len)?))
    });
    let contact = member
        .field("contact-ms")
        .map(|millis| format!("{millis} ms"));
    [
        member.id.clone(),
        member.standing.to_lowercase(),
        said("role"),
        said("term"),
        said("commit"),
        said("applied"),
        seen("lag"),
        seen("mode"),
        contact.unwrap_or_else(|| "-".into()),
        window.unwrap_or_else(|| "-".into()),
        said("snapshot"),
        seen("client"),
    ]
}

fn draw_rows<const COLUMNS: usize>(rows: &[[String; COLUMNS]], out: &mut String) {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = core::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(out, "{}", line.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(id: u64, role: &str, term: u64, members: &[&str]) -> Status {
        let fields = [
            ("group", "ab".to_owned()),
            ("id", id.to_string()),
            ("role", role.to_owned()),
            ("term", term.to_string()),
            ("commit", "9".to_owned()),
            ("applied", "8".to_owned()),
            ("window", "200".to_owned()),
            ("window-used", "50".to_owned()),
            ("snapshot", "5".to_owned()),
        ];
        Status {
            fields: fields.map(|(name, value)| (name.to_owned(), value)).into(),
            members: members
                .iter()
                .map(|line| Member::parse(line).unwrap())
                .collect(),
        }
    }

    #[test]
    fn each_row_is_what_the_member_says_and_what_the_leader_sees() {
        let members = [
            "1 Voter incarnation 0 peer a:1 client a:2",
            "2 Voter incarnation 7 peer b:1 client b:2 contact-ms 12 match 7 mode probing lag 2",
            "3 Learner incarnation 8 peer c:1 client c:2 lag 9",
        ];
        let old = status(2, "leader", 3, &["2 Voter client b:2"]);
        let leader = status(1, "leader", 4, &members);
        let first = status(2, "follower", 4, &members[..2]);
        let answers: Answers = [
            ("1".to_owned(), Ok(leader)),
            ("2".to_owned(), Ok(old)),
            ("3".to_owned(), Err("c:2: refused".to_owned())),
        ]
        .into();
        let lines = [
            "group ab, led by node 1 in term 4",
            "id  standing  role    term  commit  applied  lag  mode     contact  window  snapshot  clients at",
            "1   voter     leader  4     9       8        -    -        -        25%     5         a:2",
            "2   voter     leader  3     9       8        2    probing  12 ms    25%     5         b:2",
            "3   learner   -       -     -       -        9    -        -        -       -         c:2",
            "node 3 does not answer: c:2: refused",
            "",
        ];
        assert_eq!(draw(&first, &answers), lines.join("\n"));
        let lone = [("2".to_owned(), Ok(first.clone()))].into();
        let text = draw(&first, &lone);
        assert!(
            text.starts_with("group ab, and nobody who answers leads it\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for reply in [Reply::Null, Reply::Error(b"NOAUTH"), Reply::Bulk(b"x")] {
            assert!(Status::parse(&reply).is_err(), "{reply:?}");
        }
        let odd = Reply::Array(vec![Reply::Integer(1), Reply::Bulk(b"x")]);
        assert!(Status::parse(&odd).is_err());
        let odd = Reply::Array(vec![
            Reply::Bulk(b"members"),
            Reply::Array(vec![Reply::Bulk(b"1")]),
        ]);
        assert!(Status::parse(&odd).is_err());
    }
}

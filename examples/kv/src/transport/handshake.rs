//! What the two ends of a new connection say to each other.
//!
//! The dialer says who it is, which group it belongs to and whom it wants to reach; the other end checks that
//! and accepts or says why not. A node that was given the wrong address, or a port that now belongs to
//! another group, is told so instead of being fed messages that nobody wants.
//!
//! ```text
//! hello:  "kv-peer\n" | version u8 | length u16 | group u64 | from u64 | incarnation u32 | to u64
//!         | length u8, peer address | length u8, client address
//! answer: 0 to accept, 1 to refuse | length u8, the reason
//! ```

use core::fmt;

use quorum::NodeId;
use raft_core::{GroupId, Identity, Incarnation};
use tokio::io::{AsyncRead, AsyncReadExt};

const MAGIC: &[u8; 8] = b"kv-peer\n";
const VERSION: u8 = 1;
const BODY_BYTES_MAX: usize = 1024;
const ACCEPT: u8 = 0;
const REFUSE: u8 = 1;
/// The first byte of everybody who speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// How a dialer introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Its group.
    pub group: GroupId,
    /// Who it is.
    pub from: Identity,
    /// Whom it wants to reach.
    pub to: NodeId,
    /// Where it listens for other nodes.
    pub peer: String,
    /// Where it listens for clients.
    pub client: String,
}

/// Why a connection was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What arrived is no hello at all.
    NotAPeer,
    /// It is one of another version.
    Version(u8),
    /// It belongs to another group.
    Group(GroupId),
    /// Its certificate is not that of the node that it says it is.
    Certificate(NodeId),
    /// It speaks TLS, and this node does not.
    Tls,
    /// This node speaks TLS, and it does not.
    NoTls,
    /// It was meant for another node.
    To(NodeId),
    /// It has this node's own id.
    OwnId,
    /// The connection broke before all of it had arrived.
    CutShort,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPeer => formatter.write_str("not a kv node"),
            Self::Version(version) => {
                write!(formatter, "it speaks version {version}, not {VERSION}")
            }
            Self::Group(group) => write!(formatter, "it belongs to another group, {group}"),
            Self::Certificate(node) => write!(
                formatter,
                "its certificate is not that of node {node}, which has to name node-{node}.kv"
            ),
            Self::Tls => {
                formatter.write_str("it speaks TLS, for which this node has no --tls-cert")
            }
            Self::NoTls => formatter.write_str("this node takes only TLS: give it --tls-cert"),
            Self::To(to) => write!(formatter, "it wants to reach node {to}, which is not here"),
            Self::OwnId => formatter.write_str("it has the same id as this node"),
            Self::CutShort => formatter.write_str("it went away before it said who it is"),
        }
    }
}

impl core::error::Error for Refusal {}

impl Hello {
    /// The bytes to send.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend_from_slice(&self.group.value().to_le_bytes());
        body.extend_from_slice(&self.from.node.value().to_le_bytes());
        body.extend_from_slice(&self.from.incarnation.value().to_le_bytes());
        body.extend_from_slice(&self.to.value().to_le_bytes());
        for address in [&self.peer, &self.client] {
            push_text(&mut body, address);
        }
        let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
        [&MAGIC[..], &[VERSION], &len.to_le_bytes(), &body].concat()
    }

    /// Reads what a dialer says.
    ///
    /// # Errors
    /// It is no hello.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, Refusal> {
        let mut head = [0; MAGIC.len() + 3];
        // A stranger is recognised by its first byte, and may never send more than a few.
        for end in 1..=head.len() {
            let byte = stream.read_u8().await.map_err(|_| Refusal::CutShort)?;
            head[end - 1] = byte;
            if MAGIC.get(end - 1).is_some_and(|expected| *expected != byte) {
                return Err(match (end, byte) {
                    (1, TLS_HANDSHAKE) => Refusal::Tls,
                    _ => Refusal::NotAPeer,
                });
            }
        }
        let [.., version, low, high] = head;
        if version != VERSION {
            return Err(Refusal::Version(version));
        }
        let len = usize::from(u16::from_le_bytes([low, high]));
        if len > BODY_BYTES_MAX {
            return Err(Refusal::NotAPeer);
        }
        let mut body = vec![0; len];
        let read = stream.read_exact(&mut body).await;
        read.map_err(|_| Refusal::CutShort)?;
        Self::decode(&body).ok_or(Refusal::NotAPeer)
    }

    fn decode(mut rest: &[u8]) -> Option<Self> {
        let group = GroupId::new(u64::from_le_bytes(take(&mut rest)?));
        let node = NodeId::new(u64::from_le_bytes(take(&mut rest)?));
        let incarnation = Incarnation::new(u32::from_le_bytes(take(&mut rest)?));
        let to = NodeId::new(u64::from_le_bytes(take(&mut rest)?));
        let peer = take_text(&mut rest)?;
        let client = take_text(&mut rest)?;
        rest.is_empty().then_some(Self {
            group,
            from: Identity::new(node, incarnation),
            to,
            peer,
            client,
        })
    }

    /// Whether a node should accept this.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, group: GroupId, own: NodeId) -> Result<(), Refusal> {
        if self.group != group {
            return Err(Refusal::Group(self.group));
        }
        if self.to != own {
            return Err(Refusal::To(self.to));
        }
        if self.from.node == own {
            return Err(Refusal::OwnId);
        }
        Ok(())
    }
}

/// The bytes of the answer.
pub fn answer(checked: &Result<(), Refusal>) -> Vec<u8> {
    let mut bytes = match checked {
        Ok(()) => vec![ACCEPT],
        Err(_) => vec![REFUSE],
    };
    let reason = match checked {
        Ok(()) => String::new(),
        Err(refusal) => refusal.to_string(),
    };
    push_text(&mut bytes, &reason);
    bytes
}

/// Reads the answer: why not, if it was refused.
///
/// # Errors
/// The connection broke, or it is no answer.
pub async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<String>> {
    let verdict = stream.read_u8().await?;
    let len = stream.read_u8().await?;
    let mut reason = vec![0; usize::from(len)];
    stream.read_exact(&mut reason).await?;
    match verdict {
        ACCEPT => Ok(None),
        REFUSE => Ok(Some(String::from_utf8_lossy(&reason).into_owned())),
        _ => Err(std::io::Error::other("what listens there is no kv node")),
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let bytes = bytes.get(..usize::from(u8::MAX)).unwrap_or(bytes);
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

fn take<const LEN: usize>(rest: &mut &[u8]) -> Option<[u8; LEN]> {
    let (bytes, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*bytes)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let [len] = take(rest)?;
    let (bytes, tail) = rest.split_at_checked(usize::from(len))?;
    *rest = tail;
    core::str::from_utf8(bytes).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            group: GroupId::new(7),
            from: Identity::new(NodeId::new(1), Incarnation::new(9)),
            to: NodeId::new(2),
            peer: "127.0.0.1:8001".into(),
            client: "127.0.0.1:7001".into(),
        }
    }

    #[tokio::test]
    async fn a_hello_is_read_as_it_was_written_and_nothing_else_is() {
        let bytes = hello().encode();
        assert_eq!(Hello::read(&mut &bytes[..]).await, Ok(hello()));
        for end in 0..bytes.len() {
            let read = Hello::read(&mut &bytes[..end]).await;
            assert_eq!(read, Err(Refusal::CutShort), "{end} bytes");
        }
        let get = &b"GET / HTTP/1.1\r\n\r\n"[..];
        assert_eq!(Hello::read(&mut &*get).await, Err(Refusal::NotAPeer));
        let mut other = bytes.clone();
        other[8] = 2;
        assert_eq!(Hello::read(&mut &other[..]).await, Err(Refusal::Version(2)));
        let mut long = bytes;
        long[9..11].fill(0xff);
        assert_eq!(Hello::read(&mut &long[..]).await, Err(Refusal::NotAPeer));
    }

    #[tokio::test]
    async fn strangers_are_told_why() {
        let check = |group, own| hello().check(GroupId::new(group), NodeId::new(own));
        assert_eq!(check(7, 2), Ok(()));
        assert_eq!(check(8, 2), Err(Refusal::Group(GroupId::new(7))));
        assert_eq!(check(7, 3), Err(Refusal::To(NodeId::new(2))));
        let mirror = Hello {
            to: NodeId::new(1),
            ..hello()
        };
        let own = mirror.check(GroupId::new(7), NodeId::new(1));
        assert_eq!(own, Err(Refusal::OwnId));
        let told = read_answer(&mut &answer(&check(8, 2))[..]).await.unwrap();
        assert!(told.unwrap().contains("another group"));
        assert_eq!(read_answer(&mut &answer(&Ok(()))[..]).await.unwrap(), None);
    }
}

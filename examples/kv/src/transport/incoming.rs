//! The task that receives from one peer.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use quorum::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tracing::{debug, info};

use super::handshake::{self, Hello, Refusal};
use super::{FRAME_BYTES_MAX, LENGTH_BYTES};
use crate::node::Node;
use crate::port::Ticket;
use crate::stream::Stream;
use crate::tls;

const HELLO_TIME_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;

/// Serves a connection that somebody made to the peer port.
pub async fn run(node: Rc<Node>, stream: Stream, address: SocketAddr, ticket: Ticket) {
    match greet(&node, stream, address).await {
        Some((stream, hello)) => {
            drop(ticket);
            let peer = hello.from.node;
            node.welcome(&hello);
            let replaced = node.speaking.begin(peer);
            let ended = tokio::select! {
                ended = receive(&node, stream, peer) => ended,
                _ = replaced => Ok(()),
            };
            node.speaking.end(peer);
            match ended {
                Ok(()) => debug!("node {peer} closed its connection"),
                Err(error) => info!("node {peer} is cut off: {error}"),
            }
        }
        None => debug!("closed the connection of {address} to the peer port"),
    }
}

/// Hears who it is; `None` if it is nobody who belongs here.
async fn greet(node: &Node, mut stream: Stream, address: SocketAddr) -> Option<(Stream, Hello)> {
    let hello = match timeout(HELLO_TIME_MAX, Hello::read(&mut stream)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(refusal)) => {
            node.complain(address, refusal.to_string());
            return None;
        }
        Err(_) => {
            node.complain(address, "it does not say who it is".into());
            return None;
        }
    };
    let mut checked = hello.check(node.group(), node.id());
    if checked.is_ok() && node.tls().is_some() {
        checked = prove(hello.from.node, stream.certificate());
    }
    let answer = handshake::answer(&checked);
    let answered = async {
        stream.write_all(&answer).await?;
        stream.flush().await
    };
    let answered = answered.await;
    if let Err(refusal) = checked {
        let from = hello.from.node;
        node.complain(address, format!("it says it is node {from}, but {refusal}"));
        return None;
    }
    answered.ok()?;
    Some((stream, hello))
}

/// Makes sure that a peer has shown a certificate, and that of the node that it says it is.
fn prove(from: NodeId, shown: Option<&CertificateDer<'_>>) -> Result<(), Refusal> {
    match shown {
        Some(certificate) if tls::is_of(certificate, from) => Ok(()),
        // Without one nobody gets so far; if somebody does, it has proved nothing.
        Some(_) | None => Err(Refusal::Certificate(from)),
    }
}

/// Hands on every frame until the connection ends.
async fn receive(node: &Node, mut stream: Stream, peer: NodeId) -> io::Result<()> {
    let mut arrived: Vec<u8> = Vec::with_capacity(READ_BYTES);
    loop {
        match stream.read_buf(&mut arrived).await {
            Ok(0) => return Ok(()),
            // Frames have lengths: nobody can pass off a part as the whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        };
        let taken = node.receive(peer, &arrived)?;
        arrived.drain(..taken);
        let missing = missing(&arrived)?;
        arrived.reserve(missing.max(READ_BYTES));
    }
}

/// Splits the first whole frame off.
///
/// # Errors
/// It is longer than any frame.
pub fn split(bytes: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    Ok(rest.split_at_checked(check(*length)?))
}

/// How many bytes of the first frame have not arrived yet.
fn missing(bytes: &[u8]) -> io::Result<usize> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(0);
    };
    Ok(check(*length)?.saturating_sub(rest.len()))
}

fn check(length: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    match usize::try_from(u32::from_le_bytes(length)) {
        Ok(len) if len <= FRAME_BYTES_MAX => Ok(len),
        _ => Err(io::Error::other("it sent a frame that is too long")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_certificate_of_its_own_nobody_is_a_peer() {
        let node = NodeId::new(2);
        let refused = Err(Refusal::Certificate(node));
        assert_eq!(prove(node, None), refused);
        let nonsense = CertificateDer::from(vec![0; 10]);
        assert_eq!(prove(node, Some(&nonsense)), refused);
    }

    #[test]
    fn frames_are_split_where_they_end_and_long_ones_refused_at_once() {
        let bytes = [&[2, 0, 0, 0][..], b"ab", &[1, 0, 0, 0], b"c"].concat();
        let (first, rest) = split(&bytes).unwrap().unwrap();
        assert_eq!(first, b"ab");
        assert_eq!(split(rest).unwrap().unwrap(), (&b"c"[..], &b""[..]));
        for end in 0..6 {
            assert_eq!(split(&bytes[..end]).unwrap(), None);
        }
        assert_eq!(missing(&bytes[..5]).unwrap(), 1);
        assert!(split(&[1, 0, 16, 0]).is_err());
        assert!(missing(&[0xff; 4]).is_err());
    }
}

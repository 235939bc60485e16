//! The task that keeps the connection to one peer and sends what is queued for it.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::rc::Rc;

use quorum::NodeId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::handshake::{self, Hello};
use super::{Link, QUEUED_BYTES_MAX};
use crate::node::Node;
use crate::stream::Stream;
use crate::tls::{self, Tls};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// A peer that takes nothing for so long is gone, whatever the kernel still hopes.
const STALL_TIME_MAX: Duration = Duration::from_secs(5);

/// A node that is no member and cannot be reached for so long is forgotten.
const STRANGER_TIME_MAX: Duration = Duration::from_secs(60);

/// Dials `peer` and sends, over and over, until the link is given up.
pub async fn run(node: Rc<Node>, peer: NodeId, link: Rc<Link>) {
    let mut backoff = BACKOFF_MIN;
    let mut last_refusal = None;
    let mut heard = Instant::now();
    while link.is_wanted.get() {
        match connect(&node, peer).await {
            Ok(Ok(stream)) => {
                debug!("connected to node {peer}");
                (backoff, last_refusal) = (BACKOFF_MIN, None);
                link.connect();
                node.notify();
                let mut sender = Sender::new(stream);
                let ended = sender.run(&link).await;
                link.is_connected.set(false);
                link.queued.borrow_mut().clear();
                node.unreachable(peer);
                heard = Instant::now();
                if let Err(error) = ended {
                    info!("lost the connection to node {peer}: {error}");
                }
            }
            Ok(Err(reason)) => {
                link.fail();
                // Once per reason: it will not change soon.
                if last_refusal.as_ref() != Some(&reason) {
                    warn!("{reason}");
                    last_refusal = Some(reason);
                }
                backoff = BACKOFF_MAX;
            }
            Err(error) => {
                link.fail();
                debug!("cannot reach node {peer}: {error}");
            }
        }
        if heard.elapsed() > STRANGER_TIME_MAX && !node.is_member(peer) {
            node.give_up(peer);
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Connects and introduces itself; the inner error says which of the two refuses the other, and why.
async fn connect(node: &Node, peer: NodeId) -> io::Result<Result<Stream, String>> {
    let Some((address, hello)) = node.introduction(peer) else {
        return Err(io::Error::other("its address is not known"));
    };
    let greeting = greet(&address, &hello, node.tls());
    let greeted = timeout(CONNECT_TIME_MAX, greeting).await;
    greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn greet(
    address: &str,
    hello: &Hello,
    tls: Option<&Tls>,
) -> io::Result<Result<Stream, String>> {
    let peer = hello.to;
    let secure = match tls {
        Some(tls) => Some((
            tls.dialer(),
            tls::node_name(peer).map_err(io::Error::other)?,
        )),
        None => None,
    };
    let mut stream = match Stream::connect(address, secure).await {
        Ok(stream) => stream,
        Err(error) if tls::is_trouble(&error) => {
            return Ok(Err(format!(
                "node {peer} at {address} does not prove who it is: {}",
                tls::explain(&error)
            )));
        }
        Err(error) => return Err(error),
    };
    // Only after its own part does this end hear that its certificate was refused.
    let answer = async {
        stream.write_all(&hello.encode()).await?;
        stream.flush().await?;
        handshake::read_answer(&mut stream).await
    };
    match answer.await {
        Ok(None) => Ok(Ok(stream)),
        Ok(Some(reason)) => Ok(Err(format!("node {peer} refuses this node: {reason}"))),
        Err(error) if tls::is_trouble(&error) => Ok(Err(format!(
            "node {peer} refuses this node: {}",
            tls::explain(&error)
        ))),
        Err(error) => Err(error),
    }
}

/// One connection while it lasts.
struct Sender {
    stream: Stream,
    /// What is being sent, from `sent` on; meanwhile the next is queued.
    out: Vec<u8>,
    sent: usize,
    progress: Instant,
}

impl Sender {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            out: Vec::new(),
            sent: 0,
            progress: Instant::now(),
        }
    }

    /// Sends until the link is given up.
    ///
    /// # Errors
    /// The connection broke or takes nothing any more.
    async fn run(&mut self, link: &Link) -> io::Result<()> {
        loop {
            let sending = poll_fn(|context| self.poll(link, context));
            match timeout(STALL_TIME_MAX, sending).await {
                Ok(ended) => return ended,
                Err(_) if self.is_stalled() => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {}
            }
        }
    }

    fn is_stalled(&self) -> bool {
        self.sent < self.out.len() && self.progress.elapsed() >= STALL_TIME_MAX
    }

    /// Sends what there is; `Ready` when the connection is over.
    fn poll(&mut self, link: &Link, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !link.is_wanted.get() {
            return Poll::Ready(Ok(()));
        }
        *link.waker.borrow_mut() = Some(context.waker().clone());
        loop {
            if self.sent == self.out.len() {
                let was_full = self.out.len() >= QUEUED_BYTES_MAX;
                self.sent = 0;
                self.out.clear();
                if was_full {
                    self.out.shrink_to(QUEUED_BYTES_MAX);
                }
                core::mem::swap(&mut self.out, &mut *link.queued.borrow_mut());
                if self.out.is_empty() {
                    break;
                }
                self.progress = Instant::now();
            }
            let rest = self.out.get(self.sent..).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(len)) => {
                    self.sent += len;
                    self.progress = Instant::now();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        // Encryption may hold back what it was given.
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => self.poll_end(context),
        }
    }

    /// The peer says nothing on this connection, so whatever can be read is its end.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

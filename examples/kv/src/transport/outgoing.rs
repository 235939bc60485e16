//! The task that keeps the connection to one peer and sends what is queued for it.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::rc::Rc;

use quorum::NodeId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::handshake::{self, Hello};
use super::{Link, QUEUED_BYTES_MAX};
use crate::node::Node;

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
                link.connections.set(link.connections.get() + 1);
                link.is_connected.set(true);
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
                link.failures.set(link.failures.get() + 1);
                // Once per reason: it will not change soon.
                if last_refusal.as_ref() != Some(&reason) {
                    warn!("node {peer} refuses this node: {reason}");
                    last_refusal = Some(reason);
                }
                backoff = BACKOFF_MAX;
            }
            Err(error) => {
                link.failures.set(link.failures.get() + 1);
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

/// Connects and introduces itself; the inner error is the peer's refusal.
async fn connect(node: &Node, peer: NodeId) -> io::Result<Result<TcpStream, String>> {
    let Some((address, hello)) = node.introduction(peer) else {
        return Err(io::Error::other("its address is not known"));
    };
    let greeted = timeout(CONNECT_TIME_MAX, greet(&address, &hello)).await;
    greeted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn greet(address: &str, hello: &Hello) -> io::Result<Result<TcpStream, String>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&hello.encode()).await?;
    let refusal = handshake::read_answer(&mut stream).await?;
    Ok(refusal.map_or(Ok(stream), Err))
}

/// One connection while it lasts.
struct Sender {
    stream: TcpStream,
    /// What is being sent, from `sent` on; meanwhile the next is queued.
    out: Vec<u8>,
    sent: usize,
    progress: Instant,
}

impl Sender {
    fn new(stream: TcpStream) -> Self {
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
        self.poll_end(context)
    }

    /// The peer says nothing on this connection, so whatever can be read is its end.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }
}

//! A port that this process listens at: so many connections at a time, each with a task of its own.
//!
//! One connection too many takes the place of the oldest one that has proved nothing; if there is none, it is refused.

mod unproven;

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::rc::Rc;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tracing::debug;

use crate::complaints::Complaints;
use crate::stream::Stream;
use crate::tls::explain;

pub use unproven::Ticket;
use unproven::Unproven;

/// How long to wait when there is no room for more connections, here or in the system.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// An open port.
pub struct Port {
    listener: TcpListener,
    /// For whom it is, in messages.
    whom: &'static str,
    connections_max: usize,
    /// What is said to one connection too many.
    farewell: &'static [u8],
    /// Encryption, and what is said to those who do not want it.
    secure: Option<(TlsAcceptor, Vec<u8>)>,
}

impl Port {
    /// Listens at an address.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(
        address: SocketAddr,
        whom: &'static str,
        connections_max: usize,
        farewell: &'static [u8],
    ) -> anyhow::Result<Self> {
        let bound = TcpListener::bind(address).await;
        let listener = bound.with_context(|| format!("cannot listen at {address} for {whom}"))?;
        Ok(Self {
            listener,
            whom,
            connections_max,
            farewell,
            secure: None,
        })
    }

    /// Takes only connections that are encrypted; to the others, `hint` is said.
    pub fn secure(mut self, acceptor: &TlsAcceptor, hint: &[u8]) -> Self {
        self.secure = Some((acceptor.clone(), hint.to_vec()));
        self
    }

    /// Lets `serve` serve each connection, for ever. While it holds the ticket, the connection may have to go.
    pub async fn accept<Serving>(
        self,
        serve: impl Fn(Stream, SocketAddr, Ticket) -> Serving + 'static,
    ) where
        Serving: Future<Output = ()> + 'static,
    {
        let (count, complaints) = (Rc::new(()), Rc::<Complaints>::default());
        let (serve, secure) = (Rc::new(serve), Rc::new(self.secure));
        let whom = self.whom;
        let unproven = Unproven::default();
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    complaints.report(format!(
                        "cannot accept a connection to the port for {whom}: {error}"
                    ));
                    sleep(ACCEPT_DELAY).await;
                    continue;
                }
            };
            let is_full = || Rc::strong_count(&count) > self.connections_max;
            if is_full() {
                // Who can prove itself or end does so first.
                yield_now().await;
            }
            if is_full() && !unproven.evict() {
                let text = format!("on the port for {whom}, there are too many connections");
                complaints.warn(address.ip(), text);
                // If it cannot be told, closing says it too.
                let _ = stream.try_write(self.farewell);
                drop(stream);
                sleep(ACCEPT_DELAY).await;
                continue;
            }
            let share = Rc::clone(&count);
            let (serve, secure) = (Rc::clone(&serve), Rc::clone(&secure));
            let complaints = Rc::clone(&complaints);
            let (ticket, evicted) = unproven.add();
            let serving = async move {
                match accept(stream, secure.as_ref().as_ref()).await {
                    Ok(stream) => serve(stream, address, ticket).await,
                    Err(error) => {
                        let text = format!("on the port for {whom}, {}", explain(&error));
                        complaints.warn(address.ip(), text);
                    }
                }
            };
            spawn_local(async move {
                tokio::select! {
                    biased;
                    () = serving => {}
                    Ok(()) = evicted => debug!("a connection made room for another"),
                }
                drop(share);
            });
        }
    }
}

async fn accept(stream: TcpStream, secure: Option<&(TlsAcceptor, Vec<u8>)>) -> io::Result<Stream> {
    match secure {
        None => Stream::accept(stream, None, b"").await,
        Some((acceptor, hint)) => Stream::accept(stream, Some(acceptor), hint).await,
    }
}

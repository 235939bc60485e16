//! One connection to a node, as a client has it: requests go out in any number before answers are awaited.
//!
//! A [`Connection`] can do two things: send what was queued, and receive the next answer. Everything that
//! can go wrong with it is one error, [`Lost`], after which nobody knows which of the requests still
//! unanswered took place. What to make of that is the caller's business.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::resp::encode;
use crate::resp::reply::{self, Reply};
use crate::stream::Stream;
use crate::tls::{address_name, explain};

/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(1);

/// How long an answer may take: longer than any election, so that it means a node that hangs.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// How much room there has to be before a read.
const READ_LEN: usize = 64 * 1024;

/// The connection broke, or what came over it makes no sense. Requests that were not answered may or may
/// not have taken place.
#[derive(Debug)]
pub struct Lost(pub String);

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl core::error::Error for Lost {}

/// A connection to one node.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// Requests that were not sent yet.
    out: Vec<u8>,
    /// What has arrived, from `parsed` on not looked at yet.
    arrived: Vec<u8>,
    parsed: usize,
}

impl Connection {
    /// Connects to a node.
    ///
    /// # Errors
    /// Nobody listens there, or does not answer in time.
    pub async fn open(address: SocketAddr) -> Result<Self, Lost> {
        let opened = Self::open_with(address, None).await;
        opened.map_err(|error| Lost(error.to_string()))
    }

    /// Connects to a node, encrypted if there is a way to see who it is.
    ///
    /// # Errors
    /// As for [`Connection::open`], or it cannot prove that it has this address.
    pub async fn open_with(address: SocketAddr, tls: Option<&TlsConnector>) -> io::Result<Self> {
        let secure = tls.map(|connector| (connector, address_name(address.ip())));
        let text = address.to_string();
        let connecting = timeout(CONNECT_TIME_MAX, Stream::connect(&text, secure));
        let connected = connecting
            .await
            .map_err(|_| io::Error::other(format!("{address} does not answer")))?;
        let stream = connected.map_err(|error| {
            let text = format!("{address}: {}", explain(&error));
            io::Error::new(error.kind(), text)
        })?;
        Ok(Self {
            stream,
            out: Vec::new(),
            arrived: Vec::with_capacity(2 * READ_LEN),
            parsed: 0,
        })
    }

    /// Queues a request.
    pub fn push<'a>(&mut self, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        encode::request(&mut self.out, args);
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// The connection broke; part of it may have arrived.
    pub async fn send(&mut self) -> Result<(), Lost> {
        let sending = async {
            self.stream.write_all(&self.out).await?;
            self.stream.flush().await
        };
        let sent = timeout(ANSWER_TIME_MAX, sending).await;
        self.out.clear();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Lost(error.to_string())),
            Err(_) => Err(Lost("the node takes no more requests".into())),
        }
    }

    /// Waits for the next answer and hands it to `look`.
    ///
    /// # Errors
    /// The connection broke, no answer came in time, or it was none.
    pub async fn receive<T>(&mut self, look: impl FnOnce(&Reply<'_>) -> T) -> Result<T, Lost> {
        loop {
            let fresh = self.arrived.get(self.parsed..).unwrap_or_default();
            let parsed = reply::parse(fresh).map_err(|error| Lost(error.to_string()))?;
            if let Some((reply, len)) = parsed {
                let seen = look(&reply);
                self.parsed += len;
                return Ok(seen);
            }
            self.fill().await?;
        }
    }

    /// Hands the next answer to `look` if it has arrived already.
    ///
    /// # Errors
    /// What arrived is no answer.
    pub fn receive_arrived<T>(
        &mut self,
        look: impl FnOnce(&Reply<'_>) -> T,
    ) -> Result<Option<T>, Lost> {
        let fresh = self.arrived.get(self.parsed..).unwrap_or_default();
        let parsed = reply::parse(fresh).map_err(|error| Lost(error.to_string()))?;
        Ok(parsed.map(|(reply, len)| {
            let seen = look(&reply);
            self.parsed += len;
            seen
        }))
    }

    /// Sends one request and waits for its answer; all earlier ones must have been answered.
    ///
    /// # Errors
    /// As for sending and receiving.
    pub async fn call<T>(
        &mut self,
        args: &[&[u8]],
        look: impl FnOnce(&Reply<'_>) -> T,
    ) -> Result<T, Lost> {
        self.push(args.iter().copied());
        self.send().await?;
        self.receive(look).await
    }

    async fn fill(&mut self) -> Result<(), Lost> {
        self.arrived.drain(..self.parsed);
        self.parsed = 0;
        self.arrived.reserve(READ_LEN);
        match timeout(ANSWER_TIME_MAX, self.stream.read_buf(&mut self.arrived)).await {
            Ok(Ok(0)) => Err(Lost("the node closed the connection".into())),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Lost(error.to_string())),
            Err(_) => Err(Lost("the node does not answer".into())),
        }
    }
}

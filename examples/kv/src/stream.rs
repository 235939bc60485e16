//! A connection, encrypted or not, and how one is made either way.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::tls::NoTls;

/// The first byte of everybody who speaks TLS.
const TLS_HANDSHAKE: u8 = 0x16;
/// How long the other end may take to prove who it is.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(5);
/// How long the other end may take to hear the last word.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Anybody on the way can read it.
    Plain(TcpStream),
    /// Nobody else can.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Takes a connection. To whom does not speak TLS where that is wanted, `hint` is said.
    ///
    /// # Errors
    /// Why it is none to be served.
    pub async fn accept(
        stream: TcpStream,
        acceptor: Option<&TlsAcceptor>,
        hint: &[u8],
    ) -> io::Result<Self> {
        // What is sent together is gathered here, not by the kernel.
        stream.set_nodelay(true)?;
        let Some(acceptor) = acceptor else {
            return Ok(Self::Plain(stream));
        };
        let accepting = accept_tls(stream, acceptor, hint);
        let accepted = timeout(HANDSHAKE_TIME_MAX, accepting).await;
        accepted.unwrap_or_else(|_| Err(io::Error::other("the TLS handshake took too long")))
    }

    /// Makes a connection to a server that is to prove that it has this name.
    ///
    /// # Errors
    /// Nobody is there, or it cannot prove that.
    pub async fn connect(
        address: &str,
        secure: Option<(&TlsConnector, ServerName<'static>)>,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let Some((connector, name)) = secure else {
            return Ok(Self::Plain(stream));
        };
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Self::Tls(Box::new(stream.into()))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(io::Error::other(NoTls))
            }
            Err(error) => Err(error),
        }
    }

    /// The certificate that the other end has shown.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.peer_certificates()?.first(),
        }
    }
}

async fn accept_tls(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    hint: &[u8],
) -> io::Result<Stream> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::Error::other("it went away"));
    }
    if first != [TLS_HANDSHAKE] {
        // If it cannot be told, closing says it too.
        let _ = stream.write_all(hint).await;
        linger(stream).await;
        return Err(io::Error::other("it does not speak TLS"));
    }
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream.into()))),
        Err((error, stream)) => {
            linger(stream).await;
            Err(error)
        }
    }
}

/// Ends a connection so that the other end hears what was said last: closing it with unread data would take that
/// back.
pub async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let draining = async {
        stream.shutdown().await?;
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, it is over.
    let _ = timeout(LINGER_TIME_MAX, draining).await;
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

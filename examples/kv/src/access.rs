//! How one reaches a group as a client: encrypted or not, with a password or without.

use core::net::SocketAddr;

use anyhow::bail;
use tokio_rustls::TlsConnector;

use crate::demo::client::Connection;
use crate::resp::reply::Reply;

/// What a client needs besides an address.
#[derive(Clone, Default)]
pub struct Access {
    /// What to say to `AUTH`.
    pub password: Option<String>,
    /// How to see that it is a node of the group.
    pub tls: Option<TlsConnector>,
}

impl Access {
    /// Connects to a node, which serves the connection from then on.
    ///
    /// # Errors
    /// Nobody is there, it cannot prove who it is, or does not accept the password.
    pub async fn open(&self, member: SocketAddr) -> anyhow::Result<Connection> {
        let mut connection = Connection::open_with(member, self.tls.as_ref()).await?;
        let Some(password) = &self.password else {
            return Ok(connection);
        };
        let is_ok = |reply: &Reply<'_>| matches!(reply, Reply::Simple(_));
        let words: [&[u8]; 2] = [b"AUTH", password.as_bytes()];
        match connection.call(&words, is_ok).await? {
            true => Ok(connection),
            false => bail!("{member} does not accept the password"),
        }
    }
}

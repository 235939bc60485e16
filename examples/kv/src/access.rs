//! How one reaches a group as a client: encrypted or not, with a password or without.

use core::net::SocketAddr;

use anyhow::bail;
use tokio_rustls::TlsConnector;

use crate::demo::client::Connection;
use crate::protection::{Password, Trust};
use crate::resp::reply::Reply;

/// What a client needs besides an address.
#[derive(Clone, Default)]
pub struct Access {
    /// What to say to `AUTH`.
    pub password: Option<Password>,
    /// How to see that it is a node of the group.
    pub tls: Option<TlsConnector>,
    /// Whether the password may go where anybody on the way can read it.
    pub trust: Trust,
}

impl Access {
    /// Connects to a node, which serves the connection from then on.
    ///
    /// # Errors
    /// Nobody is there, it cannot prove who it is, or does not accept the password, or others could read that.
    pub async fn open(&self, member: SocketAddr) -> anyhow::Result<Connection> {
        let is_exposed =
            self.password.is_some() && self.tls.is_none() && !member.ip().is_loopback();
        if is_exposed && self.trust == Trust::Machine {
            bail!(
                "anybody on the way to {member} could read the password: give --tls-ca and, to join, a certificate, \
                 or --insecure if the network can be trusted"
            );
        }
        let mut connection = Connection::open_with(member, self.tls.as_ref()).await?;
        let Some(password) = &self.password else {
            return Ok(connection);
        };
        let is_ok = |reply: &Reply<'_>| matches!(reply, Reply::Simple(_));
        let words: [&[u8]; 2] = [b"AUTH", password.as_str().as_bytes()];
        match connection.call(&words, is_ok).await? {
            true => Ok(connection),
            false => bail!("{member} does not accept the password"),
        }
    }
}

//! What keeps others away from a node: that only this machine reaches it, or encryption and proof, or nothing.
//!
//! Whoever reaches an address that other machines reach can read and change everything unless something keeps
//! them from it. So such an address is refused unless there are certificates, or the operator says
//! `--insecure`, because the network itself is trusted.

use core::net::SocketAddr;

use anyhow::bail;

use crate::tls::{Files, Tls};

/// What the operator has given.
#[derive(Clone, Debug, Default)]
pub struct Protection {
    /// Certificates.
    pub files: Option<Files>,
    /// Whether nothing is to be protected: `--insecure`.
    pub trust: Trust,
}

/// Whether the network is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Loopback only.
    #[default]
    Machine,
    /// Everybody who reaches a port: `--insecure`.
    Network,
}

impl Protection {
    /// Makes sure that an address exposes nothing without its operator wanting to.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, name: &str, address: SocketAddr) -> anyhow::Result<()> {
        if address.ip().is_loopback() || self.files.is_some() || self.trust == Trust::Network {
            return Ok(());
        }
        bail!(
            "{name} {address} is not a loopback address: give --tls-cert, --tls-key and --tls-ca, or --insecure \
             if the network can be trusted"
        )
    }

    /// Makes sure that clients of other machines need a password.
    ///
    /// # Errors
    /// They do not.
    pub fn check_password(
        &self,
        address: SocketAddr,
        password: Option<&str>,
    ) -> anyhow::Result<()> {
        if address.ip().is_loopback() || password.is_some() || self.trust == Trust::Network {
            return Ok(());
        }
        bail!(
            "whoever reaches {address} could read and change everything: give --password-file, or --insecure if \
             the network can be trusted"
        )
    }

    /// Reads the certificates, which have to be those of this node.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn load(&self, id: u64) -> anyhow::Result<Option<Tls>> {
        self.files
            .as_ref()
            .map(|files| Tls::load(files, id))
            .transpose()
    }
}

//! What keeps others away from a node: that only this machine reaches it, or encryption and proof, or nothing.
//!
//! Whoever reaches an address that other machines reach can read and change everything unless something keeps
//! them from it. So such an address is refused unless there are certificates, or the operator says
//! `--insecure`, because the network itself is trusted.

use core::fmt;
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

/// What clients have to know. It is not shown where a log or a crash might show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes a text for a password.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The password itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
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
        password: Option<&Password>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Options;

    #[test]
    fn a_password_is_not_shown() {
        let options = Options {
            directory: "n1".into(),
            window_len: 0,
            password: Some(Password::new("open sesame")),
            protection: Protection::default(),
            drift: None,
            metrics: None,
            exits_with_stdin: false,
        };
        let shown = format!("{options:?} {options:#?}");
        assert!(shown.contains("Password"), "{shown}");
        assert!(!shown.contains("sesame"), "{shown}");
    }
}

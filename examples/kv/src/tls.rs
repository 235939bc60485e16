//! Who is who: certificates of nodes, and encryption of all that leaves them.
//!
//! A group has a certificate authority of its own, and every node a certificate of it. Node 3 proves that it is
//! node 3 by a certificate that names `node-3.kv` among its subject alternative names: to whom it dials and to
//! whom it is dialled by. A certificate of another authority, of another node, or none ends the connection
//! before a single message is heard. So whoever can make the authority sign can be any node: it should sign
//! nothing else.
//!
//! Clients are encrypted with the same certificate, which has to name the address that they use as well, and
//! prove themselves by a password. They need no certificate.
//!
//! Nodes speak TLS 1.3 among each other, clients may speak 1.2. Files are read at the start: new ones count after
//! the next. There are no revocation lists: a certificate that was stolen is good until it expires.

use core::net::IpAddr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use quorum::NodeId;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::client::verify_server_name;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Where the certificates of a node are, in PEM.
#[derive(Clone, Debug)]
pub struct Files {
    /// The node's certificate, then those between it and the authority's, if any.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificate of the group's authority.
    pub authority: PathBuf,
}

/// What a node needs to prove who it is and to see who others are.
#[derive(Clone)]
pub struct Tls {
    peers: TlsAcceptor,
    clients: TlsAcceptor,
    dialer: TlsConnector,
}

impl core::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files of a node and makes sure that other nodes will accept them.
    ///
    /// # Errors
    /// One line that says which file is wrong and how.
    pub fn load(files: &Files, id: u64) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(&files.authority)?);
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .with_context(|| format!("no private key in {}", files.key.display()))?;
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
                .build()?;
        check(&chain, &roots, &provider, &*verifier, id)
            .with_context(|| format!("node {id} cannot use {}", files.certificate.display()))?;
        let pair = || (chain.clone(), key.clone_key());
        let mismatch = || {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            format!("{key} is not the key of {certificate}")
        };
        let (certificate, private) = pair();
        let mut peers = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificate, private)
            .with_context(mismatch)?;
        // A connection that is resumed does not show its certificate.
        peers.send_tls13_tickets = 0;
        let (certificate, private) = pair();
        let clients = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificate, private)
            .with_context(mismatch)?;
        let dialer = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .with_context(mismatch)?;
        Ok(Self {
            peers: Arc::new(peers).into(),
            clients: Arc::new(clients).into(),
            dialer: Arc::new(dialer).into(),
        })
    }

    /// For the port of other nodes, who have to show a certificate.
    pub fn peers(&self) -> &TlsAcceptor {
        &self.peers
    }

    /// For the ports of clients and of monitoring.
    pub fn clients(&self) -> &TlsAcceptor {
        &self.clients
    }

    /// For connections to other nodes.
    pub fn dialer(&self) -> &TlsConnector {
        &self.dialer
    }
}

/// What somebody needs who talks to nodes without being one.
///
/// # Errors
/// There is no certificate in the file.
pub fn client(authority: &Path) -> anyhow::Result<TlsConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(authority)?)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

/// What the certificate of a node has to name.
///
/// # Errors
/// Never: every number makes a name.
pub fn node_name(node: NodeId) -> anyhow::Result<ServerName<'static>> {
    Ok(ServerName::try_from(format!("node-{}.kv", node.value()))?)
}

/// What the certificate of a server has to name to whoever knows its address alone.
pub fn address_name(address: IpAddr) -> ServerName<'static> {
    ServerName::from(address)
}

/// Whether a certificate, whose signature was checked before, is that of this node.
pub fn is_of(certificate: &CertificateDer<'_>, node: NodeId) -> bool {
    let parsed = ParsedCertificate::try_from(certificate);
    let (Ok(parsed), Ok(name)) = (parsed, node_name(node)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

/// Whether an error says that one end does not accept the other, and not that nobody is there.
pub fn is_trouble(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.is::<Error>() || inner.is::<NoTls>())
}

/// What an error of a handshake means, for a log.
pub fn explain(error: &io::Error) -> String {
    let inner = error.get_ref();
    let meaning = match inner.and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(_)) => "it does not accept this node's certificate: ",
        Some(Error::InvalidCertificate(_)) => "its certificate is not accepted: ",
        Some(Error::NoCertificatesPresented) => "it shows no certificate: ",
        Some(Error::InvalidMessage(_)) => "it does not seem to speak TLS: ",
        Some(_) | None => "",
    };
    format!("{meaning}{error}")
}

/// The other end does not speak TLS, it seems.
#[derive(Debug)]
pub struct NoTls;

impl core::fmt::Display for NoTls {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("it ended the TLS handshake; does it speak TLS?")
    }
}

impl core::error::Error for NoTls {}

/// Makes sure that other nodes will accept this certificate, whichever end dials.
fn check(
    chain: &[CertificateDer<'static>],
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    as_client: &dyn ClientCertVerifier,
    id: u64,
) -> anyhow::Result<()> {
    let Some((own, between)) = chain.split_first() else {
        bail!("there is no certificate in it");
    };
    let as_server =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()?;
    let now = UnixTime::now();
    as_server.verify_server_cert(own, between, &node_name(NodeId::new(id))?, &[], now)?;
    as_client.verify_client_cert(own, between, now)?;
    Ok(())
}

fn roots(authority: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots
            .add(certificate)
            .with_context(|| format!("{} is of no use", authority.display()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let read: Vec<_> = read.with_context(|| format!("cannot read certificates in {shown}"))?;
    match read.is_empty() {
        true => bail!("there is no certificate in {shown}"),
        false => Ok(read),
    }
}

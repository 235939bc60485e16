//! A running server: its ports, its tasks, and its end.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;

use anyhow::bail;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet, spawn_blocking, spawn_local};
use tracing::{info, warn};

use crate::engine::{Engine, MEMBERS_MAX};
use crate::metrics::Metrics;
use crate::node::Node;
use crate::port::Port;
use crate::protection::{Password, Protection};
use crate::setup::{self, Settings};
use crate::shutdown::Signals;
use crate::storage::Storage;
use crate::tls::Tls;
use crate::transport::handshake::{self, Refusal};
use crate::transport::{STRANGERS_MAX, incoming};
use crate::watch::Watch;
use crate::{connection, files, http, shutdown};

/// The most connections from other nodes, strangers included.
const PEERS_MAX: usize = 256;
/// The most connections that are not those of clients, the ones to other nodes included.
const OTHERS_MAX: usize = PEERS_MAX + MEMBERS_MAX + STRANGERS_MAX + http::CONNECTIONS_MAX;

/// How to run a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data directory.
    pub directory: PathBuf,
    /// Bytes of the log in memory.
    pub window_len: usize,
    /// What clients have to know, if anything.
    pub password: Option<Password>,
    /// What keeps others away.
    pub protection: Protection,
    /// By how many millionths the clock of any member may run too fast or too slow, if reads may rely on it.
    pub drift: Option<u32>,
    /// Where to serve metrics, liveness and readiness, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// End when the standard input is closed.
    pub exits_with_stdin: bool,
}

/// Runs a node until it is told to end.
///
/// # Errors
/// One line that says why it cannot run, or cannot go on.
pub fn serve(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let (node, mut signals) = local.block_on(&runtime, run(options))?;
    // All tasks end here, and with them their shares of the node.
    drop(local);
    let Some(storage) = node.into_storage() else {
        bail!("the storage is left open");
    };
    // A disk that hangs must not keep the process from being ended.
    let closing = async {
        tokio::select! {
            closed = spawn_blocking(move || storage.close()) => closed,
            () = signals.exit_at_next() => Ok(()),
        }
    };
    runtime.block_on(closing)?;
    info!("ended");
    Ok(())
}

/// Runs a node and its ports until it is told to end and has answered who waits.
async fn run(options: &Options) -> anyhow::Result<(Rc<Node>, Signals)> {
    let watch = Watch::start();
    let found = setup::find(&options.directory, options.window_len, options.drift)?;
    let settings = found.settings;
    options.check(&settings)?;
    let tls = options.protection.load(settings.id)?;
    let ports = Ports::open(options, &settings, tls.as_ref()).await?;
    let group = found.raft.group();
    let (id, last) = (settings.id, found.raft.last().index);
    info!(
        "node {id} of group {group}: {} keys, log up to entry {last}",
        found.store.len()
    );
    let metrics = Rc::new(Metrics::new()?);
    found.journal.measure(metrics.sync_time.clone());
    let (storage, reports) = Storage::start(found.journal, found.snapshots)?;
    let engine = Engine::new(
        found.raft,
        found.store,
        settings,
        watch,
        storage,
        options.window_len,
        metrics,
    );
    let node = Node::new(engine, options.password.clone(), tls);
    let accepting = ports.serve(&node);
    // Not earlier: what takes long before may be ended like any program.
    let mut signals = Signals::new()?;
    let exits_with_stdin = options.exits_with_stdin;
    let mut turning = pin!(Node::run(Rc::clone(&node), reports));
    tokio::select! {
        ended = &mut turning => ended?,
        name = signals.next() => info!("{name}: ending"),
        () = end_of_stdin(), if exits_with_stdin => info!("the standard input is closed: ending"),
    }
    accepting.abort();
    tokio::select! {
        ended = turning => ended?,
        () = shutdown::drain(&node) => {}
        () = signals.exit_at_next() => {}
    }
    Ok((node, signals))
}

impl Options {
    /// Makes sure that the node exposes nothing without its operator wanting to.
    fn check(&self, settings: &Settings) -> anyhow::Result<()> {
        let protection = &self.protection;
        settings.check(protection)?;
        protection.check_password(settings.listen, self.password.as_ref())?;
        if let Some(address) = self.metrics {
            protection.check("--metrics", address)?;
        }
        let exposed = [settings.listen, settings.peer_listen];
        let is_open = exposed.iter().any(|address| !address.ip().is_loopback());
        if protection.files.is_none() && is_open {
            warn!("connections from other machines are neither encrypted nor authenticated");
        }
        Ok(())
    }
}

/// The ports of a node.
struct Ports {
    clients: Port,
    peers: Port,
    metrics: Option<Port>,
}

impl Ports {
    async fn open(
        options: &Options,
        settings: &Settings,
        tls: Option<&Tls>,
    ) -> anyhow::Result<Self> {
        let refusal = b"-ERR max number of clients reached\r\n";
        let clients_max = files::clients_max(OTHERS_MAX)?;
        let clients = Port::open(settings.listen, "clients", clients_max, refusal).await?;
        let peers = Port::open(settings.peer_listen, "other nodes", PEERS_MAX, b"").await?;
        let metrics = match options.metrics {
            Some(at) => Some(Port::open(at, "metrics", http::CONNECTIONS_MAX, b"").await?),
            None => None,
        };
        let Some(tls) = tls else {
            return Ok(Self {
                clients,
                peers,
                metrics,
            });
        };
        let refused = handshake::answer(&Err(Refusal::NoTls));
        Ok(Self {
            clients: clients.secure(tls.clients(), connection::NO_TLS),
            peers: peers.secure(tls.peers(), &refused),
            metrics: metrics.map(|port| port.secure(tls.clients(), http::NO_TLS)),
        })
    }

    /// Serves whoever comes; says which task lets clients in.
    fn serve(self, node: &Rc<Node>) -> JoinHandle<()> {
        let shared = Rc::clone(node);
        let peers = self.peers.accept(move |stream, address, ticket| {
            incoming::run(Rc::clone(&shared), stream, address, ticket)
        });
        spawn_local(peers);
        if let Some(port) = self.metrics {
            let shared = Rc::clone(node);
            spawn_local(
                port.accept(move |stream, _, ticket| http::run(Rc::clone(&shared), stream, ticket)),
            );
        }
        let shared = Rc::clone(node);
        let clients = self.clients;
        spawn_local(
            clients.accept(move |stream, _, ticket| {
                connection::run(Rc::clone(&shared), stream, ticket)
            }),
        )
    }
}

/// A thread of its own reads, because a pending read of the runtime's would keep that from ending.
async fn end_of_stdin() {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}

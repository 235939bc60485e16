//! A running server: its ports, its tasks, and its end.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::time::Instant as Clock;

use anyhow::bail;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::port::Port;
use crate::protection::Protection;
use crate::setup;
use crate::shutdown::Signals;
use crate::storage::Storage;
use crate::transport::handshake::{self, Refusal};
use crate::transport::incoming;
use crate::{connection, http, shutdown};

/// The most clients at a time.
const CLIENTS_MAX: usize = 10_000;
/// The most connections from other nodes, strangers included.
const PEERS_MAX: usize = 256;

/// How to run a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data directory.
    pub directory: PathBuf,
    /// Bytes of the log in memory.
    pub window_len: usize,
    /// What clients have to know, if anything.
    pub password: Option<String>,
    /// What keeps others away.
    pub protection: Protection,
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
    let mut signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    let local = LocalSet::new();
    let node = local.block_on(&runtime, run(options, &mut signals))?;
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

async fn run(options: &Options, signals: &mut Signals) -> anyhow::Result<Rc<Node>> {
    let origin = Clock::now();
    let found = setup::find(&options.directory, options.window_len)?;
    let settings = found.settings;
    let protection = &options.protection;
    settings.check(protection)?;
    protection.check_password(settings.listen, options.password.as_deref())?;
    if let Some(address) = options.metrics {
        protection.check("--metrics", address)?;
    }
    let tls = protection.load(settings.id)?;
    let refusal = b"-ERR max number of clients reached\r\n";
    let mut clients = Port::open(settings.listen, "clients", CLIENTS_MAX, refusal).await?;
    let mut peers = Port::open(settings.peer_listen, "other nodes", PEERS_MAX, b"").await?;
    let mut metrics_port = match options.metrics {
        Some(address) => {
            let max = http::CONNECTIONS_MAX;
            Some(Port::open(address, "metrics", max, b"").await?)
        }
        None => None,
    };
    if let Some(tls) = &tls {
        clients = clients.secure(tls.clients(), connection::NO_TLS);
        let refused = handshake::answer(&Err(Refusal::NoTls));
        peers = peers.secure(tls.peers(), &refused);
        metrics_port = metrics_port.map(|port| port.secure(tls.clients(), http::NO_TLS));
    }
    let exposed = [settings.listen, settings.peer_listen];
    if tls.is_none() && exposed.iter().any(|address| !address.ip().is_loopback()) {
        warn!("connections from other machines are neither encrypted nor authenticated");
    }
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
        origin,
        storage,
        options.window_len,
        metrics,
    );
    let node = Node::new(engine, options.password.clone(), tls);
    let shared = Rc::clone(&node);
    let accepting =
        spawn_local(clients.accept(move |stream, _| connection::run(Rc::clone(&shared), stream)));
    let shared = Rc::clone(&node);
    spawn_local(
        peers.accept(move |stream, address| incoming::run(Rc::clone(&shared), stream, address)),
    );
    if let Some(port) = metrics_port {
        let shared = Rc::clone(&node);
        spawn_local(port.accept(move |stream, _| http::run(Rc::clone(&shared), stream)));
    }
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
    Ok(node)
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

//! A running server: its ports, its tasks, and its end.

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant as Clock;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::engine::Engine;
use crate::node::Node;
use crate::setup;
use crate::storage::Storage;
use crate::transport::incoming;
use crate::{connection, node};

/// The most clients at a time.
const CLIENTS_MAX: usize = 10_000;
/// The most connections from other nodes, strangers included.
const PEERS_MAX: usize = 256;
/// How long to wait when the system gives no more connections.
const ACCEPT_DELAY: Duration = Duration::from_millis(50);

/// How to run a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data directory.
    pub directory: PathBuf,
    /// Bytes of the log in memory.
    pub window_len: usize,
    /// What clients have to know, if anything.
    pub password: Option<String>,
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
    let node = local.block_on(&runtime, run(options))?;
    // All tasks end here, and with them their shares of the node.
    drop(local);
    drop(runtime);
    node.close();
    Ok(())
}

async fn run(options: &Options) -> anyhow::Result<Rc<Node>> {
    let origin = Clock::now();
    let found = setup::find(&options.directory, options.window_len)?;
    let settings = found.settings;
    let clients = listen(settings.listen, "clients").await?;
    let peers = listen(settings.peer_listen, "other nodes").await?;
    let exposed = [settings.listen, settings.peer_listen];
    if exposed.iter().any(|address| !address.ip().is_loopback()) {
        warn!("connections from other machines are neither encrypted nor authenticated");
    }
    let group = found.raft.group();
    let (id, last) = (settings.id, found.raft.last().index);
    info!(
        "node {id} of group {group}: {} keys, log up to entry {last}",
        found.store.len()
    );
    let (storage, reports) = Storage::start(found.journal, found.snapshots)?;
    let engine = Engine::new(
        found.raft,
        found.store,
        settings,
        origin,
        storage,
        options.window_len,
    );
    let node = Node::new(engine, options.password.clone());
    spawn_local(accept_clients(Rc::clone(&node), clients));
    spawn_local(accept_peers(Rc::clone(&node), peers));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let exits_with_stdin = options.exits_with_stdin;
    tokio::select! {
        ended = node::Node::run(Rc::clone(&node), reports) => ended?,
        _ = terminate.recv() => info!("told to end"),
        _ = interrupt.recv() => info!("interrupted"),
        () = end_of_stdin(), if exits_with_stdin => info!("the standard input is closed"),
    }
    Ok(node)
}

async fn listen(address: SocketAddr, whom: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("cannot listen at {address} for {whom}"))
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

async fn accept_clients(node: Rc<Node>, listener: TcpListener) {
    let count = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) if Rc::strong_count(&count) > CLIENTS_MAX => {
                // If it cannot be told, closing says it too.
                let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
            }
            Ok((stream, _)) => {
                let (node, share) = (Rc::clone(&node), Rc::clone(&count));
                spawn_local(async move {
                    connection::run(node, stream).await;
                    drop(share);
                });
            }
            Err(error) => {
                warn!("cannot accept a client: {error}");
                sleep(ACCEPT_DELAY).await;
            }
        }
    }
}

async fn accept_peers(node: Rc<Node>, listener: TcpListener) {
    let count = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((_, address)) if Rc::strong_count(&count) > PEERS_MAX => {
                warn!("too many connections to the peer port, the last from {address}");
                sleep(ACCEPT_DELAY).await;
            }
            Ok((stream, address)) => {
                let (node, share) = (Rc::clone(&node), Rc::clone(&count));
                spawn_local(async move {
                    incoming::run(node, stream, address).await;
                    drop(share);
                });
            }
            Err(error) => {
                warn!("cannot accept a node: {error}");
                sleep(ACCEPT_DELAY).await;
            }
        }
    }
}

//! The end of a server: nobody new is let in, and who waits is answered first.
//!
//! Told to end, a node takes no more requests and goes on until those it has taken are answered: a write by
//! the majority's word, a read by proof. That takes as long as a write does. Where it takes longer there is no
//! majority or no disk; then each of them is told that its write is uncertain, or that its read was not
//! answered. A leader then hands over its office, so that the others need not wait until they miss it. A second
//! signal ends the process at once, which is as safe as a crash.

use core::time::Duration;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::node::Node;

/// How long those who wait are given.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(4);
/// How long the last answers may take to leave.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);
/// How long a successor may take: longer than the Raft node tries.
const HANDOVER_TIME_MAX: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// The signals by which a process is told to end.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the process ends only by this module.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one and names it.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process when another one comes.
    pub async fn exit_at_next(&mut self) {
        let name = self.next().await;
        warn!("{name} again: ending at once");
        exit(1);
    }
}

/// Lets those who wait be answered, while the node goes on turning elsewhere.
pub async fn drain(node: &Node) {
    node.end();
    answer_all(node).await;
    hand_over(node).await;
}

/// Lets another member lead; nobody waits for this node any more.
async fn hand_over(node: &Node) {
    // It may need this node's vote.
    let successor = async {
        loop {
            match node.look(Engine::other_leader) {
                Some(leader) => break leader,
                None => sleep(LOOK_INTERVAL).await,
            }
        }
    };
    if !node.with_engine(Engine::hand_over) {
        return;
    }
    match timeout(HANDOVER_TIME_MAX, successor).await {
        Ok(leader) => info!("node {leader} leads from now on"),
        Err(_) => warn!("no other node took over in time"),
    }
}

async fn answer_all(node: &Node) {
    if timeout(DRAIN_TIME_MAX, last_client(node)).await.is_ok() {
        info!("all clients are answered");
        return;
    }
    let waiting = node.look(|engine| engine.clients);
    warn!("{waiting} clients could not be answered in time");
    node.with_engine(|engine| engine.give_up());
    // Who does not read is not waited for.
    let _ = timeout(FAREWELL_TIME_MAX, last_client(node)).await;
}

/// A connection closes as soon as nothing is owed on it.
async fn last_client(node: &Node) {
    while node.look(|engine| engine.clients > 0) {
        sleep(LOOK_INTERVAL).await;
    }
}

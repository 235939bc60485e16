//! The three server processes: founded, started, killed without warning, started again, and cleaned up.
//!
//! Everything goes through the command line that people use; nothing here knows how a node works inside.
//! The processes form their own process groups, so that Ctrl-C in a terminal reaches only the
//! demonstration, which then ends them; and each gets a pipe for its standard input and ends when that
//! closes, so that none outlives a demonstration that was itself killed.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::view::View;

/// How many nodes there are.
pub const NODES: usize = 3;

/// Where free ports are looked for: below those of which outgoing connections take one.
const FIRST_PORT: u32 = 10_000;
const PORTS: u32 = 22_000;

/// How long founding, joining, or electing a leader may take before something must be wrong.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long to wait between looks at something that should happen soon.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// How much of the end of a log is shown when its process has ended by itself.
const LOG_TAIL_LEN: usize = 2000;

/// One node: its place, its addresses, and its process while it runs.
#[derive(Debug)]
pub struct Node {
    /// Its id in the group.
    pub id: u64,
    /// Where clients reach it.
    pub address: SocketAddr,
    peer_address: SocketAddr,
    directory: PathBuf,
    log: PathBuf,
    process: Option<Child>,
}

/// Three nodes and the temporary directory that holds their data.
#[derive(Debug)]
pub struct Group {
    program: PathBuf,
    /// Before the directory, so that the processes end first when both are dropped.
    nodes: Vec<Node>,
    directory: TempDir,
}

impl Group {
    /// Chooses free ports and makes a directory; starts nothing yet.
    ///
    /// # Errors
    /// There is no room for temporary files, or no port is free.
    pub fn prepare(program: PathBuf) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("kv-demo-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        // All at once, so that no port is given out twice.
        let begin = std::process::id().wrapping_mul(7919);
        let ports = (0..PORTS).map(|step| FIRST_PORT + begin.wrapping_add(step) % PORTS);
        let listeners = ports.filter_map(|port| {
            let port = u16::try_from(port).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let listeners: Vec<TcpListener> = listeners.take(2 * NODES).collect();
        ensure!(listeners.len() == 2 * NODES, "no free port on loopback");
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        let nodes = addresses.chunks_exact(2).zip(1..).map(|(pair, id)| Node {
            id,
            address: pair[0],
            peer_address: pair[1],
            directory: directory.path().join(format!("n{id}")),
            log: directory.path().join(format!("n{id}.log")),
            process: None,
        });
        Ok(Self {
            program,
            nodes: nodes.collect(),
            directory,
        })
    }

    /// The nodes in the order of their ids.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Where clients reach the nodes, in the same order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }

    /// Founds the group with the first node and lets the others join, one after the other.
    ///
    /// # Errors
    /// One of the commands failed or a node did not come up; with what it said.
    pub async fn found(&mut self) -> anyhow::Result<()> {
        let member = self.nodes[0].address.to_string();
        for index in 0..NODES {
            match index {
                0 => self.run(index, "init", &[]).await?,
                _ => self.run(index, "join", &["--member", &member]).await?,
            }
            self.start(index)?;
            self.wait(|views| {
                let leads = views.iter().flatten().any(View::is_leader);
                let applies = |view: &View| view.applied > 0 && view.applied >= view.commit;
                leads
                    && views
                        .iter()
                        .take(index + 1)
                        .all(|view| view.as_ref().is_some_and(applies))
            })
            .await
            .with_context(|| format!("n{} does not come up", index + 1))?;
        }
        Ok(())
    }

    /// Runs a command that makes a node's directory and ends.
    async fn run(&self, index: usize, word: &str, more: &[&str]) -> anyhow::Result<()> {
        let node = &self.nodes[index];
        let mut command = Command::new(&self.program);
        command
            .arg(word)
            .args(["--id", &node.id.to_string()])
            .args(["--listen", &node.address.to_string()])
            .args(["--peer-listen", &node.peer_address.to_string()])
            .arg("--dir")
            .arg(&node.directory)
            .args(more)
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let ended = timeout(PATIENCE, command.output()).await;
        let output = ended.with_context(|| format!("`kv {word}` does not end"))??;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`kv {word}` failed for n{}: {}", node.id, said.trim());
        }
        Ok(())
    }

    /// Starts the process of a node.
    ///
    /// # Errors
    /// The program cannot be run.
    pub fn start(&mut self, index: usize) -> anyhow::Result<()> {
        let node = &mut self.nodes[index];
        let log = File::options().create(true).append(true).open(&node.log)?;
        let child = Command::new(&self.program)
            .args(["serve", "--exit-with-stdin", "--dir"])
            .arg(&node.directory)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a server process")?;
        node.process = Some(child);
        Ok(())
    }

    /// Kills the process of a node with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// The process had ended by itself, which it should not; with the end of its log.
    pub async fn kill(&mut self, index: usize) -> anyhow::Result<()> {
        self.check()?;
        if let Some(mut process) = self.nodes[index].process.take() {
            process.kill().await.context("cannot kill a process")?;
        }
        Ok(())
    }

    /// Makes sure that no process has ended by itself.
    ///
    /// # Errors
    /// One has; with the end of its log.
    pub fn check(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            let Some(process) = &mut node.process else {
                continue;
            };
            if let Some(status) = process.try_wait()? {
                let tail = tail(&node.log);
                bail!(
                    "n{} ended by itself ({status}); its log ends with:\n{tail}",
                    node.id
                );
            }
        }
        Ok(())
    }

    /// What every node says about itself now; `None` for those that do not answer.
    pub async fn views(&self) -> Vec<Option<View>> {
        let mut views = Vec::with_capacity(NODES);
        for node in &self.nodes {
            let view = match node.process {
                Some(_) => View::of(node.address).await.ok(),
                None => None,
            };
            views.push(view);
        }
        views
    }

    /// Waits until the nodes' views are as they should be, and returns them.
    ///
    /// # Errors
    /// They were not in time, or a process ended by itself.
    pub async fn wait(
        &mut self,
        is_met: impl FnMut(&[Option<View>]) -> bool,
    ) -> anyhow::Result<Vec<Option<View>>> {
        match self.wait_for(PATIENCE, is_met).await? {
            Ok(views) => Ok(views),
            Err(views) => {
                let logs: Vec<String> = self.nodes.iter().map(|node| tail(&node.log)).collect();
                let (seconds, logs) = (PATIENCE.as_secs(), logs.join("\n--\n"));
                bail!(
                    "not within {seconds} s; the nodes say {views:?}; their logs end with:\n{logs}"
                );
            }
        }
    }

    /// Waits until the nodes' views are as they should be, for so long at most; returns the last ones seen,
    /// as an `Err` if they were not.
    ///
    /// # Errors
    /// A process ended by itself.
    pub async fn wait_for(
        &mut self,
        patience: Duration,
        mut is_met: impl FnMut(&[Option<View>]) -> bool,
    ) -> anyhow::Result<Result<Vec<Option<View>>, Vec<Option<View>>>> {
        let end = Instant::now() + patience;
        loop {
            self.check()?;
            let views = self.views().await;
            if is_met(&views) {
                return Ok(Ok(views));
            }
            if Instant::now() > end {
                return Ok(Err(views));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Waits until there is a leader, and returns its place among the nodes.
    ///
    /// # Errors
    /// There is none in time, or a process ended by itself.
    pub async fn leader(&mut self) -> anyhow::Result<usize> {
        let views = self.wait(|views| leader_of(views).is_some()).await;
        let views = views.context("there is no leader")?;
        leader_of(&views).context("there is no leader")
    }

    /// How many bytes of data each node has on disk.
    pub fn bytes_on_disk(&self) -> Vec<u64> {
        let nodes = self.nodes.iter();
        nodes.map(|node| directory_len(&node.directory)).collect()
    }

    /// Ends all processes and removes all data.
    ///
    /// # Errors
    /// Something could not be removed.
    pub async fn clean_up(mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            if let Some(mut process) = node.process.take() {
                // One that has ended already is just as good.
                let _ = process.kill().await;
            }
        }
        let path = self.directory.path().display().to_string();
        let removed = self.directory.close();
        removed.with_context(|| format!("cannot remove {path}"))
    }
}

/// Of those who say that they lead, the one of the latest term: the others do not know yet.
fn leader_of(views: &[Option<View>]) -> Option<usize> {
    let known = views.iter().zip(0..);
    let leaders = known.filter_map(|(view, index)| Some((view.as_ref()?, index)));
    let leaders = leaders.filter(|(view, _)| view.is_leader());
    leaders
        .max_by_key(|(view, _)| view.term)
        .map(|(_, index)| index)
}

fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let start = text.len().saturating_sub(LOG_TAIL_LEN);
    let text = String::from_utf8_lossy(&text[start..]);
    text.trim_end().to_owned()
}

fn directory_len(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let lens = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => directory_len(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    lens.sum()
}

//! The data directory of a new node: founding a group, joining one, and finding a node again.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant as Clock;

use anyhow::{Context, anyhow, bail};
use clocks::Instant;
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{Config, GroupId, RECORD_HEADER_BYTES_MAX, Raft, Recovered};
use tokio::time::sleep;
use tracing::info;

use crate::access::Access;
use crate::engine::Machine;
use crate::protection::Protection;
use crate::resp::reply::Reply;
use crate::storage::{FILE_NAME, Journal, Snapshots, start_record};
use crate::store::Store;
use crate::transport::FRAME_BYTES_MAX;
use crate::watch;

/// A window that is just large enough to write the first record.
const SMALL_WINDOW_BYTES: usize = 64 * 1024;

/// How long a new node asks to be let in.
const PATIENCE: Duration = Duration::from_secs(15);
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// What a node is made with, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its id in the group.
    pub id: u64,
    /// Where it serves clients.
    pub listen: SocketAddr,
    /// Where it listens for other nodes.
    pub peer_listen: SocketAddr,
}

impl Settings {
    /// Makes sure that nobody exposes a node without wanting to.
    ///
    /// # Errors
    /// What is wrong with which address.
    pub fn check(&self, protection: &Protection) -> anyhow::Result<()> {
        for (name, address) in [
            ("--listen", self.listen),
            ("--peer-listen", self.peer_listen),
        ] {
            if address.ip().is_unspecified() || address.port() == 0 {
                bail!("{name} {address}: name the address and port that others reach this node at");
            }
            protection.check(name, address)?;
        }
        if self.listen == self.peer_listen {
            bail!("--listen and --peer-listen are the same address");
        }
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let Self {
            id,
            listen,
            peer_listen,
        } = self;
        format!("{id} {listen} {peer_listen}").into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(bytes).ok()?.split(' ');
        let settings = Self {
            id: words.next()?.parse().ok()?,
            listen: words.next()?.parse().ok()?,
            peer_listen: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(settings)
    }

    fn config(&self, drift: Option<u32>) -> anyhow::Result<Config> {
        let mut builder = Config::builder(NodeId::new(self.id)).frame_bytes_max(FRAME_BYTES_MAX);
        if let Some(drift) = drift {
            if !watch::IS_FIT_FOR_LEASES {
                bail!("--lease-drift needs a clock that goes on while the machine is suspended");
            }
            builder = builder.lease(drift);
        }
        Ok(builder.build()?)
    }
}

/// A number that differs at every start.
fn seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Founds a group: makes the data directory of its first node.
///
/// # Errors
/// One line that says why not; nothing was changed.
pub fn init(directory: &Path, settings: &Settings) -> anyhow::Result<()> {
    let made = make_directory(directory)?;
    let window = vec![0; SMALL_WINDOW_BYTES];
    let raft: Machine = Raft::found(settings.config(None)?, window, seed(), Instant::ZERO)?;
    let created = create(directory, settings, raft);
    created.inspect_err(|_| made.undo())?;
    Ok(())
}

/// Joins the group that serves clients at `member`.
///
/// # Errors
/// One line that says why not; if the group refused, nothing was changed.
pub async fn join(
    directory: &Path,
    settings: &Settings,
    member: SocketAddr,
    access: &Access,
) -> anyhow::Result<()> {
    let made = make_directory(directory)?;
    let undo = |_: &anyhow::Error| made.undo();
    let group = ask_group(member, access).await;
    let group = group.inspect_err(undo)?;
    let window = vec![0; SMALL_WINDOW_BYTES];
    let config = settings.config(None).inspect_err(undo)?;
    let raft: Machine = Raft::join(config, group, window, seed(), Instant::ZERO)?;
    let incarnation = raft.identity().incarnation.value();
    // Before anybody hears of this life of the node, it is on the disk.
    create(directory, settings, raft).inspect_err(undo)?;
    match ask_admission(member, settings, incarnation, access).await {
        Ok(()) => Ok(()),
        Err(Denied::Refused(text)) => {
            made.undo();
            bail!("the group does not let this node in: {text}")
        }
        Err(Denied::Unknown(text)) => bail!(
            "no clear answer from the group ({text}); if `RAFT.STATUS` names node {} there, `kv serve` \
             will do, else remove {} and join again",
            settings.id,
            directory.display()
        ),
    }
}

/// What `make_directory` did, to be undone if the rest fails.
struct Made {
    directory: PathBuf,
    is_new: bool,
}

impl Made {
    fn undo(&self) {
        // As far as possible: the reason why is already on its way to the user.
        let _ = fs::remove_file(self.directory.join(FILE_NAME));
        if self.is_new {
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

fn make_directory(directory: &Path) -> anyhow::Result<Made> {
    let shown = directory.display();
    let is_new = match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => false,
            Some(_) if directory.join(FILE_NAME).exists() => {
                bail!(
                    "{shown} has the data of a node already: run it with `kv serve --dir {shown}`"
                )
            }
            Some(_) => bail!("{shown} is not empty"),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = fs::create_dir_all(directory);
            made.with_context(|| format!("cannot make {shown}"))?;
            true
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    Ok(Made {
        directory: directory.to_owned(),
        is_new,
    })
}

/// Stores the first record of a new machine.
fn create(directory: &Path, settings: &Settings, mut raft: Machine) -> anyhow::Result<()> {
    let write = raft.poll_persist();
    let write = write.ok_or_else(|| anyhow!("a new node has nothing to store"))?;
    let mut record = Vec::new();
    start_record(&mut record);
    let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
    for part in write.record(&mut scratch) {
        record.extend_from_slice(part);
    }
    Journal::create(directory, &settings.encode(), &mut record)
}

/// A node as it was found on the disk.
#[derive(Debug)]
pub struct Found {
    /// What it was made with.
    pub settings: Settings,
    /// Its Raft node.
    pub raft: Machine,
    /// The map as the node's snapshot has it.
    pub store: Store,
    /// Where it stores things.
    pub journal: Journal,
    /// Its snapshots.
    pub snapshots: Snapshots,
}

/// Finds the node in a data directory.
///
/// # Errors
/// One line that says what is wrong: no node, in use, damaged.
pub fn find(directory: &Path, window_len: usize, drift: Option<u32>) -> anyhow::Result<Found> {
    let mut recovered = Recovered::new(vec![0; window_len])
        .with_context(|| format!("a window of {window_len} bytes"))?;
    let mut refused = None;
    let opened = Journal::open(directory, |record| {
        recovered.replay(record).map_err(|refusal| {
            refused = Some(refusal);
            anyhow!(refusal)
        })
    });
    let opened = match (opened, refused) {
        (Err(_), Some(refusal)) => {
            let shown = directory.display();
            let hint = match refusal {
                RestoreError::WindowTooSmall { .. } => "; give a larger --window",
                _ => "",
            };
            Err(anyhow!(
                "the journal in {shown} cannot be used: {refusal}{hint}"
            ))
        }
        (opened, _) => opened,
    };
    let (journal, settings) = opened?;
    let settings = Settings::decode(&settings)
        .ok_or_else(|| anyhow!("the settings in {} make no sense", directory.display()))?;
    let snapshots = Snapshots::new(directory.to_owned());
    let snapshot = recovered.snapshot();
    let store = match snapshot.last.index.value() {
        0 => Store::default(),
        _ => snapshots.load(&snapshot)?,
    };
    snapshots.clean_up(&snapshot);
    let applied = snapshot.last.index;
    let raft = Raft::restore(
        settings.config(drift)?,
        recovered,
        applied,
        seed(),
        Instant::ZERO,
    )
    .with_context(|| format!("the journal in {} cannot be used", directory.display()))?;
    Ok(Found {
        settings,
        raft,
        store,
        journal,
        snapshots,
    })
}

/// Why a node was not let in.
enum Denied {
    Refused(String),
    Unknown(String),
}

/// What a member answers, as far as joining goes.
enum Said {
    Ok,
    Moved(SocketAddr),
    NotNow(String),
    No(String),
    Unknown(String),
}

impl Said {
    fn of(reply: &Reply<'_>) -> Self {
        let text = match reply {
            Reply::Simple(_) => return Self::Ok,
            Reply::Error(text) => String::from_utf8_lossy(text).into_owned(),
            other => return Self::Unknown(format!("{other:?}")),
        };
        let mut words = text.split(' ');
        match words.next().unwrap_or_default() {
            "MOVED" => match words.nth(1).and_then(|address| address.parse().ok()) {
                Some(address) => Self::Moved(address),
                None => Self::NotNow(text),
            },
            "CLUSTERDOWN" | "TRYAGAIN" | "LOADING" | "BUSY" => Self::NotNow(text),
            "UNCERTAIN" => Self::Unknown(text),
            _ => Self::No(text),
        }
    }
}

/// Asks a member for the name of its group.
async fn ask_group(member: SocketAddr, access: &Access) -> anyhow::Result<GroupId> {
    let end = Clock::now() + PATIENCE;
    let mut is_told = false;
    let mut connection = loop {
        match access.open(member).await {
            Err(error) if is_absence(&error) && Clock::now() < end => {
                if !core::mem::replace(&mut is_told, true) {
                    info!("nobody listens at {member} yet: asking on for {PATIENCE:?}");
                }
                sleep(RETRY_DELAY).await;
            }
            opened => break opened?,
        }
    };
    let group = |reply: &Reply<'_>| match reply {
        Reply::Array(fields) => {
            let name = fields
                .iter()
                .position(|field| *field == Reply::Bulk(b"group"));
            match name.and_then(|name| fields.get(name + 1)) {
                Some(Reply::Bulk(text)) => Ok(String::from_utf8_lossy(text).into_owned()),
                _ => Err("it names no group".to_owned()),
            }
        }
        Reply::Error(text) => Err(String::from_utf8_lossy(text).into_owned()),
        _ => Err("it is no kv node".to_owned()),
    };
    let answer = connection.call(&[b"RAFT.STATUS"], group).await?;
    let text = answer.map_err(|text| anyhow!("{member} does not tell its group: {text}"))?;
    let number = u64::from_str_radix(&text, 16);
    Ok(GroupId::new(number.with_context(|| {
        format!("{member} does not tell its group")
    })?))
}

/// Whether nobody listens there, or not yet: a member may have been started just now.
fn is_absence(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Asks the leader to let a node in, starting with any member.
async fn ask_admission(
    mut member: SocketAddr,
    settings: &Settings,
    incarnation: u32,
    access: &Access,
) -> Result<(), Denied> {
    let end = Clock::now() + PATIENCE;
    let (id, incarnation) = (settings.id.to_string(), incarnation.to_string());
    let (peer, client) = (
        settings.peer_listen.to_string(),
        settings.listen.to_string(),
    );
    let words = ["RAFT.NODE", "ADD", &id, &incarnation, &peer, &client];
    let request = words.map(str::as_bytes);
    // Once a request may have reached the leader, a later silence proves nothing.
    let mut is_unknown = false;
    loop {
        let text = match access.open(member).await {
            Err(error) => error.to_string(),
            Ok(mut connection) => match connection.call(&request, Said::of).await {
                Ok(Said::Ok) => return Ok(()),
                Ok(Said::Moved(leader)) => {
                    member = leader;
                    continue_after(end)?.await;
                    continue;
                }
                Ok(Said::No(text)) => return Err(Denied::Refused(text)),
                Ok(Said::NotNow(text)) => text,
                Ok(Said::Unknown(text)) => {
                    is_unknown = true;
                    text
                }
                Err(lost) => {
                    is_unknown = true;
                    lost.to_string()
                }
            },
        };
        if Clock::now() > end {
            return Err(match is_unknown {
                true => Denied::Unknown(text),
                false => Denied::Refused(text),
            });
        }
        sleep(RETRY_DELAY).await;
    }
}

/// A short pause, so that two nodes that name each other leader are not asked without end.
fn continue_after(end: Clock) -> Result<impl Future<Output = ()>, Denied> {
    match Clock::now() > end {
        true => Err(Denied::Refused("the members disagree on who leads".into())),
        false => Ok(sleep(RETRY_DELAY / 10)),
    }
}

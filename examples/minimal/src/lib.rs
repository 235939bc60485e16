//! What the two minimal nodes share: how one starts, a journal file, and where nodes live.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clocks::Instant;
use quorum::NodeId;
use raft_core::{
    Config, GroupId, Identity, Incarnation, LogIndex, RECORD_HEADER_BYTES_MAX, Raft, Recovered,
    Write,
};

/// The largest datagram.
pub const FRAME_BYTES_MAX: usize = 1400;

/// A node of up to five members.
pub type Node = Raft<Vec<u8>, 5>;

/// Starts the node that the command line asks for: a new group, a new member, or one that comes
/// back from its journal.
///
/// # Errors
///
/// A wrong command line, a journal where there should be none, or one that cannot be read.
pub fn start() -> Result<(Node, Journal), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let usage = "usage: ID found | ID join GROUP | ID run";
    let id = NodeId::new(args.first().ok_or(usage)?.parse()?);
    let config = Config::builder(id)
        .frame_bytes_max(FRAME_BYTES_MAX)
        .build()?;
    let (journal, records) = Journal::open(format!("node-{id}.journal").into())?;
    let (window, now) = (vec![0; 1 << 20], Instant::ZERO);
    let raft = match args[1..] {
        ["found"] if records.is_empty() => Raft::found(config, window, entropy(), now)?,
        ["join", group] if records.is_empty() => {
            let group = GroupId::new(u64::from_str_radix(group, 16)?);
            Raft::join(config, group, window, entropy(), now)?
        }
        ["run"] => {
            let mut recovered = Recovered::new(window)?;
            records
                .iter()
                .try_for_each(|record| recovered.replay(record))?;
            Raft::restore(config, recovered, LogIndex::ZERO, entropy(), now)?
        }
        _ => Err(format!(
            "{usage} (found and join want a node without a journal)"
        ))?,
    };
    println!("node {id} of group {}", raft.group());
    Ok((raft, journal))
}

/// A number that differs at every start.
fn entropy() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Every node lives on loopback, at port 7000 plus its id.
pub fn address(node: NodeId) -> SocketAddr {
    let port = 7000 + u16::try_from(node.value()).expect("ids of this example are small");
    ([127, 0, 0, 1], port).into()
}

/// The id of the node that lives there.
pub fn node_at(address: SocketAddr) -> NodeId {
    NodeId::new(u64::from(address.port()).saturating_sub(7000))
}

/// Asks to be let in. The first byte tells it from frames, which start with their version.
pub fn hello(identity: Identity) -> [u8; 5] {
    let [a, b, c, d] = identity.incarnation.value().to_le_bytes();
    [0, a, b, c, d]
}

/// Reads what [`hello`] wrote.
pub fn read_hello(node: NodeId, datagram: &[u8]) -> Option<Identity> {
    match *datagram {
        [0, a, b, c, d] => {
            let incarnation = Incarnation::new(u32::from_le_bytes([a, b, c, d]));
            Some(Identity::new(node, incarnation))
        }
        _ => None,
    }
}

/// An append-only file of records, each with what tells a torn one from a damaged one.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens a journal and reads the records in it.
    ///
    /// # Errors
    ///
    /// What the file system says; a damaged record is `InvalidData`.
    pub fn open(path: PathBuf) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let (mut records, mut rest) = (Vec::new(), bytes.as_slice());
        while let Some((record, next)) = read_record(rest)? {
            records.push(record.to_vec());
            rest = next;
        }
        // A torn last record was never acknowledged: it goes. The others are stored again, because
        // after a sync that failed a system shows what it has dropped.
        let file = replace(&path, &bytes[..bytes.len() - rest.len()])?;
        Ok((Journal { path, file }, records))
    }

    /// Stores a write. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// What the file system says: what the file holds is unknown then, so start again.
    pub fn store(&mut self, write: &Write<'_>) -> io::Result<()> {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        let len = u32::try_from(record.len()).map_err(io::Error::other)?;
        let head = [len.to_le_bytes(), (!len).to_le_bytes()].concat();
        let stored = [
            &head,
            &record,
            &checksum(&record).to_le_bytes()[..],
            &[MARK],
        ]
        .concat();
        if !write.begins_anew() {
            self.file.write_all(&stored)?;
            return self.file.sync_data();
        }
        // This record stands for all before it.
        self.file = replace(&self.path, &stored)?;
        Ok(())
    }
}

/// Ends a record: where a crash left only the length of a file, zeros stand.
const MARK: u8 = 0xa5;

/// The first of these records and what follows it; none if there is none, or it is torn.
fn read_record(bytes: &[u8]) -> io::Result<Option<(&[u8], &[u8])>> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the journal is damaged");
    let Some(([a, b, c, d, inverse @ ..], rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let len = u32::from_le_bytes([*a, *b, *c, *d]);
    if inverse[3] == 0 {
        return Ok(None); // no record is so long that this byte were zero
    }
    if inverse != &(!len).to_le_bytes() {
        return Err(damaged());
    }
    let Some((record, tail)) = rest.split_at_checked(len as usize) else {
        return Ok(None);
    };
    match tail.split_first_chunk::<9>() {
        None | Some(([.., 0], _)) => Ok(None),
        Some(([sum @ .., MARK], next)) if *sum == checksum(record).to_le_bytes() => {
            Ok(Some((record, next)))
        }
        Some(_) => Err(damaged()),
    }
}

/// A new file with these bytes takes the place of an old one; all of it is durable, its name too.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, path)?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    OpenOptions::new().append(true).open(path)
}

/// FNV-1a, 64 bits: enough to recognise what is damaged.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

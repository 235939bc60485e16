//! What the two minimal nodes share: how one starts, a journal file, and where nodes live.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

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
    let (journal, records) = Journal::open(id)?;
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

/// An append-only file of records, each behind its length and a checksum.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the journal of a node and reads the whole records in it.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn open(node: NodeId) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let path = PathBuf::from(format!("node-{node}.journal"));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = fs::read(&path)?;
        let (mut records, mut rest) = (Vec::new(), bytes.as_slice());
        while let Some((head, tail)) = rest.split_first_chunk::<12>() {
            let (len, sum) = head.split_at(4);
            let len = len
                .try_into()
                .map(u32::from_le_bytes)
                .map_or(usize::MAX, |len| len as usize);
            let Some((record, next)) = tail.split_at_checked(len) else {
                break;
            };
            if checksum(record).to_le_bytes() != sum {
                break;
            }
            records.push(record.to_vec());
            rest = next;
        }
        // A torn last record was never acknowledged: cut it off.
        file.set_len((bytes.len() - rest.len()) as u64)?;
        Ok((Journal { path, file }, records))
    }

    /// Stores a write. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// What the file system says; report it with `handle_persist_failed`.
    pub fn store(&mut self, write: &Write<'_>) -> io::Result<()> {
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let record = write.record(&mut scratch).concat();
        let len = u32::try_from(record.len()).map_err(io::Error::other)?;
        let stored = [
            &len.to_le_bytes()[..],
            &checksum(&record).to_le_bytes(),
            &record,
        ]
        .concat();
        if !write.begins_anew() {
            self.file.write_all(&stored)?;
            return self.file.sync_data();
        }
        // This record stands for all before it: a new file takes the old one's place.
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, &stored)?;
        File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.file.sync_all()
    }
}

/// FNV-1a, 64 bits: enough to recognise a torn record.
fn checksum(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

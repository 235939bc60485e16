//! A file system that remembers what it was not told to keep.
//!
//! The usual trap is that a test runs on a file system that never forgets. Here a write is only
//! in memory until its file is synced, a name (a file that was made, renamed or removed) until the
//! directory is; a power cut leaves of the rest what a [`Fate`] says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::medium::{Failed, Fate, Fault, Medium, Rest, Torn};
use super::power::Power;

#[derive(Clone, Debug)]
enum Operation {
    Write {
        inode: u32,
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLen {
        inode: u32,
        len: usize,
    },
    /// A name means this file from now on, and its former name nothing any more.
    Name {
        name: String,
        inode: u32,
        former: Option<String>,
    },
    /// A name means nothing any more.
    Unname {
        name: String,
    },
}

impl Operation {
    fn inode(&self) -> Option<u32> {
        match self {
            Operation::Write { inode, .. } | Operation::SetLen { inode, .. } => Some(*inode),
            Operation::Name { .. } | Operation::Unname { .. } => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Operation::Write { bytes, .. } => bytes.len(),
            Operation::SetLen { .. } | Operation::Name { .. } | Operation::Unname { .. } => 0,
        }
    }
}

/// Names and contents.
#[derive(Clone, Debug, Default)]
struct Image {
    names: BTreeMap<String, u32>,
    contents: BTreeMap<u32, Vec<u8>>,
}

impl Image {
    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Write {
                inode,
                offset,
                bytes,
            } => self.put(*inode, *offset, bytes),
            Operation::SetLen { inode, len } => {
                self.contents.entry(*inode).or_default().resize(*len, 0);
            }
            Operation::Name {
                name,
                inode,
                former,
            } => {
                self.names.insert(name.clone(), *inode);
                if let Some(former) = former {
                    self.names.remove(former);
                }
            }
            Operation::Unname { name } => {
                self.names.remove(name);
            }
        }
    }

    fn put(&mut self, inode: u32, offset: usize, bytes: &[u8]) {
        let contents = self.contents.entry(inode).or_default();
        let end = offset + bytes.len();
        if contents.len() < end {
            contents.resize(end, 0);
        }
        contents[offset..end].copy_from_slice(bytes);
    }

    fn tear(&mut self, operation: &Operation, torn: Torn) {
        let Operation::Write {
            inode,
            offset,
            bytes,
        } = operation
        else {
            return;
        };
        let mut part = bytes[..torn.bytes.min(bytes.len())].to_vec();
        if torn.rest == Rest::Zeros {
            part.resize(bytes.len(), 0);
        }
        self.put(*inode, *offset, &part);
    }
}

#[derive(Debug, Default)]
struct State {
    durable: Image,
    seen: Image,
    pending: Vec<Operation>,
    power: Power,
    reorders: bool,
    inodes: u32,
}

impl State {
    fn change(&mut self, operation: Operation) -> Result<(), Failed> {
        let fault = self.power.begin()?;
        match fault {
            Some(Fault::Refused) => return Err(Failed),
            Some(Fault::Broken) => {
                let mut half = operation;
                if let Operation::Write { bytes, .. } = &mut half {
                    bytes.truncate(bytes.len() / 2);
                    self.seen.apply(&half);
                    self.pending.push(half);
                }
                return Err(Failed);
            }
            Some(Fault::PowerCut) | None => {}
        }
        self.seen.apply(&operation);
        self.pending.push(operation);
        match fault {
            Some(_) => Err(Failed),
            None => Ok(()),
        }
    }

    fn sync(&mut self, inode: Option<u32>) -> Result<(), Failed> {
        let fault = self.power.begin()?;
        if matches!(fault, Some(Fault::PowerCut | Fault::Refused)) {
            return Err(Failed);
        }
        for operation in std::mem::take(&mut self.pending) {
            if operation.inode() != inode {
                self.pending.push(operation);
            } else if fault.is_none() {
                self.durable.apply(&operation);
            }
        }
        fault.map_or(Ok(()), |_| Err(Failed))
    }

    fn inode(&self, name: &str) -> Option<u32> {
        self.seen.names.get(name).copied()
    }

    fn open(&mut self, name: &str) -> Result<u32, Failed> {
        if let Some(inode) = self.inode(name) {
            return Ok(inode);
        }
        self.inodes += 1;
        let (inode, name) = (self.inodes, name.to_owned());
        self.change(Operation::Name {
            name,
            inode,
            former: None,
        })?;
        Ok(inode)
    }
}

/// A handle to a simulated file system of one directory; its clones mean the same one.
#[derive(Clone, Debug, Default)]
pub struct Files(Arc<Mutex<State>>);

impl Files {
    /// An empty one. Where it `reorders`, a power cut may keep any subset of what was not synced.
    pub fn new(reorders: bool) -> Self {
        let files = Files::default();
        files.state().reorders = reorders;
        files
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half way.
        self.0.lock().unwrap_or_else(|lock| lock.into_inner())
    }

    /// Writes bytes at a place of a file, which is made if there is none.
    ///
    /// # Errors
    ///
    /// [`Failed`]: injected, or power is out.
    pub fn write(&self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), Failed> {
        let mut state = self.state();
        let inode = state.open(name)?;
        let bytes = bytes.to_vec();
        state.change(Operation::Write {
            inode,
            offset,
            bytes,
        })
    }

    /// Writes bytes at the end of a file, which is made if there is none.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write).
    pub fn append(&self, name: &str, bytes: &[u8]) -> Result<(), Failed> {
        self.write(name, self.len(name).unwrap_or(0), bytes)
    }

    /// Cuts a file short, or fills it up with zeros.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write).
    pub fn set_len(&self, name: &str, len: usize) -> Result<(), Failed> {
        let mut state = self.state();
        let inode = state.open(name)?;
        state.change(Operation::SetLen { inode, len })
    }

    /// Makes the contents of a file durable, but not its name.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write); then the contents are unknown.
    pub fn sync(&self, name: &str) -> Result<(), Failed> {
        let mut state = self.state();
        let inode = state.inode(name).ok_or(Failed)?;
        state.sync(Some(inode))
    }

    /// Makes all names durable.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write).
    pub fn sync_names(&self) -> Result<(), Failed> {
        self.state().sync(None)
    }

    /// Gives a file another name, in place of what had that name.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write), or there is no such file. A power cut never leaves both names
    /// or none.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Failed> {
        let mut state = self.state();
        let (inode, name) = (state.inode(from).ok_or(Failed)?, to.to_owned());
        state.change(Operation::Name {
            name,
            inode,
            former: Some(from.to_owned()),
        })
    }

    /// Removes a file, if there is one.
    ///
    /// # Errors
    ///
    /// As [`write`](Files::write).
    pub fn remove(&self, name: &str) -> Result<(), Failed> {
        let mut state = self.state();
        let (is_there, name) = (state.inode(name).is_some(), name.to_owned());
        if is_there {
            state.change(Operation::Unname { name })?;
        }
        Ok(())
    }

    /// What a file holds, if there is one.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let inode = state.inode(name)?;
        Some(state.seen.contents.get(&inode).cloned().unwrap_or_default())
    }

    /// How long a file is, if there is one.
    pub fn len(&self, name: &str) -> Option<usize> {
        let state = self.state();
        let inode = state.inode(name)?;
        Some(state.seen.contents.get(&inode).map_or(0, Vec::len))
    }

    /// The names of all files, in order.
    pub fn names(&self) -> Vec<String> {
        self.state().seen.names.keys().cloned().collect()
    }

    /// Which file a bit belongs to when all are counted one after the other, and which of its bits
    /// it is.
    fn locate(&self, mut bit: u64) -> Option<(String, u64)> {
        for name in self.names() {
            let bits = self.len(&name).unwrap_or(0) as u64 * 8;
            if bit < bits {
                return Some((name, bit));
            }
            bit -= bits;
        }
        None
    }
}

impl Medium for Files {
    fn operations(&self) -> u64 {
        self.state().power.operations()
    }

    fn strike(&mut self, at: u64, fault: Fault) {
        self.state().power.strike(at, fault);
    }

    fn is_powered(&self) -> bool {
        !self.state().power.is_out()
    }

    fn unsynced(&self) -> Vec<usize> {
        self.state().pending.iter().map(Operation::len).collect()
    }

    fn reorders(&self) -> bool {
        self.state().reorders
    }

    fn settle(&mut self, fate: &Fate) {
        let mut state = self.state();
        for (number, operation) in std::mem::take(&mut state.pending).into_iter().enumerate() {
            let torn = fate.torn.filter(|torn| torn.operation as usize == number);
            if fate.keeps(number) {
                state.durable.apply(&operation);
            } else if let Some(torn) = torn {
                state.durable.tear(&operation, torn);
            }
        }
        state.seen = state.durable.clone();
        state.power.come_back();
    }

    fn decaying_bits(&self) -> u64 {
        let names = self.names();
        let lens = names.iter().filter_map(|name| self.len(name));
        lens.map(|len| len as u64 * 8).sum()
    }

    fn flip(&mut self, bit: u64) {
        let Some((name, bit)) = self.locate(bit) else {
            return;
        };
        let mut state = self.state();
        let Some(inode) = state.inode(&name) else {
            return;
        };
        let state = &mut *state;
        for image in [&mut state.durable, &mut state.seen] {
            let contents = image.contents.get_mut(&inode);
            let byte = contents.and_then(|contents| contents.get_mut((bit / 8) as usize));
            if let Some(byte) = byte {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    fn wipe(&mut self) {
        let mut state = self.state();
        *state = State {
            power: state.power,
            reorders: state.reorders,
            ..State::default()
        };
    }
}

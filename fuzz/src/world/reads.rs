//! Reads and handovers, at any node and at any time: each read ends once, in the life in which it
//! began, and as long as nobody lied it sees all that was applied anywhere before it began.

use raft_core::{LogIndex, ReadOutcome};

use quorum::NodeId;

use super::{HOSTS, World};
use crate::bytes::Bytes;
use crate::host::Reading;

/// Reads under way at a node, at most.
const READS_MAX: usize = 12;

impl World {
    /// A node is asked to read.
    pub fn read(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place) = (self.now, self.pick(bytes));
        let applied = self.hosts.iter().map(|host| host.raft.delivered());
        let floor = applied.max().unwrap_or(LogIndex::ZERO);
        let host = &mut self.hosts[place];
        if host.reading.len() >= READS_MAX {
            return;
        }
        let before = host.raft.clone();
        match host.raft.read(now) {
            Ok(ticket) => {
                let is_new = host.reading.iter().all(|known| known.ticket != ticket);
                assert!(is_new, "node {} gives a ticket twice", host.id);
                host.reading.push(Reading { ticket, floor });
            }
            Err(_) => assert!(before == host.raft, "an error changed something"),
        }
        host.check();
    }

    /// A node is told to hand over.
    pub fn transfer(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place) = (self.now, self.pick(bytes));
        let to = NodeId::new(bytes.below(HOSTS + 1) as u64 + 1);
        let host = &mut self.hosts[place];
        let before = host.raft.clone();
        match host.raft.transfer(now, to) {
            Ok(()) => self.handovers += 1,
            Err(_) => assert!(before == host.raft, "an error changed something"),
        }
        host.check();
    }

    /// The reads of a node that have ended.
    pub(super) fn end_reads(&mut self, place: usize) {
        let is_deceived = self.is_deceived;
        let host = &mut self.hosts[place];
        while let Some(outcome) = host.raft.poll_read() {
            let mut known = host.reading.iter();
            let known = known
                .position(|known| known.ticket == outcome.ticket())
                .unwrap_or_else(|| panic!("node {}: {outcome:?} was not under way", host.id));
            let reading = host.reading.remove(known);
            if let ReadOutcome::Ready { index, .. } = outcome {
                self.answered += 1;
                let delivered = host.raft.delivered();
                assert!(index <= delivered, "node {}: {outcome:?}", host.id);
                assert!(
                    is_deceived || index >= reading.floor,
                    "node {} reads at {index}, and {} was applied before",
                    host.id,
                    reading.floor
                );
            }
        }
        host.check();
    }
}

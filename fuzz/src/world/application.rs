//! What an application, an operator or a transport may ask of a node at any time.

use quorum::NodeId;
use raft_core::error::CampaignError;
use raft_core::{Change, Identity, Incarnation, LogIndex};

use super::{HOSTS, World};
use crate::bytes::Bytes;

impl World {
    /// A command, which only a leader takes.
    pub fn propose(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        let len = usize::from(bytes.u8()) * (1 + bytes.below(3));
        let payload = vec![bytes.u8(); len];
        let host = &mut self.hosts[place];
        let before = host.raft.clone();
        if host.raft.propose(&payload).is_err() {
            assert!(before == host.raft, "an error changed something");
        }
        host.check();
    }

    /// A change of the membership, which only a leader takes.
    pub fn reconfigure(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        let changes: Vec<_> = (0..=bytes.below(3)).map(|_| self.change(bytes)).collect();
        let host = &mut self.hosts[place];
        let before = host.raft.clone();
        if host.raft.reconfigure(&changes).is_err() {
            assert!(before == host.raft, "an error changed something");
        }
        host.check();
    }

    fn change(&self, bytes: &mut Bytes<'_>) -> Change {
        let place = bytes.below(HOSTS + 3);
        let node = NodeId::new(place as u64 + 1);
        let identity = match self.hosts.get(place) {
            Some(host) if !bytes.one_in(8) => host.identity,
            _ => Identity::new(node, Incarnation::new(u32::from(bytes.u8()))),
        };
        match bytes.below(5) {
            0 => Change::AddLearner(identity),
            1 => Change::AddVoter(identity),
            2 => Change::Promote(node),
            3 => Change::Demote(node),
            _ => Change::Remove(node),
        }
    }

    /// A node's log is cut at its front.
    pub fn compact(&mut self, bytes: &mut Bytes<'_>) {
        let place = self.pick(bytes);
        let host = &mut self.hosts[place];
        let back = u64::from(bytes.u8() % 8);
        let index = LogIndex::new(host.raft.delivered().value().saturating_sub(back));
        let (size, checksum) = (u64::from(bytes.u16() % 1500), u32::from(bytes.u8()));
        let before = host.raft.clone();
        if host.raft.compact(index, size, checksum).is_err() {
            assert!(before == host.raft, "an error changed something");
        }
        host.check();
    }

    /// What a transport or an operator may say at any time.
    pub fn nudge(&mut self, bytes: &mut Bytes<'_>) {
        let (now, place) = (self.now, self.pick(bytes));
        let raft = &mut self.hosts[place].raft;
        match bytes.below(HOSTS + 2) {
            0 => assert!(
                !matches!(raft.campaign(now), Err(CampaignError::Faulted(_))),
                "never stopped"
            ),
            peer => raft
                .handle_unreachable(now, NodeId::new(peer as u64))
                .expect("never stopped"),
        }
        self.hosts[place].check();
    }
}

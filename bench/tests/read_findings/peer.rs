//! raft-rs 0.7, driven by the ready loop that its documentation describes.

use raft::eraftpb::{Message, MessageType};
use raft::storage::MemStorage;
use raft::{Config, RawNode, ReadOnlyOption, StateRole};

use super::{Group, Kind, Sent};

/// Three nodes of it.
pub(crate) struct Peer {
    nodes: Vec<RawNode<MemStorage>>,
    answered: [Vec<u64>; 3],
}

fn node(id: u64, by_lease: bool) -> RawNode<MemStorage> {
    let config = Config {
        id,
        election_tick: 10,
        heartbeat_tick: 1,
        // Nobody stands before the script wants it.
        min_election_tick: 18,
        max_election_tick: 19,
        pre_vote: true,
        check_quorum: true,
        read_only_option: match by_lease {
            true => ReadOnlyOption::LeaseBased,
            false => ReadOnlyOption::Safe,
        },
        ..Config::default()
    };
    let storage = MemStorage::new_with_conf_state((vec![1, 2, 3], Vec::new()));
    let silent = slog::Logger::root(slog::Discard, slog::o!());
    RawNode::new(&config, storage, &silent).expect("a valid configuration")
}

impl Group for Peer {
    type Frame = Message;

    fn found(by_lease: bool) -> Self {
        let nodes = (1..=3).map(|id| node(id, by_lease)).collect();
        let mut peer = Peer {
            nodes,
            answered: Default::default(),
        };
        peer.campaign(0);
        loop {
            let sent: Vec<_> = (0..3).flat_map(|at| peer.drain(at)).collect();
            if sent.is_empty() {
                return peer;
            }
            sent.iter().for_each(|sent| peer.deliver(sent));
        }
    }

    fn tick(&mut self, node: usize) {
        self.nodes[node].tick();
    }

    fn drain(&mut self, node: usize) -> Vec<Sent<Message>> {
        let raft = &mut self.nodes[node];
        let mut all = Vec::new();
        while raft.has_ready() {
            let mut ready = raft.ready();
            let states = ready.take_read_states();
            self.answered[node].extend(states.iter().map(|state| state.index));
            all.append(&mut ready.take_messages());
            {
                let mut store = raft.store().wl();
                store.append(ready.entries()).expect("they follow the log");
                if let Some(hard_state) = ready.hs() {
                    store.set_hardstate(hard_state.clone());
                }
            }
            all.append(&mut ready.take_persisted_messages());
            let mut light = raft.advance(ready);
            if let Some(commit) = light.commit_index() {
                raft.store().wl().mut_hard_state().set_commit(commit);
            }
            all.append(&mut light.take_messages());
            raft.advance_apply();
        }
        let sent = all.into_iter().map(|frame| Sent {
            from: frame.from as usize - 1,
            to: frame.to as usize - 1,
            kind: match frame.get_msg_type() {
                MessageType::MsgReadIndex => Kind::ReadRequest,
                MessageType::MsgHeartbeatResponse => Kind::Answer,
                MessageType::MsgTimeoutNow => Kind::StandNow,
                _ => Kind::Other,
            },
            frame,
        });
        sent.collect()
    }

    fn deliver(&mut self, sent: &Sent<Message>) {
        let raft = &mut self.nodes[sent.to];
        raft.step(sent.frame.clone()).expect("of this group");
    }

    fn propose(&mut self, node: usize) {
        let raft = &mut self.nodes[node];
        raft.propose(Vec::new(), vec![7; 8]).expect("it leads");
    }

    fn campaign(&mut self, node: usize) {
        self.nodes[node].campaign().expect("a voter may");
    }

    fn transfer(&mut self, node: usize, to: usize) {
        self.nodes[node].transfer_leader(to as u64 + 1);
    }

    fn read(&mut self, node: usize, name: u8) {
        self.nodes[node].read_index(vec![name]);
    }

    fn answered(&mut self, node: usize) -> Vec<u64> {
        std::mem::take(&mut self.answered[node])
    }

    fn leads(&self, node: usize) -> bool {
        self.nodes[node].raft.state == StateRole::Leader
    }

    fn commit(&self, node: usize) -> u64 {
        self.nodes[node].raft.raft_log.committed
    }
}

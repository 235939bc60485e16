//! This workspace's machine, driven as its README shows.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{Body, Change, Config, Raft, ReadOutcome, Ready, wire};

use super::{Group, Kind, Sent};

const TICK: Duration = Duration::from_millis(10);
const FRAME: usize = 1024;

type Machine = Raft<Vec<u8>, 3>;

/// Three nodes of it, each with its clock.
pub(crate) struct Ours {
    nodes: Vec<Machine>,
    clocks: [Instant; 3],
}

fn config(id: u64, by_lease: bool) -> Config {
    let config = Config::builder(NodeId::new(id))
        .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
        .heartbeat_interval(TICK)
        .frame_bytes_max(FRAME);
    let config = match by_lease {
        // Clocks that tick together.
        true => config.lease(0),
        false => config,
    };
    config.build().expect("the settings are sound")
}

impl Ours {
    fn settle(&mut self) {
        loop {
            let nodes = 0..self.nodes.len();
            let sent: Vec<_> = nodes.flat_map(|at| self.drain(at)).collect();
            if sent.is_empty() {
                return;
            }
            sent.iter().for_each(|sent| self.deliver(sent));
        }
    }
}

impl Group for Ours {
    type Frame = Vec<u8>;

    fn found(by_lease: bool) -> Self {
        let now = Instant::from_micros(1_000_000);
        let founder = Machine::found(config(1, by_lease), vec![0; 4096], 1, now);
        let founder = founder.expect("the window is large enough");
        let group = founder.group();
        let mut ours = Ours {
            nodes: vec![founder],
            clocks: [now; 3],
        };
        ours.nodes[0].handle_timeout(now).expect("a live node");
        ours.settle();
        for id in [2, 3] {
            let joiner = Machine::join(config(id, by_lease), group, vec![0; 4096], id, now);
            let joiner = joiner.expect("the window is large enough");
            let identity = joiner.identity();
            ours.nodes.push(joiner);
            ours.settle();
            for change in [Change::AddLearner(identity), Change::Promote(identity.node)] {
                let leader = &mut ours.nodes[0];
                leader.reconfigure(&[change]).expect("one at a time");
                ours.settle();
            }
        }
        ours
    }

    fn tick(&mut self, node: usize) {
        self.clocks[node] = self.clocks[node].saturating_add(TICK);
        let now = self.clocks[node];
        self.nodes[node].handle_timeout(now).expect("a live node");
    }

    fn drain(&mut self, node: usize) -> Vec<Sent<Vec<u8>>> {
        let now = self.clocks[node];
        let raft = &mut self.nodes[node];
        let mut all = Vec::new();
        loop {
            while let Some(write) = raft.poll_persist() {
                let ticket = write.into_ticket();
                raft.handle_persisted(now, ticket).expect("its own ticket");
            }
            while raft.poll_committed().is_some() {}
            let Some(transmit) = raft.poll_transmit(now, Ready::All) else {
                return all;
            };
            let mut frame = [0; FRAME];
            let frame = wire::encode(&transmit.message, &mut frame).expect("it fits");
            all.push(Sent {
                from: node,
                to: transmit.to.value() as usize - 1,
                kind: match transmit.message.body {
                    Body::ReadRequest(_) => Kind::ReadRequest,
                    Body::Ack(_) => Kind::Answer,
                    Body::TimeoutNow => Kind::StandNow,
                    _ => Kind::Other,
                },
                frame: frame.to_vec(),
            });
        }
    }

    fn deliver(&mut self, sent: &Sent<Vec<u8>>) {
        let (now, from) = (self.clocks[sent.to], NodeId::new(sent.from as u64 + 1));
        let message = wire::decode(&sent.frame).expect("a frame of this group");
        let raft = &mut self.nodes[sent.to];
        let piece = raft
            .handle_message(now, from, message)
            .expect("a live node");
        assert!(piece.is_none(), "nobody falls behind here");
    }

    fn propose(&mut self, node: usize) {
        self.nodes[node].propose(&[7; 8]).expect("it leads");
    }

    fn campaign(&mut self, node: usize) {
        let now = self.clocks[node];
        self.nodes[node].campaign(now).expect("a live node");
    }

    fn transfer(&mut self, node: usize, to: usize) {
        let (now, to) = (self.clocks[node], NodeId::new(to as u64 + 1));
        self.nodes[node].transfer(now, to).expect("it leads");
    }

    fn read(&mut self, node: usize, _: u8) {
        // Refused where nobody leads, which answers nothing.
        let _ = self.nodes[node].read(self.clocks[node]);
    }

    fn answered(&mut self, node: usize) -> Vec<u64> {
        let (now, raft) = (self.clocks[node], &mut self.nodes[node]);
        let mut all = Vec::new();
        while let Some(outcome) = raft.poll_read() {
            // The state is read in no time.
            if let ReadOutcome::Ready {
                index, valid_until, ..
            } = outcome
                && valid_until.is_none_or(|until| now < until)
            {
                all.push(index.value());
            }
        }
        all
    }

    fn leads(&self, node: usize) -> bool {
        self.nodes[node].is_leader()
    }

    fn commit(&self, node: usize) -> u64 {
        self.nodes[node].commit().value()
    }
}

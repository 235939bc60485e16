//! What a node tells about itself and its group.

use core::time::Duration;
use std::rc::Rc;

use clocks::Instant;
use quorum::NodeId;
use raft_core::{CatchingUp, Identity, Incarnation, Role, Standing};

use super::members::Wish;
use super::readiness::{Place, STORING_TIME_MAX};
use super::{Asker, Engine};
use crate::command::Raft;
use crate::info::{Facts, PeerFacts, RaftFacts};
use crate::outbox::Outbox;
use crate::resp::Protocol;
use crate::resp::encode::Encoder;
use crate::slots::{Node, Topology};

impl Engine {
    /// The group as clients see it.
    pub fn topology(&self) -> Topology {
        let members = self.raft.members();
        let nodes = members.filter_map(|seat| {
            let id = seat.identity.node.value();
            let (host, port) = self.store.address(id)?.client_host_and_port();
            Some(Node {
                id,
                host: host.to_owned(),
                port,
            })
        });
        Topology {
            group: self.raft.group().value(),
            own_id: self.settings.id,
            leader: self.raft.leader().map(NodeId::value),
            term: u64::from(self.raft.term().value()),
            nodes: nodes.collect(),
        }
    }

    /// Facts about this node.
    pub fn facts(&self) -> Facts {
        Facts {
            uptime: self.watch.elapsed(),
            port: self.settings.listen.port(),
            clients: self.clients,
            commands: self.metrics.commands.get(),
            keys: self.store.len(),
            keys_expiring: self.store.expiring_len(),
            bytes_on_disk: self.storage.bytes_on_disk(),
            write_error: self.trouble.as_ref().map(|(text, _)| text.clone()),
            raft: self.raft_facts(),
        }
    }

    /// The node's part in the group.
    pub fn raft_facts(&self) -> RaftFacts {
        let snapshot = self.raft.snapshot();
        RaftFacts {
            group: self.raft.group().value(),
            id: self.settings.id,
            role: role(self.raft.role()),
            term: u64::from(self.raft.term().value()),
            leader: self.raft.leader().map(NodeId::value),
            commit: self.raft.commit().value(),
            applied: self.raft.delivered().value(),
            last: self.raft.last().index.value(),
            durable: self.raft.durable().value(),
            members: self.raft.members().count(),
            is_voter: self.raft.is_voter(),
            window_used: self.raft.log_bytes() as u64,
            window_len: self.raft.log_bytes_max() as u64,
            snapshot: snapshot.last.index.value(),
            snapshot_len: snapshot.size,
            peers: self.peers().collect(),
        }
    }

    fn peers(&self) -> impl Iterator<Item = PeerFacts> {
        let own = self.raft.identity().node;
        let others = self.raft.members();
        let others = others.filter(move |seat| seat.identity.node != own);
        others.map(|seat| {
            let id = seat.identity.node;
            let link = self.links.find(id);
            let address = self.store.address(id.value());
            PeerFacts {
                id: id.value(),
                is_voter: seat.standing != Standing::Learner,
                client: address.map(|known| {
                    let (host, port) = known.client_host_and_port();
                    (host.into(), port)
                }),
                is_connected: link.is_some_and(|link| link.is_connected()),
                connected: link.and_then(|link| link.connected()),
                connections: link.map_or(0, |link| link.connections()),
                failures: link.map_or(0, |link| link.failures()),
                queued: link.map_or(0, |link| link.queued()),
                contact: link.and_then(|link| link.contact()),
                progress: self.raft.progress(id),
            }
        })
    }

    /// Why no clients should be sent to this node now, if so.
    pub fn obstacle(&self) -> Option<String> {
        let own = self.raft.identity().node;
        let leader = self.raft.leader();
        let heard = self.heard.filter(|(from, _)| Some(*from) == leader);
        let trouble = self.trouble.as_ref().map(|(text, _)| text.clone());
        let place = Place {
            own,
            is_member: self.raft.members().any(|seat| seat.identity.node == own),
            leader,
            silence: heard.map(|(_, at)| self.since(at)),
            trouble: trouble.or_else(|| self.hanging()),
            applied: self.raft.delivered(),
        };
        self.readiness.obstacle(place)
    }

    /// For how long a write has been on its way to the disk, if for too long.
    fn hanging(&self) -> Option<String> {
        let lasting = self.since(self.storing?);
        let seconds = lasting.as_secs();
        (lasting > STORING_TIME_MAX).then(|| format!("the disk has been busy for {seconds} s"))
    }

    fn since(&self, at: Instant) -> Duration {
        let micros = self.now().as_micros().saturating_sub(at.as_micros());
        Duration::from_micros(micros)
    }

    /// Takes a command of an operator.
    pub fn operate(&mut self, command: &Raft<'_>, outbox: &Rc<Outbox>, protocol: Protocol) {
        let wish = match *command {
            Raft::Info => {
                let text = self.raft_facts().text();
                return outbox.reply(|out| Encoder::new(out, protocol).text(&text));
            }
            Raft::Status => {
                outbox.reply(|out| self.status(&mut Encoder::new(out, protocol)));
                return;
            }
            Raft::Add {
                id,
                incarnation,
                peer,
                client,
            } => {
                let Ok(incarnation) = u32::try_from(incarnation) else {
                    let text = "ERR an incarnation has 32 bits";
                    return outbox.reply(|out| Encoder::new(out, protocol).error(text));
                };
                Wish::Add {
                    identity: Identity::new(NodeId::new(id), Incarnation::new(incarnation)),
                    peer: peer.into(),
                    client: client.into(),
                }
            }
            Raft::Remove { id } => Wish::Remove(NodeId::new(id)),
            Raft::Transfer { to } => return self.transfer(to.map(NodeId::new), outbox, protocol),
        };
        if !self.raft.is_leader() {
            return outbox.reply(|out| self.redirect(None, out, protocol));
        }
        let asker = Asker {
            place: outbox.reserve(0),
            outbox: Rc::clone(outbox),
            protocol,
        };
        self.members.wish(wish, asker);
    }

    fn transfer(&mut self, to: Option<NodeId>, outbox: &Rc<Outbox>, protocol: Protocol) {
        if !self.raft.is_leader() {
            return outbox.reply(|out| self.redirect(None, out, protocol));
        }
        let asker = Asker {
            place: outbox.reserve(0),
            outbox: Rc::clone(outbox),
            protocol,
        };
        let now = self.now();
        self.office
            .transfer(&mut self.raft, now, &self.links, to, asker);
    }

    /// Answers `RAFT.STATUS`: what a node that wants to join needs first.
    fn status(&self, encoder: &mut Encoder<'_>) {
        let facts = self.raft_facts();
        let leader = facts
            .leader
            .map_or(String::new(), |leader| leader.to_string());
        let fields = [
            ("group", format!("{:016x}", facts.group)),
            ("id", facts.id.to_string()),
            ("role", facts.role.to_owned()),
            ("term", facts.term.to_string()),
            ("leader", leader),
            ("commit", facts.commit.to_string()),
            ("applied", facts.applied.to_string()),
            ("last", facts.last.to_string()),
            ("durable", facts.durable.to_string()),
            ("window", facts.window_len.to_string()),
            ("window-used", facts.window_used.to_string()),
            ("snapshot", facts.snapshot.to_string()),
            ("snapshot-bytes", facts.snapshot_len.to_string()),
        ];
        encoder.map(fields.len() + 1);
        for (name, value) in fields {
            encoder.bulk(name.as_bytes());
            encoder.bulk(value.as_bytes());
        }
        encoder.bulk(b"members");
        encoder.array(facts.members);
        for seat in self.raft.members() {
            let id = seat.identity.node.value();
            let address = self.store.address(id);
            let (peer, client) = address.map_or(("?", "?"), |known| (&known.peer, &known.client));
            let (standing, life) = (seat.standing, seat.identity.incarnation);
            let mut text =
                format!("{id} {standing:?} incarnation {life} peer {peer} client {client}");
            if let Some(peer) = facts.peers.iter().find(|peer| peer.id == id) {
                describe(peer, &facts, &mut text);
            }
            encoder.bulk(text.as_bytes());
        }
    }
}

/// What this node knows of another: names and values in turn, without what it does not know.
fn describe(peer: &PeerFacts, facts: &RaftFacts, out: &mut String) {
    let contact = peer.contact.map(|since| since.as_millis().to_string());
    let progress = peer.progress;
    let known = [
        ("connected", Some(u64::from(peer.is_connected).to_string())),
        ("contact-ms", contact),
        ("match", progress.map(|it| it.matched.to_string())),
        ("next", progress.map(|it| it.next.to_string())),
        ("room", progress.map(|it| it.room.to_string())),
        ("mode", progress.map(|it| mode(it.catching_up))),
        ("lag", peer.lag(facts).map(|lag| lag.to_string())),
        ("queued", Some(peer.queued.to_string())),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            out.push_str(&format!(" {name} {value}"));
        }
    }
}

fn mode(catching_up: CatchingUp) -> String {
    match catching_up {
        CatchingUp::Probing => "probing".into(),
        CatchingUp::Replicating => "replicating".into(),
        CatchingUp::Lending => "lending".into(),
        CatchingUp::Snapshot { index, stored } => format!("snapshot-{index}-at-{stored}"),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Follower => "follower",
        Role::PreCandidate => "pre-candidate",
        Role::Candidate => "candidate",
        Role::Leader => "leader",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Machine;
    use crate::metrics::Metrics;
    use crate::setup::{self, Settings};
    use crate::storage::Storage;
    use crate::store::Store;
    use crate::watch::Watch;
    use raft_core::{
        Append, Body, Config, Entries, EntryId, GroupId, LogIndex, Message, Raft, Round, Term, wire,
    };

    const WINDOW_BYTES: usize = 64 * 1024;

    /// Node 2 on its way into a group.
    fn newcomer(directory: &std::path::Path) -> Engine {
        let settings = Settings {
            id: 2,
            listen: "127.0.0.1:1".parse().unwrap(),
            peer_listen: "127.0.0.1:2".parse().unwrap(),
        };
        setup::init(directory, &settings).unwrap();
        let found = setup::find(directory, WINDOW_BYTES, None).unwrap();
        let (storage, _) = Storage::start(found.journal, found.snapshots).unwrap();
        let config = Config::builder(NodeId::new(2)).build().unwrap();
        let window = vec![0; WINDOW_BYTES];
        let group = GroupId::new(7);
        let raft: Machine = Raft::join(config, group, window, 1, Instant::ZERO).unwrap();
        Engine::new(
            raft,
            Store::default(),
            settings,
            Watch::start(),
            storage,
            WINDOW_BYTES,
            Rc::new(Metrics::new().unwrap()),
        )
    }

    #[test]
    fn a_leader_that_is_remembered_makes_nobody_ready() {
        let root = tempfile::tempdir().unwrap();
        let mut engine = newcomer(&root.path().join("n2"));
        assert_eq!(engine.obstacle().unwrap(), "no leader is known");
        let message = Message {
            group: GroupId::new(7),
            incarnation: Incarnation::new(1),
            term: Term::new(3),
            body: Body::Append(Append {
                prev: EntryId::new(LogIndex::new(9), Term::new(3)),
                commit: LogIndex::ZERO,
                round: Round::new(1),
                entries: Entries::EMPTY,
            }),
        };
        let mut frame = vec![0; wire::encoded_len(&message)];
        wire::encode(&message, &mut frame).unwrap();
        engine.receive(NodeId::new(1), &frame).unwrap();
        let expected = "this node is no member of its group";
        assert_eq!(engine.obstacle().unwrap(), expected);
        // Long ago.
        engine.watch.age(Duration::from_secs(10));
        let expected = "node 1, the leader, is not heard";
        assert_eq!(engine.obstacle().unwrap(), expected);
        // A write that does not end.
        assert_eq!(engine.hanging(), None);
        engine.storing = Some(Instant::ZERO);
        assert!(
            engine
                .hanging()
                .unwrap()
                .starts_with("the disk has been busy for 1")
        );
    }
}

//! What a cluster client needs to find the node to talk to.
//!
//! A Redis Cluster cuts the keys into 16,384 slots and spreads them over groups of a master and its
//! replicas. Here one Raft group serves them all: the leader is the master of every slot, the others are
//! its replicas. To a client that is a cluster of one shard, so what it already does when a master fails
//! over is what it has to do when a leader does: follow `MOVED`, ask again for the slots.

use crate::command::Cluster;
use crate::resp::encode::Encoder;

/// How many slots there are, in every Redis Cluster.
pub const SLOTS: u16 = 16_384;

/// A node as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id in the group.
    pub id: u64,
    /// The host it serves clients at.
    pub host: String,
    /// The port it serves clients at.
    pub port: u16,
}

/// All nodes and who leads them, as this node knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// The group's id.
    pub group: u64,
    /// The node that answers.
    pub own_id: u64,
    /// The leader, if one is known.
    pub leader: Option<u64>,
    /// The leader's term.
    pub term: u64,
    /// Members in the order of their ids, without those whose address is not known yet.
    pub nodes: Vec<Node>,
}

impl Topology {
    fn master(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| Some(node.id) == self.leader)
    }

    /// The leader, then the others.
    fn master_first(&self) -> impl Iterator<Item = (&Node, &'static str)> {
        let replicas = self.nodes.iter();
        let replicas = replicas.filter(|node| Some(node.id) != self.leader);
        let master = self.master().map(|node| (node, "master"));
        master
            .into_iter()
            .chain(replicas.map(|node| (node, "replica")))
    }

    /// The 40 hexadecimal digits by which clients tell nodes apart: half of them the group's.
    fn name(&self, id: u64) -> String {
        format!("{:020x}{id:020x}", self.group)
    }

    /// Answers a `CLUSTER` command.
    pub fn answer(&self, question: &Cluster<'_>, encoder: &mut Encoder<'_>) {
        match question {
            Cluster::Slots => self.slots(encoder),
            Cluster::Shards => self.shards(encoder),
            Cluster::Nodes => encoder.text(&self.nodes_text()),
            Cluster::Info => encoder.text(&self.info_text()),
            Cluster::MyId => encoder.bulk(self.name(self.own_id).as_bytes()),
            Cluster::KeySlot(key) => encoder.integer(i64::from(key_slot(key))),
        }
    }

    /// `MOVED` to the leader, or that there is none to go to just now.
    pub fn redirect(&self, key: Option<&[u8]>, encoder: &mut Encoder<'_>) {
        match self.master() {
            Some(node) => {
                let slot = key.map_or(0, key_slot);
                encoder.error(&format!("MOVED {slot} {}:{}", node.host, node.port));
            }
            None => encoder.error("CLUSTERDOWN The cluster has no leader at the moment"),
        }
    }

    fn slots(&self, encoder: &mut Encoder<'_>) {
        if self.master().is_none() {
            return encoder.array(0);
        }
        encoder.array(1);
        encoder.array(2 + self.nodes.len());
        encoder.integer(0);
        encoder.integer(i64::from(SLOTS - 1));
        for (node, _) in self.master_first() {
            encoder.array(4);
            encoder.bulk(node.host.as_bytes());
            encoder.integer(i64::from(node.port));
            encoder.bulk(self.name(node.id).as_bytes());
            encoder.array(0);
        }
    }

    fn shards(&self, encoder: &mut Encoder<'_>) {
        encoder.array(1);
        encoder.map(2);
        encoder.bulk(b"slots");
        match self.master() {
            None => encoder.array(0),
            Some(_) => {
                encoder.array(2);
                encoder.integer(0);
                encoder.integer(i64::from(SLOTS - 1));
            }
        }
        encoder.bulk(b"nodes");
        encoder.array(self.nodes.len());
        for (node, role) in self.master_first() {
            encoder.map(7);
            encoder.bulk(b"id");
            encoder.bulk(self.name(node.id).as_bytes());
            encoder.bulk(b"port");
            encoder.integer(i64::from(node.port));
            for name in ["ip", "endpoint"] {
                encoder.bulk(name.as_bytes());
                encoder.bulk(node.host.as_bytes());
            }
            encoder.bulk(b"role");
            encoder.bulk(role.as_bytes());
            encoder.bulk(b"replication-offset");
            encoder.integer(0);
            encoder.bulk(b"health");
            encoder.bulk(b"online");
        }
    }

    fn nodes_text(&self) -> String {
        let line = |(node, role): (&Node, &str)| {
            let Node { id, host, port } = node;
            let myself = if *id == self.own_id { "myself," } else { "" };
            // The bus port is fictitious: nodes talk to each other elsewhere.
            let bus_port = u32::from(*port) + 10_000;
            let (role, of, slots) = match (role, self.leader) {
                ("master", _) => ("master", "-".to_owned(), format!(" 0-{}", SLOTS - 1)),
                (_, Some(leader)) => ("slave", self.name(leader), String::new()),
                (_, None) => ("slave", "-".to_owned(), String::new()),
            };
            let (name, term) = (self.name(*id), self.term);
            format!(
                "{name} {host}:{port}@{bus_port} {myself}{role} {of} 0 0 {term} connected{slots}\n"
            )
        };
        self.master_first().map(line).collect()
    }

    fn info_text(&self) -> String {
        let (state, slots) = match self.master() {
            Some(_) => ("ok", SLOTS),
            None => ("fail", 0),
        };
        let (nodes, term) = (self.nodes.len(), self.term);
        [
            format!("cluster_state:{state}"),
            format!("cluster_slots_assigned:{slots}"),
            format!("cluster_slots_ok:{slots}"),
            "cluster_slots_pfail:0".to_owned(),
            "cluster_slots_fail:0".to_owned(),
            format!("cluster_known_nodes:{nodes}"),
            "cluster_size:1".to_owned(),
            format!("cluster_current_epoch:{term}"),
            format!("cluster_my_epoch:{term}"),
            String::new(),
        ]
        .join("\r\n")
    }
}

/// The slot of a key: of what is between its first `{` and the next `}` if that is not empty, so that
/// clients can keep keys together, else of all of it.
pub fn key_slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let close = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..close).filter(|tag| !tag.is_empty())
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM: polynomial 0x1021, nothing reflected, nothing inverted.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        let [high, _] = sum.to_be_bytes();
        sum << 8 ^ CRC16_TABLE[usize::from(high ^ byte)]
    })
}

static CRC16_TABLE: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut index = 0;
    while index < 256 {
        // The index is below 256, so the shift drops nothing.
        let mut sum = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = match sum & 0x8000 {
                0 => sum << 1,
                _ => sum << 1 ^ 0x1021,
            };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::Protocol;

    fn trio(leader: Option<u64>) -> Topology {
        let node = |id: u64| Node {
            id,
            host: "127.0.0.1".into(),
            port: 7000 + u16::try_from(id).unwrap(),
        };
        Topology {
            group: 0xab,
            own_id: 1,
            leader,
            term: 5,
            nodes: vec![node(1), node(2)],
        }
    }

    fn answer(leader: Option<u64>, question: Cluster<'_>, protocol: Protocol) -> String {
        let mut out = Vec::new();
        trio(leader).answer(&question, &mut Encoder::new(&mut out, protocol));
        String::from_utf8(out).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn slots_are_those_of_redis() {
        // From the Redis Cluster specification and `redis-cli CLUSTER KEYSLOT`.
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(key_slot(b"foo"), 12182);
        assert_eq!(key_slot(b"somekey"), 11058);
        assert_eq!(key_slot(b"foo{hash_tag}"), 2515);
        assert_eq!(key_slot(b"{foo}bar"), key_slot(b"foo"));
        assert_eq!(key_slot(b"foo{{bar}}zap"), key_slot(b"{bar"));
        assert_eq!(key_slot(b"foo{bar}{zap}"), key_slot(b"bar"));
        assert_eq!(key_slot(b"a{}{b}"), crc16(b"a{}{b}") % SLOTS);
    }

    #[test]
    fn leader_comes_first_and_owns_every_slot() {
        let slots = answer(Some(2), Cluster::Slots, Protocol::Resp2);
        let one = "00000000000000000000".to_owned() + "00000000000000000001";
        let group = "000000000000000000ab";
        let [one, two] = [
            one.replacen(&"0".repeat(20), group, 1),
            format!("{group}{:020x}", 2),
        ];
        assert_eq!(
            slots,
            format!(
                "*1 *4 :0 :16383 *4 $9 127.0.0.1 :7002 $40 {two} *0 *4 $9 127.0.0.1 :7001 $40 {one} *0 "
            )
        );
        assert_eq!(answer(None, Cluster::Slots, Protocol::Resp2), "*0 ");
    }

    #[test]
    fn shards_are_maps_where_the_protocol_has_them() {
        let three = answer(Some(2), Cluster::Shards, Protocol::Resp3);
        assert!(
            three.starts_with("*1 %2 $5 slots *2 :0 :16383 $5 nodes *2 %7 $2 id "),
            "{three}"
        );
        let two = answer(Some(2), Cluster::Shards, Protocol::Resp2);
        assert!(
            two.starts_with("*1 *4 $5 slots *2 :0 :16383 $5 nodes *2 *14 $2 id "),
            "{two}"
        );
    }

    #[test]
    fn nodes_are_told_in_the_format_of_redis() {
        let text = trio(Some(2)).nodes_text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(" 127.0.0.1:7002@17002 master - 0 0 5 connected 0-16383"));
        let replica = format!(
            " 127.0.0.1:7001@17001 myself,slave {} 0 0 5 connected",
            trio(None).name(2)
        );
        assert!(lines[1].ends_with(&replica), "{}", lines[1]);
    }

    #[test]
    fn clients_are_sent_to_the_leader_or_told_that_there_is_none() {
        let redirect = |leader| {
            let mut out = Vec::new();
            let mut encoder = Encoder::new(&mut out, Protocol::Resp2);
            trio(leader).redirect(Some(b"foo"), &mut encoder);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(redirect(Some(2)), "-MOVED 12182 127.0.0.1:7002\r\n");
        assert!(redirect(None).starts_with("-CLUSTERDOWN "));
    }
}

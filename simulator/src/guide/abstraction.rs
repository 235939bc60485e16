//! What makes two worlds alike: for each host its role, and where its term, log and commit stand
//! among those of the others, as a set without names.

use raft_core::Role;

use crate::world::World;
use crate::world::chain::mix;
use crate::world::swarm::HOSTS_MAX;

/// A few bits of each host, in an order that does not depend on their numbers.
pub fn situation(world: &World) -> u64 {
    let mut codes = [0_u64; HOSTS_MAX];
    let machines = || world.hosts.iter().map(|host| host.raft.as_ref());
    for (code, raft) in codes.iter_mut().zip(machines()) {
        let Some(raft) = raft else {
            *code = 1;
            continue;
        };
        let (term, last, commit) = (raft.term(), raft.last(), raft.commit());
        let others = || machines().flatten();
        // How many are ahead says as much as a rank.
        let terms = others().filter(|other| other.term() > term).count();
        let logs = others().filter(|other| {
            let theirs = other.last();
            (theirs.term, theirs.index) > (last.term, last.index)
        });
        let commits = others().filter(|other| other.commit() > commit).count();
        let role = match raft.role() {
            Role::Follower => 0,
            Role::PreCandidate => 1,
            Role::Candidate => 2,
            Role::Leader => 3,
        };
        let flags = [
            raft.is_joint(),
            raft.is_voter(),
            raft.durable() < last.index,
            commit < last.index,
            raft.base().index > raft.delivered(),
            raft.leader().is_some(),
        ];
        let bits = flags
            .iter()
            .fold(0, |bits, flag| bits << 1 | u64::from(*flag));
        let places = (terms << 8 | logs.count() << 4 | commits) as u64;
        *code = 2 | role << 2 | bits << 4 | places << 12;
    }
    let codes = &mut codes[..world.hosts.len()];
    codes.sort_unstable();
    codes
        .iter()
        .fold(codes.len() as u64, |hash, code| mix(hash, *code))
}

const BITS: u32 = 22;

/// Which situations, and which pairs of one and the next, were seen.
#[derive(Clone, Debug)]
pub struct Novelty {
    situations: Vec<u64>,
    pairs: Vec<u64>,
    last: u64,
    seen: (u64, u64),
}

impl Default for Novelty {
    fn default() -> Self {
        let words = 1 << (BITS - 6);
        Novelty {
            situations: vec![0; words],
            pairs: vec![0; words],
            last: 0,
            seen: (0, 0),
        }
    }
}

impl Novelty {
    /// A world is in this situation; says whether that is new, or new after the one before.
    pub fn visit(&mut self, situation: u64) -> bool {
        if situation == self.last {
            return false;
        }
        let pair = mix(self.last.rotate_left(23), situation);
        self.last = situation;
        let is_new = mark(&mut self.situations, situation);
        let is_new_pair = mark(&mut self.pairs, pair);
        self.seen.0 += u64::from(is_new);
        self.seen.1 += u64::from(is_new_pair);
        is_new || is_new_pair
    }

    /// How many situations and pairs were seen; two that share a bit of the map count as one.
    pub fn seen(&self) -> (u64, u64) {
        self.seen
    }
}

fn mark(map: &mut [u64], hash: u64) -> bool {
    let place = hash >> (64 - BITS);
    let (word, bit) = ((place >> 6) as usize, 1 << (place & 63));
    let is_new = map[word] & bit == 0;
    map[word] |= bit;
    is_new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_new_although_its_parts_are_not() {
        let mut novelty = Novelty::default();
        let (one, other) = (0x1234_5678 << 32, 0x8765_4321 << 32);
        assert!(novelty.visit(one));
        assert!(!novelty.visit(one));
        assert!(novelty.visit(other));
        assert!(novelty.visit(one), "the way back is new");
        assert!(!novelty.visit(other));
        assert_eq!(novelty.seen().0, 2);
    }
}

//! Whether this node should be sent clients: it knows a leader, and has caught up since it started.
//!
//! After a start a node has what it had before, which may be hours old: it would answer `READONLY` clients with
//! that, and a rolling restart that did not wait could leave a majority of laggards. So it is ready only when it has
//! applied what was committed when it first heard the end of the leader's log. Where that end is no message says in
//! so many words, since the commit in an append goes no further than its own entries; but a leader sends as much as
//! fits, so there is nothing more if it commits less than it sends, or sends nothing although there is room.
//!
//! A node that has caught up once stays so: later lag is the business of `raft_peer_lag_entries`, and taking
//! laggards out one by one under load would make it worse.

use quorum::NodeId;
use raft_core::{Append, LogIndex};

/// Whether a follower's log has room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The leader sends what it has.
    Some,
    /// It may hold back.
    None,
}

/// What has been learned of the leader's log since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The end of the leader's log was not heard yet.
    #[default]
    Starting,
    /// This was committed then.
    CatchingUp(LogIndex),
    /// It is applied.
    CaughtUp,
}

impl Readiness {
    /// The leader has sent an append, to a node whose log has `room` for more or not.
    #[inline]
    pub(super) fn hear(&mut self, append: &Append<'_>, room: Room) {
        if *self != Self::Starting {
            return;
        }
        let next = append.prev.index.next();
        let end = append.entries.iter(next).last();
        let is_end = match end {
            Some(last) => append.commit < last.id.index,
            None => room == Room::Some,
        };
        if is_end {
            *self = Self::CatchingUp(append.commit);
        }
    }

    /// Looks how far this node is: what it has applied, and what is committed if it leads and knows that.
    #[inline]
    pub(super) fn tick(&mut self, applied: LogIndex, committed: Option<LogIndex>) {
        match (*self, committed) {
            (Self::Starting, Some(committed)) => *self = Self::CatchingUp(committed),
            (Self::CatchingUp(target), _) if applied >= target => *self = Self::CaughtUp,
            (Self::Starting | Self::CatchingUp(_) | Self::CaughtUp, _) => {}
        }
    }

    /// Why no clients should be sent here, if so.
    pub(super) fn obstacle(self, leader: Option<NodeId>, applied: LogIndex) -> Option<String> {
        match self {
            _ if leader.is_none() => Some("no leader is known".into()),
            Self::Starting => Some("the end of the leader's log was not heard yet".into()),
            Self::CatchingUp(target) => Some(format!(
                "catching up: {applied} of {target} entries are applied"
            )),
            Self::CaughtUp => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{Entries, EntryId, Round, Term};

    fn append<'a>(prev: u64, entries: Entries<'a>, commit: u64) -> Append<'a> {
        Append {
            prev: EntryId::new(LogIndex::new(prev), Term::new(1)),
            commit: LogIndex::new(commit),
            round: Round::default(),
            entries,
        }
    }

    fn applied(index: u64) -> LogIndex {
        LogIndex::new(index)
    }

    #[test]
    fn a_follower_is_ready_when_it_has_what_was_committed_when_it_heard_the_end() {
        let leader = Some(NodeId::new(2));
        let mut readiness = Readiness::default();
        // Two entries without payload, of term 1: their headers are all there is.
        let two = [[1, 0, 0, 0, 0, 0, 0, 0]; 2].concat();
        let two = Entries::from_bytes(&two);
        assert_eq!(two.iter(LogIndex::new(4)).count(), 2);
        // As much as fits, all of it committed: there may be more.
        readiness.hear(&append(3, two, 5), Room::Some);
        readiness.tick(applied(5), None);
        let obstacle = readiness.obstacle(leader, applied(5));
        assert!(obstacle.unwrap().contains("was not heard"));
        // Nothing, because nothing fits.
        readiness.hear(&append(5, Entries::EMPTY, 5), Room::None);
        assert_eq!(readiness, Readiness::Starting);
        readiness.hear(&append(5, two, 6), Room::Some);
        readiness.tick(applied(5), None);
        let obstacle = readiness.obstacle(leader, applied(5));
        assert_eq!(obstacle.unwrap(), "catching up: 5 of 6 entries are applied");
        // What comes later moves the goal no more.
        readiness.hear(&append(9, Entries::EMPTY, 9), Room::Some);
        readiness.tick(applied(6), None);
        assert_eq!(readiness.obstacle(leader, applied(6)), None);
        let obstacle = readiness.obstacle(None, applied(6));
        assert_eq!(obstacle.unwrap(), "no leader is known");
    }

    #[test]
    fn an_idle_leader_says_so_and_a_new_leader_knows() {
        let leader = Some(NodeId::new(1));
        let mut readiness = Readiness::default();
        readiness.hear(&append(7, Entries::EMPTY, 7), Room::Some);
        readiness.tick(applied(7), None);
        assert_eq!(readiness.obstacle(leader, applied(7)), None);
        let mut readiness = Readiness::default();
        readiness.tick(applied(7), None);
        assert!(readiness.obstacle(leader, applied(7)).is_some());
        readiness.tick(applied(7), Some(LogIndex::new(8)));
        readiness.tick(applied(7), Some(LogIndex::new(8)));
        assert!(readiness.obstacle(leader, applied(7)).is_some());
        readiness.tick(applied(8), Some(LogIndex::new(9)));
        assert_eq!(readiness.obstacle(leader, applied(8)), None);
    }
}

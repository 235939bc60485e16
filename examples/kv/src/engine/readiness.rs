//! Whether this node should be sent clients: it belongs to a group whose leader it hears, can store, and has caught
//! up since it started.
//!
//! After a start a node has what it had before, which may be hours old: it would answer `READONLY` clients with
//! that, and a rolling restart that did not wait could leave a majority of laggards. So it is ready only when it has
//! applied all that the leader's log had when it first heard the end of it. Where that end is no message says in so
//! many words, since the commit in an append goes no further than its own entries; but a leader sends as much as
//! fits, so there is nothing more if it commits less than it sends, or sends nothing although there is room. The
//! first holds only from the leader's own first entry on: before, it does not know what is committed. The second
//! holds only after it was told how much room there is, which it is in answer to its first round.
//!
//! A node that has caught up once stays so: later lag is the business of `raft_peer_lag_entries`, and taking
//! laggards out one by one under load would make it worse. But a node that cannot campaign (a learner, one that was
//! removed, one whose window is full or whose disk hangs) keeps the leader that it knew for as long as nobody else
//! is heard of. So it also has to have heard that leader lately.

use core::time::Duration;

use quorum::NodeId;
use raft_core::{Append, LogIndex, Round, Term};

/// How long a leader may not be heard: many of its rounds, and longer than an election.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// How long a write may last.
pub(super) const STORING_TIME_MAX: Duration = Duration::from_secs(3);

/// Whether a follower's log has room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// The leader sends what it has.
    Some,
    /// It may hold back.
    None,
}

/// What a node knows of its place in the group.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) own: NodeId,
    pub(super) is_member: bool,
    pub(super) leader: Option<NodeId>,
    /// For how long that leader was not heard; `None` if it never was.
    pub(super) silence: Option<Duration>,
    /// Why nothing is stored, if so.
    pub(super) trouble: Option<String>,
    pub(super) applied: LogIndex,
}

/// What has been learned of the leader's log since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The end of the leader's log was not heard yet; the first round of it, if any was.
    Starting(Option<(Term, Round)>),
    /// The log of this term's leader ended here then.
    CatchingUp(Term, LogIndex),
    /// It is applied.
    CaughtUp,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::Starting(None)
    }
}

impl Readiness {
    /// The leader of a term has sent an append, to a node whose log has `room` for more or not.
    #[inline]
    pub(super) fn hear(&mut self, term: Term, append: &Append<'_>, room: Room) {
        let Self::Starting(first) = self else {
            return;
        };
        let round = match *first {
            Some((known, round)) if known == term => round,
            _ => append.round,
        };
        *first = Some((term, round));
        let entries = append.entries.iter(append.prev.index.next());
        let end = entries.last().map_or(append.prev, |entry| entry.id);
        let is_end = match append.entries.is_empty() {
            false => append.commit < end.index,
            true => room == Room::Some && append.round > round,
        };
        if is_end && end.term == term {
            *self = Self::CatchingUp(term, end.index);
        }
    }

    /// Looks how far this node is: what it has applied, and what is committed if it leads and knows that.
    #[inline]
    pub(super) fn tick(&mut self, term: Term, applied: LogIndex, committed: Option<LogIndex>) {
        match (*self, committed) {
            (Self::Starting(_), Some(committed)) => *self = Self::CatchingUp(term, committed),
            (Self::CatchingUp(_, target), _) if applied >= target => *self = Self::CaughtUp,
            // The next leader's log may end earlier.
            (Self::CatchingUp(of, _), _) if of != term => *self = Self::default(),
            (Self::Starting(_) | Self::CatchingUp(..) | Self::CaughtUp, _) => {}
        }
    }

    /// Why no clients should be sent here, if so.
    pub(super) fn obstacle(self, place: Place) -> Option<String> {
        let Some(leader) = place.leader else {
            return Some("no leader is known".into());
        };
        let is_silent = place.silence.is_none_or(|silence| silence > SILENCE_MAX);
        if leader != place.own && is_silent {
            return Some(format!("node {leader}, the leader, is not heard"));
        }
        if !place.is_member {
            return Some("this node is no member of its group".into());
        }
        if let Some(trouble) = place.trouble {
            return Some(format!("writes are not stored: {trouble}"));
        }
        match self {
            Self::Starting(_) => Some("the end of the leader's log was not heard yet".into()),
            Self::CatchingUp(_, target) => {
                let applied = place.applied;
                Some(format!(
                    "catching up: {applied} of {target} entries are applied"
                ))
            }
            Self::CaughtUp => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft_core::{Entries, EntryId};

    const TERM: Term = Term::new(1);

    fn append<'a>(prev: u64, entries: Entries<'a>, commit: u64, round: u64) -> Append<'a> {
        Append {
            prev: EntryId::new(LogIndex::new(prev), TERM),
            commit: LogIndex::new(commit),
            round: Round::new(round),
            entries,
        }
    }

    fn index(index: u64) -> LogIndex {
        LogIndex::new(index)
    }

    /// Node 2, which has heard its leader, node 1, just now.
    fn place(applied: u64) -> Place {
        Place {
            own: NodeId::new(2),
            is_member: true,
            leader: Some(NodeId::new(1)),
            silence: Some(Duration::ZERO),
            trouble: None,
            applied: index(applied),
        }
    }

    #[track_caller]
    fn check(readiness: Readiness, place: Place, expected: &str) {
        let obstacle = readiness.obstacle(place).unwrap();
        assert!(obstacle.contains(expected), "{obstacle}");
    }

    #[test]
    fn a_follower_is_ready_when_it_has_what_the_log_had_when_it_heard_the_end() {
        let mut readiness = Readiness::default();
        // Two entries without payload, of term 1: their headers are all there is.
        let two = [[1, 0, 0, 0, 0, 0, 0, 0]; 2].concat();
        let two = Entries::from_bytes(&two);
        assert_eq!(two.iter(index(4)).count(), 2);
        // As much as fits, all of it committed: there may be more.
        readiness.hear(TERM, &append(3, two, 5, 1), Room::Some);
        readiness.tick(TERM, index(5), None);
        check(readiness, place(5), "was not heard");
        // Nothing, because nothing fits.
        readiness.hear(TERM, &append(5, Entries::EMPTY, 5, 2), Room::None);
        check(readiness, place(5), "was not heard");
        readiness.hear(TERM, &append(5, two, 6, 3), Room::Some);
        readiness.tick(TERM, index(6), None);
        let expected = "catching up: 6 of 7 entries are applied";
        check(readiness, place(6), expected);
        // What comes later moves the goal no more.
        readiness.hear(TERM, &append(9, Entries::EMPTY, 9, 4), Room::Some);
        readiness.tick(TERM, index(7), None);
        assert_eq!(readiness.obstacle(place(7)), None);
    }

    #[test]
    fn a_leader_that_does_not_know_yet_what_fits_or_is_committed_tells_no_end() {
        let mut readiness = Readiness::default();
        let starting = |readiness| matches!(readiness, Readiness::Starting(_));
        // Nothing, as before the restart nothing fitted.
        readiness.hear(TERM, &append(7, Entries::EMPTY, 7, 5), Room::Some);
        readiness.hear(TERM, &append(7, Entries::EMPTY, 7, 5), Room::Some);
        assert!(starting(readiness));
        // Entries of another term, with the commit of before its election.
        let later = Term::new(2);
        let one = Entries::from_bytes(&[1, 0, 0, 0, 0, 0, 0, 0]);
        readiness.hear(later, &append(7, one, 7, 6), Room::Some);
        readiness.hear(later, &append(8, Entries::EMPTY, 8, 7), Room::Some);
        assert!(starting(readiness));
        let own = [2, 0, 0, 0, 0, 0, 0, 0];
        let own = Entries::from_bytes(&own);
        readiness.hear(later, &append(8, own, 7, 7), Room::Some);
        assert_eq!(readiness, Readiness::CatchingUp(later, index(9)));
        // Its log may have ended earlier than that of the next one does.
        readiness.tick(Term::new(3), index(8), None);
        assert!(starting(readiness));
    }

    #[test]
    fn an_idle_leader_says_so_and_a_new_leader_knows() {
        let mut readiness = Readiness::default();
        readiness.hear(TERM, &append(7, Entries::EMPTY, 7, 1), Room::Some);
        readiness.hear(TERM, &append(7, Entries::EMPTY, 7, 2), Room::Some);
        readiness.tick(TERM, index(7), None);
        assert_eq!(readiness.obstacle(place(7)), None);
        let mut readiness = Readiness::default();
        let leading = |applied| Place {
            leader: Some(NodeId::new(2)),
            silence: None,
            ..place(applied)
        };
        readiness.tick(TERM, index(7), None);
        assert!(readiness.obstacle(leading(7)).is_some());
        readiness.tick(TERM, index(7), Some(index(8)));
        readiness.tick(TERM, index(7), Some(index(8)));
        assert!(readiness.obstacle(leading(7)).is_some());
        readiness.tick(TERM, index(8), Some(index(9)));
        assert_eq!(readiness.obstacle(leading(8)), None);
    }

    #[test]
    fn a_node_that_is_removed_cut_off_or_cannot_store_is_not_ready() {
        let readiness = Readiness::CaughtUp;
        assert_eq!(readiness.obstacle(place(7)), None);
        let lost = Place {
            leader: None,
            ..place(7)
        };
        check(readiness, lost, "no leader is known");
        let removed = Place {
            is_member: false,
            ..place(7)
        };
        check(readiness, removed, "is no member of its group");
        let full = Place {
            trouble: Some("no space left".into()),
            ..place(7)
        };
        check(readiness, full, "writes are not stored: no space left");
        for silence in [None, Some(SILENCE_MAX + Duration::from_millis(1))] {
            let cut_off = Place {
                silence,
                ..place(7)
            };
            check(readiness, cut_off, "node 1, the leader, is not heard");
        }
    }
}

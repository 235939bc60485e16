//! For each rule a step that is right and one, made by hand, that breaks it.

mod elections;
mod logs;
mod messages;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorum::NodeId;
use raft_core::{
    Ack, Append, Body, EntryId, EntryKind, GroupId, HardState, Identity, Incarnation, LogIndex,
    Message, PreVoteReply, Round, Seat, Standing, Term, Vote, VoteReply,
};

use super::{Abstract, Configuration, Durable, Entry, Id, Input, Log, Role, Written, check_step};

/// The life of a node that the tests name.
fn node(name: u64) -> Identity {
    Identity::new(NodeId::new(name), Incarnation::new(7))
}

fn configuration(seats: &[(u64, Standing)]) -> Configuration {
    let seats = seats.iter().map(|(name, standing)| Seat {
        identity: node(*name),
        standing: *standing,
    });
    Configuration::of(seats)
}

fn voters(names: &[u64]) -> Configuration {
    let seats: Vec<_> = names.iter().map(|name| (*name, Standing::Voter)).collect();
    configuration(&seats)
}

fn entry(term: u64, kind: EntryKind) -> Entry {
    let payload = Entry::of(&raft_core::Entry {
        id: EntryId::ZERO,
        kind,
        payload: &[],
    })
    .payload;
    Entry {
        term,
        kind,
        payload,
    }
}

fn command(term: u64) -> Entry {
    entry(term, EntryKind::Command)
}

/// Node 1 of three, a follower in term 2 that has heard nobody; its log is of the terms 1, 1, 2,
/// all durable, the first entry committed and handed over.
fn follower() -> Abstract {
    let all = voters(&[1, 2, 3]);
    Abstract {
        me: node(1),
        term: 2,
        vote: None,
        role: Role::Follower,
        leader: None,
        log: Log {
            base: Id::default(),
            base_configuration: Some(all.clone()),
            entries: Arc::new(vec![command(1), command(1), command(2)]),
            configurations: Arc::default(),
        },
        commit: 1,
        delivered: 1,
        configuration: all,
        configuration_index: 0,
        grants: BTreeSet::new(),
        matched: BTreeMap::new(),
        verified: None,
        is_quiet: false,
        durable: Durable {
            term: 2,
            vote: None,
            index: 3,
        },
    }
}

/// The same, following node 2, whose log it has up to entry 2.
fn following() -> Abstract {
    Abstract {
        leader: Some(NodeId::new(2)),
        verified: Some(2),
        ..follower()
    }
}

/// The same, asking for votes, with its own.
fn candidate() -> Abstract {
    let mut state = follower();
    (state.role, state.vote) = (Role::Candidate, Some(node(1)));
    state.durable.vote = Some(node(1));
    state.grants = [node(1)].into();
    state
}

/// The same, leading; its log ends with the entry of its term.
fn leader() -> Abstract {
    let mut state = candidate();
    (state.role, state.leader) = (Role::Leader, Some(NodeId::new(1)));
    state.grants.clear();
    state.matched = [(node(1), 3), (node(2), 0), (node(3), 0)].into();
    state
}

fn with_log(mut state: Abstract, entries: &[Entry]) -> Abstract {
    state.log.entries = Arc::new(entries.to_vec());
    state
}

/// The state with one more entry.
fn and(state: &Abstract, entry: Entry) -> Abstract {
    let entries = [&state.log.entries[..], &[entry]].concat();
    with_log(state.clone(), &entries)
}

/// The state changed by hand.
fn but(state: &Abstract, change: impl FnOnce(&mut Abstract)) -> Abstract {
    let mut state = state.clone();
    change(&mut state);
    state
}

fn message(term: u64, body: Body<'_>) -> Message<'_> {
    Message {
        group: GroupId::new(1),
        incarnation: Incarnation::new(7),
        term: Term::new(term as u32),
        body,
    }
}

fn from(name: u64, term: u64, body: Body<'_>) -> Input<'_> {
    Input::Message(NodeId::new(name), message(term, body))
}

fn id(index: u64, term: u64) -> EntryId {
    EntryId::new(LogIndex::new(index), Term::new(term as u32))
}

fn vote(index: u64, term: u64) -> Body<'static> {
    Body::Vote(Vote {
        last: id(index, term),
        is_transfer: false,
    })
}

fn vote_reply(is_granted: bool) -> Body<'static> {
    Body::VoteReply(VoteReply { is_granted })
}

fn pre_vote_reply(is_granted: bool) -> Body<'static> {
    Body::PreVoteReply(PreVoteReply {
        attempt: 1,
        is_granted,
    })
}

fn ack(verified: u64) -> Body<'static> {
    Body::Ack(Ack {
        verified: LogIndex::new(verified),
        round: Round::new(1),
        room: 100,
        reject: None,
        chunk: None,
    })
}

/// Empty commands of these terms as they travel.
fn encoded(terms: &[u64]) -> Vec<u8> {
    let bytes = terms.iter();
    bytes.flat_map(|term| term.to_le_bytes()).collect()
}

fn append(prev: EntryId, commit: u64, bytes: &[u8]) -> Body<'_> {
    Body::Append(Append {
        prev,
        commit: LogIndex::new(commit),
        round: Round::new(1),
        entries: raft_core::Entries::from_bytes(bytes),
    })
}

fn written(term: u64, vote: Option<Identity>, index: u64, last_term: u64) -> Input<'static> {
    Input::Persisted(Written {
        hard: HardState {
            term: Term::new(term as u32),
            vote,
        },
        last: Id {
            index,
            term: last_term,
        },
    })
}

#[track_caller]
fn allowed(before: &Abstract, input: &Input<'_>, after: &Abstract) {
    assert_eq!(check_step(before, input, after), Ok(()));
}

#[track_caller]
fn refused(before: &Abstract, input: &Input<'_>, after: &Abstract, why: &str) {
    let found = check_step(before, input, after);
    let what = found.expect_err("this step is wrong");
    assert!(what.contains(why), "{what}");
}

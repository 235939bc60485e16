//! Values come back as they went, for whoever logs, stores or shows them.
#![cfg(feature = "serde")]

use core::fmt::Debug;

use quorum::NodeId;
use raft_core::error::Fault;
use raft_core::{
    Ack, Change, ChunkAck, Config, DropReason, EntryId, Event, GroupId, HardState, Identity,
    Incarnation, LogIndex, PreVote, PreVoteReply, Quiet, QuietReply, ReadReply, ReadRequest,
    Reject, Role, Round, Seat, Snapshot, Standing, Status, Term, Vote, VoteReply,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[track_caller]
fn assert_returns<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let mut bytes = [0; 256];
    let bytes = postcard::to_slice(&value, &mut bytes).expect("a small value");
    let (read, rest) = postcard::take_from_bytes::<T>(bytes).expect("our own bytes");
    assert_eq!(read, value);
    assert!(rest.is_empty());
}

fn identity() -> Identity {
    Identity::new(NodeId::new(u64::MAX), Incarnation::new(7))
}

fn entry_id() -> EntryId {
    EntryId::new(LogIndex::new(1 << 40), Term::new(9))
}

#[test]
fn numbers_and_facts_return() {
    assert_returns(GroupId::new(u64::MAX));
    assert_returns(Round::MAX);
    assert_returns(entry_id());
    assert_returns(HardState {
        term: Term::MAX,
        vote: Some(identity()),
    });
    assert_returns(HardState::default());
    assert_returns(Snapshot {
        last: entry_id(),
        size: 1 << 50,
        checksum: 5,
    });
    for role in [
        Role::Follower,
        Role::PreCandidate,
        Role::Candidate,
        Role::Leader,
    ] {
        let (term, commit) = (Term::new(3), LogIndex::new(4));
        assert_returns(Status {
            role,
            term,
            leader: Some(NodeId::new(2)),
            commit,
            is_quiet: true,
        });
    }
}

#[test]
fn messages_return() {
    let (round, index) = (Round::new(1 << 40), LogIndex::new(12));
    assert_returns(PreVote {
        last: entry_id(),
        attempt: 4,
    });
    assert_returns(PreVoteReply {
        attempt: 4,
        is_granted: true,
    });
    assert_returns(Vote {
        last: entry_id(),
        is_transfer: true,
    });
    assert_returns(ReadRequest {
        nonce: 1 << 60,
        number: 3,
    });
    assert_returns(ReadReply {
        nonce: 1 << 60,
        number: 3,
        index,
    });
    assert_returns(VoteReply { is_granted: false });
    let commit = index;
    assert_returns(Quiet { commit, round });
    let is_quiet = true;
    assert_returns(QuietReply { round, is_quiet });
    let reject = Some(Reject {
        prev: index,
        hint: entry_id(),
    });
    let chunk = Some(ChunkAck { index, stored: 77 });
    assert_returns(Ack {
        verified: index,
        round,
        room: u32::MAX,
        reject,
        chunk,
    });
}

#[test]
fn memberships_return() {
    use Standing::{Demoted, Incoming, Learner, Outgoing, Voter};
    for standing in [Learner, Voter, Incoming, Outgoing, Demoted] {
        assert_returns(Seat {
            identity: identity(),
            standing,
        });
    }
    assert_returns(Change::AddLearner(identity()));
    assert_returns(Change::AddVoter(identity()));
    assert_returns(Change::Promote(NodeId::new(3)));
    assert_returns(Change::Remove(NodeId::new(3)));
}

#[test]
fn events_return() {
    let (from, term, index) = (NodeId::new(3), Term::new(4), LogIndex::new(5));
    assert_returns(Event::RoleChanged {
        role: Role::Leader,
        term,
    });
    assert_returns(Event::LeaderChanged { leader: None, term });
    assert_returns(Event::ConfigurationChanged { index });
    assert_returns(Event::Lost {
        from: index,
        below: term,
    });
    assert_returns(Event::Dropped {
        from,
        reason: DropReason::SecondLeader,
        count: 6,
    });
    assert_returns(Event::QuietChanged { is_quiet: true });
    assert_returns(Event::Faulted(Fault::WindowDamaged));
}

/// A configuration is shown, not read: only its builder makes one, because only that checks it.
#[test]
fn a_configuration_can_be_shown() {
    let config = Config::builder(NodeId::new(1))
        .build()
        .expect("the defaults are sound");
    let mut bytes = [0; 256];
    assert!(postcard::to_slice(&config, &mut bytes).is_ok());
}

#[test]
fn sessions_return() {
    use raft_core::session::{AnswerTooLong, BufferTooSmall, DecodeError, OutOfOrder};
    use raft_core::session::{Registered, Request, SessionId};
    let session = SessionId::new(u64::MAX);
    assert_returns(Request {
        session,
        nonce: 1 << 40,
        number: 1 << 60,
        first_unacknowledged: 3,
    });
    assert_returns(Registered {
        session,
        is_new: true,
        evicted: Some(SessionId::new(1)),
    });
    assert_returns(OutOfOrder { newest: session });
    assert_returns(AnswerTooLong { len: 9, len_max: 8 });
    assert_returns(BufferTooSmall { needed: 10 });
    assert_returns(DecodeError::UnknownVersion(2));
    assert_returns(DecodeError::NonceTwice(u64::MAX));
}

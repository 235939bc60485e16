//! What may be said, and what two messages say of each other.

use super::*;
use crate::model::{Compacted, History, check_sent};
use raft_core::{Chunk, ChunkData, PreVote, Reject, Snapshot};

const TO: NodeId = NodeId::new(2);

#[track_caller]
fn may(state: &Abstract, body: Body<'_>) {
    assert_eq!(
        check_sent(state, &Compacted::default(), TO, &message(state.term, body)),
        Ok(())
    );
}

#[track_caller]
fn may_not(state: &Abstract, body: Body<'_>, why: &str) {
    let what = check_sent(state, &Compacted::default(), TO, &message(state.term, body))
        .expect_err("is refused");
    assert!(what.contains(why), "{what}");
}

#[test]
fn nobody_speaks_of_a_term_that_is_not_durable() {
    let state = but(&follower(), |state| state.durable.term = 1);
    may_not(&state, vote_reply(false), "§3.8");
    let other = message(1, vote_reply(false));
    assert!(
        check_sent(&follower(), &Compacted::default(), TO, &other).is_err(),
        "of another term"
    );
    let stranger = Message {
        incarnation: Incarnation::new(8),
        ..message(2, vote_reply(false))
    };
    assert!(check_sent(&follower(), &Compacted::default(), TO, &stranger).is_err());
    let own = check_sent(
        &follower(),
        &Compacted::default(),
        NodeId::new(1),
        &message(2, vote_reply(false)),
    );
    assert!(own.is_err());
}

#[test]
fn votes_are_asked_for_and_given_when_they_are_durable() {
    may(&candidate(), vote(3, 2));
    may_not(&candidate(), vote(4, 2), "asks for votes");
    may_not(&follower(), vote(3, 2), "asks for votes");
    let early = but(&candidate(), |state| state.durable.vote = None);
    may_not(&early, vote(3, 2), "§3.8");
    let unwritten = but(&candidate(), |state| state.durable.index = 2);
    may_not(&unwritten, vote(3, 2), "§3.8");
    let given = but(&follower(), |state| state.vote = Some(node(2)));
    may_not(&given, vote_reply(true), "§3.8");
    may(
        &but(&given, |s| s.durable.vote = Some(node(2))),
        vote_reply(true),
    );
    may_not(
        &but(&given, |s| s.durable.vote = Some(node(3))),
        vote_reply(true),
        "§3.8",
    );
    let asking = but(&follower(), |state| state.role = Role::PreCandidate);
    let request = |index| {
        Body::PreVote(PreVote {
            last: id(index, 2),
            attempt: 1,
        })
    };
    may(&asking, request(3));
    may_not(&asking, request(4), "§9.6");
    may_not(&follower(), request(3), "§9.6");
}

#[test]
fn a_leader_sends_its_log() {
    let bytes = encoded(&[1, 2]);
    may(&leader(), append(id(1, 1), 1, &bytes));
    may(&leader(), append(id(3, 2), 1, &[]));
    may_not(&follower(), append(id(1, 1), 1, &bytes), "sends entries");
    may_not(&leader(), append(id(1, 2), 1, &bytes), "is not in the");
    may_not(&leader(), append(id(2, 1), 1, &bytes), "is not that of");
    may_not(&leader(), append(id(3, 2), 2, &[]), "commit 2");
    let ahead = but(&leader(), |state| state.commit = 3);
    may_not(&ahead, append(id(2, 1), 3, &[]), "commit 3");
}

#[test]
fn a_follower_acknowledges_what_is_verified_and_durable() {
    may(&following(), ack(2));
    may_not(&following(), ack(3), "2 is verified and durable");
    let unwritten = but(&following(), |state| state.durable.index = 1);
    may_not(&unwritten, ack(2), "1 is verified and durable");
    may_not(&follower(), ack(0), "is answered");
    let refusal = |prev, hint| {
        Body::Ack(Ack {
            verified: LogIndex::ZERO,
            round: Round::ZERO,
            room: 0,
            reject: Some(Reject {
                prev: LogIndex::new(prev),
                hint,
            }),
            chunk: None,
        })
    };
    may(&following(), refusal(5, id(3, 2)));
    may_not(&following(), refusal(3, id(3, 2)), "is hinted at");
    may_not(&following(), refusal(5, id(4, 2)), "is hinted at");
}

#[test]
fn a_leader_sends_its_snapshot() {
    let chunk = |index, configuration| {
        Body::Chunk(Chunk {
            snapshot: Snapshot {
                last: id(index, 1),
                size: 0,
                checksum: 0,
            },
            configuration,
            round: Round::ZERO,
            offset: 0,
            data: ChunkData::Received(&[]),
        })
    };
    let state = but(&leader(), |state| state.log.base = Id { term: 1, index: 1 });
    // Version, stickiness, and three seats: node, incarnation, voter.
    let known = [1, 0, 3, 1, 7, 1, 2, 7, 1, 3, 7, 1];
    may(&state, chunk(1, &known));
    may_not(&state, chunk(2, &known), "not the leader's");
    may_not(
        &state,
        chunk(1, &[1, 0, 1, 1, 7, 1]),
        "goes with a snapshot",
    );
    may_not(&following(), chunk(0, &known), "sends node 2 a snapshot");
}

#[test]
fn nobody_votes_twice() {
    let mut history = History::default();
    let gives = |to| but(&follower(), |state| state.durable.vote = Some(node(to)));
    let grant = message(2, vote_reply(true));
    let mut send = |to| history.send(&gives(to), NodeId::new(to), &grant);
    assert_eq!(send(2), Ok(()));
    assert_eq!(send(2), Ok(()));
    assert!(send(3).is_err());
    assert!(
        history
            .send(&candidate(), TO, &message(2, vote(3, 2)))
            .is_err()
    );
}

#[test]
fn a_term_has_one_leader_and_its_log_is_what_is_acknowledged() {
    let mut history = History::default();
    let mut send = |state: &Abstract, leader: Option<&Abstract>| {
        if let Some(leader) = leader {
            history.note(leader)?;
        }
        history.send(state, TO, &message(2, ack(3)))
    };
    assert!(send(&following(), None).is_err(), "there is no leader yet");
    assert_eq!(send(&following(), Some(&leader())), Ok(()));
    let other = with_log(following(), &[command(1), command(2), command(2)]);
    assert!(send(&other, None).is_err());
    let second = but(&leader(), |state| state.me = node(3));
    assert!(send(&following(), Some(&second)).is_err());
}

#[test]
fn only_what_was_sent_arrives_and_only_what_was_asked_is_granted() {
    let mut history = History::default();
    let asking = but(&follower(), |state| {
        (state.me, state.role) = (node(2), Role::PreCandidate);
    });
    let request = |index| {
        let last = id(index, 2);
        message(2, Body::PreVote(PreVote { last, attempt: 1 }))
    };
    let grant = message(2, pre_vote_reply(true));
    let one = NodeId::new(1);
    assert!(history.receive(&follower(), TO, &request(3)).is_err());
    assert_eq!(history.send(&asking, one, &request(2)), Ok(()));
    assert_eq!(history.receive(&follower(), TO, &request(2)), Ok(()));
    assert!(
        history.send(&follower(), TO, &grant).is_err(),
        "an older log"
    );
    assert_eq!(history.send(&asking, one, &request(3)), Ok(()));
    assert_eq!(history.receive(&follower(), TO, &request(3)), Ok(()));
    assert_eq!(history.send(&follower(), TO, &grant), Ok(()));
}

#[test]
fn only_who_is_out_is_told_so_and_only_once_that_is_committed() {
    let removed = |index, term, is_granted| {
        Body::PreVoteReply(PreVoteReply {
            attempt: 1,
            is_granted,
            removed_at: Some(id(index, term)),
        })
    };
    let state = but(&follower(), |state| {
        state.configuration = voters(&[1, 3]);
        state.commit = 3;
    });
    may(&state, removed(3, 2, false));
    may_not(&state, removed(3, 2, true), "gets a pre-vote");
    may_not(&state, removed(3, 1, false), "not committed");
    may_not(&state, removed(2, 1, false), "not committed");
    let open = but(&state, |state| state.configuration_index = 4);
    may_not(&open, removed(3, 2, false), "not committed");
}

/// A leader may send what it has compacted: that very log, not another.
#[test]
fn compacted_entries_are_sent_as_they_were() {
    let whole = leader();
    let mut compacted = Compacted::default();
    compacted.keep(&whole, 2);
    let mut short = with_log(whole, &[command(2)]);
    short.log.base = Id { term: 1, index: 2 };
    let check = |compacted: &Compacted, prev, terms: &[u64]| {
        let bytes = encoded(terms);
        let message = message(2, append(prev, 1, &bytes));
        check_sent(&short, compacted, TO, &message)
    };
    assert_eq!(check(&compacted, id(0, 0), &[1, 1, 2]), Ok(()));
    assert_eq!(check(&compacted, id(1, 1), &[1]), Ok(()));
    assert!(check(&compacted, id(1, 1), &[2]).is_err());
    assert!(check(&compacted, id(1, 2), &[1]).is_err());
    assert!(check(&Compacted::default(), id(1, 1), &[1]).is_err());
}

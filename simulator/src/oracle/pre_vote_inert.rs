//! Being asked for a pre-vote changes nothing that lasts, `[Ongaro14 §9.6]`.
//!
//! Nor does it change a term, a role or a leader: only an answer is owed. Of the answers, a grant
//! may do one thing: let whoever asked become a candidate of the next term.

use raft_core::{Body, Message, Role};

use super::view::View;
use super::words::words;

/// Whether this message is one of those that this oracle judges.
pub(super) fn applies(message: &Message<'_>) -> bool {
    match &message.body {
        Body::PreVote(_) => true,
        Body::PreVoteReply(reply) => reply.is_granted,
        Body::Vote(_)
        | Body::VoteReply(_)
        | Body::Append(_)
        | Body::Hollow(_)
        | Body::Ack(_)
        | Body::Chunk(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_)
        | Body::QuietReply(_) => false,
    }
}

/// A machine received the message.
pub(super) fn check(
    host: usize,
    before: &View,
    after: &View,
    message: &Message<'_>,
) -> Result<(), String> {
    let is_asked = matches!(message.body, Body::PreVote(_));
    let campaigns = !is_asked
        && before.role == Role::PreCandidate
        && after.role == Role::Candidate
        && before.hard.term.next() == Some(after.hard.term);
    let changed = View {
        hard: before.hard,
        role: before.role,
        leader: before.leader,
        ..*after
    };
    let is_same = if campaigns {
        changed == *before
    } else {
        after == before
    };
    if is_same {
        return Ok(());
    }
    Err(words!(
        "host {} is changed by a pre-vote ({:?}): from {before:?} to {after:?}",
        host + 1,
        message.body
    ))
}

#[cfg(test)]
mod tests {
    use raft_core::{EntryId, GroupId, HardState, Incarnation, PreVote, PreVoteReply, Term};

    use super::*;

    fn message(body: Body<'static>) -> Message<'static> {
        Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(1),
            term: Term::new(4),
            body,
        }
    }

    #[test]
    fn only_a_grant_makes_a_candidate_and_nothing_else_changes() {
        let last = EntryId::ZERO;
        let asked = message(Body::PreVote(PreVote { last, attempt: 1 }));
        let is_granted = true;
        let granted = message(Body::PreVoteReply(PreVoteReply {
            attempt: 1,
            is_granted,
            removed_at: None,
        }));
        assert!(applies(&asked) && applies(&granted));
        let before = View {
            role: Role::PreCandidate,
            ..View::default()
        };
        let candidate = View {
            role: Role::Candidate,
            hard: HardState {
                term: Term::new(1),
                vote: None,
            },
            ..before
        };
        assert!(check(0, &before, &before, &asked).is_ok());
        assert!(check(0, &before, &candidate, &asked).is_err());
        assert!(check(0, &before, &candidate, &granted).is_ok());
        let mut far = candidate;
        far.hard.term = Term::new(2);
        assert!(check(0, &before, &far, &granted).is_err());
        assert!(check(0, &View::default(), &candidate, &granted).is_err());
    }
}

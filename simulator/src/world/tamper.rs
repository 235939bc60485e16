//! What seeded faults make of a frame on its way.

use raft_core::{
    Ack, Append, Body, EntryKind, LogIndex, Message, Round, Term, Vote, VoteReply, wire,
};

use crate::world::sabotage::Sabotage;

/// What becomes of a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tampered {
    /// It arrives as it was sent.
    Kept,
    /// It does not arrive.
    Lost,
    /// This arrives in its place.
    Changed(Vec<u8>),
}

/// What a seeded fault makes of this frame, which carries this message.
pub fn tamper(sabotage: Sabotage, message: &Message<'_>, bytes: &[u8]) -> Tampered {
    let changed = |body| change(&Message { body, ..*message }, bytes.len());
    match (sabotage, &message.body) {
        (Sabotage::LosesChunks, Body::Chunk(_)) => Tampered::Lost,
        (Sabotage::LosesCommands, Body::Append(append))
            if has(append, EntryKind::Command) && !has(append, EntryKind::NoOp) =>
        {
            Tampered::Lost
        }
        (Sabotage::LosesConfigurations, Body::Append(append))
            if append.prev.index > LogIndex::ZERO && has(append, EntryKind::Configuration) =>
        {
            Tampered::Lost
        }
        (Sabotage::RaisesAcks, Body::Ack(ack)) => changed(Body::Ack(Ack {
            verified: ack.verified.next(),
            ..*ack
        })),
        (Sabotage::RaisesCommits, Body::Append(append)) => {
            let count = append.entries.iter(LogIndex::ZERO).count() as u64;
            let commit = append.prev.index.plus(count).max(append.commit);
            changed(Body::Append(Append { commit, ..*append }))
        }
        (Sabotage::HardensPreVotes, Body::PreVote(request)) => {
            let term = message.term.next().unwrap_or(message.term);
            let body = Body::Vote(Vote {
                last: request.last,
                is_transfer: false,
            });
            change(
                &Message {
                    term,
                    body,
                    ..*message
                },
                bytes.len(),
            )
        }
        (Sabotage::DeposesByPreVotes, Body::PreVote(request)) if request.attempt % 3 == 0 => {
            // Each attempt is further ahead than the elections since the one before.
            let ahead = request.attempt.saturating_mul(4);
            let term = Term::new(message.term.value().saturating_add(ahead));
            let body = Body::VoteReply(VoteReply { is_granted: false });
            change(
                &Message {
                    term,
                    body,
                    ..*message
                },
                bytes.len(),
            )
        }
        (Sabotage::ChangesMembers, Body::Append(append)) => {
            let entries = append.entries.iter(LogIndex::ZERO);
            match entries.last().map(|entry| entry.kind) {
                Some(EntryKind::Configuration) => {
                    let mut bytes = bytes.to_vec();
                    // The last byte says what the last member may do: a learner votes, and back.
                    match bytes.last_mut() {
                        Some(standing) if *standing <= 1 => *standing ^= 1,
                        Some(standing) => *standing = 1,
                        None => {}
                    }
                    Tampered::Changed(bytes)
                }
                Some(EntryKind::Command | EntryKind::NoOp | EntryKind::Hollow) | None => {
                    Tampered::Kept
                }
            }
        }
        _ => Tampered::Kept,
    }
}

fn has(append: &Append<'_>, kind: EntryKind) -> bool {
    let mut entries = append.entries.iter(LogIndex::ZERO);
    entries.any(|entry| entry.kind == kind)
}

fn change(message: &Message<'_>, len: usize) -> Tampered {
    let mut frame = vec![0; len + 32];
    let len = wire::encode(message, &mut frame).map_or(0, <[u8]>::len);
    frame.truncate(len);
    Tampered::Changed(frame)
}

/// The answer that never came to a frame that met a partition, for the faults that make one up.
pub fn echo(sabotage: Sabotage, message: &Message<'_>) -> Option<Body<'static>> {
    match (sabotage, &message.body) {
        (Sabotage::EchoesAppends, Body::Append(append)) => Some(Body::Ack(Ack {
            verified: LogIndex::ZERO,
            round: append.round.min(Round::MAX),
            room: u32::MAX,
            reject: None,
            chunk: None,
        })),
        (Sabotage::EchoesPreVotes, Body::PreVote(request)) => {
            Some(Body::PreVoteReply(raft_core::PreVoteReply {
                attempt: request.attempt,
                is_granted: true,
                removed_at: None,
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use raft_core::{Entries, EntryId, GroupId, Incarnation};

    use super::*;

    #[test]
    fn a_commit_is_raised_to_the_end_of_what_is_carried() {
        let body = Body::Append(Append {
            prev: EntryId::new(LogIndex::new(7), Term::new(1)),
            commit: LogIndex::new(3),
            round: Round::ZERO,
            entries: Entries::EMPTY,
        });
        let message = Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(1),
            term: Term::new(2),
            body,
        };
        let frame = tamper(Sabotage::RaisesCommits, &message, &[0; 64]);
        let Tampered::Changed(bytes) = frame else {
            panic!("{frame:?}");
        };
        match wire::decode(&bytes).map(|message| message.body) {
            Ok(Body::Append(append)) => assert_eq!(append.commit, LogIndex::new(7)),
            other => panic!("{other:?}"),
        }
        assert_eq!(tamper(Sabotage::None, &message, &[]), Tampered::Kept);
    }
}

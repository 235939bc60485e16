//! A witness keeps no payload and leads nobody, and nobody else lacks a payload.
//!
//! Who is a witness the harness knows by itself: an operator let the host in as one, and lets in no
//! other life of it as another. Looked at in every frame, every entry and every role; and of what is
//! committed, some member that is no witness must have it on its disk.

use raft_core::{Body, ChunkData, EntryKind, LogIndex, Message, Role};

use super::words::words;

const fn is_one(witnesses: u64, host: usize) -> bool {
    witnesses >> host & 1 == 1
}

/// A frame leaves a host.
pub(super) fn check_frame(
    witnesses: u64,
    from: usize,
    to: usize,
    message: &Message<'_>,
) -> Result<(), String> {
    let is_for_witness = match &message.body {
        Body::Hollow(_) => Some(true),
        Body::Chunk(chunk) => Some(chunk.data == ChunkData::Hollow),
        Body::Append(_) | Body::TimeoutNow => Some(false),
        Body::PreVote(_) | Body::Vote(_) | Body::ReadReply(_) | Body::Quiet(_) => None,
        Body::PreVoteReply(_)
        | Body::VoteReply(_)
        | Body::Ack(_)
        | Body::ReadRequest(_)
        | Body::QuietReply(_) => return Ok(()),
    };
    if is_one(witnesses, from) {
        return Err(words!(
            "host {}, a witness, sends {:?}",
            from + 1,
            message.body
        ));
    }
    match is_for_witness {
        Some(is) if is != is_one(witnesses, to) => Err(words!(
            "host {} sends host {} what is not for it: {:?}",
            from + 1,
            to + 1,
            message.body
        )),
        Some(_) | None => Ok(()),
    }
}

/// A host shows an entry of its log.
pub(super) fn check_entry(
    witnesses: u64,
    host: usize,
    index: LogIndex,
    kind: EntryKind,
) -> Result<(), String> {
    let is_sound = match kind {
        EntryKind::Configuration => true,
        EntryKind::Hollow => is_one(witnesses, host),
        EntryKind::Command | EntryKind::NoOp => !is_one(witnesses, host),
    };
    if is_sound {
        return Ok(());
    }
    Err(words!(
        "host {} holds entry {index} as a {kind:?}",
        host + 1
    ))
}

/// A host has another role.
pub(super) fn check_role(witnesses: u64, host: usize, role: Role) -> Result<(), String> {
    if role == Role::Follower || !is_one(witnesses, host) {
        return Ok(());
    }
    Err(words!("host {}, a witness, is a {role:?}", host + 1))
}

/// An application was given a command.
pub(super) fn check_applied(witnesses: u64, host: usize, index: LogIndex) -> Result<(), String> {
    if is_one(witnesses, host) {
        return Err(words!(
            "host {}, a witness, is given entry {index}",
            host + 1
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use raft_core::{Append, Entries, EntryId, GroupId, Incarnation, Round, Term};

    use super::*;

    #[test]
    fn each_law_can_be_broken() {
        let message = |body| Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(1),
            term: Term::new(1),
            body,
        };
        let (prev, commit, round) = (EntryId::ZERO, LogIndex::ZERO, Round::ZERO);
        let entries = Entries::EMPTY;
        let append = message(Body::Append(Append {
            prev,
            commit,
            round,
            entries,
        }));
        assert!(check_frame(0b100, 0, 1, &append).is_ok());
        assert!(check_frame(0b100, 0, 2, &append).is_err());
        assert!(check_frame(0b100, 2, 0, &append).is_err());
        let one = LogIndex::new(1);
        assert!(check_entry(0b100, 2, one, EntryKind::Hollow).is_ok());
        assert!(check_entry(0b100, 1, one, EntryKind::Hollow).is_err());
        assert!(check_entry(0b100, 2, one, EntryKind::Command).is_err());
        assert!(check_role(0b100, 2, Role::PreCandidate).is_err());
        assert!(check_role(0b100, 1, Role::Leader).is_ok());
        assert!(check_applied(0b100, 2, one).is_err() && check_applied(0b100, 1, one).is_ok());
    }
}

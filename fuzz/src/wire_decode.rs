//! Frames: decoding never fails badly, and what it accepts is what encoding makes.

use raft_core::wire::{self, Frame};
use raft_core::{Body, Broadcast, Chunk, ChunkData, Entries, LogIndex};

/// Decodes `data` as a frame, and encodes it again.
///
/// # Panics
///
/// When what was accepted does not come back.
pub fn wire_decode(data: &[u8]) {
    if let Ok(Frame::Many(broadcast)) = wire::decode_frame(data) {
        self::broadcast(&broadcast, data);
    }
    let Ok(message) = wire::decode(data) else {
        return;
    };
    assert_eq!(
        wire::encoded_len(&message),
        data.len(),
        "what is accepted is used up"
    );
    let mut frame = vec![0; data.len()];
    let encoded = wire::encode(&message, &mut frame).expect("as long as it was");
    let again = wire::decode(encoded).expect("what was encoded");
    assert_eq!(again, message, "the meaning comes back");
    let (mut before, mut after) = (data.to_vec(), encoded.to_vec());
    match &message.body {
        Body::Append(append) => {
            // An index below zero or beyond all numbers is the border itself: several ways to say so.
            before[32..36].fill(0);
            after[32..36].fill(0);
            entries(append.entries);
        }
        Body::Hollow(_) => {
            before[32..36].fill(0);
            after[32..36].fill(0);
        }
        // A witness stores nothing, so nobody looks at what there would be to store.
        Body::Chunk(Chunk {
            data: ChunkData::Hollow,
            ..
        }) => {
            before[36..56].fill(0);
            after[36..56].fill(0);
        }
        Body::Ack(_) | Body::Chunk(_) | Body::Quiet(_) | Body::QuietReply(_) => {}
        // The specification says that these two bytes are not looked at.
        Body::PreVote(_)
        | Body::PreVoteReply(_)
        | Body::Vote(_)
        | Body::VoteReply(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow => {
            before[2..4].fill(0);
        }
    }
    assert_eq!(before, after, "there is one way to say it");
    // One byte less has no room, one byte more than it takes is not looked at.
    let short = data.len() - 1;
    assert!(wire::encode(&message, &mut frame[..short]).is_err());
    let mut long = vec![0xee; data.len() + 1];
    let len = wire::encode(&message, &mut long).expect("enough").len();
    assert_eq!((len, long[len]), (data.len(), 0xee));
}

/// What is for many comes back as it was.
fn broadcast(broadcast: &Broadcast<'_>, data: &[u8]) {
    assert!(!broadcast.members.is_empty(), "it is for somebody");
    assert_eq!(
        wire::encoded_broadcast_len(broadcast),
        data.len(),
        "what is accepted is used up"
    );
    let mut frame = vec![0; data.len()];
    let encoded = wire::encode_broadcast(broadcast, &mut frame).expect("as long as it was");
    let again = wire::decode_frame(encoded).expect("what was encoded");
    assert_eq!(again, Frame::Many(*broadcast), "the meaning comes back");
    assert!(wire::encode_broadcast(broadcast, &mut frame[1..]).is_err());
    if let Body::Append(append) = &broadcast.message.body {
        entries(append.entries);
    }
}

/// Entries come out one by one, none longer than what is there.
fn entries(entries: Entries<'_>) {
    let mut taken = 0;
    for (place, entry) in (1..).zip(entries.iter(LogIndex::ZERO.next())) {
        assert_eq!(entry.id.index.value(), place);
        taken += raft_core::ENTRY_HEADER_BYTES + entry.payload.len();
    }
    assert!(taken <= entries.len());
    assert_eq!(entries.slices().concat().len(), entries.len());
}

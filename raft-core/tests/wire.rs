//! Frames: what is encoded decodes to the same, and no bytes can do harm.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use raft_core::wire::{self, DecodeError, EncodeError};
use raft_core::{
    Ack, Append, Body, Chunk, ChunkAck, ChunkData, Entries, EntryId, GroupId, Hollow,
    HollowEntries, Incarnation, LogIndex, Message, PreVote, PreVoteReply, Quiet, QuietReply,
    ReadReply, ReadRequest, Reject, Round, Snapshot, Term, Vote, VoteReply,
};

/// A message together with the bytes that its body borrows.
#[derive(Clone, Debug)]
struct Owned {
    group: u64,
    incarnation: u32,
    term: u32,
    body: OwnedBody,
}

#[derive(Clone, Debug)]
enum OwnedBody {
    Plain(Body<'static>),
    Append(Append<'static>, Vec<u8>),
    Hollow(Append<'static>, Vec<u8>),
    Chunk(Chunk<'static>, Vec<u8>, Vec<u8>),
}

impl Owned {
    fn message(&self) -> Message<'_> {
        let body = match &self.body {
            OwnedBody::Plain(body) => *body,
            OwnedBody::Append(append, entries) => Body::Append(Append {
                entries: Entries::from_bytes(entries),
                ..*append
            }),
            OwnedBody::Hollow(append, runs) => Body::Hollow(Hollow {
                prev: append.prev,
                commit: append.commit,
                round: append.round,
                entries: HollowEntries::from_bytes(runs),
            }),
            OwnedBody::Chunk(chunk, configuration, data) => Body::Chunk(Chunk {
                configuration,
                data: match chunk.data {
                    ChunkData::Hollow => ChunkData::Hollow,
                    ChunkData::Received(_) | ChunkData::Wanted(_) => ChunkData::Received(data),
                },
                ..*chunk
            }),
        };
        Message {
            group: GroupId::new(self.group),
            incarnation: Incarnation::new(self.incarnation),
            term: Term::new(self.term),
            body,
        }
    }

    fn encoded(&self) -> Vec<u8> {
        let message = self.message();
        let mut frame = vec![0; wire::encoded_len(&message)];
        let frame = wire::encode(&message, &mut frame).expect("exactly enough");
        frame.to_vec()
    }
}

fn index() -> impl Strategy<Value = LogIndex> {
    prop_oneof![0..1000_u64, any::<u64>()].prop_map(LogIndex::new)
}

fn entry_id() -> impl Strategy<Value = EntryId> {
    (index(), any::<u32>()).prop_map(|(index, term)| EntryId::new(index, Term::new(term)))
}

fn round() -> impl Strategy<Value = Round> {
    prop_oneof![0..1000_u64, any::<u64>()].prop_map(Round::new)
}

prop_compose! {
    /// The commit is what a frame can state: at most 2^31 - 1 away from the entry before.
    fn append()(prev in entry_id(), delta in -0x7fff_ffff..=0x7fff_ffff_i64, round in round())
        -> Append<'static>
    {
        let commit = LogIndex::new(prev.index.value().saturating_add_signed(delta));
        Append { prev, commit, round, entries: Entries::EMPTY }
    }
}

prop_compose! {
    fn ack()(
        verified in index(),
        round in round(),
        room in any::<u32>(),
        reject in proptest::option::of((index(), entry_id())),
        chunk in proptest::option::of((index(), any::<u64>())),
    ) -> Ack {
        let reject = reject.map(|(prev, hint)| Reject { prev, hint });
        let chunk = chunk.map(|(index, stored)| ChunkAck { index, stored });
        Ack { verified, round, room, reject, chunk }
    }
}

prop_compose! {
    fn chunk()(
        last in entry_id(),
        size in any::<u64>(),
        checksum in any::<u32>(),
        round in round(),
        offset in any::<u64>(),
    ) -> Chunk<'static> {
        let snapshot = Snapshot { last, size, checksum };
        let data = ChunkData::Received(&[]);
        Chunk { snapshot, configuration: &[], round, offset, data }
    }
}

/// Runs of a few entries, and configurations.
fn runs() -> impl Strategy<Value = Vec<u8>> {
    let run = (any::<u32>(), 1..1_000_u32)
        .prop_map(|(term, count)| [term.to_le_bytes(), (count | 3 << 28).to_le_bytes()].concat());
    let configuration = (any::<u32>(), vec(any::<u8>(), 0..30)).prop_map(|(term, payload)| {
        let word = payload.len() as u32 | 2 << 28;
        [&term.to_le_bytes()[..], &word.to_le_bytes(), &payload].concat()
    });
    vec(prop_oneof![run, configuration], 0..5).prop_map(|runs| runs.concat())
}

fn body() -> impl Strategy<Value = OwnedBody> {
    let bytes = || vec(any::<u8>(), 0..200);
    prop_oneof![
        (entry_id(), any::<u32>())
            .prop_map(|(last, attempt)| Body::PreVote(PreVote { last, attempt }))
            .prop_map(OwnedBody::Plain),
        (
            any::<u32>(),
            any::<bool>(),
            proptest::option::of(entry_id())
        )
            .prop_map(|(attempt, is_granted, place)| PreVoteReply {
                attempt,
                is_granted,
                removed_at: place.filter(|_| !is_granted),
            })
            .prop_map(|reply| OwnedBody::Plain(Body::PreVoteReply(reply))),
        (entry_id(), any::<bool>())
            .prop_map(|(last, is_transfer)| Vote { last, is_transfer })
            .prop_map(|vote| OwnedBody::Plain(Body::Vote(vote))),
        (any::<u64>(), any::<u64>())
            .prop_map(|(nonce, number)| ReadRequest { nonce, number })
            .prop_map(|request| OwnedBody::Plain(Body::ReadRequest(request))),
        (any::<u64>(), any::<u64>(), index())
            .prop_map(|(nonce, number, index)| ReadReply {
                nonce,
                number,
                index
            })
            .prop_map(|reply| OwnedBody::Plain(Body::ReadReply(reply))),
        Just(OwnedBody::Plain(Body::TimeoutNow)),
        (index(), round())
            .prop_map(|(commit, round)| Quiet { commit, round })
            .prop_map(|quiet| OwnedBody::Plain(Body::Quiet(quiet))),
        (round(), any::<bool>())
            .prop_map(|(round, is_quiet)| QuietReply { round, is_quiet })
            .prop_map(|reply| OwnedBody::Plain(Body::QuietReply(reply))),
        any::<bool>()
            .prop_map(|is_granted| VoteReply { is_granted })
            .prop_map(|reply| OwnedBody::Plain(Body::VoteReply(reply))),
        ack().prop_map(|ack| OwnedBody::Plain(Body::Ack(ack))),
        (append(), bytes()).prop_map(|(append, entries)| OwnedBody::Append(append, entries)),
        (append(), runs()).prop_map(|(append, runs)| OwnedBody::Hollow(append, runs)),
        (chunk(), bytes()).prop_map(|(chunk, configuration)| {
            let data = ChunkData::Hollow;
            OwnedBody::Chunk(Chunk { data, ..chunk }, configuration, Vec::new())
        }),
        (chunk(), bytes(), bytes()).prop_map(|(chunk, configuration, data)| OwnedBody::Chunk(
            chunk,
            configuration,
            data
        )),
    ]
}

prop_compose! {
    fn message()(group in any::<u64>(), incarnation in any::<u32>(), term in any::<u32>(), body in body())
        -> Owned
    {
        Owned { group, incarnation, term, body }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(owned in message()) {
        let frame = owned.encoded();
        prop_assert_eq!(wire::decode(&frame), Ok(owned.message()));
    }

    /// An append and a chunk end with bytes of any length; everything else has one length only.
    #[test]
    fn every_truncation_is_refused_or_another_message(owned in message()) {
        let frame = owned.encoded();
        let shortest = match owned.body {
            OwnedBody::Append(..) | OwnedBody::Hollow(..) => wire::APPEND_HEADER_BYTES,
            OwnedBody::Chunk(_, configuration, _) => wire::CHUNK_HEADER_BYTES + configuration.len(),
            OwnedBody::Plain(_) => frame.len(),
        };
        for len in 0..frame.len() {
            let decoded = wire::decode(&frame[..len]);
            if len < shortest {
                prop_assert_eq!(decoded, Err(DecodeError::Truncated));
            } else {
                prop_assert!(decoded.is_ok());
            }
        }
    }

    /// Whatever decodes says the same once it is encoded again.
    #[test]
    fn decoding_is_total(mut frame in vec(any::<u8>(), 0..120), kind in 0..16_u8, flags in 0..5_u8) {
        for shape in 0..3 {
            if let (Some(first), 1..) = (frame.get_mut(0), shape) {
                *first = (wire::VERSION << 4) | kind;
            }
            if let (Some(second), 2) = (frame.get_mut(1), shape) {
                *second = flags;
            }
            if let Ok(message) = wire::decode(&frame) {
                let mut again = vec![0; wire::encoded_len(&message)];
                let again = wire::encode(&message, &mut again).expect("exactly enough");
                prop_assert_eq!(again.len(), frame.len());
                prop_assert_eq!(wire::decode(again), Ok(message));
            }
        }
    }

    #[test]
    fn other_versions_are_refused(owned in message(), version in 0..16_u8) {
        let mut frame = owned.encoded();
        frame[0] = (version << 4) | (frame[0] & 0x0f);
        let expected = match version {
            wire::VERSION => Ok(owned.message()),
            _ => Err(DecodeError::UnknownVersion(version)),
        };
        prop_assert_eq!(wire::decode(&frame), expected);
    }

    #[test]
    fn unknown_kinds_are_refused(owned in message(), kind in select(&[0_u8, 13, 15][..])) {
        // A broadcast is for those who ask for one.
        let mut frame = owned.encoded();
        frame[0] = (wire::VERSION << 4) | kind;
        prop_assert_eq!(wire::decode(&frame), Err(DecodeError::UnknownKind(frame[0])));
    }

    #[test]
    fn unknown_flags_are_refused(owned in message(), flags in any::<u8>()) {
        let known: u8 = match owned.message().body {
            Body::Vote(_) | Body::VoteReply(_) | Body::Chunk(_) | Body::QuietReply(_) => 1,
            // Each of two, and never both.
            Body::PreVoteReply(_) if flags == 3 => 0,
            Body::PreVoteReply(_) => 3,
            Body::Ack(_) => 3,
            Body::PreVote(_)
            | Body::Append(_)
            | Body::Hollow(_)
            | Body::ReadRequest(_)
            | Body::ReadReply(_)
            | Body::TimeoutNow
            | Body::Quiet(_) => 0,
        };
        prop_assume!(flags & !known != 0);
        let mut frame = owned.encoded();
        frame[1] = flags;
        prop_assert_eq!(wire::decode(&frame), Err(DecodeError::UnknownKind(frame[0])));
    }

    #[test]
    fn trailing_bytes_are_refused(owned in message(), more in vec(any::<u8>(), 1..20)) {
        prop_assume!(matches!(owned.body, OwnedBody::Plain(_)));
        let mut frame = owned.encoded();
        frame.extend_from_slice(&more);
        prop_assert_eq!(wire::decode(&frame), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn small_buffers_are_refused_with_what_is_needed(owned in message()) {
        let message = owned.message();
        let needed = wire::encoded_len(&message);
        for len in 0..needed {
            let mut frame = vec![0; len];
            prop_assert_eq!(
                wire::encode(&message, &mut frame),
                Err(EncodeError::BufferTooSmall { needed })
            );
        }
        let expected = owned.encoded();
        let mut exact = vec![0; needed];
        prop_assert_eq!(wire::encode(&message, &mut exact), Ok(&expected[..]));
        let mut larger = vec![0xee; needed + 7];
        prop_assert_eq!(wire::encode(&message, &mut larger), Ok(&expected[..]));
        prop_assert_eq!(&larger[needed..], &[0xee; 7]);
    }

    /// What a driver supplies for a chunk must be as long as the chunk wants.
    #[test]
    fn chunks_take_exactly_the_data_they_want(chunk in chunk(), wanted in 0..100_u32, len in 0..100_usize) {
        let body = Body::Chunk(Chunk { data: ChunkData::Wanted(wanted), ..chunk });
        let message = Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(2),
            term: Term::new(3),
            body,
        };
        let (mut frame, data) = (vec![0; 300], vec![0xa5; len]);
        let missing = EncodeError::ChunkData { wanted: wanted as usize };
        if wanted > 0 {
            prop_assert_eq!(wire::encode(&message, &mut frame), Err(missing));
        }
        let encoded = wire::encode_chunk(&message, &data, &mut frame);
        if len == wanted as usize {
            let received = Body::Chunk(Chunk { data: ChunkData::Received(&data), ..chunk });
            let expected = Message { body: received, ..message };
            prop_assert_eq!(wire::decode(encoded.expect("the right length")), Ok(expected));
        } else {
            prop_assert_eq!(encoded, Err(missing));
        }
    }
}

/// The distance was computed modulo 2^64 and so came out small: a commit of 0 was read as one beyond all entries.
#[test]
fn commit_too_far_from_prev_is_left_unsaid() {
    let far = 1_u64 << 31;
    for (prev, commit, stated) in [
        (0, far - 1, far - 1),
        (0, far, 0),
        (far, 1, 1),
        (far, 0, 0),
        (far + 5, 5, 0),
        (u64::MAX - 7, 0, 0),
        (u64::MAX - 7, u64::MAX, u64::MAX),
        (0, u64::MAX, 0),
    ] {
        let append = Append {
            prev: EntryId::new(LogIndex::new(prev), Term::new(1)),
            commit: LogIndex::new(commit),
            round: Round::ZERO,
            entries: Entries::EMPTY,
        };
        let mut frame = [0; wire::APPEND_HEADER_BYTES];
        let message = Message {
            group: GroupId::new(1),
            incarnation: Incarnation::new(2),
            term: Term::new(3),
            body: Body::Append(append),
        };
        let frame = wire::encode(&message, &mut frame).expect("exactly enough");
        let Body::Append(decoded) = wire::decode(frame).expect("our own frame").body else {
            panic!("an append stays an append");
        };
        assert_eq!(
            decoded.commit,
            LogIndex::new(stated),
            "{commit} after {prev}"
        );
        assert_eq!(decoded.prev, append.prev);
    }
}

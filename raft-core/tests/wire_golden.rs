//! The vectors of docs/WIRE.md, checked both ways: the document and the code cannot drift apart.
//!
//! To write new vectors, change the document: a vector that differs is printed as the code makes it.

use std::collections::BTreeMap;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Ack, Append, Body, Broadcast, Change, Chunk, ChunkAck, ChunkData, Config, Entries, EntryId,
    EntryKind, GroupId, Hollow, HollowEntries, Identity, Incarnation, LogIndex, Message, PreVote,
    PreVoteReply, Quiet, QuietReply, RECORD_HEADER_BYTES_MAX, Raft, ReadReply, ReadRequest,
    Recovered, Reject, Round, Snapshot, Standing, Term, Vote, VoteReply, wire,
};

const DOCUMENT: &str = include_str!("../../docs/WIRE.md");

type Machine = Raft<Vec<u8>, 5>;

/// The blocks of the document that begin with "```wire NAME": bytes in hexadecimal up to a bar, then what they mean.
fn vectors() -> BTreeMap<&'static str, Vec<u8>> {
    let mut vectors = BTreeMap::new();
    for block in DOCUMENT.split("```wire ").skip(1) {
        let block = block.split("```").next().expect("a part before the end");
        let (name, lines) = block.split_once('\n').expect("a name");
        let digits = |line: &'static str| line.split('|').next().expect("a part before the bar");
        let bytes = lines
            .lines()
            .flat_map(|line| digits(line).split_whitespace());
        let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).expect("two hexadecimal digits"));
        let earlier = vectors.insert(name.trim(), bytes.collect());
        assert!(earlier.is_none(), "{name} stands twice in the document");
    }
    vectors
}

/// Takes the vector of this name out, so that what the tests do not know is left over.
fn take(vectors: &mut BTreeMap<&'static str, Vec<u8>>, name: &str) -> Vec<u8> {
    vectors
        .remove(name)
        .unwrap_or_else(|| panic!("{name} is not in the document"))
}

#[track_caller]
fn assert_same(name: &str, made: &[u8], written: &[u8]) {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x} "))
            .collect::<String>()
    };
    assert!(
        made == written,
        "{name}: the code makes\n{}\nthe document has\n{}",
        hex(made),
        hex(written)
    );
}

/// Three entries of term 5, then a configuration of one witness and two voters.
const HOLLOW: [u8; 30] = [
    5, 0, 0, 0, 3, 0, 0, 0x30, 6, 0, 0, 0, 14, 0, 0, 0x20, 1, 0xc0, 0x84, 0x3d, 3, 1, 9, 1, 2, 9,
    1, 3, 9, 5,
];

const fn id(index: u64, term: u32) -> EntryId {
    EntryId::new(LogIndex::new(index), Term::new(term))
}

/// Stickiness and count, then node, incarnation and standing of each seat.
const CONFIGURATION: [u8; 17] = [1, 0xc0, 0x84, 0x3d, 4, 1, 9, 1, 2, 9, 1, 3, 9, 2, 4, 9, 0];

fn messages() -> Vec<(&'static str, Body<'static>)> {
    let ack = Ack {
        verified: LogIndex::new(1000),
        round: Round::new(0x0001_0000_0007),
        room: 4096,
        reject: None,
        chunk: None,
    };
    let append = Append {
        prev: id(1000, 5),
        commit: LogIndex::new(998),
        round: Round::new(0x0001_0000_0007),
        entries: Entries::EMPTY,
    };
    vec![
        (
            "pre-vote",
            Body::PreVote(PreVote {
                last: id(1000, 5),
                attempt: 3,
            }),
        ),
        (
            "pre-vote-reply",
            Body::PreVoteReply(PreVoteReply {
                attempt: 3,
                is_granted: true,
                removed_at: None,
            }),
        ),
        (
            "pre-vote-reply-removed",
            Body::PreVoteReply(PreVoteReply {
                attempt: 3,
                is_granted: false,
                removed_at: Some(id(1000, 5)),
            }),
        ),
        (
            "vote",
            Body::Vote(Vote {
                last: id(1000, 5),
                is_transfer: false,
            }),
        ),
        (
            "vote-transfer",
            Body::Vote(Vote {
                last: id(1000, 5),
                is_transfer: true,
            }),
        ),
        (
            "read-request",
            Body::ReadRequest(ReadRequest {
                nonce: 0x0102_0304_0506_0708,
                number: 12,
            }),
        ),
        (
            "read-reply",
            Body::ReadReply(ReadReply {
                nonce: 0x0102_0304_0506_0708,
                number: 12,
                index: LogIndex::new(1000),
            }),
        ),
        ("timeout-now", Body::TimeoutNow),
        (
            "quiet",
            Body::Quiet(Quiet {
                commit: LogIndex::new(1000),
                round: Round::new(0x0001_0000_0007),
            }),
        ),
        (
            "quiet-reply",
            Body::QuietReply(QuietReply {
                round: Round::new(0x0001_0000_0007),
                is_quiet: true,
            }),
        ),
        (
            "vote-reply",
            Body::VoteReply(VoteReply { is_granted: true }),
        ),
        ("heartbeat", Body::Append(append)),
        ("append", {
            let entries = Entries::from_bytes(&[
                6, 0, 0, 0, 0, 0, 0, 0x10, 6, 0, 0, 0, 5, 0, 0, 0, 104, 101, 108, 108, 111,
            ]);
            Body::Append(Append { entries, ..append })
        }),
        (
            "append-unstated",
            Body::Append(Append {
                commit: LogIndex::ZERO,
                prev: id(1 << 40, 5),
                ..append
            }),
        ),
        ("hollow", {
            let run = HollowEntries::from_bytes(&HOLLOW);
            Body::Hollow(Hollow {
                prev: append.prev,
                commit: append.commit,
                round: append.round,
                entries: run,
            })
        }),
        (
            "chunk-hollow",
            Body::Chunk(Chunk {
                snapshot: Snapshot {
                    last: id(990, 5),
                    size: 0,
                    checksum: 0,
                },
                configuration: &CONFIGURATION,
                round: Round::new(0x0001_0000_0007),
                offset: 0,
                data: ChunkData::Hollow,
            }),
        ),
        ("ack", Body::Ack(ack)),
        ("ack-full", {
            let reject = Some(Reject {
                prev: LogIndex::new(1004),
                hint: id(1002, 4),
            });
            let chunk = Some(ChunkAck {
                index: LogIndex::new(990),
                stored: 65_536,
            });
            Body::Ack(Ack {
                reject,
                chunk,
                ..ack
            })
        }),
        (
            "chunk",
            Body::Chunk(Chunk {
                snapshot: Snapshot {
                    last: id(990, 5),
                    size: 65_540,
                    checksum: 0x1234_5678,
                },
                configuration: &CONFIGURATION,
                round: Round::new(0x0001_0000_0007),
                offset: 65_536,
                data: ChunkData::Received(b"tail"),
            }),
        ),
    ]
}

#[test]
fn every_kind_of_message_is_as_written() {
    let mut vectors = vectors();
    vectors.retain(|name, _| !name.starts_with("record"));
    for (name, body) in messages() {
        let message = Message {
            group: GroupId::new(0x0123_4567_89ab_cdef),
            incarnation: Incarnation::new(0xa1b2_c3d4),
            term: Term::new(6),
            body,
        };
        let written = take(&mut vectors, name);
        let mut frame = [0; 256];
        let made = wire::encode(&message, &mut frame).expect("a short message");
        assert_same(name, made, &written);
        assert_eq!(wire::decode(&written), Ok(message), "{name}");
    }
    let body = Body::Append(Append {
        prev: id(1000, 5),
        commit: LogIndex::new(998),
        round: Round::new(0x0001_0000_0007),
        entries: Entries::EMPTY,
    });
    let broadcast = Broadcast {
        members: quorum::MemberSet::from_bits(0x0106),
        message: Message {
            group: GroupId::new(0x0123_4567_89ab_cdef),
            incarnation: Incarnation::new(0xa1b2_c3d4),
            term: Term::new(6),
            body,
        },
    };
    let written = take(&mut vectors, "broadcast");
    let mut frame = [0; 256];
    let made = wire::encode_broadcast(&broadcast, &mut frame).expect("a short one");
    assert_same("broadcast", made, &written);
    let decoded = wire::decode_frame(&written);
    assert_eq!(decoded, Ok(wire::Frame::Many(broadcast)));
    assert!(vectors.is_empty(), "nobody checks {:?}", vectors.keys());
}

fn config() -> Config {
    Config::builder(NodeId::new(1))
        .election_timeout(Duration::from_millis(1000), Duration::from_millis(2000))
        .build()
        .expect("sound")
}

/// Writes once, as a driver does.
fn write(raft: &mut Machine) -> Vec<u8> {
    let write = raft.poll_persist().expect("there is something to write");
    let record = write.record(&mut [0; RECORD_HEADER_BYTES_MAX]).concat();
    let ticket = write.into_ticket();
    raft.handle_persisted(Instant::ZERO, ticket)
        .expect("our own ticket");
    record
}

#[test]
fn records_are_as_written() {
    let mut vectors = vectors();
    vectors.retain(|name, _| name.starts_with("record"));
    let mut raft = Machine::found(config(), vec![0; 2048], 7, Instant::ZERO).expect("founded");
    let mut made = vec![("record-beginning", write(&mut raft))];
    raft.handle_timeout(Instant::ZERO).expect("alive");
    write(&mut raft);
    assert!(raft.is_leader());
    raft.propose(b"hello").expect("it leads");
    made.push(("record-entries", write(&mut raft)));
    let newcomer = Identity::new(NodeId::new(2), Incarnation::new(9));
    raft.reconfigure(&[Change::AddVoter(newcomer)])
        .expect("it leads");
    made.push(("record-configuration", write(&mut raft)));

    let mut recovered = Recovered::<_, 5>::new(vec![0; 2048]).expect("large enough");
    for (name, made) in made {
        let written = take(&mut vectors, name);
        assert_same(name, &made, &written);
        recovered.replay(&written).expect("a proper record");
    }
    assert!(vectors.is_empty(), "nobody checks {:?}", vectors.keys());
    let read =
        Machine::restore(config(), recovered, LogIndex::ZERO, 8, Instant::ZERO).expect("restores");
    assert_eq!(read.group(), raft.group());
    assert_eq!(read.identity(), raft.identity());
    assert_eq!(read.hard_state(), raft.hard_state());
    assert_eq!(read.commit(), LogIndex::new(2));
    let kinds: Vec<_> = (1..=3)
        .filter_map(|at| read.entry(LogIndex::new(at)))
        .map(|entry| entry.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EntryKind::Configuration,
            EntryKind::Command,
            EntryKind::Configuration
        ]
    );
    let standings: Vec<_> = read
        .members()
        .map(|seat| (seat.identity.node.value(), seat.standing))
        .collect();
    assert_eq!(standings, [(1, Standing::Voter), (2, Standing::Incoming)]);
}

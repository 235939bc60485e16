//! Journals that nobody wrote: `restore` takes them or says why not, and what it takes works.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::CampaignError;
use raft_core::{
    Config, EntryId, GroupId, HardState, Identity, Incarnation, LogIndex, Ready, Recovered,
    Snapshot, Standing, Term, wire,
};

use crate::bytes::Bytes;
use crate::host::{FRAME, MEMBERS, Machine};

const RECORDS_MAX: usize = 8;
const WINDOW: usize = 1600;
const STEPS_MAX: usize = 40;

/// Reads `data` as a journal, and runs what comes of it.
///
/// # Panics
///
/// When replaying or running panics or stops, or an invariant does not hold.
pub fn raft_restore(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut recovered = Recovered::<_, MEMBERS>::new(vec![0; WINDOW]).expect("large enough");
    for _ in 0..bytes.below(RECORDS_MAX + 1) {
        let record = match bytes.below(4) {
            0 => {
                let len = usize::from(bytes.u16() % 300);
                bytes.take(len).to_vec()
            }
            _ => record(&mut bytes),
        };
        let is_whole = !bytes.one_in(4);
        let cut = match is_whole {
            true => record.len(),
            false => usize::from(bytes.u8()) * record.len() / 255,
        };
        let _ = match is_whole {
            true => recovered.replay(&record[..cut]),
            false => recovered.replay_prefix(&record[..cut]),
        };
    }
    let now = Instant::from_micros(bytes.number(1_000_000));
    let applied = LogIndex::new(bytes.number(recovered.snapshot().last.index.value()));
    let (snapshot, seed) = (recovered.snapshot(), bytes.number(1));
    let Ok(raft) = Machine::restore(config(), recovered, applied, seed, now) else {
        return;
    };
    assert_eq!(raft.snapshot(), snapshot);
    assert_eq!(raft.check_invariants(), Ok(()));
    run(raft, &mut bytes, now);
}

fn config() -> Config {
    Config::builder(NodeId::new(1))
        .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
        .heartbeat_interval(Duration::from_millis(20))
        .frame_bytes_max(FRAME)
        .build()
        .expect("the settings are sound")
}

/// A record with a head that is well formed.
fn record(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let identity = |bytes: &mut Bytes<'_>| {
        let node = if bytes.one_in(8) { bytes.number(1) } else { 1 };
        Identity::new(NodeId::new(node), Incarnation::new(1))
    };
    let term = |bytes: &mut Bytes<'_>| Term::new((bytes.number(3) & 0xffff_ffff) as u32);
    let index = |bytes: &mut Bytes<'_>| LogIndex::new(bytes.number(3));
    let mut seats = Vec::new();
    let begins = bytes.one_in(2);
    if begins && !bytes.one_in(4) {
        configuration(bytes, &mut seats);
    }
    let mut entries = Vec::new();
    for _ in 0..bytes.below(6) {
        entry(bytes, &mut entries);
    }
    let snapshot = Snapshot {
        last: EntryId::new(index(bytes), term(bytes)),
        size: bytes.number(9),
        checksum: 0,
    };
    let vote = bytes.one_in(2).then(|| identity(bytes));
    let after = match begins && !bytes.one_in(8) {
        true => snapshot.last.index,
        false => index(bytes),
    };
    let claimed = match bytes.one_in(16) {
        true => (bytes.number(9) & 0xffff_ffff) as u32,
        false => entries.len() as u32,
    };
    let head = (
        if bytes.one_in(32) { bytes.u8() } else { 1 },
        GroupId::new(if bytes.one_in(16) { 8 } else { 7 }),
        identity(bytes),
        HardState {
            term: term(bytes),
            vote,
        },
        index(bytes),
        begins.then_some((snapshot, seats.len() as u16)),
        after,
        claimed,
    );
    let mut scratch = [0; 256];
    let head = postcard::to_slice(&head, &mut scratch).expect("no head is that long");
    [&*head, &seats, &entries].concat()
}

fn entry(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) {
    let term = (bytes.number(3) & 0xffff_ffff) as u32;
    let kind = u32::from(bytes.u8() % 4);
    let mut payload = Vec::new();
    match kind {
        2 => configuration(bytes, &mut payload),
        _ => payload.resize(usize::from(bytes.u8() % 64), 9),
    }
    let claimed = match bytes.one_in(32) {
        true => bytes.number(9) as u32,
        false => payload.len() as u32 | kind << 28,
    };
    out.extend_from_slice(&term.to_le_bytes());
    out.extend_from_slice(&claimed.to_le_bytes());
    out.extend_from_slice(&payload);
}

fn configuration(bytes: &mut Bytes<'_>, out: &mut Vec<u8>) {
    let standings = [
        Standing::Voter,
        Standing::Learner,
        Standing::Incoming,
        Standing::Outgoing,
        Standing::Demoted,
    ];
    let count = bytes.below(MEMBERS + 2) as u16;
    let head = (1_u8, bytes.number(100_000), count);
    let mut scratch = [0; 64];
    out.extend_from_slice(postcard::to_slice(&head, &mut scratch).expect("short"));
    let mut node = 0;
    for _ in 0..count {
        node += 1 + u64::from(bytes.one_in(4));
        let incarnation = Incarnation::new(u32::from(!bytes.one_in(8)));
        let standing = standings[bytes.below(8).min(standings.len() - 1)];
        let seat = (NodeId::new(node), incarnation, standing);
        let mut scratch = [0; 64];
        out.extend_from_slice(postcard::to_slice(&seat, &mut scratch).expect("short"));
    }
}

/// The machine goes on from what it was given.
fn run(mut raft: Machine, bytes: &mut Bytes<'_>, mut now: Instant) {
    for _ in 0..STEPS_MAX {
        let Some(step) = bytes.first() else {
            break;
        };
        match step % 6 {
            0 | 1 => {
                now = raft.poll_timeout().unwrap_or(now).max(now);
                raft.handle_timeout(now).expect("never stopped");
            }
            2 => {
                let len = usize::from(bytes.u8());
                let from = NodeId::new(bytes.below(6) as u64);
                let mut frame = bytes.take(len).to_vec();
                if let Some(group) = frame.get_mut(8..16) {
                    group.copy_from_slice(&raft.group().value().to_le_bytes());
                }
                if let Ok(message) = wire::decode(&frame) {
                    raft.handle_message(now, from, message)
                        .expect("never stopped");
                }
            }
            3 => {
                let payload = vec![5; usize::from(bytes.u8())];
                let _ = raft.propose(&payload);
            }
            4 => {
                let size = bytes.number(3);
                let _ = raft.compact(raft.delivered(), size, 1);
            }
            _ => {
                let done = raft.campaign(now);
                assert!(
                    !matches!(done, Err(CampaignError::Faulted(_))),
                    "never stopped"
                );
            }
        }
        if let Some(write) = raft.poll_persist() {
            let ticket = write.into_ticket();
            raft.handle_persisted(now, ticket).expect("our own ticket");
        }
        let mut sent = 0;
        while let Some(transmit) = raft.poll_transmit(now, Ready::All) {
            let mut frame = [0; FRAME];
            let data = [1; FRAME];
            let wanted = match &transmit.message.body {
                raft_core::Body::Chunk(raft_core::Chunk {
                    data: raft_core::ChunkData::Wanted(len),
                    ..
                }) => *len as usize,
                _ => 0,
            };
            wire::encode_chunk(&transmit.message, &data[..wanted], &mut frame).expect("fits");
            sent += 1;
            assert!(sent < 1000, "it never stops sending");
        }
        while raft.poll_committed().is_some() {}
        assert_eq!(raft.fault(), None);
        assert_eq!(raft.check_invariants(), Ok(()));
    }
}

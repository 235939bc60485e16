//! What is stored and sent beside entries: values through serde, arithmetic, settings.

use std::fmt::Debug;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Ack, Change, Config, EntryId, Event, HardState, Identity, LogIndex, PreVote, PreVoteReply,
    Raft, Ready, Round, Seat, Snapshot, Standing, Status, Term, Vote, VoteReply,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::bytes::Bytes;

/// Reads `data` as values of every kind, and calculates with them.
///
/// # Panics
///
/// When a value does not come back, or a number is not what it should be.
pub fn raft_values(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let kind = bytes.u8();
    let rest = data.get(1..).unwrap_or_default();
    match kind % 20 {
        0 => comes_back::<Seat>(rest),
        1 => comes_back::<Change>(rest),
        2 => comes_back::<Identity>(rest),
        3 => comes_back::<HardState>(rest),
        4 => comes_back::<Snapshot>(rest),
        5 => comes_back::<EntryId>(rest),
        6 => comes_back::<Event>(rest),
        7 => comes_back::<Ack>(rest),
        8 => comes_back::<PreVote>(rest),
        9 => comes_back::<PreVoteReply>(rest),
        10 => comes_back::<Vote>(rest),
        11 => comes_back::<VoteReply>(rest),
        12 => comes_back::<Standing>(rest),
        13 => comes_back::<Status>(rest),
        14 => comes_back::<(Term, LogIndex, Round, NodeId)>(rest),
        15 | 16 => settings(&mut bytes),
        _ => numbers(&mut bytes),
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    let Ok((value, _)) = postcard::take_from_bytes::<T>(data) else {
        return;
    };
    let mut scratch = [0; 256];
    let bytes = postcard::to_slice(&value, &mut scratch).expect("no value is that long");
    assert_eq!(postcard::from_bytes::<T>(bytes).as_ref(), Ok(&value));
}

fn numbers(bytes: &mut Bytes<'_>) {
    let (a, b) = (bytes.number(30), bytes.number(30));
    let (one, other) = (LogIndex::new(a), LogIndex::new(b));
    assert_eq!(one.next().value(), a.saturating_add(1));
    assert_eq!(one.previous().value(), a.saturating_sub(1));
    assert_eq!(one.plus(b).value(), a.saturating_add(b));
    assert_eq!(one.since(other), a.saturating_sub(b));
    let term = Term::new((a & 0xffff_ffff) as u32);
    assert_eq!(
        term.next().map(Term::value),
        (a as u32).checked_add(1),
        "{term}"
    );
    let round = Round::new(a);
    assert!(round <= Round::MAX && round.next() <= Round::MAX && round.next() >= round);
    // One of two logs is at least as up to date, both only if they end alike.
    let x = EntryId::new(one, Term::new((bytes.number(3) & 7) as u32));
    let y = EntryId::new(other, Term::new((bytes.number(3) & 7) as u32));
    let naive = (x.term, x.index) >= (y.term, y.index);
    assert_eq!(x.is_up_to_date_with(y), naive);
    assert!(x.is_up_to_date_with(y) || y.is_up_to_date_with(x));
    assert_eq!(x.is_up_to_date_with(y) && y.is_up_to_date_with(x), x == y);
}

/// Settings that are accepted work, however odd they are.
fn settings(bytes: &mut Bytes<'_>) {
    let micros = |bytes: &mut Bytes<'_>, near| Duration::from_micros(bytes.number(near));
    let (min, max) = (micros(bytes, 100_000), micros(bytes, 200_000));
    let (interval, persist) = (micros(bytes, 20_000), micros(bytes, 1_000_000));
    let frame = bytes.number(100) as usize;
    let built = Config::builder(NodeId::new(bytes.number(1)))
        .election_timeout(min, max)
        .heartbeat_interval(interval)
        .persist_timeout(persist)
        .frame_bytes_max(frame)
        .build();
    let Ok(config) = built else {
        return;
    };
    assert!(interval.saturating_mul(2) <= min && min < max && persist > Duration::ZERO);
    let (seed, window) = (bytes.number(1), bytes.number(2048) as usize % 8192);
    let mut now = Instant::from_micros(bytes.number(1_000_000));
    let Ok(mut raft) = Raft::<_, 3>::found(config, vec![0; window], seed, now) else {
        return;
    };
    for step in 0..20_u64 {
        now = raft.poll_timeout().unwrap_or(now).max(now);
        raft.handle_timeout(now).expect("never stopped");
        if let Some(write) = raft.poll_persist() {
            let ticket = write.into_ticket();
            raft.handle_persisted(now, ticket).expect("our own ticket");
        }
        let payload = vec![7; bytes.number(step) as usize % 600];
        let _ = raft.propose(&payload);
        let mut sent = 0;
        while raft.poll_transmit(now, Ready::All).is_some() {
            sent += 1;
            assert!(sent < 1000, "it never stops sending");
        }
        while raft.poll_committed().is_some() {}
        let _ = raft.compact(raft.delivered(), step, 0);
        assert_eq!(raft.check_invariants(), Ok(()));
    }
}

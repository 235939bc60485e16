//! Frames and messages are two ways to say the same: whatever a node is given or asked for as a frame, it does as if
//! the frame had been decoded or the message encoded. What the other tests send goes both ways too, see `support`.

mod support;

use clocks::{Duration, Instant, Jitter};
use quorum::NodeId;
use raft_core::error::FrameError;
use raft_core::wire::{self, EncodeError};
use raft_core::{Body, ChunkData, Piece, Ready};
use support::{FRAME, Machine, World};

/// What a node makes of a frame that it decodes first.
fn decoded<'f>(
    raft: &mut Machine,
    now: Instant,
    from: NodeId,
    frame: &'f [u8],
) -> Result<Option<Piece<'f>>, FrameError> {
    let message = wire::decode(frame).map_err(FrameError::Malformed)?;
    let done = raft.handle_message(now, from, message);
    Ok(done.expect("never faulted"))
}

/// A group at work, with frames on their way.
fn busy(seed: u64) -> World {
    let mut world = World::group(3);
    let leader = world.leader().expect("a leader");
    for number in 0..seed % 4 {
        world.propose(&[number as u8; 20]);
    }
    let silence = Duration::from_millis(100 * (seed % 5) * (seed % 5));
    world.now = world.now.saturating_add(silence);
    for id in 1..=3 {
        let now = world.now;
        world.raft(id).handle_timeout(now).expect("never faulted");
        world.drain(id);
    }
    if seed.is_multiple_of(3) {
        world.isolate(leader);
    }
    world
}

/// Some bytes of a frame are others, or some are missing or too many.
fn damaged(frame: &[u8], jitter: &mut Jitter) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    for _ in 0..jitter.below(3) {
        let place = jitter.below(bytes.len() as u64) as usize;
        bytes[place] = match jitter.below(3) {
            0 => bytes[place] ^ (1 << jitter.below(8)),
            1 => jitter.below(256) as u8,
            _ => bytes[place].wrapping_add(1),
        };
    }
    match jitter.below(8) {
        0 => bytes.truncate(jitter.below(bytes.len() as u64 + 1) as usize),
        1 => bytes.push(0),
        _ => {}
    }
    bytes
}

#[test]
fn damaged_frame_does_what_its_message_would() {
    let jitter = &mut Jitter::new(11);
    let (mut refused, mut taken) = (0, 0);
    for seed in 0..60 {
        let mut world = busy(seed);
        let frames: Vec<_> = world.wire.iter().cloned().collect();
        for (frame, _) in frames
            .iter()
            .flat_map(|frame| (0..40).map(move |turn| (frame, turn)))
        {
            let bytes = damaged(&frame.bytes, jitter);
            let from = NodeId::new(frame.from);
            let (mut one, mut other) = (world.raft(frame.to).clone(), world.raft(frame.to).clone());
            let made = one.handle_frame(world.now, from, &bytes);
            assert_eq!(
                made,
                decoded(&mut other, world.now, from, &bytes),
                "{bytes:?}"
            );
            assert!(one == other, "the same state after {bytes:?}");
            match made {
                Ok(_) => taken += 1,
                Err(_) => {
                    assert!(one == *world.raft(frame.to), "no change on error");
                    refused += 1;
                }
            }
        }
    }
    assert!(
        refused > 1000 && taken > 1000,
        "{refused} refused, {taken} taken"
    );
}

#[test]
fn short_buffer_is_refused_and_nothing_changes() {
    let mut world = World::group(3);
    let leader = world.leader().expect("a leader");
    world.propose(b"to be sent");
    let (now, raft) = (world.now, world.raft(leader));
    let before = raft.clone();
    let mut short = [0; FRAME - 1];
    let refused = raft.poll_frame(now, Ready::All, &mut short);
    assert_eq!(refused, Err(EncodeError::BufferTooSmall { needed: FRAME }));
    assert!(*raft == before, "no change on error");
    let mut buffer = [0; FRAME];
    let sent = raft.poll_frame(now, Ready::All, &mut buffer);
    assert!(matches!(sent, Ok(Some(_))), "and the entry still leaves");
}

#[test]
fn frame_with_a_piece_of_the_snapshot_leaves_its_place() {
    let mut world = World::group(3);
    let leader = world.leader().expect("a leader");
    let away = 1 + leader % 3;
    world.crash(away);
    for number in 0..10 {
        world.propose(&[number; 50]);
        world.settle();
    }
    world.compact(leader);
    let now = world.now.saturating_add(Duration::from_millis(100));
    let raft = world.raft(leader);
    let away = NodeId::new(away);
    raft.handle_unreachable(now, away).expect("never faulted");
    raft.handle_timeout(now).expect("never faulted");
    let (mut buffer, mut pieces) = ([0; FRAME], 0);
    while let Some(mut frame) = raft.poll_frame(now, Ready::All, &mut buffer).expect("fits") {
        let Some(wanted) = frame.wanted else {
            assert!(frame.data().is_empty());
            continue;
        };
        assert_eq!(frame.data().len(), wanted.len as usize);
        frame.data().fill(7);
        let message = wire::decode(frame.bytes).expect("a whole frame");
        let Body::Chunk(chunk) = message.body else {
            panic!("only a chunk wants anything");
        };
        assert_eq!(
            (chunk.snapshot, chunk.offset),
            (raft.snapshot(), wanted.offset)
        );
        let data = vec![7; wanted.len as usize];
        assert_eq!(chunk.data, ChunkData::Received(&data));
        pieces += 1;
    }
    assert_eq!(pieces, 1, "for whoever is away");
}

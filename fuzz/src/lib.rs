#![forbid(unsafe_code)]
//! Can a peer's bytes, a spoiled journal, or a driver's odd order of calls, hurt a node?
//!
//! A target is an ordinary function of bytes, so that what a fuzzer found replays anywhere:
//!
//! | target | what the bytes are | what must hold |
//! |---|---|---|
//! | [`raft_messages`] | operations on a running group | the rules of every node; the group's while nobody lies |
//! | [`wire_decode`] | a frame | decoding is total, and accepts one encoding of each message |
//! | [`raft_restore`] | a journal | it is refused or taken, and what is taken works |
//! | [`raft_window`] | operations on a log | the ring is a list |
//! | [`raft_values`] | a value, or settings | it comes back; what is accepted works |
//! | [`session_table`] | a table, and commands of sessions | nothing is executed twice, or for another's nonce; a snapshot changes nothing, an enlarged table no answer |
//! | [`quorum_sets`] | voters, votes, indexes | counting on fingers says the same |
//! | [`clock_values`] | operations on clocks | numbers of unlimited size say the same |
//! | [`kv_resp`] | what a client sends to `examples/kv` | pieces mean what the whole means, in bounded memory |
//!
//! [`raft_messages`] reads its
//! input as a list of operations on a running group of three: deliver a frame, a damaged one or an invented one, let
//! time pass, write, fail to write, crash, come back, propose, read, hand over, change the membership, compact. After every operation
//! the touched node is checked against the rules that hold whatever the others say. As long as nobody lied, the group
//! as a whole is checked too.
//!
//! A frame that was made up is a lie. A node that believes its peers can then commit what they did not agree on; it
//! must still not panic, stop, or break a promise of its own.
//!
//! ```text
//! cargo +nightly fuzz run raft_messages fuzz/corpus-work/raft_messages fuzz/corpus/raft_messages -- -max_total_time=1800
//! cargo test --manifest-path fuzz/Cargo.toml                           replay the committed inputs on any compiler
//! cargo run --release --manifest-path fuzz/Cargo.toml --bin raft_messages -- FILE ...      replay these
//! ```
//!
//! Inputs in the corpus whose name is in words are histories in which a fault of raft-core, once found or
//! seeded, showed: `tests/hostile.rs` of that crate tells most of them.

mod bytes;
mod clock_values;
mod host;
mod invent;
#[cfg(not(test))]
mod kv_resp;
mod quorum_sets;
mod raft_restore;
mod raft_values;
mod raft_window;
mod session_table;
// Its own tests run where the files belong, and need what is not here.
#[cfg(not(test))]
#[allow(dead_code, unused_imports, unreachable_pub)]
#[rustfmt::skip]
mod resp;
mod wire_decode;
mod world;

pub use bytes::Bytes;
pub use clock_values::clock_values;
#[cfg(not(test))]
pub use kv_resp::kv_resp;
pub use quorum_sets::quorum_sets;
pub use raft_restore::raft_restore;
pub use raft_values::raft_values;
pub use raft_window::raft_window;
pub use session_table::session_table;
pub use wire_decode::wire_decode;
pub use world::World;

/// Replays the files that are named on the command line.
///
/// # Panics
///
/// When a file cannot be read, or what it holds is a finding.
pub fn replay(name: &str, target: fn(&[u8])) {
    let mut replayed = 0;
    for path in std::env::args().skip(1) {
        target(&std::fs::read(&path).expect("a readable file"));
        replayed += 1;
    }
    println!("{replayed} inputs replayed; to look for new ones: cargo +nightly fuzz run {name}");
}

/// The operations per input: more would only make each input slower, not reach further.
const OPERATIONS_MAX: usize = 400;

/// Drives a group of three by `data`.
///
/// # Panics
///
/// When a node panics, stops or breaks a rule: that is the finding.
pub fn raft_messages(data: &[u8]) {
    play(data);
}

fn play(data: &[u8]) -> World {
    let mut bytes = Bytes::new(data);
    let mut world = World::trio();
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = bytes.first() else {
            break;
        };
        operate(&mut world, operation, &mut bytes);
    }
    world.check_everyone();
    world
}

fn operate(world: &mut World, operation: u8, bytes: &mut Bytes<'_>) {
    match operation {
        // In places that older inputs hardly use, so that those go on meaning what they mean.
        167 | 191 => return world.read(bytes),
        215 => return world.transfer(bytes),
        _ => {}
    }
    match operation % 24 {
        0 | 1 => world.deliver(bytes),
        2 => world.deliver_twice(bytes),
        3 => world.lose(bytes),
        4 | 5 => world.deliver_damaged(bytes),
        6 => world.deliver_raw(bytes),
        7 | 8 => world.deliver_invented(bytes),
        9 => world.tick(bytes),
        10 => world.persist(bytes),
        11 => world.persist_begin(bytes),
        12 => world.persist_end(bytes),
        13 => world.persist_fail(bytes),
        14 => world.crash(bytes),
        15 => world.propose(bytes),
        16 => world.reconfigure(bytes),
        17 => world.compact(bytes),
        18 => world.transmit(bytes),
        19 => world.apply(bytes),
        20 => world.settle(),
        21 => world.run(bytes),
        22 => world.store_pieces(bytes),
        _ => world.nudge(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::play;

    #[test]
    fn reads_and_handovers_in_the_corpus_get_somewhere() {
        let world = play(include_bytes!("../corpus/raft_messages/reads"));
        assert!(world.answered >= 10, "{}", world.answered);
        let world = play(include_bytes!("../corpus/raft_messages/transfer"));
        assert!(world.handovers >= 3, "{}", world.handovers);
    }
}

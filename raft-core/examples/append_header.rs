//! Encodes and decodes the header of an append as often as it is told, so that an instruction
//! counter can say what one costs: see `docs/WIRE.md`.

use std::hint::black_box;

use raft_core::{
    Append, Body, Entries, EntryId, GroupId, Incarnation, LogIndex, Message, Round, Term, wire,
};

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok());
    let append = Append {
        prev: EntryId::new(LogIndex::new(7), Term::new(2)),
        commit: LogIndex::new(6),
        round: Round::new(9),
        entries: Entries::EMPTY,
    };
    let message = Message {
        group: GroupId::new(1),
        incarnation: Incarnation::new(2),
        term: Term::new(3),
        body: Body::Append(append),
    };
    let mut frame = [0; 64];
    for _ in 0..rounds.unwrap_or(100_000_u32) {
        let bytes =
            wire::encode(black_box(&message), &mut frame).expect("the frame is large enough");
        black_box(wire::decode(black_box(bytes)).expect("our own frame"));
    }
}

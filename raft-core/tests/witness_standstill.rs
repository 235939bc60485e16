//! What a witness may be told, so that nobody who could win is refused by it.

mod support;

use raft_core::{DropReason, Seat, Standing};
use support::past::{Past, seats};
use support::solo::{Run, Said, Solo, ack, hollow};

const V: Standing = Standing::Voter;
const W: Standing = Standing::Witness;

fn is_told(sent: &[(u64, u32, Said)], witness: u64) -> bool {
    let mut said = sent.iter().filter(|(to, _, _)| *to == witness);
    said.any(|(_, _, said)| matches!(said, Said::Hollow { runs, .. } if !runs.is_empty()))
}

fn leader(members: Vec<Seat>) -> Solo {
    Past::new(1).members(members).log(&[1]).establish()
}

/// Of four, two full members are left when the leader is lost. A witness that knew of an entry
/// which nobody else has refused both of them, although nothing was committed.
#[test]
fn witness_knew_more_than_a_majority_without_its_leader() {
    let mut solo = leader(seats(&[(1, V), (2, V), (3, V), (4, W)]));
    solo.raft.propose(b"x").unwrap();
    solo.sends();
    solo.store();
    assert!(!is_told(&solo.sends(), 4), "one copy is not enough");
    let (last, term) = (solo.last(), solo.term());
    let outcome = solo.say(2, term, ack(last.0, 0));
    let sent: Vec<Said> = outcome.to(4);
    let is_told = |said: &Said| matches!(said, Said::Hollow { runs, .. } if !runs.is_empty());
    assert!(sent.iter().any(is_told), "a second copy is: {sent:?}");
}

/// With two full members the leader's copy is enough, or the loss of the other would stop them.
#[test]
fn leader_of_two_tells_its_witness_what_it_has() {
    let mut solo = leader(seats(&[(1, V), (2, V), (3, W)]));
    solo.raft.propose(b"x").unwrap();
    solo.sends();
    solo.store();
    assert!(is_told(&solo.sends(), 3));
}

/// A leader that is out of the configuration adds an entry, which reached the witness and then
/// nobody any more: the last full member was refused for ever.
#[test]
fn witness_knew_more_than_the_last_member_with_a_payload() {
    let members = seats(&[(1, Standing::Outgoing), (2, V), (3, W)]);
    let mut solo = leader(members);
    solo.raft.propose(b"x").unwrap();
    solo.sends();
    solo.store();
    assert!(!is_told(&solo.sends(), 3));
}

/// Terms below the base were skipped with the entries that they stand for, and the log's end fell
/// back into an earlier term.
#[test]
fn run_across_the_base_had_another_term() {
    let members = seats(&[(1, V), (2, V), (3, W)]);
    let mut solo = Past::new(3)
        .members(members)
        .witness(&[5, 5, 5])
        .commit(3)
        .term(6)
        .start();
    let at = solo.raft.delivered();
    solo.raft
        .compact(at, 0, 0)
        .expect("a witness has nothing to save");
    let (base, last) = (solo.raft.base(), solo.last());
    assert_eq!(base.index.value(), last.0);
    let before = (base.index.value() - 2, 5);
    let outcome = solo.say(1, 6, hollow(before, last.0 + 3, 1, &[(3, Run::Entries(5))]));
    assert_eq!(outcome.dropped(), Some(DropReason::Malformed));
    let older = (base.index.value() - 2, 2);
    let outcome = solo.say(1, 6, hollow(older, last.0 + 3, 1, &[(3, Run::Entries(5))]));
    assert_eq!(outcome.dropped(), Some(DropReason::ConflictBelowCommit));
    assert_eq!(solo.last(), last);
}

//! Bugs of this crate that were found and fixed, each under the name of its cause.

mod support;

use clocks::Instant;
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{
    Body, DropReason, EntryId, Event, HardState, Identity, Incarnation, LogIndex, Message,
    Recovered, Role, Snapshot, Term, Vote,
};
use support::past::{
    Item, Past, command, commands, encode_entries, encode_seats, identity, record_header, voters,
};
use support::solo::{Said, append, reject};

/// At the end of time every timer was due again as soon as it was set, and the call never ended.
#[test]
fn timers_at_the_end_of_time_fired_for_ever() {
    for past in [Past::new(1), Past::new(1).voters(&[1])] {
        let mut solo = past.establish();
        for _ in 0..3 {
            solo.now = Instant::from_micros(u64::MAX);
            solo.raft.handle_timeout(solo.now).unwrap();
            solo.drain();
        }
    }
}

/// A candidate that finished receiving a snapshot took its configuration, and its votes, noted
/// by place in the member table, became those of other members.
#[test]
fn votes_changed_hands_when_a_candidate_installed_a_snapshot() {
    // {1, 2, 3}; node 3 stores the last piece of a snapshot while it stands for election.
    let mut solo = Past::new(3).start();
    let seats = voters(&[3, 4, 5, 6]);
    let said = Said::Chunk {
        last: (9, 1),
        size: 4,
        offset: 0,
        round: 1,
        data: b"nine".to_vec(),
        configuration: encode_seats(&seats, 100_000),
    };
    let (now, mut receipt) = (solo.now, None);
    said.with(1, 1, 0, |message| {
        let piece = solo.raft.handle_message(now, NodeId::new(1), message);
        receipt = piece.unwrap().map(|piece| piece.into_receipt());
    });
    solo.drain();
    solo.pass(300);
    solo.run_for_office();
    solo.raft.handle_stored(solo.now, receipt.unwrap()).unwrap();
    solo.drain();
    assert_eq!(solo.raft.role(), Role::Follower);
    assert_eq!(solo.raft.base().index, LogIndex::new(9));
    for peer in [1, 2, 4, 5] {
        solo.say(peer, 2, Said::VoteReply(true));
    }
    assert!(!solo.raft.is_leader(), "the old votes are void");
}

/// The answer to a new life of a member was made out to the old one: the vote was given, and the
/// candidate was told the contrary.
#[test]
fn vote_for_a_new_life_was_denied_to_it() {
    let mut solo = Past::new(2).term(3).start();
    let incarnation = Incarnation::new(99);
    let (now, body) = (
        solo.now,
        Body::Vote(Vote {
            last: EntryId::ZERO,
            is_transfer: false,
        }),
    );
    let message = Message {
        group: solo.raft.group(),
        incarnation,
        term: Term::new(4),
        body,
    };
    solo.take(now, 3, message);
    let vote = solo.raft.hard_state().vote.unwrap();
    assert_eq!(vote, Identity::new(NodeId::new(3), incarnation));
    assert_eq!(solo.drain().sent, [(3, 4, Said::VoteReply(true))]);
}

/// A follower that had learned the new term elsewhere voted in it although it had just heard
/// from its leader.
#[test]
fn stickiness_held_only_for_higher_terms() {
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 3, append((0, 0), 0, 1, &[]));
    solo.say(3, 4, Said::VoteReply(false));
    assert_eq!(solo.term(), 4);
    let outcome = solo.say(3, 4, Said::Vote { last: (9, 3) });
    assert_eq!(outcome.sent, [(3, 4, Said::VoteReply(false))]);
    assert_eq!(solo.vote(), None);
    solo.pass(100);
    let outcome = solo.say(3, 4, Said::Vote { last: (9, 3) });
    assert_eq!(outcome.sent, [(3, 4, Said::VoteReply(true))]);
}

/// A torn record that begins anew replaced the whole log by what was left of it, acknowledged
/// entries of the older records included.
#[test]
fn torn_new_beginning_dropped_acknowledged_entries() {
    let old = Past::new(2).log(&[1, 1, 1, 1]).record();
    let snapshot = Snapshot {
        last: EntryId::new(LogIndex::new(2), Term::new(1)),
        ..Snapshot::default()
    };
    let configuration = encode_seats(&voters(&[1, 2, 3]), 100_000);
    let entries = encode_entries(&commands(3, &[1, 1]));
    let hard = HardState {
        term: Term::new(1),
        vote: None,
    };
    let beginning = Some((snapshot, configuration.len() as u16, false));
    let header = record_header(identity(2), hard, 2, beginning, 2, entries.len());
    let torn = [header, configuration, entries[..12].to_vec()].concat();
    let mut recovered: Recovered<Vec<u8>, 5> = Recovered::new(vec![0; 4096]).unwrap();
    recovered.replay(&old).unwrap();
    let before = format!("{recovered:?}");
    assert_eq!(
        recovered.replay_prefix(&torn),
        Err(RestoreError::DamagedRecord)
    );
    assert_eq!(format!("{recovered:?}"), before, "nothing changed");
}

/// A record that was found to be damaged half way had already cut off the log.
#[test]
fn damaged_record_cut_the_log_before_it_was_refused() {
    let old = Past::new(2).log(&[2, 2, 2, 2]).record();
    let hard = HardState {
        term: Term::new(2),
        vote: None,
    };
    let bad_bodies = [
        // A term that falls, and a configuration that is none.
        encode_entries(&[(2, command(3, 2)), (1, command(4, 1))]),
        encode_entries(&[(2, command(3, 2)), (2, Item::Seats(Vec::new()))]),
        vec![0xff; 20],
    ];
    for body in bad_bodies {
        let header = record_header(identity(2), hard, 0, None, 2, body.len());
        let mut recovered: Recovered<Vec<u8>, 5> = Recovered::new(vec![0; 4096]).unwrap();
        recovered.replay(&old).unwrap();
        let before = format!("{recovered:?}");
        let record = [header, body].concat();
        assert_eq!(recovered.replay(&record), Err(RestoreError::DamagedRecord));
        assert_eq!(format!("{recovered:?}"), before);
    }
}

/// A write that completed late, with more to write behind it, stopped the clock on the medium:
/// the next one could hang for ever.
#[test]
fn medium_that_hung_twice_was_noticed_once() {
    let mut solo = Past::new(1).log(&[1]).start();
    solo.hear(2, 1, &append((1, 1), 0, 1, &commands(2, &[1])));
    let write = solo.take_write().unwrap();
    solo.hear(2, 1, &append((2, 1), 0, 1, &commands(3, &[1])));
    solo.tick(1000);
    assert!(solo.events().contains(&Event::DiskStalled));
    solo.finish_write(write);
    let _hangs = solo.take_write().unwrap();
    for _ in 0..11 {
        solo.tick(100);
    }
    assert!(solo.events().contains(&Event::DiskStalled));
}

/// The event was said to mean that the proposals would never be committed: but a third node may
/// still have them, and lead later, `[Ongaro14 §3.6.2]` (figure 8).
#[test]
fn lost_proposal_was_taken_for_one_that_is_never_committed() {
    // This node led in term 2 and brought its entry to node 2 alone.
    let mut solo = Past::new(1).voters(&[1, 2, 3, 4, 5]).log(&[1, 2]).start();
    let proposed = command(2, 2);
    let lost = solo.say(3, 3, append((1, 1), 1, 1, &[(3, Item::NoOp)]));
    let event = Event::Lost {
        from: LogIndex::new(2),
        below: Term::new(3),
    };
    assert!(lost.events.contains(&event), "{lost:?}");
    // Node 3 is gone before anybody else has its entry; nodes 4 and 5 vote for node 2.
    let entries = [(2, proposed), (4, Item::NoOp)];
    let heard = solo.say(2, 4, append((1, 1), 3, 1, &entries));
    assert!(heard.applied.contains(&2), "{heard:?}");
    assert_eq!(solo.terms(), [1, 2, 4]);
}

/// A candidate that claimed a log from after its own term got a vote for it.
#[test]
fn log_from_the_future_won_votes() {
    let mut solo = Past::new(3).start();
    let attempt = 5;
    let said = solo.say(
        1,
        3,
        Said::PreVote {
            last: (9, 4),
            attempt,
        },
    );
    let refused = Said::PreVoteReply {
        attempt,
        granted: false,
    };
    assert_eq!(said.to(1), [refused]);
    let said = solo.say(1, 4, Said::Vote { last: (9, 5) });
    assert_eq!(said.dropped(), Some(DropReason::Malformed));
    assert_eq!(solo.vote(), None);
    let said = solo.say(1, 4, Said::Vote { last: (9, 4) });
    assert_eq!(said.to(1), [Said::VoteReply(true)]);
}

/// A leader that compacted faster than the follower's medium stored made it begin again and again:
/// a later snapshot took the place of the one of which a piece was being stored.
#[test]
fn snapshot_being_stored_gave_way_to_a_later_one() {
    let mut solo = Past::new(3).start();
    let piece = |last| Said::Chunk {
        last,
        size: 8,
        offset: 0,
        round: 1,
        data: b"half".to_vec(),
        configuration: encode_seats(&voters(&[1, 2, 3]), 100_000),
    };
    let now = solo.now;
    let mut offer = |last| {
        piece(last).with(1, 1, 0, |message| {
            let piece = solo.raft.handle_message(now, NodeId::new(1), message);
            piece.unwrap().map(|piece| piece.into_receipt())
        })
    };
    let receipt = offer((9, 1)).expect("the first snapshot begins");
    assert!(offer((12, 1)).is_none(), "a piece of it is being stored");
    solo.raft.handle_stored(now, receipt).unwrap();
    let again = piece((12, 1)).with(1, 1, 0, |message| {
        let piece = solo.raft.handle_message(now, NodeId::new(1), message);
        piece.unwrap().is_some()
    });
    assert!(again, "it is stored: a later one may begin");
}

/// As a message may not, a record may not begin where there is no place for entries behind it: those that it held all
/// stood at the last index. Found by the fuzz target `raft_restore`.
#[test]
fn record_that_begins_at_the_end_of_all_indexes_is_damaged() {
    for (index, is_sound) in [
        (u64::MAX / 2 + 1, true),
        (u64::MAX / 4 * 3, true),
        (u64::MAX / 4 * 3 + 1, false),
        (u64::MAX - 9, false),
    ] {
        let past = Past::new(1).base(index, 1, b"").log(&[1, 1, 1]);
        let mut recovered = Recovered::<_, 3>::new(vec![0; 4096]).expect("window");
        let replayed = recovered.replay(&past.record());
        match is_sound {
            true => assert_eq!(replayed, Ok(())),
            false => assert_eq!(replayed, Err(RestoreError::DamagedRecord)),
        }
    }
}

/// A follower that had lost what it acknowledged refused an append, was sent the same append at
/// once, refused it, and so on: frames without end, and more of them with each heartbeat.
#[test]
fn refusal_of_what_was_acknowledged_called_forth_the_same_append_at_once() {
    let mut solo = Past::new(1).establish();
    let (term, matched) = (solo.term(), solo.last().0);
    solo.raft.propose(b"one more").unwrap();
    solo.drain();
    solo.tick(50);
    solo.drain();
    // Node 2 has neither the new entry nor the one before it, which it acknowledged.
    let refuse = |prev| reject(matched - 1, 2, prev, (matched - 1, term));
    let asked = solo.say(2, term, refuse(matched + 1)).to(2);
    assert!(
        matches!(asked[..], [Said::Append { prev: (index, _), .. }] if index == matched),
        "it goes back to what was acknowledged: {asked:?}"
    );
    for _ in 0..3 {
        let again = solo.say(2, term, refuse(matched)).to(2);
        assert_eq!(again, [], "nothing else can be tried");
    }
    solo.tick(50);
    assert_eq!(solo.drain().to(2).len(), 1, "it is asked again by and by");
}

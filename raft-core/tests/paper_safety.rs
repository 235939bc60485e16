//! Raft, extended version [Ongaro14 §5.4]: one test per sentence that states a behaviour.

mod support;

use clocks::Duration;
use raft_core::{LogIndex, Role};
use support::World;
use support::past::{Item, Past, commands};
use support::solo::{Said, ack, append};

fn answer(own: &[u32], candidate: (u64, u32)) -> bool {
    let mut solo = Past::new(2).log(own).term(8).start();
    let outcome = solo.say(1, 9, Said::Vote { last: candidate });
    match outcome.sent[..] {
        [(1, 9, Said::VoteReply(granted))] => granted,
        ref other => panic!("one answer: {other:?}"),
    }
}

/// 5.4.1: a voter denies its vote to a candidate whose log is less up to date than its own.
#[test]
fn voter_denies_an_outdated_candidate() {
    assert!(!answer(&[1, 2], (1, 1)));
    assert!(!answer(&[1, 2], (0, 0)));
}

/// 5.4.1: the later last term is the more up to date, however long the logs are.
#[test]
fn later_last_term_is_more_up_to_date() {
    assert!(answer(&[1, 1, 1, 1], (2, 2)));
    assert!(!answer(&[1, 2], (9, 1)));
}

/// 5.4.1: among equal last terms the longer log is the more up to date, equal ones will do.
#[test]
fn longer_log_is_more_up_to_date_within_a_term() {
    assert!(answer(&[1, 2], (3, 2)));
    assert!(answer(&[1, 2], (2, 2)));
    assert!(!answer(&[1, 2], (1, 2)));
}

/// 5.4.1: the pre-vote asks by the same rule.
#[test]
fn pre_vote_compares_logs_like_the_vote() {
    for (last, granted) in [
        ((2, 2), true),
        ((1, 2), false),
        ((9, 1), false),
        ((1, 3), true),
    ] {
        let mut solo = Past::new(2).log(&[1, 2]).term(8).start();
        let attempt = 4;
        let outcome = solo.say(1, 8, Said::PreVote { last, attempt });
        assert_eq!(
            outcome.sent,
            [(1, 8, Said::PreVoteReply { attempt, granted })],
            "{last:?}"
        );
        assert_eq!(outcome.writes, 0, "asking promises nothing");
        assert_eq!((solo.vote(), solo.term()), (None, 8));
    }
}

/// 5.4.1: nobody wins without every committed entry: a majority has them and refuses.
#[test]
fn candidate_without_a_committed_entry_cannot_win() {
    let mut world = World::of(&[
        Past::new(1).log(&[1, 1]).commit(2),
        Past::new(2).log(&[1, 1]),
        Past::new(3).log(&[1]),
    ]);
    world.crash(1);
    world.now = world.now.saturating_add(Duration::from_millis(100));
    for _ in 0..5 {
        let now = world.now;
        world.raft(3).campaign(now).unwrap();
        world.settle();
        assert!(!world.raft(3).is_leader());
    }
    world.run(Duration::from_millis(1000));
    assert_eq!(world.leader(), Some(2));
    assert_eq!(world.raft(3).last(), world.raft(2).last());
}

/// 5.4.1: entries flow from leaders to followers only: an election moves no entry.
#[test]
fn election_moves_no_entry() {
    let mut world = World::of(&[
        Past::new(1).log(&[1, 1]),
        Past::new(2).log(&[1]),
        Past::new(3).log(&[1, 1, 1]).term(1),
    ]);
    world.crash(3);
    world.now = world.now.saturating_add(Duration::from_millis(100));
    let now = world.now;
    world.raft(1).campaign(now).unwrap();
    while world.role(1) != Role::Leader {
        for id in world.ids() {
            world.drain(id);
        }
        let frame = world.wire.pop_front().expect("still talking");
        assert!(!frame.is_append());
        world.deliver(&frame);
    }
    assert_eq!(
        world.raft(1).last().index,
        LogIndex::new(3),
        "its own first"
    );
    assert_eq!(world.raft(2).last().index, LogIndex::new(1));
}

/// 5.4.2: an entry of the leader's own term is committed once a majority has it.
#[test]
fn own_term_is_committed_by_counting() {
    let mut solo = Past::new(1).log(&[1]).lead();
    solo.say(3, 2, ack(2, 1));
    assert_eq!(solo.commit(), 2);
}

/// 5.4.2: an entry of an earlier term is not, even if a majority has it.
#[test]
fn earlier_term_is_not_committed_by_counting() {
    let mut solo = Past::new(1).log(&[1, 1]).lead();
    for peer in [2, 3] {
        let outcome = solo.say(peer, 2, ack(2, 1));
        assert_eq!((solo.commit(), outcome.applied), (0, Vec::new()));
    }
}

/// 5.4.2, figure 8: an old entry on a majority can be overwritten, and is, until an entry of
/// the leader's own term stands above it.
#[test]
fn figure_8() {
    // (c): n1 leads again in term 4 and has its entry of term 2 on n1, n2 and n3.
    let members = [1, 2, 3, 4, 5];
    let past = |id| Past::new(id).voters(&members);
    let mut leader = past(1).log(&[1, 2]).term(3).lead();
    assert_eq!(leader.term(), 4);
    leader.say(2, 4, ack(2, 1));
    leader.say(3, 4, ack(2, 1));
    assert_eq!(
        leader.commit(),
        0,
        "(c) counts three copies, commits nothing"
    );
    // (d): n5 may still win with its entry of term 3, and overwrite it.
    let mut voter = past(2).log(&[1, 2]).term(4).start();
    let outcome = voter.say(5, 5, Said::Vote { last: (2, 3) });
    assert_eq!(outcome.sent, [(5, 5, Said::VoteReply(true))]);
    let overwrite = append((1, 1), 0, 1, &commands(2, &[3]));
    voter.say(5, 5, overwrite);
    assert_eq!(voter.terms(), [1, 3]);
    // (e): once an entry of term 4 stands above it on a majority, n5 cannot win.
    leader.say(2, 4, ack(3, 1));
    leader.say(3, 4, ack(3, 1));
    assert_eq!(leader.commit(), 3);
    let mut voter = past(2).log(&[1, 2, 4]).start();
    let outcome = voter.say(5, 5, Said::Vote { last: (2, 3) });
    assert_eq!(outcome.sent, [(5, 5, Said::VoteReply(false))]);
}

/// 5.4.2: entries keep the term in which they were made when a later leader spreads them.
#[test]
fn entries_keep_their_term() {
    let mut solo = Past::new(1).log(&[1, 2]).term(6).lead();
    let outcome = solo.say(2, 7, support::solo::reject(0, 1, 2, (0, 0)));
    let mut all = commands(1, &[1, 2]);
    all.push((7, Item::NoOp));
    assert_eq!(outcome.to(2), [append((0, 0), 0, 1, &all)]);
}

/// 5.4.3: a new leader's log holds every entry that was committed before.
#[test]
fn new_leader_has_every_committed_entry() {
    let mut world = World::of(&[1, 2, 3, 4, 5].map(|id| Past::new(id).voters(&[1, 2, 3, 4, 5])));
    world.elect(1);
    for round in 0..4_u8 {
        let leader = world.leader().unwrap();
        world.propose(&[round]);
        world.settle();
        let committed = world.host(leader).applied.clone();
        world.crash(leader);
        world.run(Duration::from_millis(800));
        let next = world.leader().expect("another leads");
        world.settle();
        assert_eq!(world.host(next).applied, committed);
        world.restart(leader);
        world.run(Duration::from_millis(300));
    }
}

/// 5.4.3: no two servers apply different entries at one index; all apply the same in order.
#[test]
fn all_servers_apply_the_same_in_the_same_order() {
    let mut world = World::of(&[1, 2, 3].map(Past::new));
    world.run(Duration::from_millis(500));
    for round in 0..30_u8 {
        if let Some(leader) = world.leader() {
            let _ = world.raft(leader).propose(&[round]);
        }
        let victim = u64::from(round) % 3 + 1;
        if round % 4 == 0 {
            world.isolate(victim);
        }
        world.run(Duration::from_millis(120));
        world.heal();
    }
    world.run(Duration::from_millis(800));
    let expected = world.host(1).applied.clone();
    assert!(expected.len() > 10);
    assert!(expected.is_sorted_by_key(|(index, _)| *index));
    for id in 2..=3 {
        assert_eq!(world.host(id).applied, expected);
    }
}

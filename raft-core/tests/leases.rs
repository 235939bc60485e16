//! Reads by lease, `[Ongaro14 §6.4.1]`: what other implementations got wrong about them, and what
//! they rest on.

mod support;

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::ConfigError;
use raft_core::{Change, Config, LogIndex, ReadOutcome, Role};
use support::World;
use support::past::{Item, Past, identity, voters};
use support::solo::{Said, Solo, ack, append};

/// Until when a read that begins now is valid, if it is answered by lease.
fn lease(solo: &Solo) -> Option<Instant> {
    let mut copy = solo.clone();
    copy.ended();
    let ticket = copy.raft.read(copy.now).expect("it leads");
    while copy.raft.poll_committed().is_some() {}
    match copy.raft.poll_read() {
        Some(ReadOutcome::Ready {
            ticket: ended,
            index,
            valid_until,
        }) => {
            assert_eq!((ended, index), (ticket, copy.raft.commit()));
            valid_until
        }
        Some(ReadOutcome::Failed { .. }) | None => None,
    }
}

fn after(begin: Instant, millis: u64) -> Instant {
    begin.saturating_add(Duration::from_millis(millis))
}

/// A round of contacts, acknowledged by `peers` when `millis` have passed; says when it began.
fn contact(solo: &mut Solo, peers: &[u64], millis: u64) -> Instant {
    contact_of(solo, peers, 1, millis)
}

/// The same of peers that have stored the leader's log up to `verified`.
fn contact_of(solo: &mut Solo, peers: &[u64], verified: u64, millis: u64) -> Instant {
    solo.tick(20);
    let begin = solo.now;
    let sent = solo.drain().sent;
    let round = sent.iter().find_map(|(_, _, said)| match said {
        Said::Append { round, .. } => Some(*round),
        _ => None,
    });
    solo.pass(millis);
    for peer in peers {
        let said = ack(verified, round.expect("a heartbeat"));
        solo.say(*peer, solo.term(), said);
    }
    begin
}

fn leader(drift_ppm: u32) -> Solo {
    let mut solo = Past::new(1).log(&[1]).lease(drift_ppm).establish();
    contact(&mut solo, &[2], 0);
    solo
}

/// R-03, F-82: it began when the answer came, or at some check in between.
#[test]
fn lease_begins_when_the_acknowledged_round_was_opened() {
    let mut solo = leader(0);
    let begin = contact(&mut solo, &[3], 15);
    assert_eq!(lease(&solo), Some(after(begin, 100)));
    solo.tick(84);
    assert_eq!(lease(&solo), Some(after(begin, 100)));
    solo.tick(1);
    assert_eq!(lease(&solo), None);
    assert!(solo.raft.is_leader());
}

/// R-03, the whole history: the old leader does not answer what the new one has overwritten.
#[test]
fn old_leader_answered_by_lease_while_a_new_one_led() {
    let pasts = [1, 2, 3].map(|id| Past::new(id).log(&[1]).lease(10_000));
    let mut world = World::of(&pasts);
    world.elect(1);
    world.run(Duration::from_millis(50));
    world.isolate(1);
    let mut answered = 0;
    for _ in 0..400 {
        world.run(Duration::from_millis(1));
        let now = world.now;
        let commit = world.raft(2).commit().max(world.raft(3).commit());
        if world.raft(1).read(now).is_ok()
            && let Some(ReadOutcome::Ready { index, .. }) = world.raft(1).poll_read()
        {
            assert!(index >= commit, "stale");
            answered += 1;
        }
        while world.raft(1).poll_read().is_some() {}
        if world.leader() != Some(1) {
            world.propose(b"unseen");
        }
    }
    assert!(answered > 50, "the lease is used, {answered}");
    assert!(world.raft(2).commit() > LogIndex::new(10));
}

/// `TimeoutNow` was sent, and may arrive at any time.
#[test]
fn lease_survived_the_order_to_stand() {
    let mut solo = leader(0);
    for peer in [2, 3] {
        solo.say(peer, solo.term(), ack(2, 1));
    }
    assert!(lease(&solo).is_some());
    solo.raft.transfer(solo.now, NodeId::new(2)).unwrap();
    assert!(lease(&solo).is_some(), "nobody was told yet");
    assert!(solo.drain().to(2).contains(&Said::TimeoutNow));
    assert_eq!(lease(&solo), None);
    for _ in 0..30 {
        contact(&mut solo, &[2, 3], 1);
    }
    assert_eq!(solo.raft.transferring_to(), None, "that is over");
    assert!(solo.raft.is_leader());
    assert_eq!(
        lease(&solo),
        None,
        "in this term there is no lease any more"
    );
}

/// Of two clocks one is slow and one is fast, both within what was declared.
#[test]
fn lease_of_a_slow_clock_outlasts_a_promise_by_a_fast_one() {
    let answers_too_late = |declared: u32| {
        let mut leader = leader(declared);
        let begin = contact(&mut leader, &[2], 0);
        let mut voter = Past::new(2).log(&[1]).start();
        voter.say(1, 1, append((1, 1), 1, 1, &[]));
        let heard = voter.now;
        (0..200_u64).any(|millis| {
            voter.now = heard.saturating_add(Duration::from_micros(millis * 1200));
            leader.now = begin.saturating_add(Duration::from_micros(millis * 800));
            let question = Said::PreVote {
                last: (9, 9),
                attempt: 1,
            };
            let answer = voter.clone().say(3, 9, question).to(3);
            let is_free = answer.contains(&Said::PreVoteReply {
                attempt: 1,
                granted: true,
            });
            is_free && lease(&leader).is_some()
        })
    };
    assert!(!answers_too_late(200_000));
    assert!(answers_too_late(190_000), "the declared drift is too small");
}

#[test]
fn lease_without_a_commit_of_the_own_term() {
    let mut solo = Past::new(1).log(&[1, 1]).lease(0).lead();
    contact(&mut solo, &[2, 3], 1);
    assert_eq!((solo.commit(), lease(&solo)), (0, None));
    let last = solo.last().0;
    solo.say(2, solo.term(), ack(last, 1));
    assert!(lease(&solo).is_some());
}

/// Law: a clock that runs back voids leases until it has passed the old time and a contact that
/// began after that is acknowledged.
#[test]
fn lease_measured_by_a_clock_that_ran_back() {
    let mut solo = leader(0);
    assert!(lease(&solo).is_some());
    let latest = solo.now;
    solo.now = Instant::from_micros(latest.as_micros() - 5_000);
    solo.say(3, solo.term(), ack(2, 1));
    assert_eq!(lease(&solo), None);
    solo.now = after(latest, 1);
    solo.tick(0);
    assert_eq!(lease(&solo), None, "a new contact is needed too");
    contact(&mut solo, &[3], 1);
    assert!(lease(&solo).is_some());
}

/// A voter that stands because it is told to by its own operator gives itself a vote.
#[test]
fn voter_broke_its_promise_by_its_own_campaign() {
    let mut solo = Past::new(2).log(&[1]).start();
    solo.say(1, 1, append((1, 1), 1, 1, &[]));
    solo.pass(99);
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(solo.raft.role(), Role::Follower);
    solo.pass(1);
    solo.raft.campaign(solo.now).unwrap();
    assert_eq!(solo.raft.role(), Role::PreCandidate);
}

/// New voters have promised nothing yet, although the leader is patient with them.
#[test]
fn lease_counted_on_voters_that_never_answered() {
    let mut solo = leader(0);
    let change = [
        Change::AddVoter(identity(4)),
        Change::AddVoter(identity(5)),
        Change::Remove(NodeId::new(2)),
        Change::Remove(NodeId::new(3)),
    ];
    assert!(lease(&solo).is_some());
    solo.raft.reconfigure(&change).unwrap();
    assert_eq!(lease(&solo), None);
    contact(&mut solo, &[2, 3], 1);
    assert_eq!(lease(&solo), None);
    contact(&mut solo, &[2], 1);
    contact_of(&mut solo, &[4], 0, 1);
    let what = "who has stored nothing does not know for how long to promise";
    assert_eq!(lease(&solo), None, "{what}");
    let begin = contact(&mut solo, &[4, 2], 1);
    assert_eq!(lease(&solo), Some(after(begin, 100)));
}

/// Found by reading: a node that knows no configuration does not know for how long a leader that
/// was heard counts. It acknowledged the round that a lease was measured from, and voted at once.
#[test]
fn newcomer_promised_nothing_and_a_lease_counted_on_it() {
    let mut solo = Past::new(3).members(Vec::new()).stickiness(0).start();
    let configuration = Item::Seats(voters(&[1, 2, 3]));
    solo.say(1, 2, append((0, 0), 0, 1, &[(1, configuration)]));
    solo.pass(99);
    let asked = Said::Vote { last: (1, 1) };
    solo.say(2, 3, asked.clone());
    assert_eq!(
        solo.term(),
        2,
        "it heard its leader less than the period ago"
    );
    solo.pass(1);
    solo.say(2, 3, asked);
    assert_eq!(solo.term(), 3);
}

/// Nobody could look at the clock once more before the answer is used.
#[test]
fn question_of_another_node_was_answered_by_lease() {
    let mut solo = leader(0);
    let (nonce, number) = (5, 0);
    let outcome = solo.say(2, solo.term(), Said::ReadRequest { nonce, number });
    assert!(lease(&solo).is_some());
    let is_reply = |said: &Said| matches!(said, Said::ReadReply { .. });
    assert!(!outcome.to(2).iter().any(is_reply));
}

#[test]
fn without_the_setting_there_is_no_lease() {
    let mut solo = Past::new(1).log(&[1]).establish();
    contact(&mut solo, &[2, 3], 0);
    assert_eq!(lease(&solo), None);
    let refused = Config::builder(NodeId::new(1)).lease(1_000_000).build();
    assert_eq!(refused, Err(ConfigError::DriftTooLarge));
    assert!(
        Config::builder(NodeId::new(1))
            .lease(999_999)
            .build()
            .is_ok()
    );
}

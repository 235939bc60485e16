//! Quiet mode, message by message: who agrees to what, what does not count, and what wakes.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::error::ConfigError;
use raft_core::{Config, Event, Role};
use support::past::{Past, commands};
use support::said::chunk;
use support::solo::{Said, Solo, ack, append};

/// Idle time after which these nodes go quiet, in milliseconds.
const IDLE: u64 = 300;

/// The leader at the moment at which it asks for silence, and the round of that.
fn asking() -> (Solo, u64) {
    let mut solo = Past::new(1).log(&[1]).quiet(IDLE).lease(0).establish();
    for _ in 0..100 {
        solo.tick(20);
        for (to, term, said) in solo.drain().sent {
            match said {
                Said::Append { round, .. } => {
                    solo.say(to, term, ack(2, round));
                }
                Said::Quiet { commit: 2, round } => return (solo, round),
                other => panic!("{other:?}"),
            }
        }
    }
    panic!("it does not ask");
}

/// The same once everyone agreed.
fn quiet_leader() -> Solo {
    let (mut solo, round) = asking();
    let term = solo.term();
    for peer in [2, 3] {
        assert!(!solo.raft.is_quiet());
        solo.say(peer, term, Said::Agree { round });
    }
    assert!(solo.raft.is_quiet());
    solo
}

fn appends(sent: &[(u64, u32, Said)]) -> Vec<u64> {
    let appends = sent
        .iter()
        .filter(|(_, _, said)| matches!(said, Said::Append { .. }));
    appends.map(|(to, _, _)| *to).collect()
}

#[test]
fn answer_that_is_lost_costs_a_delay() {
    let (mut solo, round) = asking();
    solo.say(2, solo.term(), Said::Agree { round });
    solo.tick(20);
    let sent = solo.drain().sent;
    assert_eq!(
        appends(&sent),
        [2, 3],
        "an ordinary heartbeat, which wakes who agreed"
    );
    assert!(!solo.raft.is_quiet());
    // It comes late, when the attempt is over.
    solo.say(3, solo.term(), Said::Agree { round });
    solo.say(2, solo.term(), Said::Agree { round });
    assert!(!solo.raft.is_quiet());
}

#[test]
fn refusal_ends_the_attempt() {
    let (mut solo, round) = asking();
    solo.say(2, solo.term(), Said::Awake { round });
    solo.say(2, solo.term(), Said::Agree { round });
    solo.say(3, solo.term(), Said::Agree { round });
    assert!(!solo.raft.is_quiet());
}

#[test]
fn stranger_does_not_agree() {
    let (mut solo, round) = asking();
    solo.say(2, solo.term(), Said::Agree { round });
    let outcome = solo.say(9, solo.term(), Said::Agree { round });
    assert_eq!(outcome.dropped(), Some(raft_core::DropReason::Stranger));
    assert!(!solo.raft.is_quiet());
}

/// Something was proposed and committed between the question and the last answer.
#[test]
fn agreement_from_before_the_news_does_not_count() {
    let (mut solo, round) = asking();
    let term = solo.term();
    solo.raft.propose(b"x").expect("it leads");
    solo.drain();
    for peer in [2, 3] {
        solo.say(peer, term, ack(3, 1));
        solo.say(peer, term, ack(3, 1));
    }
    assert_eq!(solo.commit(), 3);
    for peer in [2, 3] {
        solo.say(peer, term, Said::Agree { round });
    }
    assert!(!solo.raft.is_quiet());
}

/// An agreement proves no contact: neither a read nor a lease rests on it.
#[test]
fn agreement_is_no_acknowledgement() {
    let (mut solo, round) = asking();
    let ticket = solo.raft.read(solo.now).expect("it leads");
    solo.ended();
    solo.pass(101);
    let later = solo.raft.read(solo.now).expect("it leads");
    solo.drain();
    for peer in [2, 3] {
        solo.say(peer, solo.term(), Said::Agree { round });
    }
    assert!(solo.ended().is_empty(), "{ticket:?} {later:?}");
    let mut solo = quiet_leader();
    solo.pass(101);
    let _ = solo.raft.read(solo.now).expect("it leads");
    solo.drain();
    assert!(solo.ended().is_empty(), "the lease ran out");
}

#[test]
fn quorum_has_to_answer_anew_from_the_wake_on() {
    let mut solo = quiet_leader();
    solo.pass(1_000_000);
    solo.raft.propose(b"x").expect("it leads");
    assert_eq!(appends(&solo.drain().sent), [2, 3]);
    solo.tick(199);
    assert!(solo.raft.is_leader(), "nobody had time to answer");
    solo.drain();
    solo.tick(1);
    assert_eq!(solo.raft.role(), Role::Follower);
}

#[test]
fn quiet_leader_hears_who_is_awake() {
    let (last, attempt, granted) = ((2, 2), 7, false);
    let term = quiet_leader().term();
    let words = [
        (2, term, Said::Awake { round: 0 }),
        (2, term - 1, Said::Awake { round: 0 }),
        (2, term, Said::PreVote { last, attempt }),
        (
            2,
            term,
            Said::PreVote {
                last: (1, 1),
                attempt,
            },
        ),
        (2, term + 1, Said::Vote { last }),
        (
            2,
            term,
            Said::ReadRequest {
                nonce: 1,
                number: 2,
            },
        ),
        (9, term, Said::PreVote { last, attempt }),
    ];
    for (from, term, said) in words {
        let mut solo = quiet_leader();
        solo.pass(1_000_000);
        let sent = solo.say(from, term, said.clone()).sent;
        assert!(!solo.raft.is_quiet(), "{said:?}");
        assert_eq!(appends(&sent), [2, 3], "{said:?}");
        assert!(solo.raft.is_leader());
        let reply = sent
            .iter()
            .find(|(_, _, said)| matches!(said, Said::PreVoteReply { .. }));
        if let Some((_, _, reply)) = reply {
            assert_eq!(*reply, Said::PreVoteReply { attempt, granted });
        }
    }
    // Who was removed long ago asks again and again.
    let mut solo = quiet_leader();
    solo.pass(1_000_000);
    solo.say(
        9,
        term,
        Said::PreVote {
            last: (1, 1),
            attempt,
        },
    );
    assert!(solo.raft.is_quiet());
}

/// A follower of node 1 in term 2 that has heard round 4.
fn follower() -> Solo {
    let mut solo = Past::new(2).log(&[1, 2]).quiet(IDLE).start();
    solo.say(1, 2, append((2, 2), 2, 4, &[]));
    assert_eq!(solo.commit(), 2);
    solo
}

fn ask(solo: &mut Solo, commit: u64, round: u64) -> Vec<Said> {
    solo.say(1, 2, Said::Quiet { commit, round }).to(1)
}

fn quiet_follower() -> Solo {
    let mut solo = follower();
    assert_eq!(ask(&mut solo, 2, 5), [Said::Agree { round: 5 }]);
    assert!(solo.raft.is_quiet());
    assert_eq!(solo.raft.poll_timeout(), None);
    solo
}

#[test]
fn follower_that_is_not_level_or_has_work_refuses() {
    let mut solo = follower();
    assert_eq!(ask(&mut solo, 3, 5), [Said::Awake { round: 5 }]);
    assert_eq!(ask(&mut solo, 1, 6), [Said::Awake { round: 6 }]);
    let mut solo = Past::new(2).log(&[1, 2]).quiet(IDLE).start();
    solo.say(1, 2, append((2, 2), 1, 4, &[]));
    assert_eq!(
        ask(&mut solo, 2, 5),
        [Said::Awake { round: 5 }],
        "not committed here"
    );
    let mut solo = follower();
    let _ = solo.raft.read(solo.now).expect("it has a leader");
    assert!(ask(&mut solo, 2, 5).contains(&Said::Awake { round: 5 }));
    let mut solo = follower();
    solo.hear(1, 2, &append((2, 2), 3, 5, &commands(3, &[2])));
    solo.hear(
        1,
        2,
        &Said::Quiet {
            commit: 3,
            round: 6,
        },
    );
    assert!(!solo.raft.is_quiet(), "not on the medium");
    let mut solo = Past::new(2).log(&[1, 2]).start();
    solo.say(1, 2, append((2, 2), 2, 4, &[]));
    assert_eq!(
        ask(&mut solo, 2, 5),
        [Said::Awake { round: 5 }],
        "not its own wish"
    );
}

/// A frame that was overtaken, repeated, or sent to an earlier life.
#[test]
fn late_question_puts_nobody_to_sleep() {
    let mut solo = follower();
    assert_eq!(ask(&mut solo, 2, 4), []);
    assert!(!solo.raft.is_quiet());
    let mut solo = quiet_follower();
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(solo.drain().to(1), [Said::Awake { round: 5 }]);
    assert_eq!(ask(&mut solo, 2, 5), []);
    assert!(!solo.raft.is_quiet(), "the same question again");
    assert!(solo.raft.poll_timeout().is_some());
    solo.crash();
    solo.drain();
    assert_eq!(ask(&mut solo, 2, 9), []);
    assert!(
        !solo.raft.is_quiet(),
        "it has not heard the leader in this life"
    );
}

#[test]
fn only_the_leader_puts_to_sleep() {
    let mut solo = follower();
    solo.say(
        3,
        2,
        Said::Quiet {
            commit: 2,
            round: 5,
        },
    );
    assert!(!solo.raft.is_quiet());
    let sent = solo
        .say(
            3,
            1,
            Said::Quiet {
                commit: 2,
                round: 5,
            },
        )
        .sent;
    assert_eq!(sent, []);
    solo.say(
        3,
        3,
        Said::Quiet {
            commit: 2,
            round: 5,
        },
    );
    assert!(!solo.raft.is_quiet());
    assert_eq!(solo.term(), 3);
}

#[test]
fn news_of_the_leader_wake_a_follower() {
    let mut solo = quiet_follower();
    solo.pass(1_000_000);
    let round = 6;
    let outcome = solo.say(1, 2, append((2, 2), 2, round, &[]));
    assert_eq!(
        outcome.to(1),
        [ack(2, round)],
        "the agreed round is not acknowledged before"
    );
    assert!(!solo.raft.is_quiet());
    assert!(solo.raft.poll_timeout().is_some());
    let is_quiet = false;
    assert!(outcome.events.contains(&Event::QuietChanged { is_quiet }));
}

/// The agreement renewed no promise, and took none back.
#[test]
fn promise_of_a_quiet_follower_runs_out_as_before() {
    let mut solo = follower();
    solo.pass(60);
    ask(&mut solo, 2, 5);
    assert!(solo.raft.is_quiet());
    let vote = Said::Vote { last: (2, 2) };
    let mut early = solo.clone();
    early.pass(39);
    assert!(early.say(3, 3, vote.clone()).sent.is_empty() || early.term() == 2);
    assert_eq!(early.vote(), None);
    solo.pass(41);
    solo.say(3, 3, vote);
    assert_eq!(solo.vote(), Some(3));
}

/// The leader is quiet, not dead: it gets the time to say so.
#[test]
fn pre_vote_is_granted_only_after_the_own_timer() {
    let mut solo = quiet_follower();
    solo.pass(1_000_000);
    let (last, attempt) = ((2, 2), 3);
    let request = Said::PreVote { last, attempt };
    let reply = |granted| Said::PreVoteReply { attempt, granted };
    let outcome = solo.say(3, 2, request.clone());
    assert_eq!(outcome.to(3), [reply(false)]);
    assert_eq!(
        outcome.to(1),
        [Said::Awake { round: 5 }],
        "the leader is asked"
    );
    let timeout = solo.raft.poll_timeout().expect("it watches again");
    let wait = timeout.saturating_since(solo.now).as_millis();
    assert!((100..200).contains(&wait));
    let mut early = solo.clone();
    early.pass(wait - 1);
    assert_eq!(early.say(3, 2, request.clone()).to(3), [reply(false)]);
    solo.now = timeout;
    assert_eq!(solo.say(3, 2, request).to(3), [reply(true)]);
}

#[test]
fn settings_that_would_sleep_too_soon_or_too_late_are_refused() {
    let build = |millis| {
        Config::builder(NodeId::new(1))
            .election_timeout(Duration::from_millis(100), Duration::from_millis(200))
            .heartbeat_interval(Duration::from_millis(20))
            .quiet_after(Duration::from_millis(millis))
            .build()
    };
    assert_eq!(build(199), Err(ConfigError::QuietTooSoon));
    assert!(build(200).is_ok());
    assert!(build(255 * 20).is_ok());
    assert_eq!(build(255 * 20 + 1), Err(ConfigError::QuietTooLate));
}

/// A wiped node is a stranger, and an earlier life of it may stand in the table.
#[test]
fn stranger_says_to_nobody_that_it_is_awake() {
    let mut solo = Past::new(4).log(&[1]).quiet(IDLE).restart();
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(solo.drain().sent, []);
}

/// Whom it tells that it is awake, with nothing written meanwhile.
fn told(solo: &mut Solo) -> Vec<u64> {
    let mut sent = solo.sends();
    sent.retain(|(_, _, said)| matches!(said, Said::Awake { .. }));
    sent.iter().map(|(to, _, _)| *to).collect()
}

/// The leader keeps in touch, and nothing is written meanwhile.
fn hear_for(solo: &mut Solo, millis: u64, round: u64) {
    let last = solo.last();
    for later in 0..millis / 20 {
        solo.tick(20);
        solo.hear(1, 2, &append(last, 2, round + later, &[]));
    }
}

/// A quiet follower of node 1 in term 2 whose window is full.
fn full_follower() -> Solo {
    let mut solo = Past::new(2).window(2048).term(2).quiet(IDLE).start();
    let many = commands(1, &[2; 200]);
    solo.say(1, 2, append((0, 0), 0, 4, &many));
    let last = solo.last();
    solo.say(1, 2, append(last, last.0, 5, &[]));
    assert_eq!(ask(&mut solo, last.0, 6), [Said::Agree { round: 6 }]);
    assert!(solo.raft.is_quiet());
    solo
}

#[test]
fn stalled_follower_does_not_watch_for_the_others() {
    let mut solo = follower();
    let entry = commands(3, &[2]);
    solo.hear(1, 2, &append((2, 2), 2, 5, &entry));
    hear_for(&mut solo, 1_000, 6);
    assert!(solo.events().contains(&Event::DiskStalled));
    solo.sends();
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(told(&mut solo), [1, 3], "it could not replace the leader");
    solo.drain();
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(told(&mut solo), [1], "its medium works again");
}

#[test]
fn follower_that_stalled_in_its_sleep_does_not_watch_for_the_others() {
    let mut solo = quiet_follower();
    solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
    solo.tick(0);
    solo.pass(1_000);
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(told(&mut solo), [1, 3]);
    assert!(solo.events().contains(&Event::DiskStalled));
}

#[test]
fn follower_without_room_for_office_does_not_watch_for_the_others() {
    let mut solo = full_follower();
    solo.raft.wake(solo.now).expect("alive");
    assert_eq!(told(&mut solo), [1, 3]);
}

#[test]
fn campaign_without_room_for_office_wakes_all_the_same() {
    let mut solo = full_follower();
    solo.pass(1_000_000);
    solo.raft.campaign(solo.now).expect("alive");
    solo.check();
    assert!(!solo.raft.is_quiet());
    assert!(solo.raft.poll_timeout().is_some());
    assert_eq!(told(&mut solo), [1, 3]);
    assert!(solo.events().contains(&Event::NoRoomToCampaign));
}

/// The entries came after all, and the rest of the snapshot never does.
#[test]
fn snapshot_that_entries_overtook_keeps_nobody_awake() {
    let mut solo = follower();
    let mut piece = chunk((5, 2), b"half", 5);
    if let Said::Chunk { size, .. } = &mut piece {
        *size = 8;
    }
    solo.say(1, 2, piece);
    assert_eq!(ask(&mut solo, 2, 6), [Said::Awake { round: 6 }]);
    let entries = commands(3, &[2, 2, 2]);
    solo.say(1, 2, append((2, 2), 5, 7, &entries));
    assert_eq!(solo.commit(), 5);
    assert_eq!(ask(&mut solo, 5, 8), [Said::Agree { round: 8 }]);
}

#[test]
fn compaction_in_sleep_sets_no_timer() {
    for mut solo in [quiet_leader(), quiet_follower()] {
        solo.pass(1_000_000);
        solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
        assert_eq!(solo.raft.poll_timeout(), None);
        solo.tick(1);
        solo.check();
        assert_eq!(solo.raft.poll_timeout(), None);
        solo.drain();
        assert!(solo.raft.is_quiet());
    }
    // Awake again, it watches its medium as before.
    let mut solo = quiet_follower();
    solo.raft.compact(solo.raft.delivered(), 0, 0).unwrap();
    hear_for(&mut solo, 900, 6);
    assert!(!solo.events().contains(&Event::DiskStalled));
    hear_for(&mut solo, 200, 100);
    assert!(solo.events().contains(&Event::DiskStalled));
}

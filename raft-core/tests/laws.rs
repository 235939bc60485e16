//! The laws that every machine of the family keeps, DESIGN.md section 3: a test of each name.

mod support;

use clocks::{Duration, Instant};
use proptest::prelude::*;
use quorum::NodeId;
use raft_core::error::HandleError;
use raft_core::{Change, LogIndex, Message, Ready, Role, wire};
use support::past::{Item, Past, command, commands, identity};
use support::solo::{Said, Solo, ack, append};
use support::{Frame, Machine, World};

/// Nodes in every role and in some awkward states.
fn zoo() -> Vec<Solo> {
    let mut leaving = Past::new(1).establish();
    leaving
        .raft
        .reconfigure(&[Change::Remove(NodeId::new(1))])
        .unwrap();
    leaving.drain();
    let mut asking = Past::new(1).log(&[1, 2]).start();
    asking.stand();
    let mut candidate = Past::new(1).log(&[1, 2]).start();
    candidate.run_for_office();
    let mut waiting = Past::new(1).log(&[1, 2]).start();
    let attempt = waiting.stand();
    let granted = true;
    waiting.hear(2, 2, &Said::PreVoteReply { attempt, granted });
    let mut follower = Past::new(2).log(&[1, 1, 2]).commit(2).start();
    follower.say(1, 3, append((3, 2), 3, 1, &[(3, Item::NoOp)]));
    let mut behind = Past::new(2).log(&[1]).start();
    behind.hear(1, 3, &append((9, 2), 3, 1, &[]));
    vec![
        Past::new(1).members(Vec::new()).start(),
        Past::new(1).log(&[1, 2]).restart(),
        Past::new(2).base(5, 2, b"snapshot").log(&[2, 3]).start(),
        Past::new(1).log(&[1]).lead(),
        Past::new(1).log(&[1]).establish(),
        Past::new(1).voters(&[1]).establish(),
        leaving,
        asking,
        waiting,
        candidate,
        follower,
        behind,
    ]
}

#[test]
fn no_change_on_error() {
    let mut foreign = Past::new(3).restart();
    let (ticket, _) = foreign.take_write().unwrap();
    let huge = vec![0; 1 << 20];
    let changes = [
        vec![],
        vec![Change::Promote(NodeId::new(9))],
        vec![Change::Remove(NodeId::new(9))],
        vec![Change::AddVoter(identity(1))],
        vec![
            Change::AddVoter(identity(8)),
            Change::AddLearner(identity(8)),
        ],
        vec![Change::Promote(NodeId::new(1))],
        [1, 2, 3].map(|id| Change::Remove(NodeId::new(id))).to_vec(),
        [5, 6, 7, 8, 9]
            .map(|id| Change::AddLearner(identity(id)))
            .to_vec(),
    ];
    let mut refused = 0;
    let mut check = |before: &Solo, what: &str, is_err: bool, after: &Solo| {
        if is_err {
            refused += 1;
            assert_eq!(before.raft, after.raft, "{what}");
        }
    };
    for solo in zoo() {
        let later = solo.now.saturating_add(Duration::from_millis(7));
        let mut try_it = |what: &str, call: &mut dyn FnMut(&mut Machine) -> bool| {
            let mut copy = solo.clone();
            let is_err = call(&mut copy.raft);
            check(&solo, what, is_err, &copy);
        };
        try_it("propose", &mut |raft| raft.propose(b"x").is_err());
        try_it("propose much", &mut |raft| raft.propose(&huge).is_err());
        for change in &changes {
            try_it("reconfigure", &mut |raft| raft.reconfigure(change).is_err());
        }
        for index in [0, 1, 2, 99] {
            try_it("compact", &mut |raft| {
                raft.compact(LogIndex::new(index), 0, 0).is_err()
            });
        }
        try_it("a foreign ticket", &mut |raft| {
            let result = raft.handle_persisted(later, ticket.clone());
            assert_eq!(result, Err(HandleError::ForeignTicket));
            true
        });
        try_it("a foreign failure", &mut |raft| {
            let result = raft.handle_persist_failed(later, ticket.clone());
            assert_eq!(result, Err(HandleError::ForeignTicket));
            true
        });
    }
    assert!(refused > 100, "{refused}");
    // A full window refuses too.
    let mut solo = Past::new(1).voters(&[1]).establish();
    while solo.raft.propose(&[0; 300]).is_ok() {}
    let before = solo.raft.clone();
    assert!(solo.raft.propose(&[0; 300]).is_err());
    assert_eq!(solo.raft, before);
}

#[test]
fn no_spin() {
    for mut solo in zoo() {
        for step in 0..200 {
            if step % 3 == 0 {
                solo.drain();
            }
            let Some(when) = solo.raft.poll_timeout() else {
                break;
            };
            solo.now = solo.now.max(when);
            solo.raft.handle_timeout(solo.now).unwrap();
            solo.drain();
            assert!(solo.raft.poll_timeout().is_none_or(|next| next > solo.now));
        }
    }
}

#[test]
fn early_timeout_is_a_no_op() {
    for mut solo in zoo() {
        solo.drain();
        // The latest time that the machine has seen: telling it again is no news.
        let _ = solo.raft.handle_unreachable(solo.now, NodeId::new(99));
        let before = solo.raft.clone();
        solo.raft.handle_timeout(solo.now).unwrap();
        if before.poll_timeout().is_none_or(|when| when > solo.now) {
            assert_eq!(solo.raft, before);
            assert!(solo.drain().is_silent());
        }
        let Some(when) = solo.raft.poll_timeout() else {
            continue;
        };
        let early = Instant::from_micros(when.as_micros() - 1);
        solo.raft.handle_timeout(early).unwrap();
        assert_eq!(solo.raft.poll_timeout(), Some(when));
        assert!(solo.drain().is_silent());
    }
}

#[test]
fn late_timeout_is_safe() {
    for late in [1, 1_000, 1_000_000, u64::MAX / 2, u64::MAX] {
        for mut solo in zoo() {
            solo.now = Instant::from_micros(solo.now.as_micros().saturating_add(late));
            solo.raft.handle_timeout(solo.now).unwrap();
            let outcome = solo.drain();
            assert!(
                outcome.sent.len() <= 8,
                "nothing is made up for: {outcome:?}"
            );
            solo.check();
        }
    }
    // A leader that slept gives way instead of going on.
    let mut solo = Past::new(1).establish();
    solo.tick(60_000);
    assert_eq!(solo.drain().sent, []);
    assert_eq!(solo.raft.role(), Role::Follower);
}

#[test]
fn time_never_runs_back() {
    let mut solo = Past::new(2).term(3).start();
    solo.say(1, 3, append((0, 0), 0, 1, &[]));
    let heard = solo.now;
    for back in [Instant::ZERO, Instant::from_micros(heard.as_micros() - 1)] {
        let timeout = solo.raft.poll_timeout();
        solo.raft.handle_timeout(back).unwrap();
        assert_eq!(solo.raft.poll_timeout(), timeout);
        // What arrives "earlier" counts from the latest time seen.
        solo.now = back;
        solo.say(1, 3, append((0, 0), 0, 2, &[]));
        let mut copy = solo.clone();
        copy.now = heard.saturating_add(Duration::from_millis(99));
        copy.tick(0);
        assert_eq!(copy.raft.role(), Role::Follower);
        let outcome = solo.say(3, 4, Said::Vote { last: (0, 0) });
        assert_eq!((outcome.sent, solo.term()), (Vec::new(), 3), "still sticky");
    }
    // A leader does not count a silence that lies in the past twice.
    let mut solo = Past::new(1).establish();
    let at = solo.now;
    for _ in 0..10 {
        solo.now = Instant::ZERO;
        solo.tick(0);
        assert!(solo.drain().is_silent());
    }
    solo.now = at;
    assert!(solo.raft.is_leader());
}

#[test]
fn deterministic() {
    let history = || {
        let mut world = World::of(&[1, 2, 3].map(Past::new));
        let mut log = Vec::new();
        for round in 0..40_u8 {
            world.run(Duration::from_millis(30));
            if let Some(leader) = world.leader() {
                let _ = world.raft(leader).propose(&[round; 40]);
                world.drain(leader);
                log.extend(world.wire.iter().cloned());
                if round % 9 == 8 {
                    world.crash(leader);
                    world.run(Duration::from_millis(300));
                    world.restart(leader);
                }
            }
            for id in world.ids() {
                log.push(Frame {
                    from: id,
                    to: world.raft(id).poll_timeout().map_or(0, Instant::as_micros),
                    bytes: format!("{:?}", world.raft(id)).into_bytes(),
                });
            }
        }
        log
    };
    let (one, other) = (history(), history());
    assert!(one.len() > 100);
    assert!(one == other);
}

fn any_said() -> impl Strategy<Value = Said> {
    let id = (0_u64..9, 0_u32..6);
    let entries = prop::collection::vec(
        (0_u32..6, 0_u64..4).prop_map(|(term, kind)| match kind {
            0 => (term, Item::NoOp),
            1 => (term, Item::Seats(support::past::voters(&[1, 2, 4]))),
            2 => (term, Item::Seats(Vec::new())),
            _ => (term, command(9, term)),
        }),
        0..5,
    );
    prop_oneof![
        (id.clone(), 0_u32..3).prop_map(|(last, attempt)| Said::PreVote { last, attempt }),
        (0_u32..3, any::<bool>())
            .prop_map(|(attempt, granted)| Said::PreVoteReply { attempt, granted }),
        id.clone().prop_map(|last| Said::Vote { last }),
        id.clone().prop_map(|last| Said::SuccessorVote { last }),
        Just(Said::TimeoutNow),
        (0_u64..4, 0_u64..8).prop_map(|(commit, round)| Said::Quiet { commit, round }),
        (0_u64..8).prop_map(|round| Said::Agree { round }),
        (0_u64..8).prop_map(|round| Said::Awake { round }),
        (0_u64..2, 0_u64..3).prop_map(|(nonce, number)| Said::ReadRequest { nonce, number }),
        (0_u64..2, 0_u64..3, any::<u64>()).prop_map(|(nonce, number, index)| Said::ReadReply {
            nonce,
            number,
            index
        }),
        any::<bool>().prop_map(Said::VoteReply),
        (id.clone(), 0_u64..12, 0_u64..5, entries)
            .prop_map(|(prev, commit, round, entries)| append(prev, commit, round, &entries)),
        (
            0_u64..12,
            0_u64..5,
            prop::option::of((0_u64..9, id.clone())),
            prop::option::of((0_u64..9, 0_u64..20)),
        )
            .prop_map(|(verified, round, reject, chunk)| Said::Ack {
                verified,
                round,
                reject,
                chunk
            }),
        (id, 0_u64..20, 0_u64..20, any::<bool>()).prop_map(|(last, size, offset, is_sound)| {
            let seats = support::past::voters(if is_sound { &[1, 2, 4] } else { &[] });
            Said::Chunk {
                last,
                size,
                offset,
                round: 1,
                data: vec![7; size.saturating_sub(offset) as usize],
                configuration: support::past::encode_seats(&seats, 100_000),
            }
        }),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Say(u64, u32, Said),
    Damaged(u64, u32, Said, Vec<(prop::sample::Index, u8)>),
    Bytes(u64, Vec<u8>),
    Tick(u64),
    TakeWrite,
    FinishWrite(bool),
    Drain,
    Propose(u8),
    Campaign,
    Reconfigure(u8),
    Compact,
    Unreachable(u64),
    Read,
    Transfer(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let (from, term) = (0_u64..6, 0_u32..8);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    prop_oneof![
        8 => (from.clone(), term.clone(), any_said()).prop_map(|(f, t, s)| Step::Say(f, t, s)),
        4 => (from.clone(), term, any_said(), damage)
            .prop_map(|(f, t, s, d)| Step::Damaged(f, t, s, d)),
        1 => (from.clone(), prop::collection::vec(any::<u8>(), 0..90))
            .prop_map(|(f, b)| Step::Bytes(f, b)),
        2 => (0_u64..250).prop_map(Step::Tick),
        2 => Just(Step::TakeWrite),
        2 => any::<bool>().prop_map(Step::FinishWrite),
        2 => Just(Step::Drain),
        1 => any::<u8>().prop_map(Step::Propose),
        1 => Just(Step::Campaign),
        1 => (0_u8..6).prop_map(Step::Reconfigure),
        1 => Just(Step::Compact),
        1 => from.clone().prop_map(Step::Unreachable),
        1 => Just(Step::Read),
        1 => from.prop_map(Step::Transfer),
    ]
}

fn perform(solo: &mut Solo, outstanding: &mut Option<raft_core::Ticket>, step: Step) {
    match step {
        Step::Say(from, term, said) => solo.hear(from, term, &said),
        Step::Damaged(from, term, said, damage) => {
            let mut frame = vec![0; 4096];
            let len = said.with(from, term, 500, |message: Message<'_>| {
                wire::encode(&message, &mut frame).unwrap().len()
            });
            frame.truncate(len);
            for (place, byte) in damage {
                *place.get_mut(&mut frame) = byte;
            }
            take_bytes(solo, from, &frame);
        }
        Step::Bytes(from, bytes) => take_bytes(solo, from, &bytes),
        Step::Tick(millis) => solo.tick(millis),
        Step::TakeWrite => {
            if let Some((ticket, _)) = solo.take_write() {
                *outstanding = Some(ticket);
            }
        }
        Step::FinishWrite(is_done) => {
            // The ticket stays here: handing it back twice is part of the game.
            if let Some(ticket) = outstanding.clone() {
                let now = solo.now;
                if is_done {
                    solo.raft.handle_persisted(now, ticket).unwrap();
                } else {
                    solo.raft.handle_persist_failed(now, ticket).unwrap();
                }
            }
        }
        Step::Drain => {
            solo.drain();
        }
        Step::Propose(byte) => {
            let _ = solo.raft.propose(&vec![byte; usize::from(byte) * 8]);
        }
        Step::Campaign => solo.raft.campaign(solo.now).unwrap(),
        Step::Reconfigure(which) => {
            let changes = [
                vec![Change::AddLearner(identity(4))],
                vec![Change::AddVoter(identity(5))],
                vec![Change::Promote(NodeId::new(4))],
                vec![
                    Change::Remove(NodeId::new(1)),
                    Change::AddVoter(identity(4)),
                ],
                vec![Change::Remove(NodeId::new(2))],
                vec![Change::Remove(NodeId::new(4))],
            ];
            let _ = solo.raft.reconfigure(&changes[usize::from(which)]);
        }
        Step::Compact => {
            let _ = solo.raft.compact(solo.raft.delivered(), 3, 0);
        }
        Step::Read => {
            let _ = solo.raft.read(solo.now);
        }
        Step::Transfer(to) => {
            let _ = solo.raft.transfer(solo.now, NodeId::new(to));
        }
        Step::Unreachable(peer) => {
            solo.raft
                .handle_unreachable(solo.now, NodeId::new(peer))
                .unwrap();
        }
    }
    solo.check();
    assert_eq!(solo.raft.fault(), None, "no message makes a node faulted");
}

fn take_bytes(solo: &mut Solo, from: u64, bytes: &[u8]) {
    if let Ok(message) = wire::decode(bytes) {
        solo.take(solo.now, from, message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]
    #[test]
    fn no_panic_from_input(
        animal in 0_usize..12,
        steps in prop::collection::vec(any_step(), 1..60),
    ) {
        let mut solo = zoo().swap_remove(animal);
        let mut outstanding = None;
        for step in steps {
            perform(&mut solo, &mut outstanding, step);
        }
    }
}

#[test]
fn progress() {
    for seed in 0..20_u64 {
        let members = [1, 2, 3, 4, 5];
        let logs: [&[u32]; 5] = [&[1, 1, 2], &[1], &[1, 1, 3], &[], &[1, 4]];
        let past = |id: u64| {
            let log = logs[((id + seed) % 5) as usize];
            let term = (id * seed % 7) as u32;
            Past::new(id).voters(&members).term(term).log(log)
        };
        let mut world = World::of(&members.map(past));
        // A minority is away, in some seeds for good.
        world.isolate(seed % 5 + 1);
        world.isolate((seed / 5 + seed) % 5 + 1);
        world.run(Duration::from_millis(1500));
        let leader = world.leader().expect("a quorum is connected and timely");
        world.propose(b"goes on");
        world.settle();
        let applied = world.host(leader).applied.clone();
        assert_eq!(applied.last().unwrap().1, b"goes on", "seed {seed}");
        world.heal();
        world.run(Duration::from_millis(1500));
        for id in members {
            let applied = world.host(id).applied.clone();
            assert!(applied.iter().any(|(_, payload)| payload == b"goes on"));
        }
    }
}

#[test]
fn bounded_work() {
    support::bounds::every_capacity_is_filled();
    support::bounds::idle_calls_do_nothing(zoo());
    // One input never yields more than one message per member and guest, however often it is
    // repeated before the driver asks.
    let mut solo = Past::new(1).establish();
    for _ in 0..100 {
        solo.hear(2, 1, &ack(1, 1));
        solo.hear(3, 1, &append((0, 0), 0, 1, &commands(1, &[1])));
        solo.hear(4, 0, &Said::Vote { last: (0, 0) });
        let (last, attempt) = ((9, 1), 1);
        solo.hear(5, 1, &Said::PreVote { last, attempt });
    }
    assert!(solo.sends().len() <= 4);
    assert_eq!(solo.raft.poll_transmit(solo.now, Ready::All), None);
}

#[test]
fn persist_before_promise() {
    support::promises::crash_between_any_two_steps();
}

//! A voter that was removed while it was away: those who stay tell it, and it falls silent.

mod support;

use clocks::Duration;
use quorum::NodeId;
use raft_core::{Change, Event, Role};
use support::World;
use support::past::{Item, Past, voters};
use support::solo::{Said, Solo, append};

fn remove(id: u64) -> Change {
    Change::Remove(NodeId::new(id))
}

/// B-16, D-61: nobody sends anything to a removed node, and it asked for pre-votes for ever.
#[test]
fn removed_node_asked_for_ever() {
    let mut world = World::of(&[1, 2, 3, 4].map(|id| Past::new(id).voters(&[1, 2, 3, 4])));
    world.elect(1);
    world.isolate(4);
    world.raft(1).reconfigure(&[remove(4)]).unwrap();
    world.settle();
    world.heal();
    world.run(Duration::from_millis(1000));
    let was_told = |events: &[Event]| events.contains(&Event::Removed);
    assert!(was_told(&world.host(4).events));
    assert_eq!(world.role(4), Role::Follower);
    assert_eq!(world.raft(4).members().count(), 4, "it has no newer entry");
    let now = world.now;
    world.raft(4).handle_timeout(now).unwrap();
    assert_eq!(world.raft(4).poll_timeout(), None, "nothing wakes it");
    world.raft(4).campaign(now).unwrap();
    assert_eq!(world.transmit(4), 0);
    // Let in again, it votes and stands as before.
    let identity = world.identity(4);
    let add = [Change::AddVoter(identity)];
    world.raft(1).reconfigure(&add).unwrap();
    world.run(Duration::from_millis(100));
    assert!(world.raft(4).is_voter());
    world.isolate(4);
    world.run(Duration::from_millis(1000));
    assert_eq!(world.role(4), Role::PreCandidate);
}

/// Node 4, whose log ends with entry 2 of term 2, asks; the attempt that it names.
fn asker() -> (Solo, u32) {
    let mut solo = Past::new(4).voters(&[1, 2, 4]).log(&[1, 2]).start();
    let attempt = solo.stand();
    (solo, attempt)
}

/// A member that lags has committed less than the asker has, and cannot know.
#[test]
fn only_what_lies_beyond_the_own_log_counts() {
    for (at, is_removed) in [
        ((2, 2), false),
        ((9, 1), false),
        ((3, 2), true),
        ((1, 3), true),
    ] {
        let (mut solo, attempt) = asker();
        solo.say(1, 2, Said::Removed { attempt, at });
        let is_asking = solo.raft.role() == Role::PreCandidate;
        assert_eq!(is_asking, !is_removed, "{at:?}");
        solo.tick(1000);
        assert_eq!(solo.drain().sent.is_empty(), is_removed, "{at:?}");
    }
}

/// An answer to another attempt, or of a stranger, says nothing; nor does it to who does not ask.
#[test]
fn only_the_answer_of_a_member_to_this_attempt_counts() {
    let at = (3, 2);
    let (mut solo, attempt) = asker();
    let before = attempt.wrapping_sub(1);
    solo.say(
        1,
        2,
        Said::Removed {
            attempt: before,
            at,
        },
    );
    solo.say(9, 2, Said::Removed { attempt, at });
    assert_eq!(solo.raft.role(), Role::PreCandidate);
    solo.say(1, 2, append((2, 2), 2, 1, &[]));
    solo.say(2, 2, Said::Removed { attempt, at });
    solo.tick(1000);
    assert!(!solo.drain().sent.is_empty(), "it stands again");
}

/// A configuration that is not committed may be taken back: nobody is told of it.
#[test]
fn nobody_is_told_before_the_removal_is_committed() {
    let log = [
        (1, Item::NoOp),
        (1, Item::Seats(voters(&[1, 2, 3]))),
        (1, Item::NoOp),
    ];
    let (last, attempt, granted) = ((1, 1), 7, false);
    let asked = Said::PreVote { last, attempt };
    let refused = Said::PreVoteReply { attempt, granted };
    let past = Past::new(1).voters(&[1, 2, 3, 4]).items(&log);
    let mut solo = past.clone().commit(1).start();
    assert_eq!(solo.say(4, 1, asked.clone()).sent, [(4, 1, refused)]);
    let mut solo = past.commit(2).start();
    let at = (2, 1);
    let told = Said::Removed { attempt, at };
    assert_eq!(solo.say(4, 1, asked.clone()).sent, [(4, 1, told)]);
    // Whom the configuration names is not told so.
    let refused = Said::PreVoteReply { attempt, granted };
    assert_eq!(solo.say(3, 1, asked).sent, [(3, 1, refused)]);
}

/// Whoever is silent still votes, and follows a leader that it hears.
#[test]
fn silent_node_still_votes_and_follows() {
    let (mut solo, attempt) = asker();
    let at = (3, 2);
    solo.say(1, 2, Said::Removed { attempt, at });
    let outcome = solo.say(2, 3, Said::Vote { last: (3, 2) });
    assert_eq!(outcome.sent, [(2, 3, Said::VoteReply(true))]);
    let members = Item::Seats(voters(&[1, 2, 4]));
    solo.say(2, 3, append((2, 2), 2, 1, &[(2, Item::NoOp), (3, members)]));
    solo.pass(1000);
    solo.stand();
}

//! Where an episode begins: states that random messages would hardly ever reach, made by honest
//! ones. Built once, copied for each episode.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::{
    Ack, Append, Body, Change, Chunk, ChunkAck, ChunkData, Entries, EntryId, GroupId, LogIndex,
    Message, PreVoteReply, Raft, Ready, Recovered, Role, Round, Snapshot, Standing, Term,
    VoteReply,
};

use super::past::{GROUP, Past, configuration, entry, identity};
use super::rules::{Broken, Rule, check};
use super::subject::{Machine, Record, Subject, WINDOW, config};

/// A named beginning.
#[derive(Clone)]
pub struct Opening {
    /// What it is.
    pub name: &'static str,
    /// The machine in this state.
    pub subject: Subject,
}

/// All of them.
///
/// # Errors
///
/// What an honest history broke.
pub fn all() -> Result<Vec<Opening>, Broken> {
    let mut openings = Vec::new();
    let mut add = |name, made: Result<Subject, Broken>| -> Result<(), Broken> {
        let mut subject = made?;
        subject.hear()?;
        let found = subject.raft.check_invariants();
        check(found.is_ok(), Rule::Invariants, || {
            format!("{name}: not true: {}", found.err().unwrap_or_default())
        })?;
        subject.view = subject.look();
        openings.push(Opening { name, subject });
        Ok(())
    };
    add("joiner", Ok(joiner()))?;
    add("founder", founder())?;
    add("empty member", Ok(restored(&Past::new(1))))?;
    add("follower", follower(Past::new(1).log(&[1, 1, 2, 3, 3])))?;
    add("long log", follower(Past::new(1).log(&[2; 30])))?;
    add("snapshot in flight", receiving())?;
    add("written, not reported", unsettled())?;
    add("pre-candidate", pre_candidate(Past::new(1).log(&[1, 2])))?;
    add("candidate", candidate(Past::new(1).log(&[1, 2])))?;
    add("leader", leader(&Past::new(1).log(&[1, 2, 2])))?;
    add("leader, full window", full_leader())?;
    add("leader, peer needs a snapshot", sending())?;
    add("leader, joint", joint_leader())?;
    add("leader, leaving", leaving_leader())?;
    add("follower, joint", follower(joint_log()))?;
    add("learner", follower(learner()))?;
    add("group of one", leader(&alone()))?;
    add(
        "last terms",
        leader(&with_term(Past::new(1), u32::MAX - 40)),
    )?;
    add(
        "last term but one",
        Ok(restored(&with_term(Past::new(1), u32::MAX - 2))),
    )?;
    add("far indexes", follower(far(u64::MAX / 2 - 3)))?;
    add("far leader", leader(&far(u64::MAX / 2)))?;
    add("late in time", late())?;
    // What is stored of a term may be lost, and the log of it not.
    let behind = with_term(Past::new(1).log(&[1, 2, 4]), 2);
    add("term behind the log", Ok(restored(&behind)))?;
    Ok(openings)
}

fn with_term(mut past: Past, term: u32) -> Past {
    past.term = term;
    past
}

fn far(index: u64) -> Past {
    let mut past = Past::new(1);
    (past.base, past.commit, past.size) = ((index, 4), index, 40);
    past.log(&[4, 5])
}

fn alone() -> Past {
    let mut past = Past::new(1);
    past.seats = vec![(1, Standing::Voter)];
    past.log(&[1])
}

fn learner() -> Past {
    let mut past = Past::new(3);
    past.seats = vec![
        (1, Standing::Voter),
        (2, Standing::Voter),
        (3, Standing::Learner),
    ];
    past.log(&[1, 1])
}

fn joint_log() -> Past {
    let mut past = Past::new(1).log(&[1, 1]);
    let mut seats = Vec::new();
    let joint = [
        (1, Standing::Voter),
        (2, Standing::Demoted),
        (3, Standing::Outgoing),
        (4, Standing::Incoming),
        (5, Standing::Learner),
    ];
    configuration(&mut seats, 100_000, &joint);
    entry(&mut past.entries, 2, 2, &seats);
    past.term = 2;
    past.commit = 1;
    past
}

fn restored(past: &Past) -> Subject {
    let record = past.record();
    let now = Instant::from_micros(1_000_000);
    let fail = |error| -> ! { panic!("the opening's record is sound: {error}") };
    let mut recovered = Recovered::new([0; WINDOW]).unwrap_or_else(|error| fail(error));
    recovered
        .replay(&record)
        .unwrap_or_else(|error| fail(error));
    let applied = LogIndex::new(past.base.0);
    let raft: Machine = Raft::restore(config(past.id), recovered, applied, past.id, now)
        .unwrap_or_else(|error| fail(error));
    Subject::new(raft, now, vec![Record::whole(record)])
}

fn joiner() -> Subject {
    let now = Instant::from_micros(1_000_000);
    let joined = Raft::join(config(1), GroupId::new(GROUP), [0; WINDOW], 1, now);
    let raft = joined.unwrap_or_else(|error| panic!("the window is large enough: {error}"));
    Subject::new(raft, now, Vec::new())
}

fn founder() -> Result<Subject, Broken> {
    let now = Instant::from_micros(1_000_000);
    let founded = Raft::found(config(1), [0; WINDOW], 1, now);
    let raft = founded.unwrap_or_else(|error| panic!("the window is large enough: {error}"));
    let mut subject = Subject::new(raft, now, Vec::new());
    settle(&mut subject)?;
    fire(&mut subject)?;
    settle(&mut subject)?;
    settle(&mut subject)?;
    Ok(subject)
}

/// Writes, sends and applies until nothing is left.
fn settle(subject: &mut Subject) -> Result<(), Broken> {
    for _ in 0..3 {
        subject.persist_begin();
        subject.persist_end()?;
        subject.observe()?;
        subject.transmit(u64::MAX, Ready::All)?;
        subject.apply()?;
    }
    subject.hear()
}

fn fire(subject: &mut Subject) -> Result<(), Broken> {
    if let Some(deadline) = subject.raft.poll_timeout() {
        subject.now = subject.now.max(deadline);
    }
    let done = subject.raft.handle_timeout(subject.now);
    assert!(done.is_ok(), "an honest timeout: {done:?}");
    subject.observe()
}

fn tell(subject: &mut Subject, from: u64, term: Term, body: Body<'_>) -> Result<(), Broken> {
    let message = Message {
        group: subject.raft.group(),
        incarnation: identity(from).incarnation,
        term,
        body,
    };
    let from = NodeId::new(from);
    if let Ok(Some(piece)) = subject.raft.handle_message(subject.now, from, message) {
        let receipt = piece.into_receipt();
        subject.keep(receipt, 0);
    }
    subject.observe()
}

/// Follows node 2, which has said nothing but that it leads.
fn follower(past: Past) -> Result<Subject, Broken> {
    let mut subject = restored(&past);
    settle(&mut subject)?;
    let last = subject.raft.last();
    let heartbeat = Append {
        prev: last,
        commit: LogIndex::new(past.commit),
        round: Round::new(1),
        entries: Entries::EMPTY,
    };
    let term = subject.raft.term();
    tell(&mut subject, 2, term, Body::Append(heartbeat))?;
    settle(&mut subject)?;
    Ok(subject)
}

fn receiving() -> Result<Subject, Broken> {
    let mut subject = follower(Past::new(1).log(&[1, 1]))?;
    let mut seats = Vec::new();
    configuration(
        &mut seats,
        100_000,
        &[(1, Standing::Voter), (2, Standing::Voter)],
    );
    let snapshot = Snapshot {
        last: EntryId::new(LogIndex::new(40), Term::new(1)),
        size: 100,
        checksum: 7,
    };
    let chunk = Chunk {
        snapshot,
        configuration: &seats,
        round: Round::new(2),
        offset: 0,
        data: ChunkData::Received(&[1; 60]),
    };
    let term = subject.raft.term();
    tell(&mut subject, 2, term, Body::Chunk(chunk))?;
    if let Some(receipt) = subject.receipts[0].take() {
        subject.store(receipt)?;
        subject.observe()?;
    }
    (subject.heard.snapshot, subject.heard.stored) = (snapshot, 60);
    settle(&mut subject)?;
    Ok(subject)
}

fn unsettled() -> Result<Subject, Broken> {
    let mut subject = follower(Past::new(1).log(&[1, 1]))?;
    let mut entries = Vec::new();
    entry(&mut entries, 1, 0, b"one");
    entry(&mut entries, 1, 0, b"two");
    let append = Append {
        prev: subject.raft.last(),
        commit: LogIndex::new(3),
        round: Round::new(2),
        entries: Entries::from_bytes(&entries),
    };
    tell(&mut subject, 2, Term::new(1), Body::Append(append))?;
    subject.persist_begin();
    Ok(subject)
}

fn pre_candidate(past: Past) -> Result<Subject, Broken> {
    let mut subject = restored(&past);
    settle(&mut subject)?;
    for _ in 0..4 {
        if subject.raft.role() != Role::Follower {
            break;
        }
        fire(&mut subject)?;
        subject.transmit(u64::MAX, Ready::All)?;
    }
    Ok(subject)
}

fn candidate(past: Past) -> Result<Subject, Broken> {
    let mut subject = pre_candidate(past)?;
    for peer in [2, 3] {
        let granted = PreVoteReply {
            attempt: subject.heard.attempt,
            is_granted: true,
            removed_at: None,
        };
        let term = subject.raft.term();
        tell(&mut subject, peer, term, Body::PreVoteReply(granted))?;
    }
    settle(&mut subject)?;
    Ok(subject)
}

/// Leads, and has committed its first entry.
fn leader(past: &Past) -> Result<Subject, Broken> {
    let mut subject = candidate(past.clone())?;
    let term = subject.raft.term();
    let granted = VoteReply { is_granted: true };
    for peer in [2, 3] {
        tell(&mut subject, peer, term, Body::VoteReply(granted))?;
    }
    settle(&mut subject)?;
    for peer in [2, 3] {
        level(&mut subject, peer)?;
    }
    settle(&mut subject)?;
    assert!(subject.raft.is_established(), "an honest election succeeds");
    Ok(subject)
}

/// A peer acknowledges everything.
fn level(subject: &mut Subject, peer: u64) -> Result<(), Broken> {
    let ack = Ack {
        verified: subject.raft.last().index,
        round: subject.heard.round,
        room: 1000,
        reject: None,
        chunk: None,
    };
    let term = subject.raft.term();
    tell(subject, peer, term, Body::Ack(ack))
}

fn full_leader() -> Result<Subject, Broken> {
    let mut subject = leader(&Past::new(1).log(&[1, 2]))?;
    while subject.raft.propose(&[7; 24]).is_ok() {
        subject.observe()?;
    }
    while subject.raft.propose(&[]).is_ok() {
        subject.observe()?;
    }
    settle(&mut subject)?;
    Ok(subject)
}

fn sending() -> Result<Subject, Broken> {
    let mut subject = leader(&Past::new(1).log(&[1, 2]))?;
    for number in 0..6_u8 {
        let _ = subject.raft.propose(&[number; 20]);
    }
    settle(&mut subject)?;
    level(&mut subject, 2)?;
    settle(&mut subject)?;
    let done = subject.raft.handle_unreachable(subject.now, NodeId::new(3));
    assert!(done.is_ok());
    let delivered = subject.raft.delivered();
    let done = subject.raft.compact(delivered, 500, 3);
    assert!(done.is_ok(), "{done:?}");
    subject.observe()?;
    fire(&mut subject)?;
    settle(&mut subject)?;
    let ack = Ack {
        verified: LogIndex::ZERO,
        round: subject.heard.round,
        room: 1000,
        reject: None,
        chunk: Some(ChunkAck {
            index: delivered,
            stored: 100,
        }),
    };
    let term = subject.raft.term();
    tell(&mut subject, 3, term, Body::Ack(ack))?;
    settle(&mut subject)?;
    Ok(subject)
}

fn joint_leader() -> Result<Subject, Broken> {
    let mut subject = leader(&Past::new(1).log(&[1, 2]))?;
    let changes = [
        Change::AddVoter(identity(4)),
        Change::AddLearner(identity(5)),
        Change::Remove(NodeId::new(3)),
    ];
    let done = subject.raft.reconfigure(&changes);
    assert!(done.is_ok(), "{done:?}");
    subject.observe()?;
    settle(&mut subject)?;
    Ok(subject)
}

fn leaving_leader() -> Result<Subject, Broken> {
    let mut subject = leader(&Past::new(1).log(&[1, 2]))?;
    let done = subject.raft.reconfigure(&[Change::Remove(NodeId::new(1))]);
    assert!(done.is_ok(), "{done:?}");
    subject.observe()?;
    settle(&mut subject)?;
    for peer in [2, 3] {
        level(&mut subject, peer)?;
        settle(&mut subject)?;
    }
    Ok(subject)
}

fn late() -> Result<Subject, Broken> {
    let mut subject = leader(&Past::new(1).log(&[1]))?;
    let end = Instant::from_micros(u64::MAX);
    subject.now = end.saturating_sub(Duration::from_millis(30));
    settle(&mut subject)?;
    Ok(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each opening is what its name says; otherwise the deep states would quietly get lost.
    #[test]
    fn the_openings_are_what_they_say() {
        let openings = all().unwrap();
        let find = |name| {
            let found = openings.iter().find(|opening| opening.name == name);
            &found.unwrap().subject
        };
        assert_eq!(find("pre-candidate").raft.role(), Role::PreCandidate);
        assert_eq!(find("candidate").raft.role(), Role::Candidate);
        assert_eq!(find("follower").raft.leader(), Some(NodeId::new(2)));
        for name in [
            "leader",
            "founder",
            "group of one",
            "last terms",
            "far leader",
        ] {
            assert!(find(name).raft.is_established(), "{name}");
        }
        assert!(find("leader, joint").raft.is_joint());
        assert!(find("follower, joint").raft.is_joint());
        assert!(!find("leader, leaving").raft.is_voter());
        assert!(find("leader, leaving").is_leader());
        let full = find("leader, full window");
        assert!(full.is_leader() && full.raft.clone().propose(&[]).is_err());
        assert!(find("written, not reported").taken.is_some());
        let sending = find("leader, peer needs a snapshot");
        assert_eq!(sending.heard.snapshot.size, 500);
        assert!(sending.heard.stored > 0);
        assert_eq!(find("snapshot in flight").heard.stored, 60);
        assert!(openings.iter().all(|it| it.subject.raft.fault().is_none()));
    }
}

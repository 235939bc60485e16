//! From what was kept of a history to a diagram.
//!
//! A row is one decision of the world and all that follows from it at that node. Heartbeats and
//! acknowledgements that change nothing are left out, and so is a node that wakes and goes back
//! to sleep.

use std::collections::{BTreeMap, BTreeSet};

use raft_core::Role as RaftRole;

use crate::draw::{Cause, Diagram, Kind, Role, State};
use crate::oracle::Violation;
use crate::scenario::{Played, Scenario};
use crate::world::clock::Moment;
use crate::world::decision::{Decision, FrameKind, FrameName};
use crate::world::happening::{Facts, Happening, Names, What};
use crate::world::trace::Trace;

/// A decision with all that follows from it at its host.
struct Group<'h> {
    at: Moment,
    lane: usize,
    decision: &'h Decision,
    arrived: Option<u32>,
    facts: Option<&'h Facts>,
    sent: Vec<(usize, u32, &'h str)>,
    notes: Vec<&'h str>,
}

impl Diagram {
    /// The diagram of a story that was played with [`Scenario::play`].
    pub fn of(scenario: &Scenario, played: &Played) -> Self {
        let title = scenario.about.first().map_or("", String::as_str);
        let trace = played.world.trace();
        let hosts = scenario.knobs.hosts;
        Diagram::of_trace(
            title,
            hosts,
            trace,
            played.begins,
            played.violation.as_ref(),
        )
    }

    /// The diagram of a trace with [`Verbosity::Keep`]; what happened before `begins` counts only
    /// for what the nodes are at the beginning.
    ///
    /// [`Verbosity::Keep`]: crate::world::trace::Verbosity::Keep
    pub fn of_trace(
        title: &str,
        hosts: usize,
        trace: &Trace,
        begins: usize,
        violation: Option<&Violation>,
    ) -> Self {
        let happenings = trace.happenings();
        let (before, after) = happenings.split_at(begins.min(happenings.len()));
        let nameless = Names::default();
        let frames = trace.names().unwrap_or(&nameless);
        let names: Vec<_> = (1..=hosts).map(|host| format!("n{host}")).collect();
        let mut diagram = Diagram::new(title, names.iter().map(String::as_str));
        for happening in before {
            if let What::Facts(facts) = &happening.what {
                diagram.begin(happening.host, state(facts));
            }
        }
        let groups = groups(after);
        let hidden = hidden(&groups, frames);
        let mut places = BTreeMap::new();
        for group in &groups {
            let is_idle = group.arrived.is_some_and(|frame| hidden.contains(&frame));
            let sends = group
                .sent
                .iter()
                .any(|(_, frame, _)| !hidden.contains(frame));
            let is_quiet = matches!(
                group.decision,
                Decision::Wake(_) | Decision::Store(_) | Decision::Busy(..) | Decision::Image(_)
            );
            let says = group.facts.is_some() || sends || !group.notes.is_empty();
            if (is_idle || is_quiet) && !says {
                continue;
            }
            let cause = match group.arrived {
                Some(_) if is_idle => Cause::Other(String::new()),
                Some(frame) => match places.get(&frame) {
                    Some(message) => Cause::Receives(*message),
                    None => Cause::Other("receives".into()),
                },
                None => cause(group.decision),
            };
            diagram.step(group.lane, group.at.as_micros(), cause);
            if *group.decision == Decision::Calm {
                // From here on nobody tells a story.
                break;
            }
            if let Some(facts) = group.facts {
                diagram.state(state(facts));
            }
            for note in &group.notes {
                diagram.note(note);
            }
            for (to, frame, words) in &group.sent {
                if let Some(name) = frames.name(*frame).filter(|_| !hidden.contains(frame)) {
                    let (kind, label) = label(name, words);
                    places.insert(*frame, diagram.send(*to, kind, &label));
                }
            }
        }
        if let Some(violation) = violation {
            let lanes = hosts_named(&violation.what, hosts);
            diagram.end(violation.oracle.name(), &violation.what, &lanes);
        }
        diagram
    }
}

fn groups(happenings: &[Happening]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for happening in happenings {
        if let What::Decided(decision) = &happening.what {
            groups.push(Group {
                at: happening.at,
                lane: happening.host,
                decision,
                arrived: None,
                facts: None,
                sent: Vec::new(),
                notes: Vec::new(),
            });
            continue;
        }
        let Some(group) = groups.last_mut() else {
            continue;
        };
        match &happening.what {
            What::Arrived(_, frame, _) => group.arrived = Some(*frame),
            What::Facts(facts) => group.facts = Some(facts),
            What::Sent(to, frame, words) => group.sent.push((*to, *frame, words)),
            What::Words(words) if words.starts_with("takes over") || words == "disk stalled" => {
                group.notes.push(words);
            }
            What::Words(words) if words.starts_with("compacts") => group.notes.push(words),
            What::Words(words) if words.starts_with("refused") => group.notes.push("refused"),
            What::Decided(_)
            | What::Lost(_)
            | What::Writes(_)
            | What::Disk(_)
            | What::Started(..)
            | What::Role(..)
            | What::Words(_) => {}
        }
    }
    groups
}

/// Frames that nobody needs to see: heartbeats and acknowledgements that changed nothing.
fn hidden(groups: &[Group<'_>], names: &Names) -> BTreeSet<u32> {
    let sent = groups.iter().flat_map(|group| &group.sent);
    let is_dull = |frame: &u32, words: &str| match names.name(*frame) {
        Some(name) if name.kind == FrameKind::Append => name.detail.1 == 0,
        Some(name) if name.kind == FrameKind::Ack => !words.contains("chunk"),
        _ => false,
    };
    let dull = sent.filter(|(_, frame, words)| is_dull(frame, words));
    let mut dull: BTreeSet<u32> = dull.map(|(_, frame, _)| *frame).collect();
    for group in groups {
        if let (Some(frame), Some(_)) = (group.arrived, group.facts) {
            dull.remove(&frame);
        }
    }
    dull
}

fn cause(decision: &Decision) -> Cause {
    match decision {
        Decision::Wake(_) => Cause::Timeout,
        Decision::Store(_) => Cause::Disk,
        Decision::Fail(..) => Cause::Other("the write fails".into()),
        Decision::Crash(_, left) => Cause::Crash(match (left.kept, left.torn) {
            (0, None) => String::new(),
            (kept, None) => format!("keeps {kept} unreported"),
            (_, Some(bytes)) => format!("tears at {bytes} bytes"),
        }),
        Decision::Restart(_) => Cause::Restart,
        Decision::Wipe(_) => Cause::Other("is wiped, joins anew".into()),
        Decision::Propose(_, 1, _) => Cause::Asked("propose".into()),
        Decision::Propose(_, count, _) => Cause::Asked(format!("propose {count}")),
        Decision::Read(_, count) => Cause::Asked(format!("read {count}")),
        Decision::Campaign(_) => Cause::Asked("campaign".into()),
        Decision::Rouse(_) => Cause::Asked("wake".into()),
        Decision::Transfer(_, to) => Cause::Asked(format!("transfer to n{}", to + 1)),
        Decision::Reconfigure(..) => {
            let words = decision.to_string();
            let changes = words.split_whitespace().skip(2).collect::<Vec<_>>();
            Cause::Asked(changes.join(" "))
        }
        Decision::Clock(..) => {
            let words = decision.to_string();
            let shift = words.split_whitespace().last().unwrap_or_default();
            Cause::Other(format!("clock {shift}"))
        }
        Decision::Freeze(_, illness) => Cause::Other(format!("stays {illness:?}").to_lowercase()),
        Decision::Partition(_) | Decision::Heal | Decision::Cut(..) => {
            Cause::World(decision.to_string())
        }
        Decision::Calm => Cause::World("calm: the group recovers by itself".into()),
        Decision::StopClock(_) => Cause::Other("clock stops".into()),
        Decision::StartClock(..) => Cause::Other("clock goes on".into()),
        Decision::Rate(_, ppm) => Cause::Other(format!("clock gains {ppm} us/s")),
        Decision::Rot(_) => Cause::Other("a record rots".into()),
        Decision::Rewind => Cause::Other("goes back in time".into()),
        Decision::Unreachable(..) => Cause::Other("peer unreachable".into()),
        Decision::Deliver(_)
        | Decision::Busy(..)
        | Decision::Free(_)
        | Decision::Image(_)
        | Decision::Lose(_)
        | Decision::Hold(_)
        | Decision::Stall(_)
        | Decision::Flow(_)
        | Decision::Run(_) => Cause::Other(String::new()),
    }
}

fn state(facts: &Facts) -> State {
    let role = match facts.role {
        Some(RaftRole::Leader) => Role::Leader,
        Some(RaftRole::Candidate | RaftRole::PreCandidate) => Role::Candidate,
        Some(RaftRole::Follower) | None => Role::Follower,
    };
    State {
        role,
        term: facts.term.value().into(),
        base: facts.base.index.value(),
        log: facts.terms.iter().map(|term| term.value().into()).collect(),
        durable: facts.durable.index.value(),
        commit: facts.commit.value(),
    }
}

/// The few words that stand at an arrow.
fn label(name: &FrameName, words: &str) -> (Kind, String) {
    let (first, second) = name.detail;
    let verdict = if words.contains("granted") {
        "yes"
    } else {
        "no"
    };
    match name.kind {
        FrameKind::PreVote => (Kind::PreVote, format!("pre-vote? t{}", name.term)),
        FrameKind::PreVoteReply => (Kind::PreVote, format!("pre-vote {verdict}")),
        FrameKind::Vote => (Kind::Election, format!("vote? t{}", name.term)),
        FrameKind::VoteReply => (Kind::Election, format!("vote {verdict}")),
        FrameKind::Append | FrameKind::Hollow => {
            let label = match second {
                0 => {
                    let mut words = words.split_whitespace();
                    words.find(|word| *word == "commit");
                    words
                        .next()
                        .map_or("heartbeat".into(), |at| format!("commit {at}"))
                }
                1 => format!("entry {}", first + 1),
                _ => format!("entries {}-{}", first + 1, first + second),
            };
            (Kind::Append, label)
        }
        FrameKind::Ack if words.contains("reject") => (Kind::Ack, "reject".to_owned()),
        FrameKind::Ack if words.contains("chunk") => {
            let mut words = words.split_whitespace();
            words.find(|word| *word == "chunk");
            let stored = words.next().and_then(|it| it.split_once(':'));
            let stored = stored.map_or("?", |(_, bytes)| bytes);
            (Kind::Ack, format!("stored up to {stored}"))
        }
        FrameKind::Ack => (Kind::Ack, format!("ack {first}")),
        FrameKind::Chunk => (Kind::Snapshot, format!("snapshot {first}, from {second}")),
        FrameKind::ReadRequest => (Kind::Ack, "read?".to_owned()),
        FrameKind::ReadReply => (Kind::Append, "read at".to_owned()),
        FrameKind::TimeoutNow => (Kind::Election, "stand now".to_owned()),
        FrameKind::Quiet => (Kind::Append, "quiet?".to_owned()),
        FrameKind::QuietReply if words.contains("agreed") => (Kind::Ack, "quiet".to_owned()),
        FrameKind::QuietReply => (Kind::Ack, "awake".to_owned()),
    }
}

/// The hosts that a sentence is about.
fn hosts_named(words: &str, hosts: usize) -> Vec<usize> {
    let is_digit = |c: char| c.is_ascii_digit();
    let mut named = Vec::new();
    let mut counts = false;
    for word in words.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        match bare {
            "host" | "hosts" | "node" | "leader" | "voters" => counts = true,
            "and" | "only" => {}
            _ => match bare.trim_start_matches('n').parse::<usize>() {
                Ok(number) if counts && (1..=hosts).contains(&number) => {
                    if !named.contains(&(number - 1)) {
                        named.push(number - 1);
                    }
                    counts = word.ends_with(is_digit) || word.starts_with('{');
                }
                _ => counts = false,
            },
        }
    }
    named
}

//! Steps, and how far they lead, in words.

use raft_core::{Body, wire};

use super::group::{Action, RaftSpace};
use super::node::View;
use super::step::{Input, Nodes};

/// What happens to a node.
pub(super) fn describe(nodes: &Nodes, local: u32, action: Action) -> String {
    let (node, view) = (action.place + 1, nodes.locals.view(local));
    let what = match action.input {
        Input::Deliver(frame) => return deliver(nodes, frame),
        Input::Lose(frame) => return format!("lost: {}", deliver(nodes, frame)),
        Input::LoseAll => return "what is left of the election under way is lost".into(),
        Input::End(leader, follower) if leader == follower => return "the storm stops".into(),
        Input::End(leader, follower) => {
            return format!("nodes {} and {} stay in touch", leader + 1, follower + 1);
        }
        Input::Wait if view.is_leader => "is silent so long that it loses office".into(),
        Input::Wait => "hears nothing and asks for pre-votes".into(),
        Input::Calm => "has heard from no leader for a while".into(),
        Input::Beat => "sends again".into(),
        Input::Propose => "is given a command".into(),
        Input::Reconfigure(what) => what.words(),
        Input::Wind(fast) => return format!("of the clocks {fast:04b} are fast (node 1 last)"),
        Input::Pass(_) => return "a unit of time passes".into(),
        Input::Look => "looks at the clock".into(),
        Input::Campaign => "is told to stand".into(),
        Input::Compact => "compacts its log".into(),
        Input::Read => "is asked to read".into(),
        Input::Transfer(to) => format!("is told to hand over to node {}", to + 1),
        Input::Stored => "has stored what it was writing".into(),
        Input::Crash(None) => "crashes and comes back".into(),
        Input::Crash(Some(cut)) => format!("crashes, has kept part {cut} of its write, comes back"),
        Input::Failed(None) => "could not write".into(),
        Input::Failed(Some(cut)) => format!("could not write more than part {cut}"),
    };
    format!("node {node} (term {}) {what}", view.term)
}

fn deliver(nodes: &Nodes, id: u32) -> String {
    let frame = nodes.frames.get(id);
    let (from, to) = (frame.from + 1, frame.to + 1);
    let Ok(message) = wire::decode(&frame.bytes) else {
        return format!("{from} -> {to}: bytes");
    };
    let term = message.term;
    let what = match message.body {
        Body::PreVote(ask) => format!("pre-vote? log {}/{}", ask.last.index, ask.last.term),
        Body::PreVoteReply(reply) => format!("pre-vote: {}", yes(reply.is_granted)),
        Body::Vote(ask) => format!("vote? log {}/{}", ask.last.index, ask.last.term),
        Body::VoteReply(reply) => format!("vote: {}", yes(reply.is_granted)),
        Body::Append(append) => {
            let entries = append.entries.iter(append.prev.index.next());
            let terms: Vec<_> = entries.map(|entry| entry.id.term.to_string()).collect();
            let (prev, commit) = (append.prev, append.commit);
            format!(
                "append after {}/{}: [{}], commit {commit}",
                prev.index,
                prev.term,
                terms.join(" ")
            )
        }
        Body::Hollow(hollow) => {
            let (prev, count) = (hollow.prev, hollow.entries.count());
            format!(
                "hollow after {}/{}: {count}, commit {}",
                prev.index, prev.term, hollow.commit
            )
        }
        Body::Ack(ack) => match ack.reject {
            Some(reject) => format!("ack {}, refuses {}", ack.verified, reject.prev),
            None => format!("ack {}", ack.verified),
        },
        Body::Chunk(chunk) => format!("snapshot at {}", chunk.snapshot.last.index),
        Body::ReadRequest(ask) => format!("read? {}", ask.number),
        Body::ReadReply(reply) => format!("read {} at {}", reply.number, reply.index),
        Body::TimeoutNow => "stand now".into(),
        Body::Quiet(quiet) => format!("quiet? commit {}", quiet.commit),
        Body::QuietReply(reply) if reply.is_quiet => "quiet".into(),
        Body::QuietReply(_) => "awake".into(),
    };
    format!("{from} -> {to} (term {term}): {what}")
}

fn yes(is_granted: bool) -> &'static str {
    if is_granted { "yes" } else { "no" }
}

impl RaftSpace {
    /// How far single nodes came, in words: what never happened cannot have been checked.
    pub fn reached(&self) -> String {
        let views = || self.nodes.locals.views();
        let most = |what: fn(&View) -> u32, least: u32| {
            let most = views().map(what).max().unwrap_or(least);
            most.saturating_sub(least)
        };
        let any = |what: &dyn Fn(&View) -> bool| if views().any(what) { "yes" } else { "no" };
        let newcomer = 1 << self.nodes.profile.members;
        let words = format!(
            "terms +{}, log +{}, commit +{}, base +{}, joint: {}, newcomer votes: {}",
            most(|view| view.term, self.term),
            most(|view| view.log.last(), self.index),
            most(|view| view.commit, self.index),
            most(|view| view.log.base, self.index),
            any(&|view| view.incoming != view.outgoing),
            any(&|view| view.incoming == view.outgoing && view.incoming & newcomer != 0),
        );
        match self.nodes.endings() {
            (0, 0) => words,
            (answered, failed) => {
                format!(
                    "{words}, steps that answer a read: {answered}, that end it without: {failed}"
                )
            }
        }
    }
}

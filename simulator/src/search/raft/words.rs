//! Steps in words.

use raft_core::{Body, wire};

use super::group::Action;
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
        Input::Reconfigure => "changes the membership".into(),
        Input::Compact => "compacts its log".into(),
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
    };
    format!("{from} -> {to} (term {term}): {what}")
}

fn yes(is_granted: bool) -> &'static str {
    if is_granted { "yes" } else { "no" }
}

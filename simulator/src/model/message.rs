//! What a node may say in the state in which it is.

use quorum::NodeId;
use raft_core::{Body, ChunkData, EntryId, EntryKind, Hollow, HollowRun, Message};

use super::{Abstract, Compacted, Configuration, Entry, Id, Role, must};

/// Whether the receiver keeps no payloads.
fn is_to_witness(state: &Abstract, to: NodeId) -> bool {
    let member = state.configuration.member(to);
    member.is_some_and(|member| state.configuration.is_witness(member))
}

/// What a witness is told, entry by entry.
pub(super) fn hollow_entries(hollow: &Hollow<'_>) -> Vec<Entry> {
    let entries = hollow.entries.iter().flat_map(|run| {
        let term = run.term();
        let entry = match run {
            HollowRun::Entries { .. } => Entry::of_nothing(u64::from(term.value())),
            HollowRun::Configuration { payload, .. } => Entry::of(&raft_core::Entry {
                id: EntryId::new(hollow.prev.index, term),
                kind: EntryKind::Configuration,
                payload,
            }),
        };
        std::iter::repeat_n(entry, run.count() as usize)
    });
    entries.collect()
}

/// Whether the papers allow a node in this state to send this message. The leader of the papers
/// has its whole log: `compacted` is what any node has dropped of it.
///
/// # Errors
///
/// The rule that does not, with the section that it comes from.
pub fn check_sent(
    state: &Abstract,
    compacted: &Compacted,
    to: NodeId,
    message: &Message<'_>,
) -> Result<(), String> {
    let term = u64::from(message.term.value());
    must(to != state.me.node, || "a node talks to itself".into())?;
    must(message.incarnation == state.me.incarnation, || {
        "a node speaks for an earlier life".into()
    })?;
    must(term == state.term, || {
        format!("§3.3: a node of term {} speaks in {term}", state.term)
    })?;
    must(term == state.durable.term, || {
        format!("§3.8: term {term} is spoken of before it is durable")
    })?;
    let last = state.last();
    let is_followed = state.role == Role::Follower && state.leader == Some(to);
    let own_vote = state.vote == Some(state.me) && state.durable.vote == Some(state.me);
    match &message.body {
        Body::PreVote(request) => must(
            state.role == Role::PreCandidate && Id::from(request.last) == last,
            || format!("§9.6: {:?} asks for pre-votes with {request:?}", state.role),
        ),
        Body::Vote(request) => {
            must(
                state.role == Role::Candidate && Id::from(request.last) == last,
                || format!("§3.4: {:?} asks for votes with {request:?}", state.role),
            )?;
            must(own_vote && state.durable.index == last.index, || {
                "§3.8: a candidate asks before its vote and log are durable".into()
            })
        }
        Body::VoteReply(reply) => {
            let vote = state.durable.vote.filter(|vote| vote.node == to);
            must(!reply.is_granted || vote.is_some(), || {
                format!("§3.8: a vote is given, durable is {:?}", state.durable)
            })
        }
        Body::PreVoteReply(reply) => match reply.removed_at {
            Some(place) => check_removed(state, to, reply.is_granted, Id::from(place)),
            None => Ok(()),
        },
        Body::Hollow(hollow) => {
            must(
                state.role == Role::Leader && is_to_witness(state, to),
                || {
                    format!(
                        "§3.5: {:?} sends node {to} entries without payload",
                        state.role
                    )
                },
            )?;
            let prev = Id::from(hollow.prev);
            must(state.log.term(prev.index) == Some(prev.term), || {
                format!("§3.5: {prev:?} is not in the leader's log")
            })?;
            let mut end = prev.index;
            for entry in hollow_entries(hollow) {
                end += 1;
                let mine = state.log.entry(end).map(|entry| entry.hollow());
                must(mine == Some(entry), || {
                    format!("§3.5: entry {end} is not that of the leader's log")
                })?;
            }
            must(end <= state.durable.index, || {
                format!("§3.8: a witness is told of entry {end}, which its leader could forget")
            })?;
            let commit = hollow.commit.value();
            must(commit <= state.commit && commit <= end, || {
                format!("§3.5: commit {commit} is sent, {} is known", state.commit)
            })
        }
        Body::Append(append) => {
            must(
                state.role == Role::Leader && !is_to_witness(state, to),
                || format!("§3.5: {:?} sends entries to node {to}", state.role),
            )?;
            let prev = Id::from(append.prev);
            let term = state.log.term(prev.index);
            let term = term.or_else(|| compacted.term(prev.index));
            must(term == Some(prev.term), || {
                format!("§3.5: {prev:?} is not in the leader's log")
            })?;
            let mut end = prev.index;
            for entry in append.entries.iter(append.prev.index.next()) {
                end = entry.id.index.value();
                let known = state.log.entry(end).or_else(|| compacted.entry(end));
                must(known == Some(&Entry::of(&entry)), || {
                    format!("§3.5: entry {end} is not that of the leader's log")
                })?;
            }
            let commit = append.commit.value();
            must(commit <= state.commit && commit <= end, || {
                format!("§3.5: commit {commit} is sent, {} is known", state.commit)
            })
        }
        Body::Ack(ack) => {
            must(is_followed, || {
                format!(
                    "§3.5: node {to} is answered, the leader is {:?}",
                    state.leader
                )
            })?;
            let verified = ack.verified.value();
            let most = state.verified.unwrap_or(0).min(state.durable.index);
            must(verified <= most, || {
                format!("§3.5: {verified} is acknowledged, {most} is verified and durable")
            })?;
            let hint = ack
                .reject
                .map(|reject| (reject.prev, Id::from(reject.hint)));
            match hint {
                Some((prev, hint)) => must(
                    hint.index < prev.value() && hint <= last.max(state.log.base),
                    || format!("§3.5: after {prev} was refused, {hint:?} is hinted at"),
                ),
                None => Ok(()),
            }
        }
        Body::Chunk(chunk) => {
            let is_hollow = chunk.data == ChunkData::Hollow;
            must(
                state.role == Role::Leader && is_hollow == is_to_witness(state, to),
                || format!("§5.3: {:?} sends node {to} a snapshot", state.role),
            )?;
            must(Id::from(chunk.snapshot.last) == state.log.base, || {
                "§5.3: a snapshot is sent that is not the leader's".into()
            })?;
            let configuration = Configuration::decode(chunk.configuration);
            let known = state.log.base_configuration.as_ref();
            must(known.is_none() || configuration.as_ref() == known, || {
                format!("§5.3: {configuration:?} goes with a snapshot of {known:?}")
            })
        }
        Body::ReadRequest(_) => must(is_followed, || {
            format!("§6.4: node {to} is asked, the leader is {:?}", state.leader)
        }),
        Body::ReadReply(reply) => {
            must(state.role == Role::Leader, || {
                format!("§6.4: {:?} answers a read", state.role)
            })?;
            must(state.log.term(state.commit) == Some(state.term), || {
                "§6.4: a read is answered before a commit of the leader's term".into()
            })?;
            must(reply.index.value() <= state.commit, || {
                format!("§6.4: a read is answered as of {}", reply.index)
            })
        }
        Body::Quiet(quiet) => {
            must(state.role == Role::Leader, || {
                format!("quiet: {:?} asks for silence", state.role)
            })?;
            must(
                quiet.commit.value() == state.commit && state.commit == last.index,
                || format!("quiet: up to {last:?} there is work, {quiet:?}"),
            )?;
            let mut members = state.matched.iter();
            let is_level =
                members.any(|(member, matched)| member.node == to && *matched == last.index);
            must(is_level, || format!("quiet: node {to} is not level"))
        }
        Body::QuietReply(reply) if reply.is_quiet => {
            must(is_followed && state.is_quiet, || {
                format!("quiet: an awake node agrees with node {to}")
            })?;
            must(
                state.commit == last.index && state.durable.index == last.index,
                || "quiet: who has something to do agrees".into(),
            )
        }
        Body::QuietReply(_) => must(state.role != Role::Leader, || {
            "quiet: a leader says that it is awake".into()
        }),
        Body::TimeoutNow => {
            must(state.role == Role::Leader, || {
                format!("§3.10: {:?} tells another to stand", state.role)
            })?;
            let mut members = state.matched.iter();
            let is_level =
                members.any(|(member, matched)| member.node == to && *matched == last.index);
            must(is_level, || {
                format!("§3.10: node {to} is told to stand and is not level")
            })
        }
    }
}

/// Who is told that it is out is granted nothing, and the configuration that says so is committed.
/// Whether that names the very life that asked no message shows.
fn check_removed(state: &Abstract, to: NodeId, is_granted: bool, place: Id) -> Result<(), String> {
    must(!is_granted, || {
        format!("§4.2.3: node {to} is out and gets a pre-vote")
    })?;
    let is_committed = place.index == state.commit && state.configuration_index <= state.commit;
    must(
        is_committed && state.log.term(place.index) == Some(place.term),
        || format!("§4.2.3: node {to} is told of a removal at {place:?} that is not committed"),
    )
}

//! Terms, votes and roles, `[Ongaro14 §3.3, §3.4, §3.6.1, §9.6]`.

use raft_core::{Body, Identity, Message, Vote};

use super::{Abstract, Id, Input, Role, Step, must};

pub(super) fn check(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    must(after.me == before.me, || "a node has another name".into())?;
    must(after.term >= before.term, || {
        format!("§3.3: the term falls to {}", after.term)
    })?;
    higher_term_is_taken(step)?;
    if after.term > before.term {
        new_term(step)?;
    } else if after.vote != before.vote {
        must(before.vote.is_none(), || {
            format!("§3.4: the vote of term {} changes", after.term)
        })?;
        must(gives_vote(step), || "§3.6.1: the vote is not due".into())?;
    }
    roles(step)?;
    grants(step)?;
    leader_known(step)
}

/// A message of a later term is followed by everyone, but for pre-votes and for vote requests,
/// which who has heard from a leader passes over, `[Ongaro14 §4.2.3]`.
fn higher_term_is_taken(step: &Step<'_>) -> Result<(), String> {
    let Some((_, message)) = step.message() else {
        return Ok(());
    };
    let term = u64::from(message.term.value());
    let is_binding = match message.body {
        Body::Append(_)
        | Body::Hollow(_)
        | Body::Ack(_)
        | Body::Chunk(_)
        | Body::VoteReply(_)
        | Body::ReadRequest(_)
        | Body::ReadReply(_)
        | Body::TimeoutNow
        | Body::Quiet(_)
        | Body::QuietReply(_) => true,
        Body::PreVoteReply(reply) => !reply.is_granted,
        Body::PreVote(_) | Body::Vote(_) => false,
    };
    must(!is_binding || step.after.term >= term, || {
        format!("§3.3: a message of term {term} is not followed")
    })
}

/// A later term comes with a message of that term, or by standing for election in the next one.
fn new_term(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    if let Some((_, message)) = step.message()
        && u64::from(message.term.value()) == after.term
    {
        let is_inert = match message.body {
            Body::PreVote(_) => true,
            Body::PreVoteReply(reply) => reply.is_granted,
            _ => false,
        };
        if !is_inert {
            must(after.role == Role::Follower, || {
                format!("§3.3: a node enters a term as {:?}", after.role)
            })?;
            return must(after.vote.is_none() || gives_vote(step), || {
                "§3.6.1: the vote of a new term is not due".into()
            });
        }
    }
    must(
        after.role == Role::Candidate && after.term == before.term + 1,
        || format!("§3.4: term {} comes from nowhere", after.term),
    )?;
    must(after.vote == Some(after.me), || {
        "§3.4: a candidate does not vote for itself".into()
    })?;
    must(before.may_stand(), || {
        "§4: who has no vote stands for election".into()
    })?;
    let asked = before.role == Role::PreCandidate;
    let alone = matches!(step.input, Input::Timeout | Input::Campaign);
    let would = |member: Identity| {
        let answered = asked && !alone && before.grants.contains(&member);
        member == before.me || answered || pre_granted(step) == Some(member)
    };
    must(
        is_told(step) || before.configuration.is_quorum(would),
        || "§9.6: a node stands without a quorum of pre-votes".into(),
    )
}

/// Whether the leader tells the node to stand at once, `[Ongaro14 §3.10]`.
fn is_told(step: &Step<'_>) -> bool {
    step.message().is_some_and(|(from, message)| {
        matches!(message.body, Body::TimeoutNow)
            && u64::from(message.term.value()) == step.before.term
            && step.before.role == Role::Follower
            && step.before.leader == Some(from)
    })
}

/// Who says with this message that it would vote so.
fn pre_granted(step: &Step<'_>) -> Option<Identity> {
    let (from, message) = step.message()?;
    let sender = Identity::new(from, message.incarnation);
    match message.body {
        Body::PreVoteReply(reply) if reply.is_granted => Some(sender),
        _ => None,
    }
}

/// Who gives its vote with this message, in the term of the node.
fn granted(step: &Step<'_>) -> Option<Identity> {
    let (from, message) = step.message()?;
    let sender = Identity::new(from, message.incarnation);
    let is_now = u64::from(message.term.value()) == step.before.term;
    match message.body {
        Body::VoteReply(reply) if reply.is_granted && is_now => Some(sender),
        _ => None,
    }
}

/// Whether a candidate with this log may have the vote: its log is at least as up to date.
fn is_up_to_date(request: &Vote, voter: &Abstract) -> bool {
    Id::from(request.last) >= voter.last()
}

/// Whether the vote goes to whoever asks for it with this message.
fn gives_vote(step: &Step<'_>) -> bool {
    let Some((from, message)) = step.message() else {
        return false;
    };
    let Message { term, body, .. } = message;
    let Body::Vote(request) = body else {
        return false;
    };
    let candidate = Identity::new(from, message.incarnation);
    let is_free = step.before.term < step.after.term
        || matches!(step.before.role, Role::Follower | Role::PreCandidate);
    u64::from(term.value()) == step.after.term
        && step.after.vote == Some(candidate)
        && step.after.role == Role::Follower
        && is_free
        && is_up_to_date(request, step.before)
}

/// Who becomes what, in one term.
fn roles(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let is_timer = matches!(step.input, Input::Timeout | Input::Campaign);
    let is_allowed = match (before.role, after.role) {
        (Role::Leader, Role::Leader) if before.term < after.term => false,
        (before, after) if before == after => true,
        // Check-quorum, a disk that stalls; and a leader that was removed, [Ongaro14 §4.2.2].
        (Role::Leader, Role::Follower) => {
            let is_out = !before.configuration.votes(before.me);
            is_timer || before.term < after.term || is_out && step.message().is_some()
        }
        (Role::PreCandidate | Role::Candidate, Role::Follower) => {
            step.message().is_some() || matches!(step.input, Input::Stored(_))
        }
        (Role::Follower | Role::Candidate, Role::PreCandidate) => is_timer && before.may_stand(),
        (_, Role::Candidate) => before.term < after.term,
        (Role::Candidate, Role::Leader) => return wins(step),
        (Role::Leader, Role::PreCandidate)
        | (Role::Follower | Role::PreCandidate, Role::Leader) => false,
        // The pairs of the same role are above.
        _ => false,
    };
    must(is_allowed, || {
        format!(
            "§3.3: {:?} of {:?} becomes {:?} by {:?}",
            before.role, before.configuration, after.role, step.input
        )
    })
}

/// A candidate leads when a quorum voted for it, its own vote being durable, and its log too.
fn wins(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let is_asked = matches!(step.input, Input::Persisted(_)) || granted(step).is_some();
    must(is_asked && after.term == before.term, || {
        format!("§3.4: a node leads by {:?}", step.input)
    })?;
    let durable = &after.durable;
    let own = durable.term == after.term && durable.vote == Some(after.me);
    must(own && durable.index >= before.last().index, || {
        "§3.8: a node leads whose vote and log are not durable".into()
    })?;
    let voted = |member: Identity| {
        let is_me = member == before.me && own;
        is_me || before.grants.contains(&member) || granted(step) == Some(member)
    };
    must(before.configuration.is_quorum(voted), || {
        format!(
            "§3.4: a node leads without a quorum of votes: {:?}",
            before.grants
        )
    })
}

/// Votes are counted when they come, for the candidacy that asked for them.
fn grants(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let is_same = before.role == after.role && before.term == after.term;
    let news = match after.role {
        Role::PreCandidate => pre_granted(step),
        Role::Candidate => granted(step),
        Role::Follower | Role::Leader => None,
    };
    let known = |member: &Identity| {
        is_same && before.grants.contains(member) || *member == after.me || news == Some(*member)
    };
    let is_durable = after.durable.term == after.term && after.durable.vote == Some(after.me);
    let is_own_early =
        after.role == Role::Candidate && !is_durable && after.grants.contains(&after.me);
    must(!is_own_early, || {
        "§3.8: a vote counts that is not durable".into()
    })?;
    let unknown = after.grants.iter().find(|member| !known(member));
    must(unknown.is_none(), || {
        format!("§3.4: a vote of {unknown:?} counts that was not given")
    })
}

/// A leader of the term is known from its own messages only, and stays the same.
fn leader_known(step: &Step<'_>) -> Result<(), String> {
    let (before, after) = (step.before, step.after);
    let Some(leader) = after.leader else {
        return Ok(());
    };
    if after.role == Role::Leader {
        return must(leader == after.me.node, || {
            "§3.3: a leader follows another".into()
        });
    }
    if before.leader == after.leader && before.term == after.term {
        return Ok(());
    }
    let is_news = step.message().is_some_and(|(from, message)| {
        let is_leaders = matches!(
            message.body,
            Body::Append(_) | Body::Hollow(_) | Body::Chunk(_)
        );
        is_leaders && from == leader && u64::from(message.term.value()) == after.term
    });
    must(is_news && after.role == Role::Follower, || {
        format!("§3.5: node {leader} is followed, which has not spoken as leader")
    })?;
    must(
        before.term < after.term || before.leader.is_none_or(|before| before == leader),
        || format!("§3.4: term {} has two leaders", after.term),
    )
}

//! Seeded faults of this harness: each takes away something that keeps a group live on broken
//! links, so that the judge must notice.

use raft_core::{Ack, Body, Identity, LogIndex, Message, PreVoteReply, Round};

/// What is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every append is answered at once by a forged acknowledgement that verifies nothing, as if
    /// there were no check of a leader's quorum: who cannot hear stays in office.
    ForgesAcks,
    /// Pre-votes never arrive: nobody can stand.
    LosesPreVotes,
    /// Refused pre-votes arrive as granted, as if there were no pre-vote: who is cut off disturbs.
    ForgesPreVotes,
}

impl Fault {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Fault); 4] = [
        ("none", Fault::None),
        ("forges-acks", Fault::ForgesAcks),
        ("loses-pre-votes", Fault::LosesPreVotes),
        ("forges-pre-votes", Fault::ForgesPreVotes),
    ];

    /// The fault with this name.
    pub fn by_name(name: &str) -> Option<Fault> {
        let mut all = Fault::ALL.into_iter();
        all.find(|(other, _)| *other == name)
            .map(|(_, fault)| fault)
    }

    /// The message as it arrives.
    pub(super) fn arriving(self, message: Message<'_>) -> Option<Message<'_>> {
        match (self, message.body) {
            (Fault::LosesPreVotes, Body::PreVote(_)) => None,
            (Fault::ForgesPreVotes, Body::PreVoteReply(reply)) => {
                let is_granted = true;
                let body = Body::PreVoteReply(PreVoteReply {
                    is_granted,
                    removed_at: None,
                    ..reply
                });
                Some(Message { body, ..message })
            }
            _ => Some(message),
        }
    }

    /// What `from` would say to whoever sent `append`, without having heard it.
    pub(super) fn forged_ack(
        append: &Message<'_>,
        round: Round,
        from: Identity,
    ) -> Message<'static> {
        let body = Body::Ack(Ack {
            verified: LogIndex::ZERO,
            round,
            room: u32::MAX,
            reject: None,
            chunk: None,
        });
        Message {
            group: append.group,
            incarnation: from.incarnation,
            term: append.term,
            body,
        }
    }
}

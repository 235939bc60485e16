//! Rules broken on purpose, outside of the protocol code, to see that the search notices.

use raft_core::{Ack, Body, Message, PreVoteReply, ReadReply, VoteReply};

/// A seeded fault of the harness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sabotage {
    /// None.
    #[default]
    None,
    /// Refused votes arrive as granted.
    RefusalsGranted,
    /// The disk keeps records that hold entries, and forgets those that hold a term and a vote.
    VotesForgotten,
    /// Acknowledgements claim one entry more than there is.
    AcksRaised,
    /// Writes are reported done before they are.
    WritesReportedEarly,
    /// Requests for votes claim a log of the highest term.
    RequestsRaised,
    /// Pre-votes are never granted: nobody is ever elected.
    PreVotesRefused,
    /// Pre-votes are always granted: whoever is lonely disturbs the others.
    PreVotesGranted,
    /// A leader answers a question for an index to read at with the one before.
    ReadsStale,
    /// Slow clocks are twice as slow as was declared.
    ClocksSlower,
    /// Requests for votes say that the leader wants them.
    SuccessorsUnnamed,
    /// Whoever is refused a pre-vote stands for election at once: unsafe for nobody, and wrong.
    RefusalsStir,
}

impl Sabotage {
    /// All of them, by name.
    pub const ALL: [(&'static str, Sabotage); 12] = [
        ("none", Sabotage::None),
        ("refusals-granted", Sabotage::RefusalsGranted),
        ("votes-forgotten", Sabotage::VotesForgotten),
        ("acks-raised", Sabotage::AcksRaised),
        ("writes-reported-early", Sabotage::WritesReportedEarly),
        ("requests-raised", Sabotage::RequestsRaised),
        ("pre-votes-refused", Sabotage::PreVotesRefused),
        ("pre-votes-granted", Sabotage::PreVotesGranted),
        ("refusals-stir", Sabotage::RefusalsStir),
        ("reads-stale", Sabotage::ReadsStale),
        ("clocks-slower", Sabotage::ClocksSlower),
        ("successors-unnamed", Sabotage::SuccessorsUnnamed),
    ];

    /// Whether a message that came in makes its receiver campaign.
    pub(super) fn stirs(self, body: &Body<'_>) -> bool {
        let is_refusal = matches!(body, Body::PreVoteReply(reply) if !reply.is_granted);
        self == Sabotage::RefusalsStir && is_refusal
    }

    /// The message as it goes out.
    pub(super) fn tamper<'a>(self, message: Message<'a>) -> Message<'a> {
        let body = match (self, message.body) {
            (Sabotage::RefusalsGranted, Body::VoteReply(_)) => {
                Body::VoteReply(VoteReply { is_granted: true })
            }
            (Sabotage::PreVotesRefused, Body::PreVoteReply(reply)) => {
                Body::PreVoteReply(PreVoteReply {
                    is_granted: false,
                    ..reply
                })
            }
            (Sabotage::PreVotesGranted, Body::PreVoteReply(reply)) => {
                Body::PreVoteReply(PreVoteReply {
                    is_granted: true,
                    ..reply
                })
            }
            (Sabotage::AcksRaised, Body::Ack(ack)) => Body::Ack(Ack {
                verified: ack.verified.next(),
                ..ack
            }),
            (Sabotage::RequestsRaised, Body::Vote(mut vote)) => {
                vote.last.term = message.term;
                Body::Vote(vote)
            }
            (Sabotage::ReadsStale, Body::ReadReply(reply)) => Body::ReadReply(ReadReply {
                index: reply.index.previous(),
                ..reply
            }),
            (Sabotage::SuccessorsUnnamed, Body::Vote(mut vote)) => {
                vote.is_transfer = true;
                Body::Vote(vote)
            }
            (_, body) => body,
        };
        Message { body, ..message }
    }
}

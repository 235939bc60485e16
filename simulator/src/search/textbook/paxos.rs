//! Single-decree Paxos, `[Lamport01 §2.2]`: three servers, each of which leads with the value of
//! a client that asks it.

use super::register::{Message, Server};

const SERVERS: usize = 3;
const MAJORITY: usize = 2;

/// Round and leader.
type Ballot = (u8, u8);
/// The client whose value it is, counted from 1.
type Proposal = u8;
type Accepted = Option<(Ballot, Proposal)>;

/// What servers say to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Internal {
    /// Phase 1: promise to take nothing older.
    Prepare(Ballot),
    /// Promised; this was accepted last.
    Prepared(Ballot, Accepted),
    /// Phase 2: accept this.
    Accept(Ballot, Proposal),
    /// Accepted.
    Accepted(Ballot),
    /// It is chosen.
    Decided(Ballot, Proposal),
}

/// A server: proposer and acceptor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Paxos {
    ballot: Ballot,
    proposal: Option<Proposal>,
    prepared: [Option<Accepted>; SERVERS],
    accepts: u8,
    accepted: Accepted,
    is_decided: bool,
}

impl Server for Paxos {
    type Message = Internal;
    const COUNT: usize = SERVERS;

    fn new(_: usize) -> Self {
        Paxos::default()
    }

    fn receive(
        &mut self,
        me: usize,
        from: usize,
        message: Message<Internal>,
        send: &mut dyn FnMut(usize, Message<Internal>),
    ) -> bool {
        if self.is_decided {
            if let (Message::Get, Some((_, proposal))) = (message, self.accepted) {
                send(from, Message::GetOk(proposal));
                return true;
            }
            return false;
        }
        let mut tell_others = |message: Internal| {
            let others = (0..SERVERS).filter(|other| *other != me);
            others.for_each(|other| send(other, Message::Internal(message)));
        };
        match message {
            Message::Put if self.proposal.is_none() => {
                self.proposal = Some((from - SERVERS) as u8 + 1);
                (self.prepared, self.accepts) = ([None; SERVERS], 0);
                self.ballot = (self.ballot.0 + 1, me as u8);
                self.prepared[me] = Some(self.accepted);
                tell_others(Internal::Prepare(self.ballot));
            }
            Message::Internal(Internal::Prepare(ballot)) if self.ballot < ballot => {
                self.ballot = ballot;
                send(
                    from,
                    Message::Internal(Internal::Prepared(ballot, self.accepted)),
                );
            }
            Message::Internal(Internal::Prepared(ballot, last)) if ballot == self.ballot => {
                self.prepared[from] = Some(last);
                let answers = self.prepared.iter().flatten();
                if answers.clone().count() == MAJORITY {
                    let highest = answers.max().copied().flatten();
                    let own = self.proposal.unwrap_or_default();
                    let proposal = highest.map_or(own, |(_, proposal)| proposal);
                    self.proposal = Some(proposal);
                    self.accepted = Some((ballot, proposal));
                    self.accepts |= 1 << me;
                    tell_others(Internal::Accept(ballot, proposal));
                }
            }
            Message::Internal(Internal::Accept(ballot, proposal)) if self.ballot <= ballot => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                send(from, Message::Internal(Internal::Accepted(ballot)));
            }
            Message::Internal(Internal::Accepted(ballot)) if ballot == self.ballot => {
                self.accepts |= 1 << from;
                if self.accepts.count_ones() as usize == MAJORITY {
                    self.is_decided = true;
                    let proposal = self.proposal.unwrap_or_default();
                    tell_others(Internal::Decided(ballot, proposal));
                    send(SERVERS + usize::from(proposal) - 1, Message::PutOk);
                }
            }
            Message::Internal(Internal::Decided(ballot, proposal)) => {
                self.ballot = ballot;
                self.accepted = Some((ballot, proposal));
                self.is_decided = true;
            }
            _ => return false,
        }
        true
    }
}

//! The register of Attiya, Bar-Noy and Dolev, `[Attiya95]`: ask a majority for the latest value,
//! then tell it to a majority, for writes and reads alike.

use super::register::{Message, Server};

const SERVERS: usize = 2;
const MAJORITY: usize = 2;

/// A clock and the server that wrote.
type Stamp = (u8, u8);
/// A client's operation: the client, and whether it is its second.
type Request = (usize, bool);

/// What servers say to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Internal {
    /// What is the latest value?
    Query(Request),
    /// This one.
    Answer(Request, Stamp, u8),
    /// Keep this value.
    Record(Request, Stamp, u8),
    /// Kept.
    Recorded(Request),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Phase {
    Asking {
        request: Request,
        write: Option<u8>,
        answers: [Option<(Stamp, u8)>; SERVERS],
    },
    Telling {
        request: Request,
        read: Option<u8>,
        recorded: u8,
    },
}

/// A server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Abd {
    stamp: Stamp,
    value: u8,
    phase: Option<Phase>,
}

impl Abd {
    fn ask(&mut self, me: usize, request: Request, write: Option<u8>) -> Message<Internal> {
        let mut answers = [None; SERVERS];
        answers[me] = Some((self.stamp, self.value));
        self.phase = Some(Phase::Asking {
            request,
            write,
            answers,
        });
        Message::Internal(Internal::Query(request))
    }

    fn keep(&mut self, stamp: Stamp, value: u8) {
        if stamp > self.stamp {
            (self.stamp, self.value) = (stamp, value);
        }
    }
}

impl Server for Abd {
    type Message = Internal;
    const COUNT: usize = SERVERS;

    fn new(me: usize) -> Self {
        Abd {
            stamp: (0, me as u8),
            value: 0,
            phase: None,
        }
    }

    fn receive(
        &mut self,
        me: usize,
        from: usize,
        message: Message<Internal>,
        send: &mut dyn FnMut(usize, Message<Internal>),
    ) -> bool {
        let other = 1 - me;
        match (message, &mut self.phase) {
            (Message::Put, None) => {
                let value = (from - SERVERS) as u8 + 1;
                send(other, self.ask(me, (from, false), Some(value)));
            }
            (Message::Get, None) => send(other, self.ask(me, (from, true), None)),
            (Message::Internal(Internal::Query(request)), _) => {
                let answer = Internal::Answer(request, self.stamp, self.value);
                send(from, Message::Internal(answer));
            }
            (
                Message::Internal(Internal::Answer(answered, stamp, value)),
                Some(Phase::Asking {
                    request,
                    write,
                    answers,
                }),
            ) if *request == answered => {
                answers[from] = Some((stamp, value));
                if answers.iter().flatten().count() < MAJORITY {
                    return true;
                }
                let (mut stamp, mut value) =
                    answers.iter().flatten().max().copied().unwrap_or_default();
                let (request, write) = (*request, *write);
                if let Some(written) = write {
                    (stamp, value) = ((stamp.0 + 1, me as u8), written);
                }
                send(
                    other,
                    Message::Internal(Internal::Record(request, stamp, value)),
                );
                self.keep(stamp, value);
                self.phase = Some(Phase::Telling {
                    request,
                    read: write.is_none().then_some(value),
                    recorded: 1 << me,
                });
            }
            (Message::Internal(Internal::Record(request, stamp, value)), _) => {
                send(from, Message::Internal(Internal::Recorded(request)));
                self.keep(stamp, value);
            }
            (
                Message::Internal(Internal::Recorded(by)),
                Some(Phase::Telling {
                    request,
                    read,
                    recorded,
                }),
            ) if *request == by && *recorded & 1 << from == 0 => {
                *recorded |= 1 << from;
                if recorded.count_ones() as usize == MAJORITY {
                    let answer = read.map_or(Message::PutOk, Message::GetOk);
                    send(request.0, answer);
                    self.phase = None;
                }
            }
            _ => return false,
        }
        true
    }
}

//! Servers that keep a register, two clients that each write it and then read it, and messages
//! between them that arrive in any order, each once.

use std::fmt::Debug;
use std::hash::Hash;

use super::fingerprint;
use crate::search::space::{Space, Step};

/// Clients.
pub const CLIENTS: usize = 2;
const MAILS_MAX: usize = 24;

/// What clients and servers say to each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Message<M> {
    /// Write the client's value.
    Put,
    /// Read.
    Get,
    /// Written.
    PutOk,
    /// Read this value.
    GetOk(u8),
    /// Between servers.
    Internal(M),
}

/// A message under way. Servers come before clients.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mail<M> {
    from: usize,
    to: usize,
    message: Message<M>,
}

/// A server.
pub trait Server: Copy + Eq + Hash + Debug {
    /// What servers say to each other.
    type Message: Copy + Ord + Hash + Debug;
    /// How many there are.
    const COUNT: usize;

    /// The server with this number at the beginning.
    fn new(me: usize) -> Self;

    /// Takes a message from someone, sends others; says whether it did anything.
    fn receive(
        &mut self,
        me: usize,
        from: usize,
        message: Message<Self::Message>,
        send: &mut dyn FnMut(usize, Message<Self::Message>),
    ) -> bool;
}

/// A client: it writes its number, counted from 1, then reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Client {
    /// Operations that have ended.
    ended: u8,
    /// Operations of the other one that had ended when the read began.
    seen: u8,
    /// What was read.
    read: u8,
}

/// A state.
#[derive(Clone, Copy, Debug)]
pub struct State<S: Server> {
    servers: [S; 3],
    clients: [Client; CLIENTS],
    /// In ascending order, so that equal states are equal.
    mails: [Option<Mail<S::Message>>; MAILS_MAX],
    len: usize,
}

/// The register on some kind of servers.
#[derive(Clone, Copy, Debug)]
pub struct Register<S> {
    kind: std::marker::PhantomData<S>,
}

impl<S> Default for Register<S> {
    fn default() -> Self {
        Register {
            kind: std::marker::PhantomData,
        }
    }
}

impl<S: Server> State<S> {
    fn post(&mut self, mail: Mail<S::Message>) {
        self.mails[self.len] = Some(mail);
        self.len += 1;
        self.mails[..self.len].sort_unstable();
    }

    fn take(&mut self, place: usize) -> Option<Mail<S::Message>> {
        let mail = self.mails[place].take();
        self.mails[place..self.len].rotate_left(1);
        self.len -= 1;
        mail
    }

    fn begin(&mut self, client: usize) {
        let me = S::COUNT + client;
        let (to, message) = match self.clients[client].ended {
            0 => (me % S::COUNT, Message::Put),
            _ => ((me + 1) % S::COUNT, Message::Get),
        };
        let from = me;
        self.post(Mail { from, to, message });
    }

    /// A client is told something; says whether it waited for that.
    fn tell(&mut self, client: usize, message: Message<S::Message>) -> bool {
        let other = self.clients[1 - client].ended;
        let me = &mut self.clients[client];
        match (me.ended, message) {
            (0, Message::PutOk) => (me.ended, me.seen) = (1, other),
            (1, Message::GetOk(value)) => (me.ended, me.read) = (2, value),
            _ => return false,
        }
        if me.ended == 1 {
            self.begin(client);
        }
        true
    }

    /// Whether some order of the operations explains what was read.
    fn is_linearizable(&self) -> bool {
        self.explain([0, 0], 0)
    }

    /// Whether what is left can be ordered, after so many operations of each client, when the
    /// register holds `value`.
    fn explain(&self, done: [u8; CLIENTS], value: u8) -> bool {
        if (0..CLIENTS).all(|client| done[client] >= self.clients[client].ended) {
            return true;
        }
        (0..CLIENTS).any(|client| {
            let me = self.clients[client];
            let mut next = done;
            next[client] += 1;
            match done[client] {
                // A write that has not ended may have happened.
                0 => self.explain(next, client as u8 + 1),
                1 if me.ended == 2 && done[1 - client] >= me.seen => {
                    me.read == value && self.explain(next, value)
                }
                _ => false,
            }
        })
    }
}

impl<S: Server> Space for Register<S> {
    type State = State<S>;
    type Action = usize;

    fn initial(&mut self) -> State<S> {
        let mut state = State {
            servers: [0, 1, 2].map(S::new),
            clients: [Client::default(); CLIENTS],
            mails: [None; MAILS_MAX],
            len: 0,
        };
        (0..CLIENTS).for_each(|client| state.begin(client));
        state
    }

    fn expand(&mut self, state: &State<S>, steps: &mut Vec<Step<State<S>, usize>>) {
        for place in 0..state.len {
            if place > 0 && state.mails[place] == state.mails[place - 1] {
                continue;
            }
            let mut after = *state;
            let Some(Mail { from, to, message }) = after.take(place) else {
                continue;
            };
            let did_something = if to >= S::COUNT {
                after.tell(to - S::COUNT, message)
            } else {
                let mut sent = Vec::new();
                let did = after.servers[to].receive(to, from, message, &mut |to, message| {
                    sent.push((to, message));
                });
                for (next, message) in sent {
                    let from = to;
                    after.post(Mail {
                        from,
                        to: next,
                        message,
                    });
                }
                did
            };
            // What is not understood stays under way: it is as good as lost.
            if did_something {
                steps.push(Step {
                    action: place,
                    state: after,
                    print: self.fingerprint(&after),
                    broken: None,
                });
            }
        }
    }

    fn fingerprint(&self, state: &State<S>) -> u64 {
        fingerprint(&(
            &state.servers[..S::COUNT],
            state.clients,
            &state.mails[..state.len],
        ))
    }

    fn broken(&mut self, state: &State<S>) -> Option<&'static str> {
        (!state.is_linearizable()).then_some("linearizable")
    }

    fn describe(&self, before: &State<S>, action: usize) -> String {
        format!("{:?}", before.mails[action])
    }
}

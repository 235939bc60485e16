//! One client's connection: requests in, replies out.
//!
//! All requests that have arrived are taken at once, and all replies that are known leave in one piece. A
//! client that sends without reading is not read from: not while more than [`WAITING_MAX`] of its requests
//! are unanswered, nor while more than [`KEPT_BYTES_MAX`] of replies wait to be taken, or of reads to be
//! answered. Where a password is set, a stranger gets less, and is cut off if it does not give the password in
//! time: whoever reaches the port could else take all the room there is for clients, and the memory.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tracing::debug;

use crate::command::{self, Command, table};
use crate::engine::{Engine, Taken};
use crate::node::Node;
use crate::outbox::Outbox;
use crate::port::Ticket;
use crate::resp::decode::{Args, Decoder, Limits};
use crate::resp::encode::Encoder;
use crate::session::{ClientSession, Consistency, Next};
use crate::stream::{self, Stream};

/// The most requests of one client that may be unanswered.
pub const WAITING_MAX: usize = 1024;
/// With more than this kept for a client, its requests are not taken.
pub const KEPT_BYTES_MAX: usize = 1024 * 1024;
/// As [`KEPT_BYTES_MAX`], for a client that has not given the password yet.
const STRANGER_KEPT_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to give the password.
const STRANGER_TIME_MAX: Duration = Duration::from_secs(10);
/// The buffer at first, and again when a large request is done.
const BUFFER_BYTES: usize = 16 * 1024;

/// What is said to a client that does not speak TLS where it should.
pub const NO_TLS: &[u8] = b"-ERR this port takes only TLS, as of redis-cli --tls --cacert FILE\r\n";

/// Serves a client until it goes.
pub async fn run(node: Rc<Node>, stream: Stream, ticket: Ticket) {
    let session = ClientSession::new(node.number_client(), node.password());
    let mut connection = Connection::new(session, stream);
    // Without a password there is nothing that a client could prove.
    connection.ticket = connection.patience.is_some().then_some(ticket);
    let _counted = Counted::new(&node);
    // However it ends, there is nobody left to be told.
    let ended = tokio::select! {
        biased;
        ended = poll_fn(|context| connection.poll(&node, context)) => ended,
        () = node.ending() => {
            connection.state = State::Closing;
            poll_fn(|context| connection.poll(&node, context)).await
        }
    };
    connection.outbox.close();
    if let Ok(()) = ended {
        stream::linger(connection.stream).await;
    }
}

/// One of the clients, also if it has to make room for another.
struct Counted(Rc<Node>);

impl Counted {
    fn new(node: &Rc<Node>) -> Self {
        node.with_engine(|engine| {
            engine.clients += 1;
            engine.metrics.connections.inc();
        });
        Self(Rc::clone(node))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.with_engine(|engine| engine.clients -= 1);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// No more is taken; what is owed is still sent.
    Closing,
}

/// Why no more requests are taken for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// All that has arrived is taken.
    NothingLeft,
    /// Replies have to leave first.
    Owed,
    /// The log has no room.
    NoRoom,
}

struct Connection {
    stream: Stream,
    session: ClientSession,
    decoder: Decoder,
    outbox: Rc<Outbox>,
    /// What has arrived and is not taken lies from `start` to `end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    state: State,
    /// Runs while the client is a stranger.
    patience: Option<Pin<Box<Sleep>>>,
    /// Held as long.
    ticket: Option<Ticket>,
}

impl Connection {
    fn new(session: ClientSession, stream: Stream) -> Self {
        let is_stranger = !session.is_authenticated();
        Self {
            decoder: Decoder::new(limits(&session)),
            session,
            stream,
            outbox: Rc::default(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            state: State::Open,
            patience: is_stranger.then(|| Box::pin(sleep(STRANGER_TIME_MAX))),
            ticket: None,
        }
    }

    /// Does what is possible; `Ready` when the connection is over.
    fn poll(&mut self, node: &Node, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.register(context.waker());
        if self.poll_patience(context).is_ready() {
            debug!("cut off a client that did not give the password in time");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        loop {
            let pause = match self.state {
                State::Open => self.take_requests(node),
                State::Closing => Pause::NothingLeft,
            };
            self.recognise();
            let stream = &mut self.stream;
            let sent = self.outbox.poll_send(context, |context, bytes| {
                Pin::new(&mut *stream).poll_write(context, bytes)
            });
            // Encryption may hold back what it was given.
            let sent = match sent {
                Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_flush(context),
                unsent => unsent,
            };
            if let Poll::Ready(Err(error)) = sent {
                return Poll::Ready(Err(error));
            }
            let is_owed = sent.is_pending() || self.outbox.waiting() > 0;
            match (self.state, pause) {
                (State::Closing, _) if is_owed => return Poll::Pending,
                (State::Closing, _) => return Poll::Ready(Ok(())),
                (State::Open, Pause::NoRoom) => {
                    node.stall(context.waker());
                    return Poll::Pending;
                }
                (State::Open, Pause::Owed) if self.is_owed_much() => return Poll::Pending,
                (State::Open, Pause::Owed) => continue,
                (State::Open, Pause::NothingLeft) => {}
            }
            match self.poll_read(context) {
                Poll::Ready(Ok(0)) => self.state = State::Closing,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Who has given the password once has all the time, and keeps its place.
    fn recognise(&mut self) {
        if self.session.is_authenticated() {
            (self.patience, self.ticket) = (None, None);
        }
    }

    /// `Ready` when the client has been a stranger for too long.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.patience {
            Some(patience) => patience.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    fn is_owed_much(&self) -> bool {
        let kept_max = match self.session.is_authenticated() {
            true => KEPT_BYTES_MAX,
            false => STRANGER_KEPT_BYTES_MAX,
        };
        self.outbox.waiting() >= WAITING_MAX || self.outbox.kept() >= kept_max
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.buffer.len() > BUFFER_BYTES {
                self.buffer = vec![0; BUFFER_BYTES];
            }
        } else if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            // The decoder refuses a request before the buffer would have to be larger than its limit.
            if self.end > self.buffer.len() / 2 {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let mut room = ReadBuf::new(room);
        match Pin::new(&mut self.stream).poll_read(context, &mut room) {
            Poll::Ready(Ok(())) => {
                let len = room.filled().len();
                self.end += len;
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Takes the requests that have arrived, as many as may be outstanding.
    fn take_requests(&mut self, node: &Node) -> Pause {
        if self.start == self.end {
            return Pause::NothingLeft;
        }
        node.with_engine(|engine| {
            loop {
                if self.is_owed_much() {
                    return Pause::Owed;
                }
                let arrived = self.buffer.get(self.start..self.end).unwrap_or_default();
                let request = match self.decoder.decode(arrived) {
                    Ok(Some(request)) => request,
                    Ok(None) => return Pause::NothingLeft,
                    Err(error) => {
                        let protocol = self.session.protocol();
                        let text = format!("ERR {error}");
                        self.outbox
                            .reply(|out| Encoder::new(out, protocol).error(&text));
                        self.state = State::Closing;
                        return Pause::NothingLeft;
                    }
                };
                let (session, outbox) = (&mut self.session, &self.outbox);
                let served = serve(engine, node.password(), session, outbox, request.args);
                let consumed = request.consumed;
                match served {
                    Served::Yes(Next::Continue) => {}
                    Served::Yes(Next::Close) => self.state = State::Closing,
                    // The decoder starts over with the same request.
                    Served::NoRoom => return Pause::NoRoom,
                }
                self.start += consumed;
                engine.metrics.commands.inc();
                self.decoder.limit(limits(&self.session));
                if self.state == State::Closing {
                    return Pause::NothingLeft;
                }
            }
        })
    }
}

fn limits(session: &ClientSession) -> Limits {
    match session.is_authenticated() {
        true => Limits::TRUSTED,
        false => Limits::STRANGER,
    }
}

enum Served {
    Yes(Next),
    NoRoom,
}

/// Answers a request, or sees to it that it will be.
fn serve(
    engine: &mut Engine,
    password: Option<&str>,
    session: &mut ClientSession,
    outbox: &Rc<Outbox>,
    args: Args<'_>,
) -> Served {
    let protocol = session.protocol();
    let proceed = Served::Yes(Next::Continue);
    if args.is_empty() {
        return proceed;
    }
    let command = match command::parse(args) {
        Ok(Command::Session(command)) => {
            let next = outbox.reply(|out| session.answer(&command, password, out));
            return Served::Yes(next);
        }
        Ok(_) if !session.is_authenticated() => {
            outbox.reply(|out| ClientSession::refuse(&mut Encoder::new(out, protocol)));
            return proceed;
        }
        Ok(command) => command,
        Err(error) => {
            let text = error.to_string();
            outbox.reply(|out| Encoder::new(out, protocol).error(&text));
            return proceed;
        }
    };
    match command {
        Command::Write(write) => {
            if engine.write(&write, outbox, protocol) == Taken::NoRoom {
                return Served::NoRoom;
            }
        }
        Command::Read(read) => match session.consistency() {
            Consistency::Linearizable => {
                if engine.read(&read, args, outbox, protocol) == Taken::NoRoom {
                    return Served::NoRoom;
                }
            }
            Consistency::Local => outbox.reply(|out| engine.read_here(&read, out, protocol)),
        },
        Command::Raft(command) => engine.operate(&command, outbox, protocol),
        Command::Session(_) => {}
        Command::Cluster(question) => outbox.reply(|out| {
            let mut encoder = Encoder::new(out, protocol);
            engine.topology().answer(&question, &mut encoder);
        }),
        Command::Describe(question) => {
            outbox.reply(|out| table::answer(&question, &mut Encoder::new(out, protocol)));
        }
        Command::Info(sections) => outbox.reply(|out| {
            let text = engine.facts().text(sections);
            Encoder::new(out, protocol).text(&text);
        }),
        Command::DbSize => {
            let len = engine.store().len();
            outbox.reply(|out| Encoder::new(out, protocol).count(len));
        }
        Command::ConfigGet(names) => outbox.reply(|out| {
            command::settings::answer(names, &mut Encoder::new(out, protocol));
        }),
    }
    proceed
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::runtime::Builder;

    #[test]
    fn little_is_kept_for_a_stranger_and_only_for_a_time() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = listener.local_addr().unwrap();
            for (password, kept_max) in [
                (Some("open sesame"), STRANGER_KEPT_BYTES_MAX),
                (None, KEPT_BYTES_MAX),
            ] {
                let stream = Stream::Plain(TcpStream::connect(address).await.unwrap());
                let session = ClientSession::new(1, password);
                let mut connection = Connection::new(session, stream);
                assert_eq!(connection.patience.is_some(), password.is_some());
                let keep = |len| connection.outbox.reply(|out| out.resize(len, 0));
                keep(kept_max - 1);
                assert!(!connection.is_owed_much());
                keep(kept_max);
                assert!(connection.is_owed_much());
                let cut_off = poll_fn(|context| Poll::Ready(connection.poll_patience(context)));
                assert_eq!(cut_off.await, Poll::Pending);
                connection.session = ClientSession::new(1, None);
                connection.recognise();
                assert!(connection.patience.is_none());
            }
        });
    }
}

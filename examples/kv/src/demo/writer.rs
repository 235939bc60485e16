//! Streams writes at whoever leads, many in flight on each of several connections.
//!
//! Each writer has one connection and keeps up to a window of requests on it unanswered. When a node says
//! `MOVED`, the writer lets the connection run dry, since the answers to what is in flight are still
//! worth having, and goes where it was told. When the connection breaks, what is in flight is unknown, and
//! the writer tries the next node.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{Connection, Lost};
use super::input::Input;
use super::ledger::{Ledger, Pending};
use crate::resp::reply::Reply;

/// How long a writer waits before it tries another node.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// How long a writer waits that is ahead of the rate.
const PACE_DELAY: Duration = Duration::from_millis(2);

/// What all writers share.
#[derive(Debug)]
pub struct Load {
    input: Input,
    ledger: Mutex<Ledger>,
    nodes: Vec<SocketAddr>,
    /// Where in `nodes` the leader was last seen.
    leader: AtomicUsize,
    /// No write is begun from this number on.
    end: AtomicUsize,
    window: usize,
    /// At most so many writes per second, if there is a limit.
    rate: Option<u32>,
    start: Instant,
}

/// What an answer says about a write.
enum Answer {
    Done,
    /// Not here, and not done: the leader is said to be there.
    Elsewhere(Option<SocketAddr>),
    /// Not now, and not done.
    NotNow,
    /// Nobody knows: the node lost the leadership before it knew.
    Uncertain,
    Refused(Box<[u8]>),
}

impl Answer {
    fn of(reply: &Reply<'_>) -> Self {
        let text = match reply {
            Reply::Simple(b"OK") => return Self::Done,
            Reply::Error(text) => *text,
            other => return Self::Refused(format!("{other:?}").into_bytes().into()),
        };
        let mut words = text.split(|byte| *byte == b' ');
        match words.next().unwrap_or_default() {
            b"MOVED" => {
                let address = words
                    .nth(1)
                    .and_then(|word| core::str::from_utf8(word).ok());
                Self::Elsewhere(address.and_then(|address| address.parse().ok()))
            }
            b"CLUSTERDOWN" | b"TRYAGAIN" | b"LOADING" | b"BUSY" => Self::NotNow,
            b"UNCERTAIN" => Self::Uncertain,
            _ => Self::Refused(text.into()),
        }
    }
}

/// A request on its way.
struct Sent {
    pending: Pending,
    at: Instant,
}

/// Why a writer left a connection that worked.
enum Left {
    /// There is nothing more to write.
    Finished,
    /// The node sent it elsewhere, or said that it cannot serve just now.
    Redirected(Option<SocketAddr>),
}

impl Load {
    /// A load on these nodes; nothing is sent before [`Load::start`]. A writer keeps at most `window`
    /// requests in flight, and all together begin at most `rate` writes per second.
    pub fn new(input: Input, nodes: Vec<SocketAddr>, window: usize, rate: Option<u32>) -> Self {
        Self {
            input,
            ledger: Mutex::default(),
            nodes,
            leader: AtomicUsize::new(0),
            end: AtomicUsize::new(usize::MAX),
            window,
            rate,
            start: Instant::now(),
        }
    }

    /// Starts so many writers. They end after [`Load::stop`], when all they have begun has a fate; dropping
    /// the set ends them at once.
    pub fn start(self: &Arc<Self>, writers: usize) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for _ in 0..writers {
            tasks.spawn(Arc::clone(self).write());
        }
        tasks
    }

    /// Lets no write begin any more.
    pub fn stop(&self) {
        self.stop_at(0);
    }

    /// Lets no write begin from this number on.
    pub fn stop_at(&self, number: usize) {
        self.end.store(number, Ordering::Relaxed);
    }

    /// What is being written.
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// The ledger, locked; not to be held across an await.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Only a failed assertion poisons it, and then the writer's task reports that.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(self: Arc<Self>) {
        let mut unsent = VecDeque::new();
        loop {
            let index = self.leader.load(Ordering::Relaxed);
            let mut sent = VecDeque::new();
            let left = match Connection::open(self.nodes[index % self.nodes.len()]).await {
                Ok(mut connection) => self.pump(&mut connection, &mut unsent, &mut sent).await,
                Err(lost) => Err(lost),
            };
            match left {
                Ok(Left::Finished) => return,
                Ok(Left::Redirected(Some(address))) if self.turn_to(address) => {}
                Ok(Left::Redirected(_)) | Err(_) => {
                    self.lose_track(sent);
                    self.turn_from(index);
                    sleep(RETRY_DELAY).await;
                }
            }
            if unsent.is_empty() && self.is_over() {
                return;
            }
        }
    }

    /// Writes over one connection until it breaks or has to be left. What is in `sent` then had no answer.
    async fn pump(
        &self,
        connection: &mut Connection,
        unsent: &mut VecDeque<Pending>,
        sent: &mut VecDeque<Sent>,
    ) -> Result<Left, Lost> {
        let mut redirected = None;
        loop {
            // Half a window at a time, so that requests go out in batches under load.
            if redirected.is_none() && sent.len() <= self.window / 2 {
                self.refill(connection, unsent, sent);
                connection.send().await?;
            }
            if sent.is_empty() {
                match redirected {
                    Some(address) => return Ok(Left::Redirected(address)),
                    None if self.is_over() => return Ok(Left::Finished),
                    // Ahead of the rate.
                    None => sleep(PACE_DELAY).await,
                }
                continue;
            }
            let mut next = Some(connection.receive(Answer::of).await?);
            let now = Instant::now();
            let mut ledger = self.ledger();
            while let Some(answer) = next {
                let Some(Sent { pending, at }) = sent.pop_front() else {
                    return Err(Lost("an answer to no request".into()));
                };
                match answer {
                    Answer::Done => ledger.acknowledge(pending, at, now),
                    Answer::Uncertain => ledger.lose_track(pending),
                    Answer::Refused(text) => ledger.refuse(pending, &text),
                    Answer::Elsewhere(address) => {
                        unsent.push_back(pending);
                        redirected = Some(address);
                    }
                    Answer::NotNow => {
                        unsent.push_back(pending);
                        redirected = redirected.or(Some(None));
                    }
                }
                next = connection.receive_arrived(Answer::of)?;
            }
        }
    }

    /// Puts requests into the connection's queue until the window is full.
    fn refill(
        &self,
        connection: &mut Connection,
        unsent: &mut VecDeque<Pending>,
        sent: &mut VecDeque<Sent>,
    ) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let at = Instant::now();
        let end = self.end().min(self.allowance(at));
        let mut ledger = self.ledger();
        while sent.len() < self.window {
            let fresh = || (ledger.len() < end).then(|| ledger.begin(at));
            let Some(pending) = unsent.pop_front().or_else(fresh) else {
                return;
            };
            self.input.key(pending.number, &mut key);
            self.input.value(pending.number, &mut value);
            connection.push([b"SET", &key[..], &value].into_iter());
            sent.push_back(Sent { pending, at });
        }
    }

    /// The connection is gone, and with it the answers to what was sent.
    fn lose_track(&self, sent: VecDeque<Sent>) {
        let mut ledger = self.ledger();
        for Sent { pending, .. } in sent {
            ledger.lose_track(pending);
        }
    }

    /// How many writes may have begun by now.
    fn allowance(&self, now: Instant) -> usize {
        let Some(rate) = self.rate else {
            return usize::MAX;
        };
        let millis = now.saturating_duration_since(self.start).as_millis();
        let allowed = millis.saturating_mul(u128::from(rate)) / 1000;
        usize::try_from(allowed).unwrap_or(usize::MAX)
    }

    fn end(&self) -> usize {
        self.end.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.ledger().len() >= self.end()
    }

    /// Takes note that the leader is at `address`; false if that is none of the nodes.
    fn turn_to(&self, address: SocketAddr) -> bool {
        let index = self.nodes.iter().position(|node| *node == address);
        index
            .inspect(|index| self.leader.store(*index, Ordering::Relaxed))
            .is_some()
    }

    /// Takes note that the leader is not at this index, unless another writer has found it meanwhile.
    fn turn_from(&self, index: usize) {
        let next = (index + 1) % self.nodes.len();
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.leader.compare_exchange(index, next, set, fetch);
    }
}

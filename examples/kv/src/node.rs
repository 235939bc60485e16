//! What all tasks of a server share, and the loop that turns the engine.
//!
//! Everything here is on one thread, and no borrow is held across an await: so each task finds the engine
//! free when it needs it.

use core::cell::{Cell, RefCell};
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::task::{Poll, Waker};
use std::io;
use std::pin::pin;
use std::rc::Rc;

use quorum::NodeId;
use raft_core::{GroupId, Seat};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{Instant, sleep_until};

use crate::complaints::Complaints;
use crate::engine::Engine;
use crate::protection::Password;
use crate::storage::{Done, Storage};
use crate::tls::Tls;
use crate::transport::handshake::Hello;
use crate::transport::speaking::Speaking;
use crate::transport::{incoming, outgoing};

/// How long the loop sleeps when nothing is due.
const IDLE_TIME: core::time::Duration = core::time::Duration::from_secs(3600);

/// The engine of one server, and what its tasks share.
#[derive(Debug)]
pub struct Node {
    engine: RefCell<Engine>,
    id: NodeId,
    group: GroupId,
    password: Option<Password>,
    tls: Option<Tls>,
    is_due: Cell<bool>,
    turner: RefCell<Option<Waker>>,
    /// Connections whose request found no room.
    stalled: RefCell<Vec<Waker>>,
    failure: RefCell<Option<anyhow::Error>>,
    /// Over which connections peers speak.
    pub(crate) speaking: Speaking,
    next_client: Cell<u64>,
    is_ending: watch::Sender<bool>,
    complaints: Complaints,
}

impl Node {
    /// A node around its engine.
    pub fn new(engine: Engine, password: Option<Password>, tls: Option<Tls>) -> Rc<Self> {
        let (id, group) = (engine.raft().identity().node, engine.raft().group());
        Rc::new(Self {
            engine: RefCell::new(engine),
            id,
            group,
            password,
            tls,
            is_due: Cell::new(true),
            turner: RefCell::default(),
            stalled: RefCell::default(),
            failure: RefCell::default(),
            speaking: Speaking::default(),
            next_client: Cell::new(1),
            is_ending: watch::Sender::new(false),
            complaints: Complaints::default(),
        })
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its group.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// What clients have to know to be served.
    pub fn password(&self) -> Option<&str> {
        self.password.as_ref().map(Password::as_str)
    }

    /// How this node proves who it is, if connections are encrypted.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Tells the log why somebody on the port for nodes is refused.
    pub fn complain(&self, address: SocketAddr, text: String) {
        let text = format!("on the port for other nodes, {text}");
        self.complaints.warn(address.ip(), text);
    }

    /// A number for a new client.
    pub fn number_client(&self) -> u64 {
        self.next_client.replace(self.next_client.get() + 1)
    }

    /// Lets `work` use the engine, which then takes a turn.
    pub fn with_engine<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> T {
        let done = work(&mut self.engine.borrow_mut());
        self.notify();
        done
    }

    /// Lets `look` see the engine.
    pub fn look<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        look(&self.engine.borrow())
    }

    /// Why no clients should be sent here now, if so.
    pub fn obstacle(&self) -> Option<String> {
        match *self.is_ending.borrow() {
            true => Some("this node is ending".into()),
            false => self.look(Engine::obstacle),
        }
    }

    /// From now on no requests are taken.
    pub fn end(&self) {
        self.is_ending.send_replace(true);
    }

    /// Waits until no requests are to be taken any more.
    pub async fn ending(&self) {
        // The sender lives as long as this node.
        let _ = self.is_ending.subscribe().wait_for(|is| *is).await;
    }

    /// Makes the engine take a turn after all that is ready now.
    pub fn notify(&self) {
        if !self.is_due.replace(true)
            && let Some(waker) = self.turner.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// Wakes a connection when there may be room again.
    pub fn stall(&self, waker: &Waker) {
        self.stalled.borrow_mut().push(waker.clone());
    }

    fn fail(&self, done: anyhow::Result<()>) {
        if let Err(failure) = done {
            self.failure.borrow_mut().get_or_insert(failure);
            self.notify();
        }
    }

    // ----- for the transport -----

    /// Hands on the whole frames in what arrived from a peer; says how many bytes they were.
    ///
    /// # Errors
    /// One of them is longer than any frame.
    pub fn receive(&self, peer: NodeId, arrived: &[u8]) -> io::Result<usize> {
        let mut engine = self.engine.borrow_mut();
        if let Some(link) = engine.links.find(peer) {
            link.hear();
        }
        let mut rest = arrived;
        while let Some((frame, tail)) = incoming::split(rest)? {
            self.fail(engine.receive(peer, frame));
            rest = tail;
        }
        drop(engine);
        self.notify();
        Ok(arrived.len() - rest.len())
    }

    /// The connection to a peer broke.
    pub fn unreachable(&self, peer: NodeId) {
        self.fail(self.with_engine(|engine| engine.unreachable(peer)));
    }

    /// A peer connected: from now on it can be answered.
    pub fn welcome(self: &Rc<Self>, hello: &Hello) {
        let peer = hello.from.node;
        let added = {
            let mut engine = self.engine.borrow_mut();
            let members = engine.raft().members().count();
            let added = engine.links.add_stranger(peer, members);
            engine.links.hint(peer, &hello.peer);
            added
        };
        if let Some(link) = added {
            spawn_local(outgoing::run(Rc::clone(self), peer, link));
        }
    }

    /// Whether a node is a member of the group, as far as known here.
    pub fn is_member(&self, peer: NodeId) -> bool {
        let is_peer = |seat: Seat| seat.identity.node == peer;
        self.look(|engine| engine.raft().members().any(is_peer))
    }

    /// Gives up the link to a peer.
    pub fn give_up(&self, peer: NodeId) {
        self.engine.borrow_mut().links.remove(peer);
    }

    /// Where a peer listens and what to say to it first.
    pub fn introduction(&self, peer: NodeId) -> Option<(String, Hello)> {
        let engine = self.engine.borrow();
        let known = engine.store().address(peer.value());
        let known = known.map(|address| address.peer.clone());
        let address = known.or_else(|| engine.links.hinted(peer))?;
        let settings = engine.settings();
        let hello = Hello {
            group: self.group,
            from: engine.raft().identity(),
            to: peer,
            peer: settings.peer_listen.to_string(),
            client: settings.listen.to_string(),
        };
        Some((address.into(), hello))
    }

    /// Starts a task for each member that has none.
    fn dial_members(self: &Rc<Self>) {
        let members: Vec<NodeId> = self.look(|engine| {
            let members = engine.raft().members();
            let others = members.map(|seat| seat.identity.node);
            others.filter(|node| *node != self.id).collect()
        });
        for member in members {
            let added = self.engine.borrow_mut().links.add(member);
            if let Some(link) = added {
                spawn_local(outgoing::run(Rc::clone(self), member, link));
            }
        }
    }

    // ----- the loop -----

    /// Turns the engine until it cannot go on.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn run(self: Rc<Self>, mut reports: UnboundedReceiver<Done>) -> anyhow::Result<()> {
        let mut alarm = pin!(sleep_until(Instant::now()));
        loop {
            let deadline = self.look(Engine::deadline).map(Instant::from_std);
            let deadline = deadline.unwrap_or_else(|| Instant::now() + IDLE_TIME);
            // Moving the alarm costs more than waking once too often.
            if deadline < alarm.deadline() || alarm.is_elapsed() {
                alarm.as_mut().reset(deadline);
            }
            poll_fn(|context| {
                let mut turner = self.turner.borrow_mut();
                if !turner
                    .as_ref()
                    .is_some_and(|known| known.will_wake(context.waker()))
                {
                    *turner = Some(context.waker().clone());
                }
                let mut is_due = self.is_due.get();
                while let Poll::Ready(Some(done)) = reports.poll_recv(context) {
                    self.fail(self.engine.borrow_mut().report(done));
                    is_due = true;
                }
                is_due |= alarm.as_mut().poll(context).is_ready();
                match is_due {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            self.is_due.set(false);
            let pumped = self.engine.borrow_mut().pump();
            let has_room = pumped?;
            if let Some(failure) = self.failure.borrow_mut().take() {
                return Err(failure);
            }
            if has_room {
                let stalled = core::mem::take(&mut *self.stalled.borrow_mut());
                stalled.into_iter().for_each(Waker::wake);
            }
            let (is_behind, have_members_changed) = {
                let mut engine = self.engine.borrow_mut();
                (engine.is_behind(), engine.take_members_changed())
            };
            if have_members_changed {
                self.dial_members();
            }
            if is_behind {
                self.is_due.set(true);
                yield_now().await;
            }
        }
    }

    /// What is to be closed, once no task uses the node any more.
    pub fn into_storage(self: Rc<Self>) -> Option<Storage> {
        let node = Rc::try_unwrap(self).ok()?;
        Some(node.engine.into_inner().into_storage())
    }
}

//! Three ways in which a read was answered with what had been overwritten, as scripts that run on
//! raft-rs 0.7 and on this workspace's machine: the peer fails all three, ours holds.
//!
//! Both groups have three voters on clocks that tick together, ten ticks to the shortest election
//! timeout, pre-vote and check-quorum on. Nothing is wrong with any clock or disk; frames are late
//! or come twice, which networks do. A script returns the index at which a read was answered and
//! the index that was committed, and known to be, before that read began.

mod ours;
mod peer;

use ours::Ours;
use peer::Peer;

/// What a frame is, as far as the scripts care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Asks the leader for an index to read at.
    ReadRequest,
    /// Answers a contact of the leader.
    Answer,
    /// Tells another to stand for election.
    StandNow,
    /// Anything else.
    Other,
}

/// A frame on its way.
#[derive(Clone, Debug)]
struct Sent<F> {
    from: usize,
    to: usize,
    kind: Kind,
    frame: F,
}

/// Three nodes, counted from zero; the first leads, and everybody knows.
trait Group {
    type Frame: Clone;

    /// Whether reads are answered by lease or by a round of contacts.
    fn found(by_lease: bool) -> Self;
    /// A tenth of the shortest election timeout passes at a node.
    fn tick(&mut self, node: usize);
    /// A node writes, applies, and says what it has to say.
    fn drain(&mut self, node: usize) -> Vec<Sent<Self::Frame>>;
    fn deliver(&mut self, sent: &Sent<Self::Frame>);
    fn propose(&mut self, node: usize);
    fn campaign(&mut self, node: usize);
    fn transfer(&mut self, node: usize, to: usize);
    /// Begins a read; `name` is what its caller calls it, if the library asks for that.
    fn read(&mut self, node: usize, name: u8);
    /// At which indexes reads were answered at a node since the last call.
    fn answered(&mut self, node: usize) -> Vec<u64>;
    fn leads(&self, node: usize) -> bool;
    fn commit(&self, node: usize) -> u64;
}

/// A group with its network.
struct Stage<G: Group> {
    group: G,
    /// The first node is cut off.
    is_cut: bool,
    /// Frames of this kind wait.
    holds: Option<Kind>,
    held: Vec<Sent<G::Frame>>,
}

impl<G: Group> Stage<G> {
    fn found(by_lease: bool) -> Self {
        let mut stage = Stage {
            group: G::found(by_lease),
            is_cut: false,
            holds: None,
            held: Vec::new(),
        };
        stage.settle();
        assert!(stage.group.leads(0) && stage.group.commit(0) > 0);
        stage
    }

    /// Frames arrive until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            let sent: Vec<_> = (0..3).flat_map(|node| self.group.drain(node)).collect();
            if sent.is_empty() {
                return;
            }
            for sent in sent {
                if self.is_cut && (sent.from == 0 || sent.to == 0) {
                    continue;
                }
                match self.holds == Some(sent.kind) {
                    true => self.held.push(sent),
                    false => self.group.deliver(&sent),
                }
            }
        }
    }

    /// Time passes at these nodes.
    fn pass(&mut self, ticks: usize, nodes: &[usize]) {
        for _ in 0..ticks {
            for node in nodes {
                self.group.tick(*node);
            }
            self.settle();
        }
    }

    /// The second node comes into office and commits a command: the index is known from now on.
    fn second_leads(&mut self, campaigns: bool) -> u64 {
        if campaigns {
            self.group.campaign(1);
        }
        self.settle();
        assert!(self.group.leads(1), "the others elect the second node");
        let before = self.group.commit(1);
        self.group.propose(1);
        self.settle();
        let committed = self.group.commit(1);
        assert!(committed > before);
        committed
    }

    /// What the first node answers to a read that begins now, if it does, is it too old?
    fn is_stale(&mut self, committed: u64) -> bool {
        let _ = self.group.drain(0);
        let answered = self.group.answered(0);
        answered.iter().any(|index| *index < committed)
    }
}

/// the answers to a read that is over come late, after its question has come a second time,
/// and release a newer one.
fn question_comes_twice<G: Group>() -> bool {
    let (old, new) = (b'a', b'b');
    let mut stage = Stage::<G>::found(false);
    stage.group.read(1, old);
    let asked = stage.group.drain(1);
    let question = asked.iter().find(|sent| sent.kind == Kind::ReadRequest);
    let question = question.expect("a follower asks the leader").clone();
    stage.holds = Some(Kind::Answer);
    stage.group.deliver(&question);
    stage.settle();
    assert_eq!(stage.held.len(), 2, "both followers have answered");
    // The next contact is answered: the old read is over.
    stage.holds = None;
    stage.pass(1, &[0]);
    assert_eq!(stage.group.answered(1).len(), 1);
    // Another leads. The first node's clock stands still: reads by rounds rest on none.
    stage.is_cut = true;
    stage.pass(11, &[1, 2]);
    let committed = stage.second_leads(true);
    assert!(stage.group.leads(0), "it knows nothing of that");
    stage.group.read(0, new);
    stage.settle();
    stage.is_cut = false;
    stage.group.deliver(&question);
    for late in std::mem::take(&mut stage.held) {
        stage.group.deliver(&late);
    }
    stage.is_stale(committed)
}

/// the leader trusts an answer that is older than the others' patience. `ticks` pass before
/// it is cut off: how long ago it has last counted answers is different each time.
fn lease_is_too_long<G: Group>(ticks: usize) -> bool {
    let mut stage = Stage::<G>::found(true);
    stage.pass(20 + ticks, &[0, 1, 2]);
    stage.is_cut = true;
    stage.pass(11, &[0, 1, 2]);
    let committed = stage.second_leads(true);
    stage.group.read(0, b'a');
    stage.is_stale(committed)
}

/// the order to stand, of a transfer that was given up, arrives in the end.
fn order_to_stand_comes_late<G: Group>() -> bool {
    let mut stage = Stage::<G>::found(true);
    stage.pass(20, &[0, 1, 2]);
    stage.holds = Some(Kind::StandNow);
    stage.group.transfer(0, 1);
    stage.pass(22, &[0, 1, 2]);
    assert!(stage.group.leads(0), "it leads on");
    let order = stage.held.pop().expect("it told its successor");
    stage.is_cut = true;
    stage.group.deliver(&order);
    let committed = stage.second_leads(false);
    assert!(stage.group.leads(0), "it knows nothing of that");
    stage.group.read(0, b'a');
    stage.is_stale(committed)
}

#[test]
fn question_that_comes_twice_releases_another_read() {
    assert!(question_comes_twice::<Peer>(), "raft-rs 0.7 holds now");
    assert!(!question_comes_twice::<Ours>());
}

#[test]
fn lease_outlives_the_patience_of_the_others() {
    let stale = (0..10).filter(|ticks| lease_is_too_long::<Peer>(*ticks));
    assert!(stale.count() > 0, "raft-rs 0.7 holds now");
    for ticks in 0..10 {
        assert!(!lease_is_too_long::<Ours>(ticks), "after {ticks} ticks");
    }
}

#[test]
fn lease_survives_the_order_to_stand() {
    assert!(order_to_stand_comes_late::<Peer>(), "raft-rs 0.7 holds now");
    assert!(!order_to_stand_comes_late::<Ours>());
}

/// The scripts would hold for a library that answers no reads at all.
#[test]
fn reads_are_answered_where_nothing_is_wrong() {
    fn answers<G: Group>(by_lease: bool) {
        let mut stage = Stage::<G>::found(by_lease);
        stage.pass(3, &[0, 1, 2]);
        stage.group.read(0, b'a');
        stage.settle();
        let answered = stage.group.answered(0);
        assert_eq!(answered, [stage.group.commit(0)], "by lease: {by_lease}");
    }
    for by_lease in [false, true] {
        answers::<Peer>(by_lease);
        answers::<Ours>(by_lease);
    }
}

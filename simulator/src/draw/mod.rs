//! Space-time diagrams: a lane for each node, time downwards, an arrow for each message.
//!
//! A [`Diagram`] is plain data that anybody can fill: [`Diagram::of`] makes one of a story that
//! was played, a search can make one of its counterexample with [`Diagram::step`],
//! [`Diagram::send`] and [`Diagram::end`]. It is drawn as [text](Diagram::text) for the terminal,
//! as [SVG](Diagram::svg) for a talk, and as a [log](Diagram::shiviz) with vector clocks.
//!
//! ```
//! use simulator::draw::{Cause, Diagram, Kind, Role, State};
//!
//! let mut diagram = Diagram::new("a vote", ["n1", "n2"]);
//! diagram.step(0, 1000, Cause::Timeout);
//! diagram.state(State { role: Role::Candidate, term: 2, ..State::default() });
//! let vote = diagram.send(1, Kind::Election, "vote?");
//! diagram.step(1, 3000, Cause::Receives(vote));
//! diagram.end("election-safety", "nobody leads", &[0, 1]);
//! assert!(diagram.text().contains("vote?"));
//! ```

mod layout;
mod of;
mod shiviz;
mod svg;
mod text;

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// It follows, or has no vote.
    #[default]
    Follower,
    /// It asks for votes.
    Candidate,
    /// It leads.
    Leader,
}

/// What is shown of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    /// What it is.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The index before the first entry of `log`: what a snapshot covers.
    pub base: u64,
    /// The terms of its entries.
    pub log: Vec<u64>,
    /// The last entry that is on its disk.
    pub durable: u64,
    /// The last entry that it knows to be committed.
    pub commit: u64,
}

impl State {
    /// The last entry.
    pub fn last(&self) -> u64 {
        self.base + self.log.len() as u64
    }
}

/// What kind of message an arrow stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Asks for a vote, or answers that.
    Election,
    /// Asks or answers whether an election could be won.
    PreVote,
    /// Entries or a heartbeat.
    Append,
    /// An acknowledgement.
    Ack,
    /// A piece of a snapshot.
    Snapshot,
}

/// Why something happens at a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A message arrives; as [`Diagram::send`] called it.
    Receives(usize),
    /// A timer.
    Timeout,
    /// A write has ended.
    Disk,
    /// The application or an operator asks for something.
    Asked(String),
    /// The node crashes; what it leaves.
    Crash(String),
    /// The node comes back.
    Restart,
    /// Something that concerns everybody: a partition, its end.
    World(String),
    /// Anything else.
    Other(String),
}

/// Something happens at a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The node.
    pub lane: usize,
    /// Microseconds since the beginning.
    pub micros: u64,
    /// Why.
    pub cause: Cause,
    /// What the node is afterwards, if that changed.
    pub state: Option<State>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// In which row it was sent.
    pub row: usize,
    /// To which node.
    pub to: usize,
    /// What kind.
    pub kind: Kind,
    /// A few words.
    pub label: String,
    /// In which rows it arrived.
    pub arrivals: Vec<usize>,
}

/// How it ended badly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ending {
    /// Who noticed.
    pub oracle: String,
    /// The facts that contradict each other.
    pub what: String,
    /// The nodes that it is about.
    pub lanes: Vec<usize>,
}

/// A space-time diagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagram {
    title: String,
    lanes: Vec<String>,
    begins: Vec<State>,
    rows: Vec<Row>,
    messages: Vec<Message>,
    ending: Option<Ending>,
}

impl Diagram {
    /// An empty diagram of these nodes.
    pub fn new<'n>(title: &str, lanes: impl IntoIterator<Item = &'n str>) -> Self {
        let lanes: Vec<String> = lanes.into_iter().map(str::to_owned).collect();
        Diagram {
            title: title.into(),
            begins: vec![State::default(); lanes.len()],
            lanes,
            rows: Vec::new(),
            messages: Vec::new(),
            ending: None,
        }
    }

    /// What a node is before anything happens.
    pub fn begin(&mut self, lane: usize, state: State) {
        if let Some(begin) = self.begins.get_mut(lane) {
            *begin = state;
        }
    }

    /// Something happens at a node that is one of the lanes.
    pub fn step(&mut self, lane: usize, micros: u64, cause: Cause) {
        let row = self.rows.len();
        if let Cause::Receives(message) = cause
            && let Some(message) = self.messages.get_mut(message)
        {
            message.arrivals.push(row);
        }
        self.rows.push(Row {
            lane: lane.min(self.lanes.len().saturating_sub(1)),
            micros,
            cause,
            state: None,
            notes: Vec::new(),
        });
    }

    /// In the latest step the node became this.
    pub fn state(&mut self, state: State) {
        if let Some(row) = self.rows.last_mut() {
            row.state = Some(state);
        }
    }

    /// Something worth saying about the latest step.
    pub fn note(&mut self, words: &str) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push(words.into());
        }
    }

    /// In the latest step the node sends a message; returns what to call it.
    pub fn send(&mut self, to: usize, kind: Kind, label: &str) -> usize {
        self.messages.push(Message {
            row: self.rows.len().saturating_sub(1),
            to,
            kind,
            label: label.into(),
            arrivals: Vec::new(),
        });
        self.messages.len() - 1
    }

    /// It ends with a contradiction about these nodes.
    pub fn end(&mut self, oracle: &str, what: &str, lanes: &[usize]) {
        self.ending = Some(Ending {
            oracle: oracle.into(),
            what: what.into(),
            lanes: lanes.to_vec(),
        });
    }

    /// What each node is after the last row.
    fn ends(&self) -> Vec<State> {
        let mut ends = self.begins.clone();
        for row in &self.rows {
            if let (Some(state), Some(end)) = (&row.state, ends.get_mut(row.lane)) {
                end.clone_from(state);
            }
        }
        ends
    }
}
